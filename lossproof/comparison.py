"""Comparing: variants of a loss and forms of other libraries, judged alike and timed in the same rounds.

``python -m lossproof.peers`` is the command; what it measured lies in ``peers.json``, which the README
shows.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
import torch

from lossproof.catalog import CATALOG
from lossproof.choosing import default_workloads
from lossproof.loss import Law, Loss, Variant
from lossproof.measure import SLOW, Batch, Interrupted, estimate, interleaved, torch_threads
from lossproof.recheck import recheck
from lossproof.trial import Raised
from lossproof.verdicts import silent
from lossproof.verification import first_fault, is_refusal
from lossproof.workers import Report
from properties.case import Workload
from properties.general import value
from properties.trial import NotApplicable, Trial

FIGURES = Path(__file__).parent / "peers.json"
DTYPE = "float32"
BUILT_IN, COMPILED = "native", "fused"
"""Variants that stand for torch's own function, and for a plain formula under torch.compile."""


@dataclass(frozen=True)
class Judgement:
    """What the laws say of a form on float32.

    Attributes:
        outcome: "correct", "wrong" or "unsupported".
        law, reason: the first fault met, or the first option that was refused.
        judged, refused: of how many cases the value could be judged, and how many the form refused.
    """

    outcome: str
    law: str = ""
    reason: str = ""
    judged: int = 0
    refused: int = 0


def judge(function: Variant, loss: Loss, examples: int, seed: int = 0) -> Judgement:
    """Ask every law on generated cases, but not of what the form refuses by NotImplementedError."""
    judged: list[str] = []
    refusals: list[str] = []

    def within(law: Law) -> Law:
        @wraps(law)
        def limited(trial: Trial) -> None:
            try:
                law(trial)
            except Raised as raised:
                if not is_refusal(raised):
                    raise
                refusals.extend([str(raised.__cause__)] * (law is value))
                raise NotApplicable from raised
            judged.extend([law.__name__] * (law is value))

        return limited

    laws = [within(law) for law in loss.laws]
    fault = first_fault(function, loss, dtypes=[DTYPE], examples=examples, seed=seed, laws=laws)
    counts = len(judged), len(refusals)
    if fault is not None:
        return Judgement("wrong", fault.law, fault.reason, *counts)
    if not judged:
        return Judgement("unsupported", "", refusals[0] if refusals else "", *counts)
    return Judgement("correct", "", "", *counts)


@dataclass(frozen=True)
class Form:
    """A variant of the catalogue, or a library's form, with what the laws say of it."""

    name: str
    function: Variant
    is_peer: bool
    judgement: Judgement


@dataclass
class Measured:
    """One form on one workload.

    Attributes:
        outcome, law: of its judgement.
        microseconds, interval: of forward and backward, the median and its 95 % interval.
        note: why there is no time, or what is wrong with the very outputs that were timed.
    """

    is_peer: bool
    outcome: str
    law: str
    microseconds: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""

    @property
    def right(self) -> bool:
        """Whether it was timed, and its outputs on this workload are right."""
        return self.microseconds is not None and not self.note


@dataclass
class Comparison:
    """All forms of a loss on one workload, with one number of threads."""

    loss: str
    workload: str
    elements: int
    threads: int
    forms: dict[str, Measured] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, int]:
        return self.loss, self.workload, self.threads

    def correct(self, names: Iterable[str]) -> list[str]:
        """Those that break no law, and are right here."""
        return [n for n in names if self.forms[n].right and self.forms[n].outcome == "correct"]

    @property
    def ours(self) -> str | None:
        """The fastest correct variant of the catalogue."""
        return self.fastest(self.correct(n for n, form in self.forms.items() if not form.is_peer))

    @property
    def libraries(self) -> list[str]:
        """The libraries' forms that are right here, whatever the laws say elsewhere."""
        return [name for name, form in self.forms.items() if form.is_peer and form.right]

    @property
    def correct_peers(self) -> list[str]:
        """Libraries' forms, torch's own function and the plain formula compiled, where correct."""
        stand_ins = [name for name in (BUILT_IN, COMPILED) if name in self.forms]
        return self.correct([*stand_ins, *self.libraries])

    def fastest(self, names: Iterable[str]) -> str | None:
        return min(names, key=self.time_of, default=None)

    def time_of(self, name: str) -> float:
        return self.forms[name].microseconds or math.inf

    def ratio(self, name: str) -> float:
        """Its time over that of ours."""
        return self.time_of(name) / self.time_of(self.ours) if self.ours else math.nan


def compare(
    loss: Loss, workload: Workload, forms: Sequence[Form], threads: int, report: Report = silent
) -> Comparison:
    """Time the correct variants and all peers, forward and backward, in the same rounds.

    Raises:
        Interrupted: on Ctrl-C.
    """
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(loss, case, getattr(torch, DTYPE), "cpu")
    found = Comparison(loss.name, workload.name, batch.size, threads)
    runners: dict[str, Callable[[], Any]] = {}
    for form in forms:
        judgement = form.judgement
        row = Measured(form.is_peer, judgement.outcome, judgement.law)
        found.forms[form.name] = row
        row.note = _why_untimed(form, batch, threads)
        if not row.note:
            runners[form.name] = batch.runner(form.function, backward=True)
    what = f"time {loss.name}, {workload.name}, {threads} threads"
    timings = interleaved(runners, threads, lambda done, total: report(what, done, total))
    for form in forms:
        if form.name in timings:
            row, timing = found.forms[form.name], timings[form.name]
            low, high = timing.interval
            row.microseconds, row.interval = timing.median * 1e6, (low * 1e6, high * 1e6)
            with torch_threads(threads):
                mean, gradients = runners[form.name]()
                row.note = recheck(form.function, batch, [mean], gradients).fault
    return found


def _why_untimed(form: Form, batch: Batch, threads: int) -> str:
    """Nothing, if there is no reason."""
    if not form.is_peer and form.judgement.outcome != "correct":
        return f"not timed: breaks {form.judgement.law}"
    try:
        expected = estimate(form.function, batch, True, threads)
    except NotImplementedError as refused:
        return f"unsupported: {refused}"
    return f"not timed: about {expected:.0f} s a call" if expected > SLOW else ""


def forms_of(
    loss: Loss, peers: Mapping[str, Variant], examples: int, report: Report = silent
) -> list[Form]:
    """The catalogue's variants but the naive one, and the peers, each judged."""
    named = [(name, f, False) for name, f in loss.variants.items() if name != "naive"]
    named += [(library, function, True) for library, function in peers.items()]
    forms = []
    for count, (name, function, is_peer) in enumerate(named):
        report(f"judge {loss.name} {name}", count, len(named))
        forms.append(Form(name, function, is_peer, judge(function, loss, examples)))
    return forms


def compared(
    loss: Loss, forms: Sequence[Form], threads: Sequence[int], report: Report = silent
) -> Iterable[Comparison]:
    """On each workload that a CPU can run, as they come in; Ctrl-C loses only the one under way."""
    for workload in default_workloads(loss):
        for count in threads:
            try:
                yield compare(loss, workload, forms, count, report)
            except Interrupted:
                raise KeyboardInterrupt from None


# What was measured, on disk


@dataclass
class Figures:
    """Comparisons, and with what the last run made them: the machine, and versions."""

    comparisons: list[Comparison] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)

    def add(self, new: Comparison) -> None:
        """In the place of an older one of the same, and in the catalogue's order of losses."""
        rest = [one for one in self.comparisons if one.key != new.key]
        order = list(CATALOG).index
        self.comparisons = sorted([*rest, new], key=lambda one: order(one.loss))


def read(file: Path = FIGURES) -> Figures:
    """The figures of a file; none if there is no file."""
    if not file.exists():
        return Figures()
    kept = json.loads(file.read_text(encoding="utf-8"))
    comparisons = []
    for row in kept["comparisons"]:
        forms = {
            name: Measured(**{**form, "interval": form["interval"] and tuple(form["interval"])})
            for name, form in row["forms"].items()
        }
        comparisons.append(Comparison(**{**row, "forms": forms}))
    return Figures(comparisons, kept["made_with"])


def write(figures: Figures, file: Path) -> None:
    """Write them to a file, with four digits."""
    rows = [asdict(comparison) for comparison in figures.comparisons]
    for row in rows:
        for form in row["forms"].values():
            if form["interval"]:
                form["microseconds"] = _short(form["microseconds"])
                form["interval"] = [_short(end) for end in form["interval"]]
    kept = {"made_with": figures.made_with, "comparisons": rows}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _short(number: float) -> float:
    return float(f"{number:.4g}")


# The summary


def summary(comparisons: Sequence[Comparison], threads: Sequence[int]) -> list[tuple[str, ...]]:
    """A row for each loss, and one for all: ours, the fastest correct peer and the fastest library, each
    with its time over ours, a geometric mean over the workloads, for each number of threads."""
    losses = list(dict.fromkeys(c.loss for c in comparisons))
    rows = [_row(loss, [c for c in comparisons if c.loss == loss], threads) for loss in losses]
    counts = {n: sum(c.threads == n for c in comparisons) for n in threads}
    of_all = f"all {max(counts.values(), default=0)} workloads"
    return [*rows, (of_all, "", *_row("", comparisons, threads)[2:])]


def header(threads: Sequence[int]) -> tuple[str, ...]:
    numbers = [f"{n} thread{'s' if n != 1 else ''}" for n in threads]
    return ("loss", "ours", "correct peer", *numbers, "library", *numbers)


def _row(loss: str, comparisons: Sequence[Comparison], threads: Sequence[int]) -> tuple[str, ...]:
    kinds: tuple[Callable[[Comparison], list[str]], ...] = (
        lambda c: c.correct_peers,
        lambda c: c.libraries,
    )
    ours = dict.fromkeys(c.ours for c in comparisons if c.ours)
    cells = [loss, ", ".join(ours)]
    for names_of in kinds:
        best = {c.key: c.fastest(names_of(c)) for c in comparisons if c.ours}
        shown = dict.fromkeys(_marked(c, name) for c in comparisons if (name := best.get(c.key)))
        cells.append(", ".join(shown) if loss else "")
        for count in threads:
            ratios = [c.ratio(n) for c in comparisons if c.threads == count and (n := best.get(c.key))]
            cells.append(f"{geometric_mean(ratios):.2f}" if ratios else "")
    return tuple(cells)


def _marked(comparison: Comparison, name: str) -> str:
    """With a star where the form breaks a law."""
    return name + ("" if comparison.forms[name].outcome == "correct" else "*")
