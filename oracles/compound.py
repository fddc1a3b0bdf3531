"""Oracles of the compound losses: sums of a cross entropy and an overlap."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.boxes import ciou_items
from oracles.classification import binary_cross_entropy_items
from oracles.numeric import (
    Array,
    as_floats,
    as_labels,
    as_number,
    flatten,
    log_sum_exp,
    ratio,
    reduce,
    require,
    require_between,
    require_finite,
    require_number_between,
    require_reduction,
    require_same_shape,
    softplus,
)

LARGEST = float(np.finfo(np.float64).max)


# Masks: logits and target (N, C, *)


def _mean(array: Array, axes: int) -> Array:
    """The mean over the last axes; 0 where there is nothing to average."""
    count = math.prod(array.shape[-axes:])
    return array.sum(axis=tuple(range(-axes, 0))) / max(count, 1)


def _dice_coefficient(logits: Array, target: Array, smooth: float, axes: int) -> Array:
    """(2Σpg+s) / (Σp+Σg+s) over the last axes, p = σ(x); 0/0 = 1."""
    voxels = tuple(range(-axes, 0))
    p = np.exp(-softplus(-logits))
    both, total = (p * target).sum(axis=voxels), p.sum(axis=voxels) + target.sum(axis=voxels)
    return ratio(2 * both + smooth, total + smooth, empty=1)


def bce_dice_items(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Items (..., N) of arrays (..., N, C, S): mean BCE + mean over C of the dice loss."""
    binary = target * softplus(-logits) + (1 - target) * softplus(logits)
    return _mean(binary, 2) + _mean(1 - _dice_coefficient(logits, target, smooth, 1), 1)


def bce_log_dice_items(logits: Array, target: Array, *, smooth: float = 1.0) -> Array:
    """Items (..., N) of arrays (..., N, C, S): mean BCE - log of one dice coefficient."""
    binary = target * softplus(-logits) + (1 - target) * softplus(logits)
    return _mean(binary, 2) - np.log(_dice_coefficient(logits, target, smooth, 2))


def combo_items(
    logits: Array, target: Array, *, alpha: float = 0.5, beta: float = 0.5, smooth: float = 1.0
) -> Array:
    """Items (..., N) of arrays (..., N, C, S): a · mean weighted BCE + (1-a) · one dice loss."""
    precise = logits.real.dtype.type  # so that 1 - a has the precision of the rest
    share, positive = precise(alpha), precise(beta)
    ones, zeros = target * softplus(-logits), (1 - target) * softplus(logits)
    binary = positive * ones + (1 - positive) * zeros
    dice = 1 - _dice_coefficient(logits, target, smooth, 2)
    return share * _mean(binary, 2) + (1 - share) * dice


def _masks(logits: object, target: object, reduction: str) -> tuple[Array, Array]:
    """Both as (N, C, S), their domain checked."""
    x, g = as_floats("logits", logits), as_floats("target", target)
    require_reduction(reduction)
    require(x.ndim >= 2, "logits", "a shape (N, C, *)", x.shape)
    require_same_shape("logits", x, "target", g)
    require_finite("logits", x)
    require_between("target", g, 0, 1)
    return flatten(x, 2), flatten(g, 2)


def bce_dice(
    logits: Array, target: Array, *, smooth: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Mean BCE of the sample + mean over its channels of the dice loss of σ(logits).

    BCE = -[g log p + (1-g) log(1-p)] over channels and voxels, dice = 1 - (2Σpg+s)/(Σp+Σg+s) over
    the voxels of a channel, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        smooth: s, at least 0; two empty masks have a dice loss of 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Isensee et al., arXiv 1809.10486 (cross entropy and dice, added); dice: arXiv 1606.04797.

    >>> bce_dice([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(1.0264805138932787)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("smooth", smooth, 0, LARGEST)
    return reduce(bce_dice_items(x, g, smooth=smooth), reduction)


def bce_log_dice(
    logits: Array, target: Array, *, smooth: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Mean BCE of the sample - log of its dice coefficient.

    The coefficient is (2Σpg+s)/(Σp+Σg+s) over all channels and voxels together, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        smooth: s, above 0, so that no coefficient is 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Iglovikov et al., arXiv 1706.06169, with the dice coefficient in place of Jaccard's.

    >>> bce_log_dice([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(1.0986122886681098)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("smooth", smooth, 0, LARGEST)
    require(smooth > 0, "smooth", "a number above 0", smooth)
    return reduce(bce_log_dice_items(x, g, smooth=smooth), reduction)


def combo(
    logits: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Array | np.floating:
    """a · mean of -[b g log p + (1-b)(1-g) log(1-p)] + (1-a) · dice loss of the sample.

    The dice loss is 1 - (2Σpg+s)/(Σp+Σg+s) over all channels and voxels together, p = σ(x).

    Args:
        logits: (N, C, *), finite.
        target: same shape, in [0, 1].
        alpha: a, the share of the cross entropy, in [0, 1].
        beta: b, the weight of the positives in it, in [0, 1].
        smooth: s, at least 0; two empty masks have a dice loss of 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Taghanaki et al., arXiv 1805.02798, with the dice loss in place of minus the coefficient.

    >>> combo([[[0.0, 0.0]]], [[[1.0, 0.0]]])
    np.float64(0.339953461806653)
    """
    x, g = _masks(logits, target, reduction)
    require_number_between("alpha", alpha, 0, 1)
    require_number_between("beta", beta, 0, 1)
    require_number_between("smooth", smooth, 0, LARGEST)
    return reduce(combo_items(x, g, alpha=alpha, beta=beta, smooth=smooth), reduction)


# Classes: logits (N, C, *) and integer target (N, *)

SURE = -50.0
"""Log odds below which log(1 + e^odds) is e^odds to the last digit of a long double."""


def _log_odds(logits: Array) -> Array:
    """log((1-p)/p) of softmax probabilities along axis -2, more than one class: no p is rounded to 1."""
    shifted = logits - np.max(logits.real, axis=-2, keepdims=True)
    classes = range(logits.shape[-2])
    others = np.take(shifted, [[o for o in classes if o != c] for c in classes], axis=-2)
    return log_sum_exp(others, axis=-2)[..., 0, :] - shifted


def _power_of_minus_log(odds: Array, gamma: float) -> Array:
    """(-log q)^γ of the probability q whose log odds against it are given: softplus(odds)^γ."""
    sure = odds.real < SURE
    log = np.where(sure, odds, np.log(softplus(np.where(sure, 0, odds))))
    return np.exp(gamma * log)


def exp_log_items(
    logits: Array,
    target: Array,
    *,
    class_weight: Array | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
) -> Array:
    """Items (..., N) of logits (..., N, C, S), target (N, S) and class_weight (..., C).

    A dice coefficient with s = 1 is the probability (2I+1) / (2I+1 + wrong), so its odds are a
    quotient of sums, and its logarithm is taken like that of p_t.
    """
    classes, voxels = logits.shape[-2:]
    weight = np.ones(classes) if class_weight is None else class_weight
    if classes == 1 or voxels == 0:  # nothing can be wrong
        return 0 * logits.sum(axis=(-2, -1)) + 0 * weight.sum(axis=-1)[..., None]
    is_target = target[..., None, :] == np.arange(classes)[:, None]
    odds = _log_odds(logits)
    log_p, log_rest = -softplus(odds), -softplus(-odds)
    both = np.where(is_target, np.exp(log_p), 0).sum(axis=-1)
    log_wrong = log_sum_exp(np.where(is_target, log_rest, log_p), axis=-1)[..., 0]
    dice = _power_of_minus_log(log_wrong - np.log(1 + 2 * both), gamma_dice).mean(axis=-1)
    power = _power_of_minus_log(np.where(is_target, odds, 0).sum(axis=-2), gamma_cross)
    return weight_dice * dice + weight_cross * (weight[..., target] * power).mean(axis=-1)


def exp_log(
    logits: Array,
    target: Array,
    *,
    class_weight: Array | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
    reduction: str = "mean",
) -> Array | np.floating:
    """w_d · mean over c of (-log D_c)^γd + w_c · mean over voxels of v_t (-log p_t)^γc.

    p = softmax(logits), D_c = (2I+1)/(P+G+1) the dice coefficient of class c with the one-hot target.

    Neither -log is ever 0 with two classes or more, however sure the logits are: its power falls to 0
    smoothly, and so does the gradient. With one class the loss is 0.

    Args:
        logits: (N, C, *), finite.
        target: (N, *) integers in [0, C).
        class_weight: v, (C,), at least 0; the mean does not divide by it.
        weight_dice: w_d, at least 0.
        weight_cross: w_c, at least 0.
        gamma_dice: γd, above 0.
        gamma_cross: γc, above 0.
        reduction: "none" gives items (N,), at least 0.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Wong et al., arXiv 1809.00076.

    >>> exp_log([[0.0, 0.0]], [1], weight_dice=0.0, weight_cross=1.0, gamma_cross=1.0)
    np.float64(0.6931471805599453)
    """
    x, label = as_floats("logits", logits), as_labels("target", target)
    require_reduction(reduction)
    require(x.ndim >= 2 and x.shape[1] >= 1, "logits", "a shape (N, C, *), C at least 1", x.shape)
    require_finite("logits", x)
    classes, shape = x.shape[1], (x.shape[0], *x.shape[2:])
    require(label.shape == shape, "target", f"a shape (N, *) = {shape}", label.shape)
    require((label >= 0) & (label < classes), "target", f"labels in [0, {classes})")
    weight = None
    if class_weight is not None:
        weight = as_floats("class_weight", class_weight)
        expected = f"a shape (C,) = ({classes},)"
        require(weight.shape == (classes,), "class_weight", expected, weight.shape)
        require(np.isfinite(weight) & (weight >= 0), "class_weight", "finite weights of at least 0")
    require_number_between("weight_dice", weight_dice, 0, LARGEST)
    require_number_between("weight_cross", weight_cross, 0, LARGEST)
    for name, gamma in (("gamma_dice", gamma_dice), ("gamma_cross", gamma_cross)):
        require_number_between(name, gamma, 0, LARGEST)
        require(gamma > 0, name, "a number above 0", gamma)
    items = exp_log_items(
        flatten(x, 2),
        flatten(label, 1),
        class_weight=weight,
        weight_dice=weight_dice,
        weight_cross=weight_cross,
        gamma_dice=gamma_dice,
        gamma_cross=gamma_cross,
    )
    return reduce(items, reduction)


# Detection: boxes (M, 4), objectness logits of any shape, cells (M,), class logits (M, K), labels (M,)

Scales = Array | Sequence[Array]
"""An array, or a list of arrays over scales."""


def _per_scale(*arguments: Scales) -> list[tuple[Array, ...]]:
    """The arrays of each scale."""
    lists = [a if isinstance(a, list | tuple) else [a] for a in arguments]
    return list(zip(*lists, strict=True))


def yolo_detection_items(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
) -> Array:
    """The loss (...) of arrays, or lists of them: boxes and target_boxes (..., M, 4), objectness
    (..., n), cells (M,), class_logits (..., M, K), labels (M,)."""
    scales = _per_scale(boxes, target_boxes, objectness, cells, class_logits, labels)
    total: Any = 0
    for scale, share in zip(scales, balance if len(scales) > 1 else (1.0,), strict=False):
        predicted, wanted, confidence, own_cells, scores, label = scale
        overlap = ciou_items(predicted, wanted)
        precise = overlap.real.dtype.type
        ratio_, high, low = precise(iou_ratio), precise(positive), precise(negative)
        leading = np.broadcast_shapes(overlap.shape[:-1], confidence.shape[:-1])
        found = np.zeros((*leading, confidence.shape[-1]), precise)
        overlapping = 1 - overlap.real
        found[..., own_cells] = (1 - ratio_) + ratio_ * np.where(overlapping > 0, overlapping, 0)
        is_label = np.arange(scores.shape[-1]) == label[:, None]
        total = (
            total
            + gain_box * _mean(overlap, 1)
            + gain_obj * share * _mean(binary_cross_entropy_items(confidence, found), 1)
            + gain_cls * _mean(binary_cross_entropy_items(scores, np.where(is_label, high, low)), 2)
        )
    return np.asarray(total)


def _scale_of_yolo(
    boxes: object,
    target_boxes: object,
    objectness: object,
    cells: object,
    class_logits: object,
    labels: object,
) -> tuple[Array, ...]:
    """The arrays of one scale as the kernel wants them, their domain checked."""
    first, second = as_floats("boxes", boxes), as_floats("target_boxes", target_boxes)
    for name, corners in (("boxes", first), ("target_boxes", second)):
        require(corners.ndim == 2 and corners.shape[-1] == 4, name, "a shape (M, 4)", corners.shape)
        require_finite(name, corners)
        require(corners[:, :2] <= corners[:, 2:], name, "x1 ≤ x2 and y1 ≤ y2 in every row")
    require_same_shape("boxes", first, "target_boxes", second)
    matched = len(first)
    confidence, own_cells = flatten(as_floats("objectness", objectness), 0), as_labels("cells", cells)
    require_finite("objectness", confidence)
    require(own_cells.shape == (matched,), "cells", f"a shape (M,) = ({matched},)", own_cells.shape)
    inside = (own_cells >= 0) & (own_cells < len(confidence))
    require(inside, "cells", f"flat indices in [0, {len(confidence)})")
    require(len(set(own_cells.tolist())) == matched, "cells", "each cell once")
    scores, label = as_floats("class_logits", class_logits), as_labels("labels", labels)
    fits = scores.ndim == 2 and len(scores) == matched
    require(fits, "class_logits", f"a shape (M, K) with M = {matched}", scores.shape)
    require_finite("class_logits", scores)
    require(label.shape == (matched,), "labels", f"a shape (M,) = ({matched},)", label.shape)
    in_range = (label >= 0) & (label < scores.shape[1])
    require(in_range, "labels", f"labels in [0, {scores.shape[1]})")
    return first, second, confidence, own_cells, scores, label


def yolo_detection(
    boxes: Scales,
    target_boxes: Scales,
    objectness: Scales,
    cells: Scales,
    class_logits: Scales,
    labels: Scales,
    *,
    gain_box: float = 0.05,
    gain_obj: float = 1.0,
    gain_cls: float = 0.5,
    positive: float = 1.0,
    negative: float = 0.0,
    iou_ratio: float = 1.0,
    balance: Sequence[float] = (4.0, 1.0, 0.4),
    reduction: str = "mean",
) -> Array | np.floating:
    """The loss of a detector's head: overlap of boxes, objectness and class, weighed and added.

    gain_box · mean(ciou) + gain_obj · balance · mean BCE(objectness, o) + gain_cls · mean BCE of the
    class logits, wanted ``positive`` at the label and ``negative`` elsewhere. o is (1-r) +
    r · max(1 - ciou, 0) at the matched cells, without a slope, and 0 at all others; r = iou_ratio.

    Arrays, or lists of arrays over scales, whose losses are added. The head of YOLOv5 at 640 pixels
    has three, with strides of 8, 16 and 32: objectness (B, 3, 80, 80), (B, 3, 40, 40) and
    (B, 3, 20, 20) of B images, 3 anchors and H x W places. An object is matched with some cells of
    each; a cell (b, a, i, j) has the flat index ((3b + a) H + i) W + j, so that the M matched cells of
    all images stand in one list beside their boxes (M, 4), target boxes (M, 4), class logits (M, K)
    and labels (M,). Scales may have other M, and none matched (M = 0) leaves the objectness alone.

    Args:
        boxes: (M, 4) predicted for the matched cells, as x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2.
        target_boxes: (M, 4), likewise.
        objectness: logits of all cells, any shape, finite.
        cells: (M,) flat indices of the matched ones among them, each once.
        class_logits: (M, K) of the matched cells, finite.
        labels: (M,) integers in [0, K).
        gain_box: weight of the boxes, at least 0, like the other gains.
        gain_obj: weight of the objectness.
        gain_cls: weight of the classes.
        positive: wanted probability of the label, in [0, 1] (below 1: label smoothing).
        negative: wanted probability of the other classes, in [0, 1].
        iou_ratio: r in [0, 1]; at 0, every matched cell is wanted to be sure.
        balance: weights of the objectness of each scale, at least 0; not used where there is one.
        reduction: the loss is one number, whatever the reduction.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: the composition of YOLOv5 (Ultralytics); ciou: arXiv 1911.08287.

    >>> box, cell = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([2])
    >>> yolo_detection(box, box, np.zeros((1, 3, 2, 2)), cell, np.zeros((1, 2)), np.array([0]))
    np.float64(1.0397207708399179)
    """
    require_reduction(reduction)
    arguments = dict(
        boxes=boxes,
        target_boxes=target_boxes,
        objectness=objectness,
        cells=cells,
        class_logits=class_logits,
        labels=labels,
    )
    lengths = {n: len(a) if isinstance(a, list | tuple) else 1 for n, a in arguments.items()}
    scales = lengths["boxes"]
    require(scales >= 1, "boxes", "at least one scale", scales)
    for name, length in lengths.items():
        require(length == scales, name, f"as many scales as boxes, {scales}", length)
    for name, gain in (("gain_box", gain_box), ("gain_obj", gain_obj), ("gain_cls", gain_cls)):
        require_number_between(name, gain, 0, LARGEST)
    for name, share in (("positive", positive), ("negative", negative), ("iou_ratio", iou_ratio)):
        require_number_between(name, share, 0, 1)
    if not isinstance(balance, list | tuple):
        raise TypeError(f"balance: expected a number for each scale, got {type(balance).__name__}")
    weights = [as_number("balance", weight) for weight in balance]
    enough = scales == 1 or len(weights) >= scales
    require(enough, "balance", f"a number for each of {scales} scales", len(weights))
    for weight in weights:
        require_number_between("balance", weight, 0, LARGEST)
    checked = [_scale_of_yolo(*scale) for scale in _per_scale(*arguments.values())]
    loss = yolo_detection_items(
        *(list(parts) for parts in zip(*checked, strict=True)),
        gain_box=gain_box,
        gain_obj=gain_obj,
        gain_cls=gain_cls,
        positive=positive,
        negative=negative,
        iou_ratio=iou_ratio,
        balance=weights,
    )
    return reduce(loss, reduction)
