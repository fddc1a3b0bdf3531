"""Every loss again, in mpmath at 50 digits, item by item and straight from its definition.

A module a family; here is what they share. Nothing comes from the oracles, which are held against
it. The functions named after a loss take the public oracle's arguments, as NumPy arrays of any
precision, and give the items as an array of mpmath numbers. Loss of digits is met with more digits,
not with another formula.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Number = Any
"""A number of the context below: mpmath makes its types at run time."""
Numbers = Sequence[Number] | Array

mp = mpmath.mp.clone()
mp.dps = 50


def number(value: Any) -> Number:
    """The same number in mpmath: no bit of a long double is lost."""
    if isinstance(value, mp.mpf):
        return value
    if not np.isfinite(value):
        return mp.mpf(float(value))
    mantissa, exponent = np.frexp(np.longdouble(value))
    return mp.ldexp(mp.mpf(int(np.ldexp(mantissa, 113))), int(exponent) - 113)


def numbers(values: Any) -> Array:
    """An array of the same numbers in mpmath."""
    array = np.asarray(values, dtype=object)
    return np.array([number(value) for value in array.flat], dtype=object).reshape(array.shape)


def jacobian(
    function: Callable[..., Array], arguments: Mapping[str, Any], name: str, size: float
) -> Array:
    """Slopes (elements, items) along one argument, by central differences of 1e-20 its size."""
    base, step = numbers(arguments[name]), number(size) * mp.mpf("1e-20")
    slopes = []
    for index in np.ndindex(base.shape):
        above, below = base.copy(), base.copy()
        above[index] += step
        below[index] -= step
        change = function(**{**arguments, name: above}) - function(**{**arguments, name: below})
        slopes.append(change.ravel() / (2 * step))
    return np.array(slopes, dtype=object)


def each(item: Callable[..., Number], *arrays: Array) -> Array:
    """The items of an elementwise loss."""
    first, *others = (numbers(array) for array in arrays)
    items = [item(*values) for values in zip(first.flat, *(o.flat for o in others), strict=True)]
    return np.array(items, dtype=object).reshape(first.shape)


# Functions of one number or one row


def digits(x: Number) -> int:
    """As many that 1 + e⁻ˣ keeps 50 of e⁻ˣ."""
    return 60 + int(abs(x) / 2)


def log1p(u: Number) -> Number:
    """log(1 + u)."""
    with mp.workdps(400):
        return mp.log(1 + u)


def softplus(x: Number) -> Number:
    """log(1 + eˣ)."""
    with mp.workdps(digits(x)):
        return mp.log(1 + mp.exp(x))


def probabilities(x: Number) -> tuple[Number, Number]:
    """p = σ(x) and 1-p."""
    with mp.workdps(digits(x)):
        p = sigmoid(x)
        return p, 1 - p


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mp.exp(-x))


def log_sum_exp(row: Numbers) -> Number:
    return mp.log(sum(mp.exp(x) for x in row))


def softmax(row: Numbers) -> list[Number]:
    powers = [mp.exp(x) for x in row]
    return [power / sum(powers) for power in powers]
