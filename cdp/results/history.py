"""The journals of runs in memory, once a process: a tick reads only the lines that are new, into
columns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock

import numpy as np

from cdp.results.reached import epoch_of
from cdp.work.journal import JOURNAL, Follower, Point

MOST = 64
"""Runs in memory; of more, the one that was not asked for the longest is read again when it is."""
_FIRST, _KEYS = 64, ("point", "epoch")


@dataclass(frozen=True)
class History:
    """The points of a run at one moment. version: another number whenever anything changed;
    columns: float64 (E,) by name, nan where a point lacks the value; "point" is rising, "epoch" the
    one that each belongs to. Read only."""

    version: int
    columns: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.columns["point"])

    def rows(self, *names: str, **default: float) -> np.ndarray:
        """(E, len(names)) float64, of the points that have all these values. default: of a value
        that a point may lack, by name."""
        nothing = np.full(len(self), np.nan)
        table = np.stack([self.columns.get(name, nothing) for name in names], 1)
        for name, value in default.items():
            column = table[:, names.index(name)]
            column[np.isnan(column)] = value
        return table[np.isfinite(table).all(1)]


class Histories:
    """Journals by run folder. Safe to ask from several threads: each journal is read once, by
    whoever comes first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._journals: OrderedDict[Path, _Growing] = OrderedDict()
        self._versions = count(1)

    def of(self, folder: Path) -> History:
        """The journal of the run in ``folder`` as it is now; nothing new costs one stat. A missing
        one is empty. Raises OSErrors."""
        with self._lock:
            growing = self._journals.setdefault(folder, _Growing(Follower(folder / JOURNAL)))
            self._journals.move_to_end(folder)
            while len(self._journals) > MOST:
                self._journals.popitem(last=False)
        with growing.lock:
            if growing.read() or growing.latest is None:
                growing.latest = History(next(self._versions), growing.columns())
            return growing.latest


_HISTORIES = Histories()


def history_of(folder: Path) -> History:
    """The journal of the run in ``folder`` as it is now, from the memory of this process."""
    return _HISTORIES.of(folder)


@dataclass
class _Growing:
    """Columns with room to grow. What ``columns`` gave out is never written to again: rows are only
    added behind it."""

    follower: Follower
    lock: Lock = field(default_factory=Lock)
    latest: History | None = None
    _rows: int = 0
    _room: dict[str, np.ndarray] = field(
        default_factory=lambda: {name: np.full(_FIRST, np.nan) for name in _KEYS}
    )

    def read(self) -> bool:
        """Take in what is new; whether anything changed."""
        before = self.follower.points
        if not self.follower.update():
            return False
        if self.follower.points is not before:
            self._keep(0)
        for point in self.follower.points:
            self._add(point)
        # The columns have them now; a journal of thousands of epochs is not kept twice.
        self.follower.points.clear()
        return True

    def columns(self) -> dict[str, np.ndarray]:
        views = {name: room[: self._rows] for name, room in self._room.items()}
        for view in views.values():
            view.flags.writeable = False
        return views

    def _add(self, point: Point) -> None:
        last = self._room["point"][self._rows - 1] if self._rows else -np.inf
        if point.step <= last:
            # A worker that could not cut its journal repeats steps; what it says later counts.
            self._keep(int(np.searchsorted(self._room["point"][: self._rows], point.step)))
        size = len(self._room["point"])
        if self._rows == size:
            more = np.full(size, np.nan)
            self._room = {name: np.concatenate([room, more]) for name, room in self._room.items()}
        places = {"point": float(point.step), "epoch": float(epoch_of(point))}
        for name, value in (point.values | places).items():
            if name not in self._room:
                self._room[name] = np.full(len(self._room["point"]), np.nan)
            self._room[name][self._rows] = value
        self._rows += 1

    def _keep(self, rows: int) -> None:
        """Only the first rows, in arrays of their own."""
        size = max(_FIRST, len(self._room["point"])) if rows else _FIRST
        rest = np.full(size - rows, np.nan)
        names = self._room if rows else _KEYS
        self._room = {name: np.concatenate([self._room[name][:rows], rest]) for name in names}
        self._rows = rows
