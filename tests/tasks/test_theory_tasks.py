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
from cdp.theory.views import STRENGTHS, TRAININGS
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
        reference=(features(JUDGE, DATASET, image[theirs]), label[theirs]),
    )
    assert (found.against, found.missing) == (f"{DATASET}:test", "")
    assert found.class_names == tuple(names)
    assert found.figures == wanted and len(wanted.pairs) == 45


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


def test_points_are_kept_and_come_back_equal() -> None:
    assert points_of(TRAINED, "curves").known() is None
    shares: list[float] = []
    rows = points_of(TRAINED, "curves").get(lambda share, _: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1
    assert points_of(TRAINED, "curves").known() == rows
    assert {row["draws"] for row in rows} == {TRAININGS}
    assert all(row["robust low"] <= row["robust [%]"] <= row["robust high"] for row in rows)
    assert points_of(TRAINED.model_copy(update={"seed": 1}), "curves").known() is None


def test_trained_points_over_strengths_are_at_the_same_n() -> None:
    rows = points_of(TRAINED, "guided").get()
    assert [row["strength"] for row in rows] == list(STRENGTHS)
    assert {row["n"] for row in rows} == {20}


def test_trainings_without_room_give_no_points() -> None:
    large = TRAINED.model_copy(update={"dim": 10_000, "n": 1_000_000})
    assert points_of(large, "guided").get() == []


@pytest.mark.parametrize("text", ["", "{}", '{"points": [{}]}', '{"rows": [{"robust [%]": 3}]}'])
def test_damaged_points_are_simulated_again(text: str) -> None:
    points_of(TRAINED, "guided").get()
    (file,) = (paths.cache_dir() / theory.POINTS).glob("*.json")
    file.write_text(text)
    assert points_of(TRAINED, "guided").known() is None
