"""Oracles of the overlap losses, on probabilities and masks (N, C, *)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    flatten,
    log1p,
    log_softmax,
    power,
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
LARGEST = np.finfo(np.float64).max

# The bare formulas


def _activate(values: Array, activation: str) -> tuple[Array, Array]:
    """Probabilities p, and 1-p with as many digits."""
    if activation == "sigmoid":
        return np.exp(-softplus(-values)), np.exp(-softplus(values))
    if activation == "softmax":
        p = np.exp(log_softmax(values, axis=-2))
        likely = p.real > 0.5
        others = np.where(likely, 0, p).sum(axis=-2, keepdims=True)
        return p, np.where(likely, others, 1 - p)
    return values, 1 - values


def _prepare(
    probs: Array, target: Array, batch: bool, include_background: bool, activation: str
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """p, 1-p, the target and the axes to sum, for arrays (..., N, C, S)."""
    p, not_p = _activate(probs, activation)
    first = 0 if include_background else 1
    p, not_p, g = (array[..., first:, :] for array in (p, not_p, target))
    return p, not_p, g, (-3, -1) if batch else (-1,)


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
    p, _, g, axes = _prepare(probs, target, batch, include_background, activation)
    power = 2 if squared else 1
    intersection = (p * g).sum(axis=axes)
    total = (p**power).sum(axis=axes) + (g**power).sum(axis=axes)
    return 1 - ratio(2 * intersection + smooth, total + smooth, empty=1)


def jaccard_items(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """Items like dice's: 1 - (I+s)/(P+G-I+s)."""
    p, _, g, axes = _prepare(probs, target, batch, include_background, activation)
    intersection = (p * g).sum(axis=axes)
    union = (p + g - p * g).sum(axis=axes)
    return 1 - ratio(intersection + smooth, union + smooth, empty=1)


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
    """Items like dice's, from the weighted errors W: W / (I + W + s)."""
    p, not_p, g, axes = _prepare(probs, target, batch, include_background, activation)
    intersection = (p * g).sum(axis=axes)
    wrong = alpha * (p * (1 - g)).sum(axis=axes) + beta * (not_p * g).sum(axis=axes)
    return ratio(wrong, intersection + wrong + smooth, empty=0)


def focal_tversky_items(probs: Array, target: Array, *, gamma: float = 0.75, **options: Any) -> Array:
    """Items like dice's: tversky^γ, with tversky's options."""
    return power(tversky_items(probs, target, **options), gamma)


def log_cosh_dice_items(probs: Array, target: Array, **options: Any) -> Array:
    """Items like dice's, with its options: log cosh d = log(1 + 2 sinh²(d/2)), exact for small d."""
    return log1p(2 * np.sinh(dice_items(probs, target, **options) / 2) ** 2)


def sensitivity_specificity_items(
    probs: Array,
    target: Array,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """Items like dice's: mean squares over the foreground and over the background, mixed."""
    p, not_p, g, axes = _prepare(probs, target, batch, include_background, activation)
    not_g = 1 - g
    square = np.where(p.real < 0.5, p - g, not_g - not_p) ** 2
    on_foreground, on_background = (
        ratio((square * part).sum(axis=axes), part.sum(axis=axes) + smooth, empty=0)
        for part in (g, not_g)
    )
    return weight * on_foreground + (1 - weight) * on_background


# The public face


def _items(
    kernel: Callable[..., Array],
    probs: Array,
    target: Array,
    *,
    smooth: float,
    activation: str,
    reduction: str,
    **options: Any,
) -> Array | np.floating:
    """The kernel's items reduced, after the checks that all overlap losses share."""
    probs, target = as_floats("probs", probs), as_floats("target", target)
    require_reduction(reduction)
    require(probs.ndim >= 2, "probs", "a shape (N, C, *)", probs.shape)
    require_same_shape("probs", probs, "target", target)
    require(activation in ACTIVATIONS, "activation", f"one of {', '.join(ACTIVATIONS)}", activation)
    require_finite("probs", probs)
    if activation == "none":
        require_between("probs", probs, 0, 1)
    require_between("target", target, 0, 1)
    require_number_between("smooth", smooth, 0, LARGEST)
    flat = flatten(probs, 2), flatten(target, 2)
    items = kernel(*flat, smooth=smooth, activation=activation, **options)
    return reduce(items, reduction)


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
    return _items(
        dice_items,
        probs,
        target,
        smooth=smooth,
        squared=squared,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )


def jaccard(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Array | np.floating:
    """Jaccard (IoU) loss of masks: 1 - (I+s)/(P+G-I+s) in [0, 1], I = Σpg, P = Σp, G = Σg.

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Rahman & Wang 2016, doi 10.1007/978-3-319-50835-1_22.

    >>> jaccard([[[1.0, 1.0]]], [[[1.0, 0.0]]], smooth=0.0)
    np.float64(0.5)
    """
    return _items(
        jaccard_items,
        probs,
        target,
        smooth=smooth,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )


def tversky(
    probs: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Array | np.floating:
    """Tversky loss: 1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s) in [0, 1], I = Σpg.

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        alpha: a, the weight of false positives, at least 0.
        beta: b, the weight of false negatives, at least 0.
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Salehi et al., arXiv 1706.05721.

    >>> tversky([[[1.0, 1.0]]], [[[1.0, 0.0]]], alpha=0.25, beta=0.75, smooth=0.0)
    np.float64(0.2)
    """
    require_number_between("alpha", alpha, 0, LARGEST)
    require_number_between("beta", beta, 0, LARGEST)
    return _items(
        tversky_items,
        probs,
        target,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )


def focal_tversky(
    probs: Array,
    target: Array,
    *,
    gamma: float = 0.75,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Array | np.floating:
    """Focal Tversky loss: (1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s))^γ in [0, 1], I = Σpg.

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        gamma: γ > 0; the paper's 1/γ. Below 1 the gradient at a perfect mask is infinite.
        alpha: a, the weight of false positives, at least 0.
        beta: b, the weight of false negatives, at least 0.
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Abraham & Khan, arXiv 1810.07842.

    >>> focal_tversky([[[1.0, 1.0]]], [[[1.0, 0.0]]], gamma=0.5, alpha=1.0, smooth=3.0)
    np.float64(0.4472135954999579)
    """
    require_number_between("gamma", gamma, 0, LARGEST)
    require(gamma > 0, "gamma", "a number above 0", gamma)
    require_number_between("alpha", alpha, 0, LARGEST)
    require_number_between("beta", beta, 0, LARGEST)
    return _items(
        focal_tversky_items,
        probs,
        target,
        gamma=gamma,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )


def log_cosh_dice(
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
    """Log-cosh dice loss: log cosh(dice) in [0, log cosh 1], dice = 1 - (2I+s)/(P+G+s).

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        squared: P = Σp², G = Σg², instead of Σp and Σg.
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Jadon, arXiv 2006.14822.

    >>> log_cosh_dice([[[1.0, 0.0]]], [[[0.0, 1.0]]], smooth=0.0)  # log cosh 1
    np.float64(0.43378083048302724)
    """
    return _items(
        log_cosh_dice_items,
        probs,
        target,
        smooth=smooth,
        squared=squared,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )


def sensitivity_specificity(
    probs: Array,
    target: Array,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Array | np.floating:
    """Sensitivity-specificity loss: w Σ(g-p)²g/(Σg+s) + (1-w) Σ(g-p)²(1-g)/(Σ(1-g)+s) in [0, 1].

    Args:
        probs: (N, C, *) in [0, 1], or finite logits where an activation is given.
        target: same shape, in [0, 1].
        weight: w in [0, 1], the share of the foreground's errors (of the sensitivity).
        smooth: s, at least 0; a region without voxels has no error.
        batch: sum over N too.
        include_background: False drops channel 0, after the activation.
        activation: "none", "sigmoid" or "softmax" over C, applied to ``probs``.
        reduction: "none" gives items (N, C), or (C,) where batch.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Brosch et al. 2015, doi 10.1007/978-3-319-24574-4_1.

    >>> sensitivity_specificity([[[0.0, 0.5]]], [[[1.0, 0.0]]], weight=0.25, smooth=0.0)
    np.float64(0.4375)
    """
    require_number_between("weight", weight, 0, 1)
    return _items(
        sensitivity_specificity_items,
        probs,
        target,
        weight=weight,
        smooth=smooth,
        batch=batch,
        include_background=include_background,
        activation=activation,
        reduction=reduction,
    )
