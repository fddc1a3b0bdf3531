"""What the benchmarks are about: losses, variants, workloads, dtypes and devices.

Each module measures one thing, and has a class for each loss, named like it: asv shows a graph for each,
to be split by variant, workload, dtype and device. Devices and workloads that this machine can't run are
not in the lists; "n/a" stands for what is left out on purpose (:func:`measured`).

asv knows a parameter by its place in the list, which follows the catalogue: where that differs between
commits, run each commit on its own (``asv run COMMIT^!``).
"""

import atexit
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch

from lossproof.catalog import CATALOG
from lossproof.loss import Loss
from lossproof.machine import peak_bytes
from lossproof.measure import FIRST_ELEMENTS, SECONDS_A_ROUND, Batch, seconds
from properties.case import Workload

THREADS = 1
"""Of torch. One, so that results depend neither on how many cores there are nor on who shares them."""
torch.set_num_threads(THREADS)


def compile_something() -> None:
    torch.compile(lambda tensor: -tensor, dynamic=True)(torch.ones(2))


compile_something()  # asv forks for each benchmark: what the first compiling loads is loaded here, once

DTYPES = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


@cache
def workloads(loss: Loss) -> dict[str, Workload]:
    """By name: the first rows of the smallest, then all that this machine can run, small to large."""
    smallest = loss.workloads[0]
    rows = max(1, min(smallest.rows, FIRST_ELEMENTS // smallest.elements(1)))
    few = replace(smallest, name=f"{smallest.name}, first {rows}", rows=rows)
    runnable = [each for each in loss.workloads if not each.gpu or "cuda" in DEVICES]
    return {each.name: each for each in ([few] if rows < smallest.rows else []) + runnable}


def measured(loss: Loss, variant: str, workload: str, dtype: str, device: str) -> bool:
    """Naive variants, item by item in Python, are measured on the first rows only; large workloads only
    on a GPU; bfloat16 on a CPU only on the smallest workload, as it is slow there and little used."""
    place = list(workloads(loss)).index(workload)
    if variant == "naive" and place > 0:
        return False
    if device != "cpu":
        return True
    smallest = workload == loss.workloads[0].name
    return not workloads(loss)[workload].gpu and (dtype == "float32" or smallest)


_notes = Path(mkdtemp(prefix="lossproof-asv-"))
"""Of this process. Those that asv forks from it for single benchmarks share it, and leave it."""
atexit.register(rmtree, _notes, ignore_errors=True)


def shared(name: str, make: Callable[[], list[float]]) -> list[float]:
    """Numbers that several benchmarks of a run show: the first one makes them."""
    kept = _notes / f"{blake2b(name.encode()).hexdigest()}.json"
    if not kept.exists():
        kept.write_text(json.dumps(make()), encoding="utf-8")
    numbers: list[float] = json.loads(kept.read_text(encoding="utf-8"))
    return numbers


@cache  # asv repeats a setup before every call
def batch_of(loss: Loss, workload: str, dtype: str, device: str) -> Batch:
    """The workload's numbers, the same each time."""
    asked = workloads(loss)[workload]
    case = asked.make(np.random.default_rng(0), asked.rows)
    return Batch.of(loss, case, getattr(torch, dtype), device)


@cache
def warm_run(
    loss: Loss, variant: str, workload: str, dtype: str, device: str, backward: bool
) -> tuple[Callable[[], Any], int]:
    """A call that does one pass and is compiled, and how many of it a sample needs."""
    run = batch_of(loss, workload, dtype, device).runner(loss.variants[variant], backward)
    run()
    return run, math.ceil(SECONDS_A_ROUND / max(seconds(run, 1, THREADS), 1e-7))


def peak(loss: Loss, variant: str, workload: str, dtype: str, device: str) -> float:
    """Bytes: the most that forward and backward hold at once, beside the inputs."""

    def held() -> list[float]:
        run, _ = warm_run(loss, variant, workload, dtype, device, backward=True)
        return [peak_bytes(run, device)]

    (most,) = shared(f"memory of {loss.name}, {variant}, {workload}, {dtype}, {device}", held)
    return most


class Pass(ABC):
    """A pass of a loss made ready; whatever is slow happens here, before anything is measured.

    asv takes no notice of abstract classes.
    """

    backward = True
    everywhere = False
    """Whether on all workloads, or only on the smallest one (the naive variants on its first rows)."""
    param_names = ("variant", "workload", "dtype", "device")
    timeout = 300.0

    @property
    @abstractmethod
    def loss(self) -> Loss: ...

    def setup(self, variant: str, workload: str, dtype: str, device: str) -> None:
        self.require_measured(variant, workload, dtype, device)
        self.run, self.number = warm_run(self.loss, variant, workload, dtype, device, self.backward)

    def require_measured(self, variant: str, workload: str, dtype: str, device: str) -> None:
        """
        Raises:
            NotImplementedError: what asv shows as "n/a".
        """
        here = self.everywhere or variant == "naive" or workload == self.loss.workloads[0].name
        if not here or not measured(self.loss, variant, workload, dtype, device):
            raise NotImplementedError("not measured")


def for_each_loss(kind: type[Pass]) -> dict[str, type[Pass]]:
    """A class of this kind for each loss, by name, for a module of benchmarks to hold."""

    def of(loss: Loss) -> type[Pass]:
        names = list(workloads(loss))
        if not kind.everywhere:
            names = names[: names.index(loss.workloads[0].name) + 1]
        params = list(loss.variants), names, DTYPES, DEVICES
        return type(kind)(loss.name, (kind,), {"loss": loss, "params": params})

    return {name: of(loss) for name, loss in CATALOG.items()}
