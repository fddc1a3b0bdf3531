"""The error budget: how far from the oracle a right implementation may be.

One rule for every loss. The inputs are rounded to the dtype first, so implementation and oracle see
the same numbers. One rounding unit c is 2⁻⁵³ for float64, 2⁻²⁴ for float32 and for the half types,
which compute in float32 inside. The oracle itself says how far the answer y moves when its inputs
move by one unit: that is the *spread*, the largest move over 16 perturbations.

    budget = c max(1, |y|) + spread + smallest subnormal

c max(1, |y|) is the *floor*. For a gradient entry, 1 and |y| are joined by the largest entry of its
item's gradient (and by 1 / |row| where only the direction of a row matters), and all are multiplied
by the upstream gradient. A sum may be off by what its items may be off by, together. Right means
within 8 budgets, and u|y| once for the final rounding of a half type.

Where 64 units move the oracle by more than 512 spreads and 8 floors (kinks, ties, jumps) no single
value is right: there the budget is infinite, and only finiteness is judged. For the gradients of
boxes, whose ties are many, the far moves come in opposite pairs, and a kink is where a pair does not
cancel to within 2 budgets (not 8: curvature can hide a part of a kink). Where three coordinates of two
boxes tie along an axis (a box without width on the side of another), not even these moves come to
every side: not judged.

The oracle runs in long double to judge float64, where the platform has it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lossproof.loss import Loss
from oracles.numeric import flatten
from properties.case import Argument, Array, Case

FAR = 64
"""How many units away the oracle is asked again, to find kinks."""
FAR_SPREADS = 512.0
FAR_FLOORS = 8.0
BENT_BUDGETS = 2.0
PERTURBATIONS = 16
STEP = 1e-100
"""The complex step."""
ALL_MOVES = range(1 + 2 * PERTURBATIONS)
MOVES_BY_NUMBERS = ((10_000_000, ALL_MOVES), (100_000_000, (0, 1, 2, 9, 10)), (math.inf, (0,)))
"""Large cases are moved less: how many numbers all copies may hold, and which copies those are."""


@dataclass(frozen=True)
class Truth:
    """The oracle's answer and one error budget of each of its numbers (infinite: not judged).

    An infinite value stands for none at all: there only NaN is wrong.
    """

    value: Array
    budget: Array
    floor: Array
    """The budget without the spread."""
    reach: Array = field(default_factory=lambda: np.zeros(()))
    """The largest magnitude around; where it is not judged, a right number may be as large."""


def _precise(unit: float) -> type[np.floating[Any]]:
    """The NumPy type that judges arithmetic with this rounding unit."""
    return np.longdouble if unit < 2.0**-40 else np.float64


def _flat(argument: Argument, array: Array) -> Array:
    return array if argument.flat_from is None else flatten(array, argument.flat_from)


_BOX_MOVES = np.array(
    [[-1, -1, 1, 1], [1, 1, -1, -1], [1, 1, 1, 1], [-1, -1, -1, -1]]  # grow, shrink, shift twice
)
"""Ways to move a box, each beside its opposite: way w and way w ^ 1."""


@lru_cache(maxsize=1000)
def _signs(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Which way each element goes in each of the 32 moves: the same for all arrays of a shape."""
    random = np.random.default_rng(list(name.encode()))
    return random.choice(np.array([-1, 1], np.int8), (2 * PERTURBATIONS, *shape))


def _moves(argument: Argument, position: int, array: Array) -> Array:
    """Directions to move the array in: 16 for one unit, 16 for 64 units.

    Half of them are relative to each element; the other half, for those kinds of argument whose
    elements share a scale, are relative to that. The far moves of boxes go through every way in which
    two boxes grow, shrink and shift against each other, so that every tie is broken both ways; so does
    half of the near ones, or else what all corners of a thin box add up to would look like a jump.
    """
    signs = _signs(argument.name, array.shape)
    moves = signs * array
    half = PERTURBATIONS // 2
    if argument.kind == "probability":
        scaled = signs.astype(array.dtype)
        scaled[1::2] = -scaled[::2]  # at 0 and at 1 only one of the two is left
    elif argument.kind in ("row", "weight"):
        scaled = signs * np.abs(array).max(axis=argument.row_axis, keepdims=True, initial=0)
    elif argument.kind == "box":
        ways = _BOX_MOVES[np.arange(PERTURBATIONS) // 4**position % 4]
        largest = np.abs(array).max(axis=-1, keepdims=True, initial=0)
        moves[PERTURBATIONS:] = ways[:, None, :] * largest
        moves[half:PERTURBATIONS] = moves[PERTURBATIONS::2]  # one of each opposite pair
        return moves
    else:
        return moves
    moves[:half], moves[-half:] = scaled[:half], scaled[-half:]
    return moves


def _perturbed(
    argument: Argument, position: int, array: Array, unit: float, kept: Sequence[int]
) -> Array:
    """The array, 16 copies moved by one unit, and 16 moved by 64 units: those kept, (33, *shape)."""
    if argument.kind == "label":
        return array
    array = array.astype(_precise(unit))
    if len(kept) == 1:
        return array[None]
    moves = _moves(argument, position, np.where(np.isfinite(array), array, 0))
    moves[PERTURBATIONS:] *= FAR
    stack = np.concatenate([array[None], array + unit * moves[[k - 1 for k in kept if k]]])
    if argument.kind == "probability":
        stack = np.clip(stack, 0, 1)
    elif argument.kind == "weight":
        stack = np.maximum(stack, 0)
    elif argument.kind == "box":
        stack[..., 2:] = np.maximum(stack[..., :2], stack[..., 2:])
    return stack


def _stacks(loss: Loss, case: Case, unit: float, steps: int = 1) -> dict[str, Array]:
    """All arguments with their moved copies, fewer where ``steps`` of them would be too large."""
    numbers = elements(case) * steps
    kept = next(moves for most, moves in MOVES_BY_NUMBERS if numbers * len(moves) <= most)
    arguments = loss.arguments_of(case)
    boxes = [a.name for a in arguments if a.kind == "box"]
    places = {name: index % 2 for index, name in enumerate(boxes)}  # first or second of a pair
    return {
        a.name: _perturbed(a, places.get(a.name, 0), _flat(a, case[a.name]), unit, kept)
        for a in arguments
    }


def _ask(loss: Loss, case: Case, arrays: dict[str, Array]) -> Array:
    """The oracle's items for arrays with leading axes."""
    tensors, options = loss.split(case, {**case.values, **arrays})
    with np.errstate(all="ignore"):
        return np.asarray(loss.items(*tensors, **options))


def items_at(loss: Loss, case: Case) -> Array:
    """The oracle's items of one case, whose numbers may be complex."""
    return _ask(loss, case, {a.name: _flat(a, case[a.name]) for a in loss.arguments_of(case)})


def _judged(answers: Array, floor: Array, smallest: float, paired: bool = False) -> Truth:
    """Value and budget from the answers (33, ...) to the inputs and their perturbations.

    ``paired``: far moves k and k ^ 5 are opposite (see _BOX_MOVES), so smooth answers cancel.
    """
    value = answers[0]
    with np.errstate(invalid="ignore"):
        moves = np.abs(answers[1:] - value)
    halves = (moves[:PERTURBATIONS], moves[PERTURBATIONS:])
    near, far = (part.max(axis=0, initial=0) for part in halves)
    budget = floor + near + smallest
    with np.errstate(invalid="ignore"):
        sure = np.isfinite(value) & (far <= FAR_SPREADS * near + FAR_FLOORS * (floor + smallest))
        if paired and len(answers) == len(ALL_MOVES):
            away = answers[1 + PERTURBATIONS :] - value
            bend = np.abs(away + away[np.arange(PERTURBATIONS) ^ 5]).max(axis=0)
            sure &= bend <= BENT_BUDGETS * budget
    with np.errstate(over="ignore"):  # infinite, as too large for any of the dtypes
        return Truth(
            np.where(np.isfinite(value), value, 0).astype(np.float64),
            np.where(sure, budget, np.inf).astype(np.float64),
            np.broadcast_to(floor + smallest, value.shape).astype(np.float64),
            np.abs(np.where(np.isfinite(answers), answers, 0)).max(axis=0).astype(np.float64),
        )


def elements(case: Case) -> int:
    """How many numbers a case holds."""
    return sum(value.size for value in case.values.values() if isinstance(value, np.ndarray))


def fresh_items(loss: Loss, case: Case, unit: float, smallest: float) -> Truth:
    """The items, in their shape."""
    return _items(loss, case, unit, smallest, np.shape(loss.exact(case)))


def _items(loss: Loss, case: Case, unit: float, smallest: float, shape: tuple[int, ...]) -> Truth:
    answers = _ask(loss, case, _stacks(loss, case, unit))
    truth = _judged(answers, unit * np.maximum(loss.floor(case), np.abs(answers[0])), smallest)
    return Truth(*(part.reshape(shape) for part in (truth.value, truth.budget, truth.floor)))


@lru_cache(maxsize=100_000)
def true_items(loss: Loss, case: Case, unit: float, smallest: float) -> Truth:
    """The same, kept: all laws and implementations ask for the same small cases."""
    return _items(loss, case, unit, smallest, items_shape(loss, case))


@lru_cache(maxsize=100_000)
def items_shape(loss: Loss, case: Case) -> tuple[int, ...]:
    """The shape of the items."""
    return np.shape(loss.exact(case))


@lru_cache(maxsize=100_000)
def true_total(loss: Loss, case: Case, unit: float, smallest: float, mean: bool) -> Truth:
    """The sum or mean; it may be off by what its items may be off by."""
    items = true_items(loss, case, unit, smallest)
    divisor = divisor_of(loss, case) if mean else 1.0
    if divisor == 0:
        return Truth(np.zeros(()), np.full((), smallest), np.full((), smallest))
    total = np.asarray(items.value.sum())
    if _precise(unit) is np.longdouble:
        total = np.asarray(loss.exact(_long(case), reduction="sum")).astype(np.float64)
    parts = (total, items.budget.sum(), items.floor.sum())
    return Truth(*(np.asarray(part / divisor) for part in parts))


def _long(case: Case) -> Case:
    """The same numbers in long double."""
    values = {
        name: value.astype(np.longdouble)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for name, value in case.values.items()
    }
    return Case(values, case.seed)


def divisor_of(loss: Loss, case: Case) -> float:
    """What the mean of a case divides by."""
    if loss.divisor is None:
        return float(math.prod(items_shape(loss, case)))
    tensors, options = loss.split(case, case.values)
    return loss.divisor(*tensors, **options)


def upstream(loss: Loss, case: Case) -> Array:
    """The gradient that flows into the items when none is reduced: exact in every dtype."""
    random = np.random.default_rng(case.seed + 1)
    return random.choice([1.0, -1.0, 0.5, 2.0, -3.0], size=items_shape(loss, case))


@lru_cache(maxsize=20_000)
def true_gradient(
    loss: Loss, case: Case, name: str, unit: float, smallest: float, reduction: str
) -> Truth:
    """The gradient to an argument: for reduction none under :func:`upstream`, else of sum or mean."""
    weighted, plain = _gradients(loss, case, name, unit, smallest)
    if reduction == "none":
        return weighted
    divisor = divisor_of(loss, case) if reduction == "mean" else 1.0
    if divisor == 0:
        zero = np.zeros(case[name].shape)
        return Truth(zero, zero + smallest, zero + smallest)
    return Truth(
        plain.value / divisor,
        plain.budget / divisor + smallest,
        plain.floor / divisor + smallest,
        plain.reach / divisor,
    )


def _are_apart(loss: Loss, case: Case, argument: Argument) -> bool:
    """Whether items depend on their own row of the argument alone."""
    return argument.batched and not loss.coupled(case)


def _slopes(loss: Loss, case: Case, argument: Argument, stacks: dict[str, Array]) -> Array:
    """How each item moves with each number of an argument, of (copies, steps, rows, items).

    By complex step; where items depend on their own row alone, one step moves all rows at once.
    """
    array = stacks[argument.name]
    shape = array.shape[1:]
    rows = shape[0] if _are_apart(loss, case, argument) else 1
    steps = int(np.prod(shape)) // rows
    directions = np.eye(steps).reshape(steps, 1, steps)
    directions = np.broadcast_to(directions, (steps, rows, steps)).reshape(steps, *shape)
    stepped = {
        other: stack if stack.dtype.kind == "i" else stack[:, None] for other, stack in stacks.items()
    }
    step = np.asarray(1j * STEP, np.result_type(array, 1j))
    stepped[argument.name] = array[:, None] + step * directions
    slopes = _ask(loss, case, stepped).imag / STEP
    return slopes.reshape(len(array), steps, rows, -1)


def exact_items(loss: Loss, case: Case, unit: float) -> Array:
    """The items in the precision that judges this rounding unit."""
    arrays = {a.name: _flat(a, case[a.name]) for a in loss.arguments_of(case)}
    precise = {n: a if a.dtype.kind == "i" else a.astype(_precise(unit)) for n, a in arrays.items()}
    return _ask(loss, case, precise).reshape(np.shape(loss.exact(case)))


def exact_gradient(loss: Loss, case: Case, name: str, flow: Array, unit: float) -> Array:
    """The gradient to an argument when ``flow`` (of the items' shape) flows into the items."""
    argument = next(a for a in loss.arguments_of(case) if a.name == name)
    if 0 in (*case[name].shape, *flow.shape):
        return np.zeros(case[name].shape)
    arrays = {a.name: _flat(a, case[a.name]) for a in loss.arguments_of(case)}
    precise = {
        n: a if a.dtype.kind == "i" else a.astype(_precise(unit))[None] for n, a in arrays.items()
    }
    slopes = _slopes(loss, case, argument, precise)[0]
    weights = flow.reshape(slopes.shape[1], -1).astype(slopes.dtype)
    return np.einsum("sri,ri->rs", slopes, weights).reshape(case[name].shape).astype(np.float64)


@lru_cache(maxsize=20_000)
def _gradients(loss: Loss, case: Case, name: str, unit: float, smallest: float) -> tuple[Truth, Truth]:
    """Under :func:`upstream` and under ones."""
    argument = next(a for a in loss.arguments_of(case) if a.name == name)
    original = case[name].shape
    if 0 in original or 0 in items_shape(loss, case):
        zero = np.zeros(original)
        nothing = Truth(zero, zero + smallest, zero + smallest)
        return nothing, nothing
    stacks = _stacks(loss, case, unit)
    array, apart = stacks[name], _are_apart(loss, case, argument)
    shape = array.shape[1:]
    slopes = _slopes(loss, case, argument, stacks)
    _, steps, rows, _ = slopes.shape
    items = true_items(loss, case, unit, smallest).value.reshape(rows, -1)
    largest = np.maximum(np.abs(slopes[0]).max(axis=0, initial=0), np.abs(items))
    largest = np.maximum(loss.floor(case), np.nan_to_num(largest, nan=1.0, posinf=1.0))
    weights = upstream(loss, case).reshape(rows, -1)
    truths = []
    for weight in (weights, np.ones_like(weights)):
        answers = np.einsum("psri,ri->prs", slopes, weight.astype(slopes.dtype))
        floor = unit * (np.abs(weight) * largest).sum(axis=1, keepdims=True)
        if argument.scale_free:
            size = np.abs(array[0]).max(axis=-1, keepdims=True).astype(float)
            direction = loss.floor(case) / np.where(size == 0, 1, size)
            share = np.abs(weight).sum(axis=1) if apart else np.abs(weight).sum()
            share = np.reshape(share, (-1, *(1 for _ in shape[1:])))
            scaled = np.broadcast_to(unit * direction * share, shape)
            floor = np.maximum(floor, scaled.reshape(rows, steps))
        truth = _judged(answers, floor, smallest, paired=argument.kind == "box")
        parts = (truth.value, truth.budget, truth.floor, truth.reach)
        truth = Truth(*(part.reshape(original) for part in parts))
        if argument.kind == "box":
            crowded, steepest = _crowded(loss, case, name, unit)
            steepest = steepest * np.abs(weight).sum()
            truth = replace(
                truth,
                budget=np.where(crowded, np.inf, truth.budget),
                reach=np.where(crowded, steepest, truth.reach),
            )
        undefined = ~np.asarray(loss.differentiable(case))
        value, budget = (np.where(undefined, np.inf, part) for part in (truth.value, truth.budget))
        truths.append(replace(truth, value=value, budget=budget))
    return truths[0], truths[1]


def _crowded(loss: Loss, case: Case, name: str, unit: float) -> tuple[Array, Array]:
    """Of the pairs of boxes (M, 4) that an argument is half of: along which axis three coordinates
    tie, and how steep a loss of degree 0 is at most, where the shortest side is a unit."""
    names = [a.name for a in loss.arguments_of(case) if a.kind == "box"]
    pair = names.index(name) // 2 * 2
    boxes = [case[half] for half in names[pair : pair + 2]]
    places = np.sort(np.concatenate([box.reshape(-1, 2, 2) for box in boxes], axis=1), axis=1)
    side = unit * np.abs(places).max(axis=(1, 2), initial=0)[:, None]
    three = (places[:, 2:] - places[:, :-2]).min(axis=1, initial=np.inf)
    steepest = 1 / np.where(side == 0, np.inf, side)
    return np.tile(three <= 4 * FAR * side, 2), np.broadcast_to(steepest, (len(places), 4))


def some_gradients(
    loss: Loss, case: Case, name: str, places: Array, unit: float, smallest: float
) -> Truth:
    """The gradient of the sum, at a few flat places of an argument of a large case."""
    stacks = _stacks(loss, case, unit, len(places))
    array = stacks[name]
    directions = np.zeros((len(places), array[0].size))
    directions[np.arange(len(places)), places] = 1
    directions = directions.reshape(len(places), *array.shape[1:])
    stepped = {
        other: stack if stack.dtype.kind == "i" else stack[:, None] for other, stack in stacks.items()
    }
    stepped[name] = array[:, None] + np.asarray(1j * STEP, np.result_type(array, 1j)) * directions
    answers = _ask(loss, case, stepped)
    slopes = (answers.imag / STEP).reshape(*answers.shape[:2], -1)
    items = np.abs(answers.real[0]).reshape(len(places), -1)
    concerned = slopes[0] != 0
    least = np.ravel(loss.floor(case))
    sizes = np.maximum(least, np.maximum(items, np.abs(slopes[0]))) * concerned
    floor = unit * np.maximum(1, sizes.sum(axis=-1))
    paired = any(a.name == name and a.kind == "box" for a in loss.arguments_of(case))
    truth = _judged(slopes.sum(axis=-1), floor, smallest, paired)
    if paired:
        crowded = _crowded(loss, case, name, unit)[0].reshape(-1)[places]
        truth = replace(truth, budget=np.where(crowded, np.inf, truth.budget))
    return truth
