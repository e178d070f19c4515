"""One run as a record: what the command line prints as JSON, and what a finished run can be cited
by."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cdp.results.table.reached import best_point, epoch_of, images_of, steps_of
from cdp.values.types import NEVER_ROBUST
from cdp.work.journal import JOURNAL, Point, read_journal
from cdp.work.records import Run

_ACCURACIES = ("clean_accuracy", "robust_accuracy")


def record(run: Run) -> dict[str, Any]:
    """State, progress and figures of a run, JSON-ready.

    For training runs: ``epoch``, ``clean_accuracy`` and ``robust_accuracy`` of the last validation,
    ``best`` and ``last`` with the same three and the optimiser ``step``, ``metrics`` with all else
    of it, None before the first one; ``steps`` and ``images_seen`` in all until then.
    """
    points, _ = read_journal(run.folder / JOURNAL)
    figures = _of_training(points) if run.kind == "train" else {}
    known = (
        {
            "run": run.id,
            "kind": run.kind,
            "name": run.name,
            "state": run.state,
            "pid": run.pid,
            "folder": str(run.folder),
            "created": run.created,
            "started": run.started,
            "ended": run.ended,
            "progress": asdict(run.progress) if run.progress else None,
            "error": run.error,
            "notice": run.notice,
        }
        | figures
        | {"metrics": dict(points[-1].values) if points else {}}
        | (run.result or {})
    )
    best = known.get("best")
    if run.kind == "train" and isinstance(best, dict) and best.get("robust_accuracy") == 0:
        known["best"] = best | {"remark": NEVER_ROBUST}
    return known


def _of_training(points: list[Point]) -> dict[str, Any]:
    """What is known of a training from its journal; the final record says the same once it is
    there."""
    if not points:
        return {"epoch": 0, "steps": 0, "images_seen": 0} | dict.fromkeys(
            (*_ACCURACIES, "best", "last")
        )
    last, best = _validation(points[-1]), best_point(points)
    counted = {"steps": steps_of(points[-1]), "images_seen": images_of(points[-1])}
    return last | counted | {"best": _validation(best), "last": last}


def _validation(point: Point) -> dict[str, Any]:
    return {"epoch": epoch_of(point), "step": steps_of(point)} | {
        name: point.values.get(name) for name in _ACCURACIES
    }
