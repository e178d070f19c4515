"""The live curves of training runs: drawn in place, so that zoom, hidden runs and what is under the
pointer outlast every new epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cdp.errors import MissingError
from cdp.figures.curve_data import RunCurves, point_rows, run_rows
from cdp.figures.curves import QUANTITIES, REACHES, X_AXES, Look, training_curves
from cdp.results.history import history_of
from cdp.results.measured import groups_of
from cdp.results.signs import run_signs
from cdp.ui.components.chart import load_plotly, pack, packed_chart
from cdp.ui.kit.frame import found
from cdp.ui.kit.runlist import moving
from cdp.ui.kit.tables import numbers
from cdp.ui.kit.widgets import pick, reported
from cdp.ui.kit.words import plain
from cdp.ui.train.look import CurveLook
from cdp.work.records import Run, get_run

POLL_SECONDS = 1.5
_DRAWN = "train_curves_drawn"


def show_curves(settings: CurveLook, run_ids: tuple[str, ...], turn: int) -> None:
    """The chosen curves of these runs, their options and their numbers; polls while one of them is
    not over, and draws the page anew when that changes. Runs that are gone are left out. Hands the
    browser plotly.js itself."""
    runs = there(run_ids)
    if not runs:
        st.caption("No run is chosen: choose some to see their curves.")
        return
    groups = groups_of(runs)
    controls(settings, turn, seeds=len(set(groups.values())) < len(groups))
    going = moving(runs)
    st.fragment(_draw, run_every=POLL_SECONDS if going else None)(
        run_ids, groups, look_of(settings), going
    )
    load_plotly()


def look_of(settings: CurveLook) -> Look:
    """What is drawn and how."""
    return Look(
        settings.axis or Look.x,
        settings.curves or tuple(QUANTITIES),
        settings.smooth,
        settings.mean,
        "x" in settings.log,
        "y" in settings.log,
    )


def controls(settings: CurveLook, turn: int, *, seeds: bool) -> None:
    """The row above the curves. turn: of the page's controls; seeds: whether there are runs that a
    mean over seeds would join."""
    look = look_of(settings)

    def key(name: str) -> str:
        return f"train_curves_{name}_{turn}"

    def put(name: str, read: Callable[[Any], Any] = lambda value: value) -> Callable[[Any], None]:
        return lambda value: setattr(settings, name, read(value))

    def several(
        label: str, name: str, titles: Mapping[str, str], value: list[str], **more: Any
    ) -> None:
        """Any of ``titles``; all of the curves are the usual, which is left empty."""

        def keep(chosen: tuple[str, ...]) -> None:
            usual = name == "curves" and len(chosen) == len(titles)
            setattr(settings, name, () if usual else chosen)

        def in_order(chosen: Collection[str]) -> tuple[str, ...]:
            return tuple(option for option in titles if option in chosen)

        more |= {"default": value, "format_func": titles.__getitem__, "selection_mode": "multi"}
        more |= reported(key(name), in_order(value), keep, in_order)
        st.pills(label, list(titles), **more)

    with st.container(horizontal=True, vertical_alignment="bottom", key="train_curves_controls"):
        axis = put("axis", lambda value: "" if value == Look.x else value)
        pick("Against", X_AXES, look.x, axis, key=key("axis"), width=190)
        reaches = {reach: "None" if reach == 1 else f"{reach} validations" for reach in REACHES}
        about = (
            "Debiased exponential mean over this many validations; it never changes the past of a"
            " curve. The measured curve stays behind it, faint."
        )
        smooth = put("smooth")
        pick("Smoothing", reaches, look.smoothing, smooth, key=key("smooth"), width=130, help=about)
        if seeds:
            st.toggle(
                "Mean over seeds",
                look.mean,
                **reported(key("mean"), look.mean, put("mean")),
                help="Joins runs that differ in their seed only: their mean and its 95 % interval.",
            )
        with st.popover("View", width="content"):
            several("Curves", "curves", QUANTITIES, list(look.quantities))
            axes = {"x": "x axis", "y": "Losses and learning rate"}
            about = "Accuracies and the gap stay linear."
            several("Log axes", "log", axes, list(settings.log), help=about)


@dataclass(frozen=True)
class Drawn:
    """What a tick drew. state: what it was drawn from; curves: the points; packed: the chart, None
    before the first validation of any run."""

    state: tuple[object, ...]
    curves: list[RunCurves]
    packed: bytes | None
    notes: tuple[str, ...]
    heading: tuple[str, str] = ("", "")


def drawn_from(
    runs: Sequence[Run], groups: Mapping[str, str], look: Look, before: Drawn | None = None
) -> Drawn:
    """The curves as they are now; ``before`` itself where nothing is new, which costs one stat a
    run."""
    read = [(run, history_of(run.folder)) for run in runs]
    versions = tuple((run.id, run.name, points.version) for run, points in read)
    state = (versions, tuple(groups.items()), look)
    if before is not None and before.state == state:
        return before
    signs = run_signs([run for run, _ in read])
    curves = [
        RunCurves(
            run.id,
            run.name,
            groups.get(run.id, run.id),
            points.columns,
            signs[run.id],
            getattr(run.config, "seed", 0),
        )
        for run, points in read
    ]
    unread = tuple(f"{run.name}: {points.problem}." for run, points in read if points.problem)
    if not any(len(points) for _, points in read):
        return Drawn(state, curves, None, unread)
    drawing = training_curves(curves, look)
    packed = pack(drawing.figure, alt=in_words(curves))
    return Drawn(state, curves, packed, (*unread, *drawing.notes), drawing.heading)


def there(run_ids: Sequence[str]) -> list[Run]:
    """The runs of these ids, without those that are gone."""
    runs = []
    for run_id in dict.fromkeys(run_ids):
        try:
            runs.append(get_run(run_id))
        except MissingError:
            continue
    return runs


def _draw(
    run_ids: tuple[str, ...], groups: dict[str, str], look: Look, going: frozenset[str]
) -> None:
    runs = there(run_ids)
    if moving(runs) != going:
        st.rerun()
    drawn = drawn_from(runs, groups, look, st.session_state.get(_DRAWN))
    st.session_state[_DRAWN] = drawn
    if drawn.packed is None:
        for note in drawn.notes:
            st.warning(plain(note))
        if drawn.notes:
            return
        if going:
            st.caption("Nothing is validated yet: the curves begin with the first validation.")
            st.skeleton(height=320)
        else:
            st.caption("These runs ended before their first validation.")
        return
    found(*drawn.heading)
    packed_chart(drawn.packed, key="train_curves_chart")
    for note in drawn.notes:
        st.caption(plain(note))
    numbers(
        "the curves",
        lambda: run_rows(drawn.curves),
        "training.csv",
        key="train_curves_numbers",
        note=(
            "low and high: 95 % interval (Wilson) of n validation images. The best is chosen on"
            " these images, so it is a little too high; the test set decides. Runs on one data set"
            " share their validation images, so chance separates them less than the intervals"
            " say. The CSV has every point."
        ),
        every=lambda: point_rows(drawn.curves),
    )


def in_words(curves: Sequence[RunCurves]) -> str:
    """The chart in words, for a screen reader."""
    rows = {row["run"]: row for row in run_rows(curves) if row["at"] == "latest"}
    parts = [
        f"{name}: {row['robust [%]']} % robust, {row['clean [%]']} % clean at step"
        f" {row['step']:,.0f}, epoch {row['epoch']}"
        for name, row in rows.items()
    ]
    return "Training curves. " + "; ".join(parts)
