"""What decides whether the vectorized variant of a loss is right: while it stays, so do results."""

import ast
import hashlib
import inspect
from functools import cache
from pathlib import Path

import torch

from lossproof.loss import Loss
from lossproof.mutants import ROOM
from lossproof.sources import reached

ROOT = Path(__file__).parent.parent
VARIANT = "vectorized"


@cache
def deciding_source(loss: Loss) -> str:
    """A hash of the variant's functions, of the harness, and of the loss's laws and oracle."""
    digest = hashlib.sha256(torch.__version__.encode())
    for function in reached(loss.variants[VARIANT], ROOM):
        digest.update(inspect.getsource(function).encode())
    mutating = ("mutants", "mutations", "sources")
    judging = ("verification", "trial", "traces", "tolerance", "cases", "reference")
    building = ("networks",) if loss.torch_options else ()
    names = [f"lossproof.{name}" for name in (*mutating, *judging, *building)]
    names += [f"{room}.{loss.family}" for room in ("oracles", "properties")]
    for path in sorted(_imported({_path_of(name) for name in names}), key=str):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _imported(paths: set[Path]) -> set[Path]:
    """These files and what they import of oracles and properties."""
    found: set[Path] = set()
    while paths:
        path = paths.pop()
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                rooms = [name for name in names if name.startswith(("oracles", "properties"))]
                paths |= {p for name in rooms if (p := _path_of(name)).exists() and p not in found}
    return found


def _path_of(module: str) -> Path:
    return (ROOT / module.replace(".", "/")).with_suffix(".py")
