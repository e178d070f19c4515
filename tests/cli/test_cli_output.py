"""What a person reads while waiting."""

from __future__ import annotations

import io

from cdp.cli.output import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_and_not_one_a_batch() -> None:
    stream = io.StringIO()
    with ProgressLine("images", stream) as line:
        for done in range(0, 1001, 10):
            line.show(done, 1000, 5.0)
    expected = ["0 of 1,000 images, 5 s left", "1,000 of 1,000 images"]
    assert stream.getvalue().splitlines() == expected


def test_a_terminal_gets_one_line_redrawn_and_nothing_of_the_longer_one_before_it() -> None:
    stream = Terminal()
    with ProgressLine("steps", stream, every=0) as line:
        line.show(1, 2, 100.0, ", loss 0.5000")
        line._last = float("-inf")
        line.show(2, 2, 0.0)
    first, second = stream.getvalue().removeprefix("\r").removesuffix("\n").split("\r")
    assert first == "1 of 2 steps, 1 min 40 s left, loss 0.5000"
    assert second == "2 of 2 steps".ljust(len(first))
