"""kornia's focal losses.

Left out: its Dice and Tversky losses take labels instead of masks and leave out the classes that a
sample doesn't have, and its Hausdorff loss erodes the masks instead of taking distances.
"""

from kornia import losses
from torch import Tensor

from impls.classification import _check_sigmoid_focal, _check_softmax_focal
from impls.peers import (
    constant,
    items_or_sum,
    of_kept,
    of_sum,
    require_option,
    with_channels,
)


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
    """``focal_loss``, whose weight is alpha here; its items have an axis of classes, with one number in
    each, and its mean counts that axis too."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    require_option(smoothing == 0, "kornia", "smoothing", smoothing)
    result = losses.focal_loss(
        logits,
        target,
        alpha=None,
        gamma=gamma,
        reduction=items_or_sum(reduction),
        weight=constant(alpha),
        ignore_index=ignore_index,
    )
    if reduction == "none":
        return result.sum(1)
    return of_kept(result, target, ignore_index, reduction)


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """``binary_focal_loss_with_logits``, with nothing ignored."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    result = losses.binary_focal_loss_with_logits(
        with_channels(logits),
        with_channels(target.detach()),
        alpha=alpha,
        gamma=gamma,
        reduction=items_or_sum(reduction),
        ignore_index=None,
    )
    result = result.reshape(logits.shape) if reduction == "none" else result
    return of_sum(result, reduction, logits.numel())
