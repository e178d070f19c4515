"""A saved set that encoders were trained on is a data set of its own: its images are real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cdp import paths
from cdp.data.sets import save_set
from cdp.tasks.sources import COMMON_ROWS, open_source, own_split, real_images
from cdp.ui.explore.form import FORM, settle
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.settings import from_link


def save(name: str, label: np.ndarray, **card: str) -> None:
    image = np.broadcast_to(label.astype(np.uint8)[:, None, None, None], (len(label), 2, 2, 1))
    save_set(
        name,
        np.ascontiguousarray(image),
        label,
        {"class_names": ["a", "b", "c"], "source": "test"} | card,
    )


@pytest.fixture
def own(cdp_home: Path) -> None:
    """Set ``shapes`` with test images and an encoder, and ``other`` without one."""
    for name in ("shapes", "shapes-test", "other"):
        save(name, np.arange(30) % 3)
    folder = paths.encoders_dir() / "shapes" / "judge"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"dataset": "shapes"}))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("shapes", ("shapes", "train")),
        ("shapes-test", ("shapes", "test")),
        ("other", ("", "")),
        ("../shapes", ("", "")),
    ],
)
def test_encoders_make_a_set_a_data_set(own: None, name: str, split: tuple[str, str]) -> None:
    assert own_split(name) == split


def test_it_opens_as_real_images_with_its_own_encoders(own: None) -> None:
    source = open_source("shapes-test")
    assert (source.dataset, source.split) == ("shapes", "test")
    assert open_source("other").split == ""


def test_a_set_whose_card_names_a_data_set_stays_a_generated_one(own: None) -> None:
    save("made", np.arange(30) % 3, dataset="shapes")
    source = open_source("made")
    assert (source.dataset, source.split) == ("shapes", "")


def test_explore_offers_its_splits_once_and_takes_old_links(own: None) -> None:
    choices = read_choices()
    assert {"shapes:train", "shapes:test", "other"} <= set(choices.explorable)
    assert not {"shapes", "shapes-test"} & set(choices.explorable)
    assert choices.eyes(("shapes:test",)) == ("judge", "pixels")
    held = from_link(FORM, {"sets": "shapes-test,other"})
    settle(held, choices)
    assert (held.flat["sets"], held.notes) == (["shapes:test", "other"], [])


def test_real_images_of_sets_sorted_by_class_have_every_class(cdp_home: Path) -> None:
    """Folders are imported class by class, so a large set's first rows are all of one class."""
    save("sorted", np.repeat(np.arange(3), COMMON_ROWS + 1))
    _, label = real_images("sorted", "train", 300)
    assert np.bincount(label).tolist() == [100, 100, 100]
    assert len(real_images("sorted", "train", 10**6)[1]) == COMMON_ROWS
