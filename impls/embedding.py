"""Variants of the embedding losses."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import (
    collect,
    divisor_of,
    reduce,
    require,
    require_floats,
    require_labels,
    require_number,
    require_reduction,
    wide,
)
from impls.compiled import Compiled, graph_input, number
from impls.margin_softmax import Margin, margin_softmax


def _check_rows(features: Tensor, label: Tensor, **rows: Tensor) -> None:
    """Features (N, D), label (N,), and a row for each class (C, D)."""
    require_floats(features=features, **rows)
    require(features.ndim == 2, "features", "shape (N, D)", tuple(features.shape))
    ((name, tensor),) = rows.items()
    fits = tensor.ndim == 2 and len(tensor) >= 1 and tensor.shape[1] == features.shape[1]
    require(fits, name, f"shape (C, {features.shape[1]})", tuple(tensor.shape))
    require_labels("label", label, features.shape[:1])


def _check_center(
    features: Tensor, label: Tensor, centers: Tensor, scale: float, reduction: str
) -> None:
    _check_rows(features, label, centers=centers)
    require_number("scale", scale, 0, math.inf)
    require(scale < math.inf, "scale", "a finite number of at least 0", scale)
    require_reduction(reduction)


def center_naive(
    features: Tensor,
    label: Tensor,
    centers: Tensor,
    *,
    scale: float = 1.0,
    balanced: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """(λ/2) |f - c_y|², one feature at a time."""
    _check_center(features, label, centers, scale, reduction)
    labels, rows = label.tolist(), wide(centers)
    items = []
    for feature, own in zip(wide(features), labels, strict=True):
        distance = ((feature - rows[own]) ** 2).sum()
        share = labels.count(own) if balanced else 1
        items.append(scale / 2 * distance / share)
    losses = collect(items, label.shape, features, centers)
    return reduce(losses, divisor_of(reduction, len(items)), features.dtype)


def _squared_distances(features: Tensor, label: Tensor, centers: Tensor) -> Tensor:
    """|f - c_y|² of rows that are wide already: the gradient to centers is summed before it is
    rounded."""
    return (features - centers[label]).square().sum(1)


def _center_losses(
    distances: Tensor, label: Tensor, classes: int, scale: float, balanced: bool
) -> Tensor:
    """λ/2 times the distances, over how often their label occurs if balanced."""
    losses = distances * (scale / 2)
    if not balanced:
        return losses
    occurrences = losses.new_zeros(classes).index_add(0, label, torch.ones_like(losses))
    return losses / occurrences.detach()[label]


def center_vectorized(
    features: Tensor,
    label: Tensor,
    centers: Tensor,
    *,
    scale: float = 1.0,
    balanced: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """(λ/2) |f - c_y|² on all features at once."""
    _check_center(features, label, centers, scale, reduction)
    distances = _squared_distances(wide(features), label, wide(centers))
    items = _center_losses(distances, label, len(centers), scale, balanced)
    return reduce(items, divisor_of(reduction, len(features)), features.dtype)


_compiled_distances = Compiled(_squared_distances, graphs=8)


def center_fused(
    features: Tensor,
    label: Tensor,
    centers: Tensor,
    *,
    scale: float = 1.0,
    balanced: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """The distances compiled; single features, classes or dimensions are not worth a graph."""
    _check_center(features, label, centers, scale, reduction)
    rows = (wide(features), label, wide(centers))
    if min(*features.shape, *centers.shape) < 2:
        distances = _squared_distances(*rows)
    else:
        distances = _compiled_distances(*(graph_input(tensor) for tensor in rows))
    items = _center_losses(distances, label, len(centers), scale, balanced)
    return reduce(items, divisor_of(reduction, len(features)), features.dtype)


def _check_arcface(
    features: Tensor, label: Tensor, weight: Tensor, scale: float, margin: float, reduction: str
) -> None:
    _check_rows(features, label, weight=weight)
    require_number("scale", scale, 0, float("inf"))
    require(0 < scale < math.inf, "scale", "a finite number above 0", scale)
    require_number("margin", margin, 0, math.pi)
    require(margin < math.pi, "margin", "an angle in [0, π)", margin)
    require_reduction(reduction)


def _one_unit(vector: Tensor) -> Tensor:
    """The vector at length 1; zero stays. Divided by its largest entry first, against overflow."""
    largest = vector.detach().abs().max()
    if largest == 0:
        return vector
    vector = vector / largest
    return vector / torch.linalg.vector_norm(vector)


def arcface_naive(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy of s [cos θ_j, with φ(θ_y) at the label], one feature at a time."""
    _check_arcface(features, label, weight, scale, margin, reduction)
    classes = [_one_unit(vector) for vector in wide(weight)]
    items = []
    for feature, own in zip(wide(features), label.tolist(), strict=True):
        feature = _one_unit(feature)
        cosines = [(feature * vector).sum() for vector in classes]
        cosine, vector = cosines[own], classes[own]
        if feature.any() and vector.any():
            difference, total = (
                torch.linalg.vector_norm(v) for v in (feature - vector, feature + vector)
            )
            sine = difference * total / 2
        else:
            sine = torch.ones_like(cosine)
        if cosine >= -math.cos(margin):
            cosines[own] = cosine * math.cos(margin) - sine * math.sin(margin)
        else:
            cosines[own] = cosine - margin * math.sin(margin)
        logits = scale * torch.stack(cosines)
        shifted = logits - logits.max().detach()
        items.append(torch.log(torch.exp(shifted).sum()) - shifted[own])
    losses = collect(items, label.shape, features, weight)
    return reduce(losses, divisor_of(reduction, len(items)), features.dtype)


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Rows at length 1, and which of them have a direction; a zero row stays zero."""
    largest = vectors.detach().abs().amax(dim=1, keepdim=True)
    known = largest > 0
    scaled = vectors / torch.where(known, largest, 1)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / torch.where(known, length, 1), known.squeeze(1)


def _arcface(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    scale: float | Tensor,
    cosine_margin: float | Tensor,
    sine_margin: float | Tensor,
    drop: float | Tensor,
) -> Tensor:
    """Items, unrounded; ``drop`` is m sin m, what the cosine loses past π-m."""
    unit_features, known_features = _unit(wide(features))
    unit_weight, known_weight = _unit(wide(weight))
    with torch.autocast(features.device.type, enabled=False):
        cosines = unit_features @ unit_weight.T
    own = unit_weight[label]
    difference = torch.linalg.vector_norm(unit_features - own, dim=1)
    total = torch.linalg.vector_norm(unit_features + own, dim=1)
    sine = torch.where(known_features & known_weight[label], difference * total / 2, 1)
    cosine = cosines.gather(1, label[:, None]).squeeze(1)
    shifted = cosine * cosine_margin - sine * sine_margin
    shifted = torch.where(cosine >= -cosine_margin, shifted, cosine - drop)
    logits = scale * cosines.scatter(1, label[:, None], shifted[:, None])
    return -F.log_softmax(logits, dim=1).gather(1, label[:, None]).squeeze(1)


def _margin_constants(margin: float) -> tuple[float, float, float]:
    return math.cos(margin), math.sin(margin), margin * math.sin(margin)


def arcface_vectorized(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy of s [cos θ_j, with φ(θ_y) at the label], from one matrix product."""
    _check_arcface(features, label, weight, scale, margin, reduction)
    items = _arcface(features, label, weight, scale, *_margin_constants(margin))
    return reduce(items, divisor_of(reduction, len(features)), features.dtype)


_compiled_arcface = Compiled(_arcface, graphs=8)


def arcface_fused(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """The items compiled; single features, classes or dimensions are not worth a graph.

    Half types are widened before: the matrix product needs them in memory anyway.
    """
    _check_arcface(features, label, weight, scale, margin, reduction)
    options = (scale, *_margin_constants(margin))
    tensors = (wide(features), label, wide(weight))
    if min(*features.shape, *weight.shape) < 2:
        items = _arcface(*tensors, *options)
    else:
        inputs = (graph_input(tensor) for tensor in tensors)
        items = _compiled_arcface(*inputs, *(number(option) for option in options))
    return reduce(items, divisor_of(reduction, len(features)), features.dtype)


def arcface_closed_form(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """One matrix of cosines, which becomes the softmax and its own gradient in place."""
    _check_arcface(features, label, weight, scale, margin, reduction)
    constants = Margin(scale, *_margin_constants(margin))

    def formula(features: Tensor, weight: Tensor) -> Tensor:
        return _arcface(features, label, weight, *constants)

    items = margin_softmax(wide(features), label, wide(weight), constants, formula)
    return reduce(items, divisor_of(reduction, len(features)), features.dtype)
