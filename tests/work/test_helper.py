"""The helper process: answers, progress, one question at a time, cancel, death, and what it says of
errors."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cdp.paths import ROOT
from cdp.work.helper import GONE, Errand, Helper

STUB = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    say = lambda message: print(json.dumps(message), flush=True)
    task, payload = asked["task"], asked["settings"]
    if task == "echo":
        say({"share": 0.5, "words": "half"})
        say({"result": payload | {"pid": os.getpid()}})
    elif task == "sleep":
        say({"share": 0.25, "words": "sleeping"})
        time.sleep(payload["seconds"])
        say({"result": None})
    elif task == "fail":
        say({"error": "it is broken: mend it"})
    elif task == "die":
        os._exit(9)
"""


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Helper]:
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    made = Helper([sys.executable, str(script)])
    yield made
    made.close()


def done(errand: Errand) -> Errand:
    assert errand.wait(20)
    return errand


def test_an_answer_comes_back_and_the_process_stays(helper: Helper) -> None:
    first, second = (done(helper.ask("echo", {"n": n})) for n in (1, 2))
    assert (first.state, first.result["n"], second.result["n"]) == ("done", 1, 2)
    assert first.result["pid"] == second.result["pid"]


def test_the_same_question_is_asked_once_while_it_runs_and_after(helper: Helper) -> None:
    slow = helper.ask("sleep", {"seconds": 0.5})
    assert helper.ask("sleep", {"seconds": 0.5}) is slow
    assert helper.ask("sleep", {"seconds": 0.6}) is not slow
    done(slow)
    assert helper.ask("sleep", {"seconds": 0.5}) is slow


def test_a_failure_is_a_sentence_and_stays_until_it_is_forgotten(helper: Helper) -> None:
    failed = done(helper.ask("fail", {}))
    assert (failed.state, failed.error) == ("failed", "it is broken: mend it")
    assert (
        helper.ask("fail", {}) is failed
    )  # a page that is drawn again and again must not try again and again
    failed.forget()
    assert helper.ask("fail", {}) is not failed


def test_what_is_on_its_way_is_not_forgotten_and_another_state_of_a_file_is_another_question(
    helper: Helper,
) -> None:
    slow = helper.ask("sleep", {"seconds": 0.5}, of="first")
    slow.forget()
    assert helper.ask("sleep", {"seconds": 0.5}, of="first") is slow
    assert helper.ask("sleep", {"seconds": 0.5}, of="second") is not slow


def test_a_dead_process_fails_its_errand_and_the_next_gets_a_new_one(helper: Helper) -> None:
    before = done(helper.ask("echo", {"n": 1})).result["pid"]
    dead = done(helper.ask("die", {}))
    assert (dead.state, dead.error) == ("failed", GONE)
    assert done(helper.ask("echo", {"n": 2})).result["pid"] != before


def test_cancel_ends_what_runs_at_once_and_withdraws_what_waits(helper: Helper) -> None:
    running, waiting = helper.ask("sleep", {"seconds": 60}), helper.ask("sleep", {"seconds": 61})
    end = time.monotonic() + 20
    while running.words != "sleeping" and time.monotonic() < end:
        time.sleep(0.01)
    waiting.cancel()
    running.cancel()
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    began = time.monotonic()
    assert done(helper.ask("echo", {"n": 3})).result["n"] == 3
    assert time.monotonic() - began < 15


def test_time_left_follows_from_what_the_same_work_took_before(helper: Helper) -> None:
    first = helper.ask("sleep", {"seconds": 0.4}, kind="umap", size=100)
    assert first.expected is None
    most = done(first).spent
    second = helper.ask("sleep", {"seconds": 0.41}, kind="umap", size=200)
    other = helper.ask("sleep", {"seconds": 0.42}, kind="pca", size=200)
    assert second.expected is not None and 0.8 <= second.expected <= 2 * most
    assert other.expected is None


def begun(errand: Errand) -> Errand:
    end = time.monotonic() + 20
    while errand.words != "sleeping":
        assert time.monotonic() < end
        time.sleep(0.01)
    return errand


def test_urgent_work_goes_before_what_waits_and_says_what_it_waits_for(helper: Helper) -> None:
    running = begun(helper.ask("sleep", {"seconds": 0.5}, title="Scores"))
    later = helper.ask("sleep", {"seconds": 0.1}, title="Figures")
    urgent = helper.ask("echo", {"n": 1}, title="Attack", urgent=True)
    assert (urgent.position, later.position, running.position) == (1, 2, 0)
    assert str(urgent.waiting_for).startswith("Scores")
    assert str(later.waiting_for).endswith("and 1 more")
    assert running.waiting_for is None
    assert done(urgent).started < done(later).started


def test_what_nobody_watches_any_more_is_dropped_for_what_somebody_does(
    helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = begun(helper.ask("sleep", {"seconds": 60}, title="Scores"))
    also_left = helper.ask("sleep", {"seconds": 61})
    made = helper.ask("sleep", {"seconds": 0.1}, lasting=True)
    monkeypatch.setattr("cdp.work.ticket.WATCHED_SECONDS", 0.2)
    time.sleep(0.3)
    assert left.state == "running", "alone it may go on"
    wanted = helper.ask("echo", {"n": 1})
    end = time.monotonic() + 20
    while not wanted.over and time.monotonic() < end:
        wanted.watch()  # as a page does that shows it
        time.sleep(0.02)
    assert (wanted.state, left.state, made.state) == ("done", "cancelled", "done")
    assert also_left.state == "cancelled"
    assert helper.ask("sleep", {"seconds": 60}) is not left, "somebody asks again: it begins anew"


def test_cancelled_work_stays_cancelled_until_it_is_forgotten(helper: Helper) -> None:
    errand = begun(helper.ask("sleep", {"seconds": 60}))
    errand.cancel()
    assert helper.ask("sleep", {"seconds": 60}) is errand


def test_closing_cancels_everything(helper: Helper) -> None:
    running, waiting = helper.ask("sleep", {"seconds": 60}), helper.ask("sleep", {"seconds": 61})
    helper.close()
    assert {running.state, waiting.state} == {"cancelled"}


def test_the_real_worker_answers_errors_in_one_sentence_and_goes_on(cdp_home: Path) -> None:
    helper = Helper()
    try:
        for payload, word in (({"sets": ["gone"]}, "gone"), ({"sets": []}, "sets")):
            failed = helper.ask("embed", payload)
            assert failed.wait(60)
            assert failed.state == "failed"
            assert word in str(failed.error)
            assert "\n" not in str(failed.error)
    finally:
        helper.close()


def test_the_worker_ends_with_its_parent_in_the_middle_of_a_task(cdp_home: Path) -> None:
    """The parent is a process of its own, which asks for UMAP's long preparation and is killed."""
    program = (
        "from cdp.work.helper import Helper; s = Helper(); s.ask('warm', {})\nwhile s._process is None:"
        " pass\nprint(s._process.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    time.sleep(1.5)  # it has begun
    assert worker.is_running()
    parent.kill()
    parent.wait()
    assert not psutil.wait_procs([worker], timeout=10)[1]


def test_a_worker_whose_asker_is_gone_ends_without_a_word(cdp_home: Path) -> None:
    program = (
        "import os; from cdp.work.helper import _say; there, here = os.pipe(); os.close(there);"
        " _say(os.fdopen(here, 'w'), {}); print('goes on')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
