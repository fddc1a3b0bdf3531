"""Every published defect is rejected, by a law that names it, with a program that shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossproof import CATALOG, verify

REJECTED_BY = {
    ("cross_entropy", "published_floor"): "value",
    ("sigmoid_focal", "published_log_of_sigmoid"): "finite",
    ("sigmoid_focal", "published_probability_from_loss"): "half_target",
    ("mse", "published_broadcast"): "no_broadcast",
    ("giou", "published_corner_order"): "zero_at_equality",
    ("dice", "published_above_one"): "bounded",
    ("dice", "published_one_sum"): "concatenation",
    ("dice", "published_last_class"): "channel_permutation",
    ("arcface", "published_batch_norms"): "length_does_not_matter",
}
"""The law that one would expect to catch each defect, among those that do."""


def test_every_defect_has_its_law() -> None:
    assert set(REJECTED_BY) == {(row.name, name) for row in CATALOG.values() for name in row.defects}


@pytest.mark.parametrize(("loss", "defect"), REJECTED_BY)
def test_published_defect_is_rejected(loss: str, defect: str, tmp_path: Path) -> None:
    """On float64, where rounding is no excuse, and every finding's program fails by itself."""
    law = REJECTED_BY[loss, defect]
    verdict = verify(CATALOG[loss].defects[defect], loss, dtypes=["float64"], laws=[law, "value"])
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
