"""Intervals: closed forms, scipy, and whether they cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cdp.embedding.intervals import (
    Estimate,
    agreement,
    agreement_difference,
    bootstrap,
    difference,
    draws,
    estimate,
    log_ratio,
    p_value,
    paired_bootstrap,
)
from cdp.embedding.metrics import UndefinedError
from cdp.errors import InputError
from cdp.statistics.shares import wilson
from cdp.types import Interval


def mean(values: np.ndarray) -> float:
    return float(values.mean())


@pytest.mark.parametrize("hits", (0, 1, 17, 63, 64))
@pytest.mark.parametrize("level", (0.5, 0.95, 0.99))
def test_wilson_equals_scipy(hits: int, level: float) -> None:
    ours, theirs = wilson(hits, 64, level=level), binomtest(hits, 64).proportion_ci(level, "wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.value, ours.n, ours.level) == (hits / 64, 64, level)


def test_agreement_counts_the_images_predicted_as_labelled() -> None:
    found = agreement(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]))
    assert found == wilson(3, 4)


@settings(deadline=None)
@given(n=st.integers(1, 40), data=st.data())
def test_a_difference_of_agreement_lies_in_its_interval_and_changes_sign_with_the_order(n: int, data: st.DataObject) -> None:
    first, second = (np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))) for _ in range(2))
    labels = np.zeros(n, int)
    found, swapped = agreement_difference(first, second, labels), agreement_difference(second, first, labels)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.value, found.low, found.high) == pytest.approx((-swapped.value, -swapped.high, -swapped.low))
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


def test_bootstrap_of_a_mean_approaches_its_normal_interval() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    found = bootstrap(mean, values, n_boot=2000, seed=2)
    half = 1.96 * values.std() / 20
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_bootstrap_resamples_all_arrays_together() -> None:
    values = np.random.default_rng(1).normal(size=50)
    found = bootstrap(lambda a, b: float((a - b).mean()), values, values.copy(), n_boot=50)
    assert found.low == found.high == 0


def test_bootstrap_repeats_with_its_seed_and_changes_with_another() -> None:
    values = np.random.default_rng(1).normal(size=50)
    assert bootstrap(mean, values, seed=3) == bootstrap(mean, values, seed=3)
    assert bootstrap(mean, values, seed=3) != bootstrap(mean, values, seed=4)


def test_a_higher_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)
    narrow, wide = (bootstrap(mean, values, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_draws_keep_class_sizes_and_replace_each_row_from_its_own_class() -> None:
    strata = np.array([4, 4, 7, 4, 7, 9])
    rows = np.concatenate(list(draws(6, 200, 0, strata)))
    assert rows.shape == (200, 6)
    assert (strata[rows] == strata).all()
    assert all((rows[:, i] != i).any() for i in range(5))


def test_draws_are_uniform_with_replacement() -> None:
    rows = np.concatenate(list(draws(5, 4000, 0, None)))
    assert np.bincount(rows.ravel()) / rows.size == pytest.approx(np.full(5, 0.2), abs=0.01)


def test_a_paired_bootstrap_cancels_what_both_arms_share() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 10, 200)
    first, second = shared + 1 + rng.normal(0, 0.1, 200), shared
    found = paired_bootstrap(mean, (first,), (second,))
    assert found.value == pytest.approx(1, abs=0.05)
    assert found.high - found.low < 0.1
    apart = bootstrap(mean, first)
    assert apart.high - apart.low > 1


def test_stratified_bootstrap_leaves_out_the_variation_between_classes() -> None:
    strata = np.repeat([0, 1], 50)
    values = np.where(strata == 0, -10.0, 10.0) + np.random.default_rng(6).normal(size=100)
    plain, stratified = bootstrap(mean, values), bootstrap(mean, values, strata=strata)
    assert stratified.high - stratified.low < (plain.high - plain.low) / 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "3 hits of 2"),
        (lambda: wilson(1, 2, level=1), "level is 1"),
        (lambda: bootstrap(mean, np.ones(3), np.ones(4)), "cannot be resampled together"),
        (lambda: bootstrap(mean, np.ones(3), n_boot=1), "raise n_boot"),
        (lambda: bootstrap(mean, np.ones(3), strata=np.ones(2, int)), "strata"),
        (lambda: bootstrap(mean, np.ones(3), level=0), "level is 0"),
        (lambda: agreement(np.ones(3, int), np.ones(2, int)), "predicted has shape"),
        (lambda: agreement(np.ones(3), np.ones(3, int)), "integer class numbers"),
        (lambda: agreement_difference(np.ones(3, int), np.ones(2, int), np.ones(3, int)), "predicted has shape"),
    ],
)
def test_input_that_makes_no_sense_is_refused(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]


def test_figures_of_no_image_or_intervals_of_one_are_undefined() -> None:
    with pytest.raises(UndefinedError, match="at least 2"):
        bootstrap(mean, np.ones(1))
    with pytest.raises(UndefinedError, match="no images"):
        agreement(np.zeros(0, int), np.zeros(0, int))


def test_a_difference_is_of_the_same_parts_where_sets_are_dealt_alike_and_independent_where_not() -> None:
    rng = np.random.default_rng(0)
    shared, own, other = rng.normal(size=(8, 4)), rng.normal(size=(8, 4)), rng.normal(size=(8, 4))
    first, second = estimate(2.0, 2 + shared + 0.1 * own, 400), estimate(1.5, 1.5 + shared + 0.1 * other, 400)
    paired = difference(first, second)
    assert paired.value == 0.5 and paired.low > 0 and p_value(paired) < 0.05
    apart = difference(first, estimate(1.5, rng.normal(size=(7, 4)), 400))
    assert apart.low < 0 < apart.high and p_value(apart) > 0.05
    wide = difference(first, second, level=1 - p_value(paired))
    assert wide.low == pytest.approx(0, abs=1e-9)


def test_what_never_varies_has_no_interval_and_concludes_nothing() -> None:
    flat = estimate(0.0, np.zeros((5, 4)), 100)
    assert flat.note and (flat.low, flat.high) == (-np.inf, np.inf)
    change = difference(flat, estimate(1.0, np.random.default_rng(0).normal(size=(5, 4)), 100))
    assert isinstance(change, Estimate) and change.note and p_value(change) == 1
    share = estimate(1.0, np.ones((5, 4)), 100, scale="share")
    assert (share.low, share.high) == pytest.approx((wilson(100, 100).low, 1), abs=0.01)


@pytest.mark.parametrize("level", (0.8, 0.95))
def test_the_p_value_of_an_interval_without_parts_agrees_with_its_bounds(level: float) -> None:
    assert p_value(Interval(1.0, 0.0, 3.0, 50, level)) == pytest.approx(1 - level)
    assert p_value(Interval(-1.0, -1.4, 0.0, 50, level)) == pytest.approx(1 - level)


def test_a_relative_change_is_a_difference_of_logarithms() -> None:
    values = np.random.default_rng(1).normal(size=(8, 4))
    change = log_ratio(estimate(4.0, 4 + 0.1 * values, 400), estimate(2.0, 2 + 0.051 * values, 400))
    assert change is not None and change.value == pytest.approx(np.log(2)) and 0 < change.high - change.low < 2e-3
    assert log_ratio(estimate(0.1, values, 400), estimate(2.0, 2 + 0.05 * values, 400)) is None
