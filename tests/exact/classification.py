"""Cross entropies, by their definitions."""

import numpy as np

from exact import Array, Number, digits, each, mp, number, numbers, probabilities, softmax


def cross_entropy(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Array:
    """-w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k, and 0 for ignored items."""
    rows, smoothing = np.moveaxis(numbers(logits), 1, -1), number(label_smoothing)
    class_weight = numbers(np.ones(rows.shape[-1]) if weight is None else weight)
    items = np.full(np.shape(target), mp.mpf(0), dtype=object)
    for index, label in np.ndenumerate(target):
        if label != ignore_index:
            logs = [mp.log(probability) for probability in softmax(rows[index])]
            items[index] = -class_weight[label] * (1 - smoothing) * logs[label]
            if smoothing != 0:
                smooth = sum(w * log for w, log in zip(class_weight, logs, strict=True))
                items[index] -= smoothing / len(logs) * smooth
    return items


def cross_entropy_divisor(
    logits: Array,
    target: Array,
    *,
    weight: Array | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Number:
    """The weights of the targets that are kept, summed."""
    kept = [label for label in np.ravel(target) if label != ignore_index]
    return sum((number(1 if weight is None else weight[label]) for label in kept), mp.mpf(0))


def binary_cross_entropy(logits: Array, target: Array, *, pos_weight: float = 1.0) -> Array:
    """-[ω t log σ(x) + (1-t) log σ(-x)]."""

    def item(x: Number, t: Number) -> Number:
        p, rest = probabilities(x)
        return -(number(pos_weight) * t * mp.log(p) + (1 - t) * mp.log(rest))

    return each(item, logits, target)


def log_loss(probs: Array, target: Array) -> Array:
    """-[t log p + (1-t) log(1-p)], no logarithm below -100."""

    def floored(p: Number) -> Number:
        return max(mp.log(p), mp.mpf(-100)) if p > 0 else mp.mpf(-100)

    def item(p: Number, t: Number) -> Number:
        return -(t * floored(p) + (1 - t) * floored(1 - p))

    return each(item, probs, target)


def balanced_cross_entropy(logits: Array, target: Array, *, beta: float | None = None) -> Array:
    """-[β t log σ(x) + (1-β)(1-t) log σ(-x)], β = 1 - mean(t) if None."""
    targets = numbers(target)
    share = 1 - sum(targets.flat) / max(targets.size, 1) if beta is None else number(beta)

    def item(x: Number, t: Number) -> Number:
        p, rest = probabilities(x)
        return -(share * t * mp.log(p) + (1 - share) * (1 - t) * mp.log(rest))

    return each(item, logits, targets)


def softmax_focal(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: Array | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Array:
    """-α_t (1-q)^γ log q with q = s + (1-2s) p_t, with as many digits as 1-q loses; 0 if ignored."""
    rows, share = np.moveaxis(numbers(logits), 1, -1), number(smoothing)
    items = np.full(np.shape(target), mp.mpf(0), dtype=object)
    for index, label in np.ndenumerate(target):
        if label == ignore_index:
            continue
        row = rows[index]
        possible = [x for x in row if mp.isfinite(x)]
        with mp.workdps(digits(max(possible) - min(possible))):
            q = share + (1 - 2 * share) * softmax(row)[label]
            items[index] = -((1 - q) ** number(gamma)) * mp.log(q)
        if alpha is not None:
            items[index] *= number(alpha[label])
    return items


def softmax_focal_divisor(
    logits: Array, target: Array, *, ignore_index: int = -100, **_: object
) -> Number:
    """The number of targets that are kept."""
    return mp.mpf(sum(label != ignore_index for label in np.ravel(target).tolist()))


def sigmoid_focal(
    logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = 0.25
) -> Array:
    """α_t (1-p_t)^γ BCE, with as many digits as 1-p_t loses."""

    def item(x: Number, t: Number) -> Number:
        p, rest = probabilities(x)
        with mp.workdps(digits(x)):
            wrong = 1 - (p * t + rest * (1 - t))
        share = 1 if alpha is None else number(alpha) * t + (1 - number(alpha)) * (1 - t)
        return -share * wrong ** number(gamma) * (t * mp.log(p) + (1 - t) * mp.log(rest))

    return each(item, logits, target)
