"""Oracles of the classification losses."""

from typing import Any

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    as_labels,
    flatten,
    log1p,
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

# Checks of the softmax losses


def _require_labels(logits: Array, target: Array, ignore_index: int) -> None:
    """Logits (N, C, *), and for each item a class or ``ignore_index``."""
    require(logits.ndim >= 2, "logits", "a shape (N, C, *)", logits.shape)
    classes = logits.shape[1]
    require(classes >= 1, "logits", "at least one class", logits.shape)
    shape = (logits.shape[0], *logits.shape[2:])
    require(target.shape == shape, "target", f"a shape (N, *) = {shape}", target.shape)
    known = (target >= 0) & (target < classes) | (target == ignore_index)
    require(known, "target", f"labels in [0, {classes}) or ignore_index {ignore_index}")


def _as_class_weights(name: str, values: object, logits: Array) -> Array:
    """Finite weights (C,) of at least 0."""
    weights, classes = as_floats(name, values), logits.shape[1]
    require(weights.shape == (classes,), name, f"a shape (C,) = ({classes},)", weights.shape)
    require(np.isfinite(weights) & (weights >= 0), name, "finite weights of at least 0")
    return weights


def _require_rows(
    logits: Array, target: Array, ignore_index: int, where: str, impossible: bool = True
) -> None:
    """Kept logits are finite, or -inf away from the target where classes may be impossible."""
    kept = target != ignore_index
    rows = np.moveaxis(logits, 1, -1)[kept]
    is_target = np.arange(logits.shape[1]) == target[kept][:, None]
    allowed = np.isfinite(rows) | (rows == -np.inf) & ~is_target & impossible
    require(allowed, "logits", f"finite (-inf only {where}) numbers")


# Cross entropy


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
    _require_labels(logits, target, ignore_index)
    require_number_between("label_smoothing", label_smoothing, 0, 1)
    if weight is not None:
        weight = _as_class_weights("weight", weight, logits)
    _require_rows(logits, target, ignore_index, "off target, unsmoothed", label_smoothing == 0)
    options: dict[str, Any] = {
        "weight": weight,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
    }
    items = cross_entropy_items(flatten(logits, 2), flatten(target, 1), **options)
    divisor = cross_entropy_divisor(logits, target, **options)
    return reduce(items.reshape(target.shape), reduction, divisor)


# Binary cross entropies


def binary_cross_entropy_items(logits: Array, target: Array, *, pos_weight: float = 1.0) -> Array:
    """Items of -[ω t log σ(x) + (1-t) log σ(-x)], any shape."""
    return pos_weight * target * softplus(-logits) + (1 - target) * softplus(logits)


def binary_cross_entropy(
    logits: Array, target: Array, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Binary cross entropy on logits: -[ω t log σ(x) + (1-t) log σ(-x)], elementwise, at least 0.

    Args:
        logits: any shape, finite.
        target: same shape, in [0, 1].
        pos_weight: weight ω > 0 of the positives.
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    >>> binary_cross_entropy([0.0, 0.0], [1.0, 0.0], pos_weight=3.0, reduction="sum")
    np.float64(2.772588722239781)
    """
    logits, target = _as_logits_and_target(logits, target, reduction)
    tiny, huge = np.finfo(np.float64).smallest_subnormal, np.finfo(np.float64).max
    require_number_between("pos_weight", pos_weight, tiny, huge)
    return reduce(binary_cross_entropy_items(logits, target, pos_weight=pos_weight), reduction)


def _as_logits_and_target(logits: Array, target: Array, reduction: str) -> tuple[Array, Array]:
    """Finite logits, and a target in [0, 1] of the same shape."""
    logits, target = as_floats("logits", logits), as_floats("target", target)
    require_reduction(reduction)
    require_same_shape("logits", logits, "target", target)
    require_finite("logits", logits)
    require_between("target", target, 0, 1)
    return logits, target


LOG_FLOOR = -100
"""The least that a logarithm of log_loss can be."""


def log_loss_items(probs: Array, target: Array) -> Array:
    """Items of -[t log p + (1-t) log(1-p)], any shape, each logarithm at least -100."""
    log_p = np.log(np.where(probs.real > 0, probs, 1))
    log_not_p = log1p(-np.where(probs.real < 1, probs, 0))
    log_p = np.where((probs.real > 0) & (log_p.real > LOG_FLOOR), log_p, LOG_FLOOR)
    log_not_p = np.where((probs.real < 1) & (log_not_p.real > LOG_FLOOR), log_not_p, LOG_FLOOR)
    return -(target * log_p + (1 - target) * log_not_p)


def log_loss(probs: Array, target: Array, *, reduction: str = "mean") -> Array | np.floating:
    """Log loss on probabilities: -[t log p + (1-t) log(1-p)], elementwise, in [0, 100].

    Each logarithm is at least -100, so that a certain mistake costs 100. The gradient is defined for
    p in [1e-6, 1-1e-6].

    Args:
        probs: any shape, in [0, 1].
        target: same shape, in [0, 1].
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: the semantics of torch.nn.BCELoss.

    >>> log_loss([0.5, 1.0], [1.0, 0.0], reduction="none")
    array([  0.69314718, 100.        ])
    """
    probs, target = as_floats("probs", probs), as_floats("target", target)
    require_reduction(reduction)
    require_same_shape("probs", probs, "target", target)
    require_between("probs", probs, 0, 1)
    require_between("target", target, 0, 1)
    return reduce(log_loss_items(probs, target), reduction)


def balanced_cross_entropy_items(logits: Array, target: Array, *, beta: float | None = None) -> Array:
    """Items (..., S) of -[β t log σ(x) + (1-β)(1-t) log σ(-x)], β = 1 - mean(t) over S if None."""
    positive: Any
    negative: Any
    if beta is None:
        count = max(target.shape[-1], 1)
        positive = (1 - target).sum(axis=-1, keepdims=True) / count
        negative = target.sum(axis=-1, keepdims=True) / count
    else:
        positive = logits.real.dtype.type(beta)  # 1 - β in the precision of the rest
        negative = 1 - positive
    return positive * target * softplus(-logits) + negative * (1 - target) * softplus(logits)


def balanced_cross_entropy(
    logits: Array, target: Array, *, beta: float | None = None, reduction: str = "mean"
) -> Array | np.floating:
    """Balanced cross entropy: -[β t log σ(x) + (1-β)(1-t) log σ(-x)], elementwise, at least 0.

    Args:
        logits: any shape, finite.
        target: same shape, in [0, 1].
        beta: weight β in [0, 1] of the positives, or None for the share of negatives,
            β = 1 - mean(t) over the whole input.
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Jadon, arXiv 2006.14822; Xie and Tu, arXiv 1504.06375.

    >>> balanced_cross_entropy([0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], reduction="none")
    array([0.51986039, 0.1732868 , 0.1732868 , 0.1732868 ])
    """
    logits, target = _as_logits_and_target(logits, target, reduction)
    if beta is not None:
        require_number_between("beta", beta, 0, 1)
    items = balanced_cross_entropy_items(flatten(logits, 0), flatten(target, 0), beta=beta)
    return reduce(items.reshape(logits.shape), reduction)


# Focal losses


def softmax_focal_items(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: Array | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Array:
    """Items (..., N, S) of logits (..., N, C, S), target (N, S) and alpha (..., C).

    1-q = s + (1-2s)(1-p_t), where 1-p_t is the sum of the other classes; its logarithm is taken from
    whichever of q and 1-q is small. Where 1-q is 0, (1-q)^γ log q is 0 times a power.
    """
    kept = target != ignore_index
    label = np.where(kept, target, 0)
    rows = np.where(kept[..., None], np.moveaxis(logits, -2, -1), 0)
    is_label = np.arange(rows.shape[-1]) == label[..., None]
    powers = np.exp(rows - np.max(rows.real, axis=-1, keepdims=True))
    others = np.where(is_label, 0, powers).sum(axis=-1) / powers.sum(axis=-1)
    log_p = np.where(is_label, log_softmax(rows, axis=-1), 0).sum(axis=-1)
    share = logits.real.dtype.type(smoothing)
    q, rest = share + (1 - 2 * share) * np.exp(log_p), share + (1 - 2 * share) * others
    log_q = np.log(q) if share > 0 else log_p
    from_rest = np.log(np.where(rest.real > 0, rest, 1))
    log_rest = np.where(q.real < 0.5, log1p(-np.where(q.real < 0.5, q, 0)), from_rest)
    power = np.where((rest.real > 0) | (gamma == 0), np.exp(gamma * log_rest), 0)
    items = -power * log_q
    return np.where(kept, items if alpha is None else alpha[..., label] * items, 0)


def softmax_focal_divisor(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: Array | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
) -> float:
    """What the mean divides by: the number of kept items."""
    return float(np.count_nonzero(target != ignore_index))


def softmax_focal(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: Array | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array | np.floating:
    """Softmax focal loss: -α_t (1-q)^γ log q, q = s + (1-2s) p_t, p = softmax(logits), at least 0.

    Args:
        logits: (N, C, *) finite; -inf allowed away from the target, anything at ignored items.
        target: (N, *) integers in [0, C), or ``ignore_index``.
        gamma: focusing exponent, at least 0.
        alpha: (C,) class weights, at least 0, or None for 1.
        smoothing: s in [0, 1/2), which keeps q in [s, 1-s].
        ignore_index: the target of items that don't count.
        reduction: "none" gives items (N, *); "mean" divides by the number of kept items.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Lin et al., arXiv 1708.02002.

    >>> softmax_focal([[0.0, 0.0]], [1], gamma=1.0)
    np.float64(0.34657359027997264)
    """
    logits, target = as_floats("logits", logits), as_labels("target", target)
    require_reduction(reduction)
    _require_labels(logits, target, ignore_index)
    require_number_between("gamma", gamma, 0, np.finfo(np.float64).max)
    if alpha is not None:
        alpha = _as_class_weights("alpha", alpha, logits)
    require_number_between("smoothing", smoothing, 0, 0.5)
    require(smoothing < 0.5, "smoothing", "a number below 0.5", smoothing)
    _require_rows(logits, target, ignore_index, "off target")
    options: dict[str, Any] = {
        "gamma": gamma,
        "alpha": alpha,
        "smoothing": smoothing,
        "ignore_index": ignore_index,
    }
    items = softmax_focal_items(flatten(logits, 2), flatten(target, 1), **options)
    divisor = softmax_focal_divisor(logits, target, **options)
    return reduce(items.reshape(target.shape), reduction, divisor)


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
    logits, target = _as_logits_and_target(logits, target, reduction)
    require_number_between("gamma", gamma, 0, np.finfo(np.float64).max)
    if alpha is not None:
        require_number_between("alpha", alpha, 0, 1)
    return reduce(sigmoid_focal_items(logits, target, gamma=gamma, alpha=alpha), reduction)
