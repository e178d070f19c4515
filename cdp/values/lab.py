"""What the attack lab works on and comes to. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.values.types import DatasetInfo

STARTS = 5
"""Random starts of every attack; the strongest counts."""


@dataclass(frozen=True)
class LabSubject:
    """What is attacked. image: (H,W,C) uint8; label: true class, None where nobody says it;
    weights: SHA-256 of the model's."""

    image: np.ndarray
    label: int | None
    info: DatasetInfo
    weights: str


@dataclass(frozen=True)
class AttackFigures:
    """What an attack came to. label: the true class, or what the model says of an image that has
    none; target: None where untargeted. epsilon: budget in units of the norm; size: length of the
    perturbation in it. before, after: (K,) probabilities. losses: one path a start, ``steps`` + 1
    values each, in nats or in logits (margin); predicted: class at each of them along the path of
    the start that is shown, number ``chosen``."""

    label: int
    target: int | None
    epsilon: float
    size: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    predicted: tuple[int, ...]
    chosen: int
    seconds: float

    @property
    def clean(self) -> int:
        """What the model says without the attack."""
        return int(np.argmax(self.before))

    @property
    def attacked(self) -> int:
        """What it says under the attack."""
        return int(np.argmax(self.after))

    @property
    def wrong_before(self) -> bool:
        """Whether it needs no attack to be wrong."""
        return self.clean != self.label

    @property
    def fooled(self) -> bool:
        """Whether the attack reached what it wanted: its target, or any wrong class of an image
        that is right without it."""
        if self.target is not None:
            return self.attacked == self.target
        return self.attacked != self.label and not self.wrong_before

    @property
    def turned_at(self) -> int | None:
        """The first step at which the start that is shown says what the attack wants."""
        wanted = [
            said == self.target if self.target is not None else said != self.label
            for said in self.predicted
        ]
        return wanted.index(True) if True in wanted else None


@dataclass(frozen=True)
class LabResult:
    """image: (H,W,C) uint8, as attacked; adversarial: (H,W,C) float32 in [0,1]."""

    figures: AttackFigures
    image: np.ndarray
    adversarial: np.ndarray


@dataclass(frozen=True)
class Smallest:
    """The smallest budget found at which the attack fools: an upper bound on the true one. epsilon:
    0 where the model is wrong without an attack, None where none fooled up to ``largest``; finer
    than ``step`` was not looked; attacks: how many were tried."""

    epsilon: float | None
    largest: float
    step: float
    attacks: int
    seconds: float
