"""What must hold of all figures of a set together: invariances, order."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.embedding.classes import between_within_ratio
from cdp.embedding.distances import frechet_interval
from cdp.embedding.images import Real
from cdp.embedding.intervals import difference
from cdp.embedding.measure import Measurement, measure
from cdp.embedding.neighbours import fidelity
from cdp.embedding.report import real_baseline
from cdp.embedding.rows import UndefinedError
from tests.embedding.test_separability import clusters

DIMENSIONS = 6


def world(apart: float = 3.0, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Real]:
    """A set of three Gaussian classes, and real images of the same kind."""
    rows, label = clusters(180, apart, seed, d=DIMENSIONS)
    held_out, real_label = clusters(240, 3.0, 50, d=DIMENSIONS)
    train, _ = clusters(300, 3.0, 51, d=DIMENSIONS)
    return rows, label, Real(held_out, real_baseline(train, held_out, real_label), real_label)


def measured(rows: np.ndarray, label: np.ndarray, real: Real) -> Measurement:
    return measure(rows, label, real)


def turned(real: Real, turn: np.ndarray) -> Real:
    assert real.baseline is not None and real.label is not None
    return Real(
        real.features @ turn,
        real_baseline(real.baseline.train @ turn, real.features @ turn, real.label),
        real.label,
    )


def test_a_rotation_of_the_feature_space_changes_no_figure() -> None:
    rows, label, real = world()
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    before, after = measured(rows, label, real), measured(rows @ turn, label, turned(real, turn))
    for key, figure in before.figures.items():
        # The linear probe standardises each feature, which a rotation changes a little.
        tolerance = 0.05 if key in ("probe_accuracy", "probe_margin", "real_auc") else 1e-3
        assert after.figures[key].value == pytest.approx(figure.value, abs=tolerance), key


def test_the_order_of_the_images_changes_no_figure() -> None:
    rows, label, real = world()
    mixed = np.random.default_rng(3).permutation(len(rows))
    before, after = measured(rows, label, real), measured(rows[mixed], label[mixed], real)
    for key, figure in before.figures.items():
        tolerance = (
            0.05
            if key in ("probe_accuracy", "probe_margin", "real_auc")
            else 0.03
            if key == "frechet"
            else 1e-3
        )  # folds and groups follow the order
        assert after.figures[key].value == pytest.approx(figure.value, abs=tolerance), key


def test_more_separation_scores_higher_on_every_figure_of_separability() -> None:
    near, far = (measured(*world(apart)) for apart in (1.0, 4.0))
    for key in (
        "separation",
        "silhouette",
        "knn_accuracy",
        "probe_accuracy",
        "probe_margin",
        "other_class_distance",
    ):
        assert far.figures[key].value > near.figures[key].value, key
    assert far.figures["alignment"].value < near.figures["alignment"].value


def test_a_set_against_itself_scores_no_difference() -> None:
    once = measured(*world())
    for key, figure in once.figures.items():
        change = difference(figure, figure)
        assert change.value == 0, key
        assert change.low <= 0 <= change.high, key


def test_every_class_has_the_figures_of_its_own_images_against_real_ones_of_its_class() -> None:
    rows, label, real = world()
    assert real.label is not None
    found = measured(rows, label, real).per_class
    assert set(found) == {0, 1, 2}
    for value, figures in found.items():
        mine, theirs = rows[label == value], real.features[real.label == value]
        assert figures["separation"].value == pytest.approx(
            between_within_ratio(rows, (label == value).astype(int))
        )
        try:
            distance = frechet_interval(
                theirs, mine, np.full(len(theirs), value), np.full(len(mine), value)
            ).value
        except UndefinedError:
            assert "frechet" not in figures
        else:
            assert figures["frechet"].value == pytest.approx(distance)
        balls = fidelity(theirs, mine)
        assert all(figures[key].value == balls[key].value for key in ("precision", "coverage"))
        assert figures["nearest"].n == len(mine)
        assert {
            "silhouette",
            "alignment",
            "uniformity",
            "recall",
            "density",
            "real_auc",
            "mmd",
        } <= set(figures)


def test_one_class_has_no_separation_and_still_its_fidelity() -> None:
    rows, label, real = world()
    alone = measured(rows[label == 1], label[label == 1], real)
    assert "separation" not in alone.per_class[1]
    assert "coverage" in alone.per_class[1]
    assert "separation" in alone.undefined


def test_classes_too_small_have_no_neighbour_accuracy() -> None:
    rng = np.random.default_rng(0)
    sizes = (40, 30, 10, 4)
    label = np.repeat(np.arange(4), sizes)
    some = measure(rng.normal(size=(84, 3)), label)
    assert "knn_accuracy" in some.figures and "class 2, 3" in some.undefined["knn_accuracy"]
    assert [("knn_accuracy" in some.per_class[value]) for value in range(4)] == [1, 1, 0, 0]
    most = measure(rng.normal(size=(24, 3)), np.repeat(np.arange(3), 8))
    assert "knn_accuracy" not in most.figures and "11 or more" in most.undefined["knn_accuracy"]
    assert "silhouette" in most.figures
