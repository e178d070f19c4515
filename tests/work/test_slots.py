"""Slots: how many runs work at a time, and on which device."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.paths import ROOT
from cdp.work import slots
from cdp.work.launch import bring_forward, launch, tickets, waits_for, would_wait_for
from cdp.work.launchers import signature
from cdp.work.records import get_run
from cdp.work.registry import TASKS
from tests.work.processes import COMMAND, CONFIG, journal, until


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev of the test's own; the choice of a device is forgotten afterwards."""
    monkeypatch.setattr(slots, "_DEVICES", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    return tmp_path


def pinned(dev: Path, devices: Sequence[str], slot: int) -> str | None:
    for name in devices:
        (dev / name).touch()
    slots.pin_device(slot)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize(("slot", "gpu"), [(0, "0"), (1, "1"), (2, "0"), (3, "1")])
def test_slots_take_turns_over_the_gpus(
    dev: Path, monkeypatch: pytest.MonkeyPatch, slot: int, gpu: str
) -> None:
    monkeypatch.setenv("CDP_SLOTS", "4")
    assert pinned(dev, ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], slot) == gpu


def test_a_choice_of_the_users_own_is_kept(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_SLOTS", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert pinned(dev, ["nvidia0", "nvidia1"], 1) == "7"


@pytest.mark.parametrize(
    ("count", "devices"), [("2", ["nvidia0"]), ("2", []), ("1", ["nvidia0", "nvidia1"])]
)
def test_one_gpu_none_or_one_slot_pins_nothing(
    dev: Path, monkeypatch: pytest.MonkeyPatch, count: str, devices: list[str]
) -> None:
    monkeypatch.setenv("CDP_SLOTS", count)
    assert pinned(dev, devices, 0) is None


@pytest.mark.parametrize("given", ["", "0", "65", "-1", "1.5", "²", "two"])
def test_a_senseless_number_of_slots_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("CDP_SLOTS", given)
    with pytest.raises(InputError, match="whole number from 1 to 64"):
        slots.slot_count()


def test_two_slots_work_on_two_runs_at_a_time_and_never_on_a_third(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_SLOTS", "2")
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    runs = [
        launch(TASKS["generate"], CONFIG, name, command=COMMAND)
        for name in ("first", "second", "third")
    ]
    for run_id in runs:
        until(run_id, lambda run: run.over)
    working: set[str] = set()
    most = 0
    left = dict.fromkeys(runs, 20)
    for run_id, *_ in journal(cdp_home):
        working.add(run_id)
        most = max(most, len(working))
        left[run_id] -= 1
        if not left[run_id]:
            working.discard(run_id)
    assert most == 2
    assert runs[2] not in [line[0] for line in journal(cdp_home)[:20]]


def test_a_session_of_its_own_gives_way_as_a_whole(tmp_path: Path) -> None:
    """Linux's autogroups weigh sessions against each other, so niceness inside the run's own
    session would change nothing."""
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-7 nice 0\n")
    code = (
        "import os; from pathlib import Path; from cdp.work import slots\nslots._AUTOGROUP ="
        f" Path({str(group)!r}); slots.give_way(); print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    nice = {}
    for alone in (True, False):
        before = group.read_text()
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            start_new_session=alone,
        )
        nice[alone] = int(done.stdout)
        assert (group.read_text() != before) is alone, (
            "only the session's first process speaks for the session"
        )
    assert group.read_text() == str(slots.BACKGROUND)
    assert nice[True] == nice[False] >= slots.BACKGROUND


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ({}, 0),
        ({"CDP_SLOTS": "1"}, 0),
        ({"CDP_SLOTS": "2"}, 3),
        ({"CDP_SLOTS": "4"}, 1),
        ({"CDP_SLOTS": "9"}, 1),
        ({"CDP_SLOTS": "2", "OMP_NUM_THREADS": "5"}, 0),
        ({"CDP_SLOTS": "many"}, 0),
    ],
)
def test_runs_that_work_at_a_time_share_the_cores(
    given: dict[str, str], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CDP_SLOTS", *slots.LIBRARIES):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(slots, "core_count", lambda: 6)
    assert slots.threads_of_a_slot() == threads


def test_a_run_brought_forward_starts_before_those_that_waited_longer(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.1")
    monkeypatch.setenv("CDP_SLOTS", "1")
    folder = cdp_home / "runs" / ".slots"
    folder.mkdir(parents=True)
    with FileLock(folder / "0.lock"):
        runs = [
            launch(TASKS["generate"], CONFIG, name, command=COMMAND)
            for name in ("first", "second", "third")
        ]
        line = tickets()
        assert [ticket.id for ticket in line] == runs
        assert [ticket.skips for ticket in line] == [False, True, True]
        line[2].bring_forward()
        assert [ticket.id for ticket in tickets()] == [runs[2], runs[0], runs[1]]
        assert "third" in (waits_for(runs[0]) or "")
        assert waits_for(runs[2]) is None
        assert "third and 2 more" in (would_wait_for() or "")
        assert [get_run(run_id).pid for run_id in runs] == [None] * 3, "what waits is no process"
    for run_id in runs:
        until(run_id, lambda run: run.over)
    began = {run_id: get_run(run_id).started or 0.0 for run_id in runs}
    assert sorted(runs, key=lambda run_id: began[run_id]) == [runs[2], runs[0], runs[1]]
    with pytest.raises(InputError, match="only a run that waits"):
        bring_forward(runs[0])


def test_work_of_a_kind_that_a_newer_version_has_is_waited_for(cdp_home: Path) -> None:
    folder = cdp_home / "runs" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"kind": "later", "name": "night", "config": {}})
    write_json(folder / "status.json", {"state": "running"})
    write_json(folder / "process.json", signature(os.getpid()))
    assert "night" in (would_wait_for() or "")
