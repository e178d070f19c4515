"""The files of published data sets, read with every size checked: IDX (MNIST and its relatives),
CIFAR-10's batches, and GTSRB's photographs."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import lzma
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cdp.data import folders
from cdp.errors import InputError
from cdp.files.reading import read_bytes, read_file

_UINT8 = 0x08
# Five times the largest of the family, so that a compressed file cannot fill the memory.
MAX_BYTES = 256 << 20
MAX_TABLE = 16 << 20
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """One IDX file of unsigned bytes, also ``.gz`` or ``.xz``, of so many dimensions, as a uint8
    array. Raises InputError where header, type or length are not what they say."""
    try:
        with _OPENERS.get(path.suffix, open)(path, "rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UINT8 or magic[3] != ndim:
                raise InputError(
                    f"{path} is not an IDX file of {ndim}-dimensional bytes: download it again"
                )
            header = file.read(4 * ndim)
            if len(header) < 4 * ndim:
                raise InputError(f"{path} ends inside its header: download it again")
            shape = struct.unpack(f">{ndim}I", header)
            size = int(np.prod(shape, dtype=object))
            if size > MAX_BYTES:
                raise InputError(
                    f"{path} announces {size} bytes, over the limit of {MAX_BYTES}: the file is"
                    " corrupt"
                )
            # One byte more than announced, so that trailing data shows and a bomb is never unpacked
            # whole.
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path} cannot be read ({error}): download it again") from error
    if len(data) != size:
        raise InputError(
            f"{path} holds {len(data)} bytes where its header announces {size}: download it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


# MD5 of the files in cifar-10-python.tar.gz, as torchvision.datasets.CIFAR10 checks them.
CIFAR_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
CIFAR_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
BATCH_ROWS = 10_000

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """The second lock: even a file with the right checksum can name nothing but numpy's arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def read_cifar_batch(path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    """One batch -> (image (N,32,32,3), label (N,)). Raises InputError for no published file."""
    remedy = "unpack cifar-10-python.tar.gz again"
    data = read_file(path, MAX_BYTES, missing=remedy, remedy=remedy)
    # The bytes that were checked are the bytes that are parsed; the file is not opened twice.
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise InputError(
            f"{path} is not the published file (its MD5 differs), so it was not opened: {remedy}"
        )
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
        image = np.asarray(batch["data"]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        label = np.asarray(batch["labels"], np.int64)
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ImportError,
        IndexError,
    ) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy}") from error
    return image, label


def cifar_chunks(paths: tuple[Path, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches in order."""
    for path in paths:
        yield read_cifar_batch(path, (CIFAR_TRAIN | CIFAR_TEST)[path.name])


SIDE = 32
CLASSES = 43
MAX_PHOTO_SIDE = 1024
GTSRB_TRAINING = Path("GTSRB/Training")
GTSRB_IMAGES = Path("GTSRB/Final_Test/Images")
GTSRB_TABLE = Path("GT-final_test.csv")
_CHUNK = 2048

Labelled = list[tuple[Path, int]]


def gtsrb_training(base: Path) -> Labelled:
    """Training files with class numbers, in torchvision's order."""
    folders = sorted(entry for entry in (base / GTSRB_TRAINING).iterdir() if entry.is_dir())
    expected = [f"{number:05d}" for number in range(CLASSES)]
    if [folder.name for folder in folders] != expected:
        raise InputError(
            f"{base / GTSRB_TRAINING} does not hold the class folders 00000 to 00042: unpack"
            " GTSRB-Training_fixed.zip again"
        )
    files = [
        (path, number)
        for number, folder in enumerate(folders)
        for path in sorted(folder.glob("*.ppm"))
    ]
    if not files:
        raise InputError(
            f"{base / GTSRB_TRAINING} holds no .ppm files: unpack GTSRB-Training_fixed.zip again"
        )
    return files


def gtsrb_test(base: Path) -> Labelled:
    """Test files with class numbers, in the order of the published table."""
    table = base / GTSRB_TABLE
    try:
        text = read_bytes(table, MAX_TABLE).decode("utf-8")
        rows = [
            (row["Filename"], int(row["ClassId"]))
            for row in csv.DictReader(io.StringIO(text), delimiter=";", skipinitialspace=True)
        ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{table} is not the table of the test images ({error}): unpack GTSRB_Final_Test_GT.zip"
            " again"
        ) from error
    for name, number in rows:
        if Path(name).name != name or not 0 <= number < CLASSES:
            raise InputError(
                f"{table} names {name[:60]!r} of class {number}, not of GTSRB: unpack"
                " GTSRB_Final_Test_GT.zip again"
            )
    if not rows:
        raise InputError(f"{table} is empty: unpack GTSRB_Final_Test_GT.zip again")
    return [(base / GTSRB_IMAGES / name, number) for name, number in rows]


def read_photo(path: Path) -> np.ndarray:
    """One photograph -> (32,32,3) uint8; the whole frame, resized with antialiasing."""
    image = folders.read_image(path, max_side=MAX_PHOTO_SIDE).convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _photo_chunks(files: Labelled) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(image (n,32,32,3) uint8, label (n,) int64) a few megabytes at a time."""
    for first in range(0, len(files), _CHUNK):
        part = files[first : first + _CHUNK]
        yield (
            np.stack([read_photo(path) for path, _ in part]),
            np.array([number for _, number in part], np.int64),
        )


def gtsrb_decode(
    files: Labelled,
) -> tuple[tuple[int, ...], Iterator[tuple[np.ndarray, np.ndarray]]]:
    """(N,32,32,3) of all photographs, and these with their labels."""
    return (len(files), SIDE, SIDE, 3), _photo_chunks(files)
