"""The pages that are made from the catalogue: ``python -m lossproof.docs [--check]``.

It writes docs/losses.md, docs/findings.md, a picture for each loss, and what the README shows of them
between its markers. Nothing in them is typed twice: formulas, conventions and laws come from the
catalogue and the docstrings, pictures from the oracles, findings in other libraries from what ran.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lossproof import alarms, comparison, findings, findings_page, power
from lossproof.catalog import CATALOG
from lossproof.conventions import accepted
from lossproof.curves import picture
from lossproof.describe import arguments, sentence, signature
from lossproof.deviations import Convention
from lossproof.loss import Loss
from lossproof.report import findings_text
from lossproof.strength import figures, share
from lossproof.verification import verify
from properties import general
from properties.case import DTYPES
from properties.trial import BUDGETS

ROOT = Path(__file__).parent.parent
PAGE = Path("docs/losses.md")
PICTURES = Path("docs/curves")
FINDINGS = Path("docs/findings.md")
README = Path("README.md")
SOME_LAWS = (*general.PAIR_LAWS, *general.CONSTANT_LAWS, *general.SMOOTH_LAWS)
SHARED_LAWS = (*general.LAWS, *general.BATCH_LAWS, *SOME_LAWS)
ONLY_WHERE = {
    **dict.fromkeys(general.PAIR_LAWS, "where gradient flows to several arguments"),
    **dict.fromkeys(general.CONSTANT_LAWS, "where arguments are constants"),
    **dict.fromkeys(general.SMOOTH_LAWS, "where the loss is twice differentiable"),
}

HEAD = """\
# The losses

<!-- Made by `python -m lossproof.docs`; don't edit. -->

What each loss is here, where libraries differ, what every right implementation must satisfy, and which
wrong ones must be rejected. Tensors come first, options by keyword. `reduction` is `"mean"` (the
default), `"sum"` or `"none"`, which gives the items; the mean divides by their number unless it says
otherwise. In the pictures, the gradient is the slope of what is drawn beside it.

{contents}

## Conventions

An epsilon in a denominator, another mean, or masks that count for nothing are no defects. Each loss
lists the conventions that it accepts: `lossproof verify LOSS --impl mine:loss --convention NAME`, or
`lossproof.verify(..., conventions=[NAME])`. Under a convention another formula is true, or some cases
are not judged; the laws that it contradicts are left out, and all others hold. The list is finite: what
isn't in it is no convention.

## Mutants

How strong the laws are is counted: `lossproof strength` changes the source of the vectorized variant,
and of all that it calls, in one place at a time (an operator, a comparison, a number, a function's name,
a term or a `clamp` left out), and verifies each of these mutants. Killed are those that break a law; the
table says what share of those that should, and of how many. Not counted are mutants that no input tells
from the right variant by more than 8 budgets: `lossproof/equivalents.toml` argues for each why.

## False alarms

What is right must never be called wrong. `python -m lossproof.alarms` tries the vectorized variant and
the oracle itself, rounded once, on many more cases than a verification has. The largest error seen, of
{budgets:g} budgets allowed:

{alarms}

## Gradients that could be 0

A law about gradients is worth what it would see. Of the gradient entries of the generated cases, a
returned 0 passes for this share: those that are as small as what rounding may do, under an upstream
gradient, in the sum and in the mean. `python -m lossproof.power` counts them.

{power}

## Laws that losses share

{shared}
"""


def files(root: Path, losses: Mapping[str, Loss]) -> dict[Path, str]:
    """What every made file should contain, by its path under the root."""
    pictures = {PICTURES / f"{name}.svg": picture(loss) for name, loss in losses.items()}
    rows = list(losses.values())
    return {
        PAGE: page(rows),
        FINDINGS: findings_of_peers(),
        README: readme(_text(root / README), rows),
        **pictures,
    }


def stale(root: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """The made files that are missing, out of date, or of a loss that is gone."""
    old = [path for path, text in wanted.items() if _text(root / path) != text]
    pictures = {path.relative_to(root) for path in (root / PICTURES).glob("*.svg")}
    return [*old, *sorted(pictures - set(wanted))]


def _text(path: Path) -> str:
    return path.read_bytes().decode() if path.exists() else ""


def write(root: Path, wanted: Mapping[Path, str]) -> None:
    """Make every file that is stale, and remove pictures of losses that are gone."""
    for path in stale(root, wanted):
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(wanted[path].encode())
        else:
            (root / path).unlink()


def findings_of_peers() -> str:
    """All of docs/findings.md."""
    kept = findings.read()
    return findings_page.page(kept, findings.confirmed(), findings.DTYPES, findings.EXAMPLES)


# The README


def readme(text: str, losses: Sequence[Loss]) -> str:
    """The README with its made parts, each between its markers."""
    text = _between(text, "losses", losses_table(losses, page=PAGE.as_posix()))
    text = _between(text, "peers", peers_table(comparison.read()))
    return _between(text, "finding", f"```python\n{example_finding()}```")


def _between(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}:begin -->\n", f"\n<!-- {name}:end -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{README}: expected the markers {begin.strip()} and {end.strip()}")
    return f"{before}{begin}{content}{end}{after}"


def example_finding() -> str:
    """What ``lossproof verify mse --variant published_broadcast`` prints for one law."""
    defect = CATALOG["mse"].defects["published_broadcast"]
    return findings_text(verify(defect.function, "mse", dtypes=["float64"], laws=[defect.breaks]))


def peers_table(figures: comparison.Figures) -> str:
    """A row for each loss that was compared with other libraries, and with which versions."""
    threads = sorted({one.threads for one in figures.comparisons})
    rows = [tuple(map(_text_of, row)) for row in comparison.summary(figures.comparisons, threads)]
    made = dict(figures.made_with)
    cores = made.pop("cores", "?")
    with_versions = ", ".join(f"{name} {version}" for name, version in made.items())
    table = _table(comparison.header(threads), rows)
    return f"{table}\n\n\\* breaks a law on other inputs. {cores} cores; {with_versions}."


def losses_table(losses: Sequence[Loss], page: str = "") -> str:
    """A row for each loss, with links to its section of the page."""
    rows, family, counted = [], "", figures()
    for loss in losses:
        shown = "" if loss.family == family else loss.family
        family = loss.family
        name = f"[`{loss.name}`]({page}#{loss.name})"
        known = counted.get(loss.name)
        killed = f"{share(known)} of {known['mutants'] - known['equivalent']}" if known else ""
        laws = str(len(loss.laws) + len(general.BATCH_LAWS))
        counts = (laws, killed, ", ".join(map(_defect, loss.defects)))
        rows.append((shown, name, _code(loss.formula), ", ".join(loss.variants), *counts))
    columns = ("laws", f"[mutants]({page}#mutants) killed", "wrong forms it rejects")
    table = _table(("family", "loss", "formula", "variants", *columns), rows)
    starred = any(STAR in row[-1] for row in rows)
    return (
        f"{table}\n\n{STAR.strip()} a typical mistake; the others were published." if starred else table
    )


STAR = " \\*"


def _defect(name: str) -> str:
    """published_one_sum as "one sum"; a star where the mistake is not known to be published."""
    kind, _, what = name.partition("_")
    return what.replace("_", " ") + ("" if kind == "published" else STAR)


# The page


def page(losses: Sequence[Loss]) -> str:
    """All of docs/losses.md."""
    shared = [
        (f"`{law.__name__}`", _sentence(law), _text_of(ONLY_WHERE.get(law, ""))) for law in SHARED_LAWS
    ]
    head = HEAD.format(
        contents=losses_table(losses),
        budgets=BUDGETS,
        alarms=alarms_table(losses),
        power=power_table(losses),
        shared=_table(("law", "what it says", "only"), shared),
    )
    return "\n".join([head, *(section(loss) for loss in losses)])


def alarms_table(losses: Sequence[Loss]) -> str:
    """How often right code was tried, and what came of it."""
    known = alarms.figures()
    rows = [
        (f"[`{loss.name}`](#{loss.name})", f"{f['examples']:,}", str(f["alarms"]), str(f["budgets"]))
        for loss in losses
        if (f := known.get(loss.name))
    ]
    return _table(("loss", "cases of each dtype", "called wrong", "largest error, in budgets"), rows)


def power_table(losses: Sequence[Loss]) -> str:
    """Of how many gradient entries a returned 0 would pass."""
    known = power.figures()
    rows = [
        (f"[`{loss.name}`](#{loss.name})", *(f"{known[loss.name][dtype]:.1%}" for dtype in DTYPES))
        for loss in losses
        if loss.name in known
    ]
    return _table(("loss", *DTYPES), rows)


def section(loss: Loss) -> str:
    """One loss."""
    named = [law for law in loss.laws if law not in SHARED_LAWS]
    missing = [law.__name__ for law in general.LAWS if law not in loss.laws]
    also = [law.__name__ for law in SHARED_LAWS[len(general.LAWS) + 1 :] if law in loss.laws]
    parts = [
        f"## {loss.name}",
        f"```\n{signature(loss)}\n\n{loss.formula}\n```",
        f"![{loss.name} and its gradient along: {loss.curve.axis}](curves/{loss.name}.svg)",
        f"- **Here**: {_text_of(loss.conventions)}\n"
        f"- **Elsewhere**: {_text_of(loss.elsewhere)}\n"
        f"- **Source**: {_linked(loss.paper)}",
        _table(
            ("argument", "what it is", "gradient"),
            [(f"`{n}`", _text_of(text), "yes" if flows else "") for n, text, flows in arguments(loss)],
        ),
        _table(
            ("convention", "what is true or judged under it", "laws that it leaves out"),
            [(f"`{c.name}`", _text_of(c.statement), _left_out(c, loss)) for c in accepted(loss.name)],
        ),
        _table(("law", "what it says"), [(f"`{law.__name__}`", _sentence(law)) for law in named]),
        _shared_laws(missing, also),
        _table(("variant", "how"), [(name, _sentence(f)) for name, f in loss.variants.items()]),
        _table(
            ("wrong form", "what is wrong", "rejected by"),
            [(f"`{n}`", _sentence(d.function), f"`{d.breaks}`") for n, d in loss.defects.items()],
        ),
        _table(("workload", "elements", "source"), _workloads(loss)),
    ]
    return "\n\n".join(parts) + "\n"


def _shared_laws(missing: list[str], also: list[str]) -> str:
    """Which of the shared laws hold."""
    but = f" but {_listed(missing)}" if missing else ""
    more = f", and {_listed(also)}" if also else ""
    return f"Also all [laws that losses share](#laws-that-losses-share) without condition{but}{more}."


def _left_out(convention: Convention, loss: Loss) -> str:
    """The loss's laws that a convention contradicts, each with the reason."""
    reasons: dict[str, list[str]] = {}
    for law in loss.laws:
        if law.__name__ in convention.contradicts:
            reasons.setdefault(convention.contradicts[law.__name__], []).append(law.__name__)
    return "; ".join(f"{_listed(names)}: {_text_of(reason)}" for reason, names in reasons.items())


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _workloads(loss: Loss) -> list[tuple[str, ...]]:
    return [
        (w.name + (" (GPU)" if w.gpu else ""), f"{w.elements(w.rows):,}", _linked(w.source))
        for w in loss.workloads
    ]


# Markdown


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _text_of(text: str) -> str:
    """Plain words as Markdown: ``x`` becomes code, signs that mean something there are escaped."""
    words = " ".join(text.split()).replace("``", "`")
    parts = re.split(r"(`[^`]*`)", words)
    for place, part in enumerate(parts):
        escaped = part if place % 2 else re.sub(r"([*<])", r"\\\1", part)
        parts[place] = escaped.replace("|", "\\|")
    return "".join(parts)


def _linked(text: str) -> str:
    return re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", _text_of(text))


def _sentence(function: Callable[..., Any]) -> str:
    return _text_of(sentence(function))


def main(
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 if something is stale")
    ] = False,
    root: Annotated[Path, typer.Option(help="the checkout")] = ROOT,
) -> None:
    """Write the pages that are made from the catalogue."""
    wanted = files(root, CATALOG)
    found = stale(root, wanted)
    if not check:
        write(root, wanted)
    for path in found:
        typer.echo(
            f"{'stale' if check else 'written' if path in wanted else 'removed'}: {path.as_posix()}"
        )
    raise typer.Exit(1 if check and found else 0)


if __name__ == "__main__":
    typer.run(main)
