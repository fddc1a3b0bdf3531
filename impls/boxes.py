"""Variants of the box losses. Boxes are x1, y1, x2, y2."""

import torch
from torch import Tensor

from impls.arguments import (
    collect,
    divisor_of,
    reduce,
    require,
    require_floats,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input


def _check(boxes1: Tensor, boxes2: Tensor, reduction: str) -> None:
    require_floats(boxes1=boxes1, boxes2=boxes2)
    is_list = boxes1.ndim == 2 and boxes1.shape[1] == 4
    require(is_list, "boxes1", "shape (M, 4)", tuple(boxes1.shape))
    require_shape("boxes2", boxes2, boxes1.shape)
    require_reduction(reduction)


def _one_giou(box1: Tensor, box2: Tensor) -> Tensor:
    """1 - I/U + (C-U)/C of two boxes (4,), with 0/0 = 0."""
    left1, top1, right1, bottom1 = box1
    left2, top2, right2, bottom2 = box2
    overlap_width = torch.minimum(right1, right2) - torch.maximum(left1, left2)
    overlap_height = torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)
    intersection = overlap_width.clamp(min=0) * overlap_height.clamp(min=0)
    area1 = (right1 - left1) * (bottom1 - top1)
    area2 = (right2 - left2) * (bottom2 - top2)
    union = area1 + area2 - intersection
    hull_width = torch.maximum(right1, right2) - torch.minimum(left1, left2)
    hull_height = torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)
    hull = hull_width * hull_height
    loss = 1 - (intersection / union if union > 0 else 0 * union)
    return loss + ((hull - union) / hull if hull > 0 else 0 * hull)


def giou_naive(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C, one pair of boxes at a time."""
    _check(boxes1, boxes2, reduction)
    pairs = zip(wide(boxes1), wide(boxes2), strict=True)
    items = [_one_giou(box1, box2) for box1, box2 in pairs]
    losses = collect(items, boxes1.shape[:1], boxes1, boxes2)
    return reduce(losses, divisor_of(reduction, len(items)), boxes1.dtype)


def _area(sides: Tensor) -> Tensor:
    return sides[:, 0] * sides[:, 1]


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole; 0 with no gradient where whole is 0."""
    empty = whole == 0
    return torch.where(empty, 0, part / torch.where(empty, 1, whole))


def _giou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Items, unrounded."""
    boxes1, boxes2 = wide(boxes1), wide(boxes2)
    low1, high1 = boxes1[:, :2], boxes1[:, 2:]
    low2, high2 = boxes2[:, :2], boxes2[:, 2:]
    intersection = _area((torch.minimum(high1, high2) - torch.maximum(low1, low2)).clamp(min=0))
    union = _area(high1 - low1) + _area(high2 - low2) - intersection
    hull = _area(torch.maximum(high1, high2) - torch.minimum(low1, low2))
    return 1 - _ratio(intersection, union) + _ratio(hull - union, hull)


def giou_vectorized(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C on all pairs at once."""
    _check(boxes1, boxes2, reduction)
    return reduce(_giou(boxes1, boxes2), divisor_of(reduction, len(boxes1)), boxes1.dtype)


_compiled_giou = Compiled(_giou, graphs=16)


def giou_fused(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """The items compiled; fewer than two pairs are not worth a graph."""
    _check(boxes1, boxes2, reduction)
    fused = len(boxes1) > 1
    items = _compiled_giou(graph_input(boxes1), graph_input(boxes2)) if fused else _giou(boxes1, boxes2)
    return reduce(items, divisor_of(reduction, len(boxes1)), boxes1.dtype)
