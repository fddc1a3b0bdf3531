"""What the laws of the overlap losses leave open, and our variants still settle."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, find, settings
from hypothesis.errors import NoSuchExample

from lossproof import CATALOG
from lossproof.tolerance import true_gradient
from properties.case import DTYPES, Case, round_to


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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("hardly", [2.0**-20, 1e-5, 2.0**-6])
@pytest.mark.parametrize(
    "variant", sorted({*CATALOG["tversky"].variants} & {*CATALOG["focal_tversky"].variants})
)
def test_slopes_that_cancel_in_one_voxel_are_right(variant: str, hardly: float, dtype: str) -> None:
    """Of one voxel, hardly smoothed, with beta 0, the slope is what two larger numbers leave: a form
    that adds up its sums first is not called wrong for their roundings."""
    loss, facts = CATALOG["focal_tversky"], DTYPES[dtype]
    options = {"smooth": round_to(hardly, dtype).item(), "alpha": 1.0, "beta": 0.0, "gamma": 1.0}
    random = np.random.default_rng(0)
    shares = []
    for _ in range(30):
        values = (10 ** random.uniform(-3, 0), random.uniform(0, 1))
        arrays = [np.full((1, 1, 1), round_to(value, dtype)) for value in values]
        shared = {"batch": False, "include_background": True, "activation": "none"}
        case = Case({"probs": arrays[0], "target": arrays[1], **shared, **options})
        truth = true_gradient(loss, case, "probs", facts.unit, facts.smallest, "mean")
        probs, target = (torch.tensor(array, dtype=getattr(torch, dtype)) for array in arrays)
        loss.variants[variant](probs.requires_grad_(), target, **options).backward()
        assert probs.grad is not None
        error = abs(probs.grad.double().numpy() - truth.value)
        shares.append((error / truth.budget).item())
    assert max(shares) < 8


def test_no_case_divides_by_squares_that_underflow() -> None:
    """Without smoothing, squares are all that dice divides by: those of 1e-20 are no number in float32,
    and every form fails."""

    def underflows(case: Case) -> bool:
        if case["activation"] != "none" or not case["squared"] or case["smooth"] > 0:
            return False
        masks = np.stack([case["probs"], case["target"]])
        return bool(((masks > 0) & (masks < 2.0**-50)).any())

    many = settings(
        max_examples=1000, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    cases = CATALOG["dice"].cases("float32")
    with pytest.raises(NoSuchExample):
        find(cases, underflows, settings=many)
    assert find(cases, lambda case: case["squared"] and case["smooth"] == 0, settings=many)
