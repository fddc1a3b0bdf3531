"""ArcFace's gradient written down: one matrix of cosines becomes the softmax and then its own gradient.

No rows of the weight are copied at length 1: their lengths divide the columns of the matrix. Three
matrix products are left, one for the cosines and one for each gradient; what the margin adds has one
number and one vector an item.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from impls.arguments import ratio_or_zero
from impls.softmax_rows import softmax_in_place

CHUNK = 512
"""Rows that are put at right angles at once, so that they stay in the cache."""

Formula = Callable[[Tensor, Tensor], Tensor]
"""Features and weight to the items, by operations that autograd knows."""


class Margin(NamedTuple):
    """The scale of the logits, and of the margin cos m, sin m and m sin m."""

    scale: float
    cosine: float
    sine: float
    drop: float


def margin_softmax(
    features: Tensor, label: Tensor, weight: Tensor, margin: Margin, formula: Formula
) -> Tensor:
    """The items of wide rows. The formula gives derivatives of the gradient, and the items where a
    row is zero or too far from length 1 for its square."""
    inverses = _inverse_lengths(features), _inverse_lengths(weight)
    limit = torch.finfo(features.dtype).tiny ** -0.25
    if not all(((inverse > 1 / limit) & (inverse < limit)).all() for inverse in inverses):
        return formula(features, weight)
    if torch.is_grad_enabled() and (features.requires_grad or weight.requires_grad):
        items: Tensor = _MarginSoftmax.apply(features, label, weight, *inverses, margin, formula)
        return items
    return _evaluated(features, label, weight, *inverses, margin)[0]


def _inverse_lengths(rows: Tensor) -> Tensor:
    return 1 / torch.linalg.vector_norm(rows.detach(), dim=1)


def _evaluated(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    feature_inverse: Tensor,
    weight_inverse: Tensor,
    margin: Margin,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The items, the features at length 1, and three parts of the gradient.

    The parts are s p_j / |w_j|, the slope along f/|f| · w_j, with 0 at the label; the slope along
    cos θ_y; and how w_y/|w_y| stands apart from f/|f|, or from its opposite where that is nearer.
    """
    unit = features * feature_inverse.unsqueeze(1)
    own = weight[label] * weight_inverse[label].unsqueeze(1)
    logits = _product(unit, weight.T).mul_(weight_inverse * margin.scale)
    index = label.unsqueeze(1)
    cosine = logits.gather(1, index).squeeze(1) / margin.scale
    before, after = own - unit, own + unit
    sine = torch.linalg.vector_norm(before, dim=1) * torch.linalg.vector_norm(after, dim=1) / 2
    near = cosine >= -margin.cosine
    shifted = torch.where(near, cosine * margin.cosine - sine * margin.sine, cosine - margin.drop)
    logits.scatter_(1, index, margin.scale * shifted.unsqueeze(1))
    log_p = softmax_in_place(logits, index)
    slopes = logits.scatter_(1, index, 0).mul_(weight_inverse * margin.scale)
    bend = torch.where(near, margin.cosine + ratio_or_zero(cosine, sine) * margin.sine, 1)
    apart = torch.where(cosine.unsqueeze(1) > 0, before, after)
    return -log_p, unit, slopes, margin.scale * torch.expm1(log_p) * bend, apart


class _MarginSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        label: Tensor,
        weight: Tensor,
        feature_inverse: Tensor,
        weight_inverse: Tensor,
        margin: Margin,
        formula: Formula,
    ) -> Tensor:
        rows = features, label, weight, feature_inverse, weight_inverse
        items, *parts = _evaluated(*rows, margin)
        ctx.save_for_backward(*rows, *parts)
        ctx.formula = formula
        return items

    @staticmethod
    def backward(ctx: Any, flow: Tensor) -> tuple[Tensor | None, ...]:
        features, label, weight, feature_inverse, weight_inverse, *parts = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
        if torch.is_grad_enabled():  # the gradient is to be derived again
            asked = [rows for rows, want in zip((features, weight), wanted, strict=True) if want]
            found = iter(
                torch.autograd.grad(ctx.formula(features, weight), asked, flow, create_graph=True)
            )
            of_features, of_weight = (next(found) if want else None for want in wanted)
            return of_features, None, of_weight, None, None, None, None
        unit, slopes, rise, apart = parts
        of_features = of_weight = None
        rise = (rise * flow).unsqueeze(1)
        if wanted[0]:
            of_features = _product(slopes, weight).mul_(flow.unsqueeze(1)).addcmul_(rise, apart)
            _put_at_right_angles(of_features, unit, torch.ones_like(feature_inverse))
            of_features.mul_(feature_inverse.unsqueeze(1))
        if wanted[1]:
            of_weight = _product(slopes.T, unit * flow.unsqueeze(1))
            nearer = torch.where((unit * apart).sum(1, keepdim=True) > 0, rise, -rise)
            own = apart * (nearer * weight_inverse[label].unsqueeze(1))
            of_weight.index_add_(0, label, own)
            _put_at_right_angles(of_weight, weight, weight_inverse)
        return of_features, None, of_weight, None, None, None, None


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right in their own dtype."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def _put_at_right_angles(moves: Tensor, rows: Tensor, inverse: Tensor) -> None:
    """Take from each move what is along its row, whose length is 1 / inverse."""
    for start in range(0, len(rows), CHUNK):
        move, row, over = (tensor[start : start + CHUNK] for tensor in (moves, rows, inverse))
        along = (move * row).sum(1) * over.square()
        move.addcmul_(row, along.unsqueeze(1), value=-1)
