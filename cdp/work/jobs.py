"""One live generation as the pages see it: what was asked, where it stands, what it has shown so
far."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Literal

from cdp.config.generate import GenerateConfig
from cdp.values.types import Frame, LiveResult
from cdp.work.cost import Tick

State = Literal["queued", "running", "done", "cancelled", "failed"]

FRAME_BYTES = 64 * 2**20
"""Images of frames that one job may hold. A job that would need more keeps evenly spaced steps and
the last of each batch."""

_RECENT = 8


class Job:
    """A generation in the engine. Any thread may read it; the engine's worker alone moves it on."""

    def __init__(
        self,
        config: GenerateConfig,
        *,
        compare: bool,
        expected: float | None = None,
        position: Callable[[Job], int] = lambda _: 0,
        withdraw: Callable[[Job], None] = lambda _: None,
    ) -> None:
        """expected: seconds it should take, None where unknown; position, withdraw: the engine's
        queue."""
        self.id = uuid.uuid4().hex[:12]
        self.config, self.compare, self.expected = config, compare, expected
        self.submitted = time.time()
        self._position, self._withdraw = position, withdraw
        self._lock = threading.Lock()
        self._asked_to_stop, self._ended = threading.Event(), threading.Event()
        self._state: State = "queued"
        self._frames: list[Frame] = []
        self._stride = 1
        self._done, self._total = 0, 0
        self._times: list[tuple[float, bool]] = []
        self._result: LiveResult | None = None
        self._error: str | None = None
        self._started: float | None = None
        self._finished: float | None = None
        self._began = 0.0

    @property
    def state(self) -> State:
        return self._state

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self._ended.is_set()

    @property
    def position(self) -> int:
        """Place in the queue, 1 is next; 0 once it is out of the queue."""
        return self._position(self)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The steps shown so far, oldest first."""
        with self._lock:
            return tuple(self._frames)

    @property
    def result(self) -> LiveResult | None:
        """The images and figures; also of a cancelled job that had begun, then with ``complete``
        False."""
        return self._result

    @property
    def error(self) -> str | None:
        """One sentence where it failed."""
        return self._error

    @property
    def started(self) -> float | None:
        """Unix time at which it left the queue."""
        return self._started

    @property
    def finished(self) -> float | None:
        """Unix time at which it was done, cancelled or failed."""
        return self._finished

    @property
    def progress(self) -> float:
        """Share of the steps taken, 0..1."""
        with self._lock:
            return self._done / self._total if self._total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """From the pace of the last steps, before those from what such jobs cost here; None while
        that is unknown."""
        with self._lock:
            if self._ended.is_set():
                return 0.0
            times = [when for when, _ in self._times[-_RECENT - 1 :]]
            if len(times) >= 2:
                pace = (times[-1] - times[0]) / (len(times) - 1)
                return max(0.0, pace * (self._total - self._done) - (time.monotonic() - times[-1]))
            if self.expected is None:
                return None
            return max(
                0.0, self.expected - (time.monotonic() - self._began if self._began else 0.0)
            )

    def cancel(self) -> None:
        """In the queue: it leaves at once. Running: it stops at the next step and keeps what is
        done. Else: nothing."""
        self._asked_to_stop.set()
        self._withdraw(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is over; False where ``timeout`` seconds passed first."""
        return self._ended.wait(timeout)

    def should_stop(self) -> bool:
        """What the sampler asks before every step."""
        return self._asked_to_stop.is_set()

    def begin(self) -> None:
        """The worker takes it up."""
        with self._lock:
            self._state, self._started, self._began = "running", time.time(), time.monotonic()

    def show(self, frame: Frame) -> None:
        """The worker has taken one more step."""
        with self._lock:
            if not self._frames:
                size = frame.guided.nbytes + (
                    0 if frame.unguided is None else frame.unguided.nbytes
                )
                self._stride = max(1, -(-size * frame.total // FRAME_BYTES))
            self._done, self._total = frame.i, frame.total
            self._times.append((time.monotonic(), frame.loss is not None))
            ends_batch = frame.i % self.config.sampler.steps == 0
            if not self._frames or ends_batch or frame.i % self._stride == 0:
                self._frames.append(frame)

    def end(
        self, state: State, *, result: LiveResult | None = None, error: str | None = None
    ) -> None:
        """It is over; only the first call counts."""
        with self._lock:
            if self._ended.is_set():
                return
            self._result, self._error, self._finished = result, error, time.time()
            self._state = state  # last: whoever sees it finds the rest in place
            self._ended.set()

    def ticks(self) -> tuple[list[Tick], float]:
        """Duration of every step but the first, and the seconds from the last step until now."""
        with self._lock:
            steps = [
                Tick(when - before, guided)
                for (before, _), (when, guided) in zip(self._times, self._times[1:], strict=False)
            ]
            return steps, time.monotonic() - self._times[-1][0] if self._times else 0.0
