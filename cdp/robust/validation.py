"""What validations say of a robust training: accuracies that are the same at every epoch but for
the weights, their history, and what goes wrong: NaN, divergence, label collapse, robust
overfitting.

Each detector is a function of the figures alone and answers with a sentence: what, since when, what
to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from cdp.errors import CdpError
from cdp.robust.attacks import madry, pgd
from cdp.robust.recipes import to_tensor
from cdp.statistics.shares import near_chance
from cdp.values.text import share_text
from cdp.values.types import EpochMetrics

BATCH = 250
"""Fixed, as the random start of a row follows from its place in its batch: no other number of
images may move it."""
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
_FIELDS = tuple((field.name, field.type == "int") for field in fields(EpochMetrics))
_BEST = ("best_point", "best_epoch", "best_step", "best_robust", "best_clean")
_EVERY_EPOCH = 18
"""Fields of the states of before, when every epoch was validated and told nothing of points and
steps in all."""


@dataclass(frozen=True)
class Validation:
    """What a network made of n validation images. clean, robust: (n,) bool: right as it is; and
    under attack too. predicted_clean, predicted: (n,) int64. adversarial: (k,H,W,C) float32, of the
    rows asked for."""

    clean: np.ndarray
    robust: np.ndarray
    predicted_clean: np.ndarray
    predicted: np.ndarray
    adversarial: np.ndarray


def validate(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    epsilon: float,
    norm: str,
    steps: int,
    keep: Sequence[int] = (),
    on_batch: Callable[[], None] | None = None,
) -> Validation:
    """Predict and attack every image, in eval mode and fp32, by Madry's rule, with a random start
    that is a function of the row alone. image: (n,H,W,C) uint8; keep: rows whose attacked images
    are handed back; on_batch: may raise."""
    device = next(net.parameters()).device
    clean, attacked = np.empty(len(label), np.int64), np.empty(len(label), np.int64)
    examples: dict[int, np.ndarray] = {}
    was_training = net.training
    net.eval()
    try:
        # No TF32 either, which has bf16's exponent and hardly more digits.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            for first in range(0, len(label), BATCH):
                rows = slice(first, first + BATCH)
                x = to_tensor(image[rows]).to(device)
                y = torch.from_numpy(label[rows].astype(np.int64)).to(device)
                generator = torch.Generator().manual_seed(first)
                x_adv = pgd(net, x, y, generator=generator, **madry(epsilon, steps, norm))
                with torch.no_grad():
                    clean[rows], attacked[rows] = (
                        net(images).argmax(dim=1).cpu().numpy() for images in (x, x_adv)
                    )
                for row in keep:
                    if first <= row < first + len(y):
                        examples[row] = x_adv[row - first].permute(1, 2, 0).cpu().numpy()
                if on_batch:
                    on_batch()
    finally:
        net.train(was_training)
    adversarial = (
        np.stack([examples[row] for row in keep])
        if len(keep)
        else np.empty((0, *image.shape[1:]), np.float32)
    )
    right = clean == label
    return Validation(right, right & (attacked == label), clean, attacked, adversarial)


def accuracy(
    net: nn.Module,
    view: Callable[[Tensor, Tensor, torch.Generator], Tensor],
    image: np.ndarray,
    label: np.ndarray,
    *,
    seed: int,
    batch: int = BATCH,
) -> float:
    """Share of (N,H,W,C) uint8 images whose view is classified rightly, in fp32, eval mode."""
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    right = 0
    for first in range(0, len(label), batch):
        generator = torch.Generator().manual_seed(seed + first)
        x = to_tensor(image[first : first + batch]).to(device)
        y = torch.from_numpy(label[first : first + batch].astype(np.int64)).to(device)
        with torch.no_grad():
            right += int((net(view(x, y, generator)).argmax(dim=1) == y).sum())
    net.train(was_training)
    return right / len(label)


# ---- History ----


@dataclass(frozen=True)
class Checked:
    """One validation. top_share: of the predictions that name the most named class; drop: standard
    errors by which fewer images are robust than at the best so far (paired, McNemar)."""

    metrics: EpochMetrics
    top_share: float
    drop: float


class ValidationHistory(Sequence[Checked]):
    """The validations so far, and which images were robust at the best of them."""

    def __init__(self) -> None:
        self._points: list[Checked] = []
        self._right = np.empty(0, bool)

    def __len__(self) -> int:
        return len(self._points)

    @overload
    def __getitem__(self, index: int) -> Checked: ...
    @overload
    def __getitem__(self, index: slice) -> list[Checked]: ...
    def __getitem__(self, index: int | slice) -> Checked | list[Checked]:
        return self._points[index]

    def __iter__(self) -> Iterator[Checked]:
        return iter(self._points)

    @property
    def best(self) -> EpochMetrics | None:
        """That of highest robust, then clean accuracy; of equal ones the later."""
        return (
            self._points[self._points[-1].metrics.best_point - 1].metrics if self._points else None
        )

    def add(self, checked: Validation, classes: int, **known: Any) -> EpochMetrics:
        """Complete the metrics of the next point. known: all other fields of them."""
        robust, clean = float(checked.robust.mean()), float(checked.clean.mean())
        point = len(self) + 1
        best = self.best
        if best is None or (robust, clean) >= (best.robust_accuracy, best.clean_accuracy):
            self._right = checked.robust
            at = dict(
                zip(_BEST, (point, known["epoch"], known["step"], robust, clean), strict=True)
            )
        else:
            at = {name: getattr(self[-1].metrics, name) for name in _BEST}
        metrics = EpochMetrics(
            **known,
            **at,
            clean_accuracy=clean,
            robust_accuracy=robust,
            n=len(checked.robust),
            point=point,
        )
        top = np.bincount(checked.predicted_clean, minlength=classes).max() / len(
            checked.predicted_clean
        )
        self._points.append(Checked(metrics, float(top), paired_drop(self._right, checked.robust)))
        return metrics

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, exactly."""
        rows = [
            [*(float(getattr(e.metrics, name)) for name, _ in _FIELDS), e.top_share, e.drop]
            for e in self._points
        ]
        table = torch.tensor(rows, dtype=torch.float64).view(len(rows), len(_FIELDS) + 2)
        return {"history": table, "right": torch.from_numpy(self._right.astype(np.uint8))}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave."""
        self._points = []
        for *row, top_share, drop in state["history"].tolist():
            values = {
                name: int(value) if whole else value
                for (name, whole), value in zip(_FIELDS, row, strict=False)
            }
            if len(row) == _EVERY_EPOCH:
                values |= self._of_epoch(values)
            self._points.append(Checked(EpochMetrics(**values), top_share, drop))
        self._right = state["right"].numpy().astype(bool)

    def _of_epoch(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a state of before leaves out of an epoch."""
        best, per_epoch = values["best_epoch"], values["step"] // values["epoch"]
        clean = (
            self[best - 1].metrics.clean_accuracy
            if best < values["epoch"]
            else values["clean_accuracy"]
        )
        return {
            "point": values["epoch"],
            "steps": values["epochs"] * per_epoch,
            "best_point": best,
            "best_step": best * per_epoch,
            "best_clean": clean,
        }


def paired_drop(before: np.ndarray, now: np.ndarray) -> float:
    """(lost - won) / sqrt(lost + won) (McNemar 1947). Both (n,) bool."""
    lost, won = int((before & ~now).sum()), int((now & ~before).sum())
    return (lost - won) / float(np.sqrt(lost + won)) if lost + won else 0.0


# ---- Health ----


class Diverged(CdpError):
    """Training broke: loss or a weight is not finite, or the loss stays far above guessing."""


@dataclass(frozen=True)
class TrainingProblem:
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
        """The newest losses up to ``step``. Raises Diverged at the first not finite one."""
        for place, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss became {loss} at step {step - len(losses) + place + 1}: lower"
                    " learning_rate, or raise warm_up so that the budget grows slower"
                )
        self._first += losses[: FIRST - len(self._first)] if len(self._first) < FIRST else []
        self._recent = [*self._recent, *losses][-RECENT:]

    def require_converging(self) -> None:
        """Raises Diverged where the loss stays far above its start and guessing."""
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
    """Raises Diverged where a weight, an average or a momentum is not finite."""
    for name, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise Diverged(
                f"a weight ({name}) is no longer a finite number at step {step}: lower"
                " learning_rate, or raise warm_up"
            )


def divergence(first: Sequence[float], recent: Sequence[float], classes: int) -> str:
    """Whether recent losses are far above the first ones; "" where not, or too few."""
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
    """Whether the network knew no more than chance, or named nearly always one class."""
    at_chance = near_chance(point.metrics.clean_accuracy, point.metrics.n, classes)
    return at_chance or point.top_share >= ONE_CLASS


def collapse(history: Sequence[Checked], *, classes: int, epsilon: float) -> TrainingProblem | None:
    """Label collapse: guesses at several validations after the budget is full."""
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
    return TrainingProblem(
        "collapse",
        first.metrics.epoch,
        f"labels have collapsed since epoch {first.metrics.epoch} (clean accuracy"
        f" {share_text(last.metrics.clean_accuracy)}, {share_text(last.top_share, 0)} of the"
        " predictions are one class): lower epsilon or learning_rate, raise warm_up, or take a"
        " larger network",
    )


def overfitting(history: Sequence[Checked], *, epsilon: float) -> TrainingProblem | None:
    """Robust overfitting (Rice 2020): robust accuracy below its best beyond chance and to stay,
    while that in training rose. Validations during the warm-up do not count, and of fewer than ten
    after it nothing is said: on simulated histories of independent noise there is no false
    alarm."""
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
    return TrainingProblem(
        "overfitting",
        since,
        f"robust overfitting since epoch {since}: robust accuracy on validation images is"
        f" {share_text(window[-1])} (mean of {k} validations) after {share_text(last.best_robust)}"
        f" at epoch {last.best_epoch}, while it rose in training: use the best epoch, add synthetic"
        " images or raise weight_decay",
    )


def _first_below(after: Sequence[Checked]) -> int:
    """The epoch from which on every validation was below the best by ``OVERFIT_ERRORS``."""
    since = after[-1].metrics.epoch
    for point in reversed(after):
        if point.drop < OVERFIT_ERRORS:
            break
        since = point.metrics.epoch
    return since


def problem(history: Sequence[Checked], *, classes: int, epsilon: float) -> TrainingProblem | None:
    """The worst thing wrong at the last validation."""
    return collapse(history, classes=classes, epsilon=epsilon) or overfitting(
        history, epsilon=epsilon
    )
