"""The house: nothing is missing from the catalogue, and each room imports only what it may."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lossproof import CATALOG
from lossproof.cases import generated
from lossproof.loss import Loss
from lossproof.trial import tensors_of
from properties import general
from properties.case import BadCall

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "oracles": {"torch", "impls", "properties", "lossproof", "hypothesis"},
    "impls": {"oracles", "properties", "lossproof", "numpy", "hypothesis"},
    "properties": {"torch", "impls", "lossproof"},
}


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_no_cell_is_empty(loss: Loss) -> None:
    """Each loss has an oracle, three variants, laws of its own, workloads, defects, bad calls."""
    cells = [name for name, value in vars(loss).items() if value is None or value in ((), {}, "")]
    assert set(cells) <= {"divisor", "torch_options"}
    assert {"naive", "vectorized", "fused"} <= set(loss.variants)
    assert len([w for w in loss.workloads if not w.gpu]) >= 3
    assert set(loss.laws) - set(general.LAWS + general.PAIR_LAWS + general.SMOOTH_LAWS)
    assert {defect.breaks for defect in loss.defects.values()} <= {law.__name__ for law in loss.laws}
    assert loss.curve.settings


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_signatures_agree(loss: Loss) -> None:
    """Oracle, variants and defects take the same arguments with the same defaults."""

    def shape(function: Callable[..., object]) -> list[tuple[str, object, object]]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    wanted = shape(loss.oracle)
    functions = loss.implementations
    assert {name: shape(function) for name, function in functions.items()} == dict.fromkeys(
        functions, wanted
    )


@pytest.mark.parametrize("loss", CATALOG)
def test_names_tell_loss_and_variant(loss: str) -> None:
    """giou's fused variant is called giou_fused, and so on."""
    row = CATALOG[loss]
    names = {name: f.__name__ for name, f in row.implementations.items()}
    assert names == {name: f"{loss}_{name}" for name in names}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_import_only_what_they_may(room: str) -> None:
    """Arrows run one way: lossproof to impls and properties, properties to oracles."""
    imported = set()
    for path in (ROOT / room).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert imported & FORBIDDEN[room] == set()
    assert imported  # the walk has seen something


def test_the_catalogue_is_read_only() -> None:
    with pytest.raises(TypeError):
        CATALOG["new"] = CATALOG["mse"]  # type: ignore[index]


def _bad_calls() -> list[object]:
    return [
        pytest.param(loss.name, variant, call, id=f"{loss.name}-{variant}-{call.argument}-{call.why}")
        for loss in CATALOG.values()
        for variant in loss.variants
        for call in loss.bad_calls
    ]


@pytest.mark.parametrize(("loss", "variant", "call"), _bad_calls())
def test_bad_arguments_are_refused_by_name(loss: str, variant: str, call: BadCall) -> None:
    """Each bad call raises before any work, and the message starts with the argument's name."""
    row = CATALOG[loss]
    good = next(
        case
        for case in generated(row, "float32", 50, 0)
        if next(iter(case.values.values())).ndim >= 2 and len(next(iter(case.values.values()))) > 1
    )
    changed = call.change(good)
    case = good.changed(**changed)
    tensors = tensors_of(row, case, torch.float32, "cpu")
    for name, value in changed.items():
        if isinstance(value, np.ndarray):
            tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
            if value.dtype == np.float64 and call.why != "floats":
                tensors[name] = tensors[name].float()
    positional, options = row.torch_call(case, tensors)
    with pytest.raises((ValueError, TypeError), match=f"^{call.argument}: expected"):
        row.variants[variant](*positional, **options)


@pytest.mark.parametrize(
    ("loss", "variant"), [(r.name, v) for r in CATALOG.values() for v in r.variants]
)
def test_unknown_reduction_is_refused(loss: str, variant: str) -> None:
    row = CATALOG[loss]
    case = generated(row, "float32", 5, 0)[0]
    tensors = tensors_of(row, case, torch.float32, "cpu")
    positional, options = row.torch_call(case, tensors)
    with pytest.raises(ValueError, match=r"^reduction: expected one of mean, sum, none"):
        row.variants[variant](*positional, **options, reduction="average")
