"""Small real files in every format the readers take, for tests to use or to damage."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from cdp.data import formats


def images(count: int = 6, shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0) -> np.ndarray:
    """(count, *shape) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def labels(count: int = 6, classes: int = 3) -> np.ndarray:
    """(count,) int64, classes in turn."""
    return np.arange(count) % classes


def npz(path: Path, **arrays: np.ndarray) -> Path:
    """An .npz of six sound images, with any array replaced by name."""
    np.savez(path, **({"image": images(), "label": labels()} | arrays))
    return path


def idx(path: Path, array: np.ndarray) -> Path:
    """An IDX file, gzip-compressed where the name ends in .gz."""
    data = (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        + array.astype(np.uint8).tobytes()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def mnist_layout(
    root: Path, name: str, count: int = 20, suffix: str = ".gz"
) -> tuple[np.ndarray, np.ndarray]:
    """torchvision's raw folder of an MNIST relative; returns the training images (N,28,28) and
    labels."""
    image, label = images(count, (28, 28, 1))[..., 0], labels(count, 10)
    for prefix in ("train", "t10k"):
        idx(root / name / "raw" / f"{prefix}-images-idx3-ubyte{suffix}", image)
        idx(root / name / "raw" / f"{prefix}-labels-idx1-ubyte{suffix}", label)
    return image, label


def cifar_layout(root: Path, count: int) -> dict[str, str]:
    """CIFAR-10's seven files with random pixels; returns their MD5 sums by name, to be patched in
    for the published ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    sums = {}
    for seed, name in enumerate([*formats.CIFAR_TRAIN, *formats.CIFAR_TEST]):
        rows = images(count, (3, 32, 32), seed).reshape(count, -1)
        data = pickle.dumps({"data": rows, "labels": labels(count, 10).tolist()}, protocol=2)
        (folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()
    meta = pickle.dumps({"label_names": list("abcdefghij")}, protocol=2)
    (folder / "batches.meta").write_bytes(meta)
    return sums | {"batches.meta": hashlib.md5(meta).hexdigest()}


def gtsrb_layout(root: Path, per_class: int = 1) -> None:
    """GTSRB as torchvision unpacks it, with photographs of several sizes."""
    base = root / "gtsrb"
    rng = np.random.default_rng(0)
    for number in range(43):
        folder = base / "GTSRB" / "Training" / f"{number:05d}"
        folder.mkdir(parents=True)
        for photo in range(per_class):
            photo_of(rng, folder / f"{photo:05d}_00000.ppm")
        (folder / f"GT-{number:05d}.csv").write_text("Filename;Width\n")
    tests = base / "GTSRB" / "Final_Test" / "Images"
    tests.mkdir(parents=True)
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for photo in range(5):
        photo_of(rng, tests / f"{photo:05d}.ppm")
        lines.append(f"{photo:05d}.ppm;30;30;5;5;25;25;{photo * 3}")
    (base / "GT-final_test.csv").write_text("\n".join(lines) + "\n")


def photo_of(rng: np.random.Generator, path: Path) -> None:
    """One colour photograph of random size and pixels."""
    height, width = rng.integers(15, 90, 2)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)


def class_folders(
    root: Path, per_class: int = 3, shape: tuple[int, int, int] = (8, 8, 3), suffix: str = ".png"
) -> np.ndarray:
    """Two class folders "cat" and "dog"; returns all images in reading order."""
    rows = images(2 * per_class, shape)
    for row, pixels in enumerate(rows):
        folder = root / ("cat" if row < per_class else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.squeeze()).save(folder / f"{row:03d}{suffix}")
    return rows
