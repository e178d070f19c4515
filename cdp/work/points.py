"""The journal as a worker keeps it: opened at the first point, and no full disk loses a point or
ends a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from cdp.work.journal import Journal, Point

logger = logging.getLogger(__name__)


class SteadyJournal:
    """Points that cannot be written wait in memory, and are written with the next one."""

    def __init__(
        self,
        path: Path,
        *,
        notice: Callable[[str | None], None],
        on_append: Callable[[Point], None] | None = None,
    ) -> None:
        """notice: told that points wait, and None once they do not; on_append: called with every
        point on disk."""
        self._path, self._notice, self._on_append = path, notice, on_append
        self._journal: Journal | None = None
        self._waiting: list[tuple[int, Mapping[str, float]]] = []

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point in place of all from its step on: a run that goes on from an earlier
        checkpoint repeats them."""
        self._waiting = [*(kept for kept in self._waiting if kept[0] < step), (step, values)]
        self._write()

    def cut(self, step: int) -> None:
        """Drop the points after ``step``. Leaves no journal where there was none."""
        self._waiting = [kept for kept in self._waiting if kept[0] <= step]
        if self._journal is None and not self._path.exists():
            return
        try:
            self._open().cut(step)
        except OSError as error:
            # The points that follow replace those that could not be dropped.
            logger.warning("the journal could not be cut: %s", error)

    def close(self) -> None:
        """Try once more what waits, and let go of the file."""
        if self._waiting:
            self._write()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write(self) -> None:
        try:
            journal = self._open()
            while self._waiting:
                step, values = self._waiting[0]
                journal.cut(step - 1)
                journal.append(step, values)
                del self._waiting[0]
        except OSError as error:
            logger.warning(
                "%d points could not be written to the journal: %s", len(self._waiting), error
            )
            self._notice(
                f"The newest figures could not be saved ({error.strerror or error}): free some"
                " space, and they will be."
            )
        else:
            self._notice(None)

    def _open(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._path, self._on_append)
        return self._journal
