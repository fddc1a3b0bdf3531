"""What a loss says of itself: its call and its arguments, from the oracle's signature and docstring."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from lossproof.catalog import CATALOG
from lossproof.lookup import find
from lossproof.loss import Loss
from properties.general import BATCH_LAWS


def laws(loss: str | Loss) -> tuple[str, ...]:
    """The names of all laws that :func:`lossproof.verify` checks, to make one test of each.

    Raises:
        ValueError: an unknown loss.

    >>> laws("mse")[:3]
    ('value', 'gradient', 'finite')
    """
    row = find("loss", loss, CATALOG) if isinstance(loss, str) else loss
    return tuple(law.__name__ for law in (*row.laws, *BATCH_LAWS))


def signature(loss: Loss) -> str:
    """The call with its defaults."""
    plain = [p.replace(annotation=p.empty) for p in inspect.signature(loss.oracle).parameters.values()]
    return f"{loss.name}{inspect.Signature(plain)}"


def arguments(loss: Loss) -> list[tuple[str, str, bool]]:
    """Each argument: its name, what it is, and whether gradient flows to it."""
    texts = _described(loss.oracle)
    case = loss.curve.make(loss.curve.low)
    flows = {argument.name for argument in loss.known_arguments(case) if argument.gradient}
    names = inspect.signature(loss.oracle).parameters
    return [(name, texts.get(name, ""), name in flows) for name in names]


def sentence(function: Callable[..., Any]) -> str:
    """A docstring in one line."""
    return " ".join((function.__doc__ or "").split())


def _described(function: Callable[..., Any]) -> dict[str, str]:
    """What a docstring says of each argument under ``Args:``."""
    _, _, after = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in after.split("\n\n")[0].splitlines():
        start = re.match(r" {4}(\w+(?:, \w+)*): ?(.*)", line)
        if start:
            names = start[1].split(", ")
            texts |= dict.fromkeys(names, start[2])
        else:
            texts |= {name: f"{texts[name]} {line.strip()}".strip() for name in names}
    return texts
