"""Progress: pace and time left from this start alone, and read back from whatever a file holds."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pytest

from cdp.work.progress import Progress, progress_since, read_progress

SOME = Progress(3, 10, 1.5, None, 2.0, 1, "steps")


def test_the_pace_counts_what_this_start_did_and_the_time_left_follows_from_it() -> None:
    progress = progress_since(time.monotonic() - 10, done=70, count=100, resumed_from=50)
    assert progress.rate == pytest.approx(2, rel=0.01)
    assert progress.seconds_left == pytest.approx(15, rel=0.01)
    assert progress.share == 0.7


def test_before_anything_is_done_pace_and_time_left_are_unknown() -> None:
    progress = progress_since(time.monotonic() - 10, done=50, count=100, resumed_from=50)
    assert (progress.rate, progress.seconds_left) == (None, None)


def test_a_time_left_that_is_given_is_kept_but_for_infinity() -> None:
    began = time.monotonic() - 1
    assert (
        progress_since(began, done=1, count=2, resumed_from=0, seconds_left=7.0).seconds_left == 7
    )
    assert (
        progress_since(
            began, done=1, count=2, resumed_from=0, seconds_left=float("inf")
        ).seconds_left
        is None
    )


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
