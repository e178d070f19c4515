"""Adversarial examples of a run's last epoch, as it saved them: clean image, perturbation, attacked
image, and what the network says."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.ui.kit.images import gain_of, in_levels, perturbation, png
from cdp.values.text import class_name

EXAMPLES = "examples.npz"
SHOWN = 16
MOST_BYTES = 64 << 20
CELL_PX = 72


@dataclass(frozen=True)
class Examples:
    """clean: (n,H,W,C) uint8; adversarial: (n,H,W,C) in [0,1]; label, predicted_clean, predicted:
    (n,) class numbers. epsilon: the radius."""

    clean: np.ndarray
    adversarial: np.ndarray
    label: np.ndarray
    predicted_clean: np.ndarray
    predicted: np.ndarray
    epoch: int
    epsilon: float

    def __len__(self) -> int:
        return len(self.label)


def read_examples(folder: Path) -> Examples | None:
    """What a run saved; None where it has not yet, or where the file is not what it should be."""
    try:
        if (folder / EXAMPLES).stat().st_size > MOST_BYTES:
            return None
        with np.load(folder / EXAMPLES, allow_pickle=False) as file:
            examples = Examples(
                file["clean"],
                file["adversarial"].astype(np.float32),
                file["label"],
                file["predicted_clean"],
                file["predicted"],
                int(file["epoch"]),
                float(file["epsilon"]),
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    numbers = (examples.label, examples.predicted_clean, examples.predicted)
    sound = (
        examples.clean.ndim == 4
        and examples.clean.dtype == np.uint8
        and examples.clean.shape[-1] in (1, 3)
        and examples.adversarial.shape == examples.clean.shape
        and all(
            numbers_of.shape == (len(examples.clean),) and numbers_of.dtype.kind in "iu"
            for numbers_of in numbers
        )
        and len(examples.clean) > 0
    )
    return examples if sound else None


def table_html(examples: Examples, names: Sequence[str], gain: int) -> str:
    """One column an image, under its label; a wrong prediction is marked by sign, weight and
    colour. It scrolls sideways where narrow."""
    attacked = in_levels(examples.adversarial)
    rows = (
        ("Clean, with what the network says", examples.clean, examples.predicted_clean),
        (
            (
                "Perturbation x"
                f" {gain}{', blue is darker, orange brighter' if examples.clean.shape[-1] == 1 else ''}"
            ),
            perturbation(examples.clean, examples.adversarial, gain),
            None,
        ),
        ("Attacked, with what the network says", attacked, examples.predicted),
    )
    heads = "".join(
        "<th scope='col'"
        f" style='{_CELL};font-weight:600'>{html.escape(class_name(names, value))}</th>"
        for value in examples.label
    )
    body = "".join(
        _row(title, images, examples.label, predicted, names) for title, images, predicted in rows
    )
    return (
        "<div style='overflow-x:auto' tabindex='0' role='region' aria-label='Adversarial examples'>"
        "<table"
        f" style='border-collapse:collapse;border:0;margin:0'>{_title('True class', len(examples))}<tr>{heads}</tr>{body}</table></div>"
    )


_CELL = (
    "border:0;padding:0 3px"
    f" 2px;width:{CELL_PX}px;min-width:{CELL_PX}px;font-size:0.8rem;line-height:1.25;vertical-align:top;text-align:center"
)
_TITLE = "border:0;padding:6px 0 2px;font-size:0.8rem;font-weight:400;text-align:left;opacity:0.7"


def _title(text: str, columns: int) -> str:
    """A line of its own that stays in sight while the images below it scroll."""
    return (
        f"<tr><th colspan='{columns}' style='{_TITLE}'><span"
        f" style='position:sticky;left:0'>{html.escape(text)}</span></th></tr>"
    )


def _row(
    title: str,
    images: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None,
    names: Sequence[str],
) -> str:
    cells = []
    for k, image in enumerate(images):
        alt = f"{title.split(',')[0]}: {class_name(names, label[k])}"
        picture = (
            f"<img src='{png(image)}' alt='{html.escape(alt, quote=True)}' width='64' height='64'"
            f" style='{_PICTURE}'>"
        )
        said = "" if predicted is None else _verdict(int(predicted[k]), int(label[k]), names)
        cells.append(f"<td style='{_CELL}'>{picture}{said}</td>")
    return f"{_title(title, len(images))}<tr>{''.join(cells)}</tr>"


_PICTURE = "image-rendering:pixelated;display:block;margin:0 auto"


def _verdict(predicted: int, label: int, names: Sequence[str]) -> str:
    name = html.escape(class_name(names, predicted))
    if predicted == label:
        return f"<span style='opacity:0.75'>✓ {name}</span>"
    return f"<span style='font-weight:600;color:#c8553d;text-decoration:underline'>✗ {name}</span>"


def caption(examples: Examples) -> str:
    """How many of the images shown the attack turned, and that these are examples, not a
    measurement."""
    right = examples.predicted_clean == examples.label
    turned = int((right & (examples.predicted != examples.label)).sum())
    return (
        f"Epoch {examples.epoch}: the attack turns {turned} of {int(right.sum())} images that are"
        f" right when clean. These {len(examples)} are examples; the curves above measure all"
        " validation images. A cross marks a wrong prediction."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def pictures(folder: str, changed: int, names: tuple[str, ...]) -> tuple[str, str] | None:
    """(table, caption) of a run's examples; changed: their time of writing."""
    examples = read_examples(Path(folder))
    if examples is None:
        return None
    first = Examples(
        examples.clean[:SHOWN],
        examples.adversarial[:SHOWN],
        examples.label[:SHOWN],
        examples.predicted_clean[:SHOWN],
        examples.predicted[:SHOWN],
        examples.epoch,
        examples.epsilon,
    )
    return table_html(first, names, gain_of(first.clean, first.adversarial)), caption(first)
