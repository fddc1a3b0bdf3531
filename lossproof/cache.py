"""Verdicts and timings on disk, one JSON file each, named by a hash of all that they depend on."""

import hashlib
import importlib.util
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
    return source_on_disk()


def source_on_disk() -> str:
    """That hash of the files as they are now, which a process started now would import."""
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
    states = ((path.as_posix(), path.stat()) for path in _files_around(Path(file)))
    lines = (f"{name} {state.st_size} {state.st_mtime_ns}\n" for name, state in states)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def contents(module: str) -> str:
    """A hash of what these files hold, the same on every machine that has the same: empty where the
    module can't be found, and for this project's own. Nothing is imported."""
    top = module.partition(".")[0]
    found = None if top in PACKAGES else importlib.util.find_spec(top)
    if found is None or not found.has_location or found.origin is None:
        return ""
    file = Path(found.origin)
    digest = hashlib.sha256()
    for path in _files_around(file):
        digest.update(path.relative_to(file.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _files_around(file: Path) -> list[Path]:
    folder = file.parent
    return sorted(folder.rglob("*.py") if file.name == "__init__.py" else folder.glob("*.py"))


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
