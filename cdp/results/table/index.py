"""All trainings as rows, thousands of them at once: a run that is over and has not changed costs a
look at its files, no reading."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from cdp import paths
from cdp.results.table.labels import LABELS, Labels, read_labels
from cdp.results.table.reached import Reached, Taken, completed, from_journal, from_result, taken
from cdp.results.table.rowcache import Kept, Stamp, load_rows, save_rows
from cdp.results.table.rows import Evaluated, Row, evaluated_of, row_of, wants_card, with_evaluation
from cdp.work.journal import JOURNAL
from cdp.work.records import CONFIG, PROCESS, STATUS, STOP, Run, read_run

CARD = "best/card.json"
T = TypeVar("T")

_YOUNG_NS = 2_000_000_000
"""A file that changed so lately may change again without a new stamp: clocks of file systems tick
slowly."""
_MOST_CARD = 1 << 20
_ENOUGH = 50
"""Runs read anew after which it is worth keeping them for the next process."""
_OF_STATE = (CONFIG, STATUS, PROCESS, STOP)
_FILES = (*_OF_STATE, LABELS, JOURNAL, CARD)
_NO_CARD: dict[str, Any] = {}


class Index:
    """The run table of this process. Safe to ask from several threads; what one of them read, the
    others need not read again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._root: Path | None = None
        self._entries: dict[str, _Entry] = {}

    def rows(self) -> list[Row]:
        """All trainings as they are at this moment, archived ones too, newest first. The same
        ``Row`` again where nothing changed."""
        with self._lock:
            self._look()
            evaluations: dict[str, list[Evaluated]] = {}
            for entry in self._entries.values():
                if entry.evaluated is not None:
                    evaluations.setdefault(entry.evaluated.run, []).append(entry.evaluated)
            found = [
                entry.shown(tuple(evaluations.get(entry.name, ())))
                for entry in self._entries.values()
            ]
            self._keep()
        return sorted(
            (row for row in found if row is not None),
            key=lambda row: (row.created, row.id),
            reverse=True,
        )

    def _look(self) -> None:
        """Take in which runs there are, and what they are now."""
        root = paths.runs_dir()
        if root != self._root:
            self._root = root
            self._entries = {
                name: _Entry(root, name, kept) for name, kept in load_rows(root).items()
            }
        try:
            with os.scandir(root) as found:
                names = [
                    entry.name
                    for entry in found
                    if not entry.name.startswith(".") and entry.is_dir()
                ]
        except FileNotFoundError:
            names = []
        before = self._entries
        self._entries = {name: before.get(name) or _Entry(root, name) for name in names}
        for entry in self._entries.values():
            entry.look()

    def _keep(self) -> None:
        new = {
            name: kept
            for name, entry in self._entries.items()
            if entry.kept is None and (kept := entry.to_keep())
        }
        if len(new) < _ENOUGH or self._root is None:
            return
        for name, kept in new.items():
            self._entries[name].kept = kept
        save_rows(
            self._root,
            {name: entry.kept for name, entry in self._entries.items() if entry.kept is not None},
        )


class _Entry:
    """One run folder as it was when last looked at. row: of a training, without its evaluation;
    evaluated: of an evaluation.

    kept: the same as the cache on disk has it, None where that is nothing or something else.
    """

    def __init__(self, root: Path, name: str, kept: Kept | None = None) -> None:
        self.name, self.kept = name, kept
        self.row: Row | None = kept.row if kept else None
        self.evaluated: Evaluated | None = kept.evaluated if kept else None
        self._folder = root / name
        self._stamps: dict[str, Stamp] = {}
        self._run: Run | None = None
        self._told: Reached | None = None
        self._settled: list[Stamp] | None = None
        self._labels, self._journal, self._card = (
            _File(read_labels, Labels()),
            _File(_reached, Reached()),
            _File(_card, _NO_CARD),
        )
        self._taken: _File[Taken] = _File(_counted, (None, None))
        self._made_of: tuple[Run, Labels, Reached, dict[str, Any]] | None = None
        self._shown: tuple[Row | None, tuple[Evaluated, ...], Row | None] = (None, (), None)

    def look(self) -> None:
        """Take in what has changed."""
        self._stamps = _stamps(self._folder)
        if self.kept is not None:
            if self._stamps == self.kept.stamps:
                return
            self.kept = None
        self._look_at_run()
        self.row = (
            self._row(self._run) if self._run is not None and self._run.kind == "train" else None
        )

    def shown(self, evaluations: tuple[Evaluated, ...]) -> Row | None:
        """The row with the evaluation that counts; the same one as before where neither changed."""
        before, with_these, shown = self._shown
        if self.row is not before or with_these != evaluations:
            shown = with_evaluation(self.row, evaluations) if self.row is not None else None
            self._shown = (self.row, evaluations, shown)
        return shown

    def to_keep(self) -> Kept | None:
        """What another process may rely on as long as the stamps are these; None where it
        may not."""
        settled = self._settled is not None and not any(map(_young, self._stamps.values()))
        return Kept(self._stamps, self.row, self.evaluated) if settled else None

    def _look_at_run(self) -> None:
        """Read the run anew, unless it is over and its files are those of last time."""
        now = [self._stamps[name] for name in _OF_STATE]
        if now == self._settled:
            return
        run = read_run(self._folder)
        if run != self._run:
            gone = run.config is None and not self._folder.is_dir()
            self._run = None if gone else run
            self.evaluated = evaluated_of(run) if run.kind == "evaluate" else None
            self._told = from_result(run.result) if run.kind == "train" else None
        # Without a process file a run that was just launched is waited for, so time alone changes
        # its state; that of a damaged one hangs on its process, whatever its status says.
        waits = run.config is None or (run.state == "interrupted" and self._stamps[PROCESS] is None)
        self._settled = now if run.over and not waits and not any(map(_young, now)) else None

    def _row(self, run: Run) -> Row:
        """Made anew only where something it follows from has changed."""
        labels = self._labels.now(self._folder, self._stamps[LABELS])
        stamp = self._stamps[JOURNAL]
        if self._told is None:
            reached = self._journal.now(self._folder, stamp)
        else:
            reached = completed(self._told, lambda: self._taken.now(self._folder, stamp))
        card = (
            self._card.now(self._folder, self._stamps[CARD])
            if wants_card(run, reached)
            else _NO_CARD
        )
        made_of = (run, labels, reached, card)
        if self.row is None or made_of != self._made_of:
            self._made_of = made_of
            return row_of(*made_of)
        return self.row


class _File(Generic[T]):
    """What a small file of a run says, read again where it may have changed. read: given the run's
    folder, must not raise."""

    def __init__(self, read: Callable[[Path], T], missing: T) -> None:
        self._read, self._missing = read, missing
        self._stamp: Stamp = None
        self._value = missing

    def now(self, folder: Path, stamp: Stamp) -> T:
        """stamp: of the file, taken before this call."""
        if stamp is None:
            self._value = self._missing
        elif stamp != self._stamp:
            self._value = self._read(folder)
        self._stamp = None if _young(stamp) else stamp
        return self._value


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
        found = os.stat(name, dir_fd=place)
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino


def _young(stamp: Stamp) -> bool:
    return stamp is not None and abs(time.time_ns() - stamp[0]) < _YOUNG_NS


def _reached(folder: Path) -> Reached:
    return from_journal(folder / JOURNAL)


def _counted(folder: Path) -> Taken:
    return taken(folder / JOURNAL)


def _card(folder: Path) -> dict[str, Any]:
    """The card of a classifier; empty where it is damaged, and for what no card is."""
    path = folder / CARD
    try:
        if path.stat().st_size > _MOST_CARD or not path.is_file():
            return _NO_CARD
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return _NO_CARD
    return found if isinstance(found, dict) else _NO_CARD
