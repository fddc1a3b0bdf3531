"""Other libraries' losses: the table, the adapters, what is absent, and the comparison.

None of the libraries but torch must be there: small modules made here stand in for them.
"""

import ast
import importlib
import inspect
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner, Result

import impls.peers as adapters
from impls.boxes import giou_vectorized
from impls.classification import softmax_focal_vectorized
from impls.regression import mse_vectorized
from lossproof import CATALOG, comparison, docs, peers
from lossproof.comparison import Comparison, Figures, Form, Judgement, Measured, compare, judge, summary
from lossproof.measure import Batch, Interrupted, Timing
from lossproof.recheck import recheck

FOLDER = Path(adapters.__file__).parent
ENTRIES = [(library, loss) for library, losses in peers.PEERS.items() for loss in losses]
every_peer = pytest.mark.parametrize(("library", "loss"), ENTRIES)


def _functions(library: str) -> dict[str, ast.FunctionDef]:
    """The public functions of a library's file, which is not imported."""
    tree = ast.parse((FOLDER / f"{library}.py").read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in found if not node.name.startswith("_")}


# The table and the files


def test_every_file_is_a_library_of_the_table() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == set(peers.PEERS)


@pytest.mark.parametrize("library", peers.PEERS)
def test_every_function_of_a_file_is_in_the_table(library: str) -> None:
    named = {loss: f"impls.peers.{library}:{loss}" for loss in _functions(library)}
    assert peers.PEERS[library] == named
    assert named.keys() <= CATALOG.keys()


@every_peer
def test_a_peer_has_the_signature_of_the_variants(library: str, loss: str) -> None:
    """Names, order, defaults, and which go by keyword."""
    written = _functions(library)[loss].args
    wanted = inspect.signature(CATALOG[loss].variants["vectorized"]).parameters.values()
    positional = [p.name for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = {p.name: p.default for p in wanted if p.kind is p.KEYWORD_ONLY}
    assert [argument.arg for argument in written.args] == positional
    defaults = [ast.literal_eval(default) for default in written.kw_defaults if default is not None]
    assert dict(zip([a.arg for a in written.kwonlyargs], defaults, strict=True)) == options


def test_no_library_is_imported_with_lossproof() -> None:
    libraries = set(peers.PEERS) - {"torch"}
    code = f"import sys, lossproof, lossproof.peers; print(*({libraries!r} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


# Libraries that are here, and those that are not


@every_peer
def test_a_peer_is_right_on_a_batch_or_named_as_absent(library: str, loss: str) -> None:
    """Few rows of the first workload: a wrong translation shows there already."""
    absent: dict[str, str] = {}
    function = peers.peers_of(loss, absent).get(library)
    if function is None:
        assert absent[library].startswith(f"{library} can't be imported: ")
        assert f"pip install -c constraints.txt {library.replace('_', '-')}" in absent[library]
        return
    row = CATALOG[loss]
    case = row.workloads[0].make(np.random.default_rng(0), 2)
    batch = Batch.of(row, case, torch.float32, "cpu")
    mean, gradients = batch.runner(function, backward=True)()
    assert recheck(function, batch, [mean], gradients).budgets < 100  # a wrong formula is off by more


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A way to put a made-up module in the place of a library, for one test."""
    loaded = {name: module for name, module in sys.modules.items() if name.startswith("impls.peers.")}

    def stand_in(name: str, submodule: str, **functions: Any) -> None:
        package, inner = ModuleType(name), ModuleType(f"{name}.{submodule}")
        vars(inner).update(functions)
        setattr(package, submodule, inner)
        monkeypatch.setitem(sys.modules, name, package)
        monkeypatch.setitem(sys.modules, f"{name}.{submodule}", inner)
        sys.modules.pop(f"impls.peers.{name}", None)

    yield stand_in
    for name in [name for name in sys.modules if name.startswith("impls.peers.")]:
        del sys.modules[name]
    sys.modules.update(loaded)


@pytest.mark.usefixtures("library")
def test_an_absent_library_is_named_with_what_would_bring_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fvcore", None)
    monkeypatch.delitem(sys.modules, "impls.peers.fvcore", raising=False)
    with pytest.raises(peers.Absent, match=r"fvcore can't be imported: .*pip install .* fvcore$"):
        peers.load("fvcore", "giou")


def test_torchvision_beside_another_build_of_torch_counts_as_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(module: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(peers.Absent, match=r"nms does not exist; .*CUDA build of torch"):
        peers.load("torchvision", "giou")


def _giou_loss(boxes1: torch.Tensor, boxes2: torch.Tensor, reduction: str) -> torch.Tensor:
    return giou_vectorized(boxes1, boxes2, reduction=reduction)


def test_a_right_library_is_called_correct(library: Callable[..., None]) -> None:
    library("fvcore", "nn", giou_loss=_giou_loss)
    said = judge(peers.load("fvcore", "giou"), CATALOG["giou"], examples=8)
    assert (said.outcome, said.judged, said.refused) == ("correct", 8, 0)


def test_a_wrong_library_is_called_wrong_with_the_law(library: Callable[..., None]) -> None:
    library("fvcore", "nn", giou_loss=lambda *boxes, **options: 2 * _giou_loss(*boxes, **options))
    said = judge(peers.load("fvcore", "giou"), CATALOG["giou"], examples=8)
    assert (said.outcome, said.law) == ("wrong", "value")
    assert "differs from the oracle" in said.reason


def _focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    alpha: None,
    gamma: float,
    reduction: str,
    weight: torch.Tensor | None,
    ignore_index: int,
) -> torch.Tensor:
    """As kornia gives it: an axis of classes with one number in each item."""
    options: dict[str, Any] = {"gamma": gamma, "alpha": weight, "ignore_index": ignore_index}
    result = softmax_focal_vectorized(logits, target, **options, reduction=reduction)
    if reduction == "none":
        nothing = result.new_zeros(len(result), logits.shape[1] - 1, *result.shape[1:])
        return torch.cat([nothing, result.unsqueeze(1)], 1)
    return result


def test_what_a_library_has_no_option_for_is_not_asked(library: Callable[..., None]) -> None:
    """Cases with smoothing are refused, and the others judged."""
    library("kornia", "losses", focal_loss=_focal_loss)
    said = judge(peers.load("kornia", "softmax_focal"), CATALOG["softmax_focal"], examples=20)
    assert (said.outcome, said.judged + said.refused) == ("correct", 20)
    assert said.judged >= 4
    assert said.refused >= 4


def test_a_form_that_refuses_everything_is_unsupported() -> None:
    def refuses(*arguments: Any, **options: Any) -> torch.Tensor:
        raise NotImplementedError("input: the library does not do input = a tensor")

    said = judge(refuses, CATALOG["mse"], examples=4)
    assert (said.outcome, said.reason) == (
        "unsupported",
        "input: the library does not do input = a tensor",
    )


# Comparing

CORRECT = Judgement("correct")
MSE = CATALOG["mse"]
SMALL = replace(MSE.workloads[0], rows=8)


def _twice(*arguments: Any, **options: Any) -> torch.Tensor:
    return 2 * mse_vectorized(*arguments, **options)


def _refuses(*arguments: Any, **options: Any) -> torch.Tensor:
    raise NotImplementedError("reduction: no")


def _fails_without_a_reduction(*arguments: Any, **options: Any) -> torch.Tensor:
    if options["reduction"] == "none":
        raise RuntimeError("out of graphs")
    return mse_vectorized(*arguments, **options)


def test_forms_are_timed_and_their_outputs_checked() -> None:
    """One that fails when it is checked does not end the others."""
    forms = [
        Form("failing", _fails_without_a_reduction, True, CORRECT),
        Form("vectorized", mse_vectorized, False, CORRECT),
        Form("broken", _twice, False, Judgement("wrong", "value")),
        Form("right", mse_vectorized, True, Judgement("wrong", "layout")),
        Form("wrong", _twice, True, CORRECT),
        Form("refusing", _refuses, True, Judgement("unsupported")),
    ]
    found = compare(MSE, SMALL, forms, threads=1)
    notes = {name: form.note for name, form in found.forms.items()}
    assert notes["vectorized"] == notes["right"] == ""
    assert notes["broken"] == "not timed: breaks value"
    assert notes["refusing"] == "unsupported: reduction: no"
    assert "budgets" in notes["wrong"]
    assert notes["failing"] == "the items are not given: RuntimeError: out of graphs"
    timed = {name for name, form in found.forms.items() if form.microseconds is not None}
    assert timed == {"vectorized", "right", "wrong", "failing"}
    assert (found.ours, found.libraries, found.correct_peers) == ("vectorized", ["right"], [])
    assert found.ratio("vectorized") == 1


def _measured(microseconds: float | None, is_peer: bool = False, outcome: str = "correct") -> Measured:
    law = "" if outcome == "correct" else "value"
    if microseconds is None:
        return Measured(is_peer, outcome, law, note="refused")
    return Measured(is_peer, outcome, law, microseconds, (microseconds / 2, 2 * microseconds))


def _comparison(workload: str, threads: int, **microseconds: float | None) -> Comparison:
    """Of "a" and "fused", which are ours, a library that breaks a law and one that breaks none."""
    forms = {
        "a": _measured(microseconds["a"]),
        "fused": _measured(microseconds["fused"]),
        "wrong": _measured(microseconds["wrong"], True, "wrong"),
        "right": _measured(microseconds["right"], True),
    }
    return Comparison("mse", workload, 10, threads, forms)


SOME = [
    _comparison("small", 1, a=1, fused=4, wrong=2, right=3),
    _comparison("large", 1, a=10, fused=20, wrong=160, right=270),
    _comparison("small", 2, a=1, fused=4, wrong=None, right=5),
]


def test_the_summary_is_a_geometric_mean_over_the_workloads() -> None:
    rows = summary(SOME, [1, 2])
    correct, library = f"{math.sqrt(3 * 2):.2f}", f"{math.sqrt(2 * 16):.2f}"
    numbers = (correct, "4.00", "wrong*, right", library, "5.00")
    assert rows[0] == ("mse", "a", "right, fused", *numbers)
    assert rows[1] == ("all 2 workloads", "", "", *numbers[:2], "", *numbers[3:])


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    assert comparison.read(file) == Figures()
    figures = Figures(made_with={"torch": "2"})
    for one in SOME:
        figures.add(one)
    slower = _comparison("small", 1, a=2, fused=4, wrong=2, right=3)
    figures.add(slower)
    comparison.write(figures, file)
    kept = comparison.read(file)
    assert kept.made_with == {"torch": "2"}
    assert kept.comparisons == [*SOME[1:], slower]


def _run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(peers.main)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workloads of mse without a compiler, a library that is right and one that is not there."""
    row = replace(
        MSE,
        variants={name: MSE.variants[name] for name in ("naive", "native", "vectorized")},
        workloads=(SMALL, replace(SMALL, name="another")),
    )
    monkeypatch.setattr(peers, "CATALOG", {"mse": row})
    table = {"torch": peers.PEERS["torch"], "absent": {"mse": "impls.peers.absent:mse"}}
    monkeypatch.setattr(peers, "PEERS", table)


@pytest.mark.usefixtures("_small")
def test_the_command_prints_tables_and_keeps_the_figures(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    result = _run("mse", "--threads", "1", "--examples", "4", "--json", str(file))
    assert result.exit_code == 0, result.output
    words = result.stdout.split()
    assert {"native", "vectorized", "torch", "autoencoder", "another"} <= set(words)
    assert "naive" not in words
    assert "absent: absent can't be imported" in result.stdout
    kept = comparison.read(file)
    assert [one.key for one in kept.comparisons] == [("mse", "autoencoder", 1), ("mse", "another", 1)]
    assert kept.comparisons[0].libraries == ["torch"]


@pytest.mark.usefixtures("_small")
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def stopped(runners: dict[str, Any], *arguments: Any) -> dict[str, Timing]:
        calls.append(1)
        if len(calls) > 1:
            raise Interrupted({})
        return {name: Timing((1e-3,)) for name in runners}

    monkeypatch.setattr(comparison, "interleaved", stopped)
    file = tmp_path / "peers.json"
    result = _run("mse", "--threads", "1", "--examples", "2", "--json", str(file))
    assert result.exit_code == 130
    assert "interrupted" in result.stdout
    assert "mse" in result.stdout
    assert [one.workload for one in comparison.read(file).comparisons] == ["autoencoder"]


def test_an_unknown_loss_is_refused() -> None:
    result = _run("gious")
    assert result.exit_code != 0


def test_the_readme_shows_the_figures() -> None:
    table = docs.peers_table(Figures(SOME, {"cores": "2", "torch": "2.13"}))
    assert "| mse | a | right, fused | 2.45 | 4.00 | wrong*, right | 5.66 | 5.00 |" in table.replace(
        "\\", ""
    )
    assert "torch 2.13" in table
