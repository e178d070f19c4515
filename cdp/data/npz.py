"""The field's interchange format: an .npz with ``image`` (N,H,W,C) uint8 and ``label`` (N,),
streamed both ways. Images alone are a set without labels.

A file from outside is never given to numpy.load: the two members are found, their headers checked
against the archive's own sizes, and only then is data read, a few megabytes at a time, with the
archive's checksum verified at the end.
"""

from __future__ import annotations

import contextlib
import shlex
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from cdp.data import limits
from cdp.data.rows import Chunk, Decoded, checked_labels, decoded
from cdp.errors import InputError, MissingError
from cdp.files import atomic, npy

# Real images deflate about 2 to 10 times, drawings on black up to some 30; a megabyte of zeros
# about 1000 times.
MAX_RATIO = 100
RATIO_FREE_BYTES = 64 << 20
IMAGES, LABELS = ("image", "images", "x", "X", "arr_0"), ("label", "labels", "y", "Y", "arr_1")
"""What images and labels are called, the field's own names first; numpy.savez gives arrays without
names the last."""
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class NpzReader:
    """A checked archive. shape: (N,H,W,C); labelled: False for images alone; note: what its arrays
    were taken for, and which were left out, or ""."""

    path: Path
    shape: tuple[int, ...]
    labelled: bool
    _archive: zipfile.ZipFile
    _names: tuple[str, str]
    note: str = ""

    def chunks(self) -> Iterator[Chunk]:
        """(images uint8, labels or None). Raises InputError for other data than announced."""
        if self.labelled:
            return self.labelled_chunks()
        return ((images, None) for images in self._images())

    def labelled_chunks(
        self,
        numbering: limits.Numbering = limits.Numbering(),  # noqa: B008 frozen
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same with class numbers. Raises InputError where there are none."""
        labels = numbering.apply(self.labels(), f"{self.path}: label")
        first = 0
        for images in self._images():
            yield images, labels[first : first + len(images)]
            first += len(images)

    def labels(self) -> np.ndarray:
        """(N,) integers, as they stand in the file. Raises InputError where there are none."""
        self.require_labels()
        with _one_sentence(self.path), self._archive.open(f"{self._names[1]}.npy") as label:
            return _read(label, self.shape[:1], npy.read_header(label, f"{self.path}: label").dtype)

    def require_labels(self) -> None:
        """Raises InputError where there are no labels."""
        if not self.labelled:
            raise InputError(
                f"{self.path} holds images without labels: import it (python -m cdp import"
                f" {shlex.quote(str(self.path))} --name NAME), then let a classifier label it"
                " (python -m cdp pseudo-label NAME --dataset DATASET --name NEW)"
            )

    def _images(self) -> Iterator[np.ndarray]:
        rows = limits.chunk_rows(self.shape[1:])
        with _one_sentence(self.path), self._archive.open(f"{self._names[0]}.npy") as image:
            npy.read_header(image, f"{self.path}: image")
            for first in range(0, self.shape[0], rows):
                yield _read(
                    image, (min(rows, self.shape[0] - first), *self.shape[1:]), np.dtype(np.uint8)
                )


def _read(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    data = file.read(size)
    if len(data) != size:
        raise EOFError("the data end early")
    return np.frombuffer(data, dtype).reshape(shape)


@contextlib.contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """Whatever zipfile and zlib raise on a bad archive, as one InputError."""
    try:
        yield
    except InputError:
        raise
    except _BAD_ZIP as error:
        raise InputError(
            f"{path} is not a readable .npz archive ({str(error)[:120]}): download or save it again"
        ) from error


@contextlib.contextmanager
def open_npz(path: Path | str) -> Iterator[NpzReader]:
    """Check an archive before reading data. Raises InputError or MissingError."""
    path = Path(path)
    if not path.is_file():
        raise MissingError(f"{path} is not a file: give the path of an .npz archive")
    with _one_sentence(path):
        archive = zipfile.ZipFile(path)
    with archive:
        names = _called(archive, path)
        image = _header(archive, path, names[0])
        # Grey images often lack the axis of one channel.
        shape = (*image.shape, 1) if len(image.shape) == 3 else image.shape
        limits.check_image_header(shape, image.dtype, f"{path}: image")
        # Images beside an array of another name are more likely labels under a wrong name than
        # images without labels.
        labelled = archive.namelist() != [f"{names[0]}.npy"]
        if labelled:
            label = _header(archive, path, names[1])
            limits.check_label_header(label.shape, label.dtype, image.shape[0], f"{path}: label")
        as_named = names[:1] == ("image",) if not labelled else names == ("image", "label")
        taken = (
            ""
            if as_named
            else f"array {names[0]} was taken for the images"
            + (f" and {names[1]} for the labels" if labelled else "")
        )
        others = [
            member.removesuffix(".npy")
            for member in archive.namelist()
            if member.removesuffix(".npy") not in names
        ]
        # Such as class names, or test images, which somebody may believe were read.
        left = (
            "nothing was read of"
            f" {', '.join(repr(other[:40]) for other in others[:5])}{' and others' if len(others) > 5 else ''}"
            if others
            else ""
        )
        note = ", and ".join(part for part in (taken, left) if part)
        yield NpzReader(path, shape, labelled, archive, names, note)


def _called(archive: zipfile.ZipFile, path: Path) -> tuple[str, str]:
    """What the images and the labels are called in this archive."""
    inside = set(archive.namelist())
    image, label = (
        next((name for name in names if f"{name}.npy" in inside), names[0])
        for names in (IMAGES, LABELS)
    )
    # Without names numpy numbers the arrays as they were given, and labels may have been the first.
    if (image, label) == ("arr_0", "arr_1") and len(_header(archive, path, "arr_0").shape) < len(
        _header(archive, path, "arr_1").shape
    ):
        return label, image
    return image, label


def _header(archive: zipfile.ZipFile, path: Path, key: str) -> npy.NpyHeader:
    """The checked .npy header of one member."""
    where = f"{path}: {key}"
    members = [info for info in archive.infolist() if info.filename == f"{key}.npy"]
    if not members:
        names = ", ".join(repr(name[:40]) for name in archive.namelist()[:8]) or "nothing"
        raise InputError(
            f"{path} has no array {key!r} (it holds {names}): save it with numpy.savez(path,"
            " image=..., label=...)"
        )
    if len(members) > 1:
        raise InputError(
            f"{path} holds {key!r} {len(members)} times: save it again with one array of that name"
        )
    info = members[0]
    if info.flag_bits & 1:
        raise InputError(f"{where} is encrypted: save it again without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(
            f"{where} is compressed by method {info.compress_type}: save it with numpy.savez or"
            " savez_compressed"
        )
    if info.file_size > RATIO_FREE_BYTES and info.file_size > MAX_RATIO * info.compress_size:
        raise InputError(
            f"{where} would unpack {info.compress_size} bytes to {info.file_size}, as no images do:"
            " check where it came from"
        )
    with _one_sentence(path), archive.open(info) as file:
        header = npy.read_header(file, where)
    if header.size != info.file_size:
        raise InputError(
            f"{where} announces {header.size} bytes where the archive holds {info.file_size}:"
            " download or save it again"
        )
    return header


def read_npz(path: Path | str, *, classes: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(image (N,H,W,C) uint8, label (N,) int64), mapped from a decoded copy in the cache. classes:
    how many there are, 0 for those seen. Raises InputError without labels, or for labels with
    gaps."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise MissingError(f"{path} is not a file: give the path of an .npz archive")

    def decode() -> Decoded:
        with open_npz(path) as reader:
            limits.numbering(reader.labels(), classes, f"{path}: label", renumber=False)
            shape = reader.shape
        return shape, _chunks(path)

    return decoded(f"npz-{classes}", [path], decode)


def _chunks(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with open_npz(path) as reader:
        yield from reader.labelled_chunks()


def write_npz(path: Path | str, image: np.ndarray, label: np.ndarray | None) -> None:
    """Save arrays in the field's format, atomically. image: (N,H,W,C) uint8; label: (N,) integers
    from 0, saved as int64, None for images without labels, which are then all that the file holds.
    """
    path = Path(path)
    limits.check_image_header(image.shape, image.dtype, f"{path}: image")
    labels = checked_labels(label, len(image), str(path), labelled=label is not None)
    rows = limits.chunk_rows(image.shape[1:])
    images = (
        np.ascontiguousarray(image[first : first + rows]).data
        for first in range(0, len(image), rows)
    )
    with atomic.atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        _write_member(archive, "image.npy", image.shape, np.dtype(np.uint8), images)
        if labels is not None:
            _write_member(archive, "label.npy", labels.shape, labels.dtype, iter([labels.data]))


def npz_bytes(image: np.ndarray, label: np.ndarray | None) -> bytes:
    """The same file in memory, for a download."""
    with tempfile.TemporaryDirectory(prefix="cdp-export-") as folder:
        write_npz(path := Path(folder) / "set.npz", image, label)
        return path.read_bytes()


def _write_member(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    blocks: Iterator[memoryview],
) -> None:
    # A fixed date, so that the same arrays make the same file.
    with archive.open(
        zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True
    ) as member:
        member.write(npy.header_bytes(shape, dtype))
        for block in blocks:
            member.write(block)
