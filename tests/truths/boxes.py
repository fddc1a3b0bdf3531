"""What holds for the oracles of the losses of boxes."""

import exact.boxes
import numpy as np

from oracles import boxes
from truths import INF, NAN, Arguments, Gradient, KernelTruth, LossTruth, random


def box_cases() -> dict[str, Arguments]:
    generator = random(3)
    low = generator.normal(size=(2, 12, 2))
    anywhere = np.concatenate([low, low + generator.uniform(0.5, 4, low.shape)], axis=-1)
    first, second = anywhere
    one, point, line = [0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 0.5, 0.25], [0.0, 0.5, 2.0, 0.5]
    pairs = {
        "overlapping or apart": (first, second),
        "identical": (first, first),
        "touching": ([one, one, one], [[1, 0, 2, 1], [1, 1, 3, 2], [0.2, 1, 0.4, 7]]),
        "nested": ([one, first[0]], [[0.1, 0.2, 0.3, 0.7], first[0] + [-0.1, -0.3, 0.2, 0.7]]),
        "no area": ([point, point, line, line, one, point], [point, line, line, point, line, one]),
        "apart, no area": ([point, line, one], [[3, 4, 3, 4], [0, 3, 2, 3], [5, 5, 5, 9]]),
        "far": (first + 1e6, second + 1e6),
        "far apart": (first, second + 1e6),
        "tiny": (first * 1e-6, second * 1e-6),
        "tiny and far": (first * 1e-6 + 1.0, second * 1e-6 + 1.0),
        "tiny against large": (first * 1e-6, second * 1e6),
    }
    return {
        name: {"boxes1": np.array(pair[0], float), "boxes2": np.array(pair[1], float)}
        for name, pair in pairs.items()
    }


BOXES = ("boxes1", "boxes2")


def box_gradient(case: str, size: float = 1.0) -> Gradient:
    return Gradient(arguments=box_cases()[case], along=BOXES, size=size)


GIOU = LossTruth(
    name="giou",
    oracle=boxes.giou,
    items=boxes.giou_items,
    definition=exact.boxes.giou,
    cases=box_cases(),
    nothing={"no pairs": ({"boxes1": np.zeros((0, 4)), "boxes2": np.zeros((0, 4))}, (0,))},
    gradients={
        **{case: box_gradient(case) for case in ("overlapping or apart", "far", "nested")},
        **{case: box_gradient(case, size=1e-6) for case in ("tiny", "tiny and far")},
    },
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

IOU = KernelTruth(
    name="iou",
    items=boxes.iou_items,
    definition=exact.boxes.iou,
    gradients={"overlapping or apart": box_gradient("overlapping or apart")},
    kernel_cases=box_cases(),
)

TRUTHS: tuple[KernelTruth, ...] = (GIOU, IOU)
