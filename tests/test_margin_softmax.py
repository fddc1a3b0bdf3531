"""What the laws leave open of ArcFace's closed form: many classes, rows out of reach, and memory."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from impls.margin_softmax import CHUNK
from lossproof import CATALOG
from lossproof.machine import peak_bytes

ARCFACE = CATALOG["arcface"].variants


def _batch(rows: int, classes: int, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Features, labels and weight, the same in each run."""
    generator = torch.Generator().manual_seed(0)
    features, weight = (
        torch.randn(count, size, generator=generator, dtype=dtype) for count in (rows, classes)
    )
    label = torch.randint(classes, (rows,), generator=generator)
    return features.requires_grad_(), label, weight.requires_grad_()


@pytest.mark.parametrize("length", [1.0, 1e-90, 0.0], ids=["in reach", "short", "zero"])
@pytest.mark.parametrize("learned", [("features",), ("weight",), ("features", "weight")], ids=str)
def test_as_the_plain_formula(length: float, learned: tuple[str, ...]) -> None:
    """More classes than are put at right angles at once, and either gradient without the other, also to
    derive it again."""
    features, label, weight = _batch(6, CHUNK + 9, 5, torch.float64)
    with torch.no_grad():
        weight[label[0]] *= length
    asked = [{"features": features, "weight": weight}[name] for name in learned]
    for tensor in (features, weight):
        tensor.requires_grad_(any(tensor is each for each in asked))
    flow = torch.linspace(1, 2, 6, dtype=torch.float64)
    found = []
    for variant in ("closed_form", "vectorized"):
        items = ARCFACE[variant](features, label, weight, reduction="none")
        once = torch.autograd.grad(items, asked, flow, retain_graph=True)
        found.append((items, *once, *torch.autograd.grad(items, asked, flow, create_graph=True)))
    assert_close(*found)


def test_one_matrix_of_cosines() -> None:
    """Beside the gradients, one number for each item and class is held, and little else."""
    features, label, weight = _batch(256, 4000, 16, torch.float32)

    def step() -> tuple[Tensor, ...]:
        return torch.autograd.grad(ARCFACE["closed_form"](features, label, weight), (features, weight))

    matrix = 4 * len(features) * len(weight)
    assert peak_bytes(step, "cpu") < 1.15 * (features.nbytes + weight.nbytes + matrix)
