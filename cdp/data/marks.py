"""Keep and drop marks that a person gives single images of a saved set, beside the sets: the set
itself never changes. They belong to these very images: another set under the same name has none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from cdp import paths
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.files.versions import require_known

Mark = Literal["keep", "drop"]
MARKS: tuple[Mark, ...] = ("keep", "drop")
VERSION = 1


def marks_of(name: str, card: Mapping[str, Any]) -> dict[int, Mark]:
    """By row, of the marked images. {} where there are none, or the file is damaged. Raises
    NewerError for those that a later version of the app kept."""
    stored = read_json(_file(name)) or {}
    require_known(_file(name), stored.get("version"), VERSION)
    if stored.get("version") != VERSION or stored.get("images") != _images(card):
        return {}
    marks: dict[int, Mark] = {}
    for mark in MARKS:
        rows = stored.get(mark)
        for row in rows if isinstance(rows, list) else ():
            if type(row) is int and row >= 0:
                marks[row] = mark
    return marks


def write_marks(name: str, card: Mapping[str, Any], marks: Mapping[int, str]) -> None:
    """Keep the marks, by row; no file where there are none. Raises InputError for another mark."""
    for row, mark in marks.items():
        if mark not in MARKS:
            raise InputError(f"row {row}: mark {mark[:20]!r} is none of {', '.join(MARKS)}")
    if not marks:
        _file(name).unlink(missing_ok=True)
        return
    _file(name).parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {
        mark: sorted(row for row, of in marks.items() if of == mark) for mark in MARKS
    }
    write_json(_file(name), {"version": VERSION, "images": _images(card), **rows})


def merged(
    marks: Mapping[int, Mark], page: Mapping[str, Any], rows: frozenset[int]
) -> dict[int, Mark]:
    """The marks after those of one page changed. page: by row as text, as a browser sends them, only
    marked ones; rows: all of that page."""
    new = {row: mark for row, mark in marks.items() if row not in rows}
    for text, mark in page.items():
        if text.isdecimal() and int(text) in rows and mark in MARKS:
            new[int(text)] = cast(Mark, mark)
    return new


def _file(name: str) -> Path:
    return paths.home() / "marks" / f"{name}.json"


def _images(card: Mapping[str, Any]) -> str:
    """What tells these images from others."""
    return f"{card.get('created', '')} {card.get('count', '')}"
