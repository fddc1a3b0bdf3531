"""Variants of the compound losses: sums of a cross entropy and an overlap."""

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
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input

# Masks: logits and target (N, C, *)


def _check_masks(logits: Tensor, target: Tensor, smooth: float, reduction: str) -> None:
    require_floats(logits=logits, target=target)
    require(logits.ndim >= 2, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_shape("target", target, logits.shape)
    require_number("smooth", smooth, 0, float("inf"))
    require_reduction(reduction)


def _voxels(tensor: Tensor) -> Tensor:
    """(N, C, *) as (N, C, S)."""
    return tensor.reshape(*tensor.shape[:2], math.prod(tensor.shape[2:]))


def _average(tensor: Tensor) -> Tensor:
    """The mean of all elements; 0 of none."""
    return tensor.sum() / max(tensor.numel(), 1)


def _one_binary(x: Tensor, g: Tensor, positive: float = 1.0, negative: float = 1.0) -> Tensor:
    """Mean of -[w₁ g log σ(x) + w₀ (1-g) log σ(-x)] over one sample."""
    return _average(-(positive * g * F.logsigmoid(x) + negative * (1 - g) * F.logsigmoid(-x)))


def _one_coefficient(x: Tensor, g: Tensor, smooth: float) -> Tensor:
    """(2Σpg+s) / (Σp+Σg+s) of one mask; two empty masks agree."""
    p = torch.sigmoid(x)
    total = p.sum() + g.sum() + smooth
    return (2 * (p * g).sum() + smooth) / total if total > 0 else 1 + 0 * total


def _samples(logits: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Logits and target of each sample, widened."""
    return list(zip(wide(logits), wide(target).detach(), strict=True))


def _reduce(items: Tensor, reduction: str, like: Tensor) -> Tensor:
    return reduce(items, divisor_of(reduction, items.numel()), like.dtype)


def bce_dice_naive(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE + mean over the channels of 1 - (2I+s)/(P+G+s), one sample at a time."""
    _check_masks(logits, target, smooth, reduction)
    items = []
    for x, g in _samples(logits, target):
        item = _one_binary(x, g)
        for channel in zip(x, g, strict=True):
            item = item + (1 - _one_coefficient(*channel, smooth)) / len(x)
        items.append(item)
    return _reduce(collect(items, logits.shape[:1], logits), reduction, logits)


def bce_log_dice_naive(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE - log((2I+s)/(P+G+s)), one sample at a time."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    items = [
        _one_binary(x, g) - torch.log(_one_coefficient(x, g, smooth))
        for x, g in _samples(logits, target)
    ]
    return _reduce(collect(items, logits.shape[:1], logits), reduction, logits)


def _check_combo(
    logits: Tensor, target: Tensor, alpha: float, beta: float, smooth: float, reduction: str
) -> None:
    _check_masks(logits, target, smooth, reduction)
    require_number("alpha", alpha, 0, 1)
    require_number("beta", beta, 0, 1)


def combo_naive(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """a · mean weighted BCE + (1-a) (1 - (2I+s)/(P+G+s)), one sample at a time."""
    _check_combo(logits, target, alpha, beta, smooth, reduction)
    items = []
    for x, g in _samples(logits, target):
        dice = 1 - _one_coefficient(x, g, smooth)
        items.append(alpha * _one_binary(x, g, beta, 1 - beta) + (1 - alpha) * dice)
    return _reduce(collect(items, logits.shape[:1], logits), reduction, logits)


def _mask_sums(logits: Tensor, target: Tensor) -> Tensor:
    """What these losses are made of, in one pass over (..., S): five sums, (5, ...).

    The cross entropy of the positives and of the negatives, Σpg, and false positives and negatives.
    """
    x, g = wide(logits), wide(target).detach()
    not_g, p, not_p = 1 - g, torch.sigmoid(x), torch.sigmoid(-x)
    cross = (-g * F.logsigmoid(x), -not_g * F.logsigmoid(-x))
    return torch.stack([part.sum(-1) for part in (*cross, p * g, p * not_g, not_p * g)])


_compiled_mask_sums = Compiled(_mask_sums, graphs=16)


def _fused_mask_sums(logits: Tensor, target: Tensor) -> Tensor:
    """The five sums (5, N, C) compiled: one graph, as channels are samples and a single mask is two
    halves. Single voxels are not worth one, nor is a single mask that has no halves."""
    batch, channels, voxels = _voxels(logits).shape
    rows, length = batch * channels, voxels
    if rows == 1 and voxels % 2 == 0:
        rows, length = 2, voxels // 2
    if rows < 2 or length < 2:
        return _mask_sums(_voxels(logits), _voxels(target))
    sums = _compiled_mask_sums(
        graph_input(logits, rows, length), graph_input(target.detach(), rows, length)
    )
    return sums.reshape(5, batch, channels, -1).sum(-1)


def _count(logits: Tensor) -> int:
    """Elements of a sample, at least 1."""
    return max(math.prod(logits.shape[1:]), 1)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole; 0 with no gradient where whole is 0."""
    empty = whole == 0
    return torch.where(empty, 0, part / torch.where(empty, 1, whole))


def _dice(sums: Tensor, smooth: float) -> Tensor:
    """1 - (2I+s)/(P+G+s) as wrong / (2I + wrong + s), which no rounding takes out of [0, 1]."""
    _, _, both, false_positive, false_negative = sums
    wrong = false_positive + false_negative
    return _ratio(wrong, 2 * both + wrong + smooth)


def _bce_dice(sums: Tensor, count: int, smooth: float) -> Tensor:
    """Items from the sums (5, N, C)."""
    dice = _dice(sums, smooth)
    return sums[:2].sum((0, 2)) / count + dice.sum(1) / max(dice.shape[1], 1)


def _bce_log_dice(sums: Tensor, count: int, smooth: float) -> Tensor:
    """Items from the sums (5, N, C).

    Minus the logarithm of the coefficient is log(1 + wrong / (2I+s)): no digit is lost where the
    coefficient is near 1, nor where it is near 0.
    """
    ones, zeros, both, false_positive, false_negative = sums.sum(2)
    odds = (false_positive + false_negative) / (2 * both + smooth)
    return (ones + zeros) / count + torch.log1p(odds)


def _combo(sums: Tensor, count: int, alpha: float, beta: float, smooth: float) -> Tensor:
    """Items from the sums (5, N, C)."""
    sums = sums.sum(2)
    binary = (beta * sums[0] + (1 - beta) * sums[1]) / count
    return alpha * binary + (1 - alpha) * _dice(sums, smooth)


def bce_dice_vectorized(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE + mean over the channels of dice, all samples at once."""
    _check_masks(logits, target, smooth, reduction)
    sums = _mask_sums(_voxels(logits), _voxels(target))
    return _reduce(_bce_dice(sums, _count(logits), smooth), reduction, logits)


def bce_dice_fused(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The sums over the voxels compiled; what is left has one number a channel."""
    _check_masks(logits, target, smooth, reduction)
    sums = _fused_mask_sums(logits, target)
    return _reduce(_bce_dice(sums, _count(logits), smooth), reduction, logits)


def bce_log_dice_vectorized(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE - log of the dice coefficient, all samples at once."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    sums = _mask_sums(_voxels(logits), _voxels(target))
    return _reduce(_bce_log_dice(sums, _count(logits), smooth), reduction, logits)


def bce_log_dice_fused(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The sums over the voxels compiled; what is left has one number a channel."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    sums = _fused_mask_sums(logits, target)
    return _reduce(_bce_log_dice(sums, _count(logits), smooth), reduction, logits)


def combo_vectorized(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """a · mean weighted BCE + (1-a) · dice, all samples at once."""
    _check_combo(logits, target, alpha, beta, smooth, reduction)
    sums = _mask_sums(_voxels(logits), _voxels(target))
    return _reduce(_combo(sums, _count(logits), alpha, beta, smooth), reduction, logits)


def combo_fused(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """The sums over the voxels compiled; what is left has one number a channel."""
    _check_combo(logits, target, alpha, beta, smooth, reduction)
    sums = _fused_mask_sums(logits, target)
    return _reduce(_combo(sums, _count(logits), alpha, beta, smooth), reduction, logits)
