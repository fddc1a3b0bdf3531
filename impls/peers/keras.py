"""Keras' losses on its torch backend.

Its functions take the target first and average the last axis away: elementwise losses get one more axis,
of length one.

Left out: IoU, which is a metric there, without a gradient.
"""

import os
import warnings

import torch.nn.functional as F
from torch import Tensor

from impls.arguments import as_voxels, reduce_all
from impls.classification import (
    _check_binary,
    _check_cross_entropy,
    _check_pair,
    _check_sigmoid_focal,
    _check_softmax_focal,
)
from impls.overlap import _check as _check_overlap
from impls.peers import any_ignored, constant, of_kept, require_option
from impls.regression import _check as _check_mse

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported

import keras
from keras import losses

if keras.backend.backend() != "torch":
    raise ImportError(
        f"keras runs on {keras.backend.backend()}; KERAS_BACKEND=torch in the environment changes that"
    )

LIBRARY = "keras"

# about one class, and wrongly about one place along the last axis where the classes are along another
warnings.filterwarnings("ignore", "In loss categorical_", SyntaxWarning)
warnings.filterwarnings("ignore", "You are using a softmax over axis", UserWarning)


def _one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (N, *) as ones and zeros (N, C, *) in the dtype of the logits."""
    return F.one_hot(labels, like.shape[1]).movedim(-1, 1).to(like.dtype)


def mse(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``mean_squared_error``."""
    _check_mse(input, target, reduction)
    items = losses.mean_squared_error(target.unsqueeze(-1), input.unsqueeze(-1))
    return reduce_all(items, reduction, input)


def binary_cross_entropy(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """``binary_crossentropy`` from logits."""
    _check_binary(logits, target, pos_weight, reduction)
    require_option(pos_weight == 1, LIBRARY, "pos_weight", pos_weight)
    pair = target.detach().unsqueeze(-1), logits.unsqueeze(-1)
    return reduce_all(losses.binary_crossentropy(*pair, from_logits=True), reduction, logits)


def log_loss(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``binary_crossentropy`` of probabilities, which it clips to [ε, 1-ε], ε = 1e-7."""
    _check_pair("probs", probs, target, reduction)
    items = losses.binary_crossentropy(target.detach().unsqueeze(-1), probs.unsqueeze(-1))
    return reduce_all(items, reduction, probs)


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """``binary_focal_crossentropy`` from logits, without class balancing where alpha is None."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    items = losses.binary_focal_crossentropy(
        target.detach().unsqueeze(-1),
        logits.unsqueeze(-1),
        apply_class_balancing=alpha is not None,
        alpha=0.25 if alpha is None else alpha,
        gamma=gamma,
        from_logits=True,
    )
    return reduce_all(items, reduction, logits)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``sparse_categorical_crossentropy`` from logits, which alone ignores a class; with smoothing
    ``categorical_crossentropy``, which alone smooths. Both along axis 1."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    require_option(weight is None, LIBRARY, "weight", "a tensor")
    if label_smoothing > 0:
        require_option(not any_ignored(target, ignore_index), LIBRARY, "ignore_index", "with smoothing")
        hot = _one_hot(target, logits)
        how = {"from_logits": True, "label_smoothing": label_smoothing, "axis": 1}
        items = losses.categorical_crossentropy(hot, logits, **how)
    else:
        how = {"from_logits": True, "ignore_class": ignore_index, "axis": 1}
        items = losses.sparse_categorical_crossentropy(target, logits, **how)
    result = items if reduction == "none" else items.sum()
    return of_kept(result, target, ignore_index, reduction)


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
    """``categorical_focal_crossentropy`` from logits; the classes lie along the last axis, as alpha."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    require_option(smoothing == 0, LIBRARY, "smoothing", smoothing)
    require_option(not any_ignored(target, ignore_index), LIBRARY, "ignore_index", ignore_index)
    items = losses.categorical_focal_crossentropy(
        F.one_hot(target, logits.shape[1]).to(logits.dtype),
        logits.movedim(1, -1),
        alpha=1.0 if alpha is None else constant(alpha),
        gamma=gamma,
        from_logits=True,
    )
    return reduce_all(items, reduction, logits)


def _masks(
    probs: Tensor,
    target: Tensor,
    batch: bool,
    include_background: bool,
    activation: str,
    smooth: float,
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Target and probabilities (N, C, S), and the axes to sum over."""
    require_option(smooth == 0, LIBRARY, "smooth", smooth)
    require_option(activation == "none", LIBRARY, "activation", activation)
    first = 0 if include_background else 1
    axes = (0, 2) if batch else (2,)
    return as_voxels(target.detach()[:, first:]), as_voxels(probs[:, first:]), axes


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
    """``dice`` without smoothing, with an epsilon of 1e-7."""
    _check_overlap(probs, target, activation, reduction, smooth=smooth)
    require_option(not squared, LIBRARY, "squared", squared)
    g, p, axes = _masks(probs, target, batch, include_background, activation, smooth)
    return reduce_all(losses.dice(g, p, axis=axes), reduction, probs)


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
    """``tversky`` without smoothing, with an epsilon of 1e-7."""
    _check_overlap(probs, target, activation, reduction, alpha=alpha, beta=beta, smooth=smooth)
    g, p, axes = _masks(probs, target, batch, include_background, activation, smooth)
    return reduce_all(losses.tversky(g, p, alpha=alpha, beta=beta, axis=axes), reduction, probs)
