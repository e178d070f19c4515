"""What is read back is a regular file of a sane size, means what it says, and unpacks to no more than
it may."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.errors import InputError, MissingError
from cdp.files import npy
from cdp.files.reading import parse_json, read_bytes, read_json, read_object
from cdp.paths import ROOT
from cdp.results.evaluations import read_outcomes
from cdp.ui.data.progress import SHEET, samples
from cdp.ui.train.examples import EXAMPLES, read_examples
from cdp.work.checkpoint import Checkpoint

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"NaN", b"[Infinity]", b"[1e999]", b"[-1e999]", b"\xff", b'"\\ud800"'),
        *(b"4" * 400, b"[" * 100 + b"]" * 100, b"[" * 100_000, b'{"a":' * 100_000),
    ],
)
def test_what_no_reader_could_go_on_with_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(content)


def test_a_pair_of_halves_is_one_character() -> None:
    assert parse_json(json.dumps("\U0001f600")) == "\U0001f600"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    "place", [Path.mkdir, _pipe, _loop, lambda path: path.write_bytes(bytes(101))]
)
def test_what_is_no_small_file_is_refused_at_once(
    place: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    place(path)
    assert read_json(path) is None or path.stat().st_size == 101
    with pytest.raises((OSError, ValueError)):
        read_bytes(path, 100)
    with pytest.raises(InputError, match=r"record\.json .*: mend it"):
        read_object(path, missing="", remedy="mend it", most=100)
    assert len(list(Path("/proc/self/fd").iterdir())) < 200


def test_a_link_to_nothing_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(MissingError, match="make one"):
        read_object(tmp_path / "a", missing="make one", remedy="")


def bomb(path: Path, member: str, size: int) -> Path:
    """An archive of under a hundredth of what it unpacks to."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        file.write(npy.header_bytes((size,), np.dtype(np.uint8)))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < size // 100
    return path


def test_every_reader_of_stored_arrays_has_a_limit_on_what_they_unpack_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (
        *("cdp.ui.train.examples.MOST_BYTES", "cdp.ui.data.progress.MOST_BYTES"),
        *("cdp.work.checkpoint.MAX_STATE", "cdp.results.evaluations.MAX_OUTCOMES"),
    ):
        monkeypatch.setattr(limit, 1 << 20)
    for name in (EXAMPLES, SHEET, "state.npz", "outcomes.npz"):
        bomb(tmp_path / name, "clean.npy", 4 << 20)
    unpacked: list[object] = []
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: unpacked.append(1))
    assert read_examples(tmp_path) is None and samples(tmp_path / SHEET) is None
    assert Checkpoint(tmp_path / "work", {}, what="", remedy="").arrays("../state") is None
    with pytest.raises(InputError, match="unpacks to more than 1 MiB"):
        read_outcomes(tmp_path / "outcomes.npz")
    assert not unpacked


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_arrays_come_back_as_they_were_saved(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 4))}
    (tmp_path / "a.npz").write_bytes(npz(**arrays))
    known = npy.read_arrays(tmp_path / "a.npz", 1 << 20)
    assert known.keys() == arrays.keys()
    assert all(np.array_equal(known[name], arrays[name]) for name in arrays)


def test_an_archive_that_unpacks_to_more_than_it_announces_costs_no_more(tmp_path: Path) -> None:
    path, small = (
        tmp_path / "a.npz",
        npy.header_bytes((99_999,), np.dtype(np.uint8)) + bytes(99_999),
    )
    large = small + bytes(64 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", large)
    content = path.read_bytes()
    for of in (len, zlib.crc32):
        content = content.replace(struct.pack("<L", of(large)), struct.pack("<L", of(small)))
    path.write_bytes(content)
    tracemalloc.start()
    known = npy.read_arrays(path, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert known["a"].tolist() == [0] * 99_999
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "change", ["cut", "header", "pickle", "flip", "text", "folder", "bzip2", "lzma"]
)
def test_damaged_arrays_are_refused(change: str, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.npz", npz(a=np.arange(1000))
    if change == "folder":
        path.mkdir()
    elif change == "header":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", npy.header_bytes((1 << 50,), np.dtype(np.int64)) + b"1")
    elif change == "pickle":
        np.savez(path, a=np.array([None]))
    elif change in ("bzip2", "lzma"):
        way = zipfile.ZIP_LZMA if change == "lzma" else zipfile.ZIP_BZIP2
        with zipfile.ZipFile(path, "w", way) as archive:
            archive.writestr("a.npy", npy.header_bytes((9,), np.dtype(np.uint8)) + bytes(9))
    elif change == "flip":
        path.write_bytes(whole[:99] + bytes([whole[99] ^ 255]) + whole[100:])
    else:
        path.write_bytes(b"text" if change == "text" else whole[:-30])
    with pytest.raises(InputError, match=r"a\.npz"):
        npy.read_arrays(path, 1 << 20)


def test_nothing_reads_archives_or_yaml_in_a_way_of_its_own() -> None:
    """numpy.load makes room for what a header announces, and YAML's own loaders know no twice."""
    own = re.compile(r"np\.load\((?!.*mmap_mode)|yaml\.(safe_)?load|pickle\.load|torch\.load\(")
    sites = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "cdp").rglob("*.py")
        for line in path.read_text().splitlines()
        if own.search(line)
    ]
    assert [site for site in sites if not site.startswith("cdp/models/checkpoints.py: f")] == []
