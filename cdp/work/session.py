"""What running work holds: its only channel to whoever waits for it. The work says where it stands
(``progress``), what it measured (``point``) and what is wrong (``notice``), and asks whether it
should stop. A session that nobody listens to is ``Session()``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cdp.errors import Cancelled
from cdp.work.cost import time_left

_PARTS = 10_000
_LONGEST_UNIT = 40


@dataclass(frozen=True)
class Progress:
    """Where work stands. done, count, resumed_from: in ``unit``; the last is what an earlier start
    had left, and does not count for the rate. seconds: since this start; seconds_left: None while
    unknown; rate: units per second of this start."""

    done: int
    count: int
    seconds: float
    seconds_left: float | None
    rate: float | None
    resumed_from: int
    unit: str = "images"

    @property
    def share(self) -> float:
        """Of the work that is done, 0..1."""
        return min(1.0, self.done / self.count) if self.count else 0.0


def read_progress(value: Any) -> Progress | None:
    """The progress that a status file holds; None where it holds none that makes sense."""
    try:
        progress = Progress(**value)
    except TypeError:
        return None
    counts = (progress.done, progress.count, progress.resumed_from)
    whole = all(type(number) is int and number >= 0 for number in counts)
    optional = (progress.seconds_left, progress.rate)
    real = _is_real(progress.seconds) and all(n is None or _is_real(n) for n in optional)
    named = isinstance(progress.unit, str) and len(progress.unit) <= _LONGEST_UNIT
    return progress if whole and real and named else None


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18


class JournalPoints(Protocol):
    """A journal as work sees it: adding a point replaces what was there from its step on."""

    def append(self, step: int, values: Mapping[str, float]) -> None: ...

    def cut(self, step: int) -> None: ...


class Session:
    """One sitting of some work, from a start or resume to its end or stop."""

    def __init__(
        self,
        folder: Path = Path(),
        *,
        name: str = "",
        before: Progress | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        on_notice: Callable[[str | None], object] | None = None,
        should_stop: Callable[[], bool] | None = None,
        journal: JournalPoints | None = None,
    ) -> None:
        """folder, name: of the run, where the work has one; before: how far an earlier start came.
        The rest listens: on_progress is called at every step and has to be cheap."""
        self.folder, self.name, self.before = folder, name, before
        self.words = ""
        self._on_progress, self._on_notice = on_progress, on_notice
        self._should_stop, self._journal = should_stop, journal
        self._began: float | None = None
        self._resumed_from = 0

    @property
    def id(self) -> str:
        """Of the run."""
        return self.folder.name

    def begin(self, done: int = 0) -> None:
        """The clock of this start runs from here; an earlier one had left ``done`` units. Without
        it the first ``progress`` says both."""
        self._began, self._resumed_from = time.monotonic(), done

    def progress(
        self,
        done: int,
        count: int,
        words: str = "",
        *,
        unit: str = "images",
        seconds_left: float | None = None,
    ) -> None:
        """``done`` of ``count`` units are done, and ``words`` come next. seconds_left: where not
        given, from the pace of this start."""
        if self._on_progress is None:
            return
        if self._began is None:
            self.begin(done)
        assert self._began is not None
        self.words = words or self.words
        seconds, fresh = time.monotonic() - self._began, done - self._resumed_from
        rate = fresh / seconds if fresh > 0 and seconds > 0 else None
        if seconds_left is None:
            seconds_left = time_left(seconds, fresh, count - done)
        elif not math.isfinite(seconds_left):
            seconds_left = None
        self._on_progress(
            Progress(done, count, seconds, seconds_left, rate, self._resumed_from, unit)
        )

    def share(self, done: float, words: str = "") -> None:
        """For work that counts nothing: the share in [0, 1] that is done, and what comes next."""
        self.progress(round(_PARTS * done), _PARTS, words, unit="parts")

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """Measured at this step: a point of the journal, in place of all from its step on."""
        if self._journal is not None:
            self._journal.append(step, values)

    def cut(self, step: int) -> None:
        """Drop the points after ``step``, from which an earlier start is gone on with."""
        if self._journal is not None:
            self._journal.cut(step)

    def notice(self, sentence: str | None) -> None:
        """Show a sentence beside the work, or take it away."""
        if self._on_notice is not None:
            self._on_notice(sentence)

    def stop_requested(self) -> bool:
        """Whether somebody wants it to stop. Cheap, for every step."""
        return self._should_stop is not None and self._should_stop()

    def check_stop(self) -> None:
        """Raises Cancelled where it should stop. For places from which it can be gone on with."""
        if self.stop_requested():
            raise Cancelled("stopped: resume it to go on")
