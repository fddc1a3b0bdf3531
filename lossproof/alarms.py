"""False alarms: right code, on many more cases than usual, must never be called wrong.

``python -m lossproof.alarms`` tries the vectorized variants and the oracle itself, rounded once
(:mod:`lossproof.reference`), and shows how much of the error budget each has used. What was tried is
kept on disk, so that an interrupted run goes on where it stopped, and a longer one adds to a shorter.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lossproof.cache import load, store
from lossproof.catalog import CATALOG
from lossproof.deciding import VARIANT, deciding_source
from lossproof.lookup import find
from lossproof.reference import reference
from lossproof.verification import verify
from lossproof.workers import cores
from properties.case import DTYPES
from properties.trial import BUDGETS

LAWS = ("value", "gradient", "finite", "reductions_agree")
"""The laws that compare with the oracle or say what a number may be: those that tolerance decides."""
CHUNK = 500
"""Examples that are tried together, at a seed of their own."""
FORMS = (VARIANT, "oracle")
FIGURES = Path(__file__).parent / "alarms.json"


@dataclass(frozen=True)
class Tried:
    """What verification said of one right implementation on one dtype.

    Attributes:
        budgets: the largest error seen.
        alarms: the findings; there must be none.
    """

    loss: str
    implementation: str
    dtype: str
    examples: int
    budgets: float
    alarms: tuple[str, ...]

    def __add__(self, other: "Tried") -> "Tried":
        """Both together."""
        examples, budgets = self.examples + other.examples, max(self.budgets, other.budgets)
        return Tried(
            self.loss, self.implementation, self.dtype, examples, budgets, self.alarms + other.alarms
        )


def tried(loss: str, dtype: str, examples: int, seed: int) -> list[Tried]:
    """Both right implementations of a loss, on the same cases; from the disk where they were before."""
    row = CATALOG[loss]
    key: dict[str, Any] = {"loss": loss, "dtype": dtype, "examples": examples, "seed": seed}
    key["source"] = deciding_source(row)
    if known := load("alarms", key):
        return [Tried(**{**one, "alarms": tuple(one["alarms"])}) for one in known]
    torch.set_num_threads(1)
    found = []
    for name, function in zip(FORMS, (row.variants[VARIANT], reference(row)), strict=True):
        verdict = verify(function, row, dtypes=[dtype], examples=examples, seed=seed, laws=LAWS)
        alarms = tuple(f"{finding}\n{finding.snippet}" for finding in verdict.findings)
        found.append(Tried(loss, name, dtype, examples, verdict.budgets[dtype], alarms))
    store("alarms", key, found)
    return found


def all_tried(losses: Iterable[str], examples: int, seed: int) -> Iterator[list[Tried]]:
    """All losses and dtypes on all cores, a chunk at a time, as they come in."""
    chunks = [min(CHUNK, examples - start) for start in range(0, examples, CHUNK)]
    parts = [(many, seed + number) for number, many in enumerate(chunks)]
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        jobs = [pool.submit(tried, n, d, *part) for part in parts for n in losses for d in DTYPES]
        try:
            for job in track(as_completed(jobs), "trying right code", len(jobs)):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


# The figures that are shown


@cache
def figures() -> dict[str, dict[str, Any]]:
    """What was saved last, by loss: examples of each dtype, alarms, and the largest error in budgets."""
    if not FIGURES.exists():
        return {}
    known: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return known


def save(results: Sequence[Tried]) -> None:
    """Write the figures of these losses, and keep those of others, in the catalogue's order."""
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    for name in {result.loss for result in results}:
        own = [result for result in results if result.loss == name]
        known[name] = {
            "examples": min(result.examples for result in own),
            "alarms": sum(len(result.alarms) for result in own),
            "budgets": round(max(result.budgets for result in own), 2),
        }
    ordered = {name: known[name] for name in CATALOG if name in known}
    FIGURES.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def _table(known: dict[tuple[str, str, str], Tried], names: Sequence[str]) -> Table:
    table = Table("loss", "implementation", *DTYPES, "cases", box=None)
    for name in names:
        for form in FORMS:
            row = [known.get((name, form, dtype)) for dtype in DTYPES]
            cells = (f"{r.budgets:.2g}{'!' if r.alarms else ''}" if r else "-" for r in row)
            table.add_row(name, form, *cells, str(min(r.examples if r else 0 for r in row)))
    return table


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    examples: Annotated[int, typer.Option(min=1, help="generated cases for each dtype")] = 1000,
    seed: Annotated[int, typer.Option(help="of the first cases; later ones count up")] = 0,
    keep: Annotated[bool, typer.Option("--save", help="keep the figures that the pages show")] = False,
) -> None:
    """Exit 1 if right code is called wrong; the table shows the largest errors, in budgets."""
    names = [find("loss", name, CATALOG).name for name in losses or CATALOG]
    out, known, stopped = Console(), dict[tuple[str, str, str], Tried](), False
    try:
        for results in all_tried(names, examples, seed):
            for one in results:
                key = one.loss, one.implementation, one.dtype
                known[key] = known[key] + one if key in known else one
    except KeyboardInterrupt:
        stopped = True
    out.print(_table(known, names))
    out.print(f"budgets used, of {BUDGETS:g}; seeds from {seed}; ! called wrong")
    alarms = [alarm for result in known.values() for alarm in result.alarms]
    for alarm in alarms:
        out.print(alarm, markup=False, highlight=False, soft_wrap=True)
    if stopped:
        Console(stderr=True).print("interrupted; the same command goes on from here", style="yellow")
        raise typer.Exit(130)
    if keep:
        save(list(known.values()))
    raise typer.Exit(1 if alarms else 0)


if __name__ == "__main__":
    typer.run(main)
