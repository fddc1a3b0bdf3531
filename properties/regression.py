"""Domains, laws and workloads of the regression losses."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties import draw
from properties.case import Argument, BadCall, Case, Curve, Workload, round_to
from properties.trial import Measured, Trial, assume, at_least, at_most, equal

ARGUMENTS = (
    Argument("input", "real", gradient=True, learned=True, flat_from=0),
    Argument("target", "real", gradient=True, flat_from=0),
)


# Domain


@st.composite
def _pairs(draw_: st.DrawFn, reach: float) -> dict[str, object]:
    """Same-shaped numbers: moderate, far apart, equal, and so close that the square underflows."""
    shape = draw_(draw.shapes(3, 4))
    wide = draw.numbers(-reach, reach, [reach, -reach, 1e-30, 1.0])
    kinds = (draw.moderate, draw.moderate, draw.moderate, wide)  # far apart, budgets hide a gradient
    input = draw_(draw.arrays(shape, *kinds))
    target = draw_(draw.arrays(shape, *kinds))
    near = draw_(st.sampled_from([None, None, 0.0, 2.0**-7]))
    return {"input": input, "target": target if near is None else input * (1 + near)}


def mse_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases whose squares stay inside the type that computes them."""
    return draw.cases(_pairs(6e4 if dtype == "float16" else 1e15), dtype)


def smooth(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate numbers."""
    return all((np.abs(case[name]) <= 8).all() for name in ("input", "target"))


# Laws


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def zero_at_equality(trial: Trial) -> None:
    """0 at equality."""
    same = trial.case.changed(target=trial.case["input"])
    equal(trial.value(same), Measured.exact(0.0))


def symmetric(trial: Trial) -> None:
    """The value is symmetric in its two arguments."""
    swapped = trial.case.changed(input=trial.case["target"], target=trial.case["input"])
    equal(trial.value(swapped), trial.value())


def _moved(trial: Trial, **values: np.ndarray) -> Case:
    """The case with these numbers, where the dtype holds them exactly."""
    for moved in values.values():
        assume(round_to(moved, trial.dtype) == moved)
    return trial.case.changed(**values)


def homogeneous(trial: Trial) -> None:
    """Scaling both arguments by k multiplies the value by k²."""
    factor = 2.0 ** trial.case.random().choice([-2, -1, 1, 2])
    case = trial.case
    scaled = _moved(trial, input=case["input"] * factor, target=case["target"] * factor)
    equal(trial.value(scaled), factor**2 * trial.value())


def shift_invariant(trial: Trial) -> None:
    """Adding the same to both arguments changes nothing."""
    grid = {name: np.clip(np.rint(trial.case[name]), -64, 64) for name in ("input", "target")}
    shift = float(trial.case.random().integers(-32, 33))
    moved = {name: values + shift for name, values in grid.items()}
    equal(trial.value(_moved(trial, **moved)), trial.value(_moved(trial, **grid)))


def convex(trial: Trial) -> None:
    """The value half way is at most the mean of the ends."""
    grid = {name: 2 * np.clip(np.rint(trial.case[name]), -32, 32) for name in ("input", "target")}
    start = trial.case.changed(**grid)
    end = start.changed(input=-grid["target"])
    middle = start.changed(input=(start["input"] + end["input"]) / 2)
    at_most(trial.value(middle), 0.5 * trial.value(start) + 0.5 * trial.value(end))


def gradient_is_twice_the_difference(trial: Trial) -> None:
    """The gradient is 2 (x - y), and its negative to the target."""
    difference = 2 * (trial.case["input"] - trial.case["target"]) * trial.upstream()
    for name, sign in (("input", 1.0), ("target", -1.0)):
        got = trial.gradient(name)
        wanted = Measured.exact(np.where(got.overflow, 0, sign * difference), f"{sign:+.0f} * 2(x-y)")
        equal(got, wanted)


MSE_LAWS = (
    nonnegative,
    zero_at_equality,
    symmetric,
    homogeneous,
    shift_invariant,
    convex,
    gradient_is_twice_the_difference,
)


# Workloads


def _images(rng: np.random.Generator, rows: int, channels: int, side: int) -> Case:
    """Images in [0, 1] and a reconstruction of them."""
    target = rng.uniform(0, 1, (rows, channels, side, side))
    return Case({"input": target + rng.normal(0, 0.05, target.shape), "target": target})


MSE_WORKLOADS = (
    Workload("autoencoder", "MNIST, 64 images of 28 px", 64, lambda r, n: _images(r, n, 1, 28)),
    Workload(
        "super-resolution",
        "EDSR, 16 RGB crops of 192 px, arXiv 1707.02921",
        16,
        lambda r, n: _images(r, n, 3, 192),
    ),
    Workload(
        "diffusion latents",
        "256 latents of 4 x 64 x 64, arXiv 2112.10752",
        256,
        lambda r, n: _images(r, n, 4, 64),
    ),
    Workload(
        "diffusion images",
        "256 RGB images of 256 px, arXiv 2105.05233",
        256,
        lambda r, n: _images(r, n, 3, 256),
        gpu=True,
    ),
)


# Picture

MSE_CURVE = Curve(
    "input, target 0",
    -3,
    3,
    lambda x: Case({"input": np.array([x]), "target": np.zeros(1)}),
    {"": {}},
)


# Calls that must be refused

MSE_BAD_CALLS = (
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": np.concatenate([c["target"]] * 2)}, "more rows"),
    BadCall("input", lambda c: {"input": c["input"].astype(np.int64)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
)
