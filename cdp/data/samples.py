"""One sample set: a folder of image.npy (N,H,W,C) uint8, label.npy (N,) int64 and card.json, opened and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdp.data import cards, limits, npy
from cdp.data.fitting import Labelling
from cdp.errors import InputError

IMAGE, LABEL = "image.npy", "label.npy"


@dataclass(frozen=True)
class SampleSet:
    """Labelled images on disk. image: (N,H,W,C) uint8, memory-mapped read-only; label: (N,) int64 in 0..len(class_names)-1."""

    folder: Path
    name: str
    image: np.ndarray
    label: np.ndarray
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def class_names(self) -> tuple[str, ...]:
        """label -> name."""
        return tuple(self.card["class_names"])

    @property
    def labelling(self) -> Labelling:
        """What its labels mean."""
        return set_labelling(self.name, self.card)


def set_labelling(name: str, card: Mapping[str, Any]) -> Labelling:
    """What a saved set's labels mean, by its checked card alone."""
    height, width, channels = card["shape"]
    return Labelling(name, tuple(card["class_names"]), (channels, height, width))


def open_folder(folder: Path) -> SampleSet:
    """Open a set's folder. Raises InputError or MissingError naming the file that is wrong; costs no memory for images."""
    card = cards.read_card(folder)
    image = npy.open_npy(folder / IMAGE)
    limits.check_image_header(image.shape, image.dtype, str(folder / IMAGE))
    stored = npy.open_npy(folder / LABEL)
    limits.check_label_header(stored.shape, stored.dtype, len(image), str(folder / LABEL))
    label = limits.as_labels(stored, len(card["class_names"]), str(folder / LABEL))
    if [card["count"], *card["shape"]] != list(image.shape):
        raise InputError(
            f"{folder / cards.CARD} announces {card['count']} images of {tuple(card['shape'])} where image.npy has {image.shape}: "
            "restore the matching file or delete the set"
        )
    return SampleSet(folder, folder.name, image, label, card)
