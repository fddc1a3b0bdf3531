"""Mutants of a variant: its source with one small change, anywhere in the functions that it reaches.

The operators are our own, on the syntax tree: those of cosmic-ray change files on disk, and know
nothing of functions of tensors. Left alone is what only checks arguments, which the calls that must be
refused and the tests of signatures are for: functions that return None, ``raise`` and its condition,
whatever is computed for these alone, and defaults of options.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

from lossproof.mutations import changes
from lossproof.sources import Function, is_check, parsed, reached, rebuilt

ROOM = "impls"


@dataclass(frozen=True)
class Mutant:
    """One change in one function.

    Attributes:
        function: its module and name, without the package: ``boxes._overlap``.
        change: the changed expression, before -> after; a number tells apart what reads the same.
        source: the function's syntax tree with the change.
    """

    function: str
    change: str
    source: ast.FunctionDef


def name_of(function: Function) -> str:
    """``boxes._overlap`` for what impls/boxes.py defines."""
    return f"{function.__module__.removeprefix('impls.')}.{function.__name__}"


def mutants_of(function: Function) -> list[Mutant]:
    """All mutants of a variant, in the order of its functions."""
    return [mutant for one in reached(function, ROOM) for mutant in _mutants_in(one)]


@cache
def _mutants_in(function: FunctionType) -> tuple[Mutant, ...]:
    tree = parsed(function)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    seen = {ast.dump(tree)}
    counts: Counter[str] = Counter()
    found = []
    for node in _mutable(tree, function):
        for new in changes(node, function.__globals__):
            source = _with(tree, node, new)
            if (dump := ast.dump(source)) in seen:
                continue
            seen.add(dump)
            shown = _context(node, parents)
            change = f"{_text(shown)} -> {_text(_with(shown, node, new))}"
            counts[change] += 1
            number = f" ({counts[change]})" if counts[change] > 1 else ""
            found.append(Mutant(name_of(function), change + number, source))
    return tuple(found)


def _with(tree: Any, old: ast.AST, new: ast.AST) -> Any:
    """A copy of the tree in which the new node stands for the old one."""
    return copy.deepcopy(tree, {id(old): new})


def _context(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.AST:
    """What to show of a change: a bare number or name says little without what is around it."""
    bare = (ast.Constant, ast.Name, ast.UnaryOp, ast.Slice, ast.Tuple, ast.keyword)
    while isinstance(node, bare) and not isinstance(parents[node], ast.stmt):
        node = parents[node]
    return node


def _text(node: ast.AST) -> str:
    """A line of source; of a statement, its first."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Constant) and node.test.value:
        return "its body alone"
    return ast.unparse(node).splitlines()[0]


# What may be mutated


def _mutable(tree: ast.FunctionDef, function: FunctionType) -> Iterator[ast.AST]:
    """The nodes of a function's body that do more than check."""
    kept = [node for statement in tree.body for node in _working(statement, function)]
    while True:
        idle = _only_for_checks(kept)
        if not idle:
            return iter(kept)
        gone = {inner for node in idle for inner in ast.walk(node)}
        kept = [node for node in kept if node not in gone]


def _working(node: ast.AST, function: FunctionType) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt) and is_check(node, function):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "args") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_strict(child):
                yield from _working(child, function)


def _is_strict(node: ast.AST) -> bool:
    """The ``strict=True`` of a zip."""
    return (
        isinstance(node, ast.keyword)
        and node.arg == "strict"
        and isinstance(node.value, ast.Constant)
        and node.value.value is True
    )


def _only_for_checks(kept: list[ast.AST]) -> list[ast.AST]:
    """Assignments to names that nothing which is kept reads."""
    names = [node for node in kept if isinstance(node, ast.Name)]
    read = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    return [
        node
        for node in kept
        if isinstance(node, ast.Assign)
        and all(isinstance(target, ast.Name) and target.id not in read for target in node.targets)
    ]


# Building


def build(function: Function, mutant: Mutant) -> Function:
    """The variant with the mutant in force, whichever of its modules it is in."""
    changed = {one: mutant.source for one in reached(function, ROOM) if name_of(one) == mutant.function}
    return rebuilt(function, ROOM, changed)
