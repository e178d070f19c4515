"""All trainings as rows, thousands of them at once: a run that is over and has not changed costs a
look at its files, no reading. Rows of such runs are kept from one process to the next, in
CDP_HOME/cache/run-table.json, which can be made again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from cdp import paths
from cdp.config import evaluate as config_evaluate
from cdp.config import knobs
from cdp.config import train as config_train
from cdp.data import catalog
from cdp.files.atomic import atomic_file
from cdp.results import labels, reached, rows
from cdp.results.labels import LABELS, read_labels
from cdp.results.reached import BEST_CARD, best_card, reached_of
from cdp.results.rows import Evaluated, Row, evaluated_of, row_of, wants_card, with_evaluation
from cdp.work import journal, records
from cdp.work.journal import JOURNAL
from cdp.work.launchers import PROCESS
from cdp.work.records import CONFIG, STATUS, STOP, read_run

Stamp = tuple[int, int, int, int] | None
"""Of a file: times of change, size and inode. Another one whenever the file may hold something
else; None where there is none."""

_YOUNG_NS = 2_000_000_000
"""A file that changed so lately may change again without a new stamp: clocks of file systems tick
slowly."""
_ENOUGH = 50
"""Runs read anew after which it is worth keeping them for the next process."""
_FILES = (CONFIG, STATUS, PROCESS, STOP, LABELS, JOURNAL, BEST_CARD)
"""All that a row follows from, and beside them the code of these modules:"""
_SOURCES = (
    config_evaluate, config_train, knobs, catalog, journal, labels, reached, records, rows,
)  # fmt: skip
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Entry:
    """A run as its files were. row: of a training, without its evaluation; evaluated: of an
    evaluation; neither for other kinds. settled: whether it is so as long as the stamps are
    these."""

    stamps: Mapping[str, Stamp]
    row: Row | None = None
    evaluated: Evaluated | None = None
    settled: bool = True


class Index:
    """The run table of this process. Safe to ask from several threads; what one of them read, the
    others need not read again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._root: Path | None = None
        self._entries: dict[str, Entry] = {}
        self._saved: dict[str, Entry] = {}
        self._complete: dict[str, tuple[Row, tuple[Evaluated, ...], Row]] = {}

    def rows(self) -> list[Row]:
        """All trainings as they are at this moment, archived ones too, newest first. The same
        ``Row`` again where nothing changed."""
        with self._lock:
            self._look()
            evaluations: dict[str, list[Evaluated]] = {}
            for entry in self._entries.values():
                if entry.evaluated is not None:
                    evaluations.setdefault(entry.evaluated.run, []).append(entry.evaluated)
            complete = [
                self._completed(name, entry.row, tuple(evaluations.get(name, ())))
                for name, entry in self._entries.items()
                if entry.row is not None
            ]
            self._save()
        return sorted(complete, key=lambda row: (row.created, row.id), reverse=True)

    def _look(self) -> None:
        """Take in which runs there are, and what they are now."""
        root = paths.runs_dir()
        if root != self._root:
            self._root, self._complete = root, {}
            self._entries = self._saved = load_entries(root)
        try:
            with os.scandir(root) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
        except FileNotFoundError:
            names = []
        before = self._entries
        self._entries = {name: _looked(root / name, before.get(name)) for name in names}

    def _completed(self, name: str, row: Row, evaluations: tuple[Evaluated, ...]) -> Row:
        """The row with the evaluation that counts; the same one as before where neither
        changed."""
        before = self._complete.get(name)
        if before is None or before[0] is not row or before[1] != evaluations:
            before = self._complete[name] = (row, evaluations, with_evaluation(row, evaluations))
        return before[2]

    def _save(self) -> None:
        settled = {name: entry for name, entry in self._entries.items() if entry.settled}
        new = sum(entry is not self._saved.get(name) for name, entry in settled.items())
        if new >= _ENOUGH and self._root is not None:
            self._saved = settled
            save_entries(self._root, settled)


_INDEX = Index()


def run_rows() -> list[Row]:
    """All trainings as rows, newest first, from the memory of this process."""
    return _INDEX.rows()


def _looked(folder: Path, before: Entry | None) -> Entry:
    """The run in a folder now; the same entry or row again where they did not change."""
    stamps = _stamps(folder)
    if before is not None and before.settled and before.stamps == stamps:
        return before
    run = read_run(folder)
    if run.config is None and not folder.is_dir():
        return Entry(stamps, settled=False)
    row = None
    if run.kind == "train":
        reached = reached_of(run)
        card = best_card(folder) if wants_card(run, reached) else {}
        row = row_of(run, read_labels(folder), reached, card)
        row = before.row if before is not None and before.row == row else row
    # Without a process file a run that was just launched is waited for, so time alone changes its
    # state; that of a damaged one hangs on its process, whatever its status says.
    waits = run.config is None or (run.state == "interrupted" and stamps[PROCESS] is None)
    settled = run.over and not waits and not any(map(_young, stamps.values()))
    return Entry(stamps, row, evaluated_of(run) if run.kind == "evaluate" else None, settled)


def _stamps(folder: Path) -> dict[str, Stamp]:
    """Of all files that a row follows from."""
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return dict.fromkeys(_FILES)
    try:
        return {name: _stamp(name, place) for name in _FILES}
    finally:
        os.close(place)


def _stamp(name: str, place: int) -> Stamp:
    try:
        stat = os.stat(name, dir_fd=place)
    except OSError:
        return None
    return stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size, stat.st_ino


def _young(stamp: Stamp) -> bool:
    return stamp is not None and abs(time.time_ns() - stamp[0]) < _YOUNG_NS


@dataclass(frozen=True)
class _Table:
    source: str
    root: str
    runs: dict[str, Entry]


def load_entries(root: Path) -> dict[str, Entry]:
    """What was kept of the runs in folder ``root``, by id; nothing where it is damaged, or of
    another version or place."""
    try:
        if _path().stat().st_size > _MOST_BYTES:
            return {}
        table = _adapter().validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return {}
    return table.runs if (table.source, table.root) == (_source(), str(root)) else {}


def save_entries(root: Path, runs: Mapping[str, Entry]) -> None:
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
