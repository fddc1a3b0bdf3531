"""What timing needs to know of the machine: its name, its versions, its memory."""

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import scipy
import torch
from torch.profiler import ProfilerActivity, profile


def device_name(device: str) -> str:
    """The name of a CPU or an accelerator, as its maker calls it."""
    if device != "cpu":
        return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def environment(device: str) -> dict[str, str]:
    """Everything outside this project that a verdict or a timing depends on."""
    return {
        "device": device_name(device),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_bytes(run: Callable[[], object], device: str) -> int:
    """The most memory that a call holds at once, beyond what was held before.

    On the CPU from the allocations that torch's profiler records, on others from the allocator.
    """
    if device != "cpu":
        torch.accelerator.synchronize()
        before = torch.accelerator.memory_allocated()
        torch.accelerator.reset_peak_memory_stats()
        run()
        torch.accelerator.synchronize()
        return int(torch.accelerator.max_memory_allocated() - before)
    with _quiet_stderr(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        run()
    held = most = 0
    results = trace.profiler.kineto_results if trace.profiler else None
    for event in results.events() if results else ():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hide what torch's profiler writes to the error stream from C++."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
