"""What the commands write: results on stdout, everything said to a person meanwhile on stderr; and
Ctrl-C as a question asked between steps."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self, TextIO

from cdp.errors import InputError
from cdp.values.text import done_text, duration, visible

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


class Visible:
    """A stream of text that a terminal shows as it is: names and messages of strangers may hold
    what it would act on."""

    def __init__(self, stream: TextIO) -> None:
        self.unfiltered = stream

    def write(self, text: str) -> int:
        # The line ends of CSV stay as they are.
        self.unfiltered.write("\r\n".join(map(visible, text.split("\r\n"))))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


def visible_streams() -> None:
    """From now on all that this process prints is shown as it is, whoever prints it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Visible):
            setattr(sys, name, Visible(stream))


def say(sentence: str) -> None:
    """One line on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout; NaN and infinities never appear."""
    print(json.dumps(value, allow_nan=False), flush=True)


def answer(text: str, value: dict[str, Any], *, as_json: bool) -> None:
    """What a command came to, as text or as one JSON object."""
    if as_json:
        print_json(value)
    else:
        print(text)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table of text, columns side by side."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def maker_of(
    path: Path, makers: dict[str, Callable[[Any], str]], option: str
) -> Callable[[Any], str]:
    """What makes the content of a report, by the ending of its name. Raises InputError for another
    ending. option: that named the file."""
    ending = next((ending for ending in makers if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise InputError(
            f"{option}: {path.name[:80]!r} ends with none of {', '.join(makers)}: name the file by"
            " what it should be"
        )
    return makers[ending]


def write_report(path: Path, content: str, option: str) -> None:
    """A file whole, in place of one that is there. Raises InputError where it cannot be written.
    option: that named the file."""
    from cdp.files.atomic import atomic_file
    from cdp.files.private import as_given

    try:
        with as_given(), atomic_file(path) as file:
            file.write(content.encode())
    except OSError as error:
        raise InputError(
            f"{option}: {path} cannot be written ({error.strerror}): choose another place"
        ) from error
    say(f"wrote {path}")


def queued(run_id: str, name: str, hint: str, *, as_json: bool) -> None:
    """A background run was started. hint: the command with which it is seen."""
    value = {"run": run_id, "name": name, "state": "queued"}
    answer(f"{run_id}: {name} is queued", value, as_json=as_json)
    if not as_json:
        say(hint)


class ProgressLine:
    """Where work stands, on stderr: redrawn in place on a terminal, else a fresh line every ten
    seconds."""

    def __init__(self, unit: str, stream: TextIO | None = None, *, every: float = 10.0) -> None:
        """unit: what is counted, e.g. "images"; every: seconds between lines where the stream is no
        terminal."""
        stream = stream or sys.stderr
        self._unit, self._stream = unit, getattr(stream, "unfiltered", stream)
        self._terminal = self._stream.isatty()
        self._every = 0.2 if self._terminal else every
        self._last, self._finished = float("-inf"), False
        self._width = 0

    def show(self, done: int, total: int, seconds_left: float | None, note: str = "") -> None:
        """``done`` of ``total``; seconds_left: None while unknown; note: added at the end."""
        now = time.monotonic()
        if now - self._last < self._every and (done < total or self._finished):
            return
        self._last, self._finished = now, done >= total
        left = f", {duration(seconds_left)} left" if seconds_left and done < total else ""
        self._write(f"{done_text(done, total, self._unit)}{left}{note}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the line that was redrawn in place."""
        if self._terminal and self._width:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, line: str) -> None:
        line = visible(line)
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C makes the yielded function true instead of raising, so that
    what is finished is kept; a second one ends the process."""
    asked = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        say("stopping after the current step; press Ctrl-C again to end at once")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
