"""What goes wrong in robust training, told from its figures: NaN, divergence, label collapse,
robust overfitting.

Each detector is a function of the figures alone and answers with a sentence: what, since when, what
to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cdp.errors import CdpError
from cdp.robust.history import Checked
from cdp.statistics.shares import near_chance

FIRST, RECENT, FAR = 20, 100, 4.0
"""Steps that say where the loss began, steps it must stay far above, and how many times above
counts as far."""
COLLAPSED_EPOCHS, COLLAPSED_POINTS, COLLAPSED_STEPS, ONE_CLASS = 5, 3, 200, 0.95
"""Label collapse: epochs or validations it must last, validations that must show it where they are
rarer, and optimiser steps between the first and the last of them."""
OVERFIT_POINTS, OVERFIT_ERRORS, OVERFIT_NOISE, OVERFIT_LEAST = 5, 3.0, 5.0, 0.025
"""Robust overfitting: validations it must last, paired standard errors below the best at each of
them, and how far the mean of these must lie below that of the peak: in standard errors of such a
difference by the noise between validations, and at least."""


class Diverged(CdpError):
    """Training broke within an epoch: the loss or a weight is not finite, or the loss stays far
    above guessing."""


@dataclass(frozen=True)
class Problem:
    """Something wrong since epoch ``since``. kind: "collapse" or "overfitting"."""

    kind: str
    since: int
    sentence: str


class Watch:
    """The losses of single steps. It keeps the first ``FIRST`` and the last ``RECENT`` of them."""

    EVERY = 20
    """Steps between two looks, at fixed steps, so that a resumed training stops where an
    uninterrupted one does."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._first: list[float] = []
        self._recent: list[float] = []

    def add(self, losses: Sequence[float], step: int) -> None:
        """The newest losses; ``step``: steps done with the last of them. Raises Diverged at the
        first that is not finite."""
        for place, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss became {loss} at step {step - len(losses) + place + 1}: lower"
                    " learning_rate, or raise warm_up so that the budget grows slower"
                )
        self._first += losses[: FIRST - len(self._first)] if len(self._first) < FIRST else []
        self._recent = [*self._recent, *losses][-RECENT:]

    def require_converging(self) -> None:
        """Raises Diverged where the loss stays far above its start and above what guessing
        gives."""
        sentence = divergence(self._first, self._recent, self.classes)
        if sentence:
            raise Diverged(sentence)

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, exactly."""
        return {
            f"watch.{name}": torch.tensor(values, dtype=torch.float64)
            for name, values in (("first", self._first), ("recent", self._recent))
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self._first, self._recent = state["watch.first"].tolist(), state["watch.recent"].tolist()


def require_finite(weights: Mapping[str, Tensor], step: int) -> None:
    """Raises Diverged where a weight, an average or a momentum is NaN or infinite after ``step``
    steps."""
    for name, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise Diverged(
                f"a weight ({name}) is no longer a finite number at step {step}: lower"
                " learning_rate, or raise warm_up"
            )


def divergence(first: Sequence[float], recent: Sequence[float], classes: int) -> str:
    """Whether the recent losses of single steps are far above the first ones; "" where not, or
    where there are too few."""
    if len(recent) < RECENT:
        return ""
    # A network that guesses reaches ln K under every method, so nothing below it is divergence.
    guess = math.log(max(2, classes))
    mean, start = float(np.mean(recent)), max(guess, float(np.mean(first)))
    if mean <= FAR * start:
        return ""
    return (
        f"training diverged: the loss averaged {mean:.3g} nats over the last {RECENT} steps, where"
        f" guessing gives {guess:.2g}: lower learning_rate"
    )


def guesses(point: Checked, classes: int) -> bool:
    """Whether the network knew no more than chance at this validation, or named nearly always one
    class."""
    at_chance = near_chance(point.metrics.clean_accuracy, point.metrics.n, classes)
    return at_chance or point.top_share >= ONE_CLASS


def collapse(history: Sequence[Checked], *, classes: int, epsilon: float) -> Problem | None:
    """Label collapse: guesses at several validations, and over steps enough, after the budget has
    reached ``epsilon``."""
    streak = 0
    for point in reversed(history):
        if not guesses(point, classes) or point.metrics.epsilon < epsilon * (1 - 1e-9):
            break
        streak += 1
    if streak < COLLAPSED_POINTS:
        return None
    first, last = history[-streak], history[-1]
    if max(streak, last.metrics.epoch - first.metrics.epoch + 1) < COLLAPSED_EPOCHS:
        return None
    if last.metrics.step - first.metrics.step < COLLAPSED_STEPS:
        return None
    return Problem(
        "collapse",
        first.metrics.epoch,
        f"labels have collapsed since epoch {first.metrics.epoch} (clean accuracy"
        f" {last.metrics.clean_accuracy:.1%}, {last.top_share:.0%} of the predictions are one"
        " class): lower epsilon or learning_rate, raise warm_up, or take a larger network",
    )


def overfitting(history: Sequence[Checked], *, epsilon: float) -> Problem | None:
    """Robust overfitting (Rice 2020): robust accuracy below its best beyond chance and to stay,
    while that in training rose.

    Validations during the budget warm-up count for nothing, and of fewer than ten after it nothing
    is said. On simulated histories that differ by independent noise there is no false alarm
    (tests), which cannot be said of a plain rule of two standard errors below the maximum.
    """
    after = [point for point in history if point.metrics.epsilon >= epsilon * (1 - 1e-9)]
    k = OVERFIT_POINTS
    if len(after) < 2 * k or any(point.drop < OVERFIT_ERRORS for point in after[-k:]):
        return None
    robust, trained = (
        np.array([getattr(point.metrics, name) for point in after])
        for name in ("robust_accuracy", "train_robust")
    )
    window = np.convolve(robust, np.full(k, 1 / k), "valid")
    peak = int(window[:-k].argmax())
    fall = window[peak] - window[-1]
    noise = math.sqrt(float((np.diff(robust) ** 2).mean()) / 2)
    if (
        fall < max(OVERFIT_LEAST, OVERFIT_NOISE * noise * math.sqrt(2 / k))
        or trained[-k:].mean() <= trained[peak : peak + k].mean()
    ):
        return None
    since = _first_below(after)
    last = after[-1].metrics
    return Problem(
        "overfitting",
        since,
        f"robust overfitting since epoch {since}: robust accuracy on validation images is"
        f" {window[-1]:.1%} (mean of {k} validations) after {last.best_robust:.1%} at epoch"
        f" {last.best_epoch}, while it rose in training: use the best epoch, add synthetic images"
        " or raise weight_decay",
    )


def _first_below(after: Sequence[Checked]) -> int:
    """The epoch from which on every validation was below the best by ``OVERFIT_ERRORS``."""
    since = after[-1].metrics.epoch
    for point in reversed(after):
        if point.drop < OVERFIT_ERRORS:
            break
        since = point.metrics.epoch
    return since


def problem(history: Sequence[Checked], *, classes: int, epsilon: float) -> Problem | None:
    """The worst thing wrong at the last validation."""
    return collapse(history, classes=classes, epsilon=epsilon) or overfitting(
        history, epsilon=epsilon
    )
