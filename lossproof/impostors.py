"""Impostors: for every loss, its vectorized variant with one fault, for verification to reject.

``python -m lossproof.impostors [LOSS]...`` tries them all, and the published defects beside them. One
that no law rejects shows a hole in the laws or in the inputs. Which faults a loss can have is read from
its signature, its arguments and its oracle; those that it can't have leave every call as it is
(``harmless``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lossproof import anatomy, faults
from lossproof.catalog import CATALOG
from lossproof.lookup import find
from lossproof.loss import Loss, Variant
from lossproof.verification import first_fault
from lossproof.wrappers import Wrapper, changing, on_result, replaced
from properties.case import DTYPES


def _always(loss: Loss) -> bool:
    return True


@dataclass(frozen=True)
class Impostor:
    """A fault, the losses that can have it, and the dtype to look for it first."""

    wrap: Wrapper
    applies: Callable[[Loss], bool] = _always
    dtype: str = "float64"


FAULTS: Mapping[str, Impostor] = {
    "best_constant": Impostor(faults.constant),
    "zeros": Impostor(on_result(lambda value: replaced(value, torch.zeros_like(value), 0.0))),
    "oracle_without_gradient": Impostor(faults.oracle_without_gradient),
    "detached": Impostor(on_result(torch.Tensor.detach)),
    "gradient_scaled": Impostor(on_result(lambda value: replaced(value, value, 1.01))),
    "target_shifted": Impostor(faults.target_shifted),
    "classes_reversed": Impostor(faults.classes_reversed, anatomy.has_classes),
    "ignored_counted": Impostor(faults.ignored_counted, anatomy.has_ignore_index),
    "mean_and_sum_exchanged": Impostor(faults.mean_and_sum_exchanged, anatomy.has_batch),
    "wrong_count": Impostor(faults.wrong_count),
    "coupled": Impostor(faults.coupled, anatomy.has_batch),
    "last_item_dropped": Impostor(faults.last_dropped),
    "rounded_to_bfloat16": Impostor(on_result(lambda value: value.bfloat16().to(value.dtype))),
    "summed_in_half": Impostor(faults.summed_in_half, anatomy.has_batch, "bfloat16"),
    "infinity_swept": Impostor(
        on_result(lambda value: value.nan_to_num(0, 0, 0)), anatomy.can_overflow, "float16"
    ),
    "only_few_items": Impostor(faults.only_few_items),
    "only_contiguous": Impostor(faults.only_contiguous),
    "only_float32": Impostor(faults.only_float32),
    "stale": Impostor(faults.stale),
    "stateful": Impostor(faults.stateful),
    "input_changed": Impostor(faults.input_changed),
    "aliasing": Impostor(faults.aliasing),
    "extra_dimension": Impostor(on_result(lambda value: value.unsqueeze(-1))),
    "noise": Impostor(faults.noisy),
}
"""What is the same for every loss; options and weights are ignored in turn beside it."""


@dataclass(frozen=True)
class Maker:
    """Makes an impostor of a loss that remembers nothing yet; ``dtypes`` are in order of promise."""

    impostor: Impostor
    loss: Loss

    def __call__(self) -> Variant:
        return self.impostor.wrap(self.loss)

    @property
    def dtypes(self) -> list[str]:
        return sorted(DTYPES, key=lambda dtype: dtype != self.impostor.dtype)


def impostors(loss: Loss) -> dict[str, Maker]:
    """What verification must reject, by name."""
    chosen = {name: one for name, one in FAULTS.items() if one.applies(loss)}
    for name in anatomy.options_of(loss):
        chosen[f"ignores_{name}"] = Impostor(faults.ignoring_option(name))
    for name in anatomy.positional_weights(loss):
        chosen[f"ignores_{name}"] = Impostor(changing(name, lambda t, _: torch.ones_like(t)))
    return {name: Maker(one, loss) for name, one in chosen.items()}


def harmless(loss: Loss) -> dict[str, Maker]:
    """The faults that the loss can't have: wrappers that leave every call as it is."""
    return {name: Maker(one, loss) for name, one in FAULTS.items() if not one.applies(loss)}


def _wrong_forms(loss: Loss) -> dict[str, Callable[[], Variant]]:
    """Makers of the impostors and of the published defects."""
    defects = {name: partial(_itself, defect.function) for name, defect in loss.defects.items()}
    return {**impostors(loss), **defects}


def _itself(function: Variant) -> Variant:
    return function


def _rejected_by(make: Callable[[], Variant], loss: Loss, examples: int, seed: int) -> str:
    """The first law that rejects it, and the dtype; empty if none does."""
    dtypes = make.dtypes if isinstance(make, Maker) else DTYPES
    found = first_fault(make(), loss, dtypes=dtypes, examples=examples, seed=seed)
    return f"{found.law} {found.dtype}" if found is not None else ""


def main(
    losses: Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")] = None,
    examples: Annotated[int, typer.Option(min=1, help="generated cases for each dtype")] = 200,
    seed: Annotated[list[int] | None, typer.Option(help="of the cases; default: 0, 1, 2")] = None,
) -> None:
    """Try every impostor and every published defect; exit 1 if one passes."""
    seeds = seed or [0, 1, 2]
    table = Table("loss", "impostor", *(f"rejected at seed {number} by" for number in seeds))
    table.box = SIMPLE_HEAD
    passed, console = 0, Console()
    chosen = [find("loss", name, CATALOG) for name in losses or CATALOG]
    wrong = [(loss, name, make) for loss in chosen for name, make in _wrong_forms(loss).items()]
    try:
        for loss, name, make in track(wrong, "trying wrong forms", console=Console(stderr=True)):
            found = [_rejected_by(make, loss, examples, number) for number in seeds]
            passed += found.count("")
            table.add_row(loss.name, name, *(law or "[red]none[/]" for law in found))
    except KeyboardInterrupt:
        console.print(table, "interrupted")
        raise typer.Exit(130) from None
    console.print(table)
    console.print(
        f"{table.row_count} wrong forms; not rejected: {passed}", style="red" if passed else "green"
    )
    raise typer.Exit(1 if passed else 0)


if __name__ == "__main__":
    typer.run(main)
