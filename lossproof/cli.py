"""The command line: list, verify, choose, report, predict, strength."""

import json
import logging
import os
import sys
import warnings
from ast import literal_eval
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lossproof import findings, findings_page, report
from lossproof.adapting import adapt
from lossproof.cache import plain
from lossproof.catalog import CATALOG
from lossproof.choosing import (
    Choice,
    default_workloads,
    workload_of_size,
)
from lossproof.conventions import under
from lossproof.deciding import VARIANT
from lossproof.inputs import load_workload
from lossproof.lookup import find, require_device
from lossproof.loss import Loss
from lossproof.machine import environment
from lossproof.mutant_trials import WrongVariant, measure
from lossproof.mutants import Mutant, mutants_of
from lossproof.peers import PEERS
from lossproof.predict import Prediction, predictions
from lossproof.programs import replay, write_programs
from lossproof.progress import errors, make_choices, make_choices_on, make_verdicts, progress, teller
from lossproof.strength import GOAL, Strength, as_json, equivalents, false_claims, judged, save
from lossproof.verdict import Verdict
from lossproof.workers import Limits, cores
from properties.case import DTYPES, Workload

if TYPE_CHECKING:
    from lossproof.scheduling import Cluster

BAD_USAGE, WRONG, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which implementation of a loss is right, and which of the right ones is fastest here?",
)

Losses = Annotated[list[str] | None, typer.Argument(metavar="[LOSS]...", help="default: all")]
Device = Annotated[str, typer.Option(help="cpu, cuda or another accelerator of this machine")]
DType = Annotated[str, typer.Option(help="one of " + ", ".join(DTYPES))]
Sizes = Annotated[
    list[int] | None,
    typer.Option(min=1, help="elements of the first argument; default: realistic workloads"),
]
Inputs = Annotated[
    Path | None, typer.Option(help="a .npz or .pt file with your own batch, for one loss")
]
Threads = Annotated[int | None, typer.Option(min=1, help="of torch; default: torch's own")]
Json = Annotated[Path | None, typer.Option("--json", help="write everything to this file")]
Examples = Annotated[int, typer.Option(min=1, help="generated cases for each dtype")]
Jobs = Annotated[int | None, typer.Option(min=1, help="worker processes; default: one for each core")]
TimeLimit = Annotated[
    float, typer.Option(min=0.1, help="seconds that one verification or program may take")
]
MemoryLimit = Annotated[
    float, typer.Option(min=0.1, help="GiB of resident memory that one worker may hold")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="TCP://HOST:PORT", help="of a Dask cluster, to work there and not here"),
]
OF_YOURS = "An implementation of yours"
Impl = Annotated[
    list[str] | None,
    typer.Option(
        "--impl",
        metavar="MODULE:NAME",
        help="a function, class or module that can be imported",
        rich_help_panel=OF_YOURS,
    ),
]
Map = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="OURS=THEIRS,...",
        help="what it calls arguments and options: logits=inputs,target=targets",
        rich_help_panel=OF_YOURS,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="an argument that it is always given: eps=1e-7",
        rich_help_panel=OF_YOURS,
    ),
]
Returns = Annotated[
    str,
    typer.Option(help="loss, or similarity: the loss is 1 minus that", rich_help_panel=OF_YOURS),
]
Boxes = Annotated[
    str, typer.Option(help="how it takes boxes: xyxy, cxcywh or xywh", rich_help_panel=OF_YOURS)
]
Reduces = Annotated[
    str,
    typer.Option(
        help="what it gives where it takes no reduction: none, mean or sum", rich_help_panel=OF_YOURS
    ),
]
Conventions = Annotated[
    list[str] | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="a documented deviation that it may have: eps=1e-7 (docs/losses.md lists them)",
        rich_help_panel=OF_YOURS,
    ),
]


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
    with _usage():
        rows = _losses(losses)
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
    with _usage():
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
        with _usage():
            rows = _losses(losses)
            dtypes = [find("dtype", name, DTYPES).name for name in dtype or DTYPES]
            asked = _implementations(rows, variant)
            _require_impl(impl, convention)
            if impl:
                brought = _brought(losses, impl, names, settings, returns, boxes, reduces, convention)
                asked = [(brought, name) for name in brought.variants]
            cluster = connections.enter_context(_place(device, scheduler, jobs))
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
    _write(json_file, {**_environments(device, cluster), "verdicts": _listed(verdicts)})
    if programs is not None:
        with _usage():
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
        with _usage():
            rows, work = _work(losses, device, dtype, size, inputs)
            _require_impl(impl, convention)
            asked = [(row, name) for row in rows for name in row.variants]
            if impl:
                brought = _brought(losses, impl, names, settings, returns, boxes, reduces, convention)
                asked += [(brought, name) for name in brought.variants]
                rows = [replace(row, variants={**row.variants, **brought.variants}) for row in rows]
                work = [(row, workload) for row in rows for _, workload in work]
            cluster = connections.enter_context(_place(device, scheduler, jobs, timing=True))

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
    _write(json_file, {**_environments(device, cluster), "choices": choices})
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

    with _usage():
        rows, work = _work(losses, device, dtype, size, inputs)
        require_device(device)
        _require_writable("html", html)
    limits, stopped, bad = Limits(time_limit, memory_limit), False, False
    chapters: list[Chapter] = []
    for row in rows:
        errors.print(f"{row.name}: {len(chapters) + 1} of {len(rows)}", highlight=False)
        chapter = Chapter(row, [workload for loss, workload in work if loss is row])
        asked = _implementations([row], None)
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
    _save("html", html, text)
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
    with _usage():
        rows = _losses(losses)
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
    _write(json_file, {"environment": environment("cpu"), "predictions": found})
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
    with _usage():
        rows = _losses(losses)
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
    _write(json_file, {"environment": environment("cpu"), "strengths": [as_json(s) for s in strengths]})
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
        with _usage():
            chosen = [row.name for row in _losses(losses)]
            dtypes = [find("dtype", name, DTYPES).name for name in dtype or findings.DTYPES]
            for name in libraries or ():
                find("variant", name, PEERS)
            numbers = (tuple(dtypes), examples, seed)
            if keep and numbers != (findings.DTYPES, findings.EXAMPLES, findings.SEED):
                raise ValueError("save: keeps what runs on the default dtypes, examples and seed alone")
            cluster = connections.enter_context(_place(device, scheduler, jobs))

        def make(asked: list[tuple[Loss, str]]) -> tuple[dict[tuple[str, str], Verdict], bool]:
            options: dict[str, Any] = {"jobs": jobs, "limits": limits, "cluster": cluster}
            return make_verdicts(asked, device, dtypes, examples, seed, **options)

        judged, absent, stopped = findings.judge(chosen, make, libraries)
    out = report.console()
    out.print(findings_page.peers_table(judged))
    for reason in absent.values():
        out.print(f"absent: {reason}", markup=False, highlight=False, soft_wrap=True)
    _write(json_file, {**_environments(device, cluster), "peers": judged, "absent": absent})
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


def _brought(
    losses: list[str] | None,
    impl: list[str],
    names: str,
    settings: list[str] | None,
    returns: str,
    boxes: str,
    reduces: str,
    conventions: list[str] | None,
) -> Loss:
    """One loss, under the conventions, with implementations by reference as its variants."""
    if len(losses or []) != 1:
        raise ValueError("impl: expected the name of exactly one loss before --impl")
    assert losses is not None
    row = under(find("loss", losses[0], CATALOG), conventions or ())
    how: dict[str, Any] = {"returns": returns, "boxes": boxes, "reduces": reduces}
    how["conventions"] = row.under
    how["names"] = dict(_pair("map", part) for part in names.split(",") if part)
    how["settings"] = {name: _value(text) for name, text in (_pair("set", s) for s in settings or [])}
    brought = {reference: adapt(reference, losses[0], **how) for reference in impl}
    return replace(row, variants=brought, defects={})


def _require_impl(impl: list[str] | None, conventions: list[str] | None) -> None:
    if conventions and not impl:
        raise ValueError("convention: expected --impl beside it; the catalogue's own forms have none")


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"{option}: expected name=value, got {text!r}")
    return name.strip(), value.strip()


def _value(text: str) -> Any:
    """A number, True, None or a tuple as Python writes it; else the text itself."""
    with suppress(ValueError, SyntaxError):
        return literal_eval(text)
    return text


def _losses(names: list[str] | None) -> list[Loss]:
    return [find("loss", name, CATALOG) for name in names or CATALOG]


def _implementations(losses: list[Loss], names: list[str] | None) -> list[tuple[Loss, str]]:
    """Variants first, then defects; or those asked for, where a loss has them."""
    if names is None:
        variants = [(loss, name) for loss in losses for name in loss.variants]
        return variants + [(loss, name) for loss in losses for name in loss.defects]
    known = dict.fromkeys(name for loss in losses for name in (*loss.variants, *loss.defects))
    for name in names:
        find("variant", name, dict.fromkeys(known, True))
    return [(loss, n) for loss in losses for n in names if n in loss.variants or n in loss.defects]


def _workloads(loss: Loss, sizes: list[int] | None, inputs: Path | None, device: str) -> list[Workload]:
    if inputs is not None:
        return [load_workload(loss, inputs)]
    if sizes:
        return [workload_of_size(loss, size) for size in sizes]
    return default_workloads(loss) if device == "cpu" else list(loss.workloads)


def _work(
    names: list[str] | None, device: str, dtype: str, sizes: list[int] | None, inputs: Path | None
) -> tuple[list[Loss], list[tuple[Loss, Workload]]]:
    """The losses, and the workloads that each is timed on."""
    rows = _losses(names)
    find("dtype", dtype, DTYPES)
    if inputs is not None and (sizes or len(names or []) != 1):
        raise ValueError("inputs: expected exactly one loss and no --size beside a file")
    return rows, [(row, workload) for row in rows for workload in _workloads(row, sizes, inputs, device)]


@contextmanager
def _place(
    device: str, scheduler: str | None, jobs: int | None, timing: bool = False
) -> Iterator["Cluster | None"]:
    """A Dask cluster that has the device, or this machine, which must have it."""
    if scheduler is None:
        require_device(device)
        yield None
        return
    if find_spec("distributed") is None:
        raise ValueError('--scheduler: Dask is not installed; pip install "lossproof[dask]"')
    if jobs is not None:
        raise ValueError("--jobs: with --scheduler, each worker has a number of its own: its --nthreads")
    from lossproof.connecting import connected

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is told in our words
    with connected(scheduler, device, timing=timing) as cluster:
        yield cluster


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


def _write(file: Path | None, content: dict[str, Any]) -> None:
    if file is not None:
        _save("json", file, json.dumps(plain(content), indent=1, ensure_ascii=False))


def _save(option: str, file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        errors.print(f"{option}: can't write {file}: {error}", style="red")
        raise typer.Exit(BAD_USAGE) from None


def _require_writable(option: str, file: Path) -> None:
    """Told before the work that would be lost."""
    try:
        file.open("a").close()
    except OSError as error:
        raise ValueError(f"{option}: can't write {file}: {error}") from None


@contextmanager
def _usage() -> Iterator[None]:
    """Bad usage as a message and exit 2."""
    try:
        yield
    except ValueError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_USAGE) from None


def _replay(programs: list[Path], limits: Limits) -> None:
    """Run programs again, each in a process of its own; exit 1 if one still fails."""
    with _usage():
        results = {program: replay(program, limits) for program in programs}
    out = report.console()
    for program, (passed, output) in results.items():
        out.print(f"{program}: {'passes now' if passed else 'still fails'}", highlight=False)
        if not passed:
            out.print(output, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(passed for passed, _ in results.values()) else WRONG)
