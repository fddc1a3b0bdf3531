"""Right code is never called wrong: not the oracle itself, rounded once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lossproof import CATALOG, alarms
from lossproof.alarms import Tried, tried
from lossproof.loss import Loss
from lossproof.reference import reference
from lossproof.verification import first_fault


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_the_oracle_obeys_every_law(loss: Loss) -> None:
    """In the widest and narrowest dtype; with many more cases: ``python -m lossproof.alarms``."""
    dtypes = ("float64", "float16")
    assert first_fault(reference(loss), loss, dtypes=dtypes, examples=2, laws=loss.laws) is None


def test_an_alarm_is_raised() -> None:
    """An oracle that is off by 20 budgets is seen in its own implementation."""
    mse = CATALOG["mse"]
    off = replace(mse, items=lambda x, y, **options: mse.items(x, y, **options) * (1 + 2.0**-19))
    assert first_fault(reference(off), mse, dtypes=["float32"], examples=20) is not None


def test_what_is_tried_is_told() -> None:
    vectorized, oracle = tried("mse", "float32", 60, 0)
    assert (vectorized.implementation, oracle.implementation) == ("vectorized", "oracle")
    assert 0 < oracle.budgets <= 8
    assert oracle.alarms == vectorized.alarms == ()


def test_what_was_tried_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tried("mse", "float32", 20, 0)
    monkeypatch.setattr(alarms, "verify", None)
    assert tried("mse", "float32", 20, 0) == before
    with pytest.raises(TypeError):
        tried("mse", "float32", 20, 1)


def test_saved_figures_are_of_all_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The fewest cases, all alarms, the largest error; other losses stay."""
    file = tmp_path / "alarms.json"
    file.write_text('{"giou": {"examples": 5, "alarms": 0, "budgets": 1.0}}', encoding="utf-8")
    monkeypatch.setattr(alarms, "FIGURES", file)
    chunks = [
        Tried("mse", "oracle", "float64", 500, 0.5, ("a",))
        + Tried("mse", "oracle", "float64", 20, 0.7, ())
    ]
    alarms.save([*chunks, Tried("mse", "oracle", "float32", 510, 0.61, ("b", "c"))])
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert saved == {
        "mse": {"examples": 510, "alarms": 3, "budgets": 0.7},
        "giou": {"examples": 5, "alarms": 0, "budgets": 1.0},
    }


def test_gradient_of_the_reference_flows_under_every_reduction() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([0.0, 0.0])
    loss = reference(CATALOG["mse"])
    for reduction, wanted in (("sum", [2.0, 4.0]), ("mean", [1.0, 2.0])):
        (gradient,) = torch.autograd.grad(loss(x, y, reduction=reduction), x)
        assert gradient.tolist() == wanted
    (gradient,) = torch.autograd.grad(loss(x, y, reduction="none"), x, torch.tensor([1.0, -1.0]))
    assert gradient.tolist() == [2.0, -4.0]
