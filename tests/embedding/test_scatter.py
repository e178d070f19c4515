"""Between/within ratio: its known value on Gaussians, naive oracles, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import calinski_harabasz_score

from cdp.embedding.classes import between_within_ratio, separation_difference, separation_interval
from cdp.embedding.rows import UndefinedError, leave_out
from cdp.errors import InputError


def clusters(
    per_class: int, *, ratio: float = 4.0, classes: int = 10, width: int = 16, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes N(mu_c, I) whose mean_c |mu_c - mu|^2 / width is ``ratio``."""
    means = np.random.default_rng(99).normal(size=(classes, width))
    means -= means.mean(0)
    means *= np.sqrt(ratio * width / np.square(means).sum(1).mean())
    labels = np.repeat(np.arange(classes), per_class)
    return means[labels] + np.random.default_rng(seed).normal(size=(len(labels), width)), labels


def naive_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    n, names = len(labels), sorted(set(labels.tolist()))
    grand = sum(features) / n
    between = within = 0.0
    for name in names:
        rows = [x for x, y in zip(features, labels, strict=True) if y == name]
        mean = sum(rows) / len(rows)
        between += len(rows) * float(((mean - grand) ** 2).sum())
        within += sum(float(((x - mean) ** 2).sum()) for x in rows)
    variance = within / (n - len(names))
    return (between - (len(names) - 1) * variance) / n / variance


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(8, 30),
    width=st.integers(1, 6),
    shift=st.floats(-1e3, 1e3),
)
def test_the_ratio_equals_the_naive_loop(seed: int, n: int, width: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(shift, 1, (n, width))
    labels = np.concatenate([[0, 3], rng.choice([0, 3, 7], n - 2)])
    assert between_within_ratio(features, labels) == pytest.approx(
        naive_ratio(features, labels), rel=1e-6, abs=1e-9
    )


def test_the_ratio_follows_from_the_calinski_harabasz_score_of_scikit_learn() -> None:
    features, labels = clusters(7)
    score = calinski_harabasz_score(features, labels)  # (SB / (K - 1)) / (SW / (n - K))
    assert between_within_ratio(features, labels) == pytest.approx((score - 1) * 9 / 70)


@pytest.mark.parametrize("per_class", (2, 6, 200))
@pytest.mark.parametrize("ratio", (0.0, 0.5, 4.0))
def test_the_ratio_does_not_depend_on_the_number(per_class: int, ratio: float) -> None:
    found = [
        between_within_ratio(*clusters(per_class, ratio=ratio, seed=seed)) for seed in range(40)
    ]
    assert np.mean(found) == pytest.approx(ratio, abs=0.1 * ratio + 0.02)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_moving_scaling_and_turning_leave_the_ratio_alone(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    features, labels = clusters(3, classes=4, width=5, seed=seed)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    order = rng.permutation(len(labels))
    expected = between_within_ratio(features, labels)
    assert between_within_ratio(
        (features @ turn * scale + 3)[order], labels[order] * 5 - 2
    ) == pytest.approx(expected, rel=1e-6)


def test_the_interval_is_that_of_ratios_without_each_group_of_images() -> None:
    rng = np.random.default_rng(7)
    features, labels = clusters(9, classes=4, width=3, seed=8)
    order = rng.permutation(len(labels))[:33]
    features, labels = features[order], labels[order]
    groups, count = leave_out(labels, seed=9)
    without = np.array(
        [naive_ratio(features[groups != group], labels[groups != group]) for group in range(count)]
    )
    found = separation_interval(features, labels, seed=9)
    assert found.value == pytest.approx(naive_ratio(features, labels))
    assert found.error == pytest.approx(
        np.sqrt((count - 1) / count * np.square(without - without.mean()).sum()), rel=1e-9
    )
    assert found.low < found.value < found.high and found.n == 33


def test_a_paired_difference_leaves_the_same_images_out_of_both_arms() -> None:
    first, labels = clusters(12, classes=4, width=3, seed=8)
    second = first + np.random.default_rng(1).normal(0, 0.05, first.shape)
    found = separation_difference(first, second, labels, seed=9)
    assert found.value == pytest.approx(naive_ratio(first, labels) - naive_ratio(second, labels))
    alone = separation_interval(first, labels, seed=9)
    assert found.high - found.low < (alone.high - alone.low) / 4


def test_labels_that_mean_nothing_have_an_interval_around_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [
        separation_interval(rng.normal(size=(60, 8)), np.arange(60) % 6, seed=seed)
        for seed in range(60)
    ]
    assert np.mean([i.low <= 0 <= i.high for i in found]) >= 0.85
    assert all(i.low <= i.value <= i.high for i in found)


@pytest.mark.parametrize("per_class", (3, 6, 30))
def test_the_interval_covers_the_truth_also_with_few_images_a_class(per_class: int) -> None:
    found = [separation_interval(*clusters(per_class, seed=seed), seed=seed) for seed in range(60)]
    covered = np.mean([i.low <= 4.0 <= i.high for i in found])
    assert covered >= 0.85


BLANK = np.zeros((6, 3))
PAIRS = np.array([0, 0, 1, 1, 2, 2])
RANDOM = np.random.default_rng(0).normal(size=(6, 3))


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (RANDOM, np.zeros(6, int), "all images are of one class"),
        (RANDOM, np.arange(6), "every class has one image only"),
        (RANDOM[:1], PAIRS[:1], "one class"),
        (BLANK, PAIRS, "do not vary within any class"),
        (BLANK + 0.1, PAIRS, "do not vary within any class"),
        (BLANK + PAIRS[:, None] / 3, PAIRS, "do not vary within any class"),
        (RANDOM[:0], PAIRS[:0], "at least 1"),
    ],
)
def test_the_ratio_is_undefined_where_there_is_nothing_to_compare(
    features: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(UndefinedError, match=message):
        between_within_ratio(features, labels)
    with pytest.raises(UndefinedError, match=message):
        separation_interval(features, labels)


def test_two_classes_of_two_images_have_a_ratio_but_no_interval() -> None:
    assert np.isfinite(between_within_ratio(RANDOM[:4], PAIRS[:4]))
    with pytest.raises(UndefinedError, match="too few for an interval"):
        separation_interval(RANDOM[:4], PAIRS[:4])


def with_value(value: float, *, row: int) -> np.ndarray:
    features = RANDOM.copy()
    features[row, 1] = value
    return features


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (with_value(np.nan, row=2), PAIRS, "NaN or infinity in row 2"),
        (with_value(np.inf, row=4), PAIRS, "NaN or infinity in row 4"),
        (RANDOM[0], PAIRS, r"pass rows of numbers \(n, d\)"),
        (RANDOM[:, :0], PAIRS, r"pass rows of numbers \(n, d\)"),
        (RANDOM.astype(str), PAIRS, "rows of numbers"),
        (RANDOM, PAIRS[:4], "pass 6 integer class numbers"),
        (RANDOM, PAIRS.astype(float), "integer class numbers"),
    ],
)
def test_broken_input_is_refused_with_the_place_named(
    features: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        between_within_ratio(features, labels)
    assert not isinstance(caught.value, UndefinedError)


def test_arms_of_different_sizes_are_not_paired() -> None:
    with pytest.raises(InputError, match="not paired"):
        separation_difference(RANDOM, RANDOM[:4], PAIRS)
