"""Findings in other libraries: what their forms say to the laws, kept with the versions that ran.

``lossproof verify --peers`` judges them, first as they are, then under the conventions that the library
documents. ``--save`` keeps what ran in ``findings.json``. ``confirmed.toml`` is kept by hand: each of
its entries is a finding that was checked against the definition and the library's own documentation,
with a program that calls the library alone. ``docs/findings.md`` is made of both, and shows nothing else
as wrong.
"""

import json
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

from lossproof.catalog import CATALOG
from lossproof.conventions import under
from lossproof.loss import Loss
from lossproof.peers import CONVENTIONS, PEERS, peers_of, versions
from lossproof.programs import replay
from lossproof.verdict import Verdict, said
from lossproof.verdicts import Key
from lossproof.verification import MANY
from lossproof.workers import Limits

KEPT = Path(__file__).parent / "findings.json"
CONFIRMED = Path(__file__).parent / "confirmed.toml"
DTYPES = ("float32", "float64")
"""Those that libraries are judged on unless told otherwise, the one that they are used in first: a law
that breaks there is not asked again."""
EXAMPLES, SEED = MANY, 0
WRONG = ("wrong", "error")

Judge = Callable[[list[tuple[Loss, str]]], tuple[dict[Key, Verdict], bool]]
"""Verdicts on rows of the catalogue, each with a variant's name, and whether they were cut short."""


@dataclass(frozen=True)
class BrokenLaw:
    """One law that a library's form breaks, and the program that shows it, which calls our adapter."""

    law: str
    dtype: str
    reason: str
    program: str


@dataclass(frozen=True)
class Peer:
    """What came of a library's form of a loss.

    Attributes:
        outcome: of a verdict.
        under: the conventions of that verdict.
        judged: of how many cases the value was judged.
        refused: what it has no option for.
    """

    library: str
    version: str
    loss: str
    outcome: str
    under: tuple[str, ...] = ()
    judged: int = 0
    refused: tuple[str, ...] = ()
    findings: tuple[BrokenLaw, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.library, self.loss

    @property
    def said(self) -> str:
        return said("refused" if self.outcome == "unsupported" else self.outcome, self.under)

    @property
    def laws(self) -> tuple[str, ...]:
        return tuple(finding.law for finding in self.findings)


@dataclass(frozen=True)
class Confirmed:
    """A finding that was checked by hand.

    Attributes:
        laws: the laws that break for this reason.
        what: what happens.
        definition: what the definition says.
        documentation: what the library's own documentation says.
        call: the library's call.
        program: shows it with nothing but torch and the library, and fails.
    """

    library: str
    loss: str
    laws: tuple[str, ...]
    title: str
    what: str
    definition: str
    documentation: str
    call: str
    program: str

    @property
    def key(self) -> tuple[str, str]:
        return self.library, self.loss


@dataclass
class Findings:
    """All that ran.

    Attributes:
        made_with: versions.
        absent: libraries that could not be imported, with the reason.
        programs: of each confirmed program, by its text, the last line that it printed, or nothing where
            it did not fail.
    """

    peers: list[Peer] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)

    def add(self, new: Iterable[Peer]) -> None:
        """In the place of older ones of the same, in the order of the table of peers."""
        known = {peer.key: peer for peer in self.peers} | {peer.key: peer for peer in new}
        order = [(library, loss) for library, losses in PEERS.items() for loss in losses]
        self.peers = [known[key] for key in order if key in known]


# Judging


def judge(
    losses: Sequence[str], make: Judge, libraries: Iterable[str] | None = None
) -> tuple[list[Peer], dict[str, str], bool]:
    """The adapters of these losses, all or of these libraries, the absent libraries, and whether it was
    cut short."""
    absent: dict[str, str] = {}
    rows = {}
    for loss in losses:
        variants = {_named(library): f for library, f in peers_of(loss, absent, libraries).items()}
        rows[loss] = replace(CATALOG[loss], variants=variants, defects={})
    plain, stopped = make([(row, name) for row in rows.values() for name in row.variants])
    again = [
        (under(rows[loss], documented.conventions), name)
        for (loss, name), verdict in plain.items()
        if verdict.outcome in WRONG and (documented := CONVENTIONS.get((name.split()[0], loss)))
    ]
    changed, also = make(again) if again and not stopped else ({}, stopped)
    missing = {(row.name, name) for row, name in again} - changed.keys()
    found = {key: verdict for key, verdict in {**plain, **changed}.items() if key not in missing}
    return [_peer(name, verdict) for (_, name), verdict in found.items()], absent, stopped or also


def _named(library: str) -> str:
    """With its version, so that verdicts on another one are not read from disk."""
    return f"{library} {versions().get(library, 'of unknown version')}"


def _peer(name: str, verdict: Verdict) -> Peer:
    library, _, version = name.partition(" ")
    findings = tuple(BrokenLaw(f.law, f.dtype, f.reason, f.snippet) for f in verdict.findings)
    return Peer(
        library,
        version,
        verdict.loss,
        verdict.outcome,
        verdict.under,
        verdict.applied.get("value", 0),
        tuple(dict.fromkeys(reason.partition(":")[0] for reason in verdict.refused)),
        findings,
    )


def run_programs(entries: Iterable[Confirmed], limits: Limits) -> dict[str, str]:
    """Each confirmed program in a process of its own: the last line that it printed, if it failed."""
    printed = {}
    with tempfile.TemporaryDirectory(prefix="lossproof-") as folder:
        for entry in entries:
            file = Path(folder, "program.py")
            file.write_text(entry.program, encoding="utf-8")
            passed, output = replay(file, limits)
            lines = [line for line in output.splitlines() if not line.startswith("(exit code")]
            printed[entry.program] = "" if passed or not lines else lines[-1]
    return printed


# On disk


def read(file: Path = KEPT) -> Findings:
    """What ran; nothing if there is no file."""
    if not file.exists():
        return Findings()
    kept = json.loads(file.read_text(encoding="utf-8"))
    peers = []
    for row in kept.pop("peers"):
        lists = {name: tuple(row[name]) for name in ("under", "refused")}
        broken = tuple(BrokenLaw(**finding) for finding in row["findings"])
        peers.append(Peer(**{**row, **lists, "findings": broken}))
    return Findings(peers, **kept)


def write(findings: Findings, file: Path = KEPT) -> None:
    """Keep what ran."""
    file.write_text(json.dumps(asdict(findings), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def confirmed(file: Path = CONFIRMED) -> tuple[Confirmed, ...]:
    """The entries that are kept by hand."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["confirmed"]
    return tuple(Confirmed(**{**row, "laws": tuple(row["laws"])}) for row in rows)


def of_peer(peer: Peer, entries: Iterable[Confirmed]) -> list[Confirmed]:
    """The entries of a library's form."""
    return [entry for entry in entries if entry.key == peer.key]


def unconfirmed(peer: Peer, entries: Iterable[Confirmed]) -> list[str]:
    """The laws that it breaks and that no entry speaks of."""
    known = {law for entry in of_peer(peer, entries) for law in entry.laws}
    return [law for law in peer.laws if law not in known]


def faults(findings: Findings, entries: Sequence[Confirmed]) -> list[str]:
    """Entries that don't match what ran: of a form that isn't there, of a law that holds, or with a
    program that does not fail."""
    peers: Mapping[tuple[str, str], Peer] = {peer.key: peer for peer in findings.peers}
    found = []
    for entry in entries:
        name = f"{entry.library} {entry.loss}, {entry.title}"
        if entry.key not in peers:
            found.append(f"{name}: was not run")
            continue
        found += [f"{name}: {law} holds" for law in entry.laws if law not in peers[entry.key].laws]
        if not findings.programs.get(entry.program):
            found.append(f"{name}: its program was not seen to fail")
    return found
