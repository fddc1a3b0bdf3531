"""Verification itself: impostors are caught, right code is not, and nothing is lost."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from impls.boxes import giou_vectorized
from impls.classification import cross_entropy_vectorized, sigmoid_focal_vectorized
from impls.regression import mse_vectorized
from lossproof import CATALOG, laws, verify
from lossproof.cache import folder
from lossproof.cases import halved, large, sought
from lossproof.verdict import Verdict, merged
from lossproof.verification import first_fault
from properties.case import DTYPES, Case

FLOAT32 = [torch.float32]


def constant(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return 0 * mse_vectorized(input, target, reduction=reduction) + 1


def zero_gradient(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    value = mse_vectorized(input, target, reduction=reduction)
    return value.detach() + 0 * value


def detached(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction=reduction).detach()


def scaled_gradient(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    value = mse_vectorized(input, target, reduction=reduction)
    return 1.01 * value - 0.01 * value.detach()


def rounded_early(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction=reduction).bfloat16().to(input.dtype)


def sum_for_mean(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction="none" if reduction == "none" else "sum")


def input_overwritten(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    value = mse_vectorized(input, target, reduction=reduction)
    with torch.no_grad():
        target.mul_(2)
    return value


def alias_returned(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    value = mse_vectorized(input, target, reduction=reduction)
    return input.view_as(input) if reduction == "none" and not input.any() else value


def only_small(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction=reduction) * (1 if input.numel() < 100 else 2)


def only_contiguous(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    value = mse_vectorized(input, target, reduction=reduction)
    return value if input.is_contiguous() else 2 * value


def wrong_dtype(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction=reduction).double()


def extra_axis(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    return mse_vectorized(input, target, reduction=reduction)[..., None]


def no_tensor(input: Tensor, target: Tensor, *, reduction: str = "mean") -> float:
    return float(mse_vectorized(input, target, reduction="sum").detach())


def counted_in_half(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
    if reduction != "mean":
        return giou_vectorized(boxes1, boxes2, reduction=reduction)
    total = giou_vectorized(boxes1.float(), boxes2.float(), reduction="sum")
    return (total / torch.tensor(len(boxes1), dtype=boxes1.dtype)).to(boxes1.dtype)


class Stale:
    """Right on the first call, then remembers."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        value = mse_vectorized(input, target, reduction=reduction)
        first = self.kept.setdefault((*input.shape, len(reduction)), value.detach())
        return value + (first - value.detach())


@pytest.mark.parametrize(
    ("impostor", "law"),
    [
        (constant, "value"),
        (zero_gradient, "gradient"),
        (detached, "form"),
        (scaled_gradient, "gradient"),
        (rounded_early, "value"),
        (sum_for_mean, "value"),
        (input_overwritten, "inputs_untouched"),
        (alias_returned, "form"),
        (only_small, "large_batch"),
        (only_contiguous, "layout"),
        (wrong_dtype, "form"),
        (extra_axis, "value"),
        (no_tensor, "value"),
        (Stale(), "value"),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__.lower()),
)
def test_impostor_is_caught(impostor: Callable[..., Tensor], law: str) -> None:
    """Each is wrong, by the law that one would expect."""
    verdict = verify(impostor, "mse", dtypes=FLOAT32, examples=30)
    assert verdict.outcome == "wrong"
    assert law in verdict.laws_broken


def test_a_count_too_large_for_half_is_caught() -> None:
    """A mean over more than 65,504 numbers, which are infinitely many in float16."""
    many, few = (
        verify(counted_in_half, "giou", dtypes=["float16"], examples=n, laws=["mean_of_many"])
        for n in (100, 99)
    )
    assert many.laws_broken == ("mean_of_many",)
    assert many.findings[0].inputs == {}
    assert few.applied == {"mean_of_many": 0}
    program = many.findings[0].snippet
    assert max(map(len, program.splitlines())) < 120
    with pytest.raises(AssertionError, match="mean of the items differs"):
        exec(compile(program, "many.py", "exec"), {"__name__": "__main__"})


def test_nan_swept_to_zero_is_caught() -> None:
    """A saturated focal loss whose NaN is hidden is still wrong."""

    def swept(
        logits: Tensor,
        target: Tensor,
        *,
        gamma: float = 2.0,
        alpha: float | None = 0.25,
        reduction: str = "mean",
    ) -> Tensor:
        p = torch.sigmoid(logits)
        binary = -(target * p.log() + (1 - target) * (1 - p).log())
        right = p * target + (1 - p) * (1 - target)
        weight = 1 if alpha is None else alpha * target + (1 - alpha) * (1 - target)
        items = (weight * (1 - right) ** gamma * binary).nan_to_num(0, 0, 0)
        return {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}[reduction](items)

    assert verify(swept, "sigmoid_focal", dtypes=FLOAT32, laws=["value"]).outcome == "wrong"


def test_shifted_target_is_caught() -> None:
    """The off-by-one that a constant learning curve hides."""

    def shifted(logits: Tensor, target: Tensor, **options: object) -> Tensor:
        classes = logits.shape[1]
        other = torch.where(target == options["ignore_index"], target, (target + 1) % classes)
        return cross_entropy_vectorized(logits, other, **options)  # type: ignore[arg-type]  # those of the loss

    assert verify(shifted, "cross_entropy", dtypes=FLOAT32, laws=["value"]).outcome == "wrong"


def test_forgotten_option_is_caught() -> None:
    def forgetful(logits: Tensor, target: Tensor, *, reduction: str = "mean", **_: object) -> Tensor:
        return sigmoid_focal_vectorized(logits, target, reduction=reduction)

    laws = ["options_matter"]
    assert verify(forgetful, "sigmoid_focal", dtypes=FLOAT32, laws=laws).outcome == "wrong"


def test_coupled_items_are_caught() -> None:
    def coupled(boxes1: Tensor, boxes2: Tensor, *, reduction: str = "mean") -> Tensor:
        items = giou_vectorized(boxes1, boxes2, reduction="none")
        items = items + 0.01 * (items - items.mean()) if len(items) else items
        return {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}[reduction](items)

    assert verify(coupled, "giou", dtypes=FLOAT32, laws=["concatenation"]).outcome == "wrong"


def test_raising_is_an_error_and_not_ours() -> None:
    """An implementation that raises has a finding for it, with a program that raises too."""

    def broken(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        raise RuntimeError("out of luck")

    verdict = verify(broken, "mse", dtypes=FLOAT32, examples=5)
    assert verdict.outcome == "error"
    assert "RuntimeError: out of luck" in verdict.findings[0].reason
    ran = subprocess.run(
        [sys.executable, "-c", verdict.findings[0].snippet], capture_output=True, text=True, check=False
    )
    assert "RuntimeError: out of luck" in ran.stderr


def test_not_implemented_is_unsupported() -> None:
    def only_float32(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        if input.dtype != torch.float32:
            raise NotImplementedError("float32 only")
        return mse_vectorized(input, target, reduction=reduction)

    verdict = verify(only_float32, "mse", examples=5)
    assert verdict.outcome == "unsupported"
    assert verdict.unsupported == ("float64", "bfloat16", "float16")
    assert verify(only_float32, "mse", dtypes=FLOAT32, examples=5).outcome == "correct"


def test_a_law_that_is_silent_on_a_dtype_leaves_it_supported() -> None:
    """What refused nothing is not unsupported where no law that was asked says anything."""
    verdict = verify(mse_vectorized, "mse", examples=5, laws=["second_derivative"])
    assert (verdict.outcome, verdict.unsupported) == ("correct", ())
    assert verdict.applied["second_derivative"] > 0


def test_an_exception_of_our_own_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of the oracle")

    monkeypatch.setattr("lossproof.trial.tolerance.true_items", fails)
    with pytest.raises(ZeroDivisionError, match="a fault of the oracle"):
        verify(mse_vectorized, "mse", dtypes=FLOAT32, examples=2)


def test_counterexample_is_shrunk() -> None:
    """A fault on one number is shown on one number."""

    def wrong_at_three(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
        items = torch.where(input > 3, 2.0, 1.0) * (input - target) ** 2
        return {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}[reduction](items)

    finding = verify(wrong_at_three, "mse", dtypes=["float64"], laws=["value"]).findings[0]
    assert finding.inputs["input"].size == 1
    assert finding.inputs["input"] == 4.0
    assert finding.inputs["target"] == 0.0
    assert finding.budgets > 8
    assert finding.got is not None
    assert finding.wanted is not None


def only_rare(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    items = torch.where(input > 1e14, 2.0, 1.0) * (input - target) ** 2
    return {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}[reduction](items)


def test_a_failure_is_found_again_with_fewer_examples() -> None:
    """It is kept between runs, shrunk, and tried first; another implementation has its own."""
    few = {"dtypes": ["float64"], "examples": 1, "laws": ["value"]}
    assert verify(only_rare, "mse", **few).outcome == "correct"
    found = verify(only_rare, "mse", **{**few, "examples": 200}).findings[0]
    again = verify(only_rare, "mse", seed=7, **few).findings[0]
    assert again.reason == found.reason
    assert again.inputs["input"].size <= found.inputs["input"].size
    assert verify(mse_vectorized, "mse", **few).applied == {"value": 1}
    for kept in (folder() / "failures").rglob("*"):
        if kept.is_file():
            kept.unlink()
    assert verify(only_rare, "mse", **few).outcome == "correct"  # an empty folder is no obstacle


def test_a_large_batch_without_rows_is_left_whole() -> None:
    """The boxes of an image are no rows of a batch, so there is nothing to halve."""
    row = CATALOG["yolo_detection"]
    case = large(row, "float32", 0)
    assert halved(row, case, lambda _: True) == case
    assert len(halved(CATALOG["mse"], large(CATALOG["mse"], "float32", 0), lambda _: True)["input"]) == 1


def test_what_scores_is_sought() -> None:
    """Most of the cases are far from 0, where that is asked for; by chance few are."""

    def distance(case: Case) -> float:
        return min(1e6, float(np.abs(case["input"]).sum()))

    def median(tell: bool) -> float:
        seen = []

        def score(case: Case) -> float | None:
            seen.append(distance(case))
            return seen[-1] if tell else None

        sought(CATALOG["mse"], "float64", 100, 0, score)
        return float(np.median(seen))

    assert median(tell=True) > 100 * median(tell=False)


def test_further_cases_are_sought_by_default() -> None:
    """A quarter more, for the laws that have an error budget."""
    laws = ["value", "gradient", "form"]
    applied = verify(mse_vectorized, "mse", dtypes=["float64"], laws=laws).applied
    assert (applied["value"], applied["gradient"], applied["form"]) == (125, 125, 100)


def test_right_is_right_at_another_seed() -> None:
    """No false alarm, and the errors stay well inside the budget."""
    verdict = verify(giou_vectorized, "giou", seed=1, examples=15)
    verdict.raise_if_wrong()
    assert max(verdict.budgets.values()) < 8
    assert set(verdict.budgets) == set(DTYPES)


def test_raise_if_wrong_is_readable() -> None:
    verdict = verify(constant, "mse", dtypes=FLOAT32, examples=5)
    with pytest.raises(AssertionError, match=r"mse: wrong, \d+ laws broken") as caught:
        verdict.raise_if_wrong()
    assert "function(input, target" in str(caught.value)


def test_one_verification_serves_one_test_for_each_law() -> None:
    """A law's test fails where the law is broken, with its program alone."""
    verdict = verify(zero_gradient, "mse", dtypes=FLOAT32, examples=20)
    assert {"gradient", "gradient_is_twice_the_difference"} == {*verdict.laws_broken}
    for law in laws("mse"):
        if law in verdict.laws_broken:
            with pytest.raises(AssertionError, match=rf"\n{law} \(float32\): ") as caught:
                verdict.raise_if_wrong(law)
            assert str(caught.value).count("import torch") == 1
        else:
            verdict.raise_if_wrong(law)
    with pytest.raises(ValueError, match="law: no 'gradients'; did you mean gradient"):
        verdict.raise_if_wrong("gradients")
    with pytest.raises(AssertionError, match="mse: unsupported, 0 laws broken"):
        Verdict("mse", "cpu", "unsupported", ()).raise_if_wrong("value")


def test_laws_are_those_that_verification_checks() -> None:
    for loss in CATALOG:
        row = CATALOG[loss]
        assert laws(loss) == laws(row)
    assert set(laws("mse")) == set(verify(mse_vectorized, "mse", dtypes=FLOAT32, examples=1).applied)
    with pytest.raises(ValueError, match="loss: no 'msee'; did you mean mse"):
        laws("msee")


def test_verdict_survives_the_cache() -> None:
    from lossproof.cache import load, plain, store

    verdict = verify(constant, "mse", dtypes=FLOAT32, examples=5)
    store("verdicts", {"key": 1}, verdict)
    kept = Verdict.from_plain(load("verdicts", {"key": 1}))
    assert plain(kept) == plain(verdict)


def half_as_exact(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Rounds early, doesn't do float16, and raises for one element in bfloat16."""
    if input.dtype is torch.float16:
        raise NotImplementedError("float16")
    if input.dtype is torch.bfloat16 and input.numel() == 1:
        raise RuntimeError("one")
    return rounded_early(input, target, reduction=reduction)


def test_a_verdict_is_that_of_its_dtypes_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are verified in one call or apart, as workers do; neither knows of the other's
    failures."""
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path / "together"))
    together = verify(half_as_exact, "mse", examples=20)
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path / "apart"))
    apart = [verify(half_as_exact, "mse", dtypes=[dtype], examples=20) for dtype in DTYPES]
    assert [verdict.outcome for verdict in apart] == ["wrong", "wrong", "error", "unsupported"]
    whole = merged(apart)
    assert together.outcome == whole.outcome == "wrong"
    shown = [(f.law, f.dtype, f.reason, f.snippet) for f in whole.findings]
    assert shown == [(f.law, f.dtype, f.reason, f.snippet) for f in together.findings]
    assert {f.dtype for f in whole.findings} == {"float64", "bfloat16"}
    assert replace(together, findings=()) == replace(whole, findings=())
    assert whole.refused == {"float16": 20 + 1}
    assert list(whole.budgets) == list(whole.ulps) == [*DTYPES]
    assert whole.applied["value"] == apart[0].applied["value"]
    assert apart[1].applied["value"] > 0  # which are not added


def test_first_fault_is_that_of_the_verdict() -> None:
    """Without shrinking: the first finding's law and dtype, and nothing where all is right."""
    fault = first_fault(zero_gradient, CATALOG["mse"], examples=5)
    finding = verify(zero_gradient, "mse", examples=5).findings[0]
    assert fault is not None
    assert (fault.law, fault.dtype) == (finding.law, finding.dtype)
    at_large = first_fault(only_small, CATALOG["mse"], examples=5)
    assert at_large is not None
    assert at_large.law == "large_batch"
    assert first_fault(mse_vectorized, CATALOG["mse"], examples=5) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "gious"}, "loss: no 'gious'; did you mean giou"),
        ({"dtypes": ["float31"]}, "dtype: no 'float31'; did you mean float32"),
        ({"device": "gpu"}, "device: no 'gpu'"),
        ({"dtypes": []}, "dtypes: expected at least one"),
        ({"examples": 0}, "examples: expected at least 1, got 0"),
        ({"laws": ["bound"]}, "law: no 'bound'; did you mean bounded"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        verify(giou_vectorized, **{"loss": "giou", **arguments})  # type: ignore[arg-type]  # wrong on purpose
