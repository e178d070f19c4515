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
from cdp.tasks import theory_points
from cdp.tasks.features import features
from cdp.tasks.theory_images import KIND, Place, place, place_of, stamp
from cdp.tasks.theory_points import STRENGTHS, quick, simulated, simulated_of
from cdp.tasks.theory_words import unplaced
from cdp.theory.from_features import estimate_from_features
from cdp.theory.views import SEPARATIONS
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
        return home, place("fresh", encoder=JUDGE)


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
    assert (found.against, found.missing, found.total) == (f"{DATASET}:test", "", 400)
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
        "from cdp.tasks.theory_images import place_of\nprint(place_of('fresh',"
        f" encoder={JUDGE!r}).known().figures.separation.value)"
    )
    assert float(told) == found.figures.separation.value


def test_a_real_split_is_compared_with_the_other_one(found: Place) -> None:
    assert place_of(f"{DATASET}:test", encoder=JUDGE).known() is None
    assert place(f"{DATASET}:test", encoder=JUDGE).against == f"{DATASET}:train"
    assert place(f"{DATASET}:train", encoder=JUDGE).against == f"{DATASET}:test"


def test_other_images_under_the_same_name_are_placed_anew(found: Place) -> None:
    image, label, _ = real("test")
    shutil.rmtree(paths.sets_dir() / "fresh")
    make("fresh", image[TEST : TEST + 300], label[TEST : TEST + 300])
    assert place_of("fresh", encoder=JUDGE).known() is None


def test_a_stamp_is_another_once_the_set_the_weights_or_the_real_images_were_written_and_only_then(
    found: Place,
) -> None:
    image, label, _ = real("test")
    encoder = paths.encoders_dir() / DATASET / "mine"
    shutil.copytree(JUDGE, encoder)

    def taken() -> str:
        return stamp("fresh", encoder="mine")

    stamps = [taken()]
    assert taken() == stamps[0] != stamp("fresh", encoder=JUDGE)
    shutil.copy(
        paths.ASSETS / "encoders" / "fashion-mnist" / "robust" / "model.safetensors", encoder
    )
    stamps.append(taken())
    for name, rows in (
        (f"{DATASET}-test", slice(1, TEST + 1)),
        ("fresh", slice(TEST + 1, TEST + 401)),
    ):
        shutil.rmtree(paths.sets_dir() / name)
        make(name, image[rows], label[rows])
        stamps.append(taken())
    assert len(set(stamps)) == 4 and taken() == stamps[-1]
    assert (
        without_torch(
            "from cdp.tasks.theory_images import stamp\nprint(stamp('fresh', encoder='mine'))"
        )
        == stamps[-1]
    )


def test_a_set_whose_classes_cannot_be_told_apart_says_so_where_its_place_would_be(
    found: Place,
) -> None:
    assert unplaced(found) == ""
    image, label, _ = real("test")
    make("mixed", image[:400], np.random.default_rng(0).permutation(label[:400]))
    mixed = place("mixed", encoder="pixels")
    assert mixed.figures.angle is None and mixed.missing == ""
    assert "classes of mixed, or of the real images, cannot be told apart" in unplaced(mixed)


def test_a_set_without_real_images_has_figures_and_no_place(found: Place) -> None:
    image, label, names = real("test")
    make("stray", image[:300], label[:300], dataset="", class_names=names)
    stray = place("stray", encoder="pixels")
    assert (stray.against, stray.figures.ratio, stray.figures.angle) == ("", None, None)
    assert "names no data set" in stray.missing and unplaced(stray) == stray.missing
    assert stray.figures.separation.value > 0
    assert place_of("stray", encoder="pixels").known() == stray


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"separation": 3}', b"[1, 2", b"\xff\xfe"])
def test_what_is_damaged_on_disk_is_computed_again(found: Place, damage: bytes) -> None:
    (file,) = (paths.cache_dir() / KIND).glob("*.json")
    file.write_bytes(damage)
    assert place_of("fresh", encoder=JUDGE).known() is None
    assert place("fresh", encoder=JUDGE) == found


def test_what_cannot_be_placed_says_why(found: Place) -> None:
    image, label, _ = real("train")
    make("trousers", image[label == 1], label[label == 1])
    with pytest.raises(InputError, match="1 classes"):
        place("trousers", encoder=JUDGE)
    with pytest.raises(MissingError, match="gone"):
        place("gone", encoder=JUDGE)
    with pytest.raises((InputError, MissingError), match="no-such"):
        place("fresh", encoder="no-such")


def test_progress_is_told() -> None:
    told: list[tuple[float, str]] = []
    make_world()
    image, label, _ = real("test")
    make("fresh", image[TEST : TEST + 100], label[TEST : TEST + 100])
    place("fresh", encoder="pixels", report=lambda share, words: told.append((share, words)))
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert "real images" in told[1][1]


def test_trained_points_are_kept_and_come_back_equal_and_without_torch() -> None:
    assert simulated_of(TRAINED, "curves").known() is None
    told: list[float] = []
    made = simulated(TRAINED, "curves", lambda share, _: told.append(share))
    again = simulated_of(TRAINED, "curves").known()
    assert told == [pytest.approx((k + 1) / 3) for k in range(3)]
    assert again is not None and len(again) == len(made) == len(SEPARATIONS)
    for first, second in zip(made, again, strict=True):
        assert first is not None and second is not None
        assert first.draws == second.draws == theory_points.TRAININGS
        assert all(
            np.array_equal(getattr(first, name), getattr(second, name))
            for name in ("n", "value", "low", "high")
        )
        assert ((first.low <= first.value) & (first.value <= first.high)).all()
    assert simulated_of(TRAINED.model_copy(update={"seed": 1}), "curves").known() is None


def test_trained_points_over_strengths_are_one_list_at_the_same_n() -> None:
    (made,) = simulated(TRAINED, "guided")
    assert made is not None
    assert list(made.n) == [20] * len(STRENGTHS)


def test_trainings_without_room_give_no_points() -> None:
    large = TRAINED.model_copy(update={"dim": 10_000, "n": 1_000_000})
    assert simulated(large, "guided") == [None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"points": [{}]}',
        (
            '{"points": [{"n": [1], "value": [1, 2], "low": [1], "high": [1], "draws": 3}, null,'
            " null]}"
        ),
    ],
)
def test_damaged_points_are_simulated_again(text: str) -> None:
    simulated(TRAINED, "curves")
    (file,) = (paths.cache_dir() / theory_points.KIND).glob("*.json")
    file.write_text(text)
    assert simulated_of(TRAINED, "curves").known() is None


@pytest.mark.parametrize("dim", [2, 500, 10_000])
def test_other_learners_take_as_many_draws_as_set_where_that_is_quick(dim: int) -> None:
    config = TheoryConfig(dim=dim, nonzero=2, draws=100)
    points = quick(config, "curves")
    draws = {one.draws for one in points if one is not None}
    assert draws == ({100} if dim < 10_000 else {25})
    (guided,) = quick(config.model_copy(update={"draws": 30}), "guided")
    assert guided is not None and guided.draws == 30
