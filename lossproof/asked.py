"""What a command line asks for: losses, implementations, workloads, a place; and where results go.

Bad usage is a ValueError that names the option; :func:`usage` makes it a message and exit 2.
"""

import json
import logging
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lossproof.adapting import adapt
from lossproof.cache import plain
from lossproof.catalog import CATALOG
from lossproof.choosing import default_workloads, workload_of_size
from lossproof.conventions import under
from lossproof.inputs import load_workload
from lossproof.lookup import find, require_device
from lossproof.loss import Loss
from lossproof.progress import errors
from properties.case import DTYPES, Workload

if TYPE_CHECKING:
    from lossproof.scheduling import Cluster

BAD_USAGE, WRONG, INTERRUPTED = 2, 1, 130


@contextmanager
def usage() -> Iterator[None]:
    """Bad usage as a message and exit 2."""
    try:
        yield
    except ValueError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_USAGE) from None


def brought(
    losses: list[str] | None,
    impl: list[str],
    names: str,
    settings: list[str] | None,
    returns: str,
    boxes: str,
    reduces: str,
    conventions: list[str] | None,
) -> Loss:
    """One loss, under the conventions, with implementations by reference as its variants."""
    if len(losses or []) != 1:
        raise ValueError("impl: expected the name of exactly one loss before --impl")
    assert losses is not None
    row = under(find("loss", losses[0], CATALOG), conventions or ())
    how: dict[str, Any] = {"returns": returns, "boxes": boxes, "reduces": reduces}
    how["conventions"] = row.under
    how["names"] = dict(_pair("map", part) for part in names.split(",") if part)
    how["settings"] = {name: _value(text) for name, text in (_pair("set", s) for s in settings or [])}
    variants = {reference: adapt(reference, losses[0], **how) for reference in impl}
    return replace(row, variants=variants, defects={})


def require_impl(impl: list[str] | None, conventions: list[str] | None) -> None:
    if conventions and not impl:
        raise ValueError("convention: expected --impl beside it; the catalogue's own forms have none")


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"{option}: expected name=value, got {text!r}")
    return name.strip(), value.strip()


def _value(text: str) -> Any:
    """A number, True, None or a tuple as Python writes it; else the text itself."""
    with suppress(ValueError, SyntaxError):
        return literal_eval(text)
    return text


def losses_named(names: list[str] | None) -> list[Loss]:
    return [find("loss", name, CATALOG) for name in names or CATALOG]


def implementations(losses: list[Loss], names: list[str] | None) -> list[tuple[Loss, str]]:
    """Variants first, then defects; or those asked for, where a loss has them."""
    if names is None:
        variants = [(loss, name) for loss in losses for name in loss.variants]
        return variants + [(loss, name) for loss in losses for name in loss.defects]
    known = dict.fromkeys(name for loss in losses for name in (*loss.variants, *loss.defects))
    for name in names:
        find("variant", name, dict.fromkeys(known, True))
    return [(loss, n) for loss in losses for n in names if n in loss.variants or n in loss.defects]


def _workloads(loss: Loss, sizes: list[int] | None, inputs: Path | None, device: str) -> list[Workload]:
    if inputs is not None:
        return [load_workload(loss, inputs)]
    if sizes:
        return [workload_of_size(loss, size) for size in sizes]
    return default_workloads(loss) if device == "cpu" else list(loss.workloads)


def work_on(
    names: list[str] | None, device: str, dtype: str, sizes: list[int] | None, inputs: Path | None
) -> tuple[list[Loss], list[tuple[Loss, Workload]]]:
    """The losses, and the workloads that each is timed on."""
    rows = losses_named(names)
    find("dtype", dtype, DTYPES)
    if inputs is not None and (sizes or len(names or []) != 1):
        raise ValueError("inputs: expected exactly one loss and no --size beside a file")
    return rows, [(row, workload) for row in rows for workload in _workloads(row, sizes, inputs, device)]


@contextmanager
def place(
    device: str, scheduler: str | None, jobs: int | None, timing: bool = False
) -> Iterator["Cluster | None"]:
    """A Dask cluster that has the device, or this machine, which must have it."""
    if scheduler is None:
        require_device(device)
        yield None
        return
    if find_spec("distributed") is None:
        raise ValueError('--scheduler: Dask is not installed; pip install "lossproof[dask]"')
    if jobs is not None:
        raise ValueError("--jobs: with --scheduler, each worker has a number of its own: its --nthreads")
    from lossproof.connecting import connected

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is told in our words
    with connected(scheduler, device, timing=timing) as cluster:
        yield cluster


def write(file: Path | None, content: dict[str, Any]) -> None:
    if file is not None:
        save_text("json", file, json.dumps(plain(content), indent=1, ensure_ascii=False))


def save_text(option: str, file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        errors.print(f"{option}: can't write {file}: {error}", style="red")
        raise typer.Exit(BAD_USAGE) from None


def require_writable(option: str, file: Path) -> None:
    """Told before the work that would be lost."""
    try:
        file.open("a").close()
    except OSError as error:
        raise ValueError(f"{option}: can't write {file}: {error}") from None
