"""Images that a person brings: from an .npz or a folder, with test images beside them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import numpy as np

from cdp import paths
from cdp.data import catalog, folders, limits, npz, sets
from cdp.data.catalog import CATALOG, builtin
from cdp.data.fitting import Labelling, fit, quoted
from cdp.data.limits import name_like, valid_name
from cdp.data.rows import Chunk
from cdp.data.samples import IMAGE, LABEL, SampleSet
from cdp.data.sets import is_saved, open_set
from cdp.data.training import MOST_HELD_OUT, hold_out
from cdp.errors import InputError, MissingError
from cdp.files import atomic
from cdp.values.text import listed

_ROWS = 4096
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
    """Copy an .npz or a folder of class folders into the store as set ``name``; images alone become
    a set without labels.

    dataset: built-in, whose classes the labels mean. renumber: labels with gaps become 0, 1, ...
    and keep their old numbers as names. like: the training images to which these are test images,
    whose classes these then have. Raises InputError naming the file and a remedy; the store is then
    as it was.
    """
    path = Path(path).expanduser()
    if name in catalog.CATALOG:
        raise InputError(f"name {name!r} is a built-in data set: choose another name")
    valid_name(name)
    card: dict[str, Any] = {"kind": "imported", "source": path.resolve().name}
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
    ``like``. names: of the file's classes; () where it has numbers, which are then those of before
    a renumbering, or names. Raises InputError where nothing says what they mean."""
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
    match = fit(
        Labelling(str(reader.path), called, ()),
        Labelling(f"the training images {like.name}", ours, ()),
        subset_ok=True,
    )
    if match.refusal:
        raise InputError(f"{reader.path}: {match.refusal}: use labels of those classes")
    return ((image, match.relabel(label)) for image, label in reader.labelled_chunks(numbering))


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


TEST = "-test"
"""Ends the name of the set that holds another one's test images."""


@dataclass(frozen=True)
class Brought:
    """What is in the store now. notes: what was decided on the way, a sentence each."""

    train: SampleSet
    test: SampleSet | None
    notes: tuple[str, ...] = ()


def bring(
    source: Path | str,
    name: str = "",
    *,
    test: Path | str | None = None,
    class_names: Sequence[str] = (),
    renumber: bool = False,
) -> Brought:
    """Import training and test images under one name. name: as the file or folder where empty;
    ``NAME-test`` adds test images to NAME. test: where not given, what lies beside. class_names: of
    the .npz in the order of its labels, or a data set whose labels these are. Raises InputError or
    MissingError with a remedy; the store is then as it was."""
    source = Path(source).expanduser()
    name = name or _name_of(source)
    base = name.removesuffix(TEST)
    if name.endswith(TEST) and is_saved(base):
        return _tests_of(base, source, test=test, class_names=class_names)
    check_name(name)
    first, second, notes = parts_of(source, Path(test).expanduser() if test else None)
    for wanted in (name, f"{name}{TEST}")[: 1 if second is None else 2]:
        atomic.refuse_existing(paths.sets_dir() / wanted)
    dataset, names = classes_meant(class_names)
    if first.is_dir() and names and not dataset and (second is None or second.is_dir()):
        raise InputError(
            f"{first} names its classes by its folders: leave the class names out, or rename the"
            " folders"
        )
    train = import_data(
        first, name, dataset=dataset, class_names=() if first.is_dir() else names, renumber=renumber
    )
    try:
        _require_classes(first, train)
        brought = None if second is None else _test_images(second, train, _meant(dataset, names))
    except BaseException:
        atomic.remove_folder(train.folder)
        raise
    return Brought(
        train,
        brought,
        (*notes, *_said(first, train), *(_said(second, brought) if second and brought else ())),
    )


HELD_OUT = "-held-out"
"""Ends the name of what is left of a set once a fifth became test images."""


def hold_out_tests(name: str) -> Brought:
    """A fifth of a set's images, of every class its share, as the test images of the rest:
    ``NAME-held-out`` and ``NAME-held-out-test``; the set itself stays. Raises InputError where it
    has test images or no labels, or has too few images."""
    whole, rest = open_set(name), f"{name}{HELD_OUT}"
    if is_saved(f"{name}{TEST}"):
        raise InputError(f"{name} has test images already: use it as it is")
    label = whole.labels("a test set")
    check_name(rest)
    for wanted in (rest, f"{rest}{TEST}"):
        atomic.refuse_existing(paths.sets_dir() / wanted)
    training, tests = hold_out(label, len(whole) // MOST_HELD_OUT)
    made: list[SampleSet] = []
    try:
        for wanted, rows in ((rest, training), (f"{rest}{TEST}", tests)):
            card = dict(whole.card) | {
                "source": f"{len(rows):,} of {len(whole):,} images of {name}, split by chance"
            }
            shape = (len(rows), *whole.image.shape[1:])
            made.append(sets.stream_set(wanted, shape, _parts(whole, rows), card))
    except BaseException:
        for part in made:
            atomic.remove_folder(part.folder)
        raise
    return Brought(made[0], made[1])


def _parts(samples: SampleSet, rows: np.ndarray) -> Iterator[Chunk]:
    """Images and labels of these rows, some thousand at a time."""
    label = samples.labels("a test set")
    for start in range(0, len(rows), _ROWS):
        here = rows[start : start + _ROWS]
        yield np.asarray(samples.image[here]), label[here]


def _name_of(source: Path) -> str:
    """A name made of the file's or folder's. Raises InputError where it gives none."""
    called = source.stem if source.suffix == ".npz" else source.resolve().name
    stem = name_like(called).removesuffix("-train")
    if not stem:
        raise InputError(f"name: {called[:60]!r} gives none: type a name")
    return stem


def check_name(name: str) -> str:
    """The name where a data set can have it, as it names folders. Raises InputError."""
    valid_name(name)
    if not name[0].isalnum() or ".." in name:
        raise InputError(
            f"name {name[:60]!r} cannot hold encoders: begin it with a letter or digit, without two"
            " dots in a row"
        )
    if name in CATALOG:
        raise InputError(f"name {name!r} is a built-in data set: choose another name")
    if name.endswith(TEST):
        base = name.removesuffix(TEST)
        raise InputError(
            f"name {name[:60]!r} marks the test images of {base[:60]!r}, which is not here: import"
            " its training images under that name first"
        )
    return name


def parts_of(source: Path, test: Path | None) -> tuple[Path, Path | None, tuple[str, ...]]:
    """Training and test images, and what was left out. Raises InputError for two tests."""
    splits = folders.splits_of(source) if source.is_dir() else None
    if splits is not None:
        if splits.test and test:
            raise InputError(
                f"{source} has test images in {splits.test.name}: leave the other test images out,"
                f" or give {splits.train} as training images"
            )
        unused = ", ".join(folder.name for folder in splits.unused)
        notes = (
            (f"The test images are those of {splits.test.name}; {unused} was left out.",)
            if unused and splits.test
            else ()
        )
        return splits.train, splits.test or test, notes
    beside = source.with_name(f"{source.stem}{TEST}.npz")
    if test is None and source.suffix == ".npz" and beside.is_file():
        return source, beside, (f"Test images were found in {beside.name}.",)
    return source, test, ()


def classes_meant(names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Class names as typed: (built-in data set or "", own names). Raises InputError."""
    if len(names) == 1:
        if names[0] in CATALOG:
            return names[0], ()
        if is_saved(names[0]):
            return "", open_set(names[0]).class_names
    return "", checked_classes(names)


def checked_classes(names: Sequence[str]) -> tuple[str, ...]:
    """None, or two and more different readable ones. Raises InputError."""
    if not names:
        return ()
    if not 2 <= len(names) <= limits.MAX_CLASSES:
        raise InputError(
            f"class names: {len(names)} given: name 2 to {limits.MAX_CLASSES} classes, a data set"
            " whose classes these are, or none"
        )
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > 100:
            raise InputError(
                f"class names: {name[:40]!r} is not readable: use 1 to 100 plain characters"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"class names: {twice[:40]!r} is there twice: name each class differently")
    return tuple(names)


def _require_classes(source: Path, samples: SampleSet) -> None:
    """Raises InputError for a labelled set of a single class."""
    if samples.label is not None and len(samples.class_names) < 2:
        raise InputError(
            f"{source} has one class: give it two or more, name the classes that it lacks, or save"
            " it without the array label to import it unlabelled"
        )


def _said(source: Path, samples: SampleSet) -> tuple[str, ...]:
    """What was decided about a file: names of its arrays, numbers of its labels."""
    sentences = []
    if source.is_file():
        with npz.open_npz(source) as reader:
            if reader.note:
                sentences.append(f"In {source.name} {reader.note}.")
    old = samples.card.get(RENUMBERED)
    if old and not samples.name.endswith(TEST):
        pairs = ", ".join(f"{before} is now {now}" for now, before in enumerate(old[:3]))
        sentences.append(f"Labels were renumbered: {pairs}{', and so on' if len(old) > 3 else ''}.")
    if samples.label is not None:
        counts = np.bincount(samples.label, minlength=len(samples.class_names))
        absent = [
            name for name, count in zip(samples.class_names, counts, strict=True) if not count
        ]
        if absent:
            sentences.append(f"{samples.name} has no images of {listed(absent, 5)}.")
    return tuple(sentences)


def _tests_of(
    base: str, source: Path, *, test: Path | str | None, class_names: Sequence[str]
) -> Brought:
    """Test images for a data set that is here already."""
    if test:
        raise InputError(
            f"name {base}{TEST} is that of test images: leave the other test images out"
        )
    train, named = open_set(base), _meant(*classes_meant(class_names))
    if source.is_dir() and named not in ((), train.class_names):
        raise InputError(
            f"{source} names its classes by its folders: leave the class names out, or rename the"
            " folders"
        )
    atomic.refuse_existing(paths.sets_dir() / f"{base}{TEST}")
    tests = _test_images(source, train, named)
    return Brought(train, tests, _said(source, tests))


def _meant(dataset: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The class names that ``classes_meant`` gave."""
    return builtin(dataset).classes if dataset else names


def _test_images(path: Path, train: SampleSet, class_names: Sequence[str]) -> SampleSet:
    """Test images as their own set, with the classes and the shape of the training images.
    class_names: of an .npz, in the order of its labels."""
    names = () if path.is_dir() or RENUMBERED in train.card else class_names
    like = train if train.label is not None else None
    try:
        tests = import_data(
            path, f"{train.name}{TEST}", like=like, class_names=names if like else ()
        )
    except MissingError as error:
        raise MissingError(f"test images: {error}") from error
    except InputError as error:
        raise InputError(f"test images: {error}") from error
    if tests.image.shape[1:] != train.image.shape[1:]:
        atomic.remove_folder(tests.folder)
        raise InputError(
            f"test images: {path} has images of shape {tests.image.shape[1:]}, the training images"
            f" {train.image.shape[1:]}: make them alike"
        )
    return tests
