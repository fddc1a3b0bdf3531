"""Choosing: only the correct are timed, a tie is a tie, and nothing is timed twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from impls.regression import mse_naive, mse_vectorized
from lossproof import CATALOG, cache, choose
from lossproof.agreement import agree
from lossproof.choice import Choice, Row, decide
from lossproof.choosing import COPY, _rounds, choose_for, verdicts_of, workload_of_size
from lossproof.inputs import load_workload
from lossproof.loss import Loss
from lossproof.measure import (
    BACKWARD,
    BLOCK,
    FORWARD,
    LEAST_ROUNDS,
    Batch,
    Interrupted,
    Timing,
    copy_runner,
    evaluation_runner,
    interleaved,
)
from lossproof.recheck import held_case, recheck
from lossproof.report import choice_cells, choice_notes, limit_lines
from lossproof.verdict import Verdict
from lossproof.verdicts import silent
from properties.case import Case, rounded


def _choice(**seconds: list[float]) -> Choice:
    choice = Choice("mse", "cpu", "a machine", "float32", "a workload", "nowhere", 10, 1)
    for name, times in seconds.items():
        choice.table.append(Row(name, "correct", timings={FORWARD: Timing(tuple(times))}))
    return choice


def test_the_clearly_faster_wins() -> None:
    choice = _choice(slow=[2.0, 2.1, 1.9] * 4, fast=[1.0, 1.1, 0.9] * 4)
    decide(choice, FORWARD)
    assert (choice.winners[FORWARD], choice.ties[FORWARD]) == ("fast", ["fast"])


def test_a_tie_goes_to_the_simplest() -> None:
    """Rounds in which now one and now the other is faster decide nothing."""
    choice = _choice(simple=[1.0, 1.2] * 6, clever=[1.1, 0.9] * 6)
    decide(choice, FORWARD)
    assert (choice.winners[FORWARD], choice.ties[FORWARD]) == ("simple", ["simple", "clever"])


def test_rounds_are_compared_in_pairs() -> None:
    """Noise that hits both alike does not hide a steady difference."""
    noise = np.array([1.0, 5.0, 2.0, 9.0, 3.0, 7.0, 1.5, 4.0, 6.0, 2.5])
    choice = _choice(slow=list(1.2 * noise), fast=list(noise))
    decide(choice, FORWARD)
    assert choice.ties[FORWARD] == ["fast"]


def test_the_rejected_never_win() -> None:
    choice = _choice(right=[2.0] * 8, wrong=[1.0] * 8)
    choice.table[1].outcome = "refused"
    decide(choice, FORWARD)
    assert choice.winners[FORWARD] == "right"


def test_two_runs_agree_on_the_winner_or_that_there_is_none() -> None:
    """As ``python -m lossproof.agreement`` counts it."""
    wins, loses = _choice(a=[1.0] * 8, b=[2.0] * 8), _choice(a=[2.0] * 8, b=[1.0] * 8)
    tie, other_tie = _choice(a=[1.0] * 8, b=[1.0] * 8), _choice(b=[1.0] * 8, a=[1.0] * 8)
    for choice in (wins, loses, tie, other_tie):
        decide(choice, FORWARD)
    agreeing = [agree(wins, each, FORWARD) for each in (wins, loses, tie, other_tie)]
    assert agreeing == [True, False, True, False]
    assert agree(tie, other_tie, FORWARD)


def test_finalists_are_timed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second rounds can turn what the first ones said; who was left behind in them stays out."""
    first = {"native": 1.0, "naive": 1.5, "vectorized": 1.05, COPY: 0.5}
    again = {"native": 1.3, "vectorized": 1.0}
    rounds = iter((first, again))

    def interleaved(runners: dict[str, object], *_: object) -> dict[str, Timing]:
        times = next(rounds)
        assert runners.keys() == times.keys()
        return {name: Timing((seconds,) * 12) for name, seconds in times.items()}

    monkeypatch.setattr("lossproof.choosing.interleaved", interleaved)
    choice = _choice(native=[], naive=[], vectorized=[])
    _rounds(choice, FORWARD, dict.fromkeys(first, lambda: None), silent)
    decide(choice, FORWARD)
    assert [len(row.timings[FORWARD].seconds) for row in choice.table] == [24, 12, 24]
    assert choice.ties[FORWARD] == ["native", "vectorized"]


def test_choose_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variant is verified, the correct are timed, and the second call reads the disk."""
    loss = CATALOG["mse"]
    names = ["native", "naive", "vectorized"]
    monkeypatch.setattr("lossproof.measure.ROUNDS", LEAST_ROUNDS)
    monkeypatch.setattr(
        "lossproof.choosing.verdicts_of",
        lambda row, device, dtype, report: verdicts_of(row, device, dtype, names, examples=10),
    )
    choice = choose("mse", size=2_000, threads=1)
    assert [row.outcome for row in choice.table] == ["correct"] * 3
    assert choice.variant in ("native", "vectorized")
    assert choice.function is loss.variants[choice.variant]
    assert choice.size == pytest.approx(2_000, rel=0.5)
    for row in choice.table:
        assert set(row.timings) == {FORWARD, BACKWARD}
        assert row.peak_bytes is not None
        assert row.peak_bytes > 0
        assert 0 <= row.budgets < 8
    monkeypatch.setattr("lossproof.choosing._time", _must_not_run)
    monkeypatch.setattr("lossproof.verdicts.verify", _must_not_run)
    monkeypatch.setattr("lossproof.workers._Worker", _must_not_run)
    again = choose("mse", size=2_000, threads=1)
    assert cache.plain(again) == cache.plain(choice)


def _must_not_run(*_: object, **__: object) -> None:
    raise AssertionError("this should have come from the cache")


def test_a_wrong_variant_is_shown_and_not_timed() -> None:
    loss = CATALOG["mse"]
    wrong = Verdict("mse", "cpu", "wrong", (), {"float32": 1e9}, {"float32": 1e9})
    right = Verdict("mse", "cpu", "correct", (), {"float32": 1.0}, {"float32": 0.5})
    verdicts = {"native": right, "vectorized": wrong}
    choice = choose_for(loss, workload_of_size(loss, 1_000), verdicts, "cpu", "float32", 1)
    assert choice.table[1].outcome == "wrong"
    assert choice.table[1].timings == {}
    assert choice.winners == {FORWARD: "native", BACKWARD: "native"}


class Remembers:
    """Right, but once it has seen a place in memory without gradients, it says the same again."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, str], Tensor] = {}

    def __call__(self, input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        value = mse_vectorized(input, target, reduction=reduction)
        return (
            value if input.requires_grad else self.seen.setdefault((input.data_ptr(), reduction), value)
        )


def test_what_is_remembered_for_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After timing, on numbers that it had not seen; also for a batch of one's own."""
    monkeypatch.setattr("lossproof.measure.ROUNDS", LEAST_ROUNDS)
    variants = {"vectorized": mse_vectorized, "remembers": Remembers()}
    loss = replace(CATALOG["mse"], variants=variants)
    np.savez(tmp_path / "mine.npz", input=np.arange(60.0).reshape(20, 3), target=np.zeros((20, 3)))
    right = Verdict("mse", "cpu", "correct", (), {"float32": 1.0}, {"float32": 0.5})
    for workload in (workload_of_size(loss, 1_000), load_workload(loss, tmp_path / "mine.npz")):
        choice = choose_for(loss, workload, dict.fromkeys(variants, right), "cpu", "float32", 1)
        assert [row.outcome for row in choice.table] == ["correct", "refused"]
        assert choice.table[1].note.endswith("on numbers it had not seen")
        assert choice.variant == "vectorized"


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_a_batch_takes_other_numbers(loss: Loss) -> None:
    """Two draws of a workload differ in numbers, not in shapes."""
    workload = loss.workloads[0]
    first, second = (workload.make(np.random.default_rng(seed), 2) for seed in (0, 1))
    batch = Batch.of(loss, first, torch.float32, "cpu")
    batch.refill(second)
    held, wanted = held_case(batch), rounded(second, "float32")
    assert first != second
    assert all(np.array_equal(held[name], wanted[name]) for name in batch.tensors)


def test_a_broken_cache_file_is_made_anew(tmp_path: Path) -> None:
    cache.store("verdicts", {"a": 1}, {"b": float("inf")})
    (file,) = (cache.folder() / "verdicts").iterdir()
    assert cache.load("verdicts", {"a": 1}) == {"b": "inf"}
    file.write_text("{ not json", encoding="utf-8")
    with pytest.warns(UserWarning, match="is broken"):
        assert cache.load("verdicts", {"a": 1}) is None
    assert not file.exists()
    cache.store("verdicts", {"a": 1}, {"b": 2})
    assert json.loads(file.read_text(encoding="utf-8"))["value"] == {"b": 2}


def test_interrupt_keeps_whole_rounds() -> None:
    """Ctrl-C in the middle of a round leaves the rounds before it."""
    count = 0

    def stops() -> None:
        nonlocal count
        count += 1
        if count > 400:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        interleaved({"first": lambda: sum(range(200_000)), "second": stops}, threads=1)
    lengths = {len(timing.seconds) for timing in caught.value.timings.values()}
    assert len(lengths) <= 1


def _batch(count: int = 600) -> Batch:
    random = np.random.default_rng(0)
    case = Case({"input": random.normal(size=count), "target": random.normal(size=count)})
    return Batch.of(CATALOG["mse"], case, torch.float32, "cpu")


def test_recheck_accepts_the_right_and_refuses_the_wrong() -> None:
    """The outputs of timed calls are held against the oracle: value, mean and gradient."""
    batch = _batch()
    value, gradients = batch.runner(mse_vectorized, backward=True)()
    assert recheck(mse_vectorized, batch, [value], gradients).fault == ""
    assert "the mean is not" in recheck(mse_vectorized, batch, [value, value * 1.001], gradients).fault
    doubled = (2 * gradients[0],)
    assert "gradient to input off" in recheck(mse_vectorized, batch, [value], doubled).fault

    def off(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        return mse_vectorized(input, target, reduction=reduction) + 1e-3

    assert "items off" in recheck(off, batch, [value], gradients).fault


def test_least_bytes_are_inputs_and_learned_gradients() -> None:
    batch = _batch(100)
    assert batch.least_bytes(backward=False) == 2 * 400
    assert batch.least_bytes(backward=True) == 3 * 400
    source = copy_runner(800, "cpu")()
    assert source.numel() == 400


def test_functions_are_evaluated_for_every_element(monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts that fit into the cache, and half as often where half is asked for."""
    counts = {"exp": 0, "log": 0}

    def counting(name: str) -> Callable[..., Tensor]:
        function = getattr(torch, name)

        def count(numbers: Tensor, out: Tensor) -> Tensor:
            counts[name] += numbers.numel()
            assert numbers.numel() <= BLOCK
            return function(numbers, out=out)

        return count

    for name in counts:
        monkeypatch.setattr(torch, name, counting(name))
    size = 3 * BLOCK + 10
    evaluation_runner({"exp": 1, "log": 0.5}, size, torch.float32, "cpu", 1)()
    assert counts == {"exp": size, "log": size // 2}


def test_the_limit_is_what_takes_longer() -> None:
    choice = _choice(fast=[1.0] * 8)
    assert choice.limit(FORWARD) is None
    choice.limits = {FORWARD: Timing((0.2,))}
    assert choice.limit(FORWARD) == 0.2
    choice.arithmetic, choice.evaluated = {FORWARD: Timing((0.5,))}, ["exp", "log"]
    assert choice.limit(FORWARD) == 0.5
    copy, arithmetic = limit_lines(choice)
    assert (copy[0], copy[5]) == ("limit (copy)", "0.4")
    assert (arithmetic[0], arithmetic[5]) == ("limit (exp, log)", "1.0")
    assert choice_cells(choice, choice.table[0])[5] == "2.0"


def test_compiled_code_that_does_not_pay_is_said_to() -> None:
    choice = _choice(eager=[1.0] * 8, fused=[3.0] * 8)
    eager, fused = choice.table
    for row, factor in ((eager, 1.0), (fused, 2.0)):
        row.timings[BACKWARD] = Timing(
            tuple(factor * second for second in eager.timings[FORWARD].seconds)
        )
    assert not any("compiled" in note for note in choice_notes(choice))  # none is marked as compiled
    fused.compiled = True
    assert "compiled code takes 3.0 and 2.0 times as long here" in choice_notes(choice)[-1]
    fused.timings[BACKWARD] = Timing((0.9,) * 8)
    assert not any("compiled" in note for note in choice_notes(choice))


def test_rows_that_no_item_picks_are_not_read() -> None:
    """Of 50 centres two samples need two; the gradient has all."""
    case = Case({"features": np.zeros((2, 8)), "label": np.array([3, 40]), "centers": np.zeros((50, 8))})
    batch = Batch.of(CATALOG["center"], case, torch.float32, "cpu")
    read = 2 * 8 * 4 + 2 * 8 + 2 * 8 * 4
    assert batch.least_bytes(backward=False) == read
    assert batch.least_bytes(backward=True) == read + (2 + 50) * 8 * 4


def test_timing_is_of_the_callable_that_was_verified() -> None:
    """The runner calls the very function, with the workload's own arguments."""
    seen = []

    def spy(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        seen.append((input.shape, input.requires_grad, target.requires_grad, reduction))
        return mse_naive(input, target, reduction=reduction)

    batch = _batch(3)
    batch.runner(spy, backward=True)()
    batch.runner(spy, backward=False)()
    assert seen == [((3,), True, False, "mean"), ((3,), False, False, "mean")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "dise"}, "loss: no 'dise'; did you mean dice"),
        ({"size": 0}, "size: expected at least 1 element"),
        ({"device": "cuda"}, "device: no cuda on this machine"),
        ({"dtype": "half"}, "dtype: no 'half'"),
        ({"threads": 0}, "threads: expected at least 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    if arguments.get("device") == "cuda" and torch.cuda.is_available():
        arguments, message = {"device": "cud"}, "device: no 'cud'"
    with pytest.raises(ValueError, match=message):
        choose(**{"loss": "mse", "size": 100, **arguments})  # type: ignore[arg-type]  # wrong on purpose
