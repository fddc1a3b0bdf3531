"""Other people's implementations: whatever way they take and return things, the loss is judged."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from impls import boxes, classification, overlap
from lossproof import CATALOG, adapt, cli, verify
from lossproof.adapting import Adapted
from lossproof.loss import Loss, Variant
from lossproof.verdict import Verdict

FEW = 5
SMALL = ["float32", "float64"]
BY_NAME = {"names": {"boxes1": "second", "boxes2": "first"}}
X, T = torch.tensor([0.5, -2.0, 3.0]), torch.tensor([1.0, 0.0, 0.25])


class Focal(nn.Module):
    """As many write it: options where it is made, tensors in the call."""

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25, reduction: str = "mean") -> None:
        super().__init__()
        self.options = {"gamma": gamma, "alpha": alpha, "reduction": reduction}

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return classification.sigmoid_focal_vectorized(inputs, targets, **self.options)  # type: ignore[arg-type]  # a dict


def make_focal(gamma: float = 2.0) -> nn.Module:
    return Focal(gamma, 0.25, "none")


def squares(output: Tensor, wanted: Tensor) -> Tensor:
    assert output.shape == wanted.shape
    return (output - wanted).square()


def mean_square(output: Tensor, wanted: Tensor) -> Tensor:
    return squares(output, wanted).sum() / max(output.numel(), 1)


def centred_iou(first: Tensor, second: Tensor, reduction: str) -> Tensor:
    """An IoU of boxes as centre and size, the target first."""
    corners = [torch.cat([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1) for b in (first, second)]
    items = 1 - boxes.iou_vectorized(corners[1], corners[0], reduction="none")
    return {"none": items, "sum": items.sum(), "mean": items.sum() / max(len(items), 1)}[reduction]


def dice_of_a_batch(scores: Tensor, truth: Tensor, eps: float = 1e-6) -> Tensor:
    return overlap.dice_vectorized(scores, truth, smooth=eps)


@pytest.mark.parametrize(
    ("implementation", "loss", "how"),
    [
        (Focal, "sigmoid_focal", {}),
        (make_focal, "sigmoid_focal", {"reduces": "none"}),
        (make_focal(), "sigmoid_focal", {"reduces": "none"}),
        (squares, "mse", {"reduces": "none"}),
        (mean_square, "mse", {"reduces": "mean"}),
        (
            centred_iou,
            "iou",
            {
                "names": {"boxes1": "second", "boxes2": "first"},
                "returns": "similarity",
                "boxes": "cxcywh",
            },
        ),
    ],
    ids=["class", "factory", "module", "items", "mean", "similarity of centres"],
)
def test_right_code_is_right_whatever_its_form(
    implementation: Variant, loss: str, how: dict[str, object]
) -> None:
    adapted = adapt(implementation, loss, **how)  # type: ignore[arg-type]  # a dict
    verdict = verify(adapted, loss, dtypes=SMALL, examples=FEW)
    verdict.raise_if_wrong()
    assert verdict.applied["value"] > FEW
    assert verdict.applied["gradient"] > FEW


def test_wrong_code_is_wrong_behind_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The similarity itself, taken for the loss."""
    monkeypatch.setattr("lossproof.cases.SHRINKING_SECONDS", 0.1)
    verdict = verify(
        adapt(centred_iou, "iou", **BY_NAME, boxes="cxcywh"),
        "iou",
        dtypes=["float64"],
        examples=FEW,
    )
    assert verdict.outcome == "wrong"
    assert "value" in verdict.laws_broken


def test_what_has_the_signature_is_left_alone() -> None:
    right = boxes.giou_vectorized
    assert adapt(right, "giou") is right
    assert adapt("impls.boxes:giou_vectorized", "giou") is right


def test_a_missing_option_is_refused_by_name_unless_it_is_at_its_default() -> None:
    def without(logits: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return classification.sigmoid_focal_vectorized(logits, target, reduction=reduction)

    focal = adapt(without, "sigmoid_focal")
    assert torch.equal(focal(X, T, gamma=2.0), without(X, T))
    with pytest.raises(NotImplementedError, match="gamma: no such option"):
        focal(X, T, gamma=1.5)
    verdict = verify(focal, "sigmoid_focal", dtypes=["float64"], examples=20)
    assert verdict.outcome == "correct"
    assert verdict.refused.keys() == {"gamma: no such option", "alpha: no such option"}
    assert verdict.applied["value"] == 20


def test_a_setting_says_what_a_missing_option_is() -> None:
    def unweighted(logits: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return classification.sigmoid_focal_vectorized(logits, target, alpha=None, reduction=reduction)

    focal = adapt(unweighted, "sigmoid_focal", settings={"alpha": None})
    assert torch.equal(focal(X, T, alpha=None), unweighted(X, T))
    with pytest.raises(NotImplementedError, match="alpha: no such option"):
        focal(X, T, alpha=0.25)
    verdict = verify(focal, "sigmoid_focal", dtypes=["float64"], examples=FEW)
    assert verdict.outcome == "correct"
    with pytest.raises(ValueError, match=r"settings: neither .+ nor sigmoid_focal has an option b"):
        adapt(unweighted, "sigmoid_focal", settings={"b": 1})


def test_reductions_that_are_missing_are_made() -> None:
    wanted = squares(X, T)
    for implementation, own in ((squares, "none"), (mean_square, "mean")):
        mse = adapt(implementation, "mse", reduces=own)
        torch.testing.assert_close(mse(X, T, reduction="none"), wanted)
        torch.testing.assert_close(mse(X, T, reduction="sum"), wanted.sum())
        torch.testing.assert_close(mse(X, T), wanted.mean())
    with_nan = adapt(lambda output, wanted: squares(output, wanted).mean(), "mse", reduces="mean")
    assert with_nan(X[:0], T[:0], reduction="sum") == 0
    with pytest.raises(NotImplementedError, match="reduction: no such argument"):
        adapt(squares, "mse")(X, T)


def test_settings_and_names_reach_the_call() -> None:
    dice = adapt(dice_of_a_batch, "dice", names={"smooth": "eps"}, reduces="mean")
    probs, target = torch.rand(2, 1, 4), torch.ones(2, 1, 4)
    assert dice(probs, target, smooth=3.0) == overlap.dice_vectorized(probs, target, smooth=3.0)
    fixed = adapt(dice_of_a_batch, "dice", settings={"eps": 0.5}, reduces="mean")
    assert fixed(probs, target) == overlap.dice_vectorized(probs, target, smooth=0.5)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"names": {"logit": "x"}}, "argument: no 'logit'; did you mean logits"),
        ({"returns": "score"}, "returns: no 'score'"),
        ({"boxes": "yxyx"}, "boxes: no 'yxyx'"),
        ({"reduces": "max"}, "reduces: no 'max'"),
    ],
)
def test_bad_choices_are_named(how: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapt(squares, "sigmoid_focal", **how)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("reference", ["math", "nowhere:f", "math:nothing"])
def test_references_that_lead_nowhere_are_named(reference: str) -> None:
    with pytest.raises(ValueError, match=f"implementation: .*{reference}"):
        adapt(reference, "mse")


def test_it_can_be_sent_and_written_down() -> None:
    """Also after it was called, when it knows more."""
    adapted = adapt(f"{__name__}:squares", "mse", reduces="none")
    assert adapted(X, T) == squares(X, T).mean()
    assert isinstance(adapted, Adapted)
    assert pickle.loads(pickle.dumps(adapted)) == adapted
    assert eval(adapted.code(), {"adapt": adapt}) == adapted
    assert adapted.code() == f"adapt('{__name__}:squares', 'mse', reduces='none')"


# The command

MINE = """
import torch

def focal(inputs, targets, gamma=2.0, reduction="mean"):
    p = torch.sigmoid(inputs)
    p_t = p * targets + (1 - p) * (1 - targets)
    items = -(1 - p_t) * gamma * p_t.log()
    return {"none": items, "sum": items.sum(), "mean": items.mean()}[reduction]
"""


def test_the_command_verifies_a_file_of_yours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A focal loss without its power, in a program that imports it."""
    (tmp_path / "mine_to_verify.py").write_text(MINE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    command = "verify sigmoid_focal --impl mine_to_verify:focal --set alpha=None --dtype float32"
    programs = ["--examples", "10", "--programs", str(tmp_path / "found"), "--jobs", "1"]
    result = CliRunner().invoke(cli.app, [*command.split(), *programs])
    assert result.exit_code == 1, result.output
    assert "mine_to_verify:focal" in result.stdout
    assert "alpha: no such option" in " ".join(result.stdout.split())
    written = list((tmp_path / "found").iterdir())
    assert "sigmoid_focal_mine_to_verify_focal_value.py" in {path.name for path in written}
    assert "function = adapt('mine_to_verify:focal', 'sigmoid_focal'" in written[0].read_text()


@pytest.mark.parametrize(("implementation", "is_bad"), [("mine:focal", False), ("fused", True)])
def test_what_yours_does_not_support_is_no_failure(implementation: str, is_bad: bool) -> None:
    verdict = Verdict("mse", "cpu", "unsupported", ())
    assert cli._is_bad(("mse", implementation), verdict, expected=False) == is_bad


FAST = """
import torch

def squares(input, target):
    assert input.shape == target.shape
    return (input - target).square()
"""


def _all_right(pairs: list[tuple[Loss, str]], *_: object, **__: object) -> Iterator[object]:
    for loss, name in pairs:
        yield (loss.name, name), Verdict(loss.name, "cpu", "correct", (), {"float32": 1.0})


def test_an_implementation_of_yours_competes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossproof.progress.verdicts_on", _all_right)
    (tmp_path / "mine_to_choose.py").write_text(FAST, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    few = replace(CATALOG["mse"], variants={"native": CATALOG["mse"].variants["native"]})
    for module in ("cli", "asked"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {"mse": few})
    command = "choose mse --impl mine_to_choose:squares --reduces none --size 1000 --threads 1 --jobs 1"
    result = CliRunner().invoke(cli.app, command.split())
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("mine_to_choose:squares")]
    assert row.split()[1] == "correct"
    assert "µs" in row
