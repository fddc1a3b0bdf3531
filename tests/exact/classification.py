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
