"""Paths that a link names. Anybody can write a link, so what one names and no list of this app has
is said on the page, and opened only once a person pressed the button that names it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from cdp import paths
from cdp.config.fields import fields_of
from cdp.models.checkpoints import written_path
from cdp.ui.kit.frame import steady
from cdp.ui.kit.words import plain
from cdp.values.text import joined

UNDECIDED = "the link names a path that was not opened: open it above, or choose something else"
"""Why nothing starts meanwhile."""
_ASKED = "asked_paths"
_MOST_NAMED = 60
"""Letters of a path on the button; the sentence above it has all of them."""


def ask_for(texts: Iterable[object]) -> None:
    """A person typed these, or pressed the button that names them: in this session they are
    opened."""
    st.session_state.setdefault(_ASKED, set()).update(map(str, texts))


def unasked(texts: Iterable[str]) -> list[str]:
    """Those that would be opened as a path though no list has them and nobody asked for them in this
    session. Looks whether something is there, and opens nothing."""
    named = [text for text in texts if _is_path(text)]
    if not named:
        return []
    from cdp.ui.kit.choices import read_choices

    known = read_choices().names | st.session_state.get(_ASKED, set())
    unlisted = [text for text in named if not {text, written_path(Path(text))} & known]
    used = _used() if unlisted else set()
    return [text for text in unlisted if text not in used]


def _used() -> set[str]:
    """What the runs that are listed here were started with."""
    from cdp.work.records import list_runs

    settings = (run.config.model_dump(mode="json") for run in list_runs() if run.config is not None)
    return {text for given in settings for text in texts_in(given)}


def _is_path(text: str) -> bool:
    """Whether more than a name in the app's own lists is behind a text: it leads through folders, or
    something is called so where the app was started or lies."""
    from cdp.tasks.sources import SPLITS  # Home is painted without it

    stem, _, split = text.rpartition(":")
    name = stem if split in SPLITS else text
    if not name:
        return False
    if name[0] in "~." or {"/", "\\", "\0"} & set(name) or os.path.splitdrive(name)[0]:
        return True
    try:
        return any(os.path.lexists(folder / name) for folder in (Path(), paths.ROOT))
    except (OSError, ValueError):
        return True


def texts_in(value: Any, names: Iterable[str] = (), name: str = "") -> Iterator[str]:
    """The texts of settings, which may lie in one another, whose name is one of ``names``; without
    them, all that name what a stage of an experiment opens."""
    names = names or _opening()
    if isinstance(value, Mapping):
        for key, part in value.items():
            last = str(key).rpartition(".")[2]  # such as model of generate.model, of a grid
            yield from texts_in(part, names, last)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_in(part, names, name)
    elif isinstance(value, str) and name in names:
        yield value


@cache
def _opening() -> frozenset[str]:
    from cdp.config.experiment import STAGES

    fields = (field for stage in STAGES.values() for field in fields_of(stage).values())
    return frozenset({"set", *(field.name for field in fields if field.opens)})


def offer(named: Sequence[str], take: Callable[[], None], key: str) -> None:
    """Say which paths a link names and that none was read, with the one button that opens them."""

    def opened() -> None:
        ask_for(named)
        take()

    with steady():
        if not named:
            return
        one = len(named) == 1
        are, them = ("is", "it") if one else ("are", "them")
        st.warning(
            plain(
                f"The link names {joined(map(repr, named))}, which {are} in none of this app's lists:"
                f" nothing was read there. Open {them} only if you meant to."
            )
        )
        short = f"{named[0][:_MOST_NAMED]}{'...' * (len(named[0]) > _MOST_NAMED)}"
        title = f"Open {plain(short)}" if one else f"Open these {len(named)} paths"
        st.button(title, key=key, icon=":material/folder_open:", on_click=opened)
