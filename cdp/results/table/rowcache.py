"""Rows of runs that are over, kept from one process to the next: CDP_HOME/cache/run-table.json,
which can be made again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cdp import paths
from cdp.config import evaluate as config_evaluate
from cdp.config import knobs
from cdp.config import train as config_train
from cdp.data import catalog
from cdp.files.atomic import atomic_file
from cdp.results.table import labels, reached, rows
from cdp.results.table.rows import Evaluated, Row
from cdp.work import journal, records

Stamp = tuple[int, int, int, int] | None
"""Of a file: times of change, size and inode. Another one whenever the file may hold something
else; None where there is none."""

_MOST_BYTES = 256 << 20
_SOURCES = (
    config_evaluate,
    config_train,
    knobs,
    catalog,
    journal,
    labels,
    reached,
    records,
    rows,
)
"""What a row follows from besides the files of its run."""


@dataclass(frozen=True)
class Kept:
    """A run as its files were. row: of a training, without its evaluation; evaluated: of an
    evaluation; neither for other kinds."""

    stamps: Mapping[str, Stamp]
    row: Row | None
    evaluated: Evaluated | None


@dataclass(frozen=True)
class _Table:
    source: str
    root: str
    runs: dict[str, Kept]


def load_rows(root: Path) -> dict[str, Kept]:
    """What was kept of the runs in folder ``root``, by id; nothing where it is damaged, or of
    another version or place."""
    try:
        if _path().stat().st_size > _MOST_BYTES:
            return {}
        table = _adapter().validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return {}
    return table.runs if (table.source, table.root) == (_source(), str(root)) else {}


def save_rows(root: Path, runs: Mapping[str, Kept]) -> None:
    """Keep these in place of all that was kept before. Where nothing can be written, the next
    process reads the runs themselves."""
    content = _adapter().dump_json(_Table(_source(), str(root), dict(runs)))
    with contextlib.suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(_path()) as file:
            file.write(content)


def _path() -> Path:
    return paths.cache_dir() / "run-table.json"


@cache
def _adapter() -> TypeAdapter[_Table]:
    return TypeAdapter(_Table)


@cache
def _source() -> str:
    """Another text whenever rows may be made in another way."""
    texts = [Path(module.__file__).read_bytes() for module in _SOURCES if module.__file__]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()
