"""The conventions there are: documented deviations, each with the laws that it contradicts and why.

The table is finite: what it doesn't name is no convention. ``docs/losses.md`` shows it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossproof.loss import Loss
from lossproof.tolerance import divisor_of
from oracles import deviations
from properties.case import Array, Case, take_rows

BOXES = ("iou", "giou", "diou", "ciou")
MASKS = ("dice", "jaccard", "tversky")
EVERY = ("every loss",)
NUMBER = "NUMBER"

FORMULAS: Mapping[str, Callable[..., Array]] = {
    "iou": deviations.iou_with_epsilon,
    "giou": deviations.giou_with_epsilon,
    "diou": deviations.diou_with_epsilon,
    "ciou": deviations.ciou_with_epsilon,
    "dice": deviations.dice_deviating,
    "jaccard": deviations.jaccard_deviating,
    "tversky": deviations.tversky_deviating,
    "sigmoid_focal": deviations.sigmoid_focal_deviating,
}
"""By loss, the formula that a convention sets a term of; without any it is the catalogue's."""


@dataclass(frozen=True)
class Convention:
    """One deviation.

    Attributes:
        subject, choice: its name is ``subject=choice``; a choice of NUMBER stands for any above 0.
        losses: those that it applies to.
        statement: what is true or judged under it, in a sentence.
        contradicts: the laws that can't hold under it, each with the reason.
        term: the keyword of the loss's entry in FORMULAS that it sets, to the number or to True.
        divisor: what the mean divides by.
        settle: makes a case one that it speaks of.
        judged: the cases that it speaks of.
        spares: whether no law asks for the mean of nothing.
    """

    subject: str
    choice: str
    losses: tuple[str, ...]
    statement: str
    contradicts: Mapping[str, str] = field(default_factory=dict)
    term: str = ""
    divisor: Callable[..., float] | None = None
    settle: Callable[[Loss, Case], Case] = lambda loss, case: case
    judged: Callable[[Loss, Case], bool] = lambda loss, case: True
    spares: bool = False

    @property
    def name(self) -> str:
        return f"{self.subject}={self.choice}"

    def applies_to(self, loss: str) -> bool:
        return self.losses == EVERY or loss in self.losses

    def number(self, text: str) -> float | None:
        """What a name sets it to: a number, 0 where it takes none; None if the name is of another."""
        subject, _, choice = text.partition("=")
        if subject != self.subject or (self.choice != NUMBER and choice != self.choice):
            return None
        if self.choice != NUMBER:
            return 0.0
        try:
            number = float(choice)
        except ValueError:
            return None
        return number if 0 < number < math.inf else None


# What conventions do with cases


def _with_sides(loss: Loss, case: Case) -> Case:
    """Without the pairs of which a box has no width or no height."""
    sides = [case[name][:, 2:] - case[name][:, :2] for name in ("boxes1", "boxes2")]
    upright = np.all([(side > 0).all(axis=1) for side in sides], axis=0)
    return take_rows(case, loss.arguments_of(case), upright)


def _has_boxes(loss: Loss, case: Case) -> bool:
    return len(case["boxes1"]) > 0


def _hard(loss: Loss, case: Case) -> Case:
    return case.changed(target=np.rint(case["target"]))


def _unsquared(loss: Loss, case: Case) -> Case:
    return case.changed(squared=False) if "squared" in case.values else case


def _inner(loss: Loss, case: Case) -> Case:
    """With ½ in the place of the probabilities nearest to 0 and 1."""
    probs = case["probs"]
    return case.changed(probs=np.where((probs >= NEAREST) & (probs <= 1 - NEAREST), probs, 0.5))


NEAREST = 1e-6
SHORT = 1e-10


def _has_directions(loss: Loss, case: Case) -> bool:
    lengths = [np.linalg.norm(case[name], axis=1) for name in ("features", "weight")]
    return all(bool((length > SHORT).all()) for length in lengths)


def _has_mean(loss: Loss, case: Case) -> bool:
    return divisor_of(loss, case) > 0


def _all_items(logits: Array, target: Array, **options: Any) -> float:
    return float(target.size)


def _kept_items(logits: Array, target: Array, *, ignore_index: int = -100, **options: Any) -> float:
    return float(np.count_nonzero(target != ignore_index))


# The table

_NO_SCALE = "an ε has a size, which a loss without scale has not"
_NEVER_ZERO = "equal boxes have I/(U+ε) below 1"
_BY_DEFINITION = "it compares with a formula that has no such term"
_MASKS_ALIKE = dict.fromkeys(
    (
        "at_most_jaccard",
        "coefficient_of_jaccard",
        "tversky_at_half",
        "at_least_dice",
        "coefficient_of_dice",
        "tversky_at_one",
        "dice_at_half",
        "jaccard_at_one",
    ),
    _BY_DEFINITION,
)

CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "eps",
        NUMBER,
        BOXES,
        "ε is added to what is divided by: I/(U+ε), (C-U)/(C+ε), ρ²/(c²+ε), α = v/(1-I/(U+ε)+v+ε).",
        contradicts={
            "zero_at_equality": _NEVER_ZERO,
            "scaling": _NO_SCALE,
            "gradient_is_radial_free": _NO_SCALE,
            "iou_where_hull_is_full": _BY_DEFINITION,
            "at_least_diou": "ρ²/(c²+ε) is below ρ²/c²",
            "diou_where_shapes_agree": _BY_DEFINITION,
            "point_has_no_shape": "ρ²/(c²+ε) is below ¼ there",
            "descent": "a step of boxes far smaller than ε changes less than rounding",
        },
        term="eps",
    ),
    Convention(
        "eps",
        NUMBER,
        MASKS,
        "ε is added to the denominator alone: dice is 1 - (2I+s)/(P+G+s+ε), and so are the others.",
        contradicts={
            **_MASKS_ALIKE,
            "zero_at_perfect_mask": "a perfect mask has a coefficient below 1",
            "empty_masks_agree": "0/ε is 0, not 1",
            "empty_batch": "0/ε is 0, not 1, where the batch is summed over",
            "repetition": "ε is not repeated with the voxels",
            "alpha_weighs_false_positives": "the rest of ε remains where no error counts",
        },
        term="eps",
    ),
    Convention(
        "boxes",
        "extended",
        BOXES,
        "Boxes have a width and a height; those without are not judged.",
        contradicts={
            "points": "points are no boxes then",
            "point_has_no_shape": "points are no boxes then",
        },
        settle=_with_sides,
        judged=_has_boxes,
    ),
    Convention(
        "target",
        "hard",
        ("sigmoid_focal",),
        "Targets are 0 or 1; those between are not judged.",
        contradicts={"half_target": "it is about targets between 0 and 1"},
        settle=_hard,
    ),
    Convention(
        "target",
        "two-terms",
        ("sigmoid_focal",),
        "Soft targets mix two losses: t α (1-p)^γ (-log p) + (1-t)(1-α) p^γ (-log(1-p)).",
        contradicts={
            "half_target": "the two terms have different powers",
            "alpha_is_a_factor": "each term has its own weight",
        },
        term="two_terms",
    ),
    Convention(
        "probs",
        "inner",
        ("log_loss",),
        "Probabilities lie in [1e-6, 1-1e-6]; nearer to 0 and 1, where some clip them, none is judged.",
        contradicts={"floored": "it is about p = 0 and p = 1"},
        settle=_inner,
    ),
    Convention(
        "intersection",
        "difference",
        MASKS,
        "Soft masks share I = (P+G-Σ|p-g|)/2 = Σ min(p, g), which is Σ pg where either is hard; "
        "without squares.",
        contradicts={
            **_MASKS_ALIKE,
            "second_derivative": "there is none where p = g",
        },
        term="by_difference",
        settle=_unsquared,
    ),
    Convention(
        "absent",
        "0",
        MASKS,
        "A channel without any target voxel costs nothing, whatever is predicted there.",
        contradicts={
            **_MASKS_ALIKE,
            "symmetric": "an empty target is no empty prediction",
            "symmetric_with_weights": "an empty target is no empty prediction",
        },
        term="absent_is_zero",
    ),
    Convention(
        "vectors",
        "long",
        ("arcface",),
        "Features and class vectors are longer than 1e-10; shorter ones, which are divided by no less "
        "than an ε, are not judged.",
        contradicts={"length_does_not_matter": "it does below the ε"},
        judged=_has_directions,
    ),
    Convention(
        "autocast",
        "products",
        ("arcface",),
        "Under torch.autocast its matrix products are of the lower dtype, as torch says of linear.",
        contradicts={"autocast": "a product of bfloat16 is not one of float32"},
    ),
    Convention(
        "mean",
        "all-items",
        ("cross_entropy", "softmax_focal"),
        "The mean divides by the number of all items, those that are ignored among them.",
        contradicts={
            "ignored_items_do_not_count": "they count in the mean",
            "linear_in_weight": "the mean is doubled with the weights",
        },
        divisor=_all_items,
    ),
    Convention(
        "mean",
        "kept-items",
        ("cross_entropy",),
        "The mean divides by the number of the items that are kept, not by their weights.",
        contradicts={"linear_in_weight": "the mean is doubled with the weights"},
        divisor=_kept_items,
    ),
    Convention(
        "empty",
        "nan",
        EVERY,
        "The mean of nothing is not judged: where no item is there, kept, or has a weight.",
        judged=_has_mean,
        spares=True,
    ),
)
