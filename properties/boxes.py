"""Domains, laws and workloads of the box losses."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles import boxes as oracle
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.trial import Measured, Trial, assume, at_least, at_most, between, equal

ARGUMENTS = (
    Argument("boxes1", "box", gradient=True, learned=True),
    Argument("boxes2", "box", gradient=True),
)


# Domain


def _upright(corners: Array) -> Array:
    """Boxes from any two opposite corners."""
    first, second = corners[..., :2], corners[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=-1)


@st.composite
def _corners(draw_: st.DrawFn, rows: int) -> Array:
    """Any two opposite corners of pairs of boxes, (2, rows, 4): on a small grid (ties, touching,
    nested, without area) or of any numbers, perhaps an identical pair among them; or without ties."""
    grid = st.integers(0, 6).map(float)
    anywhere = draw.numbers(-100.0, 100.0, smallest=2.0**-20)
    if draw_(st.sampled_from([True, False, False])):
        corners = draw_(draw.arrays((2, rows, 4), grid, anywhere))
        if draw_(st.booleans()):
            corners[1, 0] = corners[0, 0]
        return corners
    places = st.lists(st.integers(0, 9), min_size=4, max_size=4, unique=True)
    axes = draw_(st.lists(places, min_size=2 * rows, max_size=2 * rows))
    # from (row, x or y, box, corner), so that no place of an axis is taken twice in a pair
    return np.array(axes, float).reshape(rows, 2, 2, 2).transpose(2, 0, 3, 1).reshape(2, rows, 4)


@st.composite
def _pairs(draw_: st.DrawFn, far: float) -> dict[str, object]:
    """Pairs of boxes, near the origin or far from it, tiny or large."""
    boxes1, boxes2 = _upright(draw_(_corners(draw_(st.integers(1, 6)))))
    near = [(power, 0.0) for power in (0, 0, 0, 0, 0, -40, -20, -8, 7)]
    # the sides of far boxes are many rounding units, or few, or none: only the first show a gradient
    away = [(7, far), (7, -far), (0, far), (-20, -far)]
    power, offset = draw_(st.sampled_from(near + away))
    return {"boxes1": boxes1 * 2.0**power + offset, "boxes2": boxes2 * 2.0**power + offset}


def pair_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of paired boxes; far away is a million, or what half precision can hold."""
    return draw.cases(_pairs(2.0**12 if dtype == "float16" else 2.0**20), dtype)


def smooth(case: Case) -> bool:
    """Where no two coordinates of a pair tie, and both boxes have area; told apart from rounding at
    moderate sizes and near the origin."""
    boxes1, boxes2 = case["boxes1"], case["boxes2"]
    sides = [boxes[:, 2:] - boxes[:, :2] for boxes in (boxes1, boxes2)]
    crossed = np.concatenate([boxes2[:, 2:], boxes2[:, :2]], axis=1)
    gaps = [*sides, np.abs(boxes1 - boxes2), np.abs(boxes1 - crossed)]
    largest = max(np.abs(boxes).max() for boxes in (boxes1, boxes2))
    return bool(all((gap > 0.1).all() for gap in gaps) and largest < 2000)


# Laws

Change = Callable[[Array], Array]


def _unchanged_by(trial: Trial, change: Change, reverse: Change) -> None:
    """Changing all boxes leaves the items; says nothing where rounding spoils the change."""
    moved = {name: change(trial.case[name]) for name in ("boxes1", "boxes2")}
    for name, boxes in moved.items():
        assume(np.isfinite(round_to(boxes, trial.dtype)))
        assume(round_to(boxes, trial.dtype) == boxes)
        assume(reverse(boxes) == trial.case[name])
    equal(trial.value(trial.case.changed(**moved)), trial.value())


def translation(trial: Trial) -> None:
    """A joint translation changes nothing."""
    largest = max(np.abs(trial.case[name]).max() for name in ("boxes1", "boxes2"))
    step = 2.0 ** (np.frexp(largest)[1] - 2)
    offset = step * trial.case.random().integers(-2, 3, size=2)
    _unchanged_by(trial, lambda b: b + np.tile(offset, 2), lambda b: b - np.tile(offset, 2))


def scaling(trial: Trial) -> None:
    """A joint positive scaling changes nothing."""
    factor = 2.0 ** trial.case.random().choice([-3, -1, 1, 4])
    _unchanged_by(trial, lambda b: b * factor, lambda b: b / factor)


def axes_swap(trial: Trial) -> None:
    """Swapping x and y changes nothing."""
    _unchanged_by(trial, lambda b: b[:, [1, 0, 3, 2]], lambda b: b[:, [1, 0, 3, 2]])


def mirror(trial: Trial) -> None:
    """Mirroring x changes nothing."""
    signs = np.array([-1.0, 1.0, -1.0, 1.0])
    _unchanged_by(trial, lambda b: (b * signs)[:, [2, 1, 0, 3]], lambda b: (b * signs)[:, [2, 1, 0, 3]])


def symmetric(trial: Trial) -> None:
    """The value is symmetric in the two boxes."""
    boxes1, boxes2 = trial.case["boxes1"], trial.case["boxes2"]
    equal(trial.value(trial.case.changed(boxes1=boxes2, boxes2=boxes1)), trial.value())


def zero_at_equality(trial: Trial) -> None:
    """0 at equality of boxes with area."""
    boxes = trial.case["boxes2"]
    with_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    assume(with_area.any())
    boxes = boxes[with_area]
    equal(trial.value(trial.case.changed(boxes1=boxes, boxes2=boxes)), Measured.exact(0.0))


def points(trial: Trial) -> None:
    """Two boxes that are the same point have an IoU of 0, and nothing else: the loss is 1."""
    point = np.tile(trial.case["boxes1"][:, :2], 2)
    same = trial.case.changed(boxes1=point, boxes2=point)
    equal(trial.value(same, tight=True), Measured.exact(1.0))


def in_range(high: float) -> Callable[[Trial], None]:
    """The law that items lie between 0 and this number."""

    def bounded(trial: Trial) -> None:
        between(trial.value(), 0.0, high)

    bounded.__doc__ = f"Items lie in [0, {high:g}]."
    return bounded


def disjoint(trial: Trial) -> None:
    """Boxes that don't even touch have a loss of 1 and no gradient."""
    apart = _gap(trial.case) > 0
    assume(apart.any())
    equal(trial.value()[apart], Measured.exact(1.0))
    for name in ("boxes1", "boxes2"):
        equal(trial.gradient(name)[apart], Measured.exact(0.0))


def _gap(case: Case) -> Array:
    """The larger of the gaps between two boxes along x and y; at most 0 where they touch."""
    boxes1, boxes2 = case["boxes1"], case["boxes2"]
    gaps = np.maximum(boxes1[:, :2] - boxes2[:, 2:], boxes2[:, :2] - boxes1[:, 2:])
    return np.asarray(gaps.max(axis=1))


def at_least_iou(trial: Trial) -> None:
    """The loss is never below the IoU loss."""
    iou = oracle.iou_items(trial.case["boxes1"], trial.case["boxes2"])
    at_least(trial.value(), Measured.exact(iou, "the IoU loss"))


def at_least_diou(trial: Trial) -> None:
    """The loss is never below the DIoU loss."""
    diou = oracle.diou_items(trial.case["boxes1"], trial.case["boxes2"])
    at_least(trial.value(), Measured.exact(diou, "the DIoU loss"))


def diou_where_shapes_agree(trial: Trial) -> None:
    """Boxes of the same width to height have the DIoU loss."""
    boxes1, boxes2 = trial.case["boxes1"], trial.case["boxes2"]
    (width1, height1), (width2, height2) = ((b[:, 2:] - b[:, :2]).T for b in (boxes1, boxes2))
    alike = width1 * height2 == width2 * height1
    assume(alike.any())
    diou = oracle.diou_items(boxes1, boxes2)[alike]
    equal(trial.value()[alike], Measured.exact(diou, "the DIoU loss"))


def point_has_no_shape(trial: Trial) -> None:
    """A point at the corner of a box has no shape to differ in: the loss is 1 + 1/4."""
    sides = trial.case["boxes1"][:, 2:] - trial.case["boxes1"][:, :2]
    boxes = round_to(np.concatenate([np.zeros_like(sides), sides], axis=1), trial.dtype)
    wanted = Measured.exact(np.where(boxes.any(axis=1), 1.25, 1.0))
    for case in (
        trial.case.changed(boxes1=boxes, boxes2=0 * boxes),
        trial.case.changed(boxes1=0 * boxes, boxes2=boxes),
    ):
        equal(trial.value(case, tight=True), wanted)


def iou_where_hull_is_full(trial: Trial) -> None:
    """giou = iou where the union fills the enclosing box."""
    boxes1, boxes2 = trial.case["boxes1"], trial.case["boxes2"]
    iou = oracle.iou_items(boxes1, boxes2)
    full = oracle.giou_items(boxes1, boxes2) == iou
    assume(full.any())
    equal(trial.value()[full], Measured.exact(iou[full], "the IoU loss"))


def gradient_sums_to_zero(trial: Trial) -> None:
    """Gradients over both boxes sum to 0 along each axis."""
    total = trial.gradient("boxes1") + trial.gradient("boxes2")
    equal(total[:, :2] + total[:, 2:], Measured.exact(0.0))


def gradient_is_radial_free(trial: Trial) -> None:
    """gradient · coordinates over both boxes is 0 (the loss has degree 0)."""
    parts = [trial.case[name] * trial.gradient(name) for name in ("boxes1", "boxes2")]
    equal((parts[0] + parts[1]).sum(axis=1), Measured.exact(0.0))


def descent(trial: Trial) -> None:
    """Disjoint boxes with area and no tied coordinates have a gradient, and a small step along
    -gradient lowers the loss."""
    boxes1, boxes2 = trial.case["boxes1"], trial.case["boxes2"]
    size = np.minimum(boxes1[:, 2:] - boxes1[:, :2], boxes2[:, 2:] - boxes2[:, :2]).min(axis=1)
    apart = np.abs(boxes1[:, [0, 1, 2, 3, 0, 1, 2, 3]] - boxes2[:, [0, 1, 2, 3, 2, 3, 0, 1]])
    true = trial.true_gradient("boxes1")
    visible = np.abs(true.value).max(axis=1) > 64 * (true.budget + true.rounding).max(axis=1)
    got = trial.gradient("boxes1")
    finite = np.isfinite(got.value).all(axis=1)
    free = (size > 0) & (_gap(trial.case) > 0) & (apart.min(axis=1) > 0) & visible & finite
    assume(free.any())
    got = got[free]
    slope = np.abs(got.value).max(axis=1)
    at_least(Measured.exact(slope, "slope"), Measured.exact(np.nextafter(0, 1), "above 0"))
    stride = 1e-3 * np.minimum(apart.min(axis=1), size)[free] / slope
    sign = np.sign(trial.upstream()[free])
    origin = np.tile(boxes1[free, :2], 2)  # so that a step is no rounding error far away
    start, target = boxes1[free] - origin, boxes2[free] - origin
    moved = start - (stride * sign)[:, None] * got.value
    after, before = (
        trial.truth(trial.case.changed(boxes1=boxes, boxes2=target)).value for boxes in (moved, start)
    )
    at_most(Measured.exact(after, "after the step"), Measured.exact(np.nextafter(before, 0), "before"))


_EVERY_LAW = (
    points,
    zero_at_equality,
    symmetric,
    translation,
    scaling,
    axes_swap,
    mirror,
    gradient_sums_to_zero,
    gradient_is_radial_free,
)

IOU_LAWS = (in_range(1.0), *_EVERY_LAW, disjoint)
GIOU_LAWS = (in_range(2.0), *_EVERY_LAW, at_least_iou, iou_where_hull_is_full, descent)
DIOU_LAWS = (in_range(2.0), *_EVERY_LAW, at_least_iou, descent)
# No descent: α, held constant, keeps the gradient from being that of the loss.
CIOU_LAWS = (
    in_range(2.5),
    *_EVERY_LAW,
    at_least_diou,
    diou_where_shapes_agree,
    point_has_no_shape,
)


# Workloads


def _matched(rng: np.random.Generator, rows: int) -> Case:
    """Targets anywhere on an image of 800 pixels, predictions off by about a tenth of a side."""
    center, side = rng.uniform(0, 800, (rows, 2)), rng.lognormal(4, 1, (rows, 2))
    boxes2 = np.concatenate([center - side / 2, center + side / 2], axis=1)
    boxes1 = _upright(boxes2 + rng.normal(0, 0.1, (rows, 4)) * np.tile(side, 2))
    return Case({"boxes1": boxes1, "boxes2": boxes2})


PAIR_WORKLOADS = (
    Workload("DETR, 16 images", "about 7 objects an image on COCO, arXiv 2005.12872", 117, _matched),
    Workload("YOLO, 64 images", "about 20 matched cells an object, YOLOv5", 9_344, _matched),
    Workload("RetinaNet, 1 image", "all anchors at 800 px, arXiv 1708.02002", 120_087, _matched),
    Workload("RetinaNet, 16 images", "all anchors, arXiv 1708.02002", 1_921_392, _matched, gpu=True),
)


# Picture


def _shifted(x: Any) -> Case:
    """A unit box moved to the right of another."""
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    return Case({"boxes1": box + x * np.array([1.0, 0.0, 1.0, 0.0]), "boxes2": box})


PAIR_CURVE = Curve("shift of a unit box along x, in sides", -3, 3, _shifted, {"": {}})


# Calls that must be refused

PAIR_BAD_CALLS = (
    BadCall("boxes1", lambda c: {"boxes1": c["boxes1"][:, :3]}, "three columns"),
    BadCall("boxes2", lambda c: {"boxes2": c["boxes2"][0]}, "one axis"),
    BadCall("boxes2", lambda c: {"boxes2": np.concatenate([c["boxes2"]] * 2)}, "other rows"),
    BadCall("boxes1", lambda c: {"boxes1": c["boxes1"].astype(np.int64)}, "integers"),
)
