"""The box losses by columns: formulas of the four coordinates of each side, each a tensor of its own.

A compiled loop takes several boxes at once where each coordinate is a number of its own.
"""

import math

import torch
from torch import Tensor

from impls.arguments import ratio_or_zero

Box = tuple[Tensor, Tensor, Tensor, Tensor]
"""The columns x1, y1, x2, y2 of boxes."""


def _area(box: Box) -> Tensor:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _hull(box1: Box, box2: Box) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest boxes that enclose both."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = box1, box2
    width = torch.maximum(right1, right2) - torch.minimum(left1, left2)
    return width, torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)


def _overlap(box1: Box, box2: Box) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = box1, box2
    width = (torch.minimum(right1, right2) - torch.maximum(left1, left2)).clamp(min=0)
    height = (torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)).clamp(min=0)
    intersection = width * height
    return intersection, _area(box1) + _area(box2) - intersection


def iou(box1: Box, box2: Box) -> Tensor:
    """1 - I/U of each pair."""
    return 1 - ratio_or_zero(*_overlap(box1, box2))


def _apart(box: Box) -> Box:
    """The same columns, whose gradients are summed before any other joins them."""
    first, second, third, fourth = (column.view_as(column) for column in box)
    return first, second, third, fourth


def giou(box1: Box, box2: Box) -> Tensor:
    """1 - I/U + (C-U)/C. The slopes of C and U are as large as 1 over a side, and cancel to the last
    digit where a box holds the other: so they are summed apart."""
    inner1, inner2 = _apart(box1), _apart(box2)
    width, height = _hull(inner1, inner2)
    hull = width * height
    _, union = _overlap(inner1, inner2)
    return iou(box1, box2) + ratio_or_zero(hull - union, hull)


def diou(box1: Box, box2: Box) -> Tensor:
    """1 - I/U + ρ²/c²."""
    left, top, right, bottom = (first - second for first, second in zip(box1, box2, strict=True))
    across, down = (left + right) / 2, (top + bottom) / 2
    width, height = _hull(box1, box2)
    distance = across.square() + down.square()
    return iou(box1, box2) + ratio_or_zero(distance, width.square() + height.square())


def _shape(box: Box) -> tuple[Tensor, Tensor]:
    """Width and height over the longer one; 0 for a point."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    longer = torch.maximum(width, height).detach()
    longer = torch.where(longer == 0, 1, longer)
    return width / longer, height / longer


def ciou(box1: Box, box2: Box) -> Tensor:
    """1 - I/U + ρ²/c² + αv."""
    (width1, height1), (width2, height2) = _shape(box1), _shape(box2)
    cross, dot = width2 * height1 - width1 * height2, width1 * width2 + height1 * height2
    point = (cross == 0) & (dot == 0)
    v = (2 / math.pi * torch.atan2(cross, torch.where(point, 1, dot))).square()
    overlap, constant = iou(box1, box2).detach(), v.detach()
    return diou(box1, box2) + ratio_or_zero(constant, overlap + constant) * v
