"""Maps against plain linear algebra and known libraries; what a person may count on of UMAP."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import umap
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from cdp.embedding.projection import (
    Metric,
    _Search,
    _straightened,
    disparity,
    library,
    project_pca,
    project_umap,
    trustworthiness,
)
from cdp.errors import InputError
from cdp.paths import ROOT

CLUSTERS, EACH = 5, 40
SETTINGS = {"dims": 2, "neighbors": 10, "min_dist": 0.1, "metric": "euclidean", "seed": 3}


def clusters(seed: int, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clusters far apart, (n, width) float32, and whose each row is."""
    label = np.repeat(np.arange(CLUSTERS), EACH)
    centre = np.random.default_rng(0).normal(size=(CLUSTERS, width)) * 3
    return (centre[label] + np.random.default_rng(seed).normal(size=(len(label), width))).astype(
        np.float32
    ), label


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A map of clusters, a second sample of them placed on it, and the fitted rows placed again
    after a slight shift."""
    rows, _ = clusters(1)
    with warnings.catch_warnings():
        # A warning about threads or neighbours would be shown to a person who can do nothing about
        # it.
        warnings.simplefilter("error", UserWarning)
        made = project_umap(rows, clusters(2)[0], rows + 1e-3, **SETTINGS)  # type: ignore[arg-type]
    return made[0], made[1], made[2]


@pytest.mark.parametrize(("n", "width"), [(200, 12), (30, 50), (40, 1100), (4, 1100)])
def test_pca_is_that_of_the_singular_values_with_signs_fixed(n: int, width: int) -> None:
    rng = np.random.default_rng(n)
    rows = (rng.normal(size=(n, width)) * np.geomspace(3, 0.1, width) + 5).astype(np.float32)
    other = rng.normal(size=(7, width)).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    loading = np.linalg.svd(rows - mean)[2][:3]
    loading *= np.sign(loading[np.arange(3), np.abs(loading).argmax(axis=1)])[:, None]
    found = project_pca(rows, other, dims=3)
    assert [part.dtype for part in found] == [np.float32, np.float32]
    for part, given in zip(found, (rows, other), strict=True):
        np.testing.assert_allclose(part, (given - mean) @ loading.T, atol=2e-3, rtol=1e-3)


def test_clusters_that_are_apart_stay_apart_on_the_map(fitted: tuple[np.ndarray, ...]) -> None:
    label = clusters(1)[1]
    assert fitted[0].shape == (len(label), 2) and fitted[0].dtype == np.float32
    assert KNeighborsClassifier(5).fit(fitted[0], label).score(fitted[0], label) > 0.98
    # A second sample of the same clusters belongs where the first lies.
    assert KNeighborsClassifier(5).fit(fitted[0], label).score(fitted[1], label) > 0.98


def test_fitted_points_placed_again_land_near_themselves(fitted: tuple[np.ndarray, ...]) -> None:
    away = np.linalg.norm(fitted[2] - fitted[0], axis=1)
    assert np.median(away) < 0.05 * np.ptp(fitted[0], axis=0).max()


def test_a_seed_gives_its_map_bit_for_bit(fitted: tuple[np.ndarray, ...]) -> None:
    rows, _ = clusters(1)
    np.testing.assert_array_equal(project_umap(rows, **SETTINGS)[0], fitted[0])  # type: ignore[arg-type]
    assert not np.array_equal(project_umap(rows, **(SETTINGS | {"seed": 4}))[0], fitted[0])  # type: ignore[arg-type]


def test_a_process_compiles_no_search_for_neighbours_and_takes_the_rest_from_one_before(
    fitted: tuple[np.ndarray, ...],
) -> None:
    script = (
        "import sys; from importlib.util import find_spec; from cdp.embedding.projection import"
        " warm; warm(); print('pynndescent' in sys.modules, find_spec('pynndescent').origin)\n"
        "from umap import layouts, umap_; kept = (umap_.smooth_knn_dist,"
        " umap_.compute_membership_strengths, layouts._nb_optimize_layout_euclidean_single_epoch)\n"
        "print(*(len(each.stats.cache_hits) > len(each.stats.cache_misses) for each in kept))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    search, kept = done.stdout.splitlines()
    assert search.startswith("False ") and search.endswith("pynndescent/__init__.py")
    assert kept == "True True True"


def test_an_array_s_place_depends_on_no_other(fitted: tuple[np.ndarray, ...]) -> None:
    again = project_umap(clusters(1)[0], clusters(2)[0], **SETTINGS)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again[1], fitted[1])


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan", "correlation"])
def test_neighbours_and_their_distances_are_those_of_scipy(metric: Metric) -> None:
    rng = np.random.default_rng(5)
    rows, asked = rng.normal(1, 1, (60, 9)), rng.normal(1, 1, (8, 9))
    indices, distances = _Search(_straightened(rows, metric), metric).query(
        _straightened(asked, metric), 6
    )
    naive = cdist(asked, rows, "cityblock" if metric == "manhattan" else metric)
    np.testing.assert_array_equal(indices, naive.argsort(axis=1)[:, :6])
    np.testing.assert_allclose(distances, np.sort(naive, axis=1)[:, :6], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("metric", ["cosine", "manhattan", "correlation"])
def test_every_metric_makes_a_map_of_two_or_three_dimensions(metric: Metric) -> None:
    rows, label = clusters(1)
    # cosine and correlation see directions only, so that lengths must not matter
    if metric != "manhattan":
        rows = rows * np.random.default_rng(0).uniform(0.1, 10, (len(rows), 1)).astype(np.float32)
    found = project_umap(rows, dims=3, neighbors=10, min_dist=0.0, metric=metric, seed=0)[0]
    assert found.shape == (len(rows), 3)
    assert KNeighborsClassifier(5).fit(found, label).score(found, label) > 0.98


@pytest.mark.parametrize(
    ("fit", "other", "said"),
    [
        (np.ones((50, 6)), np.zeros((3, 6)), "same features"),
        (np.eye(11), np.zeros((3, 11)), "neighbors is 10"),
        (np.full((50, 6), np.nan), np.zeros((3, 6)), "NaN"),
        (np.random.default_rng(0).normal(size=(50, 6)), np.zeros((3, 5)), "5 features"),
        (np.arange(50.0)[:, None], np.zeros((3, 1)), "1 features"),
    ],
)
def test_what_makes_no_map_is_refused(fit: np.ndarray, other: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        project_umap(fit, other, **SETTINGS)  # type: ignore[arg-type]
    if "neighbors" not in said:
        with pytest.raises(InputError, match=said):
            project_pca(fit, other, dims=2)


def test_images_that_are_all_one_of_two_still_make_a_map() -> None:
    rows = np.repeat(np.eye(2, 8), 30, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP says that it starts at random here
        found = project_umap(rows, **SETTINGS)[0]  # type: ignore[arg-type]
    assert np.isfinite(found).all()
    assert KNeighborsClassifier(5).fit(found, rows[:, 0]).score(found, rows[:, 0]) > 0.95


def naive_trustworthiness(high: np.ndarray, low: np.ndarray, k: int) -> float:
    """Venna and Kaski 2001, Eq. 2, as it is written."""
    n, penalty = len(high), 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        by_high = sorted(others, key=lambda j: np.sum((high[i] - high[j]) ** 2))
        by_low = sorted(others, key=lambda j: np.sum((low[i] - low[j]) ** 2))
        for j in set(by_low[:k]) - set(by_high[:k]):
            penalty += by_high.index(j) + 1 - k
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def test_trustworthiness_is_that_of_a_naive_loop_and_1_for_a_perfect_map() -> None:
    rng = np.random.default_rng(2)
    high = rng.normal(size=(40, 6))
    value, n = trustworthiness(high, high[:, :2], neighbors=5, seed=0)
    assert n == 40
    assert value == pytest.approx(naive_trustworthiness(high, high[:, :2], 5), abs=1e-12)
    assert value < 1
    assert trustworthiness(high, high * 2, neighbors=5, seed=0)[0] == 1


def test_of_many_rows_a_seeded_sample_is_measured() -> None:
    rng = np.random.default_rng(2)
    high = rng.normal(size=(300, 6))
    first, again, other = (
        trustworthiness(high, high[:, :2], neighbors=5, most=80, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again and first[1] == 80 and other[0] != first[0]
    whole = trustworthiness(high, high[:, :2], neighbors=20, seed=0)[0]
    assert first[0] == pytest.approx(whole, abs=0.05)


@pytest.mark.parametrize(("rows", "neighbors"), [(20, 10), (20, 0), (200, 40)])
def test_neighbourhoods_of_half_the_sample_are_refused(rows: int, neighbors: int) -> None:
    high = np.random.default_rng(0).normal(size=(rows, 3))
    with pytest.raises(InputError, match="fewer than half"):
        trustworthiness(high, high, neighbors=neighbors, most=80, seed=0)


def test_a_moved_turned_mirrored_and_scaled_map_is_the_same_map() -> None:
    first = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) @ np.diag([1, -1])
    assert disparity(first, 3 * first @ turn + 7) == pytest.approx(0, abs=1e-9)


def test_disparity_is_what_the_best_rotation_leaves() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 30, 2))
    a, b = ((m - m.mean(0)) / np.linalg.norm(m - m.mean(0)) for m in (first, second))
    angles = np.linspace(0, 2 * np.pi, 20_001)
    cosine, sine = np.cos(angles), np.sin(angles)

    def overlap(m: np.ndarray) -> float:
        """Of ``a`` with ``m`` turned by the best of many angles."""
        return float(
            np.max(cosine * (a * m).sum() + sine * (a[:, 0] * m[:, 1] - a[:, 1] * m[:, 0]).sum())
        )

    best = max(overlap(b), overlap(b * [1, -1]))
    assert disparity(first, second) == pytest.approx(1 - best**2, abs=1e-6)


def test_maps_that_cannot_be_laid_over_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="do not pair"):
        disparity(np.eye(3), np.eye(4))
    with pytest.raises(InputError, match="single point"):
        disparity(np.ones((4, 2)), np.random.default_rng(0).normal(size=(4, 2)))


def test_the_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (tmp_path / "cuml").mkdir()
    (tmp_path / "cuml" / "__init__.py").write_text(
        "raise AssertionError('imported without a device')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    assert library("umap") == f"umap-learn {umap.__version__}"


def test_asking_what_would_be_used_imports_none_of_it() -> None:
    code = (
        "import sys; from cdp.embedding.projection import library; library('umap'), library('pca');"
        "print(*{'torch', 'scipy', 'sklearn', 'umap', 'numba'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
