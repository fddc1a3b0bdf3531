"""Domains, laws and workloads of the embedding losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import classification, embedding
from properties import draw
from properties.case import DTYPES, Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.general import options_matter
from properties.trial import Measured, Trial, assume, at_least, equal

CENTER_ARGUMENTS = (
    Argument("features", "row", gradient=True, learned=True),
    Argument("label", "label"),
    Argument("centers", "row", gradient=True, learned=True, batched=False, picked=True),
)

ARCFACE_ARGUMENTS = (
    Argument("features", "row", gradient=True, learned=True, scale_free=True),
    Argument("label", "label"),
    Argument("weight", "row", gradient=True, learned=True, batched=False, scale_free=True),
)


# Domain


@st.composite
def _features(draw_: st.DrawFn, reach: float) -> dict[str, object]:
    """Features and centres: moderate, far apart, equal, and near each other but far from 0."""
    batch, classes = draw_(st.integers(1, 5)), draw_(st.integers(1, 4))
    size = draw_(st.integers(1, 4))
    wide = draw.numbers(-reach, reach, [reach, -reach, 1e-30, 1.0])
    kinds = (draw.moderate, draw.moderate, draw.moderate, wide)  # far apart, budgets hide a gradient
    features = draw_(draw.arrays((batch, size), *kinds))
    centers = draw_(draw.arrays((classes, size), *kinds))
    label = draw_(draw.arrays((batch,), st.integers(0, classes - 1), dtype="i8"))
    near = draw_(st.sampled_from([None, None, None, 0.0, 2.0**-7, 2.0**-20]))
    return {
        "features": features if near is None else centers[label] * (1 + near),
        "label": label,
        "centers": centers,
        "scale": draw_(draw.numbers(0.0, 4.0, [1.0, 0.0, 2.0**-7])),
        "balanced": draw_(st.booleans()),
    }


def center_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of features (N, D), labels and centres (C, D), whose squares stay inside the type that
    computes them."""
    return draw.cases(_features(6e4 if dtype == "float16" else 1e15), dtype)


def center_coupled(case: Case) -> bool:
    """Whether a feature's item depends on the labels of the others."""
    return bool(case["balanced"])


def center_smooth(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate numbers."""
    return all((np.abs(case[name]) <= 8).all() for name in ("features", "centers"))


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


# Laws of the center loss


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def zero_at_the_centers(trial: Trial) -> None:
    """Features at their centres lose nothing."""
    at_center = trial.case.changed(features=trial.case["centers"][trial.case["label"]])
    equal(trial.value(at_center), Measured.exact(0.0))


def rotation(trial: Trial) -> None:
    """Rotating features and centres together changes nothing (by right angles, which every dtype
    holds)."""
    random, size = trial.case.random(), trial.case["centers"].shape[1]
    axes, signs = random.permutation(size), random.choice([-1.0, 1.0], size)
    rotated = {name: signs * trial.case[name][:, axes] for name in ("features", "centers")}
    equal(trial.value(trial.case.changed(**rotated)), trial.value())


def joint_shift(trial: Trial) -> None:
    """Adding the same vector to features and centres changes nothing, as long as the dtype holds the
    sum."""
    grid = {name: np.clip(np.rint(trial.case[name]), -64, 64) for name in ("features", "centers")}
    reach = 2 ** (DTYPES[trial.dtype].bits - 2)
    shift = trial.case.random().integers(-reach, reach + 1, trial.case["centers"].shape[1])
    moved = {name: rows + shift for name, rows in grid.items()}
    equal(trial.value(trial.case.changed(**moved)), trial.value(trial.case.changed(**grid)))


def gradients_are_opposite(trial: Trial) -> None:
    """The gradient to a centre is minus the sum of those to the features of its class."""
    features, centers = trial.gradient("features"), trial.gradient("centers")
    for name, row in enumerate(trial.case["centers"]):
        own = trial.case["label"] == name
        equal(centers[name] + features[own].sum(axis=0), Measured.exact(0 * row))


def absent_classes_rest(trial: Trial) -> None:
    """Classes that are not in the batch get no gradient."""
    absent = np.setdiff1d(np.arange(len(trial.case["centers"])), trial.case["label"])
    assume(absent.size > 0)
    for reduction in ("none", "mean"):
        got = trial.gradient("centers", reduction=reduction)[absent]
        equal(got, Measured.exact(0.0))


def balance(trial: Trial) -> None:
    """Balanced, an item is divided by how often its label occurs in the batch."""
    label = trial.case["label"]
    occurrences = np.bincount(label)[label]
    balanced, plain = (trial.value(trial.case.changed(balanced=flag)) for flag in (True, False))
    equal(occurrences * balanced, plain)


def proportional(trial: Trial) -> None:
    """Doubling the scale doubles the items."""
    doubled = trial.case.changed(scale=2 * trial.case["scale"])
    equal(trial.value(doubled), 2.0 * trial.value())


CENTER_LAWS = (
    nonnegative,
    zero_at_the_centers,
    rotation,
    joint_shift,
    gradients_are_opposite,
    absent_classes_rest,
    balance,
    proportional,
    options_matter(scale=(0.5, 2.0), balanced=(True, False)),
)


# Laws of ArcFace


def _cosine(case: Case) -> tuple[Array, Array]:
    """Cosine between each feature and its class vector, and whether both have a direction."""
    options = {"scale": 1.0, "margin": 0.0}
    cosines = embedding.scaled_cosines(case["features"], case["label"], case["weight"], **options)
    own = case["weight"][case["label"]]
    known = case["features"].any(axis=1) & own.any(axis=1)
    return cosines[np.arange(len(case["label"])), case["label"]], known


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


def _embedded(rng: np.random.Generator, rows: int, classes: int, size: int) -> Case:
    """Features scattered around their class's centre."""
    centers = rng.normal(0, 1, (classes, size))
    label = rng.integers(0, classes, rows)
    features = centers[label] + rng.normal(0, 0.5, (rows, size))
    values = {"features": features, "label": label, "centers": centers}
    return Case({**values, "scale": 1.0, "balanced": False})


CENTER_WORKLOADS = (
    Workload(
        "MNIST", "64 digits, 2 dimensions to look at, Wen 2016", 64, lambda r, n: _embedded(r, n, 10, 2)
    ),
    Workload(
        "Market-1501",
        "64 images, 751 people, 2048 dimensions, arXiv 1903.07071",
        64,
        lambda r, n: _embedded(r, n, 751, 2048),
    ),
    Workload(
        "CASIA-WebFace",
        "256 faces, 10,572 people, 512 dimensions, arXiv 1411.7923",
        256,
        lambda r, n: _embedded(r, n, 10_572, 512),
    ),
    Workload(
        "MS1MV2",
        "512 faces, 85,742 people, 512 dimensions, arXiv 1801.07698",
        512,
        lambda r, n: _embedded(r, n, 85_742, 512),
        gpu=True,
    ),
)

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


def _moved_away(x: Any) -> Case:
    """A feature at a distance from its centre."""
    features = np.array([[1.0, 0.0]]) * x
    values = {"features": features, "label": np.array([0]), "centers": np.zeros((1, 2))}
    return Case({**values, "scale": 1.0, "balanced": False})


CENTER_CURVE = Curve(
    "distance to the centre",
    -3,
    3,
    _moved_away,
    {f"scale = {scale}": {"scale": scale} for scale in (0.5, 1.0, 2.0)},
)


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

CENTER_BAD_CALLS = (
    BadCall("features", lambda c: {"features": c["features"][0]}, "one axis"),
    BadCall("features", lambda c: {"features": np.ones(c["features"].shape, int)}, "integers"),
    BadCall("label", lambda c: {"label": c["label"][:, None]}, "two axes"),
    BadCall("label", lambda c: {"label": c["label"].astype(float)}, "floats"),
    BadCall("centers", lambda c: {"centers": c["centers"][:, :-1]}, "other dimensions"),
    BadCall("centers", lambda c: {"centers": c["centers"][0]}, "one axis"),
    BadCall("scale", lambda c: {"scale": -0.5}, "below 0"),
    BadCall("scale", lambda c: {"scale": float("inf")}, "infinite"),
)
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
