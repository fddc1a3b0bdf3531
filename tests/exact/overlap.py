"""Overlaps of probabilities and masks, by their definitions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from exact import Array, Number, mp, number, numbers, sigmoid, softmax


def _regions(
    probs: Array, target: Array, batch: bool, include_background: bool, activation: str
) -> Iterator[tuple[list[Number], list[Number]]]:
    """Probabilities and target of the voxels of each item, in order."""
    samples, channels = np.shape(probs)[:2]
    p, g = (numbers(array).reshape(samples, channels, -1) for array in (probs, target))
    for sample, voxel in np.ndindex(samples, p.shape[-1]):
        if activation == "softmax":
            p[sample, :, voxel] = softmax(p[sample, :, voxel])
        elif activation == "sigmoid":
            p[sample, :, voxel] = [sigmoid(x) for x in p[sample, :, voxel]]
    groups = [range(samples)] if batch else [[sample] for sample in range(samples)]
    for group in groups:
        for channel in range(0 if include_background else 1, channels):
            yield p[group, channel].ravel().tolist(), g[group, channel].ravel().tolist()


def _overlap_shape(items: list[Number], probs: Array, batch: bool) -> Array:
    array = np.array(items, dtype=object)
    return array if batch else array.reshape(len(probs), -1)


def dice(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """1 - (2I+s)/(P+G+s), where 0/0 is 1."""
    items = []
    for p, g in _regions(probs, target, batch, include_background, activation):
        both = sum(x * y for x, y in zip(p, g, strict=True))
        size = sum(x * x for x in p + g) if squared else sum(p + g)
        below = size + number(smooth)
        items.append(1 - (2 * both + number(smooth)) / below if below else mp.mpf(0))
    return _overlap_shape(items, probs, batch)


def jaccard(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """1 - (I+s)/(P+G-I+s), where 0/0 is 1."""
    items = []
    for p, g in _regions(probs, target, batch, include_background, activation):
        both = sum(x * y for x, y in zip(p, g, strict=True))
        below = sum(p + g) - both + number(smooth)
        items.append(1 - (both + number(smooth)) / below if below else mp.mpf(0))
    return _overlap_shape(items, probs, batch)


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
) -> Array:
    """1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s), where 0/0 is 1."""
    items = []
    for p, g in _regions(probs, target, batch, include_background, activation):
        both, false_positive, false_negative = (
            sum(left(x) * right(y) for x, y in zip(p, g, strict=True))
            for left, right in ((_yes, _yes), (_yes, _no), (_no, _yes))
        )
        above = both + number(smooth)
        below = above + number(alpha) * false_positive + number(beta) * false_negative
        items.append(1 - above / below if below else mp.mpf(0))
    return _overlap_shape(items, probs, batch)


def focal_tversky(probs: Array, target: Array, *, gamma: float = 0.75, **options: Any) -> Array:
    """tversky to the power of γ."""
    return tversky(probs, target, **options) ** number(gamma)


def log_cosh_dice(probs: Array, target: Array, **options: Any) -> Array:
    """log cosh of dice."""
    items = dice(probs, target, **options)
    logs = [mp.log(mp.cosh(item)) for item in items.flat]
    return np.array(logs, dtype=object).reshape(items.shape)


def sensitivity_specificity(
    probs: Array,
    target: Array,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> Array:
    """w Σ(g-p)²g / (Σg+s) + (1-w) Σ(g-p)²(1-g) / (Σ(1-g)+s), where 0/0 is 0."""
    items = []
    for p, g in _regions(probs, target, batch, include_background, activation):
        item = mp.mpf(0)
        for share, part in ((number(weight), _yes), (1 - number(weight), _no)):
            above = sum((y - x) ** 2 * part(y) for x, y in zip(p, g, strict=True))
            below = sum(part(y) for y in g) + number(smooth)
            item += share * above / below if below else 0
        items.append(item)
    return _overlap_shape(items, probs, batch)


def _yes(probability: Number) -> Number:
    return probability


def _no(probability: Number) -> Number:
    return 1 - probability
