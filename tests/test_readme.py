"""What the README tells a newcomer to type is accepted, and the files it names are there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from hwgen.cli import cli

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()
COMMANDS = [
    shlex.split(line.strip(), comments=True) for line in TEXT.splitlines() if line.startswith("    hwgen ")
]


def test_there_are_commands() -> None:
    assert {words[1] for words in COMMANDS} >= {"inspect", "generate", "verify", "build", "report", "flash"}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[1])
def test_command_is_accepted(words: list[str]) -> None:
    command = cli.commands[words[1]]
    command.make_context(words[1], words[2:]).close()
    for word in words[2:]:
        if word.endswith(".tflite"):
            assert (ROOT / word).is_file()


def test_python_example_is_python_with_our_names() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    tree = ast.parse(code)
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {"load", "compile", "verify", "build"} <= called


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", TEXT, re.M):
        assert re.search(rf"^{target}:", makefile, re.M)
