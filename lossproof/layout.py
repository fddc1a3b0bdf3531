"""The lines of a program: as many as a person reads at once, and no longer than they must be."""

import ast
import re
import textwrap
from itertools import pairwise

LINES = 24
WIDTH = 105
ASSIGNMENT = re.compile(r"\w+ = .*[^#]*$")


def laid_out(head: list[str], body: list[str]) -> list[str]:
    """The lines of a program, of which the body may be joined and wrapped.

    Assignments share a line where there are too many; long lines are wrapped where there is room.
    """
    body = _joined(body, LINES - len(head))
    room = LINES - len(head) - len(body)
    lines = list(head)
    for line in body:
        pieces = _wrapped(line)
        if len(pieces) - 1 > room:
            pieces = [line]
        room -= len(pieces) - 1
        lines += pieces
    return lines


def _joined(lines: list[str], most: int) -> list[str]:
    """The shortest neighbours together, until there are no more than asked for, where that can be."""
    lines = list(lines)
    while len(lines) > most:
        pairs = [
            (len(first) + len(second), place)
            for place, (first, second) in enumerate(pairwise(lines))
            if ASSIGNMENT.fullmatch(first) and ASSIGNMENT.fullmatch(second)
        ]
        if not pairs:
            break
        _, place = min(pairs)
        lines[place : place + 2] = [f"{lines[place]}; {lines[place + 1]}"]
    return lines


def _wrapped(line: str) -> list[str]:
    """A line in pieces that say the same, if it is long and can be cut at spaces."""
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    pieces = textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    try:
        same = _meaning(pieces) == _meaning([line])
    except SyntaxError:  # cut outside of brackets
        return [line]
    return pieces if same else [line]


def _meaning(lines: list[str]) -> str:
    return ast.dump(ast.parse(textwrap.dedent("\n".join(lines))))
