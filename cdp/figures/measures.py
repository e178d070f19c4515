"""Figures of whole sets beside each other: one small panel a figure, a whisker a set, and one
figure class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cdp.figures.palette import INK, Sign, named_signs
from cdp.figures.panels import axis_name, layout_name, stacked
from cdp.values.text import class_name, interval_text
from cdp.values.types import Interval

ROW_PX, GAP_PX, TOP_PX = 22, 58, 52
_HOVER = ", %{customdata[0]}: %{y:.3g} (%{customdata[1]}), n = %{customdata[2]:,}<extra></extra>"


def measure_panels(
    rows: Mapping[str, Mapping[str, Interval]],
    titles: Mapping[str, str],
    references: Mapping[str, float],
) -> go.Figure:
    """One panel a figure, one line a set in its fixed colour and mark.

    rows: figure -> set -> interval; titles: figure -> words with unit; references: figure -> a
    value worth a dotted line.
    """
    names = list(dict.fromkeys(name for sets in rows.values() for name in sets))
    signs = named_signs(names)
    height = ROW_PX * max(len(names), 1) + 10
    shown = [key for key in titles if rows.get(key)]
    if not shown:
        return go.Figure(layout={"height": 40})
    figure = stacked(
        [titles[key] for key in shown],
        panel_px=height,
        gap_px=GAP_PX,
        bottom_px=34,
        left_px=14,
        title_px=TOP_PX,
        key="measures",
    )
    for row, key in enumerate(shown):
        for number, name in enumerate(names):
            if name in rows[key]:
                figure.add_trace(
                    _whisker(rows[key][name], signs[name], -number, row, legend=row == 0)
                )
        figure.layout[layout_name("x", row)].update(nticks=5)
        figure.layout[layout_name("y", row)].update(
            range=[-len(names) + 0.4, 0.6], showticklabels=False, ticks="", showgrid=False
        )
        if key in references:
            figure.add_shape(_reference(references[key], row))
    inner = len(shown) * height + (len(shown) - 1) * GAP_PX
    # The legend has a line of its own above the first title.
    return figure.update_layout(
        hovermode="closest",
        legend={"x": 0, "xanchor": "left", "y": 1 + 24 / inner, "yanchor": "bottom"},
    )


def class_panels(
    per_class: Mapping[str, Mapping[int, Interval]], class_names: Sequence[str], title: str
) -> go.Figure:
    """One figure class by class: sets beside each other on every class. per_class: set -> class ->
    interval."""
    figure = stacked([title], panel_px=220, gap_px=0, bottom_px=70, left_px=52, key="classes")
    classes = sorted({value for found in per_class.values() for value in found})
    signs = named_signs(list(per_class))
    for number, (name, found) in enumerate(per_class.items()):
        sign, shift = signs[name], (number - (len(per_class) - 1) / 2) * 0.16
        have = [value for value in classes if value in found]
        figure.add_trace(
            go.Scatter(
                x=[classes.index(value) + shift for value in have],
                y=[found[value].value for value in have],
                name=name,
                mode="markers",
                marker={"color": sign.color, "symbol": sign.symbol, "size": 9},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [found[v].reach[1] for v in have],
                    "arrayminus": [found[v].reach[0] for v in have],
                    "color": sign.color,
                    "thickness": 1.5,
                    "width": 4,
                },
                customdata=[
                    [class_name(class_names, v), interval_text(found[v]), found[v].n] for v in have
                ],
                hovertemplate=name + _HOVER,
            )
        )
    figure.update_xaxes(
        tickvals=list(range(len(classes))),
        ticktext=[class_name(class_names, v) for v in classes],
        tickangle=-35,
    )
    return figure.update_layout(hovermode="closest")


def _whisker(interval: Interval, sign: Sign, at: float, row: int, *, legend: bool) -> go.Scatter:
    return go.Scatter(
        x=[interval.value],
        y=[at],
        name=sign.name,
        legendgroup=sign.name,
        showlegend=legend,
        mode="markers",
        xaxis=axis_name("x", row),
        yaxis=axis_name("y", row),
        marker={
            "color": sign.color,
            "symbol": sign.symbol,
            "size": 9,
            "line": {"width": 1.5, "color": sign.color},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [interval.reach[1]],
            "arrayminus": [interval.reach[0]],
            "color": sign.color,
            "thickness": 2,
            "width": 5,
        },
        hovertemplate=(
            f"{sign.name}: {interval.value:.4g} ({interval_text(interval)}), n ="
            f" {interval.n:,}<extra></extra>"
        ),
    )


def _reference(at: float, row: int) -> dict[str, object]:
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
