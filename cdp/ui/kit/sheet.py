"""A contact sheet as PNG that carries the settings which made it, and the way back from such a file
to the settings.

Layout of the text: one iTXt chunk, keyword "cdp.settings", UTF-8, uncompressed, holding {"version":
1, "settings": {...}} with every leaf of GenerateConfig (see cdp.config.generate.flatten). Pixels
are never decoded on the way back, so a file that would unpack to gigabytes costs nothing.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.errors import InputError
from cdp.ui.kit.images import tile

KEY = "cdp.settings"
VERSION = 1
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_FILE = 64 * 2**20
MAX_TEXT = 64 * 2**10
MAX_IMAGES = 4096
REMEDY = "drop a PNG sheet saved by this app"


def sheet_png(
    images: np.ndarray,
    settings: dict[str, Any] | None,
    columns: int | None = None,
    *,
    scale: int = 2,
    gap: int = 2,
    texts: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """A grid of ``images`` (N,H,W,C) uint8, C 1 or 3, as PNG bytes with ``settings`` in its
    metadata.

    settings: leaves of GenerateConfig, None for images that were not generated here; columns: about
    square by default; scale: screen pixels per image pixel; gap: in screen pixels; texts: further
    metadata by keyword. Raises InputError for other shapes, none or too many images, and settings
    that cannot be written.
    """
    from PIL import Image, PngImagePlugin

    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        given = f"{images.dtype} {images.shape}: convert them first"
        raise InputError(f"a sheet takes uint8 images of shape (N,H,W,1 or 3), not {given}")
    if not 1 <= len(images) <= MAX_IMAGES:
        given = f"{len(images)}: choose a part of the set"
        raise InputError(f"a sheet shows 1 to {MAX_IMAGES} images, not {given}")
    columns = min(columns or max(1, round(len(images) ** 0.5)), len(images))
    grid = tile(images, columns, scale=scale, gap=gap)
    text = PngImagePlugin.PngInfo()
    if settings is not None:
        text.add_itxt(KEY, _encode(settings))
    for keyword, words in texts.items():
        text.add_itxt(keyword, words)
    out = io.BytesIO()
    Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid).save(out, "PNG", pnginfo=text)
    return out.getvalue()


def settings_from_png(data: bytes) -> dict[str, Any]:
    """The settings a sheet carries, complete and valid as GenerateConfig leaves. Raises InputError,
    one sentence, for anything else."""
    from PIL import PngImagePlugin

    if not data.startswith(SIGNATURE):
        raise InputError(f"this file is not a PNG image: {REMEDY}")
    if len(data) > MAX_FILE:
        raise InputError(f"this PNG is larger than {MAX_FILE // 2**20} MB: {REMEDY}")
    try:
        # Reads and checks the chunks before the pixels, and decodes none of those.
        text = PngImagePlugin.PngImageFile(io.BytesIO(data)).info.get(KEY)
    except (SyntaxError, OSError, ValueError) as error:
        raise InputError(
            f"this PNG is damaged ({str(error)[:100]}): save or download it again, or {REMEDY}"
        ) from error
    if not isinstance(text, str):
        raise InputError(f"this PNG carries no settings: {REMEDY}")
    if len(text) > MAX_TEXT:
        raise InputError(f"this PNG's text is far longer than settings are: {REMEDY}")
    return flatten(_config(text))


def _encode(settings: dict[str, Any]) -> str:
    try:
        text = json.dumps({"version": VERSION, "settings": settings}, allow_nan=False)
    except (TypeError, ValueError) as error:
        why = f"({error}): give plain finite values"
        raise InputError(f"these settings cannot be written as JSON {why}") from error
    if len(text.encode()) > MAX_TEXT:
        limit = f"{MAX_TEXT // 1024} KiB"
        raise InputError(f"these settings take over {limit}: shorten the names in them")
    return text


def _config(text: str) -> GenerateConfig:
    whose = "this PNG's settings"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{whose} are not valid JSON: {REMEDY}") from error
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise InputError(f"{whose} lack the part named 'settings': {REMEDY}")
    newer = f"update the app, or {REMEDY}"
    if (version := content.get("version")) != VERSION:
        reads = f"this app reads {VERSION}: {newer}"
        raise InputError(f"{whose} are of version {str(version)[:20]!r}, {reads}")
    if unknown := sorted(set(content["settings"]) - set(flatten(GenerateConfig()))):
        name = f"{unknown[0][:40]!r}, which this app does not know"
        raise InputError(f"{whose} name {name}: {newer}")
    try:
        return unflatten(content["settings"])
    except InputError as error:
        raise InputError(f"{whose} cannot be used: {error}") from error
