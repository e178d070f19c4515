"""The attack lab: one attack on one image, and the smallest budget that fools. Results lie in the
cache by content; a hit needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cdp.config.lab import GRID, REACH, LabConfig, budget_of, budgets, rounded
from cdp.data.fitting import fit, labelling_of
from cdp.data.registry import load_split
from cdp.errors import InputError, MissingError
from cdp.files import cache
from cdp.files.cache import Cached
from cdp.models.encoders import encoder_weights
from cdp.tasks.features import encoder_labelling
from cdp.tasks.lab_images import load_upload
from cdp.tasks.watching import Report, ignore
from cdp.values.types import DatasetInfo

KIND, VERSION = "lab", 1
"""Where results lie in the cache, and what to raise where the same settings come to other results.
"""
STARTS = 5
"""Random starts of every attack; the strongest counts."""


@dataclass(frozen=True)
class Subject:
    """What is attacked. image: (H,W,C) uint8; label: true class, None where nobody says it;
    weights: SHA-256 of the model's."""

    image: np.ndarray
    label: int | None
    info: DatasetInfo
    weights: str


@dataclass(frozen=True)
class Figures:
    """What an attack came to. label: the true class, or what the model says of an image that has
    none; target: None where untargeted.

    epsilon: budget in units of the norm; size: length of the perturbation in it. before, after:
    (K,) probabilities. losses: one path a start, ``steps`` + 1 values each, in nats or in logits
    (margin); predicted: class at each of them along the path of the start that is shown, number
    ``chosen``.
    """

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
        return (
            self.attacked == self.target
            if self.target is not None
            else self.attacked != self.label and not self.wrong_before
        )

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

    figures: Figures
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


def subject_of(config: LabConfig) -> Subject:
    """Image and weights, found and checked. Raises InputError or MissingError that says what is not
    here or does not fit together."""
    split = load_split(config.dataset, "test")
    image, label = _image(config, split.info, split.image, split.label)
    for what, value in (("label", label), ("target", config.target)):
        if value is not None and value >= len(split.info.classes):
            raise InputError(
                f"{what} {value} is not a class of {config.dataset}: choose 0 to"
                f" {len(split.info.classes) - 1}"
            )
    if config.attack == "targeted" and config.target is not None and config.target == label:
        raise InputError(
            "target is the image's own class, which needs no attack: choose another class"
        )
    weights = encoder_weights(config.model, config.dataset)
    found = fit(labelling_of(split.info), encoder_labelling(config.model, config.dataset))
    if found.refusal or found.mapping:
        reason = found.refusal or "their classes are numbered otherwise"
        raise InputError(
            f"model: {config.model} does not fit the images of {config.dataset} ({reason}): choose"
            " one of its own classifiers"
        )
    return Subject(image, label, split.info, weights)


def attack_image(config: LabConfig, report: Report = ignore) -> LabResult:
    """Attack one image from ``STARTS`` random starts and keep the strongest: one that fools before
    one that does not, then by its loss.

    fp32, eval mode. Raises InputError or MissingError like ``subject_of``.
    """
    return attack_of(config, subject_of(config)).get(report)


def attack_of(config: LabConfig, subject: Subject) -> Cached[LabResult]:
    """The result of one attack; its key changes exactly when image, weights or settings do."""
    epsilon = epsilon_of(config, subject.info)
    key = _key(config, subject, "attack", epsilon)

    def make(report: Report) -> LabResult:
        from cdp.tasks.lab_attack import Lab

        return Lab(config, subject).attack(epsilon, report)

    def known() -> LabResult | None:
        figures, adversarial = figures_of.known(), cache.load_array(KIND, key)
        if figures is None or adversarial is None:
            return None
        result = LabResult(figures, subject.image, adversarial)
        return result if _sound(result, len(subject.info.classes)) else None

    def keep(result: LabResult) -> None:
        cache.keep(KIND, key, result.adversarial)
        figures_of.keep(result.figures)

    figures_of = cache.cached_value(KIND, key, Figures, lambda report: make(report).figures)
    return Cached(key, known, make, keep)


def _sound(result: LabResult, classes: int) -> bool:
    figures, adversarial = result.figures, result.adversarial
    return (
        adversarial.shape == result.image.shape
        and adversarial.dtype == np.float32
        and bool(np.isfinite(adversarial).all())
        and len(figures.before) == len(figures.after) == classes
        and 0 <= figures.chosen < len(figures.losses)
    )


def smallest_budget(config: LabConfig, report: Report = ignore) -> Smallest:
    """Bisection over the budget on a grid of ``GRID`` steps up to ``config.largest``, with the
    attack that ``attack_image`` makes, so the budget found fools there as well. Raises InputError
    or MissingError like ``subject_of``."""
    return smallest_of(config, subject_of(config)).get(report)


def smallest_of(config: LabConfig, subject: Subject) -> Cached[Smallest]:
    """The smallest budget, which does not depend on the budget of one attack."""
    largest = largest_of(config, subject.info)

    def make(report: Report) -> Smallest:
        from cdp.tasks.lab_attack import Lab

        return Lab(config, subject).smallest(budgets(largest), report)

    return cache.cached_value(KIND, _key(config, subject, "smallest", largest), Smallest, make)


def bisect(fools: Callable[[int], bool], steps: int = GRID) -> int | None:
    """The smallest k in 1..steps found by halving at which ``fools(k)``; None where it is found
    nowhere.

    An attack may fail at a large budget and not at a smaller one, so two smaller ones are tried
    before giving up.
    """
    high = next(
        (k for k in dict.fromkeys((steps, 2 * steps // 3, steps // 3)) if k >= 1 and fools(k)), None
    )
    if high is None:
        return None
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if fools(middle):
            high = middle
        else:
            low = middle
    return high


def epsilon_of(config: LabConfig, info: DatasetInfo) -> float:
    """The budget attacked with."""
    return config.epsilon if config.epsilon is not None else budget_of(info, config.norm)


def largest_of(config: LabConfig, info: DatasetInfo) -> float:
    """The largest budget searched."""
    return (
        config.largest
        if config.largest is not None
        else rounded(REACH * budget_of(info, config.norm))
    )


def _image(
    config: LabConfig, info: DatasetInfo, image: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, int | None]:
    if config.image:
        found = load_upload(config.image, info)
        if found is None:
            raise MissingError(
                "image: this upload is not on this machine any more, or is no image of this data"
                " set: upload it again"
            )
        return found, config.label
    if config.row >= len(label):
        raise InputError(
            f"row {config.row:,} is not there, {info.title} has {len(label):,} test images here:"
            f" choose 0 to {len(label) - 1:,}"
        )
    return np.array(image[config.row]), int(label[config.row])


def _key(config: LabConfig, subject: Subject, what: str, budget: float) -> str:
    target = config.target if config.attack == "targeted" else None
    return cache.digest(
        VERSION,
        STARTS,
        what,
        subject.weights,
        subject.image,
        subject.label,
        budget,
        config.norm,
        config.attack,
        target,
        config.steps,
        config.seed,
    )
