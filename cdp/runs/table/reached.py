"""What a training has reached, from its final record where that says it, else from the end of its journal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp.runs.journal import Point, read_journal

_TAIL = 2048
"""Bytes at the end of a journal that hold its last point; where points are longer, all of it is read."""
_MOST = 1 << 53


@dataclass(frozen=True)
class Reached:
    """Accuracies in 0..1 on ``n`` validation images, the robust ones under PGD; None where not measured, epochs and n 0.

    clean, robust: of the last epoch; best_clean, best_robust: of the first epoch of highest robust accuracy. seconds: of training
    and validation over all starts; epsilon: the full budget trained for, None where only the data set knows it.
    """

    epoch: int = 0
    clean: float | None = None
    robust: float | None = None
    best_epoch: int = 0
    best_clean: float | None = None
    best_robust: float | None = None
    n: int = 0
    seconds: float | None = None
    epsilon: float | None = None


def from_result(result: Mapping[str, Any] | None) -> Reached | None:
    """What the final record of a training says; None where it says too little to do without the journal."""
    best = result.get("best") if result else None
    if result is None or not isinstance(best, dict) or not whole(result.get("n")) or "epoch" not in result:
        return None
    return Reached(
        whole(result["epoch"]), share(result.get("clean_accuracy")), share(result.get("robust_accuracy")),
        whole(best.get("epoch")), share(best.get("clean_accuracy")), share(best.get("robust_accuracy")),
        whole(result.get("n")), positive(result.get("seconds")), positive(result.get("epsilon")),
    )  # fmt: skip


def from_journal(path: Path) -> Reached:
    """What the journal says by its last point and that of the best epoch; all of it is read only where these do not suffice."""
    try:
        points = _tail(path)
        best = _named(path, points) if points else None
        if best is None:
            points, _ = read_journal(path)
    except OSError:
        return Reached()
    if not points:
        return Reached()
    # As ``cdp.runs.summary`` has it.
    best = best or max(points, key=lambda point: (point.values.get("robust_accuracy", -1.0), -point.step))
    last, value, of_best = points[-1], points[-1].values.get, best.values.get
    return Reached(
        last.step, share(value("clean_accuracy")), share(value("robust_accuracy")),
        best.step, share(of_best("clean_accuracy")), share(of_best("robust_accuracy")), whole(value("n")), positive(value("seconds")),
    )  # fmt: skip


def share(value: Any) -> float | None:
    """A number of a file as a share in 0..1; None where it is none."""
    number = _real(value)
    return number if number is not None and 0 <= number <= 1 else None


def positive(value: Any) -> float | None:
    """A number of a file above 0; None where it is none."""
    number = _real(value)
    return number if number is not None and number > 0 else None


def whole(value: Any) -> int:
    """A count as a file has it, 0 where it is none."""
    number = _real(value)
    return int(number) if number is not None and 0 <= number < _MOST and number == int(number) else 0


def _real(value: Any) -> float | None:
    usable = isinstance(value, float) or type(value) is int
    return float(value) if usable and abs(value) < _MOST and math.isfinite(value) else None


def _tail(path: Path) -> list[Point]:
    """The points of the last lines of a journal."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        piece = file.read(_TAIL)
    start = size - len(piece)
    # A point begins behind the first line end of the piece, or at the beginning of the file.
    return read_journal(path, start + piece.find(b"\n") + 1 if start else 0)[0]


def _named(path: Path, points: list[Point]) -> Point | None:
    """The point of the best epoch as the last point names it; None where it names none that is there."""
    step = whole(points[-1].values.get("best_epoch"))
    if not step:
        return None
    return next((point for point in reversed(points) if point.step == step), None) or _lone(path, step)


def _lone(path: Path, step: int) -> Point | None:
    """The point of one step, read without the others; the last where that step comes twice."""
    begin = b'{"step": %d, ' % step
    with path.open("rb") as file:
        lines = [line for line in file if line.startswith(begin) and line.endswith(b"\n")]
    try:
        values = json.loads(lines[-1])["values"]
        return Point(step, 0.0, {str(name): float(value) for name, value in values.items()})
    except (IndexError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
