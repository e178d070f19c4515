"""The figures of the sets: sentences on what differs, panels with intervals, class by class, and
the table behind them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.tasks.claims import comparisons_json, sentences
from cdp.tasks.measured import Comparison, Measured, changes
from cdp.ui.explore.data import Waiting, comparisons, measured
from cdp.ui.generate.results import to_csv
from cdp.ui.kit.side import waiting
from cdp.ui.kit.words import plain
from cdp.values.text import class_name
from cdp.values.types import Interval

SEPARABILITY: dict[str, str] = {
    "separation": "Between / within scatter",
    "silhouette": "Silhouette, -1 to 1",
    "knn_accuracy": "10-nearest-neighbour accuracy",
    "probe_accuracy": "Linear-probe accuracy",
    "probe_margin": "Linear-probe margin",
    "other_class_distance": "Distance to the nearest other class",
    "alignment": "Alignment: 0 is one point a class",
    "uniformity": "Uniformity: lower is more spread out",
}
FIDELITY: dict[str, str] = {
    "frechet": "Frechet distance to held-out real images",
    "precision": "Precision: share that looks real",
    "recall": "Recall: share of real images reached",
    "density": "Density",
    "coverage": "Coverage: share of real images with a neighbour",
    "real_auc": "AUC of telling it from real: 0.5 is not at all",
    "mmd": "MMD from real: 0 is none",
    "nearest": "Nearest-training-image ratio: below 1 hints at copying",
}
REFERENCES = {"real_auc": 0.5, "nearest": 1.0, "mmd": 0.0}


def show(config: ExploreConfig) -> None:
    """Measure what was not measured, then draw."""
    found = awaited(config)
    if found is None:
        return
    st.caption(
        "; ".join(f"{one.result.n:,} of {one.total:,} images of {plain(one.name)}" for one in found)
        + f". In the eyes of {plain(config.encoder)}."
    )
    pairs = awaited_pairs(config, found, [(0, at) for at in range(1, len(found))])
    if pairs is not None:
        told(pairs)
    panels(found)
    _classes(found)
    if pairs is not None:
        _table(config, found, pairs)


def awaited(config: ExploreConfig) -> list[Measured] | None:
    """The figures of every set; until they are there None, with the progress drawn."""
    pending = Waiting()
    found = measured(config, pending)
    waiting(pending.errands, key="measured")
    if found is None:
        st.skeleton(height=320)
    return found


def awaited_pairs(
    config: ExploreConfig, found: Sequence[Measured], places: Sequence[tuple[int, int]]
) -> list[Comparison] | None:
    """These pairs of the sets at equal numbers of images; until they are measured None, with the
    progress drawn."""
    pending = Waiting()
    pairs = comparisons(config, found, places, pending)
    waiting(pending.errands, key="compared")
    return pairs


def told(pairs: Sequence[Comparison]) -> None:
    """What differs in each comparison, in sentences that are corrected together."""
    for one in pairs:
        st.markdown(f"**{plain(one.first.name)}** against **{plain(one.second.name)}**")
        st.markdown(
            "\n".join(
                f"- {plain(text)}"
                for text in sentences(one, [other for other in pairs if other is not one])
            )
        )


def panels(found: Sequence[Measured]) -> None:
    """Fidelity and coverage beside separability, because a set can separate by collapsing."""
    from cdp.figures.measures import measure_panels

    if len({one.result.n for one in found}) > 1:
        st.caption(
            "Drawn at each set's own number of images, with which many figures move by themselves:"
            " the sentences compare at equal numbers."
        )
    rows = {
        key: {one.name: one.result.figures[key] for one in found if key in one.result.figures}
        for key in SEPARABILITY | FIDELITY
    }
    for column, title, keys in zip(
        st.columns(2, gap="medium"),
        ("How far apart are the classes?", "Is it still like real data?"),
        (SEPARABILITY, FIDELITY),
        strict=True,
    ):
        with column:
            st.subheader(title, anchor=False)
            if any(rows[key] for key in keys):
                figure = measure_panels(rows, keys, REFERENCES)
                st.plotly_chart(
                    figure,
                    theme=None,
                    config={"displayModeBar": False},
                    key=f"measures_{title}",
                    alt=title,
                )
            else:
                st.caption(
                    "A real split is not measured against itself: choose a generated set as well."
                )
    missing = {reason for one in found for reason in one.result.undefined.values()}
    for reason in sorted(missing):
        st.caption(plain(f"Not measured: {reason}."))
    for note in sorted({one.note for one in found if one.note}):
        st.caption(plain(f"{note[0].upper()}{note[1:]}."))
    titles = SEPARABILITY | FIDELITY
    without = {
        (titles[key], figure.note)
        for one in found
        for key, figure in one.result.figures.items()
        if figure.note
    }
    for title, note in sorted(without):
        st.caption(plain(f"{title}: no interval, {note}."))


def _classes(found: Sequence[Measured]) -> None:
    from cdp.figures.measures import class_panels

    keys = [
        key
        for key in SEPARABILITY | FIDELITY
        if any(key in figures for one in found for figures in one.result.per_class.values())
    ]
    if not keys:
        return
    st.subheader("Class by class", anchor=False)
    titles = SEPARABILITY | FIDELITY
    key = st.selectbox(
        "Figure", keys, format_func=titles.__getitem__, key="numbers_class_figure", width=360
    )
    # By name: sets may number their classes differently.
    names = list(
        dict.fromkeys(one.class_name(value) for one in found for value in one.result.per_class)
    )
    per_class = {
        one.name: {
            names.index(one.class_name(value)): figures[key]
            for value, figures in one.result.per_class.items()
            if key in figures
        }
        for one in found
    }
    st.plotly_chart(
        class_panels(per_class, names, titles[key]),
        theme=None,
        config={"displayModeBar": False},
        key="numbers_classes",
        alt=f"{titles[key]} of every class",
    )


def rows_of(
    found: Sequence[Measured], pairs: Sequence[Comparison]
) -> list[dict[str, str | float | int | None]]:
    """One row a set, figure and class, and one a figure of each comparison."""
    rows: list[dict[str, str | float | int | None]] = []
    for one in found:
        rows += [_row(one.name, "all", key, figure) for key, figure in one.result.figures.items()]
        for value, figures in one.result.per_class.items():
            name = class_name(one.class_names, value)
            rows += [_row(one.name, name, key, figure) for key, figure in figures.items()]
    for pair in pairs:
        name = f"{pair.first.name} - {pair.second.name}, {pair.n:,} images each"
        rows += [_row(name, "all", key, figure) for key, figure in changes(pair).items()]
    return rows


def _row(name: str, scope: str, key: str, figure: Interval) -> dict[str, str | float | int | None]:
    return {
        "set": name,
        "class": scope,
        "figure": (SEPARABILITY | FIDELITY).get(key, key),
        "value": figure.value,
        "low": figure.bounds[0],
        "high": figure.bounds[1],
        "n": figure.n,
        "level": figure.level,
        "note": figure.note,
    }


def _table(config: ExploreConfig, found: Sequence[Measured], pairs: Sequence[Comparison]) -> None:
    rows = rows_of(found, pairs)
    with st.expander("Table: sort by a heading, filter, download", key="numbers_table"):
        left, right = st.columns(2)
        kinds = left.multiselect(
            "Figures",
            list(dict.fromkeys(str(row["figure"]) for row in rows)),
            placeholder="all",
            key="numbers_figures",
        )
        scopes = right.multiselect(
            "Classes",
            list(dict.fromkeys(str(row["class"]) for row in rows)),
            placeholder="all",
            key="numbers_scopes",
        )
        left_over = [
            row
            for row in rows
            if (not kinds or row["figure"] in kinds) and (not scopes or row["class"] in scopes)
        ]
        st.dataframe(left_over, hide_index=True, width="stretch")
        if pairs:
            st.caption(
                "Intervals in the table are of one figure each; the sentences above are corrected"
                " for how many figures are compared."
            )
        with st.container(horizontal=True):
            st.download_button(
                "Download CSV",
                to_csv(left_over),
                "figures.csv",
                "text/csv",
                on_click="ignore",
                key="numbers_csv",
            )
            text = json.dumps(comparisons_json(found, pairs, encoder=config.encoder), indent=1)
            st.download_button(
                "Download JSON",
                text,
                "figures.json",
                "application/json",
                on_click="ignore",
                key="numbers_json",
            )
