"""Long work with bars on the error stream; Ctrl-C cuts it short, and what was done stays."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lossproof.choice import Choice
from lossproof.choosing import choose_for
from lossproof.loss import Loss
from lossproof.verdict import Verdict
from lossproof.verdicts import Key, verdicts_on
from lossproof.workers import Limits, Report
from properties.case import Workload

if TYPE_CHECKING:
    from lossproof.scheduling import Cluster

errors = Console(stderr=True)


def progress() -> Progress:
    """Bars on the error stream, gone when done, so that results can be piped."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True)


def teller(shown: Progress) -> Report:
    """Shows a bar for each thing that is being done, until it is done."""
    bars: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = shown.add_task(what, total=None)
        shown.update(bars[what], completed=done, total=total, visible=done < total)

    return tell


def make_verdicts(
    asked: list[tuple[Loss, str]], device: str, dtypes: list[str], *numbers: int, **options: Any
) -> tuple[dict[Key, Verdict], bool]:
    """The verdicts in the order that was asked for, and whether they were cut short."""
    found: dict[Key, Verdict] = {}
    stopped = False
    try:
        with progress() as shown:
            tell = teller(shown)
            coming = verdicts_on(asked, device, dtypes, *numbers, report=tell, **options)
            with closing(coming):
                for key, verdict in coming:
                    found[key] = verdict
                    tell("verdicts", len(found), len(asked))
    except KeyboardInterrupt:
        stopped = True
    except ConnectionError as lost:
        errors.print(str(lost), style="red", markup=False, soft_wrap=True)
        stopped = True
    order = [(loss.name, name) for loss, name in asked]
    return {key: found[key] for key in order if key in found}, stopped


def make_choices(
    work: list[tuple[Loss, Workload]],
    verdicts: dict[Key, Verdict],
    device: str,
    dtype: str,
    threads: int | None,
    show: Callable[[Choice], object] = lambda choice: None,
) -> tuple[list[Choice], bool]:
    """The choice for each workload, shown as it is made, and whether Ctrl-C cut them short."""
    choices: list[Choice] = []
    try:
        for row, workload in work:
            with progress() as shown:
                known = {name: verdicts[row.name, name] for name in row.variants}
                choice = choose_for(row, workload, known, device, dtype, threads, teller(shown))
            choices.append(choice)
            show(choice)
            if choice.interrupted:
                return choices, True
    except KeyboardInterrupt:
        return choices, True
    return choices, False


def make_choices_on(
    cluster: "Cluster",
    asked: list[tuple[Loss, str]],
    work: list[tuple[Loss, Workload]],
    dtype: str,
    threads: int | None,
    limits: Limits,
    show: Callable[[Choice], object],
) -> tuple[list[Choice], bool]:
    """The same on each kind of device of a cluster, as they come in."""
    from lossproof.scheduling import choices_by_kind  # of an extra

    choices: list[Choice] = []
    try:
        with progress() as shown:
            tell = teller(shown)
            for choice in choices_by_kind(cluster, asked, work, dtype, threads, limits, tell):
                choices.append(choice)
                shown.stop()
                show(choice)
                shown.start()
    except KeyboardInterrupt:
        return choices, True
    except ConnectionError as lost:
        errors.print(str(lost), style="red", markup=False, soft_wrap=True)
        return choices, True
    return choices, False
