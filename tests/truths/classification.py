"""What holds for the oracles of the classification losses."""

import exact.classification
import numpy as np
from exact import Array

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


LOGITS_AND_TARGETS = {
    "logits": LOGITS,
    "target": random(7).choice([0.0, 1.0, 0.3, 0.99], len(LOGITS)),
}

BAD_PAIRS = {
    "logits": [[0.0, NAN, 0.0], [-INF, 0.0, 0.0]],
    "target": [np.zeros((3, 1)), np.zeros(1), [0, 0, 1.001], [-1e-9, 0, 0], [NAN, 0, 0]],
}
PAIR_TYPES = {"logits": [np.zeros(3, complex)], "target": [np.zeros(3, object)]}


BINARY_CROSS_ENTROPY = LossTruth(
    name="binary_cross_entropy",
    oracle=classification.binary_cross_entropy,
    items=classification.binary_cross_entropy_items,
    definition=exact.classification.binary_cross_entropy,
    cases={
        "hard": elementwise([0.0, 1.0]),
        "soft": elementwise([0.3, 0.5, 1e-9, 1 - 2.0**-53]),
        "heavy positives": {**elementwise([0.0, 0.3, 1.0]), "pos_weight": 64.0},
        "light positives": {**elementwise([0.0, 0.3, 1.0]), "pos_weight": 0.3},
    },
    nothing={"no items": ({"logits": EMPTY, "target": EMPTY}, (0, 3))},
    gradients={
        f"pos_weight {weight}": Gradient(
            arguments={**LOGITS_AND_TARGETS, "pos_weight": weight}, along=("logits",)
        )
        for weight in (1.0, 2.5)
    },
    kernel_cases={"defaults": elementwise([0.3])},
    accepted={"logits": np.zeros(3), "target": np.zeros(3)},
    bad_values={**BAD_PAIRS, "pos_weight": [0.0, -1.0, INF, NAN]},
    wrong_types={**PAIR_TYPES, "pos_weight": ["1", None, np.ones(1)]},
)


PROBS = np.array([0.0, 1.0, 0.5, 0.3, 1e-9, 1e-6, 1 - 1e-6, 1 - 2.0**-53, 1e-43, 1e-44, 1e-300])
INNER_PROBS = np.array([1e-6, 0.01, 0.3, 0.5, 0.75, 0.999, 1 - 1e-6])


def every_pair(probs: Array, targets: list[float]) -> dict[str, Array]:
    """Every probability with every target."""
    probs, target = np.meshgrid(probs, targets)
    return {"probs": probs, "target": target}


LOG_LOSS = LossTruth(
    name="log_loss",
    oracle=classification.log_loss,
    items=classification.log_loss_items,
    definition=exact.classification.log_loss,
    cases={
        "hard": every_pair(PROBS, [0.0, 1.0]),
        "soft": every_pair(PROBS, [0.3, 0.5, 1e-9, 1 - 2.0**-53]),
    },
    nothing={"no items": ({"probs": EMPTY, "target": EMPTY}, (0, 3))},
    # A slope of 1/p is compared relative to 1/p.
    gradients={
        f"p = {p}": Gradient(
            arguments={"probs": np.full(4, p), "target": np.array([0.0, 1.0, 0.3, 0.99])},
            along=("probs",),
            size=min(p, 1 - p),
        )
        for p in INNER_PROBS
    },
    kernel_cases={"defaults": every_pair(PROBS, [0.3])},
    accepted={"probs": np.zeros(3), "target": np.zeros(3)},
    bad_values={
        "probs": [[0, 0, 1.001], [-1e-9, 0, 0], [NAN, 0, 0]],
        "target": BAD_PAIRS["target"],
    },
    wrong_types={"probs": [np.zeros(3, complex)], "target": PAIR_TYPES["target"]},
)

BALANCED_CROSS_ENTROPY = LossTruth(
    name="balanced_cross_entropy",
    oracle=classification.balanced_cross_entropy,
    items=classification.balanced_cross_entropy_items,
    definition=exact.classification.balanced_cross_entropy,
    cases={
        "of the batch": elementwise([0.0, 0.2, 1.0]),
        "all negative": elementwise([0.0]),
        "all positive": elementwise([1.0]),
        "rare negatives": elementwise([1.0, 1.0, 1 - 1e-9]),
        **{
            f"beta {beta}": {**elementwise([0.0, 0.3, 1e-9, 1 - 2.0**-53, 1.0]), "beta": beta}
            for beta in (0.0, 0.3, 0.5, 1.0)
        },
    },
    nothing={"no items": ({"logits": EMPTY, "target": EMPTY}, (0, 3))},
    gradients={
        f"beta {beta}": Gradient(arguments={**LOGITS_AND_TARGETS, "beta": beta}, along=("logits",))
        for beta in (None, 0.3)
    },
    kernel_cases={"defaults": LOGITS_AND_TARGETS},
    accepted={"logits": np.zeros(3), "target": np.zeros(3)},
    bad_values={**BAD_PAIRS, "beta": [-1e-9, 1.001, NAN]},
    wrong_types={**PAIR_TYPES, "beta": ["1", np.ones(1)]},
)


def softmax_focal_cases() -> dict[str, Arguments]:
    tables = cross_entropy_cases()
    soft, far, alpha = tables["soft"], tables["hard"], tables["weighted"]["weight"]
    near = np.abs(far["logits"]).max(axis=1) < 999  # far rows cost mpmath ten thousand digits
    hard = {"logits": far["logits"][near], "target": far["target"][near]}
    few = {"logits": far["logits"][:4], "target": far["target"][:4]}
    settings = [(0.0, 0.0), (0.25, 0.0), (5.0, 0.0), (20.0, 0.0), (2.0, 0.1), (0.5, 0.3), (2.0, 1e-9)]
    grids = {
        f"{name}, gamma {gamma}, smoothing {s}": {**table, "gamma": gamma, "smoothing": s}
        for name, table in (("soft", soft), ("hard", hard))
        for gamma, s in settings
    }
    impossible, ignored = (
        {"logits": tables[name]["logits"][:4], "target": tables[name]["target"][:4]}
        for name in ("impossible classes", "ignored")
    )
    return {
        "defaults": soft,
        "shifted far": tables["shifted far"],
        "far": few,
        "far, gamma 0.25": {**few, "gamma": 0.25},
        **grids,
        "almost half smoothed": {**hard, "smoothing": 0.5 - 2.0**-40},
        "one class": {**tables["one class"], "gamma": 0.25},
        "one class smoothed": {**tables["one class"], "smoothing": 0.125},
        "alpha": {**hard, "alpha": alpha, "gamma": 0.25},
        "ignored": {**ignored, "alpha": alpha},
        "ignored class": {**soft, "ignore_index": 2, "smoothing": 0.125},
        "impossible classes": {**impossible, "gamma": 0.5},
        "impossible classes smoothed": {**impossible, "smoothing": 0.25},
        "spatial": tables["spatial"],
    }


def softmax_focal_gradients() -> dict[str, Gradient]:
    plain, far, ignored = (case.arguments for case in cross_entropy_gradients().values())
    hard = {**far, "logits": np.clip(far["logits"], -180, 180)}
    one = {"logits": np.array([[[1e4], [-20.0], [17.0], [0.3]]]), "target": np.array([[0]])}
    holes = {"logits": ignored["logits"], "target": ignored["target"], "alpha": ignored["weight"]}
    calls = {
        "defaults": plain,
        "hard": hard,
        "far, gamma 0.25": {**one, "gamma": 0.25},
        "hard, gamma 0.25": {**hard, "gamma": 0.25},
        "hard, gamma 0": {**hard, "gamma": 0.0},
        "hard, smoothed": {**hard, "gamma": 0.5, "smoothing": 0.125},
        "gamma 20": {**plain, "gamma": 20.0},
    }
    table = {name: Gradient(arguments=call, along=("logits",)) for name, call in calls.items()}
    return {**table, "ignored": Gradient(arguments=holes, along=("logits",), condition=3)}


SOFTMAX_FOCAL = LossTruth(
    name="softmax_focal",
    oracle=classification.softmax_focal,
    items=classification.softmax_focal_items,
    definition=exact.classification.softmax_focal,
    # A class weight multiplies the rounding of its logarithm.
    condition=lambda arguments: max(1.0, float(np.max(arguments.get("alpha", 0.0)))),
    divisor=exact.classification.softmax_focal_divisor,
    cases=softmax_focal_cases(),
    nothing={
        "no items": ({"logits": EMPTY, "target": NO_LABELS}, (0,)),
        "all ignored": ({"logits": np.full((2, 3), NAN), "target": np.array([-100, -100])}, (2,)),
        "weights of 0": ({"logits": np.eye(2), "target": [1, 1], "alpha": [1.0, 0.0]}, (2,)),
    },
    gradients=softmax_focal_gradients(),
    accepted={"logits": np.zeros((2, 3)), "target": np.array([0, 2])},
    bad_values={
        "logits": CROSS_ENTROPY.bad_values["logits"],
        "target": CROSS_ENTROPY.bad_values["target"],
        "alpha": CROSS_ENTROPY.bad_values["weight"],
        "gamma": [-1e-9, INF, NAN],
        "smoothing": [-1e-9, 0.5, NAN],
    },
    wrong_types={
        "logits": CROSS_ENTROPY.wrong_types["logits"],
        "target": CROSS_ENTROPY.wrong_types["target"],
        "alpha": CROSS_ENTROPY.wrong_types["weight"],
        "gamma": ["2"],
        "smoothing": [None],
    },
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
    bad_values={**BAD_PAIRS, "gamma": [-1e-9, INF, NAN], "alpha": [-1e-9, 1.001, NAN]},
    wrong_types=PAIR_TYPES,
)

TRUTHS: tuple[KernelTruth, ...] = (
    CROSS_ENTROPY,
    BINARY_CROSS_ENTROPY,
    LOG_LOSS,
    BALANCED_CROSS_ENTROPY,
    SOFTMAX_FOCAL,
    SIGMOID_FOCAL,
)
