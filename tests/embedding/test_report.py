"""The report of an arm and of guided minus unguided."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from cdp.embedding.classes import separation_difference, separation_interval
from cdp.embedding.intervals import Estimate, agreement
from cdp.embedding.neighbours import nearest_distance
from cdp.embedding.report import (
    JudgedArm,
    RealBaseline,
    arm_report,
    difference_report,
    real_baseline,
)
from cdp.errors import InputError
from cdp.values.types import ArmReport

LABELS = np.repeat(np.arange(4), 10)
MEANS = 3 * np.random.default_rng(0).normal(size=(4, 6))


def drawn(seed: int, per_class: int = 10, spread: float = 1.0) -> np.ndarray:
    labels = np.repeat(np.arange(4), per_class)
    return MEANS[labels] + spread * np.random.default_rng(seed).normal(size=(len(labels), 6))


@pytest.fixture(scope="module")
def baseline() -> RealBaseline:
    return real_baseline(drawn(1, 100), drawn(2, 50), np.repeat(np.arange(4), 50))


def predictions(wrong: int) -> np.ndarray:
    return np.where(np.arange(40) < wrong, (LABELS + 1) % 4, LABELS)


def test_an_arm_reports_what_the_metrics_say(baseline: RealBaseline) -> None:
    features, predicted = drawn(3), predictions(5)
    found = arm_report(JudgedArm(features, predicted), LABELS, baseline, seed=7)
    assert found.agreement == agreement(predicted, LABELS)
    assert found.separation == separation_interval(features, LABELS, seed=7)
    assert found.nearest is not None
    assert found.nearest.value == pytest.approx(
        nearest_distance(features, baseline.train).mean() / baseline.distance.mean()
    )
    assert found.nearest.low < found.nearest.value < found.nearest.high


def test_fresh_images_are_as_far_as_held_out_ones(baseline: RealBaseline) -> None:
    fresh = arm_report(JudgedArm(drawn(4)), LABELS, baseline).nearest
    copies = arm_report(JudgedArm(baseline.train[::10]), LABELS, baseline).nearest
    assert fresh is not None
    assert copies is not None
    assert fresh.low < 1 < fresh.high
    assert copies.value == 0 and copies.note


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 2, 2, 1), (1, 3, 3, 3)])
def test_the_only_image_of_a_class_is_no_less_chance_than_others(sizes: tuple[int, ...]) -> None:
    """Leaving out what cannot be left out, the interval of one image a class was a hundredth of
    what fresh images scatter by."""
    labels, rng = np.repeat(np.arange(4), sizes), np.random.default_rng(5)
    base = real_baseline(drawn(1, 100), drawn(2, 50), np.repeat(np.arange(4), 50))
    found = [
        arm_report(
            JudgedArm(MEANS[labels] + rng.normal(size=(len(labels), 6))), labels, base
        ).nearest
        for _ in range(200)
    ]
    values, errors = zip(
        *[(one.value, one.error) for one in found if isinstance(one, Estimate)], strict=True
    )
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) / np.std(values) < 1.5


def test_the_baseline_takes_the_classes_of_the_images() -> None:
    train, held_out = np.array([[0.0], [100.0]]), np.array([[1.0], [-1.0], [110.0], [90.0]])
    base = real_baseline(train, held_out, np.array([0, 0, 1, 1]))
    images = JudgedArm(np.array([[2.0], [-2.0]]))
    near, far, all_classes = (
        arm_report(images, labels, base).nearest
        for labels in (np.array([0, 0]), np.array([1, 1]), None)
    )
    assert near is not None
    assert far is not None
    assert all_classes is not None
    assert (near.value, far.value, all_classes.value) == pytest.approx((2 / 1, 2 / 10, 2 / 5.5))


def test_a_difference_is_that_of_the_arms(baseline: RealBaseline) -> None:
    unguided = drawn(5)
    guided = MEANS[LABELS] + 0.8 * (unguided - MEANS[LABELS])
    arms = JudgedArm(guided, predictions(2)), JudgedArm(unguided, predictions(6))
    found = difference_report(*arms, LABELS, baseline, seed=3)
    for change, one, other in zip(
        astuple(found),
        *(astuple(arm_report(arm, LABELS, baseline, seed=3)) for arm in arms),
        strict=True,
    ):
        assert change[0] == pytest.approx(one[0] - other[0])
        assert change[1] <= change[0] <= change[2]
    assert found.agreement is not None
    assert found.agreement.value == pytest.approx(0.1)
    assert found.separation == separation_difference(guided, unguided, LABELS, seed=3)
    assert found.separation is not None
    assert found.separation.low > 0


def test_figures_that_do_not_exist_are_left_blank(baseline: RealBaseline) -> None:
    one = JudgedArm(drawn(6)[:1], LABELS[:1])
    assert arm_report(JudgedArm(drawn(6)), None) == ArmReport(None, None, None)
    assert arm_report(JudgedArm(drawn(6)), LABELS).agreement is None
    single = arm_report(one, LABELS[:1], baseline)
    assert single.agreement is not None
    assert single.separation is single.nearest is None
    difference = difference_report(one, one, LABELS[:1], baseline)
    assert difference.separation is difference.nearest is None
    one_class = arm_report(JudgedArm(drawn(6)[:10]), LABELS[:10], baseline)
    assert one_class.separation is None
    assert one_class.nearest is not None
    constant = arm_report(JudgedArm(np.ones((40, 6))), LABELS, baseline)
    assert constant.separation is None


def test_broken_input_is_an_error_and_not_a_blank(baseline: RealBaseline) -> None:
    broken = drawn(6)
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="NaN or infinity in row 3"):
        arm_report(JudgedArm(broken), LABELS, baseline)
    with pytest.raises(InputError, match="pass 40 integer class numbers"):
        arm_report(JudgedArm(drawn(6)), LABELS[:3])
    with pytest.raises(InputError, match="predicted has shape"):
        arm_report(JudgedArm(drawn(6), LABELS[:3]), LABELS)
    with pytest.raises(InputError, match="same encoder"):
        arm_report(JudgedArm(drawn(6)[:, :2]), LABELS, baseline)
    with pytest.raises(InputError, match="no held-out real image of class 9"):
        arm_report(JudgedArm(drawn(6)), np.where(LABELS == 3, 9, LABELS), baseline)
    with pytest.raises(InputError, match="not paired"):
        difference_report(JudgedArm(drawn(6)), JudgedArm(drawn(6)[:20]), None)
