"""Nearest-neighbour figures against full distance matrices and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cdp.embedding import neighbours
from cdp.embedding.neighbours import fidelity, nearest_distance
from cdp.embedding.rows import UndefinedError
from cdp.errors import InputError

SEED, SIZE = st.integers(0, 10_000), st.integers(6, 25)


def pair(seed: int, n: int, m: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.normal(0.5, 0.8, size=(m, width))


def radii(rows: np.ndarray, k: int) -> np.ndarray:
    return np.sort(cdist(rows, rows), axis=1)[:, k]  # column 0 is the row itself


@settings(max_examples=30)
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


@settings(max_examples=30)
@given(seed=SEED, n=SIZE, m=SIZE, near=st.integers(1, 5), wide=st.integers(1, 5))
def test_the_four_equal_the_full_matrix(seed: int, n: int, m: int, near: int, wide: int) -> None:
    real, fake = pair(seed, n, m)
    crowd = cdist(fake, real) <= radii(real, wide)
    found = fidelity(real, fake, near=near, wide=wide)
    assert {key: figure.value for key, figure in found.items()} == pytest.approx(
        {
            "precision": (cdist(fake, real) <= radii(real, near)).any(1).mean(),
            "recall": (cdist(real, fake) <= radii(fake, near)).any(1).mean(),
            "density": crowd.sum(1).mean() / wide,
            "coverage": crowd.any(0).mean(),
        }
    )
    assert [figure.n for figure in found.values()] == [m, n, m, n]
    alone = fidelity(real, fake, near=near, wide=None) | fidelity(real, fake, near=None, wide=wide)
    assert [one.value for one in alone.values()] == [one.value for one in found.values()]


def test_working_block_by_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = pair(1, 40, 30)
    whole = nearest_distance(real, fake), fidelity(real, fake)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 8 * 40 * 7)
    parts = nearest_distance(real, fake), fidelity(real, fake)
    assert parts[0] == pytest.approx(whole[0], rel=1e-12)
    assert parts[1] == whole[1]


def test_no_block_of_distances_is_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = pair(1, 40, 30)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 8 * 30 * 7)
    assert max(block.nbytes for _, block in neighbours.squared(real, fake)) <= 8 * 30 * 7


def test_samples_of_the_same_distribution_have_density_one_and_the_expected_coverage() -> None:
    rng = np.random.default_rng(3)
    found = fidelity(rng.normal(size=(1500, 8)), rng.normal(size=(1500, 8)))
    assert found["density"].value == pytest.approx(1, abs=0.06)
    # Naeem 2020, Eq. 8: 1 - 2^-k for equal sizes
    assert found["coverage"].value == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_collapsed_set_is_precise_but_covers_nothing() -> None:
    real = np.random.default_rng(4).normal(size=(200, 4))
    found = fidelity(real, 1e-4 * np.random.default_rng(5).normal(size=(200, 4)), near=5)
    assert found["precision"].value == 1
    assert found["recall"].value < 0.02
    assert found["coverage"].value < 0.2


def test_sets_far_apart_share_nothing_and_equal_features_everything() -> None:
    real, fake = pair(6, 30, 30)
    assert {figure.value for figure in fidelity(real, fake + 100).values()} == {0}
    same = fidelity(np.full((8, 3), 0.1), np.full((8, 3), 0.1))
    assert same["precision"].value == same["recall"].value == same["coverage"].value == 1


@pytest.mark.parametrize("k", (0, -1, 1.5))
def test_a_number_of_neighbours_that_makes_no_sense_is_refused(k: int) -> None:
    with pytest.raises(InputError, match="whole number of neighbours"):
        fidelity(*pair(0, 10, 10), near=k)


def test_too_few_rows_for_k_neighbours_are_undefined() -> None:
    with pytest.raises(UndefinedError, match="real has 3 rows: at least 4"):
        fidelity(*pair(0, 3, 10), wide=None)
    with pytest.raises(UndefinedError, match="fake has 1 rows: at least 2"):
        fidelity(*pair(0, 10, 1), near=None)
    with pytest.raises(UndefinedError, match="reference has 0 rows"):
        nearest_distance(*pair(0, 3, 0))


@pytest.mark.parametrize(("real", "fake"), [(500, 60), (60, 500), (500, 99)])
def test_recall_of_few_images_has_no_interval_and_says_why(real: int, fake: int) -> None:
    found = fidelity(*pair(0, real, fake))
    assert "100 or more" in found["recall"].note
    assert not found["precision"].note and not found["coverage"].note
    assert not fidelity(*pair(0, 500, 100))["recall"].note


def test_features_of_different_encoders_and_nan_are_refused() -> None:
    with pytest.raises(InputError, match="same encoder"):
        nearest_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(InputError, match="reference has NaN"):
        nearest_distance(np.zeros((3, 2)), np.full((3, 2), np.nan))
