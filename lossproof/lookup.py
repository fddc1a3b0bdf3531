"""Names that a person typed, and devices that may not be there."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch

from properties.case import DTYPES

T = TypeVar("T")


def find(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The entry of that name, or a ``ValueError`` that suggests the nearest ones.

    >>> find("loss", "gious", {"giou": 1, "mse": 2})
    Traceback (most recent call last):
    ...
    ValueError: loss: no 'gious'; did you mean giou? (all: giou, mse)
    """
    if name in known:
        return known[name]
    raise ValueError(f"{kind}: no {name!r}{suggestion(name, known)}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known names and all of them, to end a message with."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{hint} (all: {', '.join(known)})"


def dtype_name(dtype: torch.dtype | str) -> str:
    """The name of one of the four dtypes, or a ``ValueError``.

    >>> dtype_name(torch.bfloat16)
    'bfloat16'
    """
    return find("dtype", str(dtype).removeprefix("torch."), DTYPES).name


def require_device(device: str) -> None:
    """Raise a ``ValueError`` unless this machine has the device."""
    kind = device.partition(":")[0]
    here = devices()
    if kind not in here:
        known = {"cuda", "mps", "xpu", "cpu"}
        if kind in known:
            raise ValueError(f"device: no {device} on this machine (here: {', '.join(here)})")
        raise ValueError(f"device: no {device!r}{suggestion(kind, [*here, *sorted(known - set(here))])}")


def devices() -> list[str]:
    """The kinds of device that this machine has: the CPU, and the accelerator that torch finds."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return ["cpu"] if accelerator is None else ["cpu", accelerator.type]
