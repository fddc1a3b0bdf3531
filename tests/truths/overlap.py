"""What holds for the oracles of the overlap losses."""

import exact.overlap
import numpy as np

from oracles import overlap
from truths import EMPTY, HARD, INF, LOGITS, NAN, Arguments, Gradient, KernelTruth, LossTruth, random

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


def dice_cases() -> dict[str, Arguments]:
    cases = overlap_cases()
    squared = {f"{name}, squared": {**case, "squared": True} for name, case in cases.items()}
    return {**cases, **squared}


DICE = LossTruth(
    name="dice",
    oracle=overlap.dice,
    items=overlap.dice_items,
    definition=exact.overlap.dice,
    cases=dice_cases(),
    nothing={
        "no samples": ({"probs": EMPTY, "target": EMPTY}, (0, 3)),
        "only background": (
            {"probs": [[1.0]], "target": [[0.0]], "include_background": False},
            (1, 0),
        ),
    },
    gradients={
        "soft": Gradient(arguments=REGIONS, along=PROBS),
        "squared, no smooth": Gradient(
            arguments={**REGIONS, "squared": True, "smooth": 0.0}, along=PROBS
        ),
        "sigmoid": Gradient(arguments=MASKS, along=PROBS),
        "softmax, batch": Gradient(arguments={**REGIONS, **COUPLED}, along=PROBS),
    },
    kernel_cases={"defaults": overlap_cases()["hard"]},
    accepted={"probs": np.zeros((2, 3, 4)), "target": np.zeros((2, 3, 4))},
    bad_values={
        "probs": [
            np.zeros(3),
            np.full((2, 3, 4), NAN),
            *(np.full((2, 3, 4), bad) for bad in (-1e-9, 1.001)),
        ],
        "target": [np.zeros((2, 3)), *(np.full((2, 3, 4), bad) for bad in (NAN, -1e-9, 1.001))],
        "smooth": [-1e-9, INF, NAN],
        "activation": ["relu", None, ""],
    },
    wrong_types={"probs": [np.zeros((2, 3, 4), complex)], "target": [np.zeros((2, 3, 4), object)]},
    bad_together=[({"probs": np.full((2, 3, 4), INF), "activation": "sigmoid"}, "probs")],
)

UNEQUAL = {"alpha": 0.3, "beta": 0.8}

TVERSKY = KernelTruth(
    name="tversky",
    items=overlap.tversky_items,
    definition=exact.overlap.tversky,
    gradients={
        "soft": Gradient(arguments={**REGIONS, **UNEQUAL}, along=PROBS),
        "sigmoid": Gradient(arguments={**MASKS, **UNEQUAL}, along=PROBS),
        "softmax, batch": Gradient(arguments={**REGIONS, **UNEQUAL, **COUPLED}, along=PROBS),
    },
    kernel_cases={
        "defaults": overlap_cases()["hard"],
        **{
            case: {**arguments, "alpha": 0.3, "beta": 0.9}
            for case, arguments in overlap_cases().items()
            if arguments["probs"].ndim == 3
        },
    },
)

TRUTHS: tuple[KernelTruth, ...] = (DICE, TVERSKY)
