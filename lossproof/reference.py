"""The oracle as an implementation: computed in the precision that judges a dtype, rounded once.

It shares nothing with the variants, and nothing can be closer to the truth. Whatever verification says
against it is a false alarm.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossproof import tolerance
from lossproof.anatomy import case_of, flattened, parameters
from lossproof.loss import Loss, Variant
from lossproof.trial import tracked
from properties.case import DTYPES, Array, Case


def reference(loss: Loss) -> Variant:
    """The oracle of a loss as a PyTorch function, with its gradient.

    >>> import torch
    >>> from lossproof import CATALOG
    >>> reference(CATALOG["mse"])(torch.tensor([1.0]), torch.tensor([3.0]))
    tensor(4.)
    """

    def rounded_oracle(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        case = case_of(loss, arguments, options)
        loss.exact(case, reduction=reduction)  # refuses what is outside the domain
        tensors = _tensors(loss, case, arguments, options)
        result: Tensor = _Oracle.apply(loss, case, reduction, *tensors)
        return result

    return rounded_oracle


def _tensors(
    loss: Loss, case: Case, arguments: tuple[Any, ...], options: dict[str, Any]
) -> list[Tensor]:
    """The tensors that may have a gradient, in the order of the loss's arguments."""
    given = flattened({**dict(zip(parameters(loss), arguments, strict=False)), **options})
    return [given[name] for name in tracked(loss.arguments_of(case), "all")]


class _Oracle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: Loss, case: Case, reduction: str, *tensors: Tensor) -> Tensor:
        unit = DTYPES[str(tensors[0].dtype).removeprefix("torch.")].unit
        items = tolerance.exact_items(loss, case, unit)
        divisor = 1.0
        if reduction == "mean":
            positional, options = loss.split(case, case.values)
            divisor = loss.divisor(*positional, **options) if loss.divisor else items.size
        ctx.known = (loss, case, unit, items.shape, reduction, divisor)
        total = items.sum() / divisor if divisor else np.zeros(())
        return _as_tensor(items if reduction == "none" else np.asarray(total), tensors[0])

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("the oracle does not currently support double backward")
        loss, case, unit, shape, reduction, divisor = ctx.known
        (flow,) = flows
        weight = flow.double().cpu().numpy()
        if reduction != "none":
            weight = np.full(shape, weight / divisor if divisor else 0.0)
        gradients = [
            _as_tensor(tolerance.exact_gradient(loss, case, name, weight, unit), flow)
            for name in tracked(loss.arguments_of(case), "all")
        ]
        return (None, None, None, *gradients)


def _as_tensor(array: Array, like: Tensor) -> Tensor:
    with np.errstate(over="ignore"):
        return torch.from_numpy(array.astype(np.float64)).to(like)
