"""Oracles of documented deviations: bare formulas, each with terms that libraries differ in.

Without these keywords they are the catalogue's own formulas. Complex-safe like those.
"""

from typing import Any

import numpy as np

from oracles.boxes import _angle, _areas, _hull, _sides
from oracles.classification import binary_cross_entropy_items, sigmoid_focal_items
from oracles.numeric import Array, larger, ratio, smaller, softplus
from oracles.overlap import _prepare

# Boxes: ε is added to the union, to the enclosing box's area and to its squared diagonal.


def iou_with_epsilon(boxes1: Array, boxes2: Array, *, eps: float = 0.0) -> Array:
    """1 - I/(U+ε)."""
    intersection, union = _areas(boxes1, boxes2)
    return 1 - ratio(intersection, union + eps, empty=0)


def giou_with_epsilon(boxes1: Array, boxes2: Array, *, eps: float = 0.0) -> Array:
    """1 - I/(U+ε) + (C-U)/(C+ε)."""
    _, union = _areas(boxes1, boxes2)
    enclosing = _hull(boxes1, boxes2).prod(axis=-1)
    outside = ratio(enclosing - union, enclosing + eps, empty=0)
    return iou_with_epsilon(boxes1, boxes2, eps=eps) + outside


def diou_with_epsilon(boxes1: Array, boxes2: Array, *, eps: float = 0.0) -> Array:
    """1 - I/(U+ε) + ρ²/(c²+ε)."""
    apart = boxes1 - boxes2
    offset = (apart[..., :2] + apart[..., 2:]) / 2
    diagonal = (_hull(boxes1, boxes2) ** 2).sum(axis=-1)
    distance = ratio((offset**2).sum(axis=-1), diagonal + eps, empty=0)
    return iou_with_epsilon(boxes1, boxes2, eps=eps) + distance


def ciou_with_epsilon(boxes1: Array, boxes2: Array, *, eps: float = 0.0) -> Array:
    """1 - I/(U+ε) + ρ²/(c²+ε) + αv, α = v / (1 - I/(U+ε) + v + ε), a constant to the gradient."""
    sides1, sides2 = _sides(boxes1), _sides(boxes2)
    both_extend = sides1.real.any(axis=-1) & sides2.real.any(axis=-1)
    aspect = np.where(both_extend, (_angle(sides2) - _angle(sides1)) ** 2, 0)
    iou_loss = iou_with_epsilon(boxes1.real, boxes2.real, eps=eps)
    alpha = ratio(aspect.real, iou_loss + aspect.real + eps, empty=0)
    return diou_with_epsilon(boxes1, boxes2, eps=eps) + alpha * aspect


# Masks: ε below, an intersection of soft masks by their difference, and masks without any target.


def _counted(
    probs: Array,
    target: Array,
    by_difference: bool,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
) -> tuple[Array, Array, Array, Array, Array, tuple[int, ...]]:
    """p, the target, what both have, what is too much and what is missed, and the axes to sum."""
    p, not_p, g, axes = _prepare(probs, target, batch, include_background, activation)
    if not by_difference:
        return p, g, p * g, p * (1 - g), not_p * g, axes
    # beside a full target it is 1-p that is missed, with all its digits
    missed = np.where(g.real == 1, not_p, larger(g - p, np.zeros_like(g - p)))
    return p, g, smaller(p, g), larger(p - g, np.zeros_like(p - g)), missed, axes


def dice_deviating(
    probs: Array,
    target: Array,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    eps: float = 0.0,
    by_difference: bool = False,
    absent_is_zero: bool = False,
    **form: Any,
) -> Array:
    """1 - (2I+s)/(P+G+s+ε); by difference I is Σ min(p, g), else Σ pg."""
    p, g, shared, _, _, axes = _counted(probs, target, by_difference, **form)
    power = 2 if squared else 1
    total = (p**power).sum(axis=axes) + (g**power).sum(axis=axes)
    items = 1 - ratio(2 * shared.sum(axis=axes) + smooth, total + smooth + eps, empty=1)
    return _unless_absent(items, g, axes, absent_is_zero)


def jaccard_deviating(probs: Array, target: Array, **options: Any) -> Array:
    """1 - (I+s)/(U+s+ε), which is the Tversky loss with both weights 1."""
    return tversky_deviating(probs, target, alpha=1.0, beta=1.0, **options)


def tversky_deviating(
    probs: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    eps: float = 0.0,
    by_difference: bool = False,
    absent_is_zero: bool = False,
    **form: Any,
) -> Array:
    """1 - (I+s)/(I + a FP + b FN + s+ε), FP and FN what is too much and what is missed."""
    _, g, *counted, axes = _counted(probs, target, by_difference, **form)
    shared, surplus, missed = (part.sum(axis=axes) for part in counted)
    wrong = alpha * surplus + beta * missed
    items = ratio(wrong + eps, shared + wrong + smooth + eps, empty=0)
    return _unless_absent(items, g, axes, absent_is_zero)


def _unless_absent(items: Array, g: Array, axes: tuple[int, ...], absent_is_zero: bool) -> Array:
    """0 where the target mask is empty, if that is asked for."""
    present = g.real.sum(axis=axes) > 0
    return np.where(present | (not absent_is_zero), items, 0)


# The focal loss of soft targets


def sigmoid_focal_deviating(
    logits: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    two_terms: bool = False,
) -> Array:
    """t α (1-p)^γ (-log p) + (1-t)(1-α) p^γ (-log(1-p)), if it is to have two terms."""
    if not two_terms:
        return sigmoid_focal_items(logits, target, gamma=gamma, alpha=alpha)
    share = logits.real.dtype.type(1 if alpha is None else alpha)
    other = logits.real.dtype.type(1) if alpha is None else 1 - share
    positive = binary_cross_entropy_items(logits, np.ones_like(target))
    negative = binary_cross_entropy_items(logits, np.zeros_like(target))
    right, wrong = np.exp(-gamma * softplus(logits)), np.exp(-gamma * softplus(-logits))
    return share * target * right * positive + other * (1 - target) * wrong * negative
