"""One table of bad input: each is refused with one sentence that names it and a remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdp import paths
from cdp.data.importing import import_data
from cdp.data.registry import load_split
from cdp.data.sets import list_sets, open_set, save_set
from cdp.errors import InputError
from tests.data import makers
from tests.data.hostile import Case
from tests.data.hostile_folders import FOLDERS
from tests.data.hostile_npz import NPZ
from tests.data.hostile_store import STORE

CASES = NPZ + FOLDERS + STORE


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CDP_HOME with one sound set, and a working folder where a payload would leave its mark."""
    save_set("kept", makers.images(), makers.labels(), {"note": "must survive"})
    (paths.home() / "cache" / "data").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return paths.home()


def listing(root: Path) -> list[tuple[str, int, int]]:
    """Every path below ``root`` with its size and time. Lock files of unfinished sets come
    and go."""
    found = [
        Path(folder) / name
        for folder, folders, files in os.walk(root)
        for name in folders + files
        if name != "lock"
    ]
    return sorted(
        (
            str(path),
            path.lstat().st_size if path.is_file() else 0,
            path.lstat().st_mtime_ns * path.is_file(),
        )
        for path in found
    )


@pytest.mark.parametrize(
    "case", CASES, ids=[case.id.encode("ascii", "backslashreplace").decode() for case in CASES]
)
def test_bad_input_leaves_the_store_as_it_was(case: Case, store: Path, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    attempt = case.build(tmp_path / "given")
    before = listing(tmp_path)
    with pytest.raises(InputError) as caught:
        attempt()
    message = str(caught.value)
    assert case.says in message
    reason, _, remedy = message.partition(": ")
    assert reason and len(remedy.split()) >= 3, f"no remedy in {message!r}"
    assert message.isprintable() and len(message) < 800
    assert listing(tmp_path) == before
    assert len(open_set("kept")) == 6
    assert "kept" in {entry.name for entry in list_sets()}


def test_the_table_has_at_least_60_different_cases() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", FOLDERS, ids=[case.id for case in FOLDERS])
def test_a_bad_folder_is_refused_as_a_data_set_too(
    case: Case, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "given").mkdir()
    monkeypatch.setattr(
        "tests.data.hostile.import_data", lambda path, name: load_split(str(path), "train")
    )
    attempt = case.build(tmp_path / "given")
    before = listing(store)
    with pytest.raises(InputError):
        attempt()
    assert listing(store) == before


def test_what_is_sound_is_taken_by_the_same_path(store: Path, tmp_path: Path) -> None:
    assert len(import_data(makers.npz(tmp_path / "good.npz"), "new")) == 6
