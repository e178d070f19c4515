"""Background runs in a thread of the test's own process: all of a run but the start of its
process, which takes seconds for torch alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdp.work import worker
from cdp.work.launchers import LAUNCHERS
from cdp.work.records import STOP
from cdp.work.registry import TASKS
from tests.work.stub_worker import Untracked


class Here:
    """A launcher. What works on a run ends with it or when it is told to stop, and cannot be
    killed."""

    def __init__(self) -> None:
        self.threads: dict[str, threading.Thread] = {}

    def start(self, folder: Path, command: Sequence[str]) -> dict[str, Any]:
        thread = threading.Thread(target=worker.main, args=(folder, TASKS, Untracked))
        self.threads[str(folder)] = thread
        thread.start()
        return {"folder": str(folder)}

    def alive(self, process: Mapping[str, Any]) -> bool:
        return self.threads[process["folder"]].is_alive()

    def kill(self, process: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        for folder, thread in list(self.threads.items()):
            if thread.is_alive():
                (Path(folder) / STOP).touch()
            thread.join(60)
            assert not thread.is_alive(), f"the work on {folder} did not stop"


@pytest.fixture
def here(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs that are started in this test work in its process."""
    launcher = Here()
    monkeypatch.setitem(LAUNCHERS, "here", launcher)
    monkeypatch.setenv("CDP_LAUNCHER", "here")
    monkeypatch.setattr(worker, "pin_device", lambda slot: None)
    monkeypatch.setattr(worker, "give_way", lambda: None)
    monkeypatch.setattr(worker, "_GRACE_SECONDS", float("inf"))
    monkeypatch.setattr("cdp.cli.runs.POLL_SECONDS", 0.02)
    yield
    launcher.close()
