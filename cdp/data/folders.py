"""A folder with one sub-folder of image files a class (torchvision's ImageFolder layout)."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cdp.data import limits
from cdp.data.fitting import Labelling, fit
from cdp.errors import InputError, MissingError

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"])
MAX_FILE_BYTES = 4 << 20
# Pillow picks a decoder by content, not by name; no other of its many decoders is ever given a
# user's file.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
# Without loss: palettes and bilevel images become the colours they stand for.
_LOSSLESS = {mode: mode for mode in _CHANNELS} | {"1": "L", "P": "RGB", "LA": "RGBA", "PA": "RGBA"}


@dataclass(frozen=True)
class ImageForm:
    """What all images of a set share. mode: "L", "RGB" or "RGBA"."""

    height: int
    width: int
    mode: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, _CHANNELS[self.mode]


def read_image(path: Path, *, max_side: int = limits.MAX_SIDE) -> Image.Image:
    """A decoded image in mode L, RGB or RGBA. Raises InputError naming the file."""
    remedy = "replace it with a PNG or JPEG, or remove it"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path} is over {MAX_FILE_BYTES >> 20} MB, too large for an image of {max_side}"
                f" px: {remedy}"
            )
        with warnings.catch_warnings(), path.open("rb") as file:
            # Pillow only warns below twice its bomb limit; ours, on the same announced size, is far
            # lower and follows at once.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as image:
                _check_announced(image, path, max_side)
                mode = (
                    "RGBA"
                    if image.mode == "P" and "transparency" in image.info
                    else _LOSSLESS[image.mode]
                )
                # As cameras and phones mean it: the pixels lie as the sensor does, and a tag says
                # how to turn them.
                return ImageOps.exif_transpose(image).convert(mode)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} announces an image far over {max_side} px a side: {remedy}"
        ) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
        IndexError,
        KeyError,
        MemoryError,
        struct.error,
    ) as error:
        raise InputError(f"{path} is not a readable image ({str(error)[:80]}): {remedy}") from error


def _check_announced(image: Image.Image, path: Path, max_side: int) -> None:
    width, height = image.size
    if not (1 <= width <= max_side and 1 <= height <= max_side):
        raise InputError(
            f"{path} is {width} x {height} px: resize it to at most {max_side} px a side"
        )
    if image.mode not in _LOSSLESS:
        raise InputError(
            f"{path} has pixel mode {image.mode}, not 8-bit grey or colour: convert it to 8-bit RGB"
        )
    if getattr(image, "n_frames", 1) != 1:
        raise InputError(f"{path} is an animation: save the frame you want as a PNG")


def form_of(image: Image.Image) -> ImageForm:
    """The form that an image has itself."""
    return ImageForm(image.height, image.width, image.mode)


def as_array(image: Image.Image, form: ImageForm, path: Path) -> np.ndarray:
    """(H,W,C) uint8 in the set's form. Raises InputError where anything would be lost."""
    if (image.height, image.width) != (form.height, form.width):
        raise InputError(
            f"{path} is {image.width} x {image.height} px in a set of {form.width} x {form.height}:"
            " resize all to one size"
        )
    if _CHANNELS[image.mode] > _CHANNELS[form.mode]:
        raise InputError(
            f"{path} has mode {image.mode} among images of mode {form.mode}: convert all to one"
            " mode"
        )
    return np.asarray(image.convert(form.mode)).reshape(form.shape)


# What file managers leave behind.
_LITTER = frozenset(["thumbs.db", "desktop.ini", "__macosx"])
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
"""What the folders of training and of test images are called, in any case; the first of the second
that is there is the test set."""


@dataclass(frozen=True)
class Tree:
    """The files of a folder in a fixed order: classes by name, those that are numbers by value,
    then files by name. label[i] belongs to files[i]."""

    root: Path
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    label: tuple[int, ...]

    def numbered_as(self, names: Sequence[str], whose: str) -> Tree:
        """With these classes in this order, of which some may have no folder. whose: they are.
        Raises InputError for a folder that is none."""
        match = fit(
            Labelling(str(self.root), self.class_names, ()),
            Labelling(whose, tuple(names), ()),
            subset_ok=True,
        )
        if match.refusal:
            raise InputError(f"{self.root}: {match.refusal}: rename the folders as those classes")
        return replace(
            self,
            class_names=tuple(names),
            label=tuple(match.relabel(np.array(self.label)).tolist()),
        )


def scan(root: Path) -> Tree:
    """List classes and files, opening none. Raises InputError naming what does not belong."""
    if not root.is_dir():
        raise MissingError(
            f"{root} is not a folder: give one with a sub-folder of images for each class"
        )
    class_folders = [Path(entry.path) for entry in _entries(root) if entry.is_dir()]
    if all(folder.name.isascii() and folder.name.isdigit() for folder in class_folders):
        class_folders.sort(key=lambda folder: (int(folder.name), folder.name))
    names = tuple(folder.name for folder in class_folders)
    if len(names) > 1 and all(name.lower() in TRAIN + TEST for name in names):
        raise InputError(
            f"{root} holds splits, not classes ({', '.join(names)}): give its folders one by one,"
            f" {class_folders[0]} first"
        )
    if len(names) == 1 and any(entry.is_dir() for entry in _entries(class_folders[0])):
        raise InputError(
            f"{root} has one class folder, and {class_folders[0]} has folders itself: give"
            f" {class_folders[0]}"
        )
    if len(names) < 2:
        count = "one class folder" if names else "no class folders"
        raise InputError(
            f"{root} has {count}: give one with a sub-folder of images for each of 2 or more"
            " classes"
        )
    if len(names) > limits.MAX_CLASSES:
        raise InputError(
            f"{root} has {len(names)} class folders: give at most {limits.MAX_CLASSES}"
        )
    for name in names:
        if not name.isprintable() or len(name) > 100:
            raise InputError(
                f"{root} has a class folder with an unreadable name ({name[:40]!r}): rename it in"
                " plain letters"
            )
    files: list[Path] = []
    label: list[int] = []
    for number, folder in enumerate(class_folders):
        inside = _image_files(folder)
        files += inside
        label += [number] * len(inside)
    return Tree(root, names, tuple(files), tuple(label))


@dataclass(frozen=True)
class Splits:
    """Where training and test images lie, and unused folders of further splits."""

    train: Path
    test: Path | None
    unused: tuple[Path, ...]


def splits_of(root: Path) -> Splits | None:
    """The splits in a folder, whatever others call them (train, Training, val, valid, validation,
    test, Testing); None where it has none.

    Raises InputError where two folders are called alike but for case.
    """
    inside = [Path(entry.path) for entry in _entries(root) if entry.is_dir()]
    trains = [folder for folder in inside if folder.name.lower() in TRAIN]
    if not trains or any(folder.name.lower() not in TRAIN + TEST for folder in inside):
        return None
    if len(trains) > 1:
        raise InputError(
            f"{root} has two folders of training images ({trains[0].name} and {trains[1].name}):"
            " rename or remove one"
        )
    train = trains[0]
    tests = sorted(
        (folder for folder in inside if folder != train),
        key=lambda folder: TEST.index(folder.name.lower()),
    )
    return Splits(train, tests[0] if tests else None, tuple(tests[1:]))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries that count, by name. Links could loop or lead elsewhere: refused."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(
                (
                    e
                    for e in listing
                    if not e.name.startswith(".") and e.name.lower() not in _LITTER
                ),
                key=lambda e: e.name,
            )
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed ({error.strerror}): check its permissions"
        ) from error
    for entry in entries:
        if entry.is_symlink():
            raise InputError(
                f"{entry.path} is a symbolic link: copy what it points to, or remove it"
            )
    return entries


def _image_files(folder: Path) -> list[Path]:
    entries = _entries(folder)
    for entry in entries:
        if not entry.is_file():
            raise InputError(
                f"{entry.path} is not a file: a class folder holds image files only; move or"
                " remove it"
            )
        if Path(entry.name).suffix.lower() not in SUFFIXES:
            raise InputError(
                f"{entry.path} is not named as an image ({', '.join(sorted(SUFFIXES))}):"
                " convert or remove it"
            )
    if not entries:
        raise InputError(f"{folder} holds no images: add some, or remove the folder")
    return [Path(entry.path) for entry in entries]


def shape_of(tree: Tree) -> tuple[int, int, int, int]:
    """(N,H,W,C): the form of the first image holds for all."""
    return len(tree.files), *form_of(read_image(tree.files[0])).shape


def chunks(tree: Tree) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(images uint8, labels int64) chunk by chunk. Raises InputError naming a misfit."""
    form = form_of(read_image(tree.files[0]))
    rows = limits.chunk_rows(form.shape)
    for first in range(0, len(tree.files), rows):
        files = tree.files[first : first + rows]
        block = np.stack([as_array(read_image(path), form, path) for path in files])
        yield block, np.asarray(tree.label[first : first + rows], np.int64)
