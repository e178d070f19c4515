"""Images as the browser takes them: grids packed into one PNG, differences made visible. Arrays are
(N,H,W,C) uint8."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

GAIN = 4
"""Factor on the difference of two images: most of guidance changes less than a tenth of the pixel
range."""
_LESS, _SAME, _MORE = (
    np.array([0, 114, 178.0]),
    np.array([247, 247, 247.0]),
    np.array([213, 94, 0.0]),
)


def sprite(images: np.ndarray, columns: int) -> str:
    """All images in rows of ``columns``, as one PNG data URL; the last row is filled up with
    transparent pixels."""
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width, 4), np.uint8)
    cells[:n, ..., :3] = images[..., :3] if channels >= 3 else images[..., :1]
    cells[:n, ..., 3] = 255
    sheet = (
        cells.reshape(rows, columns, height, width, 4)
        .swapaxes(1, 2)
        .reshape(rows * height, columns * width, 4)
    )
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def difference(guided: np.ndarray, unguided: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """guided - unguided, times gain, (N,H,W,3) uint8: darker is blue, equal is white, brighter is
    orange.

    Colour images show the mean over channels, because a signed difference has only one colour
    scale.
    """
    signed = (guided.astype(np.float64) - unguided).mean(axis=-1, keepdims=True) / 255 * gain
    amount = np.clip(np.abs(signed), 0, 1)
    toward = np.where(signed > 0, _MORE, _LESS)
    return np.rint(_SAME + (toward - _SAME) * amount).astype(np.uint8)


def showable(image: np.ndarray) -> np.ndarray:
    """(N,H,W,C) uint8 of any C as grey or RGB: 3 channels and more show their first three, 2 their
    first."""
    return image[..., :3] if image.shape[-1] >= 3 else image[..., :1]
