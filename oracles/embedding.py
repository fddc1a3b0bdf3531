"""Oracles of the embedding losses."""

import numpy as np

from oracles.classification import cross_entropy_items
from oracles.numeric import (
    Array,
    as_floats,
    as_labels,
    as_number,
    reduce,
    require,
    require_finite,
    require_reduction,
)


def _rows(features: Array, label: Array, name: str, rows: Array) -> tuple[Array, Array, Array]:
    """Features (N, D), their labels and a row for each class (C, D), the domain checked."""
    features, label = as_floats("features", features), as_labels("label", label)
    rows = as_floats(name, rows)
    require(features.ndim == 2, "features", "a shape (N, D)", features.shape)
    require(
        rows.ndim == 2 and rows.shape[0] >= 1 and rows.shape[1] == features.shape[1],
        name,
        f"a shape (C, D) with D = {features.shape[1]}",
        rows.shape,
    )
    shape = features.shape[:1]
    require(label.shape == shape, "label", f"a shape (N,) = {shape}", label.shape)
    classes = rows.shape[0]
    require((label >= 0) & (label < classes), "label", f"labels in [0, {classes})")
    require_finite("features", features)
    require_finite(name, rows)
    return features, label, rows


def center_items(
    features: Array, label: Array, centers: Array, *, scale: float = 1.0, balanced: bool = False
) -> Array:
    """Items (..., N) of features (..., N, D), label (N,) and centers (..., C, D)."""
    distances = ((features - centers[..., label, :]) ** 2).sum(axis=-1)
    shares = np.bincount(label, minlength=1)[label] if balanced else 1
    return scale * distances / 2 / shares


def center(
    features: Array,
    label: Array,
    centers: Array,
    *,
    scale: float = 1.0,
    balanced: bool = False,
    reduction: str = "mean",
) -> Array | np.floating:
    """Center loss: (λ/2) |f - c_y|², the squared distance of a feature from its class's centre.

    Args:
        features: (N, D) finite.
        label: (N,) integers in [0, C).
        centers: (C, D) finite, a row a class.
        scale: λ, finite and at least 0.
        balanced: divide each item by how often its label occurs in the batch.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Wen et al. 2016, A Discriminative Feature Learning Approach for Deep Face Recognition.

    >>> center([[3.0, 4.0]], [1], [[9.0, 9.0], [0.0, 0.0]])
    np.float64(12.5)
    """
    features, label, centers = _rows(features, label, "centers", centers)
    require_reduction(reduction)
    require(0 <= as_number("scale", scale) < np.inf, "scale", "a finite number of at least 0", scale)
    return reduce(center_items(features, label, centers, scale=scale, balanced=balanced), reduction)


def _length(vectors: Array) -> Array:
    """Euclidean length along the last axis, kept: a square root of squares, so complex-safe."""
    return np.sqrt((vectors**2).sum(axis=-1, keepdims=True))


def _unit(vectors: Array) -> Array:
    """Vectors of length 1; the zero vector stays. Scaled first, so that no square overflows."""
    size = np.max(np.abs(vectors.real), axis=-1, keepdims=True, initial=0)
    scaled = vectors / np.where(size == 0, 1, size)
    return scaled / np.where(size == 0, 1, _length(scaled))


def scaled_cosines(
    features: Array, label: Array, weight: Array, *, scale: float = 64.0, margin: float = 0.5
) -> Array:
    """(..., N, C): s cos θ_j, with s φ(θ_y) at the label."""
    unit_features, unit_weight = _unit(features), _unit(weight)
    cosine = unit_features @ np.swapaxes(unit_weight, -1, -2)
    own = unit_weight[..., label, :]
    own_cosine = (unit_features * own).sum(axis=-1, keepdims=True)
    no_angle = ~(features.real.any(axis=-1, keepdims=True) & own.real.any(axis=-1, keepdims=True))
    margin = features.real.dtype.type(margin)  # so that cos m has the precision of the rest
    with np.errstate(all="ignore"):
        half_chords = 0.5 * _length(unit_features - own) * _length(unit_features + own)
    sine = np.where(no_angle, 1, half_chords)
    shifted = np.where(
        own_cosine.real >= -np.cos(margin),
        own_cosine * np.cos(margin) - sine * np.sin(margin),
        own_cosine - margin * np.sin(margin),
    )
    is_label = np.arange(weight.shape[-2]) == label[:, None]
    return scale * np.where(is_label, shifted, cosine)


def arcface_items(
    features: Array, label: Array, weight: Array, *, scale: float = 64.0, margin: float = 0.5
) -> Array:
    """Items (..., N) of features (..., N, D), label (N,) and weight (..., C, D)."""
    logits = scaled_cosines(features, label, weight, scale=scale, margin=margin)
    return cross_entropy_items(logits[..., None], label[:, None])[..., 0]


def arcface(
    features: Array,
    label: Array,
    weight: Array,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Array | np.floating:
    """ArcFace: cross entropy of s [cos θ_j, with φ(θ_y) at the label].

    φ(θ) = cos(θ+m) for θ ≤ π-m, else cos θ - m sin m. sin θ is ½ |f-w| |f+w| of the unit vectors,
    which loses no digits near θ = 0. A zero vector has cosine 0 with everything.

    Args:
        features: (N, D) finite.
        label: (N,) integers in [0, C).
        weight: (C, D) finite, a row a class.
        scale: s above 0.
        margin: m in [0, π), radians.
        reduction: "none" gives items (N,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Deng et al., arXiv 1801.07698.

    >>> arcface([[1.0, 0.0]], [0], [[1.0, 0.0], [1.0, 0.0]], margin=0.0)
    np.float64(0.6931471805599453)
    """
    features, label, weight = _rows(features, label, "weight", weight)
    require_reduction(reduction)
    require(0 < as_number("scale", scale) < np.inf, "scale", "a finite number above 0", scale)
    require(0 <= as_number("margin", margin) < np.pi, "margin", "an angle in [0, π)", margin)
    return reduce(arcface_items(features, label, weight, scale=scale, margin=margin), reduction)
