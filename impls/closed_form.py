"""Losses whose gradient is written down: value and gradient in one pass over the inputs.

Autograd keeps what the backward pass may need and reads it all again; here one compiled loop gives the
value and the slope of each element, and the slope is all that is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impls.arguments import Divisor, wide
from impls.compiled import Compiled, graph_input, number

Numbers = tuple[float | Tensor | None, ...]


@dataclass(frozen=True)
class ClosedForm:
    """A loss of an input with a gradient, a target without one, and numbers.

    Attributes:
        formula: (input, target, *numbers, divisor) to the loss, by operations that autograd knows. It
            serves less than two elements, and gives derivatives of the gradient.
        value: the same, compiled.
        value_and_slope: the same and its derivative by each element of the input, compiled.
    """

    formula: Callable[..., Tensor]
    value: Compiled
    value_and_slope: Compiled

    def __call__(self, input: Tensor, target: Tensor, numbers: Numbers, divisor: Divisor) -> Tensor:
        """The items where the divisor is None, else their sum over it, in the dtype of the input.

        Half types are widened here, so that the slope is rounded once, when it is the gradient.
        """
        if input.numel() < 2:
            return self.formula(input, target, *numbers, divisor)
        if torch.is_grad_enabled() and input.requires_grad:
            result: Tensor = _InOnePass.apply(self, input, target.detach(), (*numbers, divisor))
            return result
        return _like(input, _flat(self.value, input, target.detach(), (*numbers, divisor)))


def _flat(compiled: Compiled, input: Tensor, target: Tensor, numbers: Numbers) -> Any:
    """What a compiled function gives of both in one axis."""
    tensors = (graph_input(wide(tensor), -1) for tensor in (input, target))
    return compiled(*tensors, *map(_as_tensor, numbers))


def _like(input: Tensor, result: Tensor) -> Tensor:
    """In the dtype of the input, and in its shape unless it is one number."""
    result = result.to(input.dtype)
    return result.reshape(input.shape) if result.ndim else result


def _as_tensor(value: float | Tensor | None) -> Tensor | None:
    """A number as an input of a graph; None stays a condition of it."""
    if isinstance(value, Tensor):
        return value.double()
    return None if value is None else number(value)


def with_slope(items: Tensor, slope: Tensor, divisor: Divisor) -> tuple[Tensor, Tensor]:
    """Both as they are, or the sum of the items and the slope, each over the divisor."""
    return (items, slope) if divisor is None else (items.sum() / divisor, slope / divisor)


class _InOnePass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, form: ClosedForm, input: Tensor, target: Tensor, numbers: Numbers) -> Tensor:
        result, slope = _flat(form.value_and_slope, input, target, numbers)
        ctx.save_for_backward(input, target, slope.reshape(input.shape))
        ctx.form, ctx.numbers = form, numbers
        return _like(input, result)

    @staticmethod
    def backward(ctx: Any, flow: Tensor) -> tuple[None, Tensor, None, None]:
        input, target, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be derived again
            value = ctx.form.formula(input, target, *ctx.numbers)
            (slope,) = torch.autograd.grad(value, input, flow, create_graph=True)
        elif not is_one(flow):
            slope = slope * flow
        return None, slope.to(input.dtype), None, None


def is_one(flow: Tensor) -> bool:
    """Whether the loss itself was asked for its gradient. Asking a device would wait for it."""
    return flow.ndim == 0 and flow.device.type == "cpu" and flow.item() == 1
