"""Variants of the overlap losses, on tensors (N, C, *).

All are made of the same few sums over the voxels. Fused, these are compiled, once for all losses; what
is left has one number an item.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from impls.arguments import (
    as_voxels,
    collect,
    ratio_or_zero,
    reduce_all,
    require,
    require_floats,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input

ACTIVATIONS = ("none", "sigmoid", "softmax")


def _check(probs: Tensor, target: Tensor, activation: str, reduction: str, **numbers: float) -> None:
    """What all share; the numbers are at least 0."""
    require_floats(probs=probs, target=target)
    require(probs.ndim >= 2, "probs", "shape (N, C, *)", tuple(probs.shape))
    require_shape("target", target, probs.shape)
    for name, value in numbers.items():
        require_number(name, value, 0, float("inf"))
    require(activation in ACTIVATIONS, "activation", f"one of {', '.join(ACTIVATIONS)}", activation)
    require_reduction(reduction)


def _check_gamma(gamma: float) -> None:
    require_number("gamma", gamma, 0, float("inf"))
    require(gamma > 0, "gamma", "a number above 0", gamma)


def _activated(values: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    """Probabilities p, and 1-p without cancellation."""
    if activation == "sigmoid":
        return torch.sigmoid(values), torch.sigmoid(-values)
    if activation == "softmax":
        p = torch.softmax(values, dim=1)
        largest = p == p.amax(dim=1, keepdim=True)
        others = torch.where(largest, 0, p).sum(dim=1, keepdim=True)
        alone = largest.sum(dim=1, keepdim=True) == 1
        return p, torch.where(largest & alone, others, 1 - p)
    return values, 1 - values


def _each_mask(
    one: Callable[[Tensor, Tensor, Tensor], Tensor],
    probs: Tensor,
    target: Tensor,
    batch: bool,
    include_background: bool,
    activation: str,
    reduction: str,
) -> Tensor:
    """A formula of p, 1-p and g, one mask at a time."""
    maps = (*_activated(wide(probs), activation), wide(target).detach())
    first = 0 if include_background else 1
    channels = range(first, probs.shape[1])
    if batch:
        masks = [[each[:, c] for each in maps] for c in channels]
        shape = [len(channels)]
    else:
        masks = [[each[n, c] for each in maps] for n in range(len(probs)) for c in channels]
        shape = [len(probs), len(channels)]
    items = collect([one(*mask) for mask in masks], shape, probs)
    return reduce_all(items, reduction, probs)


# The sums


def _region_sums(probs: Tensor, target: Tensor, activation: str) -> Tensor:
    """What every overlap loss is made of, in one pass over (N, C, S): six sums, (6, N, C).

    Σpg, false positives Σp(1-g), false negatives Σ(1-p)g, Σ(p-g)² on foreground and background, and
    the background's size Σ(1-g), which voxels - Σg would not give to the last digits.
    """
    p, not_p = _activated(wide(probs), activation)
    g = wide(target).detach()
    not_g = 1 - g
    difference = torch.where(p < 0.5, p - g, not_g - not_p)
    square = difference * difference
    parts = (p * g, p * not_g, not_p * g, square * g, square * not_g, not_g)
    return torch.stack([part.sum(-1) for part in parts])


_compiled_region_sums = Compiled(_region_sums, graphs=40)


def _fused_region_sums(probs: Tensor, target: Tensor, activation: str) -> Tensor:
    """The six sums compiled: a graph for each activation, and under softmax one for a single sample.

    Without softmax, channels are samples, and a single mask is two halves and its odd voxel. Fewer than
    two voxels are not worth a graph, nor is softmax over one channel.
    """
    probs, target = as_voxels(probs), as_voxels(target.detach())
    batch, channels, voxels = fold = probs.shape
    if activation != "softmax":
        single = batch * channels == 1
        fold = torch.Size((1, 2, voxels // 2) if single else (1, batch * channels, voxels))
    if probs.numel() == 0 or min(fold[1:]) < 2:
        return _region_sums(probs, target, activation)
    folded = math.prod(fold) // (batch * channels)
    halves = (graph_input(tensor[..., :folded], *fold) for tensor in (probs, target))
    sums = _compiled_region_sums(*halves, activation).reshape(6, batch, channels, -1).sum(-1)
    if folded < voxels:
        sums = sums + _region_sums(probs[..., folded:], target[..., folded:], activation)
    return sums


def _regions(sums: Tensor, batch: bool, include_background: bool) -> Tensor:
    """The sums of the items, (6, N, C), or (6, C) where batch."""
    sums = sums if include_background else sums[:, :, 1:]
    return sums.sum(1) if batch else sums


def _share(wrong: Tensor, right: Tensor) -> Tensor:
    """wrong / (wrong + right), which no rounding takes out of [0, 1]; 0 with no gradient at 0/0.

    Taken from the smaller of the two, or else the gradient is a difference of numbers as large as
    1 / (wrong + right).
    """
    whole = wrong + right
    empty = whole == 0
    whole = torch.where(empty, 1, whole)
    share = torch.where(wrong > right, 1 - right / whole, wrong / whole)
    return torch.where(empty, 0, share)


# Dice: 1 - (2I+s)/(P+G+s)


def _one_dice(p: Tensor, g: Tensor, smooth: float, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) of one mask; two empty masks agree."""
    total = ((p**2).sum() + (g**2).sum() if squared else p.sum() + g.sum()) + smooth
    coefficient = (2 * (p * g).sum() + smooth) / total if total > 0 else 1 + 0 * total
    return 1 - coefficient


def _dice(sums: Tensor, smooth: float, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) as wrong / (2I + wrong + s)."""
    both, false_positive, false_negative, on_foreground, on_background, _ = sums
    wrong = on_foreground + on_background if squared else false_positive + false_negative
    return _share(wrong, 2 * both + smooth)


def dice_naive(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (2I+s)/(P+G+s), one mask at a time."""
    _check(probs, target, activation, reduction, smooth=smooth)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        return _one_dice(p, g, smooth, squared)

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def dice_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (2I+s)/(P+G+s), all masks at once."""
    _check(probs, target, activation, reduction, smooth=smooth)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_dice(regions, smooth, squared), reduction, probs)


def dice_fused(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (2I+s)/(P+G+s), from sums that are compiled."""
    _check(probs, target, activation, reduction, smooth=smooth)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_dice(regions, smooth, squared), reduction, probs)


# Jaccard: 1 - (I+s)/(P+G-I+s)


def _tversky(sums: Tensor, alpha: float, beta: float, smooth: float) -> Tensor:
    """Weighted errors W as W / (I+W+s); jaccard where both weights are 1."""
    both, false_positive, false_negative, *_ = sums
    wrong = alpha * false_positive + beta * false_negative
    return _share(wrong, both + smooth)


def jaccard_naive(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(P+G-I+s), one mask at a time."""
    _check(probs, target, activation, reduction, smooth=smooth)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        both = (p * g).sum()
        union = p.sum() + g.sum() - both + smooth
        return 1 - (both + smooth) / union if union > 0 else 0 * union

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def jaccard_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(P+G-I+s), all masks at once."""
    _check(probs, target, activation, reduction, smooth=smooth)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_tversky(regions, 1, 1, smooth), reduction, probs)


def jaccard_fused(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(P+G-I+s), from sums that are compiled."""
    _check(probs, target, activation, reduction, smooth=smooth)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_tversky(regions, 1, 1, smooth), reduction, probs)


# Tversky: 1 - (I+s)/(I+W+s), W = a Σp(1-g) + b Σ(1-p)g


def tversky_naive(
    probs: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(I+W+s), one mask at a time."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        both = (p * g).sum()
        whole = both + alpha * (p * (1 - g)).sum() + beta * (not_p * g).sum() + smooth
        return 1 - (both + smooth) / whole if whole > 0 else 0 * whole

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def tversky_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(I+W+s), all masks at once."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_tversky(regions, alpha, beta, smooth), reduction, probs)


def tversky_fused(
    probs: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(I+W+s), from sums that are compiled."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_tversky(regions, alpha, beta, smooth), reduction, probs)


# Focal Tversky: (W / (I+W+s))^γ


def _power(error: Tensor, gamma: float) -> Tensor:
    """error^γ; where γ < 1 would give it an infinite slope, 0 has none."""
    if gamma >= 1:
        return error**gamma
    perfect = error == 0
    return torch.where(perfect, 0, torch.where(perfect, 1, error) ** gamma)


def focal_tversky_naive(
    probs: Tensor,
    target: Tensor,
    *,
    gamma: float = 0.75,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """(W / (I+W+s))^γ, one mask at a time."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    _check_gamma(gamma)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        wrong = alpha * (p * (1 - g)).sum() + beta * (not_p * g).sum()
        right = (p * g).sum() + smooth
        whole = wrong + right
        if whole == 0 or (wrong == 0 and gamma < 1):  # the slope is infinite
            return 0 * wrong
        share = 1 - right / whole if wrong > right else wrong / whole  # whose slope keeps its digits
        return share**gamma

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def focal_tversky_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    gamma: float = 0.75,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """(W / (I+W+s))^γ, all masks at once."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    _check_gamma(gamma)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_power(_tversky(regions, alpha, beta, smooth), gamma), reduction, probs)


def focal_tversky_fused(
    probs: Tensor,
    target: Tensor,
    *,
    gamma: float = 0.75,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """(W / (I+W+s))^γ, from sums that are compiled."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    _check_gamma(gamma)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_power(_tversky(regions, alpha, beta, smooth), gamma), reduction, probs)


# Log-cosh dice: log cosh(dice)


def _log_cosh(x: Tensor) -> Tensor:
    """log cosh x, whose digits survive a small x."""
    return torch.log1p(2 * torch.sinh(x / 2) ** 2)


def log_cosh_dice_naive(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """log cosh of dice, one mask at a time."""
    _check(probs, target, activation, reduction, smooth=smooth)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        return torch.log(torch.cosh(_one_dice(p, g, smooth, squared)))

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def log_cosh_dice_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """log cosh of dice, all masks at once."""
    _check(probs, target, activation, reduction, smooth=smooth)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_log_cosh(_dice(regions, smooth, squared)), reduction, probs)


def log_cosh_dice_fused(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """log cosh of dice, from sums that are compiled."""
    _check(probs, target, activation, reduction, smooth=smooth)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_log_cosh(_dice(regions, smooth, squared)), reduction, probs)


# Sensitivity-specificity: w Σ(g-p)²g/(Σg+s) + (1-w) Σ(g-p)²(1-g)/(Σ(1-g)+s)


def _sensitivity_specificity(sums: Tensor, weight: float, smooth: float) -> Tensor:
    """The two mean squares from the sums; a region's size has no gradient."""
    both, _, false_negative, on_foreground, on_background, background = sums
    foreground = (both + false_negative).detach()
    on_foreground = ratio_or_zero(on_foreground, foreground + smooth)
    return weight * on_foreground + (1 - weight) * ratio_or_zero(on_background, background + smooth)


def sensitivity_specificity_naive(
    probs: Tensor,
    target: Tensor,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """Mean squares on the foreground and on the background, mixed, one mask at a time."""
    _check(probs, target, activation, reduction, smooth=smooth)
    require_number("weight", weight, 0, 1)

    def one(p: Tensor, not_p: Tensor, g: Tensor) -> Tensor:
        square, item = (g - p) ** 2, 0 * p.sum()
        for share, part in ((weight, g), (1 - weight, 1 - g)):
            whole = part.sum() + smooth
            if whole > 0:
                item = item + share * (square * part).sum() / whole
        return item

    return _each_mask(one, probs, target, batch, include_background, activation, reduction)


def sensitivity_specificity_vectorized(
    probs: Tensor,
    target: Tensor,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """Mean squares on the foreground and on the background, mixed, all masks at once."""
    _check(probs, target, activation, reduction, smooth=smooth)
    require_number("weight", weight, 0, 1)
    sums = _region_sums(as_voxels(probs), as_voxels(target), activation)
    regions = _regions(sums, batch, include_background)
    return reduce_all(_sensitivity_specificity(regions, weight, smooth), reduction, probs)


def sensitivity_specificity_fused(
    probs: Tensor,
    target: Tensor,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """Mean squares on the foreground and on the background, mixed, from sums that are compiled."""
    _check(probs, target, activation, reduction, smooth=smooth)
    require_number("weight", weight, 0, 1)
    regions = _regions(_fused_region_sums(probs, target, activation), batch, include_background)
    return reduce_all(_sensitivity_specificity(regions, weight, smooth), reduction, probs)
