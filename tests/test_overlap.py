"""What the laws of the overlap losses leave open, and our variants still settle."""

import pytest
import torch

from lossproof import CATALOG


@pytest.mark.parametrize("variant", CATALOG["focal_tversky"].variants)
def test_a_root_of_no_error_has_no_gradient(variant: str) -> None:
    """At a perfect mask the slope of a root is infinite; ours give 0 there, no inf or NaN."""
    probs = torch.tensor([[[1.0]], [[0.5]]], requires_grad=True)
    focal = CATALOG["focal_tversky"].variants[variant]
    items = focal(probs, torch.ones(2, 1, 1), gamma=0.5, reduction="none")
    items.sum().backward()
    assert items.tolist()[0] == [0.0]
    assert probs.grad is not None
    perfect, wrong = probs.grad.flatten().tolist()
    assert perfect == 0
    assert wrong < 0
