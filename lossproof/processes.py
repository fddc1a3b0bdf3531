"""Processes that are started for one purpose, watched, and ended with all that they started."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import ModuleType

import psutil

_launching = threading.Lock()
"""Threads that launch at once would take each other's process for their own."""


def launch(
    prepare: Callable[..., None], arguments: tuple[str, ...]
) -> tuple[ProcessPoolExecutor, BaseProcess, Future[int]]:
    """An executor of one new process, the process, and what is done when it is prepared."""
    context = multiprocessing.get_context("spawn")
    with _launching:
        before = set(multiprocessing.active_children())
        executor = ProcessPoolExecutor(1, context, prepare, arguments)
        with _unseen_main(), _held_interrupt():
            ready = executor.submit(int)
        (process,) = set(multiprocessing.active_children()) - before
    return executor, process, ready


def kill_tree(pid: int | None) -> None:
    """End a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def cause_of_death(process: BaseProcess) -> str:
    """Why a process ended. It is known a moment later: the executor, which waits too, may ask first."""
    deadline = time.monotonic() + 5
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.05)
    code = process.exitcode
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


@contextmanager
def _unseen_main() -> Iterator[None]:
    """Spawned processes would run the caller's script again to import it; nothing here needs it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _held_interrupt() -> Iterator[None]:
    """What starts here never gets Ctrl-C, which a terminal sends to all: the parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Be gone when the parent is, however it ended."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
