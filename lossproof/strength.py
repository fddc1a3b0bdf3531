"""Strength: how many mutants of a variant the laws reject, and why those that are left may be."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lossproof.figures import Figures, keep, read
from lossproof.mutants import Mutant

TABLE = Path(__file__).parent / "equivalents.toml"
FIGURES = Path(__file__).parent / "strength.json"
GOAL = 0.98
"""The least share of a loss's mutants, the equivalent ones aside, that its laws must reject."""

Kind = Literal["killed", "survived", "equivalent"]


@dataclass(frozen=True)
class Result:
    """What became of one mutant.

    Attributes:
        law, dtype: what killed it.
        reason: of the kill, or why it is equivalent.
    """

    function: str
    change: str
    outcome: Kind
    law: str = ""
    dtype: str = ""
    reason: str = ""


@dataclass
class Strength:
    """What became of the mutants of one loss."""

    loss: str
    results: list[Result] = field(default_factory=list)

    def count(self, outcome: Kind) -> int:
        return sum(result.outcome == outcome for result in self.results)

    @property
    def score(self) -> float:
        """The share of the mutants that are killed, of those that are not equivalent."""
        different = len(self.results) - self.count("equivalent")
        return self.count("killed") / different if different else 1.0

    @property
    def figures(self) -> dict[str, int]:
        kinds: tuple[Kind, ...] = ("killed", "equivalent", "survived")
        return {"mutants": len(self.results)} | {kind: self.count(kind) for kind in kinds}


# Equivalent mutants


@dataclass(frozen=True)
class Equivalent:
    """An argument that changes of a function stay within 8 budgets over the whole domain.

    Attributes:
        losses: of which that is true; empty: of all that reach the function.
    """

    function: str
    changes: tuple[str, ...]
    reason: str
    losses: tuple[str, ...] = ()

    def covers(self, loss: str, function: str, change: str) -> bool:
        of_loss = not self.losses or loss in self.losses
        return of_loss and function == self.function and change in self.changes


@cache
def equivalents(file: Path = TABLE) -> tuple[Equivalent, ...]:
    """The table of reasons."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["equivalent"]
    return tuple(
        Equivalent(row["function"], tuple(row["changes"]), row["reason"], tuple(row.get("losses", ())))
        for row in rows
    )


def judged(strength: Strength, mutants: Sequence[Mutant], table: Sequence[Equivalent]) -> Strength:
    """The same in the order of the mutants, and with the survivors that the table explains as
    equivalent."""
    results = {(result.function, result.change): result for result in strength.results}
    ordered = []
    for mutant in mutants:
        result = results.get((mutant.function, mutant.change))
        if result is None:
            continue
        rows = [row for row in table if row.covers(strength.loss, mutant.function, mutant.change)]
        if rows and result.outcome == "survived":
            result = replace(result, outcome="equivalent", reason=rows[0].reason)
        ordered.append(result)
    return Strength(strength.loss, ordered)


def false_claims(strengths: Iterable[Strength], table: Sequence[Equivalent]) -> list[str]:
    """What the table says of these losses that is not so: mutants that are gone or killed."""
    found = []
    for strength in strengths:
        functions = {result.function for result in strength.results}
        for row in table:
            if row.function not in functions or (row.losses and strength.loss not in row.losses):
                continue
            for change in row.changes:
                known = [r for r in strength.results if (r.function, r.change) == (row.function, change)]
                where = f"{strength.loss}: {row.function}: {change}"
                if not known:
                    found.append(f"{where}: there is no such mutant")
                found += [f"{where}: killed by {r.law} ({r.dtype})" for r in known if r.law]
    return found


# The figures that are shown


def figures() -> Figures:
    """The figures of each loss that were saved last."""
    return read(FIGURES)


def save(strengths: Iterable[Strength], examples: int, seed: int) -> None:
    """Write the figures of these losses, and keep those of others."""
    how = {"examples": examples, "seed": seed}
    keep(FIGURES, {strength.loss: {**strength.figures, **how} for strength in strengths})


def share(figures: dict[str, int]) -> str:
    """The score as a percentage, rounded down: 100 % are all."""
    different = figures["mutants"] - figures["equivalent"]
    return f"{1000 * figures['killed'] // max(different, 1) / 10:g} %"


def as_json(strength: Strength) -> dict[str, Any]:
    """Everything about one loss's mutants."""
    return {"loss": strength.loss, **strength.figures, "results": [asdict(r) for r in strength.results]}
