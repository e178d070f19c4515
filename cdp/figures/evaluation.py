"""What an evaluation found: accuracy attack by attack, and class by class."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from cdp.figures.accuracy import (
    Row,
    axis,
    cells,
    heading,
    marker,
    names_px,
    panels,
    rows_of,
    shown,
    stripe,
    whisker,
)
from cdp.figures.palette import Sign, faint, named_signs
from cdp.statistics.extremes import weakest_words
from cdp.values.evaluation import ClassFigures, EvalReport, WeightsReport
from cdp.values.text import share_text, share_with_bounds, threat_text
from cdp.values.types import Interval

WHICH = {"best": "best epoch", "last": "last epoch", "given": "the given weights"}
BAR_PX, CLASS_PX, CLASS_SHIFT = 30, 24, 0.17
QUICK = "a quick estimate, which stronger attacks will lower"


def weights_signs(report: EvalReport) -> Mapping[str, Sign]:
    """A sign for each set of weights, by ``which``: the first has that of the model, as on every
    other page."""
    names = [
        report.model.name,
        *(f"{report.model.name}, {WHICH[one.which]}" for one in report.weights[1:]),
    ]
    return {
        one.which: sign
        for one, sign in zip(report.weights, named_signs(names).values(), strict=False)
    }


def stages_of(weights: WeightsReport) -> list[tuple[str, Interval]]:
    """Accuracy without attack and after each attack of the suite, in their order."""
    return [("No attack", weights.clean), *((stage.title, stage.after) for stage in weights.stages)]


def stage_bars(report: EvalReport) -> go.Figure:
    """Accuracy falling attack by attack: each bar counts the images that are right under its attack
    and all before it."""
    tables = [(weights, stages_of(weights)) for weights in report.weights]
    names = list(dict.fromkeys(name for _, found in tables for name, _ in found))
    note = (
        f"{report.dataset_title}, {threat_text(report.norm, report.epsilon)}; whisker: 95 %"
        " (Wilson)"
    )
    title = heading(
        f"{share_text(report.main.robust.value)} withstand {report.label}",
        f"{note}; {QUICK}" if report.quick else note,
    )
    several = len(tables) > 1
    height = max(BAR_PX, 20 * len(tables)) * len(names)
    figure = panels([title], panel_px=height, left_px=names_px(names), key="stages", legend=several)
    signs = weights_signs(report)
    for number, (weights, found) in enumerate(tables):
        thick = 0.72 / len(tables)
        top = 0.36 - number * thick
        figure.add_traces(
            _bars(names, found, signs[weights.which], WHICH[weights.which], top, thick)
        )
    rows_of(figure, names)
    axis(
        figure,
        "xaxis",
        "images that are classified right [%]",
        range=[0, 118],
        tickvals=list(range(0, 101, 20)),
    )
    return figure


def _bars(
    names: list[str],
    found: list[tuple[str, Interval]],
    sign: Sign,
    which: str,
    top: float,
    thick: float,
) -> list[go.Bar | go.Scatter]:
    values, at = (
        [interval for _, interval in found],
        [-float(names.index(name)) for name, _ in found],
    )
    bars = go.Bar(
        x=[100 * v.value for v in values],
        y=at,
        offset=top - thick,
        width=thick * 0.86,
        orientation="h",
        name=which,
        legendgroup=which,
        marker={"color": faint(sign.color, 0.3), "line": {"color": sign.color, "width": 1.2}},
        error_x=whisker(values, sign.color),
        hovertext=[
            f"{shown(name)}, {which}: {share_with_bounds(v, level=True)}, n = {v.n:,}"
            for (name, _), v in zip(found, values, strict=True)
        ],
        hoverinfo="text",
    )
    marks = go.Scatter(
        x=[100 * v.value for v in values],
        y=[y + top - 0.57 * thick for y in at],
        mode="markers",
        marker=marker(sign.color, sign.symbol, size=8),
        legendgroup=which,
        showlegend=False,
        hoverinfo="skip",
    )
    numbers = go.Scatter(
        x=[102.0] * len(values),
        y=[y + top - 0.57 * thick for y in at],
        mode="text",
        text=[share_text(v.value) for v in values],
        textposition="middle right",
        textfont={"size": 11},
        legendgroup=which,
        showlegend=False,
        hoverinfo="skip",
    )
    return [bars, marks, numbers]


def stage_rows(report: EvalReport) -> list[Row]:
    """The numbers behind ``stage_bars``: accuracy in per cent, images attacked and turned,
    seconds."""
    rows: list[Row] = []
    for weights in report.weights:
        first = (
            {"weights": WHICH[weights.which], "attack": "none"}
            | cells(weights.clean, "accuracy")
            | {"n": weights.clean.n}
        )
        rows.append(first | {"attacked": None, "turned": None, "seconds": None})
        for stage in weights.stages:
            row = (
                {"weights": WHICH[weights.which], "attack": stage.title}
                | cells(stage.after, "accuracy")
                | {"n": stage.after.n}
            )
            rows.append(
                row
                | {
                    "attacked": stage.attacked,
                    "turned": stage.broken,
                    "seconds": round(stage.seconds, 1),
                }
            )
    return rows


def class_bars(report: EvalReport) -> go.Figure:
    """Clean (hollow) and robust (filled) accuracy of every class, the weakest on top; classes
    without images stand last."""
    classes = sorted(
        report.main.classes,
        key=lambda one: (one.robust is None, one.robust.value if one.robust else 0.0),
    )
    names = [one.name for one in classes]
    title = heading(
        _weakest(classes), f"{report.label}; {report.dataset_title}; whisker: 95 % (Wilson)"
    )
    figure = panels(
        [title],
        panel_px=CLASS_PX * max(1, len(names)),
        left_px=names_px(names),
        key="classes",
        legend=True,
    )
    sign = weights_signs(report)[report.main.which]
    for part, filled, shift in (("robust", True, CLASS_SHIFT), ("clean", False, -CLASS_SHIFT)):
        drawn = [
            (-k + shift, one, found)
            for k, one in enumerate(classes)
            if (found := getattr(one, part)) is not None
        ]
        figure.add_scatter(
            x=[100 * found.value for *_, found in drawn],
            y=[at for at, *_ in drawn],
            mode="markers",
            name=f"{part} accuracy",
            marker=marker(sign.color, sign.symbol, filled=filled, size=8),
            error_x=whisker([found for *_, found in drawn], sign.color),
            hovertext=[
                f"{shown(one.name)}, {part}: {share_with_bounds(found, level=True)}, n = {one.n:,}"
                for _, one, found in drawn
            ],
            hoverinfo="text",
        )
    figure.update_layout(shapes=[stripe(-k, 0.5) for k in range(0, len(names), 2)])
    rows_of(figure, names)
    axis(
        figure,
        "xaxis",
        "images of the class [%]",
        range=[-2, 102],
        tickvals=list(range(0, 101, 20)),
    )
    return figure


def _weakest(classes: list[ClassFigures]) -> str:
    if not classes or classes[0].robust is None:
        return "No class has images"
    measured = [(one, one.robust) for one in classes if one.robust is not None]
    hits = [round(share.value * one.n) for one, share in measured]
    place, known = weakest_words(
        [one.name for one, _ in measured], hits, [one.n for one, _ in measured]
    )
    one, share = measured[place]
    told = f"{one.name}: {share_text(share.value)} withstand the attack (n = {one.n:,})"
    return f"{'Lowest' if known else 'Weakest class'}, {told}{f'; {known}' if known else ''}"


def class_rows(report: EvalReport) -> list[Row]:
    """The numbers behind ``class_bars``, for every set of weights, in the order of classes."""
    return [
        {"weights": WHICH[weights.which], "class": one.name, "n": one.n}
        | cells(one.robust, "robust")
        | cells(one.clean, "clean")
        for weights in report.weights
        for one in weights.classes
    ]


def unseen_rows(report: EvalReport) -> list[Row]:
    """Robust accuracy under threats that were not trained for."""
    return [
        {"threat": one.title, "attack": one.attack}
        | cells(one.robust, "robust")
        | {"n": one.robust.n}
        for one in report.unseen
    ]
