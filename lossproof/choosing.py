"""Choosing: verify every variant, time the correct ones, and decide, or call it a tie."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, overload

import numpy as np
import torch

from lossproof import cache
from lossproof.catalog import CATALOG
from lossproof.choice import Choice, Row, choice_from_plain, decide, not_slower
from lossproof.chosen import SIZES, Chosen
from lossproof.conventions import under
from lossproof.graphs import compiled_in
from lossproof.lookup import dtype_name, find, require_device
from lossproof.loss import Loss
from lossproof.machine import environment, peak_bytes
from lossproof.measure import (
    BACKWARD,
    FORWARD,
    PASSES,
    SLOW,
    Batch,
    Interrupted,
    Timing,
    copy_runner,
    estimate,
    evaluation_runner,
    interleaved,
    torch_threads,
)
from lossproof.recheck import recheck
from lossproof.verdict import Verdict
from lossproof.verdicts import known_by, silent, verdicts_on
from lossproof.workers import Report
from properties.case import Workload, take_rows

CLOSE = 0.1
"""What is not surely slower than the fastest by this share is a finalist, and timed once more."""
IMPOSSIBLE = 4.0
"""A time this many times below that of copying the least bytes is refused."""
COPY, ARITHMETIC = "copy", "arithmetic"


@overload
def choose(
    loss: str,
    *,
    device: str = "cpu",
    dtype: torch.dtype | str = torch.float32,
    size: None = None,
    threads: int | None = None,
    report: Report = silent,
) -> Chosen: ...


@overload
def choose(
    loss: str,
    *,
    device: str = "cpu",
    dtype: torch.dtype | str = torch.float32,
    size: int,
    threads: int | None = None,
    report: Report = silent,
) -> Choice: ...


def choose(
    loss: str,
    *,
    device: str = "cpu",
    dtype: torch.dtype | str = torch.float32,
    size: int | None = None,
    threads: int | None = None,
    report: Report = silent,
) -> Choice | Chosen:
    """Which variant of a loss to use on this machine: a callable for all sizes, or, of one size, the
    decision with its evidence.

    Verdicts and timings are kept on disk, so the second call is immediate.

    Args:
        loss: a name in the catalogue.
        device: "cpu", "cuda" or what torch.accelerator offers.
        dtype: one floating dtype.
        size: elements of the first argument; default: those of :data:`lossproof.chosen.SIZES`.
        threads: of torch; default: as many as torch uses.
        report: called while it works.

    Raises:
        ValueError: unknown loss, dtype or device, a size or a number of threads below 1.
        RuntimeError: no size is given, and no variant is correct.
    """
    row = find("loss", loss, CATALOG)
    _require_threads(threads)
    asked = [workload_of_size(row, each) for each in (SIZES if size is None else (size,))]
    workloads = {w.elements(w.rows): w for w in asked}  # a single row may be larger than what is asked
    verdicts = verdicts_of(row, device, dtype, report=report)
    choices = [choose_for(row, w, verdicts, device, dtype, threads, report) for w in workloads.values()]
    return Chosen(choices) if size is None else choices[0]


def _require_threads(threads: int | None) -> None:
    if threads is not None and threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")


def default_workloads(loss: Loss) -> list[Workload]:
    """The workloads that a CPU can be asked to run."""
    return [workload for workload in loss.workloads if not workload.gpu]


def workload_of_size(loss: Loss, size: int) -> Workload:
    """The workload nearest in size, with as many rows as make the size asked for."""
    if size < 1:
        raise ValueError(f"size: expected at least 1 element, got {size}")
    sizes = {workload.elements(workload.rows): workload for workload in loss.workloads}
    nearest = sizes[min(sizes, key=lambda known: abs(math.log(known / size)))]
    rows = max(1, round(size / nearest.elements(1)))
    name = f"{size:,} elements like {nearest.name}"
    return Workload(name, nearest.source, rows, nearest.make)


def verdicts_of(
    loss: Loss,
    device: str,
    dtype: torch.dtype | str,
    variants: Iterable[str] | None = None,
    examples: int = 100,
    report: Report = silent,
) -> dict[str, Verdict]:
    """The verdict on each variant, from disk where it is known."""
    require_device(device)
    asked = [(loss, name) for name in variants or loss.variants]
    found = verdicts_on(asked, device, [dtype_name(dtype)], examples, report=report)
    with closing(found) as coming:
        verdicts = dict(coming)
    return {name: verdicts[loss.name, name] for _, name in asked}


def _part(report: Report, what: str) -> Callable[[int, int], object]:
    return lambda done, total: report(what, done, total)


def choose_for(
    loss: Loss,
    workload: Workload,
    verdicts: Mapping[str, Verdict],
    device: str,
    dtype: torch.dtype | str,
    threads: int | None = None,
    report: Report = silent,
) -> Choice:
    """Time the correct variants on a workload and decide.

    After Ctrl-C the choice rests on the rounds made so far, says so, and is not kept on disk.
    """
    _require_threads(threads)
    threads = torch.get_num_threads() if threads is None else threads
    key = choice_key(environment(device), loss, workload, verdicts, dtype, threads)
    kept = cache.load("choices", key)
    if kept is not None:
        return choice_from_plain(kept)
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(loss, case, getattr(torch, dtype_name(dtype)), device)
    choice = Choice(
        loss.name,
        device,
        key["device"],
        dtype_name(dtype),
        workload.name,
        workload.source,
        batch.size,
        threads,
        evaluated=list(loss.evaluations),
    )
    for name, verdict in verdicts.items():
        choice.table.append(_row(name, verdict, choice.dtype))
        choice.table[-1].compiled = bool(compiled_in(loss.variants[name]))
    _time(choice, loss, workload, batch, report)
    if not choice.interrupted:
        cache.store("choices", key, choice)
    return choice


def choice_key(
    machine: Mapping[str, str],
    loss: Loss,
    workload: Workload,
    verdicts: Mapping[str, Verdict],
    dtype: torch.dtype | str,
    threads: int,
) -> dict[str, Any]:
    """What a choice is kept under, made in the environment of a machine."""
    return {
        **machine,
        "loss": loss.name,
        "outcomes": {name: verdict.said for name, verdict in verdicts.items()},
        "functions": [known_by(loss.variants[name]) for name in verdicts],
        "dtype": dtype_name(dtype),
        "threads": threads,
        "workload": [workload.name, workload.rows, workload.fingerprint],
    }


def _row(name: str, verdict: Verdict, dtype: str) -> Row:
    note = f"breaks {', '.join(verdict.laws_broken[:2])}" if verdict.findings else ""
    if len(verdict.laws_broken) > 2:
        note += f" and {len(verdict.laws_broken) - 2} more"
    budgets, ulps = verdict.budgets.get(dtype, math.nan), verdict.ulps.get(dtype, math.nan)
    return Row(name, verdict.outcome, note, budgets, ulps, under=verdict.under)


Runners = dict[str, Callable[[], Any]]
"""By variant, a call without arguments that does one pass."""


def _time(choice: Choice, loss: Loss, workload: Workload, batch: Batch, report: Report) -> None:
    """Fill in timings, memory and the decision of each pass."""
    timed: dict[str, Runners] = {}
    for pass_name in PASSES:
        backward = pass_name == BACKWARD
        runners = timed[pass_name] = {}
        for row in choice.table:
            if row.outcome == "correct" and not _too_slow(row, loss, batch, backward, choice.threads):
                runners[row.variant] = batch.runner(loss.variants[row.variant], backward)
        if backward:
            for row in choice.table:
                if row.variant in runners:
                    row.peak_bytes = peak_bytes(runners[row.variant], batch.device)
        _rounds(choice, pass_name, {**runners, **_limits(choice, loss, batch, backward)}, report)
        if choice.interrupted:
            break
    else:
        _recheck_all(choice, loss, workload, batch, timed)
    for pass_name in PASSES:
        decide(choice, pass_name)


def _limits(choice: Choice, loss: Loss, batch: Batch, backward: bool) -> Runners:
    """What nothing can be faster than."""
    limits = {COPY: copy_runner(batch.least_bytes(backward), batch.device)}
    if loss.evaluations:
        dtype = getattr(torch, choice.dtype)
        how = (batch.size, dtype, batch.device, choice.threads)
        limits[ARITHMETIC] = evaluation_runner(loss.evaluations, *how)
    return limits


def _rounds(choice: Choice, pass_name: str, runners: Runners, report: Report) -> None:
    """Time all of them, and the finalists once more."""
    part = _part(report, f"time {choice.loss}, {choice.workload}, {pass_name}")
    try:
        _add(choice, pass_name, interleaved(runners, choice.threads, part))
        finalists = not_slower(choice, pass_name, CLOSE)
        if len(finalists) > 1:
            again = {name: runners[name] for name in finalists}
            _add(choice, pass_name, interleaved(again, choice.threads, part))
    except Interrupted as stopped:
        choice.interrupted = True
        _add(choice, pass_name, stopped.timings)


def _add(choice: Choice, pass_name: str, timings: Mapping[str, Timing]) -> None:
    """Put rounds after those that there are, and refuse what can't be true."""
    if COPY in timings:
        choice.limits[pass_name] = timings[COPY]
    if ARITHMETIC in timings:
        choice.arithmetic[pass_name] = timings[ARITHMETIC]
    for row in choice.table:
        if row.variant in timings:
            timing = row.timings.get(pass_name, Timing(())) + timings[row.variant]
            row.timings[pass_name] = timing
            if timing.median * IMPOSSIBLE < choice.limits[pass_name].median:
                row.outcome, row.note = "refused", "faster than memory can be read"


def _recheck_all(
    choice: Choice, loss: Loss, workload: Workload, batch: Batch, timed: Mapping[str, Runners]
) -> None:
    """Check what was timed on its numbers, then on numbers that no implementation has seen, put into
    the same memory: a result that was remembered for its place shows then."""
    unseen = workload.make(np.random.default_rng(1), workload.rows)
    if unseen == batch.case:  # a person's own batch is all there is: in another order
        rows = np.roll(np.arange(len(next(iter(batch.tensors.values())))), 1)
        unseen = take_rows(unseen, loss.arguments_of(unseen), rows)
    for refill, where in ((False, "on this batch"), (True, "on numbers it had not seen")):
        if refill:
            batch.refill(unseen)
        for row in choice.table:
            if row.outcome == "correct" and row.variant in timed[BACKWARD]:
                with torch_threads(choice.threads):
                    _recheck(row, loss, batch, [timed[name][row.variant] for name in PASSES], where)


def _too_slow(row: Row, loss: Loss, batch: Batch, backward: bool, threads: int) -> bool:
    if row.note:  # the forward pass was too slow already
        return True
    expected = estimate(loss.variants[row.variant], batch, backward, threads)
    if expected > SLOW:
        which = BACKWARD if backward else FORWARD
        row.note = f"not timed {which}: about {expected:.0f} s a call, extrapolated"
    return expected > SLOW


def _recheck(
    row: Row, loss: Loss, batch: Batch, runners: Sequence[Callable[[], Any]], where: str
) -> None:
    """Refuse a variant whose timed calls give something wrong."""
    (forward, _), (value, gradients) = (run() for run in runners)
    batch = replace(batch, loss=under(loss, row.under))
    checked = recheck(loss.variants[row.variant], batch, [forward, value], gradients)
    row.budgets = max(row.budgets, checked.budgets)
    row.ulps = max(row.ulps, checked.ulps)
    if checked.fault:
        row.outcome, row.note = "refused", f"{checked.fault} {where}"
