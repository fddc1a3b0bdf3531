"""Checks of large batches against the oracle, on random rows of them.

Generated cases are small; what is timed is large. Before and after timing, the very outputs are
held against the oracle: the items of some rows, the mean of all, and a few entries of the gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lossproof import tolerance
from lossproof.loss import Variant
from lossproof.measure import Batch
from lossproof.trial import THEIRS, to_array
from properties.case import DTYPES, Array, Case, DType, spacing_at, take_rows
from properties.trial import BUDGETS

ROW_ELEMENTS = 8_000
"""About how many elements of the batch the oracle is asked for."""
GRADIENT_PLACES = 16
STEPPED = 4_000_000
"""About how many numbers the complex steps of all places may hold together."""


@dataclass(frozen=True)
class Recheck:
    """How outputs on a large batch compare with the oracle; ``fault`` says why, where they don't."""

    budgets: float
    ulps: float
    fault: str = ""


def recheck(
    function: Variant,
    batch: Batch,
    means: Sequence[torch.Tensor],
    gradients: tuple[torch.Tensor, ...],
    seed: int = 0,
) -> Recheck:
    """Hold means and gradients, just timed, against the oracle on random rows of the batch."""
    loss, random = batch.loss, np.random.default_rng(seed)
    dtype = str(means[0].dtype).removeprefix("torch.")
    facts = DTYPES[dtype]
    held = held_case(batch)
    rows, part = _some_rows(batch, held, random)
    try:
        items = _items(function, batch)
    except THEIRS as error:
        told, _, _ = f"{type(error).__name__}: {error}".partition("\n")
        return Recheck(np.inf, np.inf, f"the items are not given: {told}")
    truth = tolerance.fresh_items(loss, part, facts.unit, facts.smallest)
    got = items if loss.coupled(held) else items[rows]
    used = _used(got, truth, facts)
    divisor = tolerance.divisor_of(loss, held) if loss.divisor else items.size
    if gradients:
        name = batch.learned[0]
        if len(rows) > GRADIENT_PLACES and not loss.coupled(held):
            # the slope of an entry needs no row but its own
            rows = random.choice(rows, GRADIENT_PLACES, replace=False)
            part = take_rows(held, loss.arguments_of(held), rows)
        entries = to_array(gradients[0])[rows].reshape(-1) * divisor
        count = max(1, min(GRADIENT_PLACES, entries.size, STEPPED // tolerance.elements(part)))
        places = random.choice(entries.size, count, replace=False)
        smallest = facts.smallest * max(1, items.size)
        true = tolerance.some_gradients(loss, part, name, places, facts.unit, smallest)
        used_gradient = _used(entries[places], true, facts)
    else:
        used_gradient = 0.0
    fault = ""
    if used > BUDGETS:
        fault = f"items off by {used:.3g} budgets"
    elif used_gradient > BUDGETS:
        fault = f"gradient to {batch.learned[0]} off by {used_gradient:.3g} budgets"
    elif not all(_mean_agrees(float(mean.detach()), items, divisor, facts) for mean in means):
        fault = "the mean is not the mean of the items"
    ulps = np.abs(got - truth.value) / spacing_at(np.maximum(np.abs(truth.value), 1), dtype)
    return Recheck(max(used, used_gradient), float(np.max(ulps, initial=0)), fault)


def held_case(batch: Batch) -> Case:
    """The batch's case, with the numbers that its tensors hold in their dtype."""
    arrays = {}
    for name, tensor in batch.tensors.items():
        is_label = tensor.dtype == torch.int64
        arrays[name] = tensor.cpu().numpy() if is_label else to_array(tensor)
    return batch.case.changed(**arrays)


def _some_rows(batch: Batch, held: Case, random: np.random.Generator) -> tuple[Array, Case]:
    """Random rows of the batch (all of them where an option couples it), and the case of them."""
    total = len(next(iter(batch.tensors.values())))
    count = max(1, min(total, ROW_ELEMENTS * total // max(batch.size, 1)))
    if batch.loss.coupled(held):
        count = total
    rows = np.sort(random.choice(total, count, replace=False))
    return rows, take_rows(held, batch.loss.arguments_of(held), rows)


def _items(function: Variant, batch: Batch) -> Array:
    positional, options = batch.loss.torch_call(batch.case, batch.tensors)
    return to_array(function(*positional, **options, reduction="none"))


def _used(got: Array, truth: tolerance.Truth, facts: DType) -> float:
    """The most budgets that lie between; infinite for NaN and for another shape."""
    if got.shape != truth.value.shape:
        return np.inf
    size = np.abs(truth.value)
    with np.errstate(invalid="ignore"):
        error = np.abs(got - truth.value) - facts.final * size
        used = np.where(np.isinf(got) & (size > facts.largest), 0, error / truth.budget)
    return float(np.max(np.nan_to_num(used, nan=np.inf), initial=0))


def _mean_agrees(mean: float, items: Array, divisor: float, facts: DType) -> bool:
    """Whether the mean is that of the items, within what the items may be off by."""
    if divisor == 0:
        return mean == 0
    wanted = items.sum() / divisor
    inside = BUDGETS * facts.unit * np.maximum(1, np.abs(items)).sum() / divisor
    # the items were rounded to the dtype, and so was their mean
    rounding = 2 * facts.final * np.abs(items).sum() / divisor
    return bool(abs(mean - wanted) <= inside + rounding or abs(wanted) > facts.largest)
