"""Verdicts and findings: what verification says of an implementation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from lossproof.lookup import find
from properties.case import Array

Outcome = Literal["correct", "wrong", "error", "unsupported"]

SURVIVES = "survives"
"""The law of what only a worker's parent can see: hanging, crashing and eating memory."""
SHOWN = 3
"""So many findings are shown with their programs; the other broken laws are named."""
MISCONDUCT = ("leaves_no_trace", SURVIVES)
"""Laws about what a call does to the process that it runs in: breaking them is an error."""


def _array(kept: Any) -> Array | None:
    """Numbers as the cache holds them: nested lists, infinities as words."""
    return None if kept is None else np.asarray(kept, dtype=object).astype(np.float64)


def said(outcome: str, conventions: Sequence[str]) -> str:
    """An outcome in words.

    >>> said("correct", ["eps=1e-7"])
    'correct under: eps=1e-7'
    """
    return f"{outcome} under: {', '.join(conventions)}" if conventions else outcome


@dataclass(frozen=True)
class Finding:
    """One broken law, with its shrunk input.

    Attributes:
        law: its name.
        statement: what it says.
        reason: how it was broken.
        dtype: on which dtype.
        inputs: the arguments, arrays as float64 or int64 (nested lists when from the cache); none where
            the snippet makes them, because they are too many.
        got, wanted: the two sides of the law (None where the fault is no number).
        budgets: by how many error budgets they miss each other; right is at most 8.
        snippet: a program that runs by itself and shows the fault.
        raised: whether the implementation raised.
    """

    law: str
    statement: str
    reason: str
    dtype: str
    inputs: dict[str, Any]
    got: Array | None
    wanted: Array | None
    budgets: float
    snippet: str
    raised: bool = False

    def __str__(self) -> str:
        return f"{self.law} ({self.dtype}): {self.reason}"

    @classmethod
    def from_plain(cls, kept: dict[str, Any]) -> "Finding":
        """A finding as the cache holds it."""
        sides = {side: _array(kept[side]) for side in ("got", "wanted")}
        return cls(**{**kept, **sides, "budgets": float(kept["budgets"])})


def outcome_of(findings: Sequence[Finding], unsupported: Sequence[str]) -> Outcome:
    """What findings and dtypes that aren't supported amount to."""
    if findings:
        erring = all(finding.raised for finding in findings)
        erring |= any(finding.law in MISCONDUCT for finding in findings)
        return "error" if erring else "wrong"
    return "unsupported" if unsupported else "correct"


@dataclass(frozen=True)
class Verdict:
    """What verification found out about one implementation.

    Attributes:
        loss, device: what was asked.
        outcome: correct, wrong, error (it raised where it should not, or did something to the
            process that it ran in) or unsupported.
        findings: one for each broken law, on the first dtype that broke it.
        budgets: by dtype, the largest error seen, in budgets; right is at most 8.
        ulps: by dtype, the largest error of an item, in units in the last place (of 1 at least).
        applied: how many cases each law spoke of.
        unsupported: dtypes that the implementation says it does not do, by a NotImplementedError.
        refused: what else it says it does not do: the message, and of how many cases.
        examples, seed: how the cases were made.
        under: the conventions that it was asked under.
    """

    loss: str
    device: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    budgets: dict[str, float] = field(default_factory=dict)
    ulps: dict[str, float] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    refused: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    seed: int = 0
    under: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The outcome, with its conventions: "correct under: eps=1e-7"."""
        return said(self.outcome, self.under)

    @property
    def laws_broken(self) -> tuple[str, ...]:
        return tuple(finding.law for finding in self.findings)

    def raise_if_wrong(self, law: str | None = None) -> None:
        """Raise an ``AssertionError`` that shows findings as programs, unless the outcome is correct.

        The first findings are shown, and the other broken laws named.

        Args:
            law: raise only for this law's finding. Calls that failed under another law are no finding
                of this one.

        Raises:
            AssertionError: what was found.
            ValueError: a law that was not checked.
        """
        __tracebackhide__ = True  # in pytest: the caller's line is the one to see
        if law is not None and self.applied:
            find("law", law, self.applied)
        findings = [finding for finding in self.findings if law in (None, finding.law)]
        if self.outcome == "correct" or (law is not None and self.findings and not findings):
            return
        head = f"{self.loss}: {self.said}, {len(self.findings)} laws broken"
        lines = [f"{head}: {', '.join(self.laws_broken)}" if self.findings else head]
        for finding in findings[:SHOWN]:
            lines += ["", f"{finding}", f"  law: {finding.statement}", finding.snippet]
        raise AssertionError("\n".join(lines))

    @classmethod
    def from_plain(cls, kept: dict[str, Any]) -> "Verdict":
        """A verdict as the cache holds it."""
        findings = tuple(Finding.from_plain(finding) for finding in kept["findings"])
        numbers = {
            name: {dtype: float(value) for dtype, value in kept[name].items()}
            for name in ("budgets", "ulps")
        }
        tuples = {name: tuple(kept[name]) for name in ("unsupported", "under")}
        return cls(**{**kept, **numbers, **tuples, "findings": findings})


def merged(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of those on the same implementation, each on other dtypes.

    A broken law is shown on the first dtype that broke it; of later ones it says nothing.
    """
    findings: dict[str, Finding] = {}
    applied: Counter[str] = Counter()
    for verdict in verdicts:
        applied.update({law: n for law, n in verdict.applied.items() if law not in findings})
        for finding in verdict.findings:
            findings.setdefault(finding.law, finding)
    unsupported = tuple(dtype for verdict in verdicts for dtype in verdict.unsupported)
    refused = sum((Counter(verdict.refused) for verdict in verdicts), Counter[str]())
    return replace(
        verdicts[0],
        outcome=outcome_of([*findings.values()], unsupported),
        findings=tuple(findings.values()),
        budgets={dtype: used for verdict in verdicts for dtype, used in verdict.budgets.items()},
        ulps={dtype: used for verdict in verdicts for dtype, used in verdict.ulps.items()},
        applied=dict(applied),
        unsupported=unsupported,
        refused=dict(refused.most_common()),
    )
