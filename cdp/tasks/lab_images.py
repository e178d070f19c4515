"""Images uploaded to the attack lab: checked as hostile, made to fit when asked, kept by
content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cdp import paths
from cdp.config.lab import IMAGE
from cdp.data.folders import MAX_FILE_BYTES, ImageForm, read_image
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.atomic import scratch_folder
from cdp.values.types import DatasetInfo

if TYPE_CHECKING:
    from PIL.Image import Image

KIND = "lab-images"
MAX_SIDE = 2048
"""Sides that an upload may have before it is made to fit; read from its header, before anything is
decoded."""
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_COLOURS = {"L": "grey", "RGB": "colour", "RGBA": "colour with transparency"}


@dataclass(frozen=True)
class Upload:
    """An upload as the data set's images are. image: (H,W,C) uint8; changes: what it took to make
    it fit, () for nothing, so that it can be asked before it is used."""

    image: np.ndarray
    changes: tuple[str, ...]


def read_upload(content: bytes, name: str, info: DatasetInfo) -> Upload:
    """A PNG from outside. name: for messages. Raises InputError with the remedy."""
    form = form_of(info)
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"{name[:80]} is over {MAX_FILE_BYTES >> 20} MB, too large for one image: save it"
            " smaller"
        )
    with scratch_folder(paths.cache_dir() / "upload") as folder:
        path = folder / "upload.png"
        path.write_bytes(content)
        try:
            image = read_image(path, max_side=MAX_SIDE)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name[:80])) from error
    return _fitted(image, form)


def form_of(info: DatasetInfo) -> ImageForm:
    """What images of this data set are. Raises InputError for channels that no PNG has."""
    channels, height, width = info.shape
    if channels not in _MODES:
        raise InputError(
            f"images of {info.title} have {channels} channels, which no PNG has: choose one of its"
            " test images"
        )
    return ImageForm(height, width, _MODES[channels])


def save_upload(image: np.ndarray) -> str:
    """Keep (H,W,C) uint8 and return its hash; nothing is said where home is read-only."""
    key = cache.digest(image)
    cache.keep(KIND, key, image)
    return key


def load_upload(key: str, info: DatasetInfo) -> np.ndarray | None:
    """(H,W,C) uint8; None where it is not here, not what its hash says, or of another shape."""
    if not re.fullmatch(IMAGE, key):
        return None
    channels, height, width = info.shape
    image = cache.load_array(KIND, key)
    sound = (
        image is not None
        and image.dtype == np.uint8
        and image.shape == (height, width, channels)
        and cache.digest(image) == key
    )
    return image if sound else None


def _fitted(image: Image, form: ImageForm) -> Upload:
    """The mode first, then the size. What loses nothing, as grey saved as RGB, is no change."""
    changes = []
    if image.mode == "RGBA" and form.mode != "RGBA":
        if np.asarray(image)[..., 3].min() < 255:
            from PIL import Image as Pillow

            changes.append("its transparent parts are laid on black")
            image = Pillow.alpha_composite(Pillow.new("RGBA", image.size, (0, 0, 0, 255)), image)
        image = image.convert("RGB")
    if image.mode == "RGB" and form.mode == "L":
        values = np.asarray(image)
        if (values != values[..., :1]).any():
            changes.append("its colours become grey")
    image = image.convert(form.mode)
    if image.size != (form.width, form.height):
        changes.append(
            f"it is resized from {image.width} x {image.height} to {form.width} x {form.height} px"
            " around its centre"
        )
        image = _resized(image, form)
    return Upload(np.asarray(image).reshape(form.shape), tuple(changes))


def _resized(image: Image, form: ImageForm) -> Image:
    """The largest centred part of the form's proportions, brought to its size."""
    from PIL.Image import Resampling

    share = min(image.width / form.width, image.height / form.height)
    width, height = share * form.width, share * form.height
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return image.resize(
        (form.width, form.height), Resampling.BICUBIC, box=(left, top, left + width, top + height)
    )
