"""Programs of findings: kept in a folder, and run again."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from lossproof.processes import kill_tree
from lossproof.verdict import Verdict
from lossproof.workers import GIB, POLL_SECONDS, Limits

RUN = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); open(sys.argv[2], 'w')"
"""Runs a program and notes that it came to its end: an exit code of 0 may be the fault itself."""


def write_programs(folder: Path, verdicts: Mapping[tuple[str, str], Verdict]) -> list[Path]:
    """Write each finding's program as ``<loss>_<variant>_<law>.py``.

    Raises:
        ValueError: the folder can't be written to, or a file of that name is no such program.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for (loss, variant), verdict in verdicts.items():
            for finding in verdict.findings:
                name = re.sub(r"\W+", "_", variant)  # of yours it is module:name
                path = folder / f"{loss}_{name}_{finding.law}.py"
                if path.exists() and not path.read_text(encoding="utf-8").startswith(f'"""{loss} on '):
                    raise ValueError(f"programs: {path} is no program of a finding; it is left as it is")
                if finding.snippet:
                    path.write_text(finding.snippet, encoding="utf-8")
                    written.append(path)
    except OSError as error:
        raise ValueError(f"programs: can't write to {folder}: {error}") from error
    return written


def replay(program: Path, limits: Limits) -> tuple[bool, str]:
    """Whether a program passes now, run in a process of its own, and what it printed.

    Raises:
        ValueError: there is no such file.
    """
    if not program.is_file():
        raise ValueError(f"replay: no file {program}")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))}
    with tempfile.TemporaryDirectory(prefix="lossproof-") as folder:
        end, output = Path(folder, "end"), Path(folder, "output")
        command = [sys.executable, "-c", RUN, str(program), str(end)]
        with output.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            reason = _wait(process, limits)
        finally:
            kill_tree(process.pid)
            process.wait()
        printed = output.read_text(encoding="utf-8", errors="replace")
        return end.exists() and not reason, (printed + reason).rstrip()


def _wait(process: "subprocess.Popen[bytes]", limits: Limits) -> str:
    """Why the program failed, or nothing."""
    deadline = time.monotonic() + limits.seconds
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(POLL_SECONDS)
            return "" if code == 0 else f"(exit code {code})"
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(process.pid).memory_info().rss > limits.gibibytes * GIB:
                return f"(held more than {limits.gibibytes:.3g} GiB: killed)"
    return f"(no answer within {limits.seconds:g} s: killed)"
