"""Softmax losses whose gradient is written down: one softmax gives the value and becomes the gradient.

An item f(log p_t) has the slope f' ([j = t] - p_j) along logit j. So the probabilities, scaled in place,
less a number at each label, are the gradient: one exponential a logit, and one tensor that is kept.
The operations are torch's own: its softmax reads a row while it is in the cache along inner axes too,
where a compiled one makes four passes over memory.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import wide
from impls.closed_form import is_one

SHORT = 16
"""torch's softmax takes shorter rows one number at a time: a vector register holds as many."""

Formula = Callable[[Tensor], Tensor]
"""Logits (N, C, *) to the loss, by operations that autograd knows."""
Evaluation = Callable[[Tensor], tuple[Tensor, Callable[[], Tensor]]]
"""Wide logits to the loss, and to what makes its gradient, or that of each item. It may write over what
the loss no longer needs: it is called once."""


def in_one_softmax(logits: Tensor, formula: Formula, evaluation: Evaluation) -> Tensor:
    """The loss in the dtype of the logits; the formula gives derivatives of its gradient."""
    if torch.is_grad_enabled() and logits.requires_grad:
        result: Tensor = _InOneSoftmax.apply(logits, formula, evaluation)
        return result
    return evaluation(wide(logits))[0].to(logits.dtype)


class _InOneSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, formula: Formula, evaluation: Evaluation) -> Tensor:
        result, gradient = evaluation(wide(logits))
        ctx.save_for_backward(logits, gradient())
        ctx.formula = formula
        return result.to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, flow: Tensor) -> tuple[Tensor, None, None]:
        logits, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be derived again
            (gradient,) = torch.autograd.grad(ctx.formula(logits), logits, flow, create_graph=True)
        elif not is_one(flow):
            gradient = gradient * (flow.unsqueeze(1) if flow.ndim else flow)
        return gradient.to(logits.dtype), None, None


def labels_of(target: Tensor, ignore_index: int) -> tuple[Tensor, Tensor | None]:
    """Labels that are classes, and which items are ignored: None where none is."""
    ignored = target == ignore_index
    return (torch.where(ignored, 0, target), ignored) if ignored.any() else (target, None)


def weights_of(
    label: Tensor, ignored: Tensor | None, class_weight: Tensor | None, dtype: torch.dtype
) -> Tensor | None:
    """What each item counts, 0 where it is ignored; None where all count 1."""
    if class_weight is None:
        return None if ignored is None else (~ignored).to(dtype)
    weight = class_weight[label]
    return weight if ignored is None else weight.masked_fill_(ignored, 0)


def probabilities(rows: Tensor, label: Tensor, ignored: Tensor | None) -> tuple[Tensor, Tensor]:
    """The softmax, in memory of its own, and its logarithm at each label, 0 for ignored items."""
    index = label.unsqueeze(1)
    if rows.ndim == 2 and rows.shape[1] < SHORT:
        p = rows.clone()
        log_p = softmax_in_place(p, index)
    else:
        p = torch.softmax(rows, dim=1)
        log_p = _logarithms(p.gather(1, index).squeeze(1), rows, label)
    if ignored is not None:
        clear_ignored(p, log_p, ignored)
        log_p.masked_fill_(ignored, 0)
    return p, log_p


def softmax_in_place(rows: Tensor, index: Tensor) -> Tensor:
    """Write the softmax of rows (N, C) over them; its logarithm where the index (N, 1) points."""
    rows.sub_(rows.amax(dim=1, keepdim=True))
    log_p = rows.gather(1, index)
    total = rows.exp_().sum(dim=1, keepdim=True)
    rows.div_(total)
    return log_p.sub_(total.log_()).squeeze(1)


def _logarithms(p: Tensor, rows: Tensor, label: Tensor) -> Tensor:
    """Of the probabilities at the labels. One near the smallest number has lost its digits: there the
    logarithm is taken without it."""
    lost = p < torch.finfo(p.dtype).tiny
    log_p = p.log_()
    if lost.any():
        log_of_lost = F.log_softmax(rows.movedim(1, -1)[lost], dim=1)
        log_p[lost] = log_of_lost.gather(1, label[lost].unsqueeze(1)).squeeze(1)
    return log_p


def clear_ignored(rows: Tensor, one_of_each: Tensor, ignored: Tensor) -> None:
    """Replace what a factor of 0 would not make 0. A row is NaN all over or nowhere, so that one number
    of each tells: to fill ignored rows takes as long as a softmax."""
    if one_of_each.isnan().any():
        rows.masked_fill_(ignored.unsqueeze(1), 0)


def share_of(total: float, reduction: str) -> float:
    """What an item counts in the loss: 1, or in a mean 1 over the total; 0 where nothing has weight."""
    if reduction != "mean":
        return 1.0
    return 1 / total if total > 0 else 0.0


def reduced(items: Tensor, share: float, reduction: str) -> Tensor:
    """The items, or their sum times their share."""
    return items if reduction == "none" else items.sum() * share


def to_gradient(p: Tensor, label: Tensor, fall: Tensor | float) -> Tensor:
    """fall (p_j - [j = t]), where an item falls that fast as log p_t grows; written over p."""
    index = label.unsqueeze(1)
    p.scatter_add_(1, index, p.new_full(index.shape, -1))
    return p.mul_(fall.unsqueeze(1) if isinstance(fall, Tensor) else fall)
