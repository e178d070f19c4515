"""What a training has reached, from its final record where that says it, else from the end of its
journal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdp.work.journal import JOURNAL, Point, read_journal
from cdp.work.records import Run

_TAIL = 2048
"""Bytes at the end of a journal that hold its last point; where points are longer, all of it is
read."""
_MOST = 1 << 53
Taken = tuple[int | None, int | None]
"""Optimiser steps taken and images seen in them, None unknown."""


@dataclass(frozen=True)
class Reached:
    """Accuracies in 0..1 on ``n`` validation images, the robust ones under PGD; None where not
    measured, epochs and n 0.

    clean, robust: of the last validation; best_clean, best_robust: of the best (``best_point``).
    steps, images_seen: optimiser steps taken and images seen in them, None where no file says it.
    seconds: of training and validation over all starts; epsilon: the full budget trained for, None
    where only the data set knows it.
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
    best_step: int | None = None
    steps: int | None = None
    images_seen: int | None = None


def from_result(result: Mapping[str, Any] | None) -> Reached | None:
    """What the final record of a training says; None where it says too little to do without the
    journal."""
    best = result.get("best") if result else None
    if (
        result is None
        or not isinstance(best, dict)
        or not whole(result.get("n"))
        or "epoch" not in result
    ):
        return None
    return Reached(
        whole(result["epoch"]),
        share(result.get("clean_accuracy")),
        share(result.get("robust_accuracy")),
        whole(best.get("epoch")),
        share(best.get("clean_accuracy")),
        share(best.get("robust_accuracy")),
        whole(result.get("n")),
        positive(result.get("seconds")),
        positive(result.get("epsilon")),
        _counted(best.get("step")),
        _counted(result.get("steps")),
        _counted(result.get("images_seen")),
    )


def reached_of(run: Run) -> Reached:
    """What a training has reached. Final records of before did not count steps and images; the
    journal beside them does."""
    told, path = from_result(run.result), run.folder / JOURNAL
    return from_journal(path) if told is None else completed(told, lambda: taken(path))


def completed(told: Reached, counts: Callable[[], Taken]) -> Reached:
    """The final record with steps and images where it does not count them. counts: those of the
    journal."""
    if told.steps is not None and told.images_seen is not None:
        return told
    steps, images = counts()
    return replace(told, steps=steps, images_seen=images)


def taken(path: Path) -> Taken:
    """Optimiser steps and images seen by the last point of a journal."""
    try:
        points = _tail(path) or read_journal(path)[0]
    except OSError:
        return None, None
    return (steps_of(points[-1]), images_of(points[-1])) if points else (None, None)


def best_point(points: Sequence[Point]) -> Point:
    """The one whose weights were kept as the best, as the last point names it; else that of highest
    robust accuracy, of equal ones that of higher clean accuracy, then the later."""
    named = _best_number(points[-1])
    found = next((point for point in reversed(points) if point.step == named), None)
    return found or max(
        points,
        key=lambda point: (
            point.values.get("robust_accuracy", -1.0),
            point.values.get("clean_accuracy", -1.0),
            point.step,
        ),
    )


def epoch_of(point: Point) -> int:
    """The epoch that a validation belongs to; journals of before have a point an epoch, numbered by
    it."""
    return whole(point.values.get("epoch")) or point.step


def steps_of(point: Point) -> int | None:
    """Optimiser steps taken until a validation."""
    return _counted(point.values.get("step"))


def images_of(point: Point) -> int | None:
    """Images seen until a validation."""
    return _counted(point.values.get("images"))


def from_journal(path: Path) -> Reached:
    """What the journal says by its last point and that of the best epoch; all of it is read only
    where these do not suffice."""
    try:
        points = _tail(path)
        best = _named(path, points) if points else None
        if best is None:
            points, _ = read_journal(path)
    except OSError:
        return Reached()
    if not points:
        return Reached()
    best = best or best_point(points)
    last, value, of_best = points[-1], points[-1].values.get, best.values.get
    return Reached(
        epoch_of(last),
        share(value("clean_accuracy")),
        share(value("robust_accuracy")),
        epoch_of(best),
        share(of_best("clean_accuracy")),
        share(of_best("robust_accuracy")),
        whole(value("n")),
        positive(value("seconds")),
        best_step=steps_of(best),
        steps=steps_of(last),
        images_seen=images_of(last),
    )


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
    return (
        int(number) if number is not None and 0 <= number < _MOST and number == int(number) else 0
    )


def _counted(value: Any) -> int | None:
    return whole(value) or None


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
    """The best point as the last point names it; None where it names none that is there."""
    step = _best_number(points[-1])
    if not step:
        return None
    return next((point for point in reversed(points) if point.step == step), None) or _lone(
        path, step
    )


def _best_number(last: Point) -> int:
    """What the best point is numbered, by the last one; 0 unknown. Points of before are numbered by
    epoch and name its best."""
    return whole(
        last.values.get(
            "best_point", 0 if "epoch" in last.values else last.values.get("best_epoch")
        )
    )


def _lone(path: Path, step: int) -> Point | None:
    """The point of one step, read without the others; the last where that step comes twice."""
    begin = b'{"step": %d, ' % step
    with path.open("rb") as file:
        lines = [line for line in file if line.startswith(begin) and line.endswith(b"\n")]
    try:
        values = json.loads(lines[-1])["values"]
        return Point(step, 0.0, {str(name): float(value) for name, value in values.items()})
    except (
        IndexError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return None
