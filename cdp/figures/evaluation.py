"""What an evaluation found: accuracy attack by attack, class by class, against the attacker's
budget, and whether gradients can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import (
    NORMS,
    SHARES,
    Row,
    as_text,
    axis,
    cells,
    color_bar,
    dots,
    line,
    marker,
    names_px,
    nothing,
    panel,
    rows_of,
    stripes,
    vertical,
    whisker,
)
from cdp.figures.palette import INK, NEUTRAL, Sign, faint
from cdp.statistics.verdicts import weakest_class
from cdp.values.evaluation import ClassFigures, Curve, EvalReport, Masking, Surface, WeightsReport
from cdp.values.text import budget_text, class_name, share_text, share_with_bounds, threat_text
from cdp.values.types import Interval

WHICH = {"best": "best epoch", "last": "last epoch", "given": "the given weights"}
BAR_PX, CLASS_PX, CLASS_SHIFT = 30, 24, 0.17
QUICK = "a quick estimate, which stronger attacks will lower"
VERDICTS = {"pass": "no sign of masking", "warn": "a sign of masking", "unclear": "unclear"}

BudgetLine = tuple[Sign, str, Curve]
"""How a curve is drawn, what it is called, and the curve."""


def weights_signs(report: EvalReport, sign: Sign) -> Mapping[str, Sign]:
    """A sign for each set of weights, by ``which``: that of the model, whose second weights are
    hollow and dashed."""
    second = replace(sign, symbol=f"{sign.symbol}-open", dash="dash")
    return {w.which: second if number else sign for number, w in enumerate(report.weights)}


def stages_of(weights: WeightsReport) -> list[tuple[str, Interval]]:
    """Accuracy without attack and after each attack of the suite, in their order."""
    return [("No attack", weights.clean), *((stage.title, stage.after) for stage in weights.stages)]


def stage_bars(report: EvalReport, sign: Sign = NEUTRAL) -> go.Figure:
    """Accuracy falling attack by attack: each bar counts the images that are right under its attack
    and all before it."""
    many, signs = len(report.weights), weights_signs(report, sign)
    names = list(
        dict.fromkeys(name for weights in report.weights for name, _ in stages_of(weights))
    )
    threat = threat_text(report.norm, report.epsilon)
    note = f"{report.dataset_title}, {threat}; whisker: 95 % (Wilson)"
    note = f"{report.label}; {note}{f'; {QUICK}' * report.quick}"
    height, left = max(BAR_PX, 20 * many) * len(names), names_px(names)
    sizes = {"panel_px": height, "left_px": left}
    figure = panel(_fallen(report), note, key="stages", legend=many > 1, **sizes)
    for number, weights in enumerate(report.weights):
        thick = 0.72 / many
        figure.add_traces(_bars(names, weights, signs[weights.which], 0.36 - number * thick, thick))
    rows_of(figure, names)
    ends = SHARES | {"range": [0, 102]}
    figure.update_layout(margin_r=52)
    axis(figure, "xaxis", "classified right [%]", **ends)
    return figure


def _fallen(report: EvalReport) -> str:
    """Which attack of several took most; the number that all leave is the report's headline."""
    stages = report.main.stages
    if len(stages) < 2:
        return f"{stages[0].broken:,} images are turned by {stages[0].title}" if stages else ""
    most = max(stages, key=lambda stage: stage.broken)
    total = sum(stage.broken for stage in stages)
    return f"{most.title} turns most images, {most.broken:,} of the {total:,} that any attack turns"


def _bars(
    names: list[str], weights: WeightsReport, sign: Sign, top: float, thick: float
) -> list[go.Bar | go.Scatter]:
    """Bars, their marks and their numbers. top, thick: of a bar, within its row."""
    stages, which = stages_of(weights), WHICH[weights.which]
    rows = [-float(names.index(name)) for name, _ in stages]
    values, middle = [100 * v.value for _, v in stages], [y + top - 0.57 * thick for y in rows]
    words = [
        f"{as_text(name)}, {which}: {share_with_bounds(v, level=True)}, n = {v.n:,}"
        for name, v in stages
    ]
    hollow = sign.symbol.endswith("-open")
    paint = {
        "color": faint(sign.color, 0.08 if hollow else 0.3),
        "line": {"color": sign.color, "width": 1.2},
    }
    labels = {"name": which, "legendgroup": which, "hovertext": words, "hoverinfo": "text"}
    size = {"offset": top - thick, "width": thick * 0.86, "orientation": "h", "marker": paint}
    error = whisker([v for _, v in stages], sign.color)
    bars = go.Bar(x=values, y=rows, error_x=error, **(size | labels))
    quiet = {"legendgroup": which, "showlegend": False, "hoverinfo": "skip"}
    look = marker(sign.color, sign.symbol, size=8)
    marks = go.Scatter(x=values, y=middle, mode="markers", marker=look, **quiet)
    text = [share_text(v.value) for _, v in stages]
    quiet |= {"mode": "text", "textposition": "middle right", "textfont": {"size": 11}}
    beside = go.Scatter(x=[102.0] * len(text), y=middle, text=text, cliponaxis=False, **quiet)
    return [bars, marks, beside]


def stage_rows(report: EvalReport) -> list[Row]:
    """The numbers behind ``stage_bars``: accuracy in per cent, images attacked and turned,
    seconds."""
    rows: list[Row] = []
    for weights in report.weights:
        more: list[Row] = [{"attacked": None, "turned": None, "seconds": None}]
        more += [
            {"attacked": stage.attacked, "turned": stage.broken, "seconds": round(stage.seconds, 1)}
            for stage in weights.stages
        ]
        rows += [
            {"weights": WHICH[weights.which], "attack": "none" if k == 0 else name}
            | cells(accuracy, "accuracy")
            | {"n": accuracy.n}
            | more[k]
            for k, (name, accuracy) in enumerate(stages_of(weights))
        ]
    return rows


def class_bars(report: EvalReport, sign: Sign = NEUTRAL) -> go.Figure:
    """Clean (hollow) and robust (filled) accuracy of every class, the weakest on top; classes
    without images stand last."""
    measured = [figures for figures in report.main.classes if figures.robust]
    measured.sort(key=lambda figures: figures.robust.value if figures.robust else 0.0)
    classes = [*measured, *(figures for figures in report.main.classes if not figures.robust)]
    names = [figures.name for figures in classes]
    finding, test = _weakest(classes)
    note = f"{report.label}; {report.dataset_title}; whisker: 95 % (Wilson){test}"
    height = CLASS_PX * max(1, len(names))
    left = names_px(names)
    sizes = {"panel_px": height, "left_px": left}
    figure = panel(finding, note, key="classes", legend=True, **sizes)
    sign = weights_signs(report, sign)[report.main.which]
    for part, filled, shift in (("robust", True, CLASS_SHIFT), ("clean", False, -CLASS_SHIFT)):
        drawn = [
            (-k + shift, figures, share)
            for k, figures in enumerate(classes)
            if (share := figures.robust if filled else figures.clean) is not None
        ]
        words = [
            f"{as_text(figures.name)}, {part}: {share_with_bounds(share, level=True)}, n ="
            f" {figures.n:,}"
            for _, figures, share in drawn
        ]
        x, y = [100 * share.value for *_, share in drawn], [at for at, *_ in drawn]
        bar = whisker([share for *_, share in drawn], sign.color)
        more: dict[str, Any] = {"name": f"{part} accuracy", "showlegend": True, "error_x": bar}
        figure.add_trace(dots(x, y, sign, words, filled=filled, size=8, **more))
    figure.update_layout(shapes=stripes(len(names)))
    rows_of(figure, names)
    axis(figure, "xaxis", "images of the class [%]", **SHARES)
    return figure


def _weakest(classes: Sequence[ClassFigures]) -> tuple[str, str]:
    """The weakest class, and by which test it is called so."""
    weakest = weakest_class(classes)
    if weakest is None:
        return "No class has images", ""
    figures, share, known, test = weakest
    finding = f"{figures.name}: {share_text(share.value)} withstand the attack (n = {figures.n:,})"
    words = f"Lowest, {finding}; {known}" if known else f"Weakest class, {finding}"
    return words, f"; {test}"


def class_rows(report: EvalReport) -> list[Row]:
    """The numbers behind ``class_bars``, for every set of weights, in the order of classes."""
    return [
        {"weights": WHICH[weights.which], "class": figures.name, "n": figures.n}
        | cells(figures.robust, "robust")
        | cells(figures.clean, "clean")
        for weights in report.weights
        for figures in weights.classes
    ]


def unseen_rows(report: EvalReport) -> list[Row]:
    """Robust accuracy under threats that were not trained for."""
    return [
        {"threat": threat.title, "attack": threat.attack}
        | cells(threat.robust, "robust")
        | {"n": threat.robust.n}
        for threat in report.unseen
    ]


def budget_curves(lines: Sequence[BudgetLine], *, epsilon: float | None, norm: str) -> go.Figure:
    """Robust accuracy against the attacker's budget, of one model or several, with bands over the
    intervals. epsilon: a budget worth a dotted line, as that of training."""
    drawn = [line for line in lines if line[2].points]
    if not drawn:
        return nothing("Accuracy against budget was not measured")
    sizes: dict[str, Any] = {"panel_px": 280, "left_px": 52}
    title = _fall(drawn), _budget_note(drawn, epsilon)
    figure = panel(*title, key="budget", legend=len(drawn) > 1, **sizes)
    for number, (sign, label, curve) in enumerate(drawn):
        figure.add_traces(_budget_curve(sign, label, curve, f"{number}"))
    if epsilon is not None:
        figure.add_shape(vertical(epsilon))
    most = max(point.epsilon for *_, curve in drawn for point in curve.points) or 1.0
    unit = " [of the pixel range]" if norm == "linf" else ""
    ends = [-0.02 * most, 1.03 * most]
    axis(figure, "xaxis", f"budget in {NORMS.get(norm, norm)}{unit}", range=ends)
    axis(figure, "yaxis", "robust accuracy [%]", **SHARES)
    return figure


def _fall(drawn: Sequence[BudgetLine]) -> str:
    if len(drawn) > 1:
        return _spread(drawn)
    points = drawn[0][2].points
    first, last = points[0], points[-1]
    at = "without attack" if first.epsilon == 0 else f"at {budget_text(first.epsilon)}"
    return (
        f"{share_text(first.robust.value)} are right {at}, {share_text(last.robust.value)} at a"
        f" budget of {budget_text(last.epsilon)}"
    )


def _spread(drawn: Sequence[BudgetLine]) -> str:
    """How far the curves lie apart without attack, and at the largest budget that all have."""
    known = [{p.epsilon: p.robust.value for p in curve.points} for *_, curve in drawn]
    shared = sorted(set.intersection(*map(set, known)))
    if not shared:
        return "The curves have no budget in common"
    first, last = (
        100 * (max(v) - min(v)) for v in ([k[e] for k in known] for e in (shared[0], shared[-1]))
    )
    at = "without attack" if shared[0] == 0 else f"at {budget_text(shared[0])}"
    apart = f"The curves lie {first:.1f} points apart {at}"
    return apart + f", {last:.1f} at a budget of {budget_text(shared[-1])}" * (len(shared) > 1)


def _budget_note(drawn: Sequence[BudgetLine], epsilon: float | None) -> str:
    how = {f"{curve.attack}, n = {curve.n:,}" for *_, curve in drawn}
    differ = "attacks or numbers of images differ between curves: see the hovers"
    dotted = f"; dotted: budget {budget_text(epsilon)}" if epsilon is not None else ""
    return f"{how.pop() if len(how) == 1 else differ}; band: 95 %{dotted}"


def _budget_curve(sign: Sign, label: str, curve: Curve, group: str) -> list[go.Scatter]:
    x, shares = [point.epsilon for point in curve.points], [point.robust for point in curve.points]
    ends = [100 * i.high for i in shares] + [100 * i.low for i in reversed(shares)]
    quiet = {"hoverinfo": "skip", "showlegend": False, "legendgroup": group}
    fill = {"fill": "toself", "fillcolor": faint(sign.color, 0.16), "line": {"width": 0}}
    band = go.Scatter(x=[*x, *reversed(x)], y=ends, mode="lines", **(fill | quiet))
    words = [
        f"<b>{as_text(label)}</b><br>budget {budget_text(p.epsilon)}:"
        f" {share_with_bounds(p.robust, level=True)}<br>{as_text(curve.attack)}, n = {curve.n:,}"
        for p in curve.points
    ]
    labels = {"name": as_text(label), "legendgroup": group, "hovertext": words, "hoverinfo": "text"}
    return [band, line(x, [100 * i.value for i in shares], sign, size=8, **labels)]


def budget_rows(lines: Sequence[BudgetLine]) -> list[Row]:
    """The numbers behind ``budget_curves``."""
    return [
        {"model": label, "budget": point.epsilon}
        | cells(point.robust, "robust")
        | {"n": point.robust.n, "attack": curve.attack}
        for _, label, curve in lines
        for point in curve.points
    ]


def masking_surface(
    surface: Surface, *, norm: str, epsilon: float | None = None, class_names: Sequence[str] = ()
) -> go.Figure:
    """Cross-entropy around one image, along the sign of its gradient and along a random sign
    direction. epsilon: a box at the budget. Where gradients are sound, the loss rises smoothly
    along the gradient and much less across it."""
    along, across = rises(surface)
    title = (
        f"Loss rises by {along:.2f} nats along the gradient, by {across:.2f} in a random direction"
    )
    note = _surface_note(surface, epsilon, class_names)
    figure = panel(title, note, panel_px=300, left_px=76, key="surface")
    white = {"color": "#ffffff"}
    words = (
        "along the gradient %{x:.3g}<br>random direction %{y:.3g}<br>cross-entropy %{z:.3f}"
        " nats<extra></extra>"
    )
    paint = {"coloring": "heatmap", "showlabels": True, "labelfont": white | {"size": 10}}
    lines = {"line": {"width": 0.7, "color": "rgba(255,255,255,0.55)"}, "ncontours": 10}
    lines |= {"contours": paint, "hovertemplate": words, "colorscale": "Cividis"}
    place = {"x": surface.along, "y": surface.across, "z": _losses(surface)}
    figure.add_contour(colorbar=color_bar("cross-entropy [nats]"), **(place | lines))
    if epsilon is not None:
        corner = {"x0": -epsilon, "x1": epsilon, "y0": -epsilon, "y1": epsilon}
        look = white | {"dash": "dot", "width": 1.5}
        figure.add_shape(corner | {"type": "rect", "line": look})
    cross = {"symbol": "cross-thin", "size": 12, "line": white | {"width": 2}}
    here = Sign("image", INK, "solid", "cross-thin")
    figure.add_trace(dots([0], [0], here, ["the image itself"], marker=cross))
    unit = f"{NORMS.get(norm, norm)}{', of the pixel range' if norm == 'linf' else ''}"
    axis(figure, "xaxis", f"along the gradient's sign [{unit}]", showgrid=False, nticks=6)
    axis(figure, "yaxis", f"random direction [{unit}]", showgrid=False, nticks=6, linecolor=INK)
    return figure.update_layout(margin={"r": 72})


def _losses(surface: Surface) -> np.ndarray:
    return np.array(surface.loss, np.float64).reshape(len(surface.across), len(surface.along))


def rises(surface: Surface) -> tuple[float, float]:
    """How far the loss rises above its value at the image (nats) along the gradient, and along the
    random direction: largest of each axis."""
    loss = _losses(surface)
    j, i = (int(np.abs(np.array(places)).argmin()) for places in (surface.along, surface.across))
    return float(loss[i].max() - loss[i, j]), float(loss[:, j].max() - loss[i, j])


def _surface_note(surface: Surface, epsilon: float | None, names: Sequence[str]) -> str:
    true, predicted = (class_name(names, k) for k in (surface.label, surface.predicted))
    right = surface.label == surface.predicted
    seen = "classified right" if right else f"taken for {predicted}"
    box = f"; dotted: the budget, {budget_text(epsilon)}" if epsilon is not None else ""
    return f"image {surface.row}, {true}, {seen}; one image, an illustration{box}"


def masking_rows(masking: Masking) -> list[Row]:
    """A row for each check: verdict, what was found, and its figures."""
    return [
        {"check": check.title, "verdict": VERDICTS[check.verdict], "found": check.sentence}
        | {"figures": ", ".join(f"{name} {value:.4g}" for name, value in check.figures.items())}
        | {"n": masking.n}
        for check in masking.checks
    ]


def surface_rows(surface: Surface) -> list[Row]:
    """The numbers behind ``masking_surface``: every place of the grid and its cross-entropy in
    nats."""
    return [
        {"along the gradient": x, "random direction": y, "cross-entropy [nats]": value}
        for y, values in zip(surface.across, surface.loss, strict=True)
        for x, value in zip(surface.along, values, strict=True)
    ]
