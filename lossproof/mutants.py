"""Mutants of a variant: its source with one small change, anywhere in the functions that it reaches.

The operators are our own, on the syntax tree: those of cosmic-ray change files on disk, and know
nothing of functions of tensors. Left alone is what only checks arguments, which the calls that must be
refused and the tests of signatures are for: functions that return None, ``raise`` and its condition,
whatever is computed for these alone, and defaults of options.
"""

import ast
import copy
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any, TypeGuard

from lossproof.mutations import changes

Function = Callable[..., Any]


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


def reached(function: Function) -> list[FunctionType]:
    """The function, and all functions of the variants that it uses, but for those that only check."""
    found: dict[FunctionType, None] = {}
    waiting = [function]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, FunctionType) or one in found:
            continue
        found[one] = None
        used = (one.__globals__.get(name) for name in _names_in(one.__code__))
        waiting += [f for f in used if _is_ours(f) and not only_checks(f)]
    return list(found)


def _names_in(code: CodeType) -> list[str]:
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names_in(part)]
    return [*code.co_names, *inner]


def _is_ours(value: object) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType) and value.__module__.startswith("impls.")


def only_checks(function: object) -> bool:
    """Whether it returns nothing: all it can do is raise."""
    return isinstance(function, FunctionType) and function.__annotations__.get("return", ...) is None


def mutants_of(function: Function) -> list[Mutant]:
    """All mutants of a variant, in the order of its functions."""
    return [mutant for one in reached(function) for mutant in _mutants_in(one)]


@cache
def _mutants_in(function: FunctionType) -> tuple[Mutant, ...]:
    tree = _parsed(function)
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


def _parsed(function: FunctionType) -> ast.FunctionDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    return tree


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
    if isinstance(node, ast.stmt) and _is_check(node, function):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "args") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_strict(child):
                yield from _working(child, function)


def _is_check(statement: ast.stmt, function: FunctionType) -> bool:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        return isinstance(called, ast.Name) and only_checks(function.__globals__.get(called.id))
    if isinstance(statement, ast.If | ast.For) and not statement.orelse:
        return all(_is_check(inner, function) for inner in statement.body)
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Raise)


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
    """The variant with the mutant in force, whichever of its modules it is in.

    All that it reaches gets globals of its own, in which every function is the copy's.
    """
    functions = reached(function)
    spaces = {one.__module__: dict(one.__globals__) for one in functions}
    copies = {one: _copied(one, spaces[one.__module__], mutant) for one in functions}
    for space in spaces.values():
        for name, value in space.items():
            if isinstance(value, FunctionType):
                space[name] = copies.get(value, value)
    return next(iter(copies.values()))


def _copied(function: FunctionType, space: dict[str, Any], mutant: Mutant) -> FunctionType:
    if name_of(function) == mutant.function:
        module = ast.fix_missing_locations(ast.Module([mutant.source], []))
        made: dict[str, Any] = {}
        exec(compile(module, f"<mutant of {mutant.function}>", "exec"), space, made)
        new = made[function.__name__]
        assert isinstance(new, FunctionType)
        return new
    new = FunctionType(function.__code__, space, function.__name__, function.__defaults__)
    new.__kwdefaults__ = function.__kwdefaults__
    new.__annotations__ = function.__annotations__
    return new
