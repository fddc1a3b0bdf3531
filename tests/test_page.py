"""The page of a report: it stands alone, hides nothing, and Ctrl-C leaves what was done."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lossproof import CATALOG, cli
from lossproof.choice import Choice, Row
from lossproof.loss import Loss
from lossproof.measure import BACKWARD, FORWARD, PASSES, Timing
from lossproof.page import Chapter, page
from lossproof.plots import error_against_time, frontier, points_of, time_against_size
from lossproof.verdict import Finding, Verdict
from lossproof.verdicts import silent
from properties.case import Workload

PROGRAM = 'assert a < b & c > d, "</code><script>alert(1)</script>"\n'
VARIANTS = ["native", "naive", "vectorized", "fused"]
MSE = replace(CATALOG["mse"], variants={name: CATALOG["mse"].variants[name] for name in VARIANTS})
run = CliRunner()


def _verdict(loss: str, *broken: str) -> Verdict:
    told = ("It <holds>.", "it did not", "float32", {}, None, None, 9.0, PROGRAM)
    findings = tuple(Finding(law, *told) for law in broken)
    return Verdict(loss, "cpu", "wrong" if broken else "correct", findings, {"float32": 0.5})


def _choice(size: int) -> Choice:
    """native and vectorized tie in training, naive is wrong, fused was refused after it was timed."""
    choice = Choice("mse", "cpu", "a machine", "float32", f"{size} of a kind", "nowhere", size, 1)
    choice.table = [
        Row("native", "correct", "", 0.5, 1.0, _timings(3e-9 * size)),
        Row("naive", "wrong", "breaks value", 50.0, 70.0),
        Row("vectorized", "correct", "", 0.4, 1.0, _timings(4e-9 * size)),
        Row("fused", "refused", "items off", 60.0, 80.0, _timings(1e-9 * size)),
    ]
    assert [row.variant for row in choice.table] == VARIANTS
    choice.limits = _timings(2e-9 * size)
    choice.winners = dict.fromkeys(PASSES, "native")
    choice.ties = {FORWARD: ["native"], BACKWARD: ["native", "vectorized"]}
    return choice


def _timings(seconds: float) -> dict[str, Timing]:
    return {name: Timing(tuple(seconds * np.linspace(0.9, 1.1, 9))) for name in PASSES}


def _chapter() -> Chapter:
    verdicts = {name: _verdict("mse") for name in MSE.implementations}
    verdicts |= {
        "naive": _verdict("mse", "value"),
        "published_broadcast": _verdict("mse", "no_broadcast"),
    }
    sizes = (1_000, 1_000_000)
    return Chapter(MSE, [], verdicts, [_choice(size) for size in sizes])


class Reader(HTMLParser):
    """What a browser would see: elements with attributes, the cells of rows, programs, styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, list[str]] = {"code": [], "style": []}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if self.open and self.open[-1] in self.texts:
            self.texts[self.open[-1]][-1] += data


@pytest.fixture(scope="module")
def text() -> str:
    return page([_chapter()], [], {"device": "a <machine>"}, date(2026, 1, 2), silent)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_the_page_stands_alone(text: str, read: Reader) -> None:
    """Every reference leads into the page, where there is one element of that name; styles load
    nothing, and a browser is told to."""
    names = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in read.elements:
        assert tag not in ("link", "base", "iframe", "img", "object", "embed")
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            if name in attributes:
                assert str(attributes[name]).removeprefix("#") in names
                assert str(attributes[name]).startswith("#")
    assert not re.findall(r"@import|url\((?!#)", text)
    (policy,) = [e for _, e in read.elements if e.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy["content"]).startswith("default-src 'none'")
    assert "a &lt;machine&gt;" in text


def test_programs_of_findings_are_text(text: str, read: Reader) -> None:
    """To the letter, and nothing in them is run."""
    assert read.texts["code"].count(PROGRAM) == 2
    assert sum(tag == "script" for tag, _ in read.elements) == 1
    assert "It &lt;holds&gt;." in text


def test_a_fault_is_shown_open_and_a_wrong_form_closed(read: Reader) -> None:
    shown = [attributes for tag, attributes in read.elements if tag == "details"]
    assert ["open" in attributes for attributes in shown] == [False, True, False, False]
    overview = next(row for row in read.rows if row[0] == "mse")
    assert overview == ["mse", "native", "1.5", "native", "1.5", "2 of 4", "1 of 1"]


def test_conventions_are_named_beside_the_outcome() -> None:
    """In the table of times, and in that of verdicts."""
    chapter = _chapter()
    chapter.verdicts["native"] = replace(chapter.verdicts["native"], under=("empty=nan",))
    for choice in chapter.choices:
        choice.table[0].under = ("empty=nan",)
    text = page([chapter], [], {"device": ""}, date(2026, 1, 2), silent)
    named = '<td class="correct">correct under: empty=nan</td>'
    assert text.count(named) == 1 + len(chapter.choices)


def test_only_what_is_right_has_a_time(read: Reader) -> None:
    """In the table: a wrong variant was not timed, a refused one says so; the winner and ties are
    marked."""
    rows = {" ".join(row[0].split()): row[1:] for row in read.rows if len(row) == 9}
    assert rows["naive"] == ["wrong", "50.00", "70.0", "-", "-", "-", "-", "-"]
    assert rows["✕ fused"][0] == "refused"
    assert rows["● native"][3].startswith("★ 3 ± ")
    assert [cell[:1] for cell in rows["◆ vectorized"][3:6:2]] == ["4", "≈"]


@pytest.mark.parametrize("pass_name", PASSES)
def test_plots(pass_name: str) -> None:
    """Of what is right: others are no points, on no frontier and no line, and a cross marks what was
    refused. The page's colours, so that they are seen on dark and on light."""
    choice, later = _choice(1_000), _choice(1_000_000)
    points = points_of(choice, pass_name)
    assert frontier(points) == list(points) == ["native", "vectorized"]
    errors = error_against_time(choice, VARIANTS)
    times = time_against_size([later, choice], pass_name, VARIANTS)
    assert "series-0" in errors
    assert "series-1" not in errors + times
    assert "series-2" in times
    assert "series-3" not in errors + times
    assert "var(--bad)" in errors
    assert not re.search(r"#[0-9a-f]{6}\b", errors + times)
    assert "1 ms" in times


# The command


class Work:
    """Verdicts and choices at once: what was asked for, what is wrong, and where Ctrl-C comes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fault = ""
        self.stop = ""

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what == self.stop:
            raise KeyboardInterrupt

    def verdicts_on(self, pairs: list[tuple[Loss, str]], *_: Any, **__: Any) -> Iterator[Any]:
        for loss, name in pairs:
            self._ask(f"verdict on {name}")
            if name in loss.defects:
                wrong = self.fault != "accepted"
            else:
                wrong = self.fault == "wrong" and name == "naive"
            yield (loss.name, name), _verdict(loss.name, *["value"] * wrong)

    def choose_for(self, loss: Loss, workload: Workload, *_: Any) -> Choice:
        self._ask(f"times on {workload.name}")
        choice = replace(_choice(workload.rows), workload=workload.name)
        shown = [row for row in choice.table if row.outcome in ("correct", self.fault)]
        return replace(choice, table=shown)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    for module in ("cli", "asked"):
        monkeypatch.setattr(f"lossproof.{module}.CATALOG", {**CATALOG, "mse": MSE})
    monkeypatch.setattr("lossproof.progress.verdicts_on", work.verdicts_on)
    monkeypatch.setattr("lossproof.progress.choose_for", work.choose_for)
    for plot in ("error_against_time", "time_against_size"):  # they take a while, and are tested above
        monkeypatch.setattr(f"lossproof.page.{plot}", lambda *_: "")
    return work


@pytest.mark.parametrize("fault", ["", "wrong", "refused", "accepted"])
def test_the_command_writes_all(work: Work, tmp_path: Path, fault: str) -> None:
    """All variants and wrong forms, all workloads. The exit code says whether something is wrong: a
    variant, what it gave when it was timed, or a wrong form that no law rejects."""
    work.fault = fault
    result = run.invoke(cli.app, ["report", "mse", "--html", str(tmp_path / "page.html")])
    assert result.exit_code == bool(fault), result.output
    workloads = [workload.name for workload in MSE.workloads if not workload.gpu]
    expected = [f"verdict on {name}" for name in MSE.implementations]
    assert work.asked == [*expected, *(f"times on {name}" for name in workloads)]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f"<h3>{name}</h3>" in text for name in workloads)
    assert "Interrupted" not in text
    assert ("NOT REJECTED" in text) == (fault == "accepted")


@pytest.mark.parametrize("stop", ["verdict on vectorized", "times on super-resolution"])
def test_interrupt_writes_what_was_done(work: Work, tmp_path: Path, stop: str) -> None:
    """And says what is missing: in the loss that was begun, and the losses that were not."""
    work.stop = stop
    result = run.invoke(cli.app, ["report", "mse", "giou", "--html", str(tmp_path / "page.html")])
    assert result.exit_code == 130
    assert "interrupted" in result.output
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not begun: giou." in text
    missing = re.findall(r"(?:verdict|times) on [^;.]*", text)
    assert stop in missing
    assert not set(missing) & set(work.asked[:-1])
    assert ("<h3>autoencoder</h3>" in text) == (stop == "times on super-resolution")


def test_a_file_that_cannot_be_written_is_told_before_the_work(work: Work, tmp_path: Path) -> None:
    result = run.invoke(cli.app, ["report", "mse", "--html", str(tmp_path / "none" / "page.html")])
    assert result.exit_code == 2
    assert "html: can't write" in result.output
    assert work.asked == []
