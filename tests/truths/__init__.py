"""What holds for the oracle of each loss: a module a family, with its rows in ``TRUTHS``.

``test_oracles.py`` finds the modules by itself. Here is what a row says, and what families share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from exact import Array, Number

Arguments = Mapping[str, Any]

NAN, INF = np.nan, np.inf
HARD = np.array([0.0, 17.0, 20.0, 89.0, 104.0, 180.0, 1e4])
LOGITS = np.concatenate([-HARD, HARD, [-3.2, -0.7, 1e-9, 0.3, 2.1]])
EMPTY, NO_LABELS = np.zeros((0, 3)), np.zeros(0, int)


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def elementwise(targets: list[float]) -> dict[str, Array]:
    """Every logit with every target."""
    logits, target = np.meshgrid(LOGITS, targets)
    return {"logits": logits, "target": target}


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """A call of a kernel whose slopes are compared.

    Attributes:
        arguments: in the kernel's layout.
        along: the arguments to move along, one after the other.
        size: about the size of their elements; slopes are compared relative to its inverse.
        condition: what multiplies a rounding, where the definition magnifies one.
        definition: whose slopes they are, where the loss holds a part constant; else the kernel's.
    """

    arguments: Arguments
    along: tuple[str, ...]
    size: float = 1.0
    condition: float = 1.0
    definition: Callable[..., Array] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelTruth:
    """What holds for a kernel; alone, a row for one without a public face.

    Attributes:
        name: of the loss.
        items: the kernel, ``oracles.<family>.<name>_items``.
        definition: the same in mpmath, ``exact.<family>.<name>``, with the public oracle's arguments.
        gradients: by name of the case. Their calls are also stacked along leading axes.
        kernel_cases: calls of the kernel itself: all where it has no public face, else of its defaults.
    """

    name: str
    items: Callable[..., Array]
    definition: Callable[..., Array]
    gradients: Mapping[str, Gradient]
    kernel_cases: Mapping[str, Arguments] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class LossTruth(KernelTruth):
    """What holds for a loss of the catalogue: of its public oracle too.

    Attributes:
        oracle: the public one, ``oracles.<family>.<name>``.
        cases: calls whose items, sum and mean are right, by name; without ``reduction``.
        nothing: by name, calls that have nothing to average, and the shape of their items.
        accepted: a call of finite value, from which each refusal starts.
        bad_values: by argument, what is a ValueError if it takes the place of the accepted one.
        wrong_types: by argument, what is a TypeError.
        bad_together: several changes at once, a ValueError, and the argument that it must name.
        condition: what multiplies a rounding in a call; above 1 only where the definition magnifies.
        divisor: what the mean divides by, from the arguments, if not by the number of items.
        long_double_options: options whose default makes float64 of a long double, to be given as well.
    """

    oracle: Callable[..., Any]
    cases: Mapping[str, Arguments]
    nothing: Mapping[str, tuple[Arguments, tuple[int, ...]]]
    accepted: Arguments
    bad_values: Mapping[str, Sequence[Any]]
    wrong_types: Mapping[str, Sequence[Any]]
    bad_together: Sequence[tuple[Arguments, str]] = ()
    condition: Callable[[Arguments], float] = lambda arguments: 1.0
    divisor: Callable[..., Number] | None = None
    long_double_options: Arguments = field(default_factory=dict)
