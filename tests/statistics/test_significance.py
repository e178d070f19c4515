"""Tests of few seeds, of images and of several at once: scipy, closed forms and published tables,
and by simulation how often intervals cover and tests err."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdp.errors import InputError
from cdp.statistics.shares import share_difference
from cdp.statistics.significance import (
    WELCH_SEEDS,
    holm,
    mcnemar,
    mean_interval,
    more_seeds,
    most_frequent,
    paired_test,
    power_of,
    weakest,
    welch_test,
)

EXPERIMENTS = 2000
FOUR_ERRORS = 4 * (0.95 * 0.05 / EXPERIMENTS) ** 0.5

accuracies = st.integers(0, 1000).map(lambda k: k / 1000)
pairs = st.lists(st.tuples(accuracies, accuracies), min_size=3, max_size=8)
varied = st.lists(accuracies, min_size=3, max_size=8).filter(lambda v: len(set(v)) > 1)
levels = st.sampled_from([0.8, 0.9, 0.95])
both_tests = st.sampled_from([paired_test, welch_test])


def rate(found: list[bool]) -> float:
    return float(np.mean(found))


def test_the_interval_of_three_seeds_is_students_from_the_table() -> None:
    found = mean_interval([0.50, 0.52, 0.57])
    half = 4.302653 * np.sqrt((0.03**2 + 0.01**2 + 0.04**2) / 2 / 3)
    assert (found.value, found.n, found.level) == (pytest.approx(0.53), 3, 0.95)
    assert (found.low, found.high) == pytest.approx((0.53 - half, 0.53 + half), abs=1e-7)


@given(first=varied, second=varied, level=levels)
def test_intervals_and_tests_equal_scipys(
    first: list[float], second: list[float], level: float
) -> None:
    n = min(len(first), len(second))
    one, other = first[:n], second[:n]
    cases: list[tuple[Any, Any]] = [
        (welch_test(first, second, level=level), stats.ttest_ind(second, first, equal_var=False))
    ]
    if np.ptp(np.subtract(other, one)) > 1e-9:
        cases.append((paired_test(one, other, level=level), stats.ttest_rel(other, one)))
    for ours, theirs in cases:
        bounds = theirs.confidence_interval(level)
        assert ours.p == pytest.approx(theirs.pvalue, abs=1e-9)
        assert (ours.difference.low, ours.difference.high) == pytest.approx(
            (bounds.low, bounds.high), abs=1e-9
        )
    bounds = stats.ttest_1samp(first, 0.3).confidence_interval(level)
    mean = mean_interval(first, level=level)
    assert (mean.low, mean.high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)


def test_a_test_says_what_it_rests_on() -> None:
    paired, welch = paired_test([0.1, 0.2], [0.2, 0.5]), welch_test([0.1, 0.2, 0.4], [0.2] * 4)
    assert (paired.count, paired.method) == (2, "paired t, 2 shared seeds")
    assert (welch.count, welch.method) == (7, "Welch t, 3 and 4 seeds")
    own = stats.ttest_1samp([0.1, 0.2, 0.4], 0.2)
    assert welch.p == pytest.approx(own.pvalue), "an arm without spread leaves the other's own test"


@pytest.mark.parametrize("test", (paired_test, welch_test))
def test_arms_without_any_spread_are_equal_or_untestable_and_never_infinitely_significant(
    test: Callable[..., Any],
) -> None:
    equal, apart = test([0.6] * 3, [0.6] * 3), test([0.6] * 3, [0.7] * 3)
    assert (equal.p, equal.difference.low, equal.difference.high) == (1.0, 0.0, 0.0)
    assert apart.p is None and apart.method.startswith("no ")
    assert apart.difference.low == apart.difference.high == pytest.approx(0.1)
    assert not mean_interval([0.1] * 3).wide and mean_interval([0.1, 0.2]).wide


def test_differences_that_agree_but_for_rounding_count_as_equal() -> None:
    first, second = [0.1, 0.2, 0.6], [0.1 + 0.1, 0.2 + 0.1, 0.6 + 0.1]
    assert len({b - a for a, b in zip(first, second, strict=True)}) > 1
    assert paired_test(first, second).p is None


@given(shared=pairs, shift=st.sampled_from([-0.5, 0.125, 2.0]), test=both_tests, level=levels)
def test_arms_can_be_swapped_or_moved_and_the_interval_leaves_out_zero_where_the_test_rejects(
    shared: list, shift: float, test: Callable[..., Any], level: float
) -> None:
    first, second = (np.array(part) for part in zip(*shared, strict=True))
    found = test(first, second, level=level)
    swapped = test(second, first, level=level)
    moved = test(first + shift, second + shift, level=level)
    one, other, third = found.difference, swapped.difference, moved.difference
    bounds = (one.value, one.low, one.high)
    assert bounds == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert bounds == pytest.approx((third.value, third.low, third.high), abs=1e-9)
    assert found.p == swapped.p == (None if moved.p is None else pytest.approx(moved.p, abs=1e-9))
    if found.p is not None and abs(found.p - (1 - level)) > 1e-9:
        assert (found.p < 1 - level) == (one.low > 0 or one.high < 0)


@pytest.mark.parametrize("n", (2, 3, 5))
def test_the_paired_test_keeps_its_level_and_its_interval_covers(n: int) -> None:
    rng = np.random.default_rng(10 + n)
    seeds = rng.normal(0.5, 0.02, (EXPERIMENTS, n))
    arms = (seeds + rng.normal(0, 0.005, seeds.shape) for _ in range(2))
    found = [paired_test(a, b) for a, b in zip(*arms, strict=True)]
    rejected = rate([one.p is not None and one.p <= 0.05 for one in found])
    covered = rate([one.difference.low <= 0 <= one.difference.high for one in found])
    assert abs(rejected - 0.05) <= FOUR_ERRORS and abs(covered - 0.95) <= FOUR_ERRORS
    means = [mean_interval(row) for row in rng.normal(0.5, 0.01, (EXPERIMENTS, n))]
    assert abs(rate([one.low <= 0.5 <= one.high for one in means]) - 0.95) <= FOUR_ERRORS


@pytest.mark.parametrize(("n", "m", "ratio"), [(3, 3, 1), (5, 5, 3), (5, 8, 2)])
def test_welchs_test_keeps_its_level_and_its_interval_covers(n: int, m: int, ratio: float) -> None:
    """Welch's approximation is off by a point or so with few seeds, to the safe side where
    variances are equal."""
    rng = np.random.default_rng(20 + n + m)
    first = rng.normal(0.5, 0.01 * ratio, (EXPERIMENTS, n))
    second = rng.normal(0.52, 0.01, (EXPERIMENTS, m))
    found = [welch_test(a, b).difference for a, b in zip(first, second, strict=True)]
    assert 0.95 - FOUR_ERRORS <= rate([one.low <= 0.02 <= one.high for one in found]) <= 0.985
    null = [welch_test(a, b - 0.02).p for a, b in zip(first, second, strict=True)]
    assert 0.015 <= rate([p is not None and p <= 0.05 for p in null]) <= 0.05 + FOUR_ERRORS


def welch_rejections(n: int, m: int, ratio: float, experiments: int = 40_000) -> float:
    """How often scipy's Welch test rejects equal means of n and m seeds at level 0.95, the first
    arm's spread being ``ratio`` times as large."""
    rng = np.random.default_rng([n, m, round(10 * ratio)])
    drawn = rng.normal(0, ratio, (experiments, n)), rng.normal(0, 1, (experiments, m))
    return float((stats.ttest_ind(*drawn, axis=1, equal_var=False).pvalue <= 0.05).mean())


@pytest.mark.parametrize("ratio", (0.2, 1.0, 3.0, 5.0))
@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 5), (3, 12), (5, 12)])
def test_welchs_test_errs_in_three_to_seven_of_a_hundred_experiments_from_three_seeds_on(
    n: int, m: int, ratio: float
) -> None:
    assert n >= WELCH_SEEDS and 0.029 <= welch_rejections(n, m, ratio) <= 0.075


def test_with_two_seeds_in_an_arm_welchs_test_would_err_too_often_and_is_refused() -> None:
    assert max(welch_rejections(2, 8, ratio) for ratio in (2.0, 3.0)) > 0.1
    with pytest.raises(InputError, match="at least 3"):
        welch_test([0.5, 0.6], [0.5, 0.6, 0.7, 0.8])


def answers(
    both: int, first_only: int, second_only: int, neither: int
) -> tuple[np.ndarray, np.ndarray]:
    cells = [both, first_only, second_only, neither]
    return np.repeat([True, True, False, False], cells), np.repeat(
        [True, False, True, False], cells
    )


@pytest.mark.parametrize(
    ("first_only", "second_only", "p"),
    [
        (0, 5, 2 / 2**5),
        (1, 5, 2 * (1 + 6) / 2**6),
        (2, 10, 2 * (1 + 12 + 66) / 2**12),
        (40, 60, 2 * sum(comb(100, k) for k in range(41)) / 2**100),
        (4, 4, 1.0),
        (0, 1, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemars_p_is_twice_the_binomial_tail_of_the_images_on_which_they_differ(
    first_only: int, second_only: int, p: float
) -> None:
    first, second = answers(940, first_only, second_only, 30)
    found, n = mcnemar(first, second, level=0.9), 970 + first_only + second_only
    assert found.p == pytest.approx(p, abs=1e-12)
    assert found.difference == share_difference(second, first, level=0.9)
    assert found.difference.value == pytest.approx((second_only - first_only) / n)
    assert (found.count, found.method) == (n, f"McNemar, {n:,} shared images")


@given(cells=st.tuples(*[st.integers(0, 30)] * 4).filter(any), seed=st.integers(0, 5))
def test_swapped_networks_images_in_another_order_and_equal_answers_do_not_change_mcnemars_p(
    cells: tuple, seed: int
) -> None:
    first, second = answers(*cells)
    found, swapped = mcnemar(first, second), mcnemar(second, first)
    assert found.p == swapped.p
    assert found.difference.value == pytest.approx(-swapped.difference.value)
    order = np.random.default_rng(seed).permutation(len(first))
    assert mcnemar(first[order], second[order]) == found
    assert mcnemar(np.append(first, [True, False]), np.append(second, [True, False])).p == found.p


@pytest.mark.parametrize(("n", "differ"), [(100, 0.1), (1000, 0.02), (1000, 0.2)])
def test_mcnemars_test_keeps_its_level(n: int, differ: float) -> None:
    """An exact test of counts errs less often than its level, so there is no lower bound but 0."""
    cells = [0.5, differ / 2, differ / 2, 0.5 - differ]
    drawn = np.random.default_rng(n).multinomial(n, cells, EXPERIMENTS)
    rejected = rate([(mcnemar(*answers(*cells)).p or 0) <= 0.05 for cells in drawn])
    assert 0 < rejected <= 0.05 + FOUR_ERRORS


p_values = st.lists(st.none() | st.floats(0, 1), max_size=8)


@pytest.mark.parametrize(
    ("given_p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.9, 0.6], [1.0, 1.0, 1.0]),
        ([None, 0.01, None, 0.04], [None, 0.02, None, 0.04]),
        ([], []),
    ],
)
def test_holms_values_are_those_worked_out_by_hand(given_p: list, adjusted: list) -> None:
    assert holm(given_p) == [None if p is None else pytest.approx(p) for p in adjusted]


@given(values=p_values)
def test_holm_rejects_what_stepping_down_rejects_and_keeps_order_and_bounds(values: list) -> None:
    """Holm 1979: go through the sorted p values, compare the k-th with 0.05 / (m - k + 1), and stop
    at the first that is larger."""
    known, adjusted = sorted((p, i) for i, p in enumerate(values) if p is not None), holm(values)
    rejected = set()
    for k, (p, i) in enumerate(known):
        if p * (len(known) - k) > 0.05:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(adjusted) if p is not None and p <= 0.05} == rejected
    assert [p is None for p in adjusted] == [p is None for p in values]
    both = sorted((p, q) for p, q in zip(values, adjusted, strict=True) if p is not None)
    assert all(p <= q <= min(1, len(known) * p) + 1e-12 for p, q in both)
    assert [q for _, q in both] == sorted(q for _, q in both)
    assert holm(values[::-1]) == adjusted[::-1]


@pytest.mark.parametrize("effects", [(0.0, 0.0, 0.0, 0.0), (0.03, 0.03, 0.0, 0.0)])
def test_a_whole_family_errs_no_more_often_than_the_level(effects: tuple[float, ...]) -> None:
    """Four arms against one baseline, so that the tests depend on each other."""
    rng, errors, plain = np.random.default_rng(9), 0, 0
    baseline = rng.normal(0, 0.01, (EXPERIMENTS, 5, 1))
    arms = np.array(effects) + rng.normal(0, 0.01, (EXPERIMENTS, 5, 4))
    null = [i for i, effect in enumerate(effects) if effect == 0]
    for p in stats.ttest_1samp(arms - baseline, 0, axis=1).pvalue:
        adjusted = holm(p.tolist())
        errors += any((adjusted[i] or 0) <= 0.05 for i in null)
        plain += any(p[i] <= 0.05 for i in null)
    assert errors / EXPERIMENTS <= 0.05 + FOUR_ERRORS
    assert plain > 1.3 * errors, "without the correction the family errs more often"


def test_the_weakest_class_stands_alone_only_after_holms_correction() -> None:
    """p of 0.04 alone holds against one class and not against one among nine."""
    assert weakest([80, 20, 85, 90], [100] * 4) == (1, [])
    p = float(stats.fisher_exact([[40, 60], [55, 45]])[1])
    assert 0.02 < p < 0.05
    assert weakest([40, 55], [100, 100]) == (0, [])
    assert 1 in weakest([40, 55, *[57] * 8], [100] * 10)[1]


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([30, 2, 3, 0], (0, 0)),
        ([12, 11, 0, 0], (0, 1)),
        ([0, 0, 0], (0, 2)),
        ([1, 9, 8, 7], (1, 3)),
    ],
)
def test_the_most_frequent_of_several_counts(counts: list[int], found: tuple[int, int]) -> None:
    assert most_frequent(np.array(counts)) == found


def test_equal_classes_and_confusions_have_a_first_in_at_most_five_of_a_hundred_evaluations() -> (
    None
):
    rng = np.random.default_rng(5)
    alone = [not weakest(rng.binomial(50, 0.6, 6).tolist(), [50] * 6)[1] for _ in range(400)]
    first = [most_frequent(rng.multinomial(200, [1 / 30] * 30))[1] == 0 for _ in range(400)]
    assert rate(alone) <= 0.05 and rate(first) <= 0.05


def seeds_with(effect: float, n: int) -> list[float]:
    """n differences whose mean is exactly ``effect`` of their own standard deviations."""
    raw = np.random.default_rng(n).normal(size=n)
    raw = (raw - raw.mean()) / raw.std(ddof=1)
    return list(0.01 * (raw + effect))


def found_rate(effect: float, n: int, experiments: int = 20000) -> float:
    drawn = np.random.default_rng([n, 5]).normal(effect, 1, (experiments, n))
    return float((stats.ttest_1samp(drawn, 0, axis=1).pvalue <= 0.05).mean())


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_the_numbers_of_pairs_are_those_of_the_tables(effect: float, n: int) -> None:
    """Pairs for a power of 0.8 at level 0.05, as G*Power 3.1 and Cohen's tables have them."""
    assert power_of(n, effect) >= 0.8 > power_of(n - 1, effect)


@pytest.mark.parametrize(("n", "effect"), [(2, 3.0), (3, 1.0), (5, 2.0), (12, 0.5)])
def test_power_is_the_share_of_simulated_experiments_that_reject(n: int, effect: float) -> None:
    error = 4 * (0.25 / 20000) ** 0.5
    assert power_of(n, effect) == pytest.approx(found_rate(effect, n), abs=error)


@pytest.mark.parametrize("n", (2, 3, 30, 1000))
@pytest.mark.parametrize("level", (0.9, 0.999))
def test_power_runs_from_the_level_to_one_and_grows_with_effect_and_seeds(
    n: int, level: float
) -> None:
    for effect in (0.0, 1e-200, 1e-9):
        assert power_of(n, effect, level=level) == pytest.approx(1 - level)
    effects = (0.0, 0.1, 1.0, 5.0, 50.0, 1e4, 1e8, 1e100)
    grown = [power_of(n, effect, level=level) for effect in effects]
    assert grown == sorted(grown) and grown[-1] == pytest.approx(1, abs=1e-4)
    assert power_of(n, 1.0, level=level) <= power_of(n + 1, -1.0, level=level) + 1e-12


@pytest.mark.parametrize(("effect", "n"), [(1.0, 3), (0.8, 4), (-0.6, 2), (0.35, 5)])
def test_so_many_more_seeds_find_a_difference_of_this_size_as_often_as_asked_and_one_fewer_does_not(
    effect: float, n: int
) -> None:
    more = more_seeds(seeds_with(effect, n))
    assert more is not None and more > 0
    error = 4 * (0.16 / 20000) ** 0.5
    assert found_rate(effect, n + more) >= 0.8 - error
    assert found_rate(effect, n + more - 1) < 0.8 + error
    assert (more_seeds(seeds_with(effect, n), level=0.99) or 0) > more


@pytest.mark.parametrize(
    "differences", [[], [0.01], [-0.01, 0.01], [0.0] * 3, [0.01] * 3, seeds_with(0.01, 3)]
)
def test_no_number_of_seeds_is_given_where_none_is_known(differences: list[float]) -> None:
    assert more_seeds(differences) is None


def test_the_number_of_seeds_goes_from_none_to_the_most_that_is_asked_for() -> None:
    assert more_seeds(seeds_with(3.0, 5)) == 0
    assert more_seeds(seeds_with(0.2, 10), most=189) == 189, "199 in all, by the tables"
    assert more_seeds(seeds_with(0.2, 10), most=188) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.5]), "values has shape"),
        (lambda: mean_interval([0.5, float("nan")]), "not finite"),
        (lambda: mean_interval([[0.5, 0.6]]), "values has shape"),  # type: ignore[list-item]
        (lambda: mean_interval([0.5, 0.6], level=1), "level is 1"),
        (lambda: paired_test([0.5, 0.6], [0.5, 0.6, 0.7]), "first has 2 seeds and second 3"),
        (lambda: paired_test([0.5], [0.6]), "first has shape"),
        (lambda: paired_test([0.5, 0.6], [0.5, float("inf")]), "second holds values"),
        (lambda: welch_test([0.5] * 3, [0.5] * 3, level=2), "level is 2"),
        (lambda: welch_test([0.5, 0.6, 0.7], [0.5, 0.6]), "second has shape"),
        (lambda: mcnemar(np.ones(3, np.int64), np.ones(3, bool)), "first holds int64"),
        (lambda: mcnemar(np.ones(3, bool), np.ones(4, bool)), "cannot be paired"),
        (lambda: holm([0.5, -0.1]), "cannot be adjusted"),
        (lambda: holm([float("nan")]), "cannot be adjusted"),
        (lambda: power_of(1, 0.5), "no power of 1 pairs"),
        (lambda: power_of(3, float("nan")), "finite effect"),
        (lambda: more_seeds([0.1, float("nan")]), "not finite"),
        (lambda: more_seeds([0.1, 0.2], power=1.0), "power is 1"),
    ],
)
def test_input_that_makes_no_sense_is_refused(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
