"""The numbers of a run as it goes: metrics.jsonl, a line with its format, where it has one, and one
line a point, on disk before the run goes on.
The worker appends; resuming and every page read. Lines are only ever added, but for
``Journal.cut``, which puts a shorter file in place of the old one when a run goes on from an
earlier checkpoint."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp.errors import CdpError
from cdp.files.atomic import atomic_file
from cdp.files.reading import open_regular, read_bytes, reason_of
from cdp.files.versions import require_known
from cdp.values.text import counted

JOURNAL = "metrics.jsonl"
FORMAT = 1
_HEAD = json.dumps({"format": FORMAT}).encode() + b"\n"
MAX_JOURNAL = 1 << 30
_MOST_STEPS = 1 << 53

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """What was measured at one step. time: unix seconds; values: finite numbers by name."""

    step: int
    time: float
    values: dict[str, float]


class Journal:
    """The journal of one run, opened by its only writer. Steps grow from point to point; points that
    cannot be written wait in memory, and are written with the next one."""

    def __init__(
        self,
        path: Path,
        *,
        notice: Callable[[str | None], object] = lambda text: None,
        on_append: Callable[[Point], object] = lambda point: None,
    ) -> None:
        """notice: told that points wait, and None once they do not; on_append: called with every
        point once it is on disk."""
        self._path, self._notice, self._on_append = path, notice, on_append
        self._waiting: list[tuple[int, Mapping[str, float]]] = []
        self._file, self._size, self._last_step = -1, 0, -1

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point in place of all from its step on, as a run that goes on from an earlier
        checkpoint repeats them. NaN and infinities are left out of it."""
        self._waiting = [*(stored for stored in self._waiting if stored[0] < step), (step, values)]
        self._write()

    def cut(self, step: int) -> None:
        """Drop the points after ``step``. Leaves no journal where there was none."""
        self._waiting = [stored for stored in self._waiting if stored[0] <= step]
        if self._file < 0 and not self._path.exists():
            return
        try:
            self._open()
            self._cut(step)
        except OSError as error:
            # The points that follow replace those that could not be dropped.
            logger.warning("the journal could not be cut: %s", error)

    def close(self) -> None:
        """Try once more what waits, and let go of the file."""
        if self._waiting:
            self._write()
        self._release()

    def _write(self) -> None:
        try:
            self._open()
            while self._waiting:
                step, values = self._waiting[0]
                self._cut(step - 1)
                self._append(step, values)
                del self._waiting[0]
        except OSError as error:
            count = len(self._waiting)
            logger.warning("%d points could not be written to the journal: %s", count, error)
            self._notice(
                f"The newest figures could not be saved ({error.strerror or error}): free some"
                " space, and they will be."
            )
        else:
            self._notice(None)

    def _open(self) -> None:
        """A last line that a kill or a full disk left unfinished is cut off."""
        if self._file >= 0:
            return
        content = self._path.read_bytes() if self._path.exists() else b""
        self._size = content.rfind(b"\n") + 1
        if self._size < len(content):
            os.truncate(self._path, self._size)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        points = points_of(content[: self._size])
        self._last_step = max((point.step for point in points), default=-1)

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, step: int, values: Mapping[str, float]) -> None:
        """Raises OSError, with the file as before, on a full disk."""
        point = Point(int(step), time.time(), _finite(values))
        line = json.dumps(vars(point), allow_nan=False).encode() + b"\n"
        line = line if self._size else _HEAD + line
        try:
            _write_all(self._file, line)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self._last_step = point.step
        self._on_append(point)

    def _cut(self, step: int) -> None:
        if self._last_step <= step:
            return
        lines = [line for line, point in _lines(self._path.read_bytes()) if point.step <= step]
        with atomic_file(self._path) as file:
            file.writelines([_HEAD, *lines])
        self._release()
        self._open()


def read_journal(path: Path) -> list[Point]:
    """All points. A missing file is an empty one; damaged lines, and a last one that is being
    written, are left out. ``Follower`` reads what is new. Raises NewerError for a later format,
    OSError, and ValueError for what is no file of a sane size."""
    try:
        content = read_bytes(path, MAX_JOURNAL)
    except FileNotFoundError:
        return []
    _require_known(path, content)
    return points_of(content)


@dataclass
class Follower:
    """A journal as somebody watches it: ``points`` is all of it as of the last ``update``.
    problem: why it cannot be read, or what of it, "" where all can."""

    path: Path
    points: list[Point] = field(default_factory=list)
    problem: str = ""
    _offset: int = 0
    _last: bytes = b""
    _damaged: int = 0
    _seen: tuple[int, int, int] | None = None

    def update(self) -> bool:
        """Read what is new; whether anything changed. After a cut ``points`` is a new list, no
        longer the old one grown. Nothing new costs one stat. A cut is noticed even where the file
        has grown past its old length since: the line that was read last is no longer where it
        was."""
        points, problem, seen = self.points, self.problem, None
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if seen == self._seen:
                return False
            content, self.problem = self._unread(), ""
            if not content.startswith(self._last):
                self._forget()
                content = self._unread()
            if not self._offset:
                _require_known(self.path, content)
        except FileNotFoundError:
            content, self.problem = b"", ""
        except (OSError, ValueError) as error:
            content, self.problem, seen = b"", unreadable(self.path, error), None
        if not content.startswith(self._last):
            self._forget()
        whole = content[len(self._last) : content.rfind(b"\n") + 1]
        if whole:
            new = points_of(whole)
            self.points.extend(new)
            self._damaged += len(whole.splitlines()) - whole.count(_HEAD) - len(new)
            self._offset += len(whole)
            self._last = whole[whole.rfind(b"\n", 0, -1) + 1 :]
        if self._damaged and not self.problem:
            lines = counted(self._damaged, "damaged line")
            self.problem = (
                f"{lines} of {self.path.name} {'is' if self._damaged == 1 else 'are'} left out"
            )
        self._seen = seen
        return bool(whole) or self.points is not points or self.problem != problem

    def _forget(self) -> None:
        self.points, self._offset, self._last, self._damaged = [], 0, b"", 0

    def _unread(self) -> bytes:
        """From the line that was read last on."""
        with open_regular(self.path) as file:
            file.seek(self._offset - len(self._last))
            return file.read(MAX_JOURNAL)


def _require_known(path: Path, content: bytes) -> None:
    """content: from the beginning of a journal on."""
    with contextlib.suppress(json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        head = json.loads(content[: content.find(b"\n") + 1])
        require_known(path, head.get("format") if isinstance(head, dict) else None, FORMAT)


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {str(name): float(value) for name, value in values.items()}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _write_all(file: int, data: bytes) -> None:
    """A write may be short where the disk is nearly full; the next one says why."""
    while data:
        data = data[os.write(file, data) :]


def points_of(content: bytes) -> list[Point]:
    """What whole lines of a journal say."""
    return [point for _, point in _lines(content)]


def _lines(content: bytes) -> Iterable[tuple[bytes, Point]]:
    """Every whole line that holds a point, as it is and as what it says."""
    for line in content.splitlines(keepends=True):
        point = parse_point(line) if line.endswith(b"\n") else None
        if point is not None:
            yield line, point


def is_whole(line: bytes) -> bool:
    """Whether a line of a journal says what one can: a point, or in which format it is written."""
    return line == _HEAD.strip() or parse_point(line) is not None


def parse_point(line: bytes) -> Point | None:
    """What a line of a journal says; None where it is damaged."""
    try:
        record: Any = json.loads(line)
        step, when, values = record["step"], record["time"], record["values"]
        point = Point(int(step), float(when), _finite(values))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return point if 0 <= point.step < _MOST_STEPS else None


def unreadable(path: Path, error: Exception) -> str:
    """Why a journal cannot be read, in a sentence."""
    if isinstance(error, CdpError):
        return str(error)
    return f"{path.name} cannot be read ({reason_of(error)}): make {path} a readable file"
