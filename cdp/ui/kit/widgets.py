"""One control for one setting, drawn from what the config says of it and bound to the settings of a
page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import floor, log10
from typing import Any, Protocol

import streamlit as st
from pydantic import ValidationError

from cdp.config.fields import Field, written
from cdp.ui.kit.words import plain
from cdp.values.text import exact_text

FEW, SHORT = 3, 12
"""Up to this many choices of fewer letters than this stand side by side; others go into a list."""
FIRST_RUNG = 0.01
"""Of a slider in ratios that begins at 0."""
UNUSABLE = object()
"""What was written is no value of this setting."""
_MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


class Held(Protocol):
    """The settings that controls show and set."""

    flat: dict[str, Any]
    start: dict[str, Any]

    def key(self, name: str) -> str: ...

    def put(self, name: str, value: Any) -> None: ...


def control(field: Field, settings: Held, *, empty: str = "", ratio: bool = False) -> None:
    """The control that fits the setting. empty: what an optional number stands for where it is left
    empty; ratio: a slider whose steps are even in ratio."""
    if field.kind == "choice":
        choice(field, settings, field.choices, title=field.title)
    elif field.kind == "flag":
        value = bool(settings.flat[field.name])
        st.toggle(field.heading, value, help=field.tooltip, **bound(field, settings))
    elif field.kind == "text" or field.listed:
        text_of(field, settings)
    elif field.optional:
        optional_number(field, settings, empty or field.empty)
    elif ratio:
        on_ladder(field, settings)
    else:
        number_of(field, settings)


def bound(
    field: Field, settings: Held, read: Callable[[Any], Any] = lambda value: value
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``settings``."""
    key = settings.key(field.name)
    return {"key": key, "on_change": lambda: settings.put(field.name, read(st.session_state[key]))}


def choice(
    field: Field,
    settings: Held,
    options: Sequence[Any],
    *,
    title: Callable[[Any], str] | None = None,
    titles: Mapping[Any, str] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """One of ``options``, in a list. title: how the options of a fixed choice are written, which
    stand side by side where they are few and short; titles: how some of an open list are; after:
    called once another was chosen."""
    key, value = settings.key(field.name), settings.flat[field.name]
    written = title or (lambda option: (titles or {}).get(option, option))

    def changed() -> None:
        settings.put(field.name, st.session_state[key])
        if after is not None:
            after()

    common: dict[str, Any] = {
        "key": key,
        "help": field.tooltip,
        "on_change": changed,
        "format_func": written,
    }
    short = title and len(options) <= FEW and all(len(title(o)) < SHORT for o in options)
    if short:
        st.segmented_control(
            field.heading, options, default=value, required=True, width="stretch", **common
        )
    else:
        st.selectbox(field.heading, options, list(options).index(value), **common)


def pick(
    label: str,
    titles: Mapping[Any, str],
    value: Any,
    put: Callable[[Any], object],
    *,
    key: str,
    **more: Any,
) -> None:
    """One of some values that are no setting, in a list; none is chosen where ``value`` is none of
    them. titles: how each is written; put: takes another one; more: for the control."""
    options = list(titles)

    def changed() -> None:
        put(st.session_state[key])

    st.selectbox(
        label,
        options,
        options.index(value) if value in titles else None,
        key=key,
        on_change=changed,
        format_func=lambda option: titles.get(option, str(option)),
        **more,
    )


def name_or_path(
    field: Field, settings: Held, names: Sequence[str], titles: Mapping[str, str], **more: Any
) -> None:
    """One of some names, or a text such as a path that is typed; what is cleared stays as it
    was."""
    value = settings.flat[field.name]
    options = [*names, *([value] if value and value not in names else [])]

    def given(text: str | None) -> str:
        return (text or value).strip()[:400] or value

    st.selectbox(
        field.heading,
        options,
        options.index(value) if value in options else None,
        format_func=lambda name: titles.get(name, name),
        accept_new_options=True,
        **({"help": field.tooltip} | bound(field, settings, given) | more),
    )


def several(
    field: Field,
    settings: Held,
    options: Sequence[Any],
    *,
    title: Callable[[Any], str],
    placeholder: str,
    read: Callable[[Any], Any] = list,
) -> None:
    """Any of ``options``, up to as many as the setting takes, in the order of choosing. title: how
    an option is written; read: makes the value of those chosen."""
    st.multiselect(
        field.heading,
        options,
        [name for name in settings.flat[field.name] if name in options],
        max_selections=field.most,
        format_func=title,
        help=field.tooltip,
        placeholder=placeholder,
        **bound(field, settings, read),
    )


def on_ladder(field: Field, settings: Held, *, most: float | None = None) -> None:
    """A slider whose steps are even in ratio. most: an end below the setting's own."""
    # The rungs stay the same as long as the control does.
    st.select_slider(
        field.heading,
        rungs(field, settings.start[field.name], most),
        settings.flat[field.name],
        format_func=lambda v: f"{v:,}" if isinstance(v, int) else f"{v:g}",
        help=field.tooltip,
        **bound(field, settings),
    )


def rungs(field: Field, include: float, most: float | None = None) -> list[Any]:
    """The values of a slider in ratios, the ends and ``include`` among them; whole ones where the
    setting is whole, 0 where it takes that."""
    assert field.low is not None and field.high is not None  # whatever is on a ladder has limits
    high = field.high if most is None else float(most)
    first = field.low or FIRST_RUNG
    decades = range(floor(log10(first)), floor(log10(high)) + 1)
    steps = {float(f"{m * 10.0**d:.6g}") for d in decades for m in _MANTISSAS}
    ends = {first if field.low_open else float(field.low), high, float(include)}
    values = sorted({step for step in steps if first <= step <= high} | ends)
    return [int(v) for v in values if v == int(v)] if field.kind == "integer" else values


def span(name: str, low: Field, high: Field, settings: Held) -> None:
    """A slider with two ends, for two settings that are one range to a person; the heading is the
    name."""
    key = settings.key(name)

    def moved() -> None:
        bottom, top = st.session_state[key]
        settings.put(low.name, bottom)
        settings.put(high.name, top)

    st.slider(
        f"{name.capitalize()} :gray[{low.unit}]",
        low.low,
        high.high,
        (settings.flat[low.name], settings.flat[high.name]),
        step=0.01,
        key=key,
        on_change=moved,
        help=f"{high.tooltip}\n\n{low.tooltip}",
    )


def number_of(field: Field, settings: Held) -> None:
    """A slider for a share whose values are hundredths, a box for any other number."""
    whole = field.kind == "integer"
    kind = int if whole else float
    low: Any = None if field.low is None else kind(field.low)
    high: Any = None if field.high is None else kind(field.high)
    value: Any = kind(settings.flat[field.name])
    hundredths = not whole and _in_hundredths(field.default, settings.start[field.name])
    if hundredths and low is not None and high is not None and high <= 2:
        high = high - 0.01 if field.high_open else high
        low = low + 0.01 if field.low_open else low
        value = max(low, min(value, high))
        st.slider(
            field.heading, low, high, value, 0.01, help=field.tooltip, **bound(field, settings)
        )
    else:
        st.number_input(
            field.heading,
            low,
            high,
            value,
            1 if whole else _step(field.default),
            "%d" if whole else "%g",
            help=field.tooltip,
            # A cleared box keeps the value it had.
            **bound(field, settings, lambda given: value if given is None else given),
        )


def optional_number(
    field: Field, settings: Held, empty: str, put: Callable[[str, Any], None] | None = None
) -> None:
    """A box for a number that may be left empty; a fraction such as 8/255 is one too. empty: what
    that means, shown in its place; put: takes name and value in place of ``settings``.

    Not a number box, which an emptied value comes back to. Text that is no such number stands with
    a word on it and changes nothing.
    """
    key = settings.key(field.name)

    def changed() -> None:
        value = as_number(field, st.session_state[key])
        if value is not UNUSABLE:
            (put or settings.put)(field.name, value)

    text = st.text_input(
        field.heading,
        exact_text(settings.flat[field.name]),
        key=key,
        on_change=changed,
        placeholder=empty,
        help=field.tooltip,
        max_chars=40,
    )
    if as_number(field, text) is UNUSABLE:
        stays = exact_text(settings.flat[field.name]) or empty
        st.error(
            f"This is not {'a whole number' if field.kind == 'integer' else 'a number'}"
            f" {'' if field.low_open else 'from '}{field.range}, so {stays} stays."
        )


def text_of(field: Field, settings: Held) -> None:
    """A box for a text that the setting reads in its own way, such as values with commas between
    them; emptied it goes back to the default. What the setting does not take stands with its reason
    and changes nothing."""
    key = settings.key(field.name)

    def changed() -> None:
        value, wrong = _read_text(field, st.session_state[key])
        if not wrong:
            settings.put(field.name, value)

    present = (
        ", ".join(map(str, settings.flat[field.name]))
        if field.listed
        else settings.flat[field.name]
    )
    text = st.text_input(
        field.heading,
        present,
        key=key,
        on_change=changed,
        help=field.tooltip,
        max_chars=field.most if field.kind == "text" and field.most else 400,
    )
    wrong = _read_text(field, text)[1]
    if wrong:
        stays = written(settings.flat[field.name]) or "nothing"
        st.error(plain(f"{wrong[:1].upper()}{wrong[1:]}; {stays} stays."))


def _read_text(field: Field, text: str | None) -> tuple[Any, str]:
    """The value, JSON-ready, or why there is none."""
    given = (text or "").strip()
    try:
        value = field.read(given) if given else field.default
    except ValidationError as error:
        if field.listed:
            return None, f"{given[:40]} is not {field.expected}"
        return None, error.errors()[0]["msg"].removeprefix("Value error, ")
    return list(value) if isinstance(value, tuple) else value, ""


def as_number(field: Field, text: str | None) -> Any:
    """What a person wrote: None for nothing, ``UNUSABLE`` for what this setting does not take.
    2,000 and 8/255 are numbers."""
    given = (text or "").strip()
    if not given:
        return None
    above, slash, below = given.partition("/")
    try:
        value = (
            float(above) / float(below)
            if slash
            else given.replace(",", "")
            if field.kind == "integer"
            else given
        )
        return field.adapter.validate_python(value)
    except (ValueError, ZeroDivisionError, OverflowError):  # pydantic's is one
        return UNUSABLE


def _step(default: float) -> float | None:
    """One in the last decimal of a default that is finer than hundredths, so that plus and minus
    mean something."""
    return (
        None if _in_hundredths(default) else float(f"1e{Decimal(str(default)).as_tuple().exponent}")
    )


def _in_hundredths(*values: float) -> bool:
    return all(abs(round(value, 2) - value) < 1e-9 for value in values)
