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
from cdp.work.helper import GONE, Errand, Side

STUB = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    say = lambda message: print(json.dumps(message), flush=True)
    task, payload = asked["task"], asked["payload"]
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
def side(tmp_path: Path) -> Iterator[Side]:
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    made = Side([sys.executable, str(script)])
    yield made
    made.close()


def done(errand: Errand) -> Errand:
    assert errand.wait(20)
    return errand


def test_an_answer_comes_back_and_the_process_stays(side: Side) -> None:
    first, second = (done(side.ask("echo", {"n": n})) for n in (1, 2))
    assert (first.state, first.result["n"], second.result["n"]) == ("done", 1, 2)
    assert first.result["pid"] == second.result["pid"]


def test_the_same_question_is_asked_once_while_it_runs_and_after(side: Side) -> None:
    slow = side.ask("sleep", {"seconds": 0.5})
    assert side.ask("sleep", {"seconds": 0.5}) is slow
    assert side.ask("sleep", {"seconds": 0.6}) is not slow
    done(slow)
    assert side.ask("sleep", {"seconds": 0.5}) is slow


def test_a_failure_is_a_sentence_and_stays_until_it_is_forgotten(side: Side) -> None:
    failed = done(side.ask("fail", {}))
    assert (failed.state, failed.error) == ("failed", "it is broken: mend it")
    assert (
        side.ask("fail", {}) is failed
    )  # a page that is drawn again and again must not try again and again
    side.forget(failed)
    assert side.ask("fail", {}) is not failed


def test_what_is_on_its_way_is_not_forgotten_and_another_state_of_a_file_is_another_question(
    side: Side,
) -> None:
    slow = side.ask("sleep", {"seconds": 0.5}, of="first")
    side.forget(slow)
    assert side.ask("sleep", {"seconds": 0.5}, of="first") is slow
    assert side.ask("sleep", {"seconds": 0.5}, of="second") is not slow


def test_a_dead_process_fails_its_errand_and_the_next_gets_a_new_one(side: Side) -> None:
    before = done(side.ask("echo", {"n": 1})).result["pid"]
    dead = done(side.ask("die", {}))
    assert (dead.state, dead.error) == ("failed", GONE)
    assert done(side.ask("echo", {"n": 2})).result["pid"] != before


def test_cancel_ends_what_runs_at_once_and_withdraws_what_waits(side: Side) -> None:
    running, waiting = side.ask("sleep", {"seconds": 60}), side.ask("sleep", {"seconds": 61})
    end = time.monotonic() + 20
    while running.words != "sleeping" and time.monotonic() < end:
        time.sleep(0.01)
    side.cancel(waiting)
    side.cancel(running)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    began = time.monotonic()
    assert done(side.ask("echo", {"n": 3})).result["n"] == 3
    assert time.monotonic() - began < 15


def test_time_left_follows_from_what_the_same_work_took_before(side: Side) -> None:
    first = side.ask("sleep", {"seconds": 0.4}, kind="umap", size=100)
    assert first.expected is None
    done(first)
    second = side.ask("sleep", {"seconds": 0.41}, kind="umap", size=200)
    other = side.ask("sleep", {"seconds": 0.42}, kind="pca", size=200)
    assert second.expected == pytest.approx(0.8, abs=0.5)
    assert other.expected is None


def test_closing_cancels_everything(side: Side) -> None:
    running, waiting = side.ask("sleep", {"seconds": 60}), side.ask("sleep", {"seconds": 61})
    side.close()
    assert {running.state, waiting.state} == {"cancelled"}


def test_the_real_worker_answers_errors_in_one_sentence_and_goes_on(cdp_home: Path) -> None:
    side = Side()
    try:
        for payload, word in (({"sets": ["gone"]}, "gone"), ({"sets": []}, "sets")):
            failed = side.ask("embed", payload)
            assert failed.wait(60)
            assert failed.state == "failed"
            assert word in str(failed.error)
            assert "\n" not in str(failed.error)
    finally:
        side.close()


def test_the_worker_ends_with_its_parent_in_the_middle_of_a_task(cdp_home: Path) -> None:
    """The parent is a process of its own, which asks for UMAP's long preparation and is killed."""
    program = (
        "from cdp.work.helper import Side; s = Side(); s.ask('warm', {})\nwhile s._process is None:"
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
