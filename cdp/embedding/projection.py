"""Maps of features: PCA and UMAP, and how far they can be trusted. numpy in, numpy out."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal

import numpy as np

from cdp.embedding.rows import UndefinedError, feature_rows
from cdp.errors import InputError
from cdp.values.text import share_text
from cdp.values.types import MapQuality

Metric = Literal["euclidean", "cosine", "manhattan", "correlation"]

WIDE = 50
"""Dimensions that UMAP is given at most: wider features go through PCA first."""

POOR_TRUST, FAIR_TRUST = 0.85, 0.95
"""Below the first, about every seventh neighbourhood is drawn wrong; above the second, the map can
be read closely."""
SAME_DISPARITY, LIKE_DISPARITY, POOR_DISPARITY = 0.01, 0.1, 0.3
"""Procrustes disparity is the mean square by which points of two fitted maps lie apart, in mean
squares of their distance from the centre. Up to the first, a point lies typically within a tenth of
the map's radius of where another seed puts it, and at most one point in a hundred can have moved by
a whole radius: the same layout. Up to the second within a third: a similar one; beyond that groups
have changed places (UMAP of ten classes of digits: 0.07 to 0.28 between seeds; of noise: 0.54 to
0.79). Above the last a reader is warned."""
_COVARIANCE_WIDTH = 1024
# Compiled code runs in numba's threads, and the layer of them that every machine has ends the
# process when two threads enter it.
_ONE_AT_A_TIME = threading.Lock()


def library(method: Literal["pca", "umap"]) -> str:
    """What makes such maps here, e.g. "umap-learn 0.5.12". Imports none of it."""
    package = "numpy" if method == "pca" else _umap_package()
    return f"{package} {metadata.version(package)}"


def project_pca(fit: np.ndarray, *others: np.ndarray, dims: int) -> list[np.ndarray]:
    """Principal components of ``fit``, and every array on them: [(n, dims), (m, dims), ...]
    float32. By the covariance up to 1,024 features, beyond by a seeded Lanczos iteration. The
    largest loading of a component is positive. Raises InputError for too few rows or features,
    UndefinedError where it never varies."""
    first, rest = _rows(fit, others, dims)
    return [part.astype(np.float32) for part in _principal(first, rest, dims)]


def project_umap(
    fit: np.ndarray,
    *others: np.ndarray,
    dims: int,
    neighbors: int,
    min_dist: float,
    metric: Metric,
    seed: int,
) -> list[np.ndarray]:
    """UMAP of ``fit`` (McInnes 2018), and every other array placed on it: [(n, dims), ...] float32.

    Where an array lies depends on fit and on itself alone. More than 50 dimensions go through a PCA
    first; not for manhattan, which a rotation changes. Neighbours are exact. A seed gives the same
    map again on the same machine; cuML, where it is installed with a CUDA device, to three digits.
    Raises InputError for fewer than neighbors + 2 rows, UndefinedError where it never varies.
    """
    first, rest = _rows(fit, others, dims)
    if len(first) < neighbors + 2:
        raise InputError(
            f"neighbors is {neighbors}, but the map is made of {len(first)} images: choose at most"
            f" {max(len(first) - 2, 2)}, or more images"
        )
    settings: dict[str, Any] = {"n_components": dims, "n_neighbors": neighbors}
    settings |= {"min_dist": min_dist, "random_state": seed}
    with _ONE_AT_A_TIME:
        make = _by_cuml if _umap_package() == "cuml" else _by_umap_learn
        maps = [np.asarray(part, np.float32) for part in make(first, rest, metric, settings)]
    if not all(np.isfinite(part).all() for part in maps):
        raise UndefinedError(
            f"UMAP found no place for some images under the metric {metric}: choose another metric,"
            " or PCA"
        )
    return maps


def warm() -> None:
    """Import UMAP and compile it by a tiny map: 10 to 30 seconds in a fresh process."""
    tiny = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    project_umap(tiny, dims=2, neighbors=5, min_dist=0.1, metric="euclidean", seed=0)


def trustworthiness(
    features: np.ndarray, coordinates: np.ndarray, *, neighbors: int, most: int = 1500, seed: int
) -> tuple[float, int]:
    """Trustworthiness in [0, 1] of a map's neighbourhoods (Venna and Kaski 2001, Eq. 2), and the
    rows it was measured on: a seeded sample of at most ``most``. features: (n, d); coordinates: (n,
    k). Raises InputError where there are no more than 2 * neighbors rows."""
    high = feature_rows("features", features)
    low = feature_rows("coordinates", coordinates)
    if len(high) != len(low):
        raise InputError(
            f"{len(high)} images and {len(low)} coordinates do not pair: pass the features that the"
            " map was made of"
        )
    if len(high) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(high), most, replace=False))
        high, low = high[rows], low[rows]
    if not 1 <= neighbors < len(high) / 2:
        raise InputError(
            f"neighbors is {neighbors}, but {len(high)} images are compared: choose fewer than half"
            " as many"
        )
    from sklearn.manifold import trustworthiness as measured

    return float(measured(high, low, n_neighbors=neighbors)), len(high)


def disparity(first: np.ndarray, second: np.ndarray) -> float:
    """Procrustes disparity in [0, 1] of two maps (n, k) of the same points: what is left after the
    best shift, scale, rotation and reflection. Raises InputError for other shapes."""
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"maps of shapes {np.shape(first)} and {np.shape(second)} do not pair: pass two maps of"
            " the same images"
        )
    base, other = feature_rows("first", first), feature_rows("second", second)
    if not (np.ptp(base, axis=0).any() and np.ptp(other, axis=0).any()):
        raise UndefinedError(
            "a map that is a single point has no shape to compare: choose other features"
        )
    from scipy.spatial import procrustes

    return float(procrustes(base, other)[2])


def poor(quality: MapQuality) -> bool:
    """Whether a reader of a map must be warned."""
    return quality.trustworthiness < POOR_TRUST or (quality.disparity or 0.0) > POOR_DISPARITY


def trust_sentence(method: str, quality: MapQuality) -> str:
    """How far a map can be trusted, in words with the figures: whether its neighbours are
    neighbours in feature space, and what a second seed draws."""
    if quality.trustworthiness < POOR_TRUST:
        verdict = (
            "Do not read neighbourhoods off this map: many points drawn as neighbours are none in"
            " feature space"
        )
    elif quality.trustworthiness < FAIR_TRUST:
        verdict = (
            "Neighbourhoods on this map are roughly right; check single points in their detail"
        )
    else:
        verdict = "Neighbourhoods on this map are those of the feature space"
    sentence = (
        f"{verdict} (trustworthiness {quality.trustworthiness:.3f}, {quality.neighbors} neighbours,"
        f" n = {quality.n:,})."
    )
    if quality.disparity is None:
        return sentence
    moved = (
        f"after the best fit a point lies typically {share_text(math.sqrt(quality.disparity), 0)}"
        " of the map's radius elsewhere"
    )
    far = " Distances between far groups still mean little on a UMAP map." * (method == "umap")
    if quality.disparity > LIKE_DISPARITY:
        draws, far = "another layout, so distances between groups mean nothing here", ""
    elif quality.disparity > SAME_DISPARITY:
        draws = "a similar layout, not the same"
    else:
        draws = "the same layout"
    agree = f"A second seed draws {draws}: {moved}"
    return f"{sentence} {agree} (Procrustes disparity {quality.disparity:.3f}).{far}"


def _rows(
    fit: np.ndarray, others: tuple[np.ndarray, ...], dims: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Checked arrays, in their own precision."""
    width = feature_rows("fit", fit).shape[1]
    for other in others:
        feature_rows("others", other, width=width)
    if min(len(fit), width) < dims:
        raise InputError(
            f"{len(fit)} images of {width} features make no map of {dims} dimensions: pass at least"
            f" {dims} of both"
        )
    if not np.ptp(fit, axis=0).any():
        raise UndefinedError(
            f"all {len(fit)} images have the same features, so a map would be one point: choose"
            " other sets or another encoder"
        )
    return np.asarray(fit), [np.asarray(other) for other in others]


def _principal(fit: np.ndarray, others: list[np.ndarray], dims: int) -> list[np.ndarray]:
    """All arrays on the first ``dims`` principal components of ``fit``."""
    if fit.shape[1] > _COVARIANCE_WIDTH:
        from sklearn.decomposition import PCA

        model = PCA(dims, svd_solver="arpack" if dims < len(fit) else "full", random_state=0).fit(
            fit
        )
        return [model.transform(part) for part in (fit, *others)]
    # In float64, as a covariance has the squares of the features' scales in it.
    mean = fit.mean(axis=0, dtype=np.float64)
    centred = fit - mean
    axes = np.linalg.eigh(centred.T @ centred)[1][:, : -dims - 1 : -1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dims)])
    return [centred @ axes, *((part - mean) @ axes for part in others)]


def _by_cuml(
    fit: np.ndarray, others: list[np.ndarray], metric: Metric, settings: dict[str, Any]
) -> list[np.ndarray]:
    """On a CUDA device, which finds exact neighbours of wide features fast enough without a PCA."""
    from cuml.manifold import UMAP

    model = UMAP(metric=metric, output_type="numpy", **settings)
    single = [np.ascontiguousarray(part, np.float32) for part in (fit, *others)]
    return [model.fit_transform(single[0]), *(model.transform(part) for part in single[1:])]


def _by_umap_learn(
    fit: np.ndarray, others: list[np.ndarray], metric: Metric, settings: dict[str, Any]
) -> list[np.ndarray]:
    """On the processor."""
    parts = [_straightened(part, metric) for part in (fit, *others)]
    if metric != "manhattan" and fit.shape[1] > WIDE:
        parts = _principal(parts[0], parts[1:], min(WIDE, len(fit)))
    first, *rest = [np.ascontiguousarray(part, np.float32) for part in parts]
    search = _Search(first, metric)
    indices, distances = search.query(first, settings["n_neighbors"])
    # A search that is not pynndescent's, where that was imported before, and a map in several
    # islands are nothing to warn of.
    warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
    warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
    plain = "manhattan" if metric == "manhattan" else "euclidean"
    seed = settings["random_state"]
    model = _umap_learn().UMAP(
        metric=plain,
        n_jobs=1,
        transform_seed=seed,
        precomputed_knn=(indices, distances, search),
        **settings,
    )
    return [model.fit_transform(first), *(model.transform(part) for part in rest)]


@cache
def _umap_learn() -> ModuleType:
    """umap-learn's module, without pynndescent and with its compiled code kept between processes.

    pynndescent is its search for approximate neighbours. Importing it compiles it, for half of the
    time of a machine's first map, and ``_Search`` is asked in its place, which is exact.
    """
    stand_ins: dict[str, dict[str, Any]] = {
        "pynndescent": {"NNDescent": _Search},
        "pynndescent.distances": {"named_distances": {}},
        "pynndescent.sparse": {"sparse_named_distances": {}},
    }
    new = [name for name in stand_ins if name not in sys.modules]
    for name in new:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(stand_ins[name])
    try:
        from umap import layouts, umap_
    finally:
        for name in new:
            del sys.modules[name]
    for compiled in (
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        compiled.enable_caching()
    return umap_


def _straightened(rows: np.ndarray, metric: Metric) -> np.ndarray:
    """Rows whose Euclidean distance e says what ``metric`` says of the given ones: cosine and
    correlation distance are e^2 / 2 of them."""
    if metric not in ("cosine", "correlation"):
        return rows
    centred = rows - rows.mean(axis=1, keepdims=True) if metric == "correlation" else rows
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros(rows.shape, np.float64), where=length > 0)


@dataclass(frozen=True)
class _Search:
    """Exact nearest neighbours, in the form in which UMAP asks its own search."""

    rows: np.ndarray
    metric: Metric
    _angular_trees: bool = False

    def query(
        self, rows: np.ndarray, k: int, epsilon: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers and distances (m, k), nearest first. epsilon: not used here."""
        from sklearn.neighbors import NearestNeighbors

        plain = "manhattan" if self.metric == "manhattan" else "euclidean"
        distances, indices = (
            NearestNeighbors(n_neighbors=k, algorithm="brute", metric=plain)
            .fit(self.rows)
            .kneighbors(rows)
        )
        if self.metric in ("cosine", "correlation"):
            distances = np.square(distances) / 2
        return indices.astype(np.int32), distances.astype(np.float32)


def _umap_package() -> Literal["cuml", "umap-learn"]:
    return "cuml" if find_spec("cuml") is not None and _cuda_devices() > 0 else "umap-learn"


def _cuda_devices() -> int:
    """How many the driver shows. Asks the driver itself, as torch takes seconds to import."""
    try:
        driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
    except OSError:
        return 0
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
