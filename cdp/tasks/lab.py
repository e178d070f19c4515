"""The attack lab: an attack on one image, and the smallest budget that fools, kept by content."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdp.config.lab import LabConfig, budgets
from cdp.data.fitting import fit, labelling_of
from cdp.data.registry import load_split
from cdp.errors import InputError, MissingError
from cdp.files import cache
from cdp.files.cache import Cached, Report
from cdp.models.encoders import encoder_weights
from cdp.tasks.features import encoder_labelling
from cdp.tasks.lab_images import load_upload
from cdp.values.lab import STARTS, AttackFigures, LabResult, LabSubject, Smallest
from cdp.values.types import DatasetInfo

KIND, VERSION = "lab", 1
"""Where results lie in the cache, and what to raise where the same settings come to other results.
"""


def subject_of(config: LabConfig) -> LabSubject:
    """Image and weights, checked. Raises InputError or MissingError."""
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
    matching = fit(labelling_of(split.info), encoder_labelling(config.model, config.dataset))
    if matching.refusal or matching.mapping:
        reason = matching.refusal or "their classes are numbered otherwise"
        raise InputError(
            f"model: {config.model} does not fit the images of {config.dataset} ({reason}): choose"
            " one of its own classifiers"
        )
    return LabSubject(image, label, split.info, weights)


def attack_of(config: LabConfig, subject: LabSubject) -> Cached[LabResult]:
    """One image under attack from ``STARTS`` random starts, of which the strongest is kept: one that
    fools before one that does not, then by its loss. fp32, eval mode. Its key changes exactly when
    image, weights or settings do."""
    epsilon = config.budget(subject.info)
    key = _key(config, subject, "attack", epsilon)

    def make(report: Report) -> LabResult:
        from cdp.tasks.lab_attack import AttackLab

        return AttackLab(config, subject).attack(epsilon, report)

    def known() -> LabResult | None:
        figures, adversarial = figures_of.known(), cache.load_array(KIND, key)
        if figures is None or adversarial is None:
            return None
        result = LabResult(figures, subject.image, adversarial)
        return result if _sound(result, len(subject.info.classes)) else None

    def keep(result: LabResult) -> None:
        cache.keep(KIND, key, result.adversarial)
        figures_of.keep(result.figures)

    figures_of = cache.cached_value(KIND, key, AttackFigures, lambda report: make(report).figures)
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


def smallest_of(config: LabConfig, subject: LabSubject) -> Cached[Smallest]:
    """The smallest budget that fools with the attack of ``attack_of``, by bisection on a grid of
    ``GRID`` steps up to ``config.largest``; the budget of one attack does not matter."""
    largest = config.reach(subject.info)

    def make(report: Report) -> Smallest:
        from cdp.tasks.lab_attack import AttackLab

        return AttackLab(config, subject).smallest(budgets(largest), report)

    return cache.cached_value(KIND, _key(config, subject, "smallest", largest), Smallest, make)


def answer_of(config: LabConfig, search: bool) -> Cached[Any]:
    """An attack, or the search for the smallest budget."""
    return (smallest_of if search else attack_of)(config, subject_of(config))


def _image(
    config: LabConfig, info: DatasetInfo, image: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, int | None]:
    if config.image:
        upload = load_upload(config.image, info)
        if upload is None:
            raise MissingError(
                "image: this upload is not on this machine any more, or is no image of this data"
                " set: upload it again"
            )
        return upload, config.label
    if config.row >= len(label):
        raise InputError(
            f"row {config.row:,} is not there, {info.title} has {len(label):,} test images here:"
            f" choose 0 to {len(label) - 1:,}"
        )
    return np.array(image[config.row]), int(label[config.row])


def _key(config: LabConfig, subject: LabSubject, what: str, budget: float) -> str:
    target = config.target if config.attack == "targeted" else None
    parts = (VERSION, STARTS, what, subject.weights, subject.image, subject.label, budget)
    return cache.digest(*parts, config.norm, config.attack, target, config.steps, config.seed)
