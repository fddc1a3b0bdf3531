"""torchvision's losses of pairs of boxes, and its focal loss.

Left out: ``box_iou``, which pairs all boxes with all.
"""

from torch import Tensor
from torchvision import ops

from impls.boxes import _check
from impls.classification import _check_sigmoid_focal
from impls.peers import items_or_sum, of_sum


def giou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """``generalized_box_iou_loss`` with its own eps, 1e-7."""
    _check(boxes1, boxes2, reduction)
    return ops.generalized_box_iou_loss(boxes1, boxes2, reduction=reduction)


def diou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """``distance_box_iou_loss`` with its own eps, 1e-7."""
    _check(boxes1, boxes2, reduction)
    return ops.distance_box_iou_loss(boxes1, boxes2, reduction=reduction)


def ciou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """``complete_box_iou_loss`` with its own eps, 1e-7."""
    _check(boxes1, boxes2, reduction)
    return ops.complete_box_iou_loss(boxes1, boxes2, reduction=reduction)


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """``sigmoid_focal_loss``, whose alpha is -1 for none."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    weight = -1.0 if alpha is None else alpha
    how = items_or_sum(reduction)
    result = ops.sigmoid_focal_loss(logits, target.detach(), alpha=weight, gamma=gamma, reduction=how)
    return of_sum(result, reduction, logits.numel())
