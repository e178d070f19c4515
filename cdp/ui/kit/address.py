"""The query parameters of a page: those that a person opened are a link; those that the browser
still shows of our own are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import streamlit as st

from cdp.config.fields import quoted, split, written

RESERVED = ("embed", "embed_options")
"""Streamlit's own parameters."""
ECHO_SECONDS = 5.0
"""How long the browser may go on sending parameters that were replaced. Each of its messages
carries those that it has then: one that left before ours arrived would be taken for a link, and
would undo what was just typed."""


@dataclass(frozen=True)
class Param:
    """A query parameter that is no setting of a config. read: its value from text, raises ValueError
    that says what the text should be; instead: what happens then; attribute: of a page's state that
    keeps the value, its name where empty."""

    name: str
    default: Any
    read: Callable[[str], Any]
    write: Callable[[Any], str] = written
    attribute: str = ""
    instead: str = ""

    @property
    def kept_in(self) -> str:
        return self.attribute or self.name


def one_of(name: str, values: Collection[str], default: str, *, attribute: str = "") -> Param:
    """A parameter that takes one of some words."""
    return Param(name, default, lambda text: member(text, values), attribute=attribute)


def member(text: str, values: Collection[str]) -> str:
    """``text`` where it is one of some words. Raises ValueError that lists them."""
    if text not in values:
        raise ValueError(f"one of {', '.join(values)}")
    return text


def members(text: str, values: Collection[str]) -> tuple[str, ...]:
    """The words of ``text``, in the order of ``values``. Raises ValueError where one is none of
    them, or there is none."""
    parts = split(text)
    if not parts or not set(parts) <= set(values):
        raise ValueError(f"some of {', '.join(values)}")
    return tuple(value for value in values if value in parts)


def whole(name: str, low: int, high: int, default: int, *, attribute: str = "") -> Param:
    """A parameter that takes a whole number."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text[:9]) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return Param(name, default, read, attribute=attribute)


def switch(name: str, instead: str) -> Param:
    """A parameter that is on where the address does not say off."""

    def read(text: str) -> bool:
        return member(text, ("on", "off")) == "on"

    return Param(name, True, read, lambda on: "on" if on else "off", instead=instead)


def any_text(name: str, *, attribute: str = "", longest: int = 400) -> Param:
    """A parameter that takes any text of sane length, such as a name."""

    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError("a name")
        return text

    return Param(name, "", read, attribute=attribute, instead="it was left out")


def read_extras(params: Sequence[Param], texts: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Values by attribute, taken out of ``texts``, and a sentence for each unusable text."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for param in params:
        text = texts.pop(param.name, None)
        values[param.kept_in] = param.default
        if text is not None:
            try:
                values[param.kept_in] = param.read(text)
            except ValueError as error:
                instead = param.instead or f"{param.write(param.default)} is used"
                notes.append(f"{param.name}: {quoted(text)} is not {error}, so {instead}.")
    return values, notes


def write_extras(params: Sequence[Param], state: object) -> dict[str, str]:
    """What ``read_extras`` reads: every parameter that differs from its default."""
    values = [(param, getattr(state, param.kept_in)) for param in params]
    return {param.name: param.write(value) for param, value in values if value != param.default}


def read_params() -> dict[str, str]:
    """The page's own parameters, as the browser sent them."""
    sent = st.query_params.to_dict()
    return {name: value for name, value in sent.items() if name not in RESERVED}


@dataclass
class Address:
    """What a session last read from the address or wrote there, and what that replaced just now."""

    params: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _left: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def is_link(self, params: Mapping[str, str]) -> bool:
        """Whether these were opened by a person, and so tell the settings."""
        now = self.clock()
        self._left = [item for item in self._left if now - item[1] < ECHO_SECONDS]
        known = [self.params, *(old for old, _ in self._left)]
        return bool(params) and params not in known

    def take(self, params: Mapping[str, str]) -> None:
        """These are the parameters now."""
        if params != self.params:
            self._left.append((self.params, self.clock()))
            self.params = dict(params)

    def write(self, params: Mapping[str, str]) -> None:
        """Bring the browser's address in line."""
        self.take(params)
        if read_params() != self.params:
            sent = st.query_params.to_dict()
            reserved = {name: sent[name] for name in RESERVED if name in sent}
            st.query_params.from_dict(reserved | self.params)


class Linked(Protocol):
    """What a page keeps for a session and its address tells. turn: part of the controls' keys,
    which keep the values that they showed."""

    address: Address
    turn: int


T = TypeVar("T", bound=Linked)


def linked(
    key: str,
    from_params: Callable[[Mapping[str, str]], T],
    carry: Callable[[T, T], None] = lambda before, now: None,
) -> tuple[T, bool]:
    """What this session keeps under ``key``, and whether it was just read from the address, as it
    is at first and where that changed under the page.

    carry: (before, now) takes over what an address need not say.
    """
    params = read_params()
    before: T | None = st.session_state.get(key)
    if before is not None and not before.address.is_link(params):
        return before, False
    now = from_params(params)
    if before is not None:
        now.address, now.turn = before.address, before.turn + 1
        carry(before, now)
    now.address.take(params)
    st.session_state[key] = now
    return now, True
