"""How findings in other libraries are shown: the table of ``lossproof verify --peers``, and
``docs/findings.md``."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from lossproof.findings import WRONG, Confirmed, Findings, Peer, of_peer, unconfirmed
from lossproof.peers import CONVENTIONS, package
from lossproof.report import STYLES

HEAD = """\
# Findings in other libraries

<!-- Made by `python -m lossproof.docs`; don't edit. -->

What `lossproof verify --peers` said of other libraries' losses, called through the adapters in
`impls/peers`, on {dtypes} with {examples} generated cases each ({made_with}). A form
that is not correct as it is was asked again under the [conventions](losses.md#conventions) that its
library documents: these are no defects. What is called wrong was checked by hand against the definition
and the library's own documentation, and has a program that needs nothing but torch and the library. What
nobody has checked yet is named as such. Options that a library does not have are not supported; the rest
is judged.

{count} findings are confirmed, of {causes} causes: some losses of a library share one.

{table}
"""


def peers_table(peers: Sequence[Peer]) -> Table:
    """A line for each form."""
    table = Table("library", "loss", "outcome", "laws broken", "refused", box=None, pad_edge=False)
    for peer in peers:
        outcome = Text(peer.said, STYLES[peer.outcome])
        laws = ", ".join(f"{finding.law} ({finding.dtype})" for finding in peer.findings)
        refused = ", ".join(peer.refused)
        table.add_row(f"{peer.library} {peer.version}", peer.loss, outcome, laws, refused)
    return table


def page(findings: Findings, entries: Sequence[Confirmed], dtypes: Iterable[str], examples: int) -> str:
    """All of docs/findings.md."""
    shown = [entry for peer in findings.peers for entry in of_peer(peer, entries)]
    rows = [_row(peer, entries) for peer in findings.peers]
    lines = [("library", "loss", "outcome", "its conventions", "not supported"), ("---",) * 5, *rows]
    head = HEAD.format(
        dtypes=" and ".join(dtypes),
        examples=examples,
        made_with=", ".join(f"{name} {version}" for name, version in findings.made_with.items()),
        count=len(shown),
        causes=len({(entry.library, entry.title) for entry in shown}),
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
    )
    absent = [f"{library} could not be imported: {why}.\n" for library, why in findings.absent.items()]
    parts = [head, *absent]
    for library, mine in groupby(shown, key=lambda entry: entry.library):
        version = next(peer.version for peer in findings.peers if peer.library == library)
        parts.append(f"## {package(library)} {version}\n")
        parts += [_section(entry, findings) for entry in mine]
    return "\n".join(parts)


def _row(peer: Peer, entries: Sequence[Confirmed]) -> tuple[str, ...]:
    documented = CONVENTIONS.get(peer.key)
    where = ""
    if documented and peer.under:
        where = f"{', '.join(f'`{name}`' for name in peer.under)} ({documented.where})"
    outcome = peer.said
    if peer.outcome in WRONG:
        known = of_peer(peer, entries)
        parts = [f"wrong: {', '.join(f'[{e.title}](#{_anchor(e)})' for e in known)}"] if known else []
        if left := unconfirmed(peer, entries):
            parts.append(f"not confirmed yet: {', '.join(f'`{law}`' for law in left)}")
        outcome = "; ".join(parts)
    cells = (
        f"{package(peer.library)} {peer.version}",
        f"[`{peer.loss}`](losses.md#{peer.loss})",
        outcome,
        where,
    )
    return *(cell.replace("|", "\\|") for cell in cells), ", ".join(f"`{n}`" for n in peer.refused)


def _anchor(entry: Confirmed) -> str:
    """As GitHub makes it of the heading."""
    words = _heading(entry).lower().replace(" ", "-")
    return "".join(letter for letter in words if letter.isalnum() or letter in "-_")


def _heading(entry: Confirmed) -> str:
    return f"{entry.library} {entry.loss}: {entry.title}"


def _section(entry: Confirmed, findings: Findings) -> str:
    """One finding: what happens, what is said of it, and its program."""
    peer = next(peer for peer in findings.peers if peer.key == entry.key)
    broken = [f for f in peer.findings if f.law in entry.laws]
    laws = ", ".join(f"`{finding.law}` ({finding.dtype})" for finding in broken)
    return f"""\
### {_heading(entry)}

{entry.what}

- **Call**: `{entry.call}`
- **Definition**: {entry.definition}
- **Documentation**: {entry.documentation.strip()}
- **Laws broken**: {laws}

<!-- not run: fails on purpose, and needs the library; test_findings.py runs it where there is one -->
```python
{entry.program.strip()}
```

It ends with `{findings.programs.get(entry.program, "")}`.
"""
