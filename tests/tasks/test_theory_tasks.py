"""Sample sets in the terms of the Gaussian model: what they are compared with, a disk that
remembers, and simulated points that do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cdp import paths
from cdp.config.theory import TheoryConfig
from cdp.errors import InputError, MissingError
from cdp.tasks import theory
from cdp.tasks.features import features
from cdp.tasks.theory import Place, place_of, points_of
from cdp.theory.from_features import estimate_from_features
from cdp.theory.views import SEPARATIONS, STRENGTHS
from tests.tasks.small_world import DATASET, JUDGE, TEST, make, make_world, real, without_torch

TRAINED = TheoryConfig(learner="adversarial-logistic", dim=6, nonzero=3, n=20)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Place]:
    """A home with the small data set, a set of unseen images, and its place."""
    home = tmp_path_factory.mktemp("known")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDP_HOME", str(home))
        make_world()
        image, label, _ = real("test")
        make("fresh", image[TEST : TEST + 400], label[TEST : TEST + 400])
        return home, place_of("fresh", encoder=JUDGE).get()


@pytest.fixture
def found(known: tuple[Path, Place], cdp_home: Path) -> Place:
    shutil.copytree(known[0], cdp_home)
    return known[1]


def test_a_set_is_compared_with_held_out_real_images_by_the_estimator(found: Place) -> None:
    image, label, names = real("test")
    mine, theirs = slice(TEST, TEST + 400), slice(0, TEST)
    wanted = estimate_from_features(
        features(JUDGE, DATASET, image[mine]),
        label[mine],
        reference=features(JUDGE, DATASET, image[theirs]),
        reference_labels=label[theirs],
    )
    assert (found.against, found.missing) == (f"{DATASET}:test", "")
    assert found.class_names == tuple(names)
    figures = found.figures
    assert (figures.separation, figures.dimension, figures.ratio, figures.angle, figures.real) == (
        wanted.separation,
        wanted.dimension,
        wanted.ratio,
        wanted.angle,
        wanted.real,
    )
    assert len(figures.pairs) == 45
    assert figures.pairs[0].separation == pytest.approx(np.nanmin(wanted.pairs))


def test_real_images_lie_where_real_images_do(found: Place) -> None:
    assert found.figures.ratio is not None and found.figures.angle is not None
    assert found.figures.ratio.low <= 1 <= found.figures.ratio.high
    assert found.figures.angle.value < 10


def test_what_was_placed_comes_back_equal_and_without_torch(found: Place) -> None:
    assert place_of("fresh", encoder=JUDGE).known() == found
    told = without_torch(
        "from cdp.tasks.theory import place_of\nprint(place_of('fresh',"
        f" encoder={JUDGE!r}).known().figures.separation.value)"
    )
    assert float(told) == found.figures.separation.value


def test_a_real_split_is_compared_with_the_other_one(found: Place) -> None:
    assert place_of(f"{DATASET}:test", encoder=JUDGE).known() is None
    assert place_of(f"{DATASET}:test", encoder=JUDGE).get().against == f"{DATASET}:train"
    assert place_of(f"{DATASET}:train", encoder=JUDGE).get().against == f"{DATASET}:test"


def test_other_images_under_the_same_name_are_placed_anew(found: Place) -> None:
    image, label, _ = real("test")
    shutil.rmtree(paths.sets_dir() / "fresh")
    make("fresh", image[TEST : TEST + 300], label[TEST : TEST + 300])
    assert place_of("fresh", encoder=JUDGE).known() is None


def test_a_set_whose_classes_cannot_be_told_apart_says_so_where_its_place_would_be(
    found: Place,
) -> None:
    assert found.unplaced == ""
    image, label, _ = real("test")
    make("mixed", image[:400], np.random.default_rng(0).permutation(label[:400]))
    mixed = place_of("mixed", encoder="pixels").get()
    assert mixed.figures.angle is None and mixed.missing == ""
    assert "classes of mixed, or of the real images, cannot be told apart" in mixed.unplaced


def test_a_set_without_real_images_has_figures_and_no_place(found: Place) -> None:
    image, label, names = real("test")
    make("stray", image[:300], label[:300], dataset="", class_names=names)
    stray = place_of("stray", encoder="pixels").get()
    assert (stray.against, stray.figures.ratio, stray.figures.angle) == ("", None, None)
    assert "names no data set" in stray.missing and stray.unplaced == stray.missing
    assert stray.figures.separation.value > 0
    assert place_of("stray", encoder="pixels").known() == stray


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"separation": 3}', b"[1, 2", b"\xff\xfe"])
def test_what_is_damaged_on_disk_is_computed_again(found: Place, damage: bytes) -> None:
    (file,) = (paths.cache_dir() / theory.IMAGES).glob("*.json")
    file.write_bytes(damage)
    assert place_of("fresh", encoder=JUDGE).known() is None
    assert place_of("fresh", encoder=JUDGE).get() == found


def test_what_cannot_be_placed_says_why(found: Place) -> None:
    image, label, _ = real("train")
    make("trousers", image[label == 1], label[label == 1])
    with pytest.raises(InputError, match="1 classes"):
        place_of("trousers", encoder=JUDGE).get()
    with pytest.raises(MissingError, match="gone"):
        place_of("gone", encoder=JUDGE).get()
    with pytest.raises((InputError, MissingError), match="no-such"):
        place_of("fresh", encoder="no-such").get()


def test_trained_points_are_kept_and_come_back_equal_and_without_torch() -> None:
    assert points_of(TRAINED, "curves").known() is None
    told: list[float] = []
    made = points_of(TRAINED, "curves").get(lambda share, _: told.append(share))
    again = points_of(TRAINED, "curves").known()
    assert told == [pytest.approx((k + 1) / 3) for k in range(3)]
    assert again is not None and len(again) == len(made) == len(SEPARATIONS)
    for first, second in zip(made, again, strict=True):
        assert first is not None and second is not None
        assert first.draws == second.draws == theory.TRAININGS
        assert all(
            np.array_equal(getattr(first, name), getattr(second, name))
            for name in ("at", "value", "low", "high")
        )
        assert ((first.low <= first.value) & (first.value <= first.high)).all()
    assert points_of(TRAINED.model_copy(update={"seed": 1}), "curves").known() is None


def test_trained_points_over_strengths_are_one_list_at_the_same_n() -> None:
    (made,) = points_of(TRAINED, "guided").get()
    assert made is not None
    assert list(made.at) == list(STRENGTHS)


def test_trainings_without_room_give_no_points() -> None:
    large = TRAINED.model_copy(update={"dim": 10_000, "n": 1_000_000})
    assert points_of(large, "guided").get() == [None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"points": [{}]}',
        (
            '{"points": [{"at": [1], "value": [1, 2], "low": [1], "high": [1], "draws": 3}, null,'
            " null]}"
        ),
    ],
)
def test_damaged_points_are_simulated_again(text: str) -> None:
    points_of(TRAINED, "curves").get()
    (file,) = (paths.cache_dir() / theory.POINTS).glob("*.json")
    file.write_text(text)
    assert points_of(TRAINED, "curves").known() is None
