"""A row of the catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis.strategies import SearchStrategy

from properties.case import Argument, Array, BadCall, Case, Workload
from properties.trial import Trial

Variant = Callable[..., torch.Tensor]
Law = Callable[[Trial], None]


@dataclass(frozen=True, eq=False)
class Loss:
    """Everything known of one loss.

    Attributes:
        name: as the catalogue and the command line call it.
        formula: one line.
        paper: where it comes from.
        oracle: ``oracle(*arrays, reduction=..., **options)``, float64, domain checked.
        items: the oracle's bare formula: complex-safe, any precision, leading axes allowed.
        arguments: the tensor arguments, or a function that gives them for a case.
        cases: the domain: a strategy for each dtype name.
        variants: implementations by name, the simplest first.
        defects: published forms that must be rejected.
        laws: what every right implementation satisfies.
        workloads: realistic inputs, small to large.
        bad_calls: calls that must be refused.
        divisor: what the mean divides by, if not the number of items.
        coupled: whether a case's items share samples.
        floor: the smallest magnitude that an error is measured against.
    """

    name: str
    formula: str
    paper: str
    oracle: Callable[..., Any]
    items: Callable[..., Array]
    arguments: tuple[Argument, ...] | Callable[[Case], tuple[Argument, ...]]
    cases: Callable[[str], SearchStrategy[Case]]
    variants: Mapping[str, Variant]
    defects: Mapping[str, Variant]
    laws: tuple[Law, ...]
    workloads: tuple[Workload, ...]
    bad_calls: tuple[BadCall, ...]
    divisor: Callable[..., float] | None = None
    coupled: Callable[[Case], bool] = lambda case: False
    floor: Callable[[Case], float] = lambda case: 1.0

    def known_arguments(self, case: Case) -> tuple[Argument, ...]:
        """All tensor arguments, those that the case leaves out included."""
        return self.arguments(case) if callable(self.arguments) else self.arguments

    def arguments_of(self, case: Case) -> tuple[Argument, ...]:
        """The tensor arguments that a case holds."""
        return tuple(a for a in self.known_arguments(case) if case.values[a.name] is not None)

    def split(self, case: Case, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional tensors and keyword options, as the loss's signature wants them."""
        positional = [a.name for a in self.known_arguments(case) if not a.optional]
        options = {name: value for name, value in values.items() if name not in positional}
        return [values[name] for name in positional], options

    def exact(self, case: Case, *, reduction: str = "none") -> Any:
        """The oracle's answer, its domain checked."""
        tensors, options = self.split(case, case.values)
        return self.oracle(*tensors, **options, reduction=reduction)
