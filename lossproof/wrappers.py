"""How a fault is put into a form that is right."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lossproof.anatomy import parameters
from lossproof.loss import Loss, Variant

Wrapper = Callable[[Loss], Variant]
"""Makes an impostor that remembers nothing yet."""


def right_of(loss: Loss) -> Variant:
    return loss.variants["vectorized"]


def changing(name: str, change: Callable[[Tensor, Mapping[str, Any]], Tensor]) -> Wrapper:
    """Calls with one tensor parameter changed (all of its tensors, where it is a list)."""

    def wrap(loss: Loss) -> Variant:
        right, place = right_of(loss), list(parameters(loss)).index(name)

        def wrong(*arguments: Any, **options: Any) -> Tensor:
            changed = list(arguments)
            parts = changed[place]
            many = isinstance(parts, list)
            changed[place] = [change(t, options) for t in parts] if many else change(parts, options)
            return right(*changed, **options)

        return wrong

    return wrap


def on_result(change: Callable[[Tensor], Tensor]) -> Wrapper:
    def wrap(loss: Loss) -> Variant:
        right = right_of(loss)
        return lambda *arguments, **options: change(right(*arguments, **options))

    return wrap


class _Replaced(torch.autograd.Function):
    """Another value in place of a result, and its gradient times a factor."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *flow: Tensor) -> tuple[Tensor, None, None]:
        return ctx.factor * flow[0], None, None


def replaced(result: Tensor, value: Tensor, factor: float = 1.0) -> Tensor:
    replaced: Tensor = _Replaced.apply(result, value.detach().to(result), factor)
    return replaced


class _Written(torch.autograd.Function):
    """A result written into other memory."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, memory: Tensor) -> Tensor:
        return memory.view(-1)[: result.numel()].view(result.shape).copy_(result)

    @staticmethod
    def backward(ctx: Any, *flow: Tensor) -> tuple[Tensor, None]:
        return flow[0], None


def written_into(result: Tensor, memory: Tensor) -> Tensor:
    """The result, with its gradient, as a view of memory that it overwrites."""
    written: Tensor = _Written.apply(result, memory)
    return written


def tensors_in(arguments: tuple[Any, ...]) -> list[Tensor]:
    """All tensors, those in lists too."""
    return [t for a in arguments for t in (a if isinstance(a, list) else [a])]


def each(arguments: tuple[Any, ...], change: Callable[[Tensor], Tensor]) -> list[Any]:
    """The arguments with every floating tensor changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(part) for part in value]
        return change(value) if isinstance(value, Tensor) and value.is_floating_point() else value

    return [changed(argument) for argument in arguments]


def divisor_in(right: Variant, arguments: tuple[Any, ...], options: dict[str, Any]) -> float:
    """What the mean divides by, as a call tells."""
    total, mean = (
        float(right(*arguments, **{**options, "reduction": how}).detach()) for how in ("sum", "mean")
    )
    if mean != 0 and math.isfinite(total / mean):
        return total / mean
    return float(max(1, right(*arguments, **{**options, "reduction": "none"}).numel()))
