"""The live engine: one per device and process, shared by all browser tabs.

One worker thread takes jobs from a bounded queue, so models are loaded once and two tabs never
fight for the device. In idle time it loads models and measures what a generation costs here. torch
is imported in that thread only.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from cdp.config.generate import GenerateConfig
from cdp.errors import Cancelled, CdpError
from cdp.values.types import Frame, LiveResult
from cdp.work.cost import Speed
from cdp.work.failures import sentence
from cdp.work.jobs import Job

WAITING = 8
KEPT = 8
"""Finished jobs that can still be found by id; their frames are held that long."""

_TRIAL_STEPS = (2, 8)
"""Steps of the trial runs of a warm-up: a short one to fill caches, one that is timed."""
_TRIAL_IMAGES = 64

logger = logging.getLogger(__name__)


class Live(Protocol):
    """cdp.tasks.live: yields Frames, then one LiveResult, also when it was stopped."""

    def __call__(
        self, config: GenerateConfig, *, compare: bool, should_stop: Callable[[], bool]
    ) -> Iterator[Frame | LiveResult]: ...


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
        speed: Speed | None = None,
    ) -> None:
        """live, load: what samples and what loads models; waiting: places in the queue; kept:
        finished jobs kept."""
        self._live, self._load = live, load
        self._waiting, self._kept = waiting, kept
        self._speed = speed or Speed()
        self._wake = threading.Condition()
        self._queue: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}
        self._cold: GenerateConfig | None = None
        self._closed = False
        self._warming = False
        self._thread: threading.Thread | None = None

    def submit(self, config: GenerateConfig, *, compare: bool = True) -> Job:
        """Queue a generation. Raises CdpError where the queue is full."""
        job = Job(
            config,
            compare=compare,
            expected=self.estimate(config, compare=compare),
            position=self._position,
            withdraw=self._withdraw,
        )
        with self._wake:
            if len(self._queue) >= self._waiting:
                raise CdpError(
                    f"{self._waiting} generations are waiting already: try again when one of them"
                    " is done, or cancel one"
                )
            self._start()
            self._queue.append(job)
            self._jobs[job.id] = job
            self._forget()
            self._wake.notify_all()
        return job

    @property
    def warming(self) -> bool:
        """Whether the worker is loading models or measuring; the next job starts right after."""
        return self._warming

    def job(self, job_id: str) -> Job | None:
        """The job of that id; None where there is none or it was finished too long ago."""
        with self._wake:
            return self._jobs.get(job_id)

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
        return self._speed.estimate(config, compare=compare)

    def close(self, timeout: float | None = None) -> None:
        """Cancel everything and end the worker after its current step; waits up to ``timeout``
        seconds for it."""
        with self._wake:
            self._closed = True
            jobs, thread = list(self._jobs.values()), self._thread
            self._wake.notify_all()
        for job in jobs:
            job.cancel()
        if thread is not None:
            thread.join(timeout)

    def _start(self) -> None:
        """Start the worker at the first use; the caller holds the lock."""
        if self._closed:
            raise CdpError("the sampling engine is shut down: restart the app")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="cdp-engine", daemon=True)
            self._thread.start()

    def _position(self, job: Job) -> int:
        with self._wake:
            return self._queue.index(job) + 1 if job in self._queue else 0

    def _withdraw(self, job: Job) -> None:
        with self._wake:
            if job in self._queue:
                self._queue.remove(job)
                job.end("cancelled")

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
            self._wake.wait_for(lambda: self._closed or self._queue or self._cold is not None)
            if self._closed:
                return False
            job = self._queue.popleft() if self._queue else None
            cold = None
            if job is None:
                cold, self._cold = self._cold, None
        if job is not None:
            self._run(job)
        elif cold is not None:
            self._warming = True
            self._warm_up(cold)
            self._warming = False
        return True

    def _run(self, job: Job) -> None:
        """Sample one job to its end, whatever that is: the worker outlives every failure."""
        job.begin()
        try:
            self._sample(job)
        except Cancelled:
            job.end("cancelled")
        except Exception as error:
            logger.exception("job %s failed", job.id)
            job.end("failed", error=sentence(error))
        with self._wake:
            self._forget()

    def _sample(self, job: Job) -> None:
        result = None
        if not job.should_stop():
            for item in self._live(job.config, compare=job.compare, should_stop=job.should_stop):
                if isinstance(item, LiveResult):
                    result = item
                else:
                    job.show(item)
        if result is None and not job.should_stop():
            raise CdpError("the sampler ended without a result: try again")
        complete = result is not None and result.complete
        if complete:
            self._learn(job)
        job.end("done" if complete else "cancelled", result=result)

    def _learn(self, job: Job) -> None:
        ticks, tail = job.ticks()
        self._speed.learn(job.config, compare=job.compare, ticks=ticks, tail=tail)

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
        trial = Job(
            config.model_copy(
                update={"sampler": sampler, "count": min(config.batch, _TRIAL_IMAGES)}
            ),
            compare=True,
        )
        complete = False
        for item in self._live(trial.config, compare=True, should_stop=self._busy):
            if isinstance(item, LiveResult):
                complete = item.complete
            else:
                trial.show(item)
        if timed and complete:
            self._learn(trial)

    def _busy(self) -> bool:
        """Whether somebody is waiting for the worker."""
        return self._closed or bool(self._queue)
