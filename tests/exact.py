"""Every loss again, in mpmath at 50 digits, item by item and straight from its definition.

Nothing here comes from the oracles, which are held against it. The functions named after a loss
take the public oracle's arguments, as NumPy arrays of any precision, and give the items as an array
of mpmath numbers. Loss of digits is met with more digits, not with another formula.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Number = Any
"""A number of the context below: mpmath makes its types at run time."""
Numbers = Sequence[Number] | Array

mp = mpmath.mp.clone()
mp.dps = 50


def number(value: Any) -> Number:
    """The same number in mpmath: no bit of a long double is lost."""
    if isinstance(value, mp.mpf):
        return value
    if not np.isfinite(value):
        return mp.mpf(float(value))
    mantissa, exponent = np.frexp(np.longdouble(value))
    return mp.ldexp(mp.mpf(int(np.ldexp(mantissa, 113))), int(exponent) - 113)


def numbers(values: Any) -> Array:
    """An array of the same numbers in mpmath."""
    array = np.asarray(values, dtype=object)
    return np.array([number(value) for value in array.flat], dtype=object).reshape(array.shape)


def jacobian(
    function: Callable[..., Array], arguments: Mapping[str, Any], name: str, size: float
) -> Array:
    """Slopes (elements, items) along one argument, by central differences of 1e-20 its size."""
    base, step = numbers(arguments[name]), number(size) * mp.mpf("1e-20")
    slopes = []
    for index in np.ndindex(base.shape):
        above, below = base.copy(), base.copy()
        above[index] += step
        below[index] -= step
        change = function(**{**arguments, name: above}) - function(**{**arguments, name: below})
        slopes.append(change.ravel() / (2 * step))
    return np.array(slopes, dtype=object)


def _each(item: Callable[..., Number], *arrays: Array) -> Array:
    """The items of an elementwise loss."""
    first, *others = (numbers(array) for array in arrays)
    items = [item(*values) for values in zip(first.flat, *(o.flat for o in others), strict=True)]
    return np.array(items, dtype=object).reshape(first.shape)


# Functions of one number or one row


def _digits(x: Number) -> int:
    """As many that 1 + e⁻ˣ keeps 50 of e⁻ˣ."""
    return 60 + int(abs(x) / 2)


def log1p(u: Number) -> Number:
    """log(1 + u)."""
    with mp.workdps(400):
        return mp.log(1 + u)


def softplus(x: Number) -> Number:
    """log(1 + eˣ)."""
    with mp.workdps(_digits(x)):
        return mp.log(1 + mp.exp(x))


def _probabilities(x: Number) -> tuple[Number, Number]:
    """p = σ(x) and 1-p."""
    with mp.workdps(_digits(x)):
        p = sigmoid(x)
        return p, 1 - p


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mp.exp(-x))


def log_sum_exp(row: Numbers) -> Number:
    return mp.log(sum(mp.exp(x) for x in row))


def softmax(row: Numbers) -> list[Number]:
    powers = [mp.exp(x) for x in row]
    return [power / sum(powers) for power in powers]


# Losses


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


def cross_entropy_divisor(target: Array, weight: Array | None, ignore_index: int) -> Number:
    """The weights of the targets that are kept, summed."""
    kept = [label for label in np.ravel(target) if label != ignore_index]
    return sum((number(1 if weight is None else weight[label]) for label in kept), mp.mpf(0))


def binary_cross_entropy(logits: Array, target: Array, *, pos_weight: float = 1.0) -> Array:
    """-[ω t log σ(x) + (1-t) log σ(-x)]."""

    def item(x: Number, t: Number) -> Number:
        p, rest = _probabilities(x)
        return -(number(pos_weight) * t * mp.log(p) + (1 - t) * mp.log(rest))

    return _each(item, logits, target)


def sigmoid_focal(
    logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = 0.25
) -> Array:
    """α_t (1-p_t)^γ BCE, with as many digits as 1-p_t loses."""

    def item(x: Number, t: Number) -> Number:
        p, rest = _probabilities(x)
        with mp.workdps(_digits(x)):
            wrong = 1 - (p * t + rest * (1 - t))
        share = 1 if alpha is None else number(alpha) * t + (1 - number(alpha)) * (1 - t)
        return -share * wrong ** number(gamma) * (t * mp.log(p) + (1 - t) * mp.log(rest))

    return _each(item, logits, target)


def mse(input: Array, target: Array) -> Array:
    """(x-y)²."""
    return _each(lambda x, y: (x - y) * (x - y), input, target)


def _box_terms(box1: Numbers, box2: Numbers) -> tuple[Number, Number]:
    """I/U and (C-U)/C of two boxes; 0/0 is 0."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = box1, box2
    width = max(min(right1, right2) - max(left1, left2), mp.mpf(0))
    height = max(min(bottom1, bottom2) - max(top1, top2), mp.mpf(0))
    area1, area2 = (right1 - left1) * (bottom1 - top1), (right2 - left2) * (bottom2 - top2)
    union = area1 + area2 - width * height
    hull_width = max(right1, right2) - min(left1, left2)
    hull = hull_width * (max(bottom1, bottom2) - min(top1, top2))
    overlap = width * height / union if union else mp.mpf(0)
    return overlap, (hull - union) / hull if hull else mp.mpf(0)


def iou(boxes1: Array, boxes2: Array) -> Array:
    """1 - I/U."""
    pairs = zip(numbers(boxes1), numbers(boxes2), strict=True)
    return np.array([1 - _box_terms(*pair)[0] for pair in pairs], dtype=object)


def giou(boxes1: Array, boxes2: Array) -> Array:
    """1 - I/U + (C-U)/C."""
    terms = [_box_terms(*pair) for pair in zip(numbers(boxes1), numbers(boxes2), strict=True)]
    return np.array([1 - overlap + gap for overlap, gap in terms], dtype=object)


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


def _yes(probability: Number) -> Number:
    return probability


def _no(probability: Number) -> Number:
    return 1 - probability


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
