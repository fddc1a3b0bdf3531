"""Wrong on purpose, each with its defect: ``published_...`` forms stood in tutorials and libraries,
``mistaken_...`` ones are typical mistakes that are not known to be published.

Do not use them. The harness must reject every one; see ``defects`` in lossproof/catalog.py.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impls.boxes import ciou_vectorized
from impls.compound import Scales


def _reduce(items: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return items
    return items.mean() if reduction == "mean" else items.sum()


def cross_entropy_published_floor(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """log(softmax + 1e-7): the loss can't exceed 16.1, and its gradient dies there."""
    classes = logits.shape[1]
    kept = target != ignore_index
    log_probability = torch.log(torch.softmax(logits, 1) + 1e-7).movedim(1, -1)
    class_weight = logits.new_ones(classes) if weight is None else weight
    hard = F.one_hot(torch.where(kept, target, 0), classes) * (1 - label_smoothing)
    soft = (hard + label_smoothing / classes).to(logits.dtype)
    items = torch.where(kept, -(soft * class_weight * log_probability).sum(-1), 0)
    if reduction != "mean":
        return _reduce(items, reduction)
    return items.sum() / class_weight[target[kept]].sum()


def binary_cross_entropy_mistaken_second_sigmoid(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Takes probabilities for logits: the sigmoid is applied twice."""
    weight = logits.new_tensor(pos_weight)
    return F.binary_cross_entropy_with_logits(
        torch.sigmoid(logits), target, pos_weight=weight, reduction=reduction
    )


def log_loss_mistaken_epsilon(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(p + 1e-7): below 0 where the answer is right, and at most 16.1."""
    log_p, log_not_p = torch.log(probs + 1e-7), torch.log(1 - probs + 1e-7)
    return _reduce(-(target * log_p + (1 - target) * log_not_p), reduction)


def balanced_cross_entropy_mistaken_ratio(
    logits: Tensor, target: Tensor, *, beta: float | None = None, reduction: str = "mean"
) -> Tensor:
    """The positives weighted by β/(1-β), and all by 1-β: NaN where there are no positives (β = 1)."""
    share = 1 - target.mean() if beta is None else target.new_tensor(beta)
    ratio = share / (1 - share)
    items = F.binary_cross_entropy_with_logits(logits, target, pos_weight=ratio, reduction="none")
    return _reduce((1 - share) * items, reduction)


def _plain_focal(
    logits: Tensor, target: Tensor, gamma: float, smoothing: float, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Items without class weights, one after the other, their labels, and which are kept."""
    kept = (target != ignore_index).reshape(-1)
    label = torch.where(kept, target.reshape(-1), 0)
    rows = logits.movedim(1, -1).reshape(-1, logits.shape[1]).masked_fill(~kept[:, None], 0)
    p = torch.softmax(rows, 1).gather(1, label[:, None])[:, 0]
    q = smoothing + (1 - 2 * smoothing) * p
    return -((1 - q) ** gamma) * torch.log(q), label, kept


def softmax_focal_published_outer_product(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Class weights indexed to (N, 1, 1) and multiplied with items (N,): every weight meets every
    item, and the mean is that of the weights times that of the items."""
    items, label, kept = _plain_focal(logits, target, gamma, smoothing, ignore_index)
    items = torch.where(kept, items, 0)
    if alpha is None:
        return _reduce(items.reshape(target.shape), reduction)
    return _reduce(alpha[label].reshape(-1, 1, 1) * items, reduction)


def softmax_focal_published_overwritten_weights(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Stores the gathered class weights where the class weights were, so that the next call, with
    the same vector, takes them for those of the classes."""
    items, label, kept = _plain_focal(logits, target, gamma, smoothing, ignore_index)
    if alpha is not None:
        gathered = alpha[label]
        items = gathered * items
        stored = min(len(alpha), len(gathered))
        alpha[:stored] = gathered[:stored]
    items = torch.where(kept, items, 0).reshape(target.shape)
    return items.sum() / kept.sum() if reduction == "mean" else _reduce(items, reduction)


def sigmoid_focal_published_log_of_sigmoid(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """log(σ(x)) and log(1-σ(x)): infinite, then NaN, once the sigmoid saturates."""
    p = torch.sigmoid(logits)
    alpha_1, alpha_0 = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    right = p * target + (1 - p) * (1 - target)
    binary = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))
    alpha_t = alpha_1 * target + alpha_0 * (1 - target)
    return _reduce(alpha_t * (1 - right) ** gamma * binary, reduction)


def sigmoid_focal_published_probability_from_loss(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """p_t taken as exp(-BCE), which it is for hard targets only."""
    binary = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = torch.exp(-binary)
    alpha_1, alpha_0 = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    alpha_t = alpha_1 * target + alpha_0 * (1 - target)
    return _reduce(alpha_t * (1 - right) ** gamma * binary, reduction)


def mse_published_broadcast(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """No look at the shapes: (N, 1) against (N,) becomes N x N."""
    return _reduce((input - target) ** 2, reduction)


def iou_published_integers(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """Coordinates truncated to integers, and 1e-6 added to the union: pixels of an image are meant."""
    boxes1, boxes2 = boxes1.trunc(), boxes2.trunc()
    high = torch.minimum(boxes1[:, 2:], boxes2[:, 2:])
    intersection = (high - torch.maximum(boxes1[:, :2], boxes2[:, :2])).clamp(min=0).prod(1)
    area1, area2 = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (boxes1, boxes2))
    return _reduce(1 - intersection / (area1 + area2 - intersection + 1e-6), reduction)


def giou_published_corner_order(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """Corners taken for x1, x2, y1, y2 where the boxes hold x1, y1, x2, y2."""
    left1, right1, top1, bottom1 = boxes1.unbind(-1)
    left2, right2, top2, bottom2 = boxes2.unbind(-1)
    width = (torch.minimum(right1, right2) - torch.maximum(left1, left2)).clamp(min=0)
    height = (torch.minimum(bottom1, bottom2) - torch.maximum(top1, top2)).clamp(min=0)
    intersection = width * height
    area1, area2 = (right1 - left1) * (bottom1 - top1), (right2 - left2) * (bottom2 - top2)
    union = area1 + area2 - intersection
    hull_width = torch.maximum(right1, right2) - torch.minimum(left1, left2)
    hull_height = torch.maximum(bottom1, bottom2) - torch.minimum(top1, top2)
    hull = hull_width * hull_height
    return _reduce(1 - intersection / union + (hull - union) / hull, reduction)


def _overlap_loss(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """1 - I/U, as it should be."""
    high = torch.minimum(boxes1[:, 2:], boxes2[:, 2:])
    intersection = (high - torch.maximum(boxes1[:, :2], boxes2[:, :2])).clamp(min=0).prod(1)
    area1, area2 = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (boxes1, boxes2))
    union = area1 + area2 - intersection
    return 1 - intersection / torch.where(union > 0, union, 1)


def _hull_sides(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    return torch.maximum(boxes1[:, 2:], boxes2[:, 2:]) - torch.minimum(boxes1[:, :2], boxes2[:, :2])


def _squared_distance(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """ρ², of the centres."""
    apart = (boxes1[:, :2] + boxes1[:, 2:] - boxes2[:, :2] - boxes2[:, 2:]) / 2
    return apart.square().sum(1)


def diou_mistaken_area(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """The enclosing box's area in the place of its squared diagonal: long boxes exceed 2."""
    area = _hull_sides(boxes1, boxes2).prod(1)
    distance = _squared_distance(boxes1, boxes2) / torch.where(area > 0, area, 1)
    return _reduce(_overlap_loss(boxes1, boxes2) + distance, reduction)


def _distance_loss(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """1 - I/U + ρ²/c², as it should be."""
    diagonal = _hull_sides(boxes1, boxes2).square().sum(1)
    distance = _squared_distance(boxes1, boxes2) / torch.where(diagonal > 0, diagonal, 1)
    return _overlap_loss(boxes1, boxes2) + distance


def ciou_published_linear_aspect(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """The aspect term as (8/π²)·Δatan·(-w·h), made for its gradient: an area, so it grows with scale."""
    (width1, height1), (width2, height2) = ((b[:, 2:] - b[:, :2]).unbind(1) for b in (boxes1, boxes2))
    with torch.no_grad():
        difference = torch.atan(width2 / height2) - torch.atan(width1 / height1)
        v = 4 / math.pi**2 * difference**2
        alpha = v / (_overlap_loss(boxes1, boxes2) + v)
        twice = 2 * width1
    aspect = 8 / math.pi**2 * difference * (width1 - twice) * height1
    return _reduce(_distance_loss(boxes1, boxes2) + alpha * aspect, reduction)


def ciou_published_ratio(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """atan(w/h) in the place of atan2(w, h): no gradient but NaN at h = 0."""
    (width1, height1), (width2, height2) = ((b[:, 2:] - b[:, :2]).unbind(1) for b in (boxes1, boxes2))
    v = 4 / math.pi**2 * (torch.atan(width2 / height2) - torch.atan(width1 / height1)) ** 2
    with torch.no_grad():
        alpha = v / (_overlap_loss(boxes1, boxes2) + v)
    return _reduce(_distance_loss(boxes1, boxes2) + alpha * v, reduction)


def _activate(values: Tensor, activation: str) -> Tensor:
    if activation == "sigmoid":
        return torch.sigmoid(values)
    return torch.softmax(values, dim=1) if activation == "softmax" else values


def _masks(
    probs: Tensor, target: Tensor, include_background: bool, activation: str
) -> tuple[Tensor, Tensor]:
    """Both as (N, C, S)."""
    shape = (*probs.shape[:2], math.prod(probs.shape[2:]))
    p, g = _activate(probs, activation).reshape(shape), target.reshape(shape)
    return (p, g) if include_background else (p[:, 1:], g[:, 1:])


def dice_published_above_one(
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
    """2(I+s)/(P+G+s): above 1 at a perfect mask, so the loss is negative."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    power = 2 if squared else 1
    total = (p**power).sum(axes) + (g**power).sum(axes)
    return _reduce(1 - 2 * ((p * g).sum(axes) + smooth) / (total + smooth), reduction)


def dice_published_one_sum(
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
    """One sum over the whole batch, where one of each sample is meant."""
    p, g = (mask.reshape(-1) for mask in _masks(probs, target, include_background, activation))
    power = 2 if squared else 1
    total = (p**power).sum() + (g**power).sum()
    loss = 1 - (2 * (p * g).sum() + smooth) / (total + smooth)
    shape = [probs.shape[1] - (not include_background)]
    items = loss.expand(shape if batch else [len(probs), *shape])
    return _reduce(items, reduction)


def dice_published_last_class(
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
    """A loop over the classes that keeps only the last one's loss."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 1) if batch else (1,)
    power = 2 if squared else 1
    loss = p.sum() * 0
    for c in range(p.shape[1]):
        total = (p[:, c] ** power).sum(axes) + (g[:, c] ** power).sum(axes)
        loss = 1 - (2 * (p[:, c] * g[:, c]).sum(axes) + smooth) / (total + smooth)
    return _reduce(loss[..., None].expand(*loss.shape, p.shape[1]), reduction)


def jaccard_published_no_union(
    probs: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """I/(P+G), which counts the intersection twice: a perfect mask scores ½."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    intersection = (p * g).sum(axes)
    return _reduce(1 - (intersection + smooth) / (p.sum(axes) + g.sum(axes) + smooth), reduction)


def tversky_mistaken_weights_swapped(
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
    """alpha on the false negatives, beta on the false positives."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    both, only_p, only_g = ((x * y).sum(axes) for x, y in ((p, g), (p, 1 - g), (1 - p, g)))
    whole = both + alpha * only_g + beta * only_p + smooth
    return _reduce(1 - (both + smooth) / whole, reduction)


def focal_tversky_mistaken_inverse_power(
    probs: Tensor,
    target: Tensor,
    *,
    gamma: float = 0.75,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """The exponent 1/γ, of papers whose γ is the inverse of this one."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    both, only_p, only_g = ((x * y).sum(axes) for x, y in ((p, g), (p, 1 - g), (1 - p, g)))
    wrong = alpha * only_p + beta * only_g
    return _reduce((wrong / (both + wrong + smooth)) ** (1 / gamma), reduction)


def log_cosh_dice_mistaken_without_half(
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
    """log(eˣ + e⁻ˣ) without the half of the cosine: log 2 at a perfect mask."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    power = 2 if squared else 1
    total = (p**power).sum(axes) + (g**power).sum(axes)
    dice = 1 - (2 * (p * g).sum(axes) + smooth) / (total + smooth)
    return _reduce(torch.log(torch.exp(dice) + torch.exp(-dice)), reduction)


def sensitivity_specificity_mistaken_weight_swapped(
    probs: Tensor,
    target: Tensor,
    *,
    weight: float = 0.05,
    smooth: float = 1.0,
    batch: bool = False,
    include_background: bool = True,
    activation: str = "none",
    reduction: str = "mean",
) -> Tensor:
    """The weight on the background's errors, which are the specificity's."""
    p, g = _masks(probs, target, include_background, activation)
    axes = (0, 2) if batch else (2,)
    square = (g - p) ** 2
    foreground = (square * g).sum(axes) / (g.sum(axes) + smooth)
    background = (square * (1 - g)).sum(axes) / ((1 - g).sum(axes) + smooth)
    return _reduce((1 - weight) * foreground + weight * background, reduction)


def distance_dice_published_weights_above_only(
    logits: Tensor, target: Tensor, distance: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Distance weights only in the numerator: the coefficient can be 2, and the loss -1."""
    axes = tuple(range(1, target.ndim))
    probability = torch.softmax(logits, dim=1)[:, 1]
    weighted = probability * target * (1 + distance)
    both, size = (x.sum(axes) if axes else x for x in (weighted, probability + target))
    return _reduce(1 - (2 * both + smooth) / (size + smooth), reduction)


def distance_weighted_ce_mistaken_mean_first(
    logits: Tensor, target: Tensor, distance: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """cross_entropy left at its default reduction: every item is the mean of all, weighed."""
    return _reduce((1 + distance) * F.cross_entropy(logits, target), reduction)


def hausdorff_dt_mistaken_power_of_sum(
    probs: Tensor,
    target: Tensor,
    probs_distance: Tensor,
    target_distance: Tensor,
    *,
    power: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """(d_p + d_g)^a for d_p^a + d_g^a."""
    return _reduce((probs - target) ** 2 * (probs_distance + target_distance) ** power, reduction)


def bce_dice_mistaken_two_sigmoids(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Probabilities handed to the cross entropy that takes logits: it never falls below log(1+1/e)."""
    p, g = _masks(torch.sigmoid(logits), target, True, "none")
    binary = F.binary_cross_entropy_with_logits(p, g, reduction="none").mean((1, 2))
    coefficient = (2 * (p * g).sum(2) + smooth) / (p.sum(2) + g.sum(2) + smooth)
    return _reduce(binary + (1 - coefficient).mean(1), reduction)


def bce_log_dice_mistaken_one_sum(
    logits: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """One dice coefficient over the whole batch, where one of each sample is meant."""
    x, g = _masks(logits, target, True, "none")
    p = torch.sigmoid(x)
    binary = F.binary_cross_entropy_with_logits(x, g, reduction="none").mean((1, 2))
    coefficient = (2 * (p * g).sum() + smooth) / (p.sum() + g.sum() + smooth)
    return _reduce(binary - torch.log(coefficient), reduction)


def combo_mistaken_subtraction(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """The dice coefficient subtracted, not the dice loss added: negative where the mask is good."""
    x, g = _masks(logits, target, True, "none")
    p = torch.sigmoid(x)
    binary = -(beta * g * F.logsigmoid(x) + (1 - beta) * (1 - g) * F.logsigmoid(-x)).mean((1, 2))
    total = p.sum((1, 2)) + g.sum((1, 2)) + smooth
    coefficient = (2 * (p * g).sum((1, 2)) + smooth) / total
    return _reduce(alpha * binary - (1 - alpha) * coefficient, reduction)


def exp_log_mistaken_power_of_zero(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    weight_dice: float = 0.8,
    weight_cross: float = 0.2,
    gamma_dice: float = 0.3,
    gamma_cross: float = 0.3,
    reduction: str = "mean",
) -> Tensor:
    """A bare power of -log p: where p rounds to 1 its slope is infinite, and the gradient NaN."""
    classes = logits.shape[1]
    x = logits.reshape(*logits.shape[:2], math.prod(logits.shape[2:]))
    label = target.reshape(len(target), x.shape[2])
    log_p, hard = F.log_softmax(x, 1), F.one_hot(label, classes).movedim(-1, 1).to(x.dtype)
    p = torch.exp(log_p)
    coefficient = (2 * (p * hard).sum(2) + 1) / (p.sum(2) + hard.sum(2) + 1)
    dice = ((-torch.log(coefficient)) ** gamma_dice).mean(1)
    cross = (-log_p.gather(1, label[:, None]).squeeze(1)) ** gamma_cross
    weight = x.new_ones(classes) if class_weight is None else class_weight
    return _reduce(weight_dice * dice + weight_cross * (weight[label] * cross).mean(1), reduction)


def yolo_detection_mistaken_attached_objectness(
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
) -> Tensor:
    """The wanted objectness keeps its gradient: boxes are moved so as to be found less."""
    arguments = (boxes, target_boxes, objectness, cells, class_logits, labels)
    scales = [[a] if isinstance(a, Tensor) else list(a) for a in arguments]
    weights = balance if len(scales[0]) > 1 else (1.0,)
    total = scales[0][0].new_zeros(())
    for first, second, x, cell, scores, label, weight in zip(*scales, weights, strict=False):
        overlap = ciou_vectorized(first, second.detach(), reduction="none")
        found = torch.zeros_like(x).reshape(-1)
        found = found.index_put((cell,), 1 - iou_ratio + iou_ratio * (1 - overlap).clamp(min=0))
        hot = torch.full_like(scores.detach(), negative).scatter(1, label[:, None], positive)
        x, count = x.reshape(-1), max(len(label), 1)
        found_loss = -(found * F.logsigmoid(x) + (1 - found) * F.logsigmoid(-x)).sum()
        class_loss = F.binary_cross_entropy_with_logits(scores, hot, reduction="sum")
        total = total + gain_box * overlap.sum() / count
        total = total + gain_obj * weight * found_loss / max(x.numel(), 1)
        total = total + gain_cls * class_loss / max(scores.numel(), 1)
    return total


def center_mistaken_expanded_square(
    features: Tensor,
    label: Tensor,
    centers: Tensor,
    *,
    scale: float = 1.0,
    balanced: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """|f|² + |c|² - 2 f·c: loses the digits of a feature near its centre, and goes below 0."""
    squares = features.square().sum(1)[:, None] + centers.square().sum(1)
    distance = (squares - 2 * features @ centers.T).gather(1, label[:, None])[:, 0]
    share = torch.bincount(label, minlength=1)[label] if balanced else 1
    return _reduce(scale / 2 * distance / share, reduction)


def arcface_published_batch_norms(
    features: Tensor,
    label: Tensor,
    weight: Tensor,
    *,
    scale: float = 64.0,
    margin: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """Norms taken over the whole batch and all classes, and an unguarded arccos."""
    cosine = (features / features.norm()) @ (weight / weight.norm()).T
    angle = torch.arccos(cosine)
    is_label = F.one_hot(label, len(weight)).bool()
    logits = scale * torch.where(is_label, torch.cos(angle + margin), cosine)
    return F.cross_entropy(logits, label, reduction=reduction)


def _content(
    found: list[Tensor], wanted: list[Tensor], weights: Sequence[float] | None, reduction: str
) -> Tensor:
    losses = [(x - y).square().mean(dim=(1, 2, 3)) for x, y in zip(found, wanted, strict=True)]
    weighted = [w * loss for w, loss in zip(weights or [1.0] * len(losses), losses, strict=True)]
    return _reduce(torch.stack(weighted).mean(0), reduction)


def vgg_content_mistaken_in_place(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Features collected in a list, where the next ReLU, which works in place, overwrites them."""

    def collected(x: Tensor) -> list[Tensor]:
        found: dict[str, Tensor] = {}
        for name, module in features.named_children():
            x = module(x)
            if name in layers:
                found[name] = x
            if len(found) == len(layers):
                break
        return [found[name] for name in layers]

    return _content(collected(output), collected(target.detach()), weights, reduction)


def vgg_content_mistaken_layer_before(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """features[:l], which ends before layer l."""
    cuts = [features[: int(layer)] for layer in layers]
    found, wanted = [cut(output) for cut in cuts], [cut(target.detach()) for cut in cuts]
    return _content(found, wanted, weights, reduction)
