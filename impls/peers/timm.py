"""timm's cross entropy with label smoothing."""

from functools import lru_cache

from timm.loss import LabelSmoothingCrossEntropy
from torch import Tensor

from impls.classification import _check_cross_entropy
from impls.peers import any_ignored, of_mean, require_option

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
