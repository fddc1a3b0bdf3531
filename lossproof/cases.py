"""Cases: drawn once by Hypothesis for all laws and implementations, shrunk where a law breaks, and kept
for the next time."""

import contextlib
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase, ReadOnlyDatabase

from lossproof import cache
from lossproof.loss import Loss
from properties.case import Case, rounded, take_rows

SHRINKING_SECONDS = 20.0
LARGE_ELEMENTS = 3000
QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)


def _search(
    loss: Loss,
    dtype: str,
    examples: int,
    seed: int,
    phases: list[Phase],
    database: ExampleDatabase | None,
    visit: Callable[[Case], object],
) -> None:
    """Draw cases for a visitor. The database knows them by this very test, whoever visits."""

    @settings(QUIET, max_examples=examples, phases=phases, database=database)
    @hypothesis.seed(seed)  # below the settings, whose database it would take away
    @hypothesis.given(loss.cases(dtype))
    def search(case: Case) -> None:
        visit(case)

    search()


@lru_cache(maxsize=64)
def generated(loss: Loss, dtype: str, examples: int, seed: int) -> tuple[Case, ...]:
    """The cases of a loss: drawn once, shared by all laws and implementations."""
    cases: list[Case] = []
    _search(loss, dtype, examples, seed, [Phase.generate], None, cases.append)
    return tuple(cases)


def _failures(loss: Loss, dtype: str, implementation: str) -> Path:
    """Where the failures of an implementation are kept, in a folder for each law.

    Hypothesis' own database holds the choices that led to a case, not the case: so it can hold any
    option, and what the loss no longer generates drops out by itself.
    """
    return cache.folder() / "failures" / loss.name / implementation / dtype


def failed_before(loss: Loss, dtype: str, implementation: str, most: int = 3) -> tuple[Case, ...]:
    """Cases that broke a law in earlier verifications of an implementation, the smallest of each law."""
    cases: list[Case] = []
    folder = _failures(loss, dtype, implementation)
    for law in sorted(folder.iterdir()) if folder.is_dir() else ():
        kept = ReadOnlyDatabase(DirectoryBasedExampleDatabase(law))
        _search(loss, dtype, most, 0, [Phase.reuse], kept, cases.append)
    return tuple(dict.fromkeys(cases))


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
    loss: Loss,
    dtype: str,
    examples: int,
    seed: int,
    first: Case,
    breaks: Callable[[Case], bool],
    kept_as: tuple[str, str],
) -> Case:
    """The smallest case that Hypothesis finds to break a law, within a time limit.

    It draws the same cases as :func:`generated`, so it meets ``first`` again. An implementation
    that breaks the law only now and then stays with the last case that did. What breaks it is kept for
    the implementation and law of ``kept_as`` (:func:`failed_before`).
    """
    best = first
    deadline = time.monotonic() + SHRINKING_SECONDS

    def visit(case: Case) -> None:
        nonlocal best
        if time.monotonic() > deadline:
            raise _OutOfTime
        if breaks(case):
            best = case
            raise _StillBroken

    implementation, law = kept_as
    kept = DirectoryBasedExampleDatabase(_failures(loss, dtype, implementation) / law)
    with contextlib.suppress(_StillBroken, _OutOfTime, hypothesis.errors.Flaky):
        phases = [Phase.reuse, Phase.generate, Phase.shrink]
        _search(loss, dtype, examples, seed, phases, kept, visit)
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
