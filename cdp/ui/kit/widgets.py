"""One control for one setting, drawn from what the config says of it and bound to the settings of a
page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from math import floor, log10
from typing import Any

import streamlit as st
from pydantic import ValidationError

from cdp.config.fields import Field, written
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.words import plain, sentence_of
from cdp.values.text import exact_text

FEW, SHORT = 3, 12
"""Up to this many choices of fewer letters than this stand side by side; others go into a list."""
FIRST_RUNG = 0.01
"""Of a slider in ratios that begins at 0."""
UNUSABLE = object()
"""What was written is no value of this setting."""
_MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def control(field: Field, settings: Settings[Any], *, empty: str = "", ratio: bool = False) -> None:
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
    field: Field,
    settings: Settings[Any],
    read: Callable[[Any], Any] = lambda value: value,
    *,
    shown: Any = None,
) -> dict[str, Any]:
    """Key and callback that bring a control's value into ``settings``. shown: what it is drawn
    with, where that is not the setting's own value."""
    name = field.name
    value = settings.flat[name] if shown is None else shown
    return reported(settings.key(name), value, partial(settings.put, name), read)


def reported(
    key: str,
    shown: Any,
    put: Callable[[Any], object],
    read: Callable[[Any], Any] = lambda value: value,
) -> dict[str, Any]:
    """Key and callback of a control. shown: the value that it is drawn with; put: takes another
    one; read: makes a value of what the control holds.

    A value that it showed or reported last is no choice. Streamlit calls the callback of a control
    with it where a button has set the settings anew, which gives the control another key, while a
    message of the browser still told the state under the old one.
    """
    last = shown

    def changed() -> None:
        nonlocal last
        value = read(st.session_state[key])
        if value != last:
            last = value
            put(value)

    return {"key": key, "on_change": changed}


def choice(
    field: Field,
    settings: Settings[Any],
    options: Sequence[Any],
    *,
    title: Callable[[Any], str] | None = None,
    titles: Mapping[Any, str] | None = None,
    after: Callable[[], None] | None = None,
) -> None:
    """One of ``options``. title: how those of a fixed choice are written, which stand side by side
    where they are few and short; titles: how some of an open list are; after: called once another
    was chosen."""

    def put(value: Any) -> None:
        settings.put(field.name, value)
        if after is not None:
            after()

    names = {o: title(o) if title else (titles or {}).get(o, o) for o in options}
    short = title and len(names) <= FEW and all(len(text) < SHORT for text in names.values())
    more: dict[str, Any] = {"key": settings.key(field.name), "help": field.tooltip}
    if short:
        more |= {"row": True, "width": "stretch"}
    pick(field.heading, names, settings.flat[field.name], put, **more)


def pick(
    label: str,
    titles: Mapping[Any, str],
    value: Any,
    put: Callable[[Any], object],
    *,
    key: str,
    row: bool = False,
    **more: Any,
) -> None:
    """One of some values, in a list or, with ``row``, side by side; none is chosen where ``value``
    is none of them. titles: how each is written; put: takes another one; more: for the control."""
    options = list(titles)
    more |= reported(key, value if value in titles else None, put)
    more["format_func"] = lambda option: titles.get(option, str(option))
    if row:
        st.segmented_control(label, options, default=value, required=True, **more)
    else:
        st.selectbox(label, options, options.index(value) if value in titles else None, **more)


def name_or_path(
    field: Field,
    settings: Settings[Any],
    names: Sequence[str],
    titles: Mapping[str, str],
    **more: Any,
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
    settings: Settings[Any],
    options: Sequence[Any],
    *,
    title: Callable[[Any], str],
    placeholder: str,
    read: Callable[[Any], Any] = list,
) -> None:
    """Any of ``options``, up to as many as the setting takes, in the order of choosing. title: how
    an option is written; read: makes the value of those chosen."""
    shown = [name for name in settings.flat[field.name] if name in options]
    st.multiselect(
        field.heading,
        options,
        shown,
        max_selections=field.most,
        format_func=title,
        help=field.tooltip,
        placeholder=placeholder,
        **bound(field, settings, read, shown=read(shown)),
    )


def on_ladder(field: Field, settings: Settings[Any], *, most: float | None = None) -> None:
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
    setting is whole, 0 where it takes that. One that may be negative has the same steps below 0."""
    assert field.low is not None and field.high is not None  # whatever is on a ladder has limits
    high = field.high if most is None else float(most)
    first = FIRST_RUNG if field.low <= 0 else field.low
    decades = range(floor(log10(first)), floor(log10(high)) + 1)
    steps = {float(f"{m * 10.0**d:.6g}") for d in decades for m in _MANTISSAS}
    ends = {first if field.low_open else float(field.low), high, float(include)}
    steps |= {-step for step in steps} if field.low < 0 else set()
    inside = {step for step in steps if field.low <= step <= high and abs(step) >= first}
    values = sorted(inside | ends | ({0.0} if field.low < 0 else set()))
    return [int(v) for v in values if v == int(v)] if field.kind == "integer" else values


def span(name: str, low: Field, high: Field, settings: Settings[Any]) -> None:
    """A slider with two ends, for two settings that are one range to a person; the heading is the
    name."""

    def put(ends: tuple[float, float]) -> None:
        for part, end in zip((low, high), ends, strict=True):
            settings.put(part.name, end)

    label, about = f"{name.capitalize()} ({low.unit})", f"{high.tooltip}\n\n{low.tooltip}"
    value = settings.flat[low.name], settings.flat[high.name]
    more = reported(settings.key(name), value, put) | {"step": 0.01, "help": about}
    st.slider(label, low.low, high.high, value, **more)


def number_of(field: Field, settings: Settings[Any]) -> None:
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
            field.heading,
            low,
            high,
            value,
            0.01,
            help=field.tooltip,
            **bound(field, settings, shown=value),
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
    field: Field,
    settings: Settings[Any],
    empty: str,
    put: Callable[[str, Any], None] | None = None,
) -> None:
    """A box for a number that may be left empty; a fraction such as 8/255 is one too. empty: what
    that means, shown in its place; put: takes name and value in place of ``settings``.

    Not a number box, which an emptied value comes back to.
    """
    kind = "a whole number" if field.kind == "integer" else "a number"
    wrong = f"this is not {kind} {'' if field.low_open else 'from '}{field.range}"

    def read(text: str) -> tuple[Any, str]:
        value = as_number(field, text)
        return value, wrong if value is UNUSABLE else ""

    shown = exact_text(settings.flat[field.name])
    _typed(field, settings, shown, read, put, stays=shown or empty, placeholder=empty, max_chars=40)


def text_of(field: Field, settings: Settings[Any]) -> None:
    """A box for a text that the setting reads in its own way, such as values with commas between
    them; emptied it goes back to the default."""
    value = settings.flat[field.name]
    shown = ", ".join(map(str, value)) if field.listed else value
    most = field.most if field.kind == "text" and field.most else 400

    def read(text: str) -> tuple[Any, str]:
        return _read_text(field, text)

    _typed(field, settings, shown, read, stays=written(value) or "nothing", max_chars=most)


def _typed(
    field: Field,
    settings: Settings[Any],
    shown: str,
    read: Callable[[str], tuple[Any, str]],
    put: Callable[[str, Any], None] | None = None,
    *,
    stays: str,
    **more: Any,
) -> None:
    """A box for a text. read: its value, and why there is none: what cannot be used stands with its
    reason and changes nothing. stays: the value as people read it."""

    def typed(text: str) -> None:
        value, wrong = read(text)
        if not wrong:
            (put or settings.put)(field.name, value)

    more |= reported(settings.key(field.name), shown, typed, lambda text: text or "")
    more["help"] = field.tooltip
    if wrong := read(st.text_input(field.heading, shown, **more) or "")[1]:
        st.error(plain(sentence_of(f"{wrong}, so {stays} stays")))


def _read_text(field: Field, text: str) -> tuple[Any, str]:
    """The value, JSON-ready, or why there is none."""
    given = text.strip()
    try:
        value = field.read(given) if given else field.default
    except ValidationError as error:
        if field.listed:
            return None, f"{given[:40]} is not {field.expected}"
        return None, error.errors()[0]["msg"].removeprefix("Value error, ")
    return list(value) if isinstance(value, tuple) else value, ""


def as_number(field: Field, text: str) -> Any:
    """What a person wrote: None for nothing, ``UNUSABLE`` for what this setting does not take.
    2,000 and 8/255 are numbers."""
    given = text.strip()
    if not given:
        return None
    above, slash, below = given.partition("/")
    try:
        whole = given.replace(",", "") if field.kind == "integer" else given
        return field.adapter.validate_python(float(above) / float(below) if slash else whole)
    except (ValueError, ZeroDivisionError, OverflowError):  # pydantic's is one
        return UNUSABLE


def _step(default: float) -> float | None:
    """One in the last decimal of a default that is finer than hundredths, so that plus and minus
    mean something."""
    exponent = Decimal(str(default)).as_tuple().exponent
    return None if _in_hundredths(default) else float(f"1e{exponent}")


def _in_hundredths(*values: float) -> bool:
    return all(abs(round(value, 2) - value) < 1e-9 for value in values)
