"""What a generation ended with: guided beside unguided, each figure with its interval and its n."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from cdp.figures.palette import GUIDED, INK, NEUTRAL, UNGUIDED, Sign
from cdp.figures.panels import axis_name, layout_name, stacked
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.text import interval_text
from cdp.values.types import ArmReport, Interval, LiveResult


@dataclass(frozen=True)
class Measure:
    """One figure of an ArmReport. factor: shown value per stored value; reference: a value worth a
    line, None where none is."""

    field: str
    title: str
    unit: str
    factor: float
    suffix: str
    digits: int
    reference: float | None = None


MEASURES = (
    Measure(
        "agreement",
        "Agreement with the label",
        "images that the judge gives their label [%]",
        100,
        " points",
        1,
    ),
    Measure(
        "separation", "Class separation", "between / within scatter, judge's features", 1, "", 2
    ),
    Measure(
        "nearest",
        "Nearest training image",
        "distance; 1 is as far as held-out real images",
        1,
        "",
        2,
        reference=1.0,
    ),
)


def report_bars(result: LiveResult) -> go.Figure:
    """Agreement, separation and nearest-image distance of both arms: a marker at the estimate, a
    whisker over the interval.

    Titles say the finding: the paired difference where its interval leaves 0 out, "no clear
    difference" where it does not; identical images say so, and fewer than ten images a class find
    nothing.
    Measures that neither arm has are left out.
    """
    arms = [(GUIDED if result.unguided_report else NEUTRAL, result.guided_report)]
    if result.unguided_report:
        arms.append((UNGUIDED, result.unguided_report))
    shown = [m for m in MEASURES if any(_interval(report, m) for _, report in arms)]
    if not shown:
        return _nothing()
    titles = [finding(m, result) for m in shown]
    figure = stacked(
        titles, panel_px=58, gap_px=86, bottom_px=48, left_px=78, title_px=40, key="report"
    )
    for row, measure in enumerate(shown):
        for sign, report in arms:
            interval = _interval(report, measure)
            if interval:
                figure.add_trace(_whisker(interval, measure, sign, row))
        figure.layout[layout_name("x", row)].update(
            title={"text": measure.unit, "standoff": 4}, nticks=6
        )
        names = [sign.name for sign, _ in reversed(arms)]
        figure.layout[layout_name("y", row)].update(
            type="category",
            categoryorder="array",
            categoryarray=names,
            range=[-0.6, len(names) - 0.4],
            showgrid=False,
        )
        if measure.reference is not None:
            figure.add_shape(_line(measure.reference, row))
    figure.update_layout(hovermode="closest", showlegend=False)
    return figure


def report_rows(result: LiveResult) -> list[dict[str, str | float | int | None]]:
    """The numbers behind ``report_bars``: one row per arm and measure, the paired difference
    included where there is one: identical images have none."""
    arms = [("guided", result.guided_report), ("unguided", result.unguided_report)]
    if not result.identical:
        arms.append(("guided - unguided", result.difference))
    return [
        {
            "arm": name,
            "measure": m.title,
            "value": i.value,
            "low": i.bounds[0],
            "high": i.bounds[1],
            "n": i.n,
            "level": i.level,
        }
        for name, report in arms
        if report
        for m in MEASURES
        if (i := _interval(report, m))
    ]


def finding(measure: Measure, result: LiveResult) -> str:
    """One line: what the paired difference says of this measure, or the plain name where there is
    nothing to compare."""
    difference = _interval(result.difference, measure) if result.difference else None
    if difference is None:
        alone = _interval(result.guided_report, measure)
        return f"{measure.title} (n = {alone.n:,})" if alone else measure.title
    if result.identical:
        return (
            f"{measure.title}: identical so far<br><span style='font-size:11px'>guided and unguided"
            f" are the same {difference.n:,} images</span>"
        )
    if difference.note:
        return (
            f"{measure.title}: no interval<br><span style='font-size:11px'>{difference.note}</span>"
        )
    value = difference.value * measure.factor
    verdict = (
        "no clear difference"
        if difference.low <= 0 <= difference.high
        else f"guided is {'higher' if value > 0 else 'lower'}"
    )
    if result.fewest < LEAST_A_CLASS:
        verdict = f"no finding, {FEW}"
    d = measure.digits
    bounds = interval_text(difference, f"+.{d}f", factor=measure.factor)
    interval = f"{value:+.{d}f}{measure.suffix}, {bounds}, n = {difference.n:,}"
    return f"{measure.title}: {verdict}<br><span style='font-size:11px'>{interval}</span>"


def _nothing() -> go.Figure:
    figure = stacked(
        ["Too few images to measure anything"], panel_px=20, gap_px=0, bottom_px=10, key="report"
    )
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def _interval(report: ArmReport, measure: Measure) -> Interval | None:
    value: Interval | None = getattr(report, measure.field)
    return value


def _whisker(interval: Interval, measure: Measure, sign: Sign, row: int) -> go.Scatter:
    value, below, above = (x * measure.factor for x in (interval.value, *interval.reach))
    d = measure.digits
    bounds = interval_text(interval, f".{d}f", factor=measure.factor)
    return go.Scatter(
        x=[value],
        y=[sign.name],
        name=sign.name,
        mode="markers",
        xaxis=axis_name("x", row),
        yaxis=axis_name("y", row),
        marker={
            "color": sign.color,
            "symbol": sign.symbol,
            "size": 10,
            "line": {"width": 2, "color": sign.color},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [above],
            "arrayminus": [below],
            "color": sign.color,
            "thickness": 2,
            "width": 6,
        },
        hovertemplate=f"{sign.name}: {value:.{d}f} ({bounds}), n = {interval.n:,}<extra></extra>",
    )


def _line(at: float, row: int) -> dict[str, object]:
    return {
        "type": "line",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "xref": axis_name("x", row),
        "yref": f"{axis_name('y', row)} domain",
        "line": {"color": INK, "dash": "dot", "width": 1},
    }
