"""Reading one image file from outside: known formats only, its announced size checked before
anything is decoded."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cdp.data import limits
from cdp.errors import InputError

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"])
MAX_FILE_BYTES = 4 << 20
# Pillow picks a decoder by content, not by name; no other of its many decoders is ever given a
# user's file.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
# Without loss: palettes and bilevel images become the colours they stand for.
_LOSSLESS = {
    "L": "L",
    "1": "L",
    "RGB": "RGB",
    "P": "RGB",
    "RGBA": "RGBA",
    "LA": "RGBA",
    "PA": "RGBA",
}


@dataclass(frozen=True)
class ImageForm:
    """What all images of a set share. mode: "L", "RGB" or "RGBA"."""

    height: int
    width: int
    mode: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, _CHANNELS[self.mode]


def read_image(path: Path, *, max_side: int = limits.MAX_SIDE) -> Image.Image:
    """A decoded image in mode L, RGB or RGBA. Raises InputError naming the file."""
    remedy = "replace it with a PNG or JPEG, or remove it"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path} is over {MAX_FILE_BYTES >> 20} MB, too large for an image of {max_side}"
                f" px: {remedy}"
            )
        with warnings.catch_warnings(), path.open("rb") as file:
            # Pillow only warns below twice its bomb limit; ours, on the same announced size, is far
            # lower and follows at once.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as image:
                _check_announced(image, path, max_side)
                mode = (
                    "RGBA"
                    if image.mode == "P" and "transparency" in image.info
                    else _LOSSLESS[image.mode]
                )
                # As cameras and phones mean it: the pixels lie as the sensor does, and a tag says
                # how to turn them.
                return ImageOps.exif_transpose(image).convert(mode)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} announces an image far over {max_side} px a side: {remedy}"
        ) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
        IndexError,
        KeyError,
        MemoryError,
        struct.error,
    ) as error:
        raise InputError(f"{path} is not a readable image ({str(error)[:80]}): {remedy}") from error


def _check_announced(image: Image.Image, path: Path, max_side: int) -> None:
    width, height = image.size
    if not (1 <= width <= max_side and 1 <= height <= max_side):
        raise InputError(
            f"{path} is {width} x {height} px: resize it to at most {max_side} px a side"
        )
    if image.mode not in _LOSSLESS:
        raise InputError(
            f"{path} has pixel mode {image.mode}, not 8-bit grey or colour: convert it to 8-bit RGB"
        )
    if getattr(image, "n_frames", 1) != 1:
        raise InputError(f"{path} is an animation: save the frame you want as a PNG")


def form_of(image: Image.Image) -> ImageForm:
    """The form that an image has itself."""
    return ImageForm(image.height, image.width, image.mode)


def as_array(image: Image.Image, form: ImageForm, path: Path) -> np.ndarray:
    """(H,W,C) uint8 in the set's form. Raises InputError where that would need resizing or lose
    colour or transparency."""
    if (image.height, image.width) != (form.height, form.width):
        raise InputError(
            f"{path} is {image.width} x {image.height} px in a set of {form.width} x {form.height}:"
            " resize all to one size"
        )
    if _CHANNELS[image.mode] > _CHANNELS[form.mode]:
        raise InputError(
            f"{path} has mode {image.mode} among images of mode {form.mode}: convert all to one"
            " mode"
        )
    return np.asarray(image.convert(form.mode)).reshape(form.shape)
