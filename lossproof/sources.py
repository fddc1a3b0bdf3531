"""The source of a function and of all that it uses: found, parsed, and built again with changes."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

Function = Callable[..., Any]


def reached(function: Function, package: str) -> list[FunctionType]:
    """The function and all functions of a package that it uses, but for those that only check."""
    found: dict[FunctionType, None] = {}
    waiting: list[object] = [function]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, FunctionType) and one not in found:
            found[one] = None
            used = [one.__globals__.get(name) for name in names_in(one.__code__)]
            waiting += [f for f in used if _is_of(f, package) and not only_checks(f)]
    return list(found)


def names_in(code: CodeType) -> list[str]:
    """The names that code looks up outside of itself, and the functions in it do."""
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in names_in(part)]
    return [*code.co_names, *inner]


def _is_of(value: object, package: str) -> bool:
    return isinstance(value, FunctionType) and value.__module__.startswith(f"{package}.")


def only_checks(function: object) -> bool:
    """Whether it returns nothing: all it can do is raise."""
    return isinstance(function, FunctionType) and function.__annotations__.get("return", ...) is None


def is_check(statement: ast.stmt, function: FunctionType) -> bool:
    """Whether a statement of a function can only raise, or is text: refusals have tests of their own."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        return isinstance(called, ast.Name) and only_checks(function.__globals__.get(called.id))
    if isinstance(statement, ast.If | ast.For) and not statement.orelse:
        return all(is_check(inner, function) for inner in statement.body)
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Raise)


def parsed(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    return tree


def rebuilt(
    function: Function, package: str, changed: Mapping[FunctionType, ast.FunctionDef], **names: Any
) -> Function:
    """The function with other sources in force for some that it reaches, whichever module holds them.

    All that it reaches gets globals of its own, in which every function is the copy's, and ``names``
    are known besides.
    """
    functions = reached(function, package)
    spaces = {one.__module__: {**one.__globals__, **names} for one in functions}
    copies = {one: _copied(one, spaces[one.__module__], changed.get(one)) for one in functions}
    for space in spaces.values():
        for name, value in space.items():
            if isinstance(value, FunctionType):
                space[name] = copies.get(value, value)
    return next(iter(copies.values()))


def _copied(
    function: FunctionType, space: dict[str, Any], source: ast.FunctionDef | None
) -> FunctionType:
    if source is not None:
        module = ast.fix_missing_locations(ast.Module([source], []))
        made: dict[str, Any] = {}
        exec(compile(module, f"<{function.__name__}, changed>", "exec"), space, made)
        new = made[function.__name__]
        assert isinstance(new, FunctionType)
        return new
    new = FunctionType(function.__code__, space, function.__name__, function.__defaults__)
    new.__kwdefaults__ = function.__kwdefaults__
    new.__annotations__ = function.__annotations__
    return new
