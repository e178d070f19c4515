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
            found = Examples(
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
    numbers = (found.label, found.predicted_clean, found.predicted)
    sound = (
        found.clean.ndim == 4
        and found.clean.dtype == np.uint8
        and found.clean.shape[-1] in (1, 3)
        and found.adversarial.shape == found.clean.shape
        and all(one.shape == (len(found.clean),) and one.dtype.kind in "iu" for one in numbers)
        and len(found.clean) > 0
    )
    return found if sound else None


def table_html(found: Examples, names: Sequence[str], gain: int) -> str:
    """One column an image, under its label; a wrong prediction is marked by sign, weight and
    colour. It scrolls sideways where narrow."""
    attacked = in_levels(found.adversarial)
    rows = (
        ("Clean, with what the network says", found.clean, found.predicted_clean),
        (
            (
                "Perturbation x"
                f" {gain}{', blue is darker, orange brighter' if found.clean.shape[-1] == 1 else ''}"
            ),
            perturbation(found.clean, found.adversarial, gain),
            None,
        ),
        ("Attacked, with what the network says", attacked, found.predicted),
    )
    heads = "".join(
        f"<th scope='col' style='{_CELL};font-weight:600'>{html.escape(class_name(names, value))}</th>"
        for value in found.label
    )
    body = "".join(
        _row(title, images, found.label, predicted, names) for title, images, predicted in rows
    )
    return (
        "<div style='overflow-x:auto' tabindex='0' role='region' aria-label='Adversarial examples'>"
        "<table"
        f" style='border-collapse:collapse;border:0;margin:0'>{_title('True class', len(found))}<tr>{heads}</tr>{body}</table></div>"
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


def caption(found: Examples) -> str:
    """How many of the images shown the attack turned, and that these are examples, not a
    measurement."""
    right = found.predicted_clean == found.label
    turned = int((right & (found.predicted != found.label)).sum())
    return (
        f"Epoch {found.epoch}: the attack turns {turned} of {int(right.sum())} images that are"
        f" right when clean. These {len(found)} are examples; the curves above measure all"
        " validation images. A cross marks a wrong prediction."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def pictures(folder: str, changed: int, names: tuple[str, ...]) -> tuple[str, str] | None:
    """(table, caption) of a run's examples; changed: their time of writing."""
    found = read_examples(Path(folder))
    if found is None:
        return None
    shown = Examples(
        found.clean[:SHOWN],
        found.adversarial[:SHOWN],
        found.label[:SHOWN],
        found.predicted_clean[:SHOWN],
        found.predicted[:SHOWN],
        found.epoch,
        found.epsilon,
    )
    return table_html(shown, names, gain_of(shown.clean, shown.adversarial)), caption(shown)
