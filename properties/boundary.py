"""Domains, laws and workloads of the boundary losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles.classification import cross_entropy_items
from oracles.distance import contour_distance, penalty_map
from oracles.numeric import flatten
from oracles.overlap import dice_items
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.classification import (
    convex,
    gradient_rows_sum_to_zero,
    nonnegative,
    shift_invariant,
)
from properties.general import options_matter
from properties.trial import (
    Broken,
    Measured,
    Trial,
    assume,
    at_least,
    at_most,
    between,
    concatenate,
    equal,
)

WEIGHTED_ARGUMENTS = (
    Argument("logits", "row", gradient=True, learned=True, flat_from=2, row_axis=-2),
    Argument("target", "label", flat_from=1),
    Argument("distance", "real", flat_from=1),
)
HAUSDORFF_ARGUMENTS = (
    Argument("probs", "probability", gradient=True, learned=True, flat_from=0),
    Argument("target", "probability", flat_from=0),
    Argument("probs_distance", "real", flat_from=0),
    Argument("target_distance", "real", flat_from=0),
)


# Domains

LARGEST_POWER = 1e24
"""Of a distance; beyond, masks agree, and an infinite weight of nothing is nothing."""
DISTANCES = (
    draw.unit_interval,
    draw.numbers(0.0, 8.0, [0.0, 1.0, 2**0.5, 2.0]),
    draw.numbers(0.0, 500.0, [0.0, 1.0, 500.0]),
    st.just(0.0),
)
"""Penalties, near and far ones, and none."""


@st.composite
def _dice(draw_: st.DrawFn) -> dict[str, object]:
    """Logits from moderate to 6e4, mixed, empty and full masks, with and without smoothing; now and
    then enough voxels for vector instructions, or many samples."""
    batch, spatial = draw_(st.integers(1, 3)), draw_(draw.spaces(2, 3))
    if (many := draw_(st.integers(0, 7))) >= 6:
        batch, spatial = (1, (17,)) if many == 7 else (17, ())
    items, label = (batch, *spatial), st.integers(0, 1)
    target = draw_(draw.arrays(items, label, st.just(0), st.just(1), dtype="i8"))
    logits = draw_(draw.arrays((batch, 2, *spatial), *draw.logits))
    smooth = draw_(draw.numbers(0.0, 10.0, [0.0, 1.0, 1e-5], smallest=2.0**-20))
    if smooth == 0:  # where all of a mask underflows, the truth jumps
        logits = np.clip(logits, -40, 40)
    distance = draw_(draw.arrays(items, *DISTANCES))
    return {"logits": logits, "target": target, "distance": distance, "smooth": smooth}


def dice_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of two-class logits (N, 2, *) with masks and distance maps (N, *)."""
    return draw.cases(_dice(), dtype)


@st.composite
def _cross_entropy(draw_: st.DrawFn) -> dict[str, object]:
    """Logits from moderate to 6e4, impossible classes; now and then enough voxels for vector
    instructions."""
    batch, classes = draw_(st.integers(1, 4)), draw_(st.integers(1, 5))
    spatial = draw_(draw.spaces(2, 2))
    if draw_(st.integers(0, 7)) == 7:
        batch, classes, spatial = 1, min(classes, 3), (17,)
    items = (batch, *spatial)
    kinds = (*draw.logits, draw.crowded, draw.distant)
    logits = draw_(draw.arrays((batch, classes, *spatial), *kinds))
    target = draw_(draw.arrays(items, st.integers(0, classes - 1), dtype="i8"))
    if draw_(st.booleans()) and draw_(st.booleans()):
        rows = np.moveaxis(logits, 1, -1)
        rows[(np.arange(classes) == (target[..., None] + 1) % classes) & (classes > 1)] = -np.inf
    return {"logits": logits, "target": target, "distance": draw_(draw.arrays(items, *DISTANCES))}


def cross_entropy_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits (N, C, *) with integer targets and distance maps (N, *)."""
    return draw.cases(_cross_entropy(), dtype)


def cross_entropy_floor(case: Case) -> Array:
    """1 + E of each item, in the layout of the bare formula.

    A right cross entropy may be off by budgets of at least one rounding unit. The loss is that times
    1 + E, which is given and not computed, so its error is 1 + E times as large.
    """
    weights: Array = 1 + flatten(case["distance"], 1)
    return weights


def _farthest(power: float) -> float:
    """The largest distance whose power is far from overflow."""
    return float(LARGEST_POWER ** (1 / max(power, 1.0)))


@st.composite
def _hausdorff(draw_: st.DrawFn) -> dict[str, object]:
    """Soft and hard masks, perfect ones; powers around and far from 2."""
    shape = draw_(draw.shapes(3, 3))
    target = draw_(draw.arrays(shape, draw.hard, draw.unit_interval))
    probs = draw_(draw.arrays(shape, draw.unit_interval, draw.hard))
    perfect = draw_(st.booleans()) and draw_(st.booleans())
    distances = draw_(draw.arrays(shape, *DISTANCES)), draw_(draw.arrays(shape, *DISTANCES))
    power = draw_(st.sampled_from([2.0, 1.0, 3.0, 0.5, 64.0, 400.0]) | draw.numbers(2.0**-6, 8.0))
    limit = _farthest(power)
    too_far = (distances[0] > limit) | (distances[1] > limit)
    return {
        "probs": np.where(too_far | perfect, target, probs),
        "target": target,
        "probs_distance": distances[0],
        "target_distance": distances[1],
        "power": power,
    }


def hausdorff_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped masks and distance maps, some of whose powers are too large for float32."""
    return draw.cases(_hausdorff(), dtype)


def smooth_dice(case: Case) -> bool:
    """Wherever the denominator is not 0; told apart from rounding at moderate logits."""
    return bool(case["smooth"] >= 0.125 and (np.abs(case["logits"]) <= 8).all())


def smooth_cross_entropy(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate logits and distances."""
    return bool((np.abs(case["logits"]) <= 8).all() and (case["distance"] <= 8).all())


def smooth_hausdorff(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate distances."""
    distances = [case[name] for name in ("probs_distance", "target_distance")]
    limit = 100 ** (1 / max(case["power"], 1.0))
    return all((distance <= limit).all() for distance in distances)


# Laws of distance maps


def _refused(trial: Trial, name: str, changed: Array) -> None:
    if not trial.refuses(trial.case.changed(**{name: changed})):
        reason = f"{name} of shape {changed.shape} is accepted"
        nothing = Measured.exact(np.nan)
        raise Broken(reason, nothing, nothing, assertion="not 'an exception'")


def maps_are_not_broadcast(trial: Trial) -> None:
    """A distance map with a channel axis, or of one sample for all, is refused."""
    names = [argument.name for argument in trial.arguments if "distance" in argument.name]
    assume(trial.case[names[0]].ndim > 0 and len(trial.case[names[0]]) > 1)
    for name in names:
        array = trial.case[name]
        _refused(trial, name, np.expand_dims(array, 1))
        _refused(trial, name, array[:1])


# Laws of distance-weighted Dice


def _grid(trial: Trial) -> Case:
    """The case with whole distances up to 3."""
    return trial.case.changed(distance=np.minimum(np.rint(trial.case["distance"]), 3))


def bounded(trial: Trial) -> None:
    """Items lie in [0, 1]."""
    between(trial.value(), 0.0, 1.0)


def constant_weight_is_dice(trial: Trial) -> None:
    """With D the same everywhere it is dice with smooth s/D."""
    logits, target = flatten(trial.case["logits"], 2), flatten(trial.case["target"], 1)
    hot = np.stack([1 - target, target], axis=1)
    for weight in (1.0, 4.0):
        constant = trial.case.changed(distance=np.full(trial.case["target"].shape, weight - 1))
        smooth = trial.case["smooth"] / weight
        wanted = dice_items(logits, hot, smooth=smooth, activation="softmax")[:, 1]
        equal(trial.value(constant), Measured.exact(wanted, f"dice with smooth = {smooth}"))


def zero_at_perfect_mask(trial: Trial) -> None:
    """0 at a perfect mask, empty ones without smoothing too, where the gradient is finite."""
    sure = np.where(trial.case["target"] == 1, 1e4, -1e4)
    perfect = trial.case.changed(logits=np.stack([-sure, sure], axis=1))
    for smooth in (0.0, trial.case["smooth"]):
        equal(trial.value(perfect.changed(smooth=smooth), tight=True), Measured.exact(0.0))
    slope = trial.gradient("logits", perfect.changed(smooth=0.0))
    if not np.isfinite(slope.value).all():
        finite = f"({slope.expression}).isfinite().all()"
        raise Broken("not finite", slope, Measured.exact(0.0), assertion=finite)


def weight_counts_voxels(trial: Trial) -> None:
    """A voxel at distance k counts like 1 + k voxels at distance 0."""
    case = _grid(trial)
    logits, target, distance = (flatten(case[n], 1) for n in ("logits", "target", "distance"))
    logits = logits.reshape(len(logits), 2, -1)
    count = distance[0].astype(int)
    weighed = case.changed(
        logits=logits, target=target, distance=np.broadcast_to(count * 1.0, target.shape)
    )
    repeated = case.changed(
        logits=np.repeat(logits, 1 + count, axis=-1),
        target=np.repeat(target, 1 + count, axis=-1),
        distance=np.zeros((len(target), (1 + count).sum())),
    )
    equal(trial.value(weighed), trial.value(repeated))


def scale_of_weights(trial: Trial) -> None:
    """Doubling D everywhere, and the smoothing, changes nothing."""
    case = _grid(trial)
    doubled = case.changed(distance=2 * case["distance"] + 1, smooth=2 * case["smooth"])
    equal(trial.value(doubled), trial.value(case))


def voxel_permutation(trial: Trial) -> None:
    """Permuting the voxels changes nothing."""
    case = trial.case
    logits, target, distance = (
        flatten(case[name], axis) for name, axis in (("logits", 2), ("target", 1), ("distance", 1))
    )
    order = case.random().permutation(target.shape[-1])
    moved = case.changed(
        logits=logits[..., order], target=target[..., order], distance=distance[..., order]
    )
    equal(trial.value(moved), trial.value())


def descent(trial: Trial) -> None:
    """Raising the logit of the foreground never raises the loss on a foreground voxel, nor lowers it
    on another."""
    direction = 1.0 - 2.0 * trial.case["target"]
    slope = trial.gradient("logits", reduction="sum")[:, 1]
    at_least(direction * slope, Measured.exact(0.0))


DISTANCE_DICE_LAWS = (
    bounded,
    constant_weight_is_dice,
    zero_at_perfect_mask,
    weight_counts_voxels,
    scale_of_weights,
    voxel_permutation,
    shift_invariant,
    gradient_rows_sum_to_zero,
    descent,
    maps_are_not_broadcast,
    options_matter(smooth=(1.0, 4.0)),
)


# Laws of distance-weighted cross entropy


def _unweighted(trial: Trial) -> Case:
    return trial.case.changed(distance=np.zeros(trial.case["target"].shape))


def cross_entropy_without_distance(trial: Trial) -> None:
    """E = 0 gives cross entropy."""
    case = _unweighted(trial)
    wanted = cross_entropy_items(flatten(case["logits"], 2), flatten(case["target"], 1))
    equal(trial.value(case), Measured.exact(wanted.reshape(case["target"].shape), "cross entropy"))


def weight_is_a_factor(trial: Trial) -> None:
    """Items and their gradients are 1 + E times those at E = 0."""
    plain, weight = _unweighted(trial), 1 + trial.case["distance"]
    equal(trial.value(), weight * trial.value(plain))
    factor = np.expand_dims(weight, 1)
    equal(trial.gradient("logits"), factor * trial.gradient("logits", plain))


def affine_in_distance(trial: Trial) -> None:
    """Half way between two maps, items are the mean of those at both."""
    start = 2 * np.minimum(np.rint(trial.case["distance"]), 64)
    end = np.flip(start)
    values = [trial.value(trial.case.changed(distance=d)) for d in (start, end, (start + end) / 2)]
    equal(values[2], 0.5 * values[0] + 0.5 * values[1])


def gradient_bounded(trial: Trial) -> None:
    """Gradient entries lie in [-(1+E), 1+E]."""
    slope = trial.gradient("logits", reduction="sum")
    bound = np.broadcast_to(np.expand_dims(1 + trial.case["distance"], 1), slope.value.shape)
    at_most(slope, Measured.exact(bound, "1 + E"))
    at_least(slope, Measured.exact(-bound, "-(1 + E)"))


def relabelling(trial: Trial) -> None:
    """Renaming the classes (columns and targets together) changes nothing."""
    name = trial.case.random().permutation(trial.case["logits"].shape[1])
    logits, target = trial.case["logits"][:, np.argsort(name)], name[trial.case["target"]]
    equal(trial.value(trial.case.changed(logits=logits, target=target)), trial.value())


def impossible_class(trial: Trial) -> None:
    """A logit of -inf away from the target is a class of probability 0: as if it weren't there."""
    logits = trial.case["logits"]
    wider = np.concatenate([logits, np.full_like(logits[:, :1], -np.inf)], axis=1)
    equal(trial.value(trial.case.changed(logits=wider)), trial.value())


def voxels_are_apart(trial: Trial) -> None:
    """Voxels laid out as samples have the same items."""
    case = trial.case
    rows = np.moveaxis(case["logits"], 1, -1).reshape(-1, case["logits"].shape[1])
    apart = case.changed(
        logits=rows, target=case["target"].reshape(-1), distance=case["distance"].reshape(-1)
    )
    items = trial.value()
    assume(items.value.size)
    flat = concatenate([items[index][None] for index in np.ndindex(items.value.shape)])
    equal(trial.value(apart), flat)


DISTANCE_WEIGHTED_CE_LAWS = (
    nonnegative,
    cross_entropy_without_distance,
    weight_is_a_factor,
    affine_in_distance,
    convex,
    gradient_bounded,
    gradient_rows_sum_to_zero,
    shift_invariant,
    relabelling,
    impossible_class,
    voxels_are_apart,
    maps_are_not_broadcast,
)


# Laws of the Hausdorff loss


def zero_at_equality(trial: Trial) -> None:
    """0 at p = g, however far."""
    same = trial.case.changed(target=trial.case["probs"])
    equal(trial.value(same, tight=True), Measured.exact(0.0))


def zero_on_the_contours(trial: Trial) -> None:
    """0 where both distances are 0: 0^a = 0."""
    nowhere = np.zeros(trial.case["probs"].shape)
    case = trial.case.changed(probs_distance=nowhere, target_distance=nowhere)
    equal(trial.value(case, tight=True), Measured.exact(0.0))


def symmetric(trial: Trial) -> None:
    """Swapping (p, d_p) and (g, d_g) changes nothing."""
    case = trial.case
    swapped = case.changed(
        probs=case["target"],
        target=case["probs"],
        probs_distance=case["target_distance"],
        target_distance=case["probs_distance"],
    )
    equal(trial.value(swapped), trial.value())


def maps_add_up(trial: Trial) -> None:
    """Items are those of each map alone, the other one 0, added."""
    nowhere = np.zeros(trial.case["probs"].shape)
    parts = [
        trial.value(trial.case.changed(**{name: nowhere}))
        for name in ("probs_distance", "target_distance")
    ]
    equal(parts[0] + parts[1], trial.value())


def squared_error_at_distance_one(trial: Trial) -> None:
    """With both distances 1, twice the squared error for every power."""
    ones = np.ones(trial.case["probs"].shape)
    case = trial.case.changed(probs_distance=ones, target_distance=ones)
    wanted = 2 * (case["probs"] - case["target"]) ** 2
    equal(trial.value(case), Measured.exact(wanted, "2 (p-g)²"))


def homogeneous(trial: Trial) -> None:
    """Doubling both distances multiplies the items by 2^a."""
    names = ("probs_distance", "target_distance")
    doubled = {name: 2 * trial.case[name] for name in names}
    equal(trial.value(trial.case.changed(**doubled)), 2 ** trial.case["power"] * trial.value())


def rises_with_distance(trial: Trial) -> None:
    """Items rise with each of the distances."""
    for name in ("probs_distance", "target_distance"):
        farther = 1.5 * trial.case[name] + 1
        assume(round_to(farther, trial.dtype) <= _farthest(trial.case["power"]))
        higher = trial.case.changed(**{name: round_to(farther, trial.dtype)})
        at_least(trial.value(higher), trial.value())


def reflection(trial: Trial) -> None:
    """(p, g) and (1-p, 1-g) give the same."""
    other = {name: 1 - trial.case[name] for name in ("probs", "target")}
    for values in other.values():
        assume(round_to(values, trial.dtype) == values)
    equal(trial.value(trial.case.changed(**other)), trial.value())


def convex_in_probs(trial: Trial) -> None:
    """The value half way between two probabilities is at most the mean of the ends."""
    start = np.rint(8 * trial.case["probs"]) / 8
    values = [
        trial.value(trial.case.changed(probs=probs)) for probs in (start, 1 - start, 0 * start + 0.5)
    ]
    at_most(values[2], 0.5 * values[0] + 0.5 * values[1])


HAUSDORFF_DT_LAWS = (
    nonnegative,
    zero_at_equality,
    zero_on_the_contours,
    symmetric,
    maps_add_up,
    squared_error_at_distance_one,
    homogeneous,
    rises_with_distance,
    reflection,
    convex_in_probs,
    maps_are_not_broadcast,
    options_matter(power=(1.0, 3.0)),
)


# Workloads


def _balls(rng: np.random.Generator, rows: int, sides: tuple[int, ...]) -> tuple[Array, Array]:
    """A ball in each sample, and the logits of a network that finds it a few voxels off."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in sides], indexing="ij"))
    ones = (1,) * len(sides)
    center = rng.uniform(-0.5, 0.5, (rows, len(sides), *ones))
    found = center + rng.normal(0, 0.05, center.shape)
    inside = [0.4 - np.sqrt(((grid - c) ** 2).sum(axis=1)) for c in (center, found)]
    return inside[0] > 0, 40 * inside[1] + rng.normal(0, 0.5, inside[1].shape)


def _two_classes(rng: np.random.Generator, rows: int, sides: tuple[int, ...]) -> Case:
    """A ball with its penalties."""
    mask, logits = _balls(rng, rows, sides)
    return Case(
        {
            "logits": np.stack([-logits / 2, logits / 2], axis=1),
            "target": mask.astype(np.int64),
            "distance": penalty_map(mask),
            "smooth": 1.0,
        }
    )


def _regions(rng: np.random.Generator, rows: int, classes: int, sides: tuple[int, ...]) -> Case:
    """Each class around a point of its own, with the distances to the contour of class 0."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in sides], indexing="ij"))
    center = rng.uniform(-1, 1, (rows, classes, len(sides), *(1,) * len(sides)))
    nearness = -((grid - center) ** 2).sum(axis=2)
    target = nearness.argmax(axis=1)
    logits = 10 * nearness + rng.normal(0, 1, nearness.shape)
    return Case({"logits": logits, "target": target, "distance": contour_distance(target == 0)})


def _masks(rng: np.random.Generator, rows: int, sides: tuple[int, ...]) -> Case:
    """A ball and its probabilities, each with the distances to its contour."""
    mask, logits = _balls(rng, rows, sides)
    probs = 1 / (1 + np.exp(-logits))
    values = {
        "probs": probs,
        "target": mask * 1.0,
        "probs_distance": contour_distance(probs > 0.5),
        "target_distance": contour_distance(mask),
    }
    return Case({**{name: array[:, None] for name, array in values.items()}, "power": 2.0})


DISTANCE_DICE_WORKLOADS = (
    Workload(
        "Mask R-CNN, 64 regions",
        "64 objects in masks of 28 px, arXiv 1703.06870",
        64,
        lambda r, n: _two_classes(r, n, (28, 28)),
    ),
    Workload(
        "optic discs, 4 images",
        "4 fundus images resized to 512 px",
        4,
        lambda r, n: _two_classes(r, n, (512, 512)),
    ),
    Workload(
        "knee MRI, 1 volume",
        "1 bone in a patch of 96³ voxels, after arXiv 1908.03679",
        1,
        lambda r, n: _two_classes(r, n, (96, 96, 96)),
    ),
    Workload(
        "BraTS, 2 volumes",
        "whole tumours in 2 patches of 128³ voxels, arXiv 1811.02629",
        2,
        lambda r, n: _two_classes(r, n, (128, 128, 128)),
        gpu=True,
    ),
)
DISTANCE_WEIGHTED_CE_WORKLOADS = (
    Workload(
        "Mask R-CNN, 64 regions",
        "64 objects in masks of 28 px, 2 classes, arXiv 1703.06870",
        64,
        lambda r, n: _regions(r, n, 2, (28, 28)),
    ),
    Workload(
        "Cityscapes",
        "2 crops of 256 x 512 pixels, 19 classes, distance to the road's contour",
        2,
        lambda r, n: _regions(r, n, 19, (256, 512)),
    ),
    Workload(
        "knee MRI, 1 volume",
        "bones and cartilage, 5 classes in a patch of 96³ voxels, after arXiv 1908.03679",
        1,
        lambda r, n: _regions(r, n, 5, (96, 96, 96)),
    ),
    Workload(
        "Cityscapes, 8 crops",
        "8 crops of 512 x 1,024 pixels, 19 classes",
        8,
        lambda r, n: _regions(r, n, 19, (512, 1024)),
        gpu=True,
    ),
)
HAUSDORFF_DT_WORKLOADS = (
    Workload(
        "Mask R-CNN, 64 regions",
        "64 objects in masks of 28 px, arXiv 1703.06870",
        64,
        lambda r, n: _masks(r, n, (28, 28)),
    ),
    Workload(
        "prostate ultrasound, 4 images",
        "4 masks of 448 px, after arXiv 1904.10030",
        4,
        lambda r, n: _masks(r, n, (448, 448)),
    ),
    Workload(
        "prostate MRI, 1 volume",
        "1 mask of 96³ voxels, after arXiv 1904.10030",
        1,
        lambda r, n: _masks(r, n, (96, 96, 96)),
    ),
    Workload(
        "BraTS, 2 volumes",
        "whole tumours in 2 patches of 128³ voxels, arXiv 1811.02629",
        2,
        lambda r, n: _masks(r, n, (128, 128, 128)),
        gpu=True,
    ),
)


# Pictures


def _one_voxel_rises(x: Any) -> Case:
    """Four voxels, two of them foreground; the logit of one of these varies."""
    foreground = np.array([x, 2.0 + 0 * x, -2.0 + 0 * x, -2.0 + 0 * x])
    logits = np.stack([0 * foreground, foreground])[None]
    target = np.array([[1, 1, 0, 0]])
    return Case({"logits": logits, "target": target, "distance": np.zeros((1, 4)), "smooth": 1.0})


def _two_logits(x: Any) -> Case:
    logits = np.array([[[x], [0 * x]]])
    return Case({"logits": logits, "target": np.array([[0]]), "distance": np.zeros((1, 1))})


def _one_probability(x: Any) -> Case:
    one = np.ones(1)
    maps = {"probs_distance": one, "target_distance": 3 * one}
    return Case({"probs": np.array([x]), "target": one, **maps, "power": 2.0})


DISTANCE_DICE_CURVE = Curve(
    "logit of one of two foreground voxels",
    -6,
    6,
    _one_voxel_rises,
    {f"its distance = {d}": {"distance": np.array([[d, 0.0, 0.0, 0.0]])} for d in (0.0, 1.0, 4.0)},
)
DISTANCE_WEIGHTED_CE_CURVE = Curve(
    "logit of the target class, against one other at 0",
    -6,
    6,
    _two_logits,
    {f"E = {e}": {"distance": np.array([[e]])} for e in (0.0, 1.0, 4.0)},
)
HAUSDORFF_DT_CURVE = Curve(
    "probability of a foreground voxel, distances 1 and 3",
    0,
    1,
    _one_probability,
    {f"power = {a}": {"power": a} for a in (1.0, 2.0, 3.0)},
)


# Calls that must be refused


def _bad_maps(name: str) -> tuple[BadCall, ...]:
    """A map, or a mask, that is not of the shape and dtype of the others."""
    return (
        BadCall(name, lambda c: {name: c[name][:, None]}, "a channel axis"),
        BadCall(name, lambda c: {name: c[name][:1]}, "one sample for all"),
        BadCall(name, lambda c: {name: c[name].astype(np.int64)}, "integers"),
    )


_LOGIT_BAD_CALLS = (
    BadCall("logits", lambda c: {"logits": c["logits"].reshape(-1)}, "one axis"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(float)}, "floats"),
)
DISTANCE_DICE_BAD_CALLS = (
    *_LOGIT_BAD_CALLS,
    BadCall("logits", lambda c: {"logits": c["logits"][:, [0, 1, 1]]}, "three classes"),
    BadCall("logits", lambda c: {"logits": c["logits"][:, :1]}, "one class"),
    *_bad_maps("distance"),
    BadCall("smooth", lambda c: {"smooth": -1.0}, "below 0"),
)
DISTANCE_WEIGHTED_CE_BAD_CALLS = (*_LOGIT_BAD_CALLS, *_bad_maps("distance"))
HAUSDORFF_DT_BAD_CALLS = (
    BadCall("probs", lambda c: {"probs": np.ones(c["probs"].shape, int)}, "integers"),
    *_bad_maps("target"),
    *_bad_maps("probs_distance"),
    *_bad_maps("target_distance"),
    BadCall("power", lambda c: {"power": 0.0}, "0"),
    BadCall("power", lambda c: {"power": float("inf")}, "infinite"),
)
