"""Frechet distance: closed forms on Gaussians, and scipy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from cdp.embedding.distances import frechet_distance, frechet_interval
from cdp.embedding.rows import UndefinedError


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """n rows whose sample mean and covariance are exactly these."""
    rows = np.random.default_rng(seed).normal(size=(n, len(mean)))
    rows -= rows.mean(0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), width=st.integers(1, 8))
def test_it_equals_the_formula_with_scipys_square_root(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(30, width)) @ rng.normal(size=(width, width)) + 1
    b = rng.normal(size=(40, width))
    ca, cb = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    expected = (
        ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb) - 2 * np.trace(sqrtm(ca @ cb).real)
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_commuting_gaussians_have_the_closed_form() -> None:
    first, second = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    a = with_moments(np.zeros(3), np.diag(first), 50, 0)
    b = with_moments(np.array([1.0, 2.0, 2.0]), np.diag(second), 60, 1)
    assert frechet_distance(a, b) == pytest.approx(
        9 + ((np.sqrt(first) - np.sqrt(second)) ** 2).sum(), rel=1e-9
    )


def test_a_set_is_at_distance_zero_from_itself_and_a_shift_adds_its_square() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(rows, rows + 0.5) == pytest.approx(6 * 0.25)


def test_it_is_symmetric_and_real_with_fewer_images_than_features() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(5, 20)), rng.normal(size=(7, 20))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_constant_features_leave_the_distance_of_the_means_and_the_other_variance() -> None:
    rows = np.random.default_rng(3).normal(size=(40, 2))
    expected = (rows.mean(0) ** 2).sum() + rows.var(0, ddof=1).sum()
    assert frechet_distance(np.zeros((4, 2)), rows) == pytest.approx(expected)


def test_too_few_images_for_how_they_vary_give_no_interval() -> None:
    """42 of 100 intervals of 50 such images held the distance of the distributions, 83 at 100
    images, 96 at 200."""
    rng, means = np.random.default_rng(4), 1.5 * np.random.default_rng(1).normal(size=(10, 16))

    def drawn(count: int) -> np.ndarray:
        return means[np.arange(count) % 10] + rng.normal(size=(count, 16))

    def has_interval(count: int) -> bool:
        try:
            return not frechet_interval(real, 0.9 * drawn(count)).note
        except UndefinedError:
            return False

    real = drawn(500)
    assert [has_interval(count) for count in (50, 100, 200, 300)] == [False, False, True, True]


def test_too_few_images_to_extrapolate_from_give_no_distance_below_zero() -> None:
    """A squared distance of -600 of a set from its own distribution would be a figure that says
    nothing."""
    rng, spread = np.random.default_rng(3), np.linspace(3, 0.1, 32)
    real, fake = spread * rng.normal(size=(400, 32)), spread * rng.normal(size=(20, 32))
    with pytest.raises(UndefinedError, match="20 images are too few for 32 features"):
        frechet_interval(real, fake)
