"""Domains, laws and workloads of the embedding losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import classification, embedding
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.general import options_matter
from properties.trial import Measured, Trial, assume, at_least, equal

ARCFACE_ARGUMENTS = (
    Argument("features", "row", gradient=True, learned=True, scale_free=True),
    Argument("label", "label"),
    Argument("weight", "row", gradient=True, learned=True, batched=False, scale_free=True),
)


# Domain


@st.composite
def _directions(draw_: st.DrawFn) -> dict[str, object]:
    """Features and class vectors: any, aligned with their class, opposite to it, zero, and of
    lengths from tiny to huge."""
    batch, classes = draw_(st.integers(1, 3)), draw_(st.integers(1, 4))
    size = draw_(st.integers(1, 4))
    elements = draw.numbers(-2.0, 2.0, [0.0, 1.0, -1.0], smallest=2.0**-20)
    features = draw_(draw.arrays((batch, size), elements))
    weight = draw_(draw.arrays((classes, size), elements))
    label = draw_(draw.arrays((batch,), st.integers(0, classes - 1), dtype="i8"))
    special = draw_(st.sampled_from(["none", "none", "none", "aligned", "opposite", "zero"]))
    factor = {"none": None, "aligned": 1.0, "opposite": -1.0, "zero": 0.0}[special]
    if factor is not None:
        features[0] = factor * weight[label[0]]
    return {
        "features": features * 2.0 ** draw_(st.sampled_from([0, 0, 0, -8, 12])),
        "label": label,
        "weight": weight * 2.0 ** draw_(st.sampled_from([0, 0, 0, -8, 12])),
        "scale": draw_(draw.numbers(1.0, 64.0, [64.0, 30.0, 1.0])),
        "margin": draw_(draw.numbers(0.0, 3.0, [0.5, 0.0, 0.25])),
    }


def arcface_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of features (N, D), labels and class vectors (C, D)."""
    return draw.cases(_directions(), dtype)


def arcface_floor(case: Case) -> float:
    """The scale multiplies the cosines, and so the smallest error worth speaking of."""
    return max(1.0, float(case["scale"]))


def arcface_smooth(case: Case) -> bool:
    """Away from θ = 0, θ = π and the jump at π-m; told apart from rounding at moderate lengths."""
    lengths = [np.linalg.norm(case[name], axis=1) for name in ("features", "weight")]
    if not all(((length > 0.25) & (length < 16)).all() for length in lengths):
        return False
    cosine, _ = _cosine(case)
    places = (-1.0, 1.0, -np.cos(case["margin"]))
    return all((np.abs(cosine - place) > 0.01).all() for place in places)


# Laws


def _cosine(case: Case) -> tuple[Array, Array]:
    """Cosine between each feature and its class vector, and whether both have a direction."""
    options = {"scale": 1.0, "margin": 0.0}
    cosines = embedding.scaled_cosines(case["features"], case["label"], case["weight"], **options)
    own = case["weight"][case["label"]]
    known = case["features"].any(axis=1) & own.any(axis=1)
    return cosines[np.arange(len(case["label"])), case["label"]], known


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def no_margin(trial: Trial) -> None:
    """Without margin it is the cross entropy of s times the cosine."""
    case = trial.case.changed(margin=0.0)
    arrays = (case["features"], case["label"], case["weight"])
    logits = embedding.scaled_cosines(*arrays, scale=case["scale"], margin=0.0)
    wanted = classification.cross_entropy_items(logits[..., None], case["label"][:, None])[..., 0]
    equal(trial.value(case), Measured.exact(wanted, "cross entropy of s cos θ"))


def _rescaled(trial: Trial, name: str, largest_power: int) -> Case:
    rows = trial.case[name]
    power = trial.case.random().integers(-largest_power, largest_power + 1, size=(len(rows), 1))
    moved = rows * 2.0**power
    exact = round_to(moved, trial.dtype)
    assume(np.isfinite(exact))
    assume(exact == moved)
    return trial.case.changed(**{name: moved})


def length_does_not_matter(trial: Trial) -> None:
    """Neither the length of a feature nor that of a class vector changes anything, up to 1e20."""
    for name in ("features", "weight"):
        for largest_power in (3, 66):
            if largest_power == 66 and trial.dtype == "float16":
                continue
            equal(trial.value(_rescaled(trial, name, largest_power)), trial.value())


def gradient_is_orthogonal(trial: Trial) -> None:
    """The gradient to a vector is orthogonal to it."""
    for name in ("features", "weight"):
        product = trial.case[name] * trial.gradient(name)
        equal(product.sum(axis=1), Measured.exact(0.0))


def rises_with_margin(trial: Trial) -> None:
    """Items rise with the margin while θ ≤ π - m."""
    case = trial.case
    more = case["margin"] + 0.125
    cosine, known = _cosine(case)
    before_the_jump = known & (np.clip(cosine, -1, 1) > -np.cos(more) + 1e-3)
    assume(more < np.pi)
    assume(before_the_jump.any())
    at_least(trial.value(case.changed(margin=more))[before_the_jump], trial.value()[before_the_jump])


def relabelling(trial: Trial) -> None:
    """Renaming the classes changes nothing."""
    new_name = trial.case.random().permutation(len(trial.case["weight"]))
    renamed = trial.case.changed(
        label=new_name[trial.case["label"]], weight=trial.case["weight"][np.argsort(new_name)]
    )
    equal(trial.value(renamed), trial.value())


def opposite_and_aligned(trial: Trial) -> None:
    """At θ = 0 and θ = π value and gradient are finite, and the value is the one by hand."""
    case = trial.case
    own = case["weight"][case["label"]]
    assume(own.any(axis=1))
    for sign in (1.0, -1.0):
        moved = case.changed(features=sign * own)
        equal(trial.value(moved), trial.truth(moved))
        for name in ("features", "weight"):
            got = trial.gradient(name, moved)
            equal(got, Measured.exact(np.where(np.isfinite(got.value), got.value, 0), "finite"))


ARCFACE_LAWS = (
    nonnegative,
    no_margin,
    length_does_not_matter,
    gradient_is_orthogonal,
    rises_with_margin,
    relabelling,
    opposite_and_aligned,
    options_matter(scale=(16.0, 32.0), margin=(0.25, 0.5)),
)


# Workloads


def _faces(rng: np.random.Generator, rows: int, classes: int, size: int) -> Case:
    """Features near their class's vector."""
    weight = rng.normal(0, 1, (classes, size))
    label = rng.integers(0, classes, rows)
    features = weight[label] + rng.normal(0, 1.0, (rows, size))
    values = {"features": features, "label": label, "weight": weight, "scale": 64.0, "margin": 0.5}
    return Case(values)


ARCFACE_WORKLOADS = (
    Workload("CUB-200", "32 images, 100 classes, 64 dimensions", 32, lambda r, n: _faces(r, n, 100, 64)),
    Workload(
        "CASIA-WebFace",
        "128 faces, 10,572 people, 512 dimensions, arXiv 1411.7923",
        128,
        lambda r, n: _faces(r, n, 10_572, 512),
    ),
    Workload(
        "CASIA-WebFace, 512 faces",
        "ArcFace's batch of 512, arXiv 1801.07698",
        512,
        lambda r, n: _faces(r, n, 10_572, 512),
    ),
    Workload(
        "MS1MV2",
        "512 faces, 85,742 people, arXiv 1801.07698",
        512,
        lambda r, n: _faces(r, n, 85_742, 512),
        gpu=True,
    ),
)


# Picture


def _turned(x: Any) -> Case:
    """A feature at an angle to its class vector, another class at a right angle to that."""
    features = np.array([[np.cos(x), np.sin(x)]])
    values = {
        "features": features,
        "label": np.array([0]),
        "weight": np.array([[1.0, 0.0], [0.0, -1.0]]),
    }
    return Case({**values, "scale": 64.0, "margin": 0.5})


ARCFACE_CURVE = Curve(
    "angle to the class vector, radians, scale = 8",
    0.01,
    3.13,
    _turned,
    {f"margin = {m}": {"margin": m, "scale": 8.0} for m in (0.0, 0.25, 0.5)},
)


# Calls that must be refused

ARCFACE_BAD_CALLS = (
    BadCall("features", lambda c: {"features": c["features"][0]}, "one axis"),
    BadCall("features", lambda c: {"features": np.ones(c["features"].shape, int)}, "integers"),
    BadCall("label", lambda c: {"label": c["label"][:, None]}, "two axes"),
    BadCall("label", lambda c: {"label": c["label"].astype(float)}, "floats"),
    BadCall("weight", lambda c: {"weight": c["weight"][:, :-1]}, "other dimensions"),
    BadCall("scale", lambda c: {"scale": 0.0}, "not above 0"),
    BadCall("margin", lambda c: {"margin": 3.5}, "above π"),
    BadCall("margin", lambda c: {"margin": -0.1}, "below 0"),
)
