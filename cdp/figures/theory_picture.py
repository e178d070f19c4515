"""The model in a plane: both distributions, the learned and the optimal boundary with the tube that
an attack crosses; and every coordinate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import NORMS, Row, axis
from cdp.figures.palette import INK, Sign, faint
from cdp.figures.theory import LEARNED, OPTIMUM, REAL, SYNTHETIC, framed, share

if TYPE_CHECKING:
    from cdp.theory.results import Boundary, Coordinates, Picture

RINGS = 64
DEVIATIONS = 2.0
"""Rings are drawn at so many standard deviations."""
MOST = 120
"""Coordinates that are drawn; the table has all."""


def plane(found: Picture) -> go.Figure:
    """Both classes of real and of synthetic data as rings over draws, boundaries as lines, the
    tubes about them as bands. One scale for both axes."""
    figure = framed(
        _finding(found), _note(found), key="theory-picture", png="picture", panel_px=430
    )
    reach = _reach(found)
    for sign, boundary in ((OPTIMUM, found.optimal), (LEARNED, found.learned)):
        if boundary is not None:
            figure.add_traces(_boundary(boundary, sign, reach))
    figure.add_traces(
        [
            *_class(
                REAL,
                "real",
                found.real_mean,
                found.real_covariance,
                found.real_points,
                found.real_labels,
            ),
            *_class(
                SYNTHETIC,
                "synthetic",
                found.synthetic_mean,
                found.synthetic_covariance,
                found.synthetic_points,
                found.synthetic_labels,
            ),
        ]
    )
    axis(
        figure,
        "xaxis",
        "along the real mean mu",
        range=[-reach, reach],
        constrain="domain",
        zeroline=False,
    )
    axis(
        figure,
        "yaxis",
        "what the optimum adds",
        range=[-reach, reach],
        scaleanchor="x",
        constrain="domain",
        constraintoward="top",
    )
    return figure


def _finding(found: Picture) -> str:
    learned = f"The learned boundary keeps {share(found.learned.accuracy)} right under attack"
    return (
        f"{learned}, the best {share(found.optimal.accuracy)}"
        if found.optimal
        else f"{learned}; no boundary does better than guessing"
    )


def _note(found: Picture) -> str:
    return (
        f"accuracies exact, dots simulated; bands: what an attack of {NORMS[found.norm]} budget"
        f" {found.epsilon:g} carries across; rings: {DEVIATIONS:g} standard deviations"
    )


def _reach(found: Picture) -> float:
    """Half the side of the square that is drawn."""
    ends = [
        float(
            np.abs(mean).max()
            + DEVIATIONS * 1.3 * math.sqrt(float(np.linalg.eigvalsh(covariance)[-1]))
        )
        for mean, covariance in (
            (found.real_mean, found.real_covariance),
            (found.synthetic_mean, found.synthetic_covariance),
        )
    ]
    return max(ends)


def _class(
    sign: Sign,
    name: str,
    mean: np.ndarray,
    covariance: np.ndarray,
    points: np.ndarray,
    labels: np.ndarray,
) -> list[go.Scatter]:
    """Rings, draws and means of both classes; class -1 is hollow."""
    found = []
    for label in (1, -1):
        ring = _ring(label * mean, covariance)
        here = labels == label
        symbol = sign.symbol if label == 1 else f"{sign.symbol}-open"
        said = f"{name}, class {label:+d}".replace("-", "−")
        found += [
            go.Scatter(
                x=ring[:, 0],
                y=ring[:, 1],
                mode="lines",
                line={"color": sign.color, "dash": sign.dash, "width": 1.6},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            ),
            go.Scatter(
                x=points[here, 0],
                y=points[here, 1],
                mode="markers",
                name=said,
                legendgroup=name,
                hoverinfo="skip",
                marker={"color": sign.color, "symbol": symbol, "size": 5, "opacity": 0.4},
                showlegend=True,
            ),
        ]
    return found


def _ring(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(RINGS, 2) points at ``DEVIATIONS`` standard deviations from the mean."""
    values, vectors = np.linalg.eigh(covariance)
    turn = np.linspace(0, 2 * np.pi, RINGS)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean + DEVIATIONS * circle @ vectors.T)


def _boundary(boundary: Boundary, sign: Sign, reach: float) -> list[go.Scatter]:
    """The line across the plane, and the band on either side where an attack changes the answer."""
    normal = np.asarray(boundary.normal, np.float64)
    along = np.array([-normal[1], normal[0]])
    far = 3 * reach
    ends = np.stack([-far * along, far * along])
    width = min(boundary.half_width, far)
    band = np.concatenate([ends + width * normal, (ends - width * normal)[::-1]])
    name = f"{boundary.name}: {share(boundary.accuracy)}"
    whole = " (all of the plane)" if boundary.half_width >= far else ""
    return [
        go.Scatter(
            x=band[:, 0],
            y=band[:, 1],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faint(sign.color, 0.13),
            hoverinfo="skip",
            showlegend=False,
            legendgroup=boundary.name,
        ),
        go.Scatter(
            x=ends[:, 0],
            y=ends[:, 1],
            mode="lines",
            name=name,
            line={"color": sign.color, "dash": sign.dash, "width": 2.4},
            legendgroup=boundary.name,
            hoverinfo="text",
            hovertext=f"{name}; tube half width {boundary.half_width:.3g}{whole}",
        ),
    ]


def plane_rows(found: Picture) -> list[Row]:
    """Means, boundaries and draws behind ``plane``, one a row."""
    rows = [
        _row("mean", name, mean, 1, "exact")
        for name, mean in (("real", found.real_mean), ("synthetic", found.synthetic_mean))
    ]
    for b in (found.optimal, found.learned):
        if b is not None:
            rows.append(
                _row("normal of the boundary", b.name, b.normal, None, "exact")
                | {
                    "tube half width": b.half_width,
                    "in the plane [%]": 100 * b.in_plane,
                    "robust [%]": 100 * b.accuracy,
                }
            )
    for name, points, labels in (
        ("real", found.real_points, found.real_labels),
        ("synthetic", found.synthetic_points, found.synthetic_labels),
    ):
        rows += [
            _row("draw", name, point, int(label), "simulated")
            for point, label in zip(points, labels, strict=True)
        ]
    return rows


def _row(what: str, of: str, at: np.ndarray, label: int | None, kind: str) -> Row:
    more = {"tube half width": None, "in the plane [%]": None, "robust [%]": None}
    return {
        "what": what,
        "of": of,
        "along mu": round(float(at[0]), 6),
        "beside mu": round(float(at[1]), 6),
        "class": label,
        "kind": kind,
    } | more


def coordinate_lines(found: Coordinates, *, epsilon: float, norm: str, n: int) -> go.Figure:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate;
    the last three at the length of mu, so that directions compare."""
    count = min(len(found.mu), MOST, max(20, round(1.25 * int((np.asarray(found.mu) != 0).sum()))))
    figure = framed(
        _coordinate_finding(found),
        _coordinate_note(found, epsilon, norm),
        key="theory-coordinates",
        png="coordinates",
    )
    ranks = list(range(1, count + 1))
    figure.add_scatter(
        x=ranks,
        y=_scaled(found.learned, found.mu)[:count],
        mode="markers",
        name=f"learned from n = {n:,}, simulated",
        marker={"color": LEARNED.color, "symbol": LEARNED.symbol, "size": 5, "opacity": 0.75},
        hovertemplate=_hover("learned"),
    )
    for sign, values, width in (
        (REAL, found.mu, 2.4),
        (OPTIMUM, _scaled(found.optimum, found.mu), 2.0),
        (SYNTHETIC, _scaled(found.synthetic, found.mu), 2.0),
    ):
        figure.add_scatter(
            x=ranks,
            y=np.asarray(values)[:count],
            mode="lines",
            name=sign.name,
            line={"color": sign.color, "dash": sign.dash, "width": width, "shape": "hvh"},
            hovertemplate=_hover(sign.name),
        )
    if norm == "linf" and epsilon:
        figure.add_shape(_band(epsilon))
    axis(figure, "xaxis", "coordinate, by size in mu", range=[0.3, count + 0.7], nticks=8)
    axis(
        figure,
        "yaxis",
        "value at the length of mu",
        nticks=7,
        zeroline=True,
        zerolinecolor=INK,
        zerolinewidth=1,
    )
    return figure


def _coordinate_finding(found: Coordinates) -> str:
    kept = int((np.asarray(found.mu) != 0).sum())
    if not np.asarray(found.optimum).any():
        return "The budget exceeds every coordinate of mu: no direction beats guessing"
    drops = (
        f"The optimum drops {found.dropped:,} of {kept:,} coordinates"
        if found.dropped
        else f"The optimum keeps all {kept:,} coordinates"
    )
    if math.isnan(found.synthetic_to_optimum):
        return drops
    return (
        f"{drops}; the synthetic mean points {found.synthetic_to_optimum:.0f}° from it and"
        f" {found.synthetic_to_mu:.0f}° from mu"
    )


def _coordinate_note(found: Coordinates, epsilon: float, norm: str) -> str:
    far = (
        ""
        if math.isnan(found.learned_to_optimum)
        else f", {found.learned_to_optimum:.0f}° from the optimum"
    )
    parts = [f"exact, but the learned w is simulated{far}"]
    if norm == "linf" and epsilon:
        parts.append(f"band: within the budget {epsilon:g}")
    return "; ".join(parts)


def _scaled(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(values))
    return (
        np.asarray(values) * (float(np.linalg.norm(like)) / length)
        if length
        else np.asarray(values)
    )


def _hover(name: str) -> str:
    return f"coordinate %{{x}}, {name}: %{{y:.3g}}<extra></extra>"


def _band(epsilon: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": 0,
        "x1": 1,
        "xref": "x domain",
        "y0": -epsilon,
        "y1": epsilon,
        "yref": "y",
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": faint(INK, 0.16),
    }


def coordinate_rows(found: Coordinates) -> list[Row]:
    """The numbers behind ``coordinate_lines``, as they are and not brought to one length."""
    columns = {
        "mu": found.mu,
        "optimum": found.optimum,
        "synthetic mean": found.synthetic,
        "learned w": found.learned,
    }
    return [
        {"rank": rank + 1, "coordinate": int(found.order[rank])}
        | {name: float(values[rank]) for name, values in columns.items()}
        for rank in range(len(found.mu))
    ]
