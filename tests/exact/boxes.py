"""Overlaps of two boxes, by their definitions."""

import numpy as np

from exact import Array, Number, Numbers, mp, numbers


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
