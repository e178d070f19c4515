"""Bringing a data set of one's own into the store whole: its training images as set NAME and, where there are any, its test images
as NAME-test."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp import paths
from cdp.data import atomic, limits
from cdp.data.catalog import CATALOG
from cdp.data.importing import import_data
from cdp.data.names import valid_name
from cdp.data.samples import SampleSet
from cdp.errors import InputError, MissingError

TEST = "-test"
"""Ends the name of the set that holds another one's test images."""
_TEST_FOLDERS = ("test", "val")


@dataclass(frozen=True)
class Brought:
    """What is in the store now. test: None where there are no test images. Training images may be without labels, and then are all there is."""

    train: SampleSet
    test: SampleSet | None


def bring(source: Path | str, name: str, *, test: Path | str | None = None, class_names: Sequence[str] = ()) -> Brought:
    """Import training and test images under one name.

    source: an .npz, a folder of class folders, or a folder with sub-folders train and test (or val) of such.
    test: another .npz or folder; where not given, what lies beside: the sub-folder, or ``<stem>-test.npz``.
    class_names: for .npz files, whose labels are numbers. Raises InputError or MissingError with a remedy; the store is then as it was.
    """
    source = Path(source).expanduser()
    check_name(name)
    first, second = parts_of(source, Path(test).expanduser() if test else None)
    for wanted in (name, f"{name}{TEST}")[: 1 if second is None else 2]:
        atomic.refuse_existing(paths.sets_dir() / wanted)
    train = import_data(first, name, class_names=() if first.is_dir() else checked_classes(class_names))
    try:
        return Brought(train, None if second is None else _test_images(second, train))
    except BaseException:
        shutil.rmtree(train.folder, ignore_errors=True)
        raise


def check_name(name: str) -> str:
    """The name itself where a data set can have it: its encoders and models are kept in folders of that name. Raises InputError."""
    valid_name(name)
    if not name[0].isalnum() or ".." in name:
        raise InputError(f"name {name[:60]!r} cannot hold encoders: begin it with a letter or digit, without two dots in a row")
    if name in CATALOG:
        raise InputError(f"name {name!r} is a built-in data set: choose another name")
    if name.endswith(TEST):
        raise InputError(f"name {name[:60]!r} ends in {TEST}, which marks the test images of a set: choose another name")
    return name


def parts_of(source: Path, test: Path | None) -> tuple[Path, Path | None]:
    """Where training and test images are. Raises InputError where test images are given twice."""
    train = source / "train"
    if source.is_dir() and train.is_dir():
        inside = next((source / sub for sub in _TEST_FOLDERS if (source / sub).is_dir()), None)
        if inside and test:
            raise InputError(
                f"{source} has test images in {inside.name}: leave the other test images out, or give {train} as training images"
            )
        return (train, inside or test) if inside or test else (train, None)
    beside = source.with_name(f"{source.stem}{TEST}.npz")
    if test is None and source.suffix == ".npz" and beside.is_file():
        return source, beside
    return source, test


def checked_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Class names as typed, checked: none, or two and more different readable ones. Raises InputError."""
    if not names:
        return ()
    if not 2 <= len(names) <= limits.MAX_CLASSES:
        raise InputError(f"class names: {len(names)} given: name 2 to {limits.MAX_CLASSES} classes, or none")
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > 100:
            raise InputError(f"class names: {name[:40]!r} is not readable: use 1 to 100 plain characters")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"class names: {twice[:40]!r} is there twice: name each class differently")
    return tuple(names)


def _test_images(path: Path, train: SampleSet) -> SampleSet:
    """Test images as their own set, with the classes and the shape of the training images."""
    try:
        made = import_data(path, f"{train.name}{TEST}", class_names=train.class_names)
    except MissingError as error:
        raise MissingError(f"test images: {error}") from error
    except InputError as error:
        raise InputError(f"test images: {error}") from error
    if made.image.shape[1:] != train.image.shape[1:]:
        shutil.rmtree(made.folder, ignore_errors=True)
        raise InputError(
            f"test images: {path} has images of shape {made.image.shape[1:]}, the training images {train.image.shape[1:]}: make them alike"
        )
    return made
