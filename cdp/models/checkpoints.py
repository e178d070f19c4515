"""Checkpoint files: read as hostile, written atomically. JSON and safetensors only."""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.errors import InputError, MissingError
from cdp.files.atomic import atomic_file, new_folder
from cdp.files.reading import read_object
from cdp.paths import ASSETS, ROOT
from cdp.values.text import listed

if TYPE_CHECKING:
    from torch import Tensor

MAX_JSON = 4 << 20
MAX_HEADER = 8 << 20
MAX_TENSORS = 8 << 30
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_WIDTH = _FLOATS | {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_AVERAGED = frozenset(["ema.", "ema_model.", "model_ema.", "averaged_model.", "ema_state_dict."])
_WRAPPERS = (
    frozenset(
        ["module.", "_orig_mod.", "model.", "network.", "net.", "state_dict.", "model_state_dict."]
    )
    | _AVERAGED
)
"""What DataParallel, torch.compile, Lightning, checkpoints of trainers and averages of weights put
before every name, also several of them."""
PICKLED = frozenset([".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"])
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_name(text: str) -> bool:
    """A plain name (letters, digits, dots, dashes), which cannot lead out of its folder."""
    return _NAME.fullmatch(text) is not None and ".." not in text


def regular_file(path: Path) -> Path:
    """The path, if a regular file is behind it (Hugging Face's cache is made of links)."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{path} is missing or cannot be opened: copy the complete folder again"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a regular file: copy the complete folder again")
    return path


def require_json(path: Path) -> dict[str, Any]:
    """A JSON object of sane size. Raises MissingError where there is no file, InputError where there
    is no such object in it, or NaN and infinities."""
    missing, remedy = "copy the complete folder again", "replace it by the original file"
    return read_object(path, missing=missing, remedy=remedy, most=MAX_JSON)


Rule = tuple[Callable[[Any], bool], str]
"""Whether a setting of a file may be used, and what it must be, in words."""


def whole(least: int, most: int) -> Rule:
    """A whole number in this range."""
    return (
        lambda v: type(v) is int and least <= v <= most
    ), f"a whole number from {least} to {most}"


def number(least: float, most: float) -> Rule:
    """A number in this range."""
    return (
        lambda v: type(v) in (int, float) and least <= v <= most
    ), f"a number from {least:g} to {most:g}"


def one_of(*values: Any) -> Rule:
    """One of these values, of its own type."""
    return (
        lambda v: any(v == value and type(v) is type(value) for value in values)
    ), f"one of {', '.join(map(str, values))}"


def list_of(rule: Rule, most: int) -> Rule:
    """A list of one value or more, each by the rule."""
    return (
        lambda v: isinstance(v, list) and 1 <= len(v) <= most and all(map(rule[0], v))
    ), f"a list of 1 to {most}, each {rule[1]}"


def or_null(rule: Rule) -> Rule:
    """By the rule, or null."""
    return (lambda v: v is None or rule[0](v)), f"{rule[1]}, or null"


@dataclass(frozen=True)
class Stored:
    """A tensor as a safetensors header announces it. dtype: such as "F32" or "I64"."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def is_counter(self) -> bool:
        """Whether it only counts, as BatchNorm's num_batches_tracked does."""
        return self.dtype not in _FLOATS and math.prod(self.shape) <= 1


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights in a safetensors file, counters left out."""
    return {
        name: stored.shape for name, stored in stored_tensors(path).items() if not stored.is_counter
    }


def stored_tensors(path: Path) -> dict[str, Stored]:
    """Everything in a safetensors file, from its header, with every size checked against the file.
    Raises InputError for what holds neither floating-point weights nor counters."""
    size = regular_file(path).stat().st_size
    if size > MAX_TENSORS:
        raise InputError(
            f"{path} is larger than {MAX_TENSORS >> 30} GiB, more than any model this app runs:"
            " choose a smaller one"
        )
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise InputError(
                f"{path} is not a safetensors file (its header announces {length} bytes): copy the"
                " original file again"
            )
        header = file.read(length)
    try:
        table = json.loads(header)
        return {
            name: _entry(name, entry, size - 8 - length)
            for name, entry in table.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} has a broken safetensors header ({str(error)[:120]}): copy the original file"
            " again"
        ) from error


def _entry(name: str, entry: Mapping[str, Any], room: int) -> Stored:
    shape, (begin, end), dtype = tuple(entry["shape"]), entry["data_offsets"], entry["dtype"]
    if any(type(n) is not int or n < 0 for n in (*shape, begin, end)):
        raise ValueError(f"tensor {name[:80]!r} has an impossible shape or place")
    stored = Stored(shape, str(dtype))
    if dtype not in _WIDTH or (dtype not in _FLOATS and not stored.is_counter):
        raise ValueError(
            f"tensor {name[:80]!r} has type {str(dtype)[:20]!r}, not a floating-point one of 16"
            " bits or more"
        )
    if end > room or end - begin != math.prod(shape) * _WIDTH[dtype]:
        raise ValueError(f"tensor {name[:80]!r} does not fit the file")
    return stored


@dataclass(frozen=True)
class Match:
    """Which tensors of a file are a network's. names: here -> in the file; note: what was chosen,
    or ""; problem: why they are not its weights, or ""; present: how many of the names the file
    has."""

    names: Mapping[str, str]
    note: str = ""
    problem: str = ""
    present: int = 0


def match_tensors(
    stored: Mapping[str, Stored],
    expected: Mapping[str, tuple[int, ...]],
    *,
    rename: Mapping[str, str] | None = None,
) -> Match:
    """Find the tensors expected among those of a file, whatever wrappers have put before their
    names. Of two complete sets the average is chosen, as it is what was evaluated. Tensors of no
    set are a problem: weights of something else. rename: old name in the file -> name there."""
    rename = rename or {}
    sets = {
        prefix: _under(prefix, stored, rename)
        for prefix in dict.fromkeys(("", *(p for name in stored for p in _wrappers(name))))
    }
    whole = [prefix for prefix, names in sets.items() if all(name in names for name in expected)]
    fitting = [p for p in whole if not _misfits(stored, sets[p], expected)]
    if not fitting:
        # Those that come closest make the best message.
        closest = max(
            whole or sets, key=lambda p: (sum(name in sets[p] for name in expected), -len(p))
        )
        present = sum(name in sets[closest] for name in expected)
        return Match({}, problem=_difference(stored, sets[closest], expected), present=present)
    chosen = max(fitting, key=lambda prefix: (_averaged(prefix), -len(prefix)))
    names = {name: sets[chosen][name] for name in expected}
    accounted = {sets[prefix][name] for prefix in fitting for name in expected}
    extra = sorted(
        name for name, tensor in stored.items() if name not in accounted and not tensor.is_counter
    )
    if extra:
        extras = f"{listed((f'{name[:80]!r} {list(stored[name].shape)}' for name in extra), 1)}"
        return Match(
            {}, problem=f"it has a tensor {extras} that the network does not", present=len(expected)
        )
    if len(fitting) == 1:
        return Match(names)
    called = " and ".join(f"{prefix}*" if prefix else "without a prefix" for prefix in fitting)
    what = "the averaged ones, " if _averaged(chosen) else ""
    return Match(
        names,
        f"the file holds {len(fitting)} sets of weights ({called}):"
        f" {what}{f'{chosen}*' if chosen else 'those without a prefix'}, are used",
    )


def _wrappers(name: str) -> Iterator[str]:
    """Every beginning of a name that consists of wrappers alone."""
    place = 0
    while (end := name.find(".", place) + 1) and name[place:end] in _WRAPPERS:
        yield name[:end]
        place = end


def _averaged(prefix: str) -> bool:
    return any(f"{part}." in _AVERAGED for part in prefix.split(".") if part)


def _under(prefix: str, stored: Mapping[str, Stored], rename: Mapping[str, str]) -> dict[str, str]:
    """Name here -> name in the file, of what stands under a prefix."""
    renamed = ((rename.get(name, name), name) for name in stored)
    return {name.removeprefix(prefix): full for name, full in renamed if name.startswith(prefix)}


def _misfits(
    stored: Mapping[str, Stored], names: Mapping[str, str], expected: Mapping[str, tuple[int, ...]]
) -> list[str]:
    return [
        name
        for name, shape in expected.items()
        if name in names and not _fits(stored[names[name]], shape)
    ]


def _fits(stored: Stored, shape: tuple[int, ...]) -> bool:
    return stored.shape == shape and stored.dtype in _FLOATS


def _difference(
    stored: Mapping[str, Stored], names: Mapping[str, str], expected: Mapping[str, tuple[int, ...]]
) -> str:
    """Where a file and a network part, with what there is and what is wanted."""
    lacking = [name for name in expected if name not in names]
    wrong = _misfits(stored, names, expected)
    parts = []
    if lacking:
        parts.append(
            "it has no tensor"
            f" {listed((f'{name!r} {list(expected[name])}' for name in lacking), 2)}"
        )
    if wrong:
        first, tensor = wrong[0], stored[names[wrong[0]]]
        kind = (
            ""
            if tensor.dtype in _FLOATS
            else f" of type {tensor.dtype}, which is not floating-point,"
        )
        first = (
            f"tensor {first!r} has shape {list(tensor.shape)}{kind} where {list(expected[first])}"
            " is needed"
        )
        parts.append(listed([first, *wrong[1:]], 1))
    unknown = [
        names[name] for name in names if name not in expected and not stored[names[name]].is_counter
    ]
    if unknown:
        some = listed((f"{name[:60]!r} {list(stored[name].shape)}" for name in unknown), 3)
        parts.append(f"it has {some} instead")
    return "; ".join(parts)


def read_tensors(
    path: Path, expected: Mapping[str, tuple[int, ...]], *, rename: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], str]:
    """Exactly the tensors expected, fp32 and finite, and what was chosen among several sets, or "".
    Raises InputError that says what the file has and what is wanted."""
    import torch
    from safetensors import SafetensorError, safe_open

    match = match_tensors(stored_tensors(path), expected, rename=rename)
    if match.problem:
        raise InputError(
            f"{path}: {match.problem}: use the weights that belong to this configuration"
        )
    try:
        with safe_open(path, "pt") as file:
            tensors = {
                name: file.get_tensor(stored).float() for name, stored in match.names.items()
            }
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} cannot be read ({str(error)[:120]}): copy the original file again"
        ) from error
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise InputError(
                f"{path}: tensor {name!r} holds NaN or infinite numbers: the training diverged or"
                " the file is damaged"
            )
    return tensors, match.note


def refuse_pickled(path: Path) -> None:
    """Raises InputError for pickled weights, with lines that convert them where trusted."""
    if path.suffix.lower() in PICKLED:
        raise InputError(
            f"{path} is a pickle, which can run code when it is opened, so it is never read here:"
            " run these three lines of Python where you trust it, and give the .safetensors"
            f" file\n{conversion(path)}"
        )


def conversion(path: Path) -> str:
    """Three lines of Python that make ``<stem>.safetensors`` of a pickled state dict."""
    source, target = repr(str(path)), repr(str(path.with_suffix(".safetensors")))
    return (
        f"import torch; from safetensors.torch import save_file; found = torch.load({source},"
        " map_location='cpu', weights_only=True)\nfound |= {f'{key}.{name}': one for key,"
        " part in found.items() if isinstance(part, dict) for name, one in"
        " part.items()}\nsave_file({name: one.contiguous().clone() for name, one in"
        f" found.items() if torch.is_tensor(one)}}, {target})"
    )


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """safetensors, atomically."""
    from safetensors.torch import save

    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(content)


def replaced_folder(target: Path, what: str) -> AbstractContextManager[Path]:
    """A hidden folder to fill, which takes the place of ``target`` in one instant when the block
    ends. what: for the InputError about a name that is none."""
    if not is_name(target.name):
        raise InputError(
            f"{what} name {target.name!r} is not a plain name: use letters, digits, dots and dashes"
        )
    return new_folder(target, replace=True)


def given_path(text: str) -> Path:
    """What a person's path means: as it stands, or below the app's own folder. Raises OSError,
    ValueError or RuntimeError where it is no path."""
    path = Path(text).expanduser()
    return path if path.exists() or path.is_absolute() else ROOT / path


def written_path(path: Path) -> str:
    """A path as settings spell it: what is shipped, without the folder that the app is in."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ASSETS) else str(path)


def training_folder(target: Path) -> Path:
    """The hidden folder beside ``target`` for the checkpoint of its training."""
    return target.with_name(f".{target.name}.training")
