"""Charts of the Gaussian model, from the rows of its views. Titles say the finding, notes how it was
computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import (
    NORMS,
    Row,
    as_text,
    axis,
    color_bar,
    log_ticks,
    panel,
    vertical,
    whisker,
)
from cdp.figures.palette import INK, VIRIDIS, Sign, faint, role_sign
from cdp.theory.model import degrees_between
from cdp.values.types import Interval

REAL = role_sign("real", 0, "real mean mu")
SYNTHETIC = role_sign("guided", 0, "synthetic mean m")
OPTIMUM = Sign("robust optimum", INK, "longdash", "x")
LEARNED = replace(role_sign("guided", 1, "learned"), dash="dash")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Of the separations, told apart by colour as well."""
KINDS = {"exact": "exact", "asymptotic": "asymptotic in the dimension", "simulated": "simulated"}
"""How a number was computed, as titles and legends say it."""
_EDGE = "#15181c"
"""Marks on the map are white with a dark edge, whatever the theme: what they lie on is coloured.
Real data themselves are a small dark one, which shows on the others."""
_DEVIATIONS = 2.0
"""Rings are drawn at so many standard deviations."""
PLANE_PX = 300
_MOST = 120
"""Coordinates that are drawn; the table has all."""
_VALUE = "robust [%]"


@dataclass(frozen=True)
class Placed:
    """A measured set on the map. separation, angle (degrees): with their intervals."""

    name: str
    separation: Interval
    angle: Interval


def accuracy_text(value: float) -> str:
    """A robust accuracy in per cent as "71.3 %"; near its ends with the digits that tell it from
    them."""
    return f"{value:.1f} %" if 0.05 <= value <= 99.95 else f"{value:.4g} %"


def samples_text(n: float) -> str:
    """A number of samples in words: "1,000", "2.3 million", "under 1"."""
    if n < 1:
        return "under 1"
    return f"{n:,.0f}" if n < 1e6 else f"{n / 1e6:,.3g} million" if n < 1e9 else f"{n:.2g}"


def _framed(title: str, note: Iterable[str], *, png: str, panel_px: int = 330) -> go.Figure:
    """One panel under its title; ``png`` names the picture that it is saved as."""
    sizes = {"panel_px": panel_px, "left_px": 54}
    figure = panel(title, "; ".join(note), key=f"theory-{png}", legend=True, **sizes)
    return figure.update_layout(meta={**figure.layout.meta, "png": png})


def _best(best: float) -> dict[str, Any]:
    """A dotted line at the best possible accuracy in per cent."""
    text = f"best possible {accuracy_text(best)}"
    label = {"text": text, "textposition": "start", "yanchor": "bottom", "padding": 2}
    line = {"type": "line", "x0": 0, "x1": 1, "y0": best, "y1": best, "layer": "below"}
    line |= {"xref": "x domain", "yref": "y"}
    look = {"line": {"color": INK, "dash": "dot", "width": 1}}
    return line | look | {"label": label | {"font": {"size": 10, "color": INK}}}


def _line(rows: Sequence[Row], x: str, y: str, sign: Sign, name: str, **more: Any) -> go.Scatter:
    """A line with its name and kind under the pointer; values of one column over another."""
    look = {"mode": "lines", "line": {"color": sign.color, "dash": sign.dash, "width": 2}}
    hover = f"{name}, {x} %{{x:,.4g}}: %{{y:,.4g}}<extra></extra>"
    own = {"name": name, "hovertemplate": hover}
    return go.Scatter(x=_column(rows, x), y=_column(rows, y), **(own | look | more))


def _simulated(rows: Sequence[Row], x: str, sign: Sign, name: str, **more: Any) -> go.Scatter:
    """Simulated accuracies with their intervals."""
    parts = (_VALUE, "robust low", "robust high", "draws")
    intervals = [Interval(*(row[part] for part in parts)) for row in rows]
    hover = [
        f"{name}, {x} {row[x]:,g}: {row[_VALUE]:.1f} % ({row['robust low']:.1f} to"
        f" {row['robust high']:.1f}), simulated"
        for row in rows
    ]
    look: dict[str, Any] = {"mode": "markers", "hovertext": hover, "hovertemplate": None}
    look["hoverinfo"] = "text"
    look |= {"marker": {"color": sign.color, "symbol": sign.symbol, "size": 7}}
    look |= {"error_y": whisker(intervals, sign.color, factor=1)}
    return _line(rows, x, _VALUE, sign, name, **(look | more))


def _column(rows: Iterable[Row], name: str) -> list[Any]:
    return [row[name] for row in rows]


def _split(rows: Iterable[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Those by formula, in the limit of endless samples, and simulated."""
    every = list(rows)
    drawn = [row for row in every if row["kind"] == "simulated"]
    formula = [row for row in every if row["kind"] != "simulated"]
    endless = [row for row in formula if math.isinf(row["n"])]
    return [row for row in formula if math.isfinite(row["n"])], endless, drawn


def _drawn_note(rows: Sequence[Row]) -> list[str]:
    return [f"points: simulated, {rows[0]['draws']:,} draws each, 95 %"] if rows else []


def accuracy_curves(rows: Sequence[Row], *, n: int, best: float, learner: str) -> go.Figure:
    """Robust accuracy against n, a colour a separation. n: the present number of samples; best: the
    highest possible accuracy in per cent; learner: its title."""
    formula, _, drawn = _split(rows)
    known = formula or drawn
    lines = f"line: {KINDS[formula[0]['kind']]}" if formula else "no formula for finite n"
    note = [learner, lines, *_drawn_note(drawn)]
    title = "Robust accuracy against n: the simulation is under way"
    if known:
        at = n if formula else max(_column(known, "n"))
        here = [row for row in known if row["n"] == at] or known[-1:]
        values = ", ".join(f"{accuracy_text(row[_VALUE])} at {_c(row)}" for row in here)
        count, kind = samples_text(here[0]["n"]), here[0]["kind"]
        title = f"{count} synthetic samples give {values} ({kind})"
    figure = _framed(title, note, png="robust-accuracy-against-n")
    for number, c in enumerate(dict.fromkeys(_column(rows, "separation"))):
        own = [row for row in rows if row["separation"] == c]
        sign = replace(role_sign("guided", number), dash=DASHES[number % len(DASHES)])
        line, endless, points = _split(own)
        group = {"legendgroup": f"{c:g}"}
        if line:
            name = f"{_c(line[0])}, {line[0]['kind']}"
            figure.add_trace(_line(line, "n", _VALUE, sign, name, **group))
        if points:
            name, joined = f"{_c(points[0])}, simulated", not line
            mode = "lines+markers" if joined else "markers"
            more = group | {"mode": mode, "showlegend": joined}
            figure.add_trace(_simulated(points, "n", sign, name, **more))
        if endless and not line:
            name = f"{_c(endless[0])}, limit ({endless[0]['kind']})"
            mark = {"color": sign.color, "symbol": "triangle-left", "size": 9}
            trace = _line(endless, "n", _VALUE, sign, name, mode="markers", marker=mark, **group)
            hover = f"{name}: %{{y:.1f}} %<extra></extra>"
            trace.update(x=[1.18e7], showlegend=False, cliponaxis=False, hovertemplate=hover)
            figure.add_trace(trace)
    figure.add_shape(_best(best))
    figure.add_shape(vertical(n))
    _log_axis(figure, "xaxis", "synthetic samples n, log", 1, 1e7, 0.1)
    _share_axis(figure, "yaxis", [50.0, best, *_column(known, _VALUE)])
    return figure


def _c(row: Row) -> str:
    """ "c = 1", kept on one line."""
    return f"c\u00a0=\u00a0{row['separation']:.3g}"


def _share_axis(figure: go.Figure, name: str, values: Sequence[float]) -> None:
    room = max(max(values) - min(values), 2.0)
    ends = [min(values) - 0.05 * room, max(values) + 0.12 * room]
    axis(figure, name, "robust accuracy [%]", range=ends, nticks=7)


def _log_axis(
    figure: go.Figure, name: str, title: str, low: float, high: float, room: float
) -> None:
    """An axis in ratios from low to high."""
    ends = [log10(low) - room, log10(high) + room]
    axis(figure, name, title, range=ends, **log_ticks(low, high))


def needed_curve(
    rows: Sequence[Row], *, here: float, limit: float, lawful: bool, learner: str
) -> go.Figure:
    """Samples that the target takes against separation, both in ratios, beside the c-squared law.
    here: the present separation; limit: accuracy of endless samples in per cent; lawful: whether
    the law is exact."""
    needed, law, kind = "samples needed", "by the c-squared law", rows[0]["kind"]
    by = {row["separation"]: row[needed] for row in rows}
    own, twice, target = by[here], by[2 * here], accuracy_text(rows[0]["target [%]"])
    title = f"{target} is out of reach here: endless samples give {accuracy_text(limit)}"
    if own is not None:
        title = f"{target} takes {samples_text(own)} samples at c\u00a0=\u00a0{here:.3g}"
    if own is not None and twice is not None:
        title += f" and {samples_text(twice)} at c\u00a0=\u00a0{2 * here:.3g}"
        title += f": {own / twice:.3g} times fewer" if twice >= 1 else ""
    words = "the law is exact" if lawful else "this learner has no such law"
    note = [learner, f"solved for n: {KINDS[kind]}", words]
    figure = _framed(title, note, png="samples-needed")
    sign, known = Sign("", INK, "dot", ""), [row for row in rows if row[law] is not None]
    if known:
        figure.add_trace(_line(known, "separation", law, sign, "c-squared law: n / c²"))
    if solved := [row for row in rows if row[needed] is not None]:
        sign = SYNTHETIC
        look = {
            "mode": "markers",
            "marker": {"color": sign.color, "symbol": sign.symbol, "size": 9},
        }
        name = f"solved for n, {kind}"
        figure.add_trace(_line(solved, "separation", needed, sign, name, **look))
        figure.add_shape(vertical(here))
        counts = _column(solved, needed)
        _log_axis(figure, "yaxis", "samples needed, log", min(counts), max(counts), 0.3)
    spots = sorted(by)
    ends = [log10(spots[0]) - 0.05, log10(spots[-1]) + 0.05]
    ticks = {"tickvals": spots[::2], "ticktext": [f"{c:.3g}" for c in spots[::2]]}
    axis(figure, "xaxis", "separation c, log", type="log", range=ends, **ticks)
    return figure


def accuracy_map(
    rows: Sequence[Row],
    *,
    title: str,
    learner: str,
    here: tuple[float, float],
    real: float,
    placed: Placed | None = None,
) -> go.Figure:
    """Robust accuracy as colours and labelled lines over separation (log) and angle. here: the
    present separation and angle; real: the angle of real data; placed: a measured set, with
    whiskers, in place of the mark of the present settings."""
    separations = list(dict.fromkeys(_column(rows, "separation")))
    values = np.array(_column(rows, _VALUE)).reshape(-1, len(separations))
    degrees, kind = list(dict.fromkeys(_column(rows, "angle [degrees]"))), rows[0]["kind"]
    note = [learner, f"n = {rows[0]['n']:,}", KINDS[kind]]
    figure = _framed(title, note, png="map", panel_px=380)
    low, high = float(values.min()), float(values.max())
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10) if (high - low) / s <= 9), 10)
    start = step * round(low / step)  # lines at round values, eight or so
    label = {"showlabels": True, "labelfont": {"size": 11, "color": "#ffffff"}}
    label |= {"labelformat": ".0f" if step >= 1 else ".1f", "coloring": "heatmap"}
    figure.add_contour(
        x=separations,
        y=degrees,
        z=values,
        contours=label | {"start": start, "end": max(high, start + step), "size": step},
        showlegend=False,
        line={"color": "rgba(255,255,255,0.65)", "width": 1},
        zmin=low - 0.05,
        zmax=high + 0.05,
        colorscale=[[k / (len(VIRIDIS) - 1), color] for k, color in enumerate(VIRIDIS)],
        hovertemplate=f"c = %{{x:.3g}}, %{{y:.0f}}°: %{{z:.1f}} %, {kind}<extra></extra>",
        colorbar=color_bar("robust accuracy [%]"),
    )
    if placed:
        c, a, name = placed.separation, placed.angle, as_text(placed.name)
        text = f"{name}<br>separation {c.value:.3g} ({c.low:.3g} to {c.high:.3g})"
        text += f"<br>angle {a.value:.0f}° ({a.low:.0f} to {a.high:.0f}), n = {c.n:,}"
        # Dark under white, so that whiskers are seen on every colour.
        for color, width, shown in ((_EDGE, 4.5, False), ("#ffffff", 2, True)):
            spot = _spot((c.value, a.value), name, color, "square", 14, text)
            x, y = (whisker([each], color, factor=1, thickness=width) for each in (c, a))
            spot.update(error_x=x, error_y=y, showlegend=shown)
            figure.add_trace(spot)
    else:
        figure.add_trace(_spot(here, "these settings", "#ffffff", "diamond", 14))
    figure.add_trace(_spot((1.0, real), "real data themselves", _EDGE, "circle", 8))
    reach = [placed.separation.low, placed.separation.high] if placed else []
    ends = [min([*separations, *reach]), max([*separations, *reach])]
    marks = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    ticks: dict[str, Any] = {"tickvals": marks, "ticktext": [f"{t:g}" for t in marks]}
    ticks |= {"range": [log10(end) for end in ends], "showgrid": False}
    axis(figure, "xaxis", "separation c, log", type="log", **ticks)
    ends = [0, degrees[-1]]
    axis(figure, "yaxis", "angle to the optimum [degrees]", range=ends, dtick=15, showgrid=False)
    return figure


def _spot(
    at: tuple[float, float], name: str, color: str, symbol: str, size: int, text: str = ""
) -> go.Scatter:
    edge = {"color": "#ffffff" if color == _EDGE else _EDGE, "width": 1.8}
    mark = {"symbol": symbol, "size": size, "color": color, "line": edge}
    look = {"mode": "markers", "name": name, "cliponaxis": False, "marker": mark}
    hover = text or f"{name}: c = {at[0]:.3g}, {at[1]:.0f}°"
    return go.Scatter(x=[at[0]], y=[at[1]], hovertext=[hover], hoverinfo="text", **look)


def plane(
    rows: Sequence[Row],
    *,
    norm: str,
    epsilon: float,
    sigma: float,
    noise: float,
    mean: float | None = None,
) -> go.Figure:
    """Both classes of real (noise sigma) and of synthetic data (noise) as rings over draws,
    boundaries as lines, the tubes about them as bands. One scale for both axes. mean: accuracy in
    per cent over all draws of the samples, of which the boundary was learned from one."""
    boundaries = [row for row in rows if row["what"] == "normal of the boundary"]
    accuracy = {row["of"]: accuracy_text(row[_VALUE]) for row in boundaries}
    title = f"The boundary of one draw keeps {accuracy['learned']} right under attack"
    best = accuracy.get("optimal")
    title += f", the best {best}" if best else "; no boundary does better than guessing"
    over = f"over all draws {accuracy_text(mean)} (asymptotic); " if mean is not None else ""
    note = (
        f"{over}accuracies of these boundaries exact, dots simulated",
        f"bands: what an attack of {NORMS[norm]} budget {epsilon:g} carries across",
        f"rings: {_DEVIATIONS:g} standard deviations",
    )
    figure = _framed(title, note, png="picture", panel_px=360)
    means = {row["of"]: _at(row) for row in rows if row["what"] == "mean"}
    clouds = (("real", REAL, sigma), ("synthetic", SYNTHETIC, noise))
    reach = max(np.abs(means[of]).max() + 1.3 * _DEVIATIONS * spread for of, _, spread in clouds)
    for row in boundaries:
        sign = OPTIMUM if row["of"] == "optimal" else LEARNED
        figure.add_traces(_boundary(row, sign, 3 * float(reach)))
    turn = np.linspace(0, 2 * np.pi, 64)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    for of, sign, spread in clouds:
        for label, symbol in ((1, sign.symbol), (-1, f"{sign.symbol}-open")):
            x, y = label * means[of][:, None] + _DEVIATIONS * spread * circle
            line = {"color": sign.color, "dash": sign.dash, "width": 1.6}
            quiet = {"hoverinfo": "skip", "legendgroup": of}
            figure.add_scatter(x=x, y=y, mode="lines", line=line, showlegend=False, **quiet)
            drawn = [r for r in rows if (r["what"], r["of"], r["class"]) == ("draw", of, label)]
            x, y = _column(drawn, "along mu"), _column(drawn, "beside mu")
            mark = {"color": sign.color, "symbol": symbol, "size": 5, "opacity": 0.4}
            name = f"{of}, class {label:+d}".replace("-", "−")
            figure.add_scatter(x=x, y=y, mode="markers", marker=mark, name=name, **quiet)
    # One scale; the longer side of the chart shows as much more.
    square = {"range": [-reach, reach], "constrain": "range"}
    axis(figure, "xaxis", "along the real mean mu", scaleanchor="y", **square)
    axis(figure, "yaxis", "what the optimum adds", **square)
    return figure


def _at(row: Row) -> np.ndarray:
    return np.array([row["along mu"], row["beside mu"]])


def _boundary(row: Row, sign: Sign, far: float) -> list[go.Scatter]:
    """The line across the plane, and the band on either side where an attack changes the answer."""
    normal, width = _at(row), row["tube half width"]
    along = np.array([-normal[1], normal[0]])
    ends = np.stack([-far * along, far * along])
    side = min(width, far) * normal
    band = np.concatenate([ends + side, (ends - side)[::-1]])
    name = f"{row['of']}: {accuracy_text(row[_VALUE])}"
    everywhere = " (all of the plane)" if width >= far else ""
    text = f"{name}; tube half width {width:.3g}{everywhere}"
    look = {"color": sign.color, "dash": sign.dash, "width": 2.4}
    fill: dict[str, Any] = {
        "fill": "toself",
        "fillcolor": faint(sign.color, 0.13),
        "line": {"width": 0},
    }
    fill |= {"hoverinfo": "skip", "showlegend": False}
    group = {"mode": "lines", "legendgroup": row["of"]}
    return [
        go.Scatter(x=band[:, 0], y=band[:, 1], **group, **fill),
        go.Scatter(x=ends[:, 0], y=ends[:, 1], name=name, line=look, hovertext=text, **group),
    ]


def coordinate_lines(rows: Sequence[Row], *, epsilon: float, norm: str, n: int) -> go.Figure:
    """The real mean, the optimum, the synthetic mean and one learned w, coordinate by coordinate;
    the last three at the length of mu, so that directions compare."""
    names = {"mu": REAL, "optimum": OPTIMUM, "synthetic mean": SYNTHETIC, "learned w": LEARNED}
    mu, best, synthetic, learned = (np.array(_column(rows, name)) for name in names)
    informative, dropped = int((mu != 0).sum()), int(((mu != 0) & (best == 0)).sum())
    title = "The budget exceeds every coordinate of mu: no direction beats guessing"
    if best.any():
        keeps = f"keeps all {informative:,} coordinates"
        drops = f"drops {dropped:,} of {informative:,} coordinates"
        angles = degrees_between(synthetic, best), degrees_between(synthetic, mu)
        title = f"The optimum {drops if dropped else keeps}; the synthetic mean points"
        title += f" {angles[0]:.0f}° from it and {angles[1]:.0f}° from mu"
    far, banded = degrees_between(learned, best), norm == "linf" and epsilon > 0
    note = "exact, but the learned w is simulated"
    note += "" if math.isnan(far) else f", {far:.0f}° from the optimum"
    band = [f"band: within the budget {epsilon:g}"] if banded else []
    figure = _framed(title, [note, *band], png="coordinates")
    count = min(len(mu), _MOST, max(20, round(1.25 * informative)))
    ranks, size = list(range(1, count + 1)), float(np.linalg.norm(mu))
    columns = zip(names.values(), (mu, best, synthetic, learned), strict=True)
    for sign, values in reversed(list(columns)):
        scaled = values * size / (float(np.linalg.norm(values)) or 1.0)
        look: dict[str, Any] = {"mode": "lines", "name": sign.name}
        look["line"] = {"color": sign.color, "dash": sign.dash, "width": 2.2, "shape": "hvh"}
        if sign is LEARNED:
            look = {"mode": "markers", "name": f"learned from n = {n:,}, simulated"}
            mark = {"color": sign.color, "symbol": sign.symbol, "size": 5, "opacity": 0.75}
            look["marker"] = mark
        hover = f"coordinate %{{x}}, {sign.name}: %{{y:.3g}}<extra></extra>"
        figure.add_scatter(x=ranks, y=scaled[:count], hovertemplate=hover, **look)
    if banded:
        figure.add_hrect(-epsilon, epsilon, line_width=0, fillcolor=faint(INK, 0.16), layer="below")
    axis(figure, "xaxis", "coordinate, by size in mu", range=[0.3, count + 0.7], nticks=8)
    zero = {"zeroline": True, "zerolinecolor": INK, "zerolinewidth": 1}
    axis(figure, "yaxis", "value at the length of mu", nticks=7, **zero)
    return figure


def guided_mean(rows: Sequence[Row], *, strength: float, learner: str) -> go.Figure:
    """Where the mean points in the plane of mu and the optimum. strength: the present one."""
    formula, endless, _ = _split(rows)
    known = formula or endless
    at = {row["strength"]: row for row in known}
    start, here = at[0.0], at[strength]
    title, note = _guided_title(start, here), (learner, "directions exact")
    figure = _framed(title, note, png="guide-the-mean", panel_px=PLANE_PX)
    way = np.array([_direction(start, row) for row in known])
    goal, mean = _direction(start, at[1.0]), _direction(start, here)
    arrows = ((REAL, way[0]), (OPTIMUM, goal), (SYNTHETIC, mean))
    top: dict[str, Any] = {"hoverinfo": "skip"}
    faded = {"color": SYNTHETIC.color, "width": 1}
    figure.add_scatter(x=way[:, 0], y=way[:, 1], mode="lines", line=faded, showlegend=False, **top)
    for sign, tip in arrows:
        mark: dict[str, Any] = {"symbol": sign.symbol, "size": [0, 12], "color": sign.color}
        line = {"color": sign.color, "dash": sign.dash, "width": 4 if sign is SYNTHETIC else 2}
        look: dict[str, Any] = {"mode": "lines+markers", "marker": mark, "line": line}
        figure.add_scatter(x=[0, tip[0]], y=[0, tip[1]], name=sign.name, **look, **top)
    # The axes take what the arrows need, so that a wide chart has no empty half.
    ends = [min(0.0, way[:, 1].min()) - 0.06, max(way[:, 1].max(), 0.5) + 0.06]
    axis(figure, "xaxis", "along the real mean mu", range=[-0.06, 1.1])
    square = {"scaleanchor": "x", "constrain": "range"}
    axis(figure, "yaxis", "what the optimum adds", range=ends, nticks=6, **square)
    return figure


def guided_accuracy(
    rows: Sequence[Row], *, strength: float, best: float, learner: str
) -> go.Figure:
    """The robust accuracy that follows from a guided mean. best: the highest possible accuracy in
    per cent."""
    formula, endless, drawn = _split(rows)
    known = formula or endless
    at = {row["strength"]: row for row in known}
    here = at[strength]
    below = f"n = {here['n']:,}" if formula else "the limit of endless samples"
    note = [learner, below, KINDS[here["kind"]], *_drawn_note(drawn)]
    title = f"{accuracy_text(here[_VALUE])} withstand at guidance strength {strength:g}"
    figure = _framed(title, note, png="guided-accuracy", panel_px=PLANE_PX)
    name = f"robust accuracy, {here['kind']}" if formula else f"in the limit, {here['kind']}"
    sign = Sign("", LEARNED.color, "solid", "circle-open")
    figure.add_trace(_line(known, "strength", _VALUE, sign, name))
    if drawn:
        figure.add_trace(_simulated(drawn, "strength", sign, "simulated"))
    mark = {"color": SYNTHETIC.color, "symbol": SYNTHETIC.symbol, "size": 12}
    spot = {"x": [strength], "y": [here[_VALUE]], "showlegend": False, "hoverinfo": "skip"}
    figure.add_scatter(mode="markers", marker=mark, **spot)
    axis(figure, "xaxis", "way from mu to the optimum", range=[-0.05, max(at) + 0.05], nticks=9)
    _share_axis(figure, "yaxis", [best, *_column(known, _VALUE), *_column(drawn, _VALUE)])
    figure.add_shape(_best(best))
    figure.add_shape(vertical(strength))
    return figure


def _direction(start: Row, row: Row) -> tuple[float, float]:
    """Where a guided mean points, mu lying along the first axis."""
    angle = row["angle to the optimum"] or 0.0
    turn = (start["angle to the optimum"] or 0.0) + (angle if row["strength"] > 1 else -angle)
    return math.cos(math.radians(turn)), math.sin(math.radians(turn))


def _guided_title(start: Row, here: Row) -> str:
    away, angle = start["angle to the optimum"], here["angle to the optimum"]
    if away is None:
        return "No direction beats guessing under this budget, so guidance has nothing to turn to"
    if away < 0.5:
        return "The optimum points along mu already, so guidance has nowhere to turn the mean"
    if not here["strength"]:
        return f"Unguided, the mean points {away:.0f}° beside the optimum"
    side = "" if angle < 0.5 else " past it" if here["strength"] > 1 else " beside it"
    gain = here[_VALUE] - start[_VALUE]
    return (
        f"Strength {here['strength']:g} turns the mean from {away:.0f}° beside the optimum to"
        f" {angle:.0f}°{side} and {'gains' if gain >= 0 else 'costs'} {abs(gain):.1f} points of"
        " robust accuracy"
    )
