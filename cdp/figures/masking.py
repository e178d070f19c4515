"""Whether gradients can be trusted: the loss around an image, and the verdicts of the checks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cdp.figures.accuracy import NORMS, Row, axis, heading, panels
from cdp.figures.palette import INK
from cdp.values.evaluation import Masking, Surface
from cdp.values.text import budget_text

VERDICTS = {"pass": "no sign of masking", "warn": "a sign of masking", "unclear": "unclear"}


def masking_surface(
    surface: Surface, *, norm: str, epsilon: float | None = None, class_names: Sequence[str] = ()
) -> go.Figure:
    """Cross-entropy around one image, along the sign of its gradient and along a random sign
    direction. epsilon: a box at the budget.

    Where gradients are sound, the loss rises smoothly along the gradient and much less across it.
    """
    loss = np.array(surface.loss, np.float64).reshape(len(surface.across), len(surface.along))
    along, across = rises(surface)
    title = (
        f"Loss rises by {along:.2f} nats along the gradient, by {across:.2f} in a random direction"
    )
    figure = panels(
        [heading(title, _note(surface, epsilon, class_names))],
        panel_px=300,
        left_px=76,
        key="surface",
    )
    figure.add_contour(
        x=surface.along,
        y=surface.across,
        z=loss,
        colorscale="Cividis",
        contours={
            "coloring": "heatmap",
            "showlabels": True,
            "labelfont": {"size": 10, "color": "#ffffff"},
        },
        line={"width": 0.7, "color": "rgba(255,255,255,0.55)"},
        ncontours=10,
        colorbar={
            "title": {"text": "cross-entropy [nats]", "side": "right", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
        },
        hovertemplate=(
            "along the gradient %{x:.3g}<br>random direction %{y:.3g}<br>cross-entropy %{z:.3f}"
            " nats<extra></extra>"
        ),
    )
    if epsilon is not None:
        corner = {"x0": -epsilon, "x1": epsilon, "y0": -epsilon, "y1": epsilon}
        figure.add_shape(
            {"type": "rect", "line": {"color": "#ffffff", "dash": "dot", "width": 1.5}} | corner
        )
    figure.add_scatter(
        x=[0],
        y=[0],
        mode="markers",
        marker={"symbol": "cross-thin", "size": 12, "line": {"color": "#ffffff", "width": 2}},
        showlegend=False,
        hovertext=["the image itself"],
        hoverinfo="text",
    )
    unit = (
        f"{NORMS.get(norm, norm)}, of the pixel range" if norm == "linf" else NORMS.get(norm, norm)
    )
    axis(figure, "xaxis", f"along the gradient's sign [{unit}]", showgrid=False, nticks=6)
    axis(figure, "yaxis", f"random direction [{unit}]", showgrid=False, nticks=6, linecolor=INK)
    return figure.update_layout(margin={"r": 72})


def rises(surface: Surface) -> tuple[float, float]:
    """How far the loss rises above its value at the image (nats) along the gradient, and along the
    random direction: largest of each axis."""
    loss = np.array(surface.loss, np.float64).reshape(len(surface.across), len(surface.along))
    j, i = (int(np.abs(np.array(places)).argmin()) for places in (surface.along, surface.across))
    return float(loss[i].max() - loss[i, j]), float(loss[:, j].max() - loss[i, j])


def _note(surface: Surface, epsilon: float | None, names: Sequence[str]) -> str:
    def called(label: int) -> str:
        return names[label] if 0 <= label < len(names) else f"class {label}"

    seen = (
        "classified right"
        if surface.label == surface.predicted
        else f"taken for {called(surface.predicted)}"
    )
    box = f"; dotted: the budget, {budget_text(epsilon)}" if epsilon is not None else ""
    return f"image {surface.row}, {called(surface.label)}, {seen}; one image, an illustration{box}"


def masking_rows(masking: Masking) -> list[Row]:
    """A row for each check: verdict, what was found, and its figures."""
    return [
        {
            "check": check.title,
            "verdict": VERDICTS[check.verdict],
            "found": check.sentence,
            "figures": ", ".join(f"{name} {value:.4g}" for name, value in check.figures.items()),
            "n": masking.n,
        }
        for check in masking.checks
    ]


def surface_rows(surface: Surface) -> list[Row]:
    """The numbers behind ``masking_surface``: every place of the grid and its cross-entropy in
    nats."""
    return [
        {"along the gradient": x, "random direction": y, "cross-entropy [nats]": value}
        for y, line in zip(surface.across, surface.loss, strict=True)
        for x, value in zip(surface.along, line, strict=True)
    ]
