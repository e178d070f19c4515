"""Sample sets on disk: what is written is read back, partial sets are invisible."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cdp import paths
from cdp.data.limits import name_like, valid_name
from cdp.data.sets import SetWriter, delete_set, list_sets, open_set, save_set
from cdp.errors import InputError
from tests.data import makers

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=64).flatmap(
    lambda sides: st.tuples(
        st.integers(1, 5), st.just(sides[0]), st.just(sides[1]), st.integers(1, 4)
    )
)
ONE_HOME = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONE_HOME
@given(image=hnp.arrays(np.uint8, SHAPES), data=st.data())
def test_any_image_shape_and_label_survive_saving(
    image: np.ndarray, data: st.DataObject, cdp_home: Path
) -> None:
    label = data.draw(
        hnp.arrays(
            data.draw(st.sampled_from(["u1", "<i8", ">i4"])),
            len(image),
            elements=st.integers(0, 120),
        )
    )
    name = f"set-{len(list_sets())}"
    saved = save_set(name, image, label, {"config": {"seed": 3}})
    again = open_set(name)
    for samples in (saved, again):
        assert np.array_equal(samples.image, image) and samples.image.dtype == np.uint8
        assert np.array_equal(samples.label, label) and samples.label.dtype == np.int64
        assert samples.card["config"] == {"seed": 3} and samples.card["count"] == len(image)
    assert isinstance(again.image, np.memmap) and not again.image.flags.writeable


def test_a_set_opens_by_the_path_of_its_folder_too(cdp_home: Path, tmp_path: Path) -> None:
    (save_set("a", makers.images(), makers.labels(), {}).folder).rename(tmp_path / "moved")
    assert len(open_set(tmp_path / "moved")) == 6


def test_a_card_that_does_not_fit_leaves_no_set(cdp_home: Path) -> None:
    with pytest.raises(InputError, match="class_names"):
        save_set("a", makers.images(), makers.labels(), {"class_names": ["one"]})
    assert list(paths.sets_dir().iterdir()) == []


def test_the_list_is_newest_first_and_reports_a_broken_set_without_failing(cdp_home: Path) -> None:
    for name, created in (("old", "2024-01-01"), ("new", "2025-01-01"), ("bad", "2023-01-01")):
        save_set(name, makers.images(), makers.labels(), {"created": created})
    (paths.sets_dir() / "bad" / "card.json").write_text("{")
    entries = list_sets()
    assert [entry.name for entry in entries] == ["new", "old", "bad"]
    assert entries[2].card is None and "card.json" in entries[2].error
    assert entries[0].card is not None and entries[0].error == ""


def test_a_deleted_set_is_in_the_trash_and_its_name_is_free(cdp_home: Path) -> None:
    save_set("a", makers.images(), makers.labels(), {})
    trashed = delete_set("a")
    assert list_sets() == [] and trashed.parent == cdp_home / "trash"
    assert len(open_set(trashed)) == 6
    save_set("a", makers.images(), makers.labels(), {})
    assert delete_set("a") != trashed


def test_what_a_killed_import_of_an_earlier_version_left_is_cleared_after_a_day(
    cdp_home: Path,
) -> None:
    old, young = (paths.sets_dir() / f".a.new-{digit * 16}" for digit in "01")
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "image.npy").touch()
    os.utime(old, (0, 0))
    save_set("a", makers.images(), makers.labels(), {})
    assert not old.exists() and young.exists()
    assert [entry.name for entry in list_sets()] == ["a"]


@given(st.text(max_size=150))
def test_a_name_like_any_text_can_be_used_where_anything_is_left(text: str) -> None:
    name = name_like(text)
    if name and not _is_device(name):
        assert valid_name(name) == name


def _is_device(name: str) -> bool:
    return name.split(".")[0].lower()[:3] in {"con", "prn", "aux", "nul", "com", "lpt"}


@given(st.text(max_size=120))
def test_a_valid_name_is_always_one_visible_folder_of_the_store(name: str) -> None:
    try:
        valid_name(name)
    except InputError:
        return
    path = Path("/store") / name
    assert path.parent == Path("/store") and path.name == name and name.isascii()
    assert not name.startswith(".")


def writer(seed: int = 0) -> SetWriter:
    """Six images into the set "big"."""
    return SetWriter(paths.sets_dir() / "big", 6, (8, 8, 1), {"seed": seed})


@ONE_HOME
@given(cuts=st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=6, max_size=6))
def test_any_restarts_give_the_same_set(cuts: list[tuple[int, bool]], cdp_home: Path) -> None:
    image, label = makers.images(), makers.labels()
    current = writer()
    for size, restart in cuts:
        if restart:
            current.close()
            current = writer()
        start = current.done_rows
        stop = min(6, start + size)
        if start < stop:
            current.write(slice(start, stop), image[start:stop], label[start:stop])
    samples = current.finish({"note": "done"})
    assert np.array_equal(samples.image, image) and np.array_equal(samples.label, label)
    expected = ["card.json", "image.npy", "label.npy"]
    assert sorted(path.name for path in samples.folder.iterdir()) == expected
    delete_set("big")


def test_a_partial_set_is_never_listed_and_appears_when_finished(cdp_home: Path) -> None:
    with writer() as current:
        current.write(slice(0, 3), makers.images()[:3], makers.labels()[:3])
        assert list_sets() == [] and not (paths.sets_dir() / "big").exists()
        with pytest.raises(InputError, match="3 of 6 rows"):
            current.finish({})
        current.write(slice(3, 6), makers.images()[3:], makers.labels()[3:])
        current.finish({})
    assert [entry.name for entry in list_sets()] == ["big"]


def test_rows_out_of_order_or_of_wrong_type_are_refused_and_not_counted(cdp_home: Path) -> None:
    image, label = makers.images(), makers.labels()
    with writer() as current:
        for rows, images, labels in (
            (slice(1, 3), image[1:3], label[1:3]),
            (slice(0, 0), image[:0], label[:0]),
            (slice(0, 2), image[:3], label[:2]),
            (slice(0, 2), image[:2] / 255, label[:2]),
            (slice(0, 2), image[:2], label[:2] - 1),
            (slice(0, 2), image[:2], label[:3]),
        ):
            with pytest.raises(InputError):
                current.write(rows, images, labels)
        assert current.done_rows == 0


def test_two_writers_of_one_set_exclude_each_other(cdp_home: Path) -> None:
    with writer(), pytest.raises(InputError, match="another process"):
        writer()
    writer().discard()
    assert list(paths.sets_dir().iterdir()) == []


KILLED = """
import sys, numpy as np
from cdp import paths
from cdp.data.limits import name_like
from cdp.data.sets import SetWriter
w = SetWriter(paths.sets_dir() / "big", 1000, (8, 8, 1), {"seed": 0})
print("from", w.done_rows, flush=True)
for i in range(w.done_rows, 1000):
    w.write(slice(i, i + 1), np.full((1, 8, 8, 1), i % 251, np.uint8), np.array([i % 10]))
    print(i, flush=True)
"""


def test_a_killed_writer_loses_no_counted_row_and_the_next_goes_on(cdp_home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "20":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with SetWriter(paths.sets_dir() / "big", 1000, (8, 8, 1), {"seed": 0}) as current:
        done = current.done_rows
        assert 21 <= done < 1000
        rows = np.arange(done, 1000)
        current.write(
            slice(done, 1000),
            np.broadcast_to(
                (rows % 251).astype(np.uint8)[:, None, None, None], (len(rows), 8, 8, 1)
            ),
            rows % 10,
        )
        samples = current.finish({})
    assert np.array_equal(samples.image[:, 0, 0, 0], np.arange(1000) % 251)
    assert np.array_equal(samples.label, np.arange(1000) % 10)


def test_a_writer_killed_before_its_first_row_is_begun_again(cdp_home: Path) -> None:
    writer().close()
    (paths.sets_dir() / ".big.partial" / "image.npy").write_bytes(b"\x93NUM")
    assert writer().done_rows == 0


def test_other_settings_are_named_when_a_resume_is_refused(cdp_home: Path) -> None:
    with writer() as current:
        current.write(slice(0, 2), makers.images()[:2], makers.labels()[:2])
    with pytest.raises(InputError, match=r"seed: .* begun with 0, not 1: .*delete"):
        writer(seed=1)
    assert json.loads((paths.sets_dir() / ".big.partial" / "config.json").read_text())["seed"] == 0
