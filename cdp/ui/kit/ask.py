"""How a page asks for what takes seconds: from this session's memory, else from the cache, else of
a helper process, with progress, time left, cancel, and what went wrong. What nobody waits for any
more is taken back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from cdp import paths
from cdp.ui.kit.frame import steady
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work.helper import Errand, Helper
from cdp.work.registry import TASKS

POLL_SECONDS = 0.4
KEPT = 24
"""Results a session holds in memory; all of them lie on disk as well."""
RELOAD = 10.0
"""Seconds that a new helper process takes to load torch on a busy machine: what has less left is
let finish, or ending it would cost more than it saves."""
_RESULTS, _ASKED, _DONE = "ask_results", "ask_asked", "ask_done"
LANES = ("maps", "looks", "now")
T = TypeVar("T")


@st.cache_resource(show_spinner=False)
def side(lane: str) -> Helper:
    """The helper process of a lane: one for UMAP, whose preparation takes long, one for what
    somebody waits for who has just clicked, and one for the rest. Nothing is started here."""
    return Helper()


def ask(
    name: str,
    settings: dict[str, Any],
    *,
    title: str = "",
    what: str = "",
    size: int = 1,
    of: str = "",
) -> Errand:
    """Have a task of the helpers done, or find it on its way. title: where it is not the task's
    own; what, size: on which its duration depends; of: what else the result depends on, such as
    the state of a file."""
    task = TASKS[name]
    return side(task.lane).ask(
        name,
        settings,
        kind=what,
        size=size,
        of=of,
        title=title or task.title,
        urgent=task.urgent,
        lasting=task.lasting,
    )


@dataclass
class Waiting:
    """What a view waits for."""

    errands: list[Errand] = field(default_factory=list)

    def ask(self, title: str, name: str, settings: dict[str, Any], **more: Any) -> Errand:
        """As ``ask``."""
        errand = ask(name, settings, title=title, **more)
        self.errands.append(errand)
        return errand

    def result(self, title: str, name: str, settings: dict[str, Any], **more: Any) -> Any:
        """What the helper answers, None until it has; not shown as waited for once it has."""
        errand = self.ask(title, name, settings, **more)
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
    outdated = [item for item in asked.get(of, ()) if item not in wanted and not item.over]
    for errand in outdated:
        withdraw(errand)
    asked[of] = [*wanted, *(errand for errand in outdated if not errand.over)]


def withdraw(errand: Errand) -> None:
    """Cancel an errand that waits, or one that would go on for long. Another tab that wants the
    same asks anew."""
    left = errand.seconds_left
    if errand.state == "queued" or (left if left is not None else errand.spent) > RELOAD:
        errand.cancel()
        errand.forget()


def waiting(errands: Sequence[Errand], *, key: str) -> None:
    """Progress of what is on its way, each under its title; once one of them is over the whole page
    is drawn anew.

    What failed or was cancelled says so, with a button to try again; so does what was done and is
    not in the cache.
    """
    over = [errand for errand in errands if errand.over]
    moving = [errand for errand in errands if errand not in over]
    if any(errand.forgotten for errand in errands) or _done_since(over):
        # Forgotten: taken back as nobody had looked for long, so long did this page take to draw.
        st.rerun()
    with steady():
        for number, errand in enumerate(over):
            _ended(errand, f"{key}_over_{number}", f"{key}_again_{number}")
        if moving:
            st.fragment(_poll, run_every=POLL_SECONDS)(moving, key)


def _done_since(over: Sequence[Errand]) -> bool:
    """Whether one was done after this page run had looked for its result. The page looks once more;
    what it does not find then could not be kept."""
    before: set[str] = st.session_state.setdefault(_DONE, set())
    new = {errand.id for errand in over if errand.state == "done"} - before
    before |= new
    return bool(new)


def _ended(errand: Errand, row: str, again: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=row):
        say = st.info if errand.state == "cancelled" else st.error
        say(plain(ending(errand)), width="stretch")
        st.button("Try again", key=again, on_click=errand.forget)


def _poll(moving: Sequence[Errand], key: str) -> None:
    for number, errand in enumerate(moving):
        errand.watch()
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_{number}"):
            st.progress(errand.progress, line(errand), width="stretch")
            st.button("Cancel", key=f"{key}_cancel_{number}", on_click=errand.cancel)
    if any(errand.over for errand in moving):
        st.rerun()


def ending(errand: Errand) -> str:
    """How an errand ended whose result is not there."""
    if errand.state == "cancelled":
        return f"{errand.title}: cancelled."
    if errand.state == "failed":
        return f"{errand.title}: {errand.error}."
    return (
        f"{errand.title}: done, but the result could not be kept under {paths.cache_dir()}: make it"
        " writable, or free some disk space."
    )


def line(errand: Errand) -> str:
    """One line on where an errand stands."""
    title, words, left = errand.title, errand.words, errand.seconds_left
    if errand.state == "queued":
        first = errand.waiting_for
        return f"{title}: waiting for {first}" if first else f"{title}: next"
    step = f"{title}: {words}" if words and not words.startswith(title) else words or title
    return step if left is None else f"{step}, about {duration(left)} left"
