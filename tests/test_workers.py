"""Workers: whatever an implementation does, the others have their verdicts, and no process is left."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from impls.regression import mse_vectorized
from lossproof import CATALOG, references, verify, workers
from lossproof.cases import generated
from lossproof.loss import Loss, Variant
from lossproof.notes import Notes
from lossproof.programs import replay, write_programs
from lossproof.trial import Call
from lossproof.verdict import Verdict
from lossproof.verdicts import verdicts_on
from lossproof.workers import Limits

LIMITS = Limits(seconds=7, gibibytes=1.5)


def right(*arguments: Tensor, **options: Any) -> Tensor:
    os.write(2, b"a warning is no output")
    return mse_vectorized(*arguments, **options)


def hangs(*arguments: Tensor, **options: Any) -> Tensor:
    time.sleep(1000)
    return right(*arguments, **options)


def crashes(*arguments: Tensor, **options: Any) -> Tensor:
    ctypes.string_at(0)
    return right(*arguments, **options)


def eats(*arguments: Tensor, **options: Any) -> Tensor:
    held: list[Tensor] = []
    while True:
        held.append(torch.ones(2**27, dtype=torch.uint8))


def prints(*arguments: Tensor, **options: Any) -> Tensor:
    os.write(1, b"past Python")
    return right(*arguments, **options)


def reseeds(*arguments: Tensor, **options: Any) -> Tensor:
    torch.manual_seed(0)
    return right(*arguments, **options)


def widens(*arguments: Tensor, **options: Any) -> Tensor:
    torch.set_default_dtype(torch.float64)
    return right(*arguments, **options)


def _row(*functions: Variant) -> Loss:
    return replace(CATALOG["mse"], variants={f.__name__: f for f in functions})


def _asked(row: Loss) -> list[tuple[Loss, str]]:
    return [(row, name) for name in row.variants]


def _verdicts(row: Loss, **options: Any) -> dict[str, Verdict]:
    coming = verdicts_on(_asked(row), "cpu", ["float64"], 3, limits=LIMITS, **options)
    return {name: verdict for (_, name), verdict in coming}


def _children() -> list[psutil.Process]:
    """The processes of workers; multiprocessing's tracker of resources stays."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def _must_not_run(*_: object, **__: object) -> None:
    raise AssertionError("no process should have been started")


def test_each_has_its_verdict_whatever_the_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one call, with reasons; right, printing, ... are kept on disk, and the killed are tried again.
    The programs make the calls that they died in."""
    row = _row(prints, reseeds, widens, right, hangs, crashes, eats)
    verdicts = _verdicts(row, jobs=2)
    assert verdicts["right"].outcome == "correct"
    assert {name for name, v in verdicts.items() if v.outcome == "error"} == set(row.variants) - {
        "right"
    }
    reasons = {name: v.findings[0].reason for name, v in verdicts.items() if v.findings}
    assert reasons == {
        "prints": "the call printed to file descriptor 1 (none)",
        "reseeds": "the call moved torch's random generator (none)",
        "widens": "the call changed the default dtype from torch.float32 to torch.float64 (none)",
        "hangs": "no answer within 7 s (killed), under the law value",
        "crashes": "the process died: SIGSEGV, under the law value",
        "eats": "held more than 1.5 GiB (killed), under the law value",
    }
    assert _children() == []

    monkeypatch.setattr(workers, "_Worker", _must_not_run)
    assert set(_verdicts(_row(right, prints, reseeds, widens))) == {
        "right",
        "prints",
        "reseeds",
        "widens",
    }
    with pytest.raises(AssertionError, match="no process"):
        _verdicts(_row(hangs))

    written = write_programs(tmp_path, {("mse", name): v for name, v in verdicts.items()})
    assert len(written) == 6
    passed, output = replay(tmp_path / "mse_crashes_survives.py", LIMITS)
    assert not passed
    assert "exit code -11" in output


def test_the_slowest_dtypes_are_begun_first() -> None:
    """And the verdict is in the order that was asked for."""
    begun: list[str] = []
    asked = ("bfloat16", "float32", "float16", "float64")
    job = workers.Job("mse", "vectorized", "impls.regression:mse_vectorized", "cpu", asked, 5, 0)

    def report(task: str, done: int, total: int) -> None:
        begun.extend({task} - {*begun})

    ((_, verdict),) = workers.run([job], 1, Limits(), report)
    assert [task.rpartition(" ")[2] for task in begun] == ["float16", "float64", "bfloat16", "float32"]
    assert tuple(verdict.budgets) == asked


def hangs_in_half(*arguments: Tensor, **options: Any) -> Tensor:
    return (hangs if arguments[0].dtype is torch.float16 else right)(*arguments, **options)


def test_dtypes_are_verified_side_by_side() -> None:
    """The verdict is that of one call; the first part that does not survive spares those that wait."""
    parts: list[str] = []

    def report(what: str, done: int, total: int) -> None:
        if done == total == 1:
            parts.append(what)

    dtypes = ["float64", "float16", "float32", "bfloat16"]
    row = _row(right, hangs_in_half)
    coming = verdicts_on(_asked(row), "cpu", dtypes, 3, jobs=2, limits=LIMITS, report=report)
    verdicts = {name: verdict for (_, name), verdict in coming}
    assert {part for part in parts if "right" in part} == {f"verify mse right, {d}" for d in dtypes}
    assert verdicts["right"] == verify(right, row, dtypes=dtypes, examples=3)
    ((law, dtype),) = [(f.law, f.dtype) for f in verdicts["hangs_in_half"].findings]
    assert (law, dtype) == ("survives", "float16")
    assert verdicts["hangs_in_half"].outcome == "error"
    assert list(verdicts["hangs_in_half"].budgets) == ["float64", "float32", "bfloat16"]

    parts.clear()
    ((_, verdict),) = verdicts_on(
        _asked(_row(hangs)), "cpu", dtypes, 3, jobs=1, limits=LIMITS, report=report
    )
    assert parts == ["verify mse hangs, float64"]
    assert verdict.laws_broken == ("survives",)


def test_an_interrupt_leaves_no_process_and_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the second is under way; the first is read from the disk afterwards."""
    coming: list[str] = []
    row = _row(right, hangs)

    def verify_and_interrupt() -> None:
        for (_, name), _ in verdicts_on(_asked(row), "cpu", ["float64"], 3, jobs=1, limits=LIMITS):
            coming.append(name)
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            verify_and_interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert coming == ["right"]
    assert _children() == []
    monkeypatch.setattr(workers, "_Worker", _must_not_run)
    assert _verdicts(_row(right))["right"].outcome == "correct"


def test_a_local_function_is_verified_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process could not import it."""

    def local(*arguments: Tensor, **options: Any) -> Tensor:
        return mse_vectorized(*arguments, **options)

    monkeypatch.setattr(workers, "_Worker", _must_not_run)
    assert _verdicts(_row(local))["local"].outcome == "correct"


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Workers don't run the caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from lossproof import CATALOG\n"
        "from lossproof.verdicts import verdicts_on\n"
        "print('started')\n"
        "asked = [(CATALOG['mse'], 'vectorized')]\n"
        "print([v.outcome for _, v in verdicts_on(asked, 'cpu', ['float32'], 2)])\n",
        encoding="utf-8",
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=path
    )
    assert ran.stdout.splitlines() == ["started", "['correct']"], ran.stderr


def test_a_worker_keeps_to_its_loss_where_that_costs_nothing() -> None:
    waiting: dict[str, Any] = {"mse": [1], "dice": [1, 2], "giou": [1, 2, 3]}
    assert workers._next_loss(waiting, "mse", {"giou"}) == "mse"
    assert workers._next_loss(waiting, "", {"giou"}) == "dice"
    assert workers._next_loss(waiting, "dice", {"giou", "mse"}) == "dice"
    assert workers._next_loss({"giou": [1], "mse": []}, "mse", {"giou"}) == "giou"
    assert workers._next_loss({"mse": []}, "mse", set()) == ""


def test_references_lead_to_the_very_function() -> None:
    """Those of the catalogue all have one; a name that leads elsewhere is none."""
    for loss in CATALOG.values():
        for function in loss.implementations.values():
            named = references.reference(function)
            assert named is not None
            assert references.resolve(named) is function
    assert references.reference(lambda: torch.ones(())) is None
    assert references.reference(replace) == "dataclasses:replace"


def test_notes_hold_the_last_call(tmp_path: Path) -> None:
    """Also a short one after a long one, and none after they were cleared."""
    path = tmp_path / "notes"
    path.touch()
    written, read = Notes(path), Notes(path)
    for case in sorted(generated(CATALOG["mse"], "float64", 5, 0), key=lambda c: -c["input"].size):
        call = Call(case, "mean", "strided", "all", backward=False)
        written.call("layout", "float64", call)
        written.progress(3, 5)
        assert read.read_call() == ("layout", "float64", call)
        assert read.read_progress() == (3, 5)
    written.clear()
    assert read.read_call() is None
    assert read.read_progress() == (0, 0)
    written.close()
    read.close()
