"""Right code is never called wrong: not the oracle itself, rounded once."""

from dataclasses import replace

import pytest
import torch

from lossproof import CATALOG
from lossproof.alarms import tried
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


def test_gradient_of_the_reference_flows_under_every_reduction() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([0.0, 0.0])
    loss = reference(CATALOG["mse"])
    for reduction, wanted in (("sum", [2.0, 4.0]), ("mean", [1.0, 2.0])):
        (gradient,) = torch.autograd.grad(loss(x, y, reduction=reduction), x)
        assert gradient.tolist() == wanted
    (gradient,) = torch.autograd.grad(loss(x, y, reduction="none"), x, torch.tensor([1.0, -1.0]))
    assert gradient.tolist() == [2.0, -4.0]
