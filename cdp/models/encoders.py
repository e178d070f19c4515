"""Encoders: small classifiers with a card, shipped or the user's. Listing them needs no torch."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.errors import InputError, MissingError
from cdp.models.checkpoints import is_name, publish_folder, read_json, read_tensors, sha256_of, write_json, write_tensors
from cdp.paths import ASSETS, encoders_dir

if TYPE_CHECKING:
    from cdp.models.classifiers import SmallCNN

WEIGHTS, CARD = "model.safetensors", "card.json"
JUDGE = "judge"
"""The classifier that scores and never guides."""


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder. net: in eval mode, without parameter gradients; dim: length of its feature vectors."""

    name: str
    net: SmallCNN
    card: dict[str, Any]
    sha256: str
    folder: Path

    @property
    def dim(self) -> int:
        return self.net.dim


@dataclass(frozen=True)
class Listed:
    """A checkpoint as a form lists it. problem: why it cannot be used, or ""."""

    name: str
    folder: Path
    card: dict[str, Any]
    problem: str = ""


def list_encoders(dataset: str) -> list[Listed]:
    """The encoders of a data set by name, shipped ones first; a broken one is reported in its ``problem``."""
    return [entry for root in _roots(dataset) for entry in list_checkpoints(root, CARD)]


def list_checkpoints(root: Path, card_name: str) -> list[Listed]:
    """Sub-folders with a card, by name; hidden (unfinished) ones never."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if not is_name(folder.name) or not folder.is_dir():
            continue
        try:
            found.append(Listed(folder.name, folder, read_json(folder / card_name)))
        except InputError as error:
            found.append(Listed(folder.name, folder, {}, str(error)))
    return found


def encoder_weights(name_or_path: str | Path, dataset: str) -> str:
    """SHA-256 of an encoder's weights, without loading them. Raises MissingError where there is none of that name."""
    return sha256_of(_found(name_or_path, dataset) / WEIGHTS)


def load_encoder(name_or_path: str | Path, dataset: str) -> Encoder:
    """An encoder by name (of this data set) or by path to its folder.

    Raises MissingError where there is none of that name, InputError where card and weights do not agree.
    """
    folder = _found(name_or_path, dataset)
    card = read_json(folder / CARD)
    net = _build(card.get("architecture"), folder / CARD)
    expected = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    net.load_state_dict(read_tensors(folder / WEIGHTS, expected))
    return Encoder(folder.name, net.eval().requires_grad_(False), card, sha256_of(folder / WEIGHTS), folder)


def save_encoder(folder: Path, net: SmallCNN, card: Mapping[str, Any]) -> None:
    """Write a complete encoder folder, atomically, over an older one. The architecture is added to the card."""
    if not is_name(folder.name):
        raise InputError(f"encoder name {folder.name!r} is not a plain name: use letters, digits, dots and dashes")
    built = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        write_tensors(built / WEIGHTS, net.state_dict())
        write_json(built / CARD, {**card, "architecture": describe(net)})
        publish_folder(built, folder)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def describe(net: SmallCNN) -> dict[str, Any]:
    """What ``load_encoder`` needs to build the network again."""
    return {
        "name": "SmallCNN", "classes": net.classes, "channels": net.channels, "widths": list(net.widths), "blocks": net.blocks,
    }  # fmt: skip


def find_checkpoint(name_or_path: str | Path, roots: list[Path], what: str, make: str) -> Path:
    """The folder meant: a plain name is looked up under the roots, anything else is a path."""
    text = str(name_or_path)
    if is_name(text):
        for root in roots:
            if (root / text).is_dir():
                return root / text
        known = sorted({entry.name for root in roots for entry in list_checkpoints(root, CARD)})
        raise MissingError(
            f"there is no {what} named {text!r}: choose {', '.join(known) if known else 'a path like ./folder'}, or make one with {make}"
        )
    try:
        folder = Path(text).expanduser()
        if folder.is_dir():
            return folder.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{text[:200]!r} is not a usable path: give an {what} by name or by an existing folder") from error
    raise MissingError(f"folder {text[:200]!r} does not exist: give an {what} by name or by an existing folder")


def _found(name_or_path: str | Path, dataset: str) -> Path:
    return find_checkpoint(name_or_path, _roots(dataset), f"encoder of {dataset}", "python -m cdp pretrain-encoder")


def _roots(dataset: str) -> list[Path]:
    """Where encoders of a data set live. A data set given as a path has none but those given as paths."""
    return [ASSETS / "encoders" / dataset, encoders_dir() / dataset] if is_name(dataset) else []


def _build(architecture: Any, where: Path) -> SmallCNN:
    from cdp.models.classifiers import SmallCNN

    limits = {"classes": 1000, "channels": 4, "blocks": 16}
    wanted = {"name", "widths", *limits}
    if not isinstance(architecture, dict) or architecture.get("name") != "SmallCNN" or architecture.keys() != wanted:
        fields = ", ".join(sorted(wanted))
        raise InputError(f"{where}: 'architecture' must be a SmallCNN with {fields}: use the card saved with the weights")
    for field, most in limits.items():
        value, least = architecture[field], 0 if field == "blocks" else 1
        if type(value) is not int or not least <= value <= most:
            raise InputError(f"{where}: architecture {field} must be a whole number from {least} to {most} (given: {str(value)[:40]!r})")
    widths = architecture["widths"]
    if not isinstance(widths, list) or not 1 <= len(widths) <= 5 or any(type(w) is not int or not 1 <= w <= 1024 for w in widths):
        raise InputError(f"{where}: architecture widths must be 1 to 5 whole numbers from 1 to 1024 (given: {str(widths)[:60]!r})")
    return SmallCNN(
        architecture["classes"], architecture["channels"], widths=tuple(widths), blocks=architecture["blocks"]
    )  # fmt: skip
