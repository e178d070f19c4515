"""A generation: its curves while it runs, the strength it uses at each noise level, and what it
ended with, guided beside unguided, each figure with its interval and its n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import plotly.graph_objects as go

from cdp.figures.frame import (
    Heading,
    Row,
    axis,
    dots,
    in_panel,
    layout_name,
    line,
    log_ticks,
    panel,
    stacked,
    told,
    vertical,
    whisker,
)
from cdp.figures.palette import GUIDED, NEUTRAL, UNGUIDED, Sign, faint
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.text import interval_text
from cdp.values.types import ArmReport, Frame, Interval, LiveResult

MAX_POINTS = 500
TICKS = 5
TITLES = ("Contrastive loss", "Size of the push", "Separation")
UNITS = ("loss [nats]", "guidance / noise", "between / within")


def live_curves(frames: Sequence[Frame], *, classes: bool = True) -> go.Figure:
    """Mean loss, guidance ratio and class separation per step; steps without a value are gaps, not
    zeros. classes: False where there are none to be apart. The x axis spans the whole run from the
    first frame on, so curves grow into place. Above 500 frames the curves are thinned."""
    rows = 3 if classes else 2
    figure = stacked(TITLES[:rows], panel_px=92, gap_px=44, bottom_px=62, key="live-curves")
    drawn = thin(frames)
    curves = (
        (0, GUIDED, [f.loss for f in drawn]),
        (1, GUIDED, [f.ratio for f in drawn]),
        (2, GUIDED, [f.separation for f in drawn]),
        (2, UNGUIDED, [f.separation_unguided for f in drawn]),
    )
    for row, sign, values in curves[: 4 if classes else 2]:
        figure.add_trace(_curve(drawn, values, sign, row))
    for row, unit in enumerate(UNITS[:rows]):
        # The first estimates are near the mean of their class, tens of times as far apart as images
        # ever are.
        apart = [
            value
            for f in drawn
            for value in (f.separation, f.separation_unguided)
            if value is not None and isfinite(value) and value > 0
        ]
        scale: dict[str, Any] = {"rangemode": "tozero"}
        if row == 2:
            scale = log_ticks(min(apart), max(apart), 4) if apart else {"type": "log"}
        axis(figure, layout_name("y", row), unit, nticks=4, **scale)
        linked = {"matches": "x" if row else None}
        figure.layout[layout_name("x", row)].update(_steps(drawn, row == rows - 1) | linked)
    top = float(figure.layout[layout_name("y", rows - 1)].domain[1])
    return told(figure.update_layout(legend={"y": top}), _course(frames))


def _course(frames: Sequence[Frame]) -> Heading:
    """Where the loss began and where it is."""
    losses = [f.loss for f in frames if f.loss is not None and isfinite(f.loss)]
    if len(losses) < 2:
        return Heading("")
    change = losses[-1] - losses[0]
    way = "fallen" if change < 0 else "risen"
    return Heading(
        f"The contrastive loss has {way} by {abs(change):.3g} nats",
        "mean over the batch, step by step",
    )


def _curve(
    frames: Sequence[Frame], values: Sequence[float | None], sign: Sign, row: int
) -> go.Scatter:
    finite = [v if v is not None and isfinite(v) else None for v in values]
    legend = row == 2 and any(v is not None for v in finite)
    hover: dict[str, Any] = {"hovertemplate": "%{y:.3g} at t/T %{customdata:.2f}"}
    hover |= {"customdata": [f.t_fraction for f in frames], "connectgaps": False}
    steps = [f.i for f in frames]
    return line(steps, finite, sign, showlegend=legend, **(hover | in_panel(row)))


def _steps(frames: Sequence[Frame], labelled: bool) -> dict[str, Any]:
    """Ticks at even steps of the whole run; the noise level below a tick appears when its step is
    done."""
    total = frames[-1].total if frames else 1
    levels = {f.i: f"{f.t_fraction:.2f}" for f in frames}
    ticks = list(range(1, total + 1, max(1, -(-total // TICKS))))
    plain = {"range": [0.5, total + 0.5], "showticklabels": labelled, "tickvals": ticks}
    if not labelled:
        return plain
    title = {"text": "step, and below it the noise level t/T", "standoff": 4}
    return plain | {"ticktext": [f"{i}<br>{levels.get(i, '')}" for i in ticks], "title": title}


def thin(frames: Sequence[Frame], limit: int = MAX_POINTS) -> list[Frame]:
    """At most ``limit`` frames at even distances; the first and the last always stay."""
    if len(frames) <= limit:
        return list(frames)
    last = len(frames) - 1
    return [frames[round(k * last / (limit - 1))] for k in range(limit)]


def live_rows(frames: Sequence[Frame], *, classes: bool = True) -> list[Row]:
    """The numbers behind ``live_curves``, one row a step, for a table or a CSV."""
    names = {
        "step": "i",
        "t/T": "t_fraction",
        "loss [nats]": "loss",
        "guidance / noise": "ratio",
        "effective strength": "strength",
    }
    if classes:
        names |= {"separation guided": "separation", "separation unguided": "separation_unguided"}
    return [{title: getattr(f, field) for title, field in names.items()} for f in frames]


def strength_profile(points: Sequence[tuple[float, float]], unit: str = UNITS[1]) -> go.Figure:
    """Effective strength against noise level, drawn in the order of sampling: from t/T = 1 down to
    0. points: (t/T, strength) in any order; one that is not finite is left out. unit: of
    strength."""
    figure = panel(_acting(points), "", panel_px=120, bottom_px=48, left_px=58, key="profile")
    known = sorted((t, s) for t, s in points if isfinite(s))
    x, y = [t for t, _ in known], [s for _, s in known]
    fill = {"fill": "tozeroy", "fillcolor": faint(GUIDED.color, 0.18), "showlegend": False}
    hover = "strength %{y:.3f}<extra></extra>"
    figure.add_trace(line(x, y, GUIDED, size=4, name="strength", hovertemplate=hover, **fill))
    noise = "noise level t/T (1 is pure noise)"
    axis(figure, "xaxis", noise, range=[1, 0], hoverformat=".2f")
    axis(figure, "yaxis", unit, rangemode="tozero", nticks=4)
    return figure


def _acting(points: Sequence[tuple[float, float]]) -> str:
    """Where guidance acts, in one line."""
    active = [(t, s) for t, s in points if s > 0]
    if not active:
        return f"Guidance acts in none of {len(points)} steps"
    t, most = max(active, key=lambda point: point[1])
    acts = f"Guidance acts in {len(active)} of {len(points)} steps"
    return f"{acts}, most at t/T {t:.2f} ({most:.3g})"


@dataclass(frozen=True)
class Measure:
    """One figure of an ArmReport. factor: drawn value per stored value; suffix: after a difference;
    digits: after the point; reference: a value worth a line, None where none is."""

    field: str
    title: str
    unit: str
    factor: float = 1
    suffix: str = ""
    digits: int = 2
    reference: float | None = None

    def of(self, report: ArmReport | None) -> Interval | None:
        """The figure in a report, None where it was not measured."""
        value: Interval | None = getattr(report, self.field, None)
        return value


_AGREEING = "images that the judge gives their label [%]"
_NEAREST = "distance; 1 is as far as held-out real images"
MEASURES = (
    Measure("agreement", "Agreement with the label", _AGREEING, 100, " points", 1),
    Measure("separation", "Class separation", "between / within scatter, judge's features"),
    Measure("nearest", "Nearest training image", _NEAREST, reference=1.0),
)


def measured(result: LiveResult) -> list[Measure]:
    """The measures that any arm has."""
    return [m for m in MEASURES if m.of(result.guided_report) or m.of(result.unguided_report)]


def report_bar(measure: Measure, result: LiveResult) -> go.Figure:
    """One measure of both arms: a marker at the estimate, a whisker over the interval. The finding
    is the paired difference where its interval leaves 0 out, "no clear difference" where it does
    not; identical images say so, and fewer than ten images a class find nothing."""
    arms = {GUIDED if result.unguided_report else NEUTRAL: result.guided_report}
    if result.unguided_report:
        arms[UNGUIDED] = result.unguided_report
    names = [sign.name for sign in reversed(arms)]
    sizes: dict[str, Any] = {"panel_px": 58, "left_px": 78, "bottom_px": 48}
    figure = panel(*finding(measure, result), key=f"report-{measure.field}", **sizes)
    for sign, report in arms.items():
        if interval := measure.of(report):
            figure.add_trace(_whisker(interval, measure, sign))
    axis(figure, "xaxis", measure.unit, nticks=6)
    categories = {"type": "category", "categoryorder": "array", "categoryarray": names}
    ends = {"range": [-0.6, len(names) - 0.4], "showgrid": False}
    figure.layout.yaxis.update(categories | ends)
    if measure.reference is not None:
        figure.add_shape(vertical(measure.reference))
    return figure


def _whisker(interval: Interval, measure: Measure, sign: Sign) -> go.Scatter:
    value, digits = interval.value * measure.factor, f".{measure.digits}f"
    bounds = interval_text(interval, digits, factor=measure.factor)
    words = f"{sign.name}: {value:{digits}} ({bounds}), n = {interval.n:,}"
    bar = whisker([interval], sign.color, factor=measure.factor, thickness=2)
    y: Any = [sign.name]
    return dots([value], y, sign, [words], size=10, error_x=bar)


def report_rows(result: LiveResult) -> list[Row]:
    """The numbers behind ``report_bar``: one row per arm and measure, the paired difference
    included where there is one: identical images have none."""
    arms = {"guided": result.guided_report, "unguided": result.unguided_report}
    if not result.identical:
        arms["guided - unguided"] = result.difference
    return [
        {"arm": name, "measure": m.title, "value": i.value}
        | {"low": i.bounds[0], "high": i.bounds[1], "n": i.n, "level": i.level}
        for name, report in arms.items()
        for m in MEASURES
        if (i := m.of(report))
    ]


def _alone(measure: Measure, value: Interval) -> tuple[str, str]:
    digits = f".{measure.digits}f"
    bounds = interval_text(value, digits, factor=measure.factor)
    unit = " %" if measure.factor == 100 else ""
    text = f"{measure.title}: {value.value * measure.factor:{digits}}{unit}"
    return text, f"{bounds}, n = {value.n:,}"


def finding(measure: Measure, result: LiveResult) -> Heading:
    """What the paired difference says of this measure, or the value where there is nothing to
    compare."""
    change = measure.of(result.difference)
    if change is None:
        alone = measure.of(result.guided_report)
        return Heading(*_alone(measure, alone)) if alone else Heading(measure.title)
    if result.identical:
        verdict, note = "identical so far", f"guided and unguided are the same {change.n:,} images"
    elif change.note:
        verdict, note = "no interval", change.note
    else:
        digits = f"+.{measure.digits}f"
        value = f"{change.value * measure.factor:{digits}}{measure.suffix}"
        note = f"{value}, {interval_text(change, digits, factor=measure.factor)}, n = {change.n:,}"
        verdict = "no clear difference"
        if result.fewest < LEAST_A_CLASS:
            verdict = f"no finding, {FEW}"
        elif not change.low <= 0 <= change.high:
            verdict = f"guided is {'higher' if change.value > 0 else 'lower'}"
    return Heading(f"{measure.title}: {verdict}", note)
