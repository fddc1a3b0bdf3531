"""Overlaps of two boxes, by their definitions."""

from collections.abc import Callable

import numpy as np

from exact import Array, Number, Numbers, mp, numbers


def _pairs(term: Callable[[Numbers, Numbers], Number], boxes1: Array, boxes2: Array) -> Array:
    """A term of each pair of boxes."""
    pairs = zip(numbers(boxes1), numbers(boxes2), strict=True)
    return np.array([term(*pair) for pair in pairs], dtype=object)


def _ratio(part: Number, whole: Number) -> Number:
    """0/0 is 0."""
    return part / whole if whole else mp.mpf(0)


def _areas(box1: Numbers, box2: Numbers) -> tuple[Number, Number]:
    """Intersection and union."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = box1, box2
    width = max(min(right1, right2) - max(left1, left2), mp.mpf(0))
    height = max(min(bottom1, bottom2) - max(top1, top2), mp.mpf(0))
    area1, area2 = (right1 - left1) * (bottom1 - top1), (right2 - left2) * (bottom2 - top2)
    return width * height, area1 + area2 - width * height


def _hull(box1: Numbers, box2: Numbers) -> tuple[Number, Number]:
    """Width and height of the smallest enclosing box."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = box1, box2
    return max(right1, right2) - min(left1, left2), max(bottom1, bottom2) - min(top1, top2)


def _gap(box1: Numbers, box2: Numbers) -> Number:
    """(C-U)/C."""
    width, height = _hull(box1, box2)
    return _ratio(width * height - _areas(box1, box2)[1], width * height)


def _distance(box1: Numbers, box2: Numbers) -> Number:
    """ρ²/c²."""
    width, height = _hull(box1, box2)
    (x1, y1), (x2, y2) = (((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (box1, box2))
    return _ratio((x1 - x2) ** 2 + (y1 - y2) ** 2, width**2 + height**2)


def _aspect(box1: Numbers, box2: Numbers) -> Number:
    """v = (4/π²) (difference of the angles atan2(w, h))²; 0 where either box is a point."""
    sides = [(b[2] - b[0], b[3] - b[1]) for b in (box1, box2)]
    if (0, 0) in sides:
        return mp.mpf(0)
    angle1, angle2 = (mp.atan2(width, height) for width, height in sides)
    return 4 / mp.pi**2 * (angle2 - angle1) ** 2


def _overlap(box1: Numbers, box2: Numbers) -> Number:
    """1 - I/U."""
    return 1 - _ratio(*_areas(box1, box2))


def iou(boxes1: Array, boxes2: Array) -> Array:
    """1 - I/U."""
    return _pairs(_overlap, boxes1, boxes2)


def giou(boxes1: Array, boxes2: Array) -> Array:
    """1 - I/U + (C-U)/C."""
    return iou(boxes1, boxes2) + _pairs(_gap, boxes1, boxes2)


def diou(boxes1: Array, boxes2: Array) -> Array:
    """1 - I/U + ρ²/c²."""
    return iou(boxes1, boxes2) + _pairs(_distance, boxes1, boxes2)


def ciou(boxes1: Array, boxes2: Array, alpha: Array | None = None) -> Array:
    """1 - I/U + ρ²/c² + αv; α = v / ((1 - I/U) + v), 0 where v is, unless given."""
    v = _pairs(_aspect, boxes1, boxes2)
    if alpha is None:
        alpha = ciou_alpha(boxes1, boxes2)
    return diou(boxes1, boxes2) + alpha * v


def ciou_alpha(boxes1: Array, boxes2: Array) -> Array:
    """α of each pair."""
    terms = zip(_pairs(_aspect, boxes1, boxes2), iou(boxes1, boxes2), strict=True)
    return np.array([_ratio(v, overlap + v) for v, overlap in terms], dtype=object)
