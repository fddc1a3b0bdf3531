"""Peers: losses of other libraries behind the signatures of this project, to compare with.

A file for each library imports it, so that only who asks for a peer needs its library, and has a
function for each loss of the catalogue that the library has, named like the loss. An adapter translates
what can be translated exactly: the order and names of arguments, 1 minus a similarity, what a mean
divides by, a target without gradient. An epsilon stays what it is in the library. It checks its
arguments as the variants do, so that all are timed with the same checks. What the library has no option
for is refused by a NotImplementedError that names the option (:func:`require_option`). Nothing is
repaired: where a library's numbers are wrong, so are the peer's. Of the dtypes, float32 is meant.
"""

import math
from collections.abc import Callable, Sequence

from torch import Tensor  # not torch: impls.peers.torch takes that name here

from impls.arguments import collect, reduce_all


def require_option(known: bool, library: str, option: str, value: object) -> None:
    """Raise a NotImplementedError that names the option, unless the library has it."""
    if not known:
        raise NotImplementedError(f"{option}: {library} does not do {option} = {value}")


def require_elements(tensor: Tensor, library: str) -> None:
    """Raise a NotImplementedError for an input without elements, of which the library gives NaN."""
    require_option(tensor.numel() > 0, library, "input", "nothing")


def of_sum(items_or_sum: Tensor, reduction: str, count: int) -> Tensor:
    """A library's items or sum as items, sum or mean over this many."""
    return items_or_sum / max(count, 1) if reduction == "mean" else items_or_sum


def items_or_sum(reduction: str) -> str:
    """What to ask the library for, for :func:`of_sum`."""
    return "none" if reduction == "none" else "sum"


def of_kept(items_or_sum: Tensor, target: Tensor, ignore_index: int, reduction: str) -> Tensor:
    """A library's items or sum as items, sum or mean over the items that are kept."""
    if reduction != "mean":
        return items_or_sum
    return items_or_sum / (target != ignore_index).sum().clamp(min=1)


def of_mean(
    mean: Callable[..., Tensor],
    tensors: Sequence[Tensor],
    shape: Sequence[int],
    reduction: str,
    like: Tensor,
    axis: int = 0,
) -> Tensor:
    """A loss of which the library gives the mean alone, as items of this shape, sum or mean.

    The items lie along one axis of the tensors, and each is the loss of its own part.
    """
    count = math.prod(shape)
    if reduction == "none" or count == 0:
        parts = zip(*(tensor.split(1, axis) for tensor in tensors), strict=True)
        items = [mean(*part) for part in parts] if count else []
        return reduce_all(collect(items, shape, like), reduction, like)
    result = mean(*tensors)
    return result if reduction == "mean" else result * count


def with_channels(tensor: Tensor) -> Tensor:
    """At least two axes, (N, 1) for (N,), for libraries that want channels."""
    return tensor.reshape(-1, 1) if tensor.ndim < 2 else tensor


def constant(tensor: Tensor | None) -> Tensor | None:
    """The tensor without its gradient."""
    return None if tensor is None else tensor.detach()


def any_ignored(target: Tensor, ignore_index: int) -> bool:
    return bool((target == ignore_index).any())
