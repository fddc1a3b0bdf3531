"""Oracles of the overlap losses, on probabilities and masks (N, C, *)."""

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    flatten,
    log_softmax,
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

ACTIVATIONS = ("none", "sigmoid", "softmax")


def _activate(values: Array, activation: str) -> Array:
    if activation == "sigmoid":
        return np.exp(-softplus(-values))
    if activation == "softmax":
        return np.exp(log_softmax(values, axis=-2))
    return values


def _prepare(
    probs: Array, target: Array, batch: bool, include_background: bool, activation: str
) -> tuple[Array, Array, tuple[int, ...]]:
    """Probabilities, target and the axes to sum, for arrays (..., N, C, S)."""
    probs = _activate(probs, activation)
    if not include_background:
        probs, target = probs[..., 1:, :], target[..., 1:, :]
    return probs, target, (-3, -1) if batch else (-1,)


def dice_items(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """Items (..., N, C), or (..., C) where batch, of arrays (..., N, C, S)."""
    p, g, axes = _prepare(probs, target, batch, include_background, activation)
    power = 2 if squared else 1
    intersection = (p * g).sum(axis=axes)
    total = (p**power).sum(axis=axes) + (g**power).sum(axis=axes)
    return 1 - ratio(2 * intersection + smooth, total + smooth, empty=1)


def tversky_items(
    probs: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """Items like dice's: 1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s); a = b = 1 is jaccard."""
    p, g, axes = _prepare(probs, target, batch, include_background, activation)
    intersection = (p * g).sum(axis=axes)
    wrong = alpha * (p * (1 - g)).sum(axis=axes) + beta * ((1 - p) * g).sum(axis=axes)
    return 1 - ratio(intersection + smooth, intersection + wrong + smooth, empty=1)


def dice(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Array | np.floating:
    """Dice loss: 1 - (2I+s)/(P+G+s) in [0, 1], I = Σpg, P = Σp, G = Σg over the voxels.

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        squared: P = Σp², G = Σg².
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Milletari et al., arXiv 1606.04797.

    >>> dice([[[1.0, 1.0]]], [[[1.0, 0.0]]], smooth=0.0)
    np.float64(0.33333333333333337)
    """
    probs, target = as_floats("probs", probs), as_floats("target", target)
    require_reduction(reduction)
    require(probs.ndim >= 2, "probs", "a shape (N, C, *)", probs.shape)
    require_same_shape("probs", probs, "target", target)
    require(activation in ACTIVATIONS, "activation", f"one of {', '.join(ACTIVATIONS)}", activation)
    require_finite("probs", probs)
    if activation == "none":
        require_between("probs", probs, 0, 1)
    require_between("target", target, 0, 1)
    require_number_between("smooth", smooth, 0, np.finfo(np.float64).max)
    items = dice_items(
        flatten(probs, 2),
        flatten(target, 2),
        smooth=smooth,
        squared=squared,
        batch=batch,
        include_background=include_background,
        activation=activation,
    )
    return reduce(items, reduction)
