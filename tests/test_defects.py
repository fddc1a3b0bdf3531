"""Every published defect is rejected, by a law that names it, with a program that shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossproof import CATALOG, verify

DEFECTS = [(row.name, name) for row in CATALOG.values() for name in row.defects]


@pytest.mark.parametrize(("loss", "defect"), DEFECTS)
def test_defect_is_rejected(loss: str, defect: str, tmp_path: Path) -> None:
    """By the law that the catalogue names, on float64, where rounding is no excuse; every finding's
    program fails by itself."""
    wrong = CATALOG[loss].defects[defect]
    law = wrong.breaks
    verdict = verify(wrong.function, loss, dtypes=["float64"], laws=[law, "value"])
    assert verdict.outcome == "wrong"
    assert law in verdict.laws_broken
    for finding in verdict.findings:
        program = tmp_path / f"{finding.law}.py"
        program.write_text(finding.snippet, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 1, ran.stderr
        assert "AssertionError" in ran.stderr.splitlines()[-1], ran.stderr
        assert len(finding.snippet.splitlines()) <= 30
