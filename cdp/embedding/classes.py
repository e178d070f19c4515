"""How well the classes of one set can be told apart, image by image; means and intervals of these
scores are figures of the set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.embedding.around import Around, look_around
from cdp.embedding.checks import Floats, Ints, UndefinedError, class_numbers, feature_rows
from cdp.errors import InputError


@dataclass(frozen=True)
class Probe:
    """Out-of-fold answers of a linear classifier. hit: (n,) bool; margin: (n,) probability of the
    own class minus the best other."""

    hit: np.ndarray
    margin: Floats


def silhouettes(features: np.ndarray, labels: np.ndarray, around: Around | None = None) -> Floats:
    """Silhouette of each image (Rousseeuw 1987) with its label as the cluster. features (n, d),
    labels (n,) -> (n,) in [-1, 1].

    around: of these images, where it was computed already.
    """
    rows, classes = class_rows(features, labels)
    if len(np.unique(classes)) == len(classes):
        raise UndefinedError(
            "every class has one image only, and a silhouette compares images of one class: use 2"
            " or more"
        )
    return (around or look_around(rows, classes)).silhouette


def centroid_silhouettes(features: np.ndarray, labels: np.ndarray) -> Floats:
    """Silhouette with distances to class means (Hruschka 2004): linear in the images, so it ranks
    sets of any size.

    features (n, d), labels (n,) -> (n,) in [-1, 1]; 0 where an image lies on its own and on another
    mean.
    """
    rows, classes = class_rows(features, labels)
    names, coded = np.unique(classes, return_inverse=True)
    means = np.stack([rows[coded == c].mean(axis=0) for c in range(len(names))])
    away = np.stack([np.linalg.norm(rows - mean, axis=1) for mean in means], axis=1)
    at = np.arange(len(rows))
    own = away[at, coded]
    away[at, coded] = np.inf
    other = away.min(axis=1)
    scale = np.maximum(own, other)
    return np.divide(other - own, scale, out=np.zeros(len(rows)), where=scale > 0)


def neighbour_hits(
    features: np.ndarray, labels: np.ndarray, *, k: int = 10, around: Around | None = None
) -> np.ndarray:
    """Whether the k nearest other images of the set vote for the image's own class; of a tie, the
    class of the nearest wins.

    features (n, d) with n > k, labels (n,) -> (n,) bool. around: of these images with k neighbours,
    where it was computed already.
    """
    rows, classes = class_rows(features, labels)
    if k < 1:
        raise InputError(f"k is {k}: choose a whole number of neighbours from 1 up")
    if len(rows) <= k:
        raise UndefinedError(f"{len(rows)} images have no {k} neighbours each: use more images")
    near = (around or look_around(rows, classes, k=k)).near
    names, coded = np.unique(classes, return_inverse=True)
    votes = np.zeros((len(rows), len(names)))
    for rank in range(k):
        # A nearer neighbour's vote weighs a little more: less than a whole vote in all, so it
        # decides ties only.
        np.add.at(
            votes, (np.arange(len(rows)), coded[near[:, rank]]), 1 + (k - rank) / (k * (k + 1.0))
        )
    return np.asarray(votes.argmax(axis=1) == coded)


def other_class_distances(
    features: np.ndarray, labels: np.ndarray, around: Around | None = None
) -> Floats:
    """Euclidean distance of each image to the nearest image of another class. features (n, d),
    labels (n,) -> (n,).

    around: of these images, where it was computed already.
    """
    rows, classes = class_rows(features, labels)
    return (around or look_around(rows, classes)).other


def linear_probe(
    features: np.ndarray, labels: np.ndarray, *, folds: int = 5, seed: int = 0
) -> Probe:
    """Cross-validated logistic regression on standardised features: every image is judged by a
    probe that has not seen it.

    features (n, d), labels (n,), each class with at least ``folds`` images.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rows, classes = class_rows(features, labels)
    coded = np.unique(classes, return_inverse=True)[1]
    if np.bincount(coded).min() < folds:
        raise UndefinedError(
            f"a class has fewer than {folds} images: a probe with {folds} folds needs that many of"
            " each"
        )
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    # Single precision halves the time; the solver's tolerance is far above what it loses.
    share = cross_val_predict(
        standardised_logistic(), rows.astype(np.float32), coded, cv=parts, method="predict_proba"
    ).astype(np.float64)
    at = np.arange(len(rows))
    own = share[at, coded]
    share[at, coded] = -np.inf
    margin = own - share.max(axis=1)
    return Probe(margin > 0, margin)


def standardised_logistic() -> object:
    """The linear classifier of every probe: features to zero mean and unit variance, then
    L2-regularised logistic regression.

    The tolerance stops the solver at a third of the steps of scikit-learn's own; held-out answers
    stay within 0.2 points.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))


def class_rows(features: np.ndarray, labels: np.ndarray) -> tuple[Floats, Ints]:
    """Both checked, as float64 and int64. Raises UndefinedError for images of one class."""
    rows = feature_rows("features", features, at_least=2)
    classes = class_numbers("labels", labels, len(rows))
    if len(np.unique(classes)) < 2:
        raise UndefinedError(
            "all images are of one class, so there is none to tell it from: choose 2 classes or"
            " more"
        )
    return rows, classes
