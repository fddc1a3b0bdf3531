"""What holds for the oracles of the losses of boxes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import exact.boxes
import numpy as np
from exact import Array

from oracles import boxes
from truths import INF, NAN, Arguments, Gradient, KernelTruth, LossTruth, random


def box_cases() -> dict[str, Arguments]:
    generator = random(3)
    low = generator.normal(size=(2, 12, 2))
    anywhere = np.concatenate([low, low + generator.uniform(0.5, 4, low.shape)], axis=-1)
    first, second = anywhere
    one, point, line = [0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 0.5, 0.25], [0.0, 0.5, 2.0, 0.5]
    pole = [1.0, -1.0, 1.0, 3.0]
    pairs = {
        "overlapping or apart": (first, second),
        "identical": (first, first),
        "touching": ([one, one, one], [[1, 0, 2, 1], [1, 1, 3, 2], [0.2, 1, 0.4, 7]]),
        "nested": ([one, first[0]], [[0.1, 0.2, 0.3, 0.7], first[0] + [-0.1, -0.3, 0.2, 0.7]]),
        "no area": ([point, point, line, line, one, point], [point, line, line, point, line, one]),
        "crossed lines": ([line, pole, pole, pole], [pole, line, one, point]),
        "apart, no area": ([point, line, one], [[3, 4, 3, 4], [0, 3, 2, 3], [5, 5, 5, 9]]),
        "far": (first + 1e6, second + 1e6),
        "far apart": (first, second + 1e6),
        "tiny": (first * 1e-6, second * 1e-6),
        "tiny and far": (first * 1e-6 + 1.0, second * 1e-6 + 1.0),
        "tiny against large": (first * 1e-6, second * 1e6),
        "long against wide": ([[0, 0, 1e-7, 3], [0, 0, 1e-7, 3]], [[0, 0, 4, 1e-6], [0, 0, 1e-6, 7]]),
        "nearly identical": (first, first + 1e-9 * second),
    }
    return {
        name: {"boxes1": np.array(pair[0], float), "boxes2": np.array(pair[1], float)}
        for name, pair in pairs.items()
    }


BOXES = ("boxes1", "boxes2")


def box_gradients() -> dict[str, Gradient]:
    cases = box_cases()
    sizes = {"overlapping or apart": 1.0, "far": 1.0, "nested": 1.0, "tiny": 1e-6, "tiny and far": 1e-6}
    return {
        case: Gradient(arguments=cases[case], along=BOXES, size=size) for case, size in sizes.items()
    }


def ciou_gradients() -> dict[str, Gradient]:
    """Slopes with α held where it is."""
    return {
        case: replace(
            gradient,
            definition=partial(exact.boxes.ciou, alpha=exact.boxes.ciou_alpha(**gradient.arguments)),
        )
        for case, gradient in box_gradients().items()
    }


def box_truth(
    name: str,
    oracle: Callable[..., Array],
    items: Callable[..., Array],
    definition: Callable[..., Array],
) -> LossTruth:
    """What holds for all four: the same boxes, the same refusals."""
    return LossTruth(
        name=name,
        oracle=oracle,
        items=items,
        definition=definition,
        cases=box_cases(),
        nothing={"no pairs": ({"boxes1": np.zeros((0, 4)), "boxes2": np.zeros((0, 4))}, (0,))},
        gradients=box_gradients(),
        accepted={"boxes1": np.zeros((2, 4)), "boxes2": np.zeros((2, 4))},
        bad_values={
            name: [
                np.zeros(4),
                np.zeros((2, 5)),
                np.zeros((1, 2, 4)),
                [[0.0, 0.0, NAN, 0.0], [0.0, 0.0, 0.0, 0.0]],
                [[0.0, 0.0, INF, 0.0], [0.0, 0.0, 0.0, 0.0]],
                [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.999, 0.0]],
                [[0.0, 1.0, 0.0, 0.999], [0.0, 0.0, 0.0, 0.0]],
            ]
            for name in BOXES
        },
        wrong_types={"boxes1": [np.zeros((2, 4), complex)], "boxes2": [np.zeros((2, 4), object)]},
        bad_together=[({"boxes2": np.zeros((1, 4))}, "boxes2")],
    )


TRUTHS: tuple[KernelTruth, ...] = (
    box_truth("iou", boxes.iou, boxes.iou_items, exact.boxes.iou),
    box_truth("giou", boxes.giou, boxes.giou_items, exact.boxes.giou),
    box_truth("diou", boxes.diou, boxes.diou_items, exact.boxes.diou),
    replace(
        box_truth("ciou", boxes.ciou, boxes.ciou_items, exact.boxes.ciou), gradients=ciou_gradients()
    ),
)
