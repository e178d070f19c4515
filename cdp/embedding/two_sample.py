"""Can a set be told from real data? A classifier's AUC, and the maximum mean discrepancy."""

from __future__ import annotations

import numpy as np

from cdp.embedding.checks import Floats, UndefinedError, feature_rows
from cdp.embedding.classes import standardised_logistic
from cdp.embedding.intervals import draws, percentile
from cdp.types import Interval


def classifier_auc(
    real: np.ndarray, fake: np.ndarray, *, folds: int = 5, n_boot: int = 500, seed: int = 0, level: float = 0.95
) -> Interval:
    """AUC of a cross-validated logistic regression that tells real (n, d) from fake (m, d): 0.5 is indistinguishable, 1 apart.

    The interval resamples images of each side and holds the out-of-fold scores fixed (Lopez-Paz and Oquab 2017, with AUC).
    """
    from scipy.stats import rankdata
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rows = feature_rows("real", real, at_least=folds)
    others = feature_rows("fake", fake, at_least=folds, width=rows.shape[1])
    both, side = np.concatenate([rows, others]), np.repeat([0, 1], [len(rows), len(others)])
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    score = (
        rankdata(
            cross_val_predict(standardised_logistic(), both.astype(np.float32), side, cv=parts, method="predict_proba")[:, 1],
            method="dense",
        )
        - 1
    )

    ranks = int(score.max()) + 1

    def auc(at: np.ndarray) -> float:
        # Mann-Whitney's U over the pairs, ties counting half, from how often each score occurs on each side.
        negative, positive = (np.bincount(score[at][side[at] == one], minlength=ranks) for one in (0, 1))
        below = np.cumsum(negative) - negative / 2
        return float(positive @ below / (positive.sum() * negative.sum()))

    values = [auc(at) for block in draws(len(side), n_boot, seed, side) for at in block]
    return percentile(auc(np.arange(len(side))), np.asarray(values), len(side), level)


def mmd(real: np.ndarray, fake: np.ndarray, *, n_boot: int = 500, seed: int = 0, level: float = 0.95) -> Interval:
    """Unbiased squared maximum mean discrepancy (Gretton 2012, Eq. 3), Gaussian kernel at the median distance of both together.

    real (n, d), fake (m, d), at least 2 rows each. About 0 for the same distribution, and negative at times. The interval draws
    each side with replacement, pairs of an image with itself left out.
    """
    rows = feature_rows("real", real, at_least=2)
    others = feature_rows("fake", fake, at_least=2, width=rows.shape[1])
    both = np.concatenate([rows, others])
    both = both - both.mean(axis=0)
    squared = _squared_distances(both)
    scale = float(np.median(squared[np.triu_indices(len(both), 1)]))
    if scale == 0:
        raise UndefinedError("MMD of features that never vary: the kernel has no width")
    kernel = np.exp(-squared / scale)
    np.fill_diagonal(kernel, 0)
    n, m = len(rows), len(others)
    rng = np.random.default_rng(seed)
    first, second = (_multiplicities(rng, size, n_boot) for size in (n, m))
    weights = np.concatenate([np.vstack([np.ones(n), first]), np.vstack([np.ones(m), second])], axis=1)
    near = kernel @ weights.T
    within = (weights[:, :n] * near[:n].T).sum(axis=1), (weights[:, n:] * near[n:].T).sum(axis=1)
    inner_real = (weights[:, :n] * (kernel[:n, :n] @ weights[:, :n].T).T).sum(axis=1)
    cross = within[0] - inner_real
    inner_fake = within[1] - cross
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw of one image only has no pairs, and no value
        values = inner_real / _pairs(weights[:, :n]) + inner_fake / _pairs(weights[:, n:]) - 2 * cross / (n * m)
    return percentile(float(values[0]), values[1:], n + m, level)


def _pairs(weights: Floats) -> Floats:
    """Ordered pairs of different images among the drawn ones."""
    return np.asarray(weights.sum(axis=1) ** 2 - np.square(weights).sum(axis=1))


def _multiplicities(rng: np.random.Generator, size: int, n_boot: int) -> Floats:
    """How often each image is drawn, (n_boot, size)."""
    return rng.multinomial(size, np.full(size, 1 / size), n_boot).astype(np.float64)


def _squared_distances(rows: Floats) -> Floats:
    norms = np.square(rows).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0))
