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
from impls.compiled import Compiled, graph_input, number

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


def _dice(
    probs: Tensor,
    target: Tensor,
    smooth: float | Tensor,
    squared: float | Tensor,
    coupled: float | Tensor,
    activation: str,
) -> Tensor:
    """All items (N, C) of (N, C, S), unrounded; ``squared`` and ``coupled`` (batch) are 0 or 1.

    With coupled, each of the N rows holds the sums over the whole batch.
    """
    p, g = _activate(wide(probs), activation), wide(target).detach()
    intersection = (p * g).sum(-1)
    total = (p * (1 + squared * (p - 1)) + g * (1 + squared * (g - 1))).sum(-1)
    intersection = (1 - coupled) * intersection + coupled * intersection.sum(0, keepdim=True)
    total = (1 - coupled) * total + coupled * total.sum(0, keepdim=True) + smooth
    empty = total == 0
    return 1 - torch.where(empty, 1, 2 * intersection + smooth) / torch.where(empty, 1, total)


def _finish(items: Tensor, batch: bool, background: bool, reduction: str, like: Tensor) -> Tensor:
    items = items if background else items[:, 1:]
    if batch:
        items = items[0] if len(items) else 1 - items.new_ones(items.shape[1]) + 0 * items.sum()
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
    items = _dice(_rows(probs), _rows(target), smooth, float(squared), float(batch), activation)
    return _finish(items, batch, include_background, reduction, probs)


_compiled_dice = Compiled(_dice, graphs=128)


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
    """The vectorized form, compiled: a graph for each activation, and for one sample or channel.

    Other options are inputs of the graph. Masks of a single voxel are not worth one.
    """
    _check(probs, target, smooth, activation, reduction)
    p, g = _rows(probs), _rows(target.detach())
    options = (smooth, float(squared), float(batch))
    if probs.numel() == 0 or p.shape[2] < 2:
        items = _dice(p, g, *options, activation)
    else:
        numbers = (number(option) for option in options)
        items = _compiled_dice(graph_input(p), graph_input(g), *numbers, activation)
    return _finish(items, batch, include_background, reduction, probs)
