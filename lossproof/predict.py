"""What a GPU that isn't here would have to do: kernels launched, bytes moved. Predicted, not measured.

Operators are counted as they are called on meta tensors, which have shapes and no numbers; compiled
functions as Inductor plans them for a GPU (:mod:`lossproof.lowering`). A kernel reads and writes each of
its tensors once, as if nothing were left in a cache from the one before.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impls.compiled import Compiled
from lossproof.lookup import dtype_name, find
from lossproof.loss import Loss
from lossproof.lowering import DEVICE, Traffic, call_lowered, unknown_insides
from lossproof.measure import BACKWARD, FORWARD, PASSES, Batch
from properties.case import Workload

NO_KERNEL = {"_unsafe_view", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
PICKING = {"embedding", "gather", "index", "index_select"}
"""Operators that read no more of their first argument than they return."""
OVERWRITING = {"copy_", "fill_", "zero_"}
"""Operators that don't read their first argument."""
LIBRARY = {"addmm", "bmm", "convolution", "convolution_backward", "cumsum", "mm", "sort", "topk"}
"""Operators that are one call of a library, which may launch several kernels."""
COMPOSITE = (
    "CompositeImplicitAutograd",
    "CompositeExplicitAutograd",
    "CompositeExplicitAutogradNonFunctional",
)
"""Where torch keeps what an operator calls that has no kernel of its own."""


@dataclass(frozen=True)
class Prediction:
    """Predicted, not measured, of one pass on one workload.

    Attributes:
        pass_name: forward, or forward and backward.
        kernels: launched.
        bytes: read and written by them.
        least_bytes: what cannot be avoided (:meth:`Batch.least_bytes`).
        lower_bound: whether something may launch more kernels than the one that is counted.
        unavailable: why nothing can be predicted, else empty; then kernels and bytes are 0.
    """

    loss: str
    variant: str
    workload: str
    dtype: str
    pass_name: str
    kernels: int
    bytes: int
    least_bytes: int
    lower_bound: bool = False
    unavailable: str = ""

    @property
    def ratio(self) -> float:
        """Bytes over the least possible."""
        return self.bytes / max(self.least_bytes, 1)


def predict(
    loss: Loss,
    variant: str,
    workload: Workload,
    dtype: torch.dtype | str = torch.float32,
    pass_name: str = BACKWARD,
) -> Prediction:
    """Kernels and bytes of a variant on a GPU.

    A variant that asks its tensors for numbers is unavailable, as naive ones mostly do.

    Raises:
        ValueError: unknown variant, dtype or pass.

    >>> from lossproof import CATALOG
    >>> predict(CATALOG["mse"], "native", CATALOG["mse"].workloads[0]).unavailable
    ''
    """
    function = find("variant", variant, loss.variants)
    backward = find("pass", pass_name, {FORWARD: False, BACKWARD: True})
    name = dtype_name(dtype)
    case = workload.make(np.random.default_rng(0), workload.rows)
    batch = Batch.of(loss, case, getattr(torch, name), DEVICE.type)
    traffic, unavailable = Traffic(), ""
    try:
        traffic = count(batch.runner(function, backward))
    except Exception as error:  # the insides of torch may raise anything
        unavailable = unknown_insides() or (str(error) or type(error).__name__).splitlines()[0]
    return Prediction(
        loss.name,
        variant,
        workload.name,
        name,
        pass_name,
        traffic.kernels,
        traffic.bytes,
        batch.least_bytes(backward),
        traffic.lower_bound,
        unavailable,
    )


def predictions(loss: Loss, dtype: str = "float32") -> Iterator[Prediction]:
    """Of both passes of each variant, but for naive ones, on the smallest workload."""
    for variant in loss.variants:
        if variant != "naive":
            for pass_name in PASSES:
                yield predict(loss, variant, loss.workloads[0], dtype, pass_name)


def count(run: Callable[[], object]) -> Traffic:
    """What a call without arguments launches and moves, of tensors on :data:`DEVICE`.

    >>> x = torch.empty(1000, device=DEVICE)
    >>> count(lambda: x.exp())
    Traffic(kernels=1, bytes=8000, lower_bound=False)
    """
    counter = _Counter()
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(mock.patch.object(Compiled, "__call__", lambda *given: counter.call_compiled(*given)))
        enter(mock.patch.object(torch, "autocast", _no_autocast))
        enter(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # of tracing
        enter(counter)
        run()
    return counter.traffic


def _no_autocast(*_: Any, **__: Any) -> contextlib.AbstractContextManager[None]:
    """It is off, and torch does not know it for meta tensors."""
    return contextlib.nullcontext()


class _Counter(TorchDispatchMode):
    """Adds up what the operators called under it launch and move."""

    def __init__(self) -> None:
        super().__init__()
        self.traffic = Traffic()

    def call_compiled(self, compiled: Compiled, *arguments: Any) -> Any:
        """Instead of a compiled function: it is lowered."""
        if reason := unknown_insides():
            raise RuntimeError(reason)
        return call_lowered(compiled.function, arguments, self.traffic)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if _launches_nothing(func):
            return func(*args, **kwargs)
        if key := _composed_at(func):
            parts = _Counter()
            with contextlib.suppress(NotImplementedError, RuntimeError), parts:
                result = func._op_dk(key, *args, **kwargs)
                if parts.traffic.kernels:
                    self.traffic.add(parts.traffic)
                    return result
        result = func(*args, **kwargs)
        self.traffic.add(_launched(func, args, kwargs, result))
        return result


def _launches_nothing(operator: Any) -> bool:
    """Views and the like."""
    returned = [each.alias_info for each in operator._schema.returns]
    is_view = bool(returned) and all(alias is not None and not alias.is_write for alias in returned)
    return is_view or _name(operator) in NO_KERNEL or operator.namespace == "prim"


def _composed_at(operator: Any) -> Any:
    """The key of what an operator calls, if it has no kernel of its own. The CPU stands for the GPU."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    if has(operator.name(), "CPU"):
        return None
    keys = (getattr(torch._C.DispatchKey, key) for key in COMPOSITE if has(operator.name(), key))
    return next(keys, None)


def _launched(operator: Any, args: Any, kwargs: Any, result: Any) -> Traffic:
    """What one call of an operator launches and moves: one kernel."""
    outputs = {argument.name for argument in operator._schema.arguments if argument.is_out}
    inputs = (args, {name: value for name, value in kwargs.items() if name not in outputs})
    written = [tensor for tensor in tree_leaves(result) if _on_device(tensor)]
    if not written:
        return Traffic()
    read = [_nbytes(each) for each in {id(t): t for t in tree_leaves(inputs) if _on_device(t)}.values()]
    writes = sum(map(_nbytes, written))
    name = _name(operator)
    if name in OVERWRITING:
        del read[0]
    elif name in PICKING:
        read[0] = min(read[0], writes)
    return Traffic(1, sum(read) + writes, lower_bound=_may_launch_more(operator, written[0]))


def _may_launch_more(operator: Any, result: Tensor) -> bool:
    """Whether it is a call of a library, is composed of what can't be seen, or reduces its own items."""
    reduces = result.ndim == 0 and any(each.name == "reduction" for each in operator._schema.arguments)
    composed = _name(operator) not in OVERWRITING and _composed_at(operator) is not None
    return reduces or composed or _name(operator) in LIBRARY


def _name(operator: Any) -> str:
    return operator.overloadpacket.__name__


def _on_device(value: object) -> bool:
    return isinstance(value, Tensor) and value.device == DEVICE


def _nbytes(tensor: Tensor) -> int:
    """Bytes of the distinct elements: what is expanded is read once."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.element_size() * int(np.prod([size for size, stride in sides if stride or not size]))
