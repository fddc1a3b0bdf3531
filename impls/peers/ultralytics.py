"""ultralytics' losses of pairs of boxes, and its Dice losses.

Left out: its focal loss gives one number for a whole batch, and its detection losses assign the targets
themselves.
"""

import math
from functools import lru_cache

from torch import Tensor
from ultralytics.utils.loss import BCEDiceLoss, MultiChannelDiceLoss
from ultralytics.utils.metrics import bbox_iou

from impls.arguments import reduce_all
from impls.boxes import _check as _check_boxes
from impls.compound import _check_masks
from impls.overlap import _check as _check_overlap
from impls.peers import of_mean, require_elements, require_option

_bce_dice = lru_cache(BCEDiceLoss)
_dice = lru_cache(MultiChannelDiceLoss)


def _of_boxes(boxes1: Tensor, boxes2: Tensor, reduction: str, **options: bool) -> Tensor:
    """1 minus ``bbox_iou`` of corners."""
    _check_boxes(boxes1, boxes2, reduction)
    similarity = bbox_iou(boxes1, boxes2, xywh=False, **options).squeeze(-1)
    return reduce_all(1 - similarity, reduction, boxes1)


def iou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 minus ``bbox_iou`` with its own eps, 1e-7, as in all four."""
    return _of_boxes(boxes1, boxes2, reduction)


def giou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 minus ``bbox_iou`` with GIoU=True."""
    return _of_boxes(boxes1, boxes2, reduction, GIoU=True)


def diou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 minus ``bbox_iou`` with DIoU=True."""
    return _of_boxes(boxes1, boxes2, reduction, DIoU=True)


def ciou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 minus ``bbox_iou`` with CIoU=True."""
    return _of_boxes(boxes1, boxes2, reduction, CIoU=True)


def dice(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """``MultiChannelDiceLoss``, which averages over channels: each goes in as a sample of its own."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    require_option(not squared, "ultralytics", "squared", squared)
    require_option(not batch, "ultralytics", "batch", batch)
    require_option(activation == "sigmoid", "ultralytics", "activation", activation)
    first = 0 if include_background else 1
    p, g = probs[:, first:], target[:, first:].detach()
    shape = p.shape[:2]
    voxels = math.prod(p.shape[2:])
    masks = (tensor.reshape(shape.numel(), 1, voxels, 1) for tensor in (p, g))
    return reduce_all(_dice(smooth=smooth, reduction="none")(*masks).reshape(shape), reduction, probs)


def bce_dice(logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean") -> Tensor:
    """``BCEDiceLoss`` with both weights 1, which gives the mean: an item is that of one sample."""
    _check_masks(logits, target, smooth, reduction)
    require_option(smooth == 1, "ultralytics", "smooth", smooth)
    require_elements(logits, "ultralytics")
    loss = _bce_dice(weight_bce=1.0, weight_dice=1.0)
    x, g = (t.reshape(*t.shape[:2], -1, 1) for t in (logits, target.detach()))
    return of_mean(loss, (x, g), logits.shape[:1], reduction, logits)
