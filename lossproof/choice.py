"""A choice: what was seen of each variant, and which is to be used, or a tie."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossproof.catalog import CATALOG
from lossproof.loss import Variant
from lossproof.measure import BACKWARD, Timing, median_interval

MARGIN = 0.02
"""A variant must be faster by more than this share, or it is a tie."""


@dataclass
class Row:
    """One variant in a table.

    Attributes:
        outcome: the verdict, or "refused" where timing found something wrong.
        note: the laws broken, or why there is no time.
        budgets: the largest error seen, in budgets; right is at most 8.
        ulps: the largest error of an item, in units in the last place (of 1 at least).
        timings: by pass.
        peak_bytes: memory held at once by forward and backward, beside the inputs.
        compiled: whether torch compiles it, or a part of it.
        under: the conventions of the verdict.
    """

    variant: str
    outcome: str
    note: str = ""
    budgets: float = math.nan
    ulps: float = math.nan
    timings: dict[str, Timing] = field(default_factory=dict)
    peak_bytes: int | None = None
    compiled: bool = False
    under: tuple[str, ...] = ()


@dataclass
class Choice:
    """The decision for one loss, device, dtype and size.

    Attributes:
        workload, source: the input, and where it comes from.
        size: elements of the first argument.
        table: a row for each variant, the simplest first.
        limits: by pass, the timing of a copy that moves the least possible bytes.
        arithmetic: by pass, the timing of the functions that can't but be evaluated; none if there are
            none.
        evaluated: which functions these are.
        winners: by pass, the variant to use.
        ties: by pass, the variants that can't be told from the fastest, the winner included.
        interrupted: whether Ctrl-C cut the rounds short.
    """

    loss: str
    device: str
    machine: str
    dtype: str
    workload: str
    source: str
    size: int
    threads: int
    table: list[Row] = field(default_factory=list)
    limits: dict[str, Timing] = field(default_factory=dict)
    arithmetic: dict[str, Timing] = field(default_factory=dict)
    evaluated: list[str] = field(default_factory=list)
    winners: dict[str, str] = field(default_factory=dict)
    ties: dict[str, list[str]] = field(default_factory=dict)
    interrupted: bool = False

    def limit(self, pass_name: str) -> float | None:
        """Seconds that a pass takes at least: those of the copy, or of the arithmetic."""
        timings = [each[pass_name] for each in (self.limits, self.arithmetic) if pass_name in each]
        return max((timing.median for timing in timings), default=None)

    @property
    def variant(self) -> str | None:
        """The variant to train with: the winner of forward and backward."""
        return self.winners.get(BACKWARD)

    @property
    def function(self) -> Variant | None:
        """The variant itself, if it is one of the catalogue's."""
        return CATALOG[self.loss].variants.get(self.variant or "")

    @property
    def tie(self) -> bool:
        """Whether another variant is as fast in training."""
        return len(self.ties.get(BACKWARD, ())) > 1


def decide(choice: Choice, pass_name: str) -> None:
    """The fastest correct variant, or the simplest of those that can't be told from it."""
    tied = not_slower(choice, pass_name, MARGIN)
    if tied:
        choice.winners[pass_name], choice.ties[pass_name] = tied[0], tied


def not_slower(choice: Choice, pass_name: str, share: float) -> list[str]:
    """The fastest correct variant, and what is not surely slower by this share; the simplest first.

    Rounds go together, so two variants are compared by the ratio of their times in each round. Those
    with fewer rounds are no finalists, and out.
    """
    timed = {
        row.variant: row.timings[pass_name]
        for row in choice.table
        if row.outcome == "correct" and pass_name in row.timings
    }
    rounds = max((len(timing.seconds) for timing in timed.values()), default=0)
    timed = {name: timing for name, timing in timed.items() if len(timing.seconds) == rounds}
    if not timed:
        return []
    fastest = min(timed, key=lambda name: timed[name].median)

    def least_ratio(timing: Timing) -> float:
        return median_interval(np.divide(timing.seconds, timed[fastest].seconds).tolist())[0]

    return [n for n, timing in timed.items() if n == fastest or least_ratio(timing) <= 1 + share]


def choice_from_plain(kept: dict[str, Any]) -> Choice:
    """A choice as the cache holds it."""

    def timing(value: dict[str, Any]) -> Timing:
        return Timing(tuple(value["seconds"]))

    rows = []
    for row in kept["table"]:
        timings = {name: timing(value) for name, value in row["timings"].items()}
        numbers = {name: float(row[name]) for name in ("budgets", "ulps")}
        rows.append(Row(**{**row, **numbers, "timings": timings, "under": tuple(row["under"])}))
    limits = {
        kind: {name: timing(value) for name, value in kept[kind].items()}
        for kind in ("limits", "arithmetic")
    }
    return Choice(**{**kept, "table": rows, **limits})
