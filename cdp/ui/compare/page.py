"""The Compare page: the table of all runs, and below it the chosen ones side by side."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from cdp.experiments.begin import experiments
from cdp.experiments.cells import read_cells
from cdp.results.rows import Row, run_rows
from cdp.ui.compare.leaderboard import show_leaderboard
from cdp.ui.compare.result import Result, bullets, comparison_of
from cdp.ui.compare.state import (
    MOST_COMPARED,
    ComparisonPage,
    compared,
    compared_ids,
    few,
    to_params,
    write_url,
)
from cdp.ui.compare.table import run_table
from cdp.ui.experiment.doors import of_trainings, packed
from cdp.ui.kit.frame import link, nothing_yet, warned
from cdp.ui.kit.runlist import said
from cdp.ui.kit.tables import download
from cdp.ui.kit.words import plain
from cdp.values.comparison import Comparison


def compare_page() -> None:
    """Everything below the title."""
    state, rows = compared(), run_rows()
    warned(state.notes)
    state.whole = True
    try:
        with st.container():
            if rows:
                run_table(state, rows)
            else:
                said()
                _no_runs()
        state.drawn = _comparison(state, rows)
    finally:
        state.whole = False
    write_url(state)


def _no_runs() -> None:
    text = (
        "Trained runs are compared here: with and without a synthetic set, at several strengths,"
        " each with a few seeds, so that a difference can be told from chance."
    )
    with nothing_yet("No training run yet", text):
        link("train", "Train a robust classifier")
        if ids := example_trainings():
            link("compare", "Compare the trainings of the example study", runs=",".join(ids))


def example_trainings() -> list[str]:
    """Trainings of the newest experiment that is shipped, up to ``MOST_COMPARED``; [] without."""
    newest = next((run for run in experiments(shipped=True) if run.shipped), None)
    cells = read_cells(newest.folder).values() if newest else ()
    return [cell.train for cell in cells if cell.train][:MOST_COMPARED]


def _comparison(state: ComparisonPage, rows: Sequence[Row]) -> bool:
    """What stands below the table; whether curves are among it. Everything that takes long to
    import comes after the table is on the screen."""
    if not state.chosen:
        if rows:
            st.info("Tick two runs or more to compare them; seeds of one config are one arm.")
            show_leaderboard(rows)
        return False
    ids, left_out = few(
        compared_ids(rows, state.chosen, groups=state.groups), {row.id for row in rows}
    )
    with st.container(key="live"):
        with st.container():
            result = comparison_of(ids, rows, groups=state.groups)
            _beforehand(state, result, left_out)
        if sum(len(arm.seeds) for arm in result.comparison.arms) < 2:
            return False
        _sections(state, result)
        return True


def _beforehand(state: ComparisonPage, result: Result, left_out: int) -> None:
    """What has to be said before anything is compared: what is missing, left out, or too few."""
    if result.comparison.missing:
        st.warning(bullets(result.comparison.missing))
    if left_out:
        seeds = " and their seeds" if state.groups else ""
        at_once = f"{MOST_COMPARED} runs are compared at a time"
        st.warning(f"{at_once}, so {left_out:,} of those chosen{seeds} are left out.")
    arms = result.comparison.arms
    if not arms:
        st.info("None of the chosen runs can be compared: tick others.")
    elif len(arms) == 1:
        of = "is chosen" if len(arms[0].seeds) == 1 else f"is one arm of {len(arms[0].seeds)} seeds"
        st.info(plain(f"{arms[0].name} {of}: choose another run to compare it with."))


def _sections(state: ComparisonPage, result: Result) -> None:
    """Each in a place of its own, as ``warned`` says why."""
    from cdp.ui.compare import sections, sets, verdicts

    with st.container():
        st.divider()
        verdicts.arms_line(result)
        take(state, result)
        verdicts.notes(result)
    _apart(result, verdicts.verdicts, sections.differs, sections.accuracies)
    with st.container():
        st.subheader("How did training go?", anchor=False)
        from cdp.ui.train.curves import show_curves

        show_curves(state, result.ids, state.turn)
    _apart(result, sections.classes, sections.beyond, sections.efficiency, sets.sets)


def _apart(result: Result, *draw: Callable[[Result], None]) -> None:
    for section in draw:
        with st.container():
            st.fragment(section)(result)


def take(state: ComparisonPage, result: Result) -> None:
    """A comparison to take along: a link, an HTML report and a CSV made when they are asked for,
    and the command line."""
    # The address is known while the page is drawn, and no longer when a file is made.
    comparison, address = result.comparison, address_of(state)
    more: dict[str, Any] = {"icon": ":material/download:"}
    with st.container(horizontal=True, gap="small", key="compare_take"):
        about = "With verdicts, tables and charts; opens without a network."
        make = partial(_html, comparison, address)
        download("HTML report", make, "comparison.html", key="compare_html", help=about, **more)
        about, make = "Every number of this comparison.", partial(_csv, comparison)
        download("CSV", make, "comparison.csv", key="compare_csv", help=about, **more)
        with st.popover("Link and command", width="content"):
            st.markdown("**This comparison as a link**")
            st.code(address, language=None, wrap_lines=True)
            st.markdown("**From the command line**")
            st.code(command(result.ids, groups=state.groups), language="bash", wrap_lines=True)
        settings = {arm.name: arm.settings for arm in comparison.arms}
        if (config := of_trainings(settings)) and (text := packed(config)):
            link("experiment", "Experiment with these", "science", yaml=text)


def address_of(state: ComparisonPage) -> str:
    """The address of this page with its parameters, as far as the app knows its own."""
    base = (st.context.url or "").partition("?")[0]
    return f"{base}?{urlencode(to_params(state), safe=',:')}"


def command(ids: Sequence[str], *, groups: bool) -> str:
    """A shell line that compares the same runs."""
    return shlex.join(["python", "-m", "cdp", "compare", *ids, *([] if groups else ["--each"])])


def _html(comparison: Comparison, address: str) -> str:
    from cdp.reports.comparison import comparison_html

    names = [arm.name for arm in comparison.arms]
    title = " and ".join(names) if len(names) < 3 else f"Comparison of {len(names)} arms"
    return comparison_html(comparison, title=title, link=address)


def _csv(comparison: Comparison) -> str:
    from cdp.reports.exports import comparison_csv

    return comparison_csv(comparison)
