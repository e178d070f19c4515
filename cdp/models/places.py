"""Where trained diffusion models and encoders go, and which names they may have. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.errors import InputError
from cdp.models.checkpoints import is_name
from cdp.paths import ASSETS, ROOT, encoders_dir, models_dir


def model_folder(config: PretrainConfig) -> Path:
    """Where the model goes. Raises InputError for the name of a shipped one, or one that cannot be
    a folder."""
    name = config.name or config.dataset
    if not is_name(name):
        raise InputError(
            f"name: a data set given as a path ({config.dataset!r}) does not name the model: set"
            " name"
        )
    if (ASSETS / "models" / name).exists():
        raise InputError(f"name: {name!r} is the name of a shipped model: choose another name")
    return models_dir() / name


def encoder_folder(config: EncoderConfig) -> Path:
    """Where the encoder goes. Raises InputError for the name of a shipped one, or a data set that
    has no name."""
    name = config.name or config.kind
    if not is_name(config.dataset):
        raise InputError(
            f"dataset: encoders are kept by data set name, and {config.dataset!r} is a path: import"
            " it under a name first"
        )
    if (ASSETS / "encoders" / config.dataset / name).exists():
        raise InputError(f"name: {name!r} is the name of a shipped encoder: choose another name")
    return encoders_dir() / config.dataset / name


def given_path(text: str) -> Path:
    """What a person's path means: as it stands, or below the app's own folder, so that "assets/..."
    is the same everywhere.

    Raises OSError, ValueError or RuntimeError where it is no path: a null byte, a name too long,
    the home of somebody who has none.
    """
    path = Path(text).expanduser()
    return path if path.exists() or path.is_absolute() else ROOT / path


def written_path(path: Path) -> str:
    """A path as settings spell it: what is shipped, without the folder that the app is in."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ASSETS) else str(path)


def training_folder(target: Path) -> Path:
    """The hidden folder beside ``target`` in which its training keeps its checkpoint until it is
    done."""
    return target.with_name(f".{target.name}.training")
