"""What is made from the catalogue is current: the page of losses, its pictures, the README's table."""

import re
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from lossproof import CATALOG, curves, docs
from lossproof.loss import Loss
from lossproof.tolerance import STEP

ROWS = list(CATALOG.values())
MAKE = "run: python -m lossproof.docs"
every_loss = pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)


def _read(path: Path) -> str:
    return (docs.ROOT / path).read_bytes().decode()


def test_the_page_is_current() -> None:
    assert _read(docs.PAGE) == docs.page(ROWS), MAKE


def test_the_readme_is_current() -> None:
    assert _read(docs.README) == docs.readme(_read(docs.README), ROWS), MAKE


@every_loss
def test_the_picture_is_current(loss: Loss) -> None:
    """To the byte, with the versions of constraints.txt."""
    assert _read(docs.PICTURES / f"{loss.name}.svg") == curves.picture(loss), MAKE


def test_no_picture_is_left_over() -> None:
    pictures = {path.stem for path in (docs.ROOT / docs.PICTURES).iterdir()}
    assert pictures == set(CATALOG), MAKE


# The command

README = """# A

<!-- losses:begin -->
old
<!-- losses:end -->

<!-- peers:begin -->
old
<!-- peers:end -->

B

<!-- finding:begin -->
old
<!-- finding:end -->
"""


def _make(root: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(docs.main)
    return CliRunner().invoke(app, ["--root", str(root), *options])


def test_the_command_writes_what_is_stale_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A README without its table, a page and a picture that are missing, a picture too many."""
    monkeypatch.setattr(docs, "CATALOG", {"mse": CATALOG["mse"]})
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    (tmp_path / docs.PICTURES).mkdir(parents=True)
    gone = tmp_path / docs.PICTURES / "gone.svg"
    gone.write_text("<svg/>", encoding="utf-8")
    files = [
        "docs/losses.md",
        "docs/findings.md",
        "README.md",
        "docs/curves/mse.svg",
        "docs/curves/gone.svg",
    ]

    checked = _make(tmp_path, "--check")
    assert checked.exit_code == 1
    assert checked.stdout.splitlines() == [f"stale: {file}" for file in files]
    assert gone.exists()

    assert _make(tmp_path).exit_code == 0
    assert not gone.exists()
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert re.sub(r"(begin -->\n).+?(\n<)", r"\1old\2", readme, flags=re.DOTALL) == README
    assert "| regression | [`mse`](docs/losses.md#mse) |" in readme
    assert "raise AssertionError" in readme

    assert _make(tmp_path, "--check").exit_code == 0
    page = tmp_path / docs.PAGE
    page.write_text(page.read_text(encoding="utf-8").replace("(x-y)²", "(x-y)³"), encoding="utf-8")
    checked = _make(tmp_path, "--check")
    assert checked.exit_code == 1
    assert checked.stdout == "stale: docs/losses.md\n"


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the markers"):
        docs.readme("# A\n", ROWS)


# What is drawn


@every_loss
def test_curves_are_the_oracle_and_its_slope(loss: Loss) -> None:
    """Values are the checked oracle's; slopes agree with differences, but for kinks and jumps."""
    numbers = curves.grid(loss.curve)
    for line, options in zip(curves.lines(loss), loss.curve.settings.values(), strict=True):
        exact = [loss.exact(loss.curve.make(x).changed(**options)).sum() for x in numbers]
        np.testing.assert_allclose(line.values, exact, rtol=1e-12, atol=1e-12)
        assert np.isfinite(line.slopes).all()
        between = np.diff(line.values) / np.diff(numbers)
        middle = (line.slopes[1:] + line.slopes[:-1]) / 2
        off = np.abs(between - middle) > 0.02 * max(np.ptp(line.values), np.ptp(line.slopes))
        assert off.mean() < 0.05
        assert np.ptp(line.values) > 0


@every_loss
def test_settings_look_different(loss: Loss) -> None:
    """Each line of a picture is another one, and has a label where there are several."""
    drawn = curves.lines(loss)
    assert len({tuple(line.values) for line in drawn}) == len(drawn)
    assert all(line.label for line in drawn) or len(drawn) == 1


def test_steps_are_smaller_than_rounding() -> None:
    """So that the real part of a complex step is the value itself."""
    assert 1.0 + STEP == 1.0
