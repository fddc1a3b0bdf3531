"""Losses of masks whose gradient is written down: two passes over the inputs, and only they are kept.

The first compiled loop gives the sums over the voxels of each mask, and what a loss makes of them; the
second one the gradient, from the slopes of the sums.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impls.arguments import as_voxels, wide
from impls.compiled import Compiled, graph_input

OfSums = Callable[..., Tensor]
"""Of sums (K, *) and numbers: the items (*), or slopes (L, *)."""


def logistic(x: Tensor) -> tuple[Tensor, Tensor]:
    """σ(x) and σ(-x) from one exponential, e⁻ˣ, kept from overflow.

    By exp2: Inductor writes an exponential that has several readers to memory.
    """
    most = 126.0 if x.dtype == torch.float32 else 1022.0
    e = torch.exp2((-1.4426950408889634 * x).clamp(max=most))
    p = 1 / (1 + e)
    return p, e * p


def share_slopes(wrong: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of wrong / (wrong + right) by both; 0 at 0/0, and where they would overflow."""
    whole = wrong + right
    whole = torch.where(whole < 64 * torch.finfo(whole.dtype).tiny, torch.inf, whole)
    return right / whole / whole, -wrong / whole / whole


@dataclass(frozen=True)
class ClosedMasks:
    """Items that are made of sums over masks, M masks of S voxels.

    Attributes:
        formula: (input, target, *conditions) of (..., S) to sums (K, ...), by operations that autograd
            knows, for derivatives of the gradient.
        sums: (input, target, items, slopes, conditions, numbers) of (M, S) to the sums, the items and
            the slopes, compiled.
        gradient: (input, target, slopes, conditions) to the gradient (M, S), compiled.
    """

    formula: Callable[..., Tensor]
    sums: Compiled
    gradient: Compiled

    def __call__(
        self,
        input: Tensor,
        target: Tensor,
        items: OfSums,
        slopes: OfSums,
        numbers: tuple[float, ...],
        conditions: tuple[Any, ...] = (),
        batch: bool = False,
    ) -> Tensor:
        """The items (N, C) of (N, C, *), or (C,) where they are made of the sums over all samples."""
        input, target = wide(input), wide(target.detach())
        # in one tensor: each 0-dim tensor would be a condition of the graph that takes its number
        together = torch.tensor(numbers, dtype=torch.float64, device=input.device)
        how = (items, slopes, together, conditions, batch)
        result: Tensor = _OfMasks.apply(self, input, target, *how)
        return result


class _OfMasks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        form: ClosedMasks,
        input: Tensor,
        target: Tensor,
        items: OfSums,
        slopes: OfSums,
        numbers: Tensor,
        conditions: tuple[Any, ...],
        batch: bool,
    ) -> Tensor:
        batch_size, channels, *_ = input.shape
        rows = [
            _run(form.sums, *pair, items, slopes, conditions, numbers) for pair in _rows(input, target)
        ]
        sums, values, slopes_of_items = rows[0]
        if batch or batch_size * channels == 1:  # an item has several rows
            sums = torch.cat([each for each, _, _ in rows], 1)
            sums = sums.unflatten(1, (sums.shape[1] // max(channels, 1), channels)).sum(1)
            values, slopes_of_items = items(sums, *numbers), slopes(sums, *numbers)
        ctx.save_for_backward(input, target, slopes_of_items)
        ctx.form, ctx.items, ctx.numbers = form, items, numbers
        ctx.conditions, ctx.batch = conditions, batch
        return values.reshape((channels,) if batch else (batch_size, channels))

    @staticmethod
    def backward(ctx: Any, flow: Tensor) -> tuple[Tensor | None, ...]:
        input, target, slopes = ctx.saved_tensors
        form: ClosedMasks = ctx.form
        if torch.is_grad_enabled():  # the gradient is to be derived again
            sums = form.formula(as_voxels(input), as_voxels(target), *ctx.conditions)
            values = ctx.items(sums.sum(1) if ctx.batch else sums, *ctx.numbers)
            (gradient,) = torch.autograd.grad(values, input, flow, create_graph=True)
        else:
            slopes = slopes * flow.flatten()
            slopes = slopes.repeat(1, len(input)) if ctx.batch else slopes
            rows = [
                _run(form.gradient, *pair, graph_input(slopes.expand(-1, len(pair[0]))), ctx.conditions)
                for pair in _rows(input, target)
            ]
            gradient = rows[0] if len(rows) == 1 else torch.cat([row.reshape(-1) for row in rows])
            gradient = gradient.reshape(input.shape)
        return None, gradient, None, None, None, None, None, None


def _rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Masks (N, C, *) as rows (M, S). One alone would need graphs of its own: it is two halves, and the
    odd voxel."""
    masks, voxels = math.prod(tensors[0].shape[:2]), math.prod(tensors[0].shape[2:])
    if masks != 1:
        yield tuple(graph_input(tensor, masks, voxels) for tensor in tensors)
        return
    half = voxels // 2
    rows = [tensor.reshape(voxels) for tensor in tensors]
    yield tuple(graph_input(row[: 2 * half], 2, half) for row in rows)
    if 2 * half < voxels:
        yield tuple(row[None, 2 * half :] for row in rows)


def _run(compiled: Compiled, input: Tensor, *others: Any) -> Any:
    """Fewer than two rows or voxels are not worth a graph."""
    return (compiled if min(input.shape) > 1 else compiled.function)(input, *others)
