"""Can a set be told from real data? A classifier's AUC, and the maximum mean discrepancy."""

from __future__ import annotations

import numpy as np

from cdp.embedding.checks import Floats, UndefinedError, feature_rows
from cdp.embedding.classes import standardised_logistic
from cdp.embedding.intervals import Estimate, Parts, estimate, jackknife, leave_out
from cdp.embedding.sphere import without_each


def classifier_auc(
    real: np.ndarray,
    fake: np.ndarray,
    parts: Parts | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """AUC of a cross-validated logistic regression that tells real (n, d) from fake (m, d): 0.5 is
    indistinguishable, 1 apart (Lopez-Paz and Oquab 2017, with AUC).

    The interval trains it again in each part, because the trained network moves with the images as
    well. parts: None deals them.
    """
    rows = feature_rows("real", real, at_least=folds)
    others = feature_rows("fake", fake, at_least=folds, width=rows.shape[1])
    parts = parts or Parts.of(
        np.zeros(len(others), np.int64), np.zeros(len(rows), np.int64), seed=seed
    )
    value = _auc(rows, others, folds, seed)
    smallest = min(len(others), len(rows)) // parts.count
    if smallest < folds:
        raise UndefinedError(
            f"an interval of the AUC takes {folds} images of each side in every part, and there are"
            f" {smallest}: measure more images"
        )
    found = parts.values(lambda own, theirs: [_auc(rows[theirs], others[own], folds, seed)])
    return estimate(value, found[:, :, 0], len(rows) + len(others), scale="share", level=level)


def _auc(real: Floats, fake: Floats, folds: int, seed: int) -> float:
    from scipy.stats import rankdata
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    both, side = np.concatenate([real, fake]), np.repeat([0, 1], [len(real), len(fake)])
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    score = cross_val_predict(
        standardised_logistic(), both.astype(np.float32), side, cv=parts, method="predict_proba"
    )[:, 1]
    # Mann-Whitney's U, ties counting half.
    above = rankdata(score)[side == 1].sum() - len(fake) * (len(fake) + 1) / 2
    return float(above / (len(real) * len(fake)))


def mmd(
    real: np.ndarray,
    fake: np.ndarray,
    real_labels: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Unbiased squared maximum mean discrepancy (Gretton 2012, Eq. 3), Gaussian kernel at the
    median distance of both together.

    real (n, d), fake (m, d), at least 2 rows each. About 0 for the same distribution, and negative
    at times. The interval leaves groups of images of either side out, with the kernel as it is.
    real_labels (n,), labels (m,): classes, where every set has as many images of each.
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
    first, second = _members(n, real_labels, seed), _members(m, labels, seed)
    inner, outer, cross = (
        first.T @ kernel[:n, :n] @ first,
        second.T @ kernel[n:, n:] @ second,
        first.T @ kernel[:n, n:] @ second,
    )
    left, right = n - first.sum(axis=0), m - second.sum(axis=0)
    within = inner.sum() / (n * (n - 1)), outer.sum() / (m * (m - 1))
    value = within[0] + within[1] - 2 * cross.sum() / (n * m)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # without a group there may be one image only, which has no pairs
        own = (
            within[0]
            + without_each(outer) / (right * (right - 1))
            - 2 * (cross.sum() - cross.sum(axis=0)) / (n * right)
        )
        theirs = (
            within[1]
            + without_each(inner) / (left * (left - 1))
            - 2 * (cross.sum() - cross.sum(axis=1)) / (left * m)
        )
        both = cross.sum() - cross.sum(axis=0) - cross.sum(axis=1)[:, None] + cross
        together = -2 * both / (left[:, None] * right)
    return jackknife(
        float(value), [own, theirs], n + m, together=together, sizes=(n, m), level=level
    )


def _members(size: int, labels: np.ndarray | None, seed: int) -> Floats:
    """(size, G) which group each image is in."""
    groups, count = leave_out(np.zeros(size, np.int64) if labels is None else labels, seed=seed)
    return (groups[:, None] == np.arange(count)).astype(np.float64)


def _squared_distances(rows: Floats) -> Floats:
    norms = np.square(rows).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0))
