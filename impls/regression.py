"""Variants of the regression losses."""

import torch
import torch.nn.functional as F
from torch import Tensor

from impls.arguments import (
    Divisor,
    collect,
    divisor_of,
    reduce,
    require_floats,
    require_reduction,
    require_shape,
    wide,
)
from impls.closed_form import ClosedForm, with_slope
from impls.compiled import Compiled, graph_input, number


def _check(input: Tensor, target: Tensor, reduction: str) -> None:
    require_floats(input=input, target=target)
    require_shape("target", target, input.shape)
    require_reduction(reduction)


def mse_naive(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(x-y)², one pair at a time."""
    _check(input, target, reduction)
    pairs = zip(wide(input).reshape(-1), wide(target).reshape(-1), strict=True)
    items = collect([(x - y) ** 2 for x, y in pairs], input.shape, input, target)
    return reduce(items, divisor_of(reduction, items.numel()), input.dtype)


def mse_native(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """torch.nn.functional.mse_loss, with half types widened and an empty mean of 0."""
    _check(input, target, reduction)
    items_or_sum = F.mse_loss(
        wide(input), wide(target), reduction="none" if reduction == "none" else "sum"
    )
    divisor = divisor_of(reduction, input.numel()) or 1.0
    return (items_or_sum if divisor == 1 else items_or_sum / divisor).to(input.dtype)


def _mse(input: Tensor, target: Tensor, divisor: Divisor) -> Tensor:
    return reduce((wide(input) - wide(target)).square(), divisor, input.dtype)


def mse_vectorized(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(x-y)² on whole tensors."""
    _check(input, target, reduction)
    return _mse(input, target, divisor_of(reduction, input.numel()))


_compiled_mse = Compiled(_mse, graphs=48)


def mse_fused(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The vectorized form, compiled; fewer than two elements are not worth a graph."""
    _check(input, target, reduction)
    divisor = divisor_of(reduction, input.numel())
    if input.numel() < 2:
        return _mse(input, target, divisor)
    scale = None if divisor is None else number(divisor)
    result = _compiled_mse(graph_input(input, -1), graph_input(target, -1), scale)
    return result.reshape(input.shape) if divisor is None else result


def _mse_and_slope(x: Tensor, y: Tensor, divisor: Divisor) -> tuple[Tensor, Tensor]:
    difference = x - y
    return with_slope(difference * difference, 2 * difference, divisor)


def _mse_value(x: Tensor, y: Tensor, divisor: Divisor) -> Tensor:
    return _mse_and_slope(x, y, divisor)[0]


_closed_mse = ClosedForm(_mse, Compiled(_mse_value, graphs=16), Compiled(_mse_and_slope, graphs=16))


def mse_closed_form(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Value and gradient in one compiled pass; of the difference where the target learns, too."""
    _check(input, target, reduction)
    divisor = divisor_of(reduction, input.numel())
    if not (torch.is_grad_enabled() and target.requires_grad):
        return _closed_mse(input, target, (), divisor)
    difference = wide(input) - wide(target)
    return _closed_mse(difference, torch.zeros_like(difference), (), divisor).to(input.dtype)
