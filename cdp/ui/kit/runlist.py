"""Background runs as every page shows them: a list with filter and pages, what each is doing, the
buttons that stop, resume and remove it, why it ended, and its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from cdp.config.fields import fields_of, flat_of
from cdp.config.knobs import Frozen
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.frame import steady
from cdp.ui.kit.markup import ACCENT, Html, bar
from cdp.ui.kit.tables import fold
from cdp.ui.kit.words import plain, sentence_of
from cdp.values.naming import common_name
from cdp.values.text import counted, done_text, duration
from cdp.work import launch
from cdp.work.records import RESUMABLE, Run, list_runs, log_tail

T = TypeVar("T")
Draw = Callable[[], object]
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
ENDED = {
    "interrupted": "The process is gone, perhaps because the machine restarted. Resume continues",
    "stopped": "Stopped. Resume continues",
    "failed": "Resume tries again",
}
"""What a run that is over needs to go on; where from comes after it."""
PLACE, _REMOVED = "runs", "run_removed"
"""Of what a button led to."""
FILTERED_FROM = 5
"""Runs from which a list can be filtered."""
LOG_BYTES = 8192
NEWEST = "Newest first"
MOST_DIFFERING = 4
OVER = "#777b80"


@dataclass(frozen=True)
class RunList:
    """How a page lists its runs. kind: of the runs; title: above the list; saved: what a stopped
    run is resumed from; hint: in the empty filter; facts: a run's settings in short, which the
    filter searches too; size: rows listed at a time; runs: in place of all of the kind; removable:
    whether a run that is over can be removed; group: what runs have in common that are folded into
    one row, such as the seeds of one setting; together: what is said of them; orders: by what the
    list can be sorted, beside its age."""

    kind: str
    title: str
    saved: str
    hint: str
    facts: Callable[[Run], str]
    size: int = 8
    runs: Callable[[], Sequence[Run]] | None = None
    removable: Callable[[Run], bool] = lambda run: True
    group: Callable[[Run], str] = lambda run: run.id
    together: Callable[[Sequence[Run]], str] = lambda runs: ""
    orders: Mapping[str, Callable[[Run], Any]] = field(default_factory=dict)

    def now(self) -> Sequence[Run]:
        """The runs as they are, newest first."""
        return self.runs() if self.runs else of_kind(list_runs(), self.kind)


def of_kind(runs: Sequence[Run], kind: str) -> list[Run]:
    """Runs of one kind, in the same order."""
    return [run for run in runs if run.kind == kind]


def run_list(
    of: RunList,
    runs: Sequence[Run],
    picked: Callable[[Sequence[Run]], T],
    row: Callable[[Run, T], object],
    more: Callable[[Run, T], object] = lambda run, now: None,
    lead: Callable[[Sequence[Run], T], object] = lambda group, now: None,
) -> None:
    """The runs, newest first; polls files while one of them moves, and draws the whole page anew
    once other runs move or ``picked`` of them is another.

    row: draws one run beside its buttons; more: draws further buttons; lead: draws what stands
    before a group that is folded into one row. Where no run is, only what
    the last button led to.
    """
    with steady():
        if not runs:
            said()
            return
        going = moving(runs)
        seconds = POLL_SECONDS if going else None
        draw = st.fragment(_draw_list, run_every=seconds)
        draw(of, picked, row, more, lead, going, picked(runs))


def _draw_list(
    of: RunList,
    picked: Callable[[Sequence[Run]], T],
    row: Callable[[Run, T], object],
    more: Callable[[Run, T], object],
    lead: Callable[[Sequence[Run], T], object],
    going: frozenset[str],
    before: T,
) -> None:
    runs = of.now()
    now = picked(runs)
    if moving(runs) != going or now != before:
        st.rerun()
    if of.title:
        st.subheader(of.title, anchor=False)
    said()
    with st.container(key=f"{of.kind}_runs", gap=None):
        listed = _ordered(_filtered(runs, of), of)
        folded = len(listed) > of.size  # a short list shows every run
        groups = grouped(listed, of.group) if folded else [[run] for run in listed]
        for group in _paged(groups, of):
            if len(group) > 1:
                _draw_group(of, group, now, row, more, lead)
            else:
                _draw_run(of, group[0], now, row, more)


def _draw_group(
    of: RunList,
    group: Sequence[Run],
    now: T,
    row: Callable[[Run, T], object],
    more: Callable[[Run, T], object],
    lead: Callable[[Sequence[Run], T], object],
) -> None:
    """Seeds of one setting in one row, each a click away."""
    key = f"{of.kind}-group-{group[0].id}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=key):
        lead(group, now)
        name, seeds = common_name([run.name for run in group]), counted(len(group), "seed")
        text = " · ".join(part for part in (name, seeds, of.together(group)) if part)
        with st.expander(plain(text), key=f"{key}-fold"):
            for run in group:
                _draw_run(of, run, now, row, more)


def _draw_run(
    of: RunList, run: Run, now: T, row: Callable[[Run, T], object], more: Callable[[Run, T], object]
) -> None:
    key = f"{of.kind}-run-{run.id}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=key):
        row(run, now)
        with st.container(horizontal=True, gap="small", width="content"):
            more(run, now)
            buttons(run, of.saved, removable=of.removable(run))


def grouped(runs: Sequence[Run], group: Callable[[Run], str]) -> list[list[Run]]:
    """Finished runs of the same group together, where the first of them stands. Any other stands
    alone, in sight."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(group(run) if run.state == "finished" else run.id, []).append(run)
    return list(groups.values())


def differing(
    runs: Sequence[Run], config: type[Frozen], but: Collection[str] = ("seed", "subset_seed")
) -> dict[str, str]:
    """By run the settings that are not the same in all of these, "beta 12 · 300 real images", at
    most ``MOST_DIFFERING``; "" where there is nothing to compare with. but: settings that are told
    elsewhere."""
    known = {run.id: flat_of(run.config) for run in runs if isinstance(run.config, config)}
    fields = {name: f for name, f in fields_of(config).items() if name not in but}
    if len(known) < 2:
        return {}
    several = [name for name in fields if len({str(flat[name]) for flat in known.values()}) > 1]
    return {
        run_id: " · ".join(
            f"{fields[name].label.lower()} {fields[name].title(flat[name])}"
            for name in several[:MOST_DIFFERING]
        )
        for run_id, flat in known.items()
    }


def _ordered(runs: Sequence[Run], of: RunList) -> list[Run]:
    """By what was chosen; newest first where nothing was, or where there are too few to choose."""
    if len(runs) < FILTERED_FROM or not of.orders:
        return list(runs)
    order = st.selectbox(
        "Order",
        [NEWEST, *of.orders],
        key=f"{of.kind}_order",
        label_visibility="collapsed",
        width=200,
    )
    return sorted(runs, key=of.orders[order]) if order in of.orders else list(runs)


def matching(runs: Sequence[Run], text: str, facts: Callable[[Run], str]) -> list[Run]:
    """Runs whose name, state or settings have every word of ``text``."""
    words = text.lower().split()

    def fits(run: Run) -> bool:
        described = f"{run.name} {run.state} {WORDS[run.state]} {facts(run)}".lower()
        return all(word in described for word in words)

    return [run for run in runs if fits(run)]


def _filtered(runs: Sequence[Run], of: RunList) -> list[Run]:
    """The runs that match what is typed; a short list has nothing to type into."""
    if len(runs) < FILTERED_FROM:
        return list(runs)
    label, key = f"Filter {of.title.lower()}", f"{of.kind}_filter"
    text = st.text_input(label, key=key, placeholder=of.hint, label_visibility="collapsed")
    fitting = matching(runs, text, of.facts)
    if not fitting:
        st.caption("No match.")
    return fitting


def _paged(groups: list[list[Run]], of: RunList) -> list[list[Run]]:
    pages = -(-len(groups) // of.size)
    if pages < 2:
        return groups
    page = st.pagination(pages, key=f"{of.kind}_page_{pages}")
    st.caption(f"{sum(map(len, groups)):,} {of.title.lower()}")
    return groups[of.size * (page - 1) : of.size * page]


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
    if run.state == "queued" and (first := launch.waits_for(run.id)):
        parts = [f"waits for {first}"]
    if count is None:
        counted = run.progress if run.state != "finished" else None
        count = done_text(counted.done, counted.count, counted.unit) if counted else ""
    parts.append(count)
    if run.state == "running" and run.progress and run.progress.seconds_left is not None:
        parts.append(f"{duration(run.progress.seconds_left)} left")
    return " · ".join(part for part in (*parts, *more) if part)


def share(run: Run) -> float:
    """How much of a run is done, in 0..1."""
    return 1.0 if run.state == "finished" else run.progress.share if run.progress else 0.0


def buttons(run: Run, saved: str, *, removable: bool = True) -> None:
    """Stop while it moves; then resume, where that makes sense, and remove. saved: what it is
    resumed from, such as "checkpoint"."""

    def press(label: str, action: Callable[[], object], help: str, **more: Any) -> None:
        key = f"{label.lower()}-{run.id}"
        st.button(label, key=key, on_click=act, args=(action,), help=help, **more)

    if not run.over:
        waiting = launch.tickets() if run.state == "queued" else []
        if any(ticket.skips for ticket in waiting if ticket.id == run.id):
            press("Bring forward", partial(launch.bring_forward, run.id), "Before all that wait.")
        kept = f"Keeps the last {saved}; the run can be resumed."
        press("Stop", partial(launch.stop, run.id), kept, disabled=run.state == "stopping")
        return
    # Resume comes last, where Stop was: a second click on the same spot loses nothing.
    if removable:
        press("Remove", partial(_remove, run), "Moves the run to the trash.", type="tertiary")
    if resumable(run):
        press("Resume", partial(launch.resume, run.id), f"Continues from the last {saved}.")


def resumable(run: Run) -> bool:
    """Whether it makes sense to go on with a run."""
    return run.state in RESUMABLE and run.config is not None and not ended_itself(run)


def why_over(run: Run, saved: str) -> None:
    """Why a run is over without being finished, what it gave notice of, and the way on."""
    if run.error:
        # A run that ended itself with everything good kept is no failure.
        (st.error if run.state == "failed" else st.warning)(plain(sentence_of(run.error)))
    if run.state in ENDED and resumable(run):
        st.info(f"{ENDED[run.state]} from the last {saved}.")
    if run.notice and run.notice not in (run.error or ""):
        st.warning(plain(sentence_of(run.notice)))
    if run.problem:
        st.warning(plain(sentence_of(run.problem)))


def start_button(
    label: str, key: str, start: Callable[..., None], *args: object, cost: Draw | None
) -> None:
    """The one primary button of a page. cost: draws what it will cost beside it; None where the
    settings cannot be used, and the button waits."""
    with st.container(horizontal=True, vertical_alignment="center", key="action"):
        waits = cost is None
        st.button(label, type="primary", key=key, disabled=waits, on_click=start, args=args)
        if cost:
            cost()
    with steady():
        if cost and (first := launch.would_wait_for()):
            st.caption(plain(f"Begins after {first}."))


def not_ready(wrong: str, *, fit: bool = True) -> None:
    """Why the button waits. fit: whether the settings fit together."""
    st.error(plain(f"{'Not ready' if fit else 'These settings do not fit together'}: {wrong}."))


def same_settings(runs: Sequence[Run], config: Frozen) -> None:
    """Say which finished run has these settings already; of one that moves its own row tells."""
    same = (run.name for run in runs if run.state == "finished" and run.config == config)
    with steady():
        if name := next(same, ""):
            more = "another run gives the same numbers"
            st.caption(plain(f"{name} has these very settings: {more}."))


def use_settings(run_id: str, use: Callable[[], None]) -> None:
    """Put the settings of a run on the form of its page, by ``use``.

    As a callback: a rerun that another part of the page asks for at the same moment takes the click
    with it, runs callbacks first, and may end before it comes here. In a fragment the click would
    redraw this part alone, hence the rerun.
    """
    about = "Puts them on the form; nothing is started."
    if st.button("Use these settings", key=f"use-{run_id}", on_click=use, help=about):
        st.rerun()


def act(action: Callable[[], object], failed: str = "") -> None:
    """What a button does; what went wrong is said on the next draw, after ``failed``."""
    attempt(PLACE, action, failed)


def said() -> None:
    """Show for a while what the last button led to, and after a removal the way back."""
    with steady():
        tell(PLACE, seconds=SAID_SECONDS)
        removed, since = st.session_state.get(_REMOVED, ("", 0.0))
        if removed and time.monotonic() - since < SAID_SECONDS:
            undo = partial(_undo, removed)
            st.button("Undo", key=f"undo-{removed}", on_click=act, args=(undo,))


def _remove(run: Run) -> str:
    where = launch.delete(run.id)
    st.session_state[_REMOVED] = run.id, time.monotonic()
    return f"Run {run.name} was moved to {where}."


def _undo(run_id: str) -> str:
    st.session_state.pop(_REMOVED, None)
    launch.undelete(run_id)
    return "The run is back."


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
