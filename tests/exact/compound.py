"""Sums of a cross entropy and an overlap, by their definitions."""

import numpy as np

from exact import Array, Number, Numbers, digits, mp, number, numbers, probabilities, softmax

Terms = list[tuple[Number, Number, Number]]
"""Probability, its complement and the target of each voxel."""


def _terms(logits: Numbers, target: Numbers) -> Terms:
    return [(*probabilities(x), g) for x, g in zip(logits, target, strict=True)]


def _mean(values: list[Number]) -> Number:
    return sum(values) / len(values)


def _cross_entropy(terms: Terms, positive: Number, negative: Number) -> Number:
    """Mean of -[w₁ g log p + w₀ (1-g) log(1-p)]."""
    return _mean(
        [-(positive * g * mp.log(p) + negative * (1 - g) * mp.log(rest)) for p, rest, g in terms]
    )


def _coefficient(terms: Terms, smooth: float) -> Number:
    """(2Σpg+s) / (Σp+Σg+s)."""
    above = 2 * sum(p * g for p, _, g in terms) + number(smooth)
    return above / (sum(p + g for p, _, g in terms) + number(smooth))


def _samples(logits: Array, target: Array) -> list[list[Terms]]:
    """The voxels of each channel of each sample."""
    shape = (*np.shape(logits)[:2], -1)
    pairs = zip(numbers(logits).reshape(shape), numbers(target).reshape(shape), strict=True)
    return [[_terms(x, g) for x, g in zip(*pair, strict=True)] for pair in pairs]


def bce_dice(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Mean BCE + mean over the channels of 1 - (2I+s)/(P+G+s)."""
    items = []
    for channels in _samples(logits, target):
        dice = _mean([1 - _coefficient(terms, smooth) for terms in channels])
        terms = [term for channel in channels for term in channel]
        items.append(_cross_entropy(terms, mp.mpf(1), mp.mpf(1)) + dice)
    return np.array(items, dtype=object)


def bce_log_dice(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Mean BCE - log((2I+s)/(P+G+s))."""
    items = []
    for channels in _samples(logits, target):
        terms = [term for channel in channels for term in channel]
        log = mp.log(_coefficient(terms, smooth))
        items.append(_cross_entropy(terms, mp.mpf(1), mp.mpf(1)) - log)
    return np.array(items, dtype=object)


def combo(
    logits: Array, target: Array, *, alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0
) -> Array:
    """a · mean weighted BCE + (1-a) (1 - (2I+s)/(P+G+s))."""
    a, b = number(alpha), number(beta)
    items = []
    for channels in _samples(logits, target):
        terms = [term for channel in channels for term in channel]
        dice = 1 - _coefficient(terms, smooth)
        items.append(a * _cross_entropy(terms, b, 1 - b) + (1 - a) * dice)
    return np.array(items, dtype=object)


def exp_log(
    logits: Array,
    target: Array,
    *,
    class_weight: Array | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
) -> Array:
    """w_d mean_c (-log D_c)^γd + w_c mean v_t (-log p_t)^γc, with as many digits as 1-p loses."""
    batch, classes = np.shape(logits)[:2]
    rows = np.moveaxis(numbers(logits).reshape(batch, classes, -1), 1, 2)
    weight = numbers(np.ones(classes) if class_weight is None else class_weight)
    items = []
    for row, label in zip(rows, np.reshape(target, (batch, -1)), strict=True):
        with mp.workdps(digits(2 * max(abs(x) for x in row.flat))):
            probability = [softmax(voxel) for voxel in row]
            cross = [
                weight[own] * (-mp.log(p[own])) ** number(gamma_cross)
                for p, own in zip(probability, label, strict=True)
            ]
            dice = []
            for c in range(classes):
                terms = [
                    (p[c], 1 - p[c], mp.mpf(int(own == c)))
                    for p, own in zip(probability, label, strict=True)
                ]
                dice.append((-mp.log(_coefficient(terms, 1.0))) ** number(gamma_dice))
            item = number(weight_dice) * _mean(dice) + number(weight_cross) * _mean(cross)
        items.append(+item)
    return np.array(items, dtype=object)
