"""Class against class: naive loops, Gaussians whose answers are known, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cdp.embedding.classes import (
    between_within_ratio,
    class_pairs,
    clear_pairs,
    pair_difference,
    separation_interval,
)
from cdp.embedding.rows import UndefinedError
from cdp.errors import InputError
from cdp.statistics.shares import wilson

NAMES = (2, 5, 9)


def clusters(
    n: int = 240, apart: float = 1.5, d: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    code = np.arange(n) % 3
    return (
        np.random.default_rng(seed).normal(size=(n, d)) + apart * np.eye(3, d)[code],
        np.array(NAMES)[code],
    )


def test_confusion_is_the_share_of_each_class_among_the_nearest_others() -> None:
    rows, label = clusters(90)
    found = class_pairs(rows, label, k=4)
    away = cdist(rows, rows)
    for a in NAMES:
        votes = [
            label[j]
            for i in np.flatnonzero(label == a)
            for j in sorted(range(90), key=lambda j: (j == i, away[i, j]))[:4]
        ]
        for b in NAMES:
            assert found.confusion[a, b].value == pytest.approx(votes.count(b) / len(votes))
        assert sum(found.confusion[a, b].value for b in NAMES) == pytest.approx(1)


def test_separation_is_the_ratio_of_these_two_classes_alone_with_its_interval() -> None:
    rows, label = clusters()
    found = class_pairs(rows, label)
    assert set(found.separation) == {(2, 5), (2, 9), (5, 9)}
    for (a, b), figure in found.separation.items():
        two = (label == a) | (label == b)
        alone = separation_interval(rows[two], label[two], seed=1)
        assert figure.value == pytest.approx(between_within_ratio(rows[two], label[two]))
        assert (figure.low, figure.high) == pytest.approx(
            (alone.low, alone.high), rel=0.25
        ) and figure.n == 160


def test_intervals_of_two_gaussians_cover_the_known_ratio_about_as_often_as_they_say() -> None:
    # Means at +-mu in d dimensions of unit variance: |mu|^2 / d.
    hits = 0
    for seed in range(60):
        label = np.arange(120) % 2
        rows = (
            np.random.default_rng(seed).normal(size=(120, 3)) + np.where(label, 0.8, -0.8)[:, None]
        )
        figure = class_pairs(rows, label, seed=seed).separation[0, 1]
        hits += figure.low <= 0.64 <= figure.high
    assert 51 <= hits <= 60


def test_intervals_of_confusion_cover_the_long_run_share_and_are_never_of_no_width() -> None:
    found = [class_pairs(*clusters(300, seed=seed), k=1).confusion[2, 5] for seed in range(40)]
    long_run = np.mean([figure.value for figure in found])
    assert sum(figure.low <= long_run <= figure.high for figure in found) >= 35
    far = class_pairs(*clusters(90, apart=50.0)).confusion
    assert far[2, 2].value == 1 and far[2, 5].value == 0
    assert (far[2, 5].low, far[2, 5].high) == pytest.approx((0, wilson(0, 30).high), abs=0.03)


def test_a_difference_is_that_of_the_values_and_of_a_set_from_itself_it_is_none() -> None:
    near, far = class_pairs(*clusters(apart=1.0)), class_pairs(*clusters(apart=4.0, seed=1))
    change = pair_difference(far, near)
    for pair, figure in change.separation.items():
        assert figure.value == pytest.approx(
            far.separation[pair].value - near.separation[pair].value
        )
        assert 0 < figure.low < figure.value < figure.high
    assert change.confusion[2, 5].high < 0 < change.confusion[2, 2].low
    same = pair_difference(near, near)
    assert all(
        f.value == 0 and f.note and f.low < 0 < f.high
        for f in [*same.confusion.values(), *same.separation.values()]
    )


def test_pairs_in_common_only_are_compared() -> None:
    rows, label = clusters()
    part = label != 9
    change = pair_difference(class_pairs(rows, label), class_pairs(rows[part], label[part]))
    assert change.classes == (2, 5) and set(change.separation) == {(2, 5)}


def test_classes_that_never_vary_have_no_separation_but_neighbours() -> None:
    found = class_pairs(np.repeat(np.eye(2), 20, axis=0), np.repeat([0, 1], 20))
    assert not found.separation
    assert found.confusion[0, 0].value == 1


def test_what_has_no_pairs_is_said() -> None:
    with pytest.raises(UndefinedError, match="one class"):
        class_pairs(np.ones((30, 2)), np.zeros(30, int))
    with pytest.raises(UndefinedError, match="no 10 neighbours"):
        class_pairs(*clusters(9))
    with pytest.raises(InputError, match="k is 0"):
        class_pairs(*clusters(), k=0)


def test_changed_pairs_are_corrected_for_their_number() -> None:
    wrong = {"confusion": 0, "separation": 0}
    for seed in range(60):
        change = pair_difference(*(class_pairs(*clusters(seed=2 * seed + side)) for side in (0, 1)))
        for kind in wrong:
            wrong[kind] += bool(
                clear_pairs(
                    {
                        pair: figure
                        for pair, figure in getattr(change, kind).items()
                        if pair[0] != pair[1]
                    }
                )
            )
    assert max(wrong.values()) <= 7  # 3 of 60 expected; more than 7 come in 1 of 100 such tests
    apart = pair_difference(
        class_pairs(*clusters(apart=4.0)), class_pairs(*clusters(apart=1.0, seed=1))
    )
    assert clear_pairs(apart.separation) == {(2, 5), (2, 9), (5, 9)}
