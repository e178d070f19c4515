"""Labelled images by name: built-in data sets, saved sets, an .npz, a folder of folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cdp.data import folders, npz, sets
from cdp.data.catalog import CATALOG, Builtin, SplitFiles
from cdp.data.fitting import fit, labelling_of
from cdp.data.rows import decoded
from cdp.data.samples import CARD, SampleSet
from cdp.errors import InputError, MissingError
from cdp.values.types import DatasetInfo, Split


@dataclass(frozen=True)
class DatasetState:
    """What of a data set is here. full: False for a subset; how: what to do otherwise."""

    ready: bool
    full: bool
    place: Path
    how: str


def available() -> list[tuple[DatasetInfo, DatasetState]]:
    """Every built-in data set and its state here. Looks for files, opens none."""
    return [(info, _state(info)) for info in CATALOG.values()]


def _state(info: Builtin) -> DatasetState:
    ready = [source for split in ("train", "test") if (source := info.source(split))]
    if len(ready) < 2:
        return DatasetState(False, False, info.place, info.how)
    full = all(source.full for source in ready)
    return DatasetState(True, full, ready[0].place, "" if full else f"for the full set, {info.how}")


def dataset_info(name: str) -> DatasetInfo:
    """What is known of a data set by name or path. Raises MissingError that lists the names."""
    if name in CATALOG:
        return CATALOG[name]
    return _other(name, "train").info


def load_split(name: str, split: str, *, download: bool = False) -> Split:
    """The images of a data set, memory-mapped. name: built-in, a saved set, or the path of an .npz
    or a folder of class folders. Of what a user brings, "test" is the set ``<name>-test``, the file
    ``<stem>-test.npz``, or the sub-folder ``test`` (or val), with the class numbers of the training
    images, by name. download: let torchvision fetch what is missing.

    Raises MissingError that says what to put where, InputError for files that are not what they
    should be, or test images of other classes or shape.
    """
    if split not in ("train", "test"):
        raise InputError(f"split {split!r} is unknown: choose train or test")
    if name not in CATALOG:
        data = _other(name, split)
        return data if split == "train" else in_training_order(data, _other(name, "train").info)
    info = CATALOG[name]
    source = info.source(split)
    if download and not (source and source.full):
        info.fetch(split)
    source = _here(info, split)
    image, label = decoded(f"{name}-{split}", source.watched, source.decode)
    return Split(info, image, label)


def split_labels(name: str, split: str) -> np.ndarray:
    """(N,) classes of ``load_split``'s images, with its errors. Where labels have a file of their
    own the images, which can take a second to unpack, stay closed."""
    if name in CATALOG and (read := _here(CATALOG[name], split).labels):
        return read()
    return load_split(name, split).label


def _here(info: Builtin, split: str) -> SplitFiles:
    source = info.source(split)
    if source is None:
        raise MissingError(f"data set {info.name!r} ({split}) is not on this machine: {info.how}")
    return source


def in_training_order(test: Split, train: DatasetInfo) -> Split:
    """Test images with the class numbers of the training images; ``Split.note`` says what differed.
    Raises InputError with the classes that cannot be matched by name."""
    match = fit(labelling_of(test.info), labelling_of(train), subset_ok=True)
    if match.refusal:
        raise InputError(
            f"the test images of {train.name} do not fit ({match.refusal}): give both the same"
            " classes and shape and import them again, or evaluate on another saved set (part)"
        )
    info = replace(train, name=test.info.name, title=test.info.title)
    return Split(info, test.image, match.relabel(test.label), match.sentence)


def _other(name: str, split: str) -> Split:
    """A saved set or a path."""
    if sets.is_saved(name):
        return _of_saved(name, split)
    path = Path(name).expanduser()
    if path.suffix == ".npz" and path.is_file():
        return _of_npz(path, split)
    if (path / CARD).is_file():
        path = path.resolve()
        return _of_set(
            sets.open_set(path if split == "train" else path.with_name(f"{path.name}-test"))
        )
    if path.is_dir():
        return _of_folder(path.resolve(), split)
    known = ", ".join(CATALOG)
    raise MissingError(
        f"data set {name[:200]!r} is unknown: choose one of {known}, a saved set, or the path of an"
        " .npz or a folder of classes"
    )


def _of_saved(name: str, split: str) -> Split:
    if split == "test":
        if not sets.is_saved(f"{name}-test"):
            raise MissingError(
                f"set {name!r} has no test images: import them under the name {name}-test, an .npz"
                f" with {name} as class names"
            )
        name = f"{name}-test"
    return _of_set(sets.open_set(name))


def _of_set(samples: SampleSet) -> Split:
    base = CATALOG.get(str(samples.card.get("dataset")))
    height, width, channels = samples.image.shape[1:]
    licence = str(samples.card.get("licence", "not stated"))
    info = DatasetInfo(
        samples.name, samples.name, samples.class_names, (channels, height, width), None, licence
    )
    if base is not None:  # a convention is about images like these
        info = replace(info, epsilon_linf=base.epsilon_linf, epsilon_l2=base.epsilon_l2)
    return Split(info, samples.image, samples.labels("a data set"))


def _of_npz(path: Path, split: str) -> Split:
    image, label = npz.read_npz(path)
    classes = tuple(str(i) for i in range(int(label.max()) + 1))
    if split == "test":
        # Its labels mean the classes of the training images, of which it may lack some.
        path = path.with_name(f"{path.stem}-test.npz")
        image, label = npz.read_npz(path, classes=len(classes))
    return _of_arrays(str(path), classes, image, label)


def _of_folder(root: Path, split: str) -> Split:
    parts = folders.splits_of(root)
    if split == "test" and (parts is None or parts.test is None):
        raise MissingError(
            f"{root} has no test images: put training and test images in sub-folders train and"
            " test, each with one folder a class"
        )
    if parts is not None:
        root = parts.train if split == "train" or parts.test is None else parts.test
    tree = folders.scan(root)
    # Files change without their folder's time changing, so each is watched.
    image, label = decoded(
        "folder", tree.files, lambda: (folders.shape_of(tree), folders.chunks(tree))
    )
    return _of_arrays(str(root), tree.class_names, image, label)


def _of_arrays(name: str, classes: tuple[str, ...], image: np.ndarray, label: np.ndarray) -> Split:
    height, width, channels = image.shape[1:]
    return Split(
        DatasetInfo(name, Path(name).stem, classes, (channels, height, width), None, "not stated"),
        image,
        label,
    )
