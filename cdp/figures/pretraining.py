"""Small curves of training a diffusion model and encoders: is it still learning, and how good is
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cdp.figures.palette import UNGUIDED, class_sign, faint
from cdp.figures.panels import stacked
from cdp.figures.series import smooth

REACH = 10
"""Points that the drawn mean of a loss looks back on."""

Curve = Sequence[tuple[float, float]]
"""(step or epoch, value), rising."""


def loss_curve(points: Curve, total: int) -> go.Figure:
    """The loss of a diffusion model, its running mean with the raw curve behind. total: steps of
    the whole training."""
    figure = stacked(
        ("Does the model still learn?",), panel_px=130, gap_px=0, bottom_px=44, key="pretrain-loss"
    )
    x, y = _arrays(points)
    figure.add_trace(_line(x, y, faint(UNGUIDED.color, 0.3), 1, "each point"))
    figure.add_trace(_line(x, smooth(y, REACH), UNGUIDED.color, 2, "running mean"))
    figure.update_xaxes(range=[0, total * 1.02], title={"text": "optimiser step", "standoff": 6})
    figure.update_yaxes(type="log", title={"text": "v-prediction loss", "standoff": 4}, nticks=5)
    return figure


def held_out_curves(curves: Mapping[str, Curve], chance: float) -> go.Figure:
    """Accuracy (0..1) on held-out training images after each epoch. curves: by encoder; chance: one
    over the number of classes."""
    figure = stacked(
        ("How accurate are the encoders?",),
        panel_px=130,
        gap_px=0,
        bottom_px=68,
        key="pretrain-held-out",
        left_px=52,
    )
    for number, (name, points) in enumerate(curves.items()):
        x, y = _arrays(points)
        sign = class_sign(number, name)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=100 * y,
                name=name,
                mode="lines+markers",
                line={"color": sign.color, "dash": sign.dash, "width": 2},
                marker={"size": 5, "symbol": sign.symbol, "color": sign.color},
                hovertemplate="%{y:.1f} %",
            )
        )
    figure.add_hline(
        y=100 * chance, line={"color": "rgba(128,132,140,0.8)", "dash": "dot", "width": 1}
    )
    figure.update_xaxes(rangemode="tozero", title={"text": "epoch (dotted: chance)", "standoff": 6})
    figure.update_yaxes(range=[0, 102], title={"text": "held out [%]", "standoff": 4}, nticks=6)
    figure.update_layout(
        showlegend=True, legend={"x": 0, "xanchor": "left", "y": -0.36, "yanchor": "top"}
    )
    return figure


def _arrays(points: Curve) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(points, np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _line(x: np.ndarray, y: np.ndarray, color: str, width: float, name: str) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines",
        line={"color": color, "width": width},
        showlegend=False,
        hovertemplate="%{y:.4f}",
    )
