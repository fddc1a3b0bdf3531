"""Oracles of the box losses. Boxes are x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2."""

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    larger,
    ratio,
    reduce,
    require,
    require_finite,
    require_reduction,
    require_same_shape,
    smaller,
)


def _areas(boxes1: Array, boxes2: Array) -> tuple[Array, Array, Array]:
    """Intersection, union and smallest enclosing box of each pair, as areas."""
    low1, high1 = boxes1[..., :2], boxes1[..., 2:]
    low2, high2 = boxes2[..., :2], boxes2[..., 2:]
    overlap = smaller(high1, high2) - larger(low1, low2)
    overlap = np.where(overlap.real > 0, overlap, 0)
    intersection = overlap[..., 0] * overlap[..., 1]
    size1, size2 = high1 - low1, high2 - low2
    union = size1[..., 0] * size1[..., 1] + size2[..., 0] * size2[..., 1] - intersection
    hull = larger(high1, high2) - smaller(low1, low2)
    return intersection, union, hull[..., 0] * hull[..., 1]


def iou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U."""
    intersection, union, _ = _areas(boxes1, boxes2)
    return 1 - ratio(intersection, union, empty=0)


def giou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U + (C-U)/C."""
    intersection, union, enclosing = _areas(boxes1, boxes2)
    iou = ratio(intersection, union, empty=0)
    return 1 - iou + ratio(enclosing - union, enclosing, empty=0)


def giou(boxes1: Array, boxes2: Array, *, reduction: str = "mean") -> Array | np.floating:
    """Generalised IoU loss: 1 - I/U + (C-U)/C in [0, 2], C the smallest enclosing box's area.

    Args:
        boxes1: (M, 4) predicted, as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2.
        boxes2: (M, 4) target, likewise, paired row by row.
        reduction: "none" gives items (M,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Rezatofighi et al., arXiv 1902.09630. 0/0 counts as 0; there is no epsilon.

    >>> giou([[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 2.0, 1.0]])
    np.float64(1.0)
    """
    boxes1, boxes2 = as_floats("boxes1", boxes1), as_floats("boxes2", boxes2)
    require_reduction(reduction)
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        require(boxes.ndim == 2 and boxes.shape[-1] == 4, name, "a shape (M, 4)", boxes.shape)
        require_finite(name, boxes)
        require(boxes[:, :2] <= boxes[:, 2:], name, "x1 ≤ x2 and y1 ≤ y2 in every row")
    require_same_shape("boxes1", boxes1, "boxes2", boxes2)
    return reduce(giou_items(boxes1, boxes2), reduction)
