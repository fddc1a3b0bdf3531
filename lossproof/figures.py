"""Figures of losses that take long to make, kept beside the source for the pages: one file a kind."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossproof.catalog import CATALOG

Figures = dict[str, dict[str, Any]]
"""By loss."""


def read(file: Path) -> Figures:
    """What was kept last; nothing if there is no file."""
    if not file.exists():
        return {}
    known: Figures = json.loads(file.read_text(encoding="utf-8"))
    return known


def keep(file: Path, new: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the figures of these losses, and keep those of others, in the catalogue's order."""
    known = {**read(file), **new}
    ordered = {name: known[name] for name in CATALOG if name in known}
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
