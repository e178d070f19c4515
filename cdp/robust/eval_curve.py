"""Accuracy against the attack budget, and under a threat that was not trained for: PGD on
cross-entropy from one random start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from cdp.robust.attacks import Loss, cross_entropy, pgd
from cdp.robust.trial import Run, ShouldStop, Trial, batches, seeded
from cdp.statistics.shares import wilson
from cdp.values.evaluation import CurvePoint
from cdp.values.types import Interval

BUDGETS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Of the curve, in units of the evaluation's budget."""
CPU_BATCH = 50
"""At most, on a CPU: a fifth faster than 200 with the small CNN, whose activations then stay in the
cache."""
OnBatch = Callable[[], None]


def budget_curve(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    norm: str,
    epsilon: float,
    seed: int,
    batch: int,
    steps: int = 20,
    should_stop: ShouldStop | None = None,
    on_batch: OnBatch | None = None,
) -> tuple[CurvePoint, ...]:
    """Robust accuracy at nine budgets from 0 to three times epsilon, never rising: only images that
    stood at every smaller budget are attacked.

    image: (n,H,W,C) uint8; label: (n,); should_stop, on_batch: asked a few times a second, called
    after every batch; both may end it.
    """
    attacker = Attacker(
        Trial(net, image, label, should_stop=should_stop),
        norm=norm,
        seed=seed,
        batch=batch,
        on_batch=on_batch,
    )
    standing = attacker.right()
    points = [CurvePoint(0.0, _share(standing))]
    for number, factor in enumerate(BUDGETS[1:]):
        standing = attacker.left_of(standing, steps=steps, epsilon=factor * epsilon, start=number)
        points.append(CurvePoint(factor * epsilon, _share(standing)))
    return tuple(points)


def robust_share(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    norm: str,
    epsilon: float,
    seed: int,
    batch: int,
    steps: int = 20,
    should_stop: ShouldStop | None = None,
    on_batch: OnBatch | None = None,
) -> Interval:
    """Share of images that are right without attack and under PGD in this norm and budget.
    Arguments as in ``budget_curve``."""
    attacker = Attacker(
        Trial(net, image, label, should_stop=should_stop),
        norm=norm,
        seed=seed,
        batch=batch,
        on_batch=on_batch,
    )
    return _share(attacker.left_of(attacker.right(), steps=steps, epsilon=epsilon))


class Attacker:
    """Attacks parts of a trial's images in batches of at most ``batch``, in the order of their
    rows; seed: of all random starts."""

    def __init__(
        self, trial: Trial, *, norm: str, seed: int, batch: int, on_batch: OnBatch | None = None
    ) -> None:
        self.trial, self.norm, self.seed, self.on_batch = trial, norm, seed, on_batch
        self.batch = min(batch, CPU_BATCH) if trial.device.type == "cpu" else batch

    def right(self) -> np.ndarray:
        """(n,) bool: classified rightly without attack."""
        found = np.zeros(len(self.trial), bool)
        for rows in batches(np.arange(len(self.trial)), self.batch):
            found[rows] = self.trial.predict(rows) == self.trial.label[rows]
            self._told()
        return found

    def left_of(
        self,
        among: np.ndarray,
        *,
        steps: int,
        epsilon: float,
        loss: Loss = cross_entropy,
        start: int | None = 0,
    ) -> np.ndarray:
        """(n,) bool: those ``among`` that PGD does not turn, 2.5 budgets over all steps. start:
        number of the random start, None for none."""

        def attack(number: int) -> Run:
            def run(x: Tensor, y: Tensor) -> Tensor:
                return pgd(
                    self.trial.net,
                    x,
                    y,
                    epsilon=epsilon,
                    step_size=2.5 * epsilon / steps,
                    steps=steps,
                    norm=self.norm,
                    loss=loss,
                    random_start=start is not None,
                    generator=seeded(self.seed, start or 0, number),
                )

            return run

        return self.left_by(among, attack, epsilon)

    def left_by(
        self, among: np.ndarray, attack: Callable[[int], Run], epsilon: float
    ) -> np.ndarray:
        """(n,) bool: those ``among`` that an attack within epsilon does not turn. attack: of a
        batch, by its number."""
        found = among.copy()
        for number, rows in enumerate(batches(np.flatnonzero(among), self.batch)):
            outcome = self.trial.attack(rows, attack(number), norm=self.norm, epsilon=epsilon)
            found[rows] = ~outcome.valid | (outcome.predicted == self.trial.label[rows])
            self._told()
        return found

    def _told(self) -> None:
        if self.on_batch:
            self.on_batch()


def _share(hits: np.ndarray) -> Interval:
    return wilson(int(hits.sum()), len(hits))
