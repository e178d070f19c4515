"""One control for one knob, drawn from what the config says of it and bound to the settings of a
page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import streamlit as st
from pydantic import ValidationError

from cdp.ui.kit.fields import Field, ladder
from cdp.ui.kit.held import Held
from cdp.ui.kit.words import plain
from cdp.values.text import exact_text

FEW, SHORT = 3, 12
"""Up to this many choices of fewer letters than this stand side by side; others go into a list."""
UNUSABLE = object()
"""What was written is no value of this knob."""


def key_of(name: str, held: Held) -> str:
    """A control is drawn with the present value as its default, and never set through the session:
    were the browser to miss that one message under load, the control would come up at its lowest
    value and report it as a person's choice."""
    return f"{held.prefix}_{name}" + (f"_{held.turn}" if held.turn else "")


def bound(
    field: Field, held: Held, read: Callable[[Any], Any] = lambda value: value
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``held``."""
    key = key_of(field.name, held)
    return {"key": key, "on_change": lambda: held.put(field.name, read(st.session_state[key]))}


def choice(
    field: Field,
    held: Held,
    options: Sequence[str],
    *,
    title: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """One of ``options``, in a list. title: how the options of a fixed choice are written, which
    stand side by side where they are few and short; titles: how some of an open list are; after:
    called once another was chosen."""
    key, value, names = key_of(field.name, held), held.flat[field.name], title or titles or {}

    def changed() -> None:
        held.put(field.name, st.session_state[key])
        if after is not None:
            after()

    def written(option: str) -> str:
        return names.get(option, option)

    if (
        title is not None
        and len(options) <= FEW
        and all(len(written(option)) < SHORT for option in options)
    ):
        st.segmented_control(
            field.heading,
            options,
            default=value,
            key=key,
            required=True,
            help=field.tooltip,
            on_change=changed,
            format_func=written,
            width="stretch",
        )
    else:
        st.selectbox(
            field.heading,
            options,
            list(options).index(value),
            key=key,
            help=field.tooltip,
            on_change=changed,
            format_func=written,
        )


def on_ladder(field: Field, held: Held) -> None:
    """A slider whose steps are even in ratio."""
    assert field.low is not None and field.high is not None  # every number on a ladder has limits
    # The rungs stay the same as long as the control does.
    rungs = ladder(field.low, field.high, held.start[field.name])
    value = float(held.flat[field.name])
    st.select_slider(
        field.heading,
        rungs,
        value,
        format_func=lambda v: f"{v:g}",
        help=field.tooltip,
        **bound(field, held),
    )


def number_of(field: Field, held: Held) -> None:
    """A slider for a share whose values are hundredths, a box for any other number."""
    whole = field.kind == "integer"
    value = int(held.flat[field.name]) if whole else float(held.flat[field.name])
    low, high = _limits(field)
    if (
        not whole
        and high is not None
        and high <= 2
        and _in_hundredths(field.default)
        and _in_hundredths(held.start[field.name])
    ):
        high = high - 0.01 if field.high_open else high
        st.slider(
            field.heading,
            low,
            high,
            min(value, high),
            step=0.01,
            help=field.tooltip,
            **bound(field, held),
        )
    else:
        # A cleared box keeps the value it had.
        kept = bound(field, held, lambda given: held.flat[field.name] if given is None else given)
        st.number_input(
            field.heading,
            low,
            high,
            value,
            step=1 if whole else _step(field.default),
            format=None if whole else "%g",
            help=field.tooltip,
            **kept,
        )


def optional_number(
    field: Field, held: Held, empty: str, put: Callable[[str, Any], None] | None = None
) -> None:
    """A box for a number that may be left empty; a fraction such as 8/255 is one too. empty: what
    that means, shown in its place; put: takes name and value in place of ``held``.

    Not a number box, which an emptied value comes back to. Text that is no such number stands with
    a word on it and changes nothing.
    """
    key = key_of(field.name, held)

    def changed() -> None:
        value = as_number(field, st.session_state[key])
        if value is not UNUSABLE:
            (put or held.put)(field.name, value)

    text = st.text_input(
        field.heading,
        exact_text(held.flat[field.name]),
        key=key,
        on_change=changed,
        placeholder=empty,
        help=field.tooltip,
        max_chars=40,
    )
    if as_number(field, text) is UNUSABLE:
        stays = exact_text(held.flat[field.name]) or empty
        st.error(
            f"This is not {'a whole number' if field.kind == 'integer' else 'a number'}"
            f" {'' if field.low_open else 'from '}{field.range}, so {stays} stays."
        )


def text_of(field: Field, held: Held) -> None:
    """A box for a text that the knob reads in its own way; emptied it goes back to the default.
    What the knob does not take stands with its reason and changes nothing."""
    key = key_of(field.name, held)

    def changed() -> None:
        value, wrong = _read_text(field, st.session_state[key])
        if not wrong:
            held.put(field.name, value)

    text = st.text_input(
        field.heading,
        held.flat[field.name],
        key=key,
        on_change=changed,
        help=field.tooltip,
        max_chars=40,
    )
    wrong = _read_text(field, text)[1]
    if wrong:
        st.error(plain(f"{wrong[:1].upper()}{wrong[1:]}; {held.flat[field.name]} stays."))


def _read_text(field: Field, text: str | None) -> tuple[Any, str]:
    """The value, or why there is none."""
    try:
        return field.adapter.validate_python((text or "").strip() or field.default), ""
    except ValidationError as error:
        return None, error.errors()[0]["msg"].removeprefix("Value error, ")


def as_number(field: Field, text: str | None) -> Any:
    """What a person wrote: None for nothing, ``UNUSABLE`` for what this knob does not take. 2,000
    and 8/255 are numbers."""
    plain = (text or "").strip()
    if not plain:
        return None
    above, slash, below = plain.partition("/")
    try:
        value = (
            float(above) / float(below)
            if slash
            else plain.replace(",", "")
            if field.kind == "integer"
            else plain
        )
        return field.adapter.validate_python(value)
    except (ValueError, ZeroDivisionError, OverflowError):  # pydantic's is one
        return UNUSABLE


def several(
    field: Field,
    held: Held,
    options: Sequence[str],
    *,
    title: Callable[[str], str],
    placeholder: str,
) -> None:
    """Any of ``options``, up to as many as the knob takes, in the order of choosing. title: how an
    option is written."""
    chosen = [name for name in held.flat[field.name] if name in options]
    st.multiselect(
        field.heading,
        options,
        chosen,
        max_selections=field.most,
        format_func=title,
        help=field.tooltip,
        placeholder=placeholder,
        **bound(field, held, list),
    )


def _limits(field: Field) -> tuple[Any, Any]:
    """The limits in the type that a box wants."""
    low, high = (
        (None if limit is None else int(limit) if field.kind == "integer" else limit)
        for limit in (field.low, field.high)
    )
    return low, high


def _step(default: float) -> float | None:
    """One in the last decimal of a default that is finer than hundredths, so that plus and minus
    mean something."""
    return (
        None if _in_hundredths(default) else float(f"1e{Decimal(str(default)).as_tuple().exponent}")
    )


def _in_hundredths(value: float) -> bool:
    return abs(round(value, 2) - value) < 1e-9
