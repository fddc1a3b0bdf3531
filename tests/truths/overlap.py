"""What holds for the oracles of the overlap losses."""

from collections.abc import Mapping, Sequence
from typing import Any

import exact.overlap
import numpy as np

from oracles import overlap
from truths import EMPTY, HARD, INF, LOGITS, NAN, Arguments, Gradient, LossTruth, random

COUPLED = {"activation": "softmax", "include_background": False, "batch": True}


def overlap_cases() -> dict[str, Arguments]:
    generator = random(4)
    shape = (3, 4, 5)
    probs, soft = generator.uniform(size=(2, *shape))
    mask = (soft > 0.6).astype(float)
    mask[0, 0], mask[0, 1] = 0, 1
    blocks = np.repeat([[0.0], [1.0]], 4, axis=1)[:, :, None] * np.ones(5)
    logits = generator.choice(np.concatenate([HARD, -HARD]), shape) + generator.normal(size=shape)
    hard = {"probs": probs, "target": mask}
    activated = {"probs": logits, "target": np.maximum(mask, np.arange(5) == 1)}
    return {
        "hard": hard,
        "hard, no smooth": {**hard, "smooth": 0.0},
        "soft": {"probs": probs, "target": soft, "smooth": 0.25},
        "no axes but two": {"probs": probs[..., 0], "target": mask[..., 0], "smooth": 1e-5},
        "many axes": {"probs": probs[..., None, None], "target": soft[..., None, None]},
        "empty and full, no smooth": {"probs": blocks, "target": blocks, "smooth": 0.0},
        "empty against full, no smooth": {"probs": blocks, "target": 1 - blocks, "smooth": 0.0},
        "batch": {**hard, "batch": True},
        "batch, no background": {**hard, "batch": True, "include_background": False},
        "no background": {**hard, "include_background": False, "smooth": 0.0},
        "sigmoid": {**activated, "activation": "sigmoid"},
        "softmax": {**activated, "activation": "softmax"},
        "softmax, no smooth": {**activated, "activation": "softmax", "smooth": 0.0},
        "softmax, no background, batch": {**activated, **COUPLED},
    }


def kernel_arguments() -> tuple[Arguments, Arguments]:
    """Soft regions (2, 3, 4), and hard logits with a checkered target (2, 2, 4)."""
    generator = random(6)
    probs, soft = generator.uniform(size=(2, 2, 3, 4))
    logits, checkered = generator.choice(LOGITS, (2, 2, 4)), np.indices((2, 2, 4)).sum(axis=0) % 2
    masks = {"probs": logits, "target": checkered * 1.0, "activation": "sigmoid"}
    return {"probs": probs, "target": soft, "smooth": 0.5}, masks


REGIONS, MASKS = kernel_arguments()
PROBS = ("probs",)


def each_with(**options: Any) -> dict[str, Arguments]:
    """Every case, with some options."""
    return {name: {**case, **options} for name, case in overlap_cases().items()}


def with_squares() -> dict[str, Arguments]:
    """Every case plain and squared."""
    squared = {f"{name}, squared": case for name, case in each_with(squared=True).items()}
    return {**overlap_cases(), **squared}


def gradients(**options: Any) -> dict[str, Gradient]:
    """Soft, with logits, and with all that couples items."""
    return {
        "soft": Gradient(arguments={**REGIONS, **options}, along=PROBS),
        "no smooth": Gradient(arguments={**REGIONS, **options, "smooth": 0.0}, along=PROBS),
        "sigmoid": Gradient(arguments={**MASKS, **options}, along=PROBS),
        "softmax, batch": Gradient(arguments={**REGIONS, **options, **COUPLED}, along=PROBS),
    }


SQUARED_GRADIENTS = {
    "squared, no smooth": Gradient(arguments={**REGIONS, "squared": True, "smooth": 0.0}, along=PROBS)
}
UNEQUAL = {"alpha": 0.3, "beta": 0.8}
WEIGHTS: Mapping[str, Sequence[Any]] = {"alpha": [-1e-9, INF, NAN], "beta": [-1e-9, INF, NAN]}
NO_NUMBERS: Mapping[str, Sequence[Any]] = {"alpha": [None, "1"], "beta": [True, 1j]}
NOTHING = {
    "no samples": ({"probs": EMPTY, "target": EMPTY}, (0, 3)),
    "only background": ({"probs": [[1.0]], "target": [[0.0]], "include_background": False}, (1, 0)),
}
ACCEPTED = {"probs": np.zeros((2, 3, 4)), "target": np.zeros((2, 3, 4))}
BAD_VALUES: Mapping[str, Sequence[Any]] = {
    "probs": [
        np.zeros(3),
        np.full((2, 3, 4), NAN),
        *(np.full((2, 3, 4), bad) for bad in (-1e-9, 1.001)),
    ],
    "target": [np.zeros((2, 3)), *(np.full((2, 3, 4), bad) for bad in (NAN, -1e-9, 1.001))],
    "smooth": [-1e-9, INF, NAN],
    "activation": ["relu", None, ""],
}
WRONG_TYPES: Mapping[str, Sequence[Any]] = {
    "probs": [np.zeros((2, 3, 4), complex)],
    "target": [np.zeros((2, 3, 4), object)],
}
INFINITE_LOGITS = ({"probs": np.full((2, 3, 4), INF), "activation": "sigmoid"}, "probs")

DICE = LossTruth(
    name="dice",
    oracle=overlap.dice,
    items=overlap.dice_items,
    definition=exact.overlap.dice,
    cases=with_squares(),
    nothing=NOTHING,
    gradients={**gradients(), **SQUARED_GRADIENTS},
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values=BAD_VALUES,
    wrong_types=WRONG_TYPES,
    bad_together=[INFINITE_LOGITS],
)

JACCARD = LossTruth(
    name="jaccard",
    oracle=overlap.jaccard,
    items=overlap.jaccard_items,
    definition=exact.overlap.jaccard,
    cases=overlap_cases(),
    nothing=NOTHING,
    gradients=gradients(),
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values=BAD_VALUES,
    wrong_types=WRONG_TYPES,
    bad_together=[INFINITE_LOGITS],
)

TVERSKY = LossTruth(
    name="tversky",
    oracle=overlap.tversky,
    items=overlap.tversky_items,
    definition=exact.overlap.tversky,
    cases={
        **each_with(**UNEQUAL),
        "defaults": overlap_cases()["soft"],
        "heavy errors": {**overlap_cases()["soft"], "alpha": 3.0, "beta": 7.0},
        "weightless errors": {**overlap_cases()["soft"], "alpha": 0.0, "beta": 0.0},
    },
    nothing=NOTHING,
    gradients=gradients(**UNEQUAL),
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values={**BAD_VALUES, **WEIGHTS},
    wrong_types={**WRONG_TYPES, **NO_NUMBERS},
    bad_together=[INFINITE_LOGITS],
)


def almost_perfect() -> Arguments:
    """Logits that find a mask but for errors of 1e-5 to 1e-18, which a root magnifies."""
    logits = np.array([[[12.0, 20.0, -30.0, 40.0], [-35.0, -40.0, -38.0, -39.0]]])
    options = {"activation": "sigmoid", "gamma": 0.3, "smooth": 0.5}
    return {"probs": logits, "target": (logits > 0) * 1.0, **options, **UNEQUAL}


FOCAL_TVERSKY = LossTruth(
    name="focal_tversky",
    oracle=overlap.focal_tversky,
    items=overlap.focal_tversky_items,
    definition=exact.overlap.focal_tversky,
    cases={
        **each_with(gamma=0.6, **UNEQUAL),
        "defaults": overlap_cases()["soft"],
        "steep": {**overlap_cases()["soft"], "gamma": 0.05},
        "flat": {**overlap_cases()["soft"], "gamma": 4.5},
        "almost perfect": almost_perfect(),
        "almost perfect, softmax": {**almost_perfect(), "activation": "softmax", "batch": True},
    },
    nothing=NOTHING,
    gradients={
        **gradients(gamma=1.7, **UNEQUAL),
        "steep": Gradient(arguments={**REGIONS, "gamma": 0.6}, along=PROBS),
        "almost perfect": Gradient(arguments=almost_perfect(), along=PROBS),
        "perfect": Gradient(
            arguments={"probs": np.ones((1, 1, 3)), "target": np.ones((1, 1, 3)), "gamma": 1.0},
            along=PROBS,
        ),
    },
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values={**BAD_VALUES, **WEIGHTS, "gamma": [0.0, -1.0, INF, NAN]},
    wrong_types={**WRONG_TYPES, **NO_NUMBERS, "gamma": [None, "2"]},
    bad_together=[INFINITE_LOGITS],
    long_double_options={"gamma": 0.75},
)

LOG_COSH_DICE = LossTruth(
    name="log_cosh_dice",
    oracle=overlap.log_cosh_dice,
    items=overlap.log_cosh_dice_items,
    definition=exact.overlap.log_cosh_dice,
    cases=with_squares(),
    nothing=NOTHING,
    gradients={**gradients(), **SQUARED_GRADIENTS},
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values=BAD_VALUES,
    wrong_types=WRONG_TYPES,
    bad_together=[INFINITE_LOGITS],
)

SENSITIVITY_SPECIFICITY = LossTruth(
    name="sensitivity_specificity",
    oracle=overlap.sensitivity_specificity,
    items=overlap.sensitivity_specificity_items,
    definition=exact.overlap.sensitivity_specificity,
    cases={
        **each_with(weight=0.3),
        "defaults": overlap_cases()["soft"],
        "foreground alone": {**overlap_cases()["soft"], "weight": 1.0},
        "background alone": {**overlap_cases()["soft"], "weight": 0.0},
    },
    nothing=NOTHING,
    gradients=gradients(weight=0.3),
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted=ACCEPTED,
    bad_values={**BAD_VALUES, "weight": [-1e-9, 1.001, NAN]},
    wrong_types={**WRONG_TYPES, "weight": [None, "1"]},
    bad_together=[INFINITE_LOGITS],
    long_double_options={"weight": 0.05},
)

TRUTHS = (DICE, JACCARD, TVERSKY, FOCAL_TVERSKY, LOG_COSH_DICE, SENSITIVITY_SPECIFICITY)
