"""What a person reads while waiting."""

from __future__ import annotations

import io

import pytest

from cdp.cli.output import ProgressLine, bytes_text, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7830, "2 h 10 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25_276_502_016, "25.3 GB"), (3e12, "3.0 TB")],
)
def test_bytes_come_in_the_unit_that_reads_best(count: float, text: str) -> None:
    assert bytes_text(count) == text


def test_a_log_gets_whole_lines_and_not_one_a_batch() -> None:
    stream = io.StringIO()
    with ProgressLine("images", stream) as line:
        for done in range(0, 1001, 10):
            line.show(done, 1000, 5.0)
    assert stream.getvalue().splitlines() == [
        "0 of 1,000 images, 5 s left",
        "1,000 of 1,000 images",
    ]


def test_a_terminal_gets_one_line_redrawn_and_nothing_of_the_longer_one_before_it() -> None:
    stream = Terminal()
    with ProgressLine("steps", stream, every=0) as line:
        line.show(1, 2, 100.0, ", loss 0.5000")
        line._last = float("-inf")
        line.show(2, 2, 0.0)
    first, second = stream.getvalue().removeprefix("\r").removesuffix("\n").split("\r")
    assert first == "1 of 2 steps, 1 min 40 s left, loss 0.5000"
    assert second == "2 of 2 steps".ljust(len(first))
