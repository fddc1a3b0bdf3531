"""What holds for the oracles of the classification losses."""

import exact.classification
import numpy as np

from oracles import classification
from truths import (
    EMPTY,
    HARD,
    INF,
    LOGITS,
    NAN,
    NO_LABELS,
    Arguments,
    Gradient,
    KernelTruth,
    LossTruth,
    elementwise,
    random,
)


def cross_entropy_cases() -> dict[str, Arguments]:
    generator = random(1)
    labels = generator.integers(0, 4, 24)
    hard = generator.choice(np.concatenate([HARD, -HARD]), (24, 4))
    hard += generator.normal(size=hard.shape)
    soft = {"logits": generator.normal(0, 3, (24, 4)), "target": labels}
    weight = np.array([0.3, 0.0, 1.7, 3.0])
    ignored = np.where(np.arange(24) % 3 == 0, -100, labels)
    holes = np.where(ignored[:, None] == -100, np.resize([[np.nan], [np.inf]], (24, 1)), hard)
    impossible = np.where(np.arange(4) == (labels[:, None] + 1) % 4, -np.inf, hard)
    spatial = generator.normal(0, 9, (2, 4, 2, 2))
    three = {"logits": soft["logits"][:3], "target": np.ones(3, int)}
    return {
        "soft": soft,
        "hard": {"logits": hard, "target": labels},
        "shifted far": {"logits": soft["logits"] - 1e4, "target": labels},
        "one class": {"logits": hard[:, :1], "target": np.zeros(24, int)},
        "weighted": {"logits": hard, "target": labels, "weight": weight},
        "smoothed": {"logits": hard, "target": labels, "label_smoothing": 0.1},
        "smoothed and weighted": {**soft, "weight": weight, "label_smoothing": 0.3},
        "wholly smoothed": {"logits": hard, "target": labels, "label_smoothing": 1.0},
        "ignored": {"logits": holes, "target": ignored, "weight": weight},
        "ignored class": {**soft, "weight": weight, "ignore_index": 2},
        "impossible classes": {"logits": impossible, "target": labels},
        "spatial": {"logits": spatial, "target": labels[:8].reshape(2, 2, 2)},
        "smoothed, target weightless": {**three, "weight": weight, "label_smoothing": 0.1},
    }


def cross_entropy_gradients() -> dict[str, Gradient]:
    generator = random(6)
    logits, hard = generator.normal(0, 3, (3, 4, 2)), generator.choice(LOGITS, (3, 4, 2))
    target = generator.integers(0, 4, (3, 2))
    holes = {"logits": logits, "target": np.where(np.eye(3, 2) == 1, -100, target)}
    weighted = {"weight": np.array([0.5, 0.0, 1.75, 3.0]), "label_smoothing": 0.25}
    x = ("logits",)
    return {
        "plain": Gradient(arguments={"logits": logits, "target": target}, along=x),
        "hard": Gradient(arguments={"logits": hard, "target": target}, along=x),
        "ignored": Gradient(arguments={**holes, **weighted}, along=x, condition=3),
    }


CROSS_ENTROPY = LossTruth(
    name="cross_entropy",
    oracle=classification.cross_entropy,
    items=classification.cross_entropy_items,
    definition=exact.classification.cross_entropy,
    # A class weight multiplies the rounding of its logarithm.
    condition=lambda arguments: max(1.0, float(np.max(arguments.get("weight", 0.0)))),
    divisor=exact.classification.cross_entropy_divisor,
    cases=cross_entropy_cases(),
    nothing={
        "no items": ({"logits": EMPTY, "target": NO_LABELS}, (0,)),
        "all ignored": ({"logits": np.full((2, 3), NAN), "target": np.array([-100, -100])}, (2,)),
        "weights of 0": (
            {"logits": np.eye(2), "target": np.array([1, 1]), "weight": [1.0, 0.0]},
            (2,),
        ),
    },
    gradients=cross_entropy_gradients(),
    accepted={"logits": np.zeros((2, 3)), "target": np.array([0, 2])},
    bad_values={
        "logits": [
            np.zeros(2),
            np.zeros((2, 0)),
            [[0.0, 0.0, NAN], [0.0, 0.0, 0.0]],
            [[0.0, 0.0, INF], [0.0, 0.0, 0.0]],
            [[-INF, 0.0, 0.0], [0.0, 0.0, 0.0]],
        ],
        "target": [np.zeros((2, 1), int), np.zeros(3, int), [0, 3], [-1, 0]],
        "weight": [np.ones(2), np.ones((3, 1)), [1, -1e-9, 1], [1, NAN, 1], [INF, 1, 1]],
        "label_smoothing": [-1e-9, 1.001, NAN],
    },
    wrong_types={
        "logits": [np.zeros((2, 3), complex), [["a", "b", "c"]]],
        "target": [np.zeros(2), np.zeros(2, bool), ["a", "b"]],
        "weight": [np.ones(3, complex)],
    },
    bad_together=[
        ({"logits": [[-INF, 0.0], [0.0, 0.0]], "target": [1, 1], "label_smoothing": 0.1}, "logits")
    ],
)


def sigmoid_focal_cases() -> dict[str, Arguments]:
    grids = {
        "hard": elementwise([0.0, 1.0]),
        "soft": elementwise([0.3, 0.5, 1e-9, 1 - 2.0**-53]),
    }
    pairs = [(0.0, None), (0.25, 0.25), (2.0, 0.9), (2.0, 0.0), (2.0, 1.0), (20.0, None)]
    cases = {
        f"{name}, gamma {gamma}, alpha {alpha}": {**grid, "gamma": gamma, "alpha": alpha}
        for name, grid in grids.items()
        for gamma, alpha in pairs
    }
    return {"defaults": elementwise([0.0, 0.2, 1.0]), **cases}


LOGITS_AND_TARGETS = {
    "logits": LOGITS,
    "target": random(7).choice([0.0, 1.0, 0.3, 0.99], len(LOGITS)),
}

SIGMOID_FOCAL = LossTruth(
    name="sigmoid_focal",
    oracle=classification.sigmoid_focal,
    items=classification.sigmoid_focal_items,
    definition=exact.classification.sigmoid_focal,
    cases=sigmoid_focal_cases(),
    nothing={"no items": ({"logits": EMPTY, "target": EMPTY}, (0, 3))},
    gradients={
        f"gamma {gamma}, alpha {alpha}": Gradient(
            arguments={**LOGITS_AND_TARGETS, "gamma": gamma, "alpha": alpha}, along=("logits",)
        )
        for gamma, alpha in [(0.0, 0.25), (0.25, None), (2.0, 0.25), (20.0, None)]
    },
    kernel_cases={"defaults": elementwise([0.3])},
    accepted={"logits": np.zeros(3), "target": np.zeros(3)},
    bad_values={
        "logits": [[0.0, NAN, 0.0], [-INF, 0.0, 0.0]],
        "target": [np.zeros((3, 1)), np.zeros(1), [0, 0, 1.001], [-1e-9, 0, 0], [NAN, 0, 0]],
        "gamma": [-1e-9, INF, NAN],
        "alpha": [-1e-9, 1.001, NAN],
    },
    wrong_types={"logits": [np.zeros(3, complex)], "target": [np.zeros(3, object)]},
)

BINARY_CROSS_ENTROPY = KernelTruth(
    name="binary_cross_entropy",
    items=classification.binary_cross_entropy_items,
    definition=exact.classification.binary_cross_entropy,
    gradients={
        "weighted": Gradient(arguments={**LOGITS_AND_TARGETS, "pos_weight": 2.5}, along=("logits",))
    },
    kernel_cases={
        "hard": elementwise([0.0, 1.0]),
        "soft": {**elementwise([0.3, 1e-9]), "pos_weight": 0.3},
    },
)

TRUTHS: tuple[KernelTruth, ...] = (CROSS_ENTROPY, SIGMOID_FOCAL, BINARY_CROSS_ENTROPY)
