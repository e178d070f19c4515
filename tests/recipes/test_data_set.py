"""A data set is one entry of ``CATALOG``: what is known of it, and how it is found and decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cdp.data.catalog import CATALOG
from cdp.data.registry import available, dataset_info, load_split
from cdp.errors import MissingError
from cdp.ui.kit.choices import read_choices
from tests.recipes.program import command, load

SOURCE = """
from functools import partial

import numpy as np

from cdp.data.catalog import CATALOG, Builtin, SplitFiles


def find(info, split):
    path = info.place / f"{split}.npy"
    return SplitFiles(info.place, True, (path,), partial(decode, path)) if path.is_file() else None


def decode(path):
    image = np.load(path)
    return image.shape, iter([(image, np.arange(len(image)) % 2)])


CATALOG["dots"] = Builtin(
    name="dots", title="Dots", classes=("dark", "light"), shape=(1, 8, 8), epsilon_linf=0.1,
    licence="CC0", folder="dots", files="train.npy and test.npy", origin="https://dots.example",
    find=find,
)
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    before = dict(CATALOG)
    load(monkeypatch, tmp_path, "data_set_added", SOURCE)
    yield tmp_path
    CATALOG.clear()
    CATALOG.update(before)


def put(count: int = 120) -> None:
    """Its files, where it looks for them."""
    place = CATALOG["dots"].place
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        image = (
            rng.integers(0, 100, (count, 8, 8, 1))
            + 100 * (np.arange(count) % 2)[:, None, None, None]
        )
        np.save(place / f"{split}.npy", image.astype(np.uint8))


def test_it_is_listed_and_says_what_to_put_where_until_it_is_here(added: Path) -> None:
    states = {info.name: state for info, state in available()}
    assert not states["dots"].ready and "https://dots.example" in states["dots"].how
    with pytest.raises(MissingError, match=r"put train.npy and test.npy from .*, into .*dots"):
        load_split("dots", "train")
    with pytest.raises(MissingError, match=r"choose one of fashion-mnist, .*, dots"):
        dataset_info("dotz")
    put()
    assert {info.name: state.ready for info, state in available()}["dots"]
    assert load_split("dots", "test").label.tolist() == [0, 1] * 60


def test_it_is_offered_on_the_pages(added: Path) -> None:
    put()
    assert "dots" in read_choices().datasets


def test_it_is_measured_from_the_command_line(added: Path) -> None:
    put()
    done = command(added, "data_set_added", "measure", "dots:test", "--encoder", "pixels", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sets"][0]["measured"] == 120
