"""The left column of the Theory page: every knob of the model that does something in the view that
is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cdp.config.fields import Field, fields_of
from cdp.config.theory import LEARNERS, TheoryConfig
from cdp.config.titles import TITLES
from cdp.ui.kit.widgets import bound, choice, number_of, on_ladder
from cdp.ui.theory.state import PLAIN, Theory

GROUPS = {
    "Real classes and attack": ("norm", "epsilon", "dim", "nonzero", "profile", "size", "sigma"),
    "Synthetic classes": ("separation", "angle", "strength", "label_noise"),
    "Learner": ("learner", "n", "target"),
}
ADVANCED = ("noise", "covariance", "correlation", "ridge", "draws", "seed")
RATIOS = ("epsilon", "dim", "nonzero", "size", "sigma", "separation", "noise", "ridge", "n")
"""Felt in ratios, so the steps of their sliders are."""
AVERAGES, TRAINED = ("averaging", "l2-optimal"), "adversarial-logistic"


def form(held: Theory) -> None:
    """All controls, top to bottom."""
    with st.container(key="theory_form", gap="small"):
        for number, (title, names) in enumerate(GROUPS.items()):
            with st.container(key=f"theory_group_{number}", gap="xsmall"):
                st.subheader(title, anchor=False)
                for name in names:
                    _control(name, held)
        _advanced(held)


def relevant(name: str, flat: Mapping[str, Any], view: str) -> bool:
    """Whether a knob does anything in this view under these settings; those that do not are not
    shown."""
    rules = {
        "separation": view != "images",
        "angle": view not in ("guided", "images"),
        "strength": view == "guided",
        "target": view == "needed",
        "n": view != "needed",
        # An average at the same separation has the same direction whatever its scale.
        "noise": view in ("picture", "coordinates") or flat["learner"] not in AVERAGES,
        "draws": view in ("curves", "guided") and flat["learner"] != TRAINED,
        "seed": view not in ("map", "needed", "images"),
    }
    return rules.get(name, True) and counts(name, flat)


def counts(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether a knob does anything under these settings in any view."""
    rules = {
        "profile": flat["nonzero"] > 1,
        "correlation": flat["covariance"] == "correlated",
        "ridge": flat["learner"] == TRAINED,
    }
    return rules.get(name, True)


def _control(name: str, held: Theory) -> None:
    if not relevant(name, held.flat, held.view):
        return
    field = fields_of(TheoryConfig)[name]
    if name == "learner":
        choice(field, held, LEARNERS[held.flat["norm"]], titles=TITLES)
    elif field.kind == "choice":
        choice(field, held, field.choices, title=field.title)
    elif name == "angle":
        _angle(field, held)
    elif name in RATIOS:
        _ratio(field, held)
    elif field.low_open:
        _share(field, held)
    else:
        number_of(field, held)


def _ratio(field: Field, held: Theory) -> None:
    """A slider whose steps are even in ratio."""
    on_ladder(field, held, most=held.flat["dim"] if field.name == "nonzero" else None)


def _angle(field: Field, held: Theory) -> None:
    """Degrees, whole ones; in one dimension there are two."""
    value = float(held.flat["angle"])
    if held.flat["dim"] == 1:
        st.segmented_control(
            field.heading,
            [0.0, 180.0],
            default=value,
            required=True,
            format_func=lambda v: f"{v:g}",
            help=field.tooltip,
            width="stretch",
            **bound(field, held),
        )
        return
    st.slider(
        field.heading,
        field.low,
        field.high,
        value,
        step=1.0,
        format="%g",
        help=field.tooltip,
        **bound(field, held),
    )


def _share(field: Field, held: Theory) -> None:
    """A share that excludes its ends, in hundredths."""
    assert field.high is not None
    start = {0.01, float(held.start[field.name])}
    steps = sorted({round(k / 100, 2) for k in range(1, 100)} | start)
    st.select_slider(
        field.heading,
        steps,
        float(held.flat[field.name]),
        format_func=lambda v: f"{v:g}",
        help=field.tooltip,
        **bound(field, held),
    )


def _advanced(held: Theory) -> None:
    moved = sum(held.flat[name] != PLAIN[name] for name in ADVANCED)
    with st.expander(
        "Advanced settings" + (f" ({moved} changed)" if moved else ""), key="theory_advanced"
    ):
        for name in ADVANCED:
            _control(name, held)
