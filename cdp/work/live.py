"""The live engine: one per device and process, shared by all browser tabs. One worker thread takes
jobs from a bounded queue, so models are loaded once and two tabs never fight for the device. In
idle time it loads models and measures what a generation costs here. torch is imported in that
thread only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Protocol, Self

from cdp.config.generate import GenerateConfig
from cdp.errors import Cancelled, CdpError
from cdp.values.types import Frame, LiveResult
from cdp.work import unsaved
from cdp.work.cost import (
    Tick,
    asks_weak_model,
    generation_seconds,
    learn_generation,
    time_left,
)
from cdp.work.failures import sentence
from cdp.work.session import Session
from cdp.work.ticket import Queue, State, Ticket
from cdp.work.unsaved import Unsaved

WAITING = 8
KEPT = 8
"""Finished jobs that can still be found by id; their frames are held that long."""

FRAME_BYTES = 64 * 2**20
"""Images of frames that one job may hold. A job that would need more keeps evenly spaced steps and
the last of each batch."""

_RECENT = 8
_TRIAL_STEPS = (2, 8)
"""Steps of the trial runs of a warm-up: a short one to fill caches, one that is timed."""
_TRIAL_IMAGES = 64

logger = logging.getLogger(__name__)


class Live(Protocol):
    """cdp.tasks.live: yields Frames, then one LiveResult, also when it was stopped."""

    def __call__(
        self, config: GenerateConfig, session: Session, *, compare: bool
    ) -> Iterator[Frame | LiveResult]: ...


class Job(Ticket):
    """A generation in the engine: what was asked, where it stands, what it has shown so far."""

    result: LiveResult | None

    def __init__(self, config: GenerateConfig, *, compare: bool, **ticket: Any) -> None:
        super().__init__("Generation", **ticket)
        self.config, self.compare = config, compare
        self.kept = False  # whether its result can be opened again later
        self._asked_to_stop = threading.Event()
        self._frames: list[Frame] = []
        self._stride = 1
        self._done, self._total = 0, 0
        self._times: list[tuple[float, bool, bool]] = []

    @classmethod
    def past(cls, kept: Unsaved) -> Self:
        """One that ended earlier, as it was kept."""
        job = cls(kept.config, compare=True)
        job.id, job.asked, job.kept, job._frames = kept.id, kept.made, True, [*kept.frames]
        job.end(kept.state, result=kept.result)
        return job

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The steps shown so far, oldest first."""
        with self._lock:
            return tuple(self._frames)

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
            if self.over:
                return 0.0
            times = [when for when, *_ in self._times[-_RECENT - 1 :]]
            steps, left = len(times) - 1, self._total - self._done
            if steps < 1:
                return time_left(self.spent, 0, 1, expected=self.expected)
            seconds = time_left(times[-1] - times[0], steps, left)
            return None if seconds is None else max(0.0, seconds - (time.monotonic() - times[-1]))

    def cancel(self) -> None:
        """In the queue: it leaves at once. Running: it stops at the next step and keeps what is
        done."""
        self._asked_to_stop.set()
        super().cancel()

    def should_stop(self) -> bool:
        """What the sampler asks before every step."""
        return self._asked_to_stop.is_set()

    def show(self, frame: Frame) -> None:
        """The worker has taken one more step."""
        with self._lock:
            if not self._frames:
                other = 0 if frame.unguided is None else frame.unguided.nbytes
                size = frame.guided.nbytes + other
                self._stride = max(1, -(-size * frame.total // FRAME_BYTES))
            self._done, self._total = frame.i, frame.total
            asked = asks_weak_model(self.config, frame.t_fraction)
            self._times.append((time.monotonic(), frame.loss is not None, asked))
            ends_batch = frame.i % self.config.sampler.steps == 0
            if not self._frames or ends_batch or frame.i % self._stride == 0:
                self._frames.append(frame)

    def ticks(self) -> tuple[list[Tick], float]:
        """Duration of every step but the first, and the seconds from the last step until now."""
        with self._lock:
            steps = [
                Tick(when - earlier, *sort)
                for (earlier, *_), (when, *sort) in pairwise(self._times)
            ]
            return steps, time.monotonic() - self._times[-1][0] if self._times else 0.0


class Engine:
    """Runs live generations one after another. Every method returns at once and may be called from
    any thread."""

    def __init__(
        self,
        *,
        live: Live,
        load: Callable[[GenerateConfig], None],
        waiting: int = WAITING,
        kept: int = KEPT,
    ) -> None:
        """live, load: what samples and what loads models; waiting: places in the queue; kept:
        finished jobs kept."""
        self._live, self._load = live, load
        self._waiting, self._kept = waiting, kept
        self.queue = Queue(lambda job: None)  # a job asks by itself whether it should stop
        self._wake = self.queue.wake
        self._jobs: dict[str, Job] = {}
        self._cold: GenerateConfig | None = None
        self._warming = False
        self._thread: threading.Thread | None = None

    def submit(self, config: GenerateConfig, *, compare: bool = True) -> Job:
        """Queue a generation. Raises CdpError where the queue is full."""
        expected = self.estimate(config, compare=compare)
        job = Job(config, compare=compare, expected=expected, queue=self.queue)
        with self._wake:
            if len(self.queue) >= self._waiting:
                raise CdpError(
                    f"{self._waiting} generations are waiting already: try again when one of them"
                    " is done, or cancel one"
                )
            self._start()
            self.queue.put(job)
            self._jobs[job.id] = job
            self._forget()
        return job

    @property
    def warming(self) -> bool:
        """Whether the worker is loading models or measuring; the next job starts right after."""
        return self._warming

    def job(self, job_id: str) -> Job | None:
        """The job of that id, also one of earlier that is kept; None where there is none, or it is
        kept no more."""
        with self._wake:
            job = self._jobs.get(job_id)
        if job is None and (past := unsaved.load(job_id)):
            job = Job.past(past)
        return job

    def warm(self, config: GenerateConfig) -> None:
        """Load the models of ``config`` and measure its cost when the worker is idle. Repeating it
        costs nothing."""
        with self._wake:
            self._start()
            self._cold = config
            self._wake.notify_all()

    def estimate(self, config: GenerateConfig, *, compare: bool = True) -> float | None:
        """Seconds this generation takes on this machine once it is its turn; None until its kind
        was measured."""
        return generation_seconds(config, compare=compare)

    def close(self, timeout: float | None = None) -> None:
        """Cancel everything and end the worker after its current step; waits up to ``timeout``
        seconds for it."""
        with self._wake:
            jobs, thread = list(self._jobs.values()), self._thread
            self.queue.close()
        for job in jobs:
            job.cancel()
        if thread is not None:
            thread.join(timeout)

    def _start(self) -> None:
        """Start the worker at the first use; the caller holds the lock."""
        if self.queue.closed:
            raise CdpError("the sampling engine is shut down: restart the app")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="cdp-engine", daemon=True)
            self._thread.start()

    def _forget(self) -> None:
        """Drop the oldest finished jobs beyond the number kept; the caller holds the lock."""
        over = [job for job in self._jobs.values() if job.over]
        for job in over[: max(0, len(over) - self._kept)]:
            del self._jobs[job.id]

    def _serve(self) -> None:
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """One job, or else one warm-up. A function of its own, so that nothing of a job outlives it
        here."""
        with self._wake:
            self._wake.wait_for(lambda: self._busy() or self._cold is not None)
            if self.queue.closed:
                return False
            job, cold = self.queue.take(), None
            if job is None:
                cold, self._cold = self._cold, None
        if isinstance(job, Job):
            self._run(job)
        elif cold is not None:
            self._warming = True
            self._warm_up(cold)
            self._warming = False
        return True

    def _run(self, job: Job) -> None:
        """Sample one job to its end, whatever that is: the worker outlives every failure."""
        try:
            self._sample(job)
        except Cancelled:
            job.end("cancelled")
        except Exception as error:
            logger.exception("job %s failed", job.id)
            job.end("failed", error=sentence(error))
        with self._wake:
            self.queue.current = None
            self._forget()

    def _sample(self, job: Job) -> None:
        result = None
        if not job.should_stop():
            session = Session(should_stop=job.should_stop)
            for item in self._live(job.config, session, compare=job.compare):
                if isinstance(item, LiveResult):
                    result = item
                else:
                    job.show(item)
        if result is None and not job.should_stop():
            raise CdpError("the sampler ended without a result: try again")
        complete = result is not None and result.complete
        if complete:
            self._learn(job)
        state: State = "done" if complete else "cancelled"
        if result is not None and job.frames:
            # Before it is said to be over: who sees the images may close the tab.
            job.kept = unsaved.keep(job.id, job.config, state, job.frames, result)
        job.end(state, result=result)

    def _learn(self, job: Job) -> None:
        ticks, tail = job.ticks()
        learn_generation(job.config, compare=job.compare, ticks=ticks, tail=tail)

    def _warm_up(self, config: GenerateConfig) -> None:
        """Load, then time a short generation where its kind is unknown; gives way to a waiting job
        at every step."""
        try:
            self._load(config)
            for steps in _TRIAL_STEPS:
                if self.estimate(config) is None and not self._busy():
                    self._try_out(config, steps, timed=steps == _TRIAL_STEPS[-1])
        except Exception as error:
            # Whoever clicks Generate gets the same error as the sentence of his job; here nobody is
            # waiting for it.
            logger.warning("warm-up failed: %s", sentence(error), exc_info=True)

    def _try_out(self, config: GenerateConfig, steps: int, *, timed: bool) -> None:
        sampler = config.sampler.model_copy(update={"steps": min(steps, config.sampler.steps)})
        small = {"sampler": sampler, "count": min(config.batch, _TRIAL_IMAGES)}
        trial = Job(config.model_copy(update=small), compare=True)
        complete = False
        for item in self._live(trial.config, Session(should_stop=self._busy), compare=True):
            if isinstance(item, LiveResult):
                complete = item.complete
            else:
                trial.show(item)
        if timed and complete:
            self._learn(trial)

    def _busy(self) -> bool:
        """Whether somebody is waiting for the worker."""
        return self.queue.closed or len(self.queue) > 0
