"""The command line: list, verify, choose, report, predict, strength."""

import os
import sys
import warnings
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lossproof import findings, findings_page, report
from lossproof.asked import (
    INTERRUPTED,
    WRONG,
    brought,
    implementations,
    losses_named,
    place,
    require_impl,
    require_writable,
    save_text,
    usage,
    work_on,
    write,
)
from lossproof.cache import plain
from lossproof.catalog import CATALOG
from lossproof.choice import Choice
from lossproof.deciding import VARIANT
from lossproof.lookup import find, require_device
from lossproof.loss import Loss
from lossproof.machine import environment
from lossproof.mutant_trials import WrongVariant, measure
from lossproof.mutants import Mutant, mutants_of
from lossproof.options import (
    Boxes,
    Conventions,
    Device,
    DType,
    Examples,
    Impl,
    Inputs,
    Jobs,
    Json,
    Losses,
    Map,
    MemoryLimit,
    Reduces,
    Returns,
    Scheduler,
    Set,
    Sizes,
    Threads,
    TimeLimit,
)
from lossproof.peers import PEERS
from lossproof.predict import Prediction, predictions
from lossproof.programs import replay, write_programs
from lossproof.progress import errors, make_choices, make_choices_on, make_verdicts, progress, teller
from lossproof.strength import GOAL, Strength, as_json, equivalents, false_claims, judged, save
from lossproof.verdict import Verdict
from lossproof.workers import Limits, cores
from properties.case import DTYPES

if TYPE_CHECKING:
    from lossproof.scheduling import Cluster

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which implementation of a loss is right, and which of the right ones is fastest here?",
)


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, os.getcwd())  # where a person's own implementations are
    warnings.showwarning = lambda message, *rest: errors.print(f"warning: {message}", style="yellow")
    app()


@app.command(name="list")
def list_losses(losses: Losses = None) -> None:
    """Show the losses with their variants, laws, defects and papers; or all about those named."""
    out = report.console()
    if not losses:
        out.print(report.catalogue_table(list(CATALOG.values())))
        return
    with usage():
        rows = losses_named(losses)
    for row in rows:
        out.print(report.loss_report(row))


@app.command()
def verify(
    losses: Losses = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="only this variant or defect; with --peers: library")
    ] = None,
    device: Device = "cpu",
    dtype: Annotated[
        list[str] | None, typer.Option(help="default: all four; with --peers: float32, float64")
    ] = None,
    examples: Examples = 100,
    seed: Annotated[int, typer.Option(help="of the generated cases")] = 0,
    json_file: Json = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    time_limit: TimeLimit = Limits.seconds,
    memory_limit: MemoryLimit = Limits.gibibytes,
    programs: Annotated[
        Path | None, typer.Option(help="write each finding's program to this folder")
    ] = None,
    replays: Annotated[
        list[Path] | None, typer.Option("--replay", help="only run this program of a finding again")
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="instead of the variants, other libraries' losses")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--save", help="with --peers: keep what ran, which docs/findings.md shows")
    ] = False,
    impl: Impl = None,
    names: Map = "",
    settings: Set = None,
    returns: Returns = "loss",
    boxes: Boxes = "xyxy",
    reduces: Reduces = "",
    convention: Conventions = None,
) -> None:
    """Check every variant against the oracle and the laws; exit 1 if something is wrong.

    Without --variant the published defects are checked as well: each must be rejected. Each runs in a
    worker process: one that hangs, crashes or eats memory is an error, and the others go on. With --impl
    only these implementations of the loss are checked; what they have no option for is not supported,
    which is no failure. A --convention changes what is true of the loss, or what is judged. With --peers
    other libraries' losses are checked, and again under the conventions that these document.
    """
    limits = Limits(time_limit, memory_limit)
    with usage():
        others = {"impl": impl, "convention": convention, "programs": programs, "replay": replays}
        for option, value in others.items():
            if peers and value:
                raise ValueError(f"{option}: not with --peers")
        if keep and not peers:
            raise ValueError("save: expected --peers beside it")
    if peers:
        _verify_peers(
            losses, variant, device, dtype, examples, seed, json_file, jobs, scheduler, limits, keep
        )
    if replays:
        _replay(replays, limits)
    with ExitStack() as connections:
        with usage():
            rows = losses_named(losses)
            dtypes = [find("dtype", name, DTYPES).name for name in dtype or DTYPES]
            asked = implementations(rows, variant)
            require_impl(impl, convention)
            if impl:
                own = brought(losses, impl, names, settings, returns, boxes, reduces, convention)
                asked = [(own, name) for name in own.variants]
            cluster = connections.enter_context(place(device, scheduler, jobs))
        options: dict[str, Any] = {"jobs": jobs, "limits": limits, "cluster": cluster}
        verdicts, stopped = make_verdicts(asked, device, dtypes, examples, seed, **options)
    out = report.console()
    defects = {key: verdict for key, verdict in verdicts.items() if _is_defect(key)}
    variants = {key: verdict for key, verdict in verdicts.items() if not _is_defect(key)}
    expected = variant is None and not impl
    wrong = [key for key, verdict in verdicts.items() if _is_bad(key, verdict, expected)]
    if variants:
        out.print(report.verdict_table(variants, defects=False))
    if defects:
        out.print(report.verdict_table(defects, defects=expected))
    for key in wrong:
        out.print(f"\n{key[0]} {key[1]}: {verdicts[key].said}", style="red")
        out.print(report.findings_text(verdicts[key]), markup=False, highlight=False, soft_wrap=True)
    write(json_file, {**_environments(device, cluster), "verdicts": _listed(verdicts)})
    if programs is not None:
        with usage():
            written = write_programs(programs, verdicts)
        errors.print(f"{len(written)} programs of findings in {programs}", highlight=False)
    if stopped:
        errors.print(f"interrupted: {len(verdicts)} of {len(asked)} verdicts are kept", style="yellow")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(WRONG if wrong else 0)


@app.command()
def choose(
    losses: Losses = None,
    device: Device = "cpu",
    dtype: DType = "float32",
    size: Sizes = None,
    inputs: Inputs = None,
    threads: Threads = None,
    json_file: Json = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    time_limit: TimeLimit = Limits.seconds,
    memory_limit: MemoryLimit = Limits.gibibytes,
    impl: Impl = None,
    names: Map = "",
    settings: Set = None,
    returns: Returns = "loss",
    boxes: Boxes = "xyxy",
    reduces: Reduces = "",
    convention: Conventions = None,
) -> None:
    """Verify every variant, time the correct ones, and name the fastest.

    All are verified first, in worker processes; then nothing else runs beside what is timed. With --impl
    these implementations of the loss compete with the catalogue's variants.
    """
    limits, out = Limits(time_limit, memory_limit), report.console()
    choices: list[Choice] = []
    with ExitStack() as connections:
        with usage():
            rows, work = work_on(losses, device, dtype, size, inputs)
            require_impl(impl, convention)
            asked = [(row, name) for row in rows for name in row.variants]
            if impl:
                own = brought(losses, impl, names, settings, returns, boxes, reduces, convention)
                asked += [(own, name) for name in own.variants]
                rows = [replace(row, variants={**row.variants, **own.variants}) for row in rows]
                work = [(row, workload) for row in rows for _, workload in work]
            cluster = connections.enter_context(place(device, scheduler, jobs, timing=True))

        def show(choice: Choice) -> None:
            if cluster is not None:
                out.print(choice.machine, style="bold", highlight=False)
            out.print(report.choice_report(choice))

        if cluster is not None:
            choices, stopped = make_choices_on(cluster, asked, work, dtype, threads, limits, show)
        else:
            verdicts, stopped = make_verdicts(asked, device, [dtype], jobs=jobs, limits=limits)
            if not stopped:
                choices, stopped = make_choices(work, verdicts, device, dtype, threads, show)
    if choices:
        out.print(report.LEGEND, style="dim", width=min(out.width, 105))
    write(json_file, {**_environments(device, cluster), "choices": choices})
    if stopped:
        errors.print("interrupted: what was done is shown and kept", style="yellow")
        raise typer.Exit(INTERRUPTED)
    wrong = any(row.outcome != "correct" for choice in choices for row in choice.table)
    missing = len(choices) < len(work) * (1 if cluster is None else len(cluster.kinds()))
    raise typer.Exit(WRONG if wrong or missing else 0)


@app.command(name="report")
def write_report(
    html: Annotated[Path, typer.Option(help="write the page to this file")],
    losses: Losses = None,
    device: Device = "cpu",
    dtype: DType = "float32",
    size: Sizes = None,
    inputs: Inputs = None,
    threads: Threads = None,
    jobs: Jobs = None,
    time_limit: TimeLimit = Limits.seconds,
    memory_limit: MemoryLimit = Limits.gibibytes,
) -> None:
    """Write one page that opens offline: verdicts, times, plots, and findings with their programs.

    It shows what choose finds, and the wrong forms, which must be rejected. Loss after loss is verified
    and timed; what is on disk already is read. Ctrl-C writes the page of what was done.
    """
    from lossproof.page import Chapter, page  # and with it Matplotlib, which is slow to import

    with usage():
        rows, work = work_on(losses, device, dtype, size, inputs)
        require_device(device)
        require_writable("html", html)
    limits, stopped, bad = Limits(time_limit, memory_limit), False, False
    chapters: list[Chapter] = []
    for row in rows:
        errors.print(f"{row.name}: {len(chapters) + 1} of {len(rows)}", highlight=False)
        chapter = Chapter(row, [workload for loss, workload in work if loss is row])
        asked = implementations([row], None)
        verdicts, stopped = make_verdicts(asked, device, [dtype], jobs=jobs, limits=limits)
        chapter.verdicts |= {name: verdict for (_, name), verdict in verdicts.items()}
        if not stopped:
            own = [(row, workload) for workload in chapter.workloads]
            chapter.choices, stopped = make_choices(own, verdicts, device, dtype, threads)
        chapters.append(chapter)
        bad |= any(_is_bad(key, verdict, expected=True) for key, verdict in verdicts.items())
        bad |= any(each.outcome != "correct" for choice in chapter.choices for each in choice.table)
        if stopped:
            break
    left = [row.name for row in rows[len(chapters) :]]
    with progress() as shown:
        text = page(chapters, left, environment(device), date.today(), teller(shown))
    save_text("html", html, text)
    if stopped:
        errors.print(f"interrupted: what was done is in {html} and kept", style="yellow")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(WRONG if bad else 0)


@app.command()
def predict(
    losses: Losses = None,
    dtype: DType = "float32",
    json_file: Json = None,
) -> None:
    """Predict what each variant would launch and move on a GPU, without one: nothing is measured.

    Each loss on its smallest workload. naive variants are left out: they launch kernels for each item.
    """
    with usage():
        rows = losses_named(losses)
        find("dtype", dtype, DTYPES)
    found: list[Prediction] = []
    stopped = False
    try:
        with progress() as shown:
            tell = teller(shown)
            for done, row in enumerate(rows):
                tell("losses", done, len(rows))
                found += predictions(row, dtype)
    except KeyboardInterrupt:
        stopped = True
    out = report.console()
    if found:
        out.print(report.prediction_table(found))
        out.print(report.PREDICTION_LEGEND, style="dim", width=min(out.width, 105))
    write(json_file, {"environment": environment("cpu"), "predictions": found})
    if stopped:
        errors.print("interrupted: what was predicted is shown", style="yellow")
        raise typer.Exit(INTERRUPTED)


@app.command()
def strength(
    losses: Losses = None,
    examples: Examples = 100,
    seed: Annotated[int, typer.Option(help="of the generated cases")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="worker processes; default: cores")] = None,
    thorough: Annotated[
        bool, typer.Option(help="try those listed as equivalent on all examples, not on a few")
    ] = False,
    keep: Annotated[bool, typer.Option("--save", help="keep the figures that list shows")] = False,
    json_file: Json = None,
) -> None:
    """Change the source of every vectorized variant in one place, many times over, and count how many
    of these mutants the laws reject; exit 1 if it is less than 98 % for a loss.

    What was tried before is not tried again, so that an interrupted run goes on where it stopped.
    """
    with usage():
        rows = losses_named(losses)
    found: dict[str, Strength] = {row.name: Strength(row.name) for row in rows}
    total, stopped = sum(len(mutants_of(row.variants[VARIANT])) for row in rows), False

    def listed(loss: str, mutant: Mutant) -> bool:
        claims = (row.covers(loss, mutant.function, mutant.change) for row in equivalents())
        return not thorough and any(claims)

    try:
        with progress() as shown:
            tell, done = teller(shown), 0
            for name, results in measure(rows, examples, seed, jobs or cores(), listed):
                found[name].results += results
                done += len(results)
                tell("mutants", done, total)
    except WrongVariant as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt:
        stopped = True
    strengths = [
        judged(found[row.name], mutants_of(row.variants[VARIANT]), equivalents()) for row in rows
    ]
    strengths = [strength for strength in strengths if strength.results]
    claims = [] if stopped else false_claims(strengths, equivalents())
    out = report.console()
    out.print(report.strength_table(strengths))
    out.print(report.survivors_text(strengths), markup=False, highlight=False, soft_wrap=True)
    for claim in claims:
        out.print(f"not equivalent: {claim}", style="red", markup=False, soft_wrap=True)
    write(json_file, {"environment": environment("cpu"), "strengths": [as_json(s) for s in strengths]})
    if stopped:
        errors.print("interrupted: what was tried is shown and kept", style="yellow")
        raise typer.Exit(INTERRUPTED)
    if keep:
        save(strengths, examples, seed)
    weak = any(strength.score < GOAL for strength in strengths)
    raise typer.Exit(WRONG if weak or claims else 0)


def _verify_peers(
    losses: list[str] | None,
    libraries: list[str] | None,
    device: str,
    dtype: list[str] | None,
    examples: int,
    seed: int,
    json_file: Path | None,
    jobs: int | None,
    scheduler: str | None,
    limits: Limits,
    keep: bool,
) -> None:
    """Other libraries' losses, all or those named; exit 1 if one is wrong."""
    with ExitStack() as connections:
        with usage():
            chosen = [row.name for row in losses_named(losses)]
            dtypes = [find("dtype", name, DTYPES).name for name in dtype or findings.DTYPES]
            for name in libraries or ():
                find("variant", name, PEERS)
            numbers = (tuple(dtypes), examples, seed)
            if keep and numbers != (findings.DTYPES, findings.EXAMPLES, findings.SEED):
                raise ValueError("save: keeps what runs on the default dtypes, examples and seed alone")
            cluster = connections.enter_context(place(device, scheduler, jobs))

        def make(asked: list[tuple[Loss, str]]) -> tuple[dict[tuple[str, str], Verdict], bool]:
            options: dict[str, Any] = {"jobs": jobs, "limits": limits, "cluster": cluster}
            return make_verdicts(asked, device, dtypes, examples, seed, **options)

        judged, absent, stopped = findings.judge(chosen, make, libraries)
    out = report.console()
    out.print(findings_page.peers_table(judged))
    for reason in absent.values():
        out.print(f"absent: {reason}", markup=False, highlight=False, soft_wrap=True)
    write(json_file, {**_environments(device, cluster), "peers": judged, "absent": absent})
    if keep:
        kept = findings.read()
        kept.add(judged)
        asked = libraries or PEERS
        kept.absent = {name: why for name, why in kept.absent.items() if name not in asked} | absent
        kept.made_with = {name: environment("cpu")[name] for name in ("python", "torch")}
        here = [entry for entry in findings.confirmed() if entry.library not in absent]
        kept.programs = findings.run_programs(here, limits)
        findings.write(kept)
        for fault in findings.faults(kept, findings.confirmed()):
            errors.print(f"confirmed.toml: {fault}", style="red", markup=False, soft_wrap=True)
    if stopped:
        errors.print("interrupted: what was done is shown and kept", style="yellow")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(WRONG if any(peer.outcome in findings.WRONG for peer in judged) else 0)


def _environments(device: str, cluster: "Cluster | None") -> dict[str, Any]:
    return {"environment": environment(device)} if cluster is None else {"workers": cluster.workers}


def _is_defect(key: tuple[str, str]) -> bool:
    return key[1] in CATALOG[key[0]].defects


def _is_bad(key: tuple[str, str], verdict: Verdict, expected: bool) -> bool:
    """Whether a verdict is a reason to fail: a defect should be rejected, unless it was asked for, and
    what a person's own implementation doesn't support is its own matter."""
    rejected = verdict.outcome in ("wrong", "error")
    if _is_defect(key) and expected:
        return not rejected
    return rejected if key[1] not in CATALOG[key[0]].implementations else verdict.outcome != "correct"


def _listed(verdicts: dict[tuple[str, str], Verdict]) -> list[dict[str, Any]]:
    return [{"variant": key[1], "said": v.said, **plain(v)} for key, v in verdicts.items()]


def _replay(programs: list[Path], limits: Limits) -> None:
    """Run programs again, each in a process of its own; exit 1 if one still fails."""
    with usage():
        results = {program: replay(program, limits) for program in programs}
    out = report.console()
    for program, (passed, output) in results.items():
        out.print(f"{program}: {'passes now' if passed else 'still fails'}", highlight=False)
        if not passed:
            out.print(output, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(passed for passed, _ in results.values()) else WRONG)
