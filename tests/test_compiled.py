"""The fused and closed-form variants really run compiled, with a known number of graphs."""

from typing import Any

import pytest
import torch
from torch._dynamo.eval_frame import _debug_get_cache_entry_list
from torch._inductor.graph import GraphLowering

from impls.compiled import Compiled, graph_input, number
from lossproof import CATALOG
from lossproof.cases import generated, large
from lossproof.graphs import compiled_in
from lossproof.measure import torch_threads
from lossproof.trial import TorchTrial

pytestmark = pytest.mark.compiled


def _graphs(compiled: Compiled) -> int:
    return len(_debug_get_cache_entry_list(compiled.function.__code__))


COMPILED = [
    (row.name, name) for row in CATALOG.values() for name, f in row.variants.items() if compiled_in(f)
]


def test_these_are_compiled() -> None:
    assert {name for _, name in COMPILED} == {"fused", "closed_form"}
    assert [loss for loss, name in COMPILED if name == "fused"] == list(CATALOG)


@pytest.mark.parametrize(("loss", "variant"), COMPILED)
def test_calls_run_compiled(loss: str, variant: str) -> None:
    """Calls make graphs, fewer than the limit past which torch would say no."""
    row = CATALOG[loss]
    for case in (*generated(row, "float32", 12, 0), large(row, "float32", 0)):
        trial = TorchTrial(row.variants[variant], row, case, "float32")
        trial.value()
        trial.value(track="none")
    compiled = compiled_in(row.variants[variant])
    assert compiled
    for each in compiled.values():
        assert 1 <= _graphs(each) <= each.graphs


def test_small_inputs_first_leave_large_ones_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is shared among the threads, though three numbers would not be worth it."""

    def squared(tensor: torch.Tensor) -> torch.Tensor:
        return tensor * tensor

    codes: list[str] = []
    monkeypatch.setattr(GraphLowering, "save_output_code", codes.append)
    monkeypatch.setattr("torch._inductor.config.fx_graph_cache", False)  # which would have the code
    monkeypatch.setattr("torch._functorch.config.enable_autograd_cache", False)
    with torch_threads(2):
        Compiled(squared, graphs=1)(torch.ones(3))
    (code,) = codes
    assert "#pragma omp for" in code


def test_one_graph_too_many_is_an_error() -> None:
    """Past its limit a fused function fails; it never falls back to eager silently."""

    def double(tensor: torch.Tensor, flag: str) -> torch.Tensor:
        return 2 * tensor + len(flag)

    compiled = Compiled(double, graphs=2)
    compiled(torch.ones(3), "a")
    compiled(torch.ones(3), "bb")
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        compiled(torch.ones(3), "ccc")


def test_each_number_of_threads_has_its_graphs() -> None:
    """One for each kind of call, whatever sizes are equal when it is made; no more than the limit."""

    def added(tensor: torch.Tensor, other: torch.Tensor, flag: str) -> torch.Tensor:
        return tensor.sum() + other.sum() + len(flag)

    compiled = Compiled(added, graphs=1)
    for graphs, threads in ((1, 1), (2, 2), (3, 3), (3, 1)):
        with torch_threads(threads):
            for sizes in ((4, 4), (4, 5)):
                assert compiled(*map(torch.ones, sizes), "a") == sum(sizes) + 1
        assert _graphs(compiled) == graphs
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        compiled(torch.ones(4), torch.ones(5), "bb")


def test_an_eager_impostor_is_told_apart() -> None:
    """Under an eager stance no graph is made: what test_calls_run_compiled looks for is missing."""

    def triple(tensor: torch.Tensor) -> torch.Tensor:
        return 3 * tensor

    compiled = Compiled(triple, graphs=2)
    with torch.compiler.set_stance("force_eager"):
        compiled(torch.ones(3))
    assert _graphs(compiled) == 0
    compiled(torch.ones(3))
    assert _graphs(compiled) == 1


def test_options_sizes_and_views_share_a_graph() -> None:
    """New option values, sizes, equal sizes and strides make no new graph."""

    def scaled(tensor: torch.Tensor, factor: torch.Tensor, other: Any) -> torch.Tensor:
        return (tensor * factor).sum() + other.sum()

    compiled = Compiled(scaled, graphs=2)
    for count, factor in ((4, 1.0), (5, 2.0), (7, 0.5)):
        tensor = torch.ones(count, 8)[:, ::2]
        compiled(graph_input(tensor, -1), number(factor), graph_input(torch.ones(4 * count)))
        compiled(graph_input(tensor, -1), number(factor), graph_input(torch.ones(9)))
    assert _graphs(compiled) == 1
