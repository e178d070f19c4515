"""The panels that training curves are drawn in: titles, axes, and what a reader's zoom hangs on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cdp.figures.palette import INK
from cdp.figures.panels import layout_name, stacked

TALL_PX, LOW_PX, GAP_PX, BOTTOM_PX = 240, 110, 56, 50
TITLE_PX = 44
LEGEND = "above"
"""In layout.meta.legend: the legend lies above the first title, and whoever draws the figure makes
room for its lines."""


@dataclass(frozen=True)
class Panel:
    """One panel. title: what is seen; note: a smaller line under it; unit: of the y axis; key: what
    its zoom belongs to."""

    title: str
    note: str
    unit: str
    key: str
    tall: bool = False
    log: bool = False
    from_zero: bool = False


def frame(
    panels: Sequence[Panel], *, x_title: str, x_key: str, log_x: bool, unified: bool
) -> dict[str, Any]:
    """The layout. A zoom lasts as long as its axis shows the same (uirevision); entries hidden in
    the legend stay so in any case."""
    layout: dict[str, Any] = json.loads(_empty(len(panels)))
    # The cross-hair: down to the epoch that is told, across at the height of the pointer.
    hair = {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "hovered data",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": INK,
    }
    heights = [TALL_PX if panel.tall else LOW_PX for panel in panels]
    inner = sum(heights) + GAP_PX * (len(panels) - 1)
    top = inner
    for row, (panel, height) in enumerate(zip(panels, heights, strict=True)):
        last = row == len(panels) - 1
        layout[layout_name("y", row)] |= (
            {
                "domain": [max(0.0, (top - height) / inner), top / inner],
                "title": {"text": panel.unit, "standoff": 6, "font": {"size": 12}},
                "type": "log" if panel.log else "linear",
                "nticks": 6 if panel.tall else 4,
                "uirevision": f"{panel.key} {panel.log}",
                "rangemode": "tozero" if panel.from_zero else "normal",
            }
            | hair
            | {"spikesnap": "cursor"}
        )
        layout[layout_name("x", row)] |= (
            {
                "type": "log" if log_x else "linear",
                "uirevision": x_key,
                "showticklabels": last,
                "nticks": 8,
                "tickformat": "~s",
            }
            | hair
            | ({"matches": "x"} if row else {})
            | ({"title": {"text": x_title, "standoff": 6, "font": {"size": 12}}} if last else {})
        )
        note = f"<br><span style='font-size:11px'>{panel.note}</span>" if panel.note else ""
        layout["annotations"][row] |= {"y": top / inner, "text": panel.title + note}
        top -= height + GAP_PX
    layout["legend"] |= {
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "top",
        "yref": "container",
        "uirevision": "legend",
        "groupclick": "togglegroup",
    }
    layout |= {
        "height": inner + TITLE_PX + BOTTOM_PX,
        "hovermode": "x unified" if unified else "closest",
        "meta": {"legend": LEGEND},
    }
    return layout


@cache
def _empty(rows: int) -> str:
    """The frame that all figures share, as JSON: plotly's own classes check every attribute, which
    takes as long as all the rest of a tick."""
    figure = stacked(
        [""] * rows,
        panel_px=LOW_PX,
        gap_px=GAP_PX,
        bottom_px=BOTTOM_PX,
        title_px=TITLE_PX,
        key="train-curves",
    )
    return json.dumps(figure.to_plotly_json()["layout"])
