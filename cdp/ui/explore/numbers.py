"""The figures of the sets, with intervals: sentences on what differs, panels, class by class, and
which classes are confusable."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.embedding.classes import Pairs, clear_pairs, pair_difference
from cdp.embedding.measure import METRICS
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.tasks.claims import comparisons_json, sentences, too_few
from cdp.tasks.measured import Measured, SetComparison, changes
from cdp.ui.explore.data import comparisons, measured
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.tables import csv_of, download, show_figure, table
from cdp.ui.kit.words import plain
from cdp.values.text import class_name
from cdp.values.types import Interval

CONFUSION, SEPARATION = "Confusable", "Apart"
HELP = {
    CONFUSION: (
        "Of the 10 nearest other images of a row class's images, the share that is of the column"
        " class, in %."
    ),
    SEPARATION: (
        "Between / within scatter of just these two classes: lower is harder to tell apart."
    ),
}
UNITS = {CONFUSION: "%", SEPARATION: "between / within"}


def titles(*, separability: bool | None = None) -> dict[str, str]:
    """What each figure is called, with what its values mean; of those that say how far apart
    classes are, or of the others, alone."""
    return {
        key: metric.label
        for key, metric in METRICS.items()
        if separability in (None, metric.group == "separability")
    }


def show(config: ExploreConfig) -> None:
    """Measure what was not measured, then draw."""
    sets = awaited(config)
    if sets is None:
        return
    st.caption(
        "; ".join(
            f"{measured_set.result.n:,} of {measured_set.total:,} images of"
            f" {plain(measured_set.name)}"
            for measured_set in sets
        )
        + f". In the eyes of {plain(config.encoder)}."
    )
    pairs = awaited_pairs(config, sets, [(0, at) for at in range(1, len(sets))])
    if pairs is not None:
        differences(pairs)
    panels(sets)
    _classes(sets)
    if pairs is not None:
        _table(config, sets, pairs)


def awaited(config: ExploreConfig) -> list[Measured] | None:
    """The figures of every set; until they are there None, with the progress drawn."""
    pending = Waiting()
    sets = measured(config, pending)
    pending.show("measured")
    if sets is None:
        st.skeleton(height=320)
    return sets


def awaited_pairs(
    config: ExploreConfig, sets: Sequence[Measured], places: Sequence[tuple[int, int]]
) -> list[SetComparison] | None:
    """These pairs of the sets at equal numbers of images; until they are measured None, with the
    progress drawn."""
    pending = Waiting()
    pairs = comparisons(config, sets, places, pending)
    pending.show("compared")
    return pairs


def differences(pairs: Sequence[SetComparison]) -> None:
    """What differs in each comparison, in sentences that are corrected together."""
    for measured_set in pairs:
        st.markdown(
            f"**{plain(measured_set.first.name)}** against **{plain(measured_set.second.name)}**"
        )
        others = [other for other in pairs if other is not measured_set]
        st.markdown("\n".join(f"- {plain(text)}" for text in sentences(measured_set, others)))


def panels(sets: Sequence[Measured]) -> None:
    """Fidelity and coverage beside separability, because a set can separate by collapsing."""
    from cdp.figures.sets import measure_panels

    if len({measured_set.result.n for measured_set in sets}) > 1:
        st.caption(
            "Drawn at each set's own number of images, with which many figures move by themselves:"
            " the sentences compare at equal numbers."
        )
    rows = {
        key: {
            measured_set.name: measured_set.result.figures[key]
            for measured_set in sets
            if key in measured_set.result.figures
        }
        for key in METRICS
    }
    references = {
        key: metric.reference for key, metric in METRICS.items() if metric.reference is not None
    }
    left, right = st.columns(2, gap="medium")
    for column, title, keys in (
        (left, "How far apart are the classes?", titles(separability=True)),
        (right, "Is it still like real data?", titles(separability=False)),
    ):
        with column:
            st.subheader(title, anchor=False)
            if any(rows[key] for key in keys):
                figure = measure_panels(rows, keys, references)
                show_figure(figure, key=f"measures_{title}", alt=title)
            else:
                st.caption(
                    "A real split is not measured against itself: choose a generated set as well."
                )
    for reason in sorted(
        {text for measured_set in sets for text in measured_set.result.undefined.values()}
    ):
        st.caption(plain(f"Not measured: {reason}."))
    for note in sorted({measured_set.note for measured_set in sets if measured_set.note}):
        st.caption(plain(f"{note[0].upper()}{note[1:]}."))
    figures = [item for measured_set in sets for item in measured_set.result.figures.items()]
    for title, note in sorted(
        {
            (METRICS[key].label, measured_set.note)
            for key, measured_set in figures
            if measured_set.note
        }
    ):
        st.caption(plain(f"{title}: no interval, {note}."))


def _classes(sets: Sequence[Measured]) -> None:
    from cdp.figures.sets import class_panels

    known = {
        key
        for measured_set in sets
        for figures in measured_set.result.per_class.values()
        for key in figures
    }
    keys = [key for key in METRICS if key in known]
    if not keys:
        return
    st.subheader("Class by class", anchor=False)
    key = st.selectbox(
        "Figure", keys, format_func=titles().__getitem__, key="numbers_class_figure", width=360
    )
    # By name: sets may number their classes differently.
    names = list(
        dict.fromkeys(
            measured_set.class_name(value)
            for measured_set in sets
            for value in measured_set.result.per_class
        )
    )
    per_class = {
        measured_set.name: {
            names.index(measured_set.class_name(value)): figures[key]
            for value, figures in measured_set.result.per_class.items()
            if key in figures
        }
        for measured_set in sets
    }
    figure = class_panels(per_class, names, METRICS[key].label)
    show_figure(figure, key="numbers_classes", alt=f"{METRICS[key].label} of every class")


def rows_of(sets: Sequence[Measured], pairs: Sequence[SetComparison]) -> list[dict[str, Any]]:
    """One row a set, figure and class, and one a figure of each comparison."""
    rows = []
    for measured_set in sets:
        rows += [
            _row(measured_set.name, "all", key, figure)
            for key, figure in measured_set.result.figures.items()
        ]
        for value, figures in measured_set.result.per_class.items():
            name = class_name(measured_set.class_names, value)
            rows += [_row(measured_set.name, name, key, figure) for key, figure in figures.items()]
    for pair in pairs:
        name = f"{pair.first.name} - {pair.second.name}, {pair.n:,} images each"
        rows += [_row(name, "all", key, figure) for key, figure in changes(pair).items()]
    return rows


def _row(name: str, scope: str, key: str, figure: Interval) -> dict[str, Any]:
    named = {"set": name, "class": scope, "figure": titles().get(key, key)}
    return named | _cells(figure) | {"level": figure.level}


def _cells(figure: Interval) -> dict[str, Any]:
    low, high = figure.bounds
    return {"value": figure.value, "low": low, "high": high, "n": figure.n, "note": figure.note}


def _table(config: ExploreConfig, sets: Sequence[Measured], pairs: Sequence[SetComparison]) -> None:
    rows = rows_of(sets, pairs)
    with st.expander("Table: sort by a heading, filter, download", key="numbers_table"):
        for column, label, name in zip(
            st.columns(2), ("Figures", "Classes"), ("figure", "class"), strict=True
        ):
            options = list(dict.fromkeys(row[name] for row in rows))
            key = f"numbers_only_{name}"
            wanted = column.multiselect(label, options, placeholder="all", key=key)
            rows = [row for row in rows if not wanted or row[name] in wanted]
        table(rows)
        if pairs:
            st.caption(
                "Intervals in the table are of one figure each; the sentences above are corrected"
                " for how many figures are compared."
            )
        with st.container(horizontal=True):
            csv_of(rows, "figures.csv", key="numbers_csv")
            content = comparisons_json(sets, pairs, encoder=config.encoder)
            make = partial(json.dumps, content, indent=1)
            download("Download JSON", make, "figures.json", key="numbers_json")


def show_pairs(config: ExploreConfig) -> None:
    """Which classes are confusable: one heat map a set, or one of how that changed between two."""
    sets = awaited(config)
    if sets is None:
        return
    names = [measured_set.name for measured_set in sets]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        figures = [CONFUSION, SEPARATION]
        what = st.segmented_control(
            "Figure", figures, default=CONFUSION, required=True, key="pairs_what"
        )
        against = None
        if len(names) > 1:
            against = st.selectbox(
                "Change from",
                names,
                index=None,
                key="pairs_against",
                placeholder="no comparison",
                width=260,
            )
    st.caption(HELP[what] + (" In brackets: no change can be told." if against else ""))
    values = [
        grid(measured_set.pairs, what) for measured_set in sets if measured_set.pairs is not None
    ]
    tops = [
        float(np.nanmax(measured_set)) for measured_set in values if np.isfinite(measured_set).any()
    ]
    for measured_set in sets:
        if measured_set.pairs is None:
            reason = measured_set.result.undefined.get("separation", "too few images of a class")
            st.caption(plain(f"{measured_set.name}: {reason}."))
        elif against is None:
            _heat(measured_set, measured_set.pairs, what, max(tops, default=1.0))
    if against is not None:
        base = names.index(against)
        places = [(at, base) for at in range(len(sets)) if at != base]
        for compared in awaited_pairs(config, sets, places) or []:
            _change(compared, what)
    _pair_table(sets)


def _heat(measured_set: Measured, pairs: Pairs, what: str, top: float) -> None:
    from cdp.figures.class_pairs import pair_heatmap

    names, values = _names(measured_set, pairs), grid(pairs, what)
    few = min(measured_set.sizes.values(), default=LEAST_A_CLASS) < LEAST_A_CLASS
    verdict = f"{FEW}, so no pair is called the hardest" if few else hardest(values, names, what)
    st.markdown(plain(f"{measured_set.name}: {verdict}."))
    figure = pair_heatmap(
        values, names, title=measured_set.name, unit=UNITS[what], signed=False, top=top
    )
    show_figure(
        figure, key=f"pairs_{measured_set.name}", alt=f"{what} classes of {measured_set.name}"
    )


def _change(compared: SetComparison, what: str) -> None:
    from cdp.figures.class_pairs import pair_heatmap

    measured_set, base = compared.first, compared.second
    if (
        measured_set.pairs is None
        or base.pairs is None
        or (measured_set.pairs.classes, _names(measured_set, measured_set.pairs))
        != (base.pairs.classes, _names(base, base.pairs))
    ):
        text = f"{measured_set.name} and {base.name} do not have the same classes"
        st.caption(plain(f"{text}, so there is no change to show."))
        return
    if reason := too_few(compared):
        st.caption(plain(reason))
        return
    change = pair_difference(measured_set.pairs, base.pairs)
    values, names = grid(change, what), _names(measured_set, measured_set.pairs)
    part = change.confusion if what == CONFUSION else change.separation
    apart = {pair: interval for pair, interval in part.items() if pair[0] != pair[1]}
    clear = clear_pairs(apart)
    unsure = np.isfinite(values) & ~_marked(clear, change.classes, both_ways=what == SEPARATION)
    title = f"{measured_set.name} minus {base.name}"
    verdict = (
        f"at {compared.n:,} images each {len(clear)} of {len(apart)} pairs changed, corrected for"
        f" all {len(apart)} of them (Holm, 5 %)"
    )
    st.markdown(plain(f"{title}: {verdict}."))
    figure = pair_heatmap(
        values, names, title=title, unit=UNITS[what], signed=True, uncertain=unsure
    )
    show_figure(figure, key=f"pairs_change_{measured_set.name}", alt=f"{title}, {verdict}")


def _marked(
    pairs: Collection[tuple[int, int]], classes: Sequence[int], *, both_ways: bool
) -> np.ndarray:
    """(K, K) bool, true at these pairs."""
    place = {value: at for at, value in enumerate(classes)}
    marks = np.zeros((len(classes), len(classes)), bool)
    for a, b in pairs:
        marks[place[a], place[b]] = True
    return marks | marks.T if both_ways else marks


def grid(pairs: Pairs, what: str) -> np.ndarray:
    """(K, K) of one number a pair; the diagonal and what does not exist are NaN. Shares are
    in %."""
    place = {value: at for at, value in enumerate(pairs.classes)}
    values = np.full((len(place), len(place)), np.nan)
    for (a, b), interval in (pairs.confusion if what == CONFUSION else pairs.separation).items():
        if a == b:
            continue
        values[place[a], place[b]] = interval.value * (100 if what == CONFUSION else 1)
        if what == SEPARATION:
            values[place[b], place[a]] = values[place[a], place[b]]
    return values


def hardest(values: np.ndarray, names: list[str], what: str) -> str:
    """The pair that is hardest to tell apart, in words."""
    if not np.isfinite(values).any():
        return "no pair to compare"
    at = np.nanargmax(values) if what == CONFUSION else np.nanargmin(values)
    a, b = np.unravel_index(at, values.shape)
    return f"{names[a]} and {names[b]} are hardest to tell apart in these images"


def _names(measured_set: Measured, pairs: Pairs) -> list[str]:
    return [class_name(measured_set.class_names, value) for value in pairs.classes]


def _pair_table(sets: Sequence[Measured]) -> None:
    rows = [
        {
            "set": measured_set.name,
            "first": class_name(measured_set.class_names, a),
            "second": class_name(measured_set.class_names, b),
            "figure": title,
        }
        | _cells(interval)
        for measured_set in sets
        if measured_set.pairs is not None
        for title, part in (
            (CONFUSION, measured_set.pairs.confusion),
            (SEPARATION, measured_set.pairs.separation),
        )
        for (a, b), interval in part.items()
    ]
    if rows:
        with st.expander("Table of all pairs", key="pairs_table"):
            table(rows)
            csv_of(rows, "class-pairs.csv", key="pairs_csv")
