"""The first thing of a comparison: which arms there are, and whether one is better, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import streamlit as st

from cdp.ui.compare.result import Shown, bullets, chart_of, numbers_of
from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import Html, joined, line, mark, tag
from cdp.ui.kit.words import plain
from cdp.values.comparison import Arm, Difference, Metric

MOST_SAID = 6
"""Verdicts in sight; of more, those that hold come first, and the rest is a click away."""
MOST_DRAWN = 15
"""Pairs in a chart that is there at once."""
TITLES: dict[Metric, str] = {"robust": "Robust accuracy", "clean": "Clean accuracy"}


def arms_line(shown: Shown) -> None:
    """Every arm with its mark, the number of its runs, and how the numbers were measured."""
    from cdp.figures.comparison import labels_of

    arms = shown.comparison.arms
    st.html(
        tag(
            "div",
            *(
                tag(
                    "span",
                    mark(shown.signs[arm.name]),
                    tag("b", arm.name),
                    " ",
                    tag("span", _runs(arm), cls="cdp-quiet"),
                )
                for arm in arms
            ),
            cls="cdp-flow",
        )
    )
    if arms:
        st.caption(plain(f"Measured by: {labels_of(arms)}."))


def _runs(arm: Arm) -> str:
    return "1 run" if len(arm.seeds) == 1 else f"{len(arm.seeds)} seeds"


def notes(shown: Shown) -> None:
    """What has to be known, and the way to numbers that can be cited where these are estimates."""
    if shown.comparison.notes:
        st.info(bullets(shown.comparison.notes))
    if not shown.estimated:
        return
    lacking = [row for row in shown.rows if row.evaluated is None]
    with st.container(horizontal=True, gap="medium", key="compare_evaluate"):
        for row in lacking[:4]:
            link("evaluate", f"Evaluate {plain(row.name)}", model=f"run:{row.id}")
        if len(lacking) > 4:
            st.caption(f"and {len(lacking) - 4} more without an evaluation", width="content")


def verdicts(shown: Shown) -> None:
    """Robust accuracy first; clean below, smaller."""
    differences = shown.comparison.differences
    if not differences:
        return
    st.subheader("Is one better?", anchor=False)
    for metric in TITLES:
        _verdicts([one for one in differences if one.metric == metric], metric)
    if len(shown.comparison.arms) > 2:
        _forest(shown, [one for one in differences if one.difference is not None])
    numbers_of(
        shown,
        "differences",
        "the differences",
        lambda: _rows(differences),
        note="p: two-sided; corrected by Holm over all pairs of a metric.",
    )


def _rows(found: Sequence[Difference]) -> list[dict[str, Any]]:
    from cdp.figures.comparison import difference_rows

    return difference_rows(found)


def _forest(shown: Shown, known: Sequence[Difference]) -> None:
    """Every difference with its interval; a click away where they are many."""
    pairs = len({(one.first, one.second) for one in known})
    if not pairs:
        return
    place = st.container()
    if pairs > MOST_DRAWN:
        place = st.expander(
            f"Chart of all {pairs} differences",
            key=f"compare_forest_{shown.key}",
            on_change="rerun",
        )
        if not cast(bool, place.open):
            return
    from cdp.figures.comparison import difference_forest

    with place:
        alt = "Differences between arms with their intervals. " + " ".join(
            one.verdict for one in known[:MOST_SAID]
        )
        chart_of(shown, "differences", lambda: difference_forest(known, shown.signs), alt=alt)


def _verdicts(found: Sequence[Difference], metric: Metric) -> None:
    """Those that hold come first, and those that cannot be compared last, where not all are in
    sight."""
    from cdp.figures.comparison import settled

    if not found:
        return
    known, several = [one for one in found if one.difference is not None], len(found) > 1
    ordered = list(found)
    if len(found) > MOST_SAID:
        ordered.sort(key=lambda one: (not settled(one), one.difference is None))
    # One example says why; a dozen say no more.
    sight = min(MOST_SAID, max(1, len(known))) if len(found) > MOST_SAID else len(found)
    robust = metric == "robust"
    cls = f"{'cdp-lead ' * (robust and not several)}{'cdp-strong' * robust}"
    head = line(_head(metric, found, sum(map(settled, found))), "cdp-quiet")
    st.html(joined(head, *(_line(one, cls, corrected=several) for one in ordered[:sight])))
    if rest := ordered[sight:]:
        with st.expander(f"{len(rest)} more verdicts on {TITLES[metric].lower()}"):
            st.html(joined(*(_line(one, "", corrected=several) for one in rest)))


def _head(metric: Metric, found: Sequence[Difference], hold: int) -> str:
    pairs, known = len(found), sum(one.difference is not None for one in found)
    if pairs == 1:
        return TITLES[metric]
    if not known:
        return f"{TITLES[metric]}: none of {pairs} pairs can be compared"
    without = f"; {pairs - known} pairs cannot be compared" if known < pairs else ""
    unsaid = sum(bool(one.withheld) for one in found)
    silent = f"; no verdict on {unsaid} of them" if unsaid else ""
    return f"{TITLES[metric]}: {hold} of {known} differences hold{silent}{without}"


def _line(one: Difference, cls: str, *, corrected: bool) -> Html:
    basis = line(_basis(one, corrected=corrected), "cdp-small")
    return tag("div", tag("span", one.verdict, cls=cls), basis, cls="cdp-verdict")


def _basis(one: Difference, *, corrected: bool) -> str:
    """The pair, and what the verdict rests on."""
    p = one.p if one.adjusted is None else one.adjusted
    parts = [
        f"{one.second} against {one.first}",
        one.method,
        "" if p is None or one.withheld else f"{'corrected ' * corrected}p = {p:.2g}",
    ]
    return " · ".join(part for part in parts if part)
