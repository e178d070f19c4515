"""Background runs as every page shows them: their state in words, the buttons that stop, resume and
remove them, and what those led to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from cdp.errors import CdpError
from cdp.tasks.registry import TASKS
from cdp.ui.kit.words import plain
from cdp.values.text import duration
from cdp.work import launch
from cdp.work.failures import sentence
from cdp.work.records import RESUMABLE, Run

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


@dataclass(frozen=True)
class Help:
    """What the buttons do with runs of one kind, in a sentence each."""

    stop: str
    resume: str
    remove: str


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


def buttons(run: Run, told: Help, *, removable: bool = True) -> None:
    """Stop while it moves; then resume, where that makes sense, and remove."""
    if not run.over:
        stopping = run.state == "stopping"
        st.button(
            "Stop",
            key=f"stop-{run.id}",
            on_click=act,
            args=(launch.stop, run.id),
            disabled=stopping,
            help=told.stop,
        )
        return
    if run.state in RESUMABLE and run.config is not None and not ended_itself(run):
        st.button(
            "Resume",
            key=f"resume-{run.id}",
            on_click=act,
            args=(launch.resume, run.id),
            help=told.resume,
        )
    if removable:
        st.button(
            "Remove",
            key=f"remove-{run.id}",
            type="tertiary",
            on_click=_remove,
            args=(run.id, run.name),
            help=told.remove,
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


def act(action: Callable[..., object], *args: object) -> None:
    """What a button does; what went wrong is said on the next draw."""
    try:
        action(*args)
    except (CdpError, OSError) as error:
        say_wrong(f"{sentence(error)}.")
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
            f"Run {name} was moved to {launch.delete(run_id, TASKS)}.",
            time.monotonic(),
        )
    except (CdpError, OSError) as error:
        say_wrong(f"{sentence(error)}.")
