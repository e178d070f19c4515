"""From features to the model's quantities: right on Gaussian data whose truth is known, honest in
small sets, and plain on bad input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cdp.errors import InputError
from cdp.theory.from_features import FeatureEstimate, _Summary, estimate_from_features


@dataclass(frozen=True)
class World:
    """K class means of a set and of real images with a known angle between them, and noise whose
    spread falls off over coordinates."""

    classes: int = 4
    width: int = 40
    separation: float = 0.8
    real: float = 1.2
    degrees: float = 35.0
    decay: float = 2.0
    heavy: bool = False

    @property
    def spread(self) -> np.ndarray:
        return np.exp(-self.decay * np.arange(self.width) / self.width)

    @property
    def dimension(self) -> float:
        variance = self.spread**2
        return float(variance.sum() ** 2 / np.square(variance).sum())

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(11)
        base, other = (
            part - part.mean(axis=0) for part in rng.standard_normal((2, self.classes, self.width))
        )
        other -= base * (other * base).sum() / (base**2).sum()
        other *= np.linalg.norm(base) / np.linalg.norm(other)
        turn = math.radians(self.degrees)
        variance = self.spread**2
        scale = math.sqrt(np.square(variance).sum() / variance.sum())

        def sized(means: np.ndarray, separation: float) -> np.ndarray:
            apart = [np.square(a - b).sum() for i, a in enumerate(means) for b in means[:i]]
            return means * 2 * scale * separation / math.sqrt(np.mean(apart))

        return sized(math.cos(turn) * base + math.sin(turn) * other, self.separation), sized(
            base, self.real
        )

    def drawn(
        self, means: np.ndarray, each: int, seed: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(self.classes), each)
        shape = (len(labels), self.width)
        noise = (
            rng.laplace(scale=1 / math.sqrt(2), size=shape)
            if self.heavy
            else rng.standard_normal(shape)
        )
        return means[labels] + noise * self.spread, labels

    def estimate(self, each: int, seed: int, real_each: int = 120) -> FeatureEstimate:
        made, real = self.means()
        features, labels = self.drawn(made, each, (seed, 1))
        reference, reference_labels = self.drawn(real, real_each, (seed, 2))
        return estimate_from_features(
            features, labels, reference=(reference, reference_labels), seed=seed
        )


@pytest.mark.parametrize(
    ("world", "each"),
    [
        (World(), 15),
        (World(classes=2, decay=0.0, width=12), 40),
        (World(heavy=True), 25),
        (World(width=150), 40),
    ],
)
def test_intervals_hold_the_truth_and_small_sets_are_not_flattered(world: World, each: int) -> None:
    trials = 60
    found = [world.estimate(each, seed) for seed in range(trials)]
    truths = {
        "separation": world.separation,
        "dimension": world.dimension,
        "angle": world.degrees,
        "ratio": world.separation / world.real,
    }
    for name, truth in truths.items():
        intervals = [interval for one in found if (interval := getattr(one, name)) is not None]
        held = sum(one.low <= truth <= one.high for one in intervals)
        assert len(intervals) > 0.75 * trials and held >= 0.88 * len(intervals), (
            name
        )  # of 95 %, two standard errors left
        if name != "angle":  # the cosine is unbiased, its arc is not
            values = np.array([one.value for one in intervals])
            assert abs(values.mean() - truth) < 0.05 * truth, name


def test_the_cosine_is_not_flattered_by_noise_either() -> None:
    world = World(degrees=60.0)
    cosines = [
        math.cos(math.radians(one.angle.value))
        for one in (world.estimate(20, seed) for seed in range(80))
        if one.angle
    ]
    assert np.mean(cosines) == pytest.approx(0.5, abs=4 * np.std(cosines) / math.sqrt(80) + 0.01)


@pytest.mark.parametrize("decay", [0.0, 2.0])
@pytest.mark.parametrize(
    ("width", "sizes"),
    [
        (500, (10, 10)),
        (500, (4, 4)),
        (500, (4, 5, 30)),
        (100, (10,) * 10),
        (30, (4, 4)),
        (12, (3, 5, 9)),
    ],
)
def test_traces_are_unbiased_in_small_classes(
    width: int, sizes: tuple[int, ...], decay: float
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    spread = World(width=width, decay=decay).spread
    rng = np.random.default_rng(7)
    found = [
        _Summary.of(rng.standard_normal((len(labels), width)) * spread, labels, len(sizes))
        for _ in range(400)
    ]
    totals, squares = (
        np.array([one.total for one in found]),
        np.array([one.square for one in found]),
    )
    for values, truth in ((totals, (spread**2).sum()), (squares, (spread**4).sum())):
        assert abs(values.mean() - truth) < 3 * values.std() / math.sqrt(len(values))
    # Of a variance's own estimate from 800 draws, 5 % is one standard error.
    assert np.mean([one.spare for one in found]) == pytest.approx(totals.var(), rel=0.25)


@pytest.mark.parametrize(
    ("world", "each"),
    [
        (World(classes=2, width=500, decay=0.0), 10),
        (World(classes=2, width=60), 4),
        (World(classes=10, width=500), 10),
    ],
)
def test_intervals_of_very_small_sets_hold_the_truth(world: World, each: int) -> None:
    made = world.means()[0]
    found = [
        estimate_from_features(*world.drawn(made, each, (seed, 8)), seed=seed)
        for seed in range(100)
    ]
    for name, truth in (("separation", world.separation), ("dimension", world.dimension)):
        assert (
            sum(getattr(one, name).low <= truth <= getattr(one, name).high for one in found) >= 91
        ), name
    assert np.median([one.dimension.value for one in found]) == pytest.approx(
        world.dimension, rel=0.1
    )


def test_a_large_set_comes_close() -> None:
    world = World()
    found = world.estimate(4000, 0, 4000)
    assert found.angle and found.ratio and found.real
    assert found.separation.value == pytest.approx(world.separation, rel=0.02)
    assert found.dimension.value == pytest.approx(world.dimension, rel=0.02)
    assert found.angle.value == pytest.approx(world.degrees, abs=1.5)
    assert found.real.value == pytest.approx(world.real, rel=0.02)
    assert found.separation.n == 16_000


def test_classes_that_are_one_have_no_separation_and_no_angle() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    found = [
        estimate_from_features(rng.standard_normal((120, 60)), labels, seed=seed)
        for seed in range(60)
    ]
    assert sum(one.separation.low == 0 for one in found) >= 55
    assert np.mean([one.separation.value for one in found]) < 0.2  # uncorrected it would be 0.87
    real = World(classes=3, width=60).means()[1][labels] * 3 + rng.standard_normal((120, 60))
    blurred = next(one for one in found if one.separation.low == 0)
    assert blurred.angle is None
    mixed = estimate_from_features(
        rng.standard_normal((120, 60)) * 1.0, labels, reference=(real, labels)
    )
    assert (mixed.angle is None) == (mixed.separation.low == 0)


def test_pairs_are_every_two_classes_nearest_first_and_average_to_the_whole() -> None:
    features, labels = World().drawn(World().means()[0], 400, (3, 3))
    found = estimate_from_features(features, labels * 10 + 5)
    assert sorted(pair[:2] for pair in found.pairs) == [
        (a, b) for a in (5, 15, 25, 35) for b in (5, 15, 25, 35) if a < b
    ]
    apart = [pair[2] for pair in found.pairs]
    assert apart == sorted(apart)
    assert math.sqrt(np.mean(np.square(apart))) == pytest.approx(found.separation.value, rel=1e-9)


def test_turning_moving_and_scaling_features_changes_nothing() -> None:
    world = World()
    features, labels = world.drawn(world.means()[0], 30, (4, 4))
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((world.width, world.width)))
    first, second = (
        estimate_from_features(features, labels),
        estimate_from_features(1e4 * features @ turn + 500, labels),
    )
    for name in ("separation", "dimension"):
        one, other = getattr(first, name), getattr(second, name)
        np.testing.assert_allclose(
            [one.value, one.low, one.high], [other.value, other.low, other.high], rtol=1e-6
        )


def test_real_images_of_other_classes_are_left_out_and_order_does_not_count() -> None:
    world = World()
    made, real = world.means()
    features, labels = world.drawn(made, 40, (5, 5))
    reference, reference_labels = world.drawn(real, 40, (6, 6))
    more = np.concatenate([reference, reference + 99])
    numbers = np.concatenate([reference_labels, np.full(len(reference), 8)])
    plain = estimate_from_features(features, labels, reference=(reference, reference_labels))
    extra = estimate_from_features(features, labels, reference=(more, numbers))
    assert (
        plain.angle
        and extra.angle
        and plain.angle.value == pytest.approx(extra.angle.value, rel=1e-9)
    )


FEATURES = np.random.default_rng(0).standard_normal((40, 6))
LABELS = np.arange(40) % 2
HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("features has shape", {"features": np.zeros(40)}),
    ("features has shape", {"features": np.zeros((40, 0))}),
    ("features has shape", {"features": np.full((40, 6), "x")}),
    ("features has NaN", {"features": np.where(np.eye(40, 6) > 0, np.nan, FEATURES)}),
    ("labels of features", {"labels": LABELS[:-1]}),
    ("labels of features", {"labels": LABELS + 0.5}),
    ("features has 1 classes", {"labels": np.zeros(40, int)}),
    ("the smallest of 1 images", {"labels": np.where(np.arange(40) == 0, 7, 0)}),
    ("features has 0 classes", {"features": np.zeros((0, 6)), "labels": np.zeros(0, int)}),
    ("features do not vary within classes", {"features": LABELS[:, None] * np.ones((40, 6))}),
    ("features do not vary within classes", {"features": np.full((40, 6), 0.1)}),
    (
        "reference has 5 features where the set has 6",
        {"reference": (FEATURES[:, :5], LABELS)},
    ),
    (
        "class 0 of the set has no real images",
        {"reference": (FEATURES, LABELS + 1)},
    ),
    ("reference has NaN", {"reference": (FEATURES * np.inf, LABELS)}),
]


@pytest.mark.parametrize(("message", "change"), HOSTILE)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_features_are_named_with_a_remedy(message: str, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"features": FEATURES, "labels": LABELS} | change
    with pytest.raises(InputError, match=message):
        estimate_from_features(given.pop("features"), given.pop("labels"), **given)


def test_very_few_images_give_an_interval_or_a_reason() -> None:
    for seed in range(30):
        features = np.random.default_rng(seed).standard_normal((8, 30))
        try:
            found = estimate_from_features(features, np.arange(8) % 2)
        except InputError as error:
            assert "too few" in str(error)
        else:
            assert 1 <= found.dimension.low <= found.dimension.value <= found.dimension.high <= 30
