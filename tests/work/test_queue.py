"""Runs that wait: they cost nothing, and one process that may be killed at any moment starts them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.work import dispatch, queue, slots
from cdp.work.launch import launch, resume, stop
from cdp.work.launchers import LAUNCHERS, NICENESS, Local, environment, signature
from cdp.work.queue import ensure_dispatcher
from cdp.work.records import STOP, active_runs, get_run
from cdp.work.registry import TASKS
from tests.work import processes
from tests.work.processes import COMMAND, CONFIG, journal

WAITING = 100


@pytest.fixture
def device(cdp_home: Path) -> Iterator[FileLock]:
    """The one slot, taken, so that runs wait; what waits then is nobody's until a test says so."""
    folder = cdp_home / "runs" / ".slots"
    folder.mkdir(parents=True)
    lock = FileLock(folder / "0.lock")
    with lock:
        yield lock
    lock.release(force=True)


@pytest.fixture
def unattended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dispatcher comes by itself."""
    monkeypatch.setattr(queue, "ensure_dispatcher", lambda: None)


until = partial(processes.until, seconds=20)


def begin(name: str) -> str:
    return launch(TASKS["generate"], CONFIG, name, command=COMMAND)


def dispatcher() -> psutil.Process:
    """The process that starts what waits, once it says so."""
    end = time.monotonic() + 30
    while not Local().alive(process := read_json(queue.process_path(os.geteuid())) or {}):
        assert time.monotonic() < end, "no dispatcher came"
        time.sleep(0.02)
    return psutil.Process(process["pid"])


def gone(process: psutil.Process) -> bool:
    """Whether it ends within a moment."""
    end = time.monotonic() + 15
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
    return True


def test_what_waits_has_no_process_and_what_starts_it_ends_with_the_last(
    device: FileLock, cdp_home: Path
) -> None:
    runs = [begin(name) for name in ("first", "second")]
    process = dispatcher()
    assert [(run.state, run.pid) for run in active_runs()] == [("queued", None)] * 2
    assert not [(get_run(run_id).folder / "process.json").exists() for run_id in runs].count(True)
    device.release()
    for run_id in runs:
        assert until(run_id, lambda run: run.over).state == "finished"
    assert [line[0] for line in journal(cdp_home)[::20]] == runs
    assert gone(process)
    assert queue.ours("waits", "begun") == []


def test_a_run_that_begins_at_once_needs_nobody(cdp_home: Path) -> None:
    assert until(begin("night"), lambda run: run.over).state == "finished"
    assert not queue.queue_dir().exists()


def test_a_stop_of_what_waits_is_over_at_once_and_it_can_be_resumed(device: FileLock) -> None:
    run_id = begin("night")
    process = dispatcher()
    stop(run_id)
    run = get_run(run_id)
    assert (run.state, run.started) == ("stopped", None)
    assert run.created <= run.ended
    assert gone(process), "nothing waits any more"
    resume(run_id, command=COMMAND)
    assert get_run(run_id).state == "queued"
    device.release()
    assert until(run_id, lambda run: run.over).state == "finished"


def test_a_run_at_work_starts_the_dispatcher_again_that_was_killed(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "0.25")
    first, second = begin("first"), begin("second")
    process = dispatcher()
    process.kill()
    assert until(second, lambda run: run.over).state == "finished"
    assert get_run(first).state == "finished"


def test_kills_of_the_dispatcher_at_random_lose_no_run_and_do_none_twice(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    monkeypatch.setenv("STUB_SECONDS", "0.01")
    runs = [begin(f"night-{number}") for number in range(8)]
    kills = 0
    while not all(get_run(run_id).over for run_id in runs):
        ensure_dispatcher()
        time.sleep(chance.uniform(0, 0.25))
        process = read_json(queue.process_path(os.geteuid())) or {}
        if Local().alive(process) and kills < 12:
            Local().kill(process)
            kills += 1
    assert kills > 3
    assert {get_run(run_id).state for run_id in runs} == {"finished"}
    order = [line[0] for line in journal(cdp_home)]
    assert order == [run_id for run_id in runs for _ in range(20)]


def test_any_later_look_starts_the_dispatcher_again_where_all_was_killed(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SECONDS", "5")
    first, second = begin("first"), begin("second")
    (process := dispatcher()).kill()
    assert gone(process)
    run = until(first, lambda run: run.pid is not None)
    os.kill(run.pid, signal.SIGKILL)
    until(first, lambda run: run.state == "interrupted")
    assert get_run(second).state == "queued"
    queue.ensure_dispatcher()
    until(second, lambda run: run.state == "running")
    queue.ensure_dispatcher()
    stop(second)
    until(second, lambda run: run.over)


def test_a_queue_that_cannot_be_read_hinders_nobody(
    device: FileLock, unattended: None, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = begin("night")
    shutil.rmtree(queue.queue_dir())
    queue.queue_dir().touch()
    ensure_dispatcher()
    assert "cannot be started now" in caplog.text
    assert get_run(run_id).id == run_id


@pytest.mark.parametrize("cut", ["before", "after", "long after"])
def test_a_start_that_was_cut_short_is_made_up_for_and_never_made_twice(
    device: FileLock, unattended: None, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill of the dispatcher right before, or right after, it started the run's process, which may
    have come to its end when somebody looks again."""
    run_id = begin("night")
    assert queue.claim(run_id)
    assert get_run(run_id).state == "queued"
    device.release()
    if cut == "after":
        monkeypatch.setenv("STUB_SECONDS", "0.05")
        LAUNCHERS["local"].start(get_run(run_id).folder, COMMAND)
        until(run_id, lambda run: run.pid is not None)
        pid = get_run(run_id).pid
        assert dispatch.advance() == (0, 0)
        assert get_run(run_id).pid == pid
    elif cut == "long after":
        LAUNCHERS["local"].start(get_run(run_id).folder, COMMAND)
        until(run_id, lambda run: run.over)
        monkeypatch.setattr(queue, "START_SECONDS", 0)
        assert dispatch.advance() == (0, 0)
        assert get_run(run_id).state == "finished"
    else:
        assert dispatch.advance() == (0, 1), "its process may still come"
        assert not queue.start_of(run_id)
        monkeypatch.setattr(queue, "START_SECONDS", 0)
        assert dispatch.advance() == (1, 0)
    assert queue.ours("waits", "begun") == []
    assert until(run_id, lambda run: run.over).state == "finished"


def test_a_run_waits_with_the_environment_of_who_asked_which_only_they_can_read(
    device: FileLock, unattended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_ERROR", "bug")
    monkeypatch.setenv(NICENESS, "3")
    run_id = begin("night")
    path = queue.queue_dir() / f"{run_id}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.delenv("STUB_ERROR")
    monkeypatch.delenv(NICENESS)
    started, asked_by = LAUNCHERS["local"].start, []

    def start(folder: Path, command: Sequence[str]) -> dict[str, object]:
        asked_by.append(environment()[NICENESS])
        return started(folder, command)

    monkeypatch.setattr(LAUNCHERS["local"], "start", start)
    device.release()
    before, here = dict(os.environ), Path.cwd()
    try:
        assert dispatch.advance() == (1, 0)
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(here)
    assert asked_by == ["3"], "and not the dispatcher's"
    assert not path.exists(), "it may hold passwords"
    assert until(run_id, lambda run: run.over).state == "failed"


def test_what_somebody_else_wrote_or_a_link_names_is_not_executed(
    device: FileLock, unattended: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin("night")
    path = queue.queue_dir() / f"{run_id}.json"
    assert queue.start_of(run_id) is not None
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        assert queue.start_of(run_id) is None
        assert queue.ours("waits") == []
        assert not queue.is_served(run_id), "whose dispatcher is not there"
        assert slots.in_line() == []
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert queue.start_of(run_id) is None


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"command": 3}', '{"command": [1], "environment": {}}', "\x00"]
)
def test_a_damaged_file_lets_the_others_through(
    device: FileLock, unattended: None, damage: str
) -> None:
    first, second = begin("first"), begin("second")
    (queue.queue_dir() / f"{first}.json").write_text(damage)
    device.release()
    assert dispatch.advance() == (1, 0)
    run = get_run(first)
    assert (run.state, run.error) == ("failed", "what starts it cannot be read: resume it")
    assert until(second, lambda run: run.over).state == "finished"
    assert queue.ours("waits", "begun") == []


def test_a_run_that_is_taken_out_during_a_look_hides_no_other(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        queue.put(name, queue.Start(COMMAND, {}, str(cdp_home), 1))
    scandir = os.scandir

    def listed(folder: Path) -> list[os.DirEntry[str]]:
        entries = list(scandir(folder))
        queue.withdraw("first")
        return entries

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", listed)
        assert queue.ours("waits") == ["second"]


def test_a_run_whose_folder_or_command_is_gone_holds_nobody_up(
    device: FileLock, unattended: None
) -> None:
    lost, broken, whole = begin("lost"), begin("broken"), begin("whole")
    shutil.rmtree(get_run(lost).folder)
    path = queue.queue_dir() / f"{broken}.json"
    path.write_text(json.dumps(read_json(path) | {"command": ["/no/such/python"]}))
    device.release()
    assert dispatch.advance() == (1, 0)
    run = get_run(broken)
    assert (run.state, "no such file or directory" in str(run.error)) == ("failed", True)
    assert until(whole, lambda run: run.over).state == "finished"
    assert queue.ours("waits", "begun") == []


def test_a_stop_that_was_asked_for_and_cut_short_counts(device: FileLock, unattended: None) -> None:
    run_id = begin("night")
    (get_run(run_id).folder / STOP).touch()
    assert get_run(run_id).state == "stopped"
    device.release()
    assert dispatch.advance() == (0, 0)
    assert not queue.withdraw(run_id)


def test_a_run_takes_its_turn_behind_one_that_has_a_process_and_waits(
    device: FileLock, unattended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an evaluation of one's own code in a terminal does."""
    terminal, later = begin("terminal"), begin("later")
    queue.withdraw(terminal)
    write_json(get_run(terminal).folder / "process.json", signature(os.getpid()))
    assert [run.id for run in slots.in_line()] == [terminal, later]
    assert slots.is_behind(get_run(later))
    assert not slots.is_behind(get_run(terminal))
    device.release()
    assert dispatch.advance() == (0, 1)
    (get_run(terminal).folder / "process.json").unlink()
    queue.withdraw(later)


def test_a_dispatcher_of_lower_priority_than_a_run_may_have_is_replaced(
    device: FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("night")
    first = dispatcher()
    queue.ensure_dispatcher()
    assert first.is_running(), "of the same priority"
    with monkeypatch.context() as patch:
        patch.setattr(queue, "niceness", lambda: first.nice() - queue.BACKGROUND - 1)
        queue.ensure_dispatcher()
    assert gone(first)
    assert dispatcher().pid != first.pid


def test_a_run_gives_way_to_who_asked_for_it_and_not_to_who_started_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(os, "nice", steps.append)
    monkeypatch.setattr(slots, "_AUTOGROUP", Path("/no/such/file"))
    monkeypatch.setattr(queue, "niceness", lambda: 7)
    for asked_by in ("0", "7", "10", None):
        monkeypatch.setenv(NICENESS, asked_by or "")
        slots.give_way()
        assert NICENESS not in os.environ, "what it asks for itself has its own"
    assert steps == [0, 5, 8, 5]


def test_a_hundred_that_wait_cost_one_small_process(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = float(os.environ.get("CDP_TEST_SECONDS", "2"))
    monkeypatch.setitem(LAUNCHERS, "local", Local())
    monkeypatch.setenv("STUB_SECONDS", "600")
    at_work, waits = begin("at-work"), begin("waits")
    until(at_work, lambda run: run.state == "running")
    for number in range(1, WAITING):
        _copy(waits, f"20260101-000000-{number:06x}", f"waits-{number}")
    process = dispatcher()
    deadline = time.monotonic() + 30
    while process.cpu_times().user != (process.cpu_times().user, time.sleep(1))[0]:
        assert time.monotonic() < deadline, "it never comes to rest"
    assert len([run for run in active_runs() if run.state == "queued"]) == WAITING
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    share = (after.user + after.system - before.user - before.system) / seconds
    size = process.memory_info().rss
    print(f"{WAITING} waiting: {share:.2%} of a core, {size / 1e6:.0f} MB over {seconds:g} s")
    assert share < 0.02
    assert size < 300e6
    assert process.children(recursive=True) == []
    for run_id in queue.ours("waits"):
        queue.withdraw(run_id)
    stop(at_work)
    until(at_work, lambda run: run.over)


def _copy(run_id: str, new_id: str, name: str) -> None:
    folder = get_run(run_id).folder
    shutil.copytree(folder, folder.with_name(new_id))
    record = read_json(folder / "config.json") or {}
    write_json(folder.with_name(new_id) / "config.json", record | {"name": name})
    start = queue.start_of(run_id)
    assert start is not None
    queue.put(new_id, start)
