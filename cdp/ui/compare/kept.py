"""The columns of the run table that a person chose last: a small file of the workspace, so that
they are there tomorrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cdp import paths
from cdp.files.atomic import read_json, write_json

MOST = 40
"""Columns at most; a file or link with more is not one of ours."""


def kept_file() -> Path:
    """Where they are kept."""
    return paths.home() / "compare.json"


def read_columns(known: Iterable[str], plain: Sequence[str]) -> tuple[str, ...]:
    """The kept columns that are known; ``plain`` where none is kept or the file is damaged."""
    try:
        held = read_json(kept_file())
    except OSError:
        held = None
    names = held.get("columns") if held else None
    if not isinstance(names, list):
        return tuple(plain)
    found = tuple(
        name for name in dict.fromkeys(str(name) for name in names[:MOST]) if name in set(known)
    )
    return found or tuple(plain)


def keep_columns(names: Sequence[str]) -> str:
    """Keep these. Returns what went wrong in a sentence, "" where nothing did: a table can be read
    without its columns being kept."""
    try:
        kept_file().parent.mkdir(parents=True, exist_ok=True)
        write_json(kept_file(), {"columns": list(names)})
    except OSError as error:
        return (
            f"{kept_file()} cannot be written ({error.strerror}), so these columns are forgotten"
            " with this session"
        )
    return ""
