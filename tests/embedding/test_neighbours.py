"""Nearest-neighbour figures against full distance matrices and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cdp.embedding import neighbours
from cdp.embedding.metrics import (
    UndefinedError,
    density_coverage,
    nearest_distance,
    precision_recall,
)
from cdp.errors import InputError

SEED, SIZE = st.integers(0, 10_000), st.integers(6, 25)


def pair(seed: int, n: int, m: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.normal(0.5, 0.8, size=(m, width))


def radii(rows: np.ndarray, k: int) -> np.ndarray:
    return np.sort(cdist(rows, rows), axis=1)[:, k]  # column 0 is the row itself


@settings(max_examples=30, deadline=None)
@given(seed=SEED, n=SIZE, m=SIZE)
def test_nearest_distance_equals_the_full_matrix(seed: int, n: int, m: int) -> None:
    rows, reference = pair(seed, n, m)
    assert nearest_distance(rows, reference) == pytest.approx(
        cdist(rows, reference).min(1), rel=1e-9
    )


def test_a_copy_far_from_the_origin_is_at_distance_exactly_zero_and_a_near_copy_is_not() -> None:
    reference = (np.random.default_rng(0).normal(size=(50, 20)) + 1e4).astype(np.float32)
    near = reference[:5].astype(np.float64)
    near[:, 0] += 1e-5
    assert (nearest_distance(reference[:5], reference) == 0).all()
    assert nearest_distance(near, reference) == pytest.approx(np.full(5, 1e-5), rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=SEED, n=SIZE, m=SIZE, k=st.integers(1, 5))
def test_precision_recall_density_and_coverage_equal_the_full_matrix(
    seed: int, n: int, m: int, k: int
) -> None:
    real, fake = pair(seed, n, m)
    inside_real = cdist(fake, real) <= radii(real, k)
    inside_fake = cdist(real, fake) <= radii(fake, k)
    found, crowd = precision_recall(real, fake, k=k), density_coverage(real, fake, k=k)
    assert found.precision.value == pytest.approx(inside_real.any(1).mean())
    assert found.recall.value == pytest.approx(inside_fake.any(1).mean())
    assert crowd.density.value == pytest.approx(inside_real.sum(1).mean() / k)
    assert crowd.coverage.value == pytest.approx(inside_real.any(0).mean())
    assert (found.precision.n, found.recall.n, crowd.density.n, crowd.coverage.n) == (m, n, m, n)


def test_working_block_by_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = pair(1, 40, 30)
    whole = nearest_distance(real, fake), precision_recall(real, fake), density_coverage(real, fake)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 8 * 40 * 7)
    parts = nearest_distance(real, fake), precision_recall(real, fake), density_coverage(real, fake)
    assert parts[0] == pytest.approx(whole[0], rel=1e-12)
    assert parts[1:] == whole[1:]


def test_no_block_of_distances_is_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = pair(1, 40, 30)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 8 * 30 * 7)
    assert max(block.nbytes for _, block in neighbours.squared(real, fake)) <= 8 * 30 * 7


def test_samples_of_the_same_distribution_have_density_one_and_the_expected_coverage() -> None:
    rng = np.random.default_rng(3)
    found = density_coverage(rng.normal(size=(1500, 8)), rng.normal(size=(1500, 8)), k=5)
    assert found.density.value == pytest.approx(1, abs=0.06)
    assert found.coverage.value == pytest.approx(
        1 - 2**-5, abs=0.02
    )  # Naeem 2020, Eq. 8: 1 - 2^-k for equal sizes


def test_a_collapsed_set_is_precise_but_covers_nothing() -> None:
    real = np.random.default_rng(4).normal(size=(200, 4))
    fake = np.zeros((200, 4)) + 1e-4 * np.random.default_rng(5).normal(size=(200, 4))
    found = precision_recall(real, fake, k=5)
    assert found.precision.value == 1
    assert found.recall.value < 0.02
    assert density_coverage(real, fake).coverage.value < 0.2


def test_sets_far_apart_share_nothing() -> None:
    real, fake = pair(6, 30, 30)
    found, crowd = precision_recall(real, fake + 100), density_coverage(real, fake + 100)
    assert (
        found.precision.value
        == found.recall.value
        == crowd.density.value
        == crowd.coverage.value
        == 0
    )


def test_constant_features_lie_on_each_other_and_so_are_precise_and_covered() -> None:
    same = np.full((8, 3), 0.1)
    found = precision_recall(same, same, k=3)
    assert found.precision.value == found.recall.value == 1


@pytest.mark.parametrize("k", (0, -1, 1.5))
def test_a_number_of_neighbours_that_makes_no_sense_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="whole number of neighbours"):
        precision_recall(*pair(0, 10, 10), k=k)


def test_too_few_rows_for_k_neighbours_are_undefined() -> None:
    with pytest.raises(UndefinedError, match="real has 3 rows: at least 4"):
        precision_recall(*pair(0, 3, 10), k=3)
    with pytest.raises(UndefinedError, match="fake has 1 rows: at least 2"):
        density_coverage(*pair(0, 10, 1))
    with pytest.raises(UndefinedError, match="reference has 0 rows"):
        nearest_distance(*pair(0, 3, 0))


def test_features_of_different_encoders_and_nan_are_refused() -> None:
    with pytest.raises(InputError, match="same encoder"):
        nearest_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(InputError, match="reference has NaN"):
        nearest_distance(np.zeros((3, 2)), np.full((3, 2), np.nan))
