"""What is drawn of the training curves and how: kept for the session, told by the address, set by a
row of controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from cdp.config.fields import quoted
from cdp.figures.curves import QUANTITIES, REACHES, X_AXES, Look

AXIS, SHOWN, SMOOTH, MEAN, LOG = "axis", "curves", "smooth", "mean", "log"
PARAMS = (AXIS, SHOWN, SMOOTH, MEAN, LOG)
"""Query parameters of the curves; none of them is a knob of a training."""
_KEY = "train_curves"
_PLAIN = Look()


@dataclass
class CurvesState:
    """look: what is drawn; turn: counts changes by others than a hand, since controls keep what
    they showed under a key."""

    look: Look = field(default_factory=Look)
    turn: int = 0


def curves_state() -> CurvesState:
    """Of this session."""
    held: CurvesState = st.session_state.setdefault(_KEY, CurvesState())
    return held


def to_params() -> dict[str, str]:
    """Query parameters of this session's curves: what differs from the beginning."""
    look = curves_state().look
    log = [name for name, on in (("x", look.log_x), ("y", look.log_y)) if on]
    values = {
        AXIS: look.x,
        SHOWN: ",".join(look.quantities),
        SMOOTH: str(look.smoothing),
        MEAN: "on" if look.mean else "off",
        LOG: ",".join(log),
    }
    plain = {
        AXIS: _PLAIN.x,
        SHOWN: ",".join(_PLAIN.quantities),
        SMOOTH: str(_PLAIN.smoothing),
        MEAN: "on",
        LOG: "",
    }
    return {name: value for name, value in values.items() if value != plain[name]}


def from_params(params: Mapping[str, str]) -> list[str]:
    """Set this session's curves to what an address tells; one sentence for each thing in it that
    cannot be used. Others' names are left alone."""
    found: dict[str, Any] = {}
    notes = []
    for name, text in params.items():
        if name not in PARAMS:
            continue
        value, allowed = _read(name, text)
        if value is None:
            notes.append(f"{name}: {quoted(text)} is not {allowed}, so it was left out.")
        else:
            found |= value
    held = curves_state()
    look = replace(_PLAIN, **found)
    if look != held.look:
        held.look = look
        held.turn += 1
    return notes


def _read(name: str, text: str) -> tuple[dict[str, Any] | None, str]:
    """The fields of ``Look`` that one parameter sets, None where it says nothing usable; and what
    it could say."""
    parts = [part for part in text.split(",") if part]
    if name == AXIS:
        return {"x": text} if text in X_AXES else None, f"one of {', '.join(X_AXES)}"
    if name == SHOWN:
        fine = bool(parts) and set(parts) <= set(QUANTITIES)
        return (
            {"quantities": tuple(q for q in QUANTITIES if q in parts)} if fine else None
        ), f"some of {', '.join(QUANTITIES)}"
    if name == SMOOTH:
        reaches = {str(reach): reach for reach in REACHES}
        return (
            {"smoothing": reaches[text]} if text in reaches else None
        ), f"one of {', '.join(reaches)}"
    if name == MEAN:
        return {"mean": text == "on"} if text in ("on", "off") else None, "on or off"
    return (
        {"log_x": "x" in parts, "log_y": "y" in parts}
        if set(parts)
        <= {
            "x",
            "y",
        }
        else None
    ), "x, y or x,y"


def controls(*, seeds: bool) -> Look:
    """The row above the curves. seeds: whether there are runs that a mean over seeds would join."""
    held = curves_state()
    with st.container(horizontal=True, vertical_alignment="bottom", key="train_curves_controls"):
        st.selectbox(
            "Against",
            list(X_AXES),
            list(X_AXES).index(held.look.x),
            format_func=X_AXES.__getitem__,
            width=190,
            **_bound("x", held),
        )
        st.selectbox(
            "Smoothing",
            REACHES,
            REACHES.index(held.look.smoothing),
            format_func=_reach,
            width=130,
            **_bound("smoothing", held),
            help=(
                "A weighted mean of a validation and earlier ones (exponential, debiased): the past"
                " of a curve never changes. The measured curve stays behind it, faint."
            ),
        )
        if seeds:
            st.toggle(
                "Mean over seeds",
                held.look.mean,
                **_bound("mean", held),
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
                default=list(held.look.quantities),
                format_func=QUANTITIES.__getitem__,
                **_bound("quantities", held),
            )
            st.toggle("Log x axis", held.look.log_x, **_bound("log_x", held))
            st.toggle(
                "Log losses and learning rate",
                held.look.log_y,
                help="Accuracies and the gap stay linear.",
                **_bound("log_y", held),
            )
    return held.look


def _bound(name: str, held: CurvesState) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``held``. Without any curve chosen all are
    drawn."""
    key = f"train_curves_{name}_{held.turn}"

    def changed() -> None:
        value = st.session_state[key]
        if name == "quantities":
            value = tuple(q for q in QUANTITIES if q in value) or tuple(QUANTITIES)
        held.look = replace(held.look, **{name: value})

    return {"key": key, "on_change": changed}


def _reach(reach: int) -> str:
    return "None" if reach == 1 else f"{reach} validations"
