"""Losses of other libraries, by name: ``python -m lossproof.peers`` compares the variants with them.

None is a dependency, and nothing imports one before :func:`load` is asked for it. :mod:`impls.peers`
says what a peer is.
"""

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lossproof.catalog import CATALOG
from lossproof.comparison import (
    Comparison,
    Form,
    compared,
    forms_of,
    header,
    read,
    summary,
    write,
)
from lossproof.lookup import find
from lossproof.loss import Loss, Variant
from lossproof.machine import environment
from lossproof.report import console
from lossproof.workers import Report

PEERS: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "cross_entropy": "impls.peers.torch:cross_entropy",
        "binary_cross_entropy": "impls.peers.torch:binary_cross_entropy",
        "log_loss": "impls.peers.torch:log_loss",
        "mse": "impls.peers.torch:mse",
    },
    "torchvision": {
        "sigmoid_focal": "impls.peers.torchvision:sigmoid_focal",
        "giou": "impls.peers.torchvision:giou",
        "diou": "impls.peers.torchvision:diou",
        "ciou": "impls.peers.torchvision:ciou",
    },
    "fvcore": {
        "sigmoid_focal": "impls.peers.fvcore:sigmoid_focal",
        "giou": "impls.peers.fvcore:giou",
    },
    "kornia": {
        "softmax_focal": "impls.peers.kornia:softmax_focal",
        "sigmoid_focal": "impls.peers.kornia:sigmoid_focal",
    },
    "monai": {
        "softmax_focal": "impls.peers.monai:softmax_focal",
        "sigmoid_focal": "impls.peers.monai:sigmoid_focal",
        "giou": "impls.peers.monai:giou",
        "dice": "impls.peers.monai:dice",
        "jaccard": "impls.peers.monai:jaccard",
        "tversky": "impls.peers.monai:tversky",
        "bce_dice": "impls.peers.monai:bce_dice",
    },
    "segmentation_models_pytorch": {
        "cross_entropy": "impls.peers.segmentation_models_pytorch:cross_entropy",
        "binary_cross_entropy": "impls.peers.segmentation_models_pytorch:binary_cross_entropy",
        "sigmoid_focal": "impls.peers.segmentation_models_pytorch:sigmoid_focal",
        "dice": "impls.peers.segmentation_models_pytorch:dice",
        "jaccard": "impls.peers.segmentation_models_pytorch:jaccard",
        "tversky": "impls.peers.segmentation_models_pytorch:tversky",
    },
    "timm": {
        "cross_entropy": "impls.peers.timm:cross_entropy",
        "binary_cross_entropy": "impls.peers.timm:binary_cross_entropy",
    },
    "ultralytics": {
        "iou": "impls.peers.ultralytics:iou",
        "giou": "impls.peers.ultralytics:giou",
        "diou": "impls.peers.ultralytics:diou",
        "ciou": "impls.peers.ultralytics:ciou",
        "dice": "impls.peers.ultralytics:dice",
        "bce_dice": "impls.peers.ultralytics:bce_dice",
    },
    "pytorch_metric_learning": {
        "arcface": "impls.peers.pytorch_metric_learning:arcface",
    },
    "keras": {
        "cross_entropy": "impls.peers.keras:cross_entropy",
        "binary_cross_entropy": "impls.peers.keras:binary_cross_entropy",
        "log_loss": "impls.peers.keras:log_loss",
        "softmax_focal": "impls.peers.keras:softmax_focal",
        "sigmoid_focal": "impls.peers.keras:sigmoid_focal",
        "mse": "impls.peers.keras:mse",
        "dice": "impls.peers.keras:dice",
        "tversky": "impls.peers.keras:tversky",
    },
}
"""By library and loss, the function; a library is called as it is imported."""


@dataclass(frozen=True)
class Documented:
    """The conventions that a library's form of a loss has, and where the library says so."""

    conventions: tuple[str, ...]
    where: str


_SMALL = "docstring, eps: a small number to prevent division by zero"
_FUZZ = "documentation of keras.config.epsilon: the fuzz factor of numeric expressions, 1e-7"
_BY_DIFFERENCE = Documented(
    ("intersection=difference", "absent=0"),
    "source: the papers on soft labels that soft_tversky_score names, the comment on empty masks",
)
CONVENTIONS: Mapping[tuple[str, str], Documented] = {
    ("torch", "cross_entropy"): Documented(
        ("empty=nan",), "documentation: the mean is Σ l / Σ w, which is 0/0 where nothing is kept"
    ),
    ("torchvision", "giou"): Documented(("eps=1e-7",), _SMALL),
    ("torchvision", "diou"): Documented(("eps=1e-7",), _SMALL),
    ("torchvision", "ciou"): Documented(
        ("eps=1e-7", "boxes=extended"), f"{_SMALL}; boxes have x1 < x2 and y1 < y2"
    ),
    ("fvcore", "giou"): Documented(("eps=1e-7",), _SMALL),
    ("kornia", "sigmoid_focal"): Documented(
        ("target=two-terms",), "docstring, Convention: a fractional target weights the two terms"
    ),
    ("monai", "giou"): Documented(
        ("eps=1.1920928955078125e-07",), "source: box_pair_giou adds torch.finfo(torch.float32).eps"
    ),
    ("monai", "sigmoid_focal"): Documented(
        ("target=hard",), "docstring of sigmoid_focal_loss: pt = p if label is 1 or 1 - p if label is 0"
    ),
    ("segmentation_models_pytorch", "sigmoid_focal"): Documented(
        ("target=hard",), "docstring of focal_loss_with_logits: binary focal loss"
    ),
    ("segmentation_models_pytorch", "dice"): _BY_DIFFERENCE,
    ("segmentation_models_pytorch", "jaccard"): _BY_DIFFERENCE,
    ("segmentation_models_pytorch", "tversky"): _BY_DIFFERENCE,
    ("pytorch_metric_learning", "arcface"): Documented(
        ("vectors=long", "autocast=products"),
        "documentation of torch.nn.functional.normalize: x / max(|x|, 1e-12), and of torch.autocast: "
        "operations that it casts",
    ),
    ("keras", "log_loss"): Documented(("probs=inner",), _FUZZ),
    ("keras", "dice"): Documented(("eps=1e-7",), _FUZZ),
    ("keras", "tversky"): Documented(("eps=1e-7",), _FUZZ),
    ("ultralytics", "iou"): Documented(("eps=1e-7",), _SMALL),
    ("ultralytics", "giou"): Documented(("eps=1e-7",), _SMALL),
    ("ultralytics", "diou"): Documented(("eps=1e-7",), _SMALL),
    ("ultralytics", "ciou"): Documented(("eps=1e-7",), _SMALL),
}
"""By library and loss, what is no defect there; an epsilon counts where only the source has it."""

NEEDS_TORCHVISION = ("torchvision", "segmentation_models_pytorch", "timm", "ultralytics")


class Absent(Exception):
    """A library that can't be imported here; the message says why, and what would bring it."""


def package(library: str) -> str:
    """The name that a library is installed by."""
    return library.replace("_", "-")


def load(library: str, loss: str) -> Variant:
    """A library's form of a loss.

    Raises:
        Absent: the library is not there, or does not import.
    """
    module, _, name = PEERS[library][loss].partition(":")
    try:
        function: Variant = getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError) as error:  # torchvision's operators: a RuntimeError
        remedy = f"pip install -c constraints.txt {package(library)}"
        if library in NEEDS_TORCHVISION:
            remedy += " (torchvision needs the CUDA build of torch of its own release, on a CPU too)"
        raise Absent(f"{library} can't be imported: {_first_line(error)}; {remedy}") from error
    return function


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def versions() -> dict[str, str]:
    """Of each library that is installed."""
    found = {}
    for library in PEERS:
        try:
            found[library] = version(package(library))
        except PackageNotFoundError:
            continue
    return found


# The command


def peers_of(
    loss: str, absent: dict[str, str], libraries: Iterable[str] | None = None
) -> dict[str, Variant]:
    """The forms of these libraries, or of all; one that is not here is added to ``absent``, with the
    reason."""
    found = {}
    for library in libraries or PEERS:
        if loss in PEERS[library] and library not in absent:
            try:
                found[library] = load(library, loss)
            except Absent as reason:
                absent[library] = str(reason)
    return found


def judgements(loss: Loss, forms: Sequence[Form]) -> Table:
    """What the laws say of each form."""
    table = Table("form", "verdict", "cases", "refused", "first fault", box=None, title_justify="left")
    table.title = f"{loss.name}: {loss.formula}"
    for form in forms:
        said = form.judgement
        fault = f"{said.law}: {said.reason}" if said.law else said.reason
        table.add_row(form.name, said.outcome, str(said.judged), str(said.refused), fault)
    return table


def times(comparisons: Sequence[Comparison]) -> Table:
    """Forward and backward of each form on each workload, with its time over that of ours."""
    table = Table("workload", "elements", "threads", "form", "time", "over ours", "", box=None)
    for column in (1, 2, 4, 5):
        table.columns[column].justify = "right"
    for one in comparisons:
        for count, (name, form) in enumerate(one.forms.items()):
            where = ("", "", "") if count else (one.workload, f"{one.elements:,}", str(one.threads))
            timed = form.microseconds is not None
            time = f"{form.microseconds:,.0f} µs" if timed else ""
            table.add_row(*where, name, time, f"{one.ratio(name):.2f}" if timed else "", form.note)
    return table


@contextmanager
def _progress() -> Iterator[Report]:
    """A line that says what is being done."""
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("")

        def report(what: str, done: int, total: int) -> None:
            shown.update(task, description=what, completed=done, total=total)

        yield report


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="of torch; default: 1 and 2")] = None,
    examples: Annotated[int, typer.Option(min=1, help="generated cases for each form")] = 60,
    json: Annotated[Path | None, typer.Option(help="keep what is measured; losses are replaced")] = None,
) -> None:
    """Compare the variants with other libraries' losses: on a CPU, float32, forward and backward."""
    chosen = [find("loss", name, CATALOG) for name in losses or CATALOG]
    numbers = threads or [count for count in (1, 2) if count <= (os.cpu_count() or 1)]
    out, new = console(), list[Comparison]()
    absent: dict[str, str] = {}
    figures = read(json) if json else read(Path(os.devnull))
    here = environment("cpu")
    figures.made_with = {**versions(), **{name: here[name] for name in ("cores", "python", "torch")}}
    try:
        for loss in chosen:
            with _progress() as report:
                forms = forms_of(loss, peers_of(loss.name, absent), examples, report)
                found = []
                for one in compared(loss, forms, numbers, report):
                    found.append(one)
                    new.append(one)
                    figures.add(one)
                    if json:
                        write(figures, json)
            out.print(judgements(loss, forms), times(found), "", sep="\n")
    except KeyboardInterrupt:
        out.print("interrupted: what follows is of the workloads that were finished")
        raise typer.Exit(130) from None
    finally:
        table = Table(*header(numbers), box=None)
        for row in summary(new, numbers):
            table.add_row(*row)
        out.print(table)
        for reason in absent.values():
            out.print(f"absent: {reason}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
