"""Intervals: closed forms, scipy, and whether they cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cdp.embedding.intervals import (
    Estimate,
    agreement,
    agreement_difference,
    at_level,
    difference,
    estimate,
    jackknife,
    log_ratio,
    p_value,
)
from cdp.embedding.rows import Parts, UndefinedError, deal, leave_out
from cdp.errors import InputError
from cdp.statistics.shares import wilson
from cdp.values.types import Interval


@pytest.mark.parametrize("hits", (0, 1, 17, 63, 64))
@pytest.mark.parametrize("level", (0.5, 0.95, 0.99))
def test_wilson_equals_scipy(hits: int, level: float) -> None:
    ours, theirs = wilson(hits, 64, level=level), binomtest(hits, 64).proportion_ci(level, "wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.value, ours.n, ours.level) == (hits / 64, 64, level)


@given(n=st.integers(1, 40), data=st.data())
def test_a_difference_of_agreement_lies_in_its_interval(n: int, data: st.DataObject) -> None:
    first, second = (
        np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))) for _ in range(2)
    )
    labels = np.zeros(n, int)
    found, swapped = (
        agreement_difference(first, second, labels),
        agreement_difference(second, first, labels),
    )
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.value, found.low, found.high) == pytest.approx(
        (-swapped.value, -swapped.high, -swapped.low)
    )
    assert found.value == pytest.approx(np.mean(first == 0) - np.mean(second == 0))


def test_arms_that_agree_on_every_image_still_get_an_interval_of_some_width() -> None:
    found = agreement_difference(np.zeros(64, int), np.zeros(64, int), np.zeros(64, int))
    assert found.value == 0
    assert found.low < 0 < found.high


def test_a_difference_of_agreement_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    labels, hits = np.zeros(64, int), 0
    for _ in range(400):
        both, gain, loss = 0.8, 0.1, 0.04
        cell = rng.choice(4, 64, p=[both, gain, loss, 1 - both - gain - loss])
        found = agreement_difference((cell > 1).astype(int), (cell % 2).astype(int), labels)
        hits += found.low <= gain - loss <= found.high
    assert 0.92 <= hits / 400 <= 0.99


@pytest.mark.parametrize("scale", ("plain", "share", "ratio"))
def test_parts_and_left_out_groups_of_a_mean_give_its_textbook_interval(scale: str) -> None:
    values = np.random.default_rng(1).uniform(size=800)
    if scale == "share":
        values = (values < 0.3).astype(float)
    parts = Parts.of(np.zeros(800, int), freedom=400)
    by_parts = estimate(
        values.mean(), parts.values(lambda own, _: [values[own].mean()])[:, :, 0], 800, scale=scale
    )
    groups, count = leave_out(np.zeros(800, int))
    without = [np.array([values[groups != group].mean() for group in range(count)])]
    error = values.std() / np.sqrt(800)
    assert by_parts.error == pytest.approx(error, rel=0.08)
    assert jackknife(values.mean(), without, 800, scale=scale).error == pytest.approx(
        error, rel=0.25
    )
    assert by_parts.low < values.mean() < by_parts.high


@pytest.mark.parametrize(("measured", "used"), [(1.0, 0.8), (0.4, 0.5), (-2.0, 0.3), (3.0, 1.0)])
def test_a_slowly_falling_variance_is_scaled(measured: float, used: float) -> None:
    """Half of the rate is that of both sizes, half the usual 0.6."""
    parts = np.random.default_rng(0).normal(5, 1, size=(8, 3))
    halves = np.random.default_rng(1).normal(5, 1, size=(8, 6))
    spread = [np.sqrt(one.var(axis=1, ddof=1).mean()) for one in (parts, halves)]
    halves = 5 + (halves - 5) * 2 ** (measured / 2) * spread[0] / spread[1]
    plain, slow = estimate(5.0, parts, 900), estimate(5.0, parts, 900, finer=halves)
    assert slow.error / plain.error == pytest.approx(3 ** ((1 - used) / 2))


def test_a_mean_of_scores_varies_no_less_than_that_of_independent_ones() -> None:
    parts = np.random.default_rng(0).normal(5, 1, size=(8, 3))
    plain = estimate(5.0, parts, 900)
    assert estimate(5.0, parts, 900, single=900 * (2 * plain.error) ** 2).error == pytest.approx(
        2 * plain.error
    )
    assert estimate(5.0, parts, 900, single=1e-6).error == plain.error


def test_parts_have_every_class_alike_and_equal_labels_are_dealt_alike() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([3, 5, 9], [100, 60, 40]))
    dealt = deal(labels, 4, 5)
    for row in dealt:
        counts = np.array(
            [
                [((labels == value) & (row == part)).sum() for part in range(4)]
                for value in (3, 5, 9)
            ]
        )
        assert np.ptp(counts, axis=1).max() <= 1
    assert (dealt == deal(labels.copy(), 4, 5)).all() and (dealt[0] != dealt[1]).any()
    assert (dealt != deal(labels, 4, 5, seed=1)).any()
    groups, count = leave_out(labels)
    assert count == 20
    assert {(groups[labels == value] == 0).sum() for value in (3, 5, 9)} == {2, 3, 5}


def test_pairs_of_images_are_not_counted_twice_where_two_sets_are_alike() -> None:
    # The mean product of two independent sets of mean 0 is a mean over pairs of images: its
    # variance is 1 / (n m).
    rng = np.random.default_rng(2)
    estimates = []
    for _ in range(300):
        a, b = rng.normal(size=(2, 20))
        left, right = (19 * 20 / 19 * (side.mean() - side / 20) / 19 for side in (a, b))
        together = np.outer(left, right)
        found = jackknife(
            a.mean() * b.mean(), [left * b.mean(), a.mean() * right], 20, together=together
        )
        estimates.append((found.value, found.error))
    values, errors = np.array(estimates).T
    assert np.sqrt(np.mean(errors**2)) < 1.42 * values.std()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "3 hits of 2"),
        (lambda: wilson(1, 2, level=1), "level is 1"),
        (lambda: at_level(estimate(1.0, np.array([[0.0, 1.0]]), 2), 0), "level is 0"),
        (lambda: agreement(np.ones(3, int), np.ones(2, int)), "predicted has shape"),
        (lambda: agreement(np.ones(3), np.ones(3, int)), "integer class numbers"),
        (
            lambda: agreement_difference(np.ones(3, int), np.ones(2, int), np.ones(3, int)),
            "predicted has shape",
        ),
    ],
)
def test_input_that_makes_no_sense_is_refused(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]


def test_figures_of_no_image_or_intervals_of_one_are_undefined() -> None:
    with pytest.raises(UndefinedError, match="too few for an interval"):
        estimate(1.0, np.array([[0.0, np.nan]]), 2)
    with pytest.raises(UndefinedError, match="too few for an interval"):
        jackknife(1.0, [np.array([0.0, np.inf, 1.0])], 3)
    with pytest.raises(UndefinedError, match="no images"):
        agreement(np.zeros(0, int), np.zeros(0, int))


def test_a_difference_is_of_equal_parts_or_of_independent_sets() -> None:
    rng = np.random.default_rng(0)
    shared, own, other = rng.normal(size=(8, 4)), rng.normal(size=(8, 4)), rng.normal(size=(8, 4))
    first, second = (
        estimate(2.0, 2 + shared + 0.1 * own, 400),
        estimate(1.5, 1.5 + shared + 0.1 * other, 400),
    )
    paired = difference(first, second)
    assert paired.value == 0.5 and paired.low > 0 and p_value(paired) < 0.05
    apart = difference(first, estimate(1.5, rng.normal(size=(7, 4)), 400))
    assert apart.low < 0 < apart.high and p_value(apart) > 0.05
    assert isinstance(paired, Estimate)
    wide = at_level(paired, 1 - p_value(paired))
    assert wide.low == pytest.approx(0, abs=1e-9)


def test_what_never_varies_has_no_interval_and_concludes_nothing() -> None:
    flat = estimate(0.0, np.zeros((5, 4)), 100)
    assert flat.note and (flat.low, flat.high) == (-np.inf, np.inf)
    change = difference(flat, estimate(1.0, np.random.default_rng(0).normal(size=(5, 4)), 100))
    assert isinstance(change, Estimate) and change.note and p_value(change) == 1
    assert change.note.startswith("the first has none: it is the same")
    share = estimate(1.0, np.ones((5, 4)), 100, scale="share")
    assert (share.low, share.high) == pytest.approx((wilson(100, 100).low, 1), abs=0.01)


@pytest.mark.parametrize("level", (0.8, 0.95))
def test_the_p_value_of_an_interval_without_parts_agrees_with_its_bounds(level: float) -> None:
    assert p_value(Interval(1.0, 0.0, 3.0, 50, level)) == pytest.approx(1 - level)
    assert p_value(Interval(-1.0, -1.4, 0.0, 50, level)) == pytest.approx(1 - level)


def test_a_relative_change_is_a_difference_of_logarithms() -> None:
    values = np.random.default_rng(1).normal(size=(8, 4))
    change = log_ratio(estimate(4.0, 4 + 0.1 * values, 400), estimate(2.0, 2 + 0.051 * values, 400))
    assert change is not None and change.value == pytest.approx(np.log(2))
    assert 0 < change.high - change.low < 2e-3
    assert log_ratio(estimate(0.1, values, 400), estimate(2.0, 2 + 0.05 * values, 400)) is None
