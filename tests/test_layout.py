"""The lines of a program: joined, wrapped, and the same as before."""

import ast

import pytest

from lossproof.layout import LINES, WIDTH, laid_out


def _assignments(count: int) -> list[str]:
    return [f"x_{n} = {'1' * (n % 5 + 1)}" for n in range(count)]


@pytest.mark.parametrize("count", [5, 21, 40])
def test_too_many_assignments_share_lines(count: int) -> None:
    """In order, and no line more is joined than must be."""
    body = [*_assignments(count), "assert x_0"]
    lines = laid_out(["import torch"], body)
    assert len(lines) <= LINES
    assert len(lines) == min(LINES, count + 2)
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(
        ast.parse("\n".join(["import torch", *body]))
    )


def test_what_is_no_assignment_is_not_joined() -> None:
    body = ["with open('a'):", "    x = 1"] * 15
    assert laid_out([], body) == body


@pytest.mark.parametrize(
    "line",
    [
        f"x = torch.tensor([{', '.join(['1.0'] * 60)}])",
        f"    x = torch.tensor([{', '.join(['1.0'] * 60)}])",
        f"x = function({', '.join(f'option_{n}={n}' for n in range(20))})",
    ],
)
def test_a_long_line_is_wrapped_in_brackets(line: str) -> None:
    header = ["if True:"] if line.startswith(" ") else []
    lines = laid_out([], [*header, line])
    assert len(lines) > len(header) + 1
    assert all(len(piece) <= WIDTH for piece in lines)
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse("\n".join([*header, line])))


@pytest.mark.parametrize("line", [f"x = '{'word ' * 40}'", f"x = {' + '.join(['1'] * 60)}"])
def test_a_line_that_would_change_stays(line: str) -> None:
    assert laid_out([], [line]) == [line]


def test_nothing_is_wrapped_without_room() -> None:
    line = f"x = torch.tensor([{', '.join(['1.0'] * 60)}])"
    head = ["import torch"] * (LINES - 1)
    assert laid_out(head, [line]) == [*head, line]
