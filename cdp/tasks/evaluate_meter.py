"""How far an evaluation is, in images, and how long it will take yet, by what each attack costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from cdp.robust.suite_state import CLEAN_PASS, SuiteState
from cdp.values.evaluation import STANDS
from cdp.work.cost import time_left

PART_COST = {"curve": 320.0, "unseen": 40.0, "masking": 2400.0}
"""Forward passes that a part takes an image, about; a gradient costs as much again as its forward
pass."""


class Meter:
    """Work in images: each of n is looked at once, and once by every attack, where one that has
    fallen already costs nothing."""

    def __init__(
        self, n: int, costs: Sequence[float], weights: int, parts: Mapping[str, str], side: int
    ) -> None:
        """costs: of each attack, in forward passes an image; weights: how many sets of weights;
        parts: kind by name of what follows, each on ``side`` images."""
        self.n, self.costs, self.side, self.parts = n, list(costs), side, dict(parts)
        self._finished: set[str] = set()
        self._done = [0] * weights
        self._spent = [0.0] * weights
        self._left = [n * sum(self.costs)] * weights
        self.start()

    @property
    def count(self) -> int:
        """Images of the whole work."""
        return self.n * (1 + len(self.costs)) * len(self._done) + self.side * len(self.parts)

    @property
    def done(self) -> int:
        """Images done, an earlier start's included."""
        return sum(self._done) + self.side * len(self._finished)

    def at(self, number: int, state: SuiteState) -> None:
        """Weights ``number`` have come to this."""
        self._done[number] = self.n * (1 + state.stage) + self._in_stage(state)
        self._spent[number], self._left[number] = state.work(self.costs)

    def _in_stage(self, state: SuiteState) -> int:
        """Images that the stage which is on its way is done with."""
        done = state.batch * state.batch_size
        if state.stage == CLEAN_PASS or not state.batch:
            return min(done, self.n)
        fallen = int(((state.broken_by != STANDS) & (state.broken_by < state.stage)).sum())
        return min(fallen + done, self.n)

    def finish(self, part: str) -> None:
        """A part is done."""
        self._finished.add(part)

    def start(self) -> None:
        """The pace counts from here."""
        self._began, self._before = time.monotonic(), self._total_spent()

    def seconds_left(self) -> float | None:
        """At the pace of this sitting; None before it has one. Nobody knows how many images will
        fall, so it counts all that stand."""
        worked = self._total_spent() - self._before
        left = sum(self._left) + sum(
            PART_COST[kind] * self.side
            for name, kind in self.parts.items()
            if name not in self._finished
        )
        return time_left(time.monotonic() - self._began, worked, left)

    def _total_spent(self) -> float:
        return sum(self._spent) + sum(
            PART_COST[self.parts[name]] * self.side for name in self._finished
        )
