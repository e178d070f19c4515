"""The arithmetic of curves against loops and scipy: smoothing, thinning, intervals, the mean over
seeds."""

from __future__ import annotations

from math import isnan, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from cdp.figures.curve_data import mean_over, share_band, smooth, thin


@pytest.mark.parametrize("reach", [2, 3, 10, 50])
@pytest.mark.parametrize("size", [1, 7, 2500])
def test_smoothing_is_the_weighted_mean_of_this_epoch_and_earlier_ones(
    reach: int, size: int
) -> None:
    values = np.random.default_rng(0).normal(size=size)
    values[size // 2] = nan if size > 1 else values[0]
    keep = 1 - 1 / reach
    for at in {0, size // 3, size - 1}:
        known = [(keep ** (at - k), v) for k, v in enumerate(values[: at + 1]) if not isnan(v)]
        naive = (
            sum(w * v for w, v in known) / sum(w for w, _ in known)
            if known and not isnan(values[at])
            else nan
        )
        assert smooth(values, reach)[at] == pytest.approx(naive, rel=1e-9, nan_ok=True)
    assert isnan(smooth(values, reach)[size // 2]) == (size > 1)


def test_smoothing_leaves_a_constant_alone_and_its_past_never_changes() -> None:
    assert smooth(np.full(40, 3.0), 10) == pytest.approx(3.0)
    values = np.random.default_rng(1).normal(size=60)
    assert (smooth(values[:50], 10) == smooth(values, 10)[:50]).all()
    assert smooth(values, 1) is values


@pytest.mark.parametrize("count", [501, 502, 503, 747, 1000, 9999])
def test_thinning_keeps_both_ends_every_extreme_and_at_most_the_limit(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    values[count // 3], values[count // 2] = 50.0, -50.0
    kept = thin(values, 500)
    assert 250 <= len(kept) <= 500 and (np.diff(kept) > 0).all()
    assert {0, count - 1, count // 3, count // 2} <= set(kept.tolist())


def test_thinning_leaves_short_curves_alone_and_bears_unknown_values() -> None:
    assert thin(np.arange(500.0), 500).tolist() == list(range(500))
    assert len(thin(np.full(2000, nan), 500)) <= 500


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = share_band(np.array([0.437, 0.0, 1.0]), np.array([1000.0, 50.0, 50.0]))
    for k, hits, n in ((0, 437, 1000), (1, 0, 50), (2, 50, 50)):
        wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert (low[k], high[k]) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert np.isnan(share_band(np.array([0.5]), np.array([nan]))).all()


def test_the_mean_and_its_t_interval_are_over_the_seeds_that_have_an_epoch() -> None:
    rng = np.random.default_rng(2)
    steps = [np.arange(1.0, 7), np.arange(1.0, 5), np.array([1.0, 2, 3])]
    values = [rng.normal(size=len(s)) for s in steps]
    found = mean_over(steps, [10 * s for s in steps], values)
    assert found.step.tolist() == [1, 2, 3, 4, 5, 6] and found.n.tolist() == [3, 3, 3, 2, 1, 1]
    assert found.x.tolist() == [10, 20, 30, 40, 50, 60]
    for k in range(6):
        there = [v[k] for v in values if len(v) > k]
        assert found.value[k] == pytest.approx(np.mean(there))
        if len(there) > 1:
            wanted = stats.t.interval(
                0.95,
                len(there) - 1,
                loc=np.mean(there),
                scale=np.std(there, ddof=1) / sqrt(len(there)),
            )
            assert (found.low[k], found.high[k]) == pytest.approx(wanted)
        else:
            assert isnan(found.low[k]) and isnan(found.high[k])
