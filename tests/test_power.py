"""What the gradient law sees: a returned zero is noticed where it should be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from lossproof import CATALOG
from lossproof.power import zero_passes
from properties.case import Case

MSE = CATALOG["mse"]


@pytest.mark.parametrize(("distance", "share"), [(1.0, 0.0), (1e-9, 1.0), (0.0, 0.0)])
def test_share_of_one_distance(distance: float, share: float) -> None:
    """Gradients as large as the budgets' floor are seen, tiny ones are not, none is not counted."""
    case = Case({"input": np.full(3, distance), "target": np.zeros(3)})
    loss = replace(MSE, cases=lambda dtype: st.just(case))
    assert zero_passes(loss, "float32", examples=1) == share


def test_every_reduction_must_let_it_pass() -> None:
    """The mean over many items hides what their sum shows."""
    case = Case({"input": np.full(1000, 1e-4), "target": np.zeros(1000)})
    loss = replace(MSE, cases=lambda dtype: st.just(case))
    assert zero_passes(loss, "float16", examples=1, reductions=("mean",)) == 1
    assert zero_passes(loss, "float16", examples=1) == 0


@pytest.mark.parametrize(("loss", "most"), [("cross_entropy", 0.18), ("mse", 0.5), ("dice", 0.25)])
def test_inputs_show_most_zeros(loss: str, most: float) -> None:
    """Of the generated inputs' gradients, not too many are so small that 0 would do."""
    assert zero_passes(CATALOG[loss], "bfloat16", examples=60) < most
