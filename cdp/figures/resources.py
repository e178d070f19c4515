"""What a run took from the machine over time: processor, memory and, where there is one, the
GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import plotly.graph_objects as go

from cdp.figures.palette import NEUTRAL, faint
from cdp.figures.panels import axis_name, layout_name, stacked

MAX_POINTS = 500
GIGA = 1e9
PANELS = (
    ("cpu", "How busy is the processor?", "cores", 100.0),
    ("memory", "How much memory does it hold?", "GB", GIGA),
    ("gpu", "How busy is the GPU?", "%", 1.0),
    ("gpu_memory", "How much GPU memory does it hold?", "GB", GIGA),
)
"""(name, question, unit, how much of the sample's own unit one of it is)."""


class Sampled(Protocol):
    """One look at the machine. time: unix seconds; cpu: percent of one core; memory, gpu_memory:
    bytes; gpu: percent; None without a GPU."""

    @property
    def time(self) -> float: ...
    @property
    def cpu(self) -> float: ...
    @property
    def memory(self) -> int: ...
    @property
    def gpu(self) -> float | None: ...
    @property
    def gpu_memory(self) -> int | None: ...


def resource_curves(samples: Sequence[Sampled], *, key: str) -> go.Figure:
    """One panel for each thing that was measured, against minutes since the first sample, pauses
    included; at most 500 points each.

    key: keeps the reader's zoom while it stays the same.
    """
    panels = measured(samples)
    figure = stacked(
        [question for _, question, _, _ in panels], panel_px=84, gap_px=46, bottom_px=46, key=key
    )
    shown = samples[:: -(-len(samples) // MAX_POINTS) or 1]
    minutes = [(one.time - samples[0].time) / 60 for one in shown]
    for row, (name, _, unit, size) in enumerate(panels):
        values = [
            None if getattr(one, name) is None else getattr(one, name) / size for one in shown
        ]
        figure.add_trace(
            go.Scatter(
                x=minutes,
                y=values,
                mode="lines",
                showlegend=False,
                xaxis=axis_name("x", row),
                yaxis=axis_name("y", row),
                name=unit,
                line={"color": NEUTRAL.color, "width": 2},
                fill="tozeroy",
                fillcolor=faint(NEUTRAL.color, 0.15),
                hovertemplate=f"%{{y:.2f}} {unit}<extra></extra>",
            )
        )
        last = row == len(panels) - 1
        figure.layout[layout_name("y", row)].update(
            title={"text": unit, "standoff": 4}, rangemode="tozero", nticks=4
        )
        figure.layout[layout_name("x", row)].update(
            title={
                "text": "minutes since the start, pauses included" if last else "",
                "standoff": 4,
            },
            showticklabels=last,
            matches="x" if row else None,
            hoverformat=".1f",
            rangemode="tozero",
        )
    return figure


def measured(samples: Sequence[Sampled]) -> list[tuple[str, str, str, float]]:
    """The panels for which there is any value."""
    return [panel for panel in PANELS if any(getattr(one, panel[0]) is not None for one in samples)]


def resource_rows(samples: Sequence[Sampled]) -> list[dict[str, float]]:
    """The numbers behind ``resource_curves``, one row a sample, for a table or a CSV."""
    panels = measured(samples)
    return [
        {"minutes": (one.time - samples[0].time) / 60}
        | {
            f"{name} [{unit}]": getattr(one, name) / size
            for name, _, unit, size in panels
            if getattr(one, name) is not None
        }
        for one in samples
    ]
