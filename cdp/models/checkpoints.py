"""Checkpoint files: read as hostile, written atomically. JSON and safetensors only; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import stat
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.errors import InputError, MissingError

if TYPE_CHECKING:
    from torch import Tensor

MAX_JSON = 4 << 20
MAX_HEADER = 8 << 20
MAX_TENSORS = 8 << 30
_WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FLOATS = ("F64", "F32", "F16", "BF16")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_name(text: str) -> bool:
    """A plain name (letters, digits, dots, dashes), which cannot lead out of its folder."""
    return _NAME.fullmatch(text) is not None and ".." not in text


def regular_file(path: Path) -> Path:
    """The path itself, if a regular file is behind it (links are followed: Hugging Face's cache is made of them)."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise MissingError(f"{path} is missing or cannot be opened: copy the complete folder again") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a regular file: copy the complete folder again")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of sane size. NaN and infinities are refused."""
    if regular_file(path).stat().st_size > MAX_JSON:
        raise InputError(f"{path} is larger than {MAX_JSON >> 20} MiB, too large for settings: replace it by the original file")
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({str(error)[:120]}): replace it by the original file") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds a {type(data).__name__} where a JSON object belongs: replace it by the original file")
    return data


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file, read from its header after every size has been checked against the file."""
    size = regular_file(path).stat().st_size
    if size > MAX_TENSORS:
        raise InputError(f"{path} is larger than {MAX_TENSORS >> 30} GiB, more than any model this app runs: choose a smaller one")
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise InputError(f"{path} is not a safetensors file (its header announces {length} bytes): copy the original file again")
        header = file.read(length)
    try:
        table = json.loads(header)
        shapes = {name: _entry(name, entry, size - 8 - length) for name, entry in table.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} has a broken safetensors header ({str(error)[:120]}): copy the original file again") from error
    return shapes


def _entry(name: str, entry: Mapping[str, Any], room: int) -> tuple[int, ...]:
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if entry["dtype"] not in _FLOATS:
        raise ValueError(f"tensor {name[:80]!r} has type {str(entry['dtype'])[:20]!r}, not a floating-point one")
    if any(type(n) is not int or n < 0 for n in (*shape, begin, end)):
        raise ValueError(f"tensor {name[:80]!r} has an impossible shape or place")
    if end > room or end - begin != math.prod(shape) * _WIDTH[entry["dtype"]]:
        raise ValueError(f"tensor {name[:80]!r} does not fit the file")
    return shape


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]], *, rename: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """Exactly the tensors expected, fp32 and finite. rename: old name in the file -> name here.

    Raises InputError naming the first tensor that is missing, unknown, of another shape, or not finite.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    rename = rename or {}
    found = {rename.get(name, name): shape for name, shape in tensor_shapes(path).items()}
    remedy = "use the weights that belong to this configuration"
    for name, shape in expected.items():
        if name not in found:
            raise InputError(f"{path} has no tensor {name!r}: {remedy}")
        if found[name] != shape:
            raise InputError(f"{path}: tensor {name!r} has shape {list(found[name])} where {list(shape)} is needed: {remedy}")
    extra = sorted(found.keys() - expected.keys())
    if extra:
        raise InputError(f"{path} has a tensor {extra[0][:80]!r} that the network does not: {remedy}")
    try:
        tensors = {rename.get(name, name): value.float() for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read ({str(error)[:120]}): copy the original file again") from error
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise InputError(f"{path}: tensor {name!r} holds NaN or infinite numbers: the training diverged or the file is damaged")
    return tensors


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write beside, then rename: the file is the old one or the new one, never half of one."""
    _replace(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """safetensors, atomically."""
    from safetensors.torch import save

    _replace(path, save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}))


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def publish_folder(built: Path, target: Path) -> None:
    """Move a finished hidden folder into place. An older one of that name is first moved aside, then removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
    if target.exists():
        target.replace(aside)
    built.replace(target)
    shutil.rmtree(aside, ignore_errors=True)
