"""A 95 % interval holds the figure's expectation in 93 to 97 % of sets, and sets that differ only
in their seed are told apart in 2 to 8 % of pairs.

``make coverage`` counts with more sets, of 1,000 and 5,000 images too. Here a count may stray from 93 to 97 %
(from 2 to 8 %) as far as chance takes it in ``LUCK`` of samples of this size, on either side, and
no farther.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cache

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import binom, median_abs_deviation

from benchmarks.coverage import SHAPES, SHRINK, Figures, held, pair, told_apart
from cdp.embedding.classes import other_class_distances, silhouettes
from cdp.embedding.intervals import difference
from cdp.embedding.measure import TITLES
from cdp.embedding.neighbours import fidelity

LUCK = 0.002
TRAINED = ("probe_accuracy", "probe_margin", "real_auc")
"""Figures that train classifiers: fewer sets, as they take ten times as long."""
N, PAIRS, TRAINED_PAIRS = 300, 40, 5


@cache
def pairs(shape: str, trained: bool) -> list[tuple[Figures, Figures]]:
    """Made once: no default, as a value that is left out would be another key of the cache."""
    return [
        pair(shape, N, 1000 + number, trained=trained)
        for number in range(TRAINED_PAIRS if trained else PAIRS)
    ]


def within(count: int, of: int, least: float, most: float) -> bool:
    """Whether a count of ``of`` may be by chance what a share between both makes it."""
    return bool(binom.ppf(LUCK, of, least) <= count <= binom.isf(LUCK, of, most))


def check_coverage(keys: Iterable[str], *, trained: bool) -> float:
    """Check that the intervals hold what they are for as often as they say; the mean share that
    does."""
    shares = []
    for key in keys:
        counts = [held(key, pairs(shape, trained), shape) for shape in SHAPES]
        whole = tuple(np.sum(counts, axis=0))
        for count, of in [*counts, whole]:
            assert within(count, of, 0.93, 0.97), (key, count, of)
        shares.append(whole[0] / whole[1])
    return float(np.mean(shares))


def check_told_apart(keys: Iterable[str]) -> float:
    """Check that sets that differ only in their seed are told apart as seldom as is asked, against
    the same real images and against fresh ones; the mean share that is."""
    shares = []
    for key in keys:
        counts = [
            [told_apart(key, pairs(shape, False), fresh=fresh) for shape in SHAPES]
            for fresh in (False, True)
        ]
        for count, of in [*np.sum(counts, axis=1), np.sum(counts, axis=(0, 1))]:
            assert within(count, of, 0.02, 0.08), (key, count, of)
        shares.append(count / of)
    return float(np.mean(shares))


def check_width(key: str, shape: str) -> None:
    """The error that is told against the scatter that is seen, by medians: the heavy tails of
    "curved" have no fourth moment, so covariances, and with them the Frechet distance, have no
    standard deviation that a ratio could be taken of."""
    figures = [side[key] for both in pairs(shape, False) for side in both if not side[key].note]
    scatter = median_abs_deviation([figure.value for figure in figures], scale="normal")
    # Of 80 sets the median deviation is known to 13 %.
    assert 0.65 < np.median([figure.error for figure in figures]) / scatter < 1.45, (key, shape)


def test_intervals_hold_what_they_are_for_tell_no_equal_sets_apart_and_are_no_wider_than_need_be() -> (
    None
):
    """One test, as all is counted on the same sets, which take most of its time."""
    keys = [key for key in TITLES if key not in TRAINED]
    # Figures of a set depend on each other, so that all together are not much better known than
    # one.
    assert 0.92 < check_coverage(keys, trained=False) < 0.98
    assert 0.02 < check_told_apart(keys) < 0.08
    for shape, key in itertools.product(SHAPES, keys):
        check_width(key, shape)


def test_figures_that_train_classifiers_have_such_intervals_too() -> None:
    check_coverage(TRAINED, trained=True)


def test_the_naive_intervals_would_not_hold() -> None:
    """Scores of images taken as independent, as a bootstrap over images does, fail the count above
    for each of these figures."""
    shape, sets = "curved", 120
    rng = np.random.default_rng(0)
    scores: dict[str, list[np.ndarray]] = {
        "density": [],
        "silhouette": [],
        "other_class_distance": [],
    }
    for _ in range(sets):
        (real, _), (rows, label) = SHAPES[shape](300, rng), SHAPES[shape](300, rng)
        rows = SHRINK * rows
        reach = np.sort(cdist(real, real), axis=1)[:, 5]
        scores["density"].append((cdist(rows, real) <= reach).sum(axis=1) / 5)
        scores["silhouette"].append(silhouettes(rows, label))
        scores["other_class_distance"].append(other_class_distances(rows, label))
    for key, found in scores.items():
        means, errors = (
            np.array([measure(score) for score in found])
            for measure in (np.mean, lambda score: np.std(score) / np.sqrt(300))
        )
        hits = int((np.abs(means - means.mean()) <= 1.96 * errors).sum())
        assert not within(hits, sets, 0.93, 0.97), (key, hits)


def test_a_difference_against_the_same_real_images_is_not_blurred_by_them() -> None:
    rng = np.random.default_rng(3)
    real = SHAPES["apart"](300, rng)[0]
    first = SHAPES["apart"](300, rng)[0]
    one, other = fidelity(real, SHRINK * first), fidelity(real, 0.8 * first)
    for key in ("density", "recall"):
        a, b = one[key], other[key]
        change = difference(a, b)
        apart = np.hypot(a.high - a.low, b.high - b.low)
        assert change.high - change.low < apart
