"""Where the files of the built-in data sets may lie, and how each is decoded. The first place that
has all files wins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cdp import paths
from cdp.data import cifar, gtsrb, idx
from cdp.data.limits import as_labels
from cdp.data.rows import Decoded
from cdp.errors import InputError

DEBIAN = Path("/usr/share/datasets")
SUMS = "SHA256SUMS"
# torchvision's class names are its folder names.
TORCHVISION = {
    "fashion-mnist": "FashionMNIST",
    "mnist": "MNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
    "gtsrb": "GTSRB",
}
_IDX = ("fashion-mnist", "mnist", "kmnist")
_ORIGIN = {
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "kmnist": "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "gtsrb": "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/",
}


@dataclass(frozen=True)
class Source:
    """Files of one split, all present. full: False for the shipped subset; watched: what changes
    when the files do."""

    place: Path
    full: bool
    watched: tuple[Path, ...]
    decode: Callable[[], Decoded]


def find(name: str, split: str) -> Source | None:
    """The best source of a split on this machine, or None. Looks for files only, opens none."""
    if name in _IDX:
        return _find_idx(name, split)
    return _find_cifar(split) if name == "cifar10" else _find_gtsrb(split)


def folder_of(name: str) -> Path:
    """Where torchvision keeps the unpacked files of a data set under CDP_HOME."""
    inside = {"cifar10": "cifar-10-batches-py", "gtsrb": "gtsrb"}.get(
        name, f"{TORCHVISION[name]}/raw"
    )
    return paths.datasets_dir() / inside


def how_to_get(name: str) -> str:
    """One clause: which files, from where, into which folder."""
    files = {
        "cifar10": "data_batch_1 to data_batch_5 and test_batch, unpacked",
        "gtsrb": f"{gtsrb.TRAINING}/, {gtsrb.TEST_IMAGES}/ and {gtsrb.TEST_CSV}, unpacked",
    }.get(
        name,
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and"
        " t10k-labels-idx1-ubyte.gz",
    )
    return f"put {files} from {_ORIGIN[name]}, into {folder_of(name)}"


def _find_idx(name: str, split: str) -> Source | None:
    prefix = "train" if split == "train" else "t10k"
    stems = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    for folder, suffixes, full in (
        (folder_of(name), ("", ".gz"), True),
        (DEBIAN / name, ("", ".gz"), True),
        (paths.ASSETS / "data" / name, (".xz",), False),
    ):
        found = [
            next((p for s in suffixes if (p := folder / f"{stem}{s}").is_file()), None)
            for stem in stems
        ]
        image, label = found
        if image and label:
            return Source(
                folder, full, (image, label), partial(_decode_idx, image, label, verify=not full)
            )
    return None


def _decode_idx(image: Path, label: Path, *, verify: bool) -> Decoded:
    if verify:
        for path in (image, label):
            verify_checksum(path)
    images, labels = idx.read_idx(image, 3)[..., None], idx.read_idx(label, 1)
    if len(images) != len(labels) or images.shape[1:] != (28, 28, 1):
        raise InputError(
            f"{image} has shape {images.shape[:3]}, not ({len(labels)}, 28, 28): download it again"
            f" with {label.name}"
        )
    return images.shape, iter([(images, as_labels(labels, 10, str(label)))])


def verify_checksum(path: Path) -> None:
    """Compare a shipped file with the SHA256SUMS beside it. Raises InputError where they differ."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if f"{actual}  {path.name}" not in (path.parent / SUMS).read_text().splitlines():
        raise InputError(
            f"{path} does not match its checksum in {SUMS}: restore it with git checkout"
        )


def _find_cifar(split: str) -> Source | None:
    folder = folder_of("cifar10")
    batches = tuple(folder / name for name in (cifar.TRAIN if split == "train" else cifar.TEST))
    if not all(path.is_file() for path in batches):
        return None
    return Source(
        folder,
        True,
        batches,
        lambda: ((cifar.BATCH_ROWS * len(batches), 32, 32, 3), cifar.chunks(batches)),
    )


def _find_gtsrb(split: str) -> Source | None:
    base = folder_of("gtsrb")
    if split == "train":
        if not (base / gtsrb.TRAINING).is_dir():
            return None
        # A class folder's time changes with every file added or removed; 26,640 files need not be
        # asked one by one.
        watched = tuple(
            sorted(entry for entry in (base / gtsrb.TRAINING).iterdir() if entry.is_dir())
        ) or (base / gtsrb.TRAINING,)
        return Source(base, True, watched, lambda: _decode_gtsrb(gtsrb.training_files(base)))
    if not ((base / gtsrb.TEST_IMAGES).is_dir() and (base / gtsrb.TEST_CSV).is_file()):
        return None
    return Source(
        base,
        True,
        (base / gtsrb.TEST_CSV, base / gtsrb.TEST_IMAGES),
        lambda: _decode_gtsrb(gtsrb.test_files(base)),
    )


def _decode_gtsrb(files: gtsrb.Labelled) -> Decoded:
    return (len(files), gtsrb.SIDE, gtsrb.SIDE, 3), gtsrb.chunks(files)
