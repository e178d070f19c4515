"""Sets without labels: stored, moved and refused as such."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.data.importing import bring, export_npz, import_data
from cdp.data.registry import load_split
from cdp.data.samples import LABEL
from cdp.data.sets import SetWriter, list_sets, open_set, save_set
from cdp.errors import InputError
from tests.data import makers

NAMES = ["cat", "dog", "eel"]
REMEDY = r"python -m cdp pseudo-label .+ --name .+ --dataset DATASET"


def older(name: str, label: np.ndarray, **card: Any) -> None:
    """A set as the version before format 2 saved it: labels, class names and format 1 whatever the
    model was."""
    made = save_set(
        name,
        makers.images(len(label)),
        label,
        {"class_names": NAMES, "kind": "generated", "config": {"classes": []}} | card,
    )
    assert json.loads((made.folder / "card.json").read_text())["format"] == 1


def test_a_set_without_labels_is_stored_opened_and_listed_as_one(cdp_home: Path) -> None:
    made = save_set("a", makers.images(), None, {"dataset": "mnist", "class_names": NAMES})
    assert made.label is None and made.class_names == () and len(made) == 6
    assert not (made.folder / LABEL).exists()
    assert open_set("a").label is None and [
        entry.card["class_names"] for entry in list_sets() if entry.card
    ] == [[]]
    assert open_set("a").labelling.classes == ()


def test_a_set_without_labels_has_a_newer_format(cdp_home: Path) -> None:
    save_set("a", makers.images(), None, {})
    save_set("b", makers.images(), makers.labels(), {})
    formats = {
        name: json.loads((paths.sets_dir() / name / "card.json").read_text())["format"]
        for name in "ab"
    }
    assert formats == {"a": 2, "b": 1}


def test_a_card_of_the_first_format_cannot_leave_its_classes_out(cdp_home: Path) -> None:
    folder = save_set("a", makers.images(), None, {}).folder
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"format": 1}))
    with pytest.raises(InputError, match="class_names is empty"):
        open_set("a")


def test_asking_for_labels_names_who_needs_them(cdp_home: Path, tmp_path: Path) -> None:
    made = save_set("a", makers.images(), None, {})
    with pytest.raises(
        InputError, match=f"set a has no labels, and a training needs them: .*{REMEDY}"
    ):
        made.labels("a training")
    moved = made.folder.rename(tmp_path / "my sets")
    with pytest.raises(InputError, match=re.escape(f"pseudo-label '{moved}' ")):
        open_set(moved).labels("a training")


def test_a_writer_drops_labels_that_an_older_version_invented(cdp_home: Path) -> None:
    image, place = makers.images(), paths.sets_dir() / "a"
    with SetWriter(
        place, 6, (8, 8, 1), {"seed": 0}
    ) as writer:  # the older version: every image labelled 0
        writer.write(slice(0, 2), image[:2], np.zeros(2, np.int64))
    with SetWriter(place, 6, (8, 8, 1), {"seed": 0}, labelled=False) as writer:
        assert writer.done_rows == 2
        writer.write(slice(2, 6), image[2:], None)
        made = writer.finish({})
    assert made.label is None and np.array_equal(made.image, image)
    assert not (made.folder / LABEL).exists()


def test_labels_for_some_images_and_none_for_others_are_refused(cdp_home: Path) -> None:
    with (
        SetWriter(paths.sets_dir() / "a", 6, (8, 8, 1), {}) as writer,
        pytest.raises(InputError, match="labels"),
    ):
        writer.write(slice(0, 6), makers.images(), None)
    with (
        SetWriter(paths.sets_dir() / "b", 6, (8, 8, 1), {}, labelled=False) as writer,
        pytest.raises(InputError, match="labels"),
    ):
        writer.write(slice(0, 6), makers.images(), makers.labels())


def test_an_npz_of_images_goes_in_and_out(cdp_home: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", image=makers.images())
    made = import_data(tmp_path / "plain.npz", "a")
    assert made.label is None and np.array_equal(made.image, makers.images())
    with np.load(export_npz(made, tmp_path / "out.npz")) as arrays:
        assert arrays.files == ["image"] and np.array_equal(arrays["image"], makers.images())
    assert bring(tmp_path / "plain.npz", "b").train.label is None


def test_an_npz_of_images_alone_is_no_data_set(cdp_home: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", image=makers.images())
    with pytest.raises(
        InputError, match=r"without labels.*python -m cdp import .*python -m cdp pseudo-label"
    ):
        load_split(str(tmp_path / "plain.npz"), "train")
    with pytest.raises(InputError, match="without labels"):
        import_data(tmp_path / "plain.npz", "a", class_names=NAMES)
    assert not list_sets()


def test_test_images_without_labels_are_no_test_images(cdp_home: Path, tmp_path: Path) -> None:
    makers.npz(tmp_path / "train.npz")
    np.savez(tmp_path / "train-test.npz", image=makers.images())
    with pytest.raises(InputError, match=r"test images: .*without labels"):
        bring(tmp_path / "train.npz", "a")
    assert not list_sets()


# A model without classes had given every image label 0 and the names of the data set it was guided
# by.


@pytest.mark.parametrize(
    ("label", "card"),
    [
        (makers.labels(), {}),
        (np.zeros(6, np.int64), {"config": {"classes": [0]}}),
        (np.zeros(6, np.int64), {"class_names": ["all"]}),
        (np.zeros(6, np.int64), {"kind": "imported"}),
        (np.zeros(6, np.int64), {"config": None}),
        (np.zeros(1, np.int64), {}),
    ],
    ids=[
        "classes in turn",
        "one class chosen",
        "model of one class",
        "imported",
        "no settings",
        "one image",
    ],
)
def test_labels_that_may_be_meant_stay(
    label: np.ndarray, card: dict[str, Any], cdp_home: Path
) -> None:
    older("a", label, **card)
    assert np.array_equal(open_set("a").labels("this test"), label)


def test_a_part_of_such_an_older_set_has_no_labels_either(cdp_home: Path) -> None:
    older("whole", np.zeros(6, np.int64))
    older("part", np.zeros(4, np.int64), kind="selected", parent={"name": "whole", "count": 6})
    older("part-of-part", np.zeros(3, np.int64), kind="subset", parent={"name": "part", "count": 4})
    older("other", np.zeros(4, np.int64), kind="selected", parent={"name": "whole", "count": 60})
    older("orphan", np.zeros(4, np.int64), kind="selected", parent={"name": "gone", "count": 6})
    older("loop", np.zeros(4, np.int64), kind="selected", parent={"name": "loop", "count": 4})
    without = {entry.name for entry in list_sets() if entry.card and not entry.card["class_names"]}
    assert without == {"whole", "part", "part-of-part"}


def test_a_part_of_one_class_of_a_labelled_set_keeps_its_labels(cdp_home: Path) -> None:
    older("whole", makers.labels())
    older("part", np.zeros(2, np.int64), kind="subset", parent={"name": "whole", "count": 6})
    assert np.array_equal(open_set("part").labels("this test"), [0, 0])
