"""Trying mutants: each verified until the first fault, on all cores, and what became of it kept on disk.

What was tried before, with the same source, laws and oracle, is not tried again: a run that was
interrupted goes on where it stopped.
"""

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from lossproof.cache import load, store
from lossproof.catalog import CATALOG
from lossproof.deciding import VARIANT, deciding_source
from lossproof.loss import Loss
from lossproof.mutants import Mutant, build, mutants_of
from lossproof.strength import Result
from lossproof.verification import first_fault

BATCH = 12
"""How many mutants a worker takes at once: they share what the oracle says."""
FEW = 10
"""Examples for each dtype of a mutant that is listed as equivalent."""
PATIENCE = 10.0
"""A mutant is stopped after this many times what the right variant takes, and as many seconds."""


Task = tuple[str, list[int], int, int]
"""A loss, which of its mutants, examples and seed."""


def measure(
    losses: Sequence[Loss],
    examples: int,
    seed: int,
    jobs: int,
    listed: Callable[[str, Mutant], bool] = lambda loss, mutant: False,
) -> Iterator[tuple[str, list[Result]]]:
    """The results of each loss, some at a time, as they come; those on disk first.

    Mutants that are ``listed`` as equivalent stand on an argument, which a few examples check.
    """
    missing: list[Task] = []
    for loss in losses:
        mutants = mutants_of(loss.variants[VARIANT])
        left: dict[int, list[int]] = {}
        for place, mutant in enumerate(mutants):
            enough = min(examples, FEW) if listed(loss.name, mutant) else examples
            kept = [load("strength", _key(loss, mutant, many, seed)) for many in {examples, enough}]
            if known := next((value for value in kept if value is not None), None):
                yield loss.name, [Result(**known)]
            else:
                left.setdefault(enough, []).append(place)
        for enough, places in left.items():
            parts = (places[i : i + BATCH] for i in range(0, len(places), BATCH))
            missing += [(loss.name, part, enough, seed) for part in parts]
    yield from _in_this_process(missing) if jobs == 1 or len(missing) < 2 else _in_others(missing, jobs)


def _in_this_process(tasks: Sequence[Task]) -> Iterator[tuple[str, list[Result]]]:
    for name, places, examples, seed in tasks:
        for place in places:
            yield name, _try_batch(name, [place], examples, seed)


def _in_others(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[str, list[Result]]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start) as pool:
        running = {pool.submit(_try_batch, *task): task[0] for task in tasks}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _start() -> None:
    """A worker leaves Ctrl-C to its parent, and has one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _leave_if_alone() -> None:
    """A worker whose parent was killed would work through all that waits for it."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _try_batch(name: str, places: Sequence[int], examples: int, seed: int) -> list[Result]:
    loss = CATALOG[name]
    limit = _time_limit(loss, examples, seed)
    mutants = mutants_of(loss.variants[VARIANT])
    results = []
    for mutant in (mutants[place] for place in places):
        _leave_if_alone()
        result = try_mutant(loss, mutant, examples, seed, limit)
        store("strength", _key(loss, mutant, examples, seed), result)
        results.append(result)
    return results


class WrongVariant(Exception):
    """The variant itself breaks a law: its mutants would be killed for its own fault."""


@cache
def _time_limit(loss: Loss, examples: int, seed: int) -> float:
    """Seconds that a mutant gets; the right variant, which sets them, must obey every law."""
    begin = time.monotonic()
    fault = first_fault(loss.variants[VARIANT], loss, examples=examples, seed=seed)
    if fault is not None:
        found = f"{fault.law} ({fault.dtype}): {fault.reason}"
        raise WrongVariant(f"{loss.name}: {VARIANT} itself breaks {found}")
    return PATIENCE * (1 + time.monotonic() - begin)


def try_mutant(loss: Loss, mutant: Mutant, examples: int, seed: int, limit: float) -> Result:
    """Whether the laws reject a mutant; one that doesn't come to an end is rejected too."""
    function = build(loss.variants[VARIANT], mutant)
    name, change = mutant.function, mutant.change
    try:
        with warnings.catch_warnings(), _at_most(limit):
            warnings.simplefilter("ignore")
            fault = first_fault(function, loss, examples=examples, seed=seed)
    except _TooLong:
        return Result(name, change, "killed", "time", reason=f"took more than {limit:.0f} s")
    if fault is None:
        return Result(name, change, "survived")
    return Result(name, change, "killed", fault.law, fault.dtype, fault.reason.splitlines()[0][:200])


class _TooLong(BaseException):
    """Stops a mutant from outside; the trial would take an Exception for one of the variant's."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise after so much time, where the platform can (in a main thread, with signals)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# What is kept


def _key(loss: Loss, mutant: Mutant, examples: int, seed: int) -> dict[str, Any]:
    key = {"loss": loss.name, "function": mutant.function, "change": mutant.change}
    return {**key, "examples": examples, "seed": seed, "source": deciding_source(loss)}
