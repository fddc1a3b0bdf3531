"""Domains, laws and workloads of the overlap losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import overlap as oracle
from oracles.numeric import flatten
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload
from properties.general import options_matter
from properties.trial import Measured, Trial, assume, at_most, between, equal

ARGUMENTS = (
    Argument("probs", "probability", gradient=True, learned=True, flat_from=2),
    Argument("target", "probability", flat_from=2),
)
LOGIT_ARGUMENTS = (
    Argument("probs", "row", gradient=True, learned=True, flat_from=2, row_axis=-2),
    Argument("target", "probability", flat_from=2),
)


def dice_arguments(case: Case) -> tuple[Argument, ...]:
    """The first argument holds logits where an activation is given."""
    return ARGUMENTS if case["activation"] == "none" else LOGIT_ARGUMENTS


# Domain


@st.composite
def _masks(draw_: st.DrawFn) -> dict[str, object]:
    """Soft and hard masks, empty and full ones, perfect ones; logits where an activation is on."""
    batch, channels = draw_(st.integers(1, 3)), draw_(st.integers(1, 3))
    shape = (batch, channels, *draw_(draw.shapes(2, 3)))
    activation = draw_(st.sampled_from(["none", "none", "sigmoid", "softmax"]))
    constant = st.sampled_from([0.0, 1.0])
    target = draw_(draw.arrays(shape, draw.hard, draw.unit_interval, constant))
    if activation == "none":
        probs = draw_(draw.arrays(shape, draw.unit_interval, draw.hard))
        perfect = draw_(st.booleans()) and draw_(st.booleans())
        probs = target.copy() if perfect else probs
    else:
        probs = draw_(draw.arrays(shape, draw.moderate, draw.extreme))
    smooth = draw_(draw.numbers(0.0, 10.0, [0.0, 1.0, 1e-5], smallest=2.0**-20))
    if activation != "none" and smooth == 0:  # where all of a mask underflows, the truth jumps
        probs = np.clip(probs, -80, 80)
    return {
        "probs": probs,
        "target": target,
        "smooth": smooth,
        "squared": draw_(st.booleans()),
        "batch": draw_(st.booleans()),
        "include_background": channels == 1 or draw_(st.sampled_from([True, True, False])),
        "activation": activation,
    }


def dice_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of masks (N, C, *) with every option."""
    return draw.cases(_masks(), dtype)


def dice_coupled(case: Case) -> bool:
    """Whether the items of a case share samples."""
    return bool(case["batch"])


def smooth(case: Case) -> bool:
    """Wherever the denominator is not 0; told apart from rounding at moderate logits."""
    return bool(case["smooth"] >= 0.125 and (np.abs(case["probs"]) <= 8).all())


# Laws


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


def _oracle_options(case: Case) -> dict[str, Any]:
    names = ("smooth", "batch", "include_background", "activation")
    return {name: case[name] for name in names}


def _flat(case: Case) -> tuple[Array, Array]:
    return flatten(case["probs"], 2), flatten(case["target"], 2)


def bounded(trial: Trial) -> None:
    """Items lie in [0, 1]."""
    between(trial.value(), 0.0, 1.0)


def zero_at_perfect_mask(trial: Trial) -> None:
    """0 at a perfect hard mask."""
    case = _hard(trial)
    equal(trial.value(case.changed(probs=case["target"])), Measured.exact(0.0))


def empty_masks_agree(trial: Trial) -> None:
    """Two empty masks give 0, without smoothing too."""
    case = _probabilities(trial)
    nothing = np.zeros_like(case["target"])
    for smooth in (0.0, case["smooth"]):
        empty = case.changed(probs=nothing, target=nothing, smooth=smooth)
        equal(trial.value(empty, tight=True), Measured.exact(0.0))


def symmetric(trial: Trial) -> None:
    """The value is symmetric in its two arguments."""
    case = _probabilities(trial)
    swapped = case.changed(probs=case["target"], target=case["probs"])
    equal(trial.value(swapped), trial.value(case))


def at_most_jaccard(trial: Trial) -> None:
    """jaccard ≥ dice."""
    case = _probabilities(trial).changed(squared=False)
    jaccard = oracle.tversky_items(*_flat(case), alpha=1.0, beta=1.0, **_oracle_options(case))
    at_most(trial.value(case), Measured.exact(jaccard, "jaccard"))


def coefficient_of_jaccard(trial: Trial) -> None:
    """Without smoothing, the coefficients obey J = D / (2 - D)."""
    case = _probabilities(trial).changed(squared=False, smooth=0.0)
    loss = oracle.tversky_items(*_flat(case), alpha=1.0, beta=1.0, **_oracle_options(case))
    coefficient = 1 - loss
    wanted = 1 - 2 * coefficient / (1 + coefficient)
    equal(trial.value(case), Measured.exact(wanted, "1 - 2J / (1+J)"))


def tversky_at_half(trial: Trial) -> None:
    """tversky(½, ½, s) = dice(2s)."""
    case = trial.case.changed(squared=False)
    wanted = oracle.tversky_items(*_flat(case), **_oracle_options(case))
    doubled = case.changed(smooth=2 * case["smooth"])
    equal(trial.value(doubled), Measured.exact(wanted, "tversky(½, ½, s)"))


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
    case = _probabilities(trial).changed(squared=False)
    case = case.changed(target=np.rint(case["target"]))
    foreground = case["target"] == 1
    assume(foreground.any())
    grown = np.where(foreground, np.minimum(1, np.rint(case["probs"] * 8) / 8 + 0.125), 0.25)
    start = np.where(foreground, np.rint(case["probs"] * 8) / 8, 0.25)
    at_most(trial.value(case.changed(probs=grown)), trial.value(case.changed(probs=start)))


def squares_of_hard_masks(trial: Trial) -> None:
    """Squared and plain agree on hard masks."""
    case = _hard(trial)
    squared, plain = (trial.value(case.changed(squared=flag)) for flag in (True, False))
    equal(squared, plain)


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


DICE_LAWS = (
    bounded,
    zero_at_perfect_mask,
    empty_masks_agree,
    symmetric,
    at_most_jaccard,
    coefficient_of_jaccard,
    tversky_at_half,
    voxel_permutation,
    channel_permutation,
    background_is_channel_zero,
    repetition,
    growth,
    squares_of_hard_masks,
    batch_of_one,
    batch_adds_up,
    options_matter(smooth=(1.0, 4.0), squared=(True, False), activation=("sigmoid", "none")),
)


# Workloads


def _segmentation(
    rng: np.random.Generator, rows: int, channels: int, sides: tuple[int, ...], activation: str
) -> Case:
    """Logits of a network that finds most of a ball in each channel."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in sides], indexing="ij"))
    center = rng.uniform(-0.5, 0.5, (rows, channels, len(sides), *(1 for _ in sides)))
    target = ((grid - center) ** 2).sum(axis=2) < 0.15
    logits = rng.normal(0, 2, target.shape) + np.where(target, 3, -3)
    options = {"smooth": 1.0, "squared": False, "batch": False, "include_background": True}
    return Case({"probs": logits, "target": target * 1.0, **options, "activation": activation})


DICE_WORKLOADS = (
    Workload(
        "U-Net, 4 images",
        "4 binary masks of 128 px, arXiv 1505.04597",
        4,
        lambda r, n: _segmentation(r, n, 1, (128, 128), "sigmoid"),
    ),
    Workload(
        "Carvana, 8 images",
        "8 binary masks of 512 px",
        8,
        lambda r, n: _segmentation(r, n, 1, (512, 512), "sigmoid"),
    ),
    Workload(
        "BraTS, 1 volume",
        "3 nested tumour regions of 128³ voxels, sigmoid, arXiv 1811.02629",
        1,
        lambda r, n: _segmentation(r, n, 3, (128, 128, 128), "sigmoid"),
    ),
    Workload(
        "nnU-Net, 2 volumes",
        "14 abdominal organs in 2 patches of 128³ voxels, softmax, arXiv 1809.10486",
        2,
        lambda r, n: _segmentation(r, n, 14, (128, 128, 128), "softmax"),
        gpu=True,
    ),
)


# Pictures


def _one_voxel_grows(x: Any) -> dict[str, Any]:
    """Four voxels, two of them foreground; the probability of one of these varies."""
    return {
        "probs": np.array([[[x, 0.75, 0.25, 0.0]]]),
        "target": np.array([[[1.0, 1.0, 0.0, 0.0]]]),
        "smooth": 1.0,
        "batch": False,
        "include_background": True,
        "activation": "none",
    }


DICE_CURVE = Curve(
    "probability of one of two foreground voxels",
    0,
    1,
    lambda x: Case({**_one_voxel_grows(x), "squared": False}),
    {"smooth = 1": {}, "smooth = 0": {"smooth": 0.0}, "smooth = 1, squared": {"squared": True}},
)


# Calls that must be refused

DICE_BAD_CALLS = (
    BadCall("probs", lambda c: {"probs": c["probs"].reshape(-1)}, "one axis"),
    BadCall("probs", lambda c: {"probs": np.ones(c["probs"].shape, int)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"][..., None]}, "one axis more"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
    BadCall("smooth", lambda c: {"smooth": -1.0}, "below 0"),
    BadCall("activation", lambda c: {"activation": "relu"}, "unknown"),
)
