"""What may go wrong in one place of a source: the operators of :mod:`lossproof.mutants`."""

import ast
import builtins
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod,
}
ORDERED = (ast.Sub, ast.Div, ast.Pow, ast.MatMult)
"""Operators whose sides can't be swapped."""
COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Each with its boundary moved, and negated."""
_PAIRS = {
    "exp": "expm1",
    "log": "log1p",
    "sin": "cos",
    "sinh": "cosh",
    "sum": "mean",
    "amax": "amin",
    "argmax": "argmin",
    "max": "min",
    "maximum": "minimum",
    "any": "all",
    "softmax": "log_softmax",
    "sigmoid": "tanh",
    "square": "abs",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "new_zeros": "new_ones",
}
NAMES: Mapping[str, str] = {
    **_PAIRS,
    **{second: first for first, second in _PAIRS.items()},
    "logsigmoid": "softplus",
    "logsumexp": "sum",
    "logaddexp": "maximum",
    "float": "bfloat16",
}
"""Functions that are easily taken for another."""
ATTRIBUTES: Mapping[str, str] = {"tiny": "eps", "float64": "float32"}
SYMMETRIC = frozenset({"maximum", "minimum", "max", "min", "logaddexp", "isinstance", "equal"})
"""Functions whose arguments may come in any order, or fail in another one."""
REMOVABLE = frozenset({"detach", "clamp", "to", "float", "square", "abs", "masked_fill"})
"""Methods without which the tensor still has its shape."""
ELEMENTWISE = frozenset({"exp", "log", "log1p", "expm1", "sigmoid", "logsigmoid", "sinh", "cos", "sin"})
LITTLE_MORE = 1.01


def changes(node: ast.AST, names: Mapping[str, Any]) -> Iterator[ast.AST]:
    """What may stand in a node's place; ``names`` are the globals of its function."""
    match node:
        case ast.BinOp():
            yield from _of_operator(node)
        case ast.UnaryOp(op=ast.USub() | ast.Invert() | ast.Not()):
            yield node.operand
        case ast.Compare(ops=[op]):
            for other in COMPARISONS[type(op)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            yield from node.values
        case ast.Constant():
            yield from _of_constant(node)
        case ast.Name(ctx=ast.Load()) if _is_number(names.get(node.id)):
            yield _times(node, LITTLE_MORE)
            yield ast.Constant(0)
        case ast.Attribute(attr="pi"):
            yield _times(node, LITTLE_MORE)
        case ast.Attribute() if node.attr in ATTRIBUTES:
            yield ast.Attribute(node.value, ATTRIBUTES[node.attr], node.ctx)
        case ast.Call():
            yield from _of_call(node, names)
        case ast.IfExp():
            yield from (node.body, node.orelse)
            yield from _negated(node, node.test)
        case ast.If():
            yield ast.If(ast.Constant(False), node.body, node.orelse)
            yield from _negated(node, node.test)
        case ast.With():
            yield ast.If(ast.Constant(True), node.body, [])


def _of_operator(node: ast.BinOp) -> Iterator[ast.AST]:
    """Another operator, swapped sides, and the dropped terms."""
    if type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    if isinstance(node.op, ORDERED):
        yield ast.BinOp(node.right, node.op, node.left)
    yield node.left
    if not isinstance(node.op, ast.Pow | ast.Div):
        yield node.right


def _of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    """A whole number one more or less, a float a little more or 0; a flag turned."""
    number = node.value
    if isinstance(number, bool):
        yield ast.Constant(not number)
    elif isinstance(number, int):
        yield ast.Constant(number + 1)
        if number > 0:
            yield ast.Constant(number - 1)
    elif isinstance(number, float):
        yield ast.Constant(number * LITTLE_MORE if number else 1.0)
        if number:
            yield ast.Constant(0.0)


def _of_call(node: ast.Call, names: Mapping[str, Any]) -> Iterator[ast.AST]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else _id(node.func)
    is_builtin = isinstance(node.func, ast.Name) and hasattr(builtins, called)
    other = NAMES.get(called)
    if other is not None and isinstance(node.func, ast.Attribute):
        yield _call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)
    elif other is not None and is_builtin and hasattr(builtins, other):
        yield _call(ast.Name(other, ast.Load()), node.args, node.keywords)
    if isinstance(node.func, ast.Attribute) and called in REMOVABLE:
        yield node.func.value
    ours = isinstance(names.get(called), FunctionType) or called in ELEMENTWISE
    if ours and not _is_method(node):
        match node.args, node.keywords:
            case [argument], [] if not isinstance(argument, ast.Starred):
                yield argument
    if called == "clamp":
        yield from _of_clamp(node)
    if called == "where" and len(node.args) == 3:
        yield from node.args[1:]
    if len(node.args) > 1 and called not in SYMMETRIC and not is_builtin:
        yield _call(node.func, [*_swapped(node.args)], node.keywords)


def _swapped(arguments: list[ast.expr]) -> list[ast.expr]:
    """The last two, one for the other."""
    return [*arguments[:-2], arguments[-1], arguments[-2]]


def _of_clamp(node: ast.Call) -> Iterator[ast.AST]:
    """Each bound dropped, or taken for the other one."""
    if len(node.keywords) > 1:
        for bound in node.keywords:
            yield _call(node.func, node.args, [k for k in node.keywords if k is not bound])
    else:
        turned = {"min": "max", "max": "min"}
        bounds = [ast.keyword(turned[str(k.arg)], k.value) for k in node.keywords]
        yield _call(node.func, node.args, bounds)


def _is_method(node: ast.Call) -> bool:
    """x.exp(), whose argument is x, rather than torch.exp(x)."""
    modules = ("torch", "F", "math")
    return isinstance(node.func, ast.Attribute) and _id(node.func.value) not in modules


def _negated(node: ast.IfExp | ast.If, test: ast.expr) -> Iterator[ast.AST]:
    """A condition that has no operator of its own to change."""
    if isinstance(test, ast.Name | ast.Attribute | ast.Call):
        turned = ast.UnaryOp(ast.Not(), test)
        if isinstance(node, ast.If):
            yield ast.If(turned, node.body, node.orelse)
        else:
            yield ast.IfExp(turned, node.body, node.orelse)


def _call(function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.Call:
    return ast.Call(function, arguments, keywords)


def _times(node: ast.expr, factor: float) -> ast.BinOp:
    return ast.BinOp(ast.Constant(factor), ast.Mult(), node)


def _id(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
