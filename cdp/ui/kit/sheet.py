"""A contact sheet as PNG that carries the settings which made it, and the way back from such a file
to the settings.

Layout of the text: one iTXt chunk, keyword "cdp.settings", UTF-8, uncompressed, holding {"version":
1, "settings": {...}} with every leaf of GenerateConfig (see cdp.config.generate.flatten). Reading walks the
chunk headers only: pixels are never decoded, so a file that would unpack to gigabytes costs
nothing.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.errors import InputError

KEY = "cdp.settings"
VERSION = 1
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_FILE = 64 * 2**20
MAX_TEXT = 64 * 2**10
MAX_CHUNKS = 10_000
MAX_IMAGES = 4096
REMEDY = "drop a PNG sheet saved by this app"


def sheet_png(
    images: np.ndarray,
    settings: dict[str, Any] | None,
    columns: int | None = None,
    *,
    scale: int = 2,
    gap: int = 2,
) -> bytes:
    """A grid of ``images`` (N,H,W,C) uint8, C 1 or 3, as PNG bytes with ``settings`` in its
    metadata.

    settings: leaves of GenerateConfig, None for images that were not generated here; columns:
    images a row, about square by default; scale: screen pixels per image pixel, without smoothing;
    gap: in screen pixels. Raises InputError for other shapes, none or more than 4096 images, and
    settings that are not JSON or over 64 KiB.
    """
    from PIL import Image, PngImagePlugin

    grid = tile(images, columns or max(1, round(len(images) ** 0.5)), scale=scale, gap=gap)
    text = PngImagePlugin.PngInfo()
    if settings is not None:
        text.add_itxt(KEY, _encode(settings))
    out = io.BytesIO()
    Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid).save(out, "PNG", pnginfo=text)
    return out.getvalue()


def tile(images: np.ndarray, columns: int, *, scale: int, gap: int) -> np.ndarray:
    """(N,H,W,C) uint8 -> one (H',W',C) uint8 grid on white, row by row; the last row may be
    short."""
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        raise InputError(
            f"a sheet takes uint8 images of shape (N,H,W,1 or 3), not {images.dtype}"
            f" {images.shape}: convert them first"
        )
    if not 1 <= len(images) <= MAX_IMAGES:
        raise InputError(
            f"a sheet shows 1 to {MAX_IMAGES} images, not {len(images)}: choose a part of the set"
        )
    if columns < 1:
        raise InputError(f"a sheet needs 1 column or more, not {columns}")
    columns = min(columns, len(images))
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cell_h, cell_w = height * scale + gap, width * scale + gap
    grid = np.full((rows * cell_h - gap, columns * cell_w - gap, channels), 255, np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * cell_h, k % columns * cell_w
        grid[top : top + height * scale, left : left + width * scale] = image.repeat(
            scale, 0
        ).repeat(scale, 1)
    return grid


def settings_from_png(data: bytes) -> dict[str, Any]:
    """The settings a sheet carries, complete and valid as GenerateConfig leaves. Raises InputError,
    one sentence, for anything else."""
    found = [
        body
        for kind, body in _chunks(data)
        if kind == b"iTXt" and body.startswith(KEY.encode() + b"\0")
    ]
    if not found:
        raise InputError(f"this PNG carries no settings: {REMEDY}")
    if len(found) > 1:
        raise InputError(f"this PNG carries {len(found)} sets of settings: {REMEDY}")
    return flatten(_config(_text(found[0])))


def _encode(settings: dict[str, Any]) -> str:
    try:
        text = json.dumps({"version": VERSION, "settings": settings}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"these settings cannot be written as JSON ({error}): give plain finite values"
        ) from error
    if len(text.encode()) > MAX_TEXT:
        raise InputError(
            f"these settings take over {MAX_TEXT // 1024} KiB: shorten the names in them"
        )
    return text


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of every chunk up to IEND; bodies of kinds other than iTXt are skipped, not
    copied."""
    if not data.startswith(SIGNATURE):
        raise InputError(f"this file is not a PNG image: {REMEDY}")
    if len(data) > MAX_FILE:
        raise InputError(f"this PNG is larger than {MAX_FILE // 2**20} MB: {REMEDY}")
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        head = data[at : at + 8]
        if len(head) < 8:
            raise InputError(f"this PNG ends in the middle: save or download it again, or {REMEDY}")
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if at + 12 + length > len(data):
            raise InputError(f"this PNG ends in the middle: save or download it again, or {REMEDY}")
        if kind == b"iTXt":
            yield kind, _checked(data, at, length)
        at += 12 + length
    raise InputError(f"this PNG has more than {MAX_CHUNKS} parts: {REMEDY}")


def _checked(data: bytes, at: int, length: int) -> bytes:
    if length > MAX_TEXT + 256:
        raise InputError(
            f"this PNG holds a text of {length:,} bytes, far more than settings take: {REMEDY}"
        )
    body = data[at + 8 : at + 8 + length]
    if (
        zlib.crc32(data[at + 4 : at + 8 + length])
        != struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
    ):
        raise InputError(
            "this PNG's text is damaged (its checksum differs): save or download it again, or"
            f" {REMEDY}"
        )
    return body


def _text(body: bytes) -> str:
    """The text of an iTXt body: keyword, 0, compression flag, method, language, 0, translated
    keyword, 0, text."""
    rest = body[len(KEY) + 1 :]
    if len(rest) < 2 or rest[0] != 0:
        raise InputError(
            f"this PNG's settings are compressed, which this app never writes: {REMEDY}"
        )
    parts = rest[2:].split(b"\0", 2)
    if len(parts) < 3:
        raise InputError(f"this PNG's settings are cut short: {REMEDY}")
    try:
        return parts[2].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"this PNG's settings are not UTF-8 text: {REMEDY}") from error


def _config(text: str) -> GenerateConfig:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this PNG's settings are not valid JSON: {REMEDY}") from error
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise InputError(f"this PNG's settings lack the part named 'settings': {REMEDY}")
    if content.get("version") != VERSION:
        raise InputError(
            f"this PNG's settings are of version {str(content.get('version'))[:20]!r}, this app"
            f" reads {VERSION}: update the app, or {REMEDY}"
        )
    unknown = sorted(set(content["settings"]) - set(flatten(GenerateConfig())))
    if unknown:
        raise InputError(
            f"this PNG's settings name {unknown[0][:40]!r}, which this app does not know: update"
            f" the app, or {REMEDY}"
        )
    try:
        return unflatten(content["settings"])
    except InputError as error:
        raise InputError(f"this PNG's settings cannot be used: {error}") from error
