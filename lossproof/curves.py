"""Pictures of the losses: each along one number, with its slope, as the oracle says."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lossproof.loss import Loss
from lossproof.tolerance import STEP, items_at
from properties.case import Array, Curve

POINTS = 240
"""Even, so that kinks in the middle of a range are not met."""
STROKES = (
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#56b4e9", (0, (5, 1, 1, 1, 1, 1))),
)
"""Colours of Okabe and Ito, which colour-blind readers tell apart; dashes for print."""
STYLE = {
    "svg.hashsalt": "lossproof",  # names that don't change from run to run
    "svg.fonttype": "none",
    "font.size": 9,
    "font.sans-serif": ["DejaVu Sans"],  # which every installation has
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 3,
}


@dataclass(frozen=True)
class Line:
    """A loss and its slope at every number of a grid, under one setting of its options."""

    label: str
    values: Array
    slopes: Array


def grid(curve: Curve) -> Array:
    """Where a curve is drawn."""
    return np.linspace(curve.low, curve.high, POINTS)


def lines(loss: Loss) -> list[Line]:
    """A line for each setting; the slope is a complex step of the oracle's formula."""
    drawn = []
    for label, options in loss.curve.settings.items():
        answers = np.array([_at(loss, options, x) for x in grid(loss.curve)])
        drawn.append(Line(label, answers.real, answers.imag / STEP))
    return drawn


def _at(loss: Loss, options: Mapping[str, Any], x: float) -> complex:
    case = loss.curve.make(complex(x, STEP)).changed(**options)
    return complex(items_at(loss, case).sum())


def picture(loss: Loss) -> str:
    """The lines as SVG: the loss on the left, its slope on the right, the settings above.

    Numbers have two decimals: a hundredth of a point is too small to see, and far too large to differ
    between machines.
    """
    file = io.StringIO()
    with matplotlib.style.context(["default", STYLE]):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure(loss).savefig(file, format="svg", metadata=metadata)
    return "".join(f"{line.rstrip()}\n" for line in short_numbers(file.getvalue()).splitlines())


def short_numbers(svg: str) -> str:
    """With two decimals: a hundredth of a point is too small to see."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)


def figure(loss: Loss) -> Figure:
    """The same before it is written."""
    drawn, numbers = lines(loss), grid(loss.curve)
    whole = Figure(figsize=(7.2, 2.9), layout="constrained")
    left, right = whole.subplots(1, 2)
    for place, line in enumerate(drawn):
        colour, dashes = STROKES[place % len(STROKES)]
        stroke: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.6}
        left.plot(numbers, _broken_at_jumps(line.values), label=line.label, **stroke)
        right.plot(numbers, _broken_at_jumps(line.slopes), **stroke)
    _finish(left, loss.name)
    _finish(right, "gradient")
    whole.supxlabel(loss.curve.axis, fontsize=9)
    if any(line.label for line in drawn):
        whole.legend(loc="outside upper center", ncols=_columns(drawn))
    return whole


def _broken_at_jumps(numbers: Array) -> Array:
    """No number where they jump, so that no line is drawn through it."""
    steps = np.abs(np.diff(numbers))
    around = np.maximum(np.r_[0, steps[:-1]], np.r_[steps[1:], 0])
    jumps = (steps > 0.03 * np.ptp(numbers)) & (steps > 5 * around)
    return np.where(np.r_[jumps, False], np.nan, numbers)


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.axhline(0, color="#888888", linewidth=0.6, zorder=1)
    axes.margins(x=0)


def _columns(drawn: list[Line]) -> int:
    """As many labels beside each other as fit."""
    return max(1, min(len(drawn), 100 // (8 + max(len(line.label) for line in drawn))))
