"""Variants of the compound losses: sums of a cross entropy and an overlap."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import (
    as_voxels,
    collect,
    ratio_or_zero,
    reduce_all,
    require,
    require_floats,
    require_labels,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.boxes import ciou_closed_form, ciou_fused, ciou_naive, ciou_vectorized
from impls.classification import (
    binary_cross_entropy_closed_form,
    binary_cross_entropy_fused,
    binary_cross_entropy_vectorized,
)
from impls.closed_masks import ClosedMasks, OfSums, logistic, share_slopes
from impls.compiled import Compiled, graph_input, number

# Masks: logits and target (N, C, *)


def _check_masks(logits: Tensor, target: Tensor, smooth: float, reduction: str) -> None:
    require_floats(logits=logits, target=target)
    require(logits.ndim >= 2, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_shape("target", target, logits.shape)
    require_number("smooth", smooth, 0, float("inf"))
    require_reduction(reduction)


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
    return reduce_all(collect(items, logits.shape[:1], logits), reduction, logits)


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
    return reduce_all(collect(items, logits.shape[:1], logits), reduction, logits)


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
    return reduce_all(collect(items, logits.shape[:1], logits), reduction, logits)


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
    batch, channels, voxels = as_voxels(logits).shape
    rows, length = batch * channels, voxels
    if rows == 1 and voxels % 2 == 0:
        rows, length = 2, voxels // 2
    if rows < 2 or length < 2:
        return _mask_sums(as_voxels(logits), as_voxels(target))
    sums = _compiled_mask_sums(
        graph_input(logits, rows, length), graph_input(target.detach(), rows, length)
    )
    return sums.reshape(5, batch, channels, -1).sum(-1)


def _count(logits: Tensor) -> int:
    """Elements of a sample, at least 1."""
    return max(math.prod(logits.shape[1:]), 1)


def _dice(sums: Tensor, smooth: float | Tensor) -> Tensor:
    """1 - (2I+s)/(P+G+s) as wrong / (2I + wrong + s), which no rounding takes out of [0, 1]."""
    _, _, both, false_positive, false_negative = sums
    wrong = false_positive + false_negative
    return ratio_or_zero(wrong, 2 * both + wrong + smooth)


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
    sums = _mask_sums(as_voxels(logits), as_voxels(target))
    return reduce_all(_bce_dice(sums, _count(logits), smooth), reduction, logits)


def bce_dice_fused(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The sums over the voxels compiled; what is left has one number a channel."""
    _check_masks(logits, target, smooth, reduction)
    sums = _fused_mask_sums(logits, target)
    return reduce_all(_bce_dice(sums, _count(logits), smooth), reduction, logits)


def bce_log_dice_vectorized(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE - log of the dice coefficient, all samples at once."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    sums = _mask_sums(as_voxels(logits), as_voxels(target))
    return reduce_all(_bce_log_dice(sums, _count(logits), smooth), reduction, logits)


def bce_log_dice_fused(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The sums over the voxels compiled; what is left has one number a channel."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    sums = _fused_mask_sums(logits, target)
    return reduce_all(_bce_log_dice(sums, _count(logits), smooth), reduction, logits)


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
    sums = _mask_sums(as_voxels(logits), as_voxels(target))
    return reduce_all(_combo(sums, _count(logits), alpha, beta, smooth), reduction, logits)


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
    return reduce_all(_combo(sums, _count(logits), alpha, beta, smooth), reduction, logits)


# Masks in closed form


def _closed_mask_sums(
    x: Tensor, g: Tensor, items: OfSums, slopes: OfSums, conditions: tuple[()], numbers: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What :func:`_mask_sums` gives of (M, S), and the items and slopes that are made of it.

    With u the larger of p and 1-p, rounded, log(1 + e^-|x|) is -log u, but for what was lost in
    rounding u, which is known; Inductor's log is several times faster than its log1p.
    """
    not_g = 1 - g
    p, not_p = logistic(x)
    small = torch.minimum(p, not_p)
    u = 1 - small
    soft = ((u - 1) + small) / u - torch.log(u)
    cross = (g * ((-x).clamp(min=0) + soft), not_g * (x.clamp(min=0) + soft))
    sums = torch.stack([part.sum(-1) for part in (*cross, p * g, p * not_g, not_p * g)])
    values = numbers.unbind()
    return sums, items(sums, *values), slopes(sums, *values)


def _closed_mask_gradient(x: Tensor, g: Tensor, slopes: Tensor, conditions: tuple[()]) -> Tensor:
    """p (1-p) (a g + b (1-g)) - c g (1-p) + d (1-g) p of (M, S), with slopes a, b, c, d of each mask."""
    p, not_p = logistic(x)
    by_one, by_zero, positive, negative = slopes.unsqueeze(-1).unbind()
    return not_p * g * (by_one * p - positive) + p * (1 - g) * (by_zero * not_p + negative)


_closed_masks = ClosedMasks(
    _mask_sums, Compiled(_closed_mask_sums, graphs=8), Compiled(_closed_mask_gradient, graphs=4)
)


def _weighted_mask(
    sums: Tensor, positive: Tensor, negative: Tensor, weight: Tensor, smooth: Tensor
) -> Tensor:
    """Weighted cross entropies and dice of a mask."""
    return positive * sums[0] + negative * sums[1] + weight * _dice(sums, smooth)


def _weighted_mask_slopes(
    sums: Tensor, positive: Tensor, negative: Tensor, weight: Tensor, smooth: Tensor
) -> Tensor:
    """The slopes of :func:`_closed_mask_gradient`."""
    _, _, both, false_positive, false_negative = sums
    by_wrong, by_right = share_slopes(false_positive + false_negative, 2 * both + smooth)
    one = torch.ones_like(both)
    return torch.stack(
        (weight * (2 * by_right - by_wrong), weight * by_wrong, positive * one, negative * one)
    )


def _log_mask(sums: Tensor, share: Tensor, smooth: Tensor) -> Tensor:
    """A share of the cross entropy, less the logarithm of the coefficient."""
    ones, zeros, both, false_positive, false_negative = sums
    odds = (false_positive + false_negative) / (2 * both + smooth)
    return (ones + zeros) * share + torch.log1p(odds)


def _log_mask_slopes(sums: Tensor, share: Tensor, smooth: Tensor) -> Tensor:
    """The slopes of :func:`_closed_mask_gradient`; log(1 + wrong / right) is log(wrong + right) less
    log(right)."""
    _, _, both, false_positive, false_negative = sums
    wrong, right = false_positive + false_negative, 2 * both + smooth
    by_wrong = 1 / (wrong + right)
    shares = share * torch.ones_like(both)
    return torch.stack((-2 * (wrong / right) * by_wrong - by_wrong, by_wrong, shares, shares))


def _as_one_mask(tensor: Tensor) -> Tensor:
    """(N, C, *) as (N, 1, S): a mask for each sample."""
    return tensor.reshape(len(tensor), 1, math.prod(tensor.shape[1:]))


def bce_dice_closed_form(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE + mean over the channels of dice, the gradient written down."""
    _check_masks(logits, target, smooth, reduction)
    share = 1 / max(math.prod(logits.shape[2:]), 1)
    numbers = (share, share, 1, smooth)
    items = _closed_masks(logits, target, _weighted_mask, _weighted_mask_slopes, numbers)
    return reduce_all(items.sum(1) / max(items.shape[1], 1), reduction, logits)


def bce_log_dice_closed_form(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Mean BCE - log of the dice coefficient, the gradient written down."""
    _check_masks(logits, target, smooth, reduction)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    x, g, numbers = _as_one_mask(logits), _as_one_mask(target), (1 / _count(logits), smooth)
    items = _closed_masks(x, g, _log_mask, _log_mask_slopes, numbers)
    return reduce_all(items.squeeze(1), reduction, logits)


def combo_closed_form(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """a · mean weighted BCE + (1-a) · dice, the gradient written down."""
    _check_combo(logits, target, alpha, beta, smooth, reduction)
    share = alpha / _count(logits)
    numbers = (share * beta, share * (1 - beta), 1 - alpha, smooth)
    x, g = _as_one_mask(logits), _as_one_mask(target)
    items = _closed_masks(x, g, _weighted_mask, _weighted_mask_slopes, numbers)
    return reduce_all(items.squeeze(1), reduction, logits)


# Classes: logits (N, C, *) and integer target (N, *)

NEVER = -1e30
"""A logit of what can't be, finite so that no gradient becomes 0 · inf."""
TINY = -37.0
"""The logarithm of u below which log(1+u) is u in float64 (so in float32)."""


def _check_exp_log(
    logits: Tensor,
    target: Tensor,
    class_weight: Tensor | None,
    weight_dice: float,
    weight_cross: float,
    gamma_dice: float,
    gamma_cross: float,
    reduction: str,
) -> None:
    require_floats(logits=logits)
    is_batch = logits.ndim >= 2 and logits.shape[1] >= 1
    require(is_batch, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_labels("target", target, (logits.shape[0], *logits.shape[2:]))
    if class_weight is not None:
        require_floats(logits=logits, class_weight=class_weight)
        require_shape("class_weight", class_weight, logits.shape[1:2])
    require_number("weight_dice", weight_dice, 0, float("inf"))
    require_number("weight_cross", weight_cross, 0, float("inf"))
    for name, gamma in (("gamma_dice", gamma_dice), ("gamma_cross", gamma_cross)):
        require_number(name, gamma, 0, float("inf"))
        require(gamma > 0, name, "a number above 0", gamma)
    require_reduction(reduction)


def _one_power(odds: Tensor, gamma: float) -> Tensor:
    """(-log q)^γ of a probability q = σ(-odds), which below e⁻³⁷ is exp(γ · odds)."""
    return torch.exp(gamma * odds) if odds < TINY else torch.logaddexp(odds, 0 * odds) ** gamma


def _one_exp_log(
    x: Tensor, label: Tensor, weight: Tensor, gamma_dice: float, gamma_cross: float
) -> tuple[Tensor, Tensor]:
    """Both means of one sample (C, S)."""
    dice, cross = [], []
    for c in range(len(x)):
        odds = torch.logsumexp(torch.cat([x[:c], x[c + 1 :]]), 0) - x[c]  # of not being class c
        own = label == c
        both = torch.sigmoid(-odds[own]).sum()
        log_wrong = torch.where(own, F.logsigmoid(odds), F.logsigmoid(-odds)).logsumexp(0)
        dice.append(_one_power(log_wrong - torch.log1p(2 * both), gamma_dice))
        cross += [weight[c] * _one_power(voxel, gamma_cross) for voxel in odds[own]]
    return sum(dice) / len(dice), sum(cross) / len(cross)  # type: ignore[return-value]  # not empty


def exp_log_naive(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
    reduction: str = "mean",
) -> Tensor:
    """w_d mean_c (-log D_c)^γd + w_c mean v_t (-log p_t)^γc, one class and voxel at a time."""
    options = (class_weight, weight_dice, weight_cross, gamma_dice, gamma_cross)
    _check_exp_log(logits, target, *options, reduction)
    x, classes = as_voxels(wide(logits)), logits.shape[1]
    weight = x.new_ones(classes) if class_weight is None else wide(class_weight).detach()
    items = []
    for sample, label in zip(x, target.reshape(len(x), x.shape[2]), strict=True):
        if classes == 1 or label.numel() == 0:  # nothing can be wrong
            items.append(0 * sample.sum())
            continue
        dice, cross = _one_exp_log(sample, label, weight, gamma_dice, gamma_cross)
        items.append(weight_dice * dice + weight_cross * cross)
    return reduce_all(collect(items, logits.shape[:1], logits), reduction, logits)


def _power(minus_log: Tensor, log_of_it: Tensor, gamma: float | Tensor) -> Tensor:
    """(-log q)^γ; where -log q is tiny, from its own logarithm.

    A power below 1 makes much of what underflows, and has an infinite slope at 0; exp(γ · log) has
    neither fault.
    """
    tiny = log_of_it < TINY
    return torch.where(
        tiny,
        torch.exp(gamma * torch.where(tiny, log_of_it, 0)),
        torch.where(tiny, 1, minus_log) ** gamma,
    )


def _exp_log_parts(
    logits: Tensor, target: Tensor, weight: Tensor, gamma_cross: float | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of (N, C, S): per class log(Σp(1-g) + Σ(1-p)g) and Σpg, and per sample Σ v_t (-log p_t)^γc.

    The most likely class's logit is taken off all others, so that 1-p is never a difference. The
    gradient of torch's logsigmoid is one, where it is small, so there is none.
    """
    x = wide(logits)
    classes = torch.arange(x.shape[1], device=x.device)[:, None]
    is_target = target[:, None] == classes
    is_top = x.detach().argmax(1, keepdim=True) == classes
    # 0 by definition at the top: x - x would send it steep slopes that cancel, but for their rounding
    shifted = torch.where(is_top, 0, x - torch.where(is_top, x, 0).sum(1, keepdim=True))
    others = torch.where(is_top, NEVER, shifted).logsumexp(1, keepdim=True)
    normalizer = torch.log1p(torch.exp(others))  # of at most C: no overflow
    log_p = shifted - normalizer
    p = torch.exp(log_p)
    log_rest = torch.where(is_top, others - normalizer, torch.log1p(-torch.where(is_top, 0, p)))
    both = torch.where(is_target, p, 0).sum(2)
    log_wrong = torch.where(is_target, log_rest, log_p).logsumexp(2)
    own = torch.where(is_target, log_p, 0).sum(1)
    right = (is_target & is_top).any(1)
    power = _power(-own, torch.where(right, others.squeeze(1), 0), gamma_cross)
    return log_wrong, both, (wide(weight).detach()[target] * power).sum(1)


def _exp_log(
    parts: tuple[Tensor, Tensor, Tensor],
    voxels: int,
    weight_dice: float,
    weight_cross: float,
    gamma_dice: float,
) -> Tensor:
    """Items from the parts: -log D = log(1 + wrong / (2I+1))."""
    log_wrong, both, cross = parts
    log_odds = log_wrong - torch.log1p(2 * both)
    dice = _power(torch.log1p(torch.exp(log_odds)), log_odds, gamma_dice)
    return weight_dice * dice.mean(1) + weight_cross * cross / max(voxels, 1)


def exp_log_vectorized(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
    reduction: str = "mean",
) -> Tensor:
    """w_d mean_c (-log D_c)^γd + w_c mean v_t (-log p_t)^γc, all samples at once."""
    options = (class_weight, weight_dice, weight_cross, gamma_dice, gamma_cross)
    _check_exp_log(logits, target, *options, reduction)
    x, weight = as_voxels(logits), _ones_if_none(class_weight, logits)
    parts = _exp_log_parts(x, target.reshape(len(x), x.shape[2]), weight, gamma_cross)
    items = _exp_log(parts, x.shape[2], weight_dice, weight_cross, gamma_dice)
    return reduce_all(items, reduction, logits)


def _ones_if_none(weight: Tensor | None, logits: Tensor) -> Tensor:
    return logits.new_ones(logits.shape[1]) if weight is None else weight


_compiled_exp_log_parts = Compiled(_exp_log_parts, graphs=16)


def _fused_exp_log_parts(
    logits: Tensor, target: Tensor, weight: Tensor, gamma_cross: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The parts compiled: one graph, as a single sample is two halves. A single class or voxel is not
    worth one, nor is a single sample that has no halves."""
    batch, classes, voxels = (x := as_voxels(logits)).shape
    halves = 2 if batch == 1 and voxels % 2 == 0 else 1
    rows, length = batch * halves, voxels // halves
    if rows < 2 or classes < 2 or length < 2:
        return _exp_log_parts(x, target.reshape(batch, voxels), weight, gamma_cross)
    x = x.reshape(batch, classes, halves, length).transpose(1, 2)
    log_wrong, both, cross = _compiled_exp_log_parts(
        graph_input(x, rows, classes, length),
        graph_input(target, rows, length),
        graph_input(weight.detach()),
        number(gamma_cross),
    )
    log_wrong = log_wrong.reshape(batch, halves, classes).logsumexp(1)
    return log_wrong, both.reshape(batch, halves, classes).sum(1), cross.reshape(batch, halves).sum(1)


def exp_log_fused(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
    reduction: str = "mean",
) -> Tensor:
    """Sums over the voxels compiled; what is left has one number a class."""
    options = (class_weight, weight_dice, weight_cross, gamma_dice, gamma_cross)
    _check_exp_log(logits, target, *options, reduction)
    weight = _ones_if_none(class_weight, logits)
    parts = _fused_exp_log_parts(logits, target, weight, gamma_cross)
    items = _exp_log(parts, math.prod(logits.shape[2:]), weight_dice, weight_cross, gamma_dice)
    return reduce_all(items, reduction, logits)


# Detection: boxes (M, 4), objectness logits of any shape, cells (M,), class logits (M, K), labels (M,)

Scales = Tensor | Sequence[Tensor]
"""A tensor, or a list of tensors over scales."""
PARTS = ("boxes", "target_boxes", "objectness", "cells", "class_logits", "labels")
Means = tuple[Tensor, Tensor, Tensor]
"""Mean losses of the boxes, the objectness and the classes of a scale."""


def _scales(arguments: tuple[Scales, ...], balance: Sequence[float]) -> list[dict[str, Tensor]]:
    """The tensors of each scale by name, their shapes and dtypes checked, and the balance too."""
    lists = [[a] if isinstance(a, Tensor) else list(a) for a in arguments]
    count = len(lists[0])
    require(count >= 1, "boxes", "at least one scale", count)
    for name, tensors in zip(PARTS, lists, strict=True):
        require(len(tensors) == count, name, f"as many scales as boxes, {count}", len(tensors))
    scales = [dict(zip(PARTS, scale, strict=True)) for scale in zip(*lists, strict=True)]
    for scale in scales:
        _check_scale(**scale)
        if (got := scale["boxes"].dtype) != (first := scales[0]["boxes"].dtype):
            raise TypeError(f"boxes: expected {first} like the first scale's, got {got}")
    if not isinstance(balance, list | tuple):
        raise TypeError(f"balance: expected a number for each scale, got {type(balance).__name__}")
    for weight in balance:
        require_number("balance", weight, 0, float("inf"))
    wanted = f"a number for each of {count} scales"
    require(count == 1 or len(balance) >= count, "balance", wanted, len(balance))
    return scales


def _check_scale(
    boxes: Tensor,
    target_boxes: Tensor,
    objectness: Tensor,
    cells: Tensor,
    class_logits: Tensor,
    labels: Tensor,
) -> None:
    require_floats(
        boxes=boxes, target_boxes=target_boxes, objectness=objectness, class_logits=class_logits
    )
    is_list = boxes.ndim == 2 and boxes.shape[1] == 4
    require(is_list, "boxes", "shape (M, 4)", tuple(boxes.shape))
    require_shape("target_boxes", target_boxes, boxes.shape)
    require_labels("cells", cells, boxes.shape[:1])
    fits = class_logits.ndim == 2 and len(class_logits) == len(boxes)
    require(fits, "class_logits", f"shape (M, K) with M = {len(boxes)}", tuple(class_logits.shape))
    require_labels("labels", labels, boxes.shape[:1])


def _yolo(
    arguments: tuple[Scales, ...],
    gains: dict[str, float],
    shares: dict[str, float],
    balance: Sequence[float],
    reduction: str,
    means: Callable[[dict[str, Tensor], dict[str, float]], Means],
) -> Tensor:
    """Check all, and add up what the means of each scale weigh."""
    scales = _scales(arguments, balance)
    for name, gain in gains.items():
        require_number(name, gain, 0, float("inf"))
    for name, share in shares.items():
        require_number(name, share, 0, 1)
    require_reduction(reduction)
    losses = []
    for scale, weight in zip(scales, balance if len(scales) > 1 else (1.0,), strict=False):
        box, objectness, classes = means(scale, shares)
        losses.append(
            gains["gain_box"] * box
            + gains["gain_obj"] * weight * objectness
            + gains["gain_cls"] * classes
        )
    return torch.stack(losses).sum().to(scales[0]["boxes"].dtype)


def _means_one_by_one(scale: dict[str, Tensor], shares: dict[str, float]) -> Means:
    """One matched cell at a time; the wanted classes are in float64, as in :func:`_means`."""
    boxes, target_boxes, objectness, class_logits = (
        wide(scale[name]) for name in ("boxes", "target_boxes", "objectness", "class_logits")
    )
    box, classes = 0 * boxes.sum(), 0 * class_logits.sum()
    found = torch.zeros(objectness.numel(), dtype=objectness.dtype, device=objectness.device)
    ratio = shares["iou_ratio"]
    for m, cell in enumerate(scale["cells"].tolist()):
        overlap = ciou_naive(boxes[m : m + 1], target_boxes[m : m + 1].detach(), reduction="sum")
        box = box + overlap / len(boxes)
        found[cell] = (1 - ratio) + ratio * (1 - overlap.detach()).clamp(min=0)
        wanted = torch.full_like(class_logits[m].detach(), shares["negative"], dtype=torch.float64)
        wanted[scale["labels"][m]] = shares["positive"]
        classes = classes + _one_binary(class_logits[m], wanted) / len(boxes)
    return box, _one_binary(objectness.reshape(-1), found), classes


def _means(
    scale: dict[str, Tensor],
    shares: dict[str, float],
    ciou: Callable[..., Tensor],
    binary: Callable[..., Tensor],
) -> Means:
    """All matched cells at once, on widened tensors.

    The classes' share is computed in float64: rounded to float32, ``positive`` and 1-positive would be
    off by 3e-8, which a logit of 60,000 makes 0.002.
    """
    boxes, target_boxes, objectness, class_logits = (
        wide(scale[name]) for name in ("boxes", "target_boxes", "objectness", "class_logits")
    )
    overlap = ciou(boxes, target_boxes.detach(), reduction="none")
    found = torch.zeros(objectness.numel(), dtype=objectness.dtype, device=objectness.device)
    ratio = shares["iou_ratio"]
    agreement = (1 - ratio) + ratio * (1 - overlap.detach()).clamp(min=0)
    found = found.scatter(0, scale["cells"], agreement)
    class_logits = class_logits.double()
    wanted = torch.full_like(class_logits.detach(), shares["negative"])
    wanted = wanted.scatter(1, scale["labels"][:, None], shares["positive"])
    return (
        overlap.sum() / max(len(boxes), 1),
        binary(objectness.reshape(-1), found),
        binary(class_logits, wanted),
    )


def yolo_detection_naive(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
    reduction: str = "mean",
) -> Tensor:
    """Overlap, objectness and class, one matched cell at a time."""
    return _yolo(
        (boxes, target_boxes, objectness, cells, class_logits, labels),
        {"gain_box": gain_box, "gain_obj": gain_obj, "gain_cls": gain_cls},
        {"positive": positive, "negative": negative, "iou_ratio": iou_ratio},
        balance,
        reduction,
        _means_one_by_one,
    )


def yolo_detection_vectorized(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
    reduction: str = "mean",
) -> Tensor:
    """Overlap, objectness and class, all matched cells of a scale at once."""
    return _yolo(
        (boxes, target_boxes, objectness, cells, class_logits, labels),
        {"gain_box": gain_box, "gain_obj": gain_obj, "gain_cls": gain_cls},
        {"positive": positive, "negative": negative, "iou_ratio": iou_ratio},
        balance,
        reduction,
        partial(_means, ciou=ciou_vectorized, binary=binary_cross_entropy_vectorized),
    )


def yolo_detection_fused(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
    reduction: str = "mean",
) -> Tensor:
    """The same on the compiled ciou and binary cross entropy: no graph of its own."""
    return _yolo(
        (boxes, target_boxes, objectness, cells, class_logits, labels),
        {"gain_box": gain_box, "gain_obj": gain_obj, "gain_cls": gain_cls},
        {"positive": positive, "negative": negative, "iou_ratio": iou_ratio},
        balance,
        reduction,
        partial(_means, ciou=ciou_fused, binary=binary_cross_entropy_fused),
    )


def yolo_detection_closed_form(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
    reduction: str = "mean",
) -> Tensor:
    """The same on the closed forms of ciou and binary cross entropy."""
    return _yolo(
        (boxes, target_boxes, objectness, cells, class_logits, labels),
        {"gain_box": gain_box, "gain_obj": gain_obj, "gain_cls": gain_cls},
        {"positive": positive, "negative": negative, "iou_ratio": iou_ratio},
        balance,
        reduction,
        partial(_means, ciou=ciou_closed_form, binary=binary_cross_entropy_closed_form),
    )
