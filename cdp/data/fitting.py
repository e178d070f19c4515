"""What labels mean, and whether they mean the same on both sides: the one rule wherever two
labelled things meet.

Images of a data set, saved sets, networks, diffusion models and runs are each described by a
``Labelling``; ``fit`` compares two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cdp.errors import InputError
from cdp.values.text import joined, listed
from cdp.values.types import DatasetInfo

NAMED = 8
"""Classes that a sentence names before it counts the rest."""


@dataclass(frozen=True)
class Labelling:
    """What the labels of images, or the outputs of a network, mean. classes: name by number; ()
    without labels. shape: (C, H, W), or as much as a card says. nameless: only the number of
    classes is known."""

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    nameless: bool = False

    @property
    def images(self) -> Labelling:
        """The same without labels: what asks for images of this shape and needs no classes."""
        return replace(self, classes=())


@dataclass(frozen=True)
class Fit:
    """Whether one labelling can stand in for another. refusal: why not, "" where it fits; mapping:
    their class number -> ours, None for the same; sentence: what has to be said about a fit;
    absent: classes of ours that they lack."""

    refusal: str = ""
    mapping: tuple[int, ...] | None = None
    sentence: str = ""
    absent: tuple[str, ...] = ()

    def relabel(self, label: np.ndarray) -> np.ndarray:
        """Their labels as our class numbers. label: (N,) integers, theirs -> (N,) int64."""
        label = np.asarray(label, np.int64)
        return label if self.mapping is None else np.asarray(self.mapping, np.int64)[label]


def labelling_of(info: DatasetInfo) -> Labelling:
    """Of a data set."""
    return Labelling(info.name, info.classes, info.shape)


def labelling_of_images(name: str, image: np.ndarray, classes: Sequence[str] = ()) -> Labelling:
    """Of images (N,H,W,C) whose labels mean these classes."""
    height, width, channels = image.shape[1:]
    return Labelling(name, tuple(classes), (channels, height, width))


def labelling_of_card(name: str, card: Mapping[str, Any]) -> Labelling:
    """Of a network or diffusion model by its card: shape, and class_names or only classes; a
    stranger's may leave these to its ``architecture``. Raises InputError where it says nothing of
    its classes or contradicts itself."""
    described = card.get("architecture")
    inside = described if isinstance(described, dict) else {}
    names, count = card.get("class_names"), card.get("classes", inside.get("classes"))
    shape = card.get("shape") or [inside[key] for key in ("channels",) if key in inside]
    remedy = "use the card saved with it"
    if (
        not isinstance(shape, list)
        or len(shape) not in (0, 1, 3)
        or any(type(side) is not int for side in shape)
    ):
        raise InputError(
            f"{name[:200]}: shape on its card must be three whole numbers (channels, height,"
            f" width): {remedy}"
        )
    nameless = names is None and type(count) is int and count >= 0
    if nameless:
        names = [str(number) for number in range(count)]
    if not isinstance(names, list) or not all(isinstance(entry, str) for entry in names):
        raise InputError(
            f"{name[:200]}: its card has no list class_names, one name a class: {remedy}"
        )
    if count is not None and count != len(names):
        raise InputError(
            f"{name[:200]}: its card names {len(names)} classes and counts {str(count)[:20]}:"
            f" {remedy}"
        )
    return Labelling(name, tuple(names), tuple(shape), nameless)


def fit(theirs: Labelling, ours: Labelling, *, subset_ok: bool = False) -> Fit:
    """Whether ``theirs`` can stand in for ``ours``: as it is, mapped by class name, or not.
    subset_ok: they may lack classes of ours. Numbers without names fit the same numbers, and a
    thing without names."""
    if any(a != b for a, b in zip(theirs.shape, ours.shape, strict=False)):
        return Fit(
            f"its images have shape {theirs.shape} (channels, height, width), those of {ours.name}"
            f" {ours.shape}"
        )
    if not ours.classes or theirs.classes == ours.classes:
        return Fit()
    if not theirs.classes:
        return Fit(f"its images have no labels, and those of {ours.name} do")
    if theirs.nameless or ours.nameless:
        same = len(theirs.classes) == len(ours.classes)
        return Fit() if same else Fit(f"it has {_count(theirs)}, {ours.name} {len(ours.classes)}")
    return _by_name(theirs, ours, subset_ok=subset_ok)


def quoted(names: Sequence[str]) -> str:
    """Names for a sentence: 'bee', 'cat' and 3 more."""
    short = [repr(name[:60]) for name in names]
    return joined(short) if len(short) <= NAMED else listed(short, NAMED)


def _by_name(theirs: Labelling, ours: Labelling, *, subset_ok: bool) -> Fit:
    for side in (theirs, ours):
        twice = next((name for name in side.classes if side.classes.count(name) > 1), None)
        if twice is not None:
            return Fit(
                f"{side.name} calls two classes {twice[:60]!r}, so they cannot be told apart by"
                " name"
            )
    lacks = tuple(name for name in ours.classes if name not in theirs.classes)
    besides = tuple(name for name in theirs.classes if name not in ours.classes)
    if besides or (lacks and not subset_ok):
        if _numbered(theirs) != _numbered(ours) and len(besides) == len(theirs.classes):
            numbers, names = (theirs, ours) if _numbered(theirs) else (ours, theirs)
            return Fit(
                f"the classes of {numbers.name} are numbers without names, those of {names.name}"
                f" are {quoted(names.classes)}, and nothing says which number means which"
            )
        parts = [f"it lacks {quoted(lacks)}"] * bool(lacks)
        parts += [f"it has {quoted(besides)} besides"] * bool(besides)
        return Fit(f"its classes are not those of {ours.name}: {'; '.join(parts)}")
    numbers_of = {name: number for number, name in enumerate(ours.classes)}
    mapping = tuple(numbers_of[name] for name in theirs.classes)
    same = mapping == tuple(range(len(mapping)))
    sentences = [f"{theirs.name} has no {quoted(lacks)}"] * bool(lacks)
    if not same:
        sentences.insert(
            0,
            f"the classes of {theirs.name} are numbered otherwise than those of {ours.name} and"
            " were matched by name",
        )
    return Fit("", None if same else mapping, "; ".join(sentences), lacks)


def _numbered(labelling: Labelling) -> bool:
    """Whether the class names are no more than the numbers themselves."""
    return labelling.classes == tuple(str(number) for number in range(len(labelling.classes)))


def _count(labelling: Labelling) -> str:
    return f"{len(labelling.classes)} class{'es' if len(labelling.classes) != 1 else ''}"
