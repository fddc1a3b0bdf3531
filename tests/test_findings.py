"""Findings in other libraries: judged twice, kept with their versions, shown only where confirmed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impls.regression import mse_vectorized
from lossproof import CATALOG, cli, docs, findings, findings_page, peers
from lossproof.conventions import under
from lossproof.findings import BrokenLaw, Confirmed, Findings, Peer, faults, judge, unconfirmed
from lossproof.loss import Loss
from lossproof.verdict import Finding, Verdict
from lossproof.verdicts import Key
from lossproof.workers import Limits

ENTRIES = findings.confirmed()
every_entry = pytest.mark.parametrize(
    "entry", ENTRIES, ids=[f"{entry.library} {entry.loss} {entry.title}" for entry in ENTRIES]
)


# What is in the repository


def test_the_page_is_current() -> None:
    wanted = docs.findings_of_peers()
    assert (docs.ROOT / docs.FINDINGS).read_text(encoding="utf-8") == wanted, (
        "run: python -m lossproof.docs"
    )


def test_every_entry_matches_what_ran() -> None:
    assert faults(findings.read(), ENTRIES) == []


def test_every_documented_convention_is_one_of_its_loss() -> None:
    for (library, loss), documented in peers.CONVENTIONS.items():
        assert loss in peers.PEERS[library]
        under(CATALOG[loss], documented.conventions)


@every_entry
def test_a_program_needs_the_library_alone(entry: Confirmed) -> None:
    lines = entry.program.strip().splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) <= 105
    assert "impls" not in entry.program
    assert "lossproof" not in entry.program
    assert "assert " in entry.program


@every_entry
def test_a_program_fails_or_its_library_is_absent(entry: Confirmed) -> None:
    absent: dict[str, str] = {}
    if entry.library not in peers.peers_of(entry.loss, absent):
        assert absent[entry.library].startswith(f"{entry.library} can't be imported: ")
        return
    assert findings.run_programs([entry], Limits(120.0, 8.0))[entry.program].startswith("AssertionError")


# Judging

BROKEN = Finding("value", "", "off", "float32", {}, None, None, 9.0, "program")


def _verdict(row: Loss, outcome: str) -> Verdict:
    found = (BROKEN,) if outcome == "wrong" else ()
    return Verdict(
        row.name,
        "cpu",
        outcome,  # type: ignore[arg-type]
        found,
        applied={"value": 60},
        refused={"weight: no a": 2, "weight: no b": 1},
        under=row.under,
    )


def _judged(
    monkeypatch: pytest.MonkeyPatch, plain: str, changed: str, stopped: bool = False
) -> tuple[list[Peer], list[tuple[str, ...]]]:
    """What comes of one library with a documented epsilon, and under what it was asked."""
    monkeypatch.setattr(findings, "peers_of", lambda loss, absent, libraries: {"fvcore": mse_vectorized})
    monkeypatch.setattr(findings, "versions", lambda: {"fvcore": "0.1"})
    asked: list[tuple[str, ...]] = []

    def make(rows: list[tuple[Loss, str]]) -> tuple[dict[Key, Verdict], bool]:
        asked.extend(row.under for row, _ in rows)
        assert [name for _, name in rows] == ["fvcore 0.1"]
        return {(r.name, n): _verdict(r, changed if r.under else plain) for r, n in rows}, stopped

    return judge(["giou"], make)[0], asked


def test_what_is_correct_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    (peer,), asked = _judged(monkeypatch, "correct", "wrong")
    assert (peer.said, peer.library, peer.version, asked) == ("correct", "fvcore", "0.1", [()])
    assert (peer.judged, peer.refused) == (60, ("weight",))


def test_what_is_wrong_is_asked_again_under_what_its_library_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (peer,), asked = _judged(monkeypatch, "wrong", "correct")
    assert (peer.said, asked) == ("correct under: eps=1e-7", [(), ("eps=1e-7",)])
    (peer,), _ = _judged(monkeypatch, "wrong", "wrong")
    assert (peer.said, peer.laws) == ("wrong under: eps=1e-7", ("value",))


def test_what_was_not_asked_again_has_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be called wrong for what is documented."""
    assert _judged(monkeypatch, "wrong", "correct", stopped=True)[0] == []


# Entries and the page

WRONG = Peer("fvcore", "0.1", "giou", "wrong", (), 60, (), (BrokenLaw("value", "float32", "off", ""),))
ENTRY = Confirmed(
    "fvcore", "giou", ("value",), "is off", "What.", "Definition.", "Nothing.", "giou()", "assert False"
)


def _page(entries: list[Confirmed]) -> str:
    ran = Findings([WRONG], {"torch": "2"}, {"kornia": "no kornia"}, {"assert False": "AssertionError"})
    return findings_page.page(ran, entries, ["float32"], 60)


def test_a_finding_is_published_when_it_is_confirmed() -> None:
    page = _page([ENTRY])
    assert "1 findings are confirmed, of 1 causes" in page
    assert "wrong: [is off](#fvcore-giou-is-off)" in page
    assert "### fvcore giou: is off" in page
    assert "It ends with `AssertionError`." in page
    assert "kornia could not be imported: no kornia." in page
    assert unconfirmed(WRONG, [ENTRY]) == []


def test_a_finding_without_an_entry_is_not_called_wrong() -> None:
    page = _page([])
    assert "| fvcore 0.1 | [`giou`](losses.md#giou) | not confirmed yet: `value` |" in page
    assert "wrong:" not in page
    assert "0 findings are confirmed" in page


@pytest.mark.parametrize(
    ("peer", "printed", "fault"),
    [
        (replace(WRONG, loss="iou"), "AssertionError", "was not run"),
        (replace(WRONG, findings=()), "AssertionError", "value holds"),
        (WRONG, "", "its program was not seen to fail"),
    ],
)
def test_an_entry_that_no_longer_matches_is_named(peer: Peer, printed: str, fault: str) -> None:
    ran = Findings([peer], programs={"assert False": printed})
    assert faults(ran, [ENTRY]) == [f"fvcore giou, is off: {fault}"]
    assert faults(Findings([WRONG], programs={"assert False": "AssertionError"}), [ENTRY]) == []


def test_programs_are_run_and_what_they_print_last_is_kept() -> None:
    passes = replace(ENTRY, program="print('fine')")
    fails = replace(ENTRY, program="assert False, 'off by 1'")
    printed = findings.run_programs([passes, fails], Limits(30.0, 4.0))
    assert printed == {passes.program: "", fails.program: "AssertionError: off by 1"}


def test_what_ran_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    assert findings.read(file) == Findings()
    ran = Findings([WRONG], {"torch": "2"}, {"kornia": "no"}, {"assert False": "AssertionError"})
    findings.write(ran, file)
    assert findings.read(file) == ran
    ran.add([replace(WRONG, outcome="correct", findings=()), replace(WRONG, library="torchvision")])
    assert [(peer.library, peer.outcome) for peer in ran.peers] == [
        ("torchvision", "wrong"),
        ("fvcore", "correct"),
    ]


# The command


def test_the_command_judges_names_the_absent_and_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossproof.workers.cores", lambda: 1)
    monkeypatch.setattr(findings, "EXAMPLES", 4)
    table = {"torch": peers.PEERS["torch"], "absent": {"mse": "impls.peers.absent:mse"}}
    monkeypatch.setattr(peers, "PEERS", table)
    kept, out = tmp_path / "kept.json", tmp_path / "out.json"
    monkeypatch.setattr(findings, "KEPT", kept)
    monkeypatch.setattr(findings, "confirmed", lambda: ())
    for name in ("read", "write"):
        function = getattr(findings, name)
        monkeypatch.setattr(findings, name, lambda *rest, f=function: f(*rest, kept))
    asked = ["verify", "mse", "--peers", "--save", "--examples", "4", "--json", str(out)]
    result = CliRunner().invoke(cli.app, asked)
    assert result.exit_code == 0, result.output
    assert "absent: absent can't be imported" in result.stdout
    assert "correct" in result.stdout
    (peer,) = json.loads(out.read_text(encoding="utf-8"))["peers"]
    assert (peer["library"], peer["loss"], peer["outcome"]) == ("torch", "mse", "correct")
    assert list(findings.read().absent) == ["absent"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--peers", "--impl", "mine:mse"], "impl: not with --peers"),
        (["--peers", "--programs", "found"], "programs: not with --peers"),
        (["--save"], "save: expected --peers beside it"),
        (["--peers", "--save", "--dtype", "float16"], "save: keeps what runs on the default dtypes"),
        (["--peers", "--save", "--examples", "5"], "save: keeps what runs on the default dtypes"),
        (["--peers", "--variant", "vectorized"], "variant: no 'vectorized'"),
        (["--peers", "--device", "abacus"], "device: "),
    ],
)
def test_what_does_not_go_with_peers_is_refused(options: list[str], message: str) -> None:
    result = CliRunner().invoke(cli.app, ["verify", "mse", *options])
    assert result.exit_code == 2
    assert message in result.stderr


def test_dtypes_examples_and_the_library_are_as_asked(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    asked = ["--variant", "torch", "--dtype", "float64", "--examples", "3", "--json", str(file)]
    result = CliRunner().invoke(cli.app, ["verify", "mse", "--peers", *asked])
    assert result.exit_code == 0, result.output
    (peer,) = json.loads(file.read_text(encoding="utf-8"))["peers"]
    assert (peer["library"], peer["outcome"], peer["judged"]) == ("torch", "correct", 3)
