"""What one legend entry of the training curves stands for, a run or the mean over seeds, as lines
that are ready to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cdp.figures.palette import Sign, named_signs
from cdp.figures.series import Mean, best, gap, mean_over, share_band, smooth
from cdp.values.naming import common_name

POINT, STEP, EPOCH, IMAGES, SYNTHETIC, TIME = (
    "point",
    "step",
    "epoch",
    "images",
    "synthetic_images",
    "seconds",
)
PERCENT = ("robust_accuracy", "clean_accuracy")
"""Shares of validation images, drawn in per cent."""
GAP = "gap"
"""A column that is computed: best robust accuracy so far minus the current one, in points."""


@dataclass(frozen=True)
class RunCurves:
    """The validations of one run. group: equal for runs that differ in their seed only; columns:
    float64 (E,) by the names of ``cdp.values.types.EpochMetrics``, "point" among them and strictly rising,
    and "epoch"; nan where a value is not known."""

    id: str
    name: str
    group: str
    columns: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Line:
    """One curve. x: as drawn; epoch, value, low, high, n: (E,) each. raw: (E,) before smoothing,
    None where nothing was smoothed.

    low, high: 95 % interval of value, nan where there is none; n: seeds that a mean is over,
    validation images of a share, else 0.
    """

    x: np.ndarray
    epoch: np.ndarray
    value: np.ndarray
    raw: np.ndarray | None
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class Entry:
    """A legend entry: its runs (one, or several seeds), how it is drawn, and what keeps its place
    over redraws (uid)."""

    uid: str
    label: str
    sign: Sign
    runs: tuple[RunCurves, ...]

    @property
    def seeds(self) -> int:
        return len(self.runs)

    def line(self, column: str, x: str, reach: int, unit: float = 1.0) -> Line | None:
        """The curve of a column over ``x`` in ``unit``, smoothed over about ``reach`` validations;
        None where it was not measured."""
        runs = [run for run in self.runs if column_of(run, column) is not None and x in run.columns]
        raws = [values for run in runs if (values := column_of(run, column)) is not None]
        if not raws:
            return None
        points, xs = [run.columns[POINT] for run in runs], [run.columns[x] / unit for run in runs]
        drawn = [smooth(raw, reach) for raw in raws]
        if self.seeds == 1:
            return _of_run(runs[0], column, xs[0], drawn[0], raws[0] if reach > 1 else None)
        mean = mean_over(points, xs, drawn)
        epoch = mean_over(points, xs, [run.columns[EPOCH] for run in runs]).value
        return _of_mean(
            column, mean, epoch, mean_over(points, xs, raws).value if reach > 1 else None
        )


def entries(runs: Sequence[RunCurves], *, mean: bool) -> list[Entry]:
    """One entry a run, or with ``mean`` one for all runs of a group; in the order given. Names that
    occur twice are told apart by id."""
    groups: dict[str, list[RunCurves]] = {}
    for run in runs:
        groups.setdefault(run.group if mean else run.id, []).append(run)
    parts = [tuple(group) for group in groups.values()]
    names = [
        part[0].name if len(part) == 1 else common_name([run.name for run in part])
        for part in parts
    ]
    names = [
        f"{name} ({part[0].id})" if names.count(name) > 1 else name
        for name, part in zip(names, parts, strict=True)
    ]
    signs = named_signs(names)
    return [
        Entry(part[0].id if len(part) == 1 else f"mean of {part[0].group}", name, signs[name], part)
        for name, part in zip(names, parts, strict=True)
    ]


def best_of(run: RunCurves) -> int | None:
    """Index of the validation whose weights the run kept as its best, by its own word where that is
    there; None where nothing was measured."""
    columns = run.columns
    robust = columns.get("robust_accuracy", np.zeros(0))
    # Before there were points, every epoch was one, and runs named the first of equal ones.
    named = columns.get("best_point", columns.get("best_epoch", np.full(len(robust), np.nan)))
    if len(robust) and np.isfinite(named[-1]) and named[-1] in columns[POINT]:
        return int(np.flatnonzero(columns[POINT] == named[-1])[0])
    return best(robust, columns.get("clean_accuracy"))


def column_of(run: RunCurves, name: str) -> np.ndarray | None:
    """A column as it is drawn: shares in per cent, the gap in points; None where the run has not
    measured it."""
    if name == GAP:
        robust = run.columns.get("robust_accuracy")
        return None if robust is None else 100 * gap(robust)
    values = run.columns.get(name)
    if values is None or not np.isfinite(values).any():
        return None
    return 100 * values if name in PERCENT else values


def _of_run(
    run: RunCurves, column: str, x: np.ndarray, value: np.ndarray, raw: np.ndarray | None
) -> Line:
    n = run.columns.get("n", np.zeros(len(value))) if column in PERCENT else np.zeros(len(value))
    low, high = (
        share_band(value / 100, n) if column in PERCENT else (np.full(len(value), np.nan),) * 2
    )
    return Line(x, run.columns[EPOCH], value, raw, 100 * low, 100 * high, n)


def _of_mean(column: str, mean: Mean, epoch: np.ndarray, raw: np.ndarray | None) -> Line:
    # Of two seeds the interval can be wider than what there is: no share leaves 0 to 100 %, no gap
    # falls below 0.
    lowest, highest = (
        (0.0 if column in (*PERCENT, GAP) else None),
        (100.0 if column in PERCENT else None),
    )
    low, high = (
        np.clip(edge, lowest, highest) if lowest is not None else edge
        for edge in (mean.low, mean.high)
    )
    return Line(mean.x, epoch, mean.value, raw, low, high, mean.n)
