"""Traces: what a call leaves behind beside its result, told and taken back.

A loss that prints, moves a random generator or changes a setting of torch spoils whatever runs after
it. Each call is watched, so that a law can tell, and undone, so that the next call finds things as they
were. Warning filters are no trace: importing a module in a call, as torch.compile does, may add some.
"""

import ctypes
import io
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.random import mtrand

from properties.trial import Trace

MT19937_BYTES = 4 * (624 + 1)
"""The numbers of NumPy's legacy generator, and the place among them."""
PRINTS = Trace(
    "printed",
    "os.dup2((printed := tempfile.TemporaryFile()).fileno(), 1)  # where prints go",
    "print(end='', flush=True) or os.fstat(1).st_size == 0",
)


@dataclass(frozen=True)
class State:
    """Something global: what it is, code that reads it, and how to read and restore it."""

    what: str
    code: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]


def _numpy_generator() -> tuple[np.random.BitGenerator, bytes]:
    """The generator and its numbers: by address, since asking it for its state is ten times slower."""
    generator = mtrand.get_bit_generator()
    known = isinstance(generator, np.random.MT19937)
    address = generator.ctypes.state_address
    return generator, ctypes.string_at(address, MT19937_BYTES) if known else b""


def _restore_numpy_generator(state: tuple[np.random.BitGenerator, bytes]) -> None:
    generator, numbers = state
    mtrand.set_bit_generator(generator)
    if numbers:
        *key, place = np.frombuffer(numbers, np.uint32)
        inside = {"key": np.array(key), "pos": int(place)}
        generator.state = {"bit_generator": "MT19937", "state": inside}


def _restore_torch_generator(state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _restore_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _matmul_precision() -> str:
    """Torch refuses to say where its newer settings, by backend, differ from each other."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "different ones by backend"


def _restore_matmul_precision(precision: str) -> None:
    if precision in ("highest", "high", "medium"):
        torch.set_float32_matmul_precision(precision)


def _restore_benchmark(chosen: bool) -> None:
    torch.backends.cudnn.benchmark = chosen


STATES = (
    State(
        "moved torch's random generator",
        "torch.get_rng_state().tolist()",
        lambda: torch.get_rng_state().numpy().tobytes(),
        _restore_torch_generator,
    ),
    State(
        "moved NumPy's random generator",
        "str(np.random.get_state())",
        _numpy_generator,
        _restore_numpy_generator,
    ),
    State("moved Python's random generator", "random.getstate()", random.getstate, random.setstate),
    State(
        "changed the default dtype",
        "torch.get_default_dtype()",
        torch.get_default_dtype,
        torch.set_default_dtype,
    ),
    State(
        "changed the default device",
        "torch.get_default_device()",
        torch.get_default_device,
        _restore_default_device,
    ),
    State(
        "switched gradients",
        "torch.is_grad_enabled()",
        torch.is_grad_enabled,
        torch.set_grad_enabled,
    ),
    State(
        "switched anomaly detection",
        "torch.is_anomaly_enabled()",
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    State(
        "changed the number of threads",
        "torch.get_num_threads()",
        torch.get_num_threads,
        torch.set_num_threads,
    ),
    State(
        "switched deterministic algorithms",
        "torch.get_deterministic_debug_mode()",
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
    ),
    State(
        "changed the precision of matrix products",
        "torch.get_float32_matmul_precision()",
        _matmul_precision,
        _restore_matmul_precision,
    ),
    State(
        "switched cuDNN's benchmark mode",
        "torch.backends.cudnn.benchmark",
        lambda: torch.backends.cudnn.benchmark,
        _restore_benchmark,
    ),
    State(
        "switched the flushing of tiny numbers to 0",
        "(sys.float_info.min / 2 == 0)",
        lambda: sys.float_info.min / 2 == 0,
        torch.set_flush_denormal,
    ),
)


def _autocast(kind: str) -> State:
    return State(
        "switched autocast",
        f'torch.is_autocast_enabled("{kind}")',
        lambda: torch.is_autocast_enabled(kind),
        lambda enabled: torch.set_autocast_enabled(kind, enabled),
    )


def _device_generator(device: str) -> State:
    module = torch.get_device_module(torch.device(device))
    return State(
        f"moved the random generator of {device}",
        f'torch.get_device_module("{device}").get_rng_state("{device}").tolist()',
        lambda: module.get_rng_state(device).numpy().tobytes(),
        lambda state: module.set_rng_state(
            torch.frombuffer(bytearray(state), dtype=torch.uint8), device
        ),
    )


def states_of(device: str) -> tuple[State, ...]:
    """What is watched when calls run on a device."""
    kind = device.partition(":")[0]
    apart = () if kind == "cpu" else (_device_generator(device),)
    return (*STATES, _autocast(kind), *apart)


class Watched:
    """A context in which calls are watched: ``traces`` is what they leave behind.

    It is taken back at every :meth:`check` and at the end, also when a call raises.
    """

    def __init__(self, states: tuple[State, ...]) -> None:
        self.states = states
        self.traces: list[Trace] = []
        self._where = ""

    def __enter__(self) -> "Watched":
        self._stdout, self._printed, self._written = sys.stdout, io.StringIO(), _written()
        self._before = [state.read() for state in self.states]
        sys.stdout = self._printed
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout = self._stdout
        self.check()

    def check(self, after: str = "") -> None:
        """Look, and take back what has changed; ``after`` says where later traces come from."""
        text, written = self._printed.getvalue(), _written()
        if text or written > self._written:
            self._printed.seek(0)
            self._printed.truncate()
            self._written = written
            shown = repr(text[:40]) if text else "to file descriptor 1"
            self.traces.append(replace(PRINTS, what=f"{self._where}printed {shown}"))
        for state, was in zip(self.states, self._before, strict=True):
            if (now := state.read()) != was:
                state.restore(was)
                what = self._where + _told(state, was, now)
                self.traces.append(Trace(what, f"state = {state.code}", f"state == {state.code}"))
        self._where = after


def _told(state: State, was: Any, now: Any) -> str:
    """What happened to a state, with its values where a person can read them."""
    if isinstance(was, str | int | float | torch.dtype | torch.device):
        return f"{state.what} from {was} to {now}"
    return state.what


_output_is_own = False


def own_output() -> None:
    """Say that file descriptor 1 of this process is a file that nobody else writes to, as in workers: so
    what is written past Python is a trace."""
    global _output_is_own
    _output_is_own = True


def _written() -> int:
    """How much was written past Python, where that can be told from what others write."""
    try:
        return os.fstat(1).st_size if _output_is_own else 0
    except OSError:  # closed
        return 0
