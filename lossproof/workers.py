"""Workers: verification in processes of their own, within limits of time and memory.

An implementation that hangs, crashes the interpreter or eats memory takes only its own worker with it.
Each worker is an executor with one process, since an executor gives up all its processes when one dies.
Functions come by reference ("module:function"), so a worker verifies what the caller's import finds.
"""

import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from lossproof.adapting import Adapted
from lossproof.catalog import CATALOG
from lossproof.loss import Variant
from lossproof.notes import Notes
from lossproof.processes import cause_of_death, end_with_parent, kill_tree, launch
from lossproof.references import resolve
from lossproof.snippet import program
from lossproof.traces import own_output
from lossproof.trial import Died, TorchTrial
from lossproof.verdict import SURVIVES, Finding, Verdict, merged
from lossproof.verification import verify

POLL_SECONDS = 0.05
GIB = 2**30
SLOWEST = ("float64", "float16")
"""Dtypes whose verification takes longest: the first for its oracle in long double, the other for values
beyond its range. What is begun first leaves no worker alone with it at the end."""
STATEMENT = "The call comes back: it neither hangs, nor crashes the process, nor eats its memory."

Report = Callable[[str, int, int], object]
"""Called with what is being done, how much of it is done, and of how much."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """What one implementation may take.

    Attributes:
        seconds: of one dtype's verification, or of one program that is replayed.
        gibibytes: of resident memory of the process. The parent looks every 50 ms.
    """

    seconds: float = 1200.0
    gibibytes: float = round(max(2.0, psutil.virtual_memory().total / GIB / (cores() + 1)), 1)


@dataclass(frozen=True)
class Job:
    """One verification: the arguments of :func:`lossproof.verify`, and the function's reference, or what
    adapts one."""

    loss: str
    variant: str
    function: str | Adapted
    device: str
    dtypes: tuple[str, ...]
    examples: int
    seed: int
    conventions: tuple[str, ...] = ()


def _function(job: Job) -> Variant:
    return resolve(job.function) if isinstance(job.function, str) else job.function


def run(
    jobs: Sequence[Job], workers: int, limits: Limits, report: Report
) -> Iterator[tuple[Job, Verdict]]:
    """Verdicts as they come in. No process is left when this ends, is closed or is interrupted.

    The dtypes of a job are parts that workers do side by side. A worker keeps to one loss while it has
    parts, since they share the oracle's answers. What did not survive one part is spared the others.
    """
    waiting: dict[str, deque[_Part]] = {}
    for job in jobs:
        waiting.setdefault(job.loss, deque()).extend(_Whole(job).parts())
    count = sum(map(len, waiting.values()))
    with tempfile.TemporaryDirectory(prefix="lossproof-") as folder:
        slots = [_Worker(Path(folder, str(n)), limits) for n in range(min(workers, count))]
        try:
            while True:
                for slot in slots:
                    held = {other.loss for other in slots if other.part and other is not slot}
                    if slot.part is None and (loss := _next_loss(waiting, slot.loss, held)):
                        slot.start(waiting[loss].popleft())
                busy = {slot.future: slot for slot in slots if slot.part}
                if not busy:
                    return
                wait(busy, POLL_SECONDS, FIRST_COMPLETED)
                for slot in busy.values():
                    answer = slot.poll(report)
                    if answer is None:
                        continue
                    part, verdict = answer
                    report(part.name, 1, 1)
                    if SURVIVES in verdict.laws_broken:
                        kept = deque(p for p in waiting[slot.loss] if p.whole is not part.whole)
                        part.whole.left -= len(waiting[slot.loss]) - len(kept)
                        waiting[slot.loss] = kept
                    if whole := part.whole.with_part(part.job, verdict):
                        yield part.whole.job, whole
        finally:
            for slot in slots:
                slot.stop()
                slot.notes.close()


@dataclass
class _Whole:
    """A job, and the verdicts on its parts so far."""

    job: Job

    def __post_init__(self) -> None:
        self.left = len(self.job.dtypes)
        self.verdicts: dict[str, Verdict] = {}

    def parts(self) -> "Iterator[_Part]":
        """One for each dtype, the slowest first."""
        for dtype in sorted(self.job.dtypes, key=lambda dtype: dtype not in SLOWEST):
            yield _Part(self, replace(self.job, dtypes=(dtype,)))

    def with_part(self, part: Job, verdict: Verdict) -> Verdict | None:
        """The verdict on the whole, if this was the last part of it."""
        self.verdicts[part.dtypes[0]] = verdict
        self.left -= 1
        if self.left:
            return None
        return merged([self.verdicts[dtype] for dtype in self.job.dtypes if dtype in self.verdicts])


@dataclass(frozen=True)
class _Part:
    """What one worker does at a time: a dtype of a job."""

    whole: _Whole
    job: Job

    @property
    def name(self) -> str:
        return f"verify {self.job.loss} {self.job.variant}, {self.job.dtypes[0]}"


def _next_loss(waiting: dict[str, deque[_Part]], own: str, held: set[str]) -> str:
    """The worker's own loss, else one that no other worker has, else the one with most to do."""
    left = {loss: len(jobs) for loss, jobs in waiting.items() if jobs}
    if own in left:
        return own
    free = {loss: count for loss, count in left.items() if loss not in held} or left
    return max(free, key=free.__getitem__, default="")


class _Worker:
    """One process, started when it is first needed and again after it was lost."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.output, self.log = path.with_suffix(".out"), path.with_suffix(".log")
        path.touch()
        self.path, self.notes, self.limits = path, Notes(path), limits
        self.part: _Part | None = None
        self.loss = ""
        self.executor: ProcessPoolExecutor | None = None

    def start(self, part: _Part) -> None:
        if self.executor is None:
            self._launch()
        assert self.executor is not None
        self.notes.clear()
        self.part, self.loss = part, part.job.loss
        self.started = time.monotonic()
        self.future: Future[Verdict] = self.executor.submit(_work, part.job)

    def _launch(self) -> None:
        arguments = (str(self.path), str(self.output), str(self.log))
        self.executor, self.process, self.ready = launch(_prepare, arguments)

    def poll(self, report: Report) -> tuple[_Part, Verdict] | None:
        """The part and its verdict, if there is one by now; the worker can take another then."""
        assert self.part is not None
        part, verdict = self.part, self._verdict(self.part, report)
        if verdict is None:
            return None
        self.part = None
        if self._held() > self.limits.gibibytes * GIB / 2:  # which is not the next one's
            self.stop()
        return part, verdict

    def _verdict(self, part: _Part, report: Report) -> Verdict | None:
        job = part.job
        if not self.ready.done():  # still importing, which is not the implementation's time
            self.started = time.monotonic()
        if self.future.done():
            return self._answer(job)
        report(part.name, *self.notes.read_progress())
        if time.monotonic() - self.started > self.limits.seconds:
            return self._stopped(job, f"no answer within {self.limits.seconds:g} s (killed)")
        if self._held() > self.limits.gibibytes * GIB:
            return self._stopped(job, f"held more than {self.limits.gibibytes:.3g} GiB (killed)")
        return None

    def _held(self) -> int:
        """Bytes of resident memory."""
        with suppress(psutil.NoSuchProcess):
            return int(psutil.Process(self.process.pid).memory_info().rss)
        return 0

    def _answer(self, job: Job) -> Verdict:
        error = self.future.exception()
        if error is None:
            return self.future.result()
        if isinstance(error, BrokenProcessPool):
            if self.ready.exception() is not None:
                last = ""
                if self.log.exists():
                    last = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"a worker process could not start\n{last}") from error
            return self._stopped(job, f"the process died: {cause_of_death(self.process)}")
        if isinstance(error, Exception):
            raise error  # ours
        return self._stopped(job, f"the call raised {type(error).__name__}")

    def _stopped(self, job: Job, reason: str) -> Verdict:
        """The verdict on an implementation that gave none, with the call that it was in."""
        self.stop()
        noted = self.notes.read_call()
        dtype, inputs, code = job.dtypes[0], {}, ""
        if noted is not None:
            law, dtype, call = noted
            reason += f", under the law {law}"
            inputs = dict(call.case.values)
            trial = TorchTrial(_function(job), CATALOG[job.loss], call.case, dtype, job.device)
            trial.calls.append(call)
            code = program(trial, SURVIVES, STATEMENT, Died(reason))
        return unanswered(job, reason, dtype, inputs, code)

    def stop(self) -> None:
        """End the process, and what it started, whatever it does."""
        if self.executor is None:
            return
        kill_tree(self.process.pid)
        self.executor.shutdown(cancel_futures=True)
        self.executor = None


def unanswered(
    job: Job, reason: str, dtype: str, inputs: dict[str, Any] | None = None, code: str = ""
) -> Verdict:
    """The verdict on what gave none."""
    finding = Finding(
        SURVIVES, STATEMENT, reason, dtype, inputs or {}, None, None, float("inf"), code, raised=True
    )
    how = (job.examples, job.seed, job.conventions)
    return Verdict(job.loss, job.device, "error", (finding,), {}, {}, {}, (), {}, *how)


# In the worker

_notes: Notes


def _prepare(notes: str, output: str, log: str) -> None:
    """Make a process ready: quiet, one thread of its own, gone when its parent is."""
    global _notes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor, path in ((1, output), (2, log)):  # apart, since only what goes to 1 is a trace
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), descriptor)
    own_output()
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    torch.set_num_threads(1)
    _notes = Notes(Path(notes))
    end_with_parent()


def _work(job: Job) -> Any:
    return verify(
        _function(job),
        job.loss,
        conventions=job.conventions,
        device=job.device,
        dtypes=job.dtypes,
        examples=job.examples,
        seed=job.seed,
        progress=_notes.progress,
        announce=_notes.call,
    )
