"""What an experiment does in its own process beside its children: seconds of measuring sets and of
choosing or labelling parts of them, one after another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from cdp.config.experiment import PseudoLabel, Select
from cdp.data.sets import is_saved
from cdp.work.session import Session


class Chores:
    """measuring: names of the sets whose figures were asked for. What failed is not tried again
    before the next sitting."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pool = ThreadPoolExecutor(1)
        self._doing: dict[tuple[str, ...], Future[Any]] = {}
        self.measuring: set[str] = set()

    def measured(self, name: str) -> Future[dict[str, float]] | None:
        """The figures of a set; None while they are not known."""
        self.measuring.add(name)
        return self._done(("measure", name), lambda: _measured(name))

    def part(self, name: str, wish: Select | PseudoLabel, seed: int) -> bool:
        """Whether the part of set ``name`` that ``wish`` asks for is saved. Raises what its making
        raised."""
        future = self._done(("part", name, str(wish)), lambda: self._make(name, wish, seed))
        if future is not None:
            future.result()
        return future is not None

    def stop(self) -> None:
        """Nothing more is begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, key: tuple[str, ...], work: Callable[[], Any]) -> Future[Any] | None:
        if key not in self._doing:
            self._doing[key] = self._pool.submit(work)
        return self._doing[key] if self._doing[key].done() else None

    def _make(self, name: str, wish: Select | PseudoLabel, seed: int) -> None:
        from cdp.tasks.pseudo_labels import pseudo_label
        from cdp.tasks.selecting import select

        if isinstance(wish, Select):
            select(name, _free_set(f"{name}-{wish.by}-{wish.keep}"), **wish.model_dump(), seed=seed)
        else:
            pseudo_label(
                name,
                _free_set(f"{name}-labelled"),
                encoder=wish.encoder,
                min_confidence=wish.min_confidence,
                should_stop=self._session.stop_requested,
            )


def _free_set(wanted: str) -> str:
    name, number = wanted, 2
    while is_saved(name):
        name, number = f"{wanted}-{number}", number + 1
    return name


def _measured(name: str) -> dict[str, float]:
    from cdp.experiments.measures import measures

    return measures(name)
