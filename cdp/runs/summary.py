"""One run as a record: what the command line prints as JSON, and what a finished run can be cited by."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cdp.runs.journal import JOURNAL, Point, read_journal
from cdp.runs.records import Run

_ACCURACIES = ("clean_accuracy", "robust_accuracy")


def record(run: Run) -> dict[str, Any]:
    """State, progress and figures of a run, JSON-ready.

    For training runs: ``epoch``, ``clean_accuracy`` and ``robust_accuracy`` of the last finished epoch on the validation
    images, ``best`` and ``last`` with the same three, ``metrics`` with all else of that epoch; None before the first epoch.
    """
    points, _ = read_journal(run.folder / JOURNAL)
    figures = _of_training(points) if run.kind == "train" else {}
    return {
        "run": run.id, "kind": run.kind, "name": run.name, "state": run.state, "pid": run.pid, "folder": str(run.folder),
        "created": run.created, "started": run.started, "ended": run.ended, "progress": asdict(run.progress) if run.progress else None,
        "error": run.error, "notice": run.notice,
    } | figures | {"metrics": dict(points[-1].values) if points else {}} | (run.result or {})  # fmt: skip


def _of_training(points: list[Point]) -> dict[str, Any]:
    """What is known of a training from its journal; the final record says the same once it is there."""
    if not points:
        return {"epoch": 0} | dict.fromkeys((*_ACCURACIES, "best", "last"))
    last = _epoch(points[-1])
    best = max(points, key=lambda point: (point.values.get("robust_accuracy", -1.0), -point.step))
    return last | {"best": _epoch(best), "last": last}


def _epoch(point: Point) -> dict[str, Any]:
    return {"epoch": point.step} | {name: point.values.get(name) for name in _ACCURACIES}
