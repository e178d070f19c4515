"""The .npy format, read so that no header can cost more memory than it is long, and nothing is ever
unpickled."""

from __future__ import annotations

import io
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from cdp.errors import InputError, MissingError
from cdp.files.reading import open_regular, reason_of

MAX_HEADER = 4096
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}


@dataclass(frozen=True)
class NpyHeader:
    """What an .npy file announces. offset: where its data begin, in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the whole file, header included."""
        return self.offset + prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], where: str) -> NpyHeader:
    """Read the header of an .npy stream and leave the stream at its data. where: the file, for the
    message. Raises InputError for anything but a C-ordered array of plain numbers."""
    broken = f"{where} is not a readable .npy array: write it again with numpy.save"
    start = file.read(8)
    ours = len(start) == 8 and start.startswith(b"\x93NUMPY")
    length_bytes = _LENGTH_BYTES.get((start[6], start[7])) if ours else None
    if length_bytes is None:
        raise InputError(broken)
    packed = file.read(length_bytes)
    length = int.from_bytes(packed, "little")
    # numpy reads a header of any announced length (up to 4 GB) before it looks at its limit, so
    # look first.
    if len(packed) < length_bytes or length > MAX_HEADER:
        raise InputError(
            f"{where} announces a header of {length} bytes, over the limit of {MAX_HEADER}: write"
            " it again with numpy.save"
        )
    text = file.read(length)
    if len(text) < length:
        raise InputError(broken)
    # Versions differ in the width of the length and in the encoding; numpy's own parser gets the
    # bytes just read.
    parse = (
        npy_format.read_array_header_1_0 if length_bytes == 2 else npy_format.read_array_header_2_0
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of headers by Python 2 and of old type names, which are read all the same
            shape, fortran, dtype = parse(io.BytesIO(packed + text), max_header_size=MAX_HEADER)
    except (
        ValueError,
        TypeError,
        KeyError,
        SyntaxError,
        RecursionError,
        MemoryError,
        OverflowError,
        tokenize.TokenError,
    ) as error:
        raise InputError(broken) from error
    if dtype.hasobject:
        raise InputError(
            f"{where} holds pickled Python objects, which are never loaded: save plain numbers"
        )
    if dtype.names is not None or dtype.subdtype is not None:
        raise InputError(f"{where} holds structured records: save plain numbers, one array a file")
    if any(side < 0 for side in shape):
        raise InputError(broken)
    if fortran and len(shape) > 1 and prod(shape) > 1:
        raise InputError(f"{where} is in Fortran order: save numpy.ascontiguousarray(array)")
    return NpyHeader(shape, dtype, 8 + length_bytes + length)


def header_bytes(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """The header numpy.save writes for a C-ordered array."""
    buffer = io.BytesIO()
    descr = npy_format.dtype_to_descr(dtype)
    npy_format.write_array_header_1_0(
        buffer, {"shape": shape, "fortran_order": False, "descr": descr}
    )
    return buffer.getvalue()


def open_npy(path: Path) -> np.ndarray:
    """Memory-map an .npy file read-only after checking its header and its exact length."""
    # A fifo or a device would block or never end, so only regular files are opened.
    if not path.is_file():
        raise MissingError(f"{path} is missing: restore it from a backup or delete {path.parent}")
    try:
        with path.open("rb") as file:
            header = read_header(file, str(path))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check its permissions"
        ) from error
    actual = path.stat().st_size
    if actual != header.size:
        raise InputError(
            f"{path} has {actual} bytes where its header announces {header.size}: write it again"
        )
    if prod(header.shape) == 0:
        return np.empty(header.shape, header.dtype)
    return np.memmap(path, header.dtype, "r", header.offset, header.shape)


def read_arrays(path: Path, most: int) -> dict[str, np.ndarray]:
    """All arrays of an .npz that this app wrote, by name; read only. most: bytes that they unpack to
    at most, whatever the file is. Raises FileNotFoundError where there is none, else InputError."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > most:
                raise InputError(f"{path} unpacks to more than {most >> 20} MiB")
            return {
                member.filename.removesuffix(".npy"): _member(archive, member, path)
                for member in members
            }
    except (FileNotFoundError, InputError):
        raise
    except (OSError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({reason_of(error)})") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename[:80]} is compressed in a way that numpy has not")
    with archive.open(member) as file:
        header = read_header(file, f"{path}: {member.filename[:80]}")
        # Room is made for what the archive holds, never for what a header announces.
        if header.size != member.file_size:
            raise ValueError(f"{member.filename[:80]} is not as long as its header says")
        # All without a number would unpack up to 2 GiB at once, whatever the archive announces.
        data = file.read(header.size - header.offset)
        return np.frombuffer(data, header.dtype).reshape(header.shape)
