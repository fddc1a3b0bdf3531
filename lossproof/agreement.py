"""How often two runs of choose agree: ``python -m lossproof.agreement LOSS`` prints it."""

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from lossproof.catalog import CATALOG
from lossproof.choice import Choice
from lossproof.choosing import choose_for, verdicts_of, workload_of_size
from lossproof.lookup import find
from lossproof.measure import PASSES
from lossproof.verdict import Verdict


def agree(first: Choice, second: Choice, pass_name: str) -> bool:
    """Whether both name the same variant, or both call it a tie."""
    ties = [len(choice.ties[pass_name]) > 1 for choice in (first, second)]
    return all(ties) or first.winners[pass_name] == second.winners[pass_name]


def afresh(
    loss: str, size: int, verdicts: Mapping[str, Verdict], device: str, dtype: str, threads: int
) -> Choice:
    """A decision that finds no earlier one on disk."""
    row = find("loss", loss, CATALOG)
    with TemporaryDirectory() as empty:
        os.environ["LOSSPROOF_CACHE"] = empty  # of this process, which does nothing else
        return choose_for(row, workload_of_size(row, size), verdicts, device, dtype, threads)


def main(
    loss: str,
    size: Annotated[int, typer.Option(min=1, help="elements of the first argument")] = 1_000,
    repetitions: Annotated[int, typer.Option(min=1)] = 20,
    device: str = "cpu",
    dtype: str = "float32",
    threads: Annotated[int, typer.Option(min=1, help="of torch")] = 1,
) -> None:
    """Let two processes decide in turn, again and again, and count how often they agree."""
    row = find("loss", loss, CATALOG)
    verdicts = verdicts_of(row, device, dtype)
    agreed: Counter[str] = Counter()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn"))) for _ in "ab"
        ]
        for _ in range(repetitions):
            first, second = (
                process.submit(afresh, loss, size, verdicts, device, dtype, threads).result()
                for process in processes
            )
            for name in PASSES:
                agreed[name] += agree(first, second, name)
                found = (" = ".join(choice.ties[name]) for choice in (first, second))
                print(f"{name}: {' | '.join(found)}", flush=True)
    for name in PASSES:
        print(f"{loss}, {first.size:,} elements, {name}: {agreed[name]} of {repetitions} agree")


if __name__ == "__main__":
    typer.run(main)
