"""Differences of shares on the same images: the published formula, and how often the interval
covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.errors import InputError
from cdp.statistics.shares import quantile_of, share_difference, share_interval, wilson


def table(both: int, gains: int, losses: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """first and second, bool, with these cells: both right, first only, second only, none."""
    return np.repeat([True, True, False, False], [both, gains, losses, neither]), np.repeat(
        [True, False, True, False], [both, gains, losses, neither]
    )


def test_the_difference_is_walds_with_half_an_image_added_to_each_cell() -> None:
    found = share_difference(*table(60, 21, 9, 10))
    n, b, c = 102, 21.5, 9.5
    middle, error = (b - c) / n, math.sqrt((b + c) / n**2 - (b - c) ** 2 / n**3)
    assert (found.value, found.n, found.level) == (0.12, 100, 0.95)
    assert (found.low, found.high) == pytest.approx(
        (middle - 1.959964 * error, middle + 1.959964 * error), abs=1e-6
    )


@given(
    cells=st.tuples(*[st.integers(0, 30)] * 4).filter(any), level=st.sampled_from([0.8, 0.95, 0.99])
)
def test_swapping_the_arms_flips_the_difference_and_every_bound_is_a_possible_difference(
    cells: tuple[int, ...], level: float
) -> None:
    first, second = table(*cells)
    found, swapped = (
        share_difference(first, second, level=level),
        share_difference(second, first, level=level),
    )
    assert (found.value, found.low, found.high) == pytest.approx(
        (-swapped.value, -swapped.high, -swapped.low), abs=1e-12
    )
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert found.value == pytest.approx(first.mean() - second.mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "cells"),
    [
        (50, (0.5, 0.15, 0.15, 0.2)),
        (200, (0.6, 0.1, 0.04, 0.26)),
        (1000, (0.48, 0.05, 0.03, 0.44)),
        (1000, (0.5, 0.008, 0.002, 0.49)),
    ],
)
def test_its_interval_covers_at_the_nominal_rate(n: int, cells: tuple[float, ...]) -> None:
    rng = np.random.default_rng(n)
    true, hits = cells[1] - cells[2], 0
    for drawn in rng.multinomial(n, cells, 2000):
        found = share_difference(*table(*drawn))
        hits += found.low <= true <= found.high
    # Four standard errors of a rate of 0.95 over 2,000 experiments are 0.0195.
    assert 0.9305 <= hits / 2000 <= 0.985


@pytest.mark.parametrize(("share", "n"), [(0.05, 100), (0.5, 100), (0.62, 1000)])
def test_wilsons_interval_covers_at_the_nominal_rate(share: float, n: int) -> None:
    drawn = np.random.default_rng(7).binomial(n, share, 2000)
    hits = sum(found.low <= share <= found.high for found in (wilson(int(k), n) for k in drawn))
    assert 0.9305 <= hits / 2000 <= 0.975


def test_a_share_that_rests_on_fewer_answers_has_the_interval_of_fewer_images() -> None:
    few, many = share_interval(0.4, 50, 200), wilson(20, 50)
    assert (few.low, few.high) == pytest.approx((many.low, many.high), abs=1e-12)
    assert few.n == 200


@pytest.mark.parametrize(
    ("level", "quantile"), [(0.9, 1.644854), (0.95, 1.959964), (0.99, 2.575829)]
)
def test_quantiles_are_the_tables(level: float, quantile: float) -> None:
    assert quantile_of(level) == pytest.approx(quantile, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.ones(3, bool), np.ones(4, bool)),
        (np.ones((2, 2), bool), np.ones((2, 2), bool)),
        (np.ones(0, bool), np.ones(0, bool)),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(InputError, match="cannot be paired"):
        share_difference(first, second)
