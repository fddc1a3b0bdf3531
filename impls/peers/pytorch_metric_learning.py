"""pytorch-metric-learning's ArcFace loss."""

import math
from functools import lru_cache

import torch
from pytorch_metric_learning import losses, reducers
from torch import Tensor

from impls.arguments import reduce_all
from impls.embedding import _check_arcface


@lru_cache
def _loss(classes: int, dimensions: int, scale: float, margin: float) -> torch.nn.Module:
    """The module, whose weight is replaced in each call; its margin is in degrees."""
    return losses.ArcFaceLoss(
        classes,
        dimensions,
        margin=math.degrees(margin),
        scale=scale,
        weight_init_func=lambda weight: None,
        reducer=reducers.DoNothingReducer(),
    )


def arcface(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """``ArcFaceLoss`` with the weight (C, D) in the place of its parameter (D, C)."""
    _check_arcface(features, label, weight, scale, margin, reduction)
    loss = _loss(*weight.shape, scale, margin)
    found = torch.func.functional_call(loss, {"W": weight.t()}, (features, label))
    return reduce_all(found["loss"]["losses"], reduction, features)
