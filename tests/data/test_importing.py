"""Import and export: round trips, every image format, flat memory."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cdp import paths
from cdp.data.importing import export_npz, import_data
from cdp.data.npz import read_npz, write_npz
from cdp.data.sets import delete_set, open_set
from cdp.errors import InputError
from tests.data import makers

ONE_HOME = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
IMAGES = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 4), st.integers(5, 64), st.integers(1, 64), st.integers(1, 4)),
)


@ONE_HOME
@given(
    image=IMAGES,
    compressed=st.booleans(),
    dtype=st.sampled_from(["i1", "u1", "<u2", ">u2", "<i4", ">i8", "u8"]),
)
def test_what_numpy_saves_comes_back_from_import_and_export(
    image: np.ndarray, compressed: bool, dtype: str, tmp_path: Path
) -> None:
    label = (np.arange(len(image)) % 3).astype(dtype)
    (np.savez_compressed if compressed else np.savez)(
        tmp_path / "in.npz", image=image, label=label, extra=np.zeros(3)
    )
    samples = import_data(tmp_path / "in.npz", "a")
    assert np.array_equal(samples.image, image) and np.array_equal(samples.label, label)
    out = export_npz(samples, tmp_path / "out.npz")
    with np.load(out, allow_pickle=False) as archive:
        assert sorted(archive.files) == ["image", "label"]
        assert np.array_equal(archive["image"], image) and np.array_equal(archive["label"], label)
    out.unlink()
    delete_set("a")


@ONE_HOME
@given(image=IMAGES)
def test_write_and_read_npz_are_inverse_and_numpy_agrees(image: np.ndarray, tmp_path: Path) -> None:
    label = np.arange(len(image), dtype=np.int16)
    write_npz(tmp_path / "a.npz", image, label)
    ours = read_npz(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        theirs = archive["image"], archive["label"]
    for pair in (ours, theirs):
        assert np.array_equal(pair[0], image) and np.array_equal(pair[1], label)
    assert ours[1].dtype == np.int64


def test_the_same_set_exports_to_the_same_bytes(tmp_path: Path) -> None:
    samples = import_data(makers.npz(tmp_path / "in.npz"), "a")
    assert (
        export_npz(samples, tmp_path / "b.npz").read_bytes()
        == export_npz(samples, tmp_path / "c.npz").read_bytes()
    )


def test_a_set_of_many_chunks_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdp.data.limits.CHUNK_BYTES", 200)
    image, label = makers.images(50), makers.labels(50)
    samples = import_data(makers.npz(tmp_path / "in.npz", image=image, label=label), "a")
    assert np.array_equal(samples.image, image) and np.array_equal(samples.label, label)
    rows = makers.class_folders(tmp_path / "pets", per_class=7)
    assert np.array_equal(import_data(tmp_path / "pets", "b").image, rows)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".ppm", ".PNG"])
def test_lossless_formats_are_read_exactly(suffix: str, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    rows = makers.images(2, (8, 9, 3))
    for name, pixels in zip(("cat", "dog"), rows, strict=True):
        (root / name).mkdir(parents=True)
        Image.fromarray(pixels).save(root / name / f"a{suffix}", lossless=True)
    samples = import_data(root, "a")
    assert np.array_equal(samples.image, rows) and samples.class_names == ("cat", "dog")
    assert samples.label.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("first", "later", "channels"),
    [("RGB", "L", 3), ("RGB", "P", 3), ("RGBA", "RGB", 4), ("RGBA", "LA", 4), ("L", "1", 1)],
)
def test_images_that_convert_without_loss_take_the_first_images_mode(
    first: str, later: str, channels: int, tmp_path: Path
) -> None:
    for name, mode in (("cat", first), ("dog", later)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new(mode, (8, 8), 1).save(tmp_path / "pets" / name / "a.png")
    samples = import_data(tmp_path / "pets", "a")
    assert samples.image.shape == (2, 8, 8, channels)
    with Image.open(tmp_path / "pets/dog/a.png") as image:
        assert np.array_equal(
            samples.image[1], np.asarray(image.convert(first)).reshape(8, 8, channels)
        )


def test_what_file_managers_leave_behind_is_passed_over(tmp_path: Path) -> None:
    rows = makers.class_folders(tmp_path / "pets")
    for litter in (".DS_Store", "cat/Thumbs.db", "cat/.hidden", "readme.txt"):
        (tmp_path / "pets" / litter).write_text("x")
    (tmp_path / "pets/__MACOSX").mkdir()
    assert np.array_equal(import_data(tmp_path / "pets", "a").image, rows)


def test_class_folders_must_be_those_of_the_data_set_named(tmp_path: Path) -> None:
    makers.class_folders(tmp_path / "pets")
    (tmp_path / "pets" / "cat").rename(tmp_path / "pets" / "lynx")
    with pytest.raises(InputError, match=r"not those of cifar10: .*it has 'lynx' besides"):
        import_data(tmp_path / "pets", "a", dataset="cifar10")
    (tmp_path / "pets" / "lynx").rename(tmp_path / "pets" / "cat")
    assert set(
        import_data(tmp_path / "pets", "a", dataset="cifar10").labels("a test").tolist()
    ) == {3, 5}


def test_a_card_says_the_name_of_its_file_and_no_place_on_this_machine(tmp_path: Path) -> None:
    makers.class_folders(tmp_path / "pets")
    for source in (makers.npz(tmp_path / "in.npz"), tmp_path / "pets"):
        samples = import_data(source, source.stem)
        assert samples.card["source"] == source.name
        assert str(tmp_path) not in (samples.folder / "card.json").read_text()


def test_a_failed_export_leaves_no_file(tmp_path: Path) -> None:
    samples = import_data(makers.npz(tmp_path / "in.npz"), "a")
    (samples.folder / "label.npy").unlink()
    with pytest.raises(FileNotFoundError):
        export_npz(samples, tmp_path / "out.npz")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


MEASURE = """
import resource, sys
from cdp.data.importing import export_npz, import_data
from cdp.data.sets import open_set
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
export_npz(import_data(sys.argv[1], "big"), sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_importing_and_exporting_100_mb_takes_under_50_mb_of_memory(tmp_path: Path) -> None:
    rows = 33_000
    with zipfile.ZipFile(tmp_path / "big.npz", "w", zipfile.ZIP_STORED) as archive:
        with archive.open("image.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "|u1", "fortran_order": False, "shape": (rows, 32, 32, 3)}
            )
            for _ in range(33):
                member.write(bytes(1000 * 3072))
        with archive.open("label.npy", "w") as member:
            np.lib.format.write_array(member, np.zeros(rows, np.int64))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "big.npz"), str(tmp_path / "out.npz")]
    out = subprocess.run(command, capture_output=True, text=True, cwd=paths.ROOT, check=True)
    assert int(out.stdout) < 50_000  # KB
    assert len(open_set("big")) == rows
