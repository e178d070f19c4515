"""How a page asks for what takes seconds: from this session's memory, else from the cache, else of a
helper process, with progress, time left, cancel, and what went wrong. What nobody waits for any
more is taken back."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import streamlit as st

from cdp import paths
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work.helper import Errand, Side

POLL_SECONDS = 0.4
KEPT = 24
"""Results a session holds in memory; all of them lie on disk as well."""
RELOAD = 10.0
"""Seconds that a new helper process takes to load torch on a busy machine: what has less left is
let finish, or ending it would cost more than it saves."""
_RESULTS, _ASKED = "ask_results", "ask_asked"
Kind = Literal["maps", "looks"]
T = TypeVar("T")


@st.cache_resource(show_spinner=False)
def side(kind: Kind) -> Side:
    """One process for UMAP, whose preparation takes long, and one for everything that should not
    wait for it. Nothing is started here."""
    return Side()


@dataclass
class Waiting:
    """What a view waits for: errands with the title of each and the process that does it."""

    errands: list[tuple[str, Kind, Errand]] = field(default_factory=list)

    def ask(
        self,
        title: str,
        name: str,
        payload: dict[str, Any],
        *,
        process: Kind = "looks",
        what: str = "",
        size: int = 1,
        of: str = "",
    ) -> Errand:
        """Have it done, or find it on its way. what, size: on which its duration depends; of: what
        else the result depends on, such as the state of a file."""
        errand = side(process).ask(name, payload, kind=what, size=size, of=of)
        self.errands.append((title, process, errand))
        return errand

    def result(self, title: str, name: str, payload: dict[str, Any], **more: Any) -> Any:
        """What the helper answers, None until it has; not shown as waited for once it has."""
        errand = self.ask(title, name, payload, **more)
        if errand.state != "done":
            return None
        self.errands.pop()
        return errand.result

    def show(self, key: str) -> None:
        """Draw the progress; see ``waiting``."""
        waiting(self.errands, key=key)


def remembered(name: str, read: Callable[[], T | None], *, missing: bool = False) -> T | None:
    """From this session's memory, else read. What is not there is remembered only where ``missing``
    says that it will not come."""
    store: OrderedDict[str, Any] = st.session_state.setdefault(_RESULTS, OrderedDict())
    if name in store:
        store.move_to_end(name)
        value: T | None = store[name]
        return value
    value = read()
    if value is not None or missing:
        store[name] = value
        while len(store) > KEPT:
            store.popitem(last=False)
    return value


def take_back(of: str, wanted: Sequence[Errand]) -> None:
    """Withdraw what this session asked for before and does not want any more. of: the page."""
    asked: dict[str, list[Errand]] = st.session_state.setdefault(_ASKED, {})
    outdated = [one for one in asked.get(of, ()) if one not in wanted and not one.over]
    for errand in outdated:
        withdraw(side("looks"), errand)
    asked[of] = [*wanted, *(errand for errand in outdated if not errand.over)]


def withdraw(helper: Side, errand: Errand) -> None:
    """Cancel an errand that waits, or one that would go on for long. Another tab that wants the
    same asks anew."""
    spent = 0.0 if errand.began is None else time.monotonic() - errand.began
    left = errand.seconds_left
    if errand.state == "queued" or (left if left is not None else spent) > RELOAD:
        helper.cancel(errand)
        helper.forget(errand)


def waiting(errands: Sequence[tuple[str, Kind, Errand]], *, key: str) -> None:
    """Progress of what is on its way, each under its title; once one of them is over the whole page
    is drawn anew.

    What failed or was cancelled says so, with a button to try again; so does what was done and is
    not in the cache.
    """
    moving = [entry for entry in errands if not entry[2].over]
    for number, (title, kind, errand) in enumerate(errands):
        if not errand.over:
            continue
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_over_{number}"):
            (st.info if errand.state == "cancelled" else st.error)(
                plain(ending(title, errand)), width="stretch"
            )
            st.button(
                "Try again", key=f"{key}_again_{number}", on_click=side(kind).forget, args=(errand,)
            )
    if moving:
        st.fragment(_poll, run_every=POLL_SECONDS)(moving, key)


def _poll(moving: Sequence[tuple[str, Kind, Errand]], key: str) -> None:
    for number, (title, kind, errand) in enumerate(moving):
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_{number}"):
            st.progress(errand.progress, line(title, errand), width="stretch")
            st.button(
                "Cancel", key=f"{key}_cancel_{number}", on_click=side(kind).cancel, args=(errand,)
            )
    if any(errand.over for _, _, errand in moving):
        st.rerun()


def ending(title: str, errand: Errand) -> str:
    """How an errand ended whose result is not there."""
    if errand.state == "cancelled":
        return f"{title}: cancelled."
    if errand.state == "failed":
        return f"{title}: {errand.error}."
    return (
        f"{title}: done, but the result could not be kept under {paths.cache_dir()}: make it"
        " writable, or free some disk space."
    )


def line(title: str, errand: Errand) -> str:
    """One line on where an errand stands."""
    if errand.state == "queued":
        return f"{title}: waiting for the one before it"
    left = errand.seconds_left
    told = (
        f"{title}: {errand.words}"
        if errand.words and not errand.words.startswith(title)
        else errand.words or title
    )
    return told if left is None else f"{told}, about {duration(left)} left"
