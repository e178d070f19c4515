"""A data set of one's own goes in whole, training and test images, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdp.data.importing import bring, hold_out_tests
from cdp.data.registry import load_split
from cdp.data.sets import list_sets, save_set
from cdp.errors import InputError, MissingError


def npz(path: Path, count: int = 12, *, side: int = 8, channels: int = 3, classes: int = 3) -> Path:
    image = np.random.default_rng(count).integers(
        0, 256, (count, side, side, channels), dtype=np.uint8
    )
    np.savez(path, image=image, label=np.arange(count) % classes)
    return path


def tree(
    root: Path, names: tuple[str, ...] = ("cat", "dog"), *, side: int = 8, count: int = 2
) -> Path:
    for value, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (side, side), (100 * value, number, 0)).save(
                root / name / f"{number}.png"
            )
    return root


def saved() -> set[str]:
    return {entry.name for entry in list_sets()}


def test_an_npz_brings_the_test_file_beside_it_and_the_class_names_typed(tmp_path: Path) -> None:
    npz(tmp_path / "s-test.npz", 6)
    made = bring(npz(tmp_path / "s.npz"), "shapes", class_names=["circle", "square", "cross"])
    assert made.test is not None
    assert made.train.class_names == made.test.class_names == ("circle", "square", "cross")
    assert saved() == {"shapes", "shapes-test"}


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        (lambda p: npz(p / "t.npz", side=10), "make them alike"),
        (lambda p: npz(p / "t.npz", classes=4), "test images: .* it has '3' besides"),
        (lambda p: p / "nowhere.npz", "test images: .*not there"),
        (
            lambda p: tree(p / "t", ("cat", "dog")),
            "training images shapes are numbers without names",
        ),
    ],
    ids=["shape", "labels", "missing", "classes"],
)
def test_misfit_test_images_leave_nothing(test: object, wrong: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, MissingError), match=wrong):
        bring(npz(tmp_path / "s.npz"), "shapes", test=test(tmp_path))  # type: ignore[operator]
    assert saved() == set()


@pytest.mark.parametrize("name", ["mnist", "a-test", "_hidden", "../up", "a..b", "con"])
def test_names_that_could_not_hold_encoders_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name"):
        bring(npz(tmp_path / "s.npz"), name)
    assert saved() == set()


def test_a_name_with_taken_test_images_is_refused_first(tmp_path: Path) -> None:
    bring(npz(tmp_path / "one.npz"), "one")
    npz(tmp_path / "two-test.npz")
    bring(npz(tmp_path / "two.npz"), "two")
    with pytest.raises(InputError, match="already exists"):
        bring(npz(tmp_path / "again.npz"), "two", test=tmp_path / "two-test.npz")
    assert saved() == {"one", "two", "two-test"}


@pytest.mark.parametrize(
    "names", [["one"], ["a", "a", "b"], ["a", "", "b"], ["a", "b\x00", "c"], ["a", "b"]]
)
def test_class_names_that_cannot_be_are_refused(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        bring(npz(tmp_path / "s.npz"), "shapes", class_names=names)
    assert saved() == set()


def test_test_images_given_twice_are_refused(tmp_path: Path) -> None:
    tree(tmp_path / "pets" / "train")
    tree(tmp_path / "pets" / "test")
    with pytest.raises(InputError, match="leave the other"):
        bring(tmp_path / "pets", "pets", test=tree(tmp_path / "more"))


def test_a_fifth_becomes_test_images_of_the_rest_every_class_its_share(cdp_home: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    whole = save_set("mine", image, np.arange(60) % 3, {"class_names": ["a", "b", "c"]})
    brought = hold_out_tests("mine")
    assert brought.test is not None
    assert (brought.train.name, brought.test.name) == ("mine-held-out", "mine-held-out-test")
    assert (len(brought.train), len(brought.test)) == (48, 12)
    assert np.bincount(brought.test.label).tolist() == [4, 4, 4]
    together = np.concatenate([brought.train.image, brought.test.image])
    assert sorted(map(bytes, together)) == sorted(map(bytes, whole.image))
    assert load_split("mine-held-out", "test") is not None
    for name, wrong in (("mine-held-out", "has test images already"), ("mine", "exists")):
        with pytest.raises(InputError, match=wrong):
            hold_out_tests(name)
