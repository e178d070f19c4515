"""Example images in one row a class, as HTML: rows that are too long for the window are cut after a
whole image. Pure."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from cdp.ui.kit.images import showable

ROW = 14
"""Images of a class that are shown, where the window is wide enough."""
MOST_CLASSES = 24
SIDE_PX = 44


def class_rows(
    image: np.ndarray, label: np.ndarray, names: Sequence[str], notes: Sequence[str] = ()
) -> str:
    """The first images of each class. image: (n,H,W,C) uint8; label: (n,); notes: by class number,
    below its name."""
    rows = []
    for value in range(min(len(names), MOST_CLASSES)):
        where = np.flatnonzero(label == value)[:ROW]
        if len(where):
            rows.append(
                _row(image[where], names[value], notes[value] if value < len(notes) else "")
            )
    left = len(names) - MOST_CLASSES
    more = (
        f"<div style='opacity:.7;font-size:.85rem'>and {left} more classes</div>"
        if left > 0
        else ""
    )
    return f"<div style='display:flex;flex-direction:column;gap:6px'>{''.join(rows)}{more}</div>"


def first_rows(label: np.ndarray, classes: int) -> np.ndarray:
    """Row numbers of the first images of every class that is shown, ascending."""
    found = [np.flatnonzero(label == value)[:ROW] for value in range(min(classes, MOST_CLASSES))]
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def _row(image: np.ndarray, name: str, note: str) -> str:
    told = html.escape(name)
    below = f"<div style='opacity:.7;font-size:.8rem'>{html.escape(note)}</div>" if note else ""
    pictures = "".join(
        f"<img src='{_png(one)}' alt='{told}, image {number}'"
        f" style='height:{SIDE_PX}px;border-radius:2px;image-rendering:pixelated'>"
        for number, one in enumerate(image, 1)
    )
    return (
        "<div style='display:flex;gap:12px;align-items:center'>"
        "<div style='flex:0 0"
        f" 96px;font-size:.9rem;overflow-wrap:anywhere;line-height:1.25'>{told}{below}</div>"
        "<div"
        f" style='display:flex;flex-wrap:wrap;gap:4px;height:{SIDE_PX}px;overflow:hidden;flex:1'>{pictures}</div></div>"
    )


def _png(image: np.ndarray) -> str:
    """(H,W,C) uint8 as a data URL."""
    shown = showable(image[None])[0]
    out = io.BytesIO()
    Image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else np.ascontiguousarray(shown)).save(
        out, "PNG", compress_level=1
    )
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
