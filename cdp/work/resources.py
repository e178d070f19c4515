"""What a run takes from the machine while it works: resources.jsonl, a line every few seconds,
thinned as it grows."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from cdp.files.atomic import atomic_file
from cdp.files.reading import parse_json, read_bytes
from cdp.values.types import Sample

RESOURCES = "resources.jsonl"
MAX_LINES = 2000
MAX_BYTES = 16 << 20

_FIRST_SECONDS = 1.0
"""After this long the first line is written, so that a short run has one too."""

logger = logging.getLogger(__name__)


class ResourceSampler:
    """Writes samples from a thread of its own while the ``with`` block runs. Never raises, whatever
    the disk says."""

    def __init__(self, path: Path, every: float = 5.0) -> None:
        """every: seconds between two lines."""
        self._path, self._every = path, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="resources", daemon=True)
        self._meter = Meter()
        self._lines: int | None = None
        self._warned = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(timeout=1.0)

    def _serve(self) -> None:
        wait = min(self._every, _FIRST_SECONDS)
        while not self._over.wait(wait):
            wait = self._every
            try:
                self._write(self._meter.sample())
            except (OSError, psutil.Error) as error:
                self._lines = None  # part of a line may have been written
                if not self._warned:
                    logger.warning(
                        "what the run takes from the machine could not be written: %s", error
                    )
                self._warned = True

    def _write(self, sample: Sample) -> None:
        if self._lines is None:
            self._lines = _mend(self._path)
        if self._lines >= MAX_LINES:
            self._lines = _thin(self._path)
        record = {name: value for name, value in asdict(sample).items() if value is not None}
        with self._path.open("ab", buffering=0) as file:
            file.write(json.dumps(record).encode() + b"\n")
        self._lines += 1


class Meter:
    """Looks at this process, its children and, where torch uses one already, its GPU."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._busy = self._look()[0]
        self._at = time.monotonic()
        self._utilisation = True

    def sample(self) -> Sample:
        """How things are; cpu since the last sample."""
        now = time.monotonic()
        busy, memory = self._look()
        seconds = sum(
            max(0.0, spent - self._busy.get(process, 0.0)) for process, spent in busy.items()
        )
        cpu = 100 * seconds / max(now - self._at, 1e-3)
        self._busy, self._at = busy, now
        gpu, gpu_memory = self._gpu()
        return Sample(time.time(), round(cpu, 1), memory, gpu, gpu_memory)

    def _look(self) -> tuple[dict[psutil.Process, float], int]:
        """Processor seconds by process, and resident bytes of all together. A process that ends
        meanwhile is left out."""
        busy, memory = {}, 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                times, resident = process.cpu_times(), process.memory_info().rss
            except psutil.Error:
                continue
            busy[process] = times.user + times.system
            memory += resident
        return busy, memory

    def _gpu(self) -> tuple[float | None, int | None]:
        """Only where the run has brought CUDA up itself: asking must not."""
        cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
        try:
            if cuda is None or not cuda.is_initialized():
                return None, None
            memory = int(cuda.memory_reserved())
        except (RuntimeError, AttributeError):  # torch is being imported or the device is gone
            return None, None
        busy = None
        if self._utilisation:
            try:
                busy = float(cuda.utilization())
            except Exception as error:
                # nvidia-ml-py is missing, or this device is not in its books: it raises whatever it
                # likes.
                self._utilisation = False
                logger.debug("the GPU does not say how busy it is: %s", error, exc_info=True)
        return busy, memory


def read_resources(path: Path) -> list[Sample]:
    """All samples, oldest first. Damaged lines are left out; a missing file has none, nor has one
    that cannot be read."""
    try:
        content = read_bytes(path, MAX_BYTES)
    except (OSError, ValueError):
        return []
    parsed = (_parse(line) for line in content.split(b"\n"))
    return [sample for sample in parsed if sample is not None]


def _parse(line: bytes) -> Sample | None:
    try:
        sample = Sample(**parse_json(line))
        numbers = [value for value in asdict(sample).values() if value is not None]
        return sample if all(0 <= value < 1e18 for value in numbers) else None
    except (ValueError, TypeError):
        return None


def _mend(path: Path) -> int:
    """Cut off a last line that was left unfinished; how many lines there are."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return content.count(b"\n")


def _thin(path: Path) -> int:
    """Drop every second line, so that long runs are told in coarser steps; how many are left."""
    lines = path.read_bytes().splitlines(keepends=True)[::2]
    with atomic_file(path) as file:
        file.writelines(lines)
    return len(lines)
