"""What a training has reached, from its final record where that says it, else from the end of its
journal: for lists, curves, the run table, comparisons and the record of a run alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cdp.config.train import TrainConfig
from cdp.data.catalog import CATALOG
from cdp.errors import InputError
from cdp.files.reading import read_tail
from cdp.models.checkpoints import require_json
from cdp.values.types import NEVER_ROBUST
from cdp.work.journal import JOURNAL, Point, is_whole, points_of, read_journal, unreadable
from cdp.work.records import Run

BEST_CARD = "best/card.json"
_TAIL = 2048
"""Bytes at the end of a journal that hold its last point; where points are longer, all of it is
read."""
_MOST = 1 << 53


@dataclass(frozen=True)
class Reached:
    """Accuracies in 0..1 on ``n`` validation images, the robust ones under PGD; None where not
    measured, epochs and n 0. clean, robust: of the last validation; best_clean, best_robust: of the
    best (``best_point``). steps, images_seen: optimiser steps taken and images seen in them, None
    where no file says it. seconds: of training and validation over all starts; epsilon: the full
    budget trained for, None where only the data set knows it. problem: why the journal says nothing,
    "" where it does or has nothing to say."""

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
    problem: str = ""


def reached_of(run: Run) -> Reached:
    """What a training has reached. Final records of before did not count steps and images; the
    journal beside them does."""
    final, path = from_result(run.result), run.folder / JOURNAL
    if final is None:
        return from_journal(path)
    if final.steps is not None and final.images_seen is not None:
        return final
    last, problem = _last(path)
    known = last or Point(0, 0.0, {})
    return replace(final, steps=steps_of(known), images_seen=images_of(known), problem=problem)


def from_result(result: Mapping[str, Any] | None) -> Reached | None:
    """What the final record of a training says; None where it says too little to do without the
    journal."""
    best = result.get("best") if result else None
    if not result or not isinstance(best, dict) or "epoch" not in result:
        return None
    if not whole(result.get("n")):
        return None
    return _reached(result, best)


def _reached(last: Mapping[str, Any], best: Mapping[str, Any]) -> Reached:
    """The last validation and the best one, in the words of a final record."""
    numbers: list[Any] = []
    for part in (last, best):
        accuracies = (share(part.get(f"{metric}_accuracy")) for metric in ("clean", "robust"))
        numbers += [whole(part.get("epoch")), *accuracies]
    numbers += [whole(last.get("n")), positive(last.get("seconds")), positive(last.get("epsilon"))]
    counts = (best.get("step"), last.get("steps"), last.get("images_seen"))
    return Reached(*numbers, *map(_counted, counts))


def from_journal(path: Path) -> Reached:
    """What the journal says by its last point and that of the best epoch; all of it is read only
    where these do not suffice."""
    points, problem = _end(path, _named)
    if not points:
        return Reached(problem=problem)
    best, last = best_point(points), points[-1]
    # The budget of the last step may be one on the way to that trained for.
    counts = {"steps": steps_of(last), "images_seen": images_of(last), "epsilon": None}
    now = last.values | {"epoch": epoch_of(last)} | counts
    return replace(_reached(now, best.values | {"epoch": epoch_of(best)}), problem=problem)


def record(run: Run) -> dict[str, Any]:
    """State, progress and figures of a run, JSON-ready: what the command line prints, and what a
    finished run can be cited by. For training runs: ``epoch``, ``clean_accuracy`` and
    ``robust_accuracy`` of the last validation, ``best`` and ``last`` with the same three and the
    optimiser ``step``, ``metrics`` with all else of it, None before the first one; ``steps`` and
    ``images_seen`` in all until then."""
    last, problem = _last(run.folder / JOURNAL)
    figures = _figures(from_journal(run.folder / JOURNAL)) if run.kind == "train" else {}
    figures |= {"metrics": dict(last.values) if last else {}} | (run.result or {})
    known: dict[str, Any] = {
        "run": run.id,
        "kind": run.kind,
        "name": run.name,
        "state": run.state,
        "pid": run.pid,
    }
    known |= {"folder": str(run.folder), "created": run.created, "started": run.started}
    known |= {"ended": run.ended, "progress": asdict(run.progress) if run.progress else None}
    known |= {"error": run.error, "notice": run.notice}
    if wrong := run.problem or problem:
        known["problem"] = wrong
    # A result says what was reached, not which run this is.
    known |= {name: value for name, value in figures.items() if name not in known}
    best = known.get("best")
    if run.kind == "train" and isinstance(best, dict) and best.get("robust_accuracy") == 0:
        known["best"] = best | {"remark": NEVER_ROBUST}
    return known


def _figures(reached: Reached) -> dict[str, Any]:
    """What is known of a training; the final record says the same once it is there."""
    if not reached.epoch:
        nothing = dict.fromkeys(("clean_accuracy", "robust_accuracy", "best", "last"))
        return {"epoch": 0, "steps": 0, "images_seen": 0} | nothing
    last = _validation(reached.epoch, reached.steps, reached.clean, reached.robust)
    best = (reached.best_epoch, reached.best_step, reached.best_clean, reached.best_robust)
    counted = {"steps": reached.steps, "images_seen": reached.images_seen}
    return last | counted | {"best": _validation(*best), "last": last}


def _validation(
    epoch: int, step: int | None, clean: float | None, robust: float | None
) -> dict[str, Any]:
    return {"epoch": epoch, "step": step, "clean_accuracy": clean, "robust_accuracy": robust}


def trained_budget(
    config: TrainConfig, reached: Reached | None = None, card: Mapping[str, Any] | None = None
) -> float | None:
    """The radius trained for; None where it was left to a data set that is not built in, and
    neither a final record nor ``card``, of the best weights, says it."""
    training = (card or {}).get("training")
    written = training.get("epsilon") if isinstance(training, dict) else None
    info = CATALOG.get(config.dataset)
    known = (
        config.epsilon,
        reached.epsilon if reached else None,
        positive(written),
        info.conventional(config.norm) if info else None,
    )
    return next((value for value in known if value is not None), None)


def best_card(folder: Path) -> dict[str, Any]:
    """The card of the best weights of the training in ``folder``; {} before its first validation,
    and where it is damaged."""
    try:
        return require_json(folder / BEST_CARD)
    except InputError:
        return {}


def best_point(points: Sequence[Point]) -> Point:
    """The one whose weights were kept as the best, as the last point names it; else that of highest
    robust accuracy, of equal ones that of higher clean accuracy, then the later."""
    return _named(points) or max(points, key=_rank)


def _named(points: Sequence[Point]) -> Point | None:
    """The best point as the last one names it; None where none is named, or it is not there. Points
    of before are numbered by epoch, and the last one names the best epoch."""
    last = points[-1].values
    old = 0 if "epoch" in last else last.get("best_epoch")
    number = whole(last.get("best_point", old))
    return next((point for point in reversed(points) if point.step == number), None)


def _rank(point: Point) -> tuple[float, float, int]:
    value = point.values.get
    return value("robust_accuracy", -1.0), value("clean_accuracy", -1.0), point.step


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
    return int(number) if number is not None and number >= 0 and number == int(number) else 0


def _counted(value: Any) -> int | None:
    return whole(value) or None


def _real(value: Any) -> float | None:
    usable = isinstance(value, float) or type(value) is int
    return float(value) if usable and abs(value) < _MOST and math.isfinite(value) else None


def _last(path: Path) -> tuple[Point | None, str]:
    """The last point of a journal, whatever the kind of its run, and what is wrong with it."""
    points, problem = _end(path, lambda points: True)
    return (points[-1] if points else None), problem


def _end(path: Path, enough: Callable[[Sequence[Point]], object]) -> tuple[list[Point], str]:
    """The points of the last lines of a journal, all of them where these are not ``enough``; and
    what is wrong with it, "" for nothing."""
    try:
        piece, whole = read_tail(path, _TAIL)
        # A point begins behind the first line end of the piece, or at the beginning of the file.
        piece = piece if whole else piece[piece.find(b"\n") + 1 :]
        points = points_of(piece)
        if not whole and not (points and enough(points)):
            points = read_journal(path)
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError) as error:
        return [], unreadable(path, error)
    last = piece[: piece.rfind(b"\n") + 1].rstrip(b"\n").rpartition(b"\n")[2]
    if last and not is_whole(last):
        return points, f"the last line of {path.name} is no point and counts as not written"
    return points, ""
