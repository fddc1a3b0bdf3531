"""Mutants: what the operators make of a source, which are rejected, and how that is counted."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from impls import boxes, regression
from lossproof import CATALOG, cli, mutant_trials, strength
from lossproof.loss import Loss, Variant
from lossproof.mutant_trials import try_mutant
from lossproof.mutants import Mutant, build, mutants_of, name_of
from lossproof.mutations import changes
from lossproof.sources import reached
from lossproof.strength import Equivalent, Result, Strength, equivalents, figures
from lossproof.verification import Fault

FEW = 5
run = CliRunner()


def _results(source: str, **names: object) -> set[str]:
    """What an expression or statement is turned into."""
    (statement,) = ast.parse(source).body
    node = statement.value if isinstance(statement, ast.Expr) else statement
    return {ast.unparse(ast.fix_missing_locations(new)) for new in changes(node, names)}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a + b", {"a - b", "a", "b"}),
        ("a - b", {"a + b", "b - a", "a", "b"}),
        ("a * b", {"a / b", "a", "b"}),
        ("a / b", {"a * b", "b / a", "a"}),
        ("a ** b", {"a * b", "b ** a", "a"}),
        ("a & b", {"a | b", "a", "b"}),
        ("-a", {"a"}),
        ("~a", {"a"}),
        ("not a", {"a"}),
        ("a < b", {"a <= b", "a >= b"}),
        ("a == b", {"a != b"}),
        ("a is None", {"a is not None"}),
        ("a and b", {"a or b", "a", "b"}),
        ("0", {"1"}),
        ("2", {"3", "1"}),
        ("0.5", {"0.505", "0.0"}),
        ("False", {"True"}),
        ("'mean'", set()),
        ("math.pi", {"1.01 * math.pi"}),
        ("torch.exp(x)", {"torch.expm1(x)", "x"}),
        ("x.amax(1)", {"x.amin(1)"}),
        ("x.detach()", {"x"}),
        ("x.clamp(min=0)", {"x", "x.clamp(max=0)"}),
        ("x.clamp(min=0, max=1)", {"x", "x.clamp(max=1)", "x.clamp(min=0)"}),
        ("torch.where(c, a, b)", {"a", "b", "torch.where(c, b, a)"}),
        ("torch.maximum(a, b)", {"torch.minimum(a, b)"}),
        ("torch.atan2(a, b)", {"torch.atan2(b, a)"}),
        ("max(a, b)", {"min(a, b)"}),
        ("len(a)", set()),
        ("a if c else b", {"a", "b", "a if not c else b"}),
        ("with torch.no_grad():\n    f()", {"if True:\n    f()"}),
        ("if c:\n    f()", {"if False:\n    f()", "if not c:\n    f()"}),
    ],
)
def test_operators_make_what_they_say(source: str, wanted: set[str]) -> None:
    assert _results(source) == wanted


def test_numbers_of_a_module_are_constants() -> None:
    assert _results("FLOOR", FLOOR=-100.0) == {"1.01 * FLOOR", "0"}
    assert _results("FLOOR") == set()


def test_what_is_reached_computes() -> None:
    """Across modules, without what only checks."""
    found = {name_of(function) for function in reached(boxes.giou_vectorized, "impls")}
    assert found >= {"boxes.giou_vectorized", "boxes._hull", "arguments.ratio_or_zero", "arguments.wide"}
    assert not {name for name in found if "_check" in name or "require" in name}


def test_checks_are_left_alone() -> None:
    """Calls that return nothing, what raises, and what is computed for these alone."""
    changed = {m.change for m in mutants_of(CATALOG["bce_log_dice"].variants["vectorized"])}
    assert "2 * both + smooth -> 2 * both - smooth" in changed
    assert not {change for change in changed if change.startswith("smooth > 0")}
    scales = [m.change for m in mutants_of(_vectorized("yolo_detection")) if "_scales" in m.function]
    assert any(change.startswith("[a] if isinstance(a, Tensor) else list(a)") for change in scales)
    assert not [change for change in scales if "count" in change or "dtype" in change]


@pytest.mark.parametrize("loss", CATALOG)
def test_mutants_differ_and_have_names_of_their_own(loss: str) -> None:
    mutants = mutants_of(CATALOG[loss].variants["vectorized"])
    assert len({(mutant.function, mutant.change) for mutant in mutants}) == len(mutants) > 30
    assert len({(mutant.function, ast.dump(mutant.source)) for mutant in mutants}) == len(mutants)


# In force


def test_a_mutant_of_another_module_is_in_force() -> None:
    """Of what the variant calls through a function of its own module; the variant itself stays."""
    right = _vectorized("mse")
    mutant = _mutant("mse", "arguments.reduce", "items.sum() / divisor -> items.sum() * divisor")
    x, y = torch.tensor([1.0, 3.0]), torch.zeros(2)
    assert build(right, mutant)(x, y) == 20
    assert right(x, y) == regression.mse_naive(x, y) == 5


def test_a_wrong_mutant_is_killed_and_a_right_one_is_not() -> None:
    row = CATALOG["mse"]
    wrong = _mutant("mse", "regression._mse", "wide(input) - wide(target) -> wide(input) + wide(target)")
    right = _mutant("mse", "regression._mse", "wide(input) - wide(target) -> wide(target) - wide(input)")
    killed = try_mutant(row, wrong, FEW, 0, limit=60)
    assert (killed.outcome, killed.law, killed.dtype) == ("killed", "shift_invariant", "float64")
    assert try_mutant(row, right, FEW, 0, limit=60).outcome == "survived"


def test_a_mutant_that_never_ends_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        while True:
            pass

    monkeypatch.setattr(mutant_trials, "first_fault", endless)
    result = try_mutant(CATALOG["mse"], mutants_of(_vectorized("mse"))[0], FEW, 0, limit=0.1)
    assert (result.outcome, result.law) == ("killed", "time")


# Counted

KILLED = Result("f", "a -> b", "killed", "value", "float64")
SURVIVED = Result("f", "c -> d", "survived")


def test_equivalent_mutants_do_not_count() -> None:
    row = Equivalent("f", ("c -> d",), "the same number")
    counted = strength.judged(Strength("mse", [KILLED, SURVIVED]), _named(KILLED, SURVIVED), [row])
    assert counted.figures == {"mutants": 2, "killed": 1, "equivalent": 1, "survived": 0}
    assert counted.score == 1
    assert Strength("mse", [KILLED, SURVIVED]).score == 0.5


def test_what_is_said_to_be_equivalent_must_be() -> None:
    """A row whose mutant is killed, or gone, is reported; one of another loss is not."""
    found = [Strength("mse", [KILLED, SURVIVED])]
    table = [
        Equivalent("f", ("a -> b", "c -> d", "e -> f"), "so it is"),
        Equivalent("f", ("a -> b",), "so it is", losses=("giou",)),
        Equivalent("g", ("a -> b",), "so it is"),
    ]
    assert strength.false_claims(found, table) == [
        "mse: f: a -> b: killed by value (float64)",
        "mse: f: e -> f: there is no such mutant",
    ]


def test_every_row_of_the_table_has_a_mutant_and_a_reason() -> None:
    """In all of the losses that it names, or in some."""
    known = {(n, m.function, m.change) for n in CATALOG for m in mutants_of(_vectorized(n))}
    for row in equivalents():
        assert len(row.reason.split()) > 3
        for change in row.changes:
            of = {loss for loss, *what in known if what == [row.function, change]}
            assert of
            assert set(row.losses) <= of


@pytest.mark.parametrize("loss", CATALOG)
def test_the_laws_kill_enough(loss: str) -> None:
    """The figures that are shown are of today's mutants, and none is below the goal."""
    known = figures()[loss]
    assert known["mutants"] == len(mutants_of(_vectorized(loss))), "run: lossproof strength --save"
    assert known["killed"] >= strength.GOAL * (known["mutants"] - known["equivalent"])


# The command


@pytest.fixture
def few_mutants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Those of one function under mse, tried in this process; the changes that are tried."""
    chosen = [m for m in mutants_of(_vectorized("mse")) if m.function == "arguments.reduce"]
    tried: list[str] = []

    def noted(row: Loss, mutant: Mutant, *how: Any) -> Result:
        tried.append(mutant.change)
        return try_mutant(row, mutant, *how)

    for module in (mutant_trials, cli):
        monkeypatch.setattr(module, "mutants_of", lambda function: chosen)
    monkeypatch.setattr(mutant_trials, "try_mutant", noted)
    monkeypatch.setattr(strength, "FIGURES", tmp_path / "strength.json")
    return tried


COMMAND = ("strength", "mse", "--examples", str(FEW), "--jobs", "1")


def test_strength_counts_saves_and_does_not_try_twice(few_mutants: list[str], tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    result = run.invoke(cli.app, [*COMMAND, "--save", "--json", str(file)])
    assert result.exit_code == 0, result.output
    (told,) = json.loads(file.read_text(encoding="utf-8"))["strengths"]
    assert [one["change"] for one in told["results"]] == few_mutants
    assert told["killed"] + told["equivalent"] == told["mutants"] == len(few_mutants)
    saved = json.loads((tmp_path / "strength.json").read_text(encoding="utf-8"))["mse"]
    assert saved == {**{name: told[name] for name in SAVED}, "examples": FEW, "seed": 0}
    count = len(few_mutants)
    again = run.invoke(cli.app, [*COMMAND])
    assert again.stdout == result.stdout
    assert len(few_mutants) == count


SAVED = ("mutants", "killed", "equivalent", "survived")


def test_survivors_are_shown_and_fail(few_mutants: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutant_trials, "first_fault", lambda *_, **__: None)
    result = run.invoke(cli.app, COMMAND)
    assert result.exit_code == 1
    before, _, after = few_mutants[0].partition(" -> ")
    assert f"- {before}\n+ {after}\n" in result.stdout


def test_a_variant_that_is_wrong_itself_is_named(
    few_mutants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutant_trials, "first_fault", lambda *_, **__: Fault("value", "float64", "off"))
    mutant_trials._time_limit.cache_clear()
    result = run.invoke(cli.app, COMMAND)
    assert result.exit_code == 1
    assert "mse: vectorized itself breaks value (float64): off" in result.output


def test_interrupt_keeps_what_was_tried(few_mutants: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(row: Loss, mutant: Mutant, *how: Any) -> Result:
        if len(few_mutants) == 2:
            raise KeyboardInterrupt
        few_mutants.append(mutant.change)
        return Result(mutant.function, mutant.change, "killed", "value")

    monkeypatch.setattr(mutant_trials, "try_mutant", stops)
    result = run.invoke(cli.app, COMMAND)
    assert result.exit_code == 130
    assert "interrupted" in result.output
    assert result.stdout.splitlines()[1].split() == ["mse", "2", "2", "0", "0", "100", "%"]


def _named(*results: Result) -> list[Mutant]:
    return [Mutant(r.function, r.change, ast.parse("def f(): ...").body[0]) for r in results]


def _vectorized(loss: str) -> Variant:
    return CATALOG[loss].variants["vectorized"]


def _mutant(loss: str, function: str, change: str) -> Mutant:
    (found,) = [m for m in mutants_of(_vectorized(loss)) if (m.function, m.change) == (function, change)]
    return found
