"""What a Dask worker does: one verification or one timing, each in a process of its own.

A task runs what would run on one machine alone (:func:`lossproof.workers.run`,
:func:`lossproof.choosing.choose_for`) and gives back plain data, with the machine that it was made on.
"""

import math
import multiprocessing
import pickle
import platform
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cloudpickle
import numpy
import scipy
import torch
from distributed import get_worker

from lossproof import cache, workers
from lossproof.choosing import choose_for
from lossproof.lookup import require_device
from lossproof.machine import environment
from lossproof.notes import Notes
from lossproof.processes import cause_of_death, end_with_parent, kill_tree, launch
from lossproof.workers import POLL_SECONDS, Job, Limits, Report

TELL_SECONDS = 1.0
Made = tuple[dict[str, Any], dict[str, str]]
"""Plain data, and the environment that it was made in."""


class Lost(ConnectionError):
    """The cluster can't go on; what came is kept."""


class TimingDied(Exception):
    """The process that timed died; its worker lives."""


class Unwanted(Exception):
    """Nobody waits for the task any more."""


def versions() -> dict[str, str]:
    """What must be the same on all machines: the source, as imported and on disk, and packages."""
    return {
        "source": cache.source_hash(),
        "source on disk": cache.source_on_disk(),
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],  # not whether it is a build for CUDA
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def files(modules: Iterable[str]) -> dict[str, str]:
    """The same of a person's own modules."""
    return {f"files of {module}": cache.contents(module) for module in sorted(set(modules))}


def difference(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """What is not the same, or nothing.

    >>> difference({"torch": "2.9.0"}, {"torch": "2.13.0"})
    'torch is 2.9.0, here 2.13.0'
    """
    unlike = {name: value for name, value in ours.items() if theirs[name] != value}
    return "; ".join(
        f"{name} is {theirs[name][:12] or 'none'}, here {unlike[name][:12]}" for name in unlike
    )


def describe(device: str) -> dict[str, Any]:
    """What a worker says of itself before it is given anything.

    Raises:
        ValueError: it has no such device.
    """
    require_device(device)
    return {
        "versions": versions(),
        "environment": environment(device),
        "threads": torch.get_num_threads(),
        "daemonic": multiprocessing.current_process().daemon,
    }


def verify_job(job: Job, limits: Limits, ours: dict[str, str], modules: list[str], topic: str) -> Made:
    """The verdict on one implementation."""
    _require_same(ours, modules)
    ((_, verdict),) = workers.run([job], 1, limits, _teller(topic))
    return cache.plain(verdict), environment(job.device)


def time_variants(asked: tuple[Any, ...], ours: dict[str, str], modules: list[str], topic: str) -> Made:
    """The choice for one loss and workload: ``asked`` are the arguments of :func:`choose_for`.

    Raises:
        TimingDied: an implementation ended the process.
    """
    _require_same(ours, modules)
    row, workload, _, device, *_ = asked
    report = _teller(topic)
    with tempfile.TemporaryDirectory(prefix="lossproof-") as folder:
        path = Path(folder, "notes")
        path.touch()
        notes = Notes(path)
        executor, process, _ = launch(_prepare, (str(path),))
        future = executor.submit(_choose_here, cloudpickle.dumps(asked))
        try:
            while not wait([future], POLL_SECONDS).done:
                report(f"time {row.name}, {workload.name}", *notes.read_progress())
            return future.result(), environment(device)
        except BrokenProcessPool:
            raise TimingDied(f"the process died: {cause_of_death(process)}") from None
        finally:
            kill_tree(process.pid)
            executor.shutdown(cancel_futures=True)
            notes.close()


def _require_same(ours: dict[str, str], modules: list[str]) -> None:
    """Of each task, since workers may come late."""
    if differs := difference({**versions(), **files(modules)}, ours):
        raise Lost(refusal(get_worker().address, differs))


def refusal(address: str, reason: str) -> str:
    """Why a worker is not used."""
    return f"--scheduler: worker {address}: {reason}"


def _teller(topic: str) -> Report:
    """Tells the client of progress, and ends the task when it is no longer wanted."""
    worker = get_worker()
    key, last = worker.get_current_task(), -math.inf

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise Unwanted(what)
        if total and time.monotonic() - last >= TELL_SECONDS:
            last = time.monotonic()
            worker.log_event(topic, {"what": what, "done": done, "total": total})

    return tell


# In the process that times

_notes: Notes


def _prepare(notes: str) -> None:
    global _notes
    _notes = Notes(Path(notes))
    end_with_parent()


def _choose_here(asked: bytes) -> Any:
    def tell(what: str, done: int, total: int) -> None:
        _notes.progress(done, total)

    loss, workload, verdicts, device, dtype, threads = pickle.loads(asked)
    return cache.plain(choose_for(loss, workload, verdicts, device, dtype, threads, tell))
