"""The figures of the sets, with intervals, and which classes are confusable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.embedding.classes import Pairs, clear_pairs, pair_difference
from cdp.embedding.measure import METRICS
from cdp.figures.palette import Signs
from cdp.results.signs import set_signs
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.tasks.claims import BASIS, comparisons_json, sentences, too_few
from cdp.tasks.measured import Measured, SetComparison, changes
from cdp.ui.explore.data import comparisons, measured
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.frame import found
from cdp.ui.kit.tables import csv_of, download, numbers, show_figure, table
from cdp.ui.kit.words import plain, sentence_of
from cdp.values.types import Interval

CONFUSION, SEPARATION = "Confusable", "Apart"
HELP = {
    CONFUSION: (
        "Share of the 10 nearest neighbours of a row class's images that belong to the column"
        " class, in %."
    ),
    SEPARATION: "Between / within scatter of just these two classes: lower is harder to tell apart.",
}
UNITS = {CONFUSION: "%", SEPARATION: "between / within"}


def titles(group: str = "") -> dict[str, str]:
    """What each figure is called, with what its values mean. group: of ``METRICS``, "" for all."""
    return {key: metric.label for key, metric in METRICS.items() if group in ("", metric.group)}


def show(config: ExploreConfig) -> None:
    """Measure what was not measured, then draw."""
    sets = awaited(config)
    if sets is None:
        return
    counts = [f"{item.result.n:,} of {item.total:,} images of {item.name}" for item in sets]
    st.caption(plain(f"{'; '.join(counts)}. Encoder: {config.encoder}."))
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
    """These pairs at equal numbers of images; None, with the progress drawn, until measured."""
    pending = Waiting()
    pairs = comparisons(config, sets, places, pending)
    pending.show("compared")
    return pairs


def differences(pairs: Sequence[SetComparison]) -> None:
    """What differs in each comparison, in sentences that are corrected together."""
    for pair in pairs:
        others = [other for other in pairs if other is not pair]
        said = sentences(pair, others)
        # Its last sentence says how the claims were corrected.
        *claims, basis = said if said[-1].startswith(BASIS) else [*said, ""]
        lines = [part for text in claims for part in text.rstrip(".").split("; ")]
        found(f"{pair.first.name} against {pair.second.name}", basis)
        st.markdown("\n".join(f"- {plain(sentence_of(line))}" for line in lines))


def panels(sets: Sequence[Measured]) -> None:
    """Fidelity and coverage beside separability, because a set can separate by collapsing."""
    from cdp.figures.sets import measure_panels

    if len({item.result.n for item in sets}) > 1:
        st.caption(
            "Drawn at each set's own number of images, which alone moves many figures. The"
            " sentences compare equal numbers."
        )
    rows = {
        key: {item.name: item.result.figures[key] for item in sets if key in item.result.figures}
        for key in METRICS
    }
    references = {
        key: metric.reference for key, metric in METRICS.items() if metric.reference is not None
    }
    separability = titles("separability")
    fidelity = {key: title for key, title in titles().items() if key not in separability}
    for column, title, keys in zip(
        st.columns(2, gap="medium"),
        ("How far apart are the classes?", "Is it still like real data?"),
        (separability, fidelity),
        strict=True,
    ):
        with column:
            st.subheader(title, anchor=False)
            if any(rows[key] for key in keys):
                figure = measure_panels(rows, keys, references, _signs(sets))
                show_figure(figure, key=f"measures_{title}", alt=title)
            else:
                st.caption(
                    "A real split is not measured against itself: choose a generated set as well."
                )
    notes = {f"Not measured: {text}." for item in sets for text in item.result.undefined.values()}
    notes |= {f"{item.note[0].upper()}{item.note[1:]}." for item in sets if item.note}
    notes |= {
        f"{METRICS[key].label.partition(':')[0]}: no interval, {figure.note}."
        for item in sets
        for key, figure in item.result.figures.items()
        if figure.note
    }
    for note in sorted(notes):
        st.caption(plain(note))


def _signs(sets: Sequence[Measured]) -> Signs:
    return set_signs(item.name for item in sets)


def _classes(sets: Sequence[Measured]) -> None:
    from cdp.figures.sets import class_panels

    known = {key for item in sets for figures in item.result.per_class.values() for key in figures}
    keys = [key for key in METRICS if key in known]
    if not keys:
        return
    st.subheader("Class by class", anchor=False)
    title = titles().__getitem__
    key = st.selectbox("Figure", keys, format_func=title, key="numbers_class_figure", width=360)
    # By name: sets may number their classes differently.
    names = list(
        dict.fromkeys(item.class_name(value) for item in sets for value in item.result.per_class)
    )
    per_class = {
        item.name: {
            names.index(item.class_name(value)): figures[key]
            for value, figures in item.result.per_class.items()
            if key in figures
        }
        for item in sets
    }
    figure = class_panels(per_class, names, METRICS[key].label, _signs(sets))
    show_figure(figure, key="numbers_classes", alt=f"{METRICS[key].label} of every class")


def rows_of(sets: Sequence[Measured], pairs: Sequence[SetComparison]) -> list[dict[str, Any]]:
    """One row a set, figure and class, and one a figure of each comparison."""
    groups = []
    for item in sets:
        groups.append((item.name, "all", item.result.figures))
        groups += [
            (item.name, item.class_name(value), figures)
            for value, figures in item.result.per_class.items()
        ]
    for pair in pairs:
        name = f"{pair.first.name} - {pair.second.name}, {pair.n:,} images each"
        groups.append((name, "all", changes(pair)))
    return [
        {"set": name, "class": scope, "figure": titles().get(key, key)}
        | _cells(figure)
        | {"level": figure.level}
        for name, scope, figures in groups
        for key, figure in figures.items()
    ]


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
                "Intervals here are of one figure each. The sentences above are corrected for the"
                " number of figures compared."
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
    names = [item.name for item in sets]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.segmented_control(
            "Figure", list(HELP), default=CONFUSION, required=True, key="pairs_what"
        )
        against = None
        if len(names) > 1:
            hint, key = "no comparison", "pairs_against"
            against = st.selectbox(
                "Change from", names, index=None, key=key, placeholder=hint, width=260
            )
    st.caption(HELP[what] + (" In brackets: no clear change." if against else ""))
    if against is None:
        _heats(sets, what)
    else:
        base = names.index(against)
        places = [(at, base) for at in range(len(sets)) if at != base]
        for compared in awaited_pairs(config, sets, places) or []:
            _change(compared, what)
    _pair_table(sets)


def _heats(sets: Sequence[Measured], what: str) -> None:
    """A heat map of every set, on one scale."""
    from cdp.figures.class_pairs import pair_heatmap
    from cdp.figures.frame import Heading

    values = {item.name: grid(item.pairs, what) for item in sets if item.pairs is not None}
    tops = [float(np.nanmax(part)) for part in values.values() if np.isfinite(part).any()]
    top = max(tops, default=1.0)
    for item in sets:
        if item.pairs is None:
            reason = item.result.undefined.get("separation", "too few images of a class")
            st.caption(plain(f"{item.name}: {reason}."))
            continue
        names, here = _names(item, item.pairs), values[item.name]
        few = min(item.sizes.values(), default=LEAST_A_CLASS) < LEAST_A_CLASS
        verdict = f"{FEW}, so no pair is called the hardest" if few else hardest(here, names, what)
        said = Heading(f"{item.name}: {verdict}", f"n = {item.result.n:,} images")
        figure = pair_heatmap(here, names, heading=said, unit=UNITS[what], signed=False, top=top)
        show_figure(figure, key=f"pairs_{item.name}", alt=f"{what} classes of {item.name}")


def _change(compared: SetComparison, what: str) -> None:
    from cdp.figures.class_pairs import pair_heatmap
    from cdp.figures.frame import Heading

    first, base = compared.first, compared.second
    if (
        first.pairs is None
        or base.pairs is None
        or (first.pairs.classes, _names(first, first.pairs))
        != (base.pairs.classes, _names(base, base.pairs))
    ):
        st.caption(plain(f"{first.name} and {base.name} do not have the same classes."))
        return
    if reason := too_few(compared):
        st.caption(plain(reason))
        return
    change = pair_difference(first.pairs, base.pairs)
    part = change.confusion if what == CONFUSION else change.separation
    apart = {pair: interval for pair, interval in part.items() if pair[0] != pair[1]}
    clear = clear_pairs(apart)
    values = grid(change, what)
    unsure = np.isfinite(values)
    for a, b in clear:
        at, beside = change.classes.index(a), change.classes.index(b)
        unsure[at, beside] = False
        if what == SEPARATION:
            unsure[beside, at] = False
    title = f"{first.name} minus {base.name}"
    verdict = f"{len(clear)} of {len(apart)} pairs changed"
    said = Heading(f"{title}: {verdict}", f"n = {compared.n:,} images each, Holm-corrected at 5 %")
    names = _names(first, first.pairs)
    figure = pair_heatmap(
        values, names, heading=said, unit=UNITS[what], signed=True, uncertain=unsure
    )
    show_figure(figure, key=f"pairs_change_{first.name}", alt=f"{title}, {verdict}")


def grid(pairs: Pairs, what: str) -> np.ndarray:
    """(K, K), one number a pair, shares in %; NaN on the diagonal and where there is none."""
    place = {value: at for at, value in enumerate(pairs.classes)}
    values = np.full((len(place), len(place)), np.nan)
    if what == CONFUSION:
        for (a, b), interval in pairs.confusion.items():
            values[place[a], place[b]] = 100 * interval.value
        np.fill_diagonal(values, np.nan)
    else:
        for (a, b), interval in pairs.separation.items():
            values[place[a], place[b]] = values[place[b], place[a]] = interval.value
    return values


def hardest(values: np.ndarray, names: list[str], what: str) -> str:
    """The pair that is hardest to tell apart, in words."""
    if not np.isfinite(values).any():
        return "no pair to compare"
    at = np.nanargmax(values) if what == CONFUSION else np.nanargmin(values)
    a, b = np.unravel_index(at, values.shape)
    return f"{names[a]} and {names[b]} are hardest to tell apart in these images"


def _names(item: Measured, pairs: Pairs) -> list[str]:
    return [item.class_name(value) for value in pairs.classes]


def _pair_table(sets: Sequence[Measured]) -> None:
    rows = [
        {"set": item.name, "first": item.class_name(a), "second": item.class_name(b)}
        | {"figure": title}
        | _cells(interval)
        for item in sets
        if item.pairs is not None
        for title, part in ((CONFUSION, item.pairs.confusion), (SEPARATION, item.pairs.separation))
        for (a, b), interval in part.items()
    ]
    if rows:
        numbers("all pairs", lambda: rows, "class-pairs.csv", key="pairs_table")
