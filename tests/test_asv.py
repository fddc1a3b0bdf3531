"""The benchmarks that asv runs: a class for each loss, that measures what it says."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lossproof import CATALOG

pytestmark = [pytest.mark.compiled, pytest.mark.xdist_group("asv")]  # importing compiles something
KINDS = ("accuracy", "compiling", "forward", "forward_backward", "memory", "predicted")


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "asv_bench"))
    yield {name: importlib.import_module(f"benchmarks.{name}") for name in (*KINDS, "works")}
    sys.path.pop(0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_has_a_class(modules: dict[str, ModuleType], kind: str) -> None:
    """With all its variants, and some workload that each is measured on."""
    for name, loss in CATALOG.items():
        variants, workloads, dtypes, devices = getattr(modules[kind], name).params
        assert variants == list(loss.variants)
        assert workloads
        assert dtypes == ("float32", "bfloat16")
        assert "cpu" in devices


def test_figures_of_one_variant(modules: dict[str, ModuleType]) -> None:
    """Small errors, and memory of the gradient at least."""
    place = "native", CATALOG["mse"].workloads[0].name, "float32", "cpu"
    accuracy, memory = modules["accuracy"].mse(), modules["memory"].mse()
    accuracy.setup(*place)
    memory.setup(*place)
    assert 0 < accuracy.track_budgets(*place) < 8
    assert 0 < accuracy.track_ulps(*place) < 8
    assert memory.track_peak_bytes(*place) >= accuracy.run()[1][0].nbytes


def test_memory_is_that_of_accuracys_process_or_its_own(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where accuracy came first, nothing is run for it; what is left out is left out all the same."""
    place = "vectorized", CATALOG["mse"].workloads[0].name, "float32", "cpu"
    monkeypatch.setattr(modules["works"], "_notes", tmp_path)
    alone = modules["memory"].mse()
    alone.setup(*place)
    monkeypatch.setattr(modules["works"], "_notes", tmp_path / "other")
    modules["works"]._notes.mkdir()
    modules["accuracy"].mse().setup(*place)
    monkeypatch.setattr(modules["works"], "peak_bytes", None)
    after = modules["memory"].mse()
    after.setup(*place)
    assert after.track_peak_bytes(*place) == alone.track_peak_bytes(*place) > 0
    with pytest.raises(NotImplementedError):
        after.setup("naive", *place[1:])


def test_predicted_figures_of_one_variant(modules: dict[str, ModuleType]) -> None:
    """Kernels, and as many bytes as the inputs have at least; no second row for bfloat16."""
    place = "native", CATALOG["mse"].workloads[0].name, "float32", "cpu"
    predicted = modules["predicted"].mse()
    predicted.setup(*place)
    assert predicted.track_kernels(*place) > 0
    assert predicted.track_bytes(*place) >= modules["works"].batch_of(predicted.loss, *place[1:]).size
    with pytest.raises(NotImplementedError):
        predicted.setup(*place[:2], "bfloat16", "cpu")


def test_a_loss_of_accuracy_shows(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variant that is off has larger figures, and no exception hides them."""
    place = "native", CATALOG["mse"].workloads[0].name, "float32", "cpu"
    right = CATALOG["mse"].variants["native"]
    monkeypatch.setitem(CATALOG["mse"].variants, "native", lambda *a, **o: right(*a, **o) * 1.001)  # type: ignore[arg-type]  # a dict
    monkeypatch.setattr(modules["works"], "_notes", tmp_path)  # as in another run
    modules["works"].warm_run.cache_clear()
    accuracy = modules["accuracy"].mse()
    accuracy.setup(*place)
    assert accuracy.track_budgets(*place) > 1000
    modules["works"].warm_run.cache_clear()


@pytest.mark.parametrize(("kind", "making"), [("accuracy", "errors"), ("predicted", "predicted")])
def test_both_figures_are_made_once(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, kind: str, making: str
) -> None:
    """asv asks for each of the two in a process of its own; the second one reads the first one's."""
    place = "native", CATALOG["mse"].workloads[0].name, "float32", "cpu"
    first, second = (modules[kind].mse() for _ in range(2))
    first.setup(*place)

    def again(*place: str) -> list[float]:
        raise AssertionError("it was there")

    monkeypatch.setattr(second, making, again)
    second.setup(*place)
    figures = {name: getattr(first, name)(*place) for name in dir(first) if name.startswith("track_")}
    assert len(set(figures.values())) == 2
    assert {name: getattr(second, name)(*place) for name in figures} == figures


@pytest.mark.parametrize(
    ("variant", "place", "dtype"), [("naive", 1, "float32"), ("vectorized", -1, "bfloat16")]
)
def test_what_is_left_out(modules: dict[str, ModuleType], variant: str, place: int, dtype: str) -> None:
    """Naive variants beyond the first rows, and bfloat16 beyond the smallest workload."""
    benchmark = modules["forward"].mse()
    with pytest.raises(NotImplementedError):
        benchmark.setup(variant, benchmark.params[1][place], dtype, "cpu")
