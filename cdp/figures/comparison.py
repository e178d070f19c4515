"""Arms beside each other: every seed, the differences between arms, and where in the classes they
lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cdp.figures.frame import (
    Row,
    around_zero,
    as_text,
    axis,
    cells,
    dots,
    names_above,
    names_px,
    nothing,
    panel,
    rows_of,
    stripes,
    vertical,
    whisker,
    wrapped,
)
from cdp.figures.palette import NO_SIGNS, Sign, Signs, sign_in
from cdp.values.comparison import Arm, ClassDifference, Difference, Metric, interval_words
from cdp.values.evaluation import without_width
from cdp.values.text import counted, points_text, points_with_bounds, share_text, share_with_bounds
from cdp.values.types import Interval

ARM_PX, CLASS_PX = 46, 22
ALPHA = 0.05
METRICS: Mapping[Metric, str] = {"robust": "robust accuracy", "clean": "clean accuracy"}


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
    interval = difference.difference
    if interval is None or difference.withheld or not interval.wide:
        return False
    if difference.adjusted is not None:
        return difference.adjusted < ALPHA
    return not interval.low <= 0 <= interval.high


def accuracy_of(arm: Arm, metric: Metric) -> Interval | None:
    """The mean over an arm's seeds."""
    return arm.robust if metric == "robust" else arm.clean


def arm_dots(arms: Sequence[Arm], metric: Metric, signs: Signs = NO_SIGNS) -> go.Figure:
    """Every seed as a small hollow dot, the arm's mean as its mark with the interval, arms below
    each other."""
    drawn = [arm for arm in arms if accuracy_of(arm, metric) or _seeds(arm, metric)]
    if not drawn:
        return nothing(f"{METRICS[metric].capitalize()} was not measured")
    missing = [arm.name for arm in arms if arm not in drawn]
    intervals = ", ".join(dict.fromkeys(arm.interval for arm in drawn if arm.interval))
    note = f"{labels_of(drawn)}; whisker: {intervals or '95 %'}"
    note += f"; not measured: {', '.join(missing)}" if missing else ""
    height = ARM_PX * len(drawn)
    figure = panel(_apart(drawn, metric), note, panel_px=height, left_px=14, key=f"arms {metric}")
    for number, arm in enumerate(drawn):
        sign = sign_in(signs, arm.name)
        figure.add_traces(_arm(arm, metric, sign, -number - 0.12))
    names_above(figure, [f"{arm.name}, {counted(len(arm.seeds), 'seed')}" for arm in drawn])
    axis(figure, "xaxis", f"{METRICS[metric]} [%]", nticks=6)
    return figure


def _apart(drawn: Sequence[Arm], metric: Metric) -> str:
    """How far arms lie apart beside how far seeds of one arm do."""
    means = [100 * mean.value for arm in drawn if (mean := accuracy_of(arm, metric))]
    spreads = [
        100 * (max(values) - min(values))
        for arm in drawn
        if len(values := list(_seeds(arm, metric).values())) > 1
    ]
    name, seeds = METRICS[metric].capitalize(), "with one seed each"
    if spreads:
        seeds = f"seeds of one arm up to {max(spreads):.1f}"
    if len(means) > 1:
        return f"{name}: arms lie {max(means) - min(means):.1f} points apart, {seeds}"
    return f"{name}: {seeds}{' points apart' * bool(spreads)}"


def _seeds(arm: Arm, metric: Metric) -> dict[int, float]:
    """Accuracies by the place of the seed, of those that were measured."""
    values = [getattr(seed, metric) for seed in arm.seeds]
    return {k: value for k, value in enumerate(values) if value is not None}


def _arm(arm: Arm, metric: Metric, sign: Sign, at: float) -> list[go.Scatter]:
    values, interval, traces = _seeds(arm, metric), accuracy_of(arm, metric), []
    if interval is not None:
        words = f"<b>{as_text(arm.name)}</b><br>{share_with_bounds(interval, level=True)}"
        words += f"<br>{as_text(interval_words(arm, metric), 80)}"
        bar = whisker([interval], sign.color, thickness=2)
        traces = [
            dots([100 * interval.value], [at], sign, [words], size=11, filled=True, error_x=bar)
        ]
    words_of = [
        f"{as_text(seed.name)}, seed {'?' if seed.seed is None else seed.seed}:"
        f" {share_text(values[k])}<br>{as_text(seed.label, 80)}"
        for k, seed in enumerate(arm.seeds)
        if k in values
    ]
    hollow = {"color": sign.color, "symbol": "circle-open", "size": 7, "line": {"width": 1.2}}
    x, y = [100 * value for value in values.values()], [at] * len(values)
    return [*traces, dots(x, y, sign, words_of, marker=hollow)]


def arm_rows(arms: Sequence[Arm], metric: Metric) -> list[Row]:
    """A row for each arm, then one for each of its seeds."""
    rows: list[Row] = []
    for arm in arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds if seed.label))
        rows.append(
            {"arm": arm.name, "run": f"{len(arm.seeds)} seeds", "seed": None}
            | cells(accuracy_of(arm, metric), metric)
            | {"how": interval_words(arm, metric), "label": labels}
        )
        for seed in arm.seeds:
            value = getattr(seed, metric)
            rows.append(
                {"arm": arm.name, "run": seed.name, "seed": seed.seed}
                | cells(None, metric)
                | {f"{metric} [%]": None if value is None else round(100 * value, 2)}
                | {"how": f"n = {seed.n:,}", "label": seed.label}
            )
    return rows


def difference_forest(differences: Sequence[Difference], signs: Signs = NO_SIGNS) -> go.Figure:
    """Each pair's difference of one metric in points with its interval; filled where it holds after
    correction, else hollow. A difference has the colour of its second arm."""
    if not differences:
        return nothing("One arm alone: nothing to compare")
    metric, many = differences[0].metric, len(differences)
    title = _forest_title(metric, differences)
    figure = panel(*title, panel_px=ARM_PX * many, left_px=14, key=f"forest {metric}")
    intervals = []
    for number, diff in enumerate(differences):
        if diff.difference is not None:
            intervals.append(diff.difference)
            sign = _square(diff.second, signs)
            figure.add_trace(_difference(diff, diff.difference, sign, -number - 0.12))
    pairs = [
        f"{diff.second} minus {diff.first}" + ": cannot be compared" * (diff.difference is None)
        for diff in differences
    ]
    names_above(figure, pairs)
    figure.add_shape(vertical(0))
    title_of_axis = f"difference in {METRICS[metric]} [points]"
    axis(figure, "xaxis", title_of_axis, nticks=6, range=around_zero(intervals))
    return figure


def _square(arm: str, signs: Signs) -> Sign:
    """A square in the colour of an arm."""
    color = sign_in(signs, arm).color
    return Sign(arm, color, "solid", "square")


def _forest_title(metric: Metric, group: Sequence[Difference]) -> tuple[str, str]:
    name, compared = METRICS[metric], [diff for diff in group if diff.difference is not None]
    levels = dict.fromkeys(
        f"{100 * diff.difference.level:g} %" for diff in compared if diff.difference
    )
    note = f"whisker: {' or '.join(levels) or '95 %'} interval; filled: p below {ALPHA:g}"
    if len(group) == 1:
        return group[0].verdict, "; ".join(filter(None, (name, group[0].method, note)))
    if not compared:
        none = f"{name.capitalize()}: none of {len(group)} pairs can be compared"
        return none, "the table says why"
    rest = f"; {len(group) - len(compared)} of {len(group)} pairs cannot be compared"
    hold = counted(len(compared), "difference holds", "differences hold")
    title = f"{name.capitalize()}: {sum(map(settled, compared))} of {hold}"
    return title, f"{note} after Holm's correction{rest * (len(compared) < len(group))}"


def _difference(diff: Difference, interval: Interval, sign: Sign, at: float) -> go.Scatter:
    corrected = "" if diff.adjusted is None else f", corrected {diff.adjusted:.2g}"
    lines = [
        f"<b>{as_text(diff.second)} minus {as_text(diff.first)}</b>",
        points_with_bounds(interval, level=True),
        as_text(diff.method, 80),
        "" if diff.p is None else f"p = {diff.p:.2g}{corrected}",
        wrapped(diff.verdict),
    ]
    words, bar = "<br>".join(filter(None, lines)), whisker([interval], sign.color, thickness=2)
    x, filled = [100 * interval.value], settled(diff)
    return dots(x, [at], sign, [words], size=10, filled=filled, error_x=bar)


def difference_rows(differences: Sequence[Difference]) -> list[Row]:
    """The numbers behind ``difference_forest``, in points, with test and verdict."""
    return [
        {"metric": METRICS[diff.metric], "first": diff.first, "second": diff.second}
        | cells(diff.difference, "difference", "points")
        | {"p": diff.p, "corrected p": diff.adjusted, "method": diff.method, "count": diff.count}
        | {"more seeds": diff.more_seeds, "verdict": diff.verdict}
        for diff in differences
    ]


def class_differences(differences: Sequence[ClassDifference], signs: Signs = NO_SIGNS) -> go.Figure:
    """Robust accuracy class by class, second arm minus first, in points, of one pair of arms;
    filled where a class differs after correction."""
    if not differences:
        return nothing("No two arms have robust accuracies by class")
    pair = differences[0].first, differences[0].second
    names = [diff.name for diff in differences]
    title, height, left = _class_title(pair, differences), CLASS_PX * len(names), names_px(names)
    figure = panel(*title, panel_px=height, left_px=left, key="class differences")
    sign = _square(pair[1], signs)
    for filled in (True, False):
        part = [diff for diff in differences if _holds(diff) == filled]
        if part:
            figure.add_trace(_class_marks(part, names, sign, filled=filled))
    rows_of(figure, names)
    ends = around_zero([diff.difference for diff in differences])
    axis(figure, "xaxis", "difference [points]", nticks=6, range=ends)
    return figure.update_layout(shapes=[*stripes(len(names)), vertical(0)])


def _holds(diff: ClassDifference) -> bool:
    """Whether a class differs by its corrected p."""
    return diff.adjusted is not None and diff.adjusted < ALPHA


def _class_title(pair: tuple[str, str], group: Sequence[ClassDifference]) -> tuple[str, str]:
    most = max(group, key=lambda diff: abs(diff.difference.value))
    title = (
        f"Robust accuracy by class, {pair[1]} minus {pair[0]}: most in {most.name},"
        f" {points_text(most.difference.value)}"
    )
    whiskers = "whisker: 95 % of each class alone"
    tested = sum(diff.adjusted is not None for diff in group)
    if not tested:
        return title, f"nothing is claimed of these classes: the notes say why; {whiskers}"
    note = (
        f"{sum(map(_holds, group))} of {tested} classes differ after Holm's correction for all"
        f" classes compared, filled; {whiskers}"
    )
    rest = f"; of the other {len(group) - tested} nothing is claimed"
    return title, note + rest * (tested < len(group))


def _class_marks(
    part: Sequence[ClassDifference], names: Sequence[str], sign: Sign, *, filled: bool
) -> go.Scatter:
    intervals = [diff.difference for diff in part]
    words = [
        f"{as_text(diff.name)}: {points_with_bounds(diff.difference, level=True)}, n ="
        f" {diff.difference.n:,}"
        + ("" if diff.adjusted is None else f", corrected p = {diff.adjusted:.2g}")
        for diff in part
    ]
    x, y = [100 * i.value for i in intervals], [-names.index(diff.name) for diff in part]
    bar = whisker(intervals, sign.color)
    return dots(x, y, sign, words, filled=filled, size=8, error_x=bar)


def class_difference_rows(differences: Sequence[ClassDifference]) -> list[Row]:
    """The numbers behind ``class_differences``, in points."""
    return [
        {"class": diff.name, "first": diff.first, "second": diff.second}
        | cells(diff.difference, "difference", "points")
        | {"n": diff.difference.n, "p": diff.p, "corrected p": diff.adjusted}
        for diff in differences
    ]
