"""Variants of the overlap losses, on tensors (N, C, *)."""

import math

import torch
from torch import Tensor

from impls.arguments import (
    collect,
    divisor_of,
    reduce,
    require,
    require_floats,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input

ACTIVATIONS = ("none", "sigmoid", "softmax")


def _check(probs: Tensor, target: Tensor, smooth: float, activation: str, reduction: str) -> None:
    require_floats(probs=probs, target=target)
    require(probs.ndim >= 2, "probs", "shape (N, C, *)", tuple(probs.shape))
    require_shape("target", target, probs.shape)
    require_number("smooth", smooth, 0, float("inf"))
    require(activation in ACTIVATIONS, "activation", f"one of {', '.join(ACTIVATIONS)}", activation)
    require_reduction(reduction)


def _activate(values: Tensor, activation: str) -> Tensor:
    if activation == "sigmoid":
        return torch.sigmoid(values)
    return torch.softmax(values, dim=1) if activation == "softmax" else values


def _rows(tensor: Tensor) -> Tensor:
    """(N, C, *) as (N, C, S)."""
    return tensor.reshape(*tensor.shape[:2], math.prod(tensor.shape[2:]))


def _one_dice(p: Tensor, g: Tensor, smooth: float, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) of one mask; two empty masks agree."""
    total = ((p**2).sum() + (g**2).sum() if squared else p.sum() + g.sum()) + smooth
    coefficient = (2 * (p * g).sum() + smooth) / total if total > 0 else 1 + 0 * total
    return 1 - coefficient


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
    _check(probs, target, smooth, activation, reduction)
    p, g = _activate(wide(probs), activation), wide(target).detach()
    first = 0 if include_background else 1
    channels = range(first, p.shape[1])
    if batch:
        masks = [(p[:, c], g[:, c]) for c in channels]
        shape = [len(channels)]
    else:
        masks = [(p[n, c], g[n, c]) for n in range(len(p)) for c in channels]
        shape = [len(p), len(channels)]
    items = collect([_one_dice(*mask, smooth, squared) for mask in masks], shape, probs)
    return reduce(items, divisor_of(reduction, items.numel()), probs.dtype)


def _region_sums(probs: Tensor, target: Tensor, activation: str) -> Tensor:
    """What every overlap loss is made of, in one pass over (N, C, S): five sums, (5, N, C).

    Σpg, false positives Σp(1-g), false negatives Σ(1-p)g, and Σ(p-g)² on foreground and background.
    """
    p, not_p = _activated(wide(probs), activation)
    g = wide(target).detach()
    not_g = 1 - g
    difference = torch.where(p < 0.5, p - g, not_g - not_p)
    square = difference * difference
    parts = (p * g, p * not_g, not_p * g, square * g, square * not_g)
    return torch.stack([part.sum(-1) for part in parts])


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


_compiled_region_sums = Compiled(_region_sums, graphs=64)


def _fused_region_sums(probs: Tensor, target: Tensor, activation: str) -> Tensor:
    """The five sums compiled: a graph for each activation, and for a single sample.

    Single voxels are not worth one, nor is softmax over one channel. Without softmax, channels are
    samples.
    """
    batch, channels, voxels = (shape := _rows(probs).shape)
    if probs.numel() == 0 or voxels < 2 or (activation == "softmax" and channels < 2):
        return _region_sums(_rows(probs), _rows(target), activation)
    folded = shape if activation == "softmax" else (1, batch * channels, voxels)
    sums = _compiled_region_sums(
        graph_input(probs, *folded), graph_input(target.detach(), *folded), activation
    )
    return sums.reshape(5, batch, channels)


def _regions(sums: Tensor, batch: bool, include_background: bool) -> Tensor:
    """The sums of the items, (5, N, C), or (5, C) where batch."""
    sums = sums if include_background else sums[:, :, 1:]
    return sums.sum(1) if batch else sums


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole; 0 with no gradient where whole is 0."""
    empty = whole == 0
    return torch.where(empty, 0, part / torch.where(empty, 1, whole))


def _dice(sums: Tensor, smooth: float, squared: bool) -> Tensor:
    """1 - (2I+s)/(P+G+s) as wrong / (2I + wrong + s), which no rounding takes out of [0, 1]."""
    both, false_positive, false_negative, on_foreground, on_background = sums
    wrong = on_foreground + on_background if squared else false_positive + false_negative
    return _ratio(wrong, 2 * both + wrong + smooth)


def _reduce(items: Tensor, reduction: str, like: Tensor) -> Tensor:
    return reduce(items, divisor_of(reduction, items.numel()), like.dtype)


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
    """1 - (2I+s)/(P+G+s) of all masks at once."""
    _check(probs, target, smooth, activation, reduction)
    sums = _region_sums(_rows(probs), _rows(target), activation)
    return _reduce(_dice(_regions(sums, batch, include_background), smooth, squared), reduction, probs)


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
    """The sums over the voxels compiled; what is left has one number an item."""
    _check(probs, target, smooth, activation, reduction)
    sums = _fused_region_sums(probs, target, activation)
    return _reduce(_dice(_regions(sums, batch, include_background), smooth, squared), reduction, probs)
