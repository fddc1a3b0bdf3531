"""Cases: drawn once by Hypothesis for all laws and implementations, shrunk where a law breaks, and kept
for the next time."""

import contextlib
import math
import time
import unittest
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase, ReadOnlyDatabase

from lossproof import cache
from lossproof.loss import Loss
from properties.case import Case, rounded, take_rows

DRAWN = 60
BATCH = 20
SOUGHT = -1
"""The number of the batch that is not shared."""
SHRINKING_SECONDS = 20.0
LARGE_ELEMENTS = 2000
HUGE_ELEMENTS = 2**18
SMALL_ROW = 16
COUNTED = 65_600
"""More than the largest float16, 65,504."""
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
    seed: int,
    number: int,
    phases: list[Phase],
    database: ExampleDatabase | None,
    visit: Callable[[Case], float | None],
    most: int = BATCH,
) -> None:
    """Draw a batch of cases for a visitor. The database knows them by this very test, whoever visits.
    A number that the visitor returns is one to make large, in the phase named target.

    Hypothesis makes new examples from those before, so that a long run can stay with one option for a
    hundred of them: a batch has a seed of its own, and so has a dtype.
    """

    @settings(QUIET, max_examples=most, phases=phases, database=database)
    @hypothesis.seed(zlib.crc32(f"{seed} {dtype} {number}".encode()))  # below the settings, whose
    @hypothesis.given(loss.cases(dtype))  # database it would take away
    def search(case: Case) -> None:
        score = visit(case)
        if score is not None:
            hypothesis.target(score)

    search()


def generated(loss: Loss, dtype: str, examples: int, seed: int) -> tuple[Case, ...]:
    """The cases of a loss: drawn once, shared by all laws and implementations.

    Fewer than :data:`DRAWN` are picked evenly from that many, so that what the oracle says of one
    serves all who ask, and not all are of the small ones that Hypothesis begins with.
    """
    whole = max(examples, DRAWN)
    batches = (_batch(loss, dtype, seed, number) for number in range(math.ceil(whole / BATCH)))
    cases = [case for batch in batches for case in batch][:whole]
    return tuple(cases[index * len(cases) // examples] for index in range(min(examples, len(cases))))


@lru_cache(maxsize=1000)
def _batch(loss: Loss, dtype: str, seed: int, number: int) -> tuple[Case, ...]:
    """Some of the cases."""
    cases: list[Case] = []
    _search(loss, dtype, seed, number, [Phase.generate], None, cases.append)
    return tuple(cases)


def sought(
    loss: Loss, dtype: str, examples: int, seed: int, score: Callable[[Case], float | None]
) -> None:
    """Further cases for an implementation alone, each made from those before that scored most."""
    _search(loss, dtype, seed, SOUGHT, [Phase.generate, Phase.target], None, score, examples)


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
        with contextlib.suppress(unittest.SkipTest):  # nothing is kept, or of another version alone
            _search(loss, dtype, 0, 0, [Phase.reuse], kept, cases.append)
    return tuple(dict.fromkeys(cases))[:most]


def large(loss: Loss, dtype: str, seed: int) -> Case:
    """A realistic workload with a few thousand elements in what has a row for each item."""
    rows = max(2, math.ceil(LARGE_ELEMENTS / _row_elements(loss, 0)))
    return _workload_case(loss, 0, dtype, seed, rows)


def huge(loss: Loss, dtype: str, seed: int) -> Case:
    """A realistic workload with more than float16 can count: as many small rows, or a quarter of a
    million elements in rows as large as fit."""
    code = f'huge(CATALOG["{loss.name}"], "{dtype}", {seed})'
    if _row_elements(loss, 0) <= SMALL_ROW:
        return replace(_workload_case(loss, 0, dtype, seed, COUNTED), code=code)
    sizes = {n: _elements(loss, n, 1) for n, workload in enumerate(loss.workloads) if not workload.gpu}
    number = max((n for n, size in sizes.items() if size <= HUGE_ELEMENTS), key=sizes.__getitem__)
    rows = 1 + (HUGE_ELEMENTS - sizes[number]) // _row_elements(loss, number)
    return replace(_workload_case(loss, number, dtype, seed, rows), code=code)


def _workload_case(loss: Loss, number: int, dtype: str, seed: int, rows: int) -> Case:
    return rounded(loss.workloads[number].make(np.random.default_rng(seed), rows), dtype)


@lru_cache(maxsize=1000)
def _elements(loss: Loss, number: int, rows: int) -> int:
    """How many numbers with a gradient some rows of a workload have."""
    case = loss.workloads[number].make(np.random.default_rng(0), rows)
    return sum(case[argument.name].size for argument in loss.arguments_of(case) if argument.gradient)


def _row_elements(loss: Loss, number: int) -> int:
    """By how many one row more has more."""
    return _elements(loss, number, 2) - _elements(loss, number, 1)


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

    It draws the batch of cases again that ``first`` is from, so it meets it again. An implementation
    that breaks the law only now and then stays with the last case that did. What breaks it is kept for
    the implementation and law of ``kept_as`` (:func:`failed_before`).
    """
    best = first
    deadline = time.monotonic() + SHRINKING_SECONDS
    batches = range(math.ceil(max(examples, DRAWN) / BATCH))
    number = next((n for n in batches if first in _batch(loss, dtype, seed, n)), 0)

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
        _search(loss, dtype, seed, number, phases, kept, visit)
    return best


def halved(loss: Loss, case: Case, breaks: Callable[[Case], bool]) -> Case:
    """A large case with half of its rows dropped again and again, while it breaks a law."""
    arguments = loss.arguments_of(case)
    while arguments[0].batched and (rows := len(case[arguments[0].name])) > 1:
        halves = (slice(0, rows // 2), slice(rows // 2, rows))
        broken = [part for half in halves if breaks(part := take_rows(case, arguments, half))]
        if not broken:
            break
        case = broken[0]
    return case
