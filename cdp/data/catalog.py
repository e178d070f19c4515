"""The built-in data sets, one entry each: what is known, where files lie, how they decode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.data import formats
from cdp.data.limits import as_labels
from cdp.data.rows import Decoded
from cdp.errors import InputError, MissingError
from cdp.values.types import DatasetInfo

DEBIAN = Path("/usr/share/datasets")
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class SplitFiles:
    """Files of one split. full: False for the shipped subset; watched: changes with them; labels:
    reads the classes (N,) alone, where a file holds nothing else."""

    place: Path
    full: bool
    watched: tuple[Path, ...]
    decode: Callable[[], Decoded]
    labels: Callable[[], np.ndarray] | None = None


@dataclass(frozen=True, kw_only=True)
class Builtin(DatasetInfo):
    """A data set that has a name here. folder: under CDP_HOME/datasets; files, origin: in words;
    find: its best source of a split on this machine, or None, by looking for files; torchvision:
    the class that downloads it; mirrored: whether its classes look the same in a mirror."""

    folder: str
    files: str
    origin: str
    find: Callable[[Builtin, str], SplitFiles | None]
    torchvision: str = ""
    mirrored: bool = False

    @property
    def place(self) -> Path:
        return paths.datasets_dir() / self.folder

    def source(self, split: str) -> SplitFiles | None:
        return self.find(self, split)

    @property
    def how(self) -> str:
        """One clause: which files, from where, into which folder."""
        return f"put {self.files} from {self.origin}, into {self.place}"

    def fetch(self, split: str) -> None:
        """Let torchvision download one split. Raises MissingError with the way by hand."""
        try:
            if not self.torchvision:
                raise RuntimeError("nothing downloads it")
            import torchvision

            root = paths.datasets_dir()
            root.mkdir(parents=True, exist_ok=True)
            kind = getattr(torchvision.datasets, self.torchvision)
            which = {"split": split} if self.torchvision == "GTSRB" else {"train": split == "train"}
            kind(root, download=True, **which)
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise MissingError(
                f"data set {self.name!r} could not be downloaded ({reason}): {self.how}"
            ) from error


def builtin(name: str) -> Builtin:
    """A built-in data set. Raises MissingError that lists the names."""
    if name not in CATALOG:
        raise MissingError(
            f"data set {name[:200]!r} is unknown: choose one of {', '.join(CATALOG)}"
        )
    return CATALOG[name]


def mirrored(name: str) -> bool:
    """Whether its classes look the same in a mirror; False for others than the built-in."""
    return name in CATALOG and CATALOG[name].mirrored


def _find_idx(info: Builtin, split: str) -> SplitFiles | None:
    """The first place that has both files: CDP_HOME, the system's packages, and what is shipped."""
    prefix = "train" if split == "train" else "t10k"
    stems = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    for folder, suffixes, full in (
        (info.place, ("", ".gz"), True),
        (DEBIAN / info.name, ("", ".gz"), True),
        (paths.ASSETS / "data" / info.name, (".xz",), False),
    ):
        image, label = (
            next((p for s in suffixes if (p := folder / f"{stem}{s}").is_file()), None)
            for stem in stems
        )
        if image and label:
            return SplitFiles(
                folder,
                full,
                (image, label),
                partial(_decode_idx, image, label, verify=not full),
                partial(_labels_idx, label, verify=not full),
            )
    return None


def _decode_idx(image: Path, label: Path, *, verify: bool) -> Decoded:
    if verify:
        verify_checksum(image)
    images, labels = formats.read_idx(image, 3)[..., None], _labels_idx(label, verify=verify)
    if len(images) != len(labels) or images.shape[1:] != (28, 28, 1):
        raise InputError(
            f"{image} has shape {images.shape[:3]}, not ({len(labels)}, 28, 28): download it again"
            f" with {label.name}"
        )
    return images.shape, iter([(images, labels)])


def _labels_idx(path: Path, *, verify: bool) -> np.ndarray:
    if verify:
        verify_checksum(path)
    return as_labels(formats.read_idx(path, 1), 10, str(path))


def verify_checksum(path: Path) -> None:
    """Compare a shipped file with the SHA256SUMS beside it. Raises InputError where they differ."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if f"{actual}  {path.name}" not in (path.parent / SUMS).read_text().splitlines():
        raise InputError(
            f"{path} does not match its checksum in {SUMS}: restore it with git checkout"
        )


def _find_cifar(info: Builtin, split: str) -> SplitFiles | None:
    sums = formats.CIFAR_TRAIN if split == "train" else formats.CIFAR_TEST
    batches = tuple(info.place / name for name in sums)
    if not all(path.is_file() for path in batches):
        return None
    shape = (formats.BATCH_ROWS * len(batches), 32, 32, 3)
    return SplitFiles(info.place, True, batches, lambda: (shape, formats.cifar_chunks(batches)))


def _find_gtsrb(info: Builtin, split: str) -> SplitFiles | None:
    base = info.place
    if split == "train":
        training = base / formats.GTSRB_TRAINING
        if not training.is_dir():
            return None
        # A class folder's time changes with every file added or removed; 26,640 files need not be
        # asked one by one.
        watched = tuple(sorted(entry for entry in training.iterdir() if entry.is_dir()))
        files = partial(formats.gtsrb_training, base)
        return SplitFiles(base, True, watched or (training,), lambda: formats.gtsrb_decode(files()))
    images, table = base / formats.GTSRB_IMAGES, base / formats.GTSRB_TABLE
    if not (images.is_dir() and table.is_file()):
        return None
    return SplitFiles(
        base, True, (table, images), lambda: formats.gtsrb_decode(formats.gtsrb_test(base))
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


_DIGITS = tuple("0123456789")
_FASHION = _names(
    "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
)
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CIFAR10 = _names("airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck")
_SIGNS = _names(
    "speed limit 20, speed limit 30, speed limit 50, speed limit 60, speed limit 70, speed "
    "limit 80, end of speed limit 80, speed limit 100, speed limit 120, no passing, no "
    "passing for heavy vehicles, right of way at next crossing, priority road, yield, stop, "
    "no vehicles, no heavy vehicles, no entry, general caution, dangerous curve left, "
    "dangerous curve right, double curve, bumpy road, slippery road, road narrows on the "
    "right, road work, traffic signals, pedestrians, children crossing, bicycles crossing, "
    "ice or snow, wild animals crossing, end of all limits, turn right ahead, turn left "
    "ahead, ahead only, straight or right, straight or left, keep right, keep left, "
    "roundabout, end of no passing, end of no passing for heavy vehicles"
)

_IDX_FILES = (
    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and"
    " t10k-labels-idx1-ubyte.gz"
)


def _idx(name: str, folder: str, origin: str, **facts: Any) -> Builtin:
    """A relative of MNIST. folder: torchvision's name of it."""
    where: Any = {
        "folder": f"{folder}/raw",
        "files": _IDX_FILES,
        "origin": origin,
        "find": _find_idx,
    }
    return Builtin(name=name, shape=(1, 28, 28), torchvision=folder, **where, **facts)


# The origin of each budget is in docs/data.md; where there is no convention, none is made up.
CATALOG: dict[str, Builtin] = {
    info.name: info
    for info in (
        _idx(
            "fashion-mnist",
            "FashionMNIST",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            title="Fashion-MNIST",
            classes=_FASHION,
            epsilon_linf=0.1,
            epsilon_l2=1.5,
            licence="MIT, Zalando SE",
            mirrored=True,
        ),
        _idx(
            "mnist",
            "MNIST",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            title="MNIST",
            classes=_DIGITS,
            epsilon_linf=0.3,
            epsilon_l2=2.0,
            licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
        ),
        _idx(
            "kmnist",
            "KMNIST",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            title="Kuzushiji-MNIST",
            classes=_KUZUSHIJI,
            epsilon_linf=None,
            licence="CC BY-SA 4.0, CODH",
        ),
        Builtin(
            name="cifar10",
            title="CIFAR-10",
            classes=_CIFAR10,
            shape=(3, 32, 32),
            epsilon_linf=8 / 255,
            epsilon_l2=128 / 255,
            licence="none stated by its authors; cite Krizhevsky 2009",
            folder="cifar-10-batches-py",
            files="data_batch_1 to data_batch_5 and test_batch, unpacked",
            origin="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            find=_find_cifar,
            torchvision="CIFAR10",
            mirrored=True,
        ),
        Builtin(
            name="gtsrb",
            title="Traffic signs (GTSRB)",
            classes=_SIGNS,
            shape=(3, 32, 32),
            epsilon_linf=8 / 255,
            licence="none stated by its authors; cite Stallkamp 2012",
            folder="gtsrb",
            files=(
                f"{formats.GTSRB_TRAINING}/, {formats.GTSRB_IMAGES}/ and {formats.GTSRB_TABLE},"
                " unpacked"
            ),
            origin="https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/",
            find=_find_gtsrb,
            torchvision="GTSRB",
        ),
    )
}
"""By name, as cards, runs and links have it."""
