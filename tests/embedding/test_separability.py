"""Scores of classes against plain loops, closed forms on the sphere."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cdp.embedding.classes import linear_probe, neighbour_hits, other_class_distances, silhouettes
from cdp.embedding.distances import alignment, classifier_auc, mmd, uniformity
from cdp.embedding.images import Real
from cdp.embedding.intervals import difference, p_value
from cdp.embedding.measure import measure
from cdp.embedding.report import real_baseline
from cdp.errors import InputError
from cdp.values.types import Interval


def clusters(
    n: int = 150, apart: float = 3.0, seed: int = 0, classes: int = 3, d: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes around the corners of a simplex."""
    label = np.arange(n) % classes
    return (
        np.random.default_rng(seed).normal(size=(n, d)) + apart * np.eye(classes, d)[label],
        label,
    )


def test_silhouettes_equal_the_definition() -> None:
    rows, label = clusters(30, 1.0)
    away = np.linalg.norm(rows[:, None] - rows, axis=2)
    for i, found in enumerate(silhouettes(rows, label)):
        inside = np.mean([away[i, j] for j in range(30) if label[j] == label[i] and j != i])
        other = min(away[i][label == c].mean() for c in range(3) if c != label[i])
        assert found == pytest.approx((other - inside) / max(inside, other))


def test_neighbour_votes_equal_a_plain_count_and_the_nearest_decides_a_tie() -> None:
    rows, label = clusters(60, 1.0)
    away = np.linalg.norm(rows[:, None] - rows, axis=2) + np.diag([np.inf] * 60)
    for i, hit in enumerate(neighbour_hits(rows, label, k=4)):
        near = label[np.argsort(away[i])[:4]]
        most = np.bincount(near, minlength=3)
        winner = (
            next(c for c in near if most[c] == most.max())
            if (most == most.max()).sum() == 1
            else None
        )
        if winner is not None:
            assert hit == (winner == label[i])
    line = np.array([[0.0], [1.0], [-1.5], [50.0]])
    assert neighbour_hits(line, np.array([0, 0, 1, 1]), k=2)[0]
    assert not neighbour_hits(line, np.array([0, 1, 0, 1]), k=2)[0]


def test_other_class_distances_equal_a_plain_loop() -> None:
    rows, label = clusters(40)
    expected = [
        min(np.linalg.norm(rows[i] - rows[j]) for j in range(40) if label[j] != label[i])
        for i in range(40)
    ]
    np.testing.assert_allclose(other_class_distances(rows, label), expected)


def test_a_probe_separates_what_is_apart_and_guesses_what_is_not() -> None:
    apart, together = (linear_probe(*clusters(300, gap)) for gap in (12.0, 0.0))
    assert apart.hit.all() and apart.margin.min() > 0.5
    assert together.hit.mean() == pytest.approx(1 / 3, abs=0.1)
    np.testing.assert_array_equal(apart.hit, apart.margin > 0)


def test_alignment_and_uniformity_equal_the_mean_over_all_pairs() -> None:
    rows, label = clusters(24)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    squared = ((unit[:, None] - unit) ** 2).sum(2)
    pairs = ~np.eye(24, dtype=bool)
    assert alignment(rows, label).value == pytest.approx(
        squared[pairs & (label[:, None] == label)].mean()
    )
    assert uniformity(rows).value == pytest.approx(np.log(np.exp(-2 * squared[pairs]).mean()))


def test_collapsed_classes_align_perfectly_and_an_even_circle_has_its_closed_form() -> None:
    label = np.arange(40) % 2
    assert alignment(np.eye(2)[label], label).value == pytest.approx(0, abs=1e-12)
    assert uniformity(np.ones((30, 3))).value == pytest.approx(0, abs=1e-9)
    angle = 2 * np.pi * np.arange(64) / 64
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert uniformity(circle).value == pytest.approx(
        np.log(np.exp(-4 * (1 - np.cos(angle[1:]))).mean())
    )


def test_what_cannot_be_told_from_real_has_half_an_area_and_no_discrepancy() -> None:
    rng = np.random.default_rng(0)
    real, same, other = (
        rng.normal(size=(400, 3)),
        rng.normal(size=(300, 3)),
        rng.normal(size=(300, 3)) + 4,
    )
    found = classifier_auc(real, same)
    assert found.low < 0.56 and 0.4 < found.value < 0.6
    assert classifier_auc(real, other).low > 0.99
    near, far = mmd(real, same), mmd(real, other)
    assert near.low < 0 < near.high < far.low


def test_the_discrepancy_equals_its_unbiased_definition() -> None:
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(12, 2)), rng.normal(size=(9, 2)) + 1
    both = np.concatenate([real, fake])
    squared = ((both[:, None] - both) ** 2).sum(2)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(21, 1)]))
    terms = [
        np.mean([kernel[i, j] for i in side for j in side if i != j])
        for side in (range(12), range(12, 21))
    ]
    assert mmd(real, fake).value == pytest.approx(sum(terms) - 2 * kernel[:12, 12:].mean())


def test_the_area_is_that_of_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    from cdp.embedding.classes import standardised_logistic

    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(80, 2)), rng.normal(size=(60, 2)) + 0.7
    both, side = np.concatenate([real, fake]), np.repeat([0, 1], [80, 60])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    score = cross_val_predict(
        standardised_logistic(), both, side, cv=folds, method="predict_proba"
    )[:, 1]
    assert classifier_auc(real, fake, seed=0).value == pytest.approx(roc_auc_score(side, score))


def test_workers_measure_classes_as_this_process_does() -> None:
    (rows, label), (train, _), (real, real_label) = (
        clusters(150),
        clusters(150, seed=5),
        clusters(120, seed=6),
    )
    against = Real(real, real_baseline(train, real, real_label), real_label)
    here, shared = (measure(rows, label, against, workers=workers) for workers in (0, 2))
    assert any("real_auc" in figures for figures in here.per_class.values())
    # A difference in the last digits is that of one and two threads.
    assert asdict(shared)["undefined"] == asdict(here)["undefined"]
    for value, figures in here.per_class.items():
        assert list(shared.per_class[value]) == list(figures)
        for key, figure in figures.items():
            other = shared.per_class[value][key]
            assert (other.value, other.low, other.high) == pytest.approx(
                (figure.value, figure.low, figure.high), rel=1e-6, abs=1e-12
            )


def test_a_measurement_has_every_figure_and_those_of_classes() -> None:
    (rows, label), (train, _), (real, real_label) = (
        clusters(150),
        clusters(150, seed=5),
        clusters(120, seed=6),
    )
    found = measure(rows, label, Real(real, real_baseline(train, real, real_label)))
    assert not found.undefined and len(found.figures) == 16
    assert all(figure.low <= figure.value <= figure.high for figure in found.figures.values())
    assert set(found.per_class) == {0, 1, 2}
    of_class = [found.per_class[c]["silhouette"].value for c in range(3)]
    assert np.mean(of_class) == pytest.approx(found.figures["silhouette"].value)
    assert measure(rows, label).figures["silhouette"] == found.figures["silhouette"]


@pytest.mark.parametrize(
    ("rows", "label", "missing"),
    [
        (
            clusters(60)[0],
            np.zeros(60, int),
            {"separation", "silhouette", "knn_accuracy", "probe_accuracy", "other_class_distance"},
        ),
        (np.ones((60, 3)), np.arange(60) % 3, {"separation"}),
        (
            clusters(6)[0],
            np.arange(6),
            {"silhouette", "knn_accuracy", "probe_accuracy", "alignment"},
        ),
        (np.zeros((40, 3)), np.arange(40) % 2, {"alignment", "uniformity"}),
    ],
)
def test_degenerate_sets_keep_what_is_defined_and_say_why_the_rest_is_not(
    rows: np.ndarray, label: np.ndarray, missing: set[str]
) -> None:
    found = measure(rows, label, by_class=False)
    assert missing <= set(found.undefined)
    assert not set(found.undefined) & set(found.figures)
    assert all(len(reason) > 20 for reason in found.undefined.values())


def test_identical_sets_do_not_differ_and_levels_must_agree() -> None:
    figures = measure(*clusters(90), by_class=False).figures
    for figure in figures.values():
        change = difference(figure, figure)
        assert change.value == 0 and change.note and p_value(change) == 1
    with pytest.raises(InputError, match="level"):
        difference(Interval(0, 0, 0, 2, 0.9), Interval(0, 0, 0, 2, 0.95))
