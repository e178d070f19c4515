"""The jobs strip below every page: what runs and what waits, with time left and a way to cancel it.
It takes no room, and nothing is shown where nothing runs."""

from __future__ import annotations

import streamlit as st

from cdp.ui.kit.ask import LANES, side
from cdp.ui.kit.engine import engine
from cdp.ui.kit.markup import Html, tag
from cdp.values.text import duration, share_text
from cdp.work import launch
from cdp.work.queue import ensure_dispatcher
from cdp.work.ticket import Ticket

POLL_SECONDS = 2.0
ROWS = 4
QUIET_SECONDS = 2.0
"""What is over before has its page to say so; here it would only flicker."""


def tickets() -> list[Ticket]:
    """Everything that somebody waits for: live, of the helpers, in the background."""
    helpers = [ticket for lane in LANES for ticket in side(lane).queue.tickets()]
    live = [*engine().queue.tickets(), *helpers]
    return [*(item for item in live if item.age > QUIET_SECONDS), *launch.tickets()]


def strip() -> None:
    """Draw it, and again while something runs. Called after the page, so that what a click has just
    started is seen."""
    moving = bool(tickets())
    st.fragment(_rows, run_every=POLL_SECONDS if moving else None)()


def _rows() -> None:
    ensure_dispatcher()
    line = tickets()
    if not line:
        return
    with st.container(key="jobs", gap=None):
        for ticket in line[:ROWS]:
            key = ticket.id
            place = st.container(horizontal=True, vertical_alignment="center", key=f"job_{key}")
            with place:
                title = tag("span", ticket.title, cls="cdp-job-title")
                stands = tag("span", where(ticket), cls="cdp-job-where")
                waits = ticket.state == "queued"
                bar, cls = "" if waits else _bar(ticket.progress), "cdp-job" + " cdp-waits" * waits
                st.html(tag("div", title, stands, bar, cls=cls), width="stretch")
                if ticket.skips:
                    st.button(
                        "Bring forward",
                        key=f"job_forward_{key}",
                        type="tertiary",
                        on_click=ticket.bring_forward,
                        help="Begins before everything else that waits.",
                    )
                st.button(
                    "Cancel",
                    key=f"job_cancel_{key}",
                    type="tertiary",
                    on_click=ticket.cancel,
                    disabled=ticket.state == "stopping",
                )
        if len(line) > ROWS:
            st.html(tag("div", f"and {len(line) - ROWS} more", cls="cdp-job-where"))


def _bar(share: float) -> Html:
    return tag("progress", value=f"{share:.3f}", max=1, aria_hidden="true")


def where(ticket: Ticket) -> str:
    """Where a ticket stands, in a few words."""
    if ticket.state == "queued":
        first = ticket.waiting_for
        return f"waits for {first}" if first else "begins"
    if ticket.state == "stopping":
        return "stopping"
    left = ticket.seconds_left
    share = share_text(ticket.progress, 0)
    return share if left is None else f"{share}, {duration(left)} left"
