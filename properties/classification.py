"""Domains, laws and workloads of the classification losses."""

import math
from dataclasses import replace
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
SOFTMAX_FOCAL_ARGUMENTS = (
    *SOFTMAX_ARGUMENTS[:2],
    Argument("alpha", "weight", batched=False, optional=True),
)
SIGMOID_ARGUMENTS = (
    Argument("logits", "real", gradient=True, learned=True, flat_from=0),
    Argument("target", "probability", flat_from=0),
)
LOG_LOSS_ARGUMENTS = (
    Argument("probs", "probability", gradient=True, learned=True, flat_from=0),
    SIGMOID_ARGUMENTS[1],
)


# Domains


def _rows(draw_: st.DrawFn, impossible: bool) -> tuple[Array, Array, int]:
    """Logits, target and ignore_index: logits from moderate to 6e4, impossible classes where they may
    be, ignored items holding NaN or infinity; now and then enough pixels for vector instructions."""
    batch, classes = draw_(st.integers(1, 4)), draw_(st.integers(1, 5))
    spatial = draw_(draw.shapes(2, 2))
    if draw_(st.integers(0, 7)) == 7:
        batch, classes, spatial = 1, min(classes, 3), (17,)
    items = (batch, *spatial)
    kinds = (*draw.logits, draw.crowded, draw.distant)
    logits = draw_(draw.arrays((batch, classes, *spatial), *kinds))
    ignore_index = draw_(st.sampled_from([-100, -100, 255, 0]))
    ignored = draw_(draw.arrays(items, st.just(0.0), draw.hard)) == 1
    target = draw_(draw.arrays(items, st.integers(0, classes - 1), dtype="i8"))
    rows = np.moveaxis(logits, 1, -1)
    if draw_(st.integers(0, 9)) == 9:  # as wrong as float16 can say, whose sums overflow
        np.put_along_axis(rows, target[..., None], -6e4, axis=-1)
    if impossible and draw_(st.booleans()):
        rows[(np.arange(classes) == (target[..., None] + 1) % classes) & (classes > 1)] = -np.inf
    if draw_(st.booleans()):
        rows[ignored] = draw_(st.sampled_from([np.nan, np.inf, -np.inf]))
    return logits, np.where(ignored, ignore_index, target), ignore_index


def _class_weights(logits: Array) -> SearchStrategy[Array | None]:
    """None, or a weight from 0 to 4 for each class; often 0, so that no target kept has any.

    None is subnormal in float32, which the half types are computed in: hardware may take it for 0, and
    one over their sum is infinite.
    """
    classes = (logits.shape[1],)
    weights = draw.numbers(0.0, 4.0, [0.0, 1.0], smallest=2.0**-126)
    return st.none() | draw.arrays(classes, weights, draw.hard)


@st.composite
def _cross_entropy(draw_: st.DrawFn) -> dict[str, object]:
    smoothing = draw_(st.sampled_from([0.0, 0.0, 0.1, 1.0]) | draw.unit_interval)
    logits, target, ignore_index = _rows(draw_, impossible=smoothing == 0)
    return {
        "logits": logits,
        "target": target,
        "weight": draw_(_class_weights(logits)),
        "label_smoothing": smoothing,
        "ignore_index": ignore_index,
    }


def cross_entropy_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits (N, C, *) with integer targets."""
    return draw.cases(_cross_entropy(), dtype)


_exponents = draw.numbers(0.0, 20.0, [0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 1e3, 1e6])


@st.composite
def _softmax_focal(draw_: st.DrawFn) -> dict[str, object]:
    logits, target, ignore_index = _rows(draw_, impossible=True)
    smoothing = st.sampled_from([0.0, 0.0, 0.125, 1e-9]) | draw.numbers(0.0, 0.4999)
    return {
        "logits": logits,
        "target": target,
        "gamma": draw_(_exponents),
        "alpha": draw_(_class_weights(logits)),
        "smoothing": draw_(smoothing),
        "ignore_index": ignore_index,
    }


def softmax_focal_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits (N, C, *) with integer targets."""
    return draw.cases(_softmax_focal(), dtype)


def _pairs(draw_: st.DrawFn) -> dict[str, Array]:
    """Logits from moderate to 6e4, hard and soft targets."""
    shape = draw_(draw.shapes(3, 3))
    return {
        "logits": draw_(draw.arrays(shape, *draw.logits)),
        "target": draw_(draw.arrays(shape, draw.hard, draw.unit_interval)),
    }


@st.composite
def _binary(draw_: st.DrawFn) -> dict[str, object]:
    pos_weight = st.sampled_from([1.0, 2.0, 0.5]) | draw.numbers(2.0**-6, 2.0**6)
    return {**_pairs(draw_), "pos_weight": draw_(pos_weight)}


def binary_floor(case: Case) -> float:
    """The weight of positives multiplies the loss, and so the smallest error worth speaking of."""
    return max(1.0, float(case["pos_weight"]))


def binary_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped logits and targets, and the positives' weight."""
    return draw.cases(_binary(), dtype)


@st.composite
def _probabilities(draw_: st.DrawFn) -> dict[str, object]:
    """Probabilities where the gradient is defined, and up to 0 and 1."""
    shape = draw_(draw.shapes(3, 3))
    inner = draw.numbers(1e-6, 1 - 1e-6, [0.5, 1e-6, 1 - 1e-6])
    edges = st.sampled_from([0.0, 1e-9, 1e-30, 1e-43, 1e-44, 1e-300, 1 - 1e-9, 1.0])
    return {
        "probs": draw_(draw.arrays(shape, inner, draw.unit_interval, edges)),
        "target": draw_(draw.arrays(shape, draw.hard, draw.unit_interval)),
    }


def log_loss_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped probabilities and targets."""
    return draw.cases(_probabilities(), dtype)


@st.composite
def _balanced(draw_: st.DrawFn) -> dict[str, object]:
    return {**_pairs(draw_), "beta": draw_(st.none() | draw.unit_interval)}


def balanced_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped logits and targets, β given or taken from the batch."""
    return draw.cases(_balanced(), dtype)


def balanced_coupled(case: Case) -> bool:
    """β of the batch is one for all its items."""
    return case["beta"] is None


@st.composite
def _sigmoid_focal(draw_: st.DrawFn) -> dict[str, object]:
    """Some pairs are surely right or wrong, where a large exponent shows the last digits of 1-p."""
    alpha = st.none() | draw.unit_interval | st.just(0.25)
    pairs = _pairs(draw_)
    if draw_(st.booleans()) and draw_(st.booleans()):
        pairs["logits"] = draw_(draw.arrays(pairs["target"].shape, draw.crowded))
    return {**pairs, "gamma": draw_(_exponents), "alpha": draw_(alpha)}


def sigmoid_focal_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of same-shaped logits and targets."""
    return draw.cases(_sigmoid_focal(), dtype)


def smooth(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate logits and exponents."""
    moderate = case.values.get("gamma", 0) <= 20
    return moderate and bool((np.abs(case["logits"]) <= 8).all())


def smooth_log_loss(case: Case) -> bool:
    """Between 0 and 1; told apart from rounding away from both."""
    return bool((np.abs(case["probs"] - 0.5) <= 0.4375).all())


def differentiable_log_loss(case: Case) -> Array:
    """Away from 0 and 1, where slopes grow without limit and the floor cuts them off."""
    probs: Array = case["probs"]
    return (probs >= 1e-6) & (probs <= 1 - 1e-6)


# Laws of several losses


def _coarse(trial: Trial) -> Case:
    """The case with logits on a grid that every dtype holds, so that a law can move them exactly."""
    logits = np.nan_to_num(trial.case["logits"], nan=0.0, posinf=0.0, neginf=0.0)
    return trial.case.changed(logits=np.clip(np.rint(4 * logits) / 4, -15, 15))


def _kept(trial: Trial) -> Array:
    return trial.case["target"] != trial.case["ignore_index"]


def _class_weight(case: Case) -> str:
    """What a softmax loss calls its class weights."""
    return "weight" if "weight" in case.values else "alpha"


def _unsmoothed(case: Case) -> Case:
    """Without label smoothing, which impossible classes don't allow."""
    return case.changed(label_smoothing=0.0) if "label_smoothing" in case.values else case


def _other_target(trial: Trial) -> Array:
    """1 - t, where the dtype holds it exactly."""
    other = 1 - trial.case["target"]
    assume(round_to(other, trial.dtype) == other)
    return np.asarray(other)


def _binary_cross_entropy(case: Case) -> Array:
    return oracle.binary_cross_entropy_items(case["logits"], case["target"])


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def convex(trial: Trial) -> None:
    """The value half way between two logits is at most the mean of the ends."""
    start = _coarse(trial)
    start = start.changed(logits=np.rint(start["logits"]))
    across_classes = 1 if "ignore_index" in start.values else None
    end = start.changed(logits=-np.roll(start["logits"], 1, axis=across_classes))
    middle = start.changed(logits=(start["logits"] + end["logits"]) / 2)
    at_most(trial.value(middle), 0.5 * trial.value(start) + 0.5 * trial.value(end))


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
    weight = _class_weight(case)
    renamed = case.changed(
        logits=case["logits"][:, column],
        target=np.where(_kept(trial) | named, new_name[case["target"] % classes], ignore_index),
        ignore_index=int(new_name[ignore_index]) if named else ignore_index,
        **{weight: None if case[weight] is None else case[weight][column]},
    )
    for reduction in ("none", "mean"):
        equal(trial.value(renamed, reduction=reduction), trial.value(reduction=reduction))


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
    """With all items ignored, or all class weights 0, sum and mean are 0 with no gradient."""
    case = trial.case
    if case.seed % 2:
        empty = case.changed(target=np.full_like(case["target"], case["ignore_index"]))
    else:
        no_weight = np.zeros(case["logits"].shape[1])
        empty = _unsmoothed(case).changed(**{_class_weight(case): no_weight})
    for reduction in ("sum", "mean"):
        got = trial.gradient("logits", empty, reduction=reduction)
        equal(got, Measured.exact(0.0))
        equal(trial.value(empty, reduction=reduction), Measured.exact(0.0))


def impossible_class(trial: Trial) -> None:
    """A logit of -inf away from the target is a class of probability 0: as if it weren't there."""
    assume(_kept(trial))
    start = _unsmoothed(_coarse(trial)).changed(ignore_index=-100)
    logits, name = start["logits"], _class_weight(start)
    more = np.concatenate([logits, np.full_like(logits[:, :1], -np.inf)], axis=1)
    weight = None if start[name] is None else np.append(start[name], 1.0)
    equal(trial.value(start.changed(logits=more, **{name: weight})), trial.value(start))


def _two_class_case(case: Case, **options: Any) -> tuple[Case, Array, Array]:
    """Logits (0, x) and a label for each row, with x and the label alone."""
    x = np.nan_to_num(case["logits"][:, 0], nan=0.0, posinf=0.0, neginf=0.0)
    target = (case["logits"][:, -1] > 0).astype(np.int64)
    logits = np.stack([np.zeros_like(x), x], axis=1)
    plain = {_class_weight(case): None, "ignore_index": -100, **options}
    return case.changed(logits=logits, target=target, **plain), x, target


def affine_in_target(trial: Trial) -> None:
    """Items at a soft target t are t times those at 1 plus 1-t times those at 0."""
    target = trial.case["target"]
    ends = [trial.value(trial.case.changed(target=np.full_like(target, end))) for end in (0.0, 1.0)]
    equal(trial.value(), (1 - target) * ends[0] + target * ends[1])


# Laws of cross entropy


def gradient_bounded(trial: Trial) -> None:
    """Without weights, gradient entries lie in [-1, 1]."""
    unweighted = trial.case.changed(weight=None)
    between(trial.gradient("logits", unweighted, reduction="sum"), -1.0, 1.0)


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
    two, x, target = _two_class_case(trial.case, label_smoothing=0.0)
    wanted = oracle.binary_cross_entropy_items(x, target)
    equal(trial.value(two), Measured.exact(wanted, "binary cross entropy"))


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


# Laws of binary cross entropy


def log_loss_of_the_sigmoid(trial: Trial) -> None:
    """Without a weight it is log_loss(σ(x)), where σ(x) can be told from 1 (x ≤ 10)."""
    x = np.clip(trial.case["logits"], -96, 10)
    wanted = oracle.log_loss_items(1 / (1 + np.exp(-x)), trial.case["target"])
    known = Measured.exact(wanted, "log_loss(sigmoid(x))")
    known = replace(known, budget=2.0**-53 * np.exp(x))  # 1 - σ(x) is as coarse as the numbers near 1
    equal(trial.value(trial.case.changed(logits=x, pos_weight=1.0)), known)


def two_class_softmax(trial: Trial) -> None:
    """With hard targets and no weight it is softmax cross entropy on (0, x)."""
    hard = trial.case.changed(target=np.rint(trial.case["target"]), pos_weight=1.0)
    x, label = hard["logits"].reshape(-1), hard["target"].reshape(-1).astype(np.int64)
    wanted = oracle.cross_entropy(np.stack([0 * x, x], axis=1), label, reduction="none")
    wanted = np.reshape(wanted, hard["target"].shape)
    equal(trial.value(hard), Measured.exact(wanted, "softmax cross entropy"))


def weighted_reflection(trial: Trial) -> None:
    """Items at (x, t, ω) are ω times those at (-x, 1-t, 1/ω)."""
    case, weight = trial.case, trial.case["pos_weight"]
    turned = case.changed(logits=-case["logits"], target=_other_target(trial), pos_weight=1 / weight)
    equal(trial.value(), weight * trial.value(turned))


def affine_in_pos_weight(trial: Trial) -> None:
    """Items at ω are 2-ω times those at 1 plus ω-1 times those at 2."""
    weight = trial.case["pos_weight"]
    one, two = (trial.value(trial.case.changed(pos_weight=w)) for w in (1.0, 2.0))
    equal(trial.value(), (2 - weight) * one + (weight - 1) * two)


BINARY_CROSS_ENTROPY_LAWS = (
    nonnegative,
    convex,
    affine_in_target,
    log_loss_of_the_sigmoid,
    two_class_softmax,
    weighted_reflection,
    affine_in_pos_weight,
    options_matter(pos_weight=(0.5, 3.0)),
)


# Laws of log loss


def floored(trial: Trial) -> None:
    """A certain mistake (p = 0 or 1) costs 100 times the part of the target that it misses."""
    certain = trial.case.changed(probs=np.rint(trial.case["probs"]))
    wanted = 100 * np.abs(certain["target"] - certain["probs"])
    equal(trial.value(certain, tight=True), Measured.exact(wanted))


def lowest_at_the_target(trial: Trial) -> None:
    """No probability costs less than the target itself."""
    honest = trial.case.changed(probs=trial.case["target"])
    at_least(trial.value(), trial.value(honest))


def reflection_of_probabilities(trial: Trial) -> None:
    """(p, t) and (1-p, 1-t) give the same."""
    other = 1 - trial.case["probs"]
    assume(round_to(other, trial.dtype) == other)
    turned = trial.case.changed(probs=other, target=_other_target(trial))
    equal(trial.value(turned), trial.value())


def binary_of_the_logit(trial: Trial) -> None:
    """It is binary cross entropy on log p - log(1-p)."""
    probs, target = trial.case["probs"], trial.case["target"]
    assume(differentiable_log_loss(trial.case))
    wanted = oracle.binary_cross_entropy_items(np.log(probs) - np.log1p(-probs), target)
    equal(trial.value(), Measured.exact(wanted, "BCE of the logit"))


LOG_LOSS_LAWS = (
    nonnegative,
    affine_in_target,
    floored,
    lowest_at_the_target,
    reflection_of_probabilities,
    binary_of_the_logit,
)


# Laws of balanced cross entropy


def half_of_binary(trial: Trial) -> None:
    """At β = ½ it is half of binary cross entropy."""
    wanted = Measured.exact(0.5 * _binary_cross_entropy(trial.case), "BCE / 2")
    equal(trial.value(trial.case.changed(beta=0.5)), wanted)


def beta_of_the_batch(trial: Trial) -> None:
    """beta = None is β = 1 - mean(t)."""
    share = float((1 - trial.case["target"]).mean())
    equal(trial.value(trial.case.changed(beta=None)), trial.value(trial.case.changed(beta=share)))


def classes_weigh_the_same(trial: Trial) -> None:
    """With β of the batch and logits of 0, positives and negatives add up to the same."""
    hard = np.rint(trial.case["target"])
    items = trial.value(trial.case.changed(logits=0 * hard, target=hard, beta=None))
    equal((hard * items).sum(), ((1 - hard) * items).sum())


def one_class_at_the_ends(trial: Trial) -> None:
    """At β = 1 negatives cost nothing, at β = 0 positives."""
    hard = np.rint(trial.case["target"])
    for beta, silent in ((1.0, 1 - hard), (0.0, hard)):
        items = trial.value(trial.case.changed(target=hard, beta=beta))
        equal(silent * items, Measured.exact(0.0))


def affine_in_beta(trial: Trial) -> None:
    """Items at β are β times those at 1 plus 1-β times those at 0."""
    beta = trial.case["beta"]
    assume(beta is not None)
    ends = [trial.value(trial.case.changed(beta=end)) for end in (0.0, 1.0)]
    equal(trial.value(), (1 - beta) * ends[0] + beta * ends[1])


def reflection_of_beta(trial: Trial) -> None:
    """(x, t, β) and (-x, 1-t, 1-β) give the same, also with β of the batch."""
    case = trial.case
    beta = None if case["beta"] is None else 1 - case["beta"]
    turned = case.changed(logits=-case["logits"], target=_other_target(trial), beta=beta)
    equal(trial.value(turned), trial.value())


BALANCED_CROSS_ENTROPY_LAWS = (
    nonnegative,
    convex,
    half_of_binary,
    beta_of_the_batch,
    classes_weigh_the_same,
    one_class_at_the_ends,
    affine_in_beta,
    reflection_of_beta,
    options_matter(beta=(0.25, 0.875)),
)


# Laws of the softmax focal loss


def _cross_entropy_of(case: Case) -> Measured:
    arrays = (case["logits"], case["target"])
    items = oracle.cross_entropy(*arrays, ignore_index=case["ignore_index"], reduction="none")
    return Measured.exact(items, "cross entropy")


def cross_entropy_at_gamma_zero(trial: Trial) -> None:
    """gamma = 0 without alpha and smoothing is cross entropy."""
    plain = trial.case.changed(gamma=0.0, alpha=None, smoothing=0.0)
    equal(trial.value(plain), _cross_entropy_of(plain))


def at_most_cross_entropy(trial: Trial) -> None:
    """Without smoothing, and with alpha ≤ 1, items are at most cross entropy."""
    alpha = trial.case["alpha"]
    light = trial.case.changed(alpha=None if alpha is None else alpha / 4, smoothing=0.0)
    at_most(trial.value(light), _cross_entropy_of(light))


def falls_with_gamma(trial: Trial) -> None:
    """Items fall as gamma grows."""
    more = trial.case.changed(gamma=trial.case["gamma"] + 0.5)
    at_most(trial.value(more), trial.value())


def class_weight_is_a_factor(trial: Trial) -> None:
    """An item with alpha is its class's alpha times the item without."""
    alpha = trial.case["alpha"]
    assume(alpha is not None)
    alpha_t = alpha[np.where(_kept(trial), trial.case["target"], 0)]
    equal(trial.value(), alpha_t * trial.value(trial.case.changed(alpha=None)))


def linear_in_alpha(trial: Trial) -> None:
    """Doubling alpha doubles items, sum and mean: the mean counts items, not weights."""
    alpha = trial.case["alpha"]
    assume(alpha is not None)
    doubled = trial.case.changed(alpha=2 * alpha)
    for reduction in ("none", "sum", "mean"):
        equal(trial.value(doubled, reduction=reduction), 2 * trial.value(reduction=reduction))


def smoothing_bounds(trial: Trial) -> None:
    """With smoothing s, items without alpha are at most -(1-s)^γ log s."""
    share, gamma = trial.case["smoothing"], trial.case["gamma"]
    assume(share > 0)
    bound = -np.exp(gamma * np.log1p(-share)) * np.log(share)
    at_most(trial.value(trial.case.changed(alpha=None)), Measured.exact(bound))


def sigmoid_focal_on_two_classes(trial: Trial) -> None:
    """Two-class softmax on (0, x) is the sigmoid focal loss on x."""
    two, x, target = _two_class_case(trial.case, smoothing=0.0)
    wanted = oracle.sigmoid_focal_items(x, target, gamma=trial.case["gamma"], alpha=None)
    equal(trial.value(two), Measured.exact(wanted, "sigmoid focal loss"))


SOFTMAX_FOCAL_LAWS = (
    nonnegative,
    gradient_rows_sum_to_zero,
    shift_invariant,
    relabelling,
    ignored_items_do_not_count,
    nothing_kept,
    impossible_class,
    cross_entropy_at_gamma_zero,
    at_most_cross_entropy,
    falls_with_gamma,
    class_weight_is_a_factor,
    linear_in_alpha,
    smoothing_bounds,
    sigmoid_focal_on_two_classes,
    options_matter(gamma=(0.5, 3.0), smoothing=(0.0, 0.25)),
)


# Laws of the sigmoid focal loss


def binary_at_gamma_zero(trial: Trial) -> None:
    """gamma = 0 without alpha is binary cross entropy; with alpha = ½, half of it."""
    for alpha, factor in ((None, 1.0), (0.5, 0.5)):
        plain = trial.case.changed(gamma=0.0, alpha=alpha)
        equal(
            trial.value(plain), Measured.exact(factor * _binary_cross_entropy(plain), f"{factor} * BCE")
        )


def at_most_binary(trial: Trial) -> None:
    """Items are at most binary cross entropy (alpha ≤ 1)."""
    at_most(trial.value(), Measured.exact(_binary_cross_entropy(trial.case), "BCE"))


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
    wanted = 2.0 ** -trial.case["gamma"] * _binary_cross_entropy(half)
    equal(trial.value(half), Measured.exact(wanted, "2^-gamma * BCE"))


def reflection(trial: Trial) -> None:
    """(x, t, α) and (-x, 1-t, 1-α) give the same."""
    case = trial.case
    alpha = None if case["alpha"] is None else 1 - case["alpha"]
    turned = case.changed(logits=-case["logits"], target=_other_target(trial), alpha=alpha)
    equal(trial.value(turned), trial.value())


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


_FOCAL_OPTIONS = {"gamma": 2.0, "alpha": None, "smoothing": 0.0, "ignore_index": -100}


def _focal_classifier(rng: np.random.Generator, rows: int, classes: int, side: int = 0) -> Case:
    """The same with the options of the softmax focal loss."""
    case = _classifier(rng, rows, classes, side)
    return Case({"logits": case["logits"], "target": case["target"], **_FOCAL_OPTIONS})


def _multilabel(rng: np.random.Generator, rows: int, classes: int, labels: float) -> Case:
    """Logits of a network that finds most labels, about so many to a picture."""
    target = (rng.uniform(size=(rows, classes)) < labels / classes).astype(float)
    logits = rng.normal(-4, 1.5, target.shape) + 5 * target
    return Case({"logits": logits, "target": target, "pos_weight": 1.0})


def _mask(rng: np.random.Generator, rows: int, height: int, width: int, share: float) -> Case:
    """Logits of a pixel classifier, and a mask of that share of the pixels."""
    target = (rng.uniform(size=(rows, 1, height, width)) < share).astype(float)
    logits = rng.normal(-2, 1.5, target.shape) + 4 * target
    return Case({"logits": logits, "target": target})


def _binary_mask(rng: np.random.Generator, rows: int, side: int) -> Case:
    """A square mask of a third of the pixels."""
    case = _mask(rng, rows, side, side, 0.3)
    return Case({**case.values, "pos_weight": 1.0})


def _edges(rng: np.random.Generator, rows: int, height: int, width: int) -> Case:
    """A map of edges, a tenth of the pixels, that balances itself."""
    return Case({**_mask(rng, rows, height, width, 0.1).values, "beta": None})


def _reconstruction(rng: np.random.Generator, rows: int, channels: int, side: int) -> Case:
    """Pictures in [0, 1], mostly black, and a decoder's probabilities of them."""
    shape = (rows, channels, side, side)
    target = np.clip(rng.normal(-0.5, 0.8, shape), 0, 1)
    logits = 6 * (target - 0.5) + rng.normal(0, 1, shape)
    return Case({"probs": 1 / (1 + np.exp(-logits)), "target": target})


def _detector(rng: np.random.Generator, rows: int, classes: int) -> Case:
    """Logits of a detection head that starts at a probability of 0.01, one positive in 1,000."""
    target = np.zeros((rows, classes))
    positive = rng.integers(0, max(1, rows), math.ceil(rows / 1000))
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
BINARY_CROSS_ENTROPY_WORKLOADS = (
    Workload(
        "MS-COCO labels",
        "128 images, 80 classes, 2.9 of them in an image",
        128,
        lambda r, n: _multilabel(r, n, 80, 2.9),
    ),
    Workload(
        "U-Net",
        "4 masks of 388 px, arXiv 1505.04597",
        4,
        lambda r, n: _binary_mask(r, n, 388),
    ),
    Workload(
        "Open Images labels",
        "256 images, 9,605 classes, arXiv 2111.12933",
        256,
        lambda r, n: _multilabel(r, n, 9605, 8.0),
    ),
    Workload(
        "Open Images labels, large batch",
        "4,096 images, 9,605 classes, arXiv 2111.12933",
        4096,
        lambda r, n: _multilabel(r, n, 9605, 8.0),
        gpu=True,
    ),
)
LOG_LOSS_WORKLOADS = (
    Workload(
        "VAE",
        "MNIST, 100 images of 28 px, arXiv 1312.6114",
        100,
        lambda r, n: _reconstruction(r, n, 1, 28),
    ),
    Workload(
        "PatchGAN",
        "a map of 30 px for each of 64 images, arXiv 1611.07004",
        64,
        lambda r, n: _reconstruction(r, n, 1, 30),
    ),
    Workload(
        "faces",
        "CelebA, 64 RGB reconstructions of 64 px",
        64,
        lambda r, n: _reconstruction(r, n, 3, 64),
    ),
    Workload(
        "faces, large batch",
        "CelebA, 2,048 RGB reconstructions of 64 px",
        2048,
        lambda r, n: _reconstruction(r, n, 3, 64),
        gpu=True,
    ),
)
BALANCED_CROSS_ENTROPY_WORKLOADS = (
    Workload("edge patches", "BSDS500, 16 patches of 64 px", 16, lambda r, n: _edges(r, n, 64, 64)),
    Workload(
        "HED, 1 image",
        "BSDS500, 321 x 481 px, arXiv 1504.06375",
        1,
        lambda r, n: _edges(r, n, 321, 481),
    ),
    Workload(
        "HED, 10 images",
        "BSDS500, 321 x 481 px, arXiv 1504.06375",
        10,
        lambda r, n: _edges(r, n, 321, 481),
    ),
    Workload(
        "HED, 128 images",
        "BSDS500, 321 x 481 px, arXiv 1504.06375",
        128,
        lambda r, n: _edges(r, n, 321, 481),
        gpu=True,
    ),
)
SOFTMAX_FOCAL_WORKLOADS = (
    Workload(
        "long-tailed CIFAR-100",
        "128 images, 100 classes, arXiv 1901.05555",
        128,
        lambda r, n: _focal_classifier(r, n, 100),
    ),
    Workload(
        "iNaturalist 2018",
        "256 images, 8,142 classes, arXiv 1901.05555",
        256,
        lambda r, n: _focal_classifier(r, n, 8142),
    ),
    Workload(
        "Cityscapes",
        "2 crops of 256 x 512 pixels, 19 classes",
        2,
        lambda r, n: _focal_classifier(r, n, 19, 256),
    ),
    Workload(
        "Cityscapes, large batch",
        "32 crops of 512 x 1,024 pixels, 19 classes",
        32,
        lambda r, n: _focal_classifier(r, n, 19, 512),
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


def _positive(x: Any, **options: Any) -> Case:
    return Case({"logits": np.array([x]), "target": np.array([1.0]), **options})


def _two_classes_focal(x: Any) -> Case:
    case = _two_classes(x)
    return Case({"logits": case["logits"], "target": case["target"], **_FOCAL_OPTIONS})


def _probability(x: Any) -> Case:
    return Case({"probs": np.array([x]), "target": np.array([1.0])})


CROSS_ENTROPY_CURVE = Curve(
    "logit of the target class, against one other at 0",
    -6,
    6,
    _two_classes,
    {f"label_smoothing = {ε}": {"label_smoothing": ε} for ε in (0.0, 0.1, 0.5)},
)
BINARY_CROSS_ENTROPY_CURVE = Curve(
    "logit of a positive",
    -6,
    6,
    lambda x: _positive(x, pos_weight=1.0),
    {f"pos_weight = {ω}": {"pos_weight": ω} for ω in (0.5, 1.0, 2.0)},
)
LOG_LOSS_CURVE = Curve("probability of a positive", 0.005, 0.995, _probability, {"": {}})
BALANCED_CROSS_ENTROPY_CURVE = Curve(
    "logit of a positive",
    -6,
    6,
    lambda x: _positive(x, beta=0.5),
    {f"beta = {β}": {"beta": β} for β in (0.1, 0.5, 0.9)},
)
SOFTMAX_FOCAL_CURVE = Curve(
    "logit of the target class, against one other at 0",
    -6,
    6,
    _two_classes_focal,
    {
        **{f"gamma = {γ}": {"gamma": γ} for γ in (0.0, 0.5, 2.0, 5.0)},
        "gamma = 2.0, smoothing = 0.1": {"gamma": 2.0, "smoothing": 0.1},
    },
)
SIGMOID_FOCAL_CURVE = Curve(
    "logit of a positive, alpha = None",
    -6,
    6,
    lambda x: _positive(x, gamma=2.0, alpha=None),
    {f"gamma = {γ}": {"gamma": γ} for γ in (0.0, 0.5, 2.0, 5.0)},
)


# Calls that must be refused

_ROWS_BAD_CALLS = (
    BadCall("logits", lambda c: {"logits": c["logits"].reshape(-1)}, "one axis"),
    BadCall("logits", lambda c: {"logits": c["logits"][:, :0]}, "no class"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(float)}, "floats"),
    BadCall("ignore_index", lambda c: {"ignore_index": 1.5}, "not an integer"),
)
CROSS_ENTROPY_BAD_CALLS = (
    *_ROWS_BAD_CALLS,
    BadCall("weight", lambda c: {"weight": np.ones(c["logits"].shape[1] + 1)}, "a class too many"),
    BadCall("label_smoothing", lambda c: {"label_smoothing": 1.5}, "above 1"),
    BadCall("label_smoothing", lambda c: {"label_smoothing": -0.1}, "below 0"),
)
_PAIR_BAD_CALLS = (
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"][:1]}, "one row"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
)
_LOGITS_BAD_CALLS = (
    *_PAIR_BAD_CALLS,
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
)
BINARY_CROSS_ENTROPY_BAD_CALLS = (
    *_LOGITS_BAD_CALLS,
    BadCall("pos_weight", lambda c: {"pos_weight": 0.0}, "not above 0"),
    BadCall("pos_weight", lambda c: {"pos_weight": float("inf")}, "infinite"),
    BadCall("pos_weight", lambda c: {"pos_weight": None}, "no number"),
)
LOG_LOSS_BAD_CALLS = (
    *_PAIR_BAD_CALLS,
    BadCall("probs", lambda c: {"probs": np.ones(c["probs"].shape, int)}, "integers"),
)
BALANCED_CROSS_ENTROPY_BAD_CALLS = (
    *_LOGITS_BAD_CALLS,
    BadCall("beta", lambda c: {"beta": -0.1}, "below 0"),
    BadCall("beta", lambda c: {"beta": 1.5}, "above 1"),
)
SOFTMAX_FOCAL_BAD_CALLS = (
    *_ROWS_BAD_CALLS,
    BadCall("gamma", lambda c: {"gamma": -1.0}, "below 0"),
    BadCall("alpha", lambda c: {"alpha": np.ones(c["logits"].shape[1] + 1)}, "a class too many"),
    BadCall("alpha", lambda c: {"alpha": np.ones((1, c["logits"].shape[1]))}, "one axis more"),
    BadCall("smoothing", lambda c: {"smoothing": -0.1}, "below 0"),
    BadCall("smoothing", lambda c: {"smoothing": 0.5}, "not below 0.5"),
)
SIGMOID_FOCAL_BAD_CALLS = (
    *_LOGITS_BAD_CALLS,
    BadCall("gamma", lambda c: {"gamma": -1.0}, "below 0"),
    BadCall("alpha", lambda c: {"alpha": 1.5}, "above 1"),
)
