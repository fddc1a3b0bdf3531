"""Domains, laws and workloads of the overlap losses."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import overlap as oracle
from oracles.numeric import flatten
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload
from properties.general import options_matter
from properties.trial import Measured, Trial, assume, at_least, at_most, between, equal

ARGUMENTS = (
    Argument("probs", "probability", gradient=True, learned=True, flat_from=2),
    Argument("target", "probability", flat_from=2),
)
LOGIT_ARGUMENTS = (
    Argument("probs", "row", gradient=True, learned=True, flat_from=2, row_axis=-2),
    Argument("target", "probability", flat_from=2),
)


SCALE_FREE_ARGUMENTS = (replace(ARGUMENTS[0], scale_free=True), ARGUMENTS[1])
HARDLY = 2.0**-4
"""Up to here smoothing and what is missed hardly count.

Of one voxel with beta 0 the slope is a difference of two numbers of the size of 1/p, a(1-g) s / (p+s)²:
any form that adds up its sums first is off by their roundings, up to 160 budgets of 1 where s is 1e-6.
Above this much of either it is off by 4 at most.
"""


def arguments(case: Case) -> tuple[Argument, ...]:
    """The first argument holds logits where an activation is given. Where neither what is missed nor
    smoothing counts for much, hardly more than the direction of the probabilities does."""
    if case["activation"] != "none":
        return LOGIT_ARGUMENTS
    counts = [case.values.get(name, 1) for name in ("smooth", "beta")]
    only_direction = all(isinstance(number, int | float) and number <= HARDLY for number in counts)
    return SCALE_FREE_ARGUMENTS if only_direction else ARGUMENTS


# Domain

TINY = 2.0**-100
"""Products of a probability and a weight above it are no subnormals, in float32 too."""
TINY_FACTOR = 2.0**-50
"""The same of products of two numbers of the masks, where these are all that a loss divides by."""
soft = draw.numbers(0.0, 1.0, [0.0, 1.0, 0.5], smallest=TINY)
faint = draw.numbers(2.0**-8, 2.0**-5)
weights = draw.numbers(0.0, 4.0, [0.5, 0.3, 0.7, 1.0, 0.0], smallest=2.0**-20)


@st.composite
def _masks(draw_: st.DrawFn, /, **own: SearchStrategy[Any]) -> dict[str, object]:
    """Soft and hard masks, empty and full ones, perfect ones, traces of nothing hardly smoothed; logits
    where an activation is on, at times sure and right of all voxels; now and then many samples."""
    batch, channels = draw_(st.integers(1, 3)), draw_(st.integers(1, 3))
    shape = (batch, channels, *draw_(draw.spaces(2, 3)))
    if draw_(st.integers(0, 3)) == 3:
        channels, shape = 1, (17, 1)
    activation = draw_(st.sampled_from(["none", "none", "sigmoid", "softmax"]))
    constant = st.sampled_from([0.0, 1.0])
    target = draw_(draw.arrays(shape, draw.hard, soft, constant))
    if activation == "none":
        probs = draw_(draw.arrays(shape, soft, draw.hard))
        perfect = draw_(st.booleans()) and draw_(st.booleans())
        probs = target.copy() if perfect else probs
    elif draw_(st.sampled_from([False, False, True])):
        target = np.rint(target) if activation == "sigmoid" else _labels(target)
        probs = draw_(draw.numbers(8.0, 40.0)) * (target - 0.5)
    else:
        probs = draw_(draw.arrays(shape, *draw.logits))
    smooth = draw_(draw.numbers(0.0, 10.0, [0.0, 1.0, 1e-5], smallest=2.0**-20))
    if activation == "none" and draw_(st.sampled_from([False, False, False, True])):
        probs, target, smooth = draw_(draw.arrays(shape, faint)), np.zeros(shape), 2.0**-20
    options: dict[str, Any] = {name: draw_(option) for name, option in own.items()}
    if activation != "none":
        most = _largest_logit(smooth, activation, options)
        probs = np.clip(probs, -most, most)
    if smooth == 0 and _only_products(options):
        target = np.where(target < TINY_FACTOR, 0.0, target)
        probs = np.where(probs < TINY_FACTOR, 0.0, probs) if activation == "none" else probs
    return {
        "probs": probs,
        "target": target,
        "smooth": smooth,
        **options,
        "batch": draw_(st.booleans()),
        "include_background": channels == 1 or draw_(st.booleans()),
        "activation": activation,
    }


def _labels(target: Array) -> Array:
    """Hard masks with one channel for each voxel."""
    channels = np.arange(target.shape[1]).reshape(-1, *(1 for _ in target.shape[2:]))
    return (channels == target.argmax(axis=1, keepdims=True)).astype(float)


def _largest_logit(smooth: float, activation: str, options: Mapping[str, Any]) -> float:
    """Where a probability that float32 rounds to 0 would change the loss, logits stop short of it.

    That is: where nothing else is in the denominator, and where a root magnifies what is lost.
    Products underflow earlier, those of two numbers of the masks at half of the logit, and softmax looks
    at differences.
    """
    root = options.get("gamma", 1) < 1
    if smooth > 0 and not root:
        return np.inf
    largest = 40.0 if root or _only_products(options) else 64.0 if "alpha" in options else 80.0
    return largest / 2 if activation == "softmax" else largest


def _only_products(options: Mapping[str, Any]) -> bool:
    """Whether the denominator, unless it is smoothed, adds up products of two numbers of the masks:
    squares, or what both masks share where errors have no weight."""
    return options.get("squared", False) or max(options.get("alpha", 1), options.get("beta", 1)) == 0


def dice_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option; log_cosh_dice's too."""
    return draw.cases(_masks(squared=st.booleans()), dtype)


def jaccard_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option."""
    return draw.cases(_masks(), dtype)


def tversky_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option, errors without weight included."""
    return draw.cases(_masks(alpha=weights, beta=weights), dtype)


def focal_tversky_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option."""
    gamma = draw.numbers(0.0625, 4.0, [0.75, 1.0, 2.0, 0.5])
    return draw.cases(_masks(gamma=gamma, alpha=weights, beta=weights), dtype)


def differentiable_focal_tversky(case: Case) -> bool:
    """Where no mask is perfect under a root, whose slope is infinite."""
    return bool(case["gamma"] >= 1 or (_tversky(case) > 0).all())


def sensitivity_specificity_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option."""
    return draw.cases(_masks(weight=draw.numbers(0.0, 1.0, [0.05, 0.0, 1.0, 0.5])), dtype)


def coupled(case: Case) -> bool:
    """Whether the items of a case share samples."""
    return bool(case["batch"])


def smooth(case: Case) -> bool:
    """Wherever the denominator is not 0; told apart from rounding at moderate logits."""
    return bool(case["smooth"] >= 0.125 and (np.abs(case["probs"]) <= 8).all())


def smooth_power(case: Case) -> bool:
    """Also away from a power of 0."""
    return smooth(case) and bool((_tversky(case) >= 0.05).all())


# What laws are made of


def _probabilities(trial: Trial) -> Case:
    """The case with probabilities in place of logits, and no activation."""
    case = trial.case
    if case["activation"] == "none":
        return case
    return case.changed(probs=(case["probs"] > 0).astype(float), activation="none")


def _hard(trial: Trial) -> Case:
    """The case with both masks hard, and no activation."""
    case = _probabilities(trial)
    return case.changed(probs=np.rint(case["probs"]), target=np.rint(case["target"]))


def _plain(case: Case) -> Case:
    """The case without squares, where it has that option."""
    return case.changed(squared=False) if "squared" in case.values else case


def _flat(case: Case) -> tuple[Array, Array]:
    return flatten(case["probs"], 2), flatten(case["target"], 2)


def _asked(kernel: Callable[..., Array], case: Case, *own: str) -> Array:
    """What another loss's oracle says of the case: its shared options, and those named."""
    return kernel(*_flat(case), **_shared(case), **{name: case[name] for name in own})


def _shared(case: Case) -> dict[str, Any]:
    return {name: case[name] for name in ("smooth", "batch", "include_background", "activation")}


def _tversky(case: Case) -> Array:
    return _asked(oracle.tversky_items, case, "alpha", "beta")


# Laws of all


def bounded(trial: Trial) -> None:
    """Items lie in [0, 1]."""
    between(trial.value(), 0.0, 1.0)


def zero_at_perfect_mask(trial: Trial) -> None:
    """0 at a perfect hard mask."""
    case = _hard(trial)
    equal(trial.value(case.changed(probs=case["target"]), tight=True), Measured.exact(0.0))


def empty_masks_agree(trial: Trial) -> None:
    """Two empty masks give 0, without smoothing too."""
    case = _probabilities(trial)
    nothing = np.zeros_like(case["target"])
    for smooth in (0.0, case["smooth"]):
        empty = case.changed(probs=nothing, target=nothing, smooth=smooth)
        equal(trial.value(empty, tight=True), Measured.exact(0.0))


def voxel_permutation(trial: Trial) -> None:
    """Permuting the voxels changes nothing."""
    probs, target = _flat(trial.case)
    order = trial.case.random().permutation(probs.shape[-1])
    moved = trial.case.changed(probs=probs[..., order], target=target[..., order])
    equal(trial.value(moved), trial.value())


def channel_permutation(trial: Trial) -> None:
    """Permuting the channels, background kept, permutes the items."""
    case = trial.case.changed(include_background=True)
    order = case.random().permutation(case["probs"].shape[1])
    moved = case.changed(probs=case["probs"][:, order], target=case["target"][:, order])
    equal(trial.value(moved), trial.value(case)[..., order])


def background_is_channel_zero(trial: Trial) -> None:
    """include_background=False gives the items without those of channel 0."""
    case = trial.case.changed(include_background=True)
    assume(case["probs"].shape[1] > 1)
    without = trial.value(case.changed(include_background=False))
    equal(without, trial.value(case)[..., 1:])


def repetition(trial: Trial) -> None:
    """Repeating every voxel k times and multiplying the smoothing by k changes nothing."""
    probs, target = _flat(trial.case)
    count = 2 + trial.case.seed % 3
    repeated = trial.case.changed(
        probs=np.repeat(probs, count, axis=-1),
        target=np.repeat(target, count, axis=-1),
        smooth=count * trial.case["smooth"],
    )
    equal(trial.value(repeated), trial.value())


def growth(trial: Trial) -> None:
    """Raising p on a foreground voxel of a hard mask never raises the loss."""
    case = _plain(_probabilities(trial))
    case = case.changed(target=np.rint(case["target"]))
    foreground = case["target"] == 1
    assume(foreground.any())
    grown = np.where(foreground, np.minimum(1, _eighths(case["probs"]) + 0.125), 0.25)
    start = np.where(foreground, _eighths(case["probs"]), 0.25)
    at_most(trial.value(case.changed(probs=grown)), trial.value(case.changed(probs=start)))


def _eighths(probs: Array) -> Array:
    """Numbers that any dtype holds, and whose complements it holds."""
    return np.rint(probs * 8) / 8


def batch_of_one(trial: Trial) -> None:
    """batch=True with one sample is batch=False."""
    case = trial.case.changed(probs=trial.case["probs"][:1], target=trial.case["target"][:1])
    coupled, apart = (trial.value(case.changed(batch=flag)) for flag in (True, False))
    equal(coupled, apart[0])


def batch_adds_up(trial: Trial) -> None:
    """batch=True is batch=False on the samples laid side by side."""
    case = trial.case.changed(batch=True)
    probs, target = (np.concatenate(array, axis=-1)[None] for array in _flat(case))
    side_by_side = case.changed(probs=probs, target=target, batch=False)
    equal(trial.value(case), trial.value(side_by_side)[0])


SHARED_LAWS = (
    zero_at_perfect_mask,
    empty_masks_agree,
    voxel_permutation,
    channel_permutation,
    background_is_channel_zero,
    repetition,
    growth,
    batch_of_one,
    batch_adds_up,
)
COMMON_OPTIONS = {"smooth": (1.0, 4.0), "activation": ("sigmoid", "none")}


# Laws of dice and jaccard


def symmetric(trial: Trial) -> None:
    """The value is symmetric in its two arguments."""
    case = _probabilities(trial)
    swapped = case.changed(probs=case["target"], target=case["probs"])
    equal(trial.value(swapped), trial.value(case))


def at_most_jaccard(trial: Trial) -> None:
    """jaccard ≥ dice."""
    case = _plain(_probabilities(trial))
    at_most(trial.value(case), Measured.exact(_asked(oracle.jaccard_items, case), "jaccard"))


def coefficient_of_jaccard(trial: Trial) -> None:
    """Without smoothing, the coefficients obey J = D / (2 - D)."""
    case = _plain(_probabilities(trial)).changed(smooth=0.0)
    coefficient = 1 - _asked(oracle.jaccard_items, case)
    wanted = 1 - 2 * coefficient / (1 + coefficient)
    equal(trial.value(case), Measured.exact(wanted, "1 - 2J / (1+J)"))


def tversky_at_half(trial: Trial) -> None:
    """tversky(½, ½, s) = dice(2s)."""
    case = _plain(trial.case)
    wanted = _asked(oracle.tversky_items, case)
    doubled = case.changed(smooth=2 * case["smooth"])
    equal(trial.value(doubled), Measured.exact(wanted, "tversky(½, ½, s)"))


def squares_of_hard_masks(trial: Trial) -> None:
    """Squared and plain agree on hard masks."""
    case = _hard(trial)
    squared, plain = (trial.value(case.changed(squared=flag)) for flag in (True, False))
    equal(squared, plain)


DICE_LAWS = (
    bounded,
    *SHARED_LAWS,
    symmetric,
    at_most_jaccard,
    coefficient_of_jaccard,
    tversky_at_half,
    squares_of_hard_masks,
    options_matter(**COMMON_OPTIONS, squared=(True, False)),
)


def at_least_dice(trial: Trial) -> None:
    """jaccard ≥ dice."""
    at_least(trial.value(), Measured.exact(_asked(oracle.dice_items, trial.case), "dice"))


def coefficient_of_dice(trial: Trial) -> None:
    """Without smoothing, the coefficients obey J = D / (2 - D)."""
    case = _probabilities(trial).changed(smooth=0.0)
    coefficient = 1 - _asked(oracle.dice_items, case)
    wanted = 1 - coefficient / (2 - coefficient)
    equal(trial.value(case), Measured.exact(wanted, "1 - D / (2-D)"))


def tversky_at_one(trial: Trial) -> None:
    """tversky(1, 1) = jaccard."""
    wanted = oracle.tversky_items(*_flat(trial.case), **_shared(trial.case), alpha=1.0, beta=1.0)
    equal(trial.value(), Measured.exact(wanted, "tversky(1, 1)"))


JACCARD_LAWS = (
    bounded,
    *SHARED_LAWS,
    symmetric,
    at_least_dice,
    coefficient_of_dice,
    tversky_at_one,
    options_matter(**COMMON_OPTIONS),
)


# Laws of tversky and focal tversky


def dice_at_half(trial: Trial) -> None:
    """tversky(½, ½, s) = dice(2s)."""
    case = trial.case.changed(alpha=0.5, beta=0.5)
    wanted = _asked(oracle.dice_items, case.changed(smooth=2 * case["smooth"]))
    equal(trial.value(case), Measured.exact(wanted, "dice(2s)"))


def jaccard_at_one(trial: Trial) -> None:
    """tversky(1, 1) = jaccard."""
    case = trial.case.changed(alpha=1.0, beta=1.0)
    equal(trial.value(case), Measured.exact(_asked(oracle.jaccard_items, case), "jaccard"))


def symmetric_with_weights(trial: Trial) -> None:
    """Swapping the two arguments and the two weights changes nothing."""
    case = _probabilities(trial)
    swapped = case.changed(
        probs=case["target"], target=case["probs"], alpha=case["beta"], beta=case["alpha"]
    )
    equal(trial.value(swapped), trial.value(case))


def alpha_weighs_false_positives(trial: Trial) -> None:
    """Where alpha is 0, a mask that covers the target costs nothing; where beta is 0, one inside."""
    case = _hard(trial)
    covering = np.maximum(case["probs"], case["target"])
    inside = np.minimum(case["probs"], case["target"])
    for change in ({"probs": covering, "alpha": 0.0}, {"probs": inside, "beta": 0.0}):
        equal(trial.value(case.changed(**change), tight=True), Measured.exact(0.0))


def rises_with_weights(trial: Trial) -> None:
    """A larger weight of either error never lowers the loss."""
    for weight in ("alpha", "beta"):
        heavier = trial.case.changed(**{weight: 2 * trial.case[weight] + 0.25})
        at_least(trial.value(heavier), trial.value())


WEIGHT_LAWS = (symmetric_with_weights, alpha_weighs_false_positives, rises_with_weights)
WEIGHT_OPTIONS = {"alpha": (1.0, 0.25), "beta": (1.0, 0.25)}

TVERSKY_LAWS = (
    bounded,
    *SHARED_LAWS,
    dice_at_half,
    jaccard_at_one,
    *WEIGHT_LAWS,
    options_matter(**COMMON_OPTIONS, **WEIGHT_OPTIONS),
)


def tversky_at_gamma_one(trial: Trial) -> None:
    """γ = 1 gives tversky."""
    case = trial.case.changed(gamma=1.0)
    equal(trial.value(case), Measured.exact(_tversky(case), "tversky"))


def falls_with_gamma(trial: Trial) -> None:
    """A larger γ never raises the loss."""
    steeper = trial.case.changed(gamma=2 * trial.case["gamma"])
    at_most(trial.value(steeper), trial.value())


FOCAL_TVERSKY_LAWS = (
    bounded,
    *SHARED_LAWS,
    tversky_at_gamma_one,
    falls_with_gamma,
    *WEIGHT_LAWS,
    options_matter(**COMMON_OPTIONS, **WEIGHT_OPTIONS, gamma=(2.0, 0.75)),
)


# Laws of log-cosh dice


def bounded_by_log_cosh(trial: Trial) -> None:
    """Items lie in [0, log cosh 1]."""
    between(trial.value(), 0.0, float(np.log(np.cosh(1.0))))


def log_cosh_of_dice(trial: Trial) -> None:
    """The loss is the logarithm of dice's hyperbolic cosine."""
    wanted = np.log(np.cosh(_asked(oracle.dice_items, trial.case, "squared")))
    equal(trial.value(), Measured.exact(wanted, "log cosh of dice"))


def at_most_half_the_square(trial: Trial) -> None:
    """log cosh(dice) ≤ dice² / 2."""
    dice = _asked(oracle.dice_items, trial.case, "squared")
    at_most(trial.value(), Measured.exact(dice**2 / 2, "dice² / 2"))


LOG_COSH_DICE_LAWS = (
    bounded_by_log_cosh,
    *SHARED_LAWS,
    symmetric,
    log_cosh_of_dice,
    at_most_half_the_square,
    squares_of_hard_masks,
    options_matter(**COMMON_OPTIONS, squared=(True, False)),
)


# Laws of sensitivity-specificity


def affine_in_weight(trial: Trial) -> None:
    """The loss is weight times that of the foreground and 1 - weight times that of the background."""
    weight = trial.case["weight"]
    foreground, background = (trial.value(trial.case.changed(weight=w)) for w in (1.0, 0.0))
    equal(trial.value(), weight * foreground + (1 - weight) * background)


def regions_apart(trial: Trial) -> None:
    """With weight 1 only predictions on a hard mask's foreground matter, with 0 only the others."""
    case = _probabilities(trial)
    case = case.changed(target=np.rint(case["target"]))
    for weight in (1.0, 0.0):
        one = case.changed(weight=weight)
        other = one.changed(probs=np.where(case["target"] == weight, case["probs"], 0.5))
        equal(trial.value(other), trial.value(one))


def complement(trial: Trial) -> None:
    """(p, g, w) and (1-p, 1-g, 1-w) have the same loss."""
    case = _probabilities(trial)
    probs, target = _eighths(case["probs"]), _eighths(case["target"])
    case = case.changed(probs=probs, target=target)
    opposite = case.changed(probs=1 - probs, target=1 - target, weight=1 - case["weight"])
    equal(trial.value(opposite), trial.value(case))


def mean_square_at_share(trial: Trial) -> None:
    """Without smoothing, weighted by the foreground's share of a mask, it is the mean square error."""
    case = _probabilities(trial)
    probs, target = (case[name][:1, :1] for name in ("probs", "target"))
    assume(target.size)
    share = {"weight": float(target.mean()), "smooth": 0.0, "include_background": True}
    wanted = np.square(probs - target).mean()
    got = trial.value(case.changed(probs=probs, target=target, **share))
    equal(got, Measured.exact(wanted, "the mean square error"))


SENSITIVITY_SPECIFICITY_LAWS = (
    bounded,
    *SHARED_LAWS,
    affine_in_weight,
    regions_apart,
    complement,
    mean_square_at_share,
    options_matter(**COMMON_OPTIONS, weight=(0.75, 0.25)),
)


# Workloads


def _segmentation(
    rng: np.random.Generator,
    rows: int,
    channels: int,
    sides: tuple[int, ...],
    activation: str,
    own: Mapping[str, Any],
) -> Case:
    """Logits of a network that finds most of a ball in each channel."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in sides], indexing="ij"))
    center = rng.uniform(-0.5, 0.5, (rows, channels, len(sides), *(1 for _ in sides)))
    target = ((grid - center) ** 2).sum(axis=2) < 0.15
    logits = rng.normal(0, 2, target.shape) + np.where(target, 3, -3)
    options = {"smooth": 1.0, **own, "batch": False, "include_background": True}
    return Case({"probs": logits, "target": target * 1.0, **options, "activation": activation})


def _workloads(**own: Any) -> tuple[Workload, ...]:
    """Segmentations, with a loss's own options."""
    return (
        Workload(
            "U-Net, 4 images",
            "4 binary masks of 128 px, arXiv 1505.04597",
            4,
            lambda r, n: _segmentation(r, n, 1, (128, 128), "sigmoid", own),
        ),
        Workload(
            "Carvana, 8 images",
            "8 binary masks of 512 px",
            8,
            lambda r, n: _segmentation(r, n, 1, (512, 512), "sigmoid", own),
        ),
        Workload(
            "BraTS, 1 volume",
            "3 nested tumour regions of 128³ voxels, sigmoid, arXiv 1811.02629",
            1,
            lambda r, n: _segmentation(r, n, 3, (128, 128, 128), "sigmoid", own),
        ),
        Workload(
            "nnU-Net, 2 volumes",
            "14 abdominal organs in 2 patches of 128³ voxels, softmax, arXiv 1809.10486",
            2,
            lambda r, n: _segmentation(r, n, 14, (128, 128, 128), "softmax", own),
            gpu=True,
        ),
    )


DICE_WORKLOADS = _workloads(squared=False)
JACCARD_WORKLOADS = _workloads()
TVERSKY_WORKLOADS = _workloads(alpha=0.3, beta=0.7)
FOCAL_TVERSKY_WORKLOADS = _workloads(gamma=0.75, alpha=0.3, beta=0.7)
LOG_COSH_DICE_WORKLOADS = _workloads(squared=False)
SENSITIVITY_SPECIFICITY_WORKLOADS = _workloads(weight=0.05)


# Pictures


def _curve(settings: Mapping[str, Mapping[str, Any]], **own: Any) -> Curve:
    """Four voxels, two of them foreground; the probability of one of these varies."""

    def one_voxel_grows(x: Any) -> Case:
        shared = {"batch": False, "include_background": True, "activation": "none"}
        probs, target = np.array([[[x, 0.75, 0.25, 0.0]]]), np.array([[[1.0, 1.0, 0.0, 0.0]]])
        return Case({"probs": probs, "target": target, "smooth": 1.0, **own, **shared})

    return Curve("probability of one of two foreground voxels", 0, 1, one_voxel_grows, settings)


SMOOTHING: Mapping[str, Mapping[str, Any]] = {"smooth = 1": {}, "smooth = 0": {"smooth": 0.0}}
SQUARES = {"smooth = 1, squared": {"squared": True}}
DICE_CURVE = _curve({**SMOOTHING, **SQUARES}, squared=False)
JACCARD_CURVE = _curve(SMOOTHING)
TVERSKY_CURVE = _curve(
    {
        "alpha = beta = 0.5": {},
        "alpha = 0.3, beta = 0.7": {"alpha": 0.3, "beta": 0.7},
        "alpha = 0.7, beta = 0.3": {"alpha": 0.7, "beta": 0.3},
    },
    alpha=0.5,
    beta=0.5,
)
FOCAL_TVERSKY_CURVE = _curve(
    {f"gamma = {gamma}": {"gamma": gamma} for gamma in (0.75, 1.0, 2.0)},
    gamma=0.75,
    alpha=0.3,
    beta=0.7,
)
LOG_COSH_DICE_CURVE = _curve({**SMOOTHING, **SQUARES}, squared=False)
SENSITIVITY_SPECIFICITY_CURVE = _curve(
    {f"weight = {weight}": {"weight": weight} for weight in (0.05, 0.5, 1.0)}, weight=0.05
)


# Calls that must be refused

SHARED_BAD_CALLS = (
    BadCall("probs", lambda c: {"probs": c["probs"].reshape(-1)}, "one axis"),
    BadCall("probs", lambda c: {"probs": np.ones(c["probs"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
    BadCall("smooth", lambda c: {"smooth": -1.0}, "below 0"),
    BadCall("activation", lambda c: {"activation": "relu"}, "unknown"),
)
TVERSKY_BAD_CALLS = (
    *SHARED_BAD_CALLS,
    BadCall("alpha", lambda c: {"alpha": -0.5}, "below 0"),
    BadCall("alpha", lambda c: {"alpha": None}, "no number"),
    BadCall("beta", lambda c: {"beta": -0.5}, "below 0"),
    BadCall("beta", lambda c: {"beta": None}, "no number"),
)
FOCAL_TVERSKY_BAD_CALLS = (
    *TVERSKY_BAD_CALLS,
    BadCall("gamma", lambda c: {"gamma": 0.0}, "0"),
    BadCall("gamma", lambda c: {"gamma": -1.0}, "below 0"),
    BadCall("gamma", lambda c: {"gamma": None}, "no number"),
)
SENSITIVITY_SPECIFICITY_BAD_CALLS = (
    *SHARED_BAD_CALLS,
    BadCall("weight", lambda c: {"weight": -0.5}, "below 0"),
    BadCall("weight", lambda c: {"weight": 1.5}, "above 1"),
    BadCall("weight", lambda c: {"weight": None}, "no number"),
)
