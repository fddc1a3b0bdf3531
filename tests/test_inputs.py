"""A person's own batch: read, checked, refused by name; and the batches that ship."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossproof.samples
from lossproof import CATALOG
from lossproof.inputs import load_workload
from lossproof.measure import Batch
from lossproof.recheck import recheck

SAMPLES = sorted(Path(lossproof.samples.__path__[0]).glob("*.npz"))


def test_a_sample_ships_for_every_loss() -> None:
    assert {loss for loss in CATALOG for path in SAMPLES if path.name.startswith(loss)} == set(CATALOG)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_vectorized_is_right_on_real_batches(path: Path) -> None:
    """The batches load, and the outputs on them are the oracle's."""
    loss = next(loss for name, loss in CATALOG.items() if path.name.startswith(name))
    workload = load_workload(loss, path)
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(loss, case, torch.float32, "cpu")
    function = loss.variants["vectorized"]
    value, gradients = batch.runner(function, backward=True)()
    assert recheck(function, batch, [value], gradients).fault == ""
    assert float(value.detach()) == pytest.approx(float(loss.exact(case, reduction="mean")), rel=1e-4)


def test_a_pt_file_of_tensors_is_read(tmp_path: Path) -> None:
    path = tmp_path / "batch.pt"
    torch.save({"input": torch.ones(3, dtype=torch.bfloat16), "target": torch.zeros(3)}, path)
    case = load_workload(CATALOG["mse"], path).make(np.random.default_rng(0), 3)
    assert case["input"].dtype == np.float64
    assert case["input"].tolist() == [1, 1, 1]


def test_options_have_their_defaults_and_are_plain(tmp_path: Path) -> None:
    path = tmp_path / "batch.npz"
    probs = np.full((2, 3, 4), 0.5)
    np.savez(path, probs=probs, target=probs, squared=True, activation="sigmoid")
    case = load_workload(CATALOG["dice"], path).make(np.random.default_rng(0), 2)
    assert (case["squared"], case["activation"], case["smooth"]) == (True, "sigmoid", 1.0)


GOOD: dict[str, Any] = {"logits": np.zeros((4, 3)), "target": np.array([0, 1, 2, 0])}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"logits": GOOD["logits"]}, "target: expected in the file, which holds logits"),
        ({**GOOD, "lables": 1}, "lables: not an argument of cross_entropy"),
        ({**GOOD, "target": np.array([0, 1, 2, 3])}, r"target: expected labels in \[0, 3\)"),
        (
            {**GOOD, "target": np.array([0, 1])},
            r"target: expected a shape \(N, \*\) = \(4,\), got \(2,\)",
        ),
        ({**GOOD, "target": np.zeros(4)}, "target: expected integers, got float64"),
        ({**GOOD, "logits": np.full((4, 3), np.nan)}, "logits: expected finite"),
        ({**GOOD, "logits": np.array(["a"])}, "logits: expected numbers"),
        ({**GOOD, "label_smoothing": 2.0}, r"label_smoothing: expected a number in \[0, 1\]"),
        ({**GOOD, "label_smoothing": [0.1, 0.2]}, "label_smoothing: expected a single value"),
        ({"logits": np.zeros((0, 3)), "target": np.zeros(0, int)}, "logits: expected at least one item"),
    ],
)
def test_bad_batches_are_refused_by_name(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "batch.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        load_workload(CATALOG["cross_entropy"], path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npz", None, "inputs: no file"),
        ("missing.pt", None, "inputs: no file"),
        ("broken.npz", b"nothing of the kind", "inputs: can't read"),
        ("broken.pt", b"nothing of the kind", "inputs: can't read"),
        ("batch.csv", b"1,2", "inputs: expected a .npz or .pt file"),
    ],
)
def test_bad_files_are_refused(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_workload(CATALOG["mse"], path)
