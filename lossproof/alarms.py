"""False alarms: right code, on many more cases than usual, must never be called wrong.

``python -m lossproof.alarms`` tries the vectorized variants and the oracle itself, rounded once
(:mod:`lossproof.reference`), and shows how much of the error budget each has used.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lossproof.catalog import CATALOG
from lossproof.lookup import find
from lossproof.reference import reference
from lossproof.verification import verify
from lossproof.workers import cores
from properties.case import DTYPES
from properties.trial import BUDGETS

LAWS = ("value", "gradient", "finite", "reductions_agree")
"""The laws that compare with the oracle or say what a number may be: those that tolerance decides."""


@dataclass(frozen=True)
class Tried:
    """What verification said of one right implementation on one dtype."""

    loss: str
    implementation: str
    dtype: str
    budgets: float
    alarms: tuple[str, ...]


def tried(loss: str, dtype: str, examples: int, seed: int) -> list[Tried]:
    """Both right implementations of a loss, on the same cases."""
    torch.set_num_threads(1)
    row = CATALOG[loss]
    forms = {"vectorized": row.variants["vectorized"], "oracle": reference(row)}
    found = []
    for name, function in forms.items():
        verdict = verify(function, row, dtypes=[dtype], examples=examples, seed=seed, laws=LAWS)
        alarms = tuple(f"{finding}\n{finding.snippet}" for finding in verdict.findings)
        found.append(Tried(loss, name, dtype, verdict.budgets[dtype], alarms))
    return found


def all_tried(losses: list[str], examples: int, seed: int) -> Iterator[list[Tried]]:
    """All losses and dtypes on all cores, as they come in."""
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        jobs = [pool.submit(tried, n, d, examples, seed) for n in losses for d in DTYPES]
        try:
            for job in track(as_completed(jobs), "trying right code", len(jobs)):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    examples: Annotated[int, typer.Option(min=1, help="generated cases for each dtype")] = 1000,
    seed: Annotated[int, typer.Option(help="of the generated cases")] = 0,
) -> None:
    """Exit 1 if right code is called wrong; the table shows the largest errors, in budgets."""
    names = [find("loss", name, CATALOG).name for name in losses or CATALOG]
    out, results = Console(), [one for some in all_tried(names, examples, seed) for one in some]
    known = {(r.loss, r.implementation, r.dtype): r for r in results}
    table = Table("loss", "implementation", *DTYPES, box=None)
    for name in names:
        for form in ("vectorized", "oracle"):
            row = [known[name, form, dtype] for dtype in DTYPES]
            table.add_row(name, form, *(f"{r.budgets:.2g}{'!' if r.alarms else ''}" for r in row))
    out.print(table)
    out.print(f"budgets used, of {BUDGETS:g}; {examples} cases a dtype, seed {seed}; ! called wrong")
    alarms = [alarm for result in results for alarm in result.alarms]
    for alarm in alarms:
        out.print(alarm, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if alarms else 0)


if __name__ == "__main__":
    typer.run(main)
