"""segmentation-models-pytorch's losses. Each is a module that holds its options; one is made for each
set of them.

Left out: its focal Tversky loss takes the power of the mean, and its focal loss of classes is one of
sigmoids, one class against the others.
"""

import math
from functools import lru_cache
from typing import Any

from segmentation_models_pytorch import losses
from torch import Tensor

from impls.classification import _check_binary, _check_cross_entropy, _check_sigmoid_focal
from impls.overlap import _check as _check_overlap
from impls.peers import items_or_sum, of_kept, of_mean, of_sum, require_elements, require_option

LIBRARY = "segmentation_models_pytorch"

_cross_entropy = lru_cache(losses.SoftCrossEntropyLoss)
_binary = lru_cache(losses.SoftBCEWithLogitsLoss)
_focal = lru_cache(losses.FocalLoss)
_dice = lru_cache(losses.DiceLoss)
_jaccard = lru_cache(losses.JaccardLoss)
_tversky = lru_cache(losses.TverskyLoss)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``SoftCrossEntropyLoss``, whose mean counts ignored items: the sum is divided here."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    require_option(weight is None, LIBRARY, "weight", "a tensor")
    how = items_or_sum(reduction)
    loss = _cross_entropy(reduction=how, smooth_factor=label_smoothing, ignore_index=ignore_index)
    result = loss(logits, target)
    result = result.squeeze(1) if reduction == "none" else result
    return of_kept(result, target, ignore_index, reduction)


def binary_cross_entropy(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """``SoftBCEWithLogitsLoss``, nothing ignored; pos_weight becomes a tensor, and 1 none at all."""
    _check_binary(logits, target, pos_weight, reduction)
    how = items_or_sum(reduction)
    if pos_weight == 1:
        loss = _binary(ignore_index=None, reduction=how)
    else:  # a tensor is no key
        weight = logits.new_tensor(pos_weight)
        loss = losses.SoftBCEWithLogitsLoss(ignore_index=None, reduction=how, pos_weight=weight)
    return of_sum(loss(logits, target.detach()), reduction, logits.numel())


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """``FocalLoss`` in its binary mode, which folds all axes into one."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    how = items_or_sum(reduction)
    result = _focal("binary", alpha=alpha, gamma=gamma, reduction=how)(logits, target.detach())
    result = result.reshape(logits.shape) if reduction == "none" else result
    return of_sum(result, reduction, logits.numel())


def _of_masks(
    make: Any,
    probs: Tensor,
    target: Tensor,
    batch: bool,
    include_background: bool,
    activation: str,
    reduction: str,
    **options: float,
) -> Tensor:
    """A loss of masks (N, C, *) in the multilabel mode, which sums over the batch: samples that are not
    to be merged go in as channels. Its mean is over channels; an item is the loss of one channel alone.
    """
    require_option(activation != "softmax", LIBRARY, "activation", "softmax of masks")
    require_option(options["smooth"] > 0, LIBRARY, "smooth", options["smooth"])
    loss = make("multilabel", from_logits=activation == "sigmoid", eps=0.0, **options)
    first = 0 if include_background else 1
    p, g = probs[:, first:], target[:, first:].detach()
    require_elements(p, LIBRARY)
    shape = p.shape[1:2] if batch else p.shape[:2]
    if not batch:
        voxels = math.prod(p.shape[2:])
        p, g = (tensor.reshape(1, shape.numel(), voxels) for tensor in (p, g))
    return of_mean(loss, (p, g), shape, reduction, probs, axis=1)


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
    """``DiceLoss`` with eps = 0, whose smoothing counts twice."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    require_option(not squared, LIBRARY, "squared", squared)
    form = (batch, include_background, activation, reduction)
    return _of_masks(_dice, probs, target, *form, smooth=smooth / 2)


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
    """``JaccardLoss`` with eps = 0."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    form = (batch, include_background, activation, reduction)
    return _of_masks(_jaccard, probs, target, *form, smooth=smooth)


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
    """``TverskyLoss`` with eps = 0."""
    _check_overlap(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    form = (batch, include_background, activation, reduction)
    return _of_masks(_tversky, probs, target, *form, smooth=smooth, alpha=alpha, beta=beta)
