"""What a call leaves behind is told, taken back, and shown by a program that fails."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from impls.regression import mse_vectorized
from lossproof import CATALOG, verify
from lossproof.traces import Watched, states_of
from lossproof.verdict import Verdict

LAW = "leaves_no_trace"
STATES = states_of("cpu")


def after(doing: Callable[[], object]) -> Callable[..., Tensor]:
    """The right loss, and something else."""

    def loss(*arguments: Tensor, **options: Any) -> Tensor:
        value = mse_vectorized(*arguments, **options)
        doing()
        return value

    return loss


def prints(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    print("a loss")
    return mse_vectorized(input, target, reduction=reduction)


def _benchmark() -> None:
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark


CHANGES: list[tuple[Callable[[], object], str]] = [
    (lambda: torch.manual_seed(0), "moved torch's random generator"),
    (lambda: np.random.seed(0), "moved NumPy's random generator"),
    (lambda: random.seed(0), "moved Python's random generator"),
    (
        lambda: torch.set_default_dtype(torch.float64),
        "the default dtype from torch.float32 to torch.float64",
    ),
    (lambda: torch.set_default_device("meta"), "the default device from cpu to meta"),
    (lambda: torch.set_grad_enabled(False), "gradients from True to False"),
    (lambda: torch.autograd.set_detect_anomaly(True), "anomaly detection from False to True"),
    (lambda: torch.set_num_threads(3), "the number of threads from 1 to 3"),
    (lambda: torch.use_deterministic_algorithms(True), "deterministic algorithms from 0 to 2"),
    (lambda: torch.set_float32_matmul_precision("medium"), "from highest to medium"),
    (_benchmark, "cuDNN's benchmark mode from False to True"),
    (lambda: torch.set_flush_denormal(True), "tiny numbers to 0 from False to True"),
    (lambda: torch.set_autocast_enabled("cpu", True), "autocast from False to True"),
    (lambda: print("a loss"), r"printed 'a loss\n'"),
]


def _verdict(function: Callable[..., Tensor]) -> Verdict:
    return verify(function, "mse", dtypes=["float64"], examples=1, laws=[LAW])


@pytest.mark.parametrize(("change", "told"), CHANGES, ids=[told for _, told in CHANGES])
def test_a_trace_is_told_and_taken_back(change: Callable[[], object], told: str) -> None:
    """As an error, not as wrong; and the program, which makes the same call, fails."""
    before = [state.read() for state in STATES]
    verdict = _verdict(after(change))
    assert [state.read() for state in STATES] == before
    assert (verdict.outcome, verdict.laws_broken) == ("error", (LAW,))
    assert told in verdict.findings[0].reason


def test_every_state_is_tried() -> None:
    """Each by one change, and printing by another."""
    assert len({told for _, told in CHANGES}) == len(STATES) + 1


def test_the_right_leaves_nothing() -> None:
    assert _verdict(mse_vectorized).outcome == "correct"
    assert _verdict(after(lambda: None)).outcome == "correct"


@pytest.mark.compiled
def test_compiling_is_no_trace() -> None:
    verdict = verify(CATALOG["mse"].variants["fused"], "mse", dtypes=["float32"], examples=3, laws=[LAW])
    assert verdict.outcome == "correct"


def test_a_trace_of_the_backward_is_told() -> None:
    class Backward(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, value: Tensor) -> Tensor:
            return value.clone()

        @staticmethod
        def backward(context: Any, flow: Tensor) -> Tensor:
            torch.manual_seed(0)
            return flow

    def loss(*arguments: Tensor, **options: Any) -> Tensor:
        return Backward.apply(mse_vectorized(*arguments, **options))

    assert "in its backward moved torch's random generator" in _verdict(loss).findings[0].reason


def test_a_trace_is_taken_back_when_the_call_raises() -> None:
    watched = Watched(STATES)

    def raises() -> None:
        with watched:
            torch.set_default_dtype(torch.float64)
            print("hidden")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        raises()
    assert torch.get_default_dtype() == torch.float32
    assert [trace.what.split()[0] for trace in watched.traces] == ["printed", "changed"]


def test_a_trace_of_a_wrong_call_is_told() -> None:
    """Gradients switched off first of all: the result is detached, and the reason is told as well."""

    def loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        torch.set_grad_enabled(False)
        return mse_vectorized(input, target, reduction=reduction)

    verdict = verify(loss, "mse", dtypes=["float64"], examples=1, laws=["form", LAW])
    assert verdict.outcome == "error"
    assert verdict.laws_broken == ("form", LAW)


@pytest.mark.parametrize("is_own", [True, False])
def test_what_is_written_past_python_is_a_trace_where_nobody_else_writes(
    is_own: bool, tmp_path: Path
) -> None:
    """In a file that others write to as well, such as the log of several runs, it may be theirs."""
    code = (
        "import os\n"
        "from lossproof.traces import Watched, own_output, states_of\n"
        f"{'own_output()' if is_own else ''}\n"
        "with Watched(states_of('cpu')) as watched:\n"
        "    os.write(1, b'past Python')\n"
        "os.write(2, repr([trace.what for trace in watched.traces]).encode())\n"
    )
    with (tmp_path / "output").open("wb") as output:
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=True)
    assert ran.stderr == repr(["printed to file descriptor 1"] if is_own else [])


@pytest.mark.parametrize("change", [change for change, _ in CHANGES[:-1]])
def test_the_program_fails(change: Callable[[], object]) -> None:
    """With the function that it can't import put in its place."""
    function = after(change)
    (finding,) = _verdict(function).findings
    lines = [line for line in finding.snippet.splitlines() if not line.startswith("function =")]
    program = compile("\n".join(lines), "finding.py", "exec")
    with Watched(STATES), pytest.raises(AssertionError):
        exec(program, {"__name__": "__main__", "function": function})


def test_the_program_of_a_print_fails() -> None:
    """In a process of its own, since it takes the place of the output."""
    (finding,) = _verdict(prints).findings
    ran = subprocess.run(
        [sys.executable, "-c", finding.snippet],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "AssertionError: the call printed" in ran.stderr
