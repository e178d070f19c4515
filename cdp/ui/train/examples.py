"""Adversarial examples of a run's last validation, as it saved them: clean image, perturbation,
attacked image, and what the network predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.files import npy
from cdp.ui.kit.images import gain_of, in_levels, perturbation, png
from cdp.ui.kit.markup import Html, image, image_table, joined, tag
from cdp.values.text import class_name

EXAMPLES = "examples.npz"
SHOWN = 16
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Examples:
    """clean: (n,H,W,C) uint8; adversarial: (n,H,W,C) in [0,1]; label, predicted_clean, predicted:
    (n,) class numbers."""

    clean: np.ndarray
    adversarial: np.ndarray
    label: np.ndarray
    predicted_clean: np.ndarray
    predicted: np.ndarray
    epoch: int

    def __len__(self) -> int:
        return len(self.label)

    @property
    def sound(self) -> bool:
        n, clean = len(self.clean), self.clean
        numbers = (self.label, self.predicted_clean, self.predicted)
        return (
            clean.ndim == 4
            and clean.dtype == np.uint8
            and clean.shape[-1] in (1, 3)
            and self.adversarial.shape == clean.shape
            and all(part.shape == (n,) and part.dtype.kind in "iu" for part in numbers)
            and n > 0
        )


def read_examples(folder: Path) -> Examples | None:
    """The first examples that a run saved; None where there are none yet, or the file is not what
    it should be."""
    try:
        arrays = npy.read_arrays(folder / EXAMPLES, MOST_BYTES)
        examples = Examples(
            arrays["clean"][:SHOWN],
            arrays["adversarial"][:SHOWN].astype(np.float32),
            arrays["label"][:SHOWN],
            arrays["predicted_clean"][:SHOWN],
            arrays["predicted"][:SHOWN],
            int(arrays["epoch"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):  # InputError is a ValueError
        return None
    return examples if examples.sound else None


def table_html(examples: Examples, names: Sequence[str], gain: int) -> Html:
    """One column an image, under its true class; a wrong prediction is marked by sign, weight and
    colour."""
    classes = [class_name(names, value) for value in examples.label]
    colours = ", blue is darker, orange brighter" if examples.clean.shape[-1] == 1 else ""
    changed = perturbation(examples.clean, examples.adversarial, gain)
    sections = []
    for title, images, predicted in (
        ("Clean, with the prediction", examples.clean, examples.predicted_clean),
        (f"Perturbation x {gain}{colours}", changed, None),
        ("Attacked, with the prediction", in_levels(examples.adversarial), examples.predicted),
    ):
        alt = title.partition(",")[0]
        cells = [
            image(png(one), f"{alt}: {name}") for one, name in zip(images, classes, strict=True)
        ]
        if predicted is not None:
            answers = zip(cells, predicted, examples.label, strict=True)
            cells = [joined(cell, _answer(value, right, names)) for cell, value, right in answers]
        sections.append((title, cells))
    return image_table("Adversarial examples", classes, sections)


def _answer(predicted: int, label: int, names: Sequence[str]) -> Html:
    right = predicted == label
    text = f"{'✓' if right else '✗'} {class_name(names, predicted)}"
    return tag("span", text, cls="cdp-quiet" if right else "cdp-wrong")


def caption(examples: Examples) -> str:
    """How many of the images shown the attack turned, and that these are examples, not a
    measurement."""
    right = examples.predicted_clean == examples.label
    turned = int((right & (examples.predicted != examples.label)).sum())
    return (
        f"Epoch {examples.epoch}: the attack turns {turned} of {int(right.sum())} images that are"
        f" right when clean. These are {len(examples)} examples; the curves measure all validation"
        " images. Columns are true classes, ✗ is a wrong prediction."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def pictures(folder: str, changed: int, names: tuple[str, ...]) -> tuple[str, str] | None:
    """(table, caption) of a run's examples; changed: their time of writing."""
    examples = read_examples(Path(folder))
    if examples is None:
        return None
    gain = gain_of(examples.clean, examples.adversarial)
    return table_html(examples, names, gain), caption(examples)
