"""Domains, laws and workloads of the classification losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import classification as oracle
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.general import options_matter, take
from properties.trial import Measured, Trial, assume, at_least, at_most, between, equal

SOFTMAX_ARGUMENTS = (
    Argument("logits", "row", gradient=True, learned=True, flat_from=2, row_axis=-2),
    Argument("target", "label", flat_from=1),
    Argument("weight", "weight", batched=False, optional=True),
)
SIGMOID_ARGUMENTS = (
    Argument("logits", "real", gradient=True, learned=True, flat_from=0),
    Argument("target", "probability", flat_from=0),
)


# Domains


@st.composite
def _softmax(draw_: st.DrawFn) -> dict[str, object]:
    """Logits from moderate to 1e4, impossible classes, ignored items holding NaN or infinity; now
    and then enough pixels for vector instructions."""
    batch, classes = draw_(st.integers(1, 4)), draw_(st.integers(1, 5))
    spatial = draw_(draw.shapes(2, 2))
    if draw_(st.integers(0, 7)) == 7:
        batch, classes, spatial = 1, min(classes, 3), (17,)
    items = (batch, *spatial)
    kinds = (draw.moderate, draw.extreme, draw.crowded)
    logits = draw_(draw.arrays((batch, classes, *spatial), *kinds))
    ignore_index = draw_(st.sampled_from([-100, -100, 255, 0]))
    ignored = draw_(draw.arrays(items, st.just(0.0), draw.hard)) == 1
    label = st.integers(0, classes - 1)
    target = draw_(draw.arrays(items, label, dtype="i8"))
    smoothing = draw_(st.sampled_from([0.0, 0.0, 0.1, 1.0]) | draw.unit_interval)
    rows = np.moveaxis(logits, 1, -1)
    if smoothing == 0 and draw_(st.booleans()):
        rows[(np.arange(classes) == (target[..., None] + 1) % classes) & (classes > 1)] = -np.inf
    if draw_(st.booleans()):
        rows[ignored] = draw_(st.sampled_from([np.nan, np.inf, -np.inf]))
    weight = draw_(st.none() | draw.arrays((classes,), draw.numbers(0.0, 4.0, [0.0, 1.0])))
    return {
        "logits": logits,
        "target": np.where(ignored, ignore_index, target),
        "weight": weight,
        "label_smoothing": smoothing,
        "ignore_index": ignore_index,
    }


def softmax_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits (N, C, *) with integer targets."""
    return draw.cases(_softmax(), dtype)


@st.composite
def _sigmoid(draw_: st.DrawFn) -> dict[str, object]:
    """Logits from moderate to 1e4, hard and soft targets, gamma from 0 to 20."""
    shape = draw_(draw.shapes(3, 3))
    return {
        "logits": draw_(draw.arrays(shape, draw.moderate, draw.extreme)),
        "target": draw_(draw.arrays(shape, draw.hard, draw.unit_interval)),
        "gamma": draw_(draw.numbers(0.0, 20.0, [0.0, 0.25, 0.5, 1.0, 2.0, 5.0])),
        "alpha": draw_(st.none() | draw.unit_interval | st.just(0.25)),
    }


def focal_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped logits and targets."""
    return draw.cases(_sigmoid(), dtype)


def smooth_softmax(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate logits."""
    return bool((np.abs(case["logits"]) <= 8).all())


def smooth_sigmoid(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate logits."""
    return bool((np.abs(case["logits"]) <= 8).all())


# Laws of cross entropy


def _coarse(trial: Trial) -> Case:
    """The case with logits on a grid that every dtype holds, so that a law can move them exactly."""
    logits = np.nan_to_num(trial.case["logits"], nan=0.0, posinf=0.0, neginf=0.0)
    return trial.case.changed(logits=np.clip(np.rint(4 * logits) / 4, -15, 15))


def _kept(trial: Trial) -> Array:
    return trial.case["target"] != trial.case["ignore_index"]


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def convex(trial: Trial) -> None:
    """The value half way between two logits is at most the mean of the ends."""
    start = _coarse(trial)
    start = start.changed(logits=np.rint(start["logits"]))
    end = start.changed(logits=-np.roll(start["logits"], 1, axis=1))
    middle = start.changed(logits=(start["logits"] + end["logits"]) / 2)
    at_most(trial.value(middle), 0.5 * trial.value(start) + 0.5 * trial.value(end))


def gradient_bounded(trial: Trial) -> None:
    """Without weights, gradient entries lie in [-1, 1]."""
    unweighted = trial.case.changed(weight=None)
    between(trial.gradient("logits", unweighted, reduction="sum"), -1.0, 1.0)


def gradient_rows_sum_to_zero(trial: Trial) -> None:
    """The gradient of each item sums to 0 over the classes."""
    equal(trial.gradient("logits").sum(axis=1), Measured.exact(0.0))


def shift_invariant(trial: Trial) -> None:
    """Adding a constant to a row of logits changes nothing."""
    start = _coarse(trial)
    items = start["target"].shape
    shift = np.expand_dims(trial.case.random().integers(-16, 17, size=items).astype(float), 1)
    equal(trial.value(start.changed(logits=start["logits"] + shift)), trial.value(start))


def relabelling(trial: Trial) -> None:
    """Renaming the classes (columns, targets, weights and ignore_index together) changes nothing."""
    case = trial.case
    classes = case["logits"].shape[1]
    new_name = trial.case.random().permutation(classes)
    column = np.argsort(new_name)
    ignore_index = case["ignore_index"]
    named = 0 <= ignore_index < classes
    renamed = case.changed(
        logits=case["logits"][:, column],
        target=np.where(_kept(trial) | named, new_name[case["target"] % classes], ignore_index),
        weight=None if case["weight"] is None else case["weight"][column],
        ignore_index=int(new_name[ignore_index]) if named else ignore_index,
    )
    for reduction in ("none", "mean"):
        equal(trial.value(renamed, reduction=reduction), trial.value(reduction=reduction))


def affine_in_smoothing(trial: Trial) -> None:
    """Items at ε are (1-ε) times those at 0 plus ε times those at 1."""
    start = _coarse(trial)
    part = start["label_smoothing"]
    hard, soft = (trial.value(start.changed(label_smoothing=end)) for end in (0.0, 1.0))
    equal(trial.value(start), (1 - part) * hard + part * soft)


def linear_in_weight(trial: Trial) -> None:
    """Doubling the class weights doubles items and sum, and leaves the mean."""
    weight = trial.case["weight"]
    assume(weight is not None)
    doubled = trial.case.changed(weight=2 * weight)
    equal(trial.value(doubled), 2 * trial.value())
    equal(trial.value(doubled, reduction="sum"), 2 * trial.value(reduction="sum"))
    equal(trial.value(doubled, reduction="mean"), trial.value(reduction="mean"))


def weights_add_up(trial: Trial) -> None:
    """Items under two class weights added are the items under each, added."""
    weight = trial.case["weight"]
    assume(weight is not None)
    one = np.zeros_like(weight)
    one[0] = weight[0]
    parts = [trial.value(trial.case.changed(weight=part)) for part in (one, weight - one)]
    equal(parts[0] + parts[1], trial.value())


def ignored_items_do_not_count(trial: Trial) -> None:
    """An ignored item is the batch without it, whatever its logits hold."""
    keep = _kept(trial).reshape(len(trial.case["target"]), -1).all(axis=1)
    assume(not keep.all())
    rest = take(trial, keep)
    only_ignored = ~_kept(trial)[~keep]
    assume(only_ignored)
    for reduction in ("sum", "mean"):
        got = trial.value(reduction=reduction)
        equal(got, trial.value(rest, reduction=reduction))
    equal(trial.gradient("logits")[~keep], Measured.exact(0.0))


def nothing_kept(trial: Trial) -> None:
    """With all items ignored, or kept weights that sum to 0, sum and mean are 0 with no gradient."""
    case = trial.case
    ignored = case.changed(target=np.full_like(case["target"], case["ignore_index"]))
    weightless = case.changed(weight=np.zeros(case["logits"].shape[1]), label_smoothing=0.0)
    for empty in (ignored, weightless):
        for reduction in ("sum", "mean"):
            equal(trial.value(empty, reduction=reduction), Measured.exact(0.0))
            got = trial.gradient("logits", empty, reduction=reduction)
            equal(got, Measured.exact(0.0))


def fully_smoothed_forgets_the_target(trial: Trial) -> None:
    """At ε = 1 items do not depend on the target."""
    start = _coarse(trial).changed(label_smoothing=1.0)
    classes = start["logits"].shape[1]
    ignore_index = start["ignore_index"]
    other = (start["target"] + 1) % classes
    comparable = _kept(trial) & (other != ignore_index)
    assume(comparable.any())
    moved = start.changed(target=np.where(comparable, other, start["target"]))
    equal(trial.value(moved), trial.value(start))


def binary_on_two_classes(trial: Trial) -> None:
    """Two-class softmax on (0, x) is binary cross entropy on x."""
    case = trial.case
    x = np.nan_to_num(case["logits"][:, 0], nan=0.0, posinf=0.0, neginf=0.0)
    target = (case["logits"][:, -1] > 0).astype(np.int64)
    options = {"weight": None, "label_smoothing": 0.0, "ignore_index": -100}
    two = case.changed(logits=np.stack([np.zeros_like(x), x], axis=1), target=target, **options)
    wanted = oracle.binary_cross_entropy_items(x, target)
    equal(trial.value(two), Measured.exact(wanted, "binary cross entropy"))


def impossible_class(trial: Trial) -> None:
    """A logit of -inf away from the target is a class of probability 0: as if it weren't there."""
    start = _coarse(trial).changed(label_smoothing=0.0)
    logits = start["logits"]
    assume(_kept(trial))
    more = np.concatenate([logits, np.full_like(logits[:, :1], -np.inf)], axis=1)
    weight = start["weight"]
    weight = None if weight is None else np.append(weight, 1.0)
    wider = start.changed(logits=more, weight=weight, ignore_index=-100)
    equal(trial.value(wider), trial.value(start.changed(ignore_index=-100)))


CROSS_ENTROPY_LAWS = (
    nonnegative,
    convex,
    gradient_bounded,
    gradient_rows_sum_to_zero,
    shift_invariant,
    relabelling,
    affine_in_smoothing,
    linear_in_weight,
    weights_add_up,
    ignored_items_do_not_count,
    nothing_kept,
    fully_smoothed_forgets_the_target,
    binary_on_two_classes,
    impossible_class,
    options_matter(label_smoothing=(0.25, 0.75)),
)


# Laws of the sigmoid focal loss


def _binary(case: Case) -> Array:
    return oracle.binary_cross_entropy_items(case["logits"], case["target"])


def binary_at_gamma_zero(trial: Trial) -> None:
    """gamma = 0 without alpha is binary cross entropy; with alpha = ½, half of it."""
    for alpha, factor in ((None, 1.0), (0.5, 0.5)):
        plain = trial.case.changed(gamma=0.0, alpha=alpha)
        equal(trial.value(plain), Measured.exact(factor * _binary(plain), f"{factor} * BCE"))


def falls_with_gamma(trial: Trial) -> None:
    """Items fall as gamma grows."""
    more = trial.case.changed(gamma=trial.case["gamma"] + 0.5)
    at_most(trial.value(more), trial.value())


def at_most_binary(trial: Trial) -> None:
    """Items are at most binary cross entropy (alpha ≤ 1)."""
    at_most(trial.value(), Measured.exact(_binary(trial.case), "BCE"))


def alpha_is_a_factor(trial: Trial) -> None:
    """An item with alpha is α_t = α t + (1-α)(1-t) times the item without."""
    alpha, target = trial.case["alpha"], trial.case["target"]
    assume(alpha is not None)
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    equal(trial.value(), alpha_t * trial.value(trial.case.changed(alpha=None)))


def affine_in_alpha(trial: Trial) -> None:
    """Items at α are α times those at 1 plus 1-α times those at 0."""
    alpha = trial.case["alpha"]
    assume(alpha is not None)
    ends = [trial.value(trial.case.changed(alpha=end)) for end in (0.0, 1.0)]
    equal(trial.value(), (1 - alpha) * ends[0] + alpha * ends[1])


def half_target(trial: Trial) -> None:
    """At t = ½, without alpha, items are 2^-γ BCE."""
    half = trial.case.changed(target=np.full_like(trial.case["target"], 0.5), alpha=None)
    wanted = 2.0 ** -trial.case["gamma"] * _binary(half)
    equal(trial.value(half), Measured.exact(wanted, "2^-gamma * BCE"))


def reflection(trial: Trial) -> None:
    """(x, t, α) and (-x, 1-t, 1-α) give the same."""
    case = trial.case
    other = 1 - case["target"]
    assume(round_to(other, trial.dtype) == other)
    alpha = None if case["alpha"] is None else 1 - case["alpha"]
    equal(trial.value(case.changed(logits=-case["logits"], target=other, alpha=alpha)), trial.value())


SIGMOID_FOCAL_LAWS = (
    nonnegative,
    binary_at_gamma_zero,
    falls_with_gamma,
    at_most_binary,
    alpha_is_a_factor,
    affine_in_alpha,
    half_target,
    reflection,
    options_matter(gamma=(0.5, 3.0), alpha=(0.25, 0.875)),
)


# Workloads


def _classifier(rng: np.random.Generator, rows: int, classes: int, side: int = 0) -> Case:
    """Logits of a network that is often right, and labels."""
    spatial = (side, 2 * side) if side else ()
    target = rng.integers(0, classes, (rows, *spatial))
    logits = rng.normal(0, 2, (rows, classes, *spatial))
    chosen = np.expand_dims(target, 1)
    np.put_along_axis(logits, chosen, np.take_along_axis(logits, chosen, 1) + 4, 1)
    options = {"weight": None, "label_smoothing": 0.0, "ignore_index": -100}
    return Case({"logits": logits, "target": target, **options})


def _detector(rng: np.random.Generator, rows: int, classes: int) -> Case:
    """Logits of a detection head that starts at a probability of 0.01, one positive in 1,000."""
    target = np.zeros((rows, classes))
    positive = rng.integers(0, rows, max(1, rows // 1000))
    target[positive, rng.integers(0, classes, len(positive))] = 1
    logits = rng.normal(-4.6, 1.0, target.shape) + 5 * target
    return Case({"logits": logits, "target": target, "gamma": 2.0, "alpha": 0.25})


CROSS_ENTROPY_WORKLOADS = (
    Workload("CIFAR-10", "128 images, 10 classes", 128, lambda r, n: _classifier(r, n, 10)),
    Workload("ImageNet", "256 images, 1,000 classes", 256, lambda r, n: _classifier(r, n, 1000)),
    Workload(
        "Cityscapes",
        "2 crops of 256 x 512 pixels, 19 classes",
        2,
        lambda r, n: _classifier(r, n, 19, 256),
    ),
    Workload(
        "language model",
        "8 sequences of 1,024 tokens, GPT-2's vocabulary of 50,257",
        8192,
        lambda r, n: _classifier(r, n, 50257),
        gpu=True,
    ),
)
SIGMOID_FOCAL_WORKLOADS = (
    Workload(
        "Deformable DETR",
        "300 queries, 91 classes, arXiv 2010.04159",
        300,
        lambda r, n: _detector(r, n, 91),
    ),
    Workload(
        "FCOS, 1 image",
        "21,486 locations at 800 x 1,024 px, 80 classes, arXiv 1904.01355",
        21_486,
        lambda r, n: _detector(r, n, 80),
    ),
    Workload(
        "RetinaNet, 1 image",
        "120,087 anchors at 800 px, 80 classes, arXiv 1708.02002",
        120_087,
        lambda r, n: _detector(r, n, 80),
    ),
    Workload(
        "RetinaNet, 16 images",
        "1.9 million anchors, 80 classes, arXiv 1708.02002",
        1_921_392,
        lambda r, n: _detector(r, n, 80),
        gpu=True,
    ),
)


# Pictures


def _two_classes(x: Any) -> Case:
    logits = np.array([[x, 0 * x]])
    options = {"weight": None, "label_smoothing": 0.0, "ignore_index": -100}
    return Case({"logits": logits, "target": np.array([0]), **options})


def _positive(x: Any) -> Case:
    return Case({"logits": np.array([x]), "target": np.array([1.0]), "gamma": 2.0, "alpha": None})


CROSS_ENTROPY_CURVE = Curve(
    "logit of the target class, against one other at 0",
    -6,
    6,
    _two_classes,
    {f"label_smoothing = {ε}": {"label_smoothing": ε} for ε in (0.0, 0.1, 0.5)},
)
SIGMOID_FOCAL_CURVE = Curve(
    "logit of a positive, alpha = None",
    -6,
    6,
    _positive,
    {f"gamma = {γ}": {"gamma": γ} for γ in (0.0, 0.5, 2.0, 5.0)},
)


# Calls that must be refused

CROSS_ENTROPY_BAD_CALLS = (
    BadCall("logits", lambda c: {"logits": c["logits"].reshape(-1)}, "one axis"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(float)}, "floats"),
    BadCall("weight", lambda c: {"weight": np.ones(c["logits"].shape[1] + 1)}, "a class too many"),
    BadCall("label_smoothing", lambda c: {"label_smoothing": 1.5}, "above 1"),
    BadCall("label_smoothing", lambda c: {"label_smoothing": -0.1}, "below 0"),
    BadCall("ignore_index", lambda c: {"ignore_index": 1.5}, "not an integer"),
)
SIGMOID_FOCAL_BAD_CALLS = (
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("gamma", lambda c: {"gamma": -1.0}, "below 0"),
    BadCall("alpha", lambda c: {"alpha": 1.5}, "above 1"),
)
