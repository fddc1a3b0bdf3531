"""torch's own losses, called as they are; the ``native`` variants repair what they do at the edges."""

import torch.nn.functional as F
from torch import Tensor

from impls.classification import _check_binary, _check_cross_entropy, _check_pair
from impls.peers import constant, items_or_sum, of_sum
from impls.regression import _check as _check_mse


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``cross_entropy``, its own reductions included."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    return F.cross_entropy(
        logits,
        target,
        constant(weight),
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def binary_cross_entropy(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """``binary_cross_entropy_with_logits``; pos_weight becomes a tensor, and 1 none at all."""
    _check_binary(logits, target, pos_weight, reduction)
    result = F.binary_cross_entropy_with_logits(
        logits,
        target.detach(),
        pos_weight=None if pos_weight == 1 else logits.new_tensor(pos_weight),
        reduction=items_or_sum(reduction),
    )
    return of_sum(result, reduction, logits.numel())


def log_loss(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``binary_cross_entropy``."""
    _check_pair("probs", probs, target, reduction)
    result = F.binary_cross_entropy(probs, target.detach(), reduction=items_or_sum(reduction))
    return of_sum(result, reduction, probs.numel())


def mse(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``mse_loss``."""
    _check_mse(input, target, reduction)
    result = F.mse_loss(input, target, reduction=items_or_sum(reduction))
    return of_sum(result, reduction, input.numel())
