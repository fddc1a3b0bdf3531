"""What the laws leave open of the closed forms by elements: what they hold in memory."""

import pytest
import torch
from torch import Tensor

from lossproof import CATALOG
from lossproof.machine import peak_bytes

pytestmark = pytest.mark.compiled


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "mse"])
def test_the_gradient_alone_is_held(loss: str) -> None:
    """Beside the inputs, forward and backward make one tensor of their size: the gradient."""
    generator = torch.Generator().manual_seed(0)
    input, target = (torch.rand(100_000, generator=generator) for _ in range(2))
    function = CATALOG[loss].variants["closed_form"]
    input.requires_grad_()

    def step() -> Tensor:
        return torch.autograd.grad(function(input, target), input)[0]

    step()  # compiles
    assert input.nbytes <= peak_bytes(step, "cpu") < 1.1 * input.nbytes
