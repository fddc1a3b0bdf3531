"""Plots of choices, as SVG that takes its colours from the page around it: error against time, and time
against size."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from lossproof.choice import Choice
from lossproof.curves import short_numbers
from lossproof.measure import PASSES
from properties.trial import BUDGETS

MARKERS = {"●": "o", "■": "s", "◆": "D", "▲": "^", "▼": "v", "✚": "P"}
"""By the letter that the page has for a marker, Matplotlib's name of it."""
REFUSED = "✕"
INK, SOFT, GRID, BAD = "#000001", "#000002", "#000003", "#000004"
SERIES = tuple(f"#00001{place}" for place in range(len(MARKERS)))
PAGE_COLOURS = {INK: "var(--ink)", SOFT: "var(--soft)", GRID: "var(--grid)", BAD: "var(--bad)"} | {
    colour: f"var(--series-{place})" for place, colour in enumerate(SERIES)
}
"""Stand-ins, which nothing else is drawn in, for what the page calls its colours."""

STYLE = {
    "svg.fonttype": "none",
    "font.size": 10,
    "font.sans-serif": ["DejaVu Sans"],  # which every installation has; the page sets its own
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.markersize": 7,
}
RING: dict[str, Any] = {
    "color": INK,
    "marker": "o",
    "markersize": 13,
    "markerfacecolor": "none",
    "linestyle": "none",
}
CROSS: dict[str, Any] = {"color": BAD, "marker": "x", "markeredgewidth": 2, "linestyle": "none"}
FRONTIER: dict[str, Any] = {"color": SOFT, "linewidth": 1}
LINE: dict[str, Any] = {"linestyle": "-", "linewidth": 1.5}
LIMIT: dict[str, Any] = {"color": INK, "linewidth": 1.2, "linestyle": ":"}
MOST_BUDGETS = 10.0
"""Larger errors, of what timing refused, are drawn here."""
LEAST_SPAN = 7.0
"""A logarithmic axis spans this factor at least, so that two of the ticks 1, 2, 5, 10, ... are on it."""


def frontier(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Of time and error, by name: those that no other beats in one without losing in the other.

    >>> frontier({"slow": (3.0, 0.5), "fast": (1.0, 0.9), "neither": (2.0, 0.9)})
    ['fast', 'slow']
    """
    found: list[str] = []
    least = math.inf
    for name, (_, error) in sorted(points.items(), key=lambda item: item[1]):
        if error < least:
            found.append(name)
            least = error
    return found


def points_of(choice: Choice, pass_name: str) -> dict[str, tuple[float, float]]:
    """By variant that is correct and was timed: seconds a call, and its error in budgets."""
    return {
        row.variant: (row.timings[pass_name].median, row.budgets)
        for row in choice.table
        if row.outcome == "correct" and pass_name in row.timings
    }


def error_against_time(choice: Choice, variants: Sequence[str]) -> str:
    """Each variant that was timed, by time and error, forward above, forward and backward below.

    A staircase is the frontier, a ring the winner, a cross what timing refused.

    Args:
        variants: all of the page, so that each has one colour and marker on it.
    """
    timed = [row for row in choice.table if row.timings]
    times = [end for row in timed for timing in row.timings.values() for end in timing.interval]
    top = min(1.3 * max([0.5, *(row.budgets for row in timed)]), MOST_BUDGETS)
    low, high = _span(times)
    with _style(f"{choice.loss} {choice.workload} {choice.size}"):
        whole = Figure(figsize=(4.2, 3.6), layout="constrained")
        for axes, pass_name in zip(whole.subplots(2, 1, sharex=True), PASSES, strict=True):
            _errors(axes, choice, pass_name, variants, right=high, top=top)
            axes.set(title=pass_name, xscale="log", xlim=(low, high), ylim=(0, top), ylabel="budgets")
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.axhline(BUDGETS, **LIMIT)
            _ticks(axes.xaxis, low, high, "s")
        axes.set_xlabel("time a call")
        return _svg(whole)


def _errors(
    axes: Axes, choice: Choice, pass_name: str, variants: Sequence[str], right: float, top: float
) -> None:
    points = points_of(choice, pass_name)
    corners = [points[name] for name in frontier(points)]
    if corners:
        xs, ys = zip((corners[0][0], top), *corners, (right, corners[-1][1]), strict=True)
        axes.plot(xs, ys, drawstyle="steps-post", **FRONTIER)
    for row in choice.table:
        if pass_name in row.timings:
            mark = _mark(row.variant, variants) if row.outcome == "correct" else CROSS
            timing, error = row.timings[pass_name], min(row.budgets, top)
            axes.plot(timing.interval, (error, error), color=mark["color"], linewidth=1.5)
            axes.plot(timing.median, error, clip_on=False, **mark)
    if pass_name in choice.winners:
        axes.plot(*points[choice.winners[pass_name]], clip_on=False, **RING)


def time_against_size(choices: Sequence[Choice], pass_name: str, variants: Sequence[str]) -> str:
    """A line for each correct variant over the sizes of a loss, and one for the limit."""
    choices = sorted(choices, key=lambda choice: choice.size)
    times = [(choice, points_of(choice, pass_name)) for choice in choices]
    lines = [
        ([(c.size, at[name][0]) for c, at in times if name in at], {**_mark(name, variants), **LINE})
        for name in variants
    ]
    wins = [(c.size, at[c.winners[pass_name]][0]) for c, at in times if pass_name in c.winners]
    limits = [(choice.size, choice.limit(pass_name)) for choice in choices]
    limit = [(size, seconds) for size, seconds in limits if seconds is not None]
    lines += [(wins, RING), (limit, LIMIT)]
    low, high = _span([choice.size for choice in choices])
    least, most = _span([seconds for line, _ in lines for _, seconds in line])
    with _style(f"{choices[0].loss} {pass_name}"):
        whole = Figure(figsize=(4.2, 3.4), layout="constrained")
        axes = whole.subplots()
        for line, stroke in lines:
            axes.plot(*zip(*line, strict=True), clip_on=False, **stroke)
        axes.set(title=pass_name, xscale="log", yscale="log", xlim=(low, high), ylim=(least, most))
        axes.set(xlabel="elements", ylabel="time a call")
        _ticks(axes.xaxis, low, high, "")
        _ticks(axes.yaxis, least, most, "s")
        return _svg(whole)


def key_of(variant: str, variants: Sequence[str]) -> tuple[int, str]:
    """How the page shows a variant, by its place among all: a colour's number, and a marker."""
    place = variants.index(variant) % len(MARKERS)
    return place, list(MARKERS)[place]


def _mark(variant: str, variants: Sequence[str]) -> dict[str, Any]:
    """The same as a plot draws it."""
    place, letter = key_of(variant, variants)
    return {"color": SERIES[place], "marker": MARKERS[letter], "linestyle": "none"}


def _span(numbers: Sequence[float]) -> tuple[float, float]:
    """The ends of a logarithmic axis, with some room."""
    low, high = (min(numbers), max(numbers)) if numbers else (1.0, 1.0)
    room = max((high / low) ** 0.06, math.sqrt(LEAST_SPAN * low / high))
    return low / room, high * room


def _ticks(axis: Axis, low: float, high: float, unit: str) -> None:
    """At 1, 2, 5, 10, ... or, where those are too many, at powers of ten."""
    few = math.log10(high / low) < 1.7
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=7))
    axis.set_major_formatter(EngFormatter(unit))
    axis.set_minor_locator(NullLocator())


def _style(plot: str) -> Any:
    """Names within the SVG depend on the plot, and on nothing else: they meet no others in the page."""
    return matplotlib.style.context(["default", {**STYLE, "svg.hashsalt": plot}])


def _svg(whole: Figure) -> str:
    """As an element that can stand in a page beside others."""
    file = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    whole.savefig(file, format="svg", transparent=True, metadata=metadata)
    text = file.getvalue()
    text = re.sub(r"<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)  # HTML knows them
    named = set(re.findall(r"#(\w+)[\")]", text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in named else "", text)
    for colour, name in PAGE_COLOURS.items():
        text = text.replace(colour, name)
    return short_numbers(text)
