"""What holds for the oracles of the regression losses."""

import exact.regression
import numpy as np

from oracles import regression
from truths import EMPTY, INF, NAN, Arguments, Gradient, KernelTruth, LossTruth, random


def mse_cases() -> dict[str, Arguments]:
    generator = random(2)
    close = generator.normal(size=9)
    return {
        "moderate": {"input": generator.normal(size=(3, 4)), "target": np.ones((3, 4))},
        "close": {"input": 1e8 + close, "target": 1e8 - close},
        "far": {"input": 1e9 * close, "target": -close},
        "equal": {"input": close, "target": close},
        "scalar": {"input": 0.1, "target": 0.3},
    }


MSE = LossTruth(
    name="mse",
    oracle=regression.mse,
    items=regression.mse_items,
    definition=exact.regression.mse,
    cases=mse_cases(),
    nothing={"no items": ({"input": EMPTY, "target": EMPTY}, (0, 3))},
    gradients={"moderate": Gradient(arguments=mse_cases()["moderate"], along=("input", "target"))},
    accepted={"input": np.zeros(3), "target": np.zeros(3)},
    bad_values={
        "input": [[NAN, 0.0, 0.0], [0.0, 0.0, INF]],
        "target": [np.zeros((3, 1)), np.zeros(1), [NAN, 0.0, 0.0], [0.0, 0.0, -INF]],
    },
    wrong_types={"input": [np.zeros(3, complex)], "target": [["a", "b", "c"]]},
)

TRUTHS: tuple[KernelTruth, ...] = (MSE,)
