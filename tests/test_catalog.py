"""The house: nothing is missing from the catalogue, and each room imports only what it may."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossproof import CATALOG, docs
from lossproof.cases import generated
from lossproof.describe import arguments
from lossproof.loss import Defect, Loss
from lossproof.trial import tensors_of
from properties import general
from properties.case import BadCall, Case

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "oracles": {"torch", "impls", "properties", "lossproof", "hypothesis"},
    "impls": {"oracles", "properties", "lossproof", "numpy", "hypothesis"},
    "properties": {"torch", "impls", "lossproof"},
}

REQUIRED = [f.name for f in fields(Loss) if f.default is MISSING and f.default_factory is MISSING]


def _refusable(loss: Loss) -> set[str]:
    """Arguments that some value must be refused for: all but yes or no."""
    parameters = inspect.signature(loss.oracle).parameters.values()
    return {p.name for p in parameters if p.name != "reduction" and not isinstance(p.default, bool)}


def empty_cells(loss: Loss) -> set[str]:
    """The cells of a row that hold nothing, or too little."""
    empty = {name for name in REQUIRED if getattr(loss, name) in (None, (), {}, "")}
    if empty:
        return empty
    page = (ROOT / docs.PAGE).read_text(encoding="utf-8")
    picture = docs.PICTURES / f"{loss.name}.svg"
    names = {law.__name__ for law in loss.laws}
    filled: dict[str, Any] = {
        "oracle": all(text for _, text, _ in arguments(loss)),
        "variants": {"naive", "vectorized", "fused"} <= set(loss.variants),
        "laws": {"value", "gradient"} <= names and set(loss.laws) - set(docs.SHARED_LAWS),
        "workloads": len([w for w in loss.workloads if not w.gpu]) >= 3,
        "defects": loss.defects and {d.breaks for d in loss.defects.values()} <= names,
        "bad_calls": _refusable(loss) <= {call.argument for call in loss.bad_calls},
        "curve": loss.curve.settings,
        "docs": f"\n## {loss.name}\n" in page
        and f"]({picture.relative_to(docs.PAGE.parent).as_posix()})" in page
        and (ROOT / picture).exists(),
    }
    return {cell for cell, content in filled.items() if not content}


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_no_cell_is_empty(loss: Loss) -> None:
    """Each loss has a described oracle, three variants, laws of its own, workloads, defects that a
    law of its breaks, a refusal for each argument, and a section with a picture in the docs."""
    assert empty_cells(loss) == set()


def _undescribed(*arrays: Any, gamma: float = 2.0) -> None:
    """An oracle that does not say what its arguments are."""


DICE = CATALOG["dice"]
EMPTIED: list[tuple[str, dict[str, Any]]] = [
    *((name, {name: nothing}) for name in REQUIRED for nothing in (None, (), {}, "")),
    ("oracle", {"oracle": _undescribed}),
    *(
        ("variants", {"variants": {n: f for n, f in DICE.variants.items() if n != left_out}})
        for left_out in ("naive", "vectorized", "fused")
    ),
    ("laws", {"laws": general.LAWS}),
    ("laws", {"laws": tuple(law for law in DICE.laws if law is not general.gradient)}),
    ("workloads", {"workloads": DICE.workloads[-3:]}),  # one of them for a GPU
    ("defects", {"defects": {"published_x": Defect(lambda: torch.ones(()), "no_such_law")}}),
    *(
        ("bad_calls", {"bad_calls": tuple(c for c in DICE.bad_calls if c.argument != left_out)})
        for left_out in ("probs", "target", "smooth", "activation")
    ),
    ("curve", {"curve": replace(DICE.curve, settings={})}),
    ("docs", {"name": "undocumented"}),
]


@pytest.mark.parametrize(("cell", "change"), EMPTIED)
def test_an_empty_cell_is_seen(cell: str, change: dict[str, Any]) -> None:
    """The test above can fail: it names the cell that was emptied."""
    assert cell in empty_cells(replace(DICE, **change))


def _options() -> list[tuple[str, str]]:
    return [
        (loss.name, p.name)
        for loss in CATALOG.values()
        for p in inspect.signature(loss.oracle).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name != "reduction"
    ]


def _matters(loss: Loss, case: Case, option: str, other: object) -> bool:
    """Whether the truth of a case is another one with another value of an option."""
    try:
        before, after = loss.exact(case), loss.exact(case.changed(**{option: other}))
    except ValueError:  # outside the domain with the other value
        return False
    return before.shape != after.shape or not np.allclose(before, after, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("loss", "option"), _options())
def test_every_option_matters(loss: str, option: str) -> None:
    """Some generated case has another truth when the option is left at its default (or, if no case
    allows that, is taken from the next case), so the law of the value rejects whoever ignores it."""
    row = CATALOG[loss]
    cases = generated(row, "float64", 60, 0)
    default = inspect.signature(row.oracle).parameters[option].default
    neighbours = [(case, other[option]) for case, other in pairwise(cases)]
    tried = [*((case, default) for case in cases), *neighbours]
    assert any(_matters(row, case, option, other) for case, other in tried)


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
        CATALOG["new"] = CATALOG["mse"]  # type: ignore[index]  # which is the point


SMALL = 500_000
"""Elements of a row that are drawn at once."""


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_workloads_have_the_size_they_say(loss: Loss) -> None:
    """Counted from a batch of nothing, it is the size of the first argument of a real one."""
    for workload in loss.workloads:
        said = workload.elements(1)
        if said <= SMALL:
            case = workload.make(np.random.default_rng(0), 1)
            assert next(iter(case.values.values())).size == said
    assert loss.workloads[0].elements(1) <= SMALL


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
