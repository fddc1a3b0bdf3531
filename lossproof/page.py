"""A page about losses that opens offline: tables, plots, findings with their programs, the machine."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lossproof.choice import Choice
from lossproof.describe import sentence
from lossproof.loss import Loss
from lossproof.measure import PASSES
from lossproof.plots import (
    REFUSED,
    error_against_time,
    frontier,
    key_of,
    points_of,
    time_against_size,
)
from lossproof.report import (
    CHOICE_COLUMNS,
    LEGEND,
    choice_cells,
    choice_notes,
    choice_title,
    limit_lines,
    verdict_cells,
)
from lossproof.verdict import Verdict
from lossproof.workers import Report
from properties.case import Workload
from properties.general import BATCH_LAWS

WINNER, TIED = "★", "≈"
"""Beside times: of the variant to use, and of those that can't be told from it."""
GOOD = ("correct", "rejected")
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.tests["finite"] = math.isfinite


@dataclass
class Chapter:
    """What is known of one loss.

    Attributes:
        workloads: those that it was to be timed on.
        verdicts: on its variants and wrong forms, by name.
        choices: one for each workload that was timed.
    """

    loss: Loss
    workloads: Sequence[Workload]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    choices: Sequence[Choice] = ()

    @property
    def missing(self) -> list[str]:
        """What was to be done and was not."""
        timed = [choice.workload for choice in self.choices]
        unknown = [name for name in self.loss.implementations if name not in self.verdicts]
        return [f"verdict on {name}" for name in unknown] + [
            f"times on {workload.name}" for workload in self.workloads if workload.name not in timed
        ]


def page(
    chapters: Sequence[Chapter],
    left: Sequence[str],
    machine: Mapping[str, str],
    written: date,
    report: Report,
) -> str:
    """The whole page.

    Args:
        left: losses that were to be in it, and were not begun.
        machine: what the figures depend on beside the source, as ``environment`` gives it.
        report: called with how many losses are written.
    """
    variants = list(dict.fromkeys(name for chapter in chapters for name in chapter.loss.variants))
    shown = []
    for chapter in chapters:
        shown.append(_chapter(chapter, variants))
        report("write", len(shown), len(chapters))
    return TEMPLATES.get_template("page.html").render(
        chapters=shown,
        left=left,
        machine=machine,
        written=written,
        legend=LEGEND,
        passes=PASSES,
        winner=WINNER,
        tied=TIED,
        good=GOOD,
        refused=REFUSED,
        keys={name: key_of(name, variants) for name in variants},
        columns=CHOICE_COLUMNS,
    )


def _chapter(chapter: Chapter, variants: Sequence[str]) -> dict[str, Any]:
    loss, verdicts = chapter.loss, chapter.verdicts
    choices = sorted(chapter.choices, key=lambda choice: choice.size)
    refused = {row.variant for choice in choices for row in choice.table if row.outcome == "refused"}
    forms = []
    for name, verdict in verdicts.items():
        text, budgets, _ = verdict_cells(verdict, name in loss.defects)
        outcome = "refused" if name in refused else text.partition(" under:")[0]
        forms.append(
            {
                "name": name,
                "what": sentence(loss.implementations[name]),
                "outcome": outcome,
                "said": outcome if name in refused else text,
                "budgets": budgets,
                "findings": verdict.findings,
            }
        )
    return {
        "loss": loss,
        "missing": chapter.missing,
        "incomplete": bool(chapter.missing) or any(choice.interrupted for choice in choices),
        "choices": [_choice(choice, variants) for choice in choices],
        "lines": [
            (name, time_against_size(choices, name, variants))
            for name in PASSES
            if len({choice.size for choice in choices}) > 1
        ],
        "forms": forms,
        "counts": [_count(loss.variants, forms, "correct"), _count(loss.defects, forms, "rejected")],
        "decisions": [_decision(choices, name) for name in PASSES],
        "laws": [_law(law.__name__, sentence(law), verdicts) for law in (*loss.laws, *BATCH_LAWS)],
    }


def _count(names: Iterable[str], forms: Sequence[dict[str, Any]], good: str) -> tuple[int, int]:
    """Of those that were judged, how many are as they should be."""
    outcomes = [form["outcome"] for form in forms if form["name"] in names]
    return outcomes.count(good), len(outcomes)


def _law(name: str, what: str, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """How often a law spoke, at least, and which forms broke it."""
    spoke = [verdict.applied.get(name, 0) for verdict in verdicts.values() if not verdict.findings]
    broken = [form for form, verdict in verdicts.items() if name in verdict.laws_broken]
    return {"name": name, "what": what, "cases": min(spoke, default=0), "broken": broken}


def _decision(choices: Sequence[Choice], pass_name: str) -> tuple[str, str]:
    """The winners from the smallest workload to the largest, and the times over the limit of the first
    and the last."""
    won = [choice for choice in choices if pass_name in choice.winners]
    winners = [name for name, _ in groupby(choice.winners[pass_name] for choice in won)]
    ends = dict.fromkeys(_over_limit(choice, pass_name) for choice in (*won[:1], *won[-1:]))
    return " → ".join(winners) or "-", " → ".join(ends) or "-"


def _over_limit(choice: Choice, pass_name: str) -> str:
    cells = {row.variant: choice_cells(choice, row) for row in choice.table}
    return cells[choice.winners[pass_name]][CHOICE_COLUMNS.index(pass_name) + 1]


def _choice(choice: Choice, variants: Sequence[str]) -> dict[str, Any]:
    return {
        "choice": choice,
        "title": choice_title(choice),
        "rows": [(row.outcome, _marked(choice, choice_cells(choice, row))) for row in choice.table],
        "limits": limit_lines(choice),
        "notes": choice_notes(choice),
        "plot": error_against_time(choice, variants),
        "frontiers": [(name, ", ".join(frontier(points_of(choice, name))) or "none") for name in PASSES],
    }


def _marked(choice: Choice, cells: Sequence[str]) -> list[tuple[str, str]]:
    """Each cell with the mark that it has beside it: of the winner, or of the tied."""
    variant, marks = cells[0], dict.fromkeys(CHOICE_COLUMNS, "")
    for name in PASSES:
        if variant in choice.ties.get(name, ()):
            marks[name] = WINNER if variant == choice.winners[name] else TIED
    return [(cell, marks[column]) for cell, column in zip(cells, CHOICE_COLUMNS, strict=True)]
