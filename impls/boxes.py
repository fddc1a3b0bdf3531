"""Variants of the box losses. Boxes are x1, y1, x2, y2."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impls import box_columns
from impls.arguments import (
    collect,
    divisor_of,
    ratio_or_zero,
    reduce,
    require,
    require_floats,
    require_reduction,
    require_shape,
    wide,
)
from impls.closed_form import is_one
from impls.compiled import Compiled, graph_input, number

Items = Callable[[Tensor, Tensor], Tensor]
"""What gives the items of boxes (M, 4), or the one of a pair (4,)."""


def _check(boxes1: Tensor, boxes2: Tensor, reduction: str) -> None:
    require_floats(boxes1=boxes1, boxes2=boxes2)
    is_list = boxes1.ndim == 2 and boxes1.shape[1] == 4
    require(is_list, "boxes1", "shape (M, 4)", tuple(boxes1.shape))
    require_shape("boxes2", boxes2, boxes1.shape)
    require_reduction(reduction)


# One pair at a time


def _one_ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, with 0/0 = 0."""
    return part / whole if whole > 0 else 0 * whole


def _one_overlap(box1: Tensor, box2: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union of two boxes (4,)."""
    left1, top1, right1, bottom1 = box1
    left2, top2, right2, bottom2 = box2
    width = torch.minimum(right1, right2) - torch.maximum(left1, left2)
    height = torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)
    intersection = width.clamp(min=0) * height.clamp(min=0)
    area1 = (right1 - left1) * (bottom1 - top1)
    area2 = (right2 - left2) * (bottom2 - top2)
    return intersection, area1 + area2 - intersection


def _one_hull(box1: Tensor, box2: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest box that encloses both."""
    left1, top1, right1, bottom1 = box1
    left2, top2, right2, bottom2 = box2
    width = torch.maximum(right1, right2) - torch.minimum(left1, left2)
    height = torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)
    return width, height


def _one_iou(box1: Tensor, box2: Tensor) -> Tensor:
    """1 - I/U."""
    intersection, union = _one_overlap(box1, box2)
    return 1 - _one_ratio(intersection, union)


def _one_giou(box1: Tensor, box2: Tensor) -> Tensor:
    """1 - I/U + (C-U)/C."""
    _, union = _one_overlap(box1, box2)
    width, height = _one_hull(box1, box2)
    hull = width * height
    return _one_iou(box1, box2) + _one_ratio(hull - union, hull)


def _one_diou(box1: Tensor, box2: Tensor) -> Tensor:
    """1 - I/U + ρ²/c²."""
    left1, top1, right1, bottom1 = box1
    left2, top2, right2, bottom2 = box2
    width, height = _one_hull(box1, box2)
    distance_x = (left1 + right1) / 2 - (left2 + right2) / 2
    distance_y = (top1 + bottom1) / 2 - (top2 + bottom2) / 2
    return _one_iou(box1, box2) + _one_ratio(distance_x**2 + distance_y**2, width**2 + height**2)


def _one_angle(box: Tensor) -> Tensor:
    """atan2(width, height) of a box that is no point; scaled, so that no square underflows."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    longer = torch.maximum(width, height).detach()
    return torch.atan2(width / longer, height / longer)


def _one_ciou(box1: Tensor, box2: Tensor) -> Tensor:
    """1 - I/U + ρ²/c² + αv, with v = 0 where either box is a point."""
    if (box1[:2] == box1[2:]).all() or (box2[:2] == box2[2:]).all():
        return _one_diou(box1, box2)
    v = 4 / math.pi**2 * (_one_angle(box2) - _one_angle(box1)) ** 2
    with torch.no_grad():
        alpha = _one_ratio(v, _one_iou(box1, box2) + v)
    return _one_diou(box1, box2) + alpha * v


def _one_by_one(item: Items, boxes1: Tensor, boxes2: Tensor, reduction: str) -> Tensor:
    _check(boxes1, boxes2, reduction)
    pairs = zip(wide(boxes1), wide(boxes2), strict=True)
    items = [item(box1, box2) for box1, box2 in pairs]
    losses = collect(items, boxes1.shape[:1], boxes1, boxes2)
    return reduce(losses, divisor_of(reduction, len(items)), boxes1.dtype)


def iou_naive(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U, one pair of boxes at a time."""
    return _one_by_one(_one_iou, boxes1, boxes2, reduction)


def giou_naive(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C, one pair of boxes at a time."""
    return _one_by_one(_one_giou, boxes1, boxes2, reduction)


def diou_naive(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c², one pair of boxes at a time."""
    return _one_by_one(_one_diou, boxes1, boxes2, reduction)


def ciou_naive(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c² + αv, one pair of boxes at a time."""
    return _one_by_one(_one_ciou, boxes1, boxes2, reduction)


# All pairs at once


def _area(sides: Tensor) -> Tensor:
    return sides[:, 0] * sides[:, 1]


def _squared_length(sides: Tensor) -> Tensor:
    return sides[:, 0].square() + sides[:, 1].square()


def _sides(boxes: Tensor) -> Tensor:
    """Width and height (M, 2)."""
    return boxes[:, 2:] - boxes[:, :2]


def _hull(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Width and height of the smallest boxes that enclose both."""
    return torch.maximum(boxes1[:, 2:], boxes2[:, 2:]) - torch.minimum(boxes1[:, :2], boxes2[:, :2])


def _overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union."""
    overlap = torch.minimum(boxes1[:, 2:], boxes2[:, 2:]) - torch.maximum(boxes1[:, :2], boxes2[:, :2])
    intersection = _area(overlap.clamp(min=0))
    return intersection, _area(_sides(boxes1)) + _area(_sides(boxes2)) - intersection


def _iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Items of boxes that are wide already; so below."""
    return 1 - ratio_or_zero(*_overlap(boxes1, boxes2))


def _giou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return _iou(boxes1, boxes2) + _empty_share(boxes1.view_as(boxes1), boxes2.view_as(boxes2))


def _empty_share(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """(C-U)/C. Its arguments' gradients are summed before any other joins them: the slopes of C and U
    are as large as 1 over a side, and cancel to the last digit where a box holds the other."""
    _, union = _overlap(boxes1, boxes2)
    hull = _area(_hull(boxes1, boxes2))
    return ratio_or_zero(hull - union, hull)


def _diou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    apart = boxes1 - boxes2  # before the halves are added: far from 0 that would cost digits
    offset = (apart[:, :2] + apart[:, 2:]) / 2
    distance = ratio_or_zero(_squared_length(offset), _squared_length(_hull(boxes1, boxes2)))
    return _iou(boxes1, boxes2) + distance


def _shape(boxes: Tensor) -> Tensor:
    """Width and height over the longer one, so that no square underflows; 0 for a point."""
    sides = _sides(boxes)
    longer = torch.maximum(sides[:, :1], sides[:, 1:]).detach()
    return sides / torch.where(longer == 0, 1, longer)


def _aspect(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """(4/π²) (difference of the angles)²: one angle, from the cross and the dot product of sides."""
    shape1, shape2 = _shape(boxes1), _shape(boxes2)
    cross = shape2[:, 0] * shape1[:, 1] - shape1[:, 0] * shape2[:, 1]
    dot = shape1[:, 0] * shape2[:, 0] + shape1[:, 1] * shape2[:, 1]
    point = (cross == 0) & (dot == 0)
    angle = torch.atan2(cross, torch.where(point, 1, dot))
    return (2 / math.pi * angle).square()


def _ciou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    v = _aspect(boxes1, boxes2)
    overlap, constant = _iou(boxes1, boxes2).detach(), v.detach()
    return _diou(boxes1, boxes2) + ratio_or_zero(constant, overlap + constant) * v


def _at_once(items: Items, boxes1: Tensor, boxes2: Tensor, reduction: str) -> Tensor:
    _check(boxes1, boxes2, reduction)
    losses = items(wide(boxes1), wide(boxes2))
    return reduce(losses, divisor_of(reduction, len(boxes1)), boxes1.dtype)


def iou_vectorized(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U on all pairs at once."""
    return _at_once(_iou, boxes1, boxes2, reduction)


def giou_vectorized(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C on all pairs at once."""
    return _at_once(_giou, boxes1, boxes2, reduction)


def diou_vectorized(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c² on all pairs at once."""
    return _at_once(_diou, boxes1, boxes2, reduction)


def ciou_vectorized(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c² + αv on all pairs at once."""
    return _at_once(_ciou, boxes1, boxes2, reduction)


# Compiled: two dtypes (half types come widened), gradient to both, to the first, to none

_compiled_iou = Compiled(_iou, graphs=8)
_compiled_giou = Compiled(_giou, graphs=8)
_compiled_diou = Compiled(_diou, graphs=8)
_compiled_ciou = Compiled(_ciou, graphs=8)


def _fused(compiled: Compiled, boxes1: Tensor, boxes2: Tensor, reduction: str) -> Tensor:
    """The items compiled; fewer than two pairs are not worth a graph."""

    def items(boxes1: Tensor, boxes2: Tensor) -> Tensor:
        items: Tensor = compiled(graph_input(boxes1), graph_input(boxes2))
        return items

    return _at_once(items if len(boxes1) > 1 else compiled.function, boxes1, boxes2, reduction)


def iou_fused(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U, the items compiled."""
    return _fused(_compiled_iou, boxes1, boxes2, reduction)


def giou_fused(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C, the items compiled."""
    return _fused(_compiled_giou, boxes1, boxes2, reduction)


def diou_fused(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c², the items compiled."""
    return _fused(_compiled_diou, boxes1, boxes2, reduction)


def ciou_fused(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c² + αv, the items compiled."""
    return _fused(_compiled_ciou, boxes1, boxes2, reduction)


# Closed form: the items and the slopes of all coordinates in one compiled loop, by columns

ByColumns = Callable[[box_columns.Box, box_columns.Box], Tensor]
ItemsAndGradients = tuple[Tensor, tuple[Tensor, ...]]


def _columns(boxes: Tensor) -> box_columns.Box:
    left, top, right, bottom = wide(boxes).unbind(-1)
    return left, top, right, bottom


def _items(items: ByColumns, boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return items(_columns(boxes1), _columns(boxes2))


def _items_and_gradients(
    items: ByColumns, both: bool, divisor: Tensor, boxes1: Tensor, boxes2: Tensor
) -> ItemsAndGradients:
    """The items, and the gradients to the first boxes, or to both, of the items over the divisor.
    Autograd works inside the graph, so that nothing is kept."""
    columns = (*_columns(boxes1), *_columns(boxes2))
    moved = 8 if both else 4

    def losses_of(*some: Tensor) -> Tensor:
        left1, top1, right1, bottom1, left2, top2, right2, bottom2 = (*some, *columns[moved:])
        return items((left1, top1, right1, bottom1), (left2, top2, right2, bottom2))

    losses: Tensor
    losses, pull = torch.func.vjp(losses_of, *columns[:moved])  # type: ignore[misc]  # without has_aux
    slopes = pull(torch.ones_like(losses) / divisor)
    return losses, tuple(torch.stack(slopes[first : first + 4], -1) for first in range(0, moved, 4))


def _compiled(function: Callable[..., Any]) -> Compiled:
    """Four dtypes, with and without gradients or to one and to both.

    Left to itself, Inductor sees that columns of (M, 4) are not contiguous and takes one pair after the
    other; told to take several at once, it gathers them, which is five times as fast.
    """
    return Compiled(function, graphs=8, options={"cpp.enable_tiling_heuristics": False})


@dataclass(frozen=True)
class ClosedPairs:
    """A loss of pairs: its items as autograd knows them, for derivatives of the gradient, and by
    columns, compiled."""

    items: Items
    by_columns: Compiled
    items_and_gradients: Compiled

    def __call__(self, boxes1: Tensor, boxes2: Tensor, reduction: str) -> Tensor:
        _check(boxes1, boxes2, reduction)
        if len(boxes1) < 2:
            return _at_once(self.items, boxes1, boxes2, reduction)
        divisor = divisor_of(reduction, len(boxes1))
        if torch.is_grad_enabled() and (boxes1.requires_grad or boxes2.requires_grad):
            result: Tensor = _InOnePass.apply(self, boxes1, boxes2, divisor)
            return result
        items = self.by_columns(graph_input(boxes1.detach()), graph_input(boxes2.detach()))
        return reduce(items, divisor, boxes1.dtype)


class _InOnePass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, form: ClosedPairs, boxes1: Tensor, boxes2: Tensor, divisor: float | None
    ) -> Tensor:
        both: bool = ctx.needs_input_grad[2]
        scale = number(1.0 if divisor is None else divisor)
        items, gradients = form.items_and_gradients(
            both, scale, graph_input(boxes1.detach()), graph_input(boxes2.detach())
        )
        ctx.save_for_backward(boxes1, boxes2, *gradients)
        ctx.form, ctx.divisor = form, divisor
        return reduce(items, divisor, boxes1.dtype)

    @staticmethod
    def backward(ctx: Any, flow: Tensor) -> tuple[Tensor | None, ...]:
        boxes1, boxes2, *gradients = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be derived again
            pair = [boxes1, boxes2][: len(gradients)]
            items = ctx.form.items(wide(boxes1), wide(boxes2))
            value = reduce(items, ctx.divisor, boxes1.dtype)
            gradients = list(torch.autograd.grad(value, pair, flow, create_graph=True))
        elif not is_one(flow):
            gradients = [gradient * flow.unsqueeze(-1) for gradient in gradients]
        first, second = (*(gradient.to(boxes1.dtype) for gradient in gradients), None)[:2]
        return None, first, second, None


# Functions of their own for each loss, since torch counts graphs by a function's code


def _iou_by_columns(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return _items(box_columns.iou, boxes1, boxes2)


def _iou_and_gradients(both: bool, divisor: Tensor, boxes1: Tensor, boxes2: Tensor) -> ItemsAndGradients:
    return _items_and_gradients(box_columns.iou, both, divisor, boxes1, boxes2)


_closed_iou = ClosedPairs(_iou, _compiled(_iou_by_columns), _compiled(_iou_and_gradients))


def iou_closed_form(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U, items and slopes in one compiled pass by columns."""
    return _closed_iou(boxes1, boxes2, reduction)


def _giou_by_columns(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return _items(box_columns.giou, boxes1, boxes2)


def _giou_and_gradients(
    both: bool, divisor: Tensor, boxes1: Tensor, boxes2: Tensor
) -> ItemsAndGradients:
    return _items_and_gradients(box_columns.giou, both, divisor, boxes1, boxes2)


_closed_giou = ClosedPairs(_giou, _compiled(_giou_by_columns), _compiled(_giou_and_gradients))


def giou_closed_form(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + (C-U)/C, items and slopes in one compiled pass by columns."""
    return _closed_giou(boxes1, boxes2, reduction)


def _diou_by_columns(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return _items(box_columns.diou, boxes1, boxes2)


def _diou_and_gradients(
    both: bool, divisor: Tensor, boxes1: Tensor, boxes2: Tensor
) -> ItemsAndGradients:
    return _items_and_gradients(box_columns.diou, both, divisor, boxes1, boxes2)


_closed_diou = ClosedPairs(_diou, _compiled(_diou_by_columns), _compiled(_diou_and_gradients))


def diou_closed_form(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c², items and slopes in one compiled pass by columns."""
    return _closed_diou(boxes1, boxes2, reduction)


def _ciou_by_columns(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return _items(box_columns.ciou, boxes1, boxes2)


def _ciou_and_gradients(
    both: bool, divisor: Tensor, boxes1: Tensor, boxes2: Tensor
) -> ItemsAndGradients:
    return _items_and_gradients(box_columns.ciou, both, divisor, boxes1, boxes2)


_closed_ciou = ClosedPairs(_ciou, _compiled(_ciou_by_columns), _compiled(_ciou_and_gradients))


def ciou_closed_form(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - I/U + ρ²/c² + αv, items and slopes in one compiled pass by columns."""
    return _closed_ciou(boxes1, boxes2, reduction)
