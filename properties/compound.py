"""Domains, laws and workloads of the compound losses."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import boxes as box_oracle
from oracles import classification, overlap
from oracles.numeric import flatten
from properties import boxes as box_domain
from properties import draw, general
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.general import every_other, options_matter
from properties.thinned import every_fourth
from properties.trial import Broken, Measured, Trial, assume, at_least, at_most, between, equal

MASK_ARGUMENTS = (
    Argument("logits", "real", gradient=True, learned=True, flat_from=2),
    Argument("target", "probability", flat_from=2),
)


# Domain of the masks


@st.composite
def _masks(draw_: st.DrawFn, smallest: float) -> dict[str, object]:
    """Logits from moderate to 6e4 on hard and soft, empty and full masks; often right, or wrong; now
    and then many samples."""
    channels = draw_(st.sampled_from([1, 2, 3, 1, 2, 3, 1, 2, 3, 0]))
    shape = (draw_(st.integers(1, 3)), channels, *draw_(draw.spaces(2, 3)))
    if draw_(st.integers(0, 3)) == 3:
        shape = (17, 1)
    target = draw_(draw.arrays(shape, draw.hard, draw.unit_interval, st.sampled_from([0.0, 1.0])))
    logits = draw_(draw.arrays(shape, *draw.logits))
    if side := draw_(st.sampled_from([0, 0, 1, -1])):
        logits = np.where(target > 0.5, side, -side) * np.abs(logits)
    # as wrong as float16 can say; of many samples, so that their sum overflows
    if draw_(st.integers(0, 9)) >= (6 if len(target) == 17 else 9):
        logits = np.where(target > 0.5, -6e4, 6e4)
    smooth = draw_(draw.numbers(smallest, 10.0, [smallest, 1.0, 1e-5], smallest=2.0**-20))
    if smooth == 0:  # where all of a mask underflows, the truth jumps
        logits = np.clip(logits, -80, 80)
    return {"logits": logits, "target": target, "smooth": smooth}


def bce_dice_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits and masks (N, C, *)."""
    return draw.cases(_masks(0.0), dtype)


def bce_log_dice_cases(dtype: str) -> SearchStrategy[Case]:
    """The same, always smoothed."""
    return draw.cases(_masks(2.0**-20), dtype)


@st.composite
def _combo(draw_: st.DrawFn) -> dict[str, object]:
    """Masks with both shares from nothing to all."""
    masks = draw_(_masks(0.0))
    share = draw.numbers(0.0, 1.0, [0.5, 0.0, 1.0, 0.75], smallest=2.0**-20)
    options = {"alpha": draw_(share), "beta": draw_(share), "smooth": masks["smooth"]}
    return {"logits": masks["logits"], "target": masks["target"], **options}


def combo_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits and masks (N, C, *) with every option."""
    return draw.cases(_combo(), dtype)


def smooth_masks(case: Case) -> bool:
    """Wherever the denominator is not 0; told apart from rounding at moderate logits."""
    return bool(case["smooth"] >= 0.125 and (np.abs(case["logits"]) <= 8).all())


# Laws of the masks


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def _hard(trial: Trial) -> Case:
    return trial.case.changed(target=np.rint(trial.case["target"]))


def sure_and_right(trial: Trial) -> None:
    """Logits of ±1e4 on the right side of a hard mask give 0."""
    case = _hard(trial)
    logits = np.where(case["target"] == 1, 1e4, -1e4)
    equal(trial.value(case.changed(logits=round_to(logits, trial.dtype), smooth=1.0)), Measured.exact(0))


def nothing_to_see(trial: Trial) -> None:
    """Samples without voxels cost nothing."""
    arrays = {name: flatten(trial.case[name], 2)[..., :0] for name in ("logits", "target")}
    equal(trial.value(trial.case.changed(**arrays)), Measured.exact(0.0))


def no_channels(trial: Trial) -> None:
    """Samples without channels cost nothing."""
    arrays = {name: trial.case[name][:, :0] for name in ("logits", "target")}
    equal(trial.value(trial.case.changed(**arrays)), Measured.exact(0.0))


def finite_where_all_underflows(trial: Trial) -> None:
    """Where every probability underflows and nothing smooths the ratio, items stay in [0, 1], and the
    gradient is finite."""
    logits = np.full_like(trial.case["logits"], round_to(-1e4, trial.dtype))
    case = trial.case.changed(logits=logits, target=np.zeros_like(logits), smooth=0.0)
    between(trial.value(case), 0.0, 1.0)
    slope = trial.gradient("logits", case)
    if not np.isfinite(slope.value).all():
        finite = f"({slope.expression}).isfinite().all()"
        raise Broken("not finite", slope, Measured.exact(0.0), assertion=finite)


def voxel_permutation(trial: Trial) -> None:
    """Permuting the voxels changes nothing."""
    logits, target = (flatten(trial.case[name], 2) for name in ("logits", "target"))
    order = trial.case.random().permutation(logits.shape[-1])
    moved = trial.case.changed(logits=logits[..., order], target=target[..., order])
    equal(trial.value(moved), trial.value())


def channel_permutation(trial: Trial) -> None:
    """Permuting the channels changes nothing."""
    order = trial.case.random().permutation(trial.case["logits"].shape[1])
    moved = {name: trial.case[name][:, order] for name in ("logits", "target")}
    equal(trial.value(trial.case.changed(**moved)), trial.value())


def repetition(trial: Trial) -> None:
    """Repeating every voxel k times and multiplying the smoothing by k changes nothing."""
    count = 2 + trial.case.seed % 3
    arrays = {
        name: np.repeat(flatten(trial.case[name], 2), count, axis=-1) for name in ("logits", "target")
    }
    repeated = trial.case.changed(**arrays, smooth=count * trial.case["smooth"])
    equal(trial.value(repeated), trial.value())


def _grown(trial: Trial) -> tuple[Case, Case]:
    """A hard mask, and the same with the foreground's logits larger by 1, on a grid."""
    start = _hard(trial)
    logits = np.clip(np.rint(4 * start["logits"]) / 4, -15, 15)
    start = start.changed(logits=logits)
    return start, start.changed(logits=logits + start["target"])


def growth(trial: Trial) -> None:
    """Raising the logits of the foreground of a hard mask never raises the loss."""
    before, after = _grown(trial)
    at_most(trial.value(after), trial.value(before))


def gradient_points_at_the_mask(trial: Trial) -> None:
    """On a hard mask the gradient is at most 0 on the foreground and at least 0 elsewhere."""
    case = _hard(trial)
    side = np.where(case["target"] == 1, -1.0, 1.0)
    at_least(side * trial.gradient("logits", case, reduction="sum"), Measured.exact(0.0))


def channels_are_voxels(trial: Trial) -> None:
    """Laying the channels side by side as one changes nothing: the dice is the whole sample's."""
    count = len(trial.case["logits"])
    moved = {name: trial.case[name].reshape(count, 1, -1) for name in ("logits", "target")}
    equal(trial.value(trial.case.changed(**moved)), trial.value())


def mean_over_channels(trial: Trial) -> None:
    """An item is the mean of what its channels give alone."""
    case = trial.case
    channels = case["logits"].shape[1]
    alone = [
        trial.value(case.changed(logits=case["logits"][:, [c]], target=case["target"][:, [c]]))
        for c in range(channels)
    ]
    total = Measured.exact(np.zeros(len(case["logits"])), "nothing")
    for other in alone:
        total = total + other
    equal(channels * trial.value(), total)


def _mean(array: Array, axes: tuple[int, ...]) -> Array:
    """The mean along axes; 0 of nothing."""
    total: Array = array.sum(axis=axes)
    return total / max(math.prod(array.shape[axis] for axis in axes), 1)


def _precise(case: Case) -> tuple[Array, Array]:
    """Logits and target (N, C, S) in long double, so that no part is judged by its own rounding."""
    logits, target = (flatten(case[name], 2) for name in ("logits", "target"))
    return logits.astype(np.longdouble), target.astype(np.longdouble)


def _binary(case: Case) -> Array:
    """The catalogue's mean BCE of each sample."""
    items = classification.binary_cross_entropy_items(*_precise(case))
    return _mean(items, (1, 2))


def _one_dice(case: Case) -> Array:
    """The catalogue's dice of each whole sample."""
    x, g = (array.reshape(len(array), 1, -1) for array in _precise(case))
    return overlap.dice_items(x, g, smooth=case["smooth"], activation="sigmoid")[:, 0]


def sum_of_parts(trial: Trial) -> None:
    """It is the catalogue's BCE plus the mean over the channels of the catalogue's dice."""
    x, g = _precise(trial.case)
    dice = overlap.dice_items(x, g, smooth=trial.case["smooth"], activation="sigmoid")
    wanted = _binary(trial.case) + _mean(dice, (1,))
    equal(trial.value(), Measured.exact(wanted, "BCE + mean dice"))


def sum_of_binary_and_log_dice(trial: Trial) -> None:
    """It is the catalogue's BCE minus log(1 - the catalogue's dice), where that is not near 1."""
    dice = _one_dice(trial.case)
    clear = dice <= 0.875
    assume(clear.any())
    wanted = _binary(trial.case)[clear] - np.log1p(-dice[clear])
    equal(trial.value()[clear], Measured.exact(wanted, "BCE - log(1 - dice)"))


def at_least_binary_and_dice(trial: Trial) -> None:
    """It is at least BCE + dice, as -log(1-d) ≥ d."""
    bound = _binary(trial.case) + _one_dice(trial.case)
    at_least(trial.value(), Measured.exact(bound, "BCE + dice"))


BCE_DICE_LAWS = (
    nonnegative,
    sure_and_right,
    nothing_to_see,
    no_channels,
    finite_where_all_underflows,
    voxel_permutation,
    channel_permutation,
    repetition,
    growth,
    gradient_points_at_the_mask,
    mean_over_channels,
    sum_of_parts,
    options_matter(smooth=(1.0, 4.0)),
)
BCE_LOG_DICE_LAWS = (
    nonnegative,
    sure_and_right,
    nothing_to_see,
    no_channels,
    voxel_permutation,
    channel_permutation,
    repetition,
    growth,
    gradient_points_at_the_mask,
    channels_are_voxels,
    sum_of_binary_and_log_dice,
    at_least_binary_and_dice,
    options_matter(smooth=(1.0, 4.0)),
)


# Laws of combo


def cross_entropy_alone(trial: Trial) -> None:
    """alpha = 1 leaves the mean of the balanced BCE: b times that of the positives and 1-b times
    that of the negatives."""
    case = trial.case.changed(alpha=1.0)
    x, g = _precise(case)
    binary = classification.binary_cross_entropy_items
    ones, zeros = g * binary(x, np.ones_like(g)), (1 - g) * binary(x, np.zeros_like(g))
    beta = np.longdouble(case["beta"])
    wanted = _mean(beta * ones + (1 - beta) * zeros, (1, 2))
    equal(trial.value(case), Measured.exact(wanted, "balanced BCE"))


def dice_alone(trial: Trial) -> None:
    """alpha = 0 leaves the dice of the whole sample."""
    case = trial.case.changed(alpha=0.0)
    equal(trial.value(case), Measured.exact(_one_dice(case), "dice"))


def halves(trial: Trial) -> None:
    """combo(½, ½) = ¼ BCE + ½ dice."""
    case = trial.case.changed(alpha=0.5, beta=0.5)
    wanted = 0.25 * _binary(case) + 0.5 * _one_dice(case)
    equal(trial.value(case), Measured.exact(wanted, "¼ BCE + ½ dice"))


def _affine(trial: Trial, name: str) -> None:
    share = trial.case[name]
    ends = [trial.value(trial.case.changed(**{name: end})) for end in (0.0, 1.0)]
    equal(trial.value(), (1 - share) * ends[0] + share * ends[1])


def affine_in_alpha(trial: Trial) -> None:
    """Items at a are 1-a times those at 0 plus a times those at 1."""
    _affine(trial, "alpha")


def affine_in_beta(trial: Trial) -> None:
    """Items at b are 1-b times those at 0 plus b times those at 1."""
    _affine(trial, "beta")


def reflection(trial: Trial) -> None:
    """Without the dice, (x, g, b) and (-x, 1-g, 1-b) give the same."""
    case = trial.case.changed(alpha=1.0)
    other, beta = 1 - case["target"], 1 - case["beta"]
    assume(round_to(other, trial.dtype) == other)
    assume(1 - beta == case["beta"])
    mirrored = case.changed(logits=-case["logits"], target=other, beta=beta)
    equal(trial.value(mirrored), trial.value(case))


COMBO_LAWS = (
    nonnegative,
    sure_and_right,
    nothing_to_see,
    no_channels,
    finite_where_all_underflows,
    voxel_permutation,
    channel_permutation,
    repetition,
    growth,
    gradient_points_at_the_mask,
    channels_are_voxels,
    cross_entropy_alone,
    dice_alone,
    halves,
    affine_in_alpha,
    affine_in_beta,
    reflection,
    options_matter(alpha=(0.25, 0.75), beta=(0.25, 0.75), smooth=(1.0, 4.0)),
)


# exp_log: domain

EXP_LOG_ARGUMENTS = (
    Argument("logits", "row", gradient=True, learned=True, flat_from=2, row_axis=-2),
    Argument("target", "label", flat_from=1),
    Argument("class_weight", "weight", batched=False, optional=True),
)


@st.composite
def _classes(draw_: st.DrawFn) -> dict[str, object]:
    """Logits from moderate to 6e4, often right: so sure that -log p_t underflows; now and then many
    samples."""
    batch, classes = draw_(st.integers(1, 3)), draw_(st.sampled_from([2, 3, 4, 1]))
    spatial = draw_(draw.spaces(2, 3))
    if draw_(st.integers(0, 3)) == 3:
        batch, spatial = 17, ()
    target = draw_(draw.arrays((batch, *spatial), st.integers(0, classes - 1), dtype="i8"))
    logits = draw_(draw.arrays((batch, classes, *spatial), *draw.logits, draw.crowded))
    if draw_(st.booleans()):
        own = np.expand_dims(target, 1)
        sure = draw_(st.sampled_from([2.0, 30.0, 60.0, 1e4]))
        np.put_along_axis(logits, own, np.minimum(logits.max(axis=1, keepdims=True) + sure, 6e4), 1)
    power = draw.numbers(0.0625, 4.0, [0.3, 1.0, 0.5, 2.0])
    share = draw.numbers(0.0, 4.0, [1.0, 0.0, 0.8, 0.2], smallest=2.0**-20)
    weight = draw_(st.none() | draw.arrays((classes,), draw.numbers(0.0, 4.0, [0.0, 1.0])))
    return {
        "logits": logits,
        "target": target,
        "class_weight": weight,
        "weight_dice": draw_(share),
        "weight_cross": draw_(share),
        "gamma_dice": draw_(power),
        "gamma_cross": draw_(power),
    }


def exp_log_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of logits (N, C, *) with integer targets."""
    return draw.cases(_classes(), dtype)


def smooth_classes(case: Case) -> bool:
    """Everywhere; told apart from rounding at moderate logits."""
    return bool((np.abs(case["logits"]) <= 8).all())


# exp_log: laws


def _alone(case: Case, weight_dice: float, weight_cross: float, **options: object) -> Case:
    return case.changed(weight_dice=weight_dice, weight_cross=weight_cross, **options)


def _cross_entropy(case: Case) -> Array:
    """The catalogue's unweighted cross entropy (N, S)."""
    logits = flatten(case["logits"], 2).astype(np.longdouble)
    return classification.cross_entropy_items(logits, flatten(case["target"], 1))


def _voxel_weight(case: Case) -> Array:
    """The weight v_t of each voxel (N, S)."""
    label, weight = flatten(case["target"], 1), case["class_weight"]
    return np.ones(label.shape) if weight is None else weight[label]


def cross_entropy_alone_at_power_one(trial: Trial) -> None:
    """Without the dice, and with gamma_cross = 1, it is the mean of v_t times the catalogue's cross
    entropy."""
    every_other(trial)
    case = _alone(trial.case, 0.0, 1.0, gamma_cross=1.0)
    wanted = _mean(_voxel_weight(case) * _cross_entropy(case), (1,))
    equal(trial.value(case), Measured.exact(wanted, "mean of v_t CE"))


def power_of_cross_entropy_alone(trial: Trial) -> None:
    """Without the dice it is the mean of v_t CE^gamma_cross, wherever no CE is nearly 0."""
    every_other(trial)
    case = _alone(trial.case, 0.0, 1.0)
    items = _cross_entropy(case)
    clear = (items > 2.0**-10).all(axis=1)
    assume(clear.any())
    wanted = _mean(_voxel_weight(case) * items ** case["gamma_cross"], (1,))[clear]
    equal(trial.value(case)[clear], Measured.exact(wanted, "mean of v_t CE^gamma"))


def power_of_log_dice_alone(trial: Trial) -> None:
    """Without the cross entropy it is the mean over the classes of (-log(1 - dice))^gamma_dice, the
    catalogue's dice of softmax, wherever none is nearly 0 or 1."""
    every_other(trial)
    case = _alone(trial.case, 1.0, 0.0)
    label = flatten(case["target"], 1)
    logits = flatten(case["logits"], 2).astype(np.longdouble)
    hard = (label[:, None] == np.arange(logits.shape[1])[:, None]) * 1.0
    dice = overlap.dice_items(logits, hard, activation="softmax")
    clear = ((dice > 2.0**-10) & (dice <= 0.875)).all(axis=1)
    assume(clear.any())
    wanted = ((-np.log1p(-dice[clear])) ** case["gamma_dice"]).mean(axis=1)
    equal(trial.value(case)[clear], Measured.exact(wanted, "mean of (-log(1 - dice))^gamma"))


def no_voxels(trial: Trial) -> None:
    """Samples without voxels cost nothing."""
    every_other(trial)
    logits, target = flatten(trial.case["logits"], 2), flatten(trial.case["target"], 1)
    nothing = trial.case.changed(logits=logits[..., :0], target=target[..., :0])
    equal(trial.value(nothing), Measured.exact(0.0))


def linear_in_both_weights(trial: Trial) -> None:
    """Items are weight_dice times those of the dice alone plus weight_cross times those of the cross
    entropy alone."""
    every_other(trial)
    case = trial.case
    parts = trial.value(_alone(case, 1.0, 0.0)), trial.value(_alone(case, 0.0, 1.0))
    equal(trial.value(), case["weight_dice"] * parts[0] + case["weight_cross"] * parts[1])


def class_weights_add_up(trial: Trial) -> None:
    """Without the dice, items under two class weights added are the items under each, added."""
    every_other(trial)
    weight = trial.case["class_weight"]
    assume(weight is not None)
    one = np.zeros_like(weight)
    one[0] = weight[0]
    case = _alone(trial.case, 0.0, 1.0)
    parts = [trial.value(case.changed(class_weight=part)) for part in (one, weight - one)]
    equal(parts[0] + parts[1], trial.value(case))


def weights_of_one(trial: Trial) -> None:
    """Class weights of 1 are none."""
    every_fourth(trial)
    ones = np.ones(trial.case["logits"].shape[1])
    given, left_out = (trial.case.changed(class_weight=weight) for weight in (ones, None))
    equal(trial.value(given), trial.value(left_out))


def _coarse(trial: Trial) -> Case:
    """The case with logits on a grid that every dtype holds."""
    logits = np.clip(np.rint(4 * trial.case["logits"]) / 4, -15, 15)
    return trial.case.changed(logits=logits)


def shift_invariant(trial: Trial) -> None:
    """Adding a constant to the logits of a voxel changes nothing."""
    every_fourth(trial)
    start = _coarse(trial)
    shape = start["target"].shape
    shift = np.expand_dims(trial.case.random().integers(-16, 17, size=shape).astype(float), 1)
    equal(trial.value(start.changed(logits=start["logits"] + shift)), trial.value(start))


def gradient_rows_sum_to_zero(trial: Trial) -> None:
    """The gradient of a voxel sums to 0 over the classes."""
    equal(trial.gradient("logits").sum(axis=1), Measured.exact(0.0))


def relabelling(trial: Trial) -> None:
    """Renaming the classes (columns, targets and weights together) changes nothing."""
    every_other(trial)
    case = trial.case
    new_name = case.random().permutation(case["logits"].shape[1])
    column, weight = np.argsort(new_name), case["class_weight"]
    renamed = case.changed(
        logits=case["logits"][:, column],
        target=new_name[case["target"]],
        class_weight=None if weight is None else weight[column],
    )
    equal(trial.value(renamed), trial.value())


def labelled_voxel_permutation(trial: Trial) -> None:
    """Permuting the voxels changes nothing."""
    every_other(trial)
    logits, target = flatten(trial.case["logits"], 2), flatten(trial.case["target"], 1)
    order = trial.case.random().permutation(target.shape[-1])
    moved = trial.case.changed(logits=logits[..., order], target=target[..., order])
    equal(trial.value(moved), trial.value())


def growth_of_the_target(trial: Trial) -> None:
    """Raising the logit of the target never raises the loss."""
    every_other(trial)
    start = _coarse(trial)
    is_target = np.expand_dims(start["target"], 1) == _class_axis(start["logits"])
    at_most(trial.value(start.changed(logits=start["logits"] + is_target)), trial.value(start))


def _class_axis(logits: Array) -> Array:
    """The number of each class, along axis 1."""
    return np.arange(logits.shape[1]).reshape(1, -1, *(1 for _ in logits.shape[2:]))


def sure_and_right_class(trial: Trial) -> None:
    """Logits of ±5,000 on the right side give 0 with no gradient, though the power's slope is
    infinite at 0."""
    every_fourth(trial)
    case = trial.case
    is_target = np.expand_dims(case["target"], 1) == _class_axis(case["logits"])
    logits = round_to(np.where(is_target, 5e3, -5e3), trial.dtype)
    for name in ("gamma_dice", "gamma_cross"):
        case = case.changed(**{name: min(case[name], 0.5)})
    sure = case.changed(logits=logits)
    equal(trial.gradient("logits", sure), Measured.exact(0.0))
    equal(trial.value(sure), Measured.exact(0.0))


def single_class(trial: Trial) -> None:
    """With one class nothing can be wrong: 0 with no gradient."""
    every_fourth(trial)
    case = trial.case
    weight = case["class_weight"]
    one = case.changed(
        logits=case["logits"][:, :1],
        target=np.zeros_like(case["target"]),
        class_weight=None if weight is None else weight[:1],
    )
    equal(trial.gradient("logits", one), Measured.exact(0.0))
    equal(trial.value(one), Measured.exact(0.0))


EXP_LOG_LAWS = (
    nonnegative,
    no_voxels,
    cross_entropy_alone_at_power_one,
    power_of_cross_entropy_alone,
    power_of_log_dice_alone,
    linear_in_both_weights,
    class_weights_add_up,
    weights_of_one,
    shift_invariant,
    gradient_rows_sum_to_zero,
    relabelling,
    labelled_voxel_permutation,
    growth_of_the_target,
    sure_and_right_class,
    single_class,
    options_matter(
        weight_dice=(1.0, 2.0),
        weight_cross=(1.0, 2.0),
        gamma_dice=(0.5, 2.0),
        gamma_cross=(0.5, 2.0),
    ),
)


# Workloads of the masks


def _balls(
    rng: np.random.Generator, rows: int, channels: int, sides: tuple[int, ...]
) -> tuple[Array, Array]:
    """A ball in each channel, and logits of a network that finds most of it."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in sides], indexing="ij"))
    center = rng.uniform(-0.5, 0.5, (rows, channels, len(sides), *(1 for _ in sides)))
    target = ((grid - center) ** 2).sum(axis=2) < 0.15
    return rng.normal(0, 2, target.shape) + np.where(target, 3, -3), target * 1.0


def _mask_workloads(**options: object) -> tuple[Workload, ...]:
    """Workloads of a loss with these options."""

    def make(channels: int, *sides: int) -> Any:
        def case(rng: np.random.Generator, rows: int) -> Case:
            logits, target = _balls(rng, rows, channels, sides)
            return Case({"logits": logits, "target": target, **options})

        return case

    return (
        Workload("Carvana, 4 thumbnails", "4 binary masks of 96 px", 4, make(1, 96, 96)),
        Workload("Carvana, 8 images", "8 binary masks of 512 px", 8, make(1, 512, 512)),
        Workload(
            "BraTS, 1 volume",
            "3 nested tumour regions of 128³ voxels, arXiv 1811.02629",
            1,
            make(3, 128, 128, 128),
        ),
        Workload(
            "BraTS, 4 volumes",
            "3 nested tumour regions of 128³ voxels, arXiv 1811.02629",
            4,
            make(3, 128, 128, 128),
            gpu=True,
        ),
    )


BCE_DICE_WORKLOADS = _mask_workloads(smooth=1.0)
BCE_LOG_DICE_WORKLOADS = _mask_workloads(smooth=1.0)
COMBO_WORKLOADS = _mask_workloads(alpha=0.5, beta=0.5, smooth=1.0)


# Pictures of the masks


def _one_of_four_voxels(x: Any) -> dict[str, Any]:
    """Four voxels, two of them foreground; the logit of one of these varies."""
    logits = np.array([[[x, 2.0, -2.0, -4.0]]])
    return {"logits": logits, "target": np.array([[[1.0, 1.0, 0.0, 0.0]]]), "smooth": 1.0}


LOGIT = "logit of one of two foreground voxels"
BCE_DICE_CURVE = Curve(
    LOGIT,
    -6,
    6,
    lambda x: Case(_one_of_four_voxels(x)),
    {f"smooth = {s:g}": {"smooth": s} for s in (0.0, 1.0)},
)
BCE_LOG_DICE_CURVE = Curve(
    LOGIT,
    -6,
    6,
    lambda x: Case(_one_of_four_voxels(x)),
    {f"smooth = {s:g}": {"smooth": s} for s in (0.01, 1.0)},
)
COMBO_CURVE = Curve(
    LOGIT,
    -6,
    6,
    lambda x: Case({**_one_of_four_voxels(x), "alpha": 0.5, "beta": 0.5}),
    {f"alpha = {a}": {"alpha": a} for a in (0.0, 0.5, 1.0)},
)


# Calls that must be refused

BCE_DICE_BAD_CALLS = (
    BadCall("logits", lambda c: {"logits": c["logits"].reshape(-1)}, "one axis"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
    BadCall("smooth", lambda c: {"smooth": -1.0}, "below 0"),
)
BCE_LOG_DICE_BAD_CALLS = (
    *BCE_DICE_BAD_CALLS,
    BadCall("smooth", lambda c: {"smooth": 0.0}, "not above 0"),
)
COMBO_BAD_CALLS = (
    *BCE_DICE_BAD_CALLS,
    BadCall("alpha", lambda c: {"alpha": 1.5}, "above 1"),
    BadCall("beta", lambda c: {"beta": -0.5}, "below 0"),
)


# exp_log: workloads, picture, calls that must be refused

EXP_LOG_OPTIONS = {
    "class_weight": None,
    "weight_dice": 0.8,
    "weight_cross": 0.2,
    "gamma_dice": 0.3,
    "gamma_cross": 0.3,
}


def _labelled(classes: int, *sides: int) -> Any:
    """A workload's maker: balls of each class on a background, found by the network mostly."""

    def make(rng: np.random.Generator, rows: int) -> Case:
        scores, balls = _balls(rng, rows, classes - 1, sides)
        target = (balls * np.arange(1, classes).reshape(1, -1, *(1 for _ in sides))).max(axis=1)
        logits = np.concatenate([np.zeros_like(scores[:, :1]), scores], axis=1)
        return Case({"logits": logits, "target": target.astype(np.int64), **EXP_LOG_OPTIONS})

    return make


EXP_LOG_WORKLOADS = (
    Workload("ACDC, 4 crops", "the heart, 4 classes, crops of 48 px", 4, _labelled(4, 48, 48)),
    Workload("ACDC, 16 slices", "the heart, 4 classes, slices of 224 px", 16, _labelled(4, 224, 224)),
    Workload("BraTS, 1 patch", "4 classes, 96³ voxels, arXiv 1811.02629", 1, _labelled(4, 96, 96, 96)),
    Workload(
        "brain structures, 1 volume",
        "20 labels, 128³ voxels, arXiv 1809.00076",
        1,
        _labelled(20, 128, 128, 128),
        gpu=True,
    ),
)


def _one_of_four_labels(x: Any) -> Case:
    """Two classes, four voxels; the logit of one of two foreground voxels varies."""
    logits = np.array([[[0 * x, 0.0, 0.0, 0.0], [x, 2.0, -2.0, -4.0]]])
    return Case({"logits": logits, "target": np.array([[1, 1, 0, 0]]), **EXP_LOG_OPTIONS})


EXP_LOG_CURVE = Curve(
    "logit of one of two foreground voxels",
    -6,
    6,
    _one_of_four_labels,
    {f"both gamma = {γ}": {"gamma_dice": γ, "gamma_cross": γ} for γ in (0.3, 1.0, 2.0)},
)
EXP_LOG_BAD_CALLS = (
    BadCall("logits", lambda c: {"logits": c["logits"].reshape(-1)}, "one axis"),
    BadCall("logits", lambda c: {"logits": np.ones(c["logits"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(float)}, "floats"),
    BadCall(
        "class_weight", lambda c: {"class_weight": np.ones(c["logits"].shape[1] + 1)}, "a class too many"
    ),
    BadCall("weight_dice", lambda c: {"weight_dice": -1.0}, "below 0"),
    BadCall("weight_cross", lambda c: {"weight_cross": -1.0}, "below 0"),
    BadCall("gamma_dice", lambda c: {"gamma_dice": 0.0}, "not above 0"),
    BadCall("gamma_cross", lambda c: {"gamma_cross": -0.3}, "below 0"),
)


# yolo_detection: domain

YOLO_PARTS = (
    Argument("boxes", "box", gradient=True, learned=True, batched=False),
    Argument("target_boxes", "box", batched=False),
    Argument("objectness", "real", gradient=True, learned=True, batched=False, flat_from=0),
    Argument("cells", "label", batched=False),
    Argument("class_logits", "real", gradient=True, learned=True, batched=False),
    Argument("labels", "label", batched=False),
)
"""The arguments of one scale; those of scale 0 of a list are called ``boxes_0`` and so on."""
GAINS = ("gain_box", "gain_obj", "gain_cls")
YOLO_OPTIONS: dict[str, Any] = {
    "gain_box": 0.05,
    "gain_obj": 1.0,
    "gain_cls": 0.5,
    "positive": 1.0,
    "negative": 0.0,
    "iou_ratio": 1.0,
    "balance": (4.0, 1.0, 0.4),
}


def _suffixes(case: Case) -> tuple[str, ...]:
    """What the names of each scale end in: nothing where there is one tensor, not a list."""
    return _endings(tuple(case.values))


@cache
def _endings(names: tuple[str, ...]) -> tuple[str, ...]:
    found = [re.fullmatch(r"boxes(_\d)?", name) for name in names]
    return tuple(match[1] or "" for match in found if match) or ("",)


def yolo_arguments(case: Case) -> tuple[Argument, ...]:
    """The arguments of all scales."""
    return _of_scales(_suffixes(case))


@cache
def _of_scales(suffixes: tuple[str, ...]) -> tuple[Argument, ...]:
    return tuple(replace(a, name=a.name + suffix) for suffix in suffixes for a in YOLO_PARTS)


@st.composite
def _scale(draw_: st.DrawFn, classes: int, dtype: str) -> dict[str, Array]:
    """Some matched cells, or none, of a few; their boxes as the box losses meet them."""
    pair = draw_(box_domain.pair_cases(dtype))
    matched = len(pair["boxes1"]) if draw_(st.sampled_from([True, True, True, False])) else 0
    shapes = [(6,), (7,), (2, 3, 1, 2), (1, 3, 2, 2), (2, 2, 3)]
    shape = draw_(st.sampled_from(shapes if matched else [*shapes, (0,), (1,)]))
    cells = draw_(st.permutations(range(int(np.prod(shape)))))[:matched]
    label = st.integers(0, classes - 1)
    return {
        "boxes": pair["boxes1"][:matched],
        "target_boxes": pair["boxes2"][:matched],
        "objectness": draw_(draw.arrays(shape, *draw.logits)),
        "cells": np.array(cells, np.int64),
        "class_logits": draw_(draw.arrays((matched, classes), *draw.logits)),
        "labels": draw_(draw.arrays((matched,), label, dtype="i8")),
    }


@st.composite
def _detections(draw_: st.DrawFn, dtype: str) -> dict[str, object]:
    """Tensors, or lists of one to three scales, with every option."""
    classes = draw_(st.integers(1, 3))
    suffixes = draw_(st.sampled_from([[""], [""], ["_0"], ["_0", "_1"], ["_0", "_1", "_2"]]))
    values: dict[str, object] = {}
    for suffix in suffixes:
        scale = draw_(_scale(classes, dtype))
        values |= {name + suffix: array for name, array in scale.items()}
    gain = draw.numbers(0.0, 8.0, [1.0, 0.0, 0.5, 0.05, 7.5], smallest=2.0**-20)
    share = draw.numbers(0.0, 1.0, [1.0, 0.0, 0.5], smallest=2.0**-20)
    options = {
        **{name: draw_(gain) for name in GAINS},
        "positive": draw_(st.just(1.0) | share),
        "negative": draw_(st.just(0.0) | share),
        "iou_ratio": draw_(st.just(1.0) | share),
        "balance": draw_(st.just((4.0, 1.0, 0.4)) | st.tuples(gain, gain, gain)),
    }
    return {**values, **options}


def yolo_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of matched boxes, objectness and class logits, of one scale or a list of them."""
    return draw.cases(_detections(dtype), dtype)


# yolo_detection: laws


def _scales(case: Case) -> list[dict[str, Any]]:
    """The arrays of each scale, floats in long double, and the weight of its objectness."""
    suffixes = _suffixes(case)
    weights = case["balance"] if len(suffixes) > 1 else (1.0,)
    scales = []
    for suffix, weight in zip(suffixes, weights, strict=False):
        arrays = {a.name: case[a.name + suffix] for a in YOLO_PARTS}
        precise = {n: v if v.dtype.kind == "i" else v.astype(np.longdouble) for n, v in arrays.items()}
        scales.append({**precise, "weight": weight})
    return scales


def _average(items: Array) -> Any:
    return items.sum() / max(items.size, 1)


def _box_part(case: Case) -> Any:
    """The mean of the catalogue's ciou, summed over the scales."""
    return sum(_average(box_oracle.ciou_items(s["boxes"], s["target_boxes"])) for s in _scales(case))


def _objectness_part(case: Case) -> Any:
    """The mean of the catalogue's BCE against o, summed over the scales with their balance."""
    total, ratio = 0.0, np.longdouble(case["iou_ratio"])
    for scale in _scales(case):
        ciou = box_oracle.ciou_items(scale["boxes"], scale["target_boxes"])
        found = np.zeros(scale["objectness"].size, np.longdouble)
        found[scale["cells"]] = 1 - ratio + ratio * np.maximum(1 - ciou, 0)
        logits = scale["objectness"].reshape(-1)
        items = classification.binary_cross_entropy_items(logits, found)
        total = total + scale["weight"] * _average(items)
    return total


def _class_part(case: Case) -> Any:
    """The mean of the catalogue's BCE of the classes, summed over the scales."""
    total = 0.0
    for scale in _scales(case):
        logits = scale["class_logits"]
        is_label = np.arange(logits.shape[1]) == scale["labels"][:, None]
        wanted = np.where(is_label, np.longdouble(case["positive"]), case["negative"])
        total = total + _average(classification.binary_cross_entropy_items(logits, wanted))
    return total


def _only(case: Case, *names: str) -> Case:
    """The case with the other gains at 0."""
    return case.changed(**{name: case[name] * (name in names) for name in GAINS})


def boxes_alone(trial: Trial) -> None:
    """With the other gains at 0 it is gain_box times the mean of the catalogue's ciou of each scale,
    added."""
    every_fourth(trial)
    wanted = trial.case["gain_box"] * _box_part(trial.case)
    equal(trial.value(_only(trial.case, "gain_box")), Measured.exact(wanted, "gain_box mean ciou"))


def objectness_alone(trial: Trial) -> None:
    """With the other gains at 0 it is gain_obj times the balanced mean of the catalogue's BCE against
    o of each scale, added."""
    every_fourth(trial)
    wanted = trial.case["gain_obj"] * _objectness_part(trial.case)
    equal(trial.value(_only(trial.case, "gain_obj")), Measured.exact(wanted, "gain_obj mean BCE"))


def classes_alone(trial: Trial) -> None:
    """With the other gains at 0 it is gain_cls times the mean of the catalogue's BCE of the classes of
    each scale, added."""
    every_fourth(trial)
    wanted = trial.case["gain_cls"] * _class_part(trial.case)
    equal(trial.value(_only(trial.case, "gain_cls")), Measured.exact(wanted, "gain_cls mean BCE"))


def sum_of_its_parts(trial: Trial) -> None:
    """It is the sum of its parts, each alone."""
    every_fourth(trial)
    box, objectness, classes = (trial.value(_only(trial.case, name)) for name in GAINS)
    equal(trial.value(), box + objectness + classes)


def reductions_are_one(trial: Trial) -> None:
    """The loss is one number: sum, mean and none are the same."""
    for reduction in ("sum", "mean"):
        equal(trial.value(reduction=reduction), trial.value())


def order_of_matched_cells(trial: Trial) -> None:
    """Permuting the matched cells, with all that belongs to them, changes nothing."""
    every_fourth(trial)
    changed: dict[str, Array] = {}
    for suffix in _suffixes(trial.case):
        order = trial.case.random().permutation(len(trial.case["cells" + suffix]))
        names = [a.name + suffix for a in YOLO_PARTS if a.name != "objectness"]
        changed |= {name: trial.case[name][order] for name in names}
    equal(trial.value(trial.case.changed(**changed)), trial.value())


def shape_of_objectness(trial: Trial) -> None:
    """The shape of the objectness does not matter, only its order."""
    every_fourth(trial)
    names = ["objectness" + suffix for suffix in _suffixes(trial.case)]
    flat = {name: trial.case[name].reshape(-1, 1) for name in names}
    equal(trial.value(trial.case.changed(**flat)), trial.value())


def nothing_matched(trial: Trial) -> None:
    """With no matched cell what is left is the objectness, wanted to be 0 everywhere, and no gradient
    but its own is."""
    every_fourth(trial)
    names = [a.name for a in trial.arguments if not a.name.startswith("objectness")]
    nothing = trial.case.changed(**{name: trial.case[name][:0] for name in names})
    wanted = trial.case["gain_obj"] * _objectness_part(nothing)
    equal(trial.value(nothing), Measured.exact(wanted, "gain_obj mean BCE against 0"))


def wanted_objectness_is_constant(trial: Trial) -> None:
    """Through the objectness no gradient flows to the boxes."""
    every_fourth(trial)
    alone = _only(trial.case, "gain_obj")
    for name in (a.name for a in trial.arguments if a.gradient and a.kind == "box"):
        equal(trial.gradient(name, alone), Measured.exact(0.0))


def _single(case: Case, suffix: str, **options: object) -> Case:
    """One scale as tensors."""
    arrays = {a.name: case[a.name + suffix] for a in YOLO_PARTS}
    return Case({**arrays, **{name: case[name] for name in YOLO_OPTIONS}, **options}, case.seed)


def scales_add_up(trial: Trial) -> None:
    """Lists give what their scales give alone, the objectness times its balance, added; a list of one
    scale is that scale."""
    every_fourth(trial)
    case, suffixes = trial.case, _suffixes(trial.case)
    assume(suffixes != ("",))
    weights = case["balance"] if len(suffixes) > 1 else (1.0,)
    alone = [
        trial.value(_single(case, suffix, gain_obj=case["gain_obj"] * weight))
        for suffix, weight in zip(suffixes, weights, strict=False)
    ]
    total = alone[0]
    for other in alone[1:]:
        total = total + other
    equal(trial.value(), total)


def _affine_in(name: str) -> Callable[[Trial], None]:
    def law(trial: Trial) -> None:
        every_fourth(trial)
        _affine(trial, name)

    law.__name__ = law.__qualname__ = f"affine_in_{name}"
    law.__doc__ = f"The loss at a {name} is its share between the losses at 0 and at 1."
    return law


def rows_must_agree(trial: Trial) -> None:
    """Other numbers of boxes, cells, class logits or labels are refused."""
    every_fourth(trial)
    suffix = _suffixes(trial.case)[0]
    for argument in YOLO_PARTS:
        if argument.name != "objectness":
            name = argument.name + suffix
            array = trial.case[name]
            more = np.concatenate([array, np.zeros((1, *array.shape[1:]), array.dtype)])
            if not trial.refuses(trial.case.changed(**{name: more})):
                reason = f"{name} with a row too many is accepted"
                nothing = Measured.exact(np.nan)
                raise Broken(reason, nothing, nothing, assertion="not 'an exception'")


YOLO_LAWS = (
    nonnegative,
    boxes_alone,
    objectness_alone,
    classes_alone,
    sum_of_its_parts,
    reductions_are_one,
    order_of_matched_cells,
    shape_of_objectness,
    nothing_matched,
    wanted_objectness_is_constant,
    scales_add_up,
    _affine_in("positive"),
    _affine_in("negative"),
    _affine_in("iou_ratio"),
    rows_must_agree,
    options_matter(
        gain_box=(0.5, 1.0),
        gain_obj=(0.5, 1.0),
        gain_cls=(0.5, 1.0),
        positive=(1.0, 0.75),
        negative=(0.0, 0.25),
        iou_ratio=(1.0, 0.5),
        balance=((4.0, 1.0, 0.4), (1.0, 2.0, 3.0)),
    ),
)
YOLO_GENERAL_LAWS = tuple(
    law
    for law in general.LAWS
    # They speak of a batch that items belong to; this loss is one number for all cells.
    if law not in (general.permutation, general.concatenation, general.empty_batch, general.no_broadcast)
)


# yolo_detection: workloads, picture, calls that must be refused


MATCHED = 48
"""Cells of an image and a scale that hold an object: about 7 objects with 7 cells each."""


def _head(
    rng: np.random.Generator, images: int, side: int, stride: int, matched: int, classes: int
) -> dict[str, Array]:
    """One scale of a detector's head: 3 anchors at side x side places of each image, of which some are
    matched with a box that is off by about a tenth of a side."""
    rows = matched * images
    center, size = rng.uniform(0, side * stride, (rows, 2)), stride * rng.lognormal(1, 0.5, (rows, 2))
    target = np.concatenate([center - size / 2, center + size / 2], axis=1)
    moved = target + rng.normal(0, 0.1, (rows, 4)) * np.tile(size, 2)
    cells = rng.choice(images * 3 * side * side, rows, replace=False)
    objectness = rng.normal(-4.6, 1.0, images * 3 * side * side)
    objectness[cells] += 5
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(-4, 1.0, (rows, classes))
    logits[np.arange(rows), labels] += 5
    return {
        "boxes": np.concatenate([moved[:, :2], np.maximum(moved[:, :2], moved[:, 2:])], axis=1),
        "target_boxes": target,
        "objectness": objectness.reshape(images, 3, side, side),
        "cells": cells,
        "class_logits": logits,
        "labels": labels,
    }


def _coarsest(rng: np.random.Generator, images: int) -> Case:
    return Case({**_head(rng, images, 20, 32, MATCHED, 80), **YOLO_OPTIONS})


def _three_scales(rng: np.random.Generator, images: int) -> Case:
    values: dict[str, Any] = {}
    for scale, (side, stride) in enumerate(((80, 8), (40, 16), (20, 32))):
        head = _head(rng, images, side, stride, MATCHED, 80)
        values |= {f"{name}_{scale}": array for name, array in head.items()}
    return Case({**values, **YOLO_OPTIONS})


YOLO_WORKLOADS = (
    Workload(
        "YOLOv5, stride 32, 4 images",
        "1,200 cells an image of 640 px, about 7 objects with 7 cells each, COCO's 80 classes",
        4,
        _coarsest,
        entries=MATCHED,
    ),
    Workload(
        "YOLOv5, 1 image",
        "25,200 cells of 3 scales at 640 px, 144 matched, COCO's 80 classes",
        1,
        _three_scales,
        entries=MATCHED,
    ),
    Workload(
        "YOLOv5, 16 images",
        "25,200 cells of 3 scales an image of 640 px, 144 matched, COCO's 80 classes",
        16,
        _three_scales,
        entries=MATCHED,
    ),
    Workload(
        "YOLOv5, 64 images",
        "25,200 cells of 3 scales an image of 640 px, 144 matched, COCO's 80 classes",
        64,
        _three_scales,
        entries=MATCHED,
        gpu=True,
    ),
)


def _matched_cell(x: Any) -> Case:
    """One matched cell of four, its unit box off by half a side; its objectness varies."""
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    arrays = {
        "boxes": box + 0.5 * np.array([1.0, 0.0, 1.0, 0.0]),
        "target_boxes": box,
        "objectness": np.array([x, -4.0, -4.0, -4.0]),
        "cells": np.array([0]),
        "class_logits": np.array([[4.0, -4.0]]),
        "labels": np.array([0]),
    }
    return Case({**arrays, **YOLO_OPTIONS})


YOLO_CURVE = Curve(
    "objectness logit of the one matched cell of four",
    -6,
    6,
    _matched_cell,
    {f"iou_ratio = {r}": {"iou_ratio": r} for r in (0.0, 0.5, 1.0)},
)


def _bad(name: str, change: Callable[[Array], Array], why: str) -> BadCall:
    """A call with an argument of its first scale changed."""

    def changed(case: Case) -> dict[str, Array]:
        key = name + _suffixes(case)[0]
        return {key: change(case[key])}

    return BadCall(name, changed, why)


YOLO_BAD_CALLS = (
    _bad("boxes", lambda a: a[:, :3], "three columns"),
    _bad("boxes", lambda a: a.astype(np.int64), "integers"),
    _bad("target_boxes", lambda a: a[:1], "other rows"),
    _bad("objectness", lambda a: a.astype(np.int64), "integers"),
    _bad("cells", lambda a: a[:, None], "two axes"),
    _bad("cells", lambda a: a.astype(float), "floats"),
    _bad("class_logits", lambda a: a[:1], "other rows"),
    _bad("class_logits", lambda a: a[:, 0], "one axis"),
    _bad("labels", lambda a: a[:1], "other rows"),
    _bad("labels", lambda a: a.astype(float), "floats"),
    BadCall("gain_box", lambda c: {"gain_box": -1.0}, "below 0"),
    BadCall("gain_obj", lambda c: {"gain_obj": -1.0}, "below 0"),
    BadCall("gain_cls", lambda c: {"gain_cls": "1"}, "a string"),
    BadCall("positive", lambda c: {"positive": 1.5}, "above 1"),
    BadCall("negative", lambda c: {"negative": -0.5}, "below 0"),
    BadCall("iou_ratio", lambda c: {"iou_ratio": 1.5}, "above 1"),
    BadCall("balance", lambda c: {"balance": 4.0}, "one number"),
    BadCall("balance", lambda c: {"balance": (1.0, -1.0, 1.0)}, "below 0"),
)
