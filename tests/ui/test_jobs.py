"""The jobs strip: what runs and what waits, on every page, with a way to cancel it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdp.config.train import TrainConfig
from cdp.ui.kit import jobs
from cdp.work import queue
from cdp.work.records import STOP
from cdp.work.ticket import Queue, Ticket
from tests.ui.pages import opened, ran, served
from tests.ui.train_runs import write_folder
from tests.work.forks import Forked


@pytest.fixture(autouse=True)
def _world(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that works on nothing."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process.pid
        process.kill()


def running(name: str, pid: int, state: str = "running") -> Path:
    """The folder of a run that a process works on."""
    process = {"pid": pid, "began": psutil.Process(pid).create_time()}
    more: dict[str, Any] = {"created": time.time(), "process": process}
    progress = {"done": 3, "count": 12, "seconds": 3.0, "seconds_left": 9.0, "rate": 1.0}
    progress |= {"resumed_from": 0, "unit": "steps"}
    return write_folder(name, "train", TrainConfig(), state=state, progress=progress, **more)


def rows(app: object) -> str:
    return " ".join(
        str(html.body) for html in app.get("html") if 'class="cdp-job' in str(html.body)
    )  # type: ignore[attr-defined]


def test_nothing_is_shown_where_nothing_runs() -> None:
    app = opened("home")
    assert rows(app) == ""
    assert not [button for button in app.button if button.label == "Cancel"]


@pytest.mark.parametrize("page", ["home", "gallery"])
def test_a_run_of_the_background_stands_on_every_page_and_is_cancelled_there(
    page: str, sleeper: int
) -> None:
    folder = running("night", sleeper)
    app = opened(page)
    assert "Robust training night" in rows(app) and "25&nbsp;%, 9 s left" in rows(app)
    (cancel,) = [button for button in app.button if "job_cancel" in str(button.key)]
    ran(cancel.click())
    assert (folder / STOP).exists()
    assert "stopping" in rows(ran(app))


def test_what_waits_says_what_for(sleeper: int) -> None:
    running("first", sleeper)
    time.sleep(0.01)
    running("second", sleeper, state="queued")
    text = rows(opened("home"))
    assert "Robust training second" in text
    assert "waits for Robust training first" in text


def test_what_is_over_at_once_does_not_flicker(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Queue(lambda ticket: None)
    line.put(Ticket("Attacking", queue=line))
    monkeypatch.setattr(jobs, "side", lambda lane: type("Helper", (), {"queue": line}))
    assert jobs.tickets() == []
    monkeypatch.setattr(jobs, "QUIET_SECONDS", 0.0)
    assert {ticket.title for ticket in jobs.tickets()} == {"Attacking"}


def test_what_waits_says_for_what_and_is_brought_forward_from_the_strip(sleeper: int) -> None:
    running("night", sleeper)
    running("one", sleeper, "queued")
    folder = running("two", sleeper, "queued")
    app = opened("home")
    assert "waits for Robust training night" in rows(app)
    assert [b.key for b in app.button if b.label == "Bring forward"] == ["job_forward_two"]
    ran(app.button(key="job_forward_two").click())
    assert [ticket.id for ticket in jobs.tickets()] == ["night", "two", "one"]
    assert [b.key for b in app.button if b.label == "Bring forward"] == ["job_forward_one"]
    assert (folder / "forward").exists()


def test_a_look_at_a_page_sees_to_it_that_what_waits_is_started(
    sleeper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    running("night", sleeper)
    (running("next", sleeper, "queued") / "process.json").unlink()
    queue.put("next", queue.Start(("work",), {}, "/", 1))
    started: list[Sequence[str]] = []
    monkeypatch.setattr(Forked, "start", lambda self, folder, command: started.append(command))
    assert "waits for Robust training night" in rows(opened("home"))
    assert queue.DISPATCH in started
