"""How far a run is, whatever it makes: counted in images or steps, with the pace of this start and
the time left."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where a run stands. seconds: since this start; seconds_left: None while unknown; rate: units
    per second of this start.

    done, count, resumed_from: in ``unit``; the last is what an earlier start had left, and does not
    count for the rate.
    """

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


def progress_since(
    began: float,
    *,
    done: int,
    count: int,
    resumed_from: int,
    unit: str = "images",
    seconds_left: float | None = None,
) -> Progress:
    """The progress of work that this process began at monotonic time ``began``. seconds_left: where
    not given, from the pace so far."""
    seconds = time.monotonic() - began
    rate = (done - resumed_from) / seconds if done > resumed_from and seconds > 0 else None
    if seconds_left is None and rate is not None:
        seconds_left = (count - done) / rate
    if seconds_left is not None and not math.isfinite(seconds_left):
        seconds_left = None
    return Progress(done, count, seconds, seconds_left, rate, resumed_from, unit)


def read_progress(value: Any) -> Progress | None:
    """The progress that a status file holds; None where it holds none that makes sense."""
    if not isinstance(value, dict):
        return None
    try:
        found = Progress(**value)
    except TypeError:
        return None
    whole = all(
        type(number) is int and number >= 0
        for number in (found.done, found.count, found.resumed_from)
    )
    real = _is_real(found.seconds) and all(
        number is None or _is_real(number) for number in (found.seconds_left, found.rate)
    )
    return found if whole and real and isinstance(found.unit, str) else None


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18
