"""Speed, memory and accuracy of every variant of every loss in the catalogue.

All in float32. "n/a" stands for a device that is not there, and for a workload too large for a CPU.

asv knows a parameter by its place in the list, which follows the catalogue: where that differs between
commits, run each commit on its own (``asv run COMMIT^!``).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
import torch._inductor.compile_fx  # slow to import: once, before asv forks, not in every benchmark
from torch.utils.benchmark import timer

from lossproof.catalog import CATALOG
from lossproof.loss import Loss
from lossproof.machine import peak_bytes
from lossproof.measure import FIRST_ELEMENTS, SECONDS_A_ROUND, Batch, seconds
from lossproof.recheck import Recheck, recheck
from properties.case import Workload
from properties.trial import BUDGETS

THREADS = 1
"""Of torch. One, so that results depend neither on how many cores there are nor on who shares them."""
torch.set_num_threads(THREADS)


def workloads(loss: Loss, variant: str) -> tuple[Workload, ...]:
    """All of the loss; a few rows for naive variants, which go item by item through Python."""
    smallest = loss.workloads[0]
    if variant != "naive":
        return loss.workloads
    rows = max(1, min(smallest.rows, FIRST_ELEMENTS // smallest.elements(1)))
    return (replace(smallest, name=f"{smallest.name}, first {rows}", rows=rows),)


WORK = {
    f"{loss.name}-{variant}: {workload.name}": (loss, variant, workload)
    for loss in CATALOG.values()
    for variant in loss.variants
    for workload in workloads(loss, variant)
}


@cache  # asv repeats a setup before every call
def prepare(work: str, device: str, backward: bool) -> tuple[Batch, Callable[[], Any], int]:
    """The batch, a warm call that does one pass, and how many calls a sample needs.

    Raises:
        NotImplementedError: what asv shows as "n/a".
    """
    loss, variant, workload = WORK[work]
    if device == "cuda" and not torch.cuda.is_available():
        raise NotImplementedError("no such device here")
    if device == "cpu" and workload.gpu:
        raise NotImplementedError("too large for a CPU")
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(loss, case, torch.float32, device)
    run = batch.runner(loss.variants[variant], backward)
    run()  # compiles
    return batch, run, math.ceil(SECONDS_A_ROUND / max(seconds(run, 1, THREADS), 1e-7))


class Pass:
    """A pass made ready; whatever is slow happens here, before anything is measured."""

    params = (list(WORK), ["cpu", "cuda"])
    param_names = ("work", "device")
    timeout = 300.0
    timer = staticmethod(timer)  # waits for the device
    rounds = 1
    repeat = (5, 15, 2.0)  # samples at least, at most, and for how many seconds at most
    backward = True

    def setup(self, work: str, device: str) -> None:
        self.batch, self.run, self.number = prepare(work, device, self.backward)


class Forward(Pass):
    """Seconds of the loss alone; compiling is not part of it."""

    backward = False

    def time_forward(self, work: str, device: str) -> None:
        self.run()


class ForwardBackward(Pass):
    """Seconds and memory of the loss and its gradients; compiling is not part of them."""

    def time_forward_backward(self, work: str, device: str) -> None:
        self.run()

    def track_peak_bytes(self, work: str, device: str) -> int:
        """The most memory held at once, beside the inputs."""
        return peak_bytes(self.run, device)

    track_peak_bytes.unit = "bytes"  # type: ignore[attr-defined]  # asv reads it there


class Accuracy(Pass):
    """Largest errors of items and gradients on random rows, held against the oracle.

    Only on the two smallest workloads: on larger ones the oracle can take half a minute.
    """

    params = (
        [work for work, (loss, _, workload) in WORK.items() if workload not in loss.workloads[2:]],
        Pass.params[1],
    )

    def track_budgets(self, work: str, device: str) -> float:
        return self.recheck(work).budgets

    def track_ulps(self, work: str, device: str) -> float:
        return self.recheck(work).ulps

    track_budgets.unit = f"error budgets; {BUDGETS} are allowed"  # type: ignore[attr-defined]  # as above
    track_ulps.unit = "ULP"  # type: ignore[attr-defined]  # as above

    def recheck(self, work: str) -> Recheck:
        """Too large an error is a result; a fault that no error shows makes the benchmark fail."""
        loss, variant, _ = WORK[work]
        value, gradients = self.run()
        checked = recheck(loss.variants[variant], self.batch, [value], gradients)
        if checked.fault and checked.budgets <= BUDGETS:
            raise ValueError(checked.fault)
        return checked
