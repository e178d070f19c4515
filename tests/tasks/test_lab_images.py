"""Uploads to the attack lab: read as hostile, changed only with a word about it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdp import paths
from cdp.data.catalog import CATALOG
from cdp.errors import InputError
from cdp.tasks.lab_images import KIND, MAX_FILE_BYTES, load_upload, read_upload, save_upload
from cdp.values.types import DatasetInfo
from tests.tasks.lab_world import png

GREY, COLOUR = CATALOG["fashion-mnist"], CATALOG["cifar10"]
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (28, 28), dtype=np.uint8)
NOISE_RGB = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_an_image_of_the_right_form_is_taken_as_it_is() -> None:
    for array, info in ((NOISE, GREY), (NOISE_RGB, COLOUR)):
        made = read_upload(png(array), "mine.png", info)
        assert made.changes == () and made.image.dtype == np.uint8
        assert np.array_equal(made.image, array.reshape(made.image.shape))


def test_what_loses_nothing_is_no_change() -> None:
    """Grey saved as colour, opaque transparency, grey for a data set of colours."""
    opaque = np.dstack([NOISE, NOISE, NOISE, np.full_like(NOISE, 255)])
    for array in (np.dstack([NOISE] * 3), opaque):
        made = read_upload(png(array), "mine.png", GREY)
        assert made.changes == () and np.array_equal(made.image[..., 0], NOISE)
    grey = read_upload(png(NOISE_RGB[..., 0]), "mine.png", COLOUR)
    assert grey.changes == () and np.array_equal(grey.image, np.dstack([NOISE_RGB[..., 0]] * 3))


def test_what_has_to_change_is_told_in_order() -> None:
    see_through = np.dstack([NOISE_RGB, np.full((32, 32), 128, np.uint8)])
    made = read_upload(png(see_through), "mine.png", GREY)
    assert [words.split()[1] for words in made.changes] == ["transparent", "colours", "is"]
    assert "from 32 x 32 to 28 x 28 px" in made.changes[-1]
    # Half-transparent on black is half as bright.
    assert made.image.mean() == pytest.approx(NOISE_RGB.mean() / 2, rel=0.1)


def test_a_resize_keeps_the_centre_and_the_proportions() -> None:
    """Red, green and blue squares in a row: of a wide image the middle one is left."""
    wide = np.zeros((60, 180, 3), np.uint8)
    for k in range(3):
        wide[:, 60 * k : 60 * (k + 1), k] = 255
    made = read_upload(png(wide), "mine.png", COLOUR)
    inner = made.image[4:-4, 4:-4].astype(int)
    assert (inner[..., 1] == 255).all() and not inner[..., [0, 2]].any()
    small = read_upload(png(NOISE[:1, :5]), "mine.png", GREY)
    assert small.image.shape == (28, 28, 1) and "from 5 x 1" in small.changes[0]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def announced(width: int, height: int) -> bytes:
    """A PNG whose header promises that size and whose data are a few bytes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 10))
        + chunk(b"IEND", b"")
    )


def animated() -> bytes:
    frames = [Image.fromarray(np.full((28, 28), value, np.uint8)) for value in (0, 255)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, "GIF")
    return buffer.getvalue()


HOSTILE = {
    "empty": (b"", "not a readable image"),
    "text": (b"<html>404</html>", "not a readable image"),
    "cut": (png(NOISE)[:200], "not a readable image"),
    "bomb": (announced(60_000, 60_000), "px"),
    "wide": (announced(5000, 10), "5000 x 10 px"),
    "promise": (announced(28, 28), "not a readable image"),
    "zero": (announced(0, 28), "mine"),
    "animation": (animated(), "animation"),
    "gif": (gif(), "not a readable image"),
    "deep": (png(np.zeros((28, 28), np.uint16)), "8-bit"),
    "huge": (b"\x89PNG" + bytes(MAX_FILE_BYTES), "over 4 MB"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_image_is_one_sentence(kind: str, cdp_home: Path) -> None:
    content, words = HOSTILE[kind]
    with pytest.raises(InputError, match=words) as error:
        read_upload(content, "<b>mine</b>.png", GREY)
    assert "\n" not in str(error.value) and str(cdp_home) not in str(error.value)
    assert not cdp_home.exists() or [path for path in cdp_home.rglob("*") if path.is_file()] == []


def test_images_of_channels_that_no_png_has_are_not_asked_for() -> None:
    with pytest.raises(InputError, match="2 channels"):
        read_upload(
            png(NOISE), "mine.png", DatasetInfo("two", "Two", ("a", "b"), (2, 28, 28), None, "")
        )


def test_an_upload_is_found_by_its_content_and_nothing_else_is(cdp_home: Path) -> None:
    image = NOISE[..., None]
    key = save_upload(image)
    found = load_upload(key, GREY)
    assert found is not None and np.array_equal(found, image)
    assert save_upload(image) == key
    assert load_upload(key, COLOUR) is None
    for wrong in ("", "../" + key, key.upper(), key[:-1], "0" * 24, f"{key}.npy"):
        assert load_upload(wrong, GREY) is None
    np.save(paths.cache_dir() / KIND / f"{key}.npy", image // 2)
    assert load_upload(key, GREY) is None, "another content under this name"
