"""torch.compile with a known number of graphs.

Past eight graphs of one function Dynamo falls back to eager, unless ``fullgraph`` makes that an
error. A loss needs more than eight (four dtypes, with and without gradient, ...), so each fused
variant says how many it may need; one more is an error, never a silent fallback.
"""

import inspect
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental import _config as _shapes_config

PARALLEL = {"cpp.min_chunk_size": 1}
"""Share each loop among the threads. Inductor decides by the sizes of the first call, which would leave
large tensors to one thread for good where small ones came first."""


class Compiled:
    """A function of tensors, compiled on first use with ``fullgraph`` and dynamic sizes.

    Plain numbers must come as 0-dim tensors (:func:`number`), or every value compiles anew. Sizes of
    0 and 1 would, too: callers leave inputs that small to the uncompiled function.

    Attributes:
        function: what is compiled.
        graphs: how many graphs it may need. The number of threads is a condition of each, so this is for
            each number that torch has had.
        options: settings of the compiler, by name, besides :data:`PARALLEL`.
    """

    def __init__(
        self, function: Callable[..., Any], graphs: int, options: dict[str, Any] | None = None
    ) -> None:
        self.function = function
        self.graphs = graphs
        self.options = PARALLEL | (options or {})
        self._kinds: set[Hashable] = set()
        self._threads: set[int] = set()

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        how: dict[str, Any] = {"fullgraph": True, "dynamic": True, "options": self.options}
        limit = self.graphs * len(self._threads)
        if "recompile_limit" in inspect.signature(torch.compile).parameters:
            how["recompile_limit"] = limit
        else:  # older torch knows one limit for all functions
            config = torch._dynamo.config
            config.recompile_limit = max(config.recompile_limit, limit)
        return torch.compile(self.function, **how)

    def __call__(self, *arguments: Any) -> Any:
        device = next(a.device.type for a in arguments if isinstance(a, Tensor))
        if torch.is_autocast_enabled(device):  # would need graphs of its own, for what is widened anyway
            with torch.autocast(device, enabled=False):
                return self(*arguments)
        threads = torch.get_num_threads()
        kind = (threads, torch.is_grad_enabled(), *(_kind(argument) for argument in arguments))
        if kind in self._kinds:
            return self._compiled(*arguments)
        if threads not in self._threads:  # with a higher limit; the graphs so far are found by it, too
            self._threads.add(threads)
            self.__dict__.pop("_compiled", None)
        # sizes that happen to be equal must not become a condition of the graph
        # (torch makes the module's patch at import, out of the type checker's sight)
        with _shapes_config.patch(use_duck_shape=False):  # type: ignore[attr-defined]
            result = self._compiled(*arguments)
        self._kinds.add(kind)
        return result


def _kind(argument: Any) -> Hashable:
    """What a graph may depend on; of sizes, whether they are 0, 1 or more."""
    if isinstance(argument, Tensor):
        sizes = tuple(min(size, 2) for size in argument.shape)
        return argument.dtype, sizes, argument.requires_grad
    return argument


def number(value: float) -> Tensor:
    """A plain option as a 0-dim tensor, so that its value is an input of the graph."""
    return torch.tensor(value, dtype=torch.float64)


def graph_input(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor in this shape (else its own), contiguous and no view of another.

    Strides, and the size of whatever a view is cut from, would be conditions of the graph.
    """
    return torch.ops.aten._unsafe_view(tensor.contiguous(), shape or tuple(tensor.shape))
