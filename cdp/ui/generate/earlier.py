"""The live generations of the last days, from whichever tab: those under way, and those that are
over and kept."""

from __future__ import annotations

import time

from cdp.config.generate import GenerateConfig
from cdp.files.cache import UNSAVED_DAYS
from cdp.ui.generate.form import Generation
from cdp.ui.generate.runs import facts
from cdp.ui.kit.engine import engine
from cdp.ui.kit.widgets import pick
from cdp.values.text import counted
from cdp.work import unsaved
from cdp.work.live import Job

MOST = 50


def earlier(settings: Generation, job: Job | None) -> None:
    """One of them to open; nothing where there is none but the one on the page."""
    moving = [ticket for ticket in engine().queue.tickets() if isinstance(ticket, Job)]
    titles = {ticket.id: f"{_title(ticket.config)}: under way" for ticket in moving}
    for past in unsaved.listed()[:MOST]:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(past.made))
        stopped = "" if past.state == "done" else "stopped "
        title = f"{_title(past.config)}: {stopped}{when}"
        while title in titles.values():  # the browser sends a choice by its title
            title += " again"
        titles.setdefault(past.id, title)
    if not titles.keys() - {job.id if job else ""}:
        return

    def put(chosen: str) -> None:
        settings.job = chosen

    pick(
        f"Generations of the last {UNSAVED_DAYS} days",
        titles,
        job.id if job else None,
        put,
        # Which one is on the page may change by another hand, such as the button, and its title
        # changes as it ends.
        key=f"earlier_{job.id}_{job.over}" if job else "earlier",
        placeholder="Open one",
        help=f"Whether saved or not, in whichever tab: each is kept {UNSAVED_DAYS} days after it was"
        " last opened, and less where the cache is over its limit.",
    )


def _title(config: GenerateConfig) -> str:
    return f"{facts(config)} · {counted(config.count, 'image')}"
