"""What somebody waits for: one value for a live generation, for work of a helper process and for a
background run, and the queue in which the first two stand."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Literal

from cdp.values.text import rough_duration
from cdp.work.cost import time_left

State = Literal["queued", "running", "stopping", "done", "failed", "cancelled"]

WATCHED_SECONDS = 8.0
"""A ticket that no page has looked at for so long is waited for by nobody: pages look twice a
second, and browsers let hidden tabs look once."""


class Ticket:
    """A piece of work and where it stands. Any thread may read it; its queue alone moves it on.
    state: "stopping" where a cancel has been asked for and is not through yet. error: one sentence
    where it failed. result: of the work, where it is done; work that was cancelled midway may have
    one too. forgotten: who asks for it again gets a new one. share, words: of the work that is
    done, and what comes next; began: on the monotonic clock."""

    def __init__(
        self,
        title: str,
        *,
        expected: float | None = None,
        urgent: bool = False,
        lasting: bool = True,
        queue: Queue | None = None,
    ) -> None:
        """title: for people; expected: seconds it should take; urgent: goes before what is not;
        lasting: goes on where nobody watches it any more."""
        self.id = uuid.uuid4().hex[:12]
        self.title, self.expected = title, expected
        self.urgent, self.lasting = urgent, lasting
        self.state: State = "queued"
        self.result: Any = None
        self.error: str | None = None
        self.words = ""
        self.share = 0.0
        self.asked = time.time()
        self.started: float | None = None
        self.finished: float | None = None
        self._queue = queue
        self.began: float | None = None
        self.forgotten = False
        self._seen = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self._over.is_set()

    @property
    def spent(self) -> float:
        """Seconds since it began; 0 before."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.time() - self.asked

    @property
    def progress(self) -> float:
        """In [0, 1]: the share that the work told, or that of the expected time where it is
        further."""
        if self.over or self.began is None or self.expected is None:
            return self.share
        return max(self.share, min(0.95, self.spent / max(self.expected, 0.1)))

    @property
    def seconds_left(self) -> float | None:
        """By what such work took before, else by the share that is done; None where neither
        tells."""
        if self.over or self.began is None:
            return None
        done = self.share if self.share >= 0.1 else 0.0  # the first parts tell little
        return time_left(self.spent, done, 1 - done, expected=self.expected)

    @property
    def position(self) -> int:
        """Place in the queue, 1 is next; 0 once it is out of the queue."""
        return 0 if self._queue is None else self._queue.position(self)

    @property
    def waiting_for(self) -> str | None:
        """What has to be over before this begins, in words; None for what does not wait."""
        return None if self._queue is None else self._queue.words(self)

    @property
    def skips(self) -> bool:
        """Whether bringing it forward would have it begin before another that waits."""
        return self.position > 1

    def bring_forward(self) -> None:
        """Before all others that wait."""
        if self._queue is not None:
            self._queue.bring_forward(self)

    @property
    def watched(self) -> bool:
        """Whether somebody waits for it, or it goes on without."""
        return self.lasting or time.monotonic() - self._seen < WATCHED_SECONDS

    def watch(self) -> None:
        """Somebody looks at it."""
        self._seen = time.monotonic()
        if self._queue is not None:
            self._queue.look()

    def cancel(self) -> None:
        """Waiting work leaves its queue at once, running work is asked to stop; nothing happens to
        what is over."""
        if self._queue is not None:
            self._queue.cancel(self)

    def forget(self) -> None:
        """Whoever asks again gets a new one; nothing happens to one that is on its way."""
        self.forgotten = self.over

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is over; False where that took longer than ``timeout`` seconds."""
        return self._over.wait(timeout)

    def begin(self) -> None:
        """It is taken up."""
        with self._lock:
            self.started, self.began = time.time(), time.monotonic()
            self.state = "running"

    def end(self, state: State, *, result: Any = None, error: str | None = None) -> None:
        """It is over; only the first call counts."""
        with self._lock:
            if self.over:
                return
            self.result, self.error, self.finished = result, error, time.time()
            self.state = state  # last: whoever sees it finds the rest in place
            self._over.set()


class Queue:
    """Tickets of one worker: the one it works on, and those that wait. What somebody watches goes
    before what nobody does, and urgent work before other work; else the first comes first."""

    def __init__(self, stop: Callable[[Ticket], object]) -> None:
        """stop: ends what is worked on, or asks it to end; called with the lock held."""
        self.wake = threading.Condition(threading.RLock())
        self.current: Ticket | None = None
        self.closed = False
        self._stop = stop
        self._waiting: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, ticket: Ticket) -> None:
        """At the end of the queue."""
        with self.wake:
            self._waiting.append(ticket)
            self.look()
            self.wake.notify_all()

    def take(self) -> Ticket | None:
        """The next one, which becomes the current one; None where none waits. Those that nobody
        watches any more are dropped."""
        with self.wake:
            self.current = None
            for ticket in [item for item in self._waiting if not item.watched]:
                self._drop(ticket)
            if self._waiting and not self.closed:
                self.current = min(self._waiting, key=lambda ticket: not ticket.urgent)
                self._waiting.remove(self.current)
                self.current.begin()
            return self.current

    def look(self) -> None:
        """End what nobody watches where something that somebody watches waits for it."""
        with self.wake:
            current = self.current
            if current is None or current.over or current.watched:
                return
            if any(ticket.watched for ticket in self._waiting):
                self._drop(current)

    def _drop(self, ticket: Ticket) -> None:
        self.cancel(ticket)
        ticket.forgotten = True

    def cancel(self, ticket: Ticket) -> None:
        """Take it out, or have it stopped."""
        with self.wake:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                ticket.end("cancelled")
            elif ticket is self.current and not ticket.over:
                self._stop(ticket)

    def bring_forward(self, ticket: Ticket) -> None:
        """Nothing happens to what does not wait."""
        with self.wake:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._waiting.insert(0, ticket)
                ticket.urgent = True

    def close(self) -> None:
        """Cancel everything; nothing is taken up any more."""
        with self.wake:
            self.closed = True
            for ticket in self.tickets():
                self.cancel(ticket)
            self.wake.notify_all()

    def tickets(self) -> list[Ticket]:
        """The current one and those that wait, in their order."""
        with self.wake:
            ordered = sorted(self._waiting, key=lambda ticket: not ticket.urgent)
            running = self.current is not None and not self.current.over
            return [self.current, *ordered] if running and self.current else ordered

    def position(self, ticket: Ticket) -> int:
        with self.wake:
            ordered = sorted(self._waiting, key=lambda item: not item.urgent)
            return ordered.index(ticket) + 1 if ticket in ordered else 0

    def words(self, ticket: Ticket) -> str | None:
        """What ``ticket`` waits for."""
        with self.wake:
            if ticket not in self._waiting:
                return None
            line = self.tickets()
            return before(line[: line.index(ticket)])


def before(tickets: Sequence[Ticket]) -> str | None:
    """What has to be over first, in words; None where nothing has."""
    if not tickets:
        return None
    first, *more = tickets
    left = first.seconds_left
    words = first.title if left is None else f"{first.title} ({rough_duration(left)} left)"
    return f"{words} and {len(more)} more" if more else words
