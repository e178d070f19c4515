"""One pass for all neighbour figures, against full distance matrices and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from cdp.embedding import neighbours
from cdp.embedding.classes import linear_probe
from cdp.embedding.neighbours import look_around, squared


def clusters(
    n: int = 400, d: int = 5, classes: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n) * 3
    return rng.normal(size=(n, d)) + 1.5 * np.eye(3 * classes, d)[label] + 40, label


@pytest.mark.parametrize("exact_rows", [2000, 10])
@pytest.mark.parametrize("block", [32 << 20, 8 * 400 * 7])
def test_neighbours_other_classes_and_silhouettes_are_those_of_the_full_matrix(
    monkeypatch: pytest.MonkeyPatch, exact_rows: int, block: int
) -> None:
    monkeypatch.setattr(neighbours, "EXACT_ROWS", exact_rows)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", block)
    rows, label = clusters()
    found = look_around(rows, label, k=7)
    away = cdist(rows, rows)
    np.fill_diagonal(away, np.inf)
    np.testing.assert_array_equal(found.near, np.argsort(away, axis=1)[:, :7])
    np.testing.assert_allclose(found.distance, np.sort(away, axis=1)[:, :7])
    np.testing.assert_allclose(
        found.other, np.where(label[:, None] == label, np.inf, away).min(axis=1)
    )
    np.testing.assert_allclose(
        found.silhouette, silhouette_samples(rows, label), atol=1e-9 if exact_rows > 400 else 2e-4
    )


def test_a_copy_is_at_distance_zero_in_fp32_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 10)
    rows, label = clusters(300)
    rows[200] = rows[3]
    found = look_around(rows, label, k=3)
    assert (found.near[200, 0], found.near[3, 0]) == (3, 200)
    assert found.distance[200, 0] == found.distance[3, 0] == 0


def test_the_only_image_of_its_class_has_silhouette_zero() -> None:
    rows, _ = clusters(6)
    found = look_around(rows, np.array([0, 0, 0, 1, 1, 2]), k=10)
    assert found.near.shape == (6, 5)
    assert found.silhouette[5] == 0
    np.testing.assert_allclose(found.silhouette, silhouette_samples(rows, [0, 0, 0, 1, 1, 2]))


def test_no_block_is_near_the_size_of_all_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def spied(rows: np.ndarray, others: np.ndarray):  # type: ignore[no-untyped-def]
        for part, block in squared(rows, others):
            sizes.append(block.nbytes)
            yield part, block

    monkeypatch.setattr(neighbours, "squared", spied)
    rows, label = clusters(4500)
    look_around(rows, label)
    assert max(sizes) <= 32 << 20 < 4500 * 4500 * 4 <= sum(sizes)


def test_the_cheaper_probe_answers_as_one_that_went_on_to_the_end() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, label = clusters(1500)
    patient = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, tol=1e-8))
    share = cross_val_predict(
        patient,
        rows,
        label,
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        method="predict_proba",
    )
    found = linear_probe(rows, label)
    assert found.hit.mean() == pytest.approx((share.argmax(1) * 3 == label).mean(), abs=0.003)
    own = share[np.arange(1500), label // 3]
    share[np.arange(1500), label // 3] = -1
    assert found.margin.mean() == pytest.approx((own - share.max(1)).mean(), abs=0.003)
