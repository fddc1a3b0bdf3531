"""The chosen callable: the variant for the size, the pass and nothing else, at little cost."""

import timeit
from typing import Any

import pytest
import torch
from torch import Tensor

import lossproof
from lossproof import CATALOG, Loss
from lossproof.choice import Choice
from lossproof.chosen import SIZES, Chosen
from lossproof.measure import BACKWARD, FORWARD
from properties.case import Workload

MSE = CATALOG["mse"]


def _choice(size: int, forward: str = "native", training: str = "vectorized") -> Choice:
    winners = {FORWARD: forward, BACKWARD: training}
    row = Choice("mse", "cpu", "a machine", "float32", "a workload", "nowhere", size, 1)
    row.winners = {name: winner for name, winner in winners.items() if winner}
    return row


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the variants that were called, none of which does anything."""
    calls: list[str] = []

    def named(name: str) -> Any:
        def variant(input: Tensor, target: Tensor, **options: Any) -> Tensor:
            calls.append(name)
            return input

        return variant

    for name in MSE.variants:
        monkeypatch.setitem(MSE.variants, name, named(name))  # type: ignore[arg-type]  # a dict
    return calls


def test_size_and_pass_decide(called: list[str]) -> None:
    """The bounds lie half way between the sizes, as ratios."""
    chosen = Chosen([_choice(10), _choice(1_000, "fused", "naive")])
    for count, training in ((5, False), (99, True), (101, False), (101, True), (10**5, True)):
        chosen(torch.zeros(count, requires_grad=training), torch.zeros(count))
    with torch.no_grad():
        chosen(torch.zeros(5, requires_grad=True), torch.zeros(5))
    assert called == ["native", "vectorized", "fused", "naive", "naive", "native"]


def test_a_variant_that_was_too_slow_to_train_is_called_all_the_same(called: list[str]) -> None:
    Chosen([_choice(10, "naive", "")])(torch.zeros(2, requires_grad=True), torch.zeros(2))
    assert called == ["naive"]


def test_where_nothing_was_chosen_it_says_so() -> None:
    chosen = Chosen([_choice(10)])
    with pytest.raises(
        TypeError, match=r"mse: chosen for torch.float32 on cpu, got torch.float64 on cpu"
    ):
        chosen(torch.zeros(2, dtype=torch.float64), torch.zeros(2))
    with pytest.raises(RuntimeError, match="mse: no variant to choose on a workload"):
        Chosen([_choice(10, "", "")])


def test_it_says_what_it_takes() -> None:
    shown = repr(Chosen([_choice(10), _choice(1_000, "fused", "fused")]))
    assert "up to 100: forward native, forward and backward vectorized" in shown
    assert "above: forward fused, forward and backward fused" in shown


def test_looking_up_takes_less_than_five_microseconds(called: list[str]) -> None:
    chosen, direct = Chosen([_choice(size) for size in SIZES]), MSE.variants["vectorized"]
    tensor = torch.zeros(2, requires_grad=True)
    through, bare = (
        min(timeit.repeat(lambda f=f: f(tensor, tensor, reduction="sum"), number=2_000, repeat=7))
        for f in (chosen, direct)
    )
    assert (through - bare) / 2_000 < 5e-6


def test_without_a_size_all_sizes_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each size that the loss has is timed once."""
    timed: list[int] = []

    def choose_for(row: Loss, workload: Workload, *_: object) -> Choice:
        timed.append(workload.elements(workload.rows))
        return _choice(timed[-1])

    monkeypatch.setattr("lossproof.choosing.verdicts_of", lambda *_, **__: {})
    monkeypatch.setattr("lossproof.choosing.choose_for", choose_for)
    chosen = lossproof.choose("mse")
    assert [choice.size for choice in chosen.choices] == timed
    assert timed == pytest.approx(SIZES, rel=0.5)
    timed.clear()
    lossproof.choose("dice")
    assert len(timed) == len(set(timed)) < len(SIZES)
