"""Oracles of the compound losses: sums of a cross entropy and an overlap."""

import math

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    flatten,
    ratio,
    reduce,
    require,
    require_between,
    require_finite,
    require_number_between,
    require_reduction,
    require_same_shape,
    softplus,
)

LARGEST = float(np.finfo(np.float64).max)


# Masks: logits and target (N, C, *)


def _mean(array: Array, axes: int) -> Array:
    """The mean over the last axes; 0 where there is nothing to average."""
    count = math.prod(array.shape[-axes:])
    return array.sum(axis=tuple(range(-axes, 0))) / max(count, 1)


def _dice_coefficient(logits: Array, target: Array, smooth: float, axes: int) -> Array:
    """(2Σpg+s) / (Σp+Σg+s) over the last axes, p = σ(x); 0/0 = 1."""
    voxels = tuple(range(-axes, 0))
    p = np.exp(-softplus(-logits))
    both, total = (p * target).sum(axis=voxels), p.sum(axis=voxels) + target.sum(axis=voxels)
    return ratio(2 * both + smooth, total + smooth, empty=1)


def bce_dice_items(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Items (..., N) of arrays (..., N, C, S): mean BCE + mean over C of the dice loss."""
    binary = target * softplus(-logits) + (1 - target) * softplus(logits)
    return _mean(binary, 2) + _mean(1 - _dice_coefficient(logits, target, smooth, 1), 1)


def bce_log_dice_items(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Items (..., N) of arrays (..., N, C, S): mean BCE - log of one dice coefficient."""
    binary = target * softplus(-logits) + (1 - target) * softplus(logits)
    return _mean(binary, 2) - np.log(_dice_coefficient(logits, target, smooth, 2))


def combo_items(
    logits: Array, target: Array, *, alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0
) -> Array:
    """Items (..., N) of arrays (..., N, C, S): a · mean weighted BCE + (1-a) · one dice loss."""
    precise = logits.real.dtype.type  # so that 1 - a has the precision of the rest
    share, positive = precise(alpha), precise(beta)
    ones, zeros = target * softplus(-logits), (1 - target) * softplus(logits)
    binary = positive * ones + (1 - positive) * zeros
    dice = 1 - _dice_coefficient(logits, target, smooth, 2)
    return share * _mean(binary, 2) + (1 - share) * dice


def _masks(logits: object, target: object, reduction: str) -> tuple[Array, Array]:
    """Both as (N, C, S), their domain checked."""
    x, g = as_floats("logits", logits), as_floats("target", target)
    require_reduction(reduction)
    require(x.ndim >= 2, "logits", "a shape (N, C, *)", x.shape)
    require_same_shape("logits", x, "target", g)
    require_finite("logits", x)
    require_between("target", g, 0, 1)
    return flatten(x, 2), flatten(g, 2)


def bce_dice(
    logits: Array, target: Array, *, smooth: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Mean BCE of the sample + mean over its channels of the dice loss of σ(logits).

    BCE = -[g log p + (1-g) log(1-p)] over channels and voxels, dice = 1 - (2Σpg+s)/(Σp+Σg+s) over
    the voxels of a channel, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        smooth: s, at least 0; two empty masks have a dice loss of 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Isensee et al., arXiv 1809.10486 (cross entropy and dice, added); dice: arXiv 1606.04797.

    >>> bce_dice([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(1.0264805138932787)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("smooth", smooth, 0, LARGEST)
    return reduce(bce_dice_items(x, g, smooth=smooth), reduction)


def bce_log_dice(
    logits: Array, target: Array, *, smooth: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Mean BCE of the sample - log of its dice coefficient.

    The coefficient is (2Σpg+s)/(Σp+Σg+s) over all channels and voxels together, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        smooth: s, above 0, so that no coefficient is 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Iglovikov et al., arXiv 1706.06169, with the dice coefficient in place of Jaccard's.

    >>> bce_log_dice([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(1.0986122886681098)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("smooth", smooth, 0, LARGEST)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    return reduce(bce_log_dice_items(x, g, smooth=smooth), reduction)


def combo(
    logits: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Array | np.floating:
    """a · mean of -[b g log p + (1-b)(1-g) log(1-p)] + (1-a) · dice loss of the sample.

    The dice loss is 1 - (2Σpg+s)/(Σp+Σg+s) over all channels and voxels together, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        alpha: a, the share of the cross entropy, in [0, 1].
        beta: b, the weight of the positives in it, in [0, 1].
        smooth: s, at least 0; two empty masks have a dice loss of 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Taghanaki et al., arXiv 1805.02798, with the dice loss in place of minus the coefficient.

    >>> combo([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(0.339953461806653)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("alpha", alpha, 0, 1)
    require_number_between("beta", beta, 0, 1)
    require_number_between("smooth", smooth, 0, LARGEST)
    return reduce(combo_items(x, g, alpha=alpha, beta=beta, smooth=smooth), reduction)
