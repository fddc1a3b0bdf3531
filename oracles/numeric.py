"""Complex-safe building blocks and the checks that the public oracles share.

Complex-safe: comparisons look at real parts, so a complex step of 1e-100 in the imaginary part never
changes a branch; nothing calls ``abs``, ``maximum`` or ``log1p`` on complex numbers.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

REDUCTIONS = ("mean", "sum", "none")


def larger(a: Array, b: Array) -> Array:
    """The one with the larger real part; the second at a tie."""
    return np.where(a.real > b.real, a, b)


def smaller(a: Array, b: Array) -> Array:
    """The one with the smaller real part; the second at a tie."""
    return np.where(a.real < b.real, a, b)


def log1p(u: Array) -> Array:
    """log(1 + u) for Re u > -1, exact for tiny u, also for complex u (where NumPy returns 0)."""
    if not np.iscomplexobj(u):
        return np.log1p(u)
    real = 0.5 * np.log1p(u.real * (2 + u.real) + u.imag**2)
    return real + 1j * np.arctan2(u.imag, 1 + u.real)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    positive = x.real > 0
    return np.where(positive, x, 0) + log1p(np.exp(np.where(positive, -x, x)))


def log_sum_exp(x: Array, axis: int) -> Array:
    """log Σ exp(x) along an axis, which is kept; -inf entries count as zero probability."""
    shift = np.max(x.real, axis=axis, keepdims=True)
    return shift + np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """x - log Σ exp(x), exact also where x is large."""
    shifted = x - np.max(x.real, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def ratio(numerator: Array, denominator: Array, *, empty: float) -> Array:
    """numerator / denominator, and ``empty`` where the denominator is 0.

    Of complex numbers to first order in the imaginary part: NumPy's own quotient of a step by a step
    leaves its square behind where 0 stood, and a power of that may be far from 0.
    """
    zero = denominator.real == 0
    below = np.where(zero, 1, denominator)
    quotient = numerator / below
    if np.iscomplexobj(quotient):
        quotient = numerator.real / below.real + 1j * quotient.imag
    return np.where(zero, empty, quotient)


def power(x: Array, exponent: float) -> Array:
    """x ** exponent for Re x ≥ 0; of complex x to first order in the imaginary part.

    The steps of 1e-100 ask for no more, and where Re x is 0 a power close to 1 would keep them.
    """
    if not np.iscomplexobj(x):
        return x**exponent
    answer = np.empty_like(x)
    answer.real = x.real**exponent
    still, base = x.imag == 0, x.real
    zero = base == 0  # x ** (exponent - 1) would round the exponent, which a tiny base magnifies
    quotient = answer.real / np.where(zero, 1, base)
    slope = exponent * np.where(zero, np.where(still, 1, base) ** (exponent - 1), quotient)
    answer.imag = np.where(still, 0, slope * x.imag)
    return answer


def flatten(array: Array, start: int) -> Array:
    """Fold the axes from ``start`` on into one, which is added where there is none."""
    return array.reshape(*array.shape[:start], math.prod(array.shape[start:]))


def reduce(items: Array, reduction: str, divisor: float | None = None) -> Array | np.floating:
    """Sum, mean (by ``divisor``, else by the number of items; 0 where that is 0) or the items."""
    if reduction == "none":
        return items
    total = items.sum()
    if reduction == "sum":
        return total
    count = items.size if divisor is None else divisor
    return total / count if count != 0 else total * 0


# Checks of the public oracles. Each names the argument and what was expected.


def require(condition: Any, name: str, expected: str, got: object = None) -> None:
    """Raise the ``ValueError`` of a bad argument unless the condition holds (everywhere)."""
    if not np.all(condition):
        raise ValueError(f"{name}: expected {expected}" + ("" if got is None else f", got {got}"))


def require_reduction(reduction: str) -> None:
    require(reduction in REDUCTIONS, "reduction", f"one of {', '.join(REDUCTIONS)}", repr(reduction))


def as_floats(name: str, values: object) -> Array:
    """A float64 array (long double stays), or a ``TypeError``."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got {array.dtype}")
    return array if array.dtype == np.longdouble else array.astype(np.float64)


def as_labels(name: str, values: object) -> Array:
    """An int64 array, or a ``TypeError``."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    return array.astype(np.int64)


def as_number(name: str, value: object) -> float:
    """A real scalar, or a ``TypeError``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    return value  # type: ignore[return-value]  # a long double stays one


def require_same_shape(first_name: str, first: Array, name: str, array: Array) -> None:
    expected = f"the shape of {first_name}, {first.shape}"
    require(array.shape == first.shape, name, expected, array.shape)


def require_number_between(name: str, value: object, low: float, high: float) -> None:
    """A real scalar in [low, high], else a ``TypeError`` or ``ValueError``."""
    number = as_number(name, value)
    require(low <= number <= high, name, f"a number in [{low:g}, {high:g}]", value)


def require_between(name: str, value: Array | float, low: float, high: float) -> None:
    array = np.asarray(value)
    require((array >= low) & (array <= high), name, f"values in [{low}, {high}]")


def require_finite(name: str, array: Array) -> None:
    require(np.isfinite(array), name, "finite numbers")
