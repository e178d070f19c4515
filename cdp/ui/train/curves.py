"""The live curves of training runs: drawn in place, so that zoom, hidden runs and what is under the
pointer outlast every new epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from cdp.errors import MissingError
from cdp.figures.curve_data import RunCurves, entries, point_rows, run_rows
from cdp.figures.curves import QUANTITIES, REACHES, X_AXES, Look, training_curves
from cdp.figures.palette import Sign
from cdp.results.history import history_of
from cdp.results.measured import groups_of
from cdp.ui.components.chart import load_plotly, pack, packed_chart
from cdp.ui.generate.results import to_csv
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
    moving = _moving(runs)
    st.fragment(_draw, run_every=POLL_SECONDS if moving else None)(
        run_ids, groups, look_of(settings), moving
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
    with st.container(horizontal=True, vertical_alignment="bottom", key="train_curves_controls"):
        st.selectbox(
            "Against",
            list(X_AXES),
            list(X_AXES).index(look.x),
            format_func=X_AXES.__getitem__,
            width=190,
            **_bound("axis", settings, turn),
        )
        st.selectbox(
            "Smoothing",
            REACHES,
            REACHES.index(look.smoothing),
            format_func=lambda reach: "None" if reach == 1 else f"{reach} validations",
            width=130,
            **_bound("smooth", settings, turn),
            help=(
                "A weighted mean of a validation and earlier ones (exponential, debiased): the past"
                " of a curve never changes. The measured curve stays behind it, faint."
            ),
        )
        if seeds:
            st.toggle(
                "Mean over seeds",
                look.mean,
                **_bound("mean", settings, turn),
                help=(
                    "Joins runs that differ in their seed only: their mean, and the 95 % interval"
                    " of the mean as a band."
                ),
            )
        with st.popover("View", width="content"):
            st.pills(
                "Curves",
                list(QUANTITIES),
                selection_mode="multi",
                default=list(look.quantities),
                format_func=QUANTITIES.__getitem__,
                **_bound("curves", settings, turn),
            )
            st.pills(
                "Log axes",
                ["x", "y"],
                selection_mode="multi",
                default=list(settings.log),
                format_func={"x": "x axis", "y": "Losses and learning rate"}.__getitem__,
                help="Accuracies and the gap stay linear.",
                **_bound("log", settings, turn),
            )


def _bound(name: str, settings: CurveLook, turn: int) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``settings``: what is the usual is left
    empty."""
    key = f"train_curves_{name}_{turn}"

    def changed() -> None:
        value = st.session_state[key]
        if name == "curves":
            value = tuple(q for q in QUANTITIES if q in value)
            value = () if len(value) == len(QUANTITIES) else value
        elif name == "log":
            value = tuple(axis for axis in "xy" if axis in value)
        elif name == "axis" and value == Look.x:
            value = ""
        setattr(settings, name, value)

    return {"key": key, "on_change": changed}


def signs_of(run_ids: Sequence[str], *, mean: bool) -> dict[str, Sign]:
    """For each of these runs the colour and mark that the curves draw it with; those of its mean
    where seeds are joined."""
    runs = there(run_ids)
    groups = groups_of(runs)
    curves = [RunCurves(run.id, run.name, groups[run.id], {}) for run in runs]
    return {run.id: entry.sign for entry in entries(curves, mean=mean) for run in entry.runs}


@dataclass(frozen=True)
class Drawn:
    """What a tick drew. state: what it was drawn from; curves: the points; packed: the chart, None
    before the first validation of any run."""

    state: tuple[object, ...]
    curves: list[RunCurves]
    packed: bytes | None
    notes: tuple[str, ...]


def drawn_from(
    runs: Sequence[Run], groups: Mapping[str, str], look: Look, before: Drawn | None = None
) -> Drawn:
    """The curves as they are now; ``before`` itself where nothing is new, which costs one stat a
    run."""
    read = [history_of(run.folder) for run in runs]
    state = (
        tuple((run.id, run.name, points.version) for run, points in zip(runs, read, strict=True)),
        tuple(groups.items()),
        look,
    )
    if before is not None and before.state == state:
        return before
    curves = [
        RunCurves(run.id, run.name, groups.get(run.id, run.id), points.columns)
        for run, points in zip(runs, read, strict=True)
    ]
    if not any(map(len, read)):
        return Drawn(state, curves, None, ())
    drawing = training_curves(curves, look)
    return Drawn(state, curves, pack(drawing.figure, alt=said(curves)), drawing.notes)


def there(run_ids: Sequence[str]) -> list[Run]:
    """The runs of these ids, without those that are gone."""
    runs = []
    for run_id in dict.fromkeys(run_ids):
        try:
            runs.append(get_run(run_id))
        except MissingError:
            continue
    return runs


def _moving(runs: Sequence[Run]) -> frozenset[str]:
    return frozenset(run.id for run in runs if not run.over)


def _draw(
    run_ids: tuple[str, ...], groups: dict[str, str], look: Look, moving: frozenset[str]
) -> None:
    runs = there(run_ids)
    if _moving(runs) != moving:
        st.rerun()
    drawn = st.session_state[_DRAWN] = drawn_from(runs, groups, look, st.session_state.get(_DRAWN))
    if drawn.packed is None:
        st.caption(
            "Nothing is validated yet: the curves begin with the first validation."
            if moving
            else "These runs ended before their first validation."
        )
        if moving:
            st.skeleton(height=320)
        return
    packed_chart(drawn.packed, key="train_curves_chart")
    for note in drawn.notes:
        st.caption(plain(note))
    _numbers(drawn.curves)


def said(curves: Sequence[RunCurves]) -> str:
    """The chart in words, for a screen reader."""
    rows = {row["run"]: row for row in run_rows(curves) if row["at"] == "latest"}
    parts = [
        f"{name}: {row['robust [%]']} % robust, {row['clean [%]']} % clean at step"
        f" {row['step']:,.0f}, epoch {row['epoch']}"
        for name, row in rows.items()
    ]
    return "Training curves. " + "; ".join(parts)


def _numbers(curves: Sequence[RunCurves]) -> None:
    """The table and every point, made when they are asked for."""
    numbers = st.expander("Numbers of the curves", key="train_curves_numbers", on_change="rerun")
    if not cast(bool, numbers.open):
        return
    with numbers:
        st.dataframe(run_rows(curves), hide_index=True, width="stretch")
        st.caption(
            "low and high: 95 % interval (Wilson) of a share of n validation images. The best was"
            " chosen on these images, so its figure is a little too high; the test set decides."
            " Runs on one data set share their validation images, so they differ by less than"
            " chance between independent samples."
        )
        st.download_button(
            "Download all points (CSV)",
            lambda: to_csv(point_rows(curves)),
            "training.csv",
            "text/csv",
            on_click="ignore",
            key="train_curves_csv",
        )
