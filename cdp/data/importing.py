"""Bringing images in (an .npz or a folder of class folders) and taking sets out (.npz), in flat
memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import numpy as np

from cdp.data import catalog, folders, limits, npz, sets
from cdp.data.fitting import Labelling, fit, quoted
from cdp.data.names import valid_name
from cdp.data.samples import IMAGE, LABEL, SampleSet
from cdp.errors import InputError, MissingError
from cdp.files import atomic

RENUMBERED = "labels_renumbered"
"""In the card of a set whose labels were renumbered: what each class was in its file."""


def import_data(
    path: Path | str,
    name: str,
    *,
    dataset: str = "",
    class_names: Sequence[str] = (),
    renumber: bool = False,
    like: SampleSet | None = None,
) -> SampleSet:
    """Copy an .npz or a folder of class folders into the store as set ``name``. An .npz of images
    alone becomes a set without labels.

    dataset: the built-in data set whose classes the labels mean; gives class names and refuses
    other labels, as class_names do where there is no data set. renumber: labels with gaps, or from
    1, become 0, 1, ... in their order, and keep their old numbers as names. like: the training
    images to which these are test images: classes are its classes, of which some may be absent, and
    class_names are then what the labels of an .npz mean.
    Raises InputError naming the file and a remedy; the store is then as it was.
    """
    path = Path(path).expanduser()
    if name in catalog.CATALOG:
        raise InputError(f"name {name!r} is a built-in data set: choose another name")
    valid_name(name)
    card: dict[str, Any] = {"kind": "imported", "source": str(path.resolve())}
    if dataset:
        card |= {"dataset": dataset, "class_names": list(catalog.builtin(dataset).classes)}
    elif class_names or like:
        card["class_names"] = list(like.class_names if like else class_names)
    if path.is_dir():
        tree = folders.scan(path)
        whose = dataset or (f"the training images {like.name}" if like else "the classes named")
        tree = tree.numbered_as(card.setdefault("class_names", list(tree.class_names)), whose)
        return sets.stream_set(name, folders.shape_of(tree), folders.chunks(tree), card)
    if not path.exists():
        raise MissingError(
            f"{path} is not there: give the path of an .npz or of a folder of class folders"
        )
    with npz.open_npz(path) as reader:
        if not reader.labelled:
            if dataset or class_names or like:
                way = (
                    "add an array label"
                    if like
                    else "leave the class names out, or add an array label"
                )
                raise InputError(
                    f"{path} holds images without labels, so its classes cannot be named: {way}"
                )
            return sets.stream_set(name, reader.shape, reader.chunks(), card, labelled=False)
        if like:
            return sets.stream_set(
                name, reader.shape, _as_classes_of(like, reader, class_names), card
            )
        numbering = limits.numbering(
            reader.labels(), len(card.get("class_names", ())), f"{path}: label", renumber=renumber
        )
        if numbering.values is not None:
            card[RENUMBERED] = numbering.values.tolist()
            card.setdefault("class_names", [str(value) for value in numbering.values])
        return sets.stream_set(name, reader.shape, reader.labelled_chunks(numbering), card)


def _as_classes_of(
    like: SampleSet, reader: npz.NpzReader, names: Sequence[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(images, labels) of a file of test images, in the class numbers of the training images
    ``like``.

    names: of the file's classes by label; () where it has numbers alone, which are then classes of
    that number: the labels that the training images had before they were renumbered, or names that
    are numbers. Raises InputError where nothing says which number means which class.
    """
    where, old = f"{reader.path}: label", like.card.get(RENUMBERED)
    if names:
        numbering, called, ours = (
            limits.numbering(reader.labels(), len(names), where, renumber=False),
            tuple(names),
            like.class_names,
        )
    elif old:
        return reader.labelled_chunks(limits.Numbering(np.array(old)))
    elif all(name.isascii() and name.isdigit() for name in like.class_names):
        present = np.unique(reader.labels())
        numbering, called = limits.Numbering(present), tuple(str(value) for value in present)
        ours = tuple(str(int(name)) for name in like.class_names)
    else:
        raise InputError(
            f"{reader.path} has labels without names, and those of {like.name} mean"
            f" {quoted(like.class_names)}: give {like.name} as class names where 0, 1, ... are"
            " these in this order, or else the file's own class names in the order of its labels"
        )
    found = fit(
        Labelling(str(reader.path), called, ()),
        Labelling(f"the training images {like.name}", ours, ()),
        subset_ok=True,
    )
    if found.refusal:
        raise InputError(f"{reader.path}: {found.refusal}: use labels of those classes")
    return ((image, found.relabel(label)) for image, label in reader.labelled_chunks(numbering))


def export_npz(samples: SampleSet, out: Path | str) -> Path:
    """Save a set in the field's format and return the path; one without labels holds ``image``
    alone. Raises InputError where ``out`` is taken or not an .npz."""
    out = Path(out).expanduser()
    if out.suffix != ".npz":
        raise InputError(f"{out} does not end in .npz: give a name that does")
    atomic.refuse_existing(out)
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder: create it first")
    # The members of an .npz are .npy files byte for byte, so that nothing has to be decoded.
    with atomic.atomic_file(out) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for member in (IMAGE, *([LABEL] if samples.label is not None else [])):
            info = zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0))
            with (
                (samples.folder / member).open("rb") as source,
                archive.open(info, "w", force_zip64=True) as target,
            ):
                copyfileobj(source, target, 1 << 20)
    return out
