"""The query parameters of a page: those that a person opened are a link; those that the browser
still shows of our own are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import streamlit as st

from cdp.ui.kit.links import RESERVED

ECHO_SECONDS = 5.0
"""How long the browser may go on sending parameters that were replaced. Each of its messages
carries those that it has then: one that left before ours arrived would be taken for a link, and
would undo what was just typed."""


def read_params() -> dict[str, str]:
    """The page's own parameters, as the browser sent them."""
    return {
        name: value for name, value in st.query_params.to_dict().items() if name not in RESERVED
    }


@dataclass
class Address:
    """What a session last read from the address or wrote there, and what that replaced a moment
    ago."""

    params: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _left: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def is_link(self, params: Mapping[str, str]) -> bool:
        """Whether these were opened by a person, and so tell the settings."""
        self._left = [
            (old, since) for old, since in self._left if self.clock() - since < ECHO_SECONDS
        ]
        return (
            bool(params) and params != self.params and all(params != old for old, _ in self._left)
        )

    def take(self, params: Mapping[str, str]) -> None:
        """These are the parameters now."""
        if params != self.params:
            self._left.append((self.params, self.clock()))
            self.params = dict(params)

    def write(self, params: Mapping[str, str]) -> None:
        """Bring the browser's address in line."""
        self.take(params)
        current = st.query_params.to_dict()
        if read_params() != self.params:
            st.query_params.from_dict(
                {name: value for name, value in current.items() if name in RESERVED} | self.params
            )


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
    """What this session holds under ``key``, and whether it was just read from the address, as it
    is at first and where that changed under the page.

    carry: (before, now) takes over what an address need not say.
    """
    params = read_params()
    held: T | None = st.session_state.get(key)
    if held is not None and not held.address.is_link(params):
        return held, False
    said = from_params(params)
    if held is not None:
        said.address, said.turn = held.address, held.turn + 1
        carry(held, said)
    said.address.take(params)
    st.session_state[key] = said
    return said, True
