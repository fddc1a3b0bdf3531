"""Which tests belong on one worker: those that ask the same oracle and compile the same graphs."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest

from impls.boxes import ClosedPairs
from impls.closed_form import ClosedForm
from impls.closed_masks import ClosedMasks
from impls.compiled import Compiled
from lossproof.loss import Loss
from lossproof.sources import names_in, reached


def compiled_in(function: Callable[..., Any]) -> dict[str, Compiled]:
    """What a function calls that is compiled, directly or through functions of the variants."""
    values = [f.__globals__.get(n) for f in reached(function, "impls") for n in names_in(f.__code__)]
    closed = ClosedForm | ClosedMasks | ClosedPairs
    parts = [vars(v).values() if isinstance(v, closed) else [v] for v in values]
    compiled = [part for part in chain(*parts) if isinstance(part, Compiled)]
    return {each.function.__name__: each for each in compiled}


def same_worker(loss: Loss) -> pytest.MarkDecorator:
    """The mark that keeps tests of losses with a compiled function in common on one worker."""
    return pytest.mark.xdist_group(min(compiled_in(loss.variants["fused"])))
