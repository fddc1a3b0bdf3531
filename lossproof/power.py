"""How much the gradient law sees: ``python -m lossproof.power`` prints it for every loss and dtype."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lossproof import tolerance
from lossproof.cases import generated
from lossproof.catalog import CATALOG
from lossproof.figures import Figures, keep, read
from lossproof.lookup import find
from lossproof.loss import Loss
from properties.case import DTYPES, Array, Case
from properties.general import REDUCTIONS
from properties.trial import BUDGETS

FIGURES = Path(__file__).parent / "power.json"


def zero_passes(
    loss: Loss,
    dtype: str,
    examples: int = 60,
    seed: int = 0,
    reductions: tuple[str, ...] = REDUCTIONS,
) -> float:
    """The share of gradient entries that are not 0 and of which a returned 0 would pass.

    Entries whose gradient is not judged somewhere (kinks, no single value) are left out. A zero
    passes if it is within what is allowed under all the reductions: under the upstream gradient,
    the sum and the mean. Nothing to judge gives 0.

    >>> from lossproof import CATALOG
    >>> zero_passes(CATALOG["mse"], "float64", examples=5) < 0.5
    True
    """
    counts = np.zeros(2)
    for case in set(generated(loss, dtype, examples, seed)):
        for argument in loss.arguments_of(case):
            if argument.gradient:
                counts += _of_case(loss, case, argument.name, dtype, reductions)
    passing, judged = counts
    return float(passing / max(judged, 1))


def _of_case(loss: Loss, case: Case, name: str, dtype: str, reductions: tuple[str, ...]) -> Array:
    """How many entries a returned 0 would pass for, and how many there are."""
    facts = DTYPES[dtype]
    truths = [
        tolerance.true_gradient(loss, case, name, facts.unit, facts.smallest, reduction)
        for reduction in REDUCTIONS
    ]
    total = truths[REDUCTIONS.index("sum")].value
    judged = np.isfinite(total) & (total != 0)
    passes = np.ones(total.shape, dtype=bool)
    for reduction, truth in zip(REDUCTIONS, truths, strict=True):
        judged &= np.isfinite(truth.budget)
        if reduction in reductions:
            with np.errstate(invalid="ignore"):
                allowed = BUDGETS * truth.budget + facts.final * np.abs(truth.value)
                passes &= np.abs(truth.value) <= allowed
    return np.array([(passes & judged).sum(), judged.sum()])


# The figures that are shown


def figures() -> Figures:
    """The share of each loss and dtype that was saved last."""
    return read(FIGURES)


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    examples: Annotated[int, typer.Option(min=1, help="generated cases for each dtype")] = 200,
    seed: Annotated[int, typer.Option(help="of the generated cases")] = 0,
    saving: Annotated[bool, typer.Option("--save", help="keep the figures that the pages show")] = False,
) -> None:
    """Show the share of gradient entries that could be 0 unnoticed, under all reductions together."""
    table = Table("loss", *DTYPES, box=SIMPLE_HEAD)
    new: Figures = {}
    stopped = False
    chosen = [find("loss", name, CATALOG) for name in losses or CATALOG]
    try:
        for loss in track(chosen, "looking at gradients", console=Console(stderr=True)):
            shares = {dtype: zero_passes(loss, dtype, examples, seed) for dtype in DTYPES}
            new[loss.name] = {dtype: round(share, 4) for dtype, share in shares.items()}
            table.add_row(loss.name, *(f"{share:.1%}" for share in shares.values()))
    except KeyboardInterrupt:
        stopped = True
    finally:
        Console().print(table)
        if saving:
            keep(FIGURES, new)
    if stopped:
        Console(stderr=True).print("interrupted: what was done is shown and kept", style="yellow")
        raise typer.Exit(130)


if __name__ == "__main__":
    typer.run(main)
