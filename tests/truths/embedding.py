"""What holds for the oracles of the embedding losses."""

import exact.embedding
import numpy as np

from oracles import embedding
from truths import EMPTY, INF, NAN, NO_LABELS, Arguments, Gradient, KernelTruth, LossTruth, random


def center_cases() -> dict[str, Arguments]:
    generator = random(9)
    features, centers = generator.normal(size=(6, 4)), generator.normal(size=(5, 4))
    label = np.array([0, 4, 1, 3, 3, 3])
    anywhere = {"features": features, "label": label, "centers": centers}
    return {
        "anywhere": anywhere,
        "balanced": {**anywhere, "balanced": True},
        **{f"scale {s}": {**anywhere, "scale": s, "balanced": s > 1} for s in (0.0, 0.003, 7.0)},
        "at the centres": {**anywhere, "features": centers[label]},
        "near the centres": {**anywhere, "features": centers[label] * (1 + 1e-9)},
        "far from 0": {**anywhere, "features": features + 1e6, "centers": centers + 1e6},
        "far apart": {**anywhere, "features": features * 1e15, "balanced": True},
        "tiny": {**anywhere, "features": features * 1e-20, "centers": centers * 1e-20},
        "one class": {**anywhere, "label": 0 * label, "centers": centers[:1], "balanced": True},
    }


def center_gradients() -> dict[str, Gradient]:
    cases, rows = center_cases(), ("features", "centers")
    return {case: Gradient(arguments=cases[case], along=rows) for case in ("anywhere", "balanced")}


CENTER = LossTruth(
    name="center",
    oracle=embedding.center,
    items=embedding.center_items,
    definition=exact.embedding.center,
    cases=center_cases(),
    nothing={
        "no features": ({"features": EMPTY, "label": NO_LABELS, "centers": np.eye(3)}, (0,)),
        "no features, balanced": (
            {"features": EMPTY, "label": NO_LABELS, "centers": np.eye(3), "balanced": True},
            (0,),
        ),
    },
    gradients=center_gradients(),
    accepted={"features": np.eye(3), "label": np.array([0, 1, 1]), "centers": np.ones((2, 3))},
    bad_values={
        "features": [np.zeros(3), np.zeros((3, 3, 1)), [[NAN] * 3] * 3, [[INF] * 3] * 3],
        "label": [np.zeros((3, 1), int), np.zeros(2, int), [0, 0, 2], [0, -1, 0]],
        "centers": [
            np.ones(3),
            np.ones((0, 3)),
            np.ones((2, 4)),
            [[0, NAN, 0]] * 2,
            [[1, -INF, 1]] * 2,
        ],
        "scale": [-1e-9, INF, NAN],
    },
    wrong_types={
        "features": [np.zeros((3, 3), complex)],
        "label": [np.zeros(3), np.zeros(3, bool)],
        "centers": [np.ones((2, 3), object)],
        "scale": ["1", True],
    },
)


def turned(angles: list[float]) -> Arguments:
    """A feature at each angle from its own class vector, and another class."""
    features = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    weight = np.array([[3.0, 0.0], [-0.2, 0.4]])
    return {"features": features, "label": np.zeros(len(angles), int), "weight": weight}


def arcface_cases() -> dict[str, Arguments]:
    generator = random(5)
    features, weight = generator.normal(size=(6, 4)), generator.normal(size=(5, 4))
    anywhere = {"features": features, "label": np.array([0, 4, 1, 2, 3, 3]), "weight": weight}
    aligned = {"features": weight * 0.3, "label": np.arange(5), "weight": weight}
    opposite = {**aligned, "features": weight * -7.0}
    edge = {
        f"at the edge of margin {margin}": {
            **turned([np.pi - margin + gap for gap in (-1e-3, -1e-12, 1e-12, 1e-3)]),
            "margin": margin,
        }
        for margin in (1e-3, 0.5, 1.5, 3.0)
    }
    zero = np.zeros((1, 4))
    nothing = {"features": np.concatenate([zero, features[1:]]), "label": anywhere["label"]}
    return {
        **{f"margin {m}": {**anywhere, "margin": m} for m in (0.0, 0.5, 1.0, 2.0, 3.0)},
        **{f"angle 0, margin {m}": {**aligned, "margin": m} for m in (0.0, 0.5, 3.0)},
        **{f"angle π, margin {m}": {**opposite, "margin": m} for m in (0.0, 0.5, 3.0)},
        "small angles": {**turned([1e-12, 1e-9, 1e-6, 1e-3]), "scale": 4.0},
        "angles near π": {**turned([np.pi - 1e-9, np.pi - 1e-5]), "scale": 4.0},
        **edge,
        "scale 1": {**anywhere, "scale": 1.0},
        "zero vectors": {**nothing, "weight": np.concatenate([weight[:-1], zero])},
        "zero vectors, margin 2": {**nothing, "weight": 0 * weight, "margin": 2.0},
        "short features": {**anywhere, "features": features * 1e-20, "weight": weight * 1e20},
        "short weights": {**anywhere, "features": features * 1e20, "weight": weight * 1e-20},
        "one class": {**turned([0.3, 2.0]), "weight": np.array([[1.0, 1.0]])},
    }


def arcface_gradients() -> dict[str, Gradient]:
    generator = random(6)
    features, weight = generator.normal(size=(3, 4)), generator.normal(size=(5, 4))
    vectors = {"features": features, "label": np.array([4, 1, 1]), "weight": weight}
    stretched = {**vectors, "features": features * 1e20, "weight": weight * 1e-20}
    small, rows = {**turned([1e-3, -1e-3]), "scale": 4.0}, ("features", "weight")
    return {
        **{
            f"margin {margin}": Gradient(
                arguments={**vectors, "margin": margin}, along=rows, condition=64
            )
            for margin in (0.0, 0.5, 2.0)
        },
        # The direction of f-w, of length θ, is rounded relative to 1 before scale 4 multiplies it.
        "small angle": Gradient(arguments=small, along=rows, condition=4e3),
        "long features": Gradient(arguments=stretched, along=("features",), size=1e20, condition=64),
        "short weights": Gradient(arguments=stretched, along=("weight",), size=1e-20, condition=64),
    }


ARCFACE = LossTruth(
    name="arcface",
    oracle=embedding.arcface,
    items=embedding.arcface_items,
    definition=exact.embedding.arcface,
    # The scale multiplies the rounding of each cosine.
    condition=lambda arguments: max(1.0, float(arguments.get("scale", 64.0))),
    cases=arcface_cases(),
    nothing={
        "no features": ({"features": EMPTY, "label": NO_LABELS, "weight": np.eye(3)}, (0,)),
    },
    gradients=arcface_gradients(),
    # The cosine of a margin that is a Python float is a float64.
    long_double_options={"margin": 0.5},
    accepted={"features": np.eye(3), "label": np.array([0, 1, 1]), "weight": np.ones((2, 3))},
    bad_values={
        "features": [np.zeros(3), np.zeros((3, 3, 1)), [[NAN] * 3] * 3, [[INF] * 3] * 3],
        "label": [np.zeros((3, 1), int), np.zeros(2, int), [0, 0, 2], [0, -1, 0]],
        "weight": [
            np.ones(3),
            np.ones((0, 3)),
            np.ones((2, 4)),
            [[0, NAN, 0]] * 2,
            [[1, -INF, 1]] * 2,
        ],
        "scale": [0.0, -1.0, INF, NAN],
        "margin": [-1e-9, np.pi, NAN],
    },
    wrong_types={
        "features": [np.zeros((3, 3), complex)],
        "label": [np.zeros(3), np.zeros(3, bool)],
        "weight": [np.ones((2, 3), object)],
    },
)

TRUTHS: tuple[KernelTruth, ...] = (CENTER, ARCFACE)
