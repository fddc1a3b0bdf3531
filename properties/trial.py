"""What a law gets to see of an implementation, and how it compares.

A law never compares bare floats: what an implementation returned comes as a :class:`Measured`, which
carries the error it is allowed, and keeps carrying it through sums, differences and factors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from properties.case import Argument, Array, Case

BUDGETS = 8.0
"""How many budgets a right value may be off; see lossproof/tolerance.py."""


@dataclass(frozen=True)
class Measured:
    """Numbers, and how far from the truth they may be.

    Attributes:
        value: what was returned, as float64.
        budget: one error budget of each number (0 for exact ones).
        rounding: the final rounding of a half type, allowed once on top.
        overflow: where the truth is too large for the dtype, so that infinity is right.
        expression: the same as PyTorch code, for the counterexample.
        meaning: the same in words, where they are known otherwise than by a call.
    """

    value: Array
    budget: Array
    rounding: Array
    overflow: Array
    expression: str
    meaning: str = ""

    @classmethod
    def exact(cls, value: Any, meaning: str = "") -> "Measured":
        """Numbers known without error; ``meaning`` says in words what they are."""
        array = np.asarray(value, dtype=np.float64)
        zero = np.zeros(array.shape)
        return cls(array, zero, zero, zero.astype(bool), _literal(array), meaning)

    def _each(self, change: Callable[[Array], Array], expression: str) -> "Measured":
        value, budget, rounding, overflow = (
            change(part) for part in (self.value, self.budget, self.rounding, self.overflow)
        )
        return Measured(value, budget, rounding, overflow, expression)

    def __getitem__(self, index: Any) -> "Measured":
        return self._each(lambda part: part[index], f"({self.expression})[{_index(index)}]")

    def __mul__(self, factor: Any) -> "Measured":
        size = np.abs(factor)
        with np.errstate(invalid="ignore", over="ignore"):
            return Measured(
                np.where(self.overflow, 0, self.value) * factor,
                np.where(size == 0, 0, self.budget * size),
                self.rounding * size,
                np.broadcast_to(self.overflow, np.broadcast_shapes(self.value.shape, size.shape)),
                f"{_literal(factor)} * ({self.expression})",
            )

    __rmul__ = __mul__
    __array_ufunc__ = None  # so that array * Measured comes here

    def __add__(self, other: "Measured") -> "Measured":
        overflow = self.overflow | other.overflow
        return Measured(
            np.where(overflow, 0, self.value) + np.where(overflow, 0, other.value),
            self.budget + other.budget,
            self.rounding + other.rounding,
            overflow,
            f"{self.expression} + {other.expression}",
        )

    def sum(self, axis: int | None = None) -> "Measured":
        return Measured(
            np.where(self.overflow, 0, self.value).sum(axis=axis),
            self.budget.sum(axis=axis),
            self.rounding.sum(axis=axis),
            np.asarray(self.overflow.any(axis=axis)),
            f"({self.expression}).sum({'' if axis is None else axis})",
        )


def concatenate(parts: list[Measured], axis: int = 0) -> Measured:
    """Measured numbers, one after the other."""
    fields = ("value", "budget", "rounding", "overflow")
    value, budget, rounding, overflow = (
        np.concatenate([getattr(part, name) for part in parts], axis) for name in fields
    )
    code = f"torch.cat([{', '.join(part.expression for part in parts)}], {axis})"
    return Measured(value, budget, rounding, overflow, code)


def _index(index: Any) -> str:
    if isinstance(index, tuple):
        return "".join(f"{_index(part)}, " for part in index)
    return repr(index.tolist() if isinstance(index, np.ndarray) else index)


def _literal(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return repr(array.item())
    return f"torch.tensor({array.tolist()}, dtype=torch.float64)"


Relation = Literal["==", "<=", ">="]


class Broken(AssertionError):
    """A law that does not hold.

    Attributes:
        reason: what is wrong, in words.
        got, wanted, relation: the two sides, and how they should relate.
        budgets: by how many error budgets they miss.
        assertion: a line of code that fails, where the fault is not in the numbers.
        setup: a line of code for before the call, where the assertion needs one.
    """

    def __init__(
        self,
        reason: str,
        got: Measured,
        wanted: Measured,
        budgets: float = np.inf,
        relation: Relation = "==",
        assertion: str = "",
        setup: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.got, self.wanted = reason, got, wanted
        self.budgets, self.relation, self.assertion = budgets, relation, assertion
        self.setup = setup


@dataclass(frozen=True)
class Trace:
    """Something that a call left behind.

    Attributes:
        what: in words ("printed ...").
        setup, assertion: code for before the call, and an expression that is false after it.
    """

    what: str
    setup: str
    assertion: str


class NotApplicable(Exception):
    """The law says nothing about this case."""


def assume(condition: Any) -> None:
    """Leave the law unless the condition holds: it says nothing about this case."""
    if not np.all(condition):
        raise NotApplicable


def budgets_used(got: Measured, wanted: Measured) -> Array:
    """How many budgets lie between the two, beyond the final rounding.

    NaN on one side is infinitely far; on both, it is the same (and never what an oracle says).
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.abs(got.value - wanted.value) - (got.rounding + wanted.rounding)
        error = np.where(got.value == wanted.value, 0, error)
        used = error / (got.budget + wanted.budget)
    used = np.where(error <= 0, 0, used)
    used = np.where(got.overflow | wanted.overflow, 0, used)
    one_is_nan = np.isnan(got.value) != np.isnan(wanted.value)
    return np.where(one_is_nan, np.inf, np.nan_to_num(used, posinf=np.inf))


def equal(got: Measured, wanted: Measured, reason: str = "the two differ") -> None:
    """Both are the same within what they are allowed."""
    _judge(got, wanted, budgets_used(got, wanted), reason, "==")


def at_most(got: Measured, bound: Measured) -> None:
    """``got`` does not exceed the bound by more than both are allowed."""
    above = np.where(got.value <= bound.value, 0, budgets_used(got, bound))
    _judge(got, bound, above, "above the bound", "<=")


def at_least(got: Measured, bound: Measured) -> None:
    """``got`` does not fall below the bound by more than both are allowed."""
    below = np.where(got.value >= bound.value, 0, budgets_used(got, bound))
    _judge(got, bound, below, "below the bound", ">=")


def between(got: Measured, low: float, high: float) -> None:
    """``got`` lies in [low, high]."""
    at_least(got, Measured.exact(low))
    at_most(got, Measured.exact(high))


def _judge(got: Measured, wanted: Measured, used: Array, reason: str, relation: Relation) -> None:
    worst = float(np.max(used, initial=0))
    if worst > BUDGETS:
        raise Broken(reason, got, wanted, worst, relation)


class Trial(Protocol):
    """One implementation on one case: the view that laws have of it.

    ``case=None`` means the trial's own case. Other cases must hold numbers of the dtype exactly.
    """

    case: Case
    dtype: str
    arguments: tuple[Argument, ...]
    coupled: bool
    """Whether an option couples the batch, so that items share samples."""
    smooth: bool
    """Whether the loss has a second derivative at and around the case."""

    def value(
        self,
        case: Case | None = None,
        *,
        reduction: str = "none",
        layout: str = "contiguous",
        track: str = "all",
        tight: bool = False,
        autocast: bool = False,
    ) -> Measured:
        """What the implementation returned.

        ``layout`` is contiguous, strided, transposed, channels_last, or expanded (the first entry of
        the batch repeated without copying: for cases whose entries are all the same). ``track`` says
        which arguments require grad: all that may, first, or none. ``tight`` leaves the spread out of
        the budget: for points where the truth jumps, but the convention is plain and the arithmetic
        exact. ``autocast`` calls under torch.autocast to bfloat16.
        """

    def gradient(
        self, name: str, case: Case | None = None, *, reduction: str = "none", track: str = "all"
    ) -> Measured:
        """Gradient to an argument; for reduction none under :meth:`upstream`."""

    def upstream(self, case: Case | None = None) -> Array:
        """The gradient that flows into the items, of the items' shape."""

    def truth(self, case: Case | None = None, *, reduction: str = "none") -> Measured:
        """The oracle's value."""

    def true_gradient(self, name: str, case: Case | None = None, *, reduction: str = "none") -> Measured:
        """The oracle's gradient; its budget is infinite where it can't be judged."""

    def facts(self, case: Case | None = None, *, reduction: str = "none") -> "Facts":
        """What the call did beside its value."""

    def traces(self, *, reduction: str = "none") -> "list[Trace]":
        """What the call and its backward left behind beside the result, also where they raise."""

    def leaks(self) -> tuple[str, list[str]]:
        """How the counterexample calls the result where constants require grad, and the constants
        that get some."""

    def divisor(self, case: Case | None = None) -> float:
        """What the mean divides by."""

    def second_derivative_fault(self) -> str:
        """What is wrong with the second derivative of the items, or nothing; leaves the law where
        the implementation says that it has none."""

    def refuses(self, case: Case) -> bool:
        """Whether the call raises."""


@dataclass(frozen=True)
class Facts:
    """What a call did beside returning numbers.

    Attributes:
        name: how the counterexample calls the result.
        dtype: of the result.
        shape: of the result.
        wanted_shape: of the oracle's result.
        attached: whether the result knows its gradient.
        changed: names of arguments that the call overwrote.
        aliased: names of arguments whose memory the result shares.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    wanted_shape: tuple[int, ...]
    attached: bool
    changed: tuple[str, ...]
    aliased: tuple[str, ...]
