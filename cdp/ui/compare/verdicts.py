"""The first thing of a comparison: which arms there are, and whether one is better, in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cdp.ui.compare.result import Result, bullets, chart_of, numbers_of
from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import Html, joined, line, mark, tag
from cdp.ui.kit.tables import Rows, fold
from cdp.ui.kit.words import plain, split_verdict
from cdp.values.comparison import Arm, Difference, Metric

MOST_SAID = 6
"""Verdicts in sight; of more, those that hold come first, and the rest is a click away."""
MOST_DRAWN = 15
"""Pairs in a chart that is there at once."""
TITLES: dict[Metric, str] = {"robust": "Robust accuracy", "clean": "Clean accuracy"}


def arms_line(result: Result) -> None:
    """Every arm with its mark, the number of its runs, and how the numbers were measured."""
    from cdp.figures.comparison import labels_of

    arms = result.comparison.arms

    def named(arm: Arm) -> Html:
        runs = "1 run" if len(arm.seeds) == 1 else f"{len(arm.seeds)} seeds"
        sign, quiet = mark(result.signs[arm.name]), tag("span", runs, cls="cdp-quiet")
        return tag("span", sign, tag("b", arm.name), " ", quiet)

    st.html(tag("div", *map(named, arms), cls="cdp-flow"))
    if arms:
        st.caption(plain(f"Measured by: {labels_of(arms)}."))


def notes(result: Result) -> None:
    """What has to be known, and the way to numbers that can be cited where these are estimates."""
    if result.comparison.notes:
        st.info(bullets(result.comparison.notes))
    if not result.estimated:
        return
    lacking = [row for row in result.rows if row.evaluated is None]
    with st.container(horizontal=True, gap="medium", key="compare_evaluate"):
        for row in lacking[:4]:
            link("evaluate", f"Evaluate {plain(row.name)}", model=f"run:{row.id}")
        if len(lacking) > 4:
            st.caption(f"and {len(lacking) - 4} more without an evaluation", width="content")


def verdicts(result: Result) -> None:
    """Robust accuracy first; clean below, smaller."""
    differences = result.comparison.differences
    if not differences:
        return
    st.subheader("Is one better?", anchor=False)
    for metric in TITLES:
        _verdicts([pair for pair in differences if pair.metric == metric], metric)
    if len(result.comparison.arms) > 2:
        _forest(result, [pair for pair in differences if pair.difference is not None])
    note = "p: two-sided; corrected by Holm over all pairs of a metric."
    rows = partial(_rows, differences)
    numbers_of(result, "differences", "the differences", rows, note=note)


def _rows(differences: Sequence[Difference]) -> Rows:
    from cdp.figures.comparison import difference_rows

    return difference_rows(differences)


def _forest(result: Result, known: Sequence[Difference]) -> None:
    """Every difference with its interval; a click away where they are many."""
    pairs = len({(pair.first, pair.second) for pair in known})
    if not pairs:
        return
    label, key = f"Chart of all {pairs} differences", f"compare_forest_{result.key}"
    place = fold(label, key) if pairs > MOST_DRAWN else st.container()
    if not place:
        return
    from cdp.figures.comparison import difference_forest

    verdicts = " ".join(pair.verdict for pair in known[:MOST_SAID])
    alt = f"Differences between arms with their intervals. {verdicts}"
    with place:
        for metric in dict.fromkeys(pair.metric for pair in known):
            group = [pair for pair in known if pair.metric == metric]
            draw = partial(difference_forest, group, result.signs)
            chart_of(result, f"differences-{metric}", draw, alt=alt, said=True)


def _verdicts(differences: Sequence[Difference], metric: Metric) -> None:
    """Those that hold come first, and those that cannot be compared last, where not all are in
    sight."""
    from cdp.figures.comparison import settled

    if not differences:
        return
    known = [pair for pair in differences if pair.difference is not None]
    several, sight = len(differences) > 1, len(differences)
    ordered = list(differences)
    if len(differences) > MOST_SAID:
        ordered.sort(key=lambda pair: (not settled(pair), pair.difference is None))
        # One example says why; a dozen say no more.
        sight = min(MOST_SAID, max(1, len(known)))
    cls = "cdp-strong" if several else "cdp-finding"
    hold = sum(map(settled, differences))
    head = line(_head(metric, differences, hold), "cdp-finding" if several else "cdp-quiet")
    st.html(joined(head, *(_line(pair, cls, corrected=several) for pair in ordered[:sight])))
    if rest := ordered[sight:]:
        with st.expander(f"{len(rest)} more verdicts on {TITLES[metric].lower()}"):
            st.html(joined(*(_line(pair, "", corrected=several) for pair in rest)))


def _head(metric: Metric, differences: Sequence[Difference], hold: int) -> str:
    pairs, known = len(differences), sum(pair.difference is not None for pair in differences)
    if pairs == 1:
        return TITLES[metric]
    if not known:
        return f"{TITLES[metric]}: none of {pairs} pairs can be compared"
    without = f"; {pairs - known} pairs cannot be compared" if known < pairs else ""
    unsaid = sum(bool(pair.withheld) for pair in differences)
    silent = f"; no verdict on {unsaid} of them" if unsaid else ""
    return f"{TITLES[metric]}: {hold} of {known} differences hold{silent}{without}"


def _line(pair: Difference, cls: str, *, corrected: bool) -> Html:
    head, rest = split_verdict(pair.verdict)
    basis = line(_basis(pair, corrected=corrected), "cdp-small")
    return tag("div", line(head, cls), line(rest, "cdp-quiet"), basis, cls="cdp-verdict")


def _basis(pair: Difference, *, corrected: bool) -> str:
    """The pair, and what the verdict rests on."""
    p = pair.p if pair.adjusted is None else pair.adjusted
    parts = [
        f"{pair.second} against {pair.first}",
        pair.method,
        "" if p is None or pair.withheld else f"{'corrected ' * corrected}p = {p:.2g}",
    ]
    return " · ".join(part for part in parts if part)
