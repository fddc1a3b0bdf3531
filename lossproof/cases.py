"""Cases: drawn once by Hypothesis for all laws and implementations, and shrunk where a law breaks."""

import contextlib
import math
import time
from collections.abc import Callable
from functools import lru_cache

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, settings

from lossproof.loss import Loss
from properties.case import Case, rounded, take_rows

DRAWN = 60
SHRINKING_SECONDS = 20.0
LARGE_ELEMENTS = 3000
QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)


def generated(loss: Loss, dtype: str, examples: int, seed: int) -> tuple[Case, ...]:
    """The cases of a loss: drawn once, shared by all laws and implementations.

    Fewer than :data:`DRAWN` are picked evenly from that many, so that what the oracle says of one
    serves all who ask, and not all are of the small ones that Hypothesis begins with.
    """
    cases = _drawn(loss, dtype, max(examples, DRAWN), seed)
    return tuple(cases[index * len(cases) // examples] for index in range(min(examples, len(cases))))


@lru_cache(maxsize=128)
def _drawn(loss: Loss, dtype: str, examples: int, seed: int) -> tuple[Case, ...]:
    cases: list[Case] = []

    @hypothesis.seed(seed)
    @settings(QUIET, max_examples=examples, phases=[Phase.generate])
    @hypothesis.given(loss.cases(dtype))
    def draw(case: Case) -> None:
        cases.append(case)

    draw()
    return tuple(cases)


def large(loss: Loss, dtype: str, seed: int) -> Case:
    """A few thousand elements of a realistic workload."""
    workload = loss.workloads[0]
    rows = max(2, math.ceil(LARGE_ELEMENTS / workload.elements(1)))
    return rounded(workload.make(np.random.default_rng(seed), rows), dtype)


class _StillBroken(Exception):
    """Tells Hypothesis that a case shows the fault."""


class _OutOfTime(BaseException):
    """Stops Hypothesis from outside; it would catch an Exception."""


def shrunk(
    loss: Loss, dtype: str, examples: int, seed: int, first: Case, breaks: Callable[[Case], bool]
) -> Case:
    """The smallest case that Hypothesis finds to break a law, within a time limit.

    It draws the same cases as :func:`generated`, so it meets ``first`` again. An implementation
    that breaks the law only now and then stays with the last case that did.
    """
    best = first
    deadline = time.monotonic() + SHRINKING_SECONDS

    @hypothesis.seed(seed)
    @settings(QUIET, max_examples=max(examples, DRAWN), phases=[Phase.generate, Phase.shrink])
    @hypothesis.given(loss.cases(dtype))
    def search(case: Case) -> None:
        nonlocal best
        if time.monotonic() > deadline:
            raise _OutOfTime
        if breaks(case):
            best = case
            raise _StillBroken

    with contextlib.suppress(_StillBroken, _OutOfTime, hypothesis.errors.Flaky):
        search()
    return best


def halved(loss: Loss, case: Case, breaks: Callable[[Case], bool]) -> Case:
    """A large case with half of its rows dropped again and again, while it breaks a law."""
    arguments = loss.arguments_of(case)
    while (rows := len(case[arguments[0].name])) > 1:
        halves = (slice(0, rows // 2), slice(rows // 2, rows))
        broken = [part for half in halves if breaks(part := take_rows(case, arguments, half))]
        if not broken:
            break
        case = broken[0]
    return case
