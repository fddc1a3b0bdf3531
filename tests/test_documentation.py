"""Every block of code in README.md and docs/ runs, word for word, in a folder of its page's own.

The fence says what a block is:

- ``python`` runs after those above it on the page; with ``title="focal.py"`` it is written to that file;
- ``console``: each line is a command for the shell, the last one's exit code counts;
- ``text`` below one of these is what it printed, where ``...`` stands for any characters, or any lines.

A comment right above may say more: ``<!-- exit 1 -->``, ``<!-- raises AssertionError -->``, and
``<!-- not run: why -->``. What is not run must at least be understood: Python compiles it, and the
command line knows its commands and options. ``<!-- needs triton -->`` leaves out a page where that can't
be imported.
"""

import difflib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from lossproof.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass
class Block:
    """A block of code: where it is, what its fence says, the comments above, what it should print."""

    place: str
    language: str
    title: str
    code: str
    comments: str
    printed: str | None = None

    def asked(self, what: str) -> str:
        """What a comment above says after these words."""
        found = re.search(rf"<!-- {what}:? ?(.*?) ?-->", self.comments, re.DOTALL)
        return found[1] if found else ""


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that do something."""
    last: Block | None = None
    comments = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            comments += token.content
            continue
        language, _, more = token.info.partition(" ")
        if token.type == "fence" and language == "text":
            assert last is not None, f"{page.name}: printed by nothing"
            assert last.printed is None, f"{page.name}: printed by nothing"
            last.printed = token.content
        if token.type == "fence" and language in ("python", "console"):
            if last is not None:
                yield last
            title = re.fullmatch(r'title="(.+)"', more)
            place = f"{page.name}:{token.map[0] + 1}" if token.map else page.name
            last = Block(place, language, title[1] if title else "", token.content, comments)
        comments = ""
    if last is not None:
        yield last


@dataclass
class Reader:
    """Somebody who follows a page."""

    folder: Path
    names: dict[str, Any]

    def follow(self, page: Path) -> None:
        for block in blocks(page):
            if block.asked("not run"):
                understood(block)
                continue
            printed = self.python(block) if block.language == "python" else self.console(block)
            if block.printed is not None:
                compare(block, printed)

    def python(self, block: Block) -> str:
        code = compile(block.code, block.place, "exec")
        if block.title:
            (self.folder / block.title).write_text(block.code, encoding="utf-8")
            return ""
        out = io.StringIO()
        expected = block.asked("raises")
        with redirect_stdout(out):
            try:
                exec(code, self.names)
            except Exception as error:
                if type(error).__name__ != expected:
                    raise
                return out.getvalue()
        assert not expected, f"{block.place}: raised no {expected}"
        return out.getvalue()

    def console(self, block: Block) -> str:
        """What all of its commands print, standard error left aside."""
        printed, commands = "", block.code.splitlines()
        for number, command in enumerate(commands, 1):
            wanted = int(block.asked("exit") or 0) if number == len(commands) else 0
            run = self.ours if command.startswith("lossproof ") else self.theirs
            code, output, errors = run(command)
            printed += output
            assert code == wanted, f"{block.place}: {command}: exit {code}\n{output}{errors}"
        return printed

    def ours(self, command: str) -> tuple[int, str, str]:
        """A command of this project, which need not import torch anew: exit code, output, errors."""
        ran = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
        return ran.exit_code, ran.stdout, ran.stderr

    def theirs(self, command: str) -> tuple[int, str, str]:
        """A command for the shell."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        environment = {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        how: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "check": False}
        ran = subprocess.run(command, shell=True, cwd=self.folder, env=environment, **how)
        return ran.returncode, ran.stdout, ran.stderr


def compare(block: Block, printed: str) -> None:
    """That a block printed what the page shows."""
    wanted, got = (
        [line.rstrip() for line in text.strip().splitlines()] for text in (block.printed or "", printed)
    )
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in wanted
    )
    if not re.fullmatch(pattern, "".join(f"{line}\n" for line in got)):
        shown = "\n".join(difflib.unified_diff(wanted, got, "the page", "printed", lineterm=""))
        pytest.fail(f"{block.place} printed otherwise\n{shown}", pytrace=False)


def understood(block: Block) -> None:
    """That what is not run could be: the code compiles, the commands are known with their options."""
    if block.language == "python":
        compile(block.code, block.place, "exec")
        return
    known: Any = typer.main.get_command(app)
    for line in block.code.splitlines():
        for command in line.split(" && "):
            words = shlex.split(command, comments=True)
            if words[:1] == ["lossproof"]:
                known.commands[words[1]].make_context(words[1], words[2:])
            if words[:2] == ["python", "-m"]:
                assert importlib.util.find_spec(words[2]), f"{block.place}: no module {words[2]}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader in an empty folder, from which Python imports; nothing imported there stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Reader(tmp_path, {"__name__": "__page__"})
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    needed = re.search(r"<!-- needs (\w+) -->", page.read_text(encoding="utf-8"))
    if needed and importlib.util.find_spec(needed[1]) is None:
        pytest.skip(f"{needed[1]} can't be imported")
    reader.follow(page)


# The reader

RIGHT = """
```python title="three.py"
number = 3
```

```python
from three import number
print(number)
print("more")
```
```text
3
m...e
```

<!-- exit 1 -->
```console
echo one
echo two && exit 1
```
```text
one
two
```

<!-- raises ZeroDivisionError -->
```python
number / 0
```

<!-- not run: an example -->
```console
lossproof choose giou --size 10  # hours
```
"""


def test_a_right_page_passes(reader: Reader) -> None:
    (reader.folder / "page.md").write_text(RIGHT, encoding="utf-8")
    reader.follow(reader.folder / "page.md")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("number = 3", "number = 4", "page.md:6 printed otherwise"),
        ("number = 3", "number =", "invalid syntax"),
        ("3\nm...e", "3", "page.md:6 printed otherwise"),
        ("exit 1\n", "exit 2\n", "echo two && exit 2: exit 2"),
        ("echo one", "no-such-command", "no-such-command: exit 127"),
        ("number / 0", "number / 1", "raised no ZeroDivisionError"),
        ("number / 0", "nmber / 0", "name 'nmber' is not defined"),
        ("--size 10", "--sise 10", "sise"),
        ("choose giou", "chose giou", "chose"),
        ("```python\nfrom three", "```\nfrom three", "page.md:2 printed otherwise"),
        ("3\nm...e\n```", "3\nm...e\n```\n```text\n```", "page.md: printed by nothing"),
    ],
)
def test_a_wrong_page_fails(reader: Reader, right: str, wrong: str, message: str) -> None:
    assert right in RIGHT
    (reader.folder / "page.md").write_text(RIGHT.replace(right, wrong), encoding="utf-8")
    failures = (Exception, pytest.fail.Exception, SyntaxError)
    with pytest.raises(failures, match=re.escape(message)):
        reader.follow(reader.folder / "page.md")
