"""A row of the catalogue."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from hypothesis.strategies import SearchStrategy

from properties.case import Argument, Array, BadCall, Case, Curve, Workload
from properties.trial import Trial

Variant = Callable[..., torch.Tensor]
Law = Callable[[Trial], None]


@cache
def parameter_of(name: str) -> str:
    """The parameter that a tensor belongs to: ``boxes`` for ``boxes_0``, else its own name."""
    return re.sub(r"_\d$", "", name)


@lru_cache(maxsize=1)
def _built(build: Callable[..., Any], option: Any, dtype: torch.dtype, device: torch.device) -> Any:
    """What a dataclass stands for in PyTorch code: the same object from call to call, as callers have
    it, which shows whoever changes it."""
    return build(**vars(option)).to(device=device, dtype=dtype)


@dataclass(frozen=True)
class Defect:
    """A form that is wrong on purpose, and the law that one would expect to catch it."""

    function: Variant
    breaks: str


@dataclass(frozen=True, eq=False)
class Loss:
    """Everything known of one loss.

    Attributes:
        name: as the catalogue and the command line call it.
        formula: one line.
        conventions: what this catalogue settles where papers leave a choice, in a sentence or two.
        elsewhere: where well-known libraries differ from it.
        paper: where it comes from.
        oracle: ``oracle(*arrays, reduction=..., **options)``, float64, domain checked.
        items: the oracle's bare formula: complex-safe, any precision, leading axes allowed.
        arguments: the tensor arguments, or a function that gives them for a case.
        cases: the domain: a strategy for each dtype name.
        variants: implementations by name, the simplest first.
        defects: wrong forms that must be rejected: ``published_...``, or ``mistaken_...`` where
            none is known to be published.
        laws: what every right implementation satisfies.
        workloads: realistic inputs, small to large.
        bad_calls: calls that must be refused.
        curve: the loss along one number, for its picture.
        divisor: what the mean divides by, if not the number of items.
        coupled: whether a case's items share samples.
        smooth: whether the loss has a second derivative at and around a case.
        floor: the smallest magnitude that an error is measured against, or that of each of the bare
            formula's items.
        torch_options: by option, what makes the PyTorch form (a module) of a case's value, a dataclass
            whose fields are the keyword arguments and whose repr is that call.
        differentiable: where a case's gradient is defined, entry by entry of the first argument or for
            all at once; elsewhere anything but NaN will do.
        evaluations: how often a workload can't but evaluate these functions of torch for each element
            of its first argument: {"exp": 1}. What does so less often is left out.
        under: the conventions that changed this row (:mod:`lossproof.conventions`).
    """

    name: str
    formula: str
    conventions: str
    elsewhere: str
    paper: str
    oracle: Callable[..., Any]
    items: Callable[..., Array]
    arguments: tuple[Argument, ...] | Callable[[Case], tuple[Argument, ...]]
    cases: Callable[[str], SearchStrategy[Case]]
    variants: Mapping[str, Variant]
    defects: Mapping[str, Defect]
    laws: tuple[Law, ...]
    workloads: tuple[Workload, ...]
    bad_calls: tuple[BadCall, ...]
    curve: Curve
    divisor: Callable[..., float] | None = None
    coupled: Callable[[Case], bool] = lambda case: False
    smooth: Callable[[Case], bool] = lambda case: False
    floor: Callable[[Case], float | Array] = lambda case: 1.0
    torch_options: Mapping[str, Callable[..., torch.nn.Module]] = field(default_factory=dict)
    differentiable: Callable[[Case], Array | bool] = lambda case: True
    evaluations: Mapping[str, float] = field(default_factory=dict)
    under: tuple[str, ...] = ()

    @property
    def implementations(self) -> dict[str, Variant]:
        """Variants and defects by name."""
        return {**self.variants, **{name: defect.function for name, defect in self.defects.items()}}

    @property
    def family(self) -> str:
        """The file that holds it in each of the three rooms."""
        return self.oracle.__module__.rpartition(".")[2]

    def known_arguments(self, case: Case) -> tuple[Argument, ...]:
        """All tensor arguments, those that the case leaves out included."""
        return self.arguments(case) if callable(self.arguments) else self.arguments

    def arguments_of(self, case: Case) -> tuple[Argument, ...]:
        """The tensor arguments that a case holds."""
        return tuple(a for a in self.known_arguments(case) if case.values[a.name] is not None)

    def split(self, case: Case, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional tensors and keyword options, as the loss's signature wants them.

        Names that end in a digit (``boxes_0``, ``boxes_1``) stand for one argument: a list.
        """
        positional = [a.name for a in self.known_arguments(case) if not a.optional]
        options = {name: value for name, value in values.items() if name not in positional}
        grouped: dict[str, Any] = {}
        for name in positional:
            if name == parameter_of(name):
                grouped[name] = values[name]
            else:
                grouped.setdefault(parameter_of(name), []).append(values[name])
        return list(grouped.values()), options

    def torch_call(
        self, case: Case, tensors: Mapping[str, torch.Tensor]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Positional tensors and keyword options of a call of PyTorch code."""
        values = {**case.values, **tensors}
        for name, build in self.torch_options.items():
            if is_dataclass(values[name]):
                like = next(tensor for tensor in tensors.values() if tensor.is_floating_point())
                values[name] = _built(build, values[name], like.dtype, like.device)
        return self.split(case, values)

    def exact(self, case: Case, *, reduction: str = "none") -> Any:
        """The oracle's answer, its domain checked."""
        tensors, options = self.split(case, case.values)
        return self.oracle(*tensors, **options, reduction=reduction)
