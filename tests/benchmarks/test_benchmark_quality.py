"""Quality and study: differences of shares, memorisation found where it is, overlaps as in
cdp.embedding, cards kept true."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import arms, default_sampler, memorisation, quality, study_guidance
from benchmarks.arms import Arm, RealSide, compare, describe
from benchmarks.fidelity import share_difference, train_classifier
from benchmarks.results import Figure, Result
from cdp.config.generate import GenerateConfig, unflatten
from cdp.embedding.neighbours import fidelity
from cdp.errors import InputError
from cdp.models.checkpoints import sha256_of
from cdp.paths import ASSETS
from cdp.statistics.shares import wilson


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def images(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)


def test_the_difference_of_independent_shares_is_the_published_example() -> None:
    # Newcombe 1998, table II, row (a), method 10: 56/70 - 48/80 has the interval 0.0524 .. 0.3339.
    found = share_difference(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_copies_of_training_images_are_found_and_fresh_images_are_not(
    rng: np.random.Generator,
) -> None:
    train, test, fresh = images(rng, 400), images(rng, 200), images(rng, 200)

    def figures(samples: np.ndarray) -> dict[str, Figure]:
        found = memorisation.figures(
            samples, train, test, *(memorisation.flat(part) for part in (samples, train, test))
        )
        return {figure.key: figure for figure in found}

    honest, copied = figures(fresh), figures(train[:200])
    assert honest["nearest_ratio_pixels"].low <= 1 <= honest["nearest_ratio_pixels"].high
    assert honest["nearer_to_training"].low <= 50 <= honest["nearer_to_training"].high
    assert honest["near_copies_pixels"].value <= 5
    assert copied["nearest_ratio_pixels"].value == copied["nearest_ratio_features"].value == 0
    assert copied["near_copies_pixels"].value == copied["near_copies_features"].value == 200
    # Two parts of 200 training images, and each copy is in one of them.
    assert copied["nearer_to_training"].low > 60


def test_looking_part_by_part_finds_the_same_nearest_image(rng: np.random.Generator) -> None:
    samples, known = images(rng, 30), images(rng, 70)
    whole = memorisation.distances_by_part(samples, known, 70)
    naive = np.sqrt(
        ((memorisation.flat(samples)[:, None] - memorisation.flat(known)[None]) ** 2).sum(2)
    ).min(1)
    np.testing.assert_allclose(whole[0], naive, rtol=1e-5)
    np.testing.assert_array_equal(
        memorisation.distances_by_part(samples, known, 20).min(0), whole[0]
    )


def arm(rng: np.random.Generator, shift: float, count: int = 60) -> Arm:
    label = np.arange(count) % 3
    features = rng.normal(size=(count, 5)) + shift * np.eye(5)[label]
    return Arm(
        images(rng, count),
        label,
        np.where(rng.random(count) < 0.8, label, (label + 1) % 3),
        features,
    )


def test_overlap_with_real_images_is_that_of_the_library(rng: np.random.Generator) -> None:
    real, fake = rng.normal(size=(80, 5)), rng.normal(0.7, 1, size=(60, 5))
    overlap = RealSide(real).overlap(fake)
    known = fidelity(real, fake)
    assert (overlap.inside.mean(), overlap.recalled.mean()) == (
        known["precision"].value,
        known["recall"].value,
    )
    assert overlap.covered.mean() == known["coverage"].value


def test_an_arm_compared_with_itself_differs_by_nothing(rng: np.random.Generator) -> None:
    one, real = arm(rng, 2), RealSide(rng.normal(size=(50, 5)))
    found = list(compare("same", one, one, real))
    assert [figure.key for figure in found] == [figure.key for figure in describe(one, real)]
    assert all(figure.value == 0 for figure in found)


def test_a_better_separated_arm_shows_a_gain_with_its_interval(rng: np.random.Generator) -> None:
    found = {
        figure.key: figure
        for figure in compare("far", arm(rng, 6), arm(rng, 2), RealSide(rng.normal(size=(50, 5))))
    }
    assert found["separation"].low > 0
    assert found["pixel change"].value > 0


def test_the_study_crosses_losses_encoders_and_strengths_from_the_default_preset() -> None:
    plan = study_guidance.plan_of(
        study_guidance.arguments(["--losses", "supcon", "fisher", "--strengths", "0.1", "--quick"])
    )
    crossed = dict(plan.arms())
    assert len(crossed) == 2 * 3 and plan.count == 200
    config = plan.config(3, **crossed["fisher, noise-aware, 0.1"])
    assert (config.guidance.loss, config.guidance.point, config.seed) == ("fisher", "x_t", 3)
    assert plan.config(0, **crossed["supcon, robust, 0.1"]).guidance == type(config)().guidance


def test_a_finished_arm_is_not_made_again_and_another_seed_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    def counted(config: GenerateConfig, index: int) -> tuple[np.ndarray, np.ndarray]:
        made.append(config.seed)
        return images(np.random.default_rng(config.seed), 10).repeat(7, 1).repeat(7, 2), np.arange(
            10
        )

    monkeypatch.setattr(arms, "generate_batch", counted)
    first, again, other = (
        arms.load_or_make(unflatten({"count": 20, "batch": 10, "seed": seed})) for seed in (0, 0, 1)
    )
    assert made == [0, 0, 1, 1]
    for name in ("image", "label", "predicted", "features"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.image, other.image)


def test_the_classifier_of_the_samples_learns_from_them_and_is_reproducible(
    rng: np.random.Generator,
) -> None:
    label = np.arange(96) % 2
    image = np.where(label[:, None, None, None] == 1, 220, 30) + rng.integers(0, 30, (96, 8, 8, 1))
    image = image.astype(np.uint8)
    one, two = (train_classifier(image, label, classes=2, epochs=12) for _ in range(2))
    for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert bool((mine == theirs).all())
    assert not one.training


def test_too_few_samples_are_refused() -> None:
    assert default_sampler.main(["--count", "100"]) == 2
    with pytest.raises(InputError, match="100 or more"):
        quality.arguments(["--count", "99"])
    with pytest.raises(InputError, match="20 or more"):
        study_guidance.arguments(["--count", "19"])


def result_for(sha256: str) -> Result:
    config = {"count": 100, "sampler": {"steps": 20}}
    figure = Figure("agreement", 89.5, "%", 88.0, 91.0, 100, "95 %", key="agreement")
    return Result(
        "quality", "t", (figure,), {"config": config, "model_sha256": sha256}, {"taken": "now"}
    )


def test_the_card_takes_the_figures_of_its_own_weights_only(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ASSETS / "models" / "fashion-mnist", folder)
    before = json.loads((folder / "card.json").read_text())
    with pytest.raises(InputError, match="other weights"):
        quality.put_on_card(result_for("0" * 64), folder)
    assert json.loads((folder / "card.json").read_text()) == before
    quality.put_on_card(
        result_for(sha256_of(folder / "unet" / "diffusion_pytorch_model.safetensors")), folder
    )
    after = json.loads((folder / "card.json").read_text())
    assert (
        after["quality"]["figures"]["agreement"]["value"] == 89.5
        and after["quality"]["images"] == 100
    )
    assert {key: value for key, value in after.items() if key != "quality"} == {
        k: v for k, v in before.items() if k != "quality"
    }
