"""Frechet distance between two feature sets."""

from __future__ import annotations

import numpy as np

from cdp.embedding.checks import Floats, feature_rows


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians fitted to both sets (Dowson and Landau 1982; the FID's formula, Heusel 2017).

    first: (n, d), second: (m, d), n, m >= 2 -> ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``, in squared feature
    units, covariances with n - 1. With square roots C = F F' from eigenvalues, the last trace is the sum of the singular values of
    F1' F2: exact, symmetric, and real also where a covariance is singular.
    Biased upwards for small sets: compare only at the same n, and with n well above d.
    """
    a = feature_rows("first", first, at_least=2)
    b = feature_rows("second", second, at_least=2, width=a.shape[1])
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    root_a, root_b = _root(a - mean_a), _root(b - mean_b)
    cross = float(np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum())
    spread = float(np.square(root_a).sum() + np.square(root_b).sum())
    return max(0.0, float(np.square(mean_a - mean_b).sum()) + spread - 2 * cross)


def _root(centred: Floats) -> Floats:
    """F with F F' = covariance of the rows. centred: (n, d) with mean 0 -> (d, d)."""
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(centred) - 1))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
