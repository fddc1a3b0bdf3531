"""Tables for people: the catalogue, verdicts and choices."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lossproof.choice import Choice, Row
from lossproof.deciding import VARIANT
from lossproof.describe import arguments, sentence, signature
from lossproof.loss import Loss
from lossproof.measure import BACKWARD, FORWARD, PASSES, Timing
from lossproof.predict import Prediction
from lossproof.strength import GOAL, Strength, figures, share
from lossproof.verdict import SHOWN, Verdict, said
from properties.general import BATCH_LAWS
from properties.trial import BUDGETS

STYLES = {
    **dict.fromkeys(("correct", "rejected"), "green"),
    **dict.fromkeys(("wrong", "error", "refused"), "red"),
    "unsupported": "yellow",
    "NOT REJECTED": "bold red",
}
CHOICE_COLUMNS = (
    *("variant", "verdict", "budgets", "ULP"),
    *(FORWARD, "x limit", BACKWARD, "x limit", "memory"),
)


def catalogue_table(losses: Sequence[Loss]) -> RenderableType:
    """A line for each loss: the variants that not all have, how many laws and defects, its paper."""
    common = [name for name in losses[0].variants if all(name in loss.variants for loss in losses)]
    table = _table("loss", "also", "laws", "defects", "killed", "paper")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for column in table.columns[2:5]:
        column.justify = "right"
    counted = figures()
    for loss in losses:
        further = ", ".join(name for name in loss.variants if name not in common)
        counts = (str(len(loss.laws) + len(BATCH_LAWS)), str(len(loss.defects)))
        killed = share(known) if (known := counted.get(loss.name)) else "-"
        table.add_row(Text(loss.name, "bold"), further, *counts, killed, Text(loss.paper))
    note = (
        f"Every loss has the variants {', '.join(common)}; killed: of the mutants of {VARIANT}.\n"
        "All about one: lossproof list LOSS"
    )
    return Group(table, Text(f"\n{note}", "dim"))


def loss_report(loss: Loss) -> RenderableType:
    """Everything about one loss: its call, conventions, variants, laws, defects and workloads."""
    called = _table("argument", "what it is", "gradient")
    for name, text, flows in arguments(loss):
        called.add_row(name, Text(_plain(text)), "yes" if flows else "")
    variants = _table("variant", "how")
    for name, function in loss.variants.items():
        variants.add_row(name, Text(_plain(sentence(function))))
    laws = _table("law", "what it says")
    for law in (*loss.laws, *BATCH_LAWS):
        laws.add_row(law.__name__, Text(_plain(sentence(law))))
    defects = _table("defect", "breaks", "what is wrong")
    for name, defect in loss.defects.items():
        defects.add_row(name, defect.breaks, Text(_plain(sentence(defect.function))))
    workloads = _table("workload", "elements", "source")
    for workload in loss.workloads:
        size = f"{workload.elements(workload.rows):,}" + (" (GPU)" if workload.gpu else "")
        workloads.add_row(workload.name, size, Text(workload.source))
    heading = Text.assemble(
        (signature(loss), "bold"),
        f"\n{loss.formula}\n\nhere: {loss.conventions}\nelsewhere: {loss.elsewhere}\n{loss.paper}",
    )
    parts = (heading, called, variants, laws, defects, workloads)
    return Group(*(line for part in parts for line in (part, Text())))


def _plain(text: str) -> str:
    """Without the marks of code."""
    return text.replace("``", "")


def verdict_table(verdicts: Mapping[tuple[str, str], Verdict], defects: bool) -> Table:
    """One line for each implementation; published defects apart, since they must be rejected."""
    title = "Published defects: each must be rejected" if defects else "Variants"
    refusing = any(verdict.refused for verdict in verdicts.values())
    columns = ("loss", "variant", "verdict", "budgets used", "laws broken")
    table = _table(*columns, *(["not supported"] if refusing else []))
    table.title, table.title_justify, table.title_style = title, "left", "bold"
    for (loss, variant), verdict in verdicts.items():
        outcome, *cells = verdict_cells(verdict, defects)
        cells += [_not_supported(verdict)] if refusing else []
        table.add_row(loss, variant, Text(outcome, _style(outcome)), *cells)
    return table


def verdict_cells(verdict: Verdict, defect: bool) -> list[str]:
    """What verdict tables say of one implementation; a defect must be rejected."""
    outcome = verdict.said
    if defect:
        outcome = "rejected" if verdict.outcome in ("wrong", "error") else "NOT REJECTED"
    used = ", ".join(f"{_budgets(b)} {_short(dtype)}" for dtype, b in verdict.budgets.items())
    return [outcome, used, ", ".join(verdict.laws_broken)]


def _style(outcome: str) -> str:
    """Of an outcome, whatever conventions it is under."""
    return STYLES[outcome.partition(" under:")[0]]


def _not_supported(verdict: Verdict) -> str:
    """What an implementation refused, as it says itself, the most frequent first."""
    return "\n".join(f"{reason} ({count} cases)" for reason, count in verdict.refused.items())


def findings_text(verdict: Verdict, most: int = SHOWN) -> str:
    """The first findings of a verdict, with their programs."""
    parts = []
    for finding in verdict.findings[:most]:
        budgets = f", {finding.budgets:.3g} budgets off" if math.isfinite(finding.budgets) else ""
        parts.append(f"# {finding}{budgets}\n{finding.snippet}")
    if len(verdict.findings) > most:
        rest = ", ".join(finding.law for finding in verdict.findings[most:])
        parts.append(f"# also broken: {rest}\n")
    return "\n".join(parts)


def choice_report(choice: Choice) -> RenderableType:
    """The table of one loss and size, and the decision under it."""
    table = _table(*CHOICE_COLUMNS)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in choice.table:
        variant, outcome, *cells = choice_cells(choice, row)
        style = "bold" if variant == choice.variant else ""
        table.add_row(Text(variant, style), Text(outcome, _style(outcome)), *cells)
    table.add_section()
    for cells in limit_lines(choice):
        table.add_row(*cells)
    heading = Text.assemble((choice.loss, "bold"), f" on {choice_title(choice)}")
    notes = [Text(f"  {note}") for note in choice_notes(choice)]
    stopped = [Text("  interrupted: fewer rounds than usual", "yellow")] if choice.interrupted else []
    return Group(heading, table, *notes, *stopped, Text())


def choice_title(choice: Choice) -> str:
    """What was timed, without the loss."""
    threads = f"{choice.threads} thread{'s' if choice.threads != 1 else ''}"
    return f"{choice.workload}: {choice.size:,} elements, {choice.dtype}, {choice.device}, {threads}"


def choice_cells(choice: Choice, row: Row) -> list[str]:
    """What the table of a choice says of one variant."""
    cells = [row.variant, said(row.outcome, row.under), _budgets(row.budgets), _number(row.ulps)]
    for pass_name in PASSES:
        cells += _timing_cells(choice, row, pass_name)
    return [*cells, _bytes(row.peak_bytes)]


def limit_lines(choice: Choice) -> list[list[str]]:
    """The last lines of the table of a choice: what nothing is faster than."""
    lines = [_limit_cells(choice, "copy", choice.limits)]
    if choice.arithmetic:
        lines.append(_limit_cells(choice, ", ".join(choice.evaluated), choice.arithmetic))
    return lines


def _limit_cells(choice: Choice, what: str, timings: Mapping[str, Timing]) -> list[str]:
    cells = [cell for name in PASSES for cell in _over_limit(choice, timings.get(name), name)]
    return [f"limit ({what})", "", "", "", *cells, ""]


def choice_notes(choice: Choice) -> list[str]:
    """What is said under the table of a choice: why there is no time, and the decision of each pass."""
    notes = [f"{row.variant}: {row.note}" for row in choice.table if row.note]
    return [*notes, *(_decision(choice, pass_name) for pass_name in PASSES), *_small(choice)]


def prediction_table(predictions: Sequence[Prediction]) -> RenderableType:
    """A line for each variant: what it would launch and move on a GPU; under it, what can't be told."""
    figures = ("bytes", "x least")
    table = _table("loss", "variant", f"{FORWARD}: kernels", *figures, f"{BACKWARD}: kernels", *figures)
    for column in table.columns[2:]:
        column.justify = "right"
    dtypes = ", ".join(dict.fromkeys(each.dtype for each in predictions))
    table.title = f"predicted, not measured: on a GPU, {dtypes}, each loss on its smallest workload"
    table.title_justify, table.title_style = "left", "bold"
    lines: dict[tuple[str, str], dict[str, Prediction]] = {}
    for each in predictions:
        lines.setdefault((each.loss, each.variant), {})[each.pass_name] = each
    for names, passes in lines.items():
        table.add_row(*names, *(cell for name in PASSES for cell in _prediction_cells(passes.get(name))))
    reasons = {
        f"{e.loss} {e.variant}: unavailable: {e.unavailable}" for e in predictions if e.unavailable
    }
    return Group(table, *(Text(f"  {reason}") for reason in sorted(reasons)))


def _prediction_cells(prediction: Prediction | None) -> tuple[str, str, str]:
    if prediction is None or prediction.unavailable:
        return "-", "-", "-"
    at_least = "≥ " if prediction.lower_bound else ""
    moved = f"{at_least}{_bytes(prediction.bytes)}"
    return f"{at_least}{prediction.kernels}", moved, f"{prediction.ratio:.2f}"


PREDICTION_LEGEND = (
    "Predicted, not measured: from shapes alone, no GPU was used. kernels: launches; ≥ where one call "
    "may launch several. bytes: each kernel reads and writes each of its tensors once. x least: over "
    "each input read once and each gradient written once."
)


def strength_table(strengths: Sequence[Strength]) -> Table:
    """A line for each loss: how many mutants it has, and what became of them."""
    table = _table("loss", "mutants", "killed", "equivalent", "survived", "score")
    for column in table.columns[1:]:
        column.justify = "right"
    for strength in strengths:
        numbers = strength.figures
        style = "green" if strength.score >= GOAL else "red"
        table.add_row(strength.loss, *map(str, numbers.values()), Text(share(numbers), style))
    return table


def survivors_text(strengths: Sequence[Strength]) -> str:
    """Each mutant that no law rejects: its function, and what is changed."""
    lines = []
    for strength in strengths:
        left = [result for result in strength.results if result.outcome == "survived"]
        for result in left:
            before, _, after = result.change.partition(" -> ")
            lines += [f"{strength.loss}: {result.function}", f"- {before}", f"+ {after}"]
    return "\n".join(lines)


LEGEND = (
    f"budgets: the largest error against the float64 oracle, in error budgets (right: at most "
    f"{BUDGETS:.0f}). ULP: the largest error of an item, in spacings of the dtype at the value (at 1 "
    "where it is smaller). Times: median, with half the width of its 95 % interval. x limit: times "
    "what this machine needs to copy the least possible bytes, or to evaluate the functions that "
    "can't be avoided, if that is longer. memory: the most that forward and backward hold beside the "
    "inputs."
)


def _decision(choice: Choice, pass_name: str) -> str:
    winner, tied = choice.winners.get(pass_name), choice.ties.get(pass_name, [])
    if winner is None:
        return f"{pass_name}: no variant could be timed"
    if len(tied) == 1:
        return f"{pass_name}: {winner}"
    others = ", ".join(name for name in tied if name != winner)
    return f"{pass_name}: {winner} (a tie with {others}; the simplest is preferred)"


def _small(choice: Choice) -> list[str]:
    """Where all compiled variants are slower than one that is not, in both passes: by how much."""
    ratios: list[float] = []
    for pass_name in PASSES:
        timed = [row for row in choice.table if row.outcome == "correct" and pass_name in row.timings]
        best: dict[bool, float] = {}
        for row in timed:
            median = row.timings[pass_name].median
            best[row.compiled] = min(median, best.get(row.compiled, math.inf))
        if len(best) == 2:
            ratios.append(best[True] / best[False])
    if len(ratios) < len(PASSES) or min(ratios) <= 1:
        return []
    times = " and ".join(f"{ratio:.1f}" for ratio in ratios)
    return [f"compiled code takes {times} times as long here: a call of it costs more than it saves"]


def _timing_cells(choice: Choice, row: Row, pass_name: str) -> list[str]:
    return _over_limit(choice, row.timings.get(pass_name), pass_name)


def _over_limit(choice: Choice, timing: Timing | None, pass_name: str) -> list[str]:
    """A time, and how many times the limit it is."""
    limit = choice.limit(pass_name)
    if timing is None or limit is None:
        return ["-", "-"]
    share = timing.median / limit
    return [_timing_text(timing), f"{share:.1f}" if share < 100 else f"{share:,.0f}"]


def _timing_text(timing: Timing) -> str:
    """Median ± half of its interval, in a unit that keeps three digits."""
    low, high = timing.interval
    unit, factor = next(
        ((u, f) for u, f in (("s", 1.0), ("ms", 1e3)) if timing.median * f >= 1), ("µs", 1e6)
    )
    spread = (high - low) / 2 * factor
    return (
        f"{timing.median * factor:.3g} ± {f'{spread:.0f}' if spread >= 10 else f'{spread:.2g}'} {unit}"
    )


def _budgets(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}" if value < 1000 else f"{value:.0e}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}" if value < 1000 else f"{value:.0e}"


def _bytes(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def _short(dtype: str) -> str:
    return {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}[dtype]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def console() -> Console:
    """The console for results: wide enough for a table when the output is a file."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=150)
