"""Sample sets in figures: whole sets beside each other, a whisker a set, one figure class by class,
and how sure a classifier was of the images that it labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from cdp.figures.frame import (
    Heading,
    as_text,
    dots,
    in_panel,
    layout_name,
    no_names,
    panel,
    small,
    stacked,
    told,
    vertical,
    whisker,
)
from cdp.figures.palette import NEUTRAL, Signs, class_sign, faint, sign_in
from cdp.values.text import class_name, interval_text, span_text
from cdp.values.types import Interval

ROW_PX, GAP_PX, TOP_PX = 22, 72, 66


def measure_panels(
    rows: Mapping[str, Mapping[str, Interval]],
    titles: Mapping[str, str],
    references: Mapping[str, float],
    signs: Signs,
) -> go.Figure:
    """One panel a figure, one line a set in its fixed colour and mark. rows: figure -> set ->
    interval; titles: figure -> words with unit; references: figure -> a value worth a dotted
    line."""
    names = list(dict.fromkeys(name for sets in rows.values() for name in sets))
    measured = [key for key in titles if rows.get(key)]
    if not measured:
        return go.Figure(layout={"height": 40})
    height = ROW_PX * max(len(names), 1) + 10
    sizes = {"panel_px": height, "gap_px": GAP_PX, "bottom_px": 34, "left_px": 14}
    texts = [_title(titles[key]) for key in measured]
    finding = _range(titles[measured[0]], rows[measured[0]])
    figure = stacked(texts, title_px=TOP_PX, key="measures", **sizes)
    for row, key in enumerate(measured):
        for number, name in enumerate(names):
            if name in rows[key]:
                interval, sign = rows[key][name], sign_in(signs, name)
                more: dict[str, Any] = {"showlegend": row == 0, "legendgroup": name, "name": name}
                more |= {"error_x": whisker([interval], sign.color, factor=1, thickness=2)}
                x, words = [interval.value], [_words(interval, name, ".4g")]
                figure.add_trace(dots(x, [-number], sign, words, row=row, **more))
        figure.layout[layout_name("x", row)].update(nticks=5)
        no_names(figure, len(names), row)
        if key in references:
            figure.add_shape(vertical(references[key], row))
    # The legend has a line of its own above the first title.
    over = 1 + 38 / (len(measured) * (height + GAP_PX) - GAP_PX)
    place = {"x": 0, "xanchor": "left", "y": over, "yanchor": "bottom"}
    counts = sorted({i.n for sets in rows.values() for i in sets.values()})
    note = f"whiskers: 95 %; n = {span_text(counts)} images of a set"
    return told(figure.update_layout(hovermode="closest", legend=place), Heading(finding, note))


def _words(interval: Interval, name: str, spec: str) -> str:
    return (
        f"{as_text(name)}: {interval.value:{spec}} ({interval_text(interval)}), n = {interval.n:,}"
    )


def class_panels(
    per_class: Mapping[str, Mapping[int, Interval]],
    class_names: Sequence[str],
    title: str,
    signs: Signs,
) -> go.Figure:
    """One figure class by class: sets beside each other on every class. per_class: set -> class ->
    interval."""
    classes = sorted({value for intervals in per_class.values() for value in intervals})
    names = [class_name(class_names, value) for value in classes]
    finding = _extremes(title, per_class, dict(zip(classes, names, strict=True)))
    figure = panel(finding, "whiskers: 95 %", panel_px=220, bottom_px=70, left_px=52, key="classes")
    figure.update_layout(showlegend=True, margin_t=30)
    for number, (name, intervals) in enumerate(per_class.items()):
        sign = sign_in(signs, name)
        shift = (number - (len(per_class) - 1) / 2) * 0.16
        places = [k for k, value in enumerate(classes) if value in intervals]
        bars = [intervals[classes[k]] for k in places]
        words = [_words(intervals[classes[k]], f"{name}, {names[k]}", ".3g") for k in places]
        more: dict[str, Any] = {
            "error_y": whisker(bars, sign.color, factor=1),
            "showlegend": True,
        }
        x, y = [k + shift for k in places], [interval.value for interval in bars]
        figure.add_trace(dots(x, y, sign, words, name=name, **more))
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names, tickangle=-35)
    return figure.update_layout(hovermode="closest")


def _title(title: str) -> str:
    """A figure over its panel; what follows a colon small, on a line of its own."""
    name, _, rest = title.partition(": ")
    return f"{name}<br>{small(rest)}" if rest else name


def _range(title: str, sets: Mapping[str, Interval]) -> str:
    """Which set a figure is lowest in, and which highest."""
    low, high = (pick(sets, key=lambda name: sets[name].value) for pick in (min, max))
    name = title.partition(":")[0]
    if low == high:
        return f"{name}: {sets[low].value:.3g} in {low}"
    unequal = ", at unequal numbers of images" * (len({i.n for i in sets.values()}) > 1)
    ends = f"from {sets[low].value:.3g} in {low} to {sets[high].value:.3g} in {high}"
    return f"{name} runs {ends}{unequal}"


def _extremes(
    title: str, per_class: Mapping[str, Mapping[int, Interval]], names: Mapping[int, str]
) -> str:
    """The class in which a figure is lowest, over all sets."""
    name, found = title.partition(":")[0], dict[int, float]()
    for intervals in per_class.values():
        for value, interval in intervals.items():
            found[value] = min(interval.value, found.get(value, interval.value))
    if not found:
        return f"{name} was not measured"
    low = min(found, key=lambda value: found[value])
    return f"{name} is lowest in {names[low]}, {found[low]:.3g}"


def label_panels(
    histogram: Sequence[int],
    threshold: float,
    balance: Sequence[int],
    class_names: Sequence[str],
    finding: str = "",
) -> go.Figure:
    """How sure a classifier was, and how many images of each class were kept. histogram: images by
    confidence, equal bins over [0, 1]; threshold: confidence from which images were kept; balance:
    kept images of each class; finding: what they say together."""
    size, names = len(histogram), [as_text(name, 24) for name in class_names]
    note = f"kept from {threshold:g} on (line); n = {sum(balance):,} images kept"
    titles = ["All images, by confidence", "Images that were kept, by class"]
    sizes = {"panel_px": 130, "gap_px": 86, "bottom_px": 66, "title_px": 26}
    figure = stacked(titles, key="labels", **sizes)
    grey = faint(NEUTRAL.color, 0.35)
    bins = [f"{k / size:.2f} to {(k + 1) / size:.2f}" for k in range(size)]
    sure = [NEUTRAL.color if (k + 1) / size > threshold else grey for k in range(size)]
    classes = [class_sign(k).color for k in range(len(names))]
    middles, places = [(k + 0.5) / size for k in range(size)], list(range(len(names)))
    for row, (x, y, called, colors, width) in enumerate(
        ((middles, histogram, bins, sure, 0.94 / size), (places, balance, names, classes, None))
    ):
        words = [f"{name}: {count:,} images" for name, count in zip(called, y, strict=True)]
        look = {"marker": {"color": colors}, "width": width, "hovertext": words}
        figure.add_bar(x=x, y=list(y), **(look | in_panel(row)))
    figure.add_shape(vertical(threshold))
    figure.update_traces(showlegend=False, hoverinfo="text")
    figure.update_xaxes(title_text="probability of the label", range=[0, 1], selector=0)
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "tickangle": -35}
    figure.layout.xaxis2.update(ticks)
    figure.update_yaxes(title_text="images", rangemode="tozero")
    return told(figure.update_layout(hovermode="closest"), Heading(finding, note))
