"""Power and the number of further seeds: tables, limits, and whether that many seeds find what they
are said to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cdp.errors import InputError
from cdp.statistics.significance import more_seeds, power_of


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
    assert power_of(n, effect) == pytest.approx(
        found_rate(effect, n), abs=4 * (0.25 / 20000) ** 0.5
    )


@pytest.mark.parametrize("n", (2, 3, 30, 1000))
@pytest.mark.parametrize("level", (0.9, 0.95, 0.999))
def test_power_runs_from_the_level_to_one_whatever_the_effect(n: int, level: float) -> None:
    for effect in (0.0, 1e-200, 1e-9):
        assert power_of(n, effect, level=level) == pytest.approx(1 - level)
    grown = [
        power_of(n, effect, level=level) for effect in (0.0, 0.1, 1.0, 5.0, 50.0, 1e4, 1e8, 1e100)
    ]
    assert grown == sorted(grown) and grown[-1] == pytest.approx(1, abs=1e-4)


@settings(deadline=None)
@given(n=st.integers(2, 300), effect=st.floats(0.01, 5))
def test_power_grows_with_seeds_and_does_not_know_the_sign(n: int, effect: float) -> None:
    assert power_of(n, effect) <= power_of(n + 1, effect) + 1e-12
    assert power_of(n, effect) == power_of(n, -effect)


@pytest.mark.parametrize(("effect", "n"), [(1.0, 3), (0.8, 4), (-0.6, 2), (0.35, 5)])
def test_so_many_more_seeds_find_a_difference_of_this_size_as_often_as_asked_and_one_fewer_does_not(
    effect: float, n: int
) -> None:
    more = more_seeds(seeds_with(effect, n))
    assert more is not None and more > 0
    error = 4 * (0.16 / 20000) ** 0.5
    assert found_rate(effect, n + more) >= 0.8 - error
    assert found_rate(effect, n + more - 1) < 0.8 + error
    assert power_of(n + more, effect) >= 0.8 > power_of(n + more - 1, effect)


def test_seeds_that_already_suffice_ask_for_none() -> None:
    assert more_seeds(seeds_with(3.0, 5)) == 0


def test_more_power_or_a_stricter_level_takes_more_seeds() -> None:
    plain = more_seeds(seeds_with(0.8, 4))
    assert plain is not None
    assert (more_seeds(seeds_with(0.8, 4), power=0.95) or 0) > plain
    assert (more_seeds(seeds_with(0.8, 4), level=0.99) or 0) > plain


def test_no_number_is_given_where_none_is_known_or_it_is_beyond_the_most() -> None:
    assert more_seeds([]) is None
    assert more_seeds([0.01]) is None
    assert more_seeds([-0.01, 0.01]) is None
    assert more_seeds([0.0, 0.0, 0.0]) is None
    assert more_seeds([0.01, 0.01, 0.01]) is None
    assert more_seeds(seeds_with(0.01, 3)) is None
    needed = more_seeds(seeds_with(0.2, 10))
    assert needed == 189, "199 in all, by the tables"
    assert more_seeds(seeds_with(0.2, 10), most=189) == 189
    assert more_seeds(seeds_with(0.2, 10), most=188) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_of(1, 0.5), "no power of 1 pairs"),
        (lambda: power_of(3, float("nan")), "finite effect"),
        (lambda: power_of(3, 0.5, level=1.0), "level is 1"),
        (lambda: more_seeds([0.1, float("nan")]), "not finite"),
        (lambda: more_seeds([0.1, 0.2], power=1.0), "power is 1"),
        (lambda: more_seeds([0.1], level=0.0), "level is 0"),
    ],
)
def test_input_that_makes_no_sense_is_refused(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
