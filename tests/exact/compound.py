"""Sums of a cross entropy and an overlap, by their definitions."""

from collections.abc import Sequence

import numpy as np

from exact import Array, Number, Numbers, digits, mp, number, numbers, probabilities, softmax
from exact.boxes import ciou
from exact.classification import binary_cross_entropy

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
        farthest = max(max(voxel) - min(voxel) for voxel in row)
        with mp.workdps(digits(farthest)):
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


def yolo_detection(
    boxes: Array | list[Array],
    target_boxes: Array | list[Array],
    objectness: Array | list[Array],
    cells: Array | list[Array],
    class_logits: Array | list[Array],
    labels: Array | list[Array],
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
) -> Array:
    """Mean ciou, mean BCE of the objectness against o, and of the classes, weighed and added."""
    arguments = (boxes, target_boxes, objectness, cells, class_logits, labels)
    lists = [a if isinstance(a, list) else [a] for a in arguments]
    weights = balance if len(lists[0]) > 1 else (1.0,)
    total = mp.mpf(0)
    for first, second, x, places, scores, own, weight in zip(*lists, weights, strict=False):
        found = np.full(np.size(x), mp.mpf(0), dtype=object)
        found[places] = _found(first, second, iou_ratio)
        hot = np.full(np.shape(scores), number(negative), dtype=object)
        hot[np.arange(len(own)), own] = number(positive)
        total += number(gain_box) * _mean_or_zero(ciou(first, second))
        share = number(gain_obj) * number(weight)
        total += share * _mean_or_zero(binary_cross_entropy(np.ravel(x), found))
        total += number(gain_cls) * _mean_or_zero(binary_cross_entropy(scores, hot))
    return np.array(total, dtype=object)


def _found(boxes: Array, target_boxes: Array, iou_ratio: float) -> Array:
    """o = (1-r) + r max(1 - ciou, 0) of each matched cell."""
    share = number(iou_ratio)
    zero = mp.mpf(0)
    values = [1 - share + share * max(1 - item, zero) for item in ciou(boxes, target_boxes)]
    return np.array(values, dtype=object)


def _mean_or_zero(items: Array) -> Number:
    return sum(items.flat, mp.mpf(0)) / max(items.size, 1)


def boxes_of_yolo(boxes: Array, *, target_boxes: Array, alpha: Array, gain_box: float) -> Array:
    """What of one scale depends on the boxes with a slope: α and o have none. As a single item."""
    return np.array([number(gain_box) * _mean_or_zero(ciou(boxes, target_boxes, alpha))], dtype=object)


def logits_of_yolo(**arguments: Array) -> Array:
    """The loss as a single item."""
    return yolo_detection(**arguments).reshape(1)  # type: ignore[arg-type]  # its own arguments
