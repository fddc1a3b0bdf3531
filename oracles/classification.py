"""Oracles of the classification losses."""

from typing import Any

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    as_labels,
    flatten,
    log_softmax,
    log_sum_exp,
    reduce,
    require,
    require_between,
    require_finite,
    require_number_between,
    require_reduction,
    require_same_shape,
    softplus,
)


def cross_entropy_items(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Array:
    """Items (..., N, S) of logits (..., N, C, S), target (N, S) and weight (..., C)."""
    kept = target != ignore_index
    rows = np.where(kept[..., None], np.moveaxis(logits, -2, -1), 0)
    class_weight = np.ones(rows.shape[-1]) if weight is None else weight[..., None, None, :]
    log_probability, class_weight = np.broadcast_arrays(log_softmax(rows, axis=-1), class_weight)
    label = np.broadcast_to(np.where(kept, target, 0)[..., None], (*class_weight.shape[:-1], 1))
    label_weight = np.take_along_axis(class_weight, label, axis=-1)[..., 0]
    label_log_probability = np.take_along_axis(log_probability, label, axis=-1)[..., 0]
    smoothing = logits.real.dtype.type(label_smoothing)  # 1 - ε in the precision of the rest
    items = -(1 - smoothing) * label_weight * label_log_probability
    if smoothing > 0:
        items = items - smoothing * (class_weight * log_probability).mean(axis=-1)
    return np.where(kept, items, 0)


def cross_entropy_divisor(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> float:
    """What the mean divides by: the weights of the kept items' targets, summed."""
    kept = target[target != ignore_index]
    return kept.size if weight is None else weight[kept].sum()


def cross_entropy(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array | np.floating:
    """Softmax cross entropy: -w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k with p = softmax(logits).

    Args:
        logits: (N, C, *) finite; -inf allowed away from the target where ε = 0, anything at
            ignored items.
        target: (N, *) integers in [0, C), or ``ignore_index``.
        weight: (C,) class weights, at least 0.
        label_smoothing: ε in [0, 1].
        ignore_index: the target of items that don't count.
        reduction: "none" gives items (N, *); "mean" divides by the kept items' weights Σ w_t.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: torch semantics; label smoothing: Müller et al., arXiv 1906.02629.

    >>> cross_entropy([[0.0, 0.0]], [1])
    np.float64(0.6931471805599453)
    """
    logits, target = as_floats("logits", logits), as_labels("target", target)
    require_reduction(reduction)
    require(logits.ndim >= 2, "logits", "a shape (N, C, *)", logits.shape)
    classes = logits.shape[1]
    require(classes >= 1, "logits", "at least one class", logits.shape)
    shape = (logits.shape[0], *logits.shape[2:])
    require(target.shape == shape, "target", f"a shape (N, *) = {shape}", target.shape)
    kept = target != ignore_index
    in_range = (target >= 0) & (target < classes)
    require(in_range | ~kept, "target", f"labels in [0, {classes}) or ignore_index {ignore_index}")
    require_number_between("label_smoothing", label_smoothing, 0, 1)
    if weight is not None:
        weight = as_floats("weight", weight)
        require(weight.shape == (classes,), "weight", f"a shape (C,) = ({classes},)", weight.shape)
        require(np.isfinite(weight) & (weight >= 0), "weight", "finite weights of at least 0")
    rows = np.moveaxis(logits, 1, -1)[kept]
    is_target = np.arange(classes) == target[kept][:, None]
    impossible = (rows == -np.inf) & ~is_target & (label_smoothing == 0)
    require(
        np.isfinite(rows) | impossible, "logits", "finite (-inf only off target, unsmoothed) numbers"
    )
    options: dict[str, Any] = {
        "weight": weight,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
    }
    items = cross_entropy_items(flatten(logits, 2), flatten(target, 1), **options)
    divisor = cross_entropy_divisor(logits, target, **options)
    return reduce(items.reshape(shape), reduction, divisor)


def binary_cross_entropy_items(logits: Array, target: Array, *, pos_weight: float = 1.0) -> Array:
    """Items of -[ω t log σ(x) + (1-t) log σ(-x)], any shape."""
    return pos_weight * target * softplus(-logits) + (1 - target) * softplus(logits)


def sigmoid_focal_items(
    logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = 0.25
) -> Array:
    """Items, any shape: α_t (1-p_t)^γ BCE, the power taken as exp(γ log(1-p_t))."""
    with np.errstate(divide="ignore"):
        wrong_if_one = np.log(target) - softplus(logits)  # log t σ(-x)
        wrong_if_zero = np.log(1 - target) - softplus(-logits)  # log (1-t) σ(x)
    log_wrong = log_sum_exp(np.stack(np.broadcast_arrays(wrong_if_one, wrong_if_zero)), axis=0)[0]
    share = None if alpha is None else logits.real.dtype.type(alpha)
    alpha_t = 1 if share is None else share * target + (1 - share) * (1 - target)
    return alpha_t * np.exp(gamma * log_wrong) * binary_cross_entropy_items(logits, target)


def sigmoid_focal(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Array | np.floating:
    """Sigmoid focal loss: α_t (1-p_t)^γ BCE(x, t), p_t = p t + (1-p)(1-t), α_t = α t + (1-α)(1-t).

    Args:
        logits: any shape, finite.
        target: same shape, in [0, 1].
        gamma: focusing exponent, at least 0.
        alpha: weight of the positives in [0, 1], or None for α_t = 1.
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Lin et al., arXiv 1708.02002.

    >>> sigmoid_focal([0.0], [1.0], gamma=0.0, alpha=None)
    np.float64(0.6931471805599453)
    """
    logits, target = as_floats("logits", logits), as_floats("target", target)
    require_reduction(reduction)
    require_same_shape("logits", logits, "target", target)
    require_finite("logits", logits)
    require_between("target", target, 0, 1)
    require_number_between("gamma", gamma, 0, np.finfo(np.float64).max)
    if alpha is not None:
        require_number_between("alpha", alpha, 0, 1)
    return reduce(sigmoid_focal_items(logits, target, gamma=gamma, alpha=alpha), reduction)
