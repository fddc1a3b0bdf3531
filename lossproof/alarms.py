"""False alarms: right code, on many more cases than usual, must never be called wrong.

``python -m lossproof.alarms`` tries the vectorized variants and the oracle itself, rounded once
(:mod:`lossproof.reference`), and shows how much of the error budget each has used. What was tried is
kept on disk, so that an interrupted run goes on where it stopped. ``--save`` adds to the figures in the
repository, which say by a hash of which sources they are: while these stay, so do the figures, and many
short runs make a long one.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
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
from lossproof.figures import Figures, keep, read
from lossproof.lookup import find
from lossproof.reference import reference
from lossproof.verification import SOUGHT_SHARE, verify
from lossproof.workers import cores
from properties.case import DTYPES
from properties.trial import BUDGETS

LAWS = ("value", "gradient", "finite", "reductions_agree")
"""The laws that compare with the oracle or say what a number may be: those that tolerance decides."""
CHUNK = 500
"""Cases that are tried together, at a seed of their own: the chunk's number."""
SOUGHT = CHUNK // (SOUGHT_SHARE + 1)
"""How many of them are sought where the error is largest."""
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


def tried(loss: str, dtype: str, number: int) -> list[Tried]:
    """Both right implementations of a loss on one chunk; from the disk where they were before."""
    row = CATALOG[loss]
    key: dict[str, Any] = {"loss": loss, "dtype": dtype, "cases": CHUNK, "number": number}
    key["source"] = deciding_source(row)
    if known := load("alarms", key):
        return [Tried(**{**one, "alarms": tuple(one["alarms"])}) for one in known]
    torch.set_num_threads(1)
    found = []
    for name, function in zip(FORMS, (row.variants[VARIANT], reference(row)), strict=True):
        verdict = verify(function, row, dtypes=[dtype], examples=CHUNK - SOUGHT, seed=number, laws=LAWS)
        alarms = tuple(f"{finding}\n{finding.snippet}" for finding in verdict.findings)
        found.append(Tried(loss, name, dtype, CHUNK, verdict.budgets[dtype], alarms))
    store("alarms", key, found)
    return found


def all_tried(chunks: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, list[Tried]]]:
    """These chunks (loss and number) in every dtype on all cores, as they come in."""
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        jobs = {
            pool.submit(tried, loss, dtype, number): (loss, number)
            for loss, number in chunks
            for dtype in DTYPES
        }
        try:
            for job in track(as_completed(jobs), "trying right code", len(jobs)):
                yield *jobs[job], job.result()
        finally:
            pool.shutdown(cancel_futures=True)


# The figures that are shown


def figures() -> Figures:
    """What was saved, by loss: cases of each dtype, alarms, and the largest error in budgets."""
    return read(FIGURES)


def chunks_saved(loss: str) -> int:
    """How many chunks the saved figures of a loss hold; none, if its sources have changed since."""
    saved = figures().get(loss)
    fresh = saved is not None and saved["source"] == deciding_source(CATALOG[loss])
    return saved["examples"] // CHUNK if saved is not None and fresh else 0


def save(chunks: Mapping[tuple[str, int], Sequence[Tried]]) -> None:
    """Add chunks that are whole to the figures: of each loss those that follow what is saved."""
    new = {}
    for name in {loss for loss, _ in chunks}:
        number = chunks_saved(name)
        results: list[Tried] = []
        while len(chunk := chunks.get((name, number), ())) == len(FORMS) * len(DTYPES):
            results += chunk
            number += 1
        if results:
            before = figures()[name] if chunks_saved(name) else {"alarms": 0, "budgets": 0.0}
            largest = max(result.budgets for result in results)
            new[name] = {
                "examples": number * CHUNK,
                "alarms": before["alarms"] + sum(len(result.alarms) for result in results),
                "budgets": max(before["budgets"], round(largest, 2)),
                "source": deciding_source(CATALOG[name]),
            }
    keep(FIGURES, new)


def _table(results: Iterable[Tried], names: Sequence[str]) -> Table:
    known: dict[tuple[str, str, str], Tried] = {}
    for one in results:
        key = one.loss, one.implementation, one.dtype
        known[key] = known[key] + one if key in known else one
    table = Table("loss", "implementation", *DTYPES, "cases", box=None)
    for name in names:
        for form in FORMS:
            row = [known.get((name, form, dtype)) for dtype in DTYPES]
            cells = (f"{r.budgets:.2g}{'!' if r.alarms else ''}" if r else "-" for r in row)
            table.add_row(name, form, *cells, str(min(r.examples if r else 0 for r in row)))
    return table


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    examples: Annotated[
        int, typer.Option(min=1, help=f"cases for each dtype, rounded up to a multiple of {CHUNK}")
    ] = 1000,
    saving: Annotated[
        bool, typer.Option("--save", help="go on from the figures that the pages show, and add to them")
    ] = False,
) -> None:
    """Exit 1 if right code is called wrong; the table shows the largest errors, in budgets."""
    names = [find("loss", name, CATALOG).name for name in losses or CATALOG]
    out, known, stopped = Console(), defaultdict[tuple[str, int], list[Tried]](list), False
    numbers = range(math.ceil(examples / CHUNK))
    first = {name: chunks_saved(name) if saving else 0 for name in names}
    try:
        for loss, number, results in all_tried(
            [(name, number) for number in numbers for name in names if number >= first[name]]
        ):
            known[loss, number] += results
    except KeyboardInterrupt:
        stopped = True
    results = [one for chunk in known.values() for one in chunk]
    out.print(_table(results, names))
    out.print(f"budgets used, of {BUDGETS:g}; ! called wrong")
    alarms = [alarm for result in results for alarm in result.alarms]
    for alarm in alarms:
        out.print(alarm, markup=False, highlight=False, soft_wrap=True)
    if saving:
        save(known)
    if stopped:
        Console(stderr=True).print("interrupted; the same command goes on from here", style="yellow")
        raise typer.Exit(130)
    raise typer.Exit(1 if alarms else 0)


if __name__ == "__main__":
    typer.run(main)
