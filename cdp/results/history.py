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


@dataclass(frozen=True)
class History:
    """The points of a run at one moment. version: another number whenever anything changed;
    columns: float64 (E,) by name, nan where a point lacks the value; "point" is rising, "epoch" the
    one that each belongs to. problem: why they cannot be read, "" where they can. Read only."""

    version: int
    columns: Mapping[str, np.ndarray]
    problem: str = ""

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
        one is empty, and so is one that cannot be read."""
        with self._lock:
            growing = self._journals.setdefault(folder, _Growing(Follower(folder / JOURNAL)))
            self._journals.move_to_end(folder)
            while len(self._journals) > MOST:
                self._journals.popitem(last=False)
        with growing.lock:
            if growing.follower.update() or growing.latest is None:
                growing.latest = History(
                    next(self._versions), growing.columns(), growing.follower.problem
                )
            return growing.latest


_HISTORIES = Histories()


def history_of(folder: Path) -> History:
    """The journal of the run in ``folder`` as it is now, from the memory of this process."""
    return _HISTORIES.of(folder)


@dataclass
class _Growing:
    """A journal that is followed, and its columns as they were given out last."""

    follower: Follower
    lock: Lock = field(default_factory=Lock)
    latest: History | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Made anew, so that nothing that was given out is written to again."""
        points: list[Point] = []
        for point in self.follower.points:
            # A worker that could not cut its journal repeats steps; what it says later counts.
            while points and points[-1].step >= point.step:
                points.pop()
            points.append(point)
        names = dict.fromkeys(name for point in points for name in point.values)
        values = {name: [point.values.get(name, np.nan) for point in points] for name in names}
        values |= {"point": [point.step for point in points], "epoch": list(map(epoch_of, points))}
        columns = {name: np.array(column, np.float64) for name, column in values.items()}
        for column in columns.values():
            column.flags.writeable = False
        return columns
