"""A sheet's PNG brings its settings back exactly, and no file whatever does more than raise one
clear sentence."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from cdp.config.generate import GenerateConfig, Guidance, Sampler, flatten, unflatten
from cdp.errors import InputError
from cdp.ui.kit.sheet import KEY, MAX_TEXT, SIGNATURE, settings_from_png, sheet_png

FLAT = flatten(GenerateConfig())


def images(count: int = 5, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 6, channels), dtype=np.uint8)


def chunk(kind: bytes, body: bytes, *, crc: int | None = None, length: int | None = None) -> bytes:
    check = zlib.crc32(kind + body) if crc is None else crc
    return (
        struct.pack(">I", len(body) if length is None else length)
        + kind
        + body
        + struct.pack(">I", check)
    )


def png(*middle: bytes, end: bool = True) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return SIGNATURE + header + b"".join(middle) + (chunk(b"IEND", b"") if end else b"")


def itxt(text: bytes, *, flag: int = 0) -> bytes:
    return chunk(b"iTXt", KEY.encode() + b"\0" + bytes([flag, 0]) + b"\0\0" + text)


def payload(content: object) -> bytes:
    return itxt(json.dumps(content).encode())


configs = st.builds(
    GenerateConfig,
    model=st.text(min_size=1, max_size=30),
    count=st.integers(2, 10**6),
    seed=st.integers(0, 2**31 - 1),
    classes=st.lists(st.integers(0, 99), unique=True, max_size=5).map(tuple),
    guidance=st.builds(
        Guidance,
        loss=st.sampled_from(["none", "info_nce", "supcon", "class_margin"]),
        strength=st.floats(0, 2),
        temperature=st.floats(0.01, 100),
        raw_lambda=st.floats(0, 1e9),
        window_start=st.floats(0.5, 1),
        window_stop=st.floats(0, 0.4),
    ),
    sampler=st.builds(Sampler, steps=st.integers(2, 1000), eta=st.floats(0, 1)),
)


@settings(max_examples=40)
@given(configs)
def test_every_config_survives_the_trip_through_a_png(config: GenerateConfig) -> None:
    assert unflatten(settings_from_png(sheet_png(images(2), flatten(config)))) == config


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_holds_every_pixel_of_every_image_in_reading_order(channels: int) -> None:
    given_images = images(5, channels)
    decoded = np.asarray(
        Image.open(io.BytesIO(sheet_png(given_images, FLAT, columns=3, scale=2, gap=1)))
    )
    decoded = decoded.reshape(*decoded.shape[:2], channels)
    assert decoded.shape == (2 * 9 - 1, 3 * 13 - 1, channels)
    for k, image in enumerate(given_images):
        top, left = k // 3 * 9, k % 3 * 13
        assert np.array_equal(decoded[top : top + 8 : 2, left : left + 12 : 2], image)
        assert np.array_equal(decoded[top + 1 : top + 8 : 2, left + 1 : left + 12 : 2], image)


def test_a_sheet_resaved_by_an_image_editor_without_its_text_says_it_carries_no_settings() -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(sheet_png(images(), FLAT))).save(out, "PNG")
    with pytest.raises(InputError, match="carries no settings"):
        settings_from_png(out.getvalue())


def test_pixels_that_would_unpack_to_gigabytes_are_never_touched() -> None:
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0))
    bomb = (
        SIGNATURE
        + huge
        + payload({"version": 1, "settings": FLAT})
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    assert settings_from_png(bomb) == FLAT


def foreign() -> bytes:
    out = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "steps: 20")
    info.add_itxt("other.settings", "{}")
    Image.new("L", (3, 3)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


HOSTILE = {
    "empty": (b"", "not a PNG"),
    "text": (b"hello", "not a PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0" + b"\0" * 50, "not a PNG"),
    "zip": (b"PK\x03\x04" + b"\0" * 50, "not a PNG"),
    "signature only": (SIGNATURE, "damaged"),
    "cut in a chunk": (sheet_png(images(), FLAT)[:120], "damaged"),
    "chunk length beyond the file": (png(chunk(b"tEXt", b"x", length=2**31)), "damaged"),
    "another program's png": (foreign(), "carries no settings"),
    "huge text": (png(itxt(b" " * (MAX_TEXT * 4))), "far longer than settings"),
    "compressed bomb": (png(itxt(zlib.compress(b"\0" * 10**7), flag=1)), "damaged"),
    "damaged checksum": (png(chunk(b"iTXt", KEY.encode() + b"\0\0\0\0\0{}", crc=1)), "damaged"),
    "text cut short": (png(chunk(b"iTXt", KEY.encode() + b"\0\0\0en")), "carries no settings"),
    "not utf-8": (png(itxt(b"\xff\xfe\xfa")), "carries no settings"),
    "not json": (png(itxt(b"{steps: 20")), "not valid JSON"),
    "json so deep that it overflows": (png(itxt(b"[" * 60_000)), "not valid JSON"),
    "integer of 50,000 digits": (
        png(itxt(b'{"version": 1, "settings": {"seed": ' + b"9" * 50_000 + b"}}")),
        "not valid JSON",
    ),
    "json list": (png(payload([1, 2])), "lack the part"),
    "settings not a mapping": (png(payload({"version": 1, "settings": "steps"})), "lack the part"),
    "no version": (png(payload({"settings": FLAT})), "version 'None'"),
    "newer version": (png(payload({"version": 2, "settings": FLAT})), "version '2'"),
    "unknown key": (png(payload({"version": 1, "settings": {"__class__": 1}})), "'__class__'"),
    "value out of range": (
        png(payload({"version": 1, "settings": {"strength": 99}})),
        "guidance.strength",
    ),
    "value of a wrong type": (
        png(payload({"version": 1, "settings": {"steps": {"a": []}}})),
        "sampler.steps",
    ),
    "NaN": (png(itxt(b'{"version": 1, "settings": {"strength": NaN}}')), "guidance.strength"),
    "impossible combination": (
        png(payload({"version": 1, "settings": {"window_start": 0.1, "window_stop": 0.9}})),
        "window_stop",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_sheet_gives_one_sentence_that_says_why(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises(InputError, match=words) as caught:
        settings_from_png(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.integers(0, 255))
def test_one_flipped_byte_never_gives_anything_but_the_settings_or_an_input_error(
    at: int, value: int
) -> None:
    data = bytearray(sheet_png(images(2), FLAT))
    data[at % len(data)] = value
    with contextlib.suppress(InputError):
        assert settings_from_png(bytes(data)) == FLAT


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((0, 4, 4, 1), np.uint8), "1 to 4096"),
        (np.zeros((2, 4, 4), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 2), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 1), np.float32), "float32"),
        (np.zeros((5000, 1, 1, 1), np.uint8), "not 5000"),
    ],
)
def test_images_that_make_no_sheet_are_refused_with_their_shape(
    array: np.ndarray, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        sheet_png(array, FLAT)


@pytest.mark.parametrize("bad", [{"a": float("nan")}, {"a": object()}, {"model": "x" * MAX_TEXT}])
def test_settings_that_could_not_be_read_back_are_not_written(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match="settings"):
        sheet_png(images(), bad)
