"""Files that must be refused. A case builds one in a folder and returns the call that should refuse
it.

To extend: write a function ``(folder: Path) -> Callable[[], object]`` and add ``Case(id, function,
words)``.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from cdp.data.importing import import_data
from tests.data import makers

Attempt = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One thing to refuse. says: words its message must have, so that the reason is the
    right one."""

    id: str
    build: Callable[[Path], Attempt]
    says: str


def importing(path: Path, name: str = "new") -> Attempt:
    """The call that brings a file or folder into the store."""
    return partial(import_data, path, name)


def npz_with(**arrays: np.ndarray) -> Callable[[Path], Attempt]:
    """An archive by numpy itself, with an array replaced."""
    return lambda folder: importing(makers.npz(folder / "bad.npz", **arrays))


def npz_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], Attempt]:
    """A sound archive whose bytes are changed."""

    def build(folder: Path) -> Attempt:
        path = makers.npz(folder / "bad.npz")
        path.write_bytes(change(path.read_bytes()))
        return importing(path)

    return build


def npz_members(
    *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED
) -> Callable[[Path], Attempt]:
    """A hand-made archive of named members."""

    def build(folder: Path) -> Attempt:
        with zipfile.ZipFile(folder / "bad.npz", "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return importing(folder / "bad.npz")

    return build


def npy(array: np.ndarray) -> bytes:
    """An array as numpy.save writes it."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npy_announcing(
    text: str, data: bytes = b"", version: int = 1, length: int | None = None
) -> bytes:
    """An .npy with any header text, and any announced header length."""
    header = text.encode("latin1") + b"\n"
    width = "<H" if version == 1 else "<I"
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack(width, len(header) if length is None else length)
        + header
        + data
    )


def shape_header(shape: str, descr: str = "'|u1'", fortran: bool = False) -> str:
    """The text of an .npy header."""
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


LABEL = ("label.npy", npy(makers.labels()))
IMAGE = ("image.npy", npy(makers.images()))


def bad_image_member(data: bytes, method: int = zipfile.ZIP_STORED) -> Callable[[Path], Attempt]:
    """A sound label beside any bytes as the image member."""
    return npz_members(("image.npy", data), LABEL, method=method)


def zip_bomb(folder: Path) -> Attempt:
    """Under 100 kB that would unpack to 77 MB of zeros, with a header that agrees."""
    rows = 25_000
    with zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("image.npy", "w", force_zip64=True) as member:
            member.write(npy_announcing(shape_header(f"({rows}, 32, 32, 3)")))
            for _ in range(rows // 1000):
                member.write(bytes(1000 * 3072))
        archive.writestr("label.npy", npy(np.zeros(rows, np.int64)))
    return importing(folder / "bomb.npz")


def encrypted(data: bytes) -> bytes:
    """Set the encryption flag in every local and central header."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 4)
    return bytes(changed)


def flip_pixel(data: bytes) -> bytes:
    """Change one byte of the first member's data, so that only its checksum tells."""
    changed = bytearray(data)
    changed[len(changed) // 3] ^= 0xFF
    return bytes(changed)


class Payload:
    """An object whose unpickling would make a file called "unpickled"."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, ("unpickled",)


def objects(count: int) -> np.ndarray:
    """An object array that runs code when unpickled."""
    array = np.empty(count, object)
    array[:] = Payload()
    return array


def folder_with(change: Callable[[Path], object]) -> Callable[[Path], Attempt]:
    """Two sound class folders, then changed."""

    def build(folder: Path) -> Attempt:
        root = folder / "pets"
        makers.class_folders(root)
        change(root)
        return importing(root)

    return build


def png_announcing(width: int, height: int, data: bytes) -> bytes:
    """A PNG whose header announces any size, with any image data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (8, 8), **options: object) -> None:
    """One image file of any mode and size."""
    Image.new(mode, size).save(path, **options)


def truncate(path: Path, keep: float = 0.5) -> None:
    """Cut a file short."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def pickled(value: object) -> bytes:
    """The bytes of a pickle."""
    return pickle.dumps(value, protocol=2)
