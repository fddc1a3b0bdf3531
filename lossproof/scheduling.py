"""More than one machine: verifications and timings as tasks of a Dask cluster (the extra ``dask``).

Dask only carries calls of what would run here. What is lost with a worker, Dask runs again on another.
"""

import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from distributed import CancelledError, Client, Future, KilledWorker, wait
from distributed.comm.core import CommClosedError

from lossproof import cache
from lossproof.choice import Choice, choice_from_plain
from lossproof.choosing import choice_key
from lossproof.loss import Loss
from lossproof.tasks import Lost, TimingDied, files, time_variants, verify_job, versions
from lossproof.verdict import Verdict
from lossproof.verdicts import Key, foreign_modules, sendable, verdicts_on
from lossproof.workers import Job, Limits, Report, unanswered
from properties.case import Workload

TIMING = {"timing": 1}
"""The resource of workers that time: one on each machine."""
LOOK_SECONDS = 1.0
"""How often it is looked whether there are workers."""
ALONE_SECONDS = 60.0
"""How long a cluster may be without a worker that can do what is left."""


@dataclass(frozen=True)
class Worker:
    """What a worker said of itself: its machine, and how many threads torch uses there."""

    environment: dict[str, str]
    threads: int


@dataclass(frozen=True)
class Call:
    """A task: its name, what it is for, the arguments, and a person's own modules that it imports."""

    name: str
    key: Any
    arguments: tuple[Any, ...]
    modules: list[str]


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster whose workers have the device and this project's source.

    Attributes:
        workers: by address.
        kind: the name of the device that all workers have, if only they may be used; else empty.
    """

    client: Client
    address: str
    device: str
    workers: Mapping[str, Worker]
    kind: str = ""

    def kinds(self) -> "list[Cluster]":
        """The workers of each kind of device."""
        kinds: dict[str, dict[str, Worker]] = {}
        for address, worker in self.workers.items():
            kinds.setdefault(worker.environment["device"], {})[address] = worker
        return [replace(self, workers=kinds[kind], kind=kind) for kind in sorted(kinds)]

    def environments(self) -> list[dict[str, str]]:
        """Those of the workers, each once."""
        return list({repr(w.environment): w.environment for w in self.workers.values()}.values())

    def verdicts(
        self, jobs: Sequence[Job], limits: Limits, report: Report
    ) -> Iterator[tuple[Job, Verdict, dict[str, str]]]:
        """As they come in, each with the environment that it was made in."""
        calls = []
        for job in jobs:
            modules = foreign_modules([job.function])
            calls.append(Call(f"verify {job.loss} {job.variant}", job, (job, limits), modules))
        for job, future in self._run(verify_job, calls, needed(self.device), report):
            try:
                kept, where = future.result()
            except KilledWorker as error:
                lost = f"{error.allowed_failures + 1} Dask workers in turn were lost while they ran it"
                yield job, unanswered(job, lost, job.dtypes[0]), {}
            else:
                yield job, Verdict.from_plain(kept), where

    def choices(
        self,
        work: Sequence[tuple[Loss, Workload]],
        verdicts: Mapping[Key, Verdict],
        dtype: str,
        threads: int | None,
        report: Report,
    ) -> Iterator[Choice]:
        """Those on disk, then the others as they come in. What can't be timed is a warning."""
        calls = []
        for row, workload in work:
            known = {name: verdicts[row.name, name] for name in row.variants}
            keys = [
                choice_key(each.environment, row, workload, known, dtype, threads or each.threads)
                for each in self.workers.values()
            ]
            kept = next(filter(None, (cache.load("choices", key) for key in keys)), None)
            if kept is not None:
                yield choice_from_plain(kept)
                continue
            asked = (row, workload, known, self.device, dtype, threads)
            modules = foreign_modules(map(sendable, row.variants.values()))
            calls.append(Call(f"time {row.name}, {workload.name}", asked, (asked,), modules))
        resources = {**needed(self.device), **TIMING}
        for (row, workload, known, *_), future in self._run(time_variants, calls, resources, report):
            try:
                plain, where = future.result()
            except (KilledWorker, TimingDied) as error:
                told = f"no table of {row.name} on {workload.name}, {self.kind}: {error}"
                warnings.warn(told, stacklevel=2)
            else:
                choice = choice_from_plain(plain)
                key = choice_key(where, row, workload, known, dtype, choice.threads)
                cache.store("choices", key, choice)
                yield choice

    def _run(
        self,
        function: Callable[..., Any],
        calls: Sequence[Call],
        resources: dict[str, int],
        report: Report,
    ) -> Iterator[tuple[Any, Future[Any]]]:
        """What each call is for, and its future, when it is done. What is left over is cancelled."""
        topic, ours = f"{function.__name__}-{uuid.uuid4()}", versions()
        where = list(self.workers) if self.kind else None

        def hear(event: tuple[float, dict[str, Any]]) -> None:
            report(*(event[1][name] for name in ("what", "done", "total")))

        self.client.subscribe_topic(topic, hear)
        futures = {}
        for number, call in enumerate(calls):
            arguments = (*call.arguments, {**ours, **files(call.modules)}, call.modules, topic)
            key = (topic, number, call.name)  # tasks of one kind, to Dask
            future = self.client.submit(
                function, *arguments, key=key, resources=resources, workers=where
            )
            futures[future] = call
        try:
            for future in self._done(set(futures), resources):
                report(futures[future].name, 1, 1)
                yield futures[future].key, future
        except (CancelledError, CommClosedError):
            raise Lost(f"--scheduler: the connection to {self.address} is lost") from None
        finally:
            if self.client.status == "running":
                self.client.cancel(list(futures))
                self.client.unsubscribe_topic(topic)

    def _done(self, waiting: set[Future[Any]], resources: Mapping[str, int]) -> Iterator[Future[Any]]:
        seen = time.monotonic()
        while waiting:
            try:
                done = wait(list(waiting), LOOK_SECONDS, "FIRST_COMPLETED").done
            except TimeoutError:
                done = set()
            yield from done
            waiting -= done
            if done or self._is_there(resources):
                seen = time.monotonic()
            elif time.monotonic() - seen > ALONE_SECONDS:
                kind = self.kind or self.device
                raise Lost(f"--scheduler: no worker is left at {self.address} for {kind}")

    def _is_there(self, resources: Mapping[str, int]) -> bool:
        """Whether a worker is left, or has come, that can take such tasks."""
        present = workers_with(self.client, resources)
        return bool(present.keys() & self.workers.keys() if self.kind else present)


def needed(device: str) -> dict[str, int]:
    """The resources of a task on a device. Every worker has a CPU."""
    kind = device.partition(":")[0]
    return {} if kind == "cpu" else {kind: 1}


def workers_with(client: Client, resources: Mapping[str, int]) -> dict[str, Any]:
    """The workers that have so much of each resource."""
    return {
        address: worker
        for address, worker in client.scheduler_info()["workers"].items()
        if all(worker["resources"].get(name, 0) >= amount for name, amount in resources.items())
    }


def choices_by_kind(
    cluster: Cluster,
    asked: Sequence[tuple[Loss, str]],
    work: Sequence[tuple[Loss, Workload]],
    dtype: str,
    threads: int | None,
    limits: Limits,
    report: Report,
) -> Iterator[Choice]:
    """Verify and time on all kinds of device at once; on each, all is verified before any is timed."""
    coming: SimpleQueue[Choice | None] = SimpleQueue()

    def decide(kind: Cluster) -> None:
        try:
            verdicts = {}
            found = verdicts_on(asked, kind.device, [dtype], limits=limits, report=report, cluster=kind)
            for key, verdict in found:
                verdicts[key] = verdict
                report(f"verdicts on {kind.kind}", len(verdicts), len(asked))
            for choice in kind.choices(work, verdicts, dtype, threads, report):
                coming.put(choice)
        finally:
            coming.put(None)

    kinds = cluster.kinds()
    with ThreadPoolExecutor(len(kinds)) as pool:
        deciding = [pool.submit(decide, kind) for kind in kinds]
        try:
            for _ in kinds:
                yield from iter(coming.get, None)
        except BaseException:  # stopped: what they wait for is cancelled
            cluster.client.close()
            raise
        for each in deciding:
            each.result()
