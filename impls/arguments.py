"""What every variant does before and after its formula: check, widen, reduce, narrow.

Checks look at shapes, dtypes and options only, never at the numbers in a tensor: that would cost a
pass over memory, and a synchronisation on a GPU.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

REDUCTIONS = ("mean", "sum", "none")
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
HALVES = (torch.bfloat16, torch.float16)


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raise the ``ValueError`` of a bad argument unless the condition holds."""
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got}")


def require_reduction(reduction: str) -> None:
    require(reduction in REDUCTIONS, "reduction", f"one of {', '.join(REDUCTIONS)}", repr(reduction))


def require_floats(**tensors: Tensor) -> None:
    """All are floating tensors of one dtype."""
    first = next(iter(tensors.values()))
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in FLOATS:
            got = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"{name}: expected a floating tensor, got {got}")
        if tensor.dtype != first.dtype:
            raise TypeError(f"{name}: expected {first.dtype} like the others, got {tensor.dtype}")


def require_labels(name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    """An int64 tensor of exactly this shape."""
    if not isinstance(tensor, Tensor) or tensor.dtype != torch.int64:
        got = getattr(tensor, "dtype", type(tensor).__name__)
        raise TypeError(f"{name}: expected torch.int64, got {got}")
    require_shape(name, tensor, shape)


def require_shape(name: str, tensor: Tensor, shape: Sequence[int]) -> None:
    require(tuple(tensor.shape) == tuple(shape), name, f"shape {tuple(shape)}", tuple(tensor.shape))


def require_number(name: str, value: float, low: float, high: float) -> None:
    """A plain number in [low, high]."""
    if not isinstance(value, int | float):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    require(low <= value <= high, name, f"a number in [{low:g}, {high:g}]", value)


def wide(tensor: Tensor) -> Tensor:
    """Half types as float32, others as they are."""
    return tensor.float() if tensor.dtype in HALVES else tensor


Divisor = float | Tensor | None
"""What the sum of the items is divided by; None leaves the items."""


def divisor_of(reduction: str, count: int) -> float | None:
    """1 for a sum, the number of items (at least 1) for a mean, None for the items."""
    return None if reduction == "none" else 1.0 if reduction == "sum" else float(max(count, 1))


def reduce(items: Tensor, divisor: Divisor, dtype: torch.dtype) -> Tensor:
    """Items, or their sum over the divisor, rounded once to the input's dtype."""
    return (items if divisor is None else items.sum() / divisor).to(dtype)


def reduce_all(items: Tensor, reduction: str, like: Tensor) -> Tensor:
    """Items, their sum or their mean over all of them, rounded once to the input's dtype."""
    return reduce(items, divisor_of(reduction, items.numel()), like.dtype)


def ratio_or_zero(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole; 0 with no gradient where whole is 0."""
    empty = whole == 0
    return torch.where(empty, 0, part / torch.where(empty, 1, whole))


def as_voxels(tensor: Tensor) -> Tensor:
    """(N, C, *) as (N, C, S)."""
    return tensor.reshape(*tensor.shape[:2], math.prod(tensor.shape[2:]))


def collect(items: list[Tensor], shape: Sequence[int], *inputs: Tensor) -> Tensor:
    """Single items as one tensor; none at all are still attached to the inputs."""
    if items:
        return torch.stack(items).reshape(tuple(shape))
    nothing = 0 * sum(wide(tensor).sum() for tensor in inputs)
    return torch.as_tensor(nothing).expand(tuple(shape))
