"""Curves of training runs, panel over panel: accuracies, losses, learning rate, and how far below
its best each run is. Figures are plain dictionaries: checking each attribute, as plotly's own
classes do, takes longer than a tick has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cdp.figures.curve_data import (
    EPOCH,
    GAP,
    IMAGES,
    STEP,
    SYNTHETIC,
    TIME,
    LegendEntry,
    Line,
    RunCurves,
    best,
    best_of,
    column_of,
    entries,
    thin,
)
from cdp.figures.frame import LEGEND, Heading, as_text, in_panel, layout_name, small, stacked
from cdp.figures.palette import INK, faint
from cdp.values.text import span_text

ACCURACY, LOSSES, RATE, BEHIND = "accuracy", "losses", "rate", "gap"
QUANTITIES = {ACCURACY: "Robust and clean accuracy", LOSSES: "Losses"}
QUANTITIES |= {RATE: "Learning rate", BEHIND: "Gap to the best"}
X_AXES = {STEP: "Step", EPOCH: "Epoch", IMAGES: "Images seen"}
X_AXES |= {SYNTHETIC: "Synthetic images seen", TIME: "Time"}
REACHES = (1, 3, 5, 10, 25, 50)
"""Validations that smoothing reaches back over, on average; 1 is none."""

BANDED = 3
"""Up to so many entries have bands around single runs; more would lie over each other, so their
best epochs have whiskers."""
PARTED = 2
"""Up to so many entries show the parts of their losses."""
UNIFIED = 4
"""Up to so many entries are told in one hover; of more, the nearest curve."""
MINUTES, HOURS = 60.0, 3600.0
TALL_PX, LOW_PX, GAP_PX, BOTTOM_PX, TITLE_PX = 240, 110, 56, 50, 44
MAX_POINTS = 500
PLAIN = ",~r"
"""How ticks are written, on log axes too: 0.05, 2, 1,000, not 50m, and never 2 for 0.02."""
BEST_PX = 13
MARKERS = 12
"""Markers drawn on a curve; they tell curves apart, and points are found by hovering."""

Trace = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What is drawn and how. x: of ``X_AXES``; quantities: of ``QUANTITIES``; smoothing: of
    ``REACHES``; mean: over seeds. log_x; log_y: of losses and learning rate. Accuracies and the gap
    stay linear: a gap is 0 at the best epoch."""

    x: str = STEP
    quantities: tuple[str, ...] = tuple(QUANTITIES)
    smoothing: int = 1
    mean: bool = True
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class CurveDrawing:
    """figure: plotly's data and layout as dictionaries, numpy arrays for columns; heading: what it
    says; notes: sentences on how to read it."""

    figure: dict[str, Any]
    heading: Heading
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Panel:
    """title: what is seen; note: a smaller line under it; unit: of the y axis; key: what its zoom
    belongs to."""

    title: str
    note: str
    unit: str
    key: str
    tall: bool = False
    log: bool = False
    from_zero: bool = False


@dataclass(frozen=True)
class _Pen:
    """How one curve of an entry is drawn. part: its name beside others of the entry ("" where it is
    alone). digits: plotly's format of a value; unit: after it; band: whether single runs have
    one."""

    digits: str
    unit: str
    part: str = ""
    dash: str = "solid"
    band: bool = False


def training_curves(runs: Sequence[RunCurves], look: Look) -> CurveDrawing:
    """Every chosen quantity of every run. A run keeps its colour and its marks whatever else is
    drawn; dashes tell curves of one run apart."""
    placed = [run for run in runs if _on_axis(run, look.x)]
    drawn = entries(placed, mean=look.mean)
    unit, at = _x_unit(placed, look.x)
    traces: list[Trace] = []
    panels: list[_Panel] = []
    for row, quantity in enumerate(name for name in QUANTITIES if name in look.quantities):
        panels.append(_PANELS[quantity](_Sheet(drawn, look, row, unit, at, traces)))
    layout = _layout(panels, look, at, f"{look.x} {unit:g} {look.log_x}")
    layout["hovermode"] = "closest" if len(drawn) > UNIFIED else "x unified"
    notes = tuple(_notes(runs, placed, drawn, look))
    return CurveDrawing({"data": traces, "layout": layout}, _heading(drawn), notes)


def _heading(drawn: Sequence[LegendEntry]) -> Heading:
    """One entry: how far it is below its best. Several: how far their bests lie apart."""
    best = {entry.label: _robust(entry) for entry in drawn}
    known = {label: values for label, values in best.items() if values}
    note = _accuracy_note(drawn)
    if not known:
        return Heading("")
    if len(known) == 1:
        top, now = next(iter(known.values()))
        below = f"{top - now:.1f} points below" if top - now >= 0.05 else "at"
        return Heading(f"Robust accuracy is {below} its best", note)
    first = max(known, key=lambda label: known[label][0])
    tops = [top for top, _ in known.values()]
    apart = f"The best robust accuracies lie {max(tops) - min(tops):.1f} points apart"
    return Heading(f"{apart}, highest in {first}", note)


def _robust(entry: LegendEntry) -> tuple[float, float] | None:
    """Best and last robust accuracy in per cent, means over seeds."""
    columns = [column_of(run, "robust_accuracy") for run in entry.runs]
    known = [values for values in columns if values is not None]
    if not known:
        return None
    return float(np.mean([v.max() for v in known])), float(np.mean([v[-1] for v in known]))


@dataclass(frozen=True)
class _Sheet:
    """A panel to draw in. unit: what values of the x axis are divided by; at: its title; traces:
    of the whole figure, which grow."""

    drawn: Sequence[LegendEntry]
    look: Look
    row: int
    unit: float
    at: str
    traces: list[Trace]

    @property
    def closest(self) -> bool:
        """Whether a hover shows one curve, which then has to say all by itself."""
        return len(self.drawn) > UNIFIED

    def add(self, column: str, pen: _Pen) -> list[tuple[LegendEntry, Line]]:
        """One curve of every entry that has measured this; the first of an entry in the figure
        stands for it in the legend. A learning rate is not smoothed: it is no measurement."""
        reach = 1 if column == "learning_rate" else self.look.smoothing
        x, unit = self.look.x, self.unit
        drawn = [(entry, entry.line(column, x, reach, unit)) for entry in self.drawn]
        lines = [(entry, line) for entry, line in drawn if line is not None]
        for entry, line in lines:
            self.traces.extend(self._curve(entry, line, pen))
        return lines

    def _curve(self, entry: LegendEntry, line: Line, pen: _Pen) -> Iterator[Trace]:
        """Band, raw curve and curve, back to front."""
        at, color = thin(line.value, MAX_POINTS), entry.sign.color
        quiet = {"mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        legend = not any(trace["legendgroup"] == entry.uid for trace in self.traces)
        if pen.band or entry.seeds > 1:
            there = at[np.isfinite(line.low[at]) & np.isfinite(line.high[at])]
            edge = quiet | {"line": {"width": 0, "color": color}}
            yield self._trace(entry, pen, "low", line.x, line.low, there) | edge
            edge |= {"fill": "tonexty", "fillcolor": faint(color, 0.14)}
            yield self._trace(entry, pen, "high", line.x, line.high, there) | edge
        if line.raw is not None:
            thinned = thin(line.raw, MAX_POINTS)
            pale = {"color": faint(color, 0.35), "dash": pen.dash, "width": 1}
            yield self._trace(entry, pen, "raw", line.x, line.raw, thinned) | quiet | {"line": pale}
        columns, words = self._hover(entry, line, pen)
        seeds = f", n = {entry.seeds} seeds" if entry.seeds > 1 else ""
        look = {"color": color, "symbol": entry.sign.symbol, "size": entry.size}
        look["maxdisplayed"] = MARKERS
        data = np.stack([_f4(column[at]) for column in columns], axis=1) if columns else None
        drawn = {"color": color, "dash": pen.dash, "width": 1.5 if self.closest else 2}
        whole: Trace = {
            "mode": "lines+markers",
            "name": as_text(entry.label) + seeds,
            "line": drawn,
        }
        whole |= {"showlegend": legend, "marker": look, "customdata": data, "hovertemplate": words}
        yield self._trace(entry, pen, "line", line.x, line.value, at) | whole

    def mark(self, entry: LegendEntry, line: Line, at: int, part: str, size: int) -> None:
        """Point ``at`` as the entry's mark, with a whisker over its interval. size: in pixels."""
        value, low, high = (float(values[at]) for values in (line.value, line.low, line.high))
        color, symbol = entry.sign.color, entry.sign.symbol
        trace = self._trace(entry, _Pen("", "", part), "best", line.x, line.value, np.array([at]))
        look = {"color": color, "symbol": symbol, "size": size}
        trace |= {"x": [float(line.x[at])], "y": [value], "mode": "markers", "marker": look}
        trace |= {"showlegend": False, "hoverinfo": "skip"}
        if np.isfinite(low):
            ends = {"array": [high - value], "arrayminus": [value - low]}
            bar = {"color": color, "thickness": 1.5, "width": 4}
            trace["error_y"] = {"type": "data", "symmetric": False} | ends | bar
        self.traces.append(trace)

    def _trace(
        self, entry: LegendEntry, pen: _Pen, role: str, x: np.ndarray, y: np.ndarray, at: np.ndarray
    ) -> Trace:
        # The uid is what plotly knows a trace by from one tick to the next: a hidden entry stays
        # hidden.
        name = {"uid": f"{entry.uid}/{self.row}/{pen.part}/{role}", "legendgroup": entry.uid}
        # Rising counts that seven digits cannot tell apart stay as they are.
        places = x[at] if len(at) and x[at[-1]] > 2**24 else _f4(x[at])
        values = {"type": "scatter", "connectgaps": False, "x": places, "y": _f4(y[at])}
        return values | name | in_panel(self.row)

    def _hover(self, entry: LegendEntry, line: Line, pen: _Pen) -> tuple[list[np.ndarray], str]:
        """Columns that a hover shows beside the value, and its template."""
        columns: list[np.ndarray] = []

        def written(values: np.ndarray, digits: str) -> str:
            columns.append(values)
            return f"%{{customdata[{len(columns) - 1}]:{digits}}}"

        words = f"%{{y:{pen.digits}}}{pen.unit}"
        if np.isfinite(line.low).any():
            words += f" (95 %: {written(line.low, pen.digits)} to {written(line.high, pen.digits)}"
            words += f", n = {written(line.n, ',.0f')}{' seeds' * (entry.seeds > 1)})"
        if line.raw is not None:
            words += f", unsmoothed {written(line.raw, pen.digits)}"
        if self.look.x != EPOCH:
            words += f", epoch {written(line.epoch, '.0f')}"
        name = as_text(entry.label) + (f", {pen.part}" if pen.part else "")
        if self.closest:
            at = self.at.partition(" [")[0]
            return columns, f"<b>{name}</b><br>{at} %{{x}}<br>{words}<extra></extra>"
        return columns, f"{words}<extra>{name}</extra>"


def _f4(values: np.ndarray) -> np.ndarray:
    """Seven digits are more than a screen shows, in half the bytes."""
    return values.astype(np.float32)


def _accuracy(sheet: _Sheet) -> _Panel:
    band = len(sheet.drawn) <= BANDED
    robust = sheet.add("robust_accuracy", _Pen(".1f", " %", "robust", band=band))
    clean = sheet.add("clean_accuracy", _Pen(".1f", " %", "clean", "dash", band))
    lines = {entry.uid: line for entry, line in clean}
    for entry, line in robust:
        at = _best_of(entry, line)
        if at is None:
            continue
        sheet.mark(entry, line, at, "robust", BEST_PX)
        if entry.uid in lines:
            sheet.mark(entry, lines[entry.uid], at, "clean", 7)
    title = "Accuracy; large mark: best robust"
    return _Panel(title, "", "accuracy [%]", ACCURACY, tall=True)


def _best_of(entry: LegendEntry, line: Line) -> int | None:
    """Of the values as measured, not as smoothed; of a mean, among the points that most seeds have
    reached."""
    if entry.seeds == 1:
        return best_of(entry.runs[0])
    value = line.value if line.raw is None else line.raw
    return best(np.where(line.n == line.n.max(), value, np.nan))


def _accuracy_note(drawn: Sequence[LegendEntry]) -> str:
    columns = [run.columns.get("n", np.zeros(0))[-1:] for entry in drawn for run in entry.runs]
    counts = [int(n) for column in columns for n in column if n >= 1]
    seeds = any(entry.seeds > 1 for entry in drawn)
    parts = ["clean dashed"]
    if counts:
        size = span_text(counts)
        parts.append(f"{size} images a seed" if seeds else f"n = {size} images")
    if counts or seeds:
        parts.append(f"{'band' if seeds or len(drawn) <= BANDED else 'whisker'}: 95 %")
    return "; ".join(parts)


def _losses(sheet: _Sheet) -> _Panel:
    parted, log = len(sheet.drawn) <= PARTED, sheet.look.log_y
    sheet.add("loss", _Pen(".3g", " nats", "loss"))
    if parted:
        sheet.add("loss_clean", _Pen(".3g", " nats", "clean part", "dash"))
        sheet.add("loss_robust", _Pen(".3g", " nats", "robust part", "dot"))
    note = "clean part dashed, robust part dotted" * parted
    return _Panel("Training loss", note, "loss [nats]" + ", log" * log, LOSSES, log=log)


def _rate(sheet: _Sheet) -> _Panel:
    sheet.add("learning_rate", _Pen(".3g", ""))
    log = sheet.look.log_y
    return _Panel("Learning rate, at each validation", "", "rate" + ", log" * log, RATE, log=log)


def _behind(sheet: _Sheet) -> _Panel:
    sheet.add(GAP, _Pen(".1f", " points"))
    title = "Robust accuracy below its best"
    return _Panel(title, "", "gap [points]", BEHIND, from_zero=True)


_PANELS = {ACCURACY: _accuracy, LOSSES: _losses, RATE: _rate, BEHIND: _behind}


def _layout(panels: Sequence[_Panel], look: Look, x_title: str, x_key: str) -> dict[str, Any]:
    """A zoom lasts as long as its axis shows the same (uirevision); entries hidden in the legend
    stay so in any case."""
    layout: dict[str, Any] = json.loads(_empty(len(panels)))
    # The cross-hair: down to the epoch that is told, across at the height of the pointer.
    hair = {"showspikes": True, "spikemode": "across", "spikesnap": "hovered data"}
    hair |= {"spikethickness": 1, "spikedash": "dot", "spikecolor": INK}
    heights = [TALL_PX if panel.tall else LOW_PX for panel in panels]
    top = inner = sum(heights) + GAP_PX * (len(panels) - 1)
    for row, (panel, height) in enumerate(zip(panels, heights, strict=True)):
        last = row == len(panels) - 1
        layout[layout_name("y", row)] |= hair | {
            "domain": [max(0.0, (top - height) / inner), top / inner],
            "title": _axis_title(panel.unit),
            "type": "log" if panel.log else "linear",
            "tickformat": PLAIN,
            "nticks": 6 if panel.tall else 4,
            "uirevision": f"{panel.key} {panel.log}",
            "rangemode": "tozero" if panel.from_zero else "normal",
            "spikesnap": "cursor",
        }
        across: dict[str, Any] = {"type": "log" if look.log_x else "linear", "uirevision": x_key}
        across |= {"showticklabels": last, "nticks": 8, "tickformat": PLAIN}
        across |= {"matches": "x"} if row else {}
        across |= {"title": _axis_title(x_title + ", log" * look.log_x)} if last else {}
        layout[layout_name("x", row)] |= hair | across
        note = f"<br>{small(panel.note)}" if panel.note else ""
        layout["annotations"][row] |= {"y": top / inner, "text": panel.title + note}
        top -= height + GAP_PX
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container"}
    layout["legend"] |= place | {"uirevision": "legend", "groupclick": "togglegroup"}
    return layout | {"height": inner + TITLE_PX + BOTTOM_PX, "meta": LEGEND}


def _axis_title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 6, "font": {"size": 12}}


@cache
def _empty(rows: int) -> str:
    """The frame that all figures share, as JSON."""
    sizes = {"panel_px": LOW_PX, "gap_px": GAP_PX, "bottom_px": BOTTOM_PX, "title_px": TITLE_PX}
    figure = stacked([""] * rows, key="train-curves", **sizes)
    return json.dumps(figure.to_plotly_json()["layout"])


def _on_axis(run: RunCurves, x: str) -> bool:
    """Whether a run has a place on this axis: one that sees no synthetic images has none on
    theirs."""
    if not len(run.columns[EPOCH]) or x not in run.columns:
        return False
    return x != SYNTHETIC or bool(np.nanmax(run.columns[x]) > 0)


def _x_unit(runs: Iterable[RunCurves], x: str) -> tuple[float, str]:
    """What values of the x axis are divided by, and its title."""
    if x != TIME:
        return 1.0, X_AXES[x].lower()
    longest = max((float(run.columns[x][-1]) for run in runs), default=0.0)
    return (HOURS, "training time [h]") if longest > 3 * HOURS else (MINUTES, "training time [min]")


def _notes(
    runs: Sequence[RunCurves], placed: Sequence[RunCurves], drawn: Sequence[LegendEntry], look: Look
) -> Iterator[str]:
    if look.smoothing > 1:
        yield (
            f"Smoothed by a debiased exponential average that reaches back {look.smoothing}"
            " validations; the measured curve is faint behind it, and best epochs are as measured."
        )
    if any(entry.seeds > 1 for entry in drawn):
        yield (
            "A mean is over the seeds that have got so far, n says how many; its band is the 95 %"
            " interval of the mean over seeds (t) and needs two."
        )
    missing = [run for run in runs if run not in placed and len(run.columns[EPOCH])]
    if missing:
        names = ", ".join(as_text(run.name) for run in missing)
        yield f"Not drawn, because synthetic images play no part in it: {names}."
    if look.log_y or look.log_x:
        yield "Zeros have no place on a log axis; accuracies and the gap stay linear."
