"""One sample set: a folder of image.npy (N,H,W,C) uint8, card.json and, where its images have
labels, label.npy (N,) int64. Fields of the card that readers rely on are checked; a writer may add
any others."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdp import __version__, paths
from cdp.data import limits
from cdp.data.fitting import Labelling
from cdp.data.limits import MAX_CHANNELS, MAX_CLASSES, MAX_ROWS, MAX_SIDE
from cdp.errors import InputError
from cdp.files import npy
from cdp.files.reading import parse_object, read_file, reason_of
from cdp.files.versions import NewerError, require_known
from cdp.values.text import visible

CARD = "card.json"
FORMAT, UNLABELLED = 2, 2
"""The newest format that is read, and the one that came with sets without labels. Sets with labels
are written as format 1, which every version reads; a set without is refused by versions that would
take its missing labels for damage."""
MAX_BYTES = 1 << 20

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class _Card(BaseModel):
    """The part of a card that readers rely on. shape: (H, W, C); class_names may be empty."""

    model_config = ConfigDict(extra="allow", strict=True)

    format: int = Field(ge=1, le=FORMAT)
    count: int = Field(ge=1, le=MAX_ROWS)
    shape: tuple[Side, Side, Annotated[int, Field(ge=1, le=MAX_CHANNELS)]]
    class_names: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(max_length=MAX_CLASSES)
    ]
    created: str = Field(max_length=40)
    source: str = Field(max_length=4000)

    @model_validator(mode="after")
    def _names_its_classes(self) -> Self:
        if self.format < UNLABELLED and not self.class_names:
            raise ValueError(f"class_names is empty, which format {self.format} does not know")
        return self


def complete_card(
    card: dict[str, Any], *, count: int, shape: tuple[int, ...], top_label: int | None
) -> dict[str, Any]:
    """``card`` with the fields that follow from the arrays. top_label: None without labels; else
    the default names are the numbers up to it. Raises InputError for too few names."""
    names = (
        []
        if top_label is None
        else list(card.get("class_names") or (str(i) for i in range(top_label + 1)))
    )
    if top_label is not None and top_label >= len(names):
        raise InputError(
            f"card: class_names has {len(names)} names where labels go up to {top_label}: name"
            " every class"
        )
    defaults = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "source": "",
        "code_version": __version__,
    }
    version = UNLABELLED if top_label is None else 1
    facts = {"format": version, "count": count, "shape": list(shape), "class_names": names}
    # Settings stay as they were given: sets are found again by them.
    said = {name: v if name == "config" else paths.shareable(v) for name, v in card.items()}
    return defaults | said | facts


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a set's folder, checked. Raises MissingError or InputError naming the file."""
    path = folder / CARD
    remedy = f"restore it from a backup or delete {folder}"
    content = read_file(path, MAX_BYTES, missing=remedy, remedy=remedy)
    try:
        card = parse_object(content)
        require_known(path, card.get("format"), FORMAT)
        _Card.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(f"{path} is not a card ({field}: {first['msg']}): {remedy}") from error
    except NewerError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({reason_of(error)}): {remedy}") from error
    return card | {"class_names": [visible(name) for name in card["class_names"]]}


IMAGE, LABEL = "image.npy", "label.npy"
_GENERATIONS = 8
"""How far back a part of a part of a set is followed to the set that was generated."""


@dataclass(frozen=True)
class SampleSet:
    """Images on disk. image: (N,H,W,C) uint8, memory-mapped read-only; label: (N,) int64 in
    0..len(class_names)-1, None where the images have no labels, as those of a model without
    classes."""

    folder: Path
    name: str
    image: np.ndarray
    label: np.ndarray | None
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.image)

    @property
    def class_names(self) -> tuple[str, ...]:
        """label -> name; () without labels."""
        return tuple(self.card["class_names"])

    @property
    def labelling(self) -> Labelling:
        """What its labels mean."""
        return set_labelling(self.name, self.card)

    def labels(self, needed_by: str) -> np.ndarray:
        """(N,) int64. Raises InputError, naming who needs them, where there are none."""
        if self.label is None:
            raise InputError(self.without_labels(needed_by))
        return self.label

    def without_labels(self, needed_by: str) -> str:
        """That this set has no labels, which something needs, and the way to get some."""
        saved = self.folder.resolve().parent == paths.sets_dir().resolve()
        return without_labels(
            self.name if saved else str(self.folder), needed_by, str(self.card.get("dataset") or "")
        )


def set_labelling(name: str, card: Mapping[str, Any]) -> Labelling:
    """What a saved set's labels mean, by its card as ``read_described`` gives it."""
    height, width, channels = card["shape"]
    return Labelling(name, tuple(card["class_names"]), (channels, height, width))


def without_labels(name: str, needed_by: str, dataset: str) -> str:
    """What is said wherever labels are needed and a set has none, with the way to get some.

    name: of a saved set, or the path of any other; dataset: that its card names, whose classifiers
    can label it, "" where it names none.
    """
    new = f"{Path(name).name[:80]}-labelled"
    command = f"python -m cdp pseudo-label {shlex.quote(name)} --name {shlex.quote(new)}"
    if not dataset:
        command += (
            " --dataset DATASET (the data set that its images are like, as its card names none)"
        )
    return (
        f"set {name} has no labels, and {needed_by} needs them: let a classifier give them with"
        f" {command}, or in the gallery"
    )


def open_folder(folder: Path) -> SampleSet:
    """Open a set's folder, mapped. Raises InputError or MissingError naming the file."""
    card = read_described(folder)
    image = npy.open_npy(folder / IMAGE)
    limits.check_image_header(image.shape, image.dtype, str(folder / IMAGE))
    label = None
    if card["class_names"]:
        stored = npy.open_npy(folder / LABEL)
        limits.check_label_header(stored.shape, stored.dtype, len(image), str(folder / LABEL))
        label = limits.as_labels(stored, len(card["class_names"]), str(folder / LABEL))
    if [card["count"], *card["shape"]] != list(image.shape):
        raise InputError(
            f"{folder / CARD} announces {card['count']} images of {tuple(card['shape'])}"
            f" where image.npy has {image.shape}: restore the matching file or delete the set"
        )
    return SampleSet(folder, folder.name, image, label, card)


def read_described(folder: Path) -> dict[str, Any]:
    """The card of a set's folder, whose class_names are empty exactly where its images have no
    labels. Raises MissingError or InputError. Labels are read only where an older version may have
    invented them."""
    card = read_card(folder)
    if card["format"] < UNLABELLED and _invented(folder, card, _GENERATIONS):
        card["class_names"] = []
    return card


def _invented(folder: Path, card: Mapping[str, Any], generations: int) -> bool:
    """Whether all labels are the 0 that versions before format 2 wrote for a model without classes.
    There the images took turns over the classes, so without chosen ones the second image has class
    1 unless the model has none. A part of such a set has its parent's labels."""
    parent = card.get("parent")
    if card.get("kind") == "generated":
        config = card.get("config")
        suspect = (
            isinstance(config, dict) and not config.get("classes") and len(card["class_names"]) > 1
        )
    elif (
        isinstance(parent, dict)
        and isinstance(parent.get("name"), str)
        and Path(parent["name"]).name == parent["name"]
        and generations
    ):
        suspect = _invented_beside(
            folder.with_name(parent["name"]), parent.get("count"), generations - 1
        )
    else:
        suspect = False
    if not suspect or not (folder / LABEL).is_file():
        return False
    label = npy.open_npy(folder / LABEL)
    # The first two rows tell nearly always, and no more of the file is read.
    return label.ndim == 1 and len(label) > 1 and not label[:2].any() and not label.any()


def _invented_beside(folder: Path, count: Any, generations: int) -> bool:
    """Whether the labels of the set in this folder are invented; False for none."""
    if not (folder / CARD).is_file():
        return False
    try:
        card = read_card(folder)
        without = card["format"] >= UNLABELLED and not card["class_names"]
        return card["count"] == count and (without or _invented(folder, card, generations))
    except InputError:
        return False  # a damaged parent says nothing of its part
