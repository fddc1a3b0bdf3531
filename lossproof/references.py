"""Functions by reference, "module:name": how another process, or a program, gets at them."""

import importlib
import sys
from typing import Any


def reference(function: Any) -> str | None:
    """ "module:name", or None for what can't be imported by that name in another process."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module in (None, "__main__") or name is None:
        return None
    found = getattr(sys.modules.get(module), name, None)
    return f"{module}:{name}" if found is function else None


def resolve(named: str) -> Any:
    """What a reference leads to; the name may have dots.

    Raises:
        ValueError: it leads nowhere.

    >>> resolve("math:pi")
    3.141592653589793
    """
    module, _, name = named.partition(":")
    if not (module and name):
        raise ValueError(f"implementation: expected package.module:name, got {named!r}")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"implementation: {named}: {error}") from error
    return found
