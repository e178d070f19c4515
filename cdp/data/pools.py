"""Images that a training draws from, left where they are: parts of several memory-mapped arrays
behind one row number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class Pool:
    """Labelled images of several arrays, numbered through. Images stay mapped until their rows are
    taken."""

    def __init__(
        self, parts: list[tuple[np.ndarray, np.ndarray]], rows: np.ndarray | None = None
    ) -> None:
        """parts: (image (N,H,W,C) uint8, label (N,)) each, of one image shape; rows: which of the
        rows numbered through, None for all."""
        self._parts, self._rows = parts, rows
        self._ends = np.cumsum([len(label) for _, label in parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._rows is None else len(self._rows)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images (B,H,W,C) uint8 and labels (B,) int64 of these rows, in this order."""
        if self._rows is not None:
            rows = self._rows[rows]
        which = np.searchsorted(self._ends, rows, side="right")
        image = np.empty((len(rows), *self._parts[0][0].shape[1:]), np.uint8)
        label = np.empty(len(rows), np.int64)
        for number in np.unique(which):
            images, labels = self._parts[number]
            chosen = which == number
            inside = rows[chosen] - (self._ends[number] - len(labels))
            image[chosen], label[chosen] = images[inside], labels[inside]
        return image, label


@dataclass(frozen=True)
class TrainingData:
    """What a robust training sees. real, synthetic: None where a batch has none; validation images
    (n,H,W,C) uint8 are in neither.

    classes: number of classes; label: of the validation images, (n,) int64.
    """

    real: Pool | None
    synthetic: Pool | None
    image: np.ndarray
    label: np.ndarray
    classes: int
