"""What the laws of the overlap losses leave open, and our variants still settle."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from lossproof import CATALOG
from lossproof.tolerance import true_gradient
from properties import draw, overlap
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
@pytest.mark.parametrize("hardly", [2.0**-20, 1e-5, 2.0**-6, 2.0**-5])
@pytest.mark.parametrize("variant", CATALOG["tversky"].variants)
def test_slopes_that_cancel_in_one_voxel_are_right(variant: str, hardly: float, dtype: str) -> None:
    """Of one voxel, hardly smoothed, with beta 0, the slope is what two larger numbers leave: a form
    that adds up its sums first is not called wrong for their roundings."""
    loss, facts = CATALOG["tversky"], DTYPES[dtype]
    options = {"smooth": round_to(hardly, dtype).item(), "alpha": 1.0, "beta": 0.0}
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


@pytest.mark.parametrize("own", [{"squared": True}, {"alpha": 0.0, "beta": 0.0}], ids=str)
def test_no_case_divides_by_products_that_underflow(
    own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without smoothing, squared or with errors that weigh nothing, all that is divided by are products
    of two numbers of the masks: 1e-20 squared is no number in float32, and every form fails."""

    def divided(case: Case) -> bool:
        return case["activation"] == "none" and case["smooth"] == 0

    def underflows(case: Case) -> bool:
        masks = np.stack([case["probs"], case["target"]])
        return divided(case) and bool(((masks > 0) & (masks < 2.0**-50)).any())

    monkeypatch.setattr(overlap, "soft", st.just(2.0**-80))
    many = settings(
        max_examples=100, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    options = {name: st.just(option) for name, option in own.items()}
    cases = draw.cases(overlap._masks(**options), "float32")
    with pytest.raises(NoSuchExample):
        find(cases, underflows, settings=many)
    assert find(cases, divided, settings=many)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_no_case_weighs_a_probability_down_to_a_subnormal(activation: str) -> None:
    """Without smoothing, a small weight times the least probability may be all that is divided by."""
    most = overlap._largest_logit(0.0, activation, {"alpha": 2.0**-20, "beta": 1.0})
    probability = np.exp(-2 * most if activation == "softmax" else -most)
    assert probability * 2.0**-20 >= np.finfo(np.float32).tiny
