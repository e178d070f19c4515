"""The journal: every point once, in order, whatever kills the writer and whoever watches."""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.work.journal import Follower, Journal, Point, read_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def plain(points: list[Point]) -> list[tuple[int, dict[str, float]]]:
    return [(point.step, point.values) for point in points]


def test_what_is_appended_is_read_back_with_its_time(path: Path) -> None:
    before = time.time()
    journal = Journal(path)
    journal.append(1, {"loss": np.float32(0.5), "n": 1000})
    journal.append(4, {"loss": 0.25})
    first, second = read_journal(path)
    assert plain([first, second]) == [(1, {"loss": 0.5, "n": 1000.0}), (4, {"loss": 0.25})]
    assert before <= first.time <= second.time <= time.time()


def test_nan_and_infinities_are_left_out_and_the_step_is_kept(path: Path) -> None:
    journal = Journal(path)
    journal.append(1, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0})
    journal.append(2, {"a": math.nan})
    assert plain(read_journal(path)) == [(1, {"d": 1.0}), (2, {})]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_listener_hears_every_point_that_is_on_disk(path: Path) -> None:
    heard = []
    journal = Journal(path, on_append=lambda point: heard.append((point, read_journal(path)[-1])))
    journal.append(1, {"a": 1.0})
    journal.append(2, {"a": 2.0})
    assert [point.step for point, _ in heard] == [1, 2]
    assert all(point == on_disk for point, on_disk in heard)


@given(
    actions=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 3)),
            st.tuples(st.just("cut"), st.integers(-1, 12)),
            st.tuples(st.just("tear"), st.integers(1, 60)),
            st.tuples(st.just("reopen"), st.just(0)),
            st.tuples(st.just("watch"), st.just(0)),
        ),
        max_size=25,
    )
)
def test_points_survive_any_order_of_appends_cuts_kills_and_watchers(
    actions: list[tuple[str, int]],
) -> None:
    """Against a plain list. A kill leaves a beginning of a line behind; then the journal is opened
    again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        journal, expected, follower, count = Journal(path), [], Follower(path), 0
        for action, number in actions:
            if action == "append":
                count += 1
                step = (expected[-1][0] if expected else 0) + number
                journal.append(step, {"count": count})
                expected.append((step, {"count": float(count)}))
            elif action == "cut":
                journal.cut(number)
                expected = [point for point in expected if point[0] <= number]
            elif action == "tear":
                journal.close()
                line = json.dumps({"step": 99, "time": 1.0, "values": {"count": 1234567.25}})
                with path.open("a") as file:
                    file.write(line[:number])
                assert plain(read_journal(path)) == expected
                journal = Journal(path)
            elif action == "reopen":
                journal.close()
                journal = Journal(path)
            else:
                follower.update()
                assert plain(follower.points) == expected
                assert not follower.update()
            assert plain(read_journal(path)) == expected
        follower.update()
        assert plain(follower.points) == expected
        journal.close()


def test_a_follower_notices_a_cut_that_has_grown_over_since(path: Path) -> None:
    journal = Journal(path)
    for step in range(1, 5):
        journal.append(step, {"a": 1.0})
    follower = Follower(path)
    assert follower.update()
    old = follower.points
    journal.cut(2)
    for step in range(3, 20):
        journal.append(step, {"a": 2.0})
    assert follower.update()
    assert plain(follower.points) == [(s, {"a": 1.0}) for s in (1, 2)] + [
        (s, {"a": 2.0}) for s in range(3, 20)
    ]
    assert follower.points is not old and len(old) == 4


def test_a_missing_file_is_an_empty_journal_and_a_deleted_one_becomes_it(path: Path) -> None:
    follower = Follower(path)
    assert read_journal(path) == []
    assert not follower.update() and follower.points == []
    Journal(path).append(1, {})
    assert follower.update() and len(follower.points) == 1
    path.unlink()
    assert follower.update() and follower.points == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        "null",
        "\0\0\0",
        "{'step': 1}",
        '{"step": 1, "time": 1}',
        '{"step": 1, "time": 1, "values": [1]}',
        '{"step": null, "time": 1, "values": {}}',
        '{"step": 1e999, "time": 1, "values": {}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_left_out_and_hurts_no_other(path: Path, line: str) -> None:
    journal = Journal(path)
    journal.append(1, {"a": 1.0})
    journal.close()
    with path.open("a") as file:
        file.write(line + "\n")
    journal = Journal(path)
    journal.append(2, {"a": 2.0})
    assert plain(read_journal(path)) == [(1, {"a": 1.0}), (2, {"a": 2.0})]
    follower = Follower(path)
    assert follower.update() and plain(follower.points) == plain(read_journal(path))
    assert follower.problem == f"1 damaged line of {path.name} is left out"
    journal.append(3, {"a": 3.0})
    assert follower.update() and "1 damaged line" in follower.problem


def test_a_kill_at_any_moment_loses_at_most_the_point_being_written(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cdp.work.journal import Journal, read_journal\n"
        "path = Path(sys.argv[1]); journal, step = Journal(path), len(read_journal(path))\n"
        "while True:\n    step += 1\n    journal.append(step, {'a': step})\n"
        "    print(step, flush=True)\n"
    )
    said = 0
    for lines in (3, 57, 120):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(lines):
            said = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        said = int(rest[-1]) if rest else said
        steps = [point.step for point in read_journal(path)]
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) in (said, said + 1)


def test_a_page_of_twenty_runs_is_read_again_in_no_time(tmp_path: Path) -> None:
    """20 runs of 500 epochs of 15 metrics, nothing new: well under a frame."""
    followers = []
    for run in range(20):
        path = tmp_path / f"{run}.jsonl"
        line = {"time": 1.0, "values": {f"metric {i}": i / 7 for i in range(15)}}
        path.write_text(
            "".join(json.dumps({"step": step, **line}) + "\n" for step in range(1, 501))
        )
        followers.append(Follower(path))
    assert all(follower.update() for follower in followers)
    fastest = min(_timed(followers) for _ in range(5))
    assert fastest < 0.005


def _timed(followers: list[Follower]) -> float:
    began = time.perf_counter()
    assert not any(follower.update() for follower in followers)
    return time.perf_counter() - began


def test_reading_a_journal_imports_neither_torch_nor_mlflow() -> None:
    code = (
        "import sys, cdp.work.journal, cdp.work.resources, cdp.work.tracking\n"
        "print([m for m in ('torch', 'mlflow', 'sqlalchemy') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "[]"


def steps(path: Path) -> list[tuple[int, float]]:
    return [(point.step, point.values["a"]) for point in read_journal(path)]


@contextmanager
def full_disk(path: Path, room: int = 0) -> Iterator[None]:
    """No file may grow beyond the size of this one, and some room: a write that would cross it comes
    back short, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_points_of_a_full_disk_wait_and_follow_in_order_once_there_is_space(path: Path) -> None:
    notices: list[str | None] = []
    heard: list[int] = []
    journal = Journal(path, notice=notices.append, on_append=lambda point: heard.append(point.step))
    journal.append(1, {"a": 1.0})
    size = path.stat().st_size
    with full_disk(path, 10):
        journal.append(2, {"a": 2.0})
        journal.append(3, {"a": 3.0})
        assert path.stat().st_size == size and steps(path) == [(1, 1.0)]
        assert "free some space" in str(notices[-1])
    journal.append(4, {"a": 4.0})
    assert steps(path) == [(s, float(s)) for s in (1, 2, 3, 4)]
    assert heard == [1, 2, 3, 4]
    assert notices[-1] is None


def test_what_still_waits_is_written_at_the_end(path: Path) -> None:
    journal = Journal(path)
    journal.append(1, {"a": 1.0})
    with full_disk(path):
        journal.append(2, {"a": 2.0})
    journal.close()
    assert steps(path) == [(1, 1.0), (2, 2.0)]


def test_a_point_takes_the_place_of_all_from_its_step_on(path: Path) -> None:
    journal = Journal(path)
    for step in (1, 2, 3):
        journal.append(step, {"a": 0.0})
    journal.append(2, {"a": 9.0})
    assert steps(path) == [(1, 0.0), (2, 9.0)]


def test_points_that_wait_are_cut_with_the_rest(path: Path) -> None:
    journal = Journal(path)
    journal.append(1, {"a": 1.0})
    with full_disk(path):
        for step in (2, 3):
            journal.append(step, {"a": 0.0})
        journal.cut(2)
    journal.close()
    assert steps(path) == [(1, 1.0), (2, 0.0)]


def test_work_that_keeps_no_journal_leaves_none(path: Path) -> None:
    journal = Journal(path)
    journal.cut(0)
    journal.close()
    assert not path.exists()


def test_a_torn_last_line_of_a_killed_worker_is_replaced_by_the_point_made_again(
    path: Path,
) -> None:
    journal = Journal(path)
    journal.append(1, {"a": 1.0})
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20].replace(b'"step": 1', b'"step": 2'))
    journal = Journal(path)
    journal.append(2, {"a": 2.0})
    assert steps(path) == [(1, 1.0), (2, 2.0)]
