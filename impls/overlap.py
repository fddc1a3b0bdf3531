"""Variants of the overlap losses, on tensors (N, C, *).

All are made of the same few sums over the voxels. Fused, these are compiled, once for all losses; what
is left has one number an item. In closed form, so is the way from their slopes to the gradient.
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
from impls.closed_masks import ClosedMasks, logistic, share_slopes
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


# Plain: for small masks, where calls cost more than arithmetic


def _plain_sums(
    probs: Tensor,
    target: Tensor,
    batch: bool,
    include_background: bool,
    activation: str,
    squared: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """I, P and G of the items; the latter two of squares, where they are asked for."""
    p, g = as_voxels(wide(probs)), as_voxels(wide(target.detach()))
    if activation == "sigmoid":
        p = torch.sigmoid(p)
    elif activation == "softmax":
        p = torch.softmax(p, dim=1)
    if not include_background:
        p, g = p[:, 1:], g[:, 1:]
    axes = (0, 2) if batch else (2,)
    sizes = (p * p, g * g) if squared else (p, g)
    return (p * g).sum(axes), sizes[0].sum(axes), sizes[1].sum(axes)


def _complement(right: Tensor, whole: Tensor) -> Tensor:
    """1 - right / whole; 0 with no gradient where both are 0."""
    empty = whole == 0
    return torch.where(empty, 0, 1 - right / torch.where(empty, 1, whole))


# Closed form: the sums in one compiled pass, the gradient in another


def _factors(x: Tensor, g: Tensor, activation: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """p, 1-p, g and 1-g."""
    p, not_p = logistic(x) if activation == "sigmoid" else (x, 1 - x)
    return p, not_p, g, 1 - g


def _closed_sums(
    x: Tensor,
    target: Tensor,
    items: Callable[..., Tensor],
    slopes: Callable[..., Tensor],
    conditions: tuple[str, bool],
    numbers: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """What :func:`_region_sums` gives of (M, S), (6, M), or without squares the first 3; and the items
    and slopes that are made of them."""
    activation, squares = conditions
    p, not_p, g, not_g = _factors(x, target, activation)
    parts = [p * g, p * not_g, not_p * g]
    if squares:
        square = (p * not_g - not_p * g).square()
        parts += [square * g, square * not_g, not_g]
    sums = torch.stack([part.sum(-1) for part in parts])
    values = numbers.unbind()
    return sums, items(sums, *values), slopes(sums, *values)


def _closed_gradient(x: Tensor, target: Tensor, slopes: Tensor, conditions: tuple[str, bool]) -> Tensor:
    """a g + b (1-g) of (M, S), with squares (a g + b (1-g)) (p-g) + c g, times the activation's slope.

    The slopes (2 or 3, M) are a, b and c.
    """
    activation, squares = conditions
    p, not_p, g, not_g = _factors(x, target, activation)
    slope = slopes[0, :, None] * g + slopes[1, :, None] * not_g
    if squares:
        slope = slope * (p * not_g - not_p * g) + slopes[2, :, None] * g
    return slope * (p * not_p) if activation == "sigmoid" else slope


_closed_masks = ClosedMasks(
    lambda probs, target, activation, squares: _region_sums(probs, target, activation),
    Compiled(_closed_sums, graphs=24),
    Compiled(_closed_gradient, graphs=8),
)


def _closed_items(
    probs: Tensor,
    target: Tensor,
    items: Callable[..., Tensor],
    slopes: Callable[..., Tensor],
    numbers: tuple[float, ...],
    squares: bool,
    batch: bool,
    include_background: bool,
    activation: str,
) -> Tensor:
    """Items of the sums and numbers; softmax, which ties the channels, is left to autograd."""
    if activation == "softmax":
        sums = _fused_region_sums(probs, target, activation)
        return items(_regions(sums, batch, include_background), *numbers)
    conditions = (activation, squares)
    all_items = _closed_masks(probs, target, items, slopes, numbers, conditions, batch)
    return all_items if include_background else all_items[..., 1:]


# Dice: 1 - (2I+s)/(P+G+s)


def _one_dice(p: Tensor, g: Tensor, smooth: float, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) of one mask; two empty masks agree."""
    total = ((p**2).sum() + (g**2).sum() if squared else p.sum() + g.sum()) + smooth
    coefficient = (2 * (p * g).sum() + smooth) / total if total > 0 else 1 + 0 * total
    return 1 - coefficient


def _dice(sums: Tensor, smooth: float | Tensor, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) as wrong / (2I + wrong + s)."""
    both, false_positive, false_negative, on_foreground, on_background, _ = sums
    wrong = on_foreground + on_background if squared else false_positive + false_negative
    return _share(wrong, 2 * both + smooth)


def _squared_dice(sums: Tensor, smooth: Tensor) -> Tensor:
    return _dice(sums, smooth, squared=True)


def _squared_dice_slopes(sums: Tensor, smooth: Tensor) -> Tensor:
    """The slopes of :func:`_closed_gradient`."""
    both, _, _, on_foreground, on_background, _ = sums
    by_wrong, by_right = share_slopes(on_foreground + on_background, 2 * both + smooth)
    return 2 * torch.stack((by_wrong, by_wrong, by_right))


def _closed_dice(
    probs: Tensor,
    target: Tensor,
    smooth: float,
    squared: bool,
    batch: bool,
    include_background: bool,
    activation: str,
) -> Tensor:
    """Items; without squares they are those of tversky(½, ½, s/2)."""
    how = (squared, batch, include_background, activation)
    if squared:
        return _closed_items(probs, target, _squared_dice, _squared_dice_slopes, (smooth,), *how)
    return _closed_items(probs, target, _tversky, _tversky_slopes, (0.5, 0.5, smooth / 2), *how)


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


def dice_closed_form(
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
    """1 - (2I+s)/(P+G+s), its gradient written down."""
    _check(probs, target, activation, reduction, smooth=smooth)
    items = _closed_dice(probs, target, smooth, squared, batch, include_background, activation)
    return reduce_all(items, reduction, probs)


def dice_plain(
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
    """1 - (2I+s)/(P+G+s) as it stands."""
    _check(probs, target, activation, reduction, smooth=smooth)
    how = (batch, include_background, activation, squared)
    both, predicted, wanted = _plain_sums(probs, target, *how)
    items = _complement(2 * both + smooth, predicted + wanted + smooth)
    return reduce_all(items, reduction, probs)


# Jaccard: 1 - (I+s)/(P+G-I+s)


def _tversky(
    sums: Tensor, alpha: float | Tensor, beta: float | Tensor, smooth: float | Tensor
) -> Tensor:
    """Weighted errors W as W / (I+W+s); jaccard where both weights are 1."""
    both, false_positive, false_negative, *_ = sums
    wrong = alpha * false_positive + beta * false_negative
    return _share(wrong, both + smooth)


def _tversky_slopes(sums: Tensor, alpha: Tensor, beta: Tensor, smooth: Tensor) -> Tensor:
    """The slopes of :func:`_closed_gradient`."""
    both, false_positive, false_negative, *_ = sums
    wrong = alpha * false_positive + beta * false_negative
    by_wrong, by_right = share_slopes(wrong, both + smooth)
    return torch.stack((by_right - beta * by_wrong, alpha * by_wrong))


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


def jaccard_closed_form(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(P+G-I+s), its gradient written down."""
    _check(probs, target, activation, reduction, smooth=smooth)
    how = (False, batch, include_background, activation)
    items = _closed_items(probs, target, _tversky, _tversky_slopes, (1, 1, smooth), *how)
    return reduce_all(items, reduction, probs)


def jaccard_plain(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """1 - (I+s)/(P+G-I+s) as it stands."""
    _check(probs, target, activation, reduction, smooth=smooth)
    both, predicted, wanted = _plain_sums(probs, target, batch, include_background, activation)
    items = _complement(both + smooth, predicted + wanted - both + smooth)
    return reduce_all(items, reduction, probs)


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


def tversky_closed_form(
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
    """1 - (I+s)/(I+W+s), its gradient written down."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    how = (False, batch, include_background, activation)
    items = _closed_items(probs, target, _tversky, _tversky_slopes, (alpha, beta, smooth), *how)
    return reduce_all(items, reduction, probs)


def tversky_plain(
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
    """1 - (I+s)/(I+W+s), the errors taken as differences of sums."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    both, predicted, wanted = _plain_sums(probs, target, batch, include_background, activation)
    right = both + smooth
    items = _complement(right, right + alpha * (predicted - both) + beta * (wanted - both))
    return reduce_all(items, reduction, probs)


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


def focal_tversky_closed_form(
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
    """(W / (I+W+s))^γ, its gradient written down."""
    _check(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    _check_gamma(gamma)
    how = (False, batch, include_background, activation)
    items = _closed_items(probs, target, _tversky, _tversky_slopes, (alpha, beta, smooth), *how)
    return reduce_all(_power(items, gamma), reduction, probs)


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


def log_cosh_dice_closed_form(
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
    """log cosh of dice, its gradient written down."""
    _check(probs, target, activation, reduction, smooth=smooth)
    items = _closed_dice(probs, target, smooth, squared, batch, include_background, activation)
    return reduce_all(_log_cosh(items), reduction, probs)


# Sensitivity-specificity: w Σ(g-p)²g/(Σg+s) + (1-w) Σ(g-p)²(1-g)/(Σ(1-g)+s)


def _sensitivity_specificity(sums: Tensor, weight: float | Tensor, smooth: float | Tensor) -> Tensor:
    """The two mean squares from the sums; a region's size has no gradient."""
    both, _, false_negative, on_foreground, on_background, background = sums
    foreground = (both + false_negative).detach()
    on_foreground = ratio_or_zero(on_foreground, foreground + smooth)
    return weight * on_foreground + (1 - weight) * ratio_or_zero(on_background, background + smooth)


def _sensitivity_specificity_slopes(sums: Tensor, weight: Tensor, smooth: Tensor) -> Tensor:
    """The slopes of :func:`_closed_gradient`."""
    both, _, false_negative, _, _, background = sums
    on_foreground = ratio_or_zero(2 * weight, both + false_negative + smooth)
    on_background = ratio_or_zero(2 * (1 - weight), background + smooth)
    return torch.stack((on_foreground, on_background, torch.zeros_like(both)))


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


def sensitivity_specificity_closed_form(
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
    """Mean squares on the foreground and on the background, mixed, its gradient written down."""
    _check(probs, target, activation, reduction, smooth=smooth)
    require_number("weight", weight, 0, 1)
    slopes, numbers = _sensitivity_specificity_slopes, (weight, smooth)
    how = (True, batch, include_background, activation)
    items = _closed_items(probs, target, _sensitivity_specificity, slopes, numbers, *how)
    return reduce_all(items, reduction, probs)
