"""CIFAR-10's python batches, read without trusting a pickle: known by checksum, and then able to
build arrays only."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cdp.errors import InputError

# MD5 of the files in cifar-10-python.tar.gz, as torchvision.datasets.CIFAR10 checks them.
TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
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


def read_batch(path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    """One batch file -> (image (N,32,32,3) uint8, label (N,) int64). Raises InputError where it is
    not the published file."""
    remedy = "unpack cifar-10-python.tar.gz again"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
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


def chunks(paths: tuple[Path, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches in order."""
    for path in paths:
        yield read_batch(path, (TRAIN | TEST)[path.name])
