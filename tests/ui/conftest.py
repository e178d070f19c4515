"""Worlds that pages under AppTest stand in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from cdp import paths
from cdp.ui.kit.ask import LANES, side
from cdp.work.launch import stop
from cdp.work.records import list_runs
from cdp.work.slots import core_count
from tests.ui.pages import served, until


@pytest.fixture
def server(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has served a page before, and helper processes of this test's own home."""
    served(monkeypatch)
    side.clear()
    yield
    for lane in LANES:
        side(lane).close()
    side.clear()


@pytest.fixture
def world(server: None) -> Iterator[None]:
    """The same with a device that is taken, so that launched runs wait and compute nothing."""
    slots = paths.runs_dir() / ".slots"
    slots.mkdir(parents=True)
    with ExitStack() as held:
        for number in range(core_count()):
            held.enter_context(FileLock(slots / f"{number}.lock"))
        yield
        for run in list_runs():
            stop(run.id)
        until(lambda: all(run.over for run in list_runs()))
