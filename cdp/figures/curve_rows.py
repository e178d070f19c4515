"""The numbers behind the training curves: a row a run for the table, every point for a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cdp.figures.curve_lines import EPOCH, RunCurves, best_of
from cdp.figures.series import share_band

COLUMNS = (
    "point",
    "epoch",
    "step",
    "images",
    "synthetic_images",
    "seconds",
    "clean_accuracy",
    "robust_accuracy",
    "n",
    "loss",
    "loss_clean",
    "loss_robust",
    "learning_rate",
    "epsilon",
    "train_clean",
    "train_robust",
    "best_epoch",
    "best_step",
    "best_robust",
)
"""The order in a file; other values that a run wrote follow by name."""


def run_rows(runs: Sequence[RunCurves]) -> list[dict[str, Any]]:
    """Two rows a run, its best and its latest validation: accuracies in per cent with 95 %
    intervals (Wilson), n, and the gap in points."""
    return [row for run in runs for row in _rows_of(run)]


def _rows_of(run: RunCurves) -> list[dict[str, Any]]:
    robust = run.columns.get("robust_accuracy", np.zeros(0))
    at = best_of(run)
    if at is None:
        return []
    return [
        _row(run, "best", at, 0.0),
        _row(run, "latest", len(robust) - 1, 100 * float(robust[at] - robust[-1])),
    ]


def _row(run: RunCurves, which: str, at: int, behind: float) -> dict[str, Any]:
    def of(name: str) -> float | None:
        value = run.columns.get(name, np.full(at + 1, np.nan))[at]
        return float(value) if np.isfinite(value) else None

    row: dict[str, Any] = {
        "run": run.name,
        "at": which,
        "step": of("step"),
        "epoch": int(run.columns[EPOCH][at]),
    }
    n = run.columns.get("n", np.full(at + 1, np.nan))[at : at + 1]
    for title, name in (("robust", "robust_accuracy"), ("clean", "clean_accuracy")):
        share = run.columns.get(name, np.full(at + 1, np.nan))[at : at + 1]
        low, high = share_band(share, n)
        parts = {f"{title} [%]": share, f"{title} low": low, f"{title} high": high}
        row |= {
            key: round(100 * float(part[0]), 2) if np.isfinite(part[0]) else None
            for key, part in parts.items()
        }
    loss, images, synthetic, seconds = (
        of("loss"),
        of("images"),
        of("synthetic_images"),
        of("seconds"),
    )
    return row | {
        "n": int(n[0]) if np.isfinite(n[0]) else None,
        "gap [points]": round(behind, 2) if np.isfinite(behind) else None,
        "loss [nats]": loss,
        "images": images,
        "synthetic images": synthetic,
        "minutes": None if seconds is None else round(seconds / 60, 2),
    }


def point_rows(runs: Sequence[RunCurves]) -> list[dict[str, Any]]:
    """Every point as it was measured, one row each: run, id, then the values by name; None where
    there is none."""
    names = [*COLUMNS, *sorted({name for run in runs for name in run.columns} - set(COLUMNS))]
    return [
        {"run": run.name, "id": run.id}
        | {name: _number(run.columns[name][at]) if name in run.columns else None for name in names}
        for run in runs
        for at in range(len(run.columns[EPOCH]))
    ]


def _number(value: Any) -> float | int | None:
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) >= 1 else number
