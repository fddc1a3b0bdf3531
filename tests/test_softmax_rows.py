"""What the laws of the softmax losses leave open of their closed forms: long rows, and memory."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from impls.softmax_rows import SHORT
from lossproof import CATALOG
from lossproof.machine import peak_bytes

LOSSES = ("cross_entropy", "softmax_focal")


def _batch(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Logits (N, C, *) and labels (N, *), the same in each run."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
    return logits, torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(6, SHORT - 1), (6, SHORT), (6, 3 * SHORT), (3, SHORT, 2)], ids=str)
def test_rows_of_every_length(loss: str, shape: tuple[int, ...]) -> None:
    """Short rows and long ones, one of them ignored and one with no probability left at its label."""
    logits, target = _batch(*shape)
    with torch.no_grad():
        logits[0, target[0]] -= 2e4
        logits[1] = torch.nan
    target[1] = -100
    variants = CATALOG[loss].variants
    closed, vectorized = (
        variants[name](logits, target, reduction="none") for name in ("closed_form", "vectorized")
    )
    assert_close(closed, vectorized)
    flow = torch.linspace(1, 2, target.numel(), dtype=logits.dtype).reshape(target.shape)
    gradients = [torch.autograd.grad(items, logits, flow)[0] for items in (closed, vectorized)]
    assert_close(*gradients)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(64, 1000), (4000, SHORT - 1)], ids=str)
def test_one_tensor_becomes_the_gradient(loss: str, shape: tuple[int, ...]) -> None:
    """Nothing else of the size of the logits is held, at any time of forward and backward."""
    logits, target = _batch(*shape, dtype=torch.float32)
    function = CATALOG[loss].variants["closed_form"]

    def step() -> Tensor:
        return torch.autograd.grad(function(logits, target), logits)[0]

    assert logits.nbytes <= peak_bytes(step, "cpu") < 1.3 * logits.nbytes
