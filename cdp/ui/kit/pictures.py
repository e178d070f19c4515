"""An image and its attacked copy as a person sees them: PNG data URLs, and the perturbation made
visible. Pure."""

from __future__ import annotations

import base64
import io

import numpy as np

from cdp.ui.kit.images import difference

PIXELATED = "image-rendering:pixelated;display:block"
"""Style of an enlarged image whose pixels are to be seen."""


def png(image: np.ndarray) -> str:
    """(H,W,C) uint8 as a data URL; of two channels the first is shown."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] < 3 else image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def in_levels(image: np.ndarray) -> np.ndarray:
    """Images in [0,1] as uint8, clamped and rounded."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def gain_of(clean: np.ndarray, adversarial: np.ndarray) -> int:
    """The factor on the perturbation at which its largest change reaches the end of the scale.

    clean: (n,H,W,C) uint8; adversarial: the same shape, in [0,1].
    """
    largest = float(np.abs(adversarial - clean / np.float32(255)).max())
    return max(1, round(1 / largest)) if largest > 0 else 1


def perturbation(clean: np.ndarray, adversarial: np.ndarray, gain: int) -> np.ndarray:
    """(n,H,W,3) uint8: grey images darker in blue and brighter in orange, colour images around
    mid-grey, channel by channel.

    clean: (n,H,W,C) uint8; adversarial: the same shape, in [0,1].
    """
    signed = adversarial.astype(np.float64) * 255 - clean
    if clean.shape[-1] == 1:
        return difference(signed, np.zeros_like(signed), gain)
    return np.rint(np.clip(127.5 + signed / 2 * gain, 0, 255)).astype(np.uint8)
