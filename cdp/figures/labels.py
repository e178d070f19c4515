"""How sure a classifier was of the images that it labelled, and how many of each class were
kept."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from cdp.figures.accuracy import heading, shown
from cdp.figures.palette import NEUTRAL, class_sign, faint
from cdp.figures.panels import layout_name, stacked


def label_panels(
    histogram: Sequence[int], threshold: float, balance: Sequence[int], class_names: Sequence[str]
) -> go.Figure:
    """histogram: images by confidence, equal bins over [0, 1]; threshold: confidence from which
    images were kept; balance: kept images of each class."""
    size = len(histogram)
    centres = [(place + 0.5) / size for place in range(size)]
    kept = f"images by confidence; kept from {threshold:g} on (line)"
    figure = stacked(
        [
            heading("How sure was the classifier?", kept),
            heading("What was kept?", f"n = {sum(balance):,} images, by class"),
        ],
        panel_px=130,
        gap_px=86,
        bottom_px=66,
        key="labels",
        title_px=44,
    )
    figure.add_trace(
        go.Bar(
            x=centres,
            y=list(histogram),
            width=0.94 / size,
            showlegend=False,
            marker={
                "color": [
                    NEUTRAL.color if (place + 1) / size > threshold else faint(NEUTRAL.color, 0.35)
                    for place in range(size)
                ]
            },
            hovertext=[
                f"{place / size:.2f} to {(place + 1) / size:.2f}: {count:,} images"
                for place, count in enumerate(histogram)
            ],
            hoverinfo="text",
        )
    )
    figure.add_shape(
        type="line",
        xref="x",
        yref="y domain",
        x0=threshold,
        x1=threshold,
        y0=0,
        y1=1,
        line={"color": NEUTRAL.color, "dash": "dot"},
    )
    names = [shown(name, 24) for name in class_names]
    figure.add_trace(
        go.Bar(
            x=list(range(len(names))),
            y=list(balance),
            xaxis="x2",
            yaxis="y2",
            showlegend=False,
            marker={"color": [class_sign(number).color for number in range(len(names))]},
            hovertext=[
                f"{name}: {count:,} images" for name, count in zip(names, balance, strict=True)
            ],
            hoverinfo="text",
        )
    )
    figure.update_layout(hovermode="closest")
    figure.layout[layout_name("x", 0)].update(title_text="probability of the label", range=[0, 1])
    figure.layout[layout_name("x", 1)].update(
        tickvals=list(range(len(names))), ticktext=names, tickangle=-35
    )
    for row in range(2):
        figure.layout[layout_name("y", row)].update(title_text="images", rangemode="tozero")
    return figure
