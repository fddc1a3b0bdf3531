"""What holds for the oracles of the boundary losses."""

import exact.boundary
import numpy as np

from oracles import boundary
from oracles.distance import contour_distance, penalty_map
from truths import INF, LOGITS, NAN, Arguments, Array, Gradient, KernelTruth, LossTruth, random

MASKS = np.array(
    [
        [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]],
        [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    ]
)
"""Something inside, something at the border, and nothing."""
MAPS = {
    "no distance": np.zeros(MASKS.shape),
    "distance to the contour": contour_distance(MASKS),
    "penalty": penalty_map(MASKS),
    "any distance": random(11).uniform(0, 300, MASKS.shape),
    "far": random(12).choice([0.0, 1e-9, 1e4, 1e9], MASKS.shape),
}


def two_class_logits(hard: bool) -> Array:
    generator, shape = random(13), (len(MASKS), 2, *MASKS.shape[1:])
    return generator.choice(LOGITS, shape) if hard else generator.normal(0, 3, shape)


def distance_dice_cases() -> dict[str, Arguments]:
    soft, hard = two_class_logits(hard=False), two_class_logits(hard=True)
    one_voxel = {"logits": soft[:, :, 0, 0], "target": MASKS[:, 0, 0]}
    perfect = np.where(MASKS[:2] == 1, 1e4, -1e4)
    contour = MAPS["distance to the contour"]
    no_voxels = {"logits": soft[..., :0], "target": MASKS[..., :0], "distance": contour[..., :0]}
    return {
        **{
            f"soft, {name}": {"logits": soft, "target": MASKS, "distance": d} for name, d in MAPS.items()
        },
        **{
            f"hard, {name}": {"logits": hard, "target": MASKS, "distance": d} for name, d in MAPS.items()
        },
        **{
            f"smooth {s}": {"logits": soft, "target": MASKS, "distance": contour, "smooth": s}
            for s in (0.0, 1e-5, 40.0)
        },
        "one voxel": {**one_voxel, "distance": MAPS["penalty"][:, 0, 0]},
        **{f"no voxels, smooth {s}": {**no_voxels, "smooth": s} for s in (0.0, 1.0)},
        "perfect, not smooth": {
            "logits": np.stack([-perfect, perfect], axis=1),
            "target": MASKS[:2],
            "distance": contour[:2],
            "smooth": 0.0,
        },
    }


def folded(logits: Array, map_name: str) -> Arguments:
    """In the layout of the kernels."""
    return {
        "logits": logits.reshape(*logits.shape[:2], -1),
        "target": MASKS.reshape(len(MASKS), -1),
        "distance": MAPS[map_name].reshape(len(MASKS), -1),
    }


X = ("logits",)

DISTANCE_DICE = LossTruth(
    name="distance_dice",
    oracle=boundary.distance_dice,
    items=boundary.distance_dice_items,
    definition=exact.boundary.distance_dice,
    cases=distance_dice_cases(),
    nothing={
        "no samples": (
            {
                "logits": np.zeros((0, 2, 3)),
                "target": np.zeros((0, 3), int),
                "distance": np.zeros((0, 3)),
            },
            (0,),
        ),
    },
    gradients={
        "soft": Gradient(arguments=folded(two_class_logits(hard=False), "penalty"), along=X),
        "hard": Gradient(arguments=folded(two_class_logits(hard=True), "any distance"), along=X),
        "no smooth": Gradient(
            arguments={
                **folded(two_class_logits(hard=False), "distance to the contour"),
                "smooth": 0.0,
            },
            along=X,
        ),
    },
    accepted={
        "logits": np.zeros((2, 2, 3)),
        "target": np.zeros((2, 3), int),
        "distance": np.zeros((2, 3)),
    },
    bad_values={
        "logits": [
            np.zeros(2),
            np.zeros((2, 3, 3)),
            np.zeros((2, 1, 3)),
            *(np.full((2, 2, 3), bad) for bad in (NAN, INF, -INF)),
        ],
        "target": [
            np.zeros((2, 1, 3), int),
            np.zeros((1, 3), int),
            *(np.full((2, 3), b) for b in (-1, 2)),
        ],
        "distance": [
            np.zeros((2, 1, 3)),
            np.zeros((2, 1)),
            *(np.full((2, 3), bad) for bad in (-1e-9, NAN, INF)),
        ],
        "smooth": [-1e-9, INF, NAN],
    },
    wrong_types={
        "logits": [np.zeros((2, 2, 3), complex)],
        "target": [np.zeros((2, 3))],
        "distance": [np.zeros((2, 3), complex)],
    },
)


def weighted_cases() -> dict[str, Arguments]:
    generator, shape = random(14), (len(MASKS), 3, *MASKS.shape[1:])
    target = generator.integers(0, 3, MASKS.shape)
    soft, hard = generator.normal(0, 3, shape), generator.choice(LOGITS, shape)
    is_next = np.arange(3)[:, None, None] == (target[:, None] + 1) % 3
    impossible = np.where(is_next, -INF, soft)
    contour = MAPS["distance to the contour"]
    return {
        **{
            f"soft, {name}": {"logits": soft, "target": target, "distance": d}
            for name, d in MAPS.items()
        },
        **{
            f"hard, {name}": {"logits": hard, "target": target, "distance": d}
            for name, d in MAPS.items()
        },
        "impossible classes": {"logits": impossible, "target": target, "distance": contour},
        "one class": {"logits": hard[:, :1], "target": 0 * target, "distance": contour},
        "one voxel": {
            "logits": soft[..., 0, 0],
            "target": target[:, 0, 0],
            "distance": contour[:, 1, 1],
        },
    }


DISTANCE_WEIGHTED_CE = LossTruth(
    name="distance_weighted_ce",
    oracle=boundary.distance_weighted_ce,
    items=boundary.distance_weighted_ce_items,
    definition=exact.boundary.distance_weighted_ce,
    # The distance multiplies the rounding of the logarithm.
    condition=lambda arguments: 1 + float(np.max(arguments["distance"])),
    cases=weighted_cases(),
    nothing={
        "no items": (
            {"logits": np.zeros((0, 3)), "target": np.zeros(0, int), "distance": np.zeros(0)},
            (0,),
        ),
        "no voxels": (
            {
                "logits": np.zeros((2, 3, 0)),
                "target": np.zeros((2, 0), int),
                "distance": np.zeros((2, 0)),
            },
            (2, 0),
        ),
    },
    gradients={
        name: Gradient(arguments=folded(two_class_logits(hard), map_name), along=X, condition=condition)
        for name, hard, map_name, condition in [
            ("soft", False, "penalty", 2),
            ("hard", True, "distance to the contour", 5),
        ]
    },
    accepted={"logits": np.zeros((2, 3)), "target": np.array([0, 2]), "distance": np.zeros(2)},
    bad_values={
        "logits": [
            np.zeros(2),
            np.zeros((2, 0)),
            [[0.0, 0.0, NAN], [0.0, 0.0, 0.0]],
            [[0.0, 0.0, INF], [0.0, 0.0, 0.0]],
            [[-INF, 0.0, 0.0], [0.0, 0.0, 0.0]],
        ],
        "target": [np.zeros((2, 1), int), np.zeros(3, int), [0, 3], [-1, 0], [-100, 0]],
        "distance": [np.zeros((2, 1)), np.zeros(1), [-1e-9, 0.0], [NAN, 0.0], [INF, 0.0]],
    },
    wrong_types={
        "logits": [np.zeros((2, 3), complex)],
        "target": [np.zeros(2), np.zeros(2, bool)],
        "distance": [np.zeros(2, complex), ["a", "b"]],
    },
)


def hausdorff_cases() -> dict[str, Arguments]:
    generator = random(15)
    soft = generator.uniform(0, 1, MASKS.shape)
    maps = {
        "probs_distance": contour_distance(soft > 0.5),
        "target_distance": contour_distance(MASKS),
    }
    any_maps = {"probs_distance": MAPS["any distance"], "target_distance": MAPS["far"]}
    target = MASKS * 1.0
    powers = (1e-3, 0.5, 1.0, 2.0, 3.0, 8.0)
    return {
        "defaults": {"probs": soft, "target": target, **maps},
        **{f"power {a}": {"probs": soft, "target": target, **maps, "power": a} for a in powers},
        **{f"any, power {a}": {"probs": soft, "target": target, **any_maps, "power": a} for a in powers},
        "hard": {"probs": generator.choice([0.0, 1.0], MASKS.shape), "target": target, **any_maps},
        "soft target": {"probs": target, "target": soft, **maps},
        "equal": {"probs": soft, "target": soft, **any_maps},
        "one number": {
            "probs": np.array(0.25),
            "target": np.array(1.0),
            "probs_distance": np.array(2.0),
            "target_distance": np.array(0.5),
        },
    }


HAUSDORFF_DT = LossTruth(
    name="hausdorff_dt",
    oracle=boundary.hausdorff_dt,
    items=boundary.hausdorff_dt_items,
    definition=exact.boundary.hausdorff_dt,
    cases=hausdorff_cases(),
    nothing={
        "no items": (
            dict.fromkeys(("probs", "target", "probs_distance", "target_distance"), np.zeros((0, 3))),
            (0, 3),
        ),
        # (p - g)² is 0, and far^a has no end
        "equal, far": (
            {
                "probs": np.full(3, 0.25),
                "target": np.full(3, 0.25),
                "probs_distance": np.full(3, 1e9),
                "target_distance": np.ones(3),
                "power": 1e4,
            },
            (3,),
        ),
    },
    gradients={
        name: Gradient(arguments=hausdorff_cases()[name], along=("probs",))
        for name in ("defaults", "power 0.5", "hard", "equal")
    },
    accepted=dict.fromkeys(("probs", "target", "probs_distance", "target_distance"), np.zeros(3)),
    bad_values={
        "probs": [[0, 0, bad] for bad in (-1e-9, 1.001, NAN)],
        "target": [np.zeros((3, 1)), np.zeros(1), *([0, 0, bad] for bad in (-1e-9, 1.001, NAN))],
        "probs_distance": [np.zeros((3, 1)), np.zeros(1), *([0, 0, bad] for bad in (-1e-9, INF, NAN))],
        "target_distance": [np.zeros((3, 1)), np.zeros(1), *([0, 0, bad] for bad in (-1e-9, INF, NAN))],
        "power": [0.0, -1.0, INF, NAN],
    },
    wrong_types={
        **{
            name: [np.zeros(3, complex)]
            for name in ("probs", "target", "probs_distance", "target_distance")
        },
        "power": ["2", True, None],
    },
)

TRUTHS: tuple[KernelTruth, ...] = (DISTANCE_DICE, DISTANCE_WEIGHTED_CE, HAUSDORFF_DT)
