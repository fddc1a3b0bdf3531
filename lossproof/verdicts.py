"""Verdicts on many implementations: from disk where they are known, else from worker processes.

What is timed later is the function that was verified: a worker imports it by the reference that leads to
the caller's very function, from the same source (the cache's keys hold its hash), compiled by the same
torch. Only the number of threads differs: timed outputs are checked again under theirs (recheck.py).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossproof import cache, workers
from lossproof.adapting import Adapted
from lossproof.catalog import CATALOG
from lossproof.loss import Loss, Variant
from lossproof.machine import environment
from lossproof.references import reference
from lossproof.verdict import SURVIVES, Verdict
from lossproof.verification import verify
from lossproof.workers import Job, Limits, Report

if TYPE_CHECKING:
    from lossproof.scheduling import Cluster

Key = tuple[str, str]
"""Loss and variant."""


def silent(what: str, done: int, total: int) -> None:
    """No progress is shown."""


def verdicts_on(
    asked: Sequence[tuple[Loss, str]],
    device: str,
    dtypes: Sequence[str],
    examples: int = 100,
    seed: int = 0,
    *,
    jobs: int | None = None,
    limits: Limits | None = None,
    report: Report = silent,
    cluster: "Cluster | None" = None,
) -> Generator[tuple[Key, Verdict], None, None]:
    """The verdict on each variant or defect, as they come in; each is kept on disk at once.

    No process is started for what is known. Functions that another process can't import (local ones,
    those of a script or notebook) are verified in this process, without limits. What a limit or a crash
    ended is not kept: it may go otherwise next time.

    Args:
        asked: rows of the catalogue, perhaps under conventions, each with the name of one of its
            variants or defects.
        jobs: worker processes at once; default: one for each core.
        cluster: where to verify instead of on this machine. A verdict is kept under the environment that
            it was made in; one that is known of any worker's will do.

    Raises:
        ValueError: a function can't be imported by the workers of a cluster.
    """
    unknown: list[Job] = []
    keys: dict[Key, dict[str, Any]] = {}
    here: list[tuple[Loss, str]] = []
    own = environment(device) if cluster is None else {}
    places = [own] if cluster is None else cluster.environments()
    for loss, variant in asked:
        key = {
            "loss": loss.name,
            "variant": variant,
            "conventions": list(loss.under),
            "dtypes": list(dtypes),
            "examples": examples,
            "seed": seed,
        }
        function = sendable(loss.implementations[variant])
        keys[loss.name, variant] = {**key, **known_by(loss.implementations[variant])}
        known = (cache.load("verdicts", {**place, **keys[loss.name, variant]}) for place in places)
        kept = next((each for each in known if each is not None), None)
        if kept is not None:
            yield (loss.name, variant), Verdict.from_plain(kept)
        elif function is None or loss.name not in CATALOG:
            if cluster is not None:
                raise ValueError(f"--scheduler: {loss.name} {variant} can't be imported by a worker")
            here.append((loss, variant))
        else:
            names = tuple(dtypes)
            job = Job(loss.name, variant, function, device, names, examples, seed, loss.under)
            unknown.append(job)
    for loss, variant in here:
        verdict = _in_this_process(loss, variant, device, dtypes, examples, seed, report)
        cache.store("verdicts", {**own, **keys[loss.name, variant]}, verdict)
        yield (loss.name, variant), verdict
    limits = limits or Limits()
    found: Iterator[tuple[Job, Verdict, dict[str, str]]]
    if cluster is None:
        found = ((*got, own) for got in workers.run(unknown, jobs or workers.cores(), limits, report))
    else:
        found = cluster.verdicts(unknown, limits, report)
    for job, verdict, place in found:
        if SURVIVES not in verdict.laws_broken:
            cache.store("verdicts", {**place, **keys[job.loss, job.variant]}, verdict)
        yield (job.loss, job.variant), verdict


def sendable(function: Variant) -> str | Adapted | None:
    """What another process can get the function by, if it can."""
    if isinstance(function, Adapted):
        return function if isinstance(function.target, str) else None
    return reference(function)


def known_by(implementation: Variant) -> dict[str, Any]:
    """What results of a function are kept under, beside the project's own source."""
    function = sendable(implementation)
    files = cache.stamp(_module(function))
    return {"function": function.code() if isinstance(function, Adapted) else function, "files": files}


def _module(function: str | Adapted | None) -> str:
    named = str(function.target) if isinstance(function, Adapted) else function
    return (named or "").partition(":")[0].partition(".")[0]


def foreign_modules(functions: Iterable[str | Adapted | None]) -> list[str]:
    """The packages and modules of functions that are not this project's."""
    return sorted({*map(_module, functions)} - {"", *cache.PACKAGES})


def _in_this_process(
    loss: Loss,
    variant: str,
    device: str,
    dtypes: Sequence[str],
    examples: int,
    seed: int,
    report: Report,
) -> Verdict:
    return verify(
        loss.implementations[variant],
        loss,
        device=device,
        dtypes=dtypes,
        examples=examples,
        seed=seed,
        progress=lambda done, total: report(f"verify {loss.name} {variant}", done, total),
    )
