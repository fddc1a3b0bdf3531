"""The generated cases reach both sides of every choice in the variants and the oracles."""

from collections.abc import Mapping

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis.errors import NoSuchExample
from torch import Tensor

from impls.regression import mse_vectorized
from lossproof import CATALOG
from lossproof.reach import gaps, watched
from lossproof.sources import parsed, reached, rebuilt
from properties.case import Array

EXAMPLES = 60
EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "cross_entropy": {
        "torch.where(log_probability == -torch.inf, 0, log_probability): never true": (
            "the domain has no impossible classes with smoothing; fused smooths by 0 there"
        )
    },
    "vgg_content": {
        side: "large images only: oracles.perceptual.CHUNK guards memory, test_networks its numbers"
        for side in (
            "output.ndim == target.ndim > 4: never true",
            "output.size > CHUNK: never true",
            "output.size > CHUNK: never false",
            "output.ndim == target.ndim > 4 and output.size > CHUNK: never true",
            "max(len(output), len(target)): never first",
            "max(len(output), len(target)): never second",
        )
    }
    | {"x._is_view(): never true": "a module that gives a view; test_networks has one"},
}
"""By loss, sides that no case reaches, and why that leaves no fault unseen."""


@pytest.mark.parametrize("loss", CATALOG)
def test_every_side_is_reached(loss: str) -> None:
    """What is not reached is explained, and what is explained is not reached."""
    found = [gap.partition(": ")[2] for gap in gaps(CATALOG[loss], EXAMPLES)]
    assert sorted(found) == sorted(EXPLAINED.get(loss, {}))


def sample(x: Tensor, low: float, *, flag: bool = False) -> Tensor:
    """Every kind of choice, for the tests below."""
    if flag and low < 0:
        x = x.clamp(min=low, max=2.0)
    y = torch.where(x > 0, x, -x)
    return torch.maximum(y, x) if low == 0 else torch.as_tensor([v for v in y.tolist() if v > 1])


def test_a_side_is_a_gap_until_it_is_reached() -> None:
    """Each kind of choice is watched; the function itself is as it was."""
    function, watch = watched(sample, __name__)
    everything = set(watch.gaps())
    assert {gap.partition(": ")[2] for gap in everything} == {
        *(f"{text}: never {side}" for text in CONDITIONS for side in ("true", "false")),
        *(f"x.clamp(min=low, max=2.0): never {side}" for side in ("below", "above", "inside")),
        *(f"torch.maximum(y, x): never {side}" for side in ("first", "second")),
    }
    x = torch.tensor([-5.0, 0.5, 7.0])
    assert torch.equal(function(x, 0.0), sample(x, 0.0))
    assert set(watch.gaps()) < everything
    assert f"{__name__}.sample: torch.maximum(y, x): never second" in watch.gaps()
    assert torch.equal(function(x, -1.0, flag=True), sample(x, -1.0, flag=True))
    function(x, 1.0, flag=True)
    assert watch.gaps() == [f"{__name__}.sample: torch.maximum(y, x): never second"]


CONDITIONS = (
    "flag",
    "low < 0",
    "flag and low < 0",
    "torch.where(x > 0, x, -x)",
    "low == 0",
    "v > 1",
)


def test_a_rebuilt_function_uses_the_change_everywhere() -> None:
    """A helper in another module is replaced for all who call it, and for nobody else."""
    helper = next(f for f in reached(mse_vectorized, "impls") if f.__name__ == "reduce")
    source = parsed(helper)
    source.body = parsed(zero).body
    changed = rebuilt(mse_vectorized, "impls", {helper: source})
    x, y = torch.ones(3), torch.zeros(3)
    assert changed(x, y) == 0
    assert mse_vectorized(x, y) == 1


def zero(items: Tensor, divisor: object, dtype: torch.dtype) -> Tensor:
    return torch.zeros((), dtype=dtype)


def test_numpy_choices_are_watched() -> None:
    function, watch = watched(bounded, __name__)
    assert np.array_equal(function(np.array([-1.0, 0.5])), [0.0, 0.5])
    (gap,) = watch.gaps()
    assert gap.endswith("np.clip(x, 0, 1): never above")


def bounded(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]  # any numbers
    return np.clip(x, 0, 1)


def test_class_weights_are_never_subnormal() -> None:
    """One over the sum of such would be infinite in float32, in which the half types are computed."""

    def is_subnormal(weight: Array | None) -> bool:
        return weight is not None and bool(((weight > 0) & (weight < np.finfo("f4").tiny)).any())

    for dtype in ("float32", "bfloat16"):
        with pytest.raises(NoSuchExample):
            hypothesis.find(
                CATALOG["cross_entropy"].cases(dtype),
                lambda case: is_subnormal(case["weight"]),
                settings=hypothesis.settings(max_examples=500, database=None),
            )
