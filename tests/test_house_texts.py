"""All messages of the package: commands that they name exist, and words that only a shell
understands stand in commands alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import click
import typer

from cdp import paths
from cdp.cli.main import app

CDP = paths.ROOT / "cdp"
COMMANDS = typer.main.get_command(app)
FIELD = "FIELD"


def texts() -> Iterator[tuple[str, str]]:
    """(place, text) of every string in the package, values that are filled in written as FIELD. Not
    docstrings."""
    for path in sorted(CDP.rglob("*.py")):
        tree = ast.parse(path.read_text())
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
        }
        inside = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else FIELD
                    for part in node.values
                ]
                yield f"{path.relative_to(CDP)}:{node.lineno}", "".join(parts)
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docs | inside
            ):
                yield f"{path.relative_to(CDP)}:{node.lineno}", node.value


def test_every_command_that_is_named_anywhere_exists_with_its_options() -> None:
    lines = [
        (place, line)
        for place, text in texts()
        for line in re.findall(r"python -m cdp ([a-z][^\n`):;,]*)", text)
    ]
    assert len(lines) > 20
    wrong = []
    for place, line in lines:
        words = line.split()
        command = COMMANDS.get_command(click.Context(COMMANDS), words[0].rstrip("."))  # type: ignore[attr-defined]
        if command is not None and hasattr(command, "commands"):  # of a group, such as experiment
            command = command.commands.get(words[1].rstrip("."))
        options = (
            {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            if command
            else set()
        )
        if command is None or [
            word for word in words if word.startswith("--") and word.rstrip(".") not in options
        ]:
            wrong.append((place, line))
    assert wrong == []


def test_options_stand_in_no_message_that_a_browser_shows() -> None:
    """Below page and command line a setting is called by its name; a message may give the words of
    both, or a
    whole command, which whoever reads it may type."""
    both = (
        "data/",
        "models/",
        "tasks/",
        "robust/",
        "guidance/",
        "embedding/",
        "diffusion/",
        "pretrain/",
        "statistics/",
        "ui/",
        "config",
    )
    found = [
        (place, text)
        for place, text in texts()
        if place.startswith(both)
        and not re.search(r"python -m cdp|on the page|^--|^\W*--\w|FIELD --\w", text)
        and re.search(r"(?<![\w-])--[a-z][a-z-]+", text)
    ]
    assert found == []
