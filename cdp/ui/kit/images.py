"""Images as the browser takes them: PNG data URLs, grids in one PNG, and differences made visible.
Arrays are (N,H,W,C) uint8 where nothing else is said. Pure."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

GAIN = 4
"""Factor on the difference of two images: most of guidance changes less than a tenth of the pixel
range."""
_LESS, _SAME, _MORE = (np.array(rgb, float) for rgb in ((0, 114, 178), (247,) * 3, (213, 94, 0)))


def data_url(png: bytes) -> str:
    """A PNG as the source of an image."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def png_bytes(pixels: np.ndarray, compress_level: int = 6) -> bytes:
    """(H,W,C) uint8 as a PNG, C 1 to 4; of two channels the first is shown."""
    buffer = io.BytesIO()
    visible = pixels[..., 0] if pixels.shape[-1] < 3 else pixels
    Image.fromarray(visible).save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()


def png(image: np.ndarray) -> str:
    """(H,W,C) uint8 as a data URL."""
    return data_url(png_bytes(image))


def showable(image: np.ndarray) -> np.ndarray:
    """(N,H,W,C) uint8 of any C as grey or RGB: 3 channels and more show their first three, 2 their
    first."""
    return image[..., :3] if image.shape[-1] >= 3 else image[..., :1]


def tile(
    images: np.ndarray, columns: int, *, scale: int = 1, gap: int = 0, fill: int = 255
) -> np.ndarray:
    """(N,H,W,C) -> one (H',W',C) picture, row by row. scale: screen pixels per image pixel, without
    smoothing; gap: in screen pixels, of ``fill`` as is the rest of a short last row."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cell_h, cell_w = height * scale + gap, width * scale + gap
    cells = np.full((rows * columns, cell_h, cell_w, channels), fill, np.uint8)
    cells[:count, : height * scale, : width * scale] = images.repeat(scale, 1).repeat(scale, 2)
    grid = cells.reshape(rows, columns, cell_h, cell_w, channels).swapaxes(1, 2)
    return grid.reshape(rows * cell_h, columns * cell_w, channels)[
        : rows * cell_h - gap, : columns * cell_w - gap
    ]


def grid_png(images: np.ndarray, columns: int, *, scale: int = 1, gap: int = 0) -> bytes:
    """Images as one PNG, row by row; gaps and a short last row are transparent, so that it stands
    on any theme."""
    opaque = np.full((*images.shape[:3], 4), 255, np.uint8)
    opaque[..., :3] = showable(images)
    return png_bytes(tile(opaque, columns, scale=scale, gap=gap, fill=0), compress_level=1)


def sprite(images: np.ndarray, columns: int) -> str:
    """All images row by row, as one PNG data URL."""
    return data_url(grid_png(images, columns))


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


def in_levels(image: np.ndarray) -> np.ndarray:
    """Images in [0,1] as uint8, clamped and rounded."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def gain_of(clean: np.ndarray, adversarial: np.ndarray) -> int:
    """The factor on the perturbation at which its largest change reaches the end of the scale.
    adversarial: the shape of ``clean``, in [0,1]."""
    largest = float(np.abs(adversarial - clean / np.float32(255)).max())
    return max(1, round(1 / largest)) if largest > 0 else 1


def perturbation(clean: np.ndarray, adversarial: np.ndarray, gain: int) -> np.ndarray:
    """(n,H,W,3) uint8: grey images darker in blue and brighter in orange, colour images around
    mid-grey, channel by channel. adversarial: the shape of ``clean``, in [0,1]."""
    signed = adversarial.astype(np.float64) * 255 - clean
    if clean.shape[-1] == 1:
        return difference(signed, np.zeros_like(signed), gain)
    return np.rint(np.clip(127.5 + signed / 2 * gain, 0, 255)).astype(np.uint8)
