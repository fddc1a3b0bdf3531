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


def _sides(boxes: Array) -> Array:
    """Width and height (..., 2)."""
    return boxes[..., 2:] - boxes[..., :2]


def _hull(boxes1: Array, boxes2: Array) -> Array:
    """Width and height of the smallest box that encloses both."""
    return larger(boxes1[..., 2:], boxes2[..., 2:]) - smaller(boxes1[..., :2], boxes2[..., :2])


def _areas(boxes1: Array, boxes2: Array) -> tuple[Array, Array]:
    """Intersection and union of each pair."""
    overlap = smaller(boxes1[..., 2:], boxes2[..., 2:]) - larger(boxes1[..., :2], boxes2[..., :2])
    intersection = np.where(overlap.real > 0, overlap, 0).prod(axis=-1)
    return intersection, _sides(boxes1).prod(axis=-1) + _sides(boxes2).prod(axis=-1) - intersection


def _angle(sides: Array) -> Array:
    """atan2(width, height) over a right angle: in [0, 1], and 0 for a point.

    A complex step of 1e-100 carries the slope. Divided by the longer side first, so that no square
    underflows.
    """
    longer = np.max(sides.real, axis=-1, keepdims=True, initial=0)
    width, height = np.moveaxis(sides / np.where(longer == 0, 1, longer), -1, 0)
    angle = np.arctan2(width.real, height.real)
    if np.iscomplexobj(sides):
        turn = height.real * width.imag - width.real * height.imag
        angle = angle + 1j * ratio(turn, width.real**2 + height.real**2, empty=0)
    right_angle = np.arctan2(sides.real.dtype.type(1), 0)  # π/2, as precise as the sides
    return angle / right_angle


def iou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U."""
    intersection, union = _areas(boxes1, boxes2)
    return 1 - ratio(intersection, union, empty=0)


def giou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U + (C-U)/C."""
    _, union = _areas(boxes1, boxes2)
    enclosing = _hull(boxes1, boxes2).prod(axis=-1)
    return iou_items(boxes1, boxes2) + ratio(enclosing - union, enclosing, empty=0)


def diou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U + ρ²/c²."""
    apart = boxes1 - boxes2  # before the centres are taken: exact where the boxes are far from 0
    offset = (apart[..., :2] + apart[..., 2:]) / 2
    diagonal = (_hull(boxes1, boxes2) ** 2).sum(axis=-1)
    return iou_items(boxes1, boxes2) + ratio((offset**2).sum(axis=-1), diagonal, empty=0)


def ciou_items(boxes1: Array, boxes2: Array) -> Array:
    """Items (..., M) of boxes (..., M, 4): 1 - I/U + ρ²/c² + αv, without a slope of α."""
    sides1, sides2 = _sides(boxes1), _sides(boxes2)
    both_extend = sides1.real.any(axis=-1) & sides2.real.any(axis=-1)
    aspect = np.where(both_extend, (_angle(sides2) - _angle(sides1)) ** 2, 0)
    iou_loss = iou_items(boxes1.real, boxes2.real)
    alpha = ratio(aspect.real, iou_loss + aspect.real, empty=0)
    return diou_items(boxes1, boxes2) + alpha * aspect


def _pairs(boxes1: Array, boxes2: Array, reduction: str) -> tuple[Array, Array]:
    """Both as arrays, their domain checked."""
    boxes1, boxes2 = as_floats("boxes1", boxes1), as_floats("boxes2", boxes2)
    require_reduction(reduction)
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        require(boxes.ndim == 2 and boxes.shape[-1] == 4, name, "a shape (M, 4)", boxes.shape)
        require_finite(name, boxes)
        require(boxes[:, :2] <= boxes[:, 2:], name, "x1 ≤ x2 and y1 ≤ y2 in every row")
    require_same_shape("boxes1", boxes1, "boxes2", boxes2)
    return boxes1, boxes2


def iou(boxes1: Array, boxes2: Array, *, reduction: str = "mean") -> Array | np.floating:
    """IoU loss: 1 - I/U in [0, 1], of intersection and union.

    Args:
        boxes1: (M, 4) predicted, as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2.
        boxes2: (M, 4) target, likewise, paired row by row.
        reduction: "none" gives items (M,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Jaccard 1912. 0/0 counts as 0; there is no epsilon.

    >>> iou([[0.0, 0.0, 2.0, 1.0]], [[1.0, 0.0, 2.0, 1.0]])
    np.float64(0.5)
    """
    return reduce(iou_items(*_pairs(boxes1, boxes2, reduction)), reduction)


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
    return reduce(giou_items(*_pairs(boxes1, boxes2, reduction)), reduction)


def diou(boxes1: Array, boxes2: Array, *, reduction: str = "mean") -> Array | np.floating:
    """Distance IoU loss: 1 - I/U + ρ²/c² in [0, 2].

    ρ is the distance of the centres, c the diagonal of the smallest enclosing box.

    Args:
        boxes1: (M, 4) predicted, as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2.
        boxes2: (M, 4) target, likewise, paired row by row.
        reduction: "none" gives items (M,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Zheng et al., arXiv 1911.08287. 0/0 counts as 0; there is no epsilon.

    >>> diou([[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 2.0, 1.0]])
    np.float64(1.2)
    """
    return reduce(diou_items(*_pairs(boxes1, boxes2, reduction)), reduction)


def ciou(boxes1: Array, boxes2: Array, *, reduction: str = "mean") -> Array | np.floating:
    """Complete IoU loss: 1 - I/U + ρ²/c² + αv in [0, 2.5].

    v = (4/π²) (atan2(w₂, h₂) - atan2(w₁, h₁))², and 0 where either box is a point;
    α = v / ((1 - I/U) + v), and 0 where v is. α is a constant to the gradient.

    Args:
        boxes1: (M, 4) predicted, as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2.
        boxes2: (M, 4) target, likewise, paired row by row.
        reduction: "none" gives items (M,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Zheng et al., arXiv 1911.08287. 0/0 counts as 0; there is no epsilon.

    >>> ciou([[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 2.0, 1.0]])
    np.float64(1.2)
    """
    return reduce(ciou_items(*_pairs(boxes1, boxes2, reduction)), reduction)
