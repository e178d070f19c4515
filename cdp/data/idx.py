"""The IDX format of MNIST and its relatives, plain, gzip- or xz-compressed, read with every size
checked."""

from __future__ import annotations

import gzip
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cdp.errors import InputError

_UINT8 = 0x08
# Five times the largest of the family, so that a compressed file cannot fill the memory.
MAX_BYTES = 256 << 20
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes.

    path: an IDX file; a name ending in ``.gz`` or ``.xz`` is decompressed on the fly.
    ndim: the number of dimensions expected (3 for images, 1 for labels).
    Returns a uint8 array. Raises InputError when the header, the type or the length is not what it
    says.
    """
    try:
        with _OPENERS.get(path.suffix, open)(path, "rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UINT8 or magic[3] != ndim:
                raise InputError(
                    f"{path} is not an IDX file of {ndim}-dimensional bytes: download it again"
                )
            header = file.read(4 * ndim)
            if len(header) < 4 * ndim:
                raise InputError(f"{path} ends inside its header: download it again")
            shape = struct.unpack(f">{ndim}I", header)
            size = int(np.prod(shape, dtype=object))
            if size > MAX_BYTES:
                raise InputError(
                    f"{path} announces {size} bytes, over the limit of {MAX_BYTES}: the file is"
                    " corrupt"
                )
            # One byte more than announced, so that trailing data shows and a bomb is never unpacked
            # whole.
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path} cannot be read ({error}): download it again") from error
    if len(data) != size:
        raise InputError(
            f"{path} holds {len(data)} bytes where its header announces {size}: download it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
