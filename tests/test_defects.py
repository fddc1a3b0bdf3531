"""Every published defect is rejected, by a law that names it, with a program that shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossproof import CATALOG, cases, verify
from lossproof.verification import first_fault

DEFECTS = [(row.name, name) for row in CATALOG.values() for name in row.defects]


@pytest.mark.parametrize(("loss", "defect"), DEFECTS)
def test_defect_is_rejected(loss: str, defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the law that the catalogue names, on float64, where rounding is no excuse; the finding's
    program is short, even after little time to shrink, and fails when it is run."""
    monkeypatch.setattr(cases, "SHRINKING_SECONDS", 0.3)
    wrong = CATALOG[loss].defects[defect]
    verdict = verify(wrong.function, loss, dtypes=["float64"], examples=60, laws=[wrong.breaks])
    assert verdict.outcome == "wrong"
    assert verdict.laws_broken == (wrong.breaks,)
    (law,) = (law for law in CATALOG[loss].laws if law.__name__ == wrong.breaks)
    for seed in (1, 2):
        assert first_fault(wrong.function, CATALOG[loss], examples=100, seed=seed, laws=[law]), seed
    program = verdict.findings[0].snippet
    assert len(program.splitlines()) < 25
    with pytest.raises(AssertionError):
        exec(compile(program, f"{loss}_{defect}.py", "exec"), {"__name__": "__main__"})


def test_program_runs_by_itself(tmp_path: Path) -> None:
    """In a process of its own, with nothing imported before."""
    wrong = CATALOG["mse"].defects["published_broadcast"]
    verdict = verify(wrong.function, "mse", dtypes=["float64"], laws=[wrong.breaks])
    program = tmp_path / "finding.py"
    program.write_text(verdict.findings[0].snippet, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1, ran.stderr
    assert "AssertionError" in ran.stderr.splitlines()[-1], ran.stderr
