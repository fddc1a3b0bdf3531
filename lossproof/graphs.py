"""What of a variant torch compiles."""

from collections.abc import Callable
from itertools import chain
from typing import Any

from impls.boxes import ClosedPairs
from impls.closed_form import ClosedForm
from impls.closed_masks import ClosedMasks
from impls.compiled import Compiled
from lossproof.mutants import ROOM
from lossproof.sources import names_in, reached


def compiled_in(function: Callable[..., Any]) -> dict[str, Compiled]:
    """What a function calls that is compiled, directly or through functions of the variants.

    >>> from lossproof import CATALOG
    >>> compiled_in(CATALOG["mse"].variants["vectorized"])
    {}
    """
    values = [f.__globals__.get(n) for f in reached(function, ROOM) for n in names_in(f.__code__)]
    closed = ClosedForm | ClosedMasks | ClosedPairs
    parts = [vars(v).values() if isinstance(v, closed) else [v] for v in values]
    compiled = [part for part in chain(*parts) if isinstance(part, Compiled)]
    return {each.function.__name__: each for each in compiled}
