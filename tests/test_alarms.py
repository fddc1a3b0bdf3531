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
from properties.case import DTYPES


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


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "CHUNK", 20)
    monkeypatch.setattr(alarms, "SOUGHT", 0)


def test_what_is_tried_is_told(small_chunks: None) -> None:
    vectorized, oracle = tried("mse", "float32", 0)
    assert (vectorized.implementation, oracle.implementation) == ("vectorized", "oracle")
    assert 0 < oracle.budgets <= 8
    assert oracle.alarms == vectorized.alarms == ()


def test_what_was_tried_is_not_tried_again(small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tried("mse", "float32", 0)
    monkeypatch.setattr(alarms, "verify", None)
    assert tried("mse", "float32", 0) == before
    with pytest.raises(TypeError):
        tried("mse", "float32", 1)


@pytest.fixture
def saved_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of figures, in which there is one of giou already."""
    file = tmp_path / "alarms.json"
    giou = {"examples": 500, "alarms": 0, "budgets": 1.0, "source": "another"}
    file.write_text(json.dumps({"giou": giou}), encoding="utf-8")
    monkeypatch.setattr(alarms, "FIGURES", file)
    return file


def chunk(loss: str, budgets: float, alarm: str = "") -> list[Tried]:
    """A whole chunk: both forms, four dtypes; the error and the alarm are in one of them."""
    nothing = [Tried(loss, form, d, alarms.CHUNK, 0.1, ()) for form in alarms.FORMS for d in DTYPES]
    return [replace(nothing[0], budgets=budgets, alarms=(alarm,) if alarm else ()), *nothing[1:]]


def test_figures_add_up(saved_in: Path) -> None:
    """All cases, all alarms, the largest error, in the order of the catalogue; other losses stay."""
    alarms.save({("mse", 0): chunk("mse", 0.5, "a"), ("mse", 1): chunk("mse", 0.7)})
    assert alarms.chunks_saved("mse") == 2
    alarms.save({("mse", 2): chunk("mse", 0.61, "b")})
    saved = json.loads(saved_in.read_text(encoding="utf-8"))
    assert list(saved) == ["mse", "giou"]
    assert saved["giou"]["source"] == "another"
    assert {**saved["mse"], "source": ""} == {
        "examples": 1500,
        "alarms": 2,
        "budgets": 0.7,
        "source": "",
    }


def test_a_broken_chunk_ends_what_is_saved(saved_in: Path) -> None:
    chunks = {("mse", 0): chunk("mse", 0.5), ("mse", 1): chunk("mse", 0.7)[1:]}
    alarms.save({**chunks, ("mse", 2): chunk("mse", 0.9)})
    saved = json.loads(saved_in.read_text(encoding="utf-8"))
    assert (saved["mse"]["examples"], saved["mse"]["budgets"]) == (500, 0.5)


def test_figures_of_other_sources_start_again(saved_in: Path) -> None:
    assert alarms.chunks_saved("giou") == 0
    alarms.save({("giou", 0): chunk("giou", 0.5)})
    saved = json.loads(saved_in.read_text(encoding="utf-8"))
    assert (saved["giou"]["examples"], saved["giou"]["budgets"]) == (500, 0.5)


def test_gradient_of_the_reference_flows_under_every_reduction() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([0.0, 0.0])
    loss = reference(CATALOG["mse"])
    for reduction, wanted in (("sum", [2.0, 4.0]), ("mean", [1.0, 2.0])):
        (gradient,) = torch.autograd.grad(loss(x, y, reduction=reduction), x)
        assert gradient.tolist() == wanted
    (gradient,) = torch.autograd.grad(loss(x, y, reduction="none"), x, torch.tensor([1.0, -1.0]))
    assert gradient.tolist() == [2.0, -4.0]
