"""What training curves draw: a run, or the mean over its seeds, as lines with intervals, and the
numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from cdp.figures.palette import NEUTRAL, Sign
from cdp.values.naming import common_name, told_apart

POINT, STEP, EPOCH = "point", "step", "epoch"
IMAGES, SYNTHETIC, TIME = "images", "synthetic_images", "seconds"
PERCENT = ("robust_accuracy", "clean_accuracy")
"""Shares of validation images, drawn in per cent."""
MARK_PX = 5
SEED_MARKS = (("", 8), ("-open", 8), ("", 4), ("-open", 4))
"""How the mark of a group is filled, and its pixels, for seeds 0 to 3, and so on anew. Finer
differences are not seen on a curve."""
GAP = "gap"
"""A column that is computed: best robust accuracy so far minus the current one, in points."""


@dataclass(frozen=True)
class RunCurves:
    """The validations of one run. group: equal for runs that differ in their seed only; columns:
    float64 (E,) by the names of ``cdp.values.types.EpochMetrics``, "point" among them and strictly
    rising, and "epoch"; nan where a value is not known; sign: equal for runs of a group; seed: tells
    those apart where each is drawn by itself."""

    id: str
    name: str
    group: str
    columns: Mapping[str, np.ndarray]
    sign: Sign = NEUTRAL
    seed: int = 0


@dataclass(frozen=True)
class Line:
    """One curve. x: as drawn; epoch, value, low, high, n: (E,) each. raw: (E,) before smoothing,
    None where nothing was smoothed. low, high: 95 % interval of value, nan where there is none; n:
    seeds that a mean is over, validation images of a share, else 0."""

    x: np.ndarray
    epoch: np.ndarray
    value: np.ndarray
    raw: np.ndarray | None
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class LegendEntry:
    """A legend entry: its runs (one, or several seeds), how it is drawn, and what keeps its place
    over redraws (uid). size: of its marks, in pixels."""

    uid: str
    label: str
    sign: Sign
    runs: tuple[RunCurves, ...]
    size: int = MARK_PX

    @property
    def seeds(self) -> int:
        return len(self.runs)

    def line(self, column: str, x: str, reach: int, unit: float = 1.0) -> Line | None:
        """The curve of a column over ``x`` in ``unit``, smoothed over about ``reach`` validations;
        None where it was not measured."""
        known = {run.id: column_of(run, column) for run in self.runs if x in run.columns}
        raws = {name: values for name, values in known.items() if values is not None}
        runs = [run for run in self.runs if run.id in raws]
        if not runs:
            return None
        xs = [run.columns[x] / unit for run in runs]
        drawn = [smooth(raws[run.id], reach) for run in runs]
        if self.seeds == 1:
            raw = raws[runs[0].id] if reach > 1 else None
            return _of_run(runs[0], column, xs[0], drawn[0], raw)
        points = [run.columns[POINT] for run in runs]
        mean = mean_over(points, xs, drawn)
        epoch = mean_over(points, xs, [run.columns[EPOCH] for run in runs]).value
        raw = mean_over(points, xs, list(raws.values())).value if reach > 1 else None
        return _of_mean(column, mean, epoch, raw)


def entries(runs: Sequence[RunCurves], *, mean: bool) -> list[LegendEntry]:
    """One entry a run, with the mark of its group varied by its seed, or with ``mean`` one for all
    runs of a group; in the order given. Names that occur twice are told apart by id."""
    groups: dict[str, list[RunCurves]] = {}
    for run in runs:
        groups.setdefault(run.group if mean else run.id, []).append(run)
    parts = [tuple(group) for group in groups.values()]
    short = [p[0].name if len(p) == 1 else common_name([run.name for run in p]) for p in parts]
    names = told_apart(short, [part[0].id for part in parts])
    uids = [part[0].id if len(part) == 1 else f"mean of {part[0].group}" for part in parts]
    found = [
        LegendEntry(uid, name, part[0].sign, part)
        for uid, name, part in zip(uids, names, parts, strict=True)
    ]
    return found if mean else [_with_mark_of_seed(entry) for entry in found]


def _with_mark_of_seed(entry: LegendEntry) -> LegendEntry:
    fill, size = SEED_MARKS[entry.runs[0].seed % len(SEED_MARKS)]
    return replace(entry, sign=replace(entry.sign, symbol=entry.sign.symbol + fill), size=size)


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
    if column not in PERCENT:
        none = np.full(len(value), np.nan)
        return Line(x, run.columns[EPOCH], value, raw, none, none, np.zeros(len(value)))
    n = run.columns.get("n", np.zeros(len(value)))
    low, high = share_band(value / 100, n)
    return Line(x, run.columns[EPOCH], value, raw, 100 * low, 100 * high, n)


def _of_mean(column: str, mean: Mean, epoch: np.ndarray, raw: np.ndarray | None) -> Line:
    # Of two seeds the interval can be wider than what there is: no share leaves 0 to 100 %, no gap
    # falls below 0.
    low, high = mean.low, mean.high
    if column in (*PERCENT, GAP):
        most = 100.0 if column in PERCENT else None
        low, high = np.clip(low, 0.0, most), np.clip(high, 0.0, most)
    return Line(mean.x, epoch, mean.value, raw, low, high, mean.n)


COLUMNS = (
    *("point", "epoch", "step", "images", "synthetic_images", "seconds"),
    *("clean_accuracy", "robust_accuracy", "n", "loss", "loss_clean", "loss_robust"),
    *("learning_rate", "epsilon", "train_clean", "train_robust"),
    *("best_epoch", "best_step", "best_robust"),
)
"""The order in a file; other values that a run wrote follow by name."""


def run_rows(runs: Sequence[RunCurves]) -> list[dict[str, Any]]:
    """Two rows a run, its best and its latest validation: accuracies in per cent with 95 %
    intervals (Wilson), n, and the gap in points."""
    rows = []
    for run in runs:
        at = best_of(run)
        if at is not None:
            robust = run.columns["robust_accuracy"]
            behind = 100 * float(robust[at] - robust[-1])
            rows += [_row(run, "best", at, 0.0), _row(run, "latest", len(robust) - 1, behind)]
    return rows


def _row(run: RunCurves, which: str, at: int, behind: float) -> dict[str, Any]:
    def of(name: str) -> float:
        return float(run.columns[name][at]) if name in run.columns else np.nan

    def known(value: float, digits: int | None = None) -> float | None:
        return (value if digits is None else round(value, digits)) if np.isfinite(value) else None

    row: dict[str, Any] = {"run": run.name, "at": which, "step": known(of(STEP))}
    row["epoch"] = int(run.columns[EPOCH][at])
    for title, name in (("robust", "robust_accuracy"), ("clean", "clean_accuracy")):
        low, high = share_band(np.array(of(name)), np.array(of("n")))
        parts = {f"{title} [%]": of(name), f"{title} low": float(low), f"{title} high": float(high)}
        row |= {key: known(100 * part, 2) for key, part in parts.items()}
    n = known(of("n"))
    row |= {"n": None if n is None else int(n), "gap [points]": known(behind, 2)}
    row |= {"loss [nats]": known(of("loss")), "images": known(of(IMAGES))}
    return row | {"synthetic images": known(of(SYNTHETIC)), "minutes": known(of(TIME) / 60, 2)}


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


Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Mean:
    """A mean over runs at each step that any of them has. step: (E,) rising; x, value: (E,) means
    over those that have it; n: (E,) how many. low, high: (E,) 95 % interval of the mean, value +-
    t(n-1) x standard error; nan where one run alone says nothing of the spread."""

    step: np.ndarray
    x: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


def smooth(values: np.ndarray, reach: int) -> np.ndarray:
    """Exponential moving average of values (E,), debiased at the start (Kingma and Ba 2014, section
    3): a weighted mean of this point and earlier ones only, so the past of a curve never changes.
    Weights fall by 1 - 1/reach a point; 1 leaves all as it is, nan stays nan."""
    if reach <= 1 or not len(values):
        return values
    known = np.isfinite(values)
    total = _decayed(np.where(known, values, 0.0), 1 - 1 / reach)
    weight = _decayed(known.astype(np.float64), 1 - 1 / reach)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, total / weight, np.nan)


def _decayed(parts: np.ndarray, keep: float) -> np.ndarray:
    """y(t) = keep y(t - 1) + parts(t), (E,), in stretches over which powers of ``keep`` stay far
    from the ends of float64."""
    sums = np.empty(len(parts))
    size = max(1, int(200 / -np.log(keep)))
    powers = keep ** np.arange(1, size + 1)
    carried = 0.0
    for first in range(0, len(parts), size):
        part = parts[first : first + size]
        scale = powers[: len(part)]
        sums[first : first + size] = scale * (np.cumsum(part / scale) + carried)
        carried = sums[first + len(part) - 1]
    return sums


def thin(values: np.ndarray, limit: int) -> np.ndarray:
    """Indices, rising, of at most ``limit`` of values (E,): the ends, and the smallest and the
    largest of each of equal stretches between. A spike is never lost, and the line fills what the
    whole curve fills at this width."""
    count = len(values)
    if count <= limit:
        return np.arange(count)
    inner = values[1:-1]
    width = -(-len(inner) // ((limit - 2) // 2))
    first = np.arange(0, len(inner), width)
    picked = np.zeros(count, bool)
    picked[[0, -1]] = True
    for sign in (1.0, -1.0):
        key = np.full(len(first) * width, np.inf)
        key[: len(inner)] = np.where(np.isfinite(inner), sign * inner, np.inf)
        picked[first + key.reshape(-1, width).argmin(axis=1) + 1] = True
    return np.flatnonzero(picked)


def gap(robust: np.ndarray) -> np.ndarray:
    """Best so far minus current, (E,), never below 0."""
    return np.fmax.accumulate(robust) - robust


def best(robust: np.ndarray, clean: np.ndarray | None = None) -> int | None:
    """Index of the highest robust accuracy (E,); of equal ones that of higher clean accuracy, then
    the last. None where there is none."""
    if not np.isfinite(robust).any():
        return None
    equal = np.flatnonzero(robust == np.nanmax(robust))
    if clean is not None:
        values = np.nan_to_num(clean[equal], nan=-1.0)
        equal = equal[values == values.max()]
    return int(equal[-1])


def share_band(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % score interval (Wilson 1927) of shares (E,) in 0..1 measured on n (E,) images each:
    (low, high); nan where n is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.where(n >= 1, n, np.nan)
        shrink = 1 + Z95**2 / count
        centre = (share + Z95**2 / (2 * count)) / shrink
        half = Z95 / shrink * np.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    low, high = np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)
    return np.minimum(share, low), np.maximum(share, high)


def mean_over(
    steps: Sequence[np.ndarray], xs: Sequence[np.ndarray], values: Sequence[np.ndarray]
) -> Mean:
    """Mean and 95 % interval over runs. steps: a run's (E_i,) rising whole numbers; xs, values:
    (E_i,) each. At a step that some runs have not reached yet, the mean is over those that have,
    and n says how many; x never falls."""
    alike = all(np.array_equal(steps[0], own) for own in steps[1:])
    step = steps[0] if alike else np.unique(np.concatenate(steps))
    table = np.full((2, len(steps), len(step)), np.nan)
    for row, (own, x, value) in enumerate(zip(steps, xs, values, strict=True)):
        at = slice(None) if len(own) == len(step) else np.searchsorted(step, own)
        table[0, row, at], table[1, row, at] = x, value
    here = np.isfinite(table[1])
    n = here.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, value = np.where(here, table, 0.0).sum(axis=1) / n
        spread = np.sqrt(np.where(here, (table[1] - value) ** 2, 0.0).sum(axis=0) / (n - 1))
        half = _t95(len(steps))[n] * spread / np.sqrt(n)
    return Mean(step, np.fmax.accumulate(x), value, value - half, value + half, n)


@cache
def _t95(most: int) -> np.ndarray:
    """97.5 % quantile of Student's t for a mean over 0..most values, by their number; nan
    below 2."""
    from scipy.special import stdtrit

    return np.array([np.nan, np.nan, *(stdtrit(n - 1, 0.975) for n in range(2, most + 1))])
