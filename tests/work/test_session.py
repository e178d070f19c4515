"""What running work says of itself, and how progress is read back from whatever a file holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from cdp.work.session import Progress, Session, read_progress

SOME = Progress(3, 10, 1.5, None, 2.0, 1, "steps")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One number, the time."""
    now = [100.0]
    monkeypatch.setattr("cdp.work.session.time.monotonic", lambda: now[0])
    return now


def test_the_pace_counts_what_this_start_did_and_the_time_left_follows_from_it(
    clock: list[float],
) -> None:
    seen: list[Progress] = []
    session = Session(on_progress=seen.append)
    session.progress(50, 100)
    clock[0] += 10
    session.progress(70, 100)
    before, progress = seen
    assert (before.rate, before.seconds_left, before.resumed_from) == (None, None, 50)
    assert (progress.rate, progress.seconds_left, progress.share) == (2, 15, 0.7)


def test_a_time_left_that_is_given_is_kept_but_for_infinity(clock: list[float]) -> None:
    seen: list[Progress] = []
    session = Session(on_progress=seen.append)
    session.begin(1)
    for left in (7.0, float("inf")):
        clock[0] += 1
        session.progress(2, 3, seconds_left=left)
    assert [progress.seconds_left for progress in seen] == [7.0, None]


def test_nobody_has_to_listen() -> None:
    session = Session()
    session.share(0.5, "half")
    session.point(1, {"loss": 1.0})
    session.cut(0)
    session.notice("look")
    assert not session.stop_requested()


def test_what_was_written_is_read_back() -> None:
    assert read_progress(asdict(SOME)) == SOME


@pytest.mark.parametrize(
    "change",
    [
        {"done": -1},
        {"done": "3"},
        {"done": 1.5},
        {"count": None},
        {"seconds": float("nan")},
        {"seconds_left": "x"},
        {"rate": True},
        {"unit": 3},
        {"of_tomorrow": 1},
        {"rate": 10**400},
    ],
)
def test_what_makes_no_sense_is_no_progress(change: dict[str, Any]) -> None:
    assert read_progress(asdict(SOME) | change) is None


@pytest.mark.parametrize("value", [None, 3, [], "x", {}])
def test_anything_else_is_no_progress(value: Any) -> None:
    assert read_progress(value) is None
