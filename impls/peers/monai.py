"""MONAI's losses. Each is a module that holds its options; one is made for each set of them.

Left out: its Hausdorff loss makes the distance maps itself, its focal Tversky loss is for two classes
and has one weight for both errors, and its perceptual loss comes with its networks.
"""

from functools import lru_cache

from monai import losses
from torch import Tensor

from impls.arguments import reduce_all
from impls.boxes import _check as _check_boxes
from impls.classification import _check_sigmoid_focal, _check_softmax_focal
from impls.compound import _check_masks
from impls.overlap import _check as _check_overlap
from impls.peers import (
    any_ignored,
    constant,
    of_kept,
    of_mean,
    require_elements,
    require_option,
    with_channels,
)

_giou = lru_cache(losses.BoxGIoULoss)
_dice = lru_cache(losses.DiceLoss)
_tversky = lru_cache(losses.TverskyLoss)
_focal = lru_cache(losses.FocalLoss)
_dice_and_cross_entropy = lru_cache(losses.DiceCELoss)


def giou(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """``BoxGIoULoss``."""
    _check_boxes(boxes1, boxes2, reduction)
    return reduce_all(_giou(reduction="none")(boxes1, boxes2), reduction, boxes1)


def _require_options(probs: Tensor, smooth: float, include_background: bool, activation: str) -> None:
    """MONAI asks for a smoothing where masks may be empty; of one channel it keeps the background, and
    takes no softmax."""
    require_option(smooth > 0, "monai", "smooth", smooth)
    several = probs.shape[1] > 1
    require_option(several or include_background, "monai", "include_background", "False of one channel")
    require_option(several or activation != "softmax", "monai", "activation", "softmax of one channel")


def _with_voxels(masks: Tensor) -> Tensor:
    """At least one axis of voxels: without any, MONAI sums over all axes."""
    return masks if masks.ndim > 2 else masks.unsqueeze(2)


def _of_masks(
    loss: losses.DiceLoss | losses.TverskyLoss,
    probs: Tensor,
    target: Tensor,
    batch: bool,
    reduction: str,
) -> Tensor:
    items = loss(_with_voxels(probs), _with_voxels(target.detach()))
    return reduce_all(items.reshape(items.shape[: 1 if batch else 2]), reduction, probs)


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
    """``DiceLoss``, with both of its smoothings ``smooth``."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    _require_options(probs, smooth, include_background, activation)
    loss = _dice(
        include_background=include_background,
        sigmoid=activation == "sigmoid",
        softmax=activation == "softmax",
        squared_pred=squared,
        reduction="none",
        smooth_nr=smooth,
        smooth_dr=smooth,
        batch=batch,
    )
    return _of_masks(loss, probs, target, batch, reduction)


def jaccard(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """``DiceLoss`` with jaccard=True, twice of which stands above and below: so does the smoothing."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    _require_options(probs, smooth, include_background, activation)
    loss = _dice(
        include_background=include_background,
        sigmoid=activation == "sigmoid",
        softmax=activation == "softmax",
        jaccard=True,
        reduction="none",
        smooth_nr=2 * smooth,
        smooth_dr=2 * smooth,
        batch=batch,
    )
    return _of_masks(loss, probs, target, batch, reduction)


def tversky(
    probs: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """``TverskyLoss``, with both of its smoothings ``smooth``."""
    _check_overlap(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    _require_options(probs, smooth, include_background, activation)
    loss = _tversky(
        include_background=include_background,
        sigmoid=activation == "sigmoid",
        softmax=activation == "softmax",
        alpha=alpha,
        beta=beta,
        reduction="none",
        smooth_nr=smooth,
        smooth_dr=smooth,
        batch=batch,
    )
    return _of_masks(loss, probs, target, batch, reduction)


def bce_dice(logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean") -> Tensor:
    """``DiceCELoss`` of one channel, which gives the mean: an item is that of one sample. Of several
    channels, it takes softmax cross entropy."""
    _check_masks(logits, target, smooth, reduction)
    require_option(logits.shape[1] == 1, "monai", "channels", logits.shape[1])
    require_option(smooth > 0, "monai", "smooth", smooth)
    require_elements(logits, "monai")
    loss = _dice_and_cross_entropy(sigmoid=True, smooth_nr=smooth, smooth_dr=smooth)
    masks = _with_voxels(logits), _with_voxels(target.detach())
    return of_mean(loss, masks, logits.shape[:1], reduction, logits)


def softmax_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``FocalLoss`` with use_softmax; its items have an axis of classes, with one number in each, and
    its sum is a mean over the pixels."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    require_option(smoothing == 0, "monai", "smoothing", smoothing)
    require_option(logits.shape[1] > 1, "monai", "classes", logits.shape[1])
    options = {"to_onehot_y": True, "use_softmax": True, "gamma": gamma, "reduction": "none"}
    ignored = ignore_index if any_ignored(target, ignore_index) else None
    if alpha is None:
        loss = _focal(**options, ignore_index=ignored)
    else:  # a tensor is no key
        loss = losses.FocalLoss(**options, ignore_index=ignored, alpha=constant(alpha))
    items = loss(logits, target.unsqueeze(1)).sum(1)
    return of_kept(items if reduction == "none" else items.sum(), target, ignore_index, reduction)


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """``FocalLoss``."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    how = "mean" if reduction == "mean" and logits.numel() else "none"
    loss = _focal(gamma=gamma, alpha=alpha, reduction=how)
    result = loss(with_channels(logits), with_channels(target.detach()))
    return result if how == "mean" else reduce_all(result.reshape(logits.shape), reduction, logits)
