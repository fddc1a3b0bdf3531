"""Which tests belong on one worker: those that ask the same oracle and compile the same graphs."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from impls.compiled import Compiled
from lossproof.loss import Loss


def compiled_in(function: Callable[..., Any]) -> dict[str, Compiled]:
    """What a function calls that is compiled, directly or through functions of the variants."""
    found: dict[str, Compiled] = {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Compiled):
            found[value.function.__name__] = value
        elif inspect.isfunction(value) and value.__module__.startswith("impls."):
            found |= compiled_in(value)
    return found


def same_worker(loss: Loss) -> pytest.MarkDecorator:
    """The mark that keeps tests of losses with a compiled function in common on one worker."""
    return pytest.mark.xdist_group(min(compiled_in(loss.variants["fused"])))
