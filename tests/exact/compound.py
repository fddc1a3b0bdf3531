"""Sums of a cross entropy and an overlap, by their definitions."""

import numpy as np

from exact import Array, Number, Numbers, mp, number, numbers, probabilities

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
