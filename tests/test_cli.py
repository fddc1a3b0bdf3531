"""The command line: exit codes, messages, tables and JSON."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from impls.published import mse_published_broadcast
from impls.regression import mse_vectorized
from lossproof import CATALOG, cli
from lossproof.loss import Defect, Loss
from lossproof.measure import Interrupted
from properties.general import BATCH_LAWS

run = CliRunner()


def _invoke(*arguments: str) -> Result:
    return run.invoke(cli.app, arguments)


pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one test has verified, the next reads: starting a worker takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def small_mse(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> Loss:
    """A catalogue of one loss with two quick variants."""
    monkeypatch.setenv("LOSSPROOF_CACHE", str(shared_cache))
    monkeypatch.setattr("lossproof.workers.cores", lambda: 1)
    row = CATALOG["mse"]
    small = Loss(
        **{
            **vars(row),
            "variants": {"native": row.variants["native"], "vectorized": mse_vectorized},
            "workloads": row.workloads[:1],
        }
    )
    for module in ("cli", "asked", "verification", "choosing", "verdicts"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {"mse": small})
    return small


@pytest.mark.parametrize("width", [90, 118])
def test_list_has_a_line_for_each_loss(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its paper and how many laws and defects it has, in a narrow terminal too."""
    monkeypatch.setattr("lossproof.report.console", lambda: Console(width=width))
    result = _invoke("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(len(line) <= width for line in lines)
    for loss in CATALOG.values():
        (line,) = [line for line in lines if line.split()[:1] == [loss.name]]
        assert f" {len(loss.laws) + len(BATCH_LAWS)} " in line
        assert f" {len(loss.defects)} " in line
        assert loss.paper[: width - 82] in line
    if width == 118:
        assert len(lines) == 1 + len(CATALOG) + 3
        assert "naive, vectorized, fused" in lines[-2]


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_list_of_one_loss_states_everything(loss: Loss) -> None:
    """Its call, conventions, variants, laws, defects with what they break, and workloads."""
    result = _invoke("list", loss.name)
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    facts = [loss.formula, loss.conventions, loss.elsewhere, loss.paper, *loss.variants]
    facts += [*inspect.signature(loss.oracle).parameters, *(law.__name__ for law in loss.laws)]
    facts += [f"{name} {defect.breaks}" for name, defect in loss.defects.items()]
    facts += [word for workload in loss.workloads for word in workload.name.split()]
    for fact in facts:
        assert " ".join(fact.split()) in shown


def test_verify_separates_variants_from_defects(small_mse: Loss, tmp_path: Path) -> None:
    """All correct and every defect rejected: exit 0, and the file says it all."""
    file = tmp_path / "verdicts.json"
    result = _invoke("verify", "--dtype", "float32", "--examples", "10", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "Published defects: each must be rejected" in result.stdout
    written = json.loads(file.read_text(encoding="utf-8"))
    outcomes = {verdict["variant"]: verdict["outcome"] for verdict in written["verdicts"]}
    assert outcomes == {"native": "correct", "vectorized": "correct", "published_broadcast": "wrong"}
    assert written["environment"]["torch"]


def test_verify_of_a_defect_fails_with_its_program(small_mse: Loss) -> None:
    options = ("--variant", "published_broadcast", "--dtype", "float64", "--examples", "10")
    result = _invoke("verify", "mse", *options)
    assert result.exit_code == 1
    assert "from impls.published import mse_published_broadcast as function" in result.stdout


def test_programs_of_findings_are_written_and_replayed(small_mse: Loss, tmp_path: Path) -> None:
    """What is not ours is left alone; a replay says whether the program still fails."""
    options = ("--variant", "published_broadcast", "--dtype", "float64", "--examples", "10")
    ours, theirs = tmp_path / "found" / "mse_published_broadcast_no_broadcast.py", tmp_path / "theirs"
    for _ in range(2):  # over its own program, the second time
        assert _invoke("verify", "mse", *options, "--programs", str(ours.parent)).exit_code == 1
    assert "from impls.published import mse_published_broadcast as function" in ours.read_text()

    theirs.mkdir()
    (theirs / ours.name).write_text("mine", encoding="utf-8")
    result = _invoke("verify", "mse", *options, "--programs", str(theirs))
    assert result.exit_code == 2
    assert "is no program of a finding" in result.output
    assert (theirs / ours.name).read_text(encoding="utf-8") == "mine"

    result = _invoke("verify", "--replay", str(ours))
    assert result.exit_code == 1
    assert "still fails" in result.stdout
    assert "AssertionError: the call should have been refused" in result.stdout


@pytest.mark.parametrize(
    ("program", "code", "told"),
    [
        ("print('fine')", 0, "passes now"),
        ("raise ValueError('no')", 1, "ValueError: no"),
        ("raise SystemExit(0)", 1, "still fails"),
        ("import os; os._exit(0)", 1, "still fails"),
        ("import os; os.kill(os.getpid(), 11)", 1, "exit code -11"),
        ("import time; time.sleep(100)", 1, "no answer within 1 s: killed"),
        (
            "x = [bytearray(b'x' * 2**26)]\nwhile True: x.append(x[0] + x[0])",
            1,
            "held more than 0.5 GiB",
        ),
    ],
)
def test_replay(program: str, code: int, told: str, tmp_path: Path) -> None:
    """One that comes to its end passes; no other does."""
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    limits = ("--time-limit", "1" if "sleep" in program else "60", "--memory-limit", "0.5")
    result = _invoke("verify", "--replay", str(file), *limits)
    assert (result.exit_code, told in result.stdout) == (code, True)


def test_a_defect_that_gets_through_fails(small_mse: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = Loss(
        **{**vars(small_mse), "defects": {"published_harmless": Defect(mse_vectorized, "value")}}
    )
    for module in ("cli", "asked"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {"mse": harmless})
    result = _invoke("verify", "mse", "--dtype", "float32", "--examples", "10")
    assert result.exit_code == 1
    assert "NOT REJECTED" in result.stdout


def test_a_wrong_variant_does_not_stop_the_others(
    small_mse: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = {"wrong": mse_published_broadcast, "vectorized": mse_vectorized}
    row = Loss(**{**vars(small_mse), "variants": mixed})
    for module in ("cli", "asked"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {"mse": row})
    result = _invoke("verify", "mse", "--dtype", "float32", "--examples", "10")
    assert result.exit_code == 1
    lines = {
        line.split()[1]: line.split()[2] for line in result.stdout.splitlines() if "mse " in line[:5]
    }
    assert lines["wrong"] == "wrong"
    assert lines["vectorized"] == "correct"


def test_choose_names_a_winner_and_remembers_it(small_mse: Loss, tmp_path: Path) -> None:
    file = tmp_path / "choice.json"
    options = ("choose", "mse", "--size", "1000", "--threads", "1", "--json", str(file))
    result = _invoke(*options)
    assert result.exit_code == 0, result.output
    assert "forward and backward:" in result.stdout
    (choice,) = json.loads(file.read_text(encoding="utf-8"))["choices"]
    assert choice["winners"]["forward and backward"] in small_mse.variants
    assert _invoke(*options).stdout == result.stdout


def test_choose_takes_a_batch_of_ones_own(small_mse: Loss, tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    np.savez(file, input=np.ones((20, 3)), target=np.zeros((20, 3)))
    result = _invoke("choose", "mse", "--inputs", str(file), "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "mine.npz: 60 elements" in result.stdout


def test_predict_says_that_nothing_was_measured(
    small_mse: Loss, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A line for each variant, under a title that says so; what can't be predicted says why."""
    variants = {**small_mse.variants, "asking": lambda input, target, reduction: input.sum().item()}
    asking = Loss(**{**vars(small_mse), "variants": variants})
    for module in ("cli", "asked"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {"mse": asking})
    file = tmp_path / "predicted.json"
    result = _invoke("predict", "mse", "--dtype", "bfloat16", "--json", str(file))
    assert result.exit_code == 0, result.output
    title, head, *lines = result.stdout.splitlines()
    assert title.startswith("predicted, not measured: on a GPU, bfloat16")
    assert head.split()[:3] == ["loss", "variant", "forward:"]
    assert [line.split()[:2] for line in lines[:3]] == [["mse", name] for name in variants]
    assert "mse asking: unavailable: Tensor.item() cannot be called on meta tensors" in result.stdout
    written = json.loads(file.read_text(encoding="utf-8"))["predictions"]
    assert [p["variant"] for p in written] == [name for name in variants for _ in range(2)]
    assert all(p["kernels"] > 0 for p in written if not p["unavailable"])


def test_interrupt_keeps_what_is_done(small_mse: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during timing: the verdicts are shown, and the exit code says so."""

    def stopped(*_: object, **__: object) -> None:
        raise Interrupted({})

    monkeypatch.setattr("lossproof.choosing.interleaved", stopped)
    result = _invoke("choose", "mse", "--size", "2000", "--threads", "1")
    assert result.exit_code == 130
    assert "correct" in result.stdout
    assert "interrupted" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "gious"], "loss: no 'gious'; did you mean giou"),
        (["verify", "giou", "--variant", "fussed"], "variant: no 'fussed'; did you mean fused"),
        (["verify", "giou", "--dtype", "float31"], "dtype: no 'float31'; did you mean float32"),
        (["verify", "giou", "--device", "cpuu"], "device: no 'cpuu'; did you mean cpu"),
        (["verify", "--replay", "no_such.py"], "replay: no file no_such.py"),
        (["verify", "mse", "--time-limit", "0"], "--time-limit"),
        (["choose", "mss"], "loss: no 'mss'; did you mean mse"),
        (["choose", "mse", "--inputs", "no_such.npz"], "inputs: no file no_such.npz"),
        (["choose", "--inputs", "x.npz"], "inputs: expected exactly one loss"),
        (["choose", "mse", "--size", "0"], "--size"),
        (["report", "mse"], "--html"),
        (["report", "mss", "--html", "page.html"], "loss: no 'mss'; did you mean mse"),
        (["predict", "gious"], "loss: no 'gious'; did you mean giou"),
        (["predict", "mse", "--dtype", "float31"], "dtype: no 'float31'; did you mean float32"),
        (["list", "dise"], "loss: no 'dise'; did you mean dice"),
        (["chose"], "chose"),
    ],
)
def test_bad_usage_is_exit_two_and_names_the_argument(arguments: list[str], message: str) -> None:
    result = _invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
