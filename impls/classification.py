"""Variants of the classification losses."""

import math
from collections.abc import Callable

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
from impls.closed_form import ClosedForm, with_slope
from impls.compiled import Compiled, graph_input, number
from impls.softmax_rows import (
    clear_ignored,
    in_one_softmax,
    labels_of,
    probabilities,
    reduced,
    share_of,
    to_gradient,
    weights_of,
)

# Cross entropy: -w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k


def _check_rows(logits: Tensor, target: Tensor, ignore_index: int, reduction: str) -> None:
    """Logits (N, C, *) and int64 labels (N, *)."""
    require_floats(logits=logits)
    is_batch = logits.ndim >= 2 and logits.shape[1] >= 1
    require(is_batch, "logits", "shape (N, C, *)", tuple(logits.shape))
    require_labels("target", target, (logits.shape[0], *logits.shape[2:]))
    if not isinstance(ignore_index, int):
        raise TypeError(f"ignore_index: expected int, got {type(ignore_index).__name__}")
    require_reduction(reduction)


def _check_class_weights(name: str, weights: Tensor | None, logits: Tensor) -> None:
    """None, or a number for each class."""
    if weights is not None:
        require_floats(logits=logits, **{name: weights})
        require_shape(name, weights, logits.shape[1:2])


def _check_cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    label_smoothing: float,
    ignore_index: int,
    reduction: str,
) -> None:
    _check_rows(logits, target, ignore_index, reduction)
    _check_class_weights("weight", weight, logits)
    require_number("label_smoothing", label_smoothing, 0, 1)


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
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
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
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    class_weight = None if weight is None else wide(weight).detach()
    ignored = target == ignore_index
    any_ignored = bool(ignored.any())
    # torch multiplies ignored gradients by 0, which leaves their NaN and inf
    rows = wide(logits).masked_fill(ignored.unsqueeze(1), 0) if any_ignored else wide(logits)
    all_count_one = class_weight is None and not any_ignored and target.numel() > 0
    how = "sum" if reduction == "mean" and not all_count_one else reduction
    result = F.cross_entropy(
        _shifted(rows),
        target,
        class_weight,
        ignore_index=ignore_index,
        reduction=how,
        label_smoothing=label_smoothing,
    )
    if how == reduction:
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
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    smoothing = label_smoothing if label_smoothing > 0 else None
    items, total = _cross_entropy(logits, target, weight, smoothing, ignore_index)
    return _reduce_weighted(items, total, reduction, logits.dtype)


_compiled_cross_entropy = Compiled(_cross_entropy, graphs=32)


def _fused_cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    label_smoothing: float,
    ignore_index: int,
) -> tuple[Tensor, Tensor]:
    """What :func:`_cross_entropy` gives, compiled: a graph each for (N, C) and for (N, C, S).

    Absent weights come as ones and ignore_index as a tensor, so that they need no graph of their own.
    """
    batch, classes = logits.shape[:2]
    if classes < 2 or target.numel() < 2:
        smoothing = label_smoothing if label_smoothing > 0 else None
        return _cross_entropy(logits, target, weight, smoothing, ignore_index)
    spatial = target.numel() // batch
    shape = (spatial,) if spatial > 1 else ()
    items, total = _compiled_cross_entropy(
        graph_input(logits, batch, classes, *shape),
        graph_input(target, batch, *shape),
        logits.new_ones(classes) if weight is None else graph_input(weight.detach()),
        number(label_smoothing),
        torch.tensor(ignore_index),
    )
    return items.reshape(target.shape), total


def cross_entropy_fused(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The items compiled; what is left has one number an item."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    items, total = _fused_cross_entropy(logits, target, weight, label_smoothing, ignore_index)
    return _reduce_weighted(items, total, reduction, logits.dtype)


def _smoothed_softmax(
    rows: Tensor,
    label: Tensor,
    ignored: Tensor | None,
    kept: Tensor | None,
    weight: Tensor | None,
    smoothing: float,
) -> tuple[Tensor, Callable[[float], Tensor]]:
    """Items with smoothed labels, and what makes their gradients times a share.

    With b = ε/C the slope along logit j is (w_t (1-ε) + b Σ w_k) p_j - w_t (1-ε) [j = t] - b w_j.
    """
    class_weight = rows.new_ones(rows.shape[1]) if weight is None else weight
    of_class = class_weight.reshape(-1, *(1 for _ in rows.shape[2:]))
    powers = rows - rows.amax(dim=1, keepdim=True)
    of_label = powers.gather(1, label.unsqueeze(1)).squeeze(1)
    of_all = (powers if weight is None else of_class * powers).sum(dim=1)
    total = powers.exp_().sum(dim=1)
    kept = torch.ones_like(total) if kept is None else kept
    spread = torch.full_like(total, smoothing / len(class_weight))
    if ignored is not None:
        clear_ignored(powers, total, ignored)
        total.masked_fill_(ignored, 1)
        for numbers in (of_label, of_all, spread):
            numbers.masked_fill_(ignored, 0)
    logarithm, all_weights = total.log(), class_weight.sum()
    hard = kept * (1 - smoothing)
    items = hard * (logarithm - of_label) + spread * (all_weights * logarithm - of_all)

    def gradient(share: float) -> Tensor:
        powers.mul_(((hard + spread * all_weights) * share / total).unsqueeze(1))
        powers.addcmul_((spread * share).unsqueeze(1), of_class, value=-1)
        return powers.scatter_add_(1, label.unsqueeze(1), (-hard * share).unsqueeze(1))

    return items, gradient


def cross_entropy_closed_form(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """One softmax, which becomes the gradient in place."""
    _check_cross_entropy(logits, target, weight, label_smoothing, ignore_index, reduction)
    smoothing = label_smoothing if label_smoothing > 0 else None

    def formula(logits: Tensor) -> Tensor:
        items, total = _cross_entropy(logits, target, weight, smoothing, ignore_index)
        return _reduce_weighted(items, total, reduction, logits.dtype)

    def evaluation(rows: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        label, ignored = labels_of(target, ignore_index)
        class_weight = None if weight is None else wide(weight).detach()
        kept = weights_of(label, ignored, class_weight, rows.dtype)
        share = share_of(label.numel() if kept is None else kept.sum().item(), reduction)
        if smoothing is None:
            p, log_p = probabilities(rows, label, ignored)
            items = log_p.neg_() if kept is None else log_p.mul_(-kept)
            fall = share if kept is None else share * kept
            return reduced(items, share, reduction), lambda: to_gradient(p, label, fall)
        items, gradient = _smoothed_softmax(rows, label, ignored, kept, class_weight, smoothing)
        return reduced(items, share, reduction), lambda: gradient(share)

    return in_one_softmax(logits, formula, evaluation)


# Binary cross entropies on logits: a t softplus(-x) + b (1-t) softplus(x)


def _check_pair(name: str, values: Tensor, target: Tensor, reduction: str) -> None:
    """Floats of one dtype and shape."""
    require_floats(**{name: values}, target=target)
    require_shape("target", target, values.shape)
    require_reduction(reduction)


def _check_binary(logits: Tensor, target: Tensor, pos_weight: float, reduction: str) -> None:
    _check_pair("logits", logits, target, reduction)
    require_number("pos_weight", pos_weight, 0, float("inf"))
    require(0 < pos_weight < float("inf"), "pos_weight", "a finite number above 0", pos_weight)


def _one_binary(x: Tensor, t: Tensor, positive: float | Tensor, negative: float | Tensor) -> Tensor:
    """One item, its logarithms of σ(x) and 1-σ(x) = σ(-x) taken without σ."""
    return -(positive * t * F.logsigmoid(x) + negative * (1 - t) * F.logsigmoid(-x))


def _naive_binary(
    logits: Tensor,
    target: Tensor,
    positive: float | Tensor,
    negative: float | Tensor,
    reduction: str,
) -> Tensor:
    pairs = zip(wide(logits).reshape(-1), wide(target).detach().reshape(-1), strict=True)
    items = [_one_binary(x, t, positive, negative) for x, t in pairs]
    losses = collect(items, logits.shape, logits)
    return reduce(losses, divisor_of(reduction, len(items)), logits.dtype)


def binary_cross_entropy_naive(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """-[ω t log σ(x) + (1-t) log σ(-x)], one item at a time."""
    _check_binary(logits, target, pos_weight, reduction)
    return _naive_binary(logits, target, pos_weight, 1.0, reduction)


def binary_cross_entropy_native(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """torch.nn.functional.binary_cross_entropy_with_logits, of the positives and of the negatives.

    In one call torch takes log σ(x) from (1-t) x, which rounds the small loss of a sure negative to
    the spacing of its logit.
    """
    _check_binary(logits, target, pos_weight, reduction)
    x, t = wide(logits), wide(target).detach()
    ones, how = torch.ones_like(x), "none" if reduction == "none" else "sum"
    binary = F.binary_cross_entropy_with_logits
    positives = binary(x, ones, weight=pos_weight * t, reduction=how)
    negatives = binary(-x, ones, weight=1 - t, reduction=how)
    divisor = divisor_of(reduction, logits.numel()) or 1.0
    return ((positives + negatives) / divisor).to(logits.dtype)


def _binary(
    logits: Tensor,
    target: Tensor,
    positive: float | Tensor,
    negative: float | Tensor,
    divisor: Divisor,
) -> Tensor:
    """Both softplus in one logarithm: that of |x| is |x| more than that of -|x|."""
    x, t = wide(logits), wide(target).detach()
    of_one, of_zero = positive * t, negative * (1 - t)
    below = x < 0
    size = torch.where(below, -x, x)  # |x|, but with a slope of 1 at 0
    items = size * torch.where(below, of_one, of_zero) - (of_one + of_zero) * F.logsigmoid(size)
    return reduce(items, divisor, logits.dtype)


def binary_cross_entropy_vectorized(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """-[ω t log σ(x) + (1-t) log σ(-x)] on whole tensors."""
    _check_binary(logits, target, pos_weight, reduction)
    return _binary(logits, target, pos_weight, 1.0, divisor_of(reduction, logits.numel()))


_compiled_binary = Compiled(_binary, graphs=32)


def _fused_binary(
    logits: Tensor,
    target: Tensor,
    positive: float | Tensor,
    negative: float | Tensor,
    reduction: str,
) -> Tensor:
    """The vectorized form, compiled; fewer than two elements are not worth a graph."""
    divisor = divisor_of(reduction, logits.numel())
    if logits.numel() < 2:
        return _binary(logits, target, positive, negative, divisor)
    weights = (w.double() if isinstance(w, Tensor) else number(w) for w in (positive, negative))
    result = _compiled_binary(
        graph_input(logits, -1),
        graph_input(target.detach(), -1),
        *weights,
        None if divisor is None else number(divisor),
    )
    return result.reshape(logits.shape) if divisor is None else result


def binary_cross_entropy_fused(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The vectorized form, compiled."""
    _check_binary(logits, target, pos_weight, reduction)
    return _fused_binary(logits, target, pos_weight, 1.0, reduction)


def _logistic(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """σ(x), σ(-x) and log(1 + e^-|x|) from one exponential and one logarithm.

    The logarithm of u = 1 + e is Inductor's own, which is several times faster than log1p; what was lost
    in rounding u is known, e - (u-1), and put back.
    """
    e = torch.exp(-x.abs())
    u = 1 + e
    large = 1 / u
    small = e * large
    logarithm = torch.log(u) + (e - (u - 1)) * large
    positive = x >= 0
    return torch.where(positive, large, small), torch.where(positive, small, large), logarithm


def _binary_and_slope(
    x: Tensor, t: Tensor, positive: Tensor, negative: Tensor, divisor: Divisor
) -> tuple[Tensor, Tensor]:
    """b (1-t) p - a t (1-p) has no difference in it that a hard target leaves."""
    p, not_p, logarithm = _logistic(x)
    of_one, of_zero = positive * t, negative * (1 - t)
    items = x.abs() * torch.where(x < 0, of_one, of_zero) + (of_one + of_zero) * logarithm
    return with_slope(items, of_zero * p - of_one * not_p, divisor)


def _binary_value(x: Tensor, t: Tensor, positive: Tensor, negative: Tensor, divisor: Divisor) -> Tensor:
    return _binary_and_slope(x, t, positive, negative, divisor)[0]


_closed_binary = ClosedForm(
    _binary, Compiled(_binary_value, graphs=16), Compiled(_binary_and_slope, graphs=16)
)


def binary_cross_entropy_closed_form(
    logits: Tensor, target: Tensor, *, pos_weight: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """Value and gradient in one compiled pass."""
    _check_binary(logits, target, pos_weight, reduction)
    divisor = divisor_of(reduction, logits.numel())
    return _closed_binary(logits, target, (pos_weight, 1.0), divisor)


# Log loss: -[t log p + (1-t) log(1-p)], each logarithm at least -100

LOG_FLOOR = -100.0


def _one_log_loss(p: Tensor, t: Tensor) -> Tensor:
    """One item; where a probability is 0 its logarithm is the floor, without a slope."""
    log_p = torch.log(p).clamp(min=LOG_FLOOR) if p > 0 else 0 * p + LOG_FLOOR
    log_not_p = torch.log1p(-p).clamp(min=LOG_FLOOR) if p < 1 else 0 * p + LOG_FLOOR
    return -(t * log_p + (1 - t) * log_not_p)


def log_loss_naive(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-[t log p + (1-t) log(1-p)], one item at a time."""
    _check_pair("probs", probs, target, reduction)
    pairs = zip(wide(probs).reshape(-1), wide(target).detach().reshape(-1), strict=True)
    items = [_one_log_loss(p, t) for p, t in pairs]
    losses = collect(items, probs.shape, probs)
    return reduce(losses, divisor_of(reduction, len(items)), probs.dtype)


def log_loss_native(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """torch.nn.functional.binary_cross_entropy, widened, with an empty mean of 0."""
    _check_pair("probs", probs, target, reduction)
    how = "none" if reduction == "none" else "sum"
    with torch.autocast(probs.device.type, enabled=False):  # which torch refuses on GPUs
        result = F.binary_cross_entropy(wide(probs), wide(target).detach(), reduction=how)
    return (result / (divisor_of(reduction, probs.numel()) or 1.0)).to(probs.dtype)


def _log_loss(probs: Tensor, target: Tensor, divisor: Divisor) -> Tensor:
    p, t = wide(probs), wide(target).detach()
    log_p = torch.log(torch.where(p > 0, p, 1)).clamp(min=LOG_FLOOR)
    log_not_p = torch.log1p(-torch.where(p < 1, p, 0))  # p < 1 keeps it far above the floor
    log_p = torch.where(p > 0, log_p, LOG_FLOOR)
    log_not_p = torch.where(p < 1, log_not_p, LOG_FLOOR)
    return reduce(-(t * log_p + (1 - t) * log_not_p), divisor, probs.dtype)


def log_loss_vectorized(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-[t log p + (1-t) log(1-p)] on whole tensors."""
    _check_pair("probs", probs, target, reduction)
    return _log_loss(probs, target, divisor_of(reduction, probs.numel()))


_compiled_log_loss = Compiled(_log_loss, graphs=32)


def log_loss_fused(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The vectorized form, compiled; fewer than two elements are not worth a graph."""
    _check_pair("probs", probs, target, reduction)
    divisor = divisor_of(reduction, probs.numel())
    if probs.numel() < 2:
        return _log_loss(probs, target, divisor)
    scale = None if divisor is None else number(divisor)
    result = _compiled_log_loss(graph_input(probs, -1), graph_input(target.detach(), -1), scale)
    return result.reshape(probs.shape) if divisor is None else result


def _log_loss_and_slope(p: Tensor, t: Tensor, divisor: Divisor) -> tuple[Tensor, Tensor]:
    """(1-t)/(1-p) - t/p, without the part of a logarithm at its floor. What is lost in rounding 1-p is
    known, -p - ((1-p) - 1), and put back into its logarithm."""
    not_p = 1 - p
    least = not_p.clamp(min=torch.finfo(p.dtype).tiny)
    log_p = torch.log(p).clamp(min=LOG_FLOOR)
    log_not_p = (torch.log(not_p) + (-p - (not_p - 1)) / least).clamp(min=LOG_FLOOR)
    of_one = torch.where(log_p > LOG_FLOOR, t / p, 0)
    of_zero = torch.where(log_not_p > LOG_FLOOR, (1 - t) / least, 0)
    return with_slope(-(t * log_p + (1 - t) * log_not_p), of_zero - of_one, divisor)


def _log_loss_value(p: Tensor, t: Tensor, divisor: Divisor) -> Tensor:
    return _log_loss_and_slope(p, t, divisor)[0]


_closed_log_loss = ClosedForm(
    _log_loss, Compiled(_log_loss_value, graphs=16), Compiled(_log_loss_and_slope, graphs=16)
)


def log_loss_closed_form(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Value and gradient in one compiled pass."""
    _check_pair("probs", probs, target, reduction)
    return _closed_log_loss(probs, target, (), divisor_of(reduction, probs.numel()))


# Balanced cross entropy: the binary form with β for the positives and 1-β for the negatives


def _check_balanced(logits: Tensor, target: Tensor, beta: float | None, reduction: str) -> None:
    _check_pair("logits", logits, target, reduction)
    if beta is not None:
        require_number("beta", beta, 0, 1)


def _balance(target: Tensor, beta: float | None) -> tuple[float | Tensor, float | Tensor]:
    """β and 1-β, each a mean of its own where beta is None: 1 - mean(t) would lose digits."""
    if beta is not None:
        return beta, 1 - beta
    t = wide(target).detach()
    return (1 - t).mean(), t.mean()


def balanced_cross_entropy_naive(
    logits: Tensor, target: Tensor, *, beta: float | None = None, reduction: str = "mean"
) -> Tensor:
    """-[β t log σ(x) + (1-β)(1-t) log σ(-x)], one item at a time."""
    _check_balanced(logits, target, beta, reduction)
    return _naive_binary(logits, target, *_balance(target, beta), reduction)


def balanced_cross_entropy_vectorized(
    logits: Tensor, target: Tensor, *, beta: float | None = None, reduction: str = "mean"
) -> Tensor:
    """-[β t log σ(x) + (1-β)(1-t) log σ(-x)] on whole tensors."""
    _check_balanced(logits, target, beta, reduction)
    divisor = divisor_of(reduction, logits.numel())
    return _binary(logits, target, *_balance(target, beta), divisor)


def balanced_cross_entropy_fused(
    logits: Tensor, target: Tensor, *, beta: float | None = None, reduction: str = "mean"
) -> Tensor:
    """The vectorized form, compiled; β of the batch is taken before."""
    _check_balanced(logits, target, beta, reduction)
    return _fused_binary(logits, target, *_balance(target, beta), reduction)


def balanced_cross_entropy_closed_form(
    logits: Tensor, target: Tensor, *, beta: float | None = None, reduction: str = "mean"
) -> Tensor:
    """Value and gradient in one compiled pass."""
    _check_balanced(logits, target, beta, reduction)
    return _closed_binary(logits, target, _balance(target, beta), divisor_of(reduction, logits.numel()))


# Softmax focal loss: -α_t (1-q)^γ log q, q = s + (1-2s) p_t


def _check_softmax_focal(
    logits: Tensor,
    target: Tensor,
    gamma: float,
    alpha: Tensor | None,
    smoothing: float,
    ignore_index: int,
    reduction: str,
) -> None:
    _check_rows(logits, target, ignore_index, reduction)
    require_number("gamma", gamma, 0, float("inf"))
    _check_class_weights("alpha", alpha, logits)
    require_number("smoothing", smoothing, 0, 0.5)
    require(smoothing < 0.5, "smoothing", "a number below 0.5", smoothing)


def _focal(log_p: Tensor, others: Tensor, gamma: float | Tensor, smoothing: Tensor) -> Tensor:
    """-(1-q)^γ log q from log p_t and 1-p_t.

    log(1-q) is taken from whichever of q and 1-q is small, so that γ times it is exact, and stays
    finite where the power's slope does not.
    """
    sure = 1 - 2 * smoothing
    q, rest = smoothing + sure * log_p.exp(), smoothing + sure * others
    log_q = torch.logaddexp(torch.log(smoothing), torch.log(sure) + log_p)
    from_rest = torch.log(rest.clamp(min=torch.finfo(rest.dtype).tiny))
    log_rest = torch.where(q < 0.5, torch.log1p(-q.clamp(max=0.75)), from_rest)
    return -torch.exp(gamma * log_rest) * log_q


def _class_weights_of(target: Tensor, alpha: Tensor | None, ignored: Tensor, like: Tensor) -> Tensor:
    """Each item's class weight; 0 for ignored ones."""
    kept = (~ignored).to(like.dtype)
    if alpha is None:
        return kept
    return kept * wide(alpha).detach()[torch.where(ignored, 0, target)]


def _one_softmax_focal(log_probability: Tensor, label: int, gamma: float, smoothing: float) -> Tensor:
    """One item without its weight, 1-p_t as the sum of the other probabilities."""
    p, sure = log_probability.exp(), 1 - 2 * smoothing
    q = smoothing + sure * p[label]
    rest = smoothing + sure * (p[:label].sum() + p[label + 1 :].sum())
    log_q = log_probability[label]
    if smoothing > 0:
        log_q = torch.logaddexp(log_q + math.log(sure), log_q.new_tensor(math.log(smoothing)))
    if rest == 0:
        return -log_q if gamma == 0 else 0 * log_q
    log_rest = torch.log1p(-q) if q < 0.5 else torch.log(rest)
    return -torch.exp(gamma * log_rest) * log_q


def softmax_focal_naive(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-α_t (1-q)^γ log q, one item at a time."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    classes = logits.shape[1]
    rows = wide(logits).movedim(1, -1).reshape(-1, classes)
    rows = rows.masked_fill((target == ignore_index).reshape(-1, 1), 0)
    class_weight = rows.new_ones(classes) if alpha is None else wide(alpha).detach()
    items = []
    for row, label in zip(rows, target.reshape(-1), strict=True):
        if label == ignore_index:
            items.append(0 * row.sum())
            continue
        shifted = row - row.max().detach()
        log_probability = shifted - torch.log(torch.exp(shifted).sum())
        item = _one_softmax_focal(log_probability, int(label), gamma, smoothing)
        items.append(class_weight[label] * item)
    losses = collect(items, target.shape, logits)
    total = (target != ignore_index).sum().to(losses.dtype)
    return _reduce_weighted(losses, total, reduction, logits.dtype)


def softmax_focal_vectorized(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-α_t (1-q)^γ log q with 1-p_t from the other classes' probabilities."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    ignored = target == ignore_index
    rows = wide(logits).masked_fill(ignored.unsqueeze(1), 0)
    log_probability = F.log_softmax(_shifted(rows), dim=1)
    label = torch.where(ignored, 0, target).unsqueeze(1)
    log_p = log_probability.gather(1, label).squeeze(1)
    others = log_probability.exp().scatter(1, label, 0).sum(dim=1)
    weight = _class_weights_of(target, alpha, ignored, log_p)
    items = weight * _focal(log_p, others, gamma, number(smoothing))
    return _reduce_weighted(items, (~ignored).to(items.dtype).sum(), reduction, logits.dtype)


def _focal_of_cross_entropy(entropy: Tensor, weight: Tensor, gamma: Tensor, smoothing: Tensor) -> Tensor:
    """Weighted focal items from items of cross entropy, -log p_t."""
    return weight * _focal(-entropy, -torch.expm1(-entropy), gamma, smoothing)


_compiled_focal_of_cross_entropy = Compiled(_focal_of_cross_entropy, graphs=8)


def softmax_focal_fused(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-log p_t from cross entropy's graphs, the rest from one of its own, which sees no classes."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)
    ignored = target == ignore_index
    entropy, total = _fused_cross_entropy(logits, target, None, 0.0, ignore_index)
    weight = _class_weights_of(target, alpha, ignored, entropy)
    settings = (number(gamma), number(smoothing))
    if target.numel() < 2:
        items = _focal_of_cross_entropy(entropy, weight, *settings)
    else:
        flat = (graph_input(entropy, -1), graph_input(weight, -1))
        items = _compiled_focal_of_cross_entropy(*flat, *settings).reshape(target.shape)
    return _reduce_weighted(items, total, reduction, logits.dtype)


def _focal_and_fall(log_p: Tensor, gamma: Tensor, smoothing: Tensor) -> tuple[Tensor, Tensor]:
    """Items without weight, and how fast they fall as log p_t grows.

    With r = 1-q that is (1-2s) p_t (r^γ / q - γ r^(γ-1) log q). Where r is 0, so is log q, and the
    ratio p_t / q is taken from logarithms: it is 1 where p_t = q vanishes.
    """
    sure = 1 - 2 * smoothing
    p, log_sure_p = sure * log_p.exp(), torch.log(sure) + log_p
    q, rest = smoothing + p, smoothing - sure * torch.expm1(log_p)
    least = rest.clamp(min=torch.finfo(rest.dtype).tiny)
    log_q = torch.logaddexp(torch.log(smoothing), log_sure_p)
    log_rest = torch.where(q < 0.5, torch.log1p(-q.clamp(max=0.75)), torch.log(least))
    power = torch.exp(gamma * log_rest)
    fall = power * (torch.exp(log_sure_p - log_q) - gamma * p * (log_q / least))
    return -power * log_q, fall


_compiled_focal_and_fall = Compiled(_focal_and_fall, graphs=8)


def softmax_focal_closed_form(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """One softmax, which becomes the gradient in place; items and their slopes in a compiled pass."""
    _check_softmax_focal(logits, target, gamma, alpha, smoothing, ignore_index, reduction)

    def formula(logits: Tensor) -> Tensor:
        return softmax_focal_vectorized(
            logits,
            target,
            gamma=gamma,
            alpha=alpha,
            smoothing=smoothing,
            ignore_index=ignore_index,
            reduction=reduction,
        )

    def evaluation(rows: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        label, ignored = labels_of(target, ignore_index)
        class_weight = None if alpha is None else wide(alpha).detach()
        weight = weights_of(label, ignored, class_weight, rows.dtype)
        p, log_p = probabilities(rows, label, ignored)
        settings = (number(gamma), number(smoothing))
        if label.numel() < 2:
            items, fall = _focal_and_fall(log_p, *settings)
        else:
            parts = _compiled_focal_and_fall(graph_input(log_p, -1), *settings)
            items, fall = (part.reshape(label.shape) for part in parts)
        if weight is not None:
            items, fall = items * weight, fall * weight
        kept = label.numel() if ignored is None else label.numel() - ignored.sum().item()
        share = share_of(kept, reduction)
        return reduced(items, share, reduction), lambda: to_gradient(p, label, fall.mul_(share))

    return in_one_softmax(logits, formula, evaluation)


# Sigmoid focal loss: α_t (1-p_t)^γ BCE(x, t)


def _check_sigmoid_focal(
    logits: Tensor, target: Tensor, gamma: float, alpha: float | None, reduction: str
) -> None:
    _check_pair("logits", logits, target, reduction)
    require_number("gamma", gamma, 0, float("inf"))
    if alpha is not None:
        require_number("alpha", alpha, 0, 1)


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
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
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
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
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
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
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


def _sigmoid_focal_and_slope(
    x: Tensor,
    t: Tensor,
    gamma: Tensor | None,
    alpha_slope: Tensor,
    alpha_start: Tensor,
    divisor: Divisor,
) -> tuple[Tensor, Tensor]:
    """With m = 1-p_t: m^γ BCE and its slope m^γ (p-t) + γ m^(γ-1) p(1-p)(1-2t) BCE; γ = None means 2.

    p-t is p(1-t) - (1-p)t, as m is p(1-t) + (1-p)t; the logarithm of m near 1 is put right like that
    of :func:`_logistic`.
    """
    p, not_p, logarithm = _logistic(x)
    wrong_if_zero, wrong_if_one = p * (1 - t), not_p * t
    wrong = wrong_if_zero + wrong_if_one
    binary = x.abs() * torch.where(x < 0, t, 1 - t) + logarithm
    bend = binary * p * not_p * (1 - 2 * t)
    if gamma is None:
        power = wrong * wrong
        slope_of_power = 2 * wrong * bend
    else:
        right = p * t + not_p * (1 - t)
        least = wrong.clamp(min=torch.finfo(x.dtype).tiny)
        base = torch.where(right < 0.5, 1 - right, least)
        lost = torch.where(right < 0.5, -right - (base - 1), 0)
        power = torch.exp(gamma * (torch.log(base) + lost / base))
        slope_of_power = gamma * power * (bend / least)
    alpha = alpha_start + alpha_slope * t
    slope = power * (wrong_if_zero - wrong_if_one) + slope_of_power
    return with_slope(alpha * power * binary, alpha * slope, divisor)


def _sigmoid_focal_value(
    x: Tensor,
    t: Tensor,
    gamma: Tensor | None,
    alpha_slope: Tensor,
    alpha_start: Tensor,
    divisor: Divisor,
) -> Tensor:
    return _sigmoid_focal_and_slope(x, t, gamma, alpha_slope, alpha_start, divisor)[0]


def _sigmoid_focal_or_square(
    logits: Tensor,
    target: Tensor,
    gamma: float | Tensor | None,
    alpha_slope: float | Tensor,
    alpha_start: float | Tensor,
    divisor: Divisor,
) -> Tensor:
    """The plain formula, for which γ = None means 2 as well."""
    exponent = 2.0 if gamma is None else gamma
    return _sigmoid_focal(logits, target, exponent, alpha_slope, alpha_start, divisor)


_closed_sigmoid_focal = ClosedForm(
    _sigmoid_focal_or_square,
    Compiled(_sigmoid_focal_value, graphs=16),
    Compiled(_sigmoid_focal_and_slope, graphs=16),
)


def sigmoid_focal_closed_form(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """Value and gradient in one compiled pass; γ = 2 is a square, without a second exponential."""
    _check_sigmoid_focal(logits, target, gamma, alpha, reduction)
    numbers = (None if gamma == 2 else gamma, *_alpha_line(alpha))
    return _closed_sigmoid_focal(logits, target, numbers, divisor_of(reduction, logits.numel()))
