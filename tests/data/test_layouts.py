"""Folders and arrays as other people have them: taken as they are meant."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cdp.data.importing import bring
from cdp.data.registry import load_split
from cdp.data.sets import list_sets
from cdp.errors import InputError
from tests.data.test_bringing import tree


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """Whatever numpy or Pillow would say to a user is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def images(count: int = 12, shape: tuple[int, ...] = (8, 8, 1)) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


LABEL = np.arange(12) % 3


@pytest.mark.parametrize(
    ("train", "test"),
    [
        *[("train", "test"), ("Train", "Testing"), ("training", "val"), ("TRAINING", "valid")],
        ("Training", "Validation"),
    ],
)
def test_splits_are_known_by_what_others_call_them(train: str, test: str, tmp_path: Path) -> None:
    tree(tmp_path / "pets" / train, count=3)
    tree(tmp_path / "pets" / test, count=1)
    made = bring(tmp_path / "pets")
    assert (made.train.name, len(made.train), len(made.test or ())) == ("pets", 6, 2)
    for split, count in (("train", 6), ("test", 2)):
        assert len(load_split(str(tmp_path / "pets"), split)) == count


def test_test_images_come_before_validation_images(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("val", 2), ("test", 1)):
        tree(tmp_path / "pets" / name, count=count)
    made = bring(tmp_path / "pets")
    assert len(made.test or ()) == 2
    assert made.notes == ("The test images are those of test; val was left out.",)


def test_a_folder_around_the_class_folders_is_named(tmp_path: Path) -> None:
    tree(tmp_path / "download" / "pets")
    with pytest.raises(InputError, match=r"give .*download/pets$"):
        bring(tmp_path / "download")
    assert len(bring(tmp_path / "download" / "pets").train) == 4


def test_numbered_folders_are_classes_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = tuple(str(number) for number in range(1, 13))
    tree(tmp_path / "digits", names, count=1)
    assert bring(tmp_path / "digits").train.class_names == names
    assert load_split(str(tmp_path / "digits"), "train").info.classes == names


def test_padded_numbers_and_names_keep_their_order(tmp_path: Path) -> None:
    tree(tmp_path / "signs", ("00010", "00002", "00001"), count=1)
    assert bring(tmp_path / "signs").train.class_names == ("00001", "00002", "00010")
    tree(tmp_path / "mixed", ("class10", "class2"), count=1)
    assert bring(tmp_path / "mixed").train.class_names == ("class10", "class2")


def test_test_folders_that_lack_a_class_are_numbered_by_name(tmp_path: Path) -> None:
    tree(tmp_path / "pets" / "train", ("ant", "bee", "cat", "dog"))
    tree(tmp_path / "pets" / "test", ("ant", "cat", "dog"), count=1)
    made = bring(tmp_path / "pets")
    assert made.test is not None and made.test.label is not None
    assert made.test.class_names == ("ant", "bee", "cat", "dog")
    assert made.test.label.tolist() == [0, 2, 3]
    assert "pets-test has no images of bee." in made.notes
    tree(tmp_path / "more" / "train", ("ant", "bee"))
    tree(tmp_path / "more" / "test", ("ant", "wasp"))
    with pytest.raises(InputError, match="it has 'wasp' besides"):
        bring(tmp_path / "more")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_as_their_exif_tag_says(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:3, :5] = (250, 30, 60)
    upright[3:, :2] = (20, 240, 90)
    turn = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(np.ascontiguousarray(turn(upright))).save(
            tmp_path / "pets" / name / "0.png", exif=exif
        )
    assert np.array_equal(bring(tmp_path / "pets").train.image[0], upright)


@pytest.mark.parametrize(
    ("image_name", "label_name"),
    [("image", "label"), ("images", "labels"), ("x", "y"), ("X", "Y"), ("arr_0", "arr_1")],
)
def test_arrays_have_several_names(image_name: str, label_name: str, tmp_path: Path) -> None:
    image = images()
    made = bring(saved(tmp_path / "s.npz", **{image_name: image, label_name: LABEL}))
    assert np.array_equal(made.train.image, image) and np.array_equal(
        made.train.labels("test"), LABEL
    )
    said = f"In s.npz array {image_name} was taken for the images and {label_name} for the labels."
    assert made.notes == (() if image_name == "image" else (said,))


def test_arrays_without_names_may_come_labels_first(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", LABEL, images())
    made = bring(tmp_path / "s.npz")
    assert np.array_equal(made.train.image, images()) and np.array_equal(
        made.train.labels("test"), LABEL
    )


@pytest.mark.parametrize("names", [("image", "label"), ("arr_0", "arr_1")])
def test_arrays_without_a_channel_axis_are_grey(names: tuple[str, str], tmp_path: Path) -> None:
    image = images(12, (8, 10))
    path = saved(tmp_path / "s.npz", **dict(zip(names, (image, LABEL), strict=True)))
    assert np.array_equal(bring(path).train.image, image[..., None])
    assert np.array_equal(load_split(str(path), "train").image, image[..., None])


@pytest.mark.parametrize("values", [[1, 2, 3], [0, 2, 5], [10, 20, 4000], [-1, 0, 1]])
def test_labels_with_gaps_are_renumbered_when_asked(values: list[int], tmp_path: Path) -> None:
    path = saved(tmp_path / "s.npz", image=images(), label=np.array(values)[LABEL])
    saved(tmp_path / "s-test.npz", image=images(4), label=np.array(values)[[2, 2, 0, 0]])
    with pytest.raises(InputError, match="set renumber"):
        bring(path)
    with pytest.raises(InputError, match="set renumber"):
        load_split(str(path), "train")
    assert not list_sets()
    made = bring(path, renumber=True)
    assert np.array_equal(made.train.labels("test"), LABEL)
    assert made.train.class_names == tuple(map(str, values))
    assert made.test is not None and made.test.labels("test").tolist() == [2, 2, 0, 0]
    assert any(f"{values[0]} is now 0" in note for note in made.notes)


def test_renumbered_labels_take_the_names_that_are_given(tmp_path: Path) -> None:
    path = saved(tmp_path / "s.npz", image=images(), label=LABEL + 1)
    expected = ("a", "b", "c")
    assert bring(path, class_names=["a", "b", "c"], renumber=True).train.class_names == expected
    with pytest.raises(InputError, match="name 3"):
        bring(path, "t", class_names=["a", "b", "c", "d", "e"][:2], renumber=True)


def test_named_classes_may_be_without_images_and_that_is_said(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "s.npz", image=images(12, (32, 32, 3)), label=np.array([0, 2, 5])[LABEL]
    )
    made = bring(path, class_names=["cifar10"])
    assert made.train.class_names[5] == "dog" and made.train.card["dataset"] == "cifar10"
    assert any("has no images of automobile" in note for note in made.notes)
    again = bring(path, "again", class_names=["s"])
    assert again.train.class_names == made.train.class_names


def test_test_images_may_be_added_to_a_set_that_is_here(tmp_path: Path) -> None:
    path = saved(tmp_path / "s.npz", image=images(), label=LABEL + 1)
    more = saved(tmp_path / "later.npz", image=images(3), label=np.array([3, 3, 1]))
    with pytest.raises(InputError, match="import its training images under that name first"):
        bring(more, "s-test")
    bring(path, renumber=True)
    made = bring(more, "s-test")
    assert made.test is not None and made.test.labels("test").tolist() == [2, 2, 0]
    assert len(load_split("s", "test")) == 3
    with pytest.raises(InputError, match="already exists"):
        bring(more, "s-test")


def test_one_class_is_refused_whichever_way_it_comes(tmp_path: Path) -> None:
    path = saved(tmp_path / "s.npz", image=images(), label=np.zeros(12, int))
    with pytest.raises(InputError, match="has one class"):
        bring(path)
    assert not list_sets()
    assert bring(path, class_names=["fine", "coarse"]).train.class_names == ("fine", "coarse")
    np.savez(tmp_path / "bare.npz", image=images())
    assert bring(tmp_path / "bare.npz").train.label is None
    tree(tmp_path / "pets", ("cat",))
    with pytest.raises(InputError, match="one class folder"):
        bring(tmp_path / "pets")


SCALED = images(12, (8, 8, 3))
ARRAYS: dict[str, tuple[dict[str, np.ndarray], np.ndarray]] = {
    "images as float in 0..1": ({"image": SCALED / 255}, SCALED),
    "images as float32 in 0..1": ({"image": (SCALED / 255).astype(np.float32)}, SCALED),
    "images channels first": ({"image": SCALED.transpose(0, 3, 1, 2)}, SCALED),
    "images as bool": ({"image": SCALED > 127}, 255 * (SCALED > 127).astype(np.uint8)),
    "images of 16 bits": ({"image": SCALED.astype(np.uint16) << 8}, SCALED),
    "images as int64": ({"image": SCALED.astype(np.int64)}, SCALED),
    "images in Fortran order": ({"image": np.asfortranarray(SCALED)}, SCALED),
    "labels as float": ({"label": LABEL.astype(float)}, SCALED),
    "labels as text": ({"label": np.array(["ant", "bee", "cat"])[LABEL]}, SCALED),
    "labels in a column": ({"label": LABEL[:, None]}, SCALED),
    "one-hot labels": ({"label": np.eye(3, dtype=int)[LABEL]}, SCALED),
    "labels as bool": ({"label": LABEL > 0}, SCALED),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_other_arrays_are_refused_with_what_makes_them_fit(name: str, tmp_path: Path) -> None:
    given, expected = ARRAYS[name]
    arrays = {"image": SCALED, "label": LABEL} | given
    with pytest.raises(InputError) as caught:
        bring(saved(tmp_path / "s.npz", **arrays))
    message = str(caught.value)
    start = message.index(": save ") + len(": save ") if ": save " in message else -1
    assert start > 0, message
    expression = message[start:].split(" where they")[0].split(", where")[0].split(", and give")[0]
    (key,) = given
    arrays[key] = eval(expression, {"numpy": np, key: given[key], "array": given[key]})  # noqa: S307 the remedy as a person types it
    made = bring(saved(tmp_path / "s.npz", **arrays))
    assert np.array_equal(made.train.image, expected)
    if name != "labels as bool":
        assert np.array_equal(made.train.labels("test"), LABEL)


def test_a_file_by_python_2_is_read_without_a_word(tmp_path: Path) -> None:
    import zipfile

    from tests.data.hostile import npy, npy_announcing

    old = npy_announcing(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (12L, 8L, 8L, 1L), }", images().tobytes()
    )
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("image.npy", old)
        archive.writestr("label.npy", npy(LABEL))
    assert np.array_equal(bring(tmp_path / "s.npz").train.image, images())


def test_numbers_are_named_classes_only_where_somebody_says_which(tmp_path: Path) -> None:
    bring(tree(tmp_path / "pets", ("ant", "bee", "cat"), count=2))
    path = saved(tmp_path / "later.npz", image=images(3, (8, 8, 3)), label=np.array([0, 0, 2]))
    with pytest.raises(
        InputError, match="labels without names, and those of pets mean 'ant', 'bee' and 'cat'"
    ):
        bring(path, "pets-test")
    with pytest.raises(InputError, match="it has 'dog' besides"):
        bring(path, "pets-test", class_names=["cat", "bee", "dog"])
    reversed_order = bring(path, "pets-test", class_names=["cat", "bee", "ant"]).test
    assert reversed_order is not None and reversed_order.labels("test").tolist() == [2, 2, 0]
    shutil.rmtree(reversed_order.folder)
    same_order = bring(path, "pets-test", class_names=["pets"]).test
    assert same_order is not None and same_order.labels("test").tolist() == [0, 0, 2]


def test_numbered_folders_and_labels_meet_by_number(tmp_path: Path) -> None:
    bring(tree(tmp_path / "signs", ("1", "2", "10"), count=2))
    with pytest.raises(InputError, match="it has '0' besides"):
        bring(
            saved(tmp_path / "zero.npz", image=images(3, (8, 8, 3)), label=np.array([0, 1, 2])),
            "signs-test",
        )
    made = bring(
        saved(tmp_path / "t.npz", image=images(3, (8, 8, 3)), label=np.array([10, 1, 2])),
        "signs-test",
    ).test
    assert made is not None and made.labels("test").tolist() == [2, 0, 1]


def test_arrays_that_are_left_out_are_said(tmp_path: Path) -> None:
    made = bring(
        saved(
            tmp_path / "s.npz", image=images(), label=LABEL, class_names=np.array(["x", "y", "z"])
        )
    )
    assert any("nothing was read of 'class_names'" in note for note in made.notes)
