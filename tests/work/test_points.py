"""The worker's journal: points made again replace the old ones, and a full disk costs none."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cdp.work.journal import read_journal
from cdp.work.points import SteadyJournal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def steps(path: Path) -> list[tuple[int, float]]:
    return [(point.step, point.values["a"]) for point in read_journal(path)[0]]


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file may grow beyond the size of this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_points_of_a_full_disk_wait_and_follow_in_order_once_there_is_space(path: Path) -> None:
    notices: list[str | None] = []
    heard: list[int] = []
    journal = SteadyJournal(
        path, notice=notices.append, on_append=lambda point: heard.append(point.step)
    )
    journal.append(1, {"a": 1.0})
    with full_disk(path):
        journal.append(2, {"a": 2.0})
        journal.append(3, {"a": 3.0})
        assert steps(path) == [(1, 1.0)]
        assert "free some space" in str(notices[-1])
    journal.append(4, {"a": 4.0})
    assert steps(path) == [(s, float(s)) for s in (1, 2, 3, 4)]
    assert heard == [1, 2, 3, 4]
    assert notices[-1] is None


def test_what_still_waits_is_written_at_the_end(path: Path) -> None:
    journal = SteadyJournal(path, notice=lambda text: None)
    journal.append(1, {"a": 1.0})
    with full_disk(path):
        journal.append(2, {"a": 2.0})
    journal.close()
    assert steps(path) == [(1, 1.0), (2, 2.0)]


def test_a_point_takes_the_place_of_all_from_its_step_on(path: Path) -> None:
    journal = SteadyJournal(path, notice=lambda text: None)
    for step in (1, 2, 3):
        journal.append(step, {"a": 0.0})
    journal.append(2, {"a": 9.0})
    assert steps(path) == [(1, 0.0), (2, 9.0)]


def test_points_that_wait_are_cut_with_the_rest(path: Path) -> None:
    journal = SteadyJournal(path, notice=lambda text: None)
    journal.append(1, {"a": 1.0})
    with full_disk(path):
        for step in (2, 3):
            journal.append(step, {"a": 0.0})
        journal.cut(2)
    journal.close()
    assert steps(path) == [(1, 1.0), (2, 0.0)]


def test_work_that_keeps_no_journal_leaves_none(path: Path) -> None:
    journal = SteadyJournal(path, notice=lambda text: None)
    journal.cut(0)
    journal.close()
    assert not path.exists()


def test_a_torn_last_line_of_a_killed_worker_is_replaced_by_the_point_made_again(
    path: Path,
) -> None:
    journal = SteadyJournal(path, notice=lambda text: None)
    journal.append(1, {"a": 1.0})
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20].replace(b'"step": 1', b'"step": 2'))
    journal = SteadyJournal(path, notice=lambda text: None)
    journal.append(2, {"a": 2.0})
    assert steps(path) == [(1, 1.0), (2, 2.0)]
