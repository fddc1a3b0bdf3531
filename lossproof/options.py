"""The options of the command line that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from properties.case import DTYPES

Losses = Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")]
Device = Annotated[str, typer.Option(help="cpu, cuda or another accelerator of this machine")]
DType = Annotated[str, typer.Option(help="one of " + ", ".join(DTYPES))]
Sizes = Annotated[
    list[int] | None,
    typer.Option(min=1, help="elements of the first argument; default: realistic workloads"),
]
Inputs = Annotated[
    Path | None, typer.Option(help="a .npz or .pt file with your own batch, for one loss")
]
Threads = Annotated[int | None, typer.Option(min=1, help="of torch; default: torch's own")]
Json = Annotated[Path | None, typer.Option("--json", help="write everything to this file")]
Examples = Annotated[int, typer.Option(min=1, help="generated cases for each dtype")]
Jobs = Annotated[int | None, typer.Option(min=1, help="worker processes; default: one for each core")]
TimeLimit = Annotated[
    float, typer.Option(min=0.1, help="seconds that one dtype's verification or one program may take")
]
MemoryLimit = Annotated[
    float, typer.Option(min=0.1, help="GiB of resident memory that one worker may hold")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="TCP://HOST:PORT", help="of a Dask cluster, to work there and not here"),
]
OF_YOURS = "An implementation of yours"
Impl = Annotated[
    list[str] | None,
    typer.Option(
        "--impl",
        metavar="MODULE:NAME",
        help="a function, class or module that can be imported",
        rich_help_panel=OF_YOURS,
    ),
]
Map = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="OURS=THEIRS,...",
        help="what it calls arguments and options: logits=inputs,target=targets",
        rich_help_panel=OF_YOURS,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="an argument that it is always given: eps=1e-7",
        rich_help_panel=OF_YOURS,
    ),
]
Returns = Annotated[
    str,
    typer.Option(help="loss, or similarity: the loss is 1 minus that", rich_help_panel=OF_YOURS),
]
Boxes = Annotated[
    str, typer.Option(help="how it takes boxes: xyxy, cxcywh or xywh", rich_help_panel=OF_YOURS)
]
Reduces = Annotated[
    str,
    typer.Option(
        help="what it gives where it takes no reduction: none, mean or sum", rich_help_panel=OF_YOURS
    ),
]
Conventions = Annotated[
    list[str] | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="a documented deviation that it may have: eps=1e-7 (docs/losses.md lists them)",
        rich_help_panel=OF_YOURS,
    ),
]
