"""One control for one knob, drawn from what the config says of it and bound to the settings of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import streamlit as st

from cdp.ui.fields import Field, ladder

FEW, SHORT = 3, 12
"""Up to this many choices of fewer letters than this stand side by side; others go into a list."""


class Holder(Protocol):
    """The settings of a page. flat: values by name; start: those at the beginning of ``turn``, which counts changes by others than a hand.
    prefix: of the controls' keys."""

    flat: dict[str, Any]
    start: dict[str, Any]
    turn: int
    prefix: str

    def put(self, name: str, value: Any) -> None: ...


def key_of(name: str, held: Holder) -> str:
    """A control is drawn with the present value as its default, and never set through the session: were the browser to miss that one
    message under load, the control would come up at its lowest value and report it as a person's choice."""
    return f"{held.prefix}_{name}" + (f"_{held.turn}" if held.turn else "")


def bound(field: Field, held: Holder, read: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``held``."""
    key = key_of(field.name, held)
    return {"key": key, "on_change": lambda: held.put(field.name, read(st.session_state[key]))}


def choice(
    field: Field, held: Holder, options: Sequence[str], *, title: Mapping[str, str] | None = None, after: Callable[[], None] | None = None
) -> None:
    """One of ``options``; few short ones stand side by side. title: how an option is written; after: called once another was chosen."""
    key, value, names = key_of(field.name, held), held.flat[field.name], title or {}

    def changed() -> None:
        held.put(field.name, st.session_state[key])
        if after is not None:
            after()

    def written(option: str) -> str:
        return names.get(option, option)

    if title is not None and len(options) <= FEW and all(len(written(option)) < SHORT for option in options):
        st.segmented_control(
            field.heading, options, default=value, key=key, required=True, help=field.tooltip, on_change=changed, format_func=written,
            width="stretch",
        )  # fmt: skip
    else:
        st.selectbox(
            field.heading, options, list(options).index(value), key=key, help=field.tooltip, on_change=changed, format_func=written
        )


def on_ladder(field: Field, held: Holder) -> None:
    """A slider whose steps are even in ratio."""
    assert field.low is not None and field.high is not None  # every number on a ladder has limits
    # The rungs stay the same as long as the control does.
    rungs = ladder(field.low, field.high, held.start[field.name])
    value = float(held.flat[field.name])
    st.select_slider(field.heading, rungs, value, format_func=lambda v: f"{v:g}", help=field.tooltip, **bound(field, held))


def number_of(field: Field, held: Holder) -> None:
    """A slider for a number in a short range, a box for any other."""
    whole = field.kind == "integer"
    value = int(held.flat[field.name]) if whole else float(held.flat[field.name])
    low, high = (None if limit is None else int(limit) if whole else limit for limit in (field.low, field.high))
    if field.high_open and high is not None:
        high = high - 0.01
    if not whole and high is not None and high <= 2:
        st.slider(field.heading, low, high, min(value, high), step=0.01, help=field.tooltip, **bound(field, held))
    else:
        # A cleared box keeps the value it had.
        kept = bound(field, held, lambda given: held.flat[field.name] if given is None else given)
        st.number_input(
            field.heading, low, high, value, step=1 if whole else None, format=None if whole else "%g", help=field.tooltip, **kept
        )
