"""Means and differences of a few seeds: scipy, closed forms, and by simulation how often intervals
cover and tests err."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cdp.errors import InputError
from cdp.statistics.significance import WELCH_SEEDS, mean_interval, paired_test, welch_test

EXPERIMENTS = 2000
FOUR_ERRORS = 4 * (0.95 * 0.05 / EXPERIMENTS) ** 0.5

accuracies = st.integers(0, 1000).map(lambda k: k / 1000)
rows = st.lists(accuracies, min_size=3, max_size=8)
pairs = st.lists(st.tuples(accuracies, accuracies), min_size=3, max_size=8)


def test_the_interval_of_three_seeds_is_students_from_the_table() -> None:
    found = mean_interval([0.50, 0.52, 0.57])
    half = 4.302653 * np.sqrt((0.03**2 + 0.01**2 + 0.04**2) / 2 / 3)
    assert (found.value, found.n, found.level) == (pytest.approx(0.53), 3, 0.95)
    assert (found.low, found.high) == pytest.approx((0.53 - half, 0.53 + half), abs=1e-7)


@settings(deadline=None)
@given(values=rows.filter(lambda v: len(set(v)) > 1), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_of_a_mean_equals_scipys(values: list[float], level: float) -> None:
    found, theirs = (
        mean_interval(values, level=level),
        stats.ttest_1samp(values, 0.3).confidence_interval(level),
    )
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("value", (0.0, 0.1, 0.7))
def test_equal_seeds_give_an_interval_of_no_width_that_says_so(value: float) -> None:
    found = mean_interval([value] * 3)
    assert found.low == found.value == found.high == pytest.approx(value)
    assert not found.wide and mean_interval([value, value + 0.1]).wide


@settings(deadline=None)
@given(
    shared=pairs.filter(lambda v: len({round(b - a, 6) for a, b in v}) > 1),
    level=st.sampled_from([0.9, 0.95]),
)
def test_the_paired_test_equals_scipys(shared: list[tuple[float, float]], level: float) -> None:
    first, second = zip(*shared, strict=True)
    found, theirs = paired_test(first, second, level=level), stats.ttest_rel(second, first)
    bounds = theirs.confidence_interval(level)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (bounds.low, bounds.high), abs=1e-9
    )
    assert (found.count, found.difference.n, found.method) == (
        len(shared),
        len(shared),
        f"paired t, {len(shared)} shared seeds",
    )


@settings(deadline=None)
@given(
    first=rows.filter(lambda v: len(set(v)) > 1),
    second=rows.filter(lambda v: len(set(v)) > 1),
    level=st.sampled_from([0.9, 0.95]),
)
def test_welchs_test_equals_scipys(first: list[float], second: list[float], level: float) -> None:
    found, theirs = (
        welch_test(first, second, level=level),
        stats.ttest_ind(second, first, equal_var=False),
    )
    bounds = theirs.confidence_interval(level)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (bounds.low, bounds.high), abs=1e-9
    )
    assert (found.count, found.method) == (
        len(first) + len(second),
        f"Welch t, {len(first)} and {len(second)} seeds",
    )


def test_welchs_test_with_one_arm_that_does_not_vary_is_the_other_arms_own_t_test() -> None:
    found, own = (
        welch_test([0.5, 0.5, 0.5, 0.5], [0.51, 0.55, 0.53]),
        stats.ttest_1samp([0.51, 0.55, 0.53], 0.5),
    )
    assert found.p == pytest.approx(own.pvalue)


@pytest.mark.parametrize("test", (paired_test, welch_test))
def test_arms_without_any_spread_are_equal_or_untestable_and_never_infinitely_significant(
    test: Callable[..., Any],
) -> None:
    equal = test([0.6] * 3, [0.6] * 3)
    assert (equal.p, equal.difference.low, equal.difference.high) == (1.0, 0.0, 0.0)
    apart = test([0.6] * 3, [0.7] * 3)
    assert apart.p is None and apart.method.startswith("no ")
    assert apart.difference.low == apart.difference.high == pytest.approx(0.1)


def test_differences_that_agree_but_for_rounding_count_as_equal() -> None:
    first, second = [0.1, 0.2, 0.6], [0.1 + 0.1, 0.2 + 0.1, 0.6 + 0.1]
    assert len({b - a for a, b in zip(first, second, strict=True)}) > 1
    assert paired_test(first, second).p is None


@settings(deadline=None)
@given(
    shared=pairs,
    shift=st.sampled_from([-0.5, 0.125, 2.0]),
    test=st.sampled_from([paired_test, welch_test]),
)
def test_swapping_arms_flips_the_sign_and_adding_a_constant_to_both_changes_nothing(
    shared: list, shift: float, test: Callable[..., Any]
) -> None:
    first, second = (np.array(part) for part in zip(*shared, strict=True))
    found, swapped, moved = (
        test(*arms) for arms in ((first, second), (second, first), (first + shift, second + shift))
    )
    one, other, third = found.difference, swapped.difference, moved.difference
    assert (one.value, one.low, one.high) == pytest.approx(
        (-other.value, -other.high, -other.low), abs=1e-12
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (third.value, third.low, third.high), abs=1e-9
    )
    assert found.p == swapped.p == (None if moved.p is None else pytest.approx(moved.p, abs=1e-9))


@settings(deadline=None)
@given(
    shared=pairs,
    level=st.sampled_from([0.8, 0.95]),
    test=st.sampled_from([paired_test, welch_test]),
)
def test_the_interval_leaves_out_zero_exactly_where_the_test_rejects(
    shared: list, level: float, test: Callable[..., Any]
) -> None:
    found = test(*zip(*shared, strict=True), level=level)
    if found.p is not None and abs(found.p - (1 - level)) > 1e-9:
        assert (found.p < 1 - level) == (found.difference.low > 0 or found.difference.high < 0)


@pytest.mark.parametrize("n", (3, 4, 5))
def test_the_interval_of_a_mean_covers_at_the_nominal_rate(n: int) -> None:
    drawn = np.random.default_rng(n).normal(0.5, 0.01, (EXPERIMENTS, n))
    hits = np.mean([found.low <= 0.5 <= found.high for found in map(mean_interval, drawn)])
    assert abs(hits - 0.95) <= FOUR_ERRORS


@pytest.mark.parametrize("n", (2, 3, 5))
def test_the_paired_test_keeps_its_level_under_the_null_and_its_interval_covers(n: int) -> None:
    rng = np.random.default_rng(10 + n)
    seeds = rng.normal(0.5, 0.02, (EXPERIMENTS, n))
    arms = (seeds + rng.normal(0, 0.005, seeds.shape) for _ in range(2))
    found = [paired_test(a, b) for a, b in zip(*arms, strict=True)]
    rejected = np.mean([one.p is not None and one.p <= 0.05 for one in found])
    covered = np.mean([one.difference.low <= 0 <= one.difference.high for one in found])
    assert abs(rejected - 0.05) <= FOUR_ERRORS
    assert abs(covered - 0.95) <= FOUR_ERRORS


@pytest.mark.parametrize(("n", "m", "ratio"), [(3, 3, 1), (5, 5, 3), (5, 8, 2)])
def test_welchs_test_keeps_its_level_under_the_null_and_its_interval_covers(
    n: int, m: int, ratio: float
) -> None:
    """Welch's approximation is off by a point or so with few seeds, to the safe side where
    variances are equal."""
    rng = np.random.default_rng(20 + n + m)
    first, second = (
        rng.normal(0.5, 0.01 * ratio, (EXPERIMENTS, n)),
        rng.normal(0.52, 0.01, (EXPERIMENTS, m)),
    )
    found = [welch_test(a, b) for a, b in zip(first, second, strict=True)]
    covered = np.mean([one.difference.low <= 0.02 <= one.difference.high for one in found])
    assert 0.95 - FOUR_ERRORS <= covered <= 0.985
    null = [welch_test(a, b - 0.02) for a, b in zip(first, second, strict=True)]
    rejected = np.mean([one.p is not None and one.p <= 0.05 for one in null])
    assert 0.015 <= rejected <= 0.05 + FOUR_ERRORS


def welch_rejections(n: int, m: int, ratio: float, experiments: int = 40_000) -> float:
    """How often scipy's Welch test rejects equal means of n and m seeds at level 0.95, the first
    arm's spread being ``ratio`` times as large."""
    rng = np.random.default_rng([n, m, round(10 * ratio)])
    drawn = rng.normal(0, ratio, (experiments, n)), rng.normal(0, 1, (experiments, m))
    return float((stats.ttest_ind(*drawn, axis=1, equal_var=False).pvalue <= 0.05).mean())


@pytest.mark.parametrize("ratio", (0.2, 0.5, 1.0, 2.0, 3.0, 5.0))
@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 4), (3, 5), (3, 8), (3, 12), (5, 5), (5, 12)])
def test_welchs_test_errs_in_three_to_seven_of_a_hundred_experiments_from_three_seeds_on(
    n: int, m: int, ratio: float
) -> None:
    assert n >= WELCH_SEEDS
    assert 0.029 <= welch_rejections(n, m, ratio) <= 0.075


def test_with_two_seeds_in_an_arm_welchs_test_would_err_too_often_and_is_refused() -> None:
    assert max(welch_rejections(2, 8, ratio) for ratio in (2.0, 3.0)) > 0.1
    with pytest.raises(InputError, match="at least 3"):
        welch_test([0.5, 0.6], [0.5, 0.6, 0.7, 0.8])


@pytest.mark.parametrize("n", (2, 3, 5))
def test_the_paired_interval_covers_ninety_three_to_ninety_seven_of_a_hundred_also_of_accuracies_on_a_grid(
    n: int,
) -> None:
    """Robust accuracies are counts of images, here of 1,000, so differences come in steps of 0.001;
    equal ones promise no interval."""
    rng = np.random.default_rng(30 + n)
    seeds = rng.normal(0.5, 0.02, (4000, n))
    first, second = (
        rng.binomial(1000, np.clip(seeds + shift, 0, 1)) / 1000 for shift in (0.0, 0.02)
    )
    found = [paired_test(a, b).difference for a, b in zip(first, second, strict=True)]
    covered = np.mean([one.low <= 0.02 <= one.high for one in found if one.wide])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.5]), "values has shape"),
        (lambda: mean_interval([]), "values has shape"),
        (lambda: mean_interval([0.5, float("nan")]), "not finite"),
        (lambda: mean_interval([[0.5, 0.6]]), "values has shape"),
        (lambda: mean_interval([0.5, 0.6], level=1), "level is 1"),
        (lambda: paired_test([0.5, 0.6], [0.5, 0.6, 0.7]), "first has 2 seeds and second 3"),
        (lambda: paired_test([0.5], [0.6]), "first has shape"),
        (
            lambda: paired_test([0.5, 0.6], [0.5, float("inf")]),
            "second holds values that are not finite",
        ),
        (lambda: paired_test([0.5, 0.5], [0.5, 0.5], level=2), "level is 2"),
        (lambda: welch_test([0.5, 0.6, 0.7], [0.5, 0.6]), "second has shape"),
        (lambda: welch_test([0.5, 0.6], [0.5, 0.6, 0.7]), "first has shape"),
        (lambda: welch_test([0.5] * 3, [0.5] * 3, level=2), "level is 2"),
    ],
)
def test_input_that_makes_no_sense_is_refused(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
