"""pytest-benchmark over the catalogue: ``pytest --benchmark-only`` groups by loss and workload.

Without that option each runs once, so that the benchmarks themselves keep working. The naive
variants, item by item in Python, are left out.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sharing import compiled_in

from lossproof import CATALOG
from lossproof.measure import Batch, one_thread_clock


def _benchmarks() -> Iterator[object]:
    for loss in CATALOG.values():
        workload = loss.workloads[0]
        for variant, function in loss.variants.items():
            if variant == "naive":
                continue
            name = f"{loss.name}-{variant}"
            group = f"{loss.name}, {workload.name}, forward and backward, 1 thread"
            marks = [
                pytest.mark.benchmark(group=group, timer=one_thread_clock("cpu")),
                pytest.mark.xdist_group(name),
            ]
            if compiled_in(function):
                marks.append(pytest.mark.compiled)
            yield pytest.param(loss.name, variant, id=name, marks=marks)


@pytest.mark.parametrize(("loss", "variant"), list(_benchmarks()))
def test_forward_and_backward(loss: str, variant: str, benchmark: BenchmarkFixture) -> None:
    """The loss and its gradient on its smallest workload."""
    row = CATALOG[loss]
    workload = row.workloads[0]
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(row, case, torch.float32, "cpu")
    run = batch.runner(row.variants[variant], backward=True)
    run()
    value, gradients = benchmark(run)
    assert torch.isfinite(value)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
