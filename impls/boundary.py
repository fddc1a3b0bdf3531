"""Variants of the boundary losses: distances weigh the errors, and are constants to the gradient."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import (
    Divisor,
    collect,
    divisor_of,
    ratio_or_zero,
    reduce,
    require,
    require_floats,
    require_labels,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.classification import _shifted
from impls.compiled import Compiled, graph_input, number
from impls.softmax_rows import in_one_softmax, probabilities, reduced, share_of, to_gradient


def _check_weighted(logits: Tensor, target: Tensor, distance: Tensor, reduction: str) -> None:
    require_floats(logits=logits, distance=distance)
    is_batch = logits.ndim >= 2 and logits.shape[1] >= 1
    require(is_batch, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_labels("target", target, (logits.shape[0], *logits.shape[2:]))
    require_shape("distance", distance, target.shape)
    require_reduction(reduction)


def _folded(logits: Tensor, target: Tensor, distance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N, C, S), (N, S) and (N, S): all axes of space as one."""
    batch, classes = logits.shape[:2]
    voxels = math.prod(target.shape[1:])
    return (
        logits.reshape(batch, classes, voxels),
        target.reshape(batch, voxels),
        distance.reshape(batch, voxels),
    )


# Distance-weighted Dice: 1 - (2ΣDpg+s)/(ΣDp+ΣDg+s), D = 1 + distance


def _check_dice(logits: Tensor, target: Tensor, distance: Tensor, smooth: float, reduction: str) -> None:
    _check_weighted(logits, target, distance, reduction)
    require(logits.shape[1] == 2, "logits", "shape (N, 2, *)", tuple(logits.shape))
    require_number("smooth", smooth, 0, float("inf"))


def distance_dice_naive(
    logits: Tensor, target: Tensor, distance: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """1 - (2ΣDpg+s)/(ΣDp+ΣDg+s), one sample at a time."""
    _check_dice(logits, target, distance, smooth, reduction)
    items = []
    for sample, g, d in zip(wide(logits), target, wide(distance).detach(), strict=True):
        p, weight = torch.softmax(sample, dim=0)[1], 1 + d
        total = (weight * p).sum() + (weight * g).sum() + smooth
        both = 2 * (weight * p * g).sum() + smooth
        items.append(1 - both / total if total > 0 else 0 * total)
    losses = collect(items, logits.shape[:1], logits)
    return reduce(losses, divisor_of(reduction, len(items)), logits.dtype)


def _distance_sums(logits: Tensor, target: Tensor, distance: Tensor) -> Tensor:
    """ΣDpg and the errors ΣDp(1-g) + ΣD(1-p)g of each sample, (2, N).

    Both p and 1-p come from the difference of the two logits, so that neither cancels.
    """
    x, weight = wide(logits), 1 + wide(distance).detach()
    sign = 2 * target.to(x.dtype) - 1  # as a factor: many times faster than torch.where
    margin = sign * (x[:, 1] - x[:, 0])
    both = weight * target * torch.sigmoid(margin)
    wrong = weight * torch.sigmoid(-margin)
    return torch.stack([both.sum(-1), wrong.sum(-1)])


def _dice_of_sums(sums: Tensor, smooth: float) -> Tensor:
    """wrong / (2 both + wrong + s), which no rounding takes out of [0, 1]; 0 where all is 0."""
    both, wrong = sums
    return ratio_or_zero(wrong, 2 * both + wrong + smooth)


def distance_dice_vectorized(
    logits: Tensor, target: Tensor, distance: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """1 - (2ΣDpg+s)/(ΣDp+ΣDg+s) from the weighted errors of all samples at once."""
    _check_dice(logits, target, distance, smooth, reduction)
    sums = _distance_sums(*_folded(logits, target, distance))
    return reduce(_dice_of_sums(sums, smooth), divisor_of(reduction, len(logits)), logits.dtype)


_compiled_distance_sums = Compiled(_distance_sums, graphs=20)


def distance_dice_fused(
    logits: Tensor, target: Tensor, distance: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The sums over the voxels compiled; what is left has two numbers an item."""
    _check_dice(logits, target, distance, smooth, reduction)
    tensors = _folded(logits, target, distance.detach())
    if len(logits) == 0 or tensors[0].shape[-1] < 2:
        sums = _distance_sums(*tensors)
    else:
        sums = _compiled_distance_sums(*(graph_input(tensor) for tensor in tensors))
    return reduce(_dice_of_sums(sums, smooth), divisor_of(reduction, len(logits)), logits.dtype)


# Distance-weighted cross entropy: (1+E) · -log p_t


def distance_weighted_ce_naive(
    logits: Tensor, target: Tensor, distance: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """(1+E) · -log p_t, one item at a time."""
    _check_weighted(logits, target, distance, reduction)
    rows = wide(logits).movedim(1, -1).reshape(-1, logits.shape[1])
    weights = 1 + wide(distance).detach().reshape(-1)
    items = []
    for row, label, weight in zip(rows, target.reshape(-1), weights, strict=True):
        shifted = row - row.max().detach()
        items.append(weight * (torch.log(torch.exp(shifted).sum()) - shifted[label]))
    losses = collect(items, target.shape, logits)
    return reduce(losses, divisor_of(reduction, len(items)), logits.dtype)


def _weighted(logits: Tensor, target: Tensor, distance: Tensor) -> Tensor:
    """Items, unrounded, of logits (N, C, S)."""
    log_probability = F.log_softmax(_shifted(wide(logits)), dim=1)
    of_target = log_probability.gather(1, target.unsqueeze(1)).squeeze(1)
    return -(1 + wide(distance).detach()) * of_target


def distance_weighted_ce_vectorized(
    logits: Tensor, target: Tensor, distance: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Softmax cross entropy from log_softmax and a gather, times 1 + E."""
    _check_weighted(logits, target, distance, reduction)
    items = _weighted(*_folded(logits, target, distance)).reshape(target.shape)
    return reduce(items, divisor_of(reduction, items.numel()), logits.dtype)


_compiled_weighted = Compiled(_weighted, graphs=20)


def distance_weighted_ce_fused(
    logits: Tensor, target: Tensor, distance: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """The items compiled, without what cross entropy's graphs compute for weights and smoothing.

    Single voxels and classes are not worth a graph.
    """
    _check_weighted(logits, target, distance, reduction)
    tensors = _folded(logits, target, distance.detach())
    if len(logits) == 0 or min(tensors[0].shape[1:]) < 2:
        items = _weighted(*tensors)
    else:
        items = _compiled_weighted(*(graph_input(tensor) for tensor in tensors))
    return reduce(items.reshape(target.shape), divisor_of(reduction, items.numel()), logits.dtype)


def distance_weighted_ce_closed_form(
    logits: Tensor, target: Tensor, distance: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """One softmax, which becomes the gradient in place."""
    _check_weighted(logits, target, distance, reduction)

    def formula(logits: Tensor) -> Tensor:
        return distance_weighted_ce_vectorized(logits, target, distance, reduction=reduction)

    def evaluation(rows: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        weight, share = 1 + wide(distance).detach(), share_of(target.numel(), reduction)
        p, log_p = probabilities(rows, target, None)
        items = log_p.mul_(weight).neg_()
        loss = reduced(items, share, reduction)
        return loss, lambda: to_gradient(p, target, weight.mul_(share))

    return in_one_softmax(logits, formula, evaluation)


# Hausdorff by distance transforms: (p-g)² (d_p^a + d_g^a)


def _check_hausdorff(
    probs: Tensor,
    target: Tensor,
    probs_distance: Tensor,
    target_distance: Tensor,
    power: float,
    reduction: str,
) -> None:
    others = {
        "target": target,
        "probs_distance": probs_distance,
        "target_distance": target_distance,
    }
    require_floats(probs=probs, **others)
    for name, tensor in others.items():
        require_shape(name, tensor, probs.shape)
    require_number("power", power, 0, float("inf"))
    require(0 < power < float("inf"), "power", "a finite number above 0", power)
    require_reduction(reduction)


def hausdorff_dt_naive(
    probs: Tensor,
    target: Tensor,
    probs_distance: Tensor,
    target_distance: Tensor,
    *,
    power: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """(p-g)² (d_p^a + d_g^a), one voxel at a time."""
    _check_hausdorff(probs, target, probs_distance, target_distance, power, reduction)
    constants = (wide(t).detach().reshape(-1) for t in (target, probs_distance, target_distance))
    items = []
    for p, g, p_distance, g_distance in zip(wide(probs).reshape(-1), *constants, strict=True):
        weight = p_distance**power + g_distance**power
        if p == g and weight == torch.inf:  # no distance makes 0² more than 0
            weight = torch.zeros_like(weight)
        items.append((p - g) ** 2 * weight)
    losses = collect(items, probs.shape, probs)
    return reduce(losses, divisor_of(reduction, len(items)), probs.dtype)


def _rooted(
    probs: Tensor, target: Tensor, probs_distance: Tensor, target_distance: Tensor, power: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The arguments with d^(a/2) for each distance d, which a = 2 leaves as it is.

    All are widened together, so that no graph has to know of a power or of two dtypes.
    """
    g, p_root, g_root = (t.detach() for t in (target, probs_distance, target_distance))
    if power != 2:
        probs, g, p_root, g_root = (wide(t) for t in (probs, g, p_root, g_root))
        largest = torch.finfo(probs.dtype).max  # finite, so that 0 times it is 0
        p_root, g_root = ((d ** (power / 2)).clamp(max=largest) for d in (p_root, g_root))
    return probs, g, p_root, g_root


def _hausdorff(
    probs: Tensor, target: Tensor, probs_root: Tensor, target_root: Tensor, divisor: Divisor
) -> Tensor:
    """((p-g) d_p^(a/2))² + ((p-g) d_g^(a/2))²."""
    p, g, probs_root, target_root = (wide(t) for t in (probs, target, probs_root, target_root))
    difference = p - g
    items = (difference * probs_root).square() + (difference * target_root).square()
    return reduce(items, divisor, probs.dtype)


def hausdorff_dt_vectorized(
    probs: Tensor,
    target: Tensor,
    probs_distance: Tensor,
    target_distance: Tensor,
    *,
    power: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """(p-g)² (d_p^a + d_g^a) on whole tensors, as a sum of two squares."""
    _check_hausdorff(probs, target, probs_distance, target_distance, power, reduction)
    tensors = _rooted(probs, target, probs_distance, target_distance, power)
    return _hausdorff(*tensors, divisor_of(reduction, probs.numel())).to(probs.dtype)


_compiled_hausdorff = Compiled(_hausdorff, graphs=20)


def hausdorff_dt_fused(
    probs: Tensor,
    target: Tensor,
    probs_distance: Tensor,
    target_distance: Tensor,
    *,
    power: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """The vectorized form, compiled; fewer than two voxels are not worth a graph."""
    _check_hausdorff(probs, target, probs_distance, target_distance, power, reduction)
    tensors = _rooted(probs, target, probs_distance, target_distance, power)
    divisor = divisor_of(reduction, probs.numel())
    if probs.numel() < 2:
        return _hausdorff(*tensors, divisor).to(probs.dtype)
    scale = None if divisor is None else number(divisor)
    result = _compiled_hausdorff(*(graph_input(tensor, -1) for tensor in tensors), scale)
    return (result.reshape(probs.shape) if divisor is None else result).to(probs.dtype)
