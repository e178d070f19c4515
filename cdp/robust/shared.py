"""Batches of an evaluation shared out over processes of one thread each.

A small network leaves most of a second core idle: between its short kernels threads wait for each
other. So batches, which are functions of themselves alone, are worked on side by side by forks of
this process, which have network, images and attack already and start in milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, TypeVar

import torch
from torch import nn

from cdp.errors import Cancelled, CdpError

Item = TypeVar("Item")
Result = TypeVar("Result")
SMALL = 2_000_000
"""Weights up to which a process a core gets more done than all cores in one."""
_LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when its parent ends."""


def process_count(net: nn.Module) -> int:
    """How many processes serve attacks on this network best: one a thread of ours for a small
    network on the processor, else one. A fork is safe where no GPU was touched, on Linux."""
    weights = sum(parameter.numel() for parameter in net.parameters())
    on_cpu = all(parameter.device.type == "cpu" for parameter in net.parameters())
    forks = sys.platform == "linux" and not torch.cuda.is_available()
    return torch.get_num_threads() if forks and on_cpu and 0 < weights <= SMALL else 1


def in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    processes: int,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Result]:
    """``work(item)`` of every item, in order, at most ``processes`` at a time, each in a fork. work:
    a function of its item alone; what else it changes is lost with its process.

    An item that is alone is worked on here, by all threads. Raises what ``work`` raised, Cancelled
    within a second of a wish to stop, and CdpError where a process was ended from outside; none is
    left behind.
    """
    if processes < 2:
        yield from map(work, items)
        return
    crew, answers = _Crew(work, should_stop), dict[int, Result]()
    begun, last = 0, len(items) - 1
    try:
        for number, item in enumerate(items):
            while number not in answers:
                while begun < len(items) and len(crew) < processes and (crew or begun < last):
                    crew.begin(begun, items[begun])
                    begun += 1
                answers |= crew.finished() if crew else {number: work(item)}
            yield answers.pop(number)
    finally:
        crew.end()


class _Crew:
    """The processes at work, by the end of the pipe that their answer comes through."""

    def __init__(self, work: Callable[[Any], Any], should_stop: Callable[[], bool] | None) -> None:
        self._work, self._should_stop = work, should_stop
        self._running: dict[Connection, tuple[int, ForkProcess]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, number: int, item: object) -> None:
        """Start the process of an item."""
        context = get_context("fork")
        here, there = context.Pipe(duplex=False)
        given = (self._work, item, there, os.getpid())
        process = context.Process(target=_serve, args=given, daemon=True)
        process.start()
        there.close()
        self._running[here] = number, process

    def finished(self) -> dict[int, Any]:
        """Wait for the next answers, by number of their item."""
        while not (ready := wait(list(self._running), timeout=_LOOK_SECONDS)):
            if self._should_stop is not None and self._should_stop():
                raise Cancelled("stopped during an attack: resume it to go on")
        return dict(self._answer(pipe) for pipe in ready if isinstance(pipe, Connection))

    def _answer(self, pipe: Connection) -> tuple[int, Any]:
        number, process = self._running.pop(pipe)
        with pipe:
            try:
                error, value = pipe.recv()
            except EOFError as gone:
                process.join()
                raise CdpError(
                    f"a process of the evaluation was ended from outside (code {process.exitcode}),"
                    " as happens where memory runs out: free some, or lower batch, and resume it"
                ) from gone
        process.join()
        if error is not None:
            raise error
        return number, value

    def end(self) -> None:
        """End what is still at work."""
        for pipe, (_, process) in self._running.items():
            process.kill()
            process.join()
            pipe.close()
        self._running.clear()


def _serve(work: Callable[[Any], Any], item: object, pipe: Connection, parent: int) -> None:
    """One item, in a process of its own, which ends with its parent however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    # More threads would wait for those that a fork leaves behind.
    torch.set_num_threads(1)
    try:
        pipe.send((None, work(item)))
    except Exception as error:  # noqa: BLE001 (whatever it is, the parent raises it)
        pipe.send((error, None))
