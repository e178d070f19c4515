"""The figures of the Generate page: one arm, and guided minus unguided from the same noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cdp.embedding.classes import separation_difference, separation_interval
from cdp.embedding.intervals import agreement, agreement_difference, jackknife
from cdp.embedding.neighbours import nearest_distance
from cdp.embedding.rows import Floats, Ints, UndefinedError, class_numbers, feature_rows, leave_out
from cdp.errors import InputError
from cdp.values.types import ArmReport, Interval


@dataclass(frozen=True)
class RealBaseline:
    """What generated images are held against. train: (m, d) judge features of real training images;
    distance, label: (h,) of held-out real images, the distance being to the nearest of ``train``.
    Build once a data set with ``real_baseline``."""

    train: Floats
    distance: Floats
    label: Ints


@dataclass(frozen=True)
class JudgedArm:
    """One arm in the judge's eyes: features (n, d); predicted (n,), None for unknown."""

    features: np.ndarray
    predicted: np.ndarray | None = None


def real_baseline(
    train: np.ndarray, held_out: np.ndarray, held_out_label: np.ndarray
) -> RealBaseline:
    """train (m, d): learned from; held_out (h, d): real ones it did not; label (h,)."""
    rows = feature_rows("train", train)
    label = class_numbers("held_out_label", held_out_label, len(held_out))
    return RealBaseline(rows, nearest_distance(held_out, rows), label)


def arm_report(
    arm: JudgedArm,
    labels: np.ndarray | None,
    baseline: RealBaseline | None = None,
    *,
    seed: int = 0,
) -> ArmReport:
    """Agreement, separation and memorisation ratio of one arm, each with an interval; None where a
    figure is undefined. labels: (n,), None for an unconditional model. nearest: mean distance to
    the nearest training image over that of held-out images of the same classes. Raises InputError
    for arrays that do not fit, or a class without baseline."""
    _check(arm, labels)
    rate = None if labels is None or arm.predicted is None else agreement(arm.predicted, labels)
    separation = (
        None if labels is None else _or_none(separation_interval, arm.features, labels, seed=seed)
    )
    nearest = None
    if baseline is not None:
        distance = nearest_distance(arm.features, baseline.train)
        nearest = _or_none(_distance_ratio, distance, labels, baseline, seed=seed)
    return ArmReport(rate, separation, nearest)


def difference_report(
    guided: JudgedArm,
    unguided: JudgedArm,
    labels: np.ndarray | None,
    baseline: RealBaseline | None = None,
    *,
    seed: int = 0,
) -> ArmReport:
    """Guided minus unguided, paired by row. Otherwise as ``arm_report``."""
    _check(guided, labels)
    _check(unguided, labels)
    if np.shape(guided.features) != np.shape(unguided.features):
        raise InputError(
            f"arms of {len(guided.features)} and {len(unguided.features)} images are not paired:"
            " pass the same images of both"
        )
    rate = separation = nearest = None
    if labels is not None:
        if guided.predicted is not None and unguided.predicted is not None:
            rate = agreement_difference(guided.predicted, unguided.predicted, labels)
        both = (guided.features, unguided.features)
        separation = _or_none(separation_difference, *both, labels, seed=seed)
    if baseline is not None:
        change = nearest_distance(guided.features, baseline.train) - nearest_distance(
            unguided.features, baseline.train
        )
        nearest = _or_none(_distance_ratio, change, labels, baseline, seed=seed)
    return ArmReport(rate, separation, nearest)


def _check(arm: JudgedArm, labels: np.ndarray | None) -> None:
    rows = feature_rows("features", arm.features)
    if labels is not None:
        class_numbers("labels", labels, len(rows))
    if arm.predicted is not None:
        class_numbers("predicted", arm.predicted, len(rows))


def _or_none(figure: Callable[..., Interval], *args: object, **options: object) -> Interval | None:
    """A figure that does not exist for this input is left blank rather than an error."""
    try:
        return figure(*args, **options)
    except UndefinedError:
        return None


def _distance_ratio(
    distance: Floats, labels: np.ndarray | None, baseline: RealBaseline, *, seed: int
) -> Interval:
    """Mean distance (or mean change of it) over the baseline's mean; the interval leaves groups of
    both out. Training images are what they are: the question is whether these very images were
    copied."""
    if len(distance) < 2:
        raise UndefinedError("1 image gives no interval: generate at least 2")
    weight = _class_weights(labels, baseline)
    used = weight > 0
    terms, strata = (weight * baseline.distance)[used], baseline.label[used]
    if not terms.sum() > 0:
        raise UndefinedError(
            "every held-out real image is a copy of a training image, so distances have no scale:"
            " use other held-out images"
        )
    top = _means_without(
        distance, np.zeros(len(distance), np.int64) if labels is None else np.asarray(labels), seed
    )
    bottom = _means_without(terms, strata, seed) * len(terms)
    value = float(distance.mean() / terms.sum())
    return jackknife(
        value, [top / terms.sum(), distance.mean() / bottom], len(distance), scale="ratio"
    )


def _means_without(values: Floats, labels: Ints, seed: int) -> Floats:
    """(G,) mean without each group of images, in which classes keep their weight; images of classes
    that have one only stand for each other."""
    labels = _paired_up(labels)
    groups, count = leave_out(labels, seed=seed)
    coded = np.unique(labels, return_inverse=True)[1]
    sums, sizes = np.zeros((count, coded.max() + 1)), np.zeros((count, coded.max() + 1))
    np.add.at(sums, (groups, coded), values)
    np.add.at(sizes, (groups, coded), 1)
    with np.errstate(invalid="ignore"):
        means = (sums.sum(axis=0) - sums) / (sizes.sum(axis=0) - sizes)
    # A class whose images are all left out together keeps its mean.
    means = np.where(np.isfinite(means), means, sums.sum(axis=0) / sizes.sum(axis=0))
    return np.asarray(means @ sizes.sum(axis=0) / len(values))


def _paired_up(labels: Ints) -> Ints:
    """Class numbers (n,) in which images that are alone in their class are of one class, a lone one
    of the smallest other: the only image of a class says nothing of how much the class varies."""
    names, coded, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    alone = sizes == 1
    if alone.sum() == 1 and len(names) > 1:
        alone[np.argmin(np.where(alone, np.inf, sizes))] = True
    return np.where(alone[coded], -1, np.asarray(labels))


def _class_weights(labels: np.ndarray | None, baseline: RealBaseline) -> Floats:
    """(h,) weights that give the held-out images the class shares of the generated ones."""
    if labels is None:
        return np.full(len(baseline.distance), 1 / len(baseline.distance))
    weight = np.zeros(len(baseline.distance))
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        members = baseline.label == label
        if not members.any():
            raise InputError(
                f"there is no held-out real image of class {label} to compare with: add some, or"
                " leave the class out"
            )
        weight[members] = count / len(labels) / members.sum()
    return weight
