"""GTSRB as torchvision unpacks it: PPM photographs of many sizes, resized to 32 x 32."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from cdp.data import images
from cdp.errors import InputError

SIDE = 32
CLASSES = 43
MAX_PHOTO_SIDE = 1024
TRAINING = Path("GTSRB/Training")
TEST_IMAGES = Path("GTSRB/Final_Test/Images")
TEST_CSV = Path("GT-final_test.csv")
_CHUNK = 2048

Labelled = list[tuple[Path, int]]


def training_files(base: Path) -> Labelled:
    """Training files with class numbers: folders 00000 to 00042, files by name, as torchvision
    orders them."""
    folders = sorted(entry for entry in (base / TRAINING).iterdir() if entry.is_dir())
    expected = [f"{number:05d}" for number in range(CLASSES)]
    if [folder.name for folder in folders] != expected:
        raise InputError(
            f"{base / TRAINING} does not hold the class folders 00000 to 00042: unpack"
            " GTSRB-Training_fixed.zip again"
        )
    files = [
        (path, number)
        for number, folder in enumerate(folders)
        for path in sorted(folder.glob("*.ppm"))
    ]
    if not files:
        raise InputError(
            f"{base / TRAINING} holds no .ppm files: unpack GTSRB-Training_fixed.zip again"
        )
    return files


def test_files(base: Path) -> Labelled:
    """Test files with class numbers, in the order of the published table."""
    table = base / TEST_CSV
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [
                (row["Filename"], int(row["ClassId"]))
                for row in csv.DictReader(file, delimiter=";", skipinitialspace=True)
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
    return [(base / TEST_IMAGES / name, number) for name, number in rows]


def read_photo(path: Path) -> np.ndarray:
    """One photograph -> (32,32,3) uint8; the whole frame, resized with antialiasing."""
    image = images.read_image(path, max_side=MAX_PHOTO_SIDE).convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def chunks(files: Labelled) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(image (n,32,32,3) uint8, label (n,) int64) a few megabytes at a time."""
    for first in range(0, len(files), _CHUNK):
        part = files[first : first + _CHUNK]
        yield (
            np.stack([read_photo(path) for path, _ in part]),
            np.array([number for _, number in part], np.int64),
        )
