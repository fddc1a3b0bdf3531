"""What holds for the oracles of the compound losses."""

from typing import Any

import exact.boxes
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


def class_cases() -> dict[str, Arguments]:
    generator = random(1)
    shape, target = (3, 3, 4), generator.integers(0, 3, (3, 4))
    logits = generator.normal(0, 3, shape)
    extreme = generator.choice(np.concatenate([HARD, -HARD]), shape) + logits
    is_target = target[:, None] == np.arange(3)[:, None]
    weight = np.array([0.25, 0.0, 3.0])
    plain = {"logits": logits, "target": target}
    powers = {"gamma_dice": 0.5, "gamma_cross": 2.0}
    shares = {"weight_dice": 1.5, "weight_cross": 0.75}
    return {
        "defaults": plain,
        "weighted": {**plain, "class_weight": weight},
        "powers": {**plain, **powers, **shares},
        "shifted far": {"logits": logits - 1e4, "target": target},
        "extreme": {"logits": extreme, "target": target, "class_weight": weight},
        "extreme, powers": {"logits": extreme, "target": target, "gamma_cross": 1.0, **shares},
        "tiny powers": {**plain, "gamma_dice": 1e-3, "gamma_cross": 1e-4},
        **{
            f"sure by {sure:g}": {"logits": np.where(is_target, sure, 0.1), "target": target}
            for sure in (20.0, 40.0, 60.0, 1e3, 1e4)
        },
        "sure, tiny powers": {
            "logits": np.where(is_target, 2e3, -1e3),
            "target": target,
            "gamma_dice": 1e-3,
            "gamma_cross": 1e-4,
        },
        "sure and wrong": {"logits": np.where(is_target, -5e3, 5e3), "target": target},
        "no axes but two": {"logits": logits[..., 0], "target": target[..., 0]},
        "many axes": {"logits": logits[..., None, None], "target": target[..., None, None]},
        "cross entropy alone": {**plain, "weight_dice": 0.0, "gamma_cross": 1.0},
        "dice alone": {**plain, "weight_cross": 0.0, "gamma_dice": 1.0},
    }


def class_gradients() -> dict[str, Gradient]:
    cases = class_cases()
    weighted = {"class_weight": np.array([0.5, 1.75, 3.0])}
    return {
        "defaults": Gradient(arguments=cases["defaults"], along=X),
        "weighted": Gradient(arguments={**cases["powers"], **weighted}, along=X, condition=3),
        "sure": Gradient(arguments=cases["sure by 20"], along=X),
        "very sure": Gradient(arguments=cases["sure by 60"], along=X),
    }


EXP_LOG = LossTruth(
    name="exp_log",
    oracle=compound.exp_log,
    items=compound.exp_log_items,
    definition=exact.compound.exp_log,
    # A class weight multiplies the rounding of its logarithm.
    condition=lambda arguments: max(1.0, float(np.max(arguments.get("class_weight", 0.0)))),
    cases=class_cases(),
    nothing={
        "no samples": ({"logits": np.zeros((0, 3, 2)), "target": np.zeros((0, 2), int)}, (0,)),
        "no voxels": ({"logits": np.zeros((2, 3, 0)), "target": np.zeros((2, 0), int)}, (2,)),
        "one class": ({"logits": np.ones((2, 1, 3)), "target": np.zeros((2, 3), int)}, (2,)),
    },
    gradients=class_gradients(),
    kernel_cases={"defaults": class_cases()["defaults"]},
    accepted={"logits": np.zeros((2, 3)), "target": np.array([0, 2])},
    bad_values={
        "logits": [np.zeros(2), np.zeros((2, 0)), np.full((2, 3), NAN), np.full((2, 3), -INF)],
        "target": [np.zeros((2, 1), int), np.zeros(3, int), [0, 3], [-1, 0]],
        "class_weight": [np.ones(2), np.ones((3, 1)), [1, -1e-9, 1], [1, NAN, 1], [INF, 1, 1]],
        "weight_dice": [-1e-9, INF, NAN],
        "weight_cross": [-1e-9, INF, NAN],
        "gamma_dice": [0.0, -1e-9, INF, NAN],
        "gamma_cross": [0.0, -1e-9, INF, NAN],
    },
    wrong_types={
        "logits": [np.zeros((2, 3), complex), [["a", "b", "c"]]],
        "target": [np.zeros(2), np.zeros(2, bool), ["a", "b"]],
        "class_weight": [np.ones(3, complex)],
        "gamma_dice": ["1", None],
    },
)


def head(seed: int, matched: int, shape: tuple[int, ...], classes: int = 3) -> Arguments:
    """One scale of a detector's head."""
    generator = random(seed)
    low = generator.uniform(0, 5, (2, matched, 2))
    corners = np.concatenate([low, low + generator.uniform(0.5, 4, low.shape)], axis=-1)
    return {
        "boxes": corners[0],
        "target_boxes": corners[1],
        "objectness": generator.normal(0, 3, shape),
        "cells": generator.permutation(int(np.prod(shape)))[:matched],
        "class_logits": generator.normal(0, 3, (matched, classes)),
        "labels": generator.integers(0, classes, matched),
    }


def listed(*scales: Arguments) -> dict[str, Any]:
    return {name: [scale[name] for scale in scales] for name in scales[0]}


ONE_SCALE = head(1, 4, (2, 3, 2, 2))
FLAT = {**ONE_SCALE, "objectness": ONE_SCALE["objectness"].reshape(-1)}
THREE = listed(head(2, 3, (1, 3, 4, 2)), head(3, 0, (1, 3, 2, 1)), head(4, 2, (1, 3, 1, 1)))
FACTORS = {"gain_box": 0.7, "gain_obj": 1.3, "gain_cls": 0.9}
SOFT = {"positive": 0.95, "negative": 0.05, "iou_ratio": 0.6}


def yolo_cases() -> dict[str, Arguments]:
    far = {**ONE_SCALE, "boxes": ONE_SCALE["boxes"] + 1e3}
    same = {**ONE_SCALE, "boxes": ONE_SCALE["target_boxes"]}
    points = {**ONE_SCALE, "boxes": np.tile(ONE_SCALE["boxes"][:, :2], 2)}
    shape = ONE_SCALE["objectness"].shape
    hard = random(5).choice(np.concatenate([HARD, -HARD]), shape)
    return {
        "one scale": ONE_SCALE,
        "three scales": THREE,
        "three scales, every option": {**THREE, **FACTORS, **SOFT, "balance": (0.5, 2.0, 3.0)},
        "two scales": listed(ONE_SCALE, head(6, 1, (5,))),
        "a list of one": listed(ONE_SCALE),
        "every option": {**ONE_SCALE, **FACTORS, **SOFT},
        "far": far,
        "same boxes": same,
        "points": points,
        "extreme objectness": {**ONE_SCALE, "objectness": hard},
        "all matched": head(7, 6, (1, 3, 2, 1)),
        "nothing matched": head(8, 0, (1, 3, 2, 2)),
    }


def yolo_gradients() -> dict[str, Gradient]:
    scale = {**FLAT, "gain_box": 0.7}
    pair = {name: ONE_SCALE[name] for name in ("boxes", "target_boxes")}
    alpha = exact.boxes.ciou_alpha(*pair.values())

    def of_boxes(**arguments: Any) -> Any:
        return exact.compound.boxes_of_yolo(
            arguments["boxes"], target_boxes=pair["target_boxes"], alpha=alpha, gain_box=0.7
        )

    return {
        "boxes": Gradient(arguments=scale, along=("boxes",), definition=of_boxes),
        "logits": Gradient(
            arguments=scale,
            along=("objectness", "class_logits"),
            definition=exact.compound.logits_of_yolo,
        ),
    }


def another(name: str, *values: Any) -> list[Any]:
    """The accepted array with its first numbers replaced."""
    arrays = []
    for value in values:
        array = ONE_SCALE[name].copy()
        array.reshape(-1)[0] = value
        arrays.append(array)
    return arrays


UPSIDE_DOWN = ONE_SCALE["boxes"][:, [2, 1, 0, 3]]
YOLO_DETECTION = LossTruth(
    name="yolo_detection",
    oracle=compound.yolo_detection,
    items=compound.yolo_detection_items,
    definition=exact.compound.yolo_detection,
    cases=yolo_cases(),
    nothing={"no cells": (head(9, 0, (0,)), ()), "no scales' cells": (listed(head(9, 0, (0,))), ())},
    gradients=yolo_gradients(),
    kernel_cases={"defaults": FLAT},
    accepted=ONE_SCALE,
    bad_values={
        "boxes": [np.zeros(4), np.zeros((4, 5)), UPSIDE_DOWN, *another("boxes", NAN, -INF), []],
        "target_boxes": [np.zeros((3, 4)), UPSIDE_DOWN, *another("target_boxes", NAN, -INF)],
        "objectness": [*another("objectness", NAN, INF), [ONE_SCALE["objectness"]] * 2],
        "cells": [np.zeros((4, 1), int), np.arange(3), [np.array([0, 1, 2, 2])], np.arange(21, 25)],
        "class_logits": [np.zeros(4), np.zeros((3, 3)), *another("class_logits", NAN, INF)],
        "labels": [np.zeros(3, int), np.array([0, 0, 0, 3]), np.array([-1, 0, 0, 0])],
        **{name: [-1e-9, INF, NAN] for name in FACTORS},
        **{name: [-1e-9, 1.001, NAN] for name in SOFT},
        "balance": [(1.0, -1.0, 1.0), (NAN,)],
    },
    wrong_types={
        **{name: [ONE_SCALE[name] * 1j] for name in ("boxes", "target_boxes", "objectness")},
        "class_logits": [ONE_SCALE["class_logits"] * 1j],
        **{name: [ONE_SCALE[name] * 1.0] for name in ("cells", "labels")},
        "gain_box": ["1", None],
        "balance": [1.0, None, "abc", ("1",)],
    },
    bad_together=[
        ({**THREE, "balance": (1.0, 1.0)}, "balance"),
        ({**THREE, "labels": THREE["labels"][:2]}, "labels"),
        ({**THREE, "cells": THREE["cells"][::-1]}, "cells"),
    ],
)

TRUTHS: tuple[KernelTruth, ...] = (BCE_DICE, BCE_LOG_DICE, COMBO, EXP_LOG, YOLO_DETECTION)
