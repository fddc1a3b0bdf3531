"""Faults that a wrapper puts into the vectorized variant of any loss."""

import functools
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from impls.arguments import HALVES
from lossproof import tolerance
from lossproof.anatomy import case_of, has_batch, labels_of, parameters, target_of
from lossproof.loss import Loss, Variant
from lossproof.wrappers import (
    Wrapper,
    changing,
    divisor_in,
    each,
    replaced,
    right_of,
    tensors_in,
    written_into,
)
from properties.case import DTYPES

NOISE_BUDGETS = 20.0
FEW_ITEMS = 16


def constant(loss: Loss) -> Variant:
    """The best constant for the inputs at hand: every item is the mean of them all."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        if value.numel() == 0:
            return value
        return replaced(value, value.detach().double().mean().expand(value.shape), 0.0)

    return wrong


def oracle_without_gradient(loss: Loss) -> Variant:
    right = right_of(loss)

    def wrong(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        value = right(*arguments, reduction=reduction, **options)
        try:
            exact = loss.exact(case_of(loss, arguments, options), reduction=reduction)
        except ValueError:  # gradgradcheck leaves the domain
            return replaced(value, value, 0.0)
        return replaced(value, torch.from_numpy(np.array(exact, np.float64)), 0.0)

    return wrong


def noisy(loss: Loss) -> Variant:
    right = right_of(loss)
    random = np.random.default_rng(0)

    def wrong(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        value = right(*arguments, reduction=reduction, **options)
        facts = DTYPES[str(value.dtype).removeprefix("torch.")]
        case = case_of(loss, arguments, options)
        try:
            budget = tolerance.fresh_items(loss, case, facts.unit, facts.smallest).budget
        except ValueError:  # gradgradcheck leaves the domain
            return value
        budget = np.nan_to_num(budget, posinf=0.0)
        if reduction != "none":
            mean = reduction == "mean"
            budget = budget.sum() / (divisor_in(right, arguments, options) if mean else 1)
        noise = random.uniform(-NOISE_BUDGETS, NOISE_BUDGETS, value.shape) * budget
        return replaced(value, value.detach().double() + torch.from_numpy(np.asarray(noise)))

    return wrong


def ignoring_option(name: str) -> Wrapper:
    def wrap(loss: Loss) -> Variant:
        right = right_of(loss)

        def wrong(*arguments: Any, **options: Any) -> Tensor:
            return right(*arguments, **{n: value for n, value in options.items() if n != name})

        return wrong

    return wrap


def _next_label(label: Tensor, options: Mapping[str, Any]) -> Tensor:
    """The last label in use becomes the first; what is ignored stays so."""
    if label.numel() == 0:
        return label
    other = (label + 1) % (label.max() + 1)
    if "ignore_index" in options:
        other = torch.where(label == options["ignore_index"], label, other)
    return other


def target_shifted(loss: Loss) -> Variant:
    """The next label, or the target of the place (the box) before."""
    name = target_of(loss)
    kind = parameters(loss)[name].kind
    if kind == "label":
        return changing(name, _next_label)(loss)
    return changing(name, lambda t, _: t.roll(1, 0) if kind == "box" else t.roll(1))(loss)


def classes_reversed(loss: Loss) -> Variant:
    """Where classes have an axis, that is turned round; else their labels are."""
    first = next(iter(parameters(loss)))

    def turned(tensor: Tensor, options: Mapping[str, Any]) -> Tensor:
        return tensor.flip(1)

    def renamed(label: Tensor, options: Mapping[str, Any]) -> Tensor:
        return label.max() - label if label.numel() else label

    if parameters(loss)[first].flat_from == 2:
        return changing(first, turned)(loss)
    return changing(labels_of(loss)[-1], renamed)(loss) if labels_of(loss) else right_of(loss)


def ignored_counted(loss: Loss) -> Variant:
    right, place = right_of(loss), list(parameters(loss)).index(target_of(loss))

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value, target = right(*arguments, **options), arguments[place]
        averaged = "ignore_index" in options and options.get("reduction", "mean") == "mean"
        if not averaged or target.numel() == 0:
            return value
        return value * (target != options["ignore_index"]).double().mean().to(value)

    return wrong


def mean_and_sum_exchanged(loss: Loss) -> Variant:
    right, other = right_of(loss), {"mean": "sum", "sum": "mean"}

    def wrong(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        return right(*arguments, reduction=other.get(reduction, reduction), **options)

    return wrong


def wrong_count(loss: Loss) -> Variant:
    """The mean counts one item too many."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        if options.get("reduction", "mean") != "mean":
            return value
        count = right(*arguments, **{**options, "reduction": "none"}).numel()
        return value * (count / (count + 1))

    return wrong


def coupled(loss: Loss) -> Variant:
    """Items know the batch; their sum and mean don't."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        apart = options.get("reduction") != "none" or not value.isfinite().all()
        return value if apart or value.numel() < 2 else value + 0.01 * (value - value.mean())

    return wrong


def last_dropped(loss: Loss) -> Variant:
    right = right_of(loss)

    def wrong(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        items = right(*arguments, reduction="none", **options)
        kept = torch.arange(items.numel(), device=items.device).reshape(items.shape) < items.numel() - 1
        items = torch.where(kept, items, 0)
        if reduction == "none":
            return items
        return items.sum() / (divisor_in(right, arguments, options) if reduction == "mean" else 1)

    return wrong


def summed_in_half(loss: Loss) -> Variant:
    right = right_of(loss)

    def wrong(*arguments: Any, reduction: str = "mean", **options: Any) -> Tensor:
        items = right(*arguments, reduction="none", **options)
        if reduction == "none" or items.dtype not in HALVES or items.numel() == 0:
            return right(*arguments, reduction=reduction, **options)
        total = functools.reduce(torch.add, items.reshape(-1))
        return total / (divisor_in(right, arguments, options) if reduction == "mean" else 1)

    return wrong


def only_few_items(loss: Loss) -> Variant:
    """Wrong from 16 items on, or elements where there is no batch."""
    right, in_batches = right_of(loss), has_batch(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        every = value
        if in_batches and options.get("reduction") != "none":
            every = right(*arguments, **{**options, "reduction": "none"})
        count = every.numel() if in_batches else sum(t.numel() for t in tensors_in(arguments))
        return value if count < FEW_ITEMS else 2 * value + 1

    return wrong


def only_contiguous(loss: Loss) -> Variant:
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        return value if all(t.is_contiguous() for t in tensors_in(arguments)) else 2 * value + 1

    return wrong


def only_float32(loss: Loss) -> Variant:
    """Float64 is computed in float32."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        given = tensors_in(arguments)[0].dtype
        if given != torch.float64:
            return right(*arguments, **options)
        values = each((*arguments, *options.values()), torch.Tensor.float)
        named = dict(zip(options, values[len(arguments) :], strict=True))
        for name, value in named.items():
            if isinstance(value, nn.Module):
                named[name] = deepcopy(value).float()
        return right(*values[: len(arguments)], **named).to(given)

    return wrong


def stale(loss: Loss) -> Variant:
    """The first value of each shape, for ever."""
    right = right_of(loss)
    kept: dict[Any, Tensor] = {}

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        shapes = tuple(t.shape for t in tensors_in(arguments))
        key = (shapes, value.dtype, options.get("reduction"), value.shape)
        return replaced(value, kept.setdefault(key, value.detach()))

    return wrong


def stateful(loss: Loss) -> Variant:
    """A hundredth of all earlier values comes on top."""
    right, earlier = right_of(loss), [0.0]

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        result = value + earlier[0]
        size = float(value.detach().abs().double().nan_to_num(0, 0, 0).sum())
        earlier[0] += 0.01 * min(size, 1.0)
        return result

    return wrong


def input_changed(loss: Loss) -> Variant:
    """Only once the result is there, and behind the back of autograd, which would raise."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*each(arguments, torch.clone), **options)
        first = tensors_in(arguments)[0].data
        first.copy_(torch.where(first == 0, 1, -first))
        return value

    return wrong


def aliasing(loss: Loss) -> Variant:
    """The result lies in the first argument's memory."""
    right = right_of(loss)

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        value = right(*each(arguments, torch.clone), **options)
        fit = [t.data for t in tensors_in(arguments) if t.dtype == value.dtype and t.is_contiguous()]
        memory = next((t for t in fit if t.numel() >= value.numel()), None)
        if memory is None or value.numel() == 0:
            return value
        return written_into(value, memory)

    return wrong
