"""Conventions: a form is right under them and wrong without, and what is wrong otherwise stays wrong."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus
from typer.testing import CliRunner

from impls.arguments import reduce_all
from impls.classification import (
    cross_entropy_vectorized,
    log_loss_vectorized,
    softmax_focal_vectorized,
)
from impls.embedding import arcface_vectorized
from impls.overlap import dice_vectorized
from lossproof import CATALOG, adapt, cli, docs, verify
from lossproof.cases import generated
from lossproof.choice import Choice, Row
from lossproof.conventions import accepted, under
from lossproof.deviations import CONVENTIONS, FORMULAS, NUMBER
from lossproof.loss import Loss, Variant
from lossproof.reference import reference
from lossproof.report import choice_cells
from lossproof.tolerance import items_at, true_gradient
from lossproof.verdicts import verdicts_on
from lossproof.verification import first_fault
from lossproof.workers import Job

FEW = 12
SMALL = ("float32", "float64")
EPS = 1e-3


def _is_wrong(function: Variant, loss: Loss) -> bool:
    return first_fault(function, loss, dtypes=SMALL, examples=FEW) is not None


# Forms that are right under a convention alone


def giou_with_eps(
    boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean", eps: float = EPS
) -> Tensor:
    """As torchvision has it."""
    assert boxes1.shape == boxes2.shape
    shared = torch.minimum(boxes1[:, 2:], boxes2[:, 2:]) - torch.maximum(boxes1[:, :2], boxes2[:, :2])
    hull = torch.maximum(boxes1[:, 2:], boxes2[:, 2:]) - torch.minimum(boxes1[:, :2], boxes2[:, :2])
    intersection, enclosing = shared.clamp(min=0).prod(1), hull.prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (boxes1, boxes2)]
    union = areas[0] + areas[1] - intersection
    items = 1 - intersection / (union + eps) + (enclosing - union) / (enclosing + eps)
    return reduce_all(items, reduction, boxes1)


def giou_without_eps(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    """NaN where 0 is divided by 0."""
    return giou_with_eps(boxes1, boxes2, reduction=reduction, eps=0.0)


def _flat(masks: Tensor) -> Tensor:
    return masks.reshape(*masks.shape[:2], math.prod(masks.shape[2:]))


def _masks(probs: Tensor, target: Tensor, form: dict[str, Any]) -> tuple[Tensor, Tensor, list[int]]:
    assert probs.shape == target.shape
    probs = {"none": lambda: probs, "sigmoid": probs.sigmoid, "softmax": lambda: probs.softmax(1)}[
        form["activation"]
    ]()
    first = 0 if form["include_background"] else 1
    p, g = (_flat(tensor)[:, first:] for tensor in (probs, target.detach()))
    return p, g, [0, 2] if form["batch"] else [2]


def jaccard_with_eps(
    probs: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean", **form: Any
) -> Tensor:
    """As often written: ε keeps the denominator from 0."""
    p, g, axes = _masks(probs, target, form)
    shared = (p * g).sum(axes)
    union = (p + g - p * g).sum(axes)
    return reduce_all(1 - (shared + smooth) / (union + smooth + EPS), reduction, probs)


def jaccard_by_difference(
    probs: Tensor, target: Tensor, *, smooth: float = 1.0, reduction: str = "mean", **form: Any
) -> Tensor:
    """As segmentation-models-pytorch has it; the denominator is at least a small number."""
    p, g, axes = _masks(probs, target, form)
    shared, below = torch.minimum(p, g).sum(axes), torch.maximum(p, g).sum(axes) + smooth
    least = torch.finfo(below.dtype).tiny
    items = torch.where(below > 0, 1 - (shared + smooth) / below.clamp(min=least), 0 * below)
    return reduce_all(items, reduction, probs)


def dice_of_the_present(
    probs: Tensor, target: Tensor, *, reduction: str = "mean", **form: Any
) -> Tensor:
    """Nothing for a channel without target."""
    items = dice_vectorized(probs, target, reduction="none", **form)
    g = _flat(target.detach())[:, 0 if form["include_background"] else 1 :]
    present = g.sum([0, 2] if form["batch"] else [2]) > 0
    return reduce_all(items * present, reduction, probs)


def focal_of_two_terms(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    reduction: str = "mean",
) -> Tensor:
    """As kornia has it."""
    assert logits.shape == target.shape
    cost, reward = softplus(-logits), softplus(logits)
    positive, negative = (-gamma * reward).exp() * cost, (-gamma * cost).exp() * reward
    weights = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    t = target.detach()
    items = weights[0] * t * positive + weights[1] * (1 - t) * negative
    return reduce_all(items, reduction, logits)


def arcface_of_long_vectors(
    features: Tensor, label: Tensor, weight: Tensor, *, reduction: str = "mean", **options: Any
) -> Tensor:
    """NaN where a vector has no direction."""
    result = arcface_vectorized(features, label, weight, reduction=reduction, **options)
    shortest = min((v.detach().norm(dim=1).min() for v in (features, weight) if len(v)), default=1)
    return result if shortest > 1e-10 else result * torch.nan


def arcface_by_products(
    features: Tensor, label: Tensor, weight: Tensor, *, reduction: str = "mean", **options: Any
) -> Tensor:
    """Its cosines are what autocast makes of them."""
    if torch.is_autocast_enabled("cpu"):
        features = features.bfloat16().to(features.dtype)
    return arcface_vectorized(features, label, weight, reduction=reduction, **options)


def cross_entropy_over_all(*tensors: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    if reduction != "mean":
        return cross_entropy_vectorized(*tensors, reduction=reduction, **options)
    return cross_entropy_vectorized(*tensors, reduction="sum", **options) / max(1, tensors[1].numel())


def cross_entropy_over_kept(*tensors: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    if reduction != "mean":
        return cross_entropy_vectorized(*tensors, reduction=reduction, **options)
    kept = (tensors[1] != options["ignore_index"]).sum().clamp(min=1)
    return cross_entropy_vectorized(*tensors, reduction="sum", **options) / kept


def focal_that_is_nan_for_nothing(*tensors: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    result = softmax_focal_vectorized(*tensors, reduction=reduction, **options)
    nothing = bool((tensors[1] == options["ignore_index"]).all())
    return result * torch.nan if nothing and reduction == "mean" else result


def log_loss_of_clipped(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """As Keras has it."""
    return log_loss_vectorized(probs.clamp(1e-7, 1 - 1e-7), target, reduction=reduction)


FORMS: dict[str, tuple[str, Variant]] = {
    f"eps={EPS}": ("giou", giou_with_eps),
    f"eps={EPS} of masks": ("jaccard", jaccard_with_eps),
    "boxes=extended": ("giou", giou_without_eps),
    "target=hard": ("sigmoid_focal", focal_of_two_terms),
    "target=two-terms": ("sigmoid_focal", focal_of_two_terms),
    "probs=inner": ("log_loss", log_loss_of_clipped),
    "intersection=difference": ("jaccard", jaccard_by_difference),
    "absent=0": ("dice", dice_of_the_present),
    "vectors=long": ("arcface", arcface_of_long_vectors),
    "autocast=products": ("arcface", arcface_by_products),
    "mean=all-items": ("cross_entropy", cross_entropy_over_all),
    "mean=kept-items": ("cross_entropy", cross_entropy_over_kept),
    "empty=nan": ("softmax_focal", focal_that_is_nan_for_nothing),
}
every_form = pytest.mark.parametrize("named", FORMS)


def test_every_convention_has_a_form() -> None:
    assert len(FORMS) == len(CONVENTIONS)
    shown = {convention.name.replace(NUMBER, str(EPS)) for convention in CONVENTIONS}
    assert {named.partition(" ")[0] for named in FORMS} == shown


@every_form
def test_a_form_is_right_under_its_convention_and_wrong_without(named: str) -> None:
    loss, function = FORMS[named]
    name = named.partition(" ")[0]
    verdict = verify(function, loss, conventions=[name], dtypes=SMALL, examples=FEW)
    verdict.raise_if_wrong()
    assert verdict.said == f"correct under: {name}"
    assert verdict.applied["value"] >= 2 * FEW
    assert verdict.applied["gradient"] >= 2 * FEW
    assert _is_wrong(function, CATALOG[loss])


@every_form
def test_another_fault_is_wrong_under_a_convention_too(named: str) -> None:
    loss, function = FORMS[named]
    row = under(CATALOG[loss], [named.partition(" ")[0]])
    assert not _is_wrong(function, row)
    assert _is_wrong(lambda *tensors, **options: 1.001 * function(*tensors, **options), row)


def test_another_epsilon_is_wrong() -> None:
    assert _is_wrong(giou_with_eps, under(CATALOG["giou"], ["eps=1e-4"]))
    assert _is_wrong(giou_with_eps, under(CATALOG["giou"], ["boxes=extended"]))


def test_conventions_add_up() -> None:
    """Two terms of one formula, and a mean beside cases that are left out."""

    def both(probs: Tensor, target: Tensor, *, reduction: str = "mean", **form: Any) -> Tensor:
        items = jaccard_with_eps(probs, target, reduction="none", **form)
        g = _flat(target.detach())[:, 0 if form["include_background"] else 1 :]
        present = g.sum([0, 2] if form["batch"] else [2]) > 0
        return reduce_all(items * present, reduction, probs)

    assert not _is_wrong(both, under(CATALOG["jaccard"], [f"eps={EPS}", "absent=0"]))
    assert _is_wrong(both, under(CATALOG["jaccard"], ["absent=0"]))
    row = under(CATALOG["cross_entropy"], ["mean=all-items", "empty=nan"])
    assert not _is_wrong(cross_entropy_over_all, row)


# The oracles of the table


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_without_deviations_is_the_catalogues(name: str) -> None:
    row = CATALOG[name]
    other = replace(row, items=FORMULAS[name])
    first = row.arguments_of(generated(row, "float64", 1, 0)[0])[0].name
    for case in generated(row, "float64", FEW, 0):
        np.testing.assert_allclose(items_at(other, case), items_at(row, case), rtol=1e-15, atol=1e-15)
        ours, theirs = (true_gradient(r, case, first, 2**-24, 0.0, "none") for r in (row, other))
        judged = np.isfinite(ours.budget)
        assert (np.abs(ours.value - theirs.value) <= 1e-3 * ours.budget)[judged].all()


PAIRS = [
    (name, convention.name.replace(NUMBER, str(EPS)))
    for name in CATALOG
    for convention in accepted(name)
    if convention.subject != "empty"
]


@pytest.mark.parametrize(("name", "convention"), PAIRS)
def test_the_changed_oracle_obeys_the_laws_that_are_left(name: str, convention: str) -> None:
    """A law that a convention contradicts would break on some case."""
    row = under(CATALOG[name], [convention])
    fault = first_fault(reference(row), row, dtypes=["float32"], examples=30)
    assert fault is None, fault


@pytest.mark.parametrize("name", CATALOG)
def test_every_loss_may_have_no_mean_of_nothing(name: str) -> None:
    row = under(CATALOG[name], ["empty=nan"])
    assert [law.__name__ for law in row.laws] == [law.__name__ for law in CATALOG[name].laws]
    assert len(generated(row, "float32", FEW, 0)) == FEW


def test_every_law_that_is_left_out_is_one_of_some_loss() -> None:
    for convention in CONVENTIONS:
        named = {
            law.__name__ for name in CATALOG if convention.applies_to(name) for law in CATALOG[name].laws
        }
        assert set(convention.contradicts) <= named


# Names


@pytest.mark.parametrize(
    ("loss", "names", "message"),
    [
        (
            "giou",
            ["eps=0"],
            r"giou has no 'eps=0' \(it accepts: eps=NUMBER, boxes=extended, empty=nan\)",
        ),
        ("giou", ["eps=small"], "giou has no 'eps=small'"),
        ("giou", ["absent=0"], "giou has no 'absent=0'"),
        ("mse", ["eps=1e-7"], r"mse has no 'eps=1e-7' \(it accepts: empty=nan\)"),
        ("giou", ["eps=1e-7", "eps=1e-5"], "eps is given more than once: eps=1e-7, eps=1e-5"),
    ],
)
def test_a_bad_name_is_refused(loss: str, names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"convention: {message}"):
        verify(giou_with_eps, loss, conventions=names)


def test_the_page_lists_the_conventions() -> None:
    section = docs.section(CATALOG["giou"])
    assert "| `eps=NUMBER` | ε is added to what is divided by: I/(U+ε)" in section
    assert "`scaling`, `gradient_is_radial_free`: an ε has a size" in section
    assert "`absent=0`" not in section


# Means that are made for an implementation


def test_a_mean_that_is_made_here_divides_as_the_convention_says() -> None:
    def items(logits: Tensor, target: Tensor, weight: Tensor | None, **options: Any) -> Tensor:
        return cross_entropy_vectorized(logits, target, weight=weight, reduction="none", **options)

    adapted = adapt(items, "cross_entropy", reduces="none")
    for names in ([], ["mean=all-items"], ["mean=kept-items"]):
        verify(
            adapted, "cross_entropy", conventions=names, dtypes=["float32"], examples=FEW
        ).raise_if_wrong()


# Worker processes, tables and files


def test_verdicts_are_kept_apart_by_their_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row under conventions is made again in a worker, and its verdict is kept as its own."""
    row = replace(CATALOG["giou"], variants={"theirs": giou_with_eps}, defects={})
    changed, other = under(row, [f"eps={EPS}"]), under(row, ["eps=1e-4"])
    ((_, first),) = verdicts_on([(changed, "theirs")], "cpu", ["float32"], FEW, jobs=1)
    assert (first.said, first.under) == (f"correct under: eps={EPS}", (f"eps={EPS}",))

    asked: list[Job] = []
    monkeypatch.setattr("lossproof.verdicts.workers.run", lambda jobs, *rest: asked.extend(jobs) or [])
    rows = [(each, "theirs") for each in (changed, row, other)]
    assert list(verdicts_on(rows[:1], "cpu", ["float32"], FEW)) == [(("giou", "theirs"), first)]
    for each in rows[1:]:
        assert list(verdicts_on([each], "cpu", ["float32"], FEW)) == []
    assert [job.conventions for job in asked] == [(), ("eps=1e-4",)]


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line on a module that holds a giou with an epsilon."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr("lossproof.workers.cores", lambda: 1)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, list(arguments))

    return run


def test_the_command_says_under_what_it_is_correct(theirs: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    how = ["--impl", "test_conventions:giou_with_eps", "--dtype", "float32", "--examples", "4"]
    result = theirs("verify", "giou", *how, "--convention", f"eps={EPS}", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert f"correct under: eps={EPS}" in result.stdout
    (kept,) = json.loads(file.read_text(encoding="utf-8"))["verdicts"]
    assert (kept["said"], kept["under"]) == (f"correct under: eps={EPS}", [f"eps={EPS}"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["giou", "--convention", "eps=1e-7"], "convention: expected --impl beside it"),
        (
            ["mse", "--impl", "test_conventions:giou_with_eps", "--convention", "eps=1e-7"],
            "convention: mse has no 'eps=1e-7' (it accepts: empty=nan)",
        ),
    ],
)
def test_bad_usage_is_told(theirs: Callable[..., Any], arguments: list[str], message: str) -> None:
    for command in ("verify", "choose"):
        result = theirs(command, *arguments)
        assert result.exit_code == 2
        assert message in result.output


def test_a_choice_says_under_what_its_rows_are_correct() -> None:
    row = Row("theirs", "correct", under=("eps=1e-7",))
    choice = Choice("giou", "cpu", "", "float32", "", "", 1, 1, [row])
    assert choice_cells(choice, row)[1] == "correct under: eps=1e-7"
