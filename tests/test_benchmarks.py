"""pytest-benchmark over the catalogue: ``pytest --benchmark-only`` groups by loss and workload.

Without that option each runs once, on the smallest workload, so that the benchmarks themselves keep
working. The naive variants, item by item in Python, are left out.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sharing import compiled_in

from lossproof import CATALOG
from lossproof.choosing import default_workloads
from lossproof.measure import Batch, one_thread_clock
from properties.case import Workload


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "benchmark" in metafunc.fixturenames:
        everywhere = metafunc.config.getoption("benchmark_only")
        metafunc.parametrize(("loss", "variant", "workload"), list(_benchmarks(everywhere)))


def _benchmarks(everywhere: bool) -> Iterator[object]:
    """On all workloads that a CPU can run, or on the smallest."""
    for loss in CATALOG.values():
        workloads = default_workloads(loss)
        for workload in workloads if everywhere else workloads[:1]:
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
                shown = f"{name}-{workload.name}" if everywhere else name
                yield pytest.param(loss.name, variant, workload, id=shown, marks=marks)


def test_forward_and_backward(
    loss: str, variant: str, workload: Workload, benchmark: BenchmarkFixture
) -> None:
    """The loss and its gradient."""
    row = CATALOG[loss]
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(row, case, torch.float32, "cpu")
    run = batch.runner(row.variants[variant], backward=True)
    run()
    value, gradients = benchmark(run)
    assert torch.isfinite(value)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
