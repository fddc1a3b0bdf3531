"""Oracles of the regression losses."""

import numpy as np

from oracles.numeric import (
    Array,
    as_floats,
    reduce,
    require_finite,
    require_reduction,
    require_same_shape,
)


def mse_items(input: Array, target: Array) -> Array:
    """Items, any shape: (x-y)²."""
    return (input - target) ** 2


def mse(input: Array, target: Array, *, reduction: str = "mean") -> Array | np.floating:
    """Squared error: (x-y)², elementwise, at least 0.

    Args:
        input: any shape, finite.
        target: same shape, finite.
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    np.float64(2.0)
    """
    input, target = as_floats("input", input), as_floats("target", target)
    require_reduction(reduction)
    require_same_shape("input", input, "target", target)
    require_finite("input", input)
    require_finite("target", target)
    return reduce(mse_items(input, target), reduction)
