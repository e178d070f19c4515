"""Curves of training runs, panel over panel: accuracies, losses, learning rate, and how far below
its best each run is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cdp.figures.curve_frame import Panel, frame
from cdp.figures.curve_lines import (
    EPOCH,
    GAP,
    IMAGES,
    STEP,
    SYNTHETIC,
    TIME,
    Entry,
    Line,
    RunCurves,
    best_of,
    column_of,
    entries,
)
from cdp.figures.curve_traces import Pen, Trace, curve, label_of, mark
from cdp.figures.series import best

ACCURACY, LOSSES, RATE, BEHIND = "accuracy", "losses", "rate", "gap"
QUANTITIES = {
    ACCURACY: "Robust and clean accuracy",
    LOSSES: "Losses",
    RATE: "Learning rate",
    BEHIND: "Gap to the best",
}
X_AXES = {
    STEP: "Step",
    EPOCH: "Epoch",
    IMAGES: "Images seen",
    SYNTHETIC: "Synthetic images seen",
    TIME: "Time",
}
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


@dataclass(frozen=True)
class Look:
    """What is drawn and how. x: of ``X_AXES``; quantities: of ``QUANTITIES``; smoothing: of
    ``REACHES``; mean: over seeds.

    log_x; log_y: of losses and learning rate. Accuracies and the gap stay linear: a gap is 0 at the
    best epoch.
    """

    x: str = STEP
    quantities: tuple[str, ...] = tuple(QUANTITIES)
    smoothing: int = 1
    mean: bool = True
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Drawing:
    """figure: plotly's data and layout as dictionaries, numpy arrays for columns; notes: sentences
    on how to read it."""

    figure: dict[str, Any]
    notes: tuple[str, ...]


def training_curves(runs: Sequence[RunCurves], look: Look) -> Drawing:
    """Every chosen quantity of every run. A run keeps its colour and its marks whatever else is
    drawn; dashes tell curves of one run apart."""
    shown = [run for run in runs if _on_axis(run, look.x)]
    drawn = entries(shown, mean=look.mean)
    unit, at = _x_unit(shown, look.x)
    pen = Pen(
        0, "", "solid", ".3g", "", at.partition(" [")[0], look.x != EPOCH, len(drawn) > UNIFIED
    )
    traces: list[Trace] = []
    panels: list[Panel] = []
    for row, quantity in enumerate(name for name in QUANTITIES if name in look.quantities):
        sheet = _Sheet(drawn, look, unit, replace(pen, row=row))
        panels.append(_PANELS[quantity](sheet, traces))
    layout = frame(
        panels,
        x_title=at + (", log" if look.log_x else ""),
        x_key=f"{look.x} {unit:g} {look.log_x}",
        log_x=look.log_x,
        unified=not pen.closest,
    )
    return Drawing({"data": traces, "layout": layout}, tuple(_notes(runs, shown, drawn, look)))


@dataclass(frozen=True)
class _Sheet:
    """What a panel is drawn from."""

    drawn: Sequence[Entry]
    look: Look
    unit: float
    pen: Pen
    made: dict[str, list[tuple[Entry, Line]]] = field(default_factory=dict)

    def lines(self, column: str) -> list[tuple[Entry, Line]]:
        """The curve of every entry that has measured this. A learning rate is not smoothed: it is
        no measurement."""
        if column not in self.made:
            reach = 1 if column == "learning_rate" else self.look.smoothing
            found = [
                (entry, entry.line(column, self.look.x, reach, self.unit)) for entry in self.drawn
            ]
            self.made[column] = [(entry, line) for entry, line in found if line is not None]
        return self.made[column]

    def add(
        self,
        traces: list[Trace],
        column: str,
        *,
        band: bool,
        part: str = "",
        dash: str = "solid",
        digits: str,
        unit: str,
    ) -> None:
        """One curve of every entry; the first of an entry in the figure stands for it in the
        legend."""
        pen = replace(self.pen, part=part, dash=dash, digits=digits, unit=unit)
        for entry, line in self.lines(column):
            first = not any(trace["legendgroup"] == entry.uid for trace in traces)
            traces += curve(entry, line, pen, band=band or entry.seeds > 1, legend=first)


def _accuracy(sheet: _Sheet, traces: list[Trace]) -> Panel:
    band = len(sheet.drawn) <= BANDED
    sheet.add(traces, "robust_accuracy", band=band, part="robust", digits=".1f", unit=" %")
    sheet.add(
        traces, "clean_accuracy", band=band, part="clean", dash="dash", digits=".1f", unit=" %"
    )
    clean = {entry.uid: line for entry, line in sheet.lines("clean_accuracy")}
    said = "Robust accuracy, best epoch ★"
    for entry, line in sheet.lines("robust_accuracy"):
        at = _best_of(entry, line)
        if at is None:
            continue
        traces.append(mark(entry, line, at, replace(sheet.pen, part="robust"), star=True))
        if entry.uid in clean:
            traces.append(
                mark(entry, clean[entry.uid], at, replace(sheet.pen, part="clean"), star=False)
            )
        if len(sheet.drawn) == 1:
            value = line.value[at] if line.raw is None else line.raw[at]
            said = f"Robust accuracy: best {value:.1f} % at epoch {line.epoch[at]:.0f} ★"
    return Panel(said, _accuracy_note(sheet), "accuracy [%]", key=ACCURACY, tall=True)


def _best_of(entry: Entry, line: Line) -> int | None:
    """Of the values as measured, not as smoothed; of a mean, among the points that most seeds have
    reached."""
    if entry.seeds == 1:
        return best_of(entry.runs[0])
    value = line.value if line.raw is None else line.raw
    return best(np.where(line.n == line.n.max(), value, np.nan))


def _accuracy_note(sheet: _Sheet) -> str:
    counts = sorted(
        {
            int(n)
            for entry in sheet.drawn
            for run in entry.runs
            for n in run.columns.get("n", np.zeros(0))[-1:]
        }
    )
    seeds = any(entry.seeds > 1 for entry in sheet.drawn)
    parts = ["clean dashed"]
    if counts:
        size = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if len(counts) > 1 else "")
        parts.append(f"{size} images a seed" if seeds else f"n = {size} images")
    if counts or seeds:
        parts.append(("band" if seeds or len(sheet.drawn) <= BANDED else "whisker") + ": 95 %")
    return "; ".join(parts)


def _losses(sheet: _Sheet, traces: list[Trace]) -> Panel:
    parted = len(sheet.drawn) <= PARTED
    sheet.add(traces, "loss", band=False, part="loss", digits=".3g", unit=" nats")
    if parted:
        sheet.add(
            traces,
            "loss_clean",
            band=False,
            part="clean part",
            dash="dash",
            digits=".3g",
            unit=" nats",
        )
        sheet.add(
            traces,
            "loss_robust",
            band=False,
            part="robust part",
            dash="dot",
            digits=".3g",
            unit=" nats",
        )
    log = sheet.look.log_y
    note = "clean part dashed, robust part dotted" if parted else ""
    return Panel(
        "Training loss", note, "loss [nats]" + (", log" if log else ""), key=LOSSES, log=log
    )


def _rate(sheet: _Sheet, traces: list[Trace]) -> Panel:
    sheet.add(traces, "learning_rate", band=False, digits=".3g", unit="")
    log = sheet.look.log_y
    return Panel(
        "Learning rate, at each validation",
        "",
        "rate" + (", log" if log else ""),
        key=RATE,
        log=log,
    )


def _behind(sheet: _Sheet, traces: list[Trace]) -> Panel:
    sheet.add(traces, GAP, band=False, digits=".1f", unit=" points")
    said = "How far below its best is robust accuracy?"
    if len(sheet.drawn) == 1:
        now = [
            float(values[-1])
            for run in sheet.drawn[0].runs
            if (values := column_of(run, GAP)) is not None and len(values)
        ]
        if now:
            said = f"Gap: now {np.mean(now):.1f} points below the best"
    return Panel(said, "", "gap [points]", key=BEHIND, from_zero=True)


_PANELS = {ACCURACY: _accuracy, LOSSES: _losses, RATE: _rate, BEHIND: _behind}


def _on_axis(run: RunCurves, x: str) -> bool:
    """Whether a run has a place on this axis: one that sees no synthetic images has none on
    theirs."""
    return (
        len(run.columns[EPOCH]) > 0
        and x in run.columns
        and (x != SYNTHETIC or bool(np.nanmax(run.columns[x]) > 0))
    )


def _x_unit(runs: Iterable[RunCurves], x: str) -> tuple[float, str]:
    """What values of the x axis are divided by, and its title."""
    if x != TIME:
        return 1.0, X_AXES[x].lower()
    longest = max((float(run.columns[x][-1]) for run in runs), default=0.0)
    return (HOURS, "training time [h]") if longest > 3 * HOURS else (MINUTES, "training time [min]")


def _notes(
    runs: Sequence[RunCurves], shown: Sequence[RunCurves], drawn: Sequence[Entry], look: Look
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
    if left_out := [
        label_of(run.name) for run in runs if run not in shown and len(run.columns[EPOCH])
    ]:
        yield f"Not drawn, because synthetic images play no part in it: {', '.join(left_out)}."
    if look.log_y or look.log_x:
        yield "Zeros have no place on a log axis; accuracies and the gap stay linear."
