"""What Inductor would make of a function on a GPU that isn't here: the one place that knows its insides.

The function is traced and its graphs are prepared on the CPU, with empty tensors. Then they are put on a
pretended GPU: Inductor lowers them to kernels, fuses these, and stops before it writes any code, so
neither a GPU nor Triton is needed.
"""

import contextlib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

KNOWN_VERSIONS = ("2.13",)
"""Of torch, whose Inductor has the insides that are used here."""
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
DEVICE = torch.device("meta")
"""Stands for the GPU while PyTorch runs: like one, it is not the CPU, and gives no number to Python.
Tensors that claim to be on one (FakeTensorMode) can't be sliced by a torch that is built without it."""
PROPERTIES: dict[str, Any] = {
    "type": "cuda",
    "index": 0,
    "multi_processor_count": 108,
    "cc": 80,
    "major": 8,
    "regs_per_multiprocessor": 65536,
    "max_threads_per_multi_processor": 2048,
    "max_threads_per_block": 1024,
    "warp_size": 32,
}
"""Of an A100, where the machine has no GPU: large sums are split by the number of multiprocessors."""


@dataclass
class Traffic:
    """Kernels launched and bytes that they read and write; at least these where ``lower_bound``."""

    kernels: int = 0
    bytes: int = 0
    lower_bound: bool = False

    def add(self, other: "Traffic") -> None:
        self.kernels += other.kernels
        self.bytes += other.bytes
        self.lower_bound |= other.lower_bound


def unknown_insides() -> str:
    """Why nothing can be said of this torch, or an empty string."""
    version = ".".join(torch.__version__.split(".")[:2])
    known = ", ".join(KNOWN_VERSIONS)
    return (
        "" if version in KNOWN_VERSIONS else f"the Inductor of torch {version} is not known ({known} is)"
    )


def call_lowered(function: Callable[..., Any], arguments: tuple[Any, ...], traffic: Traffic) -> Any:
    """The result of a function that would be compiled: tensors without numbers, on :data:`DEVICE`.

    What its kernels move is added to the traffic, and what those of its backward pass move when that is
    called. It is compiled for these very sizes.
    """
    leaves, structure = pytree.tree_flatten(arguments)
    results: pytree.TreeSpec

    def on_cpu(*inputs: Any) -> list[Any]:
        nonlocal results
        compiled = torch.compile(
            _twin(function), fullgraph=True, dynamic=False, backend=_Inductor(traffic)
        )
        flat, results = pytree.tree_flatten(compiled(*pytree.tree_unflatten(inputs, structure)))
        return flat

    outputs = _OnCPU.apply(on_cpu, torch.is_grad_enabled(), *leaves)
    return pytree.tree_unflatten(outputs, results)


def _twin(function: Any) -> Callable[..., Any]:
    """A copy with code of its own: Dynamo knows the graphs of a function by its code, and these are none
    that it should run."""
    code, names = function.__code__.replace(), function.__globals__
    twin = types.FunctionType(code, names, argdefs=function.__defaults__, closure=function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


class _OnCPU(torch.autograd.Function):
    """A function of tensors on another device, called with empty ones on the CPU."""

    @staticmethod
    def forward(
        ctx: Any, function: Callable[..., list[Any]], is_grad_enabled: bool, *inputs: Any
    ) -> tuple[Any, ...]:
        ctx.inputs = [_empty(each, CPU) for each in inputs]
        for inside, outside in zip(ctx.inputs, inputs, strict=True):
            if _has_gradient(outside):
                inside.requires_grad_()
        with torch.set_grad_enabled(is_grad_enabled), _disable_current_modes():  # it traces under none
            ctx.results = function(*ctx.inputs)
        outputs = tuple(_empty(each, DEVICE) for each in ctx.results)
        pairs = zip(outputs, ctx.results, strict=True)
        constant = (outside for outside, inside in pairs if not _has_gradient(inside))
        ctx.mark_non_differentiable(*(each for each in constant if isinstance(each, Tensor)))
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    def backward(ctx: Any, *flows: Any) -> tuple[Any, ...]:
        pairs = [(r, _empty(f, CPU)) for r, f in zip(ctx.results, flows, strict=True) if f is not None]
        results, inside = zip(*pairs, strict=True)
        learned = [each for each in ctx.inputs if _has_gradient(each)]
        with _disable_current_modes():  # the backward graph is lowered only now
            found = iter(torch.autograd.grad(results, learned, inside, allow_unused=True))
        return (
            None,
            None,
            *(_empty(next(found), DEVICE) if _has_gradient(i) else None for i in ctx.inputs),
        )


def _has_gradient(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _empty(value: Any, device: torch.device) -> Any:
    """A tensor like it on the device, without numbers; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)


@dataclass
class _Inductor:
    """A backend of torch.compile. Its programs add to the traffic, and return empty tensors."""

    traffic: Traffic
    planned: list[Traffic] = field(default_factory=list)

    def __call__(self, graph: fx.GraphModule, inputs: list[Any]) -> Any:
        from torch._functorch import config
        from torch._inductor.compile_fx import compile_fx  # slow to import

        with config.patch(enable_autograd_cache=False):  # it keeps programs, and these can't be kept
            return compile_fx(graph, inputs, inner_compile=self._program)

    def _program(self, graph: fx.GraphModule, inputs: Any, **options: Any) -> Any:
        from torch._inductor.compile_fx import compile_fx_inner, fake_tensor_prop

        with torch.no_grad():
            fake_tensor_prop(graph, inputs)  # some nodes are new, and don't know what they give
        (output,) = graph.graph.find_nodes(op="output")
        results = [node.meta["val"] if isinstance(node, fx.Node) else node for node in output.args[0]]
        with self._pretending():
            compile_fx_inner(graph, inputs, **options)
        planned = self.planned.pop()

        def program(arguments: list[Any]) -> list[Any]:
            arguments.clear()
            self.traffic.add(planned)
            return [_empty(result, CPU) for result in results]

        program._boxed_call = True  # type: ignore[attr-defined]  # its arguments come as one list
        return program

    @contextlib.contextmanager
    def _pretending(self) -> Iterator[None]:
        """While Inductor believes in the GPU, and plans for it without writing code."""
        from torch._inductor import compile_fx, config, scheduler
        from torch._inductor.graph import GraphLowering
        from torch._inductor.runtime.hints import DeviceProperties

        planned = self.planned

        class Plan(GraphLowering):
            """Lowers a graph as one of the GPU; what is made of it is counted, not written."""

            def __init__(self, graph: fx.GraphModule, **options: Any) -> None:
                _move(graph)
                super().__init__(graph, **options)

            def run(self, *arguments: Any, **options: Any) -> Any:
                return super().run(*map(_on_gpu, arguments), **options)

            def compile_to_module(self) -> Any:
                self._update_scheduler()
                planned.append(_planned(self))
                return types.SimpleNamespace(call=lambda arguments: None)  # a program that is never run

        with contextlib.ExitStack() as stack:
            enter = stack.enter_context
            enter(config.patch(fx_graph_cache=False))  # a graph from a cache is not planned
            enter(mock.patch.object(compile_fx, "GraphLowering", Plan))
            enter(mock.patch.object(scheduler, "has_triton", return_value=True))
            enter(mock.patch.object(compile_fx, "_check_triton_bf16_support"))  # asks the GPU
            if not torch.cuda.is_available():
                properties = DeviceProperties(**PROPERTIES)
                enter(mock.patch.object(DeviceProperties, "create", return_value=properties))
            yield


def _planned(lowering: Any) -> Traffic:
    """What the kernels of a graph move: each reads and writes each of its tensors once."""
    from torch._inductor.scheduler import ExternKernelSchedulerNode, NopKernelSchedulerNode

    traffic = Traffic()
    for node in lowering.scheduler.nodes:
        if not isinstance(node, NopKernelSchedulerNode):
            called = isinstance(node, ExternKernelSchedulerNode)  # a library's function
            traffic.add(Traffic(1, int(node.get_read_write_buffers_sizes()), lower_bound=called))
    return traffic


def _move(module: fx.GraphModule) -> None:
    """Put all that a graph computes on the pretended GPU."""
    for node in module.graph.nodes:
        node.args, node.kwargs = pytree.tree_map(_on_gpu, (node.args, node.kwargs))
        node.meta = {key: pytree.tree_map(_on_gpu, value) for key, value in node.meta.items()}


def _on_gpu(value: Any) -> Any:
    if isinstance(value, torch.device):
        return GPU
    if isinstance(value, Tensor):
        with value.fake_mode:  # type: ignore[attr-defined]  # all tensors of a graph are fake
            return _empty(value, GPU)
    return value
