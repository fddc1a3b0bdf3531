"""Variants of the classification losses."""

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import (
    Divisor,
    collect,
    divisor_of,
    reduce,
    require,
    require_floats,
    require_labels,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input, number

# Cross entropy: -w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k


def _check_softmax(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    label_smoothing: float,
    ignore_index: int,
    reduction: str,
) -> None:
    require_floats(logits=logits)
    is_batch = logits.ndim >= 2 and logits.shape[1] >= 1
    require(is_batch, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_labels("target", target, (logits.shape[0], *logits.shape[2:]))
    if weight is not None:
        require_floats(logits=logits, weight=weight)
        require_shape("weight", weight, logits.shape[1:2])
    require_number("label_smoothing", label_smoothing, 0, 1)
    if not isinstance(ignore_index, int):
        raise TypeError(f"ignore_index: expected int, got {type(ignore_index).__name__}")
    require_reduction(reduction)


def _reduce_weighted(items: Tensor, total: Tensor, reduction: str, dtype: torch.dtype) -> Tensor:
    """Items, their sum, or their sum over the total weight; 0 where nothing has weight."""
    if reduction != "mean":
        return reduce(items, divisor_of(reduction, 1), dtype)
    weightless = total == 0
    return (items.sum() * torch.where(weightless, 0, 1 / torch.where(weightless, 1, total))).to(dtype)


def cross_entropy_naive(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Softmax cross entropy, one item at a time."""
    _check_softmax(logits, target, weight, label_smoothing, ignore_index, reduction)
    classes = logits.shape[1]
    rows = wide(logits).movedim(1, -1).reshape(-1, classes)
    rows = rows.masked_fill((target == ignore_index).reshape(-1, 1), 0)
    class_weight = rows.new_ones(classes) if weight is None else wide(weight).detach()
    items, weights = [], [rows.new_zeros(())]
    for row, label in zip(rows, target.reshape(-1), strict=True):
        if label == ignore_index:
            items.append(0 * row.sum())
            continue
        shifted = row - row.max().detach()
        log_probability = shifted - torch.log(torch.exp(shifted).sum())
        item = -class_weight[label] * (1 - label_smoothing) * log_probability[label]
        if label_smoothing > 0:
            item = item - label_smoothing / classes * (class_weight * log_probability).sum()
        items.append(item)
        weights.append(class_weight[label])
    losses = collect(items, target.shape, logits)
    total = torch.stack(weights).sum()
    return _reduce_weighted(losses, total, reduction, logits.dtype)


def _shifted(rows: Tensor) -> Tensor:
    """Rows with a largest logit of 0, where torch's log_softmax needs it.

    Along an inner axis torch subtracts max + log Σ exp at once, which loses the digits of max.
    """
    return rows - rows.detach().amax(dim=1, keepdim=True) if rows.ndim > 2 else rows


def cross_entropy_native(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """torch.nn.functional.cross_entropy, safe against ignored NaN and an empty mean."""
    _check_softmax(logits, target, weight, label_smoothing, ignore_index, reduction)
    class_weight = None if weight is None else wide(weight).detach()
    ignored = target == ignore_index
    # torch multiplies ignored gradients by 0, which leaves their NaN and inf
    rows = wide(logits).masked_fill(ignored.unsqueeze(1), 0) if ignored.any() else wide(logits)
    how = "none" if reduction == "none" else "sum"
    result = F.cross_entropy(
        _shifted(rows),
        target,
        class_weight,
        ignore_index=ignore_index,
        reduction=how,
        label_smoothing=label_smoothing,
    )
    if reduction != "mean":
        return result.to(logits.dtype)
    kept = target[~ignored]
    total = kept.numel() if class_weight is None else class_weight[kept].sum()
    return (result / total if total > 0 else 0 * result).to(logits.dtype)


def _cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    label_smoothing: float | Tensor | None,
    ignore_index: int | Tensor,
) -> tuple[Tensor, Tensor]:
    """Items, unrounded, and the weight of all kept ones; label_smoothing None leaves its term out."""
    ignored = target == ignore_index
    rows = wide(logits).masked_fill(ignored.unsqueeze(1), 0)
    log_probability = F.log_softmax(_shifted(rows), dim=1)
    label = torch.where(ignored, 0, target)
    label_weight = (~ignored).to(rows.dtype)
    if weight is not None:
        weight = wide(weight).detach()
        label_weight = label_weight * weight[label]
    items = -label_weight * log_probability.gather(1, label.unsqueeze(1)).squeeze(1)
    if label_smoothing is not None:
        possible = torch.where(log_probability == -torch.inf, 0, log_probability)
        if weight is not None:
            possible = weight.reshape(-1, *(1 for _ in target.shape[1:])) * possible
        smooth = -(~ignored).to(rows.dtype) * possible.mean(dim=1)
        items = (1 - label_smoothing) * items + label_smoothing * smooth
    return items, label_weight.sum()


def cross_entropy_vectorized(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Softmax cross entropy from log_softmax and a gather."""
    _check_softmax(logits, target, weight, label_smoothing, ignore_index, reduction)
    smoothing = label_smoothing if label_smoothing > 0 else None
    items, total = _cross_entropy(logits, target, weight, smoothing, ignore_index)
    return _reduce_weighted(items, total, reduction, logits.dtype)


_compiled_cross_entropy = Compiled(_cross_entropy, graphs=32)


def cross_entropy_fused(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The items compiled: a graph each for (N, C) and for (N, C, S).

    Absent weights come as ones and ignore_index as a tensor, so that they need no graph of their own.
    """
    _check_softmax(logits, target, weight, label_smoothing, ignore_index, reduction)
    batch, classes = logits.shape[:2]
    if classes < 2 or target.numel() < 2:
        smoothing = label_smoothing if label_smoothing > 0 else None
        items, total = _cross_entropy(logits, target, weight, smoothing, ignore_index)
    else:
        spatial = target.numel() // batch
        shape = (spatial,) if spatial > 1 else ()
        items, total = _compiled_cross_entropy(
            graph_input(logits, batch, classes, *shape),
            graph_input(target, batch, *shape),
            logits.new_ones(classes) if weight is None else graph_input(weight.detach()),
            number(label_smoothing),
            torch.tensor(ignore_index),
        )
    return _reduce_weighted(items.reshape(target.shape), total, reduction, logits.dtype)


# Sigmoid focal loss: α_t (1-p_t)^γ BCE(x, t)


def _check_focal(
    logits: Tensor, target: Tensor, gamma: float, alpha: float | None, reduction: str
) -> None:
    require_floats(logits=logits, target=target)
    require_shape("target", target, logits.shape)
    require_number("gamma", gamma, 0, float("inf"))
    if alpha is not None:
        require_number("alpha", alpha, 0, 1)
    require_reduction(reduction)


def _one_focal(x: Tensor, t: Tensor, gamma: float, alpha: float | None) -> Tensor:
    """One item. log(1-p_t) = log(σ(x)(1-t) + σ(-x)t) never leaves the logarithm."""
    log_p, log_not_p = F.logsigmoid(x), F.logsigmoid(-x)
    binary = -(t * log_p + (1 - t) * log_not_p)
    if t == 0 or t == 1:
        log_wrong = log_p if t == 0 else log_not_p
    else:
        log_wrong = torch.logaddexp(log_p + torch.log(1 - t), log_not_p + torch.log(t))
    item = torch.exp(gamma * log_wrong) * binary
    return item if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * item


def sigmoid_focal_naive(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """α_t (1-p_t)^γ BCE, one item at a time."""
    _check_focal(logits, target, gamma, alpha, reduction)
    pairs = zip(wide(logits).reshape(-1), wide(target).detach().reshape(-1), strict=True)
    items = [_one_focal(x, t, gamma, alpha) for x, t in pairs]
    losses = collect(items, logits.shape, logits)
    return reduce(losses, divisor_of(reduction, len(items)), logits.dtype)


def _sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    gamma: float | Tensor,
    alpha_slope: float | Tensor,
    alpha_start: float | Tensor,
    divisor: Divisor,
) -> Tensor:
    """The formula with α_t = start + slope t.

    wrong = 1-p_t and right = p_t are both sums of positive terms, so neither cancels; its logarithm
    is taken from whichever is small, and γ log(wrong) stays finite where the power's slope does not.
    """
    x, t = wide(logits), wide(target).detach()
    p, not_p = torch.sigmoid(x), torch.sigmoid(-x)
    binary = -(t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x))
    wrong, right = p * (1 - t) + not_p * t, p * t + not_p * (1 - t)
    tiny = torch.finfo(x.dtype).tiny
    from_wrong = torch.log(wrong.clamp(min=tiny))
    from_right = torch.log1p(-right.clamp(max=0.75))
    log_wrong = torch.where(right < 0.5, from_right, from_wrong)
    items = (alpha_start + alpha_slope * t) * torch.exp(gamma * log_wrong) * binary
    return reduce(items, divisor, logits.dtype)


def _alpha_line(alpha: float | None) -> tuple[float, float]:
    """Slope and start of α_t = α t + (1-α)(1-t) in t."""
    return (0.0, 1.0) if alpha is None else (2 * alpha - 1, 1 - alpha)


def sigmoid_focal_vectorized(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """α_t (1-p_t)^γ BCE on whole tensors."""
    _check_focal(logits, target, gamma, alpha, reduction)
    divisor = divisor_of(reduction, logits.numel())
    return _sigmoid_focal(logits, target, gamma, *_alpha_line(alpha), divisor)


_compiled_sigmoid_focal = Compiled(_sigmoid_focal, graphs=32)


def sigmoid_focal_fused(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """The vectorized form, compiled; fewer than two elements are not worth a graph."""
    _check_focal(logits, target, gamma, alpha, reduction)
    divisor = divisor_of(reduction, logits.numel())
    slope, start = _alpha_line(alpha)
    if logits.numel() < 2:
        return _sigmoid_focal(logits, target, gamma, slope, start, divisor)
    result = _compiled_sigmoid_focal(
        graph_input(logits, -1),
        graph_input(target.detach(), -1),
        number(gamma),
        number(slope),
        number(start),
        None if divisor is None else number(divisor),
    )
    return result.reshape(logits.shape) if divisor is None else result
