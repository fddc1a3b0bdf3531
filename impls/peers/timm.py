"""timm's cross entropies, of classes and of numbers."""

from functools import lru_cache

from timm.loss import BinaryCrossEntropy, LabelSmoothingCrossEntropy
from torch import Tensor

from impls.classification import _check_binary, _check_cross_entropy
from impls.peers import any_ignored, items_or_sum, of_mean, of_sum, require_option

_loss = lru_cache(LabelSmoothingCrossEntropy)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``LabelSmoothingCrossEntropy`` of rows (N, C), which gives the mean; an item is one row's."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    require_option(logits.ndim == 2, "timm", "logits", f"a tensor of {logits.ndim} axes")
    require_option(weight is None, "timm", "weight", "a tensor")
    require_option(label_smoothing < 1, "timm", "label_smoothing", label_smoothing)
    require_option(not any_ignored(target, ignore_index), "timm", "ignore_index", "a label that occurs")
    loss = _loss(label_smoothing)
    return of_mean(loss, (logits, target), target.shape, reduction, logits)


def binary_cross_entropy(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """``BinaryCrossEntropy`` without smoothing; pos_weight becomes a tensor, and 1 none at all."""
    _check_binary(logits, target, pos_weight, reduction)
    weight = None if pos_weight == 1 else logits.new_tensor(pos_weight)
    loss = BinaryCrossEntropy(smoothing=0.0, reduction=items_or_sum(reduction), pos_weight=weight)
    result = loss(logits.reshape(-1), target.detach().reshape(-1))
    result = result.reshape(logits.shape) if reduction == "none" else result
    return of_sum(result, reduction, logits.numel())
