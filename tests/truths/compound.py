"""What holds for the oracles of the compound losses."""

from typing import Any

import exact.compound
import numpy as np

from oracles import compound
from truths import HARD, INF, NAN, Arguments, Gradient, KernelTruth, LossTruth, random


def mask_cases() -> dict[str, Arguments]:
    generator = random(4)
    shape = (3, 2, 5)
    logits, soft = generator.normal(0, 3, shape), generator.uniform(size=shape)
    hard = (soft > 0.6) * 1.0
    hard[0, 0], hard[0, 1] = 0, 1
    extreme = generator.choice(np.concatenate([HARD, -HARD]), shape) + logits
    empty, full = {"target": np.zeros(shape)}, {"target": np.ones(shape)}
    return {
        "hard": {"logits": logits, "target": hard},
        "soft": {"logits": logits, "target": soft, "smooth": 0.25},
        "extreme": {"logits": extreme, "target": hard},
        "extreme, soft": {"logits": extreme, "target": soft, "smooth": 1e-5},
        "no axes but two": {"logits": logits[..., 0], "target": hard[..., 0]},
        "many axes": {"logits": logits[..., None, None], "target": soft[..., None, None]},
        "sure and right": {"logits": 1e4 * (2 * hard - 1), "target": hard},
        "sure and wrong": {"logits": 1e4 * (1 - 2 * hard), "target": hard, "smooth": 1e-3},
        "empty": {"logits": extreme, **empty, "smooth": 1e-9},
        "full": {"logits": extreme, **full, "smooth": 1e-9},
    }


def unsmoothed() -> dict[str, Arguments]:
    cases = mask_cases()
    return {
        f"{name}, no smooth": {**cases[name], "smooth": 0.0}
        for name in ("hard", "soft", "extreme, soft")
    }


def kernel_masks(axes: tuple[int, ...] = (2, 2, 4)) -> Arguments:
    generator = random(6)
    return {"logits": generator.normal(0, 5, axes), "target": generator.uniform(size=axes)}


X = ("logits",)
MASKS = kernel_masks()
HARD_MASKS = {"logits": 20 * MASKS["logits"], "target": np.rint(MASKS["target"])}
GRADIENTS = {
    "defaults": Gradient(arguments=MASKS, along=X),
    "hard": Gradient(arguments={**HARD_MASKS, "smooth": 0.25}, along=X),
}
NOTHING: dict[str, tuple[Arguments, tuple[int, ...]]] = {
    "no samples": ({"logits": np.zeros((0, 3, 2)), "target": np.zeros((0, 3, 2))}, (0,)),
    "no channels": ({"logits": np.zeros((2, 0, 2)), "target": np.zeros((2, 0, 2))}, (2,)),
    "no voxels": ({"logits": np.zeros((2, 3, 0)), "target": np.zeros((2, 3, 0))}, (2,)),
}
ACCEPTED = {"logits": np.zeros((2, 3, 4)), "target": np.zeros((2, 3, 4))}
BAD_VALUES = {
    "logits": [np.zeros(3), *(np.full((2, 3, 4), bad) for bad in (NAN, INF, -INF))],
    "target": [np.zeros((2, 3)), *(np.full((2, 3, 4), bad) for bad in (NAN, -1e-9, 1.001))],
    "smooth": [-1e-9, INF, NAN],
}
WRONG_TYPES: dict[str, list[Any]] = {
    "logits": [np.zeros((2, 3, 4), complex)],
    "target": [np.zeros((2, 3, 4), object)],
    "smooth": ["1", None],
}

BCE_DICE = LossTruth(
    name="bce_dice",
    oracle=compound.bce_dice,
    items=compound.bce_dice_items,
    definition=exact.compound.bce_dice,
    cases={**mask_cases(), **unsmoothed()},
    nothing=NOTHING,
    gradients=GRADIENTS,
    kernel_cases={"defaults": MASKS},
    accepted=ACCEPTED,
    bad_values=BAD_VALUES,
    wrong_types=WRONG_TYPES,
)

BCE_LOG_DICE = LossTruth(
    name="bce_log_dice",
    oracle=compound.bce_log_dice,
    items=compound.bce_log_dice_items,
    definition=exact.compound.bce_log_dice,
    cases=mask_cases(),
    nothing=NOTHING,
    gradients=GRADIENTS,
    kernel_cases={"defaults": MASKS},
    accepted=ACCEPTED,
    bad_values={**BAD_VALUES, "smooth": [*BAD_VALUES["smooth"], 0.0]},
    wrong_types=WRONG_TYPES,
)

SHARES = {"alpha": 0.3, "beta": 0.9}
COMBO = LossTruth(
    name="combo",
    oracle=compound.combo,
    items=compound.combo_items,
    definition=exact.compound.combo,
    cases={
        **mask_cases(),
        **{name: {**case, **SHARES} for name, case in unsmoothed().items()},
        "cross entropy alone": {**mask_cases()["extreme"], "alpha": 1.0, "beta": 0.2},
        "dice alone": {**mask_cases()["extreme"], "alpha": 0.0},
    },
    nothing=NOTHING,
    gradients={
        **GRADIENTS,
        "shares": Gradient(arguments={**HARD_MASKS, **SHARES}, along=X),
    },
    kernel_cases={"defaults": MASKS},
    accepted=ACCEPTED,
    bad_values={**BAD_VALUES, "alpha": [-1e-9, 1.001, NAN], "beta": [-1e-9, 1.001, NAN]},
    wrong_types={**WRONG_TYPES, "alpha": ["1"], "beta": [None]},
)

TRUTHS: tuple[KernelTruth, ...] = (BCE_DICE, BCE_LOG_DICE, COMBO)
