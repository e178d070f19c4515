"""Arms beside each other: every seed, the differences between arms, and where in the classes they
lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cdp.figures.accuracy import (
    Row,
    axis,
    cells,
    heading,
    marker,
    names_above,
    names_px,
    nothing,
    panels,
    rows_of,
    shown,
    span,
    stripe,
    vertical,
    whisker,
)
from cdp.figures.palette import Sign, named_sign
from cdp.figures.panels import axis_name, layout_name
from cdp.values.comparison import Arm, ClassDifference, Difference, Metric
from cdp.values.evaluation import without_width
from cdp.values.text import (
    counted,
    no_width,
    points_text,
    points_with_bounds,
    share_text,
    share_with_bounds,
)
from cdp.values.types import Interval

ARM_PX, CLASS_PX = 46, 22
ALPHA = 0.05
METRICS: Mapping[Metric, str] = {"robust": "robust accuracy", "clean": "clean accuracy"}
_QUESTION: Mapping[Metric, str] = {
    "robust": "Which arm withstands more? Robust accuracy, seed by seed",
    "clean": "What does it cost? Clean accuracy, seed by seed",
}


def labels_of(arms: Sequence[Arm], most: int = 3) -> str:
    """How the arms' numbers must be called, each way once; of more than ``most`` ways, the first
    and how many others. The width of one run's interval is left out where runs that were measured
    alike have several."""
    called: dict[str, dict[str, None]] = {}
    for seed in (seed for arm in arms for seed in arm.seeds if seed.label):
        called.setdefault(without_width(seed.label), {})[seed.label] = None
    labels = [way if len(given) > 1 else next(iter(given)) for way, given in called.items()]
    if len(labels) > most:
        labels[most:] = [f"and {len(labels) - most} other ways"]
    return "; ".join(labels) or "not measured"


def settled(difference: Difference) -> bool:
    """Whether a difference holds: by its corrected p where there is a test, else by an interval
    that leaves 0 out. One that is withheld, or that is the same for every seed, does not."""
    if difference.difference is None or difference.withheld or not difference.difference.wide:
        return False
    if difference.adjusted is not None:
        return difference.adjusted < ALPHA
    return not difference.difference.low <= 0 <= difference.difference.high


def arm_dots(
    arms: Sequence[Arm], metric: Metric, signs: Mapping[str, Sign] | None = None
) -> go.Figure:
    """Every seed as a small hollow dot, the arm's mean as its mark with the interval, arms below
    each other. signs: by the arm's name."""
    drawn = [
        arm
        for arm in arms
        if _of(arm, metric) is not None
        or any(getattr(seed, metric) is not None for seed in arm.seeds)
    ]
    if not drawn:
        return nothing(f"{METRICS[metric].capitalize()} was not measured")
    left_out = [arm.name for arm in arms if arm not in drawn]
    note = (
        f"{labels_of(drawn)}; whisker:"
        f" {', '.join(dict.fromkeys(arm.interval for arm in drawn if arm.interval)) or '95 %'}"
    )
    title = heading(
        _QUESTION[metric], note + (f"; not measured: {', '.join(left_out)}" if left_out else "")
    )
    figure = panels([title], panel_px=ARM_PX * len(drawn), left_px=14, key=f"arms {metric}")
    for number, arm in enumerate(drawn):
        sign = (signs or {}).get(arm.name) or named_sign(arm.name)
        figure.add_traces(_arm(arm, metric, sign, -number))
    names_above(figure, [_titled(arm) for arm in drawn], 0)
    axis(figure, "xaxis", f"{METRICS[metric]} [%]", nticks=6)
    return figure


def _titled(arm: Arm) -> str:
    return f"{arm.name}, {counted(len(arm.seeds), 'seed')}"


def _of(arm: Arm, metric: Metric) -> Interval | None:
    found: Interval | None = getattr(arm, metric)
    return found


def interval_words(arm: Arm, metric: Metric) -> str:
    """What its interval is; where its seeds agree, that there is none."""
    found = _of(arm, metric)
    return arm.interval if found is None or found.wide else no_width(found)


def _arm(arm: Arm, metric: Metric, sign: Sign, at: float) -> list[go.Scatter]:
    seeds = [(seed, value) for seed in arm.seeds if (value := getattr(seed, metric)) is not None]
    words = [
        f"{shown(seed.name)}, seed {seed.seed if seed.seed is not None else '?'}:"
        f" {share_text(value)}<br>{shown(seed.label, 80)}"
        for seed, value in seeds
    ]
    dots = go.Scatter(
        x=[100 * value for _, value in seeds],
        y=[at - 0.12] * len(seeds),
        mode="markers",
        name=shown(arm.name),
        hovertext=words,
        hoverinfo="text",
        marker={"color": sign.color, "symbol": "circle-open", "size": 7, "line": {"width": 1.2}},
        showlegend=False,
    )
    found = _of(arm, metric)
    if found is None:
        return [dots]
    mean = go.Scatter(
        x=[100 * found.value],
        y=[at - 0.12],
        mode="markers",
        name=shown(arm.name),
        marker=marker(sign.color, sign.symbol, size=11),
        error_x=whisker([found], sign.color, thickness=2),
        hoverinfo="text",
        showlegend=False,
        hovertext=[
            f"<b>{shown(arm.name)}</b><br>{share_with_bounds(found, level=True)}<br>{shown(interval_words(arm, metric), 80)}"
        ],
    )
    return [mean, dots]


def arm_rows(arms: Sequence[Arm], metric: Metric) -> list[Row]:
    """A row for each arm, then one for each of its seeds."""
    rows: list[Row] = []
    for arm in arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds if seed.label))
        rows.append(
            {"arm": arm.name, "run": f"{len(arm.seeds)} seeds", "seed": None}
            | cells(_of(arm, metric), metric)
            | {"how": interval_words(arm, metric), "label": labels}
        )
        for seed in arm.seeds:
            value = getattr(seed, metric)
            row = (
                {"arm": arm.name, "run": seed.name, "seed": seed.seed}
                | cells(None, metric)
                | {"how": f"n = {seed.n:,}", "label": seed.label}
            )
            rows.append(row | {f"{metric} [%]": None if value is None else round(100 * value, 2)})
    return rows


def difference_forest(
    differences: Sequence[Difference], signs: Mapping[str, Sign] | None = None
) -> go.Figure:
    """Each pair's difference in points with its interval, a panel for each metric; filled where it
    holds after correction, else hollow.

    signs: by the arm's name; a difference has the colour of its second arm.
    """
    metrics = [metric for metric in METRICS if any(one.metric == metric for one in differences)]
    if not metrics:
        return nothing("One arm alone: nothing to compare")
    groups = [[one for one in differences if one.metric == metric] for metric in metrics]
    titles = [
        heading(*_forest_title(metric, group))
        for metric, group in zip(metrics, groups, strict=True)
    ]
    most = max(len(group) for group in groups)
    figure = panels(titles, panel_px=ARM_PX * most, left_px=14, key="forest")
    for row, (metric, group) in enumerate(zip(metrics, groups, strict=True)):
        for number, one in enumerate(group):
            if one.difference is not None:
                sign = (signs or {}).get(one.second) or named_sign(one.second)
                figure.add_trace(_difference(one, one.difference, sign, -number, row))
        intervals = [one.difference for one in group if one.difference is not None]
        names_above(figure, [_pair(one) for one in group], row, most)
        figure.add_shape(vertical(0, row))
        axis(
            figure,
            layout_name("x", row),
            f"difference in {METRICS[metric]} [points]",
            nticks=6,
            range=span(intervals),
        )
    return figure


def _forest_title(metric: Metric, group: Sequence[Difference]) -> tuple[str, str]:
    compared = [one for one in group if one.difference is not None]
    levels = list(
        dict.fromkeys(f"{100 * one.difference.level:g} %" for one in compared if one.difference)
    )
    note = f"whisker: {' or '.join(levels) or '95 %'} interval; filled: p below {ALPHA:g}"
    if len(group) == 1:
        return group[0].verdict, "; ".join(filter(None, (METRICS[metric], group[0].method, note)))
    if not compared:
        return (
            f"{METRICS[metric].capitalize()}: none of {len(group)} pairs can be compared",
            "the table says why",
        )
    rest = (
        f"; {len(group) - len(compared)} of {len(group)} pairs cannot be compared"
        if len(compared) < len(group)
        else ""
    )
    holds = sum(settled(one) for one in compared)
    title = (
        f"{METRICS[metric].capitalize()}: {holds} of {len(compared)}"
        f" difference{'s' if len(compared) > 1 else ''} hold{'s' if len(compared) == 1 else ''}"
    )
    return title, f"{note} after Holm's correction{rest}"


def _pair(one: Difference) -> str:
    return f"{one.second} minus {one.first}" + ("" if one.difference else ": cannot be compared")


def _difference(one: Difference, found: Interval, sign: Sign, at: float, row: int) -> go.Scatter:
    tested = (
        ""
        if one.p is None
        else f"<br>p = {one.p:.2g}"
        + ("" if one.adjusted is None else f", corrected {one.adjusted:.2g}")
    )
    words = (
        f"<b>{shown(one.second)} minus"
        f" {shown(one.first)}</b><br>{points_with_bounds(found, level=True)}<br>{shown(one.method, 80)}{tested}"
    )
    return go.Scatter(
        x=[100 * found.value],
        y=[at - 0.12],
        mode="markers",
        marker=marker(sign.color, "square", filled=settled(one), size=10),
        error_x=whisker([found], sign.color, thickness=2),
        xaxis=axis_name("x", row),
        yaxis=axis_name("y", row),
        showlegend=False,
        hoverinfo="text",
        hovertext=[f"{words}<br>{heading(one.verdict)}"],
    )


def difference_rows(differences: Sequence[Difference]) -> list[Row]:
    """The numbers behind ``difference_forest``, in points, with test and verdict."""
    return [
        {"metric": METRICS[one.metric], "first": one.first, "second": one.second}
        | cells(one.difference, "difference", "points")
        | {
            "p": one.p,
            "corrected p": one.adjusted,
            "method": one.method,
            "count": one.count,
            "more seeds": one.more_seeds,
            "verdict": one.verdict,
        }
        for one in differences
    ]


def class_differences(
    differences: Sequence[ClassDifference], signs: Mapping[str, Sign] | None = None
) -> go.Figure:
    """Robust accuracy class by class, second arm minus first, in points; a panel for each pair of
    arms. signs: as of ``difference_forest``."""
    pairs = list(dict.fromkeys((one.first, one.second) for one in differences))
    if not pairs:
        return nothing("No two arms have robust accuracies by class")
    groups = [[one for one in differences if (one.first, one.second) == pair] for pair in pairs]
    titles = [
        heading(*_class_title(pair, group)) for pair, group in zip(pairs, groups, strict=True)
    ]
    names = list(dict.fromkeys(one.name for one in differences))
    figure = panels(
        titles, panel_px=CLASS_PX * len(names), left_px=names_px(names), key="class differences"
    )
    shapes = []
    for row, group in enumerate(groups):
        sign = (signs or {}).get(pairs[row][1]) or named_sign(pairs[row][1])
        for filled in (True, False):
            part = [one for one in group if _holds(one) == filled]
            if part:
                figure.add_trace(_class_marks(part, names, sign, row, filled=filled))
        rows_of(figure, names, row)
        shapes += [stripe(-k, 0.5, row) for k in range(0, len(names), 2)] + [vertical(0, row)]
        axis(
            figure,
            layout_name("x", row),
            "difference [points]",
            nticks=6,
            range=span([one.difference for one in group]),
        )
    return figure.update_layout(shapes=shapes)


def _holds(one: ClassDifference) -> bool:
    """Whether a class differs by its corrected p."""
    return one.adjusted is not None and one.adjusted < ALPHA


def _class_title(pair: tuple[str, str], group: Sequence[ClassDifference]) -> tuple[str, str]:
    most = max(group, key=lambda one: abs(one.difference.value))
    title = (
        f"Robust accuracy by class, {pair[1]} minus {pair[0]}: most in {most.name},"
        f" {points_text(most.difference.value)}"
    )
    tested = sum(one.adjusted is not None for one in group)
    if not tested:
        return (
            title,
            (
                "nothing is claimed of these classes: the notes say why; whisker: 95 % of each"
                " class alone"
            ),
        )
    holds = sum(map(_holds, group))
    said = (
        f"{holds} of {tested} classes differ after Holm's correction for all classes compared,"
        " filled; whisker: 95 % of each class alone"
    )
    return title, (
        said
        if tested == len(group)
        else f"{said}; of the other {len(group) - tested} nothing is claimed"
    )


def _class_marks(
    part: Sequence[ClassDifference], names: Sequence[str], sign: Sign, row: int, *, filled: bool
) -> go.Scatter:
    found = [one.difference for one in part]
    return go.Scatter(
        x=[100 * i.value for i in found],
        y=[-names.index(one.name) for one in part],
        mode="markers",
        error_x=whisker(found, sign.color),
        marker=marker(sign.color, "square", filled=filled, size=8),
        xaxis=axis_name("x", row),
        yaxis=axis_name("y", row),
        showlegend=False,
        hovertext=[
            f"{shown(one.name)}: {points_with_bounds(one.difference, level=True)}, n ="
            f" {one.difference.n:,}{_corrected(one)}"
            for one in part
        ],
        hoverinfo="text",
    )


def _corrected(one: ClassDifference) -> str:
    return "" if one.adjusted is None else f", corrected p = {one.adjusted:.2g}"


def class_difference_rows(differences: Sequence[ClassDifference]) -> list[Row]:
    """The numbers behind ``class_differences``, in points."""
    return [
        {"class": one.name, "first": one.first, "second": one.second}
        | cells(one.difference, "difference", "points")
        | {"n": one.difference.n, "p": one.p, "corrected p": one.adjusted}
        for one in differences
    ]
