"""What the inputs reach: both sides of every condition, bound and choice in a source.

A function, and all that it uses, is built again with every condition watched (``if``, ``a if c else
b``, ``and``, ``or``), and every ``where``, ``clamp``, ``clip``, and ``maximum`` or ``max`` of two.
A side that no input reaches is a gap: a fault there would be seen by no law.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np
import torch

from lossproof.cases import generated
from lossproof.loss import Loss
from lossproof.sources import Function, is_check, parsed, reached, rebuilt
from lossproof.tolerance import STEP, items_at
from lossproof.trial import tensors_of
from properties.case import DTYPES, take_rows

CHOICES = ("maximum", "minimum", "max", "min")
"""Functions that choose between two arguments, element by element."""
BOUNDS = ("clamp", "clip")


@dataclass(frozen=True)
class Site:
    """A place in a source, and the sides that it has."""

    function: str
    text: str
    sides: tuple[str, ...]


@dataclass
class Watch:
    """The sites of a source, and those sides of them that were reached."""

    sites: list[Site] = field(default_factory=list)
    reached: set[tuple[int, str]] = field(default_factory=set)

    def gaps(self) -> list[str]:
        """The sides that were never reached, a line each."""
        return [
            f"{site.function}: {site.text}: never {side}"
            for number, site in enumerate(self.sites)
            for side in site.sides
            if (number, side) not in self.reached
        ]

    def _note(self, number: int, **sides: Callable[[], Any]) -> None:
        for side, where in sides.items():
            if (number, side) not in self.reached and _anywhere(where()):
                self.reached.add((number, side))

    # What stands in the source in place of what is watched

    def condition(self, number: int, value: Any) -> Any:
        self._note(number, true=lambda: bool(value), false=lambda: not value)
        return value

    def mask(self, number: int, value: Any) -> Any:
        self._note(number, true=lambda: value, false=lambda: _real(value) == 0)
        return value

    def choice(self, number: int, choose: Callable[..., Any], first: Any, second: Any) -> Any:
        one, other = _real(first), _real(second)
        self._note(number, first=lambda: one > other, second=lambda: one < other)
        return choose(first, second)

    def bound(self, number: int, result: Any, value: Any, low: Any = None, high: Any = None) -> Any:
        plain = _real(value)
        if low is not None:
            self._note(number, below=lambda: plain < low)
        if high is not None:
            self._note(number, above=lambda: plain > high)
        self._note(number, inside=lambda: plain == _real(result))
        return result


def _anywhere(where: Any) -> bool:
    return bool(where.detach().any() if isinstance(where, torch.Tensor) else np.any(where))


def _real(value: Any) -> Any:
    return value.real if isinstance(value, np.ndarray | np.generic) else value


def watched(function: Function, package: str) -> tuple[Function, Watch]:
    """The function with every choice in it, and in what it uses of a package, watched."""
    watch = Watch()
    functions = reached(function, package)
    changed = {one: _Watching(one, watch.sites).visit(parsed(one)) for one in functions}
    return rebuilt(function, package, changed, _watch=watch), watch


def gaps(loss: Loss, examples: int, seed: int = 0) -> list[str]:
    """The sides in the vectorized variant and in the oracle's formula that no generated case reaches,
    nor a case without its rows; of the functions that stand in the loss's own family."""
    variant, in_variant = watched(loss.variants["vectorized"], "impls")
    items, in_oracle = watched(loss.items, "oracles")
    oracle = replace(loss, items=items)
    for dtype in DTYPES:
        for drawn in generated(loss, dtype, examples, seed):
            arguments = loss.arguments_of(drawn)
            moved = next(argument.name for argument in arguments if argument.gradient)
            nothing = [take_rows(drawn, arguments, slice(0, 0))] if drawn[moved].ndim else []
            for case in (drawn, *nothing):
                tensors = tensors_of(loss, case, getattr(torch, dtype), "cpu", "strided")
                positional, options = loss.torch_call(case, tensors)
                for reduction in ("none", "sum", "mean"):
                    variant(*positional, **options, reduction=reduction)
                items_at(oracle, case)
                items_at(oracle, case.changed(**{moved: case[moved] + STEP * 1j}))
    own = f".{loss.family}."
    return [gap for watch in (in_variant, in_oracle) for gap in watch.gaps() if own in gap]


class _Watching(ast.NodeTransformer):
    """Puts calls of the watch into a function's source."""

    def __init__(self, function: FunctionType, sites: list[Site]) -> None:
        self.function, self.sites = function, sites

    def _call(self, kind: str, shown: str, sides: tuple[str, ...], *arguments: ast.expr) -> ast.expr:
        name = f"{self.function.__module__}.{self.function.__name__}"
        self.sites.append(Site(name, shown, sides))
        watch = ast.Attribute(ast.Name("_watch", ast.Load()), kind, ast.Load())
        return ast.Call(watch, [ast.Constant(len(self.sites) - 1), *arguments], [])

    def _condition(self, test: ast.expr) -> ast.expr:
        shown = ast.unparse(test)
        return self._call("condition", shown, ("true", "false"), self.visit(test))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if is_check(node, self.function) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        if is_check(node, self.function):
            return node
        node.test = self._condition(node.test)
        node.body = [self.visit(inner) for inner in node.body]
        node.orelse = [self.visit(inner) for inner in node.orelse]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = self._condition(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        node.values = [self._condition(value) for value in node.values]
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [self._condition(test) for test in node.ifs]
        node.iter = self.visit(node.iter)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        shown = ast.unparse(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_method = isinstance(node.func, ast.Attribute) and not self._is_module(node.func.value)
        self.generic_visit(node)
        plain = not any(isinstance(argument, ast.Starred) for argument in node.args)
        if name == "where" and len(node.args) == 3:
            node.args[0] = self._call("mask", shown, ("true", "false"), node.args[0])
        elif name in CHOICES and len(node.args) == 2 and plain and not is_method and not node.keywords:
            return self._call("choice", shown, ("first", "second"), node.func, *node.args)
        elif name in BOUNDS:
            return self._bound(node, shown, is_method)
        return node

    def _is_module(self, node: ast.expr) -> bool:
        value = self.function.__globals__.get(node.id) if isinstance(node, ast.Name) else None
        return value in (np, torch)

    def _bound(self, node: ast.Call, shown: str, is_method: bool) -> ast.expr:
        assert isinstance(node.func, ast.Attribute)
        values = [node.func.value, *node.args] if is_method else list(node.args)
        given = {**dict(zip(("min", "max"), values[1:], strict=False))}
        given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        sides = [side for side, name in (("below", "min"), ("above", "max")) if name in given]
        nothing = ast.Constant(None)
        limits = (given.get("min", nothing), given.get("max", nothing))
        return self._call("bound", shown, (*sides, "inside"), node, values[0], *limits)
