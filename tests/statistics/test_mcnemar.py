"""McNemar's test: hand-made tables, its level under the null, agreement with the difference it
stands beside."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.errors import InputError
from cdp.statistics.shares import share_difference
from cdp.statistics.significance import mcnemar


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
        (4, 4, 1.0),
        (0, 1, 1.0),
        (0, 0, 1.0),
    ],
)
def test_p_is_twice_the_binomial_tail_of_the_images_on_which_they_differ(
    first_only: int, second_only: int, p: float
) -> None:
    found = mcnemar(*answers(40, first_only, second_only, 30))
    assert found.p == pytest.approx(p, abs=1e-12)
    n = 70 + first_only + second_only
    assert found.difference.value == pytest.approx((second_only - first_only) / n)
    assert (found.count, found.difference.n, found.method) == (n, n, f"McNemar, {n} shared images")


def test_large_sets_are_said_with_separators_and_keep_the_interval_of_the_paired_difference() -> (
    None
):
    first, second = answers(600, 40, 60, 300)
    found = mcnemar(first, second, level=0.9)
    assert found.method == "McNemar, 1,000 shared images"
    assert found.difference == share_difference(second, first, level=0.9)
    tail = sum(comb(100, k) for k in range(41)) / 2**100
    assert found.p == pytest.approx(2 * tail, rel=1e-9)


@settings(deadline=None)
@given(cells=st.tuples(*[st.integers(0, 30)] * 4).filter(any), seed=st.integers(0, 5))
def test_swapping_flips_the_sign_and_images_in_another_order_or_with_equal_answers_do_not_change_p(
    cells: tuple, seed: int
) -> None:
    first, second = answers(*cells)
    found, swapped = mcnemar(first, second), mcnemar(second, first)
    assert found.p == swapped.p
    assert found.difference.value == pytest.approx(-swapped.difference.value)
    order = np.random.default_rng(seed).permutation(len(first))
    assert mcnemar(first[order], second[order]) == found
    more = mcnemar(np.append(first, [True, False]), np.append(second, [True, False]))
    assert more.p == found.p


@pytest.mark.parametrize(("n", "differ"), [(100, 0.1), (1000, 0.02), (1000, 0.2)])
def test_the_test_keeps_its_level_under_the_null(n: int, differ: float) -> None:
    """An exact test of counts errs less often than its level, so there is no lower bound but 0."""
    drawn = np.random.default_rng(n).multinomial(
        n, [0.5, differ / 2, differ / 2, 0.5 - differ], 2000
    )
    rejected = np.mean([(mcnemar(*answers(*cells)).p or 0) <= 0.05 for cells in drawn])
    assert 0 < rejected <= 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5


def test_the_test_finds_a_difference_that_is_there() -> None:
    drawn = np.random.default_rng(1).multinomial(1000, [0.5, 0.02, 0.06, 0.42], 300)
    assert np.mean([(mcnemar(*answers(*cells)).p or 0) <= 0.05 for cells in drawn]) > 0.95


def test_answers_that_are_no_answers_are_refused() -> None:
    with pytest.raises(InputError, match="first holds int64"):
        mcnemar(np.ones(3, np.int64), np.ones(3, bool))
    with pytest.raises(InputError, match="second holds float64"):
        mcnemar(np.ones(3, bool), np.ones(3))
    with pytest.raises(InputError, match="cannot be paired"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(InputError, match="cannot be paired"):
        mcnemar(np.ones(0, bool), np.ones(0, bool))
