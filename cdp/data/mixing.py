"""Which rows a training step sees, as a pure function of (seed, step): nothing to replay after a
stop."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

_KEPT = 2
"""Permutations remembered at once: a batch can reach from one pass into the next."""
_REAL, _SYNTHETIC = 0, 1


class Endless:
    """Endless passes over ``count`` rows, each in a fresh seeded order, cut into batches of
    ``size``.

    A batch that reaches the end of a pass goes on with the next one, so every pass shows every row
    exactly once.
    """

    def __init__(self, count: int, size: int, *, seed: int, stream: int = 0) -> None:
        """stream: a number that sets this sequence apart from others of the same seed."""
        self.count, self.size, self._key = count, size, (seed, stream)
        self._orders: OrderedDict[int, np.ndarray] = OrderedDict()

    def rows(self, step: int) -> np.ndarray:
        """Rows of batch ``step`` (from 0), (size,) int64."""
        position, end = step * self.size, (step + 1) * self.size
        parts = [np.empty(0, np.int64)]
        while position < end:
            turn, first = divmod(position, self.count)
            part = self._order(turn)[first : first + end - position]
            parts.append(part.astype(np.int64))
            position += len(part)
        return np.concatenate(parts)

    def _order(self, turn: int) -> np.ndarray:
        if turn not in self._orders:
            if len(self._orders) >= _KEPT:
                self._orders.popitem(last=False)
            # 32 bits: synthetic sets have up to tens of millions of rows.
            self._orders[turn] = np.random.default_rng([*self._key, turn]).permutation(
                np.arange(self.count, dtype=np.uint32)
            )
        return self._orders[turn]


def steps_per_epoch(real: int, synthetic: int, *, batch: int, synthetic_per_batch: int) -> int:
    """Optimiser steps of one pass over ``real`` images at their share of the batch, over
    ``synthetic`` ones where it has no real ones. At least 1, also where a batch is larger than a
    pass."""
    share = batch - synthetic_per_batch
    return max(1, real // share if share else synthetic // batch)


class Mixture:
    """Batches of exactly ``synthetic_per_batch`` synthetic rows, the others real. Either kind may
    be absent.

    An epoch is one pass over the real rows at their share of the batch, as in the published code
    (``steps_per_epoch``).
    """

    def __init__(
        self, real: int, synthetic: int, *, batch: int, synthetic_per_batch: int, seed: int
    ) -> None:
        """real, synthetic: rows of each kind. Both parts of the batch must have rows to draw
        from."""
        if (
            not 0 <= synthetic_per_batch <= batch
            or (synthetic_per_batch and not synthetic)
            or (synthetic_per_batch < batch and not real)
        ):
            raise ValueError(
                f"{synthetic_per_batch} of {batch} images cannot come from {synthetic} synthetic"
                f" and {real} real ones"
            )
        self.batch, self.synthetic_per_batch = batch, synthetic_per_batch
        self.steps_per_epoch = steps_per_epoch(
            real, synthetic, batch=batch, synthetic_per_batch=synthetic_per_batch
        )
        self._real = Endless(real, batch - synthetic_per_batch, seed=seed, stream=_REAL)
        self._synthetic = Endless(synthetic, synthetic_per_batch, seed=seed, stream=_SYNTHETIC)

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Real rows and synthetic rows of batch ``step`` (from 0), both int64."""
        return self._real.rows(step), self._synthetic.rows(step)
