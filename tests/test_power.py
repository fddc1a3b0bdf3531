"""What the gradient law sees: a returned zero is noticed where it should be."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import strategies as st
from typer.testing import CliRunner

from lossproof import CATALOG, power
from lossproof.loss import Loss
from lossproof.power import zero_passes
from properties.case import DTYPES, Case

MSE = CATALOG["mse"]


@pytest.mark.parametrize(("distance", "share"), [(1.0, 0.0), (1e-9, 1.0), (0.0, 0.0)])
def test_share_of_one_distance(distance: float, share: float) -> None:
    """Gradients as large as the budgets' floor are seen, tiny ones are not, none is not counted."""
    case = Case({"input": np.full(3, distance), "target": np.zeros(3)})
    loss = replace(MSE, cases=lambda dtype: st.just(case))
    assert zero_passes(loss, "float32", examples=1) == share


def test_every_reduction_must_let_it_pass() -> None:
    """The mean over many items hides what their sum shows."""
    case = Case({"input": np.full(1000, 1e-4), "target": np.zeros(1000)})
    loss = replace(MSE, cases=lambda dtype: st.just(case))
    assert zero_passes(loss, "float16", examples=1, reductions=("mean",)) == 1
    assert zero_passes(loss, "float16", examples=1) == 0


@pytest.mark.parametrize(("loss", "most"), [("cross_entropy", 0.18), ("mse", 0.5), ("dice", 0.25)])
def test_inputs_show_most_zeros(loss: str, most: float) -> None:
    """Of the generated inputs' gradients, not too many are so small that 0 would do."""
    assert zero_passes(CATALOG[loss], "bfloat16", examples=60) < most


def test_an_interrupt_keeps_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(loss: Loss, *rest: object) -> float:
        if loss.name == "giou":
            raise KeyboardInterrupt
        return 0.25

    file = tmp_path / "power.json"
    monkeypatch.setattr(power, "FIGURES", file)
    monkeypatch.setattr(power, "zero_passes", stopped)
    app = typer.Typer()
    app.command()(power.main)
    result = CliRunner().invoke(app, ["mse", "giou", "--save"])
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert json.loads(file.read_text(encoding="utf-8")) == {"mse": dict.fromkeys(DTYPES, 0.25)}
