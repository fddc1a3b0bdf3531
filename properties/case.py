"""A case: one set of arguments of a loss, and what the harness must know of each argument."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class DType:
    """A floating type: its name and its rounding.

    Attributes:
        unit: relative rounding of the arithmetic inside (half types compute in float32).
        final: relative rounding of the result, where that is coarser; else 0.
        largest: the largest finite number.
        smallest: the smallest positive (subnormal) number.
        bits: significant bits, the hidden one included.
    """

    name: str
    unit: float
    final: float
    largest: float
    smallest: float
    bits: int


DTYPES: Mapping[str, DType] = {
    "float64": DType("float64", 2.0**-53, 0.0, float(np.finfo(np.float64).max), 2.0**-1074, 53),
    "float32": DType("float32", 2.0**-24, 0.0, float(np.finfo(np.float32).max), 2.0**-149, 24),
    "bfloat16": DType("bfloat16", 2.0**-24, 2.0**-8, (2 - 2.0**-7) * 2.0**127, 2.0**-133, 8),
    "float16": DType("float16", 2.0**-24, 2.0**-11, 65504.0, 2.0**-24, 11),
}


def round_to(values: npt.ArrayLike, dtype: str) -> Array:
    """The nearest numbers of a dtype, as float64; beyond its largest number, infinity.

    >>> round_to([1.001, 1e5], "float16")
    array([1.00097656,        inf])
    >>> round_to([1.001, 1e5], "bfloat16")
    array([1.000e+00, 9.984e+04])
    """
    array = np.asarray(values, dtype=np.float64)
    if dtype == "float64":
        return array
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):
            return array.astype(dtype).astype(np.float64)
    spacing = spacing_at(array, dtype)
    with np.errstate(invalid="ignore"):
        rounded = np.rint(array / spacing) * spacing
    return np.where(np.abs(rounded) > DTYPES[dtype].largest, np.copysign(np.inf, array), rounded)


def spacing_at(values: npt.ArrayLike, dtype: str) -> Array:
    """The distance between neighbouring numbers of a dtype around each value (one ULP)."""
    facts = DTYPES[dtype]
    magnitude = np.clip(np.abs(np.nan_to_num(values)), facts.smallest, facts.largest)
    exponent = np.frexp(magnitude)[1] - facts.bits
    return np.maximum(np.ldexp(1.0, exponent), facts.smallest)


def take_rows(case: "Case", arguments: Iterable["Argument"], rows: Any) -> "Case":
    """The case with only these rows of its batch, in this order."""
    batched = [argument.name for argument in arguments if argument.batched]
    return case.changed(**{name: case[name][rows] for name in batched})


# How one rounding unit may move an argument; see lossproof/tolerance.py.
Kind = Literal["real", "row", "probability", "box", "weight", "label"]


@dataclass(frozen=True)
class Argument:
    """One tensor argument of a loss.

    Attributes:
        kind: real (each element for itself), row (elements of a row share a scale), probability,
            box, weight (a row of numbers ≥ 0), or label (integers).
        gradient: whether gradient flows to it.
        learned: whether a training step asks for that gradient.
        batched: whether axis 0 is the batch.
        flat_from: axis from which the oracle's bare formula wants all axes folded into one.
        row_axis: the axis of a row, in that folded form, or the axes of an image.
        scale_free: whether only the direction of each row matters, so that gradients grow as rows
            shrink.
        optional: whether it is a keyword option that may be None.
        picked: whether each item of the batch takes one row of it, and the others are not looked at.
    """

    name: str
    kind: Kind
    gradient: bool = False
    learned: bool = False
    batched: bool = True
    flat_from: int | None = None
    row_axis: int | tuple[int, ...] = -1
    scale_free: bool = False
    optional: bool = False
    picked: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """Named arguments: arrays (float64 numbers that the dtype holds, or int64) and plain options.

    ``seed`` feeds whatever else a law must choose (a permutation, an upstream gradient). ``code`` makes
    this very case, where it is too large to be written down.
    """

    values: Mapping[str, Any]
    seed: int = 0
    code: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={_short(value)}" for name, value in self.values.items())
        return f"Case({inside}, seed={self.seed})"

    def changed(self, **values: Any) -> "Case":
        """The same case with some arguments replaced."""
        unknown = values.keys() - self.values.keys()
        if unknown:
            raise KeyError(f"no such argument: {', '.join(sorted(unknown))}")
        return Case({**self.values, **_arrays(values)}, self.seed)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and self.key == other.key

    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Hashable; equal for equal values."""
        return (self.seed, *((name, _frozen(value)) for name, value in self.values.items()))


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    """NumPy's scalars as the arrays without axes that they stand for."""
    return {n: np.asarray(v) if isinstance(v, np.generic) else v for n, v in values.items()}


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.char, np.ascontiguousarray(value).tobytes())
    return value


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=", ", threshold=20).replace("\n", "")
    return repr(value)


def rounded(case: Case, dtype: str) -> Case:
    """The case with every float array rounded to the dtype."""
    values = {
        name: round_to(value, dtype)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for name, value in _arrays(case.values).items()
    }
    return Case(values, case.seed)


@dataclass(frozen=True)
class Workload:
    """A realistic input: where it comes from, and how to make one.

    ``make(rng, rows)`` draws a case with ``entries`` times that many along axis 0, also none; ``rows``
    is the real size. ``gpu`` marks sizes that are too large for a CPU's patience; ``fingerprint`` is a
    hash of the file that a workload was read from.
    """

    name: str
    source: str
    rows: int
    make: Callable[[np.random.Generator, int], Case]
    entries: int = 1
    gpu: bool = False
    fingerprint: str = ""

    def elements(self, rows: int) -> int:
        """How many elements the first argument has with that many rows: the size of a workload."""
        return rows * self.entries * _elements_of_an_entry(self)


@cache
def _elements_of_an_entry(workload: Workload) -> int:
    """From the shape of a batch of nothing: drawing one volume takes seconds."""
    nothing = workload.make(np.random.default_rng(0), 0)
    return math.prod(next(iter(nothing.values.values())).shape[1:])


@dataclass(frozen=True)
class Curve:
    """How a loss looks along one number.

    Attributes:
        axis: what the number is ("logit of a positive").
        low, high: the range.
        make: a case whose items' sum is the loss at that number, real or complex (a complex step
            gives the slope).
        settings: a label and options for each line.
    """

    axis: str
    low: float
    high: float
    make: Callable[[Any], Case]
    settings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class BadCall:
    """Arguments that must be refused: what is changed in a good case, and the argument to name."""

    argument: str
    change: Callable[[Case], Mapping[str, Any]]
    why: str
