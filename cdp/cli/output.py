"""What the commands write: results on stdout, everything said to a person meanwhile on stderr."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any, Self, TextIO

import typer

from cdp.values.text import duration

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line instead of text.")]
AsJsonAtEnd = Annotated[bool, typer.Option("--json", help="Print one JSON line at the end.")]


def say(sentence: str) -> None:
    """One line on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout; NaN and infinities never appear."""
    print(json.dumps(value, allow_nan=False), flush=True)


class ProgressLine:
    """Where work stands, on stderr: redrawn in place on a terminal, else a fresh line every ten
    seconds."""

    def __init__(self, unit: str, stream: TextIO | None = None, *, every: float = 10.0) -> None:
        """unit: what is counted, e.g. "images"; every: seconds between lines where the stream is no
        terminal."""
        self._unit, self._stream = unit, stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = 0.2 if self._terminal else every
        self._last = float("-inf")
        self._width = 0

    def show(self, done: int, total: int, seconds_left: float | None, note: str = "") -> None:
        """``done`` of ``total``; seconds_left: None while unknown; note: added at the end."""
        now = time.monotonic()
        if now - self._last < self._every and done < total:
            return
        self._last = now
        left = f", {duration(seconds_left)} left" if seconds_left and done < total else ""
        self._write(f"{done:,} of {total:,} {self._unit}{left}{note}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the line that was redrawn in place."""
        if self._terminal and self._width:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, line: str) -> None:
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()
