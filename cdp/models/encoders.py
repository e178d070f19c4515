"""Encoders: small classifiers with a card, shipped or the user's. Listing them needs no torch."""

from __future__ import annotations

import datetime
import logging
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp import __version__
from cdp.config.pretrain import EncoderConfig
from cdp.errors import InputError, MissingError
from cdp.files.atomic import write_json
from cdp.files.versions import require_known
from cdp.models.checkpoints import (
    Match,
    is_name,
    match_tensors,
    read_tensors,
    refuse_pickled,
    replaced_folder,
    require_json,
    sha256_of,
    stored_tensors,
    write_tensors,
)
from cdp.paths import ASSETS, encoders_dir, runs_dir
from cdp.values.text import visible
from cdp.values.types import DatasetInfo

if TYPE_CHECKING:
    from torch import Tensor

    from cdp.models.classifiers import Classifier

logger = logging.getLogger(__name__)

WEIGHTS, CARD = "model.safetensors", "card.json"
FORMAT = 1
"""Of the cards of networks that are written and read."""
JUDGE = "judge"
"""The classifier that scores and never guides."""
TRAINED, BEST = "run:", "best"
"""``run:ID`` is the classifier of the best epoch of a robust training."""


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder. net: in eval mode, without parameter gradients; dim: length of its feature
    vectors; note: which weights were chosen where its file holds several sets of them, ""
    otherwise."""

    name: str
    net: Classifier
    card: dict[str, Any]
    sha256: str
    folder: Path
    note: str = ""

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

    @property
    def title(self) -> str:
        """How a person calls it: its name, or that of its training."""
        trained = self.name.startswith(TRAINED)
        return visible(f"trained: {str(self.card.get('run'))[:100]}" if trained else self.name)


def list_encoders(dataset: str) -> list[Listed]:
    """The encoders of a data set: shipped ones, own ones, those of robust trainings."""
    return [entry for root in _roots(dataset) for entry in list_checkpoints(root)] + [
        entry for entry in _trained() if entry.card.get("dataset") == dataset
    ]


def encoders_by_dataset() -> dict[str, list[Listed]]:
    """``list_encoders`` of every data set that has some, with the runs read once."""
    trained: dict[str, list[Listed]] = {}
    for entry in _trained():
        trained.setdefault(str(entry.card.get("dataset") or ""), []).append(entry)
    trained.pop("", None)
    return {
        name: [entry for root in _roots(name) for entry in list_checkpoints(root)]
        + trained.get(name, [])
        for name in dict.fromkeys([*datasets_with_encoders(), *trained])
    }


def datasets_with_encoders() -> list[str]:
    """Names of the data sets that have encoders here, shipped ones first."""
    roots = [ASSETS / "encoders", encoders_dir()]
    folders = [folder for root in roots if root.is_dir() for folder in sorted(root.iterdir())]
    return list(dict.fromkeys(folder.name for folder in folders if is_name(folder.name)))


def list_checkpoints(root: Path) -> list[Listed]:
    """Sub-folders with a card, by name; hidden (unfinished) ones never."""
    listed = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if not is_name(folder.name) or not folder.is_dir():
            continue
        try:
            listed.append(Listed(folder.name, folder, read_card(folder)))
        except InputError as error:
            listed.append(Listed(folder.name, folder, {}, str(error)))
    return listed


def read_card(folder: Path) -> dict[str, Any]:
    """What a network's folder says of itself. Raises MissingError or InputError."""
    card = require_json(folder / CARD)
    require_known(folder / CARD, card.get("format"), FORMAT)
    return card


def encoder_weights(name_or_path: str | Path, dataset: str) -> str:
    """SHA-256 of an encoder's weights, without loading them. Raises MissingError."""
    return sha256_of(_folder_of(name_or_path, dataset) / WEIGHTS)


def encoder_card(name_or_path: str | Path, dataset: str) -> dict[str, Any]:
    """What an encoder says of itself. Raises MissingError where there is none."""
    return read_card(_folder_of(name_or_path, dataset))


def load_encoder(name_or_path: str | Path, dataset: str) -> Encoder:
    """An encoder by name (of this data set) or path. Raises MissingError where there is none,
    InputError where card and weights do not agree."""
    import torch

    from cdp.models.classifiers import build_described

    folder = _folder_of(name_or_path, dataset)
    card = read_card(folder)
    # Without memory until the file has proved to hold what the card announces.
    with torch.device("meta"):
        net = build_described(card.get("architecture"), folder / CARD)
    note = fill(net, folder / WEIGHTS)
    if note:
        logger.info("%s: %s", folder / WEIGHTS, note)
    name = str(name_or_path) if str(name_or_path).startswith(TRAINED) else folder.name
    return Encoder(
        name, net.eval().requires_grad_(False), card, sha256_of(folder / WEIGHTS), folder, note
    )


def match_weights(net: Classifier, path: Path) -> Match:
    """Which tensors of a file are this network's, by its header. Raises InputError."""
    return match_tensors(stored_tensors(path), _shapes(net))


def fill(net: Classifier, path: Path) -> str:
    """Give a network, maybe on the meta device, the weights in a safetensors file; returns which,
    where it holds several sets. Raises InputError where they are not its own."""
    import torch

    expected = _shapes(net)
    tensors, note = read_tensors(path, expected)
    for name, value in tensors.items():
        if name.endswith("running_var") and (value < 0).any():
            raise InputError(
                f"{path}: tensor {name!r} holds negative variances: copy the original file again"
            )
    counters = {
        name: torch.zeros_like(value, device="cpu")
        for name, value in net.state_dict().items()
        if name not in expected
    }
    net.load_state_dict(tensors | counters, assign=True)
    return note


def card_facts(what: str, info: DatasetInfo) -> dict[str, Any]:
    """What every card of ours says first. what: "diffusion", "encoder" or "classifier"."""
    return {
        "format": FORMAT,
        "what": what,
        "dataset": info.name,
        "dataset_title": info.title,
        "shape": list(info.shape),
        "classes": len(info.classes),
        "class_names": list(info.classes),
        "licence": f"weights: Apache-2.0; training data: {info.licence}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "code_version": __version__,
    }


def save_encoder(folder: Path, net: Classifier, card: Mapping[str, Any]) -> None:
    """Write a complete encoder folder, atomically, with the architecture on its card."""
    from cdp.models.classifiers import describe

    with replaced_folder(folder, "encoder") as built:
        write_tensors(built / WEIGHTS, _weights(net))
        write_json(built / CARD, {**card, "architecture": describe(net)})


def find_checkpoint(name_or_path: str | Path, roots: list[Path], what: str, make: str) -> Path:
    """The folder meant: a plain name is looked up under the roots, anything else is a path."""
    text = str(name_or_path)
    if is_name(text):
        for root in roots:
            if (root / text).is_dir():
                return root / text
        known = sorted({entry.name for root in roots for entry in list_checkpoints(root)})
        raise MissingError(
            f"there is no {what} named {text!r}: choose"
            f" {', '.join(known) if known else 'a path like ./folder'}, or make one with {make}"
            f" --name {re.sub('[^A-Za-z0-9_-]', '-', text)}"
        )
    try:
        folder = Path(text).expanduser()
        if folder.is_dir():
            refuse_pickled_folder(folder)
            return folder.resolve()
        if folder.is_file():
            refuse_pickled(folder)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{text[:200]!r} is not a usable path: give an {what} by name or by an existing folder"
        ) from error
    raise MissingError(
        f"folder {text[:200]!r} does not exist: give an {what} by name or by an existing folder"
    )


def refuse_pickled_folder(folder: Path) -> None:
    """Raises InputError for a folder that holds pickled weights and no others."""
    if not any(folder.rglob("*.safetensors")):
        for path in sorted(folder.iterdir()):
            refuse_pickled(path)


def _trained() -> list[Listed]:
    """Classifiers of runs, newest run first."""
    folders = (
        sorted((folder / BEST for folder in runs_dir().iterdir()), reverse=True)
        if runs_dir().is_dir()
        else []
    )
    listed = []
    for folder in folders:
        try:
            card = read_card(folder)
        except (InputError, MissingError):
            continue  # a run of another kind, or one that the list of runs tells about
        if is_name(folder.parent.name):
            listed.append(Listed(f"{TRAINED}{folder.parent.name}", folder, card))
    return listed


def _folder_of(name_or_path: str | Path, dataset: str) -> Path:
    run = str(name_or_path).removeprefix(TRAINED)
    if run != str(name_or_path):
        folder = runs_dir() / run / BEST
        if not is_name(run) or not (folder / CARD).is_file():
            raise MissingError(
                f"there is no classifier of run {run[:80]!r}: choose another encoder, or let that"
                " run finish an epoch"
            )
        return folder
    return find_checkpoint(
        name_or_path,
        _roots(dataset),
        f"encoder of {dataset}",
        f"python -m cdp pretrain-encoder --dataset {shlex.quote(dataset)}",
    )


def _roots(dataset: str) -> list[Path]:
    """Where encoders of a data set live; of a path none."""
    return [ASSETS / "encoders" / dataset, encoders_dir() / dataset] if is_name(dataset) else []


def _shapes(net: Classifier) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in _weights(net).items()}


def _weights(net: Classifier) -> dict[str, Tensor]:
    """What a file holds of a network. Not BatchNorm's counter, which nothing reads."""
    return {name: value for name, value in net.state_dict().items() if value.is_floating_point()}


def encoder_folder(config: EncoderConfig) -> Path:
    """Where the encoder goes. Raises InputError for a shipped name or a data set's path."""
    name = config.name or config.kind
    if not is_name(config.dataset):
        raise InputError(
            f"dataset: encoders are kept by data set name, and {config.dataset!r} is a path: import"
            " it under a name first"
        )
    if (ASSETS / "encoders" / config.dataset / name).exists():
        raise InputError(f"name: {name!r} is the name of a shipped encoder: choose another name")
    return encoders_dir() / config.dataset / name
