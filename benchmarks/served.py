"""An arm in a process of its own, so that what one does to its process, such as keeping freed
memory, is no part of another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


class Served:
    """An arm for ``measuring.interleaved``: every call does all of ``work(*given)`` in a fresh
    interpreter that stays until ``close``. work: a function that its module names."""

    def __init__(self, work: Callable[..., Iterable[object]], *given: Any) -> None:
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, work, given), daemon=True)
        self._process.start()
        there.close()

    def __call__(self) -> Iterator[object]:
        self._pipe.send(True)
        self._pipe.recv()  # EOFError where the process has ended: its error stands above
        yield

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, work: Callable[..., Iterable[object]], given: tuple[Any, ...]) -> None:
    while pipe.recv():
        for _ in work(*given):
            pass
        pipe.send(True)
