"""The judge: a classifier that scores images and never guides, with real images to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from cdp.data.fitting import fit, labelling_of, labelling_of_card
from cdp.data.registry import dataset_info
from cdp.embedding import report
from cdp.errors import InputError, MissingError
from cdp.models.encoders import JUDGE, Encoder
from cdp.tasks.features import features
from cdp.tasks.loaded import encoder_on_device, features_of
from cdp.tasks.sources import real_images
from cdp.values.types import ArmReport, JudgeView

REFERENCE, HELD_OUT = 5000, 1000
"""Real training images to look for near copies among, and real test images that say how near is
normal."""


def load_judge(dataset: str) -> Encoder | None:
    """The judge of a data set, None for none. Raises InputError for one of other classes."""
    try:
        judge = encoder_on_device(JUDGE, dataset)
    except MissingError:
        return None
    try:
        info = dataset_info(dataset)
    except MissingError:
        return judge  # which outlives the images it was trained on
    matching = fit(labelling_of_card("the judge", judge.card), labelling_of(info))
    if matching.refusal or matching.mapping:
        raise InputError(
            f"the judge of {dataset} was trained on other images"
            f" ({matching.refusal or 'its classes are numbered otherwise'}): train it again with"
            f" python -m cdp pretrain-encoder --dataset {dataset} --kind standard --name {JUDGE}"
            " --seed 1"
        )
    return judge


def baseline(dataset: str) -> report.RealBaseline | None:
    """How near real images are to real training images in the judge's features; None without a
    judge or fitting real images. Computed once a machine."""
    try:
        return _baseline(dataset)
    except InputError:
        # not remembered: the judge may be trained, or fitting images imported, while the app runs
        return None


@lru_cache(maxsize=4)
def _baseline(dataset: str) -> report.RealBaseline:
    """Raises MissingError without a judge or real images."""
    encoder_on_device(JUDGE, dataset)
    train, held_out = (
        real_images(dataset, "train", REFERENCE),
        real_images(dataset, "test", HELD_OUT),
    )
    near, far = (features(JUDGE, dataset, image) for image in (train[0], held_out[0]))
    return report.real_baseline(near, far, held_out[1])


@dataclass(frozen=True)
class Verdict:
    """Figures of both arms and of their difference, and what the judge sees in every image."""

    guided: ArmReport
    unguided: ArmReport | None = None
    difference: ArmReport | None = None
    guided_view: JudgeView | None = None
    unguided_view: JudgeView | None = None


def judged(judge: Encoder, images: np.ndarray) -> report.JudgedArm:
    """The judge's features and predicted classes of uint8 images."""
    return _seen(judge, images)[0]


def verdict(
    dataset: str, label: np.ndarray | None, guided: np.ndarray, plain: np.ndarray | None
) -> Verdict:
    """Judge both arms. plain: None for one arm; label: None where the model knows no classes."""
    judge, real = load_judge(dataset), baseline(dataset)
    if judge is None:
        nothing = ArmReport(None, None, None)
        return Verdict(nothing) if plain is None else Verdict(nothing, nothing, nothing)
    if real is not None and label is not None and not np.isin(label, real.label).all():
        # a person's own test images may lack a class, and then its distances have no scale
        real = None
    ours, view = _seen(judge, guided)
    figures = report.arm_report(ours, label, real)
    if plain is None:
        return Verdict(figures, guided_view=view)
    theirs, other = _seen(judge, plain)
    difference = report.difference_report(ours, theirs, label, real)
    return Verdict(figures, report.arm_report(theirs, label, real), difference, view, other)


def _seen(judge: Encoder, images: np.ndarray) -> tuple[report.JudgedArm, JudgeView]:
    features = features_of(judge.net, images)
    with torch.no_grad():
        best = judge.net.logits_of(features).softmax(1).max(1)
    predicted = best.indices.cpu().numpy()
    return report.JudgedArm(features.cpu().numpy(), predicted), JudgeView(
        predicted, best.values.cpu().numpy()
    )
