"""Angles between vectors, by their definitions."""

import numpy as np

from exact import Array, Number, Numbers, mp, number, numbers, softmax


def center(
    features: Array, label: Array, centers: Array, *, scale: float = 1.0, balanced: bool = False
) -> Array:
    """(λ/2) |f - c_y|², over how often y occurs in the batch if balanced."""
    items = []
    for feature, own in zip(numbers(features), label, strict=True):
        squares = [(x - y) ** 2 for x, y in zip(feature, numbers(centers)[own], strict=True)]
        times = sum(other == own for other in label) if balanced else 1
        items.append(number(scale) / 2 * sum(squares) / int(times))
    return np.array(items, dtype=object)


def _angle(first: Numbers, second: Numbers) -> Number:
    """The angle between two vectors; a right one where either is zero."""
    dot = sum(x * y for x, y in zip(first, second, strict=True))
    lengths = mp.sqrt(sum(x * x for x in first)) * mp.sqrt(sum(x * x for x in second))
    return mp.acos(max(min(dot / lengths, mp.mpf(1)), mp.mpf(-1))) if lengths else mp.pi / 2


def arcface(
    features: Array, label: Array, weight: Array, *, scale: float = 64.0, margin: float = 0.5
) -> Array:
    """Cross entropy of s [cos θ_j, with cos(θ+m), or beyond π-m cos θ - m sin m, at the label]."""
    items, m = [], number(margin)
    for feature, own in zip(numbers(features), label, strict=True):
        angles = [_angle(feature, row) for row in numbers(weight)]
        logits = [number(scale) * mp.cos(angle) for angle in angles]
        within = angles[own] <= mp.pi - m
        shifted = mp.cos(angles[own] + m) if within else mp.cos(angles[own]) - m * mp.sin(m)
        logits[own] = number(scale) * shifted
        items.append(-mp.log(softmax(logits)[own]))
    return np.array(items, dtype=object)
