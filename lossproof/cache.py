"""Verdicts and timings on disk, one JSON file each, named by a hash of all that they depend on."""

import hashlib
import json
import math
import os
import sys
import tempfile
import warnings
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

PACKAGES = ("oracles", "impls", "properties", "lossproof")


def folder() -> Path:
    """Where the files lie: the user's cache, or ``LOSSPROOF_CACHE``."""
    chosen = os.environ.get("LOSSPROOF_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("lossproof")


@cache
def source_hash() -> str:
    """A hash of all of this project's source: a change anywhere makes every entry old."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def stamp(module: str) -> str:
    """A hash of the names, sizes and times of the Python files around another's module: of its package,
    or of its folder. Empty for this project's own, whose source is in every key."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if top in PACKAGES or file is None:
        return ""
    folder = Path(file).parent
    found = folder.rglob("*.py") if Path(file).name == "__init__.py" else folder.glob("*.py")
    states = ((path.as_posix(), path.stat()) for path in sorted(found))
    lines = (f"{name} {state.st_size} {state.st_mtime_ns}\n" for name, state in states)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _path(kind: str, key: dict[str, Any]) -> Path:
    text = json.dumps({"source": source_hash(), **plain(key)}, sort_keys=True)
    return folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def load(kind: str, key: dict[str, Any]) -> Any:
    """The entry under a key, or None. A broken file is reported, removed and counts as none.

    A key that names its own "source" doesn't depend on all of the project's.
    """
    path = _path(kind, key)
    try:
        return json.loads(path.read_text(encoding="utf-8"))["value"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        warnings.warn(f"cache file {path} is broken ({error}); it is made anew", stacklevel=2)
        path.unlink(missing_ok=True)
        return None


def store(kind: str, key: dict[str, Any], value: Any) -> None:
    """Keep an entry; a folder that can't be written to is reported and otherwise ignored."""
    path = _path(kind, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8"
        ) as part:
            json.dump({"key": plain(key), "value": plain(value)}, part)
        os.replace(part.name, path)
    except OSError as error:
        warnings.warn(f"cannot write the cache file {path}: {error}", stacklevel=2)


def plain(value: Any) -> Any:
    """Dataclasses, arrays and infinities as what JSON can say (infinity and NaN as strings)."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
