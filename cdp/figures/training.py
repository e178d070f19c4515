"""Small curves beside a training: is a diffusion model still learning, how good are encoders, and
what a run takes from the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.curve_data import smooth
from cdp.figures.frame import (
    Heading,
    axis,
    in_panel,
    layout_name,
    line,
    log_ticks,
    panel,
    stacked,
    told,
)
from cdp.figures.palette import NEUTRAL, class_sign, faint
from cdp.values.text import share_text
from cdp.values.types import Sample

REACH = 10
"""Points that the drawn mean of a loss looks back on."""
MAX_POINTS = 500
GIGA = 1e9
PANELS = (
    ("cpu", "Processor", "cores", 100.0),
    ("memory", "Memory", "GB", GIGA),
    ("gpu", "GPU", "%", 1.0),
    ("gpu_memory", "GPU memory", "GB", GIGA),
)
"""(name, title, unit, how much of the sample's own unit one of it is)."""

Curve = Sequence[tuple[float, float]]
"""(step or epoch, value), rising."""


def loss_curve(points: Curve, total: int) -> go.Figure:
    """The loss of a diffusion model, its running mean with the raw curve behind. total: steps of
    the whole training."""
    x, y = np.asarray(points, np.float64).reshape(-1, 2).T
    figure = panel(*_learned(x, y), panel_px=150, left_px=58, key="pretrain-loss")
    plain = {"mode": "lines", "showlegend": False, "hovertemplate": "%{y:.4f}"}
    for name, values, color, width in (
        ("each point", y, faint(NEUTRAL.color, 0.3), 1),
        ("running mean", smooth(y, REACH), NEUTRAL.color, 2),
    ):
        look = {"color": color, "width": width}
        figure.add_scatter(x=x, y=values, name=name, line=look, **plain)
    axis(figure, "xaxis", "optimiser step", range=[0, total * 1.02])
    axis(figure, "yaxis", "v-prediction loss", **log_ticks(float(y.min()), float(y.max())))
    return figure


def _learned(x: np.ndarray, y: np.ndarray) -> Heading:
    """How the loss moved over the last tenth of what is there."""
    mean = smooth(y, REACH)
    before = mean[int(0.9 * (len(mean) - 1))]
    change = 100 * (mean[-1] / before - 1)
    moved = f"{'fell' if change < 0 else 'rose'} by {abs(change):.1f} % over the last tenth"
    return Heading(
        f"The loss {moved}, to {mean[-1]:.3g}", f"mean over {REACH} points, at step {x[-1]:,.0f}"
    )


def held_out_curves(curves: Mapping[str, Curve], chance: float, note: str) -> go.Figure:
    """Accuracy (0..1) on held-out training images after each epoch. curves: by encoder; chance: one
    over the number of classes; note: how it was measured."""
    latest = ", ".join(f"{name} {share_text(p[-1][1])}" for name, p in curves.items())
    sizes: dict[str, Any] = {"panel_px": 150, "bottom_px": 68, "left_px": 52}
    figure = panel(f"Held out: {latest}", note, key="pretrain-held-out", **sizes)
    for number, (name, points) in enumerate(curves.items()):
        x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        sign, share = class_sign(number, name), (100 * y).tolist()
        figure.add_trace(line(x.tolist(), share, sign, hovertemplate="%{y:.1f} %"))
    level = {"color": "rgba(128,132,140,0.8)", "dash": "dot", "width": 1}
    figure.add_hline(y=100 * chance, line=level)
    axis(figure, "xaxis", "epoch (dotted: chance)", rangemode="tozero")
    axis(figure, "yaxis", "held out [%]", range=[0, 102], nticks=6)
    place = {"x": 0, "xanchor": "left", "y": -0.36, "yanchor": "top"}
    return figure.update_layout(showlegend=True, legend=place)


def resource_curves(samples: Sequence[Sample], *, key: str) -> go.Figure:
    """One panel for each thing that was measured, against minutes since the first sample, pauses
    included; at most 500 points each. key: keeps the reader's zoom while it stays the same."""
    panels = measured(samples)
    titles = [title for _, title, _, _ in panels]
    figure = stacked(titles, panel_px=84, gap_px=46, bottom_px=46, key=key)
    drawn = samples[:: -(-len(samples) // MAX_POINTS) or 1]
    minutes = [(sample.time - samples[0].time) / 60 for sample in drawn]
    fill = {"fill": "tozeroy", "fillcolor": faint(NEUTRAL.color, 0.15), "showlegend": False}
    for row, (name, _, unit, size) in enumerate(panels):
        values = [getattr(sample, name) for sample in drawn]
        y = [None if value is None else value / size for value in values]
        look = {"mode": "lines", "name": unit, "line": {"color": NEUTRAL.color, "width": 2}}
        look |= {"hovertemplate": f"%{{y:.2f}} {unit}<extra></extra>"}
        figure.add_scatter(x=minutes, y=y, **(look | fill | in_panel(row)))
        last = row == len(panels) - 1
        axis(figure, layout_name("y", row), unit, rangemode="tozero", nticks=4)
        more = {"showticklabels": last, "matches": "x" if row else None, "rangemode": "tozero"}
        title = "minutes since the start, pauses included" * last
        axis(figure, layout_name("x", row), title, hoverformat=".1f", **more)
    most = [
        f"{max(value for s in samples if (value := getattr(s, name)) is not None) / size:.3g} {unit}"
        f" of {title.lower()}"
        for name, title, unit, size in panels
    ]
    note = f"a sample every few seconds, {len(samples):,} in all"
    return told(figure, Heading(f"At most {', '.join(most)}", note))


def measured(samples: Sequence[Sample]) -> list[tuple[str, str, str, float]]:
    """The panels for which there is any value."""
    return [panel for panel in PANELS if any(getattr(s, panel[0]) is not None for s in samples)]


def resource_rows(samples: Sequence[Sample]) -> list[dict[str, float]]:
    """The numbers behind ``resource_curves``, one row a sample, for a table or a CSV."""
    panels = measured(samples)
    return [
        {"minutes": (sample.time - samples[0].time) / 60}
        | {
            f"{name} [{unit}]": value / size
            for name, _, unit, size in panels
            if (value := getattr(sample, name)) is not None
        }
        for sample in samples
    ]
