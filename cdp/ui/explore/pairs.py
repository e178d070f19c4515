"""Which classes are confusable, set by set, and how that changed between two sets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.embedding.pairs import Pairs, clear_pairs, pair_difference
from cdp.tasks.claims import FEWEST, too_few
from cdp.tasks.measured import Comparison, Measured
from cdp.ui.explore.numbers import awaited, awaited_pairs
from cdp.ui.generate.results import to_csv
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


def show(config: ExploreConfig) -> None:
    """One heat map a set, or one of the difference."""
    found = awaited(config)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = str(
            st.segmented_control(
                "Figure",
                [CONFUSION, SEPARATION],
                default=CONFUSION,
                required=True,
                key="pairs_what",
            )
        )
        names = [one.name for one in found]
        against = (
            st.selectbox(
                "Change from",
                names,
                index=None,
                key="pairs_against",
                placeholder="no comparison",
                width=260,
            )
            if len(names) > 1
            else None
        )
    brackets = " In brackets: no change can be told."
    st.caption(HELP[what] + (brackets if against else ""))
    grids = [
        grid(one.pairs, what, lambda interval: interval.value)
        for one in found
        if one.pairs is not None
    ]
    top = max(
        (float(np.nanmax(values)) for values in grids if np.isfinite(values).any()), default=1.0
    )
    for one in found:
        if one.pairs is None:
            st.caption(
                plain(
                    f"{one.name}:"
                    f" {one.result.undefined.get('separation', 'too few images of a class')}."
                )
            )
        elif against is None:
            _heat(one, one.pairs, what, top)
    if against is not None:
        base = names.index(against)
        for compared in (
            awaited_pairs(config, found, [(at, base) for at in range(len(found)) if at != base])
            or []
        ):
            _change(compared, what)
    _table(found)


def _heat(one: Measured, pairs: Pairs, what: str, top: float) -> None:
    from cdp.figures.heatmap import pair_heatmap

    names = _names(one, pairs)
    values = grid(pairs, what, lambda interval: interval.value)
    few = min(one.sizes.values(), default=FEWEST) < FEWEST
    verdict = (
        f"fewer than {FEWEST} images of a class, so no pair is called the hardest"
        if few
        else hardest(values, names, what)
    )
    st.markdown(plain(f"{one.name}: {verdict}."))
    figure = pair_heatmap(values, names, title=one.name, unit=UNITS[what], signed=False, top=top)
    st.plotly_chart(
        figure,
        theme=None,
        config={"displayModeBar": False},
        key=f"pairs_{one.name}",
        alt=f"{what} classes of {one.name}",
    )


def _change(compared: Comparison, what: str) -> None:
    from cdp.figures.heatmap import pair_heatmap

    one, base = compared.first, compared.second
    if (
        one.pairs is None
        or base.pairs is None
        or (one.pairs.classes, _names(one, one.pairs))
        != (base.pairs.classes, _names(base, base.pairs))
    ):
        st.caption(
            plain(
                f"{one.name} and {base.name} do not have the same classes, so there is no change to"
                " show."
            )
        )
        return
    if reason := too_few(compared):
        st.caption(plain(reason))
        return
    change = pair_difference(one.pairs, base.pairs)
    values = grid(change, what, lambda interval: interval.value)
    part = change.confusion if what == CONFUSION else change.separation
    clear = clear_pairs({pair: interval for pair, interval in part.items() if pair[0] != pair[1]})
    unsure = np.isfinite(values) & ~_marked(clear, change.classes, both_ways=what == SEPARATION)
    pairs = len([pair for pair in part if pair[0] != pair[1]])
    title = f"{one.name} minus {base.name}"
    told = (
        f"at {compared.n:,} images each {len(clear)} of {pairs} pairs changed, corrected for all"
        f" {pairs} of them (Holm, 5 %)"
    )
    st.markdown(plain(f"{title}: {told}."))
    figure = pair_heatmap(
        values, _names(one, one.pairs), title=title, unit=UNITS[what], signed=True, uncertain=unsure
    )
    st.plotly_chart(
        figure,
        theme=None,
        config={"displayModeBar": False},
        key=f"pairs_change_{one.name}",
        alt=f"{title}, {told}",
    )


def _marked(
    pairs: Collection[tuple[int, int]], classes: Sequence[int], *, both_ways: bool
) -> np.ndarray:
    """(K, K) bool, true at these pairs."""
    place = {value: at for at, value in enumerate(classes)}
    marks = np.zeros((len(classes), len(classes)), bool)
    for a, b in pairs:
        marks[place[a], place[b]] = True
    return marks | marks.T if both_ways else marks


def grid(pairs: Pairs, what: str, read: Callable[[Interval], float]) -> np.ndarray:
    """(K, K) of one number a pair; the diagonal and what does not exist are NaN. Shares are
    in %."""
    place = {value: at for at, value in enumerate(pairs.classes)}
    values = np.full((len(place), len(place)), np.nan)
    for (a, b), interval in (pairs.confusion if what == CONFUSION else pairs.separation).items():
        if a == b:
            continue
        values[place[a], place[b]] = read(interval) * (100 if what == CONFUSION else 1)
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


def _names(one: Measured, pairs: Pairs) -> list[str]:
    return [class_name(one.class_names, value) for value in pairs.classes]


def _table(found: list[Measured]) -> None:
    rows = [
        {
            "set": one.name,
            "first": first,
            "second": second,
            "figure": title,
            "value": i.value,
            "low": i.bounds[0],
            "high": i.bounds[1],
            "n": i.n,
            "note": i.note,
        }
        for one in found
        if one.pairs is not None
        for names in [dict(zip(one.pairs.classes, _names(one, one.pairs), strict=True))]
        for title, part in ((CONFUSION, one.pairs.confusion), (SEPARATION, one.pairs.separation))
        for (a, b), i in part.items()
        for first, second in [(names[a], names[b])]
    ]
    if rows:
        with st.expander("Table of all pairs", key="pairs_table"):
            st.dataframe(rows, hide_index=True, width="stretch")
            st.download_button(
                "Download CSV",
                to_csv(rows),
                "class-pairs.csv",
                "text/csv",
                on_click="ignore",
                key="pairs_csv",
            )
