"""Background runs as every page shows them: a list with filter and pages, what each is doing, the
buttons that stop, resume and remove it, and its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from cdp.errors import CdpError
from cdp.ui.kit.markup import ACCENT, Html, bar
from cdp.ui.kit.tables import fold
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work import launch
from cdp.work.failures import sentence
from cdp.work.records import RESUMABLE, Run, list_runs, log_tail

T = TypeVar("T")
POLL_SECONDS = 2.0
SAID_SECONDS = 15.0
WORDS = {
    "queued": "waiting for its turn",
    "running": "running",
    "stopping": "stopping, what is finished is kept",
    "finished": "finished",
    "failed": "failed",
    "stopped": "stopped",
    "interrupted": "interrupted: its process is gone",
}
_WRONG, _DONE = "runs_wrong", "runs_done"
FILTERED_FROM = 5
"""Runs from which a list can be filtered."""
LOG_BYTES = 8192
OVER = "#777b80"


@dataclass(frozen=True)
class Help:
    """What the buttons do with runs of one kind, in a sentence each."""

    stop: str
    resume: str
    remove: str


@dataclass(frozen=True)
class RunList:
    """How a page lists its runs. kind: of the runs; title: above the list; hint: in the empty
    filter; facts: a run's settings in short, which the filter searches too; size: runs listed at a
    time."""

    kind: str
    title: str
    help: Help
    hint: str
    facts: Callable[[Run], str]
    size: int = 8


def of_kind(runs: Sequence[Run], kind: str) -> list[Run]:
    """Runs of one kind, in the same order."""
    return [run for run in runs if run.kind == kind]


def run_list(
    of: RunList,
    runs: Sequence[Run],
    picked: Callable[[Sequence[Run]], T],
    row: Callable[[Run, T], object],
    more: Callable[[Run, T], object] = lambda run, now: None,
) -> None:
    """The runs, newest first; polls files while one of them moves, and draws the whole page anew
    once other runs move or ``picked`` of them is another.

    row: draws one run beside its buttons; more: draws further buttons. Nothing where no run is.
    """
    if runs:
        going = moving(runs)
        seconds = POLL_SECONDS if going else None
        st.fragment(_draw_list, run_every=seconds)(of, picked, row, more, going, picked(runs))


def _draw_list(
    of: RunList,
    picked: Callable[[Sequence[Run]], T],
    row: Callable[[Run, T], object],
    more: Callable[[Run, T], object],
    going: frozenset[str],
    before: T,
) -> None:
    runs = of_kind(list_runs(), of.kind)
    now = picked(runs)
    if moving(runs) != going or now != before:
        st.rerun()
    st.subheader(of.title, anchor=False)
    said()
    with st.container(key=f"{of.kind}_runs", gap="small"):
        for run in _paged(_filtered(runs, of), of):
            place = st.container(
                horizontal=True,
                vertical_alignment="top",
                border=True,
                gap="small",
                key=f"{of.kind}-run-{run.id}",
            )
            with place:
                row(run, now)
                with st.container(horizontal=True, gap="small", width="content"):
                    more(run, now)
                    buttons(run, of.help)


def matching(runs: Sequence[Run], text: str, facts: Callable[[Run], str]) -> list[Run]:
    """Runs whose name, state or settings have every word of ``text``."""
    words = text.lower().split()
    described = {
        run.id: f"{run.name} {run.state} {WORDS[run.state]} {facts(run)}".lower() for run in runs
    }
    return [run for run in runs if all(word in described[run.id] for word in words)]


def _filtered(runs: Sequence[Run], of: RunList) -> list[Run]:
    """The runs that match what is typed; a short list has nothing to type into."""
    if len(runs) < FILTERED_FROM:
        return list(runs)
    label = f"Filter {of.title.lower()}"
    text = st.text_input(
        label, key=f"{of.kind}_filter", placeholder=of.hint, label_visibility="collapsed"
    )
    fitting = matching(runs, text, of.facts)
    if not fitting:
        st.caption("None matches.")
    return fitting


def _paged(runs: Sequence[Run], of: RunList) -> Sequence[Run]:
    pages = -(-len(runs) // of.size)
    if pages < 2:
        return runs
    page = st.pagination(pages, key=f"{of.kind}_page_{pages}")
    st.caption(f"{len(runs):,} {of.title.lower()}, newest first")
    return runs[of.size * (page - 1) : of.size * page]


def run_bar(run: Run, color: str = ACCENT) -> Html:
    """How much of a run is done; grey once it is over, nothing once it is finished."""
    if run.state == "finished":
        return Html()
    return bar(share(run), run.name, OVER if run.over else color)


def moving(runs: Sequence[Run]) -> frozenset[str]:
    """Ids of the runs that a process works on or will."""
    return frozenset(run.id for run in runs if not run.over)


def ended_itself(run: Run) -> bool:
    """Whether it stopped for a reason of its own, such as overfitting; started again it would stop
    for the same reason."""
    return run.state == "stopped" and run.error is not None


def state_line(run: Run, count: str | None = None, *more: str) -> str:
    """State, how much is done, time left. count: in place of images or steps, "" for none; more:
    what else to say."""
    parts = ["stopped by itself" if ended_itself(run) else WORDS[run.state]]
    if count is None:
        counted = run.progress if run.state != "finished" else None
        count = f"{counted.done:,} of {counted.count:,} {counted.unit}" if counted else ""
    parts.append(count)
    if run.state == "running" and run.progress and run.progress.seconds_left is not None:
        parts.append(f"{duration(run.progress.seconds_left)} left")
    return " · ".join(part for part in (*parts, *more) if part)


def share(run: Run) -> float:
    """How much of a run is done, in 0..1."""
    return 1.0 if run.state == "finished" else run.progress.share if run.progress else 0.0


def error_sentence(text: str) -> str:
    """An error or notice as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else f"{text}."


def buttons(run: Run, hints: Help, *, removable: bool = True) -> None:
    """Stop while it moves; then resume, where that makes sense, and remove."""
    if not run.over:
        stopping = run.state == "stopping"
        st.button(
            "Stop",
            key=f"stop-{run.id}",
            on_click=act,
            args=(launch.stop, run.id),
            disabled=stopping,
            help=hints.stop,
        )
        return
    if run.state in RESUMABLE and run.config is not None and not ended_itself(run):
        st.button(
            "Resume",
            key=f"resume-{run.id}",
            on_click=act,
            args=(launch.resume, run.id),
            help=hints.resume,
        )
    if removable:
        st.button(
            "Remove",
            key=f"remove-{run.id}",
            type="tertiary",
            on_click=_remove,
            args=(run.id, run.name),
            help=hints.remove,
        )


def use_settings(run_id: str, use: Callable[[], None]) -> None:
    """Put the settings of a run on the form of its page, by ``use``.

    As a callback: a rerun that another part of the page asks for at the same moment takes the click
    with it, runs callbacks first, and may end before it comes here. In a fragment the click would
    redraw this part alone, hence the rerun.
    """
    if st.button(
        "Use these settings",
        key=f"use-{run_id}",
        on_click=use,
        help="Puts them on the form; nothing is started.",
    ):
        st.rerun()


def act(action: Callable[..., object], *args: object, failed: str = "") -> None:
    """What a button does; what went wrong is said on the next draw, after ``failed``."""
    try:
        action(*args)
    except (CdpError, OSError) as error:
        say_wrong(f"{failed}{sentence(error)}.")
    else:
        forget()


def say_wrong(text: str) -> None:
    """The latest word takes the place of those before it."""
    forget()
    st.session_state[_WRONG] = (text, time.monotonic())


def forget() -> None:
    """Nothing was said."""
    for key in (_WRONG, _DONE):
        st.session_state.pop(key, None)


def said() -> None:
    """Show for a while what the last button led to; polls in between must not wipe it off before it
    is read."""
    for key, show in ((_WRONG, st.error), (_DONE, st.success)):
        text, since = st.session_state.get(key, ("", 0.0))
        if text and time.monotonic() - since < SAID_SECONDS:
            show(plain(text))


def _remove(run_id: str, name: str) -> None:
    """To the trash; where it lies now is said."""
    forget()
    try:
        st.session_state[_DONE] = (
            f"Run {name} was moved to {launch.delete(run_id)}.",
            time.monotonic(),
        )
    except (CdpError, OSError) as error:
        say_wrong(f"{sentence(error)}.")


def log_fold(run: Run) -> None:
    """The end of what the worker printed, read when it is asked for."""
    if place := fold("Log", f"log_{run.id}"):
        with place:
            text = log_tail(run, LOG_BYTES).strip()
            if text:
                st.code(text, language=None, wrap_lines=True, height=300)
            else:
                st.caption("The worker has printed nothing yet.")
            st.caption(plain(str(run.folder / "log.txt")))
