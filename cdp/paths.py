"""Where things live: shipped assets beside the package, everything of the user's under CDP_HOME."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from cdp.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
QUOTA = "CDP_QUOTA"
"""The environment variable with the size that CDP_HOME should stay below, such as "20 GB"."""
_OTHER_HOME = (
    "set the environment variable CDP_HOME to a folder that you can write, and start again"
)


def home() -> Path:
    """The user's folder: the environment variable CDP_HOME, or ``workspace/`` beside the app. Not
    created here.

    Raises InputError where CDP_HOME is no path, such as the home of somebody who has none.
    """
    given = os.environ.get("CDP_HOME") or str(ROOT / "workspace")
    try:
        return Path(given).expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(
            f"CDP_HOME is {given[:200]!r}, which is no usable path ({error}): {_OTHER_HOME}"
        ) from error


def require_home() -> None:
    """Raises InputError where the user's folder can neither be read nor made: a file is in its
    place or in its way."""
    folder = home()
    there = next(part for part in (folder, *folder.parents) if os.path.lexists(part))
    if not there.is_dir():
        what = "a file" if there == folder else f"below {there}, a file"
        raise InputError(f"CDP_HOME is {folder}, which is {what}: {_OTHER_HOME}")


def home_problem() -> str:
    """Why nothing can be written into the user's folder, in one sentence with the remedy; "" where
    it can."""
    try:
        require_home()
    except InputError as error:
        return str(error)
    folder = home()
    there = next(part for part in (folder, *folder.parents) if os.path.lexists(part))
    if os.access(there, os.W_OK | os.X_OK):
        return ""
    return (
        f"CDP_HOME is {folder}, and {there} cannot be written: make it writable, or {_OTHER_HOME}"
    )


def example_dir() -> Path:
    """The records of the example study, laid out as the user's folder; read only. The environment
    variable CDP_EXAMPLE names others, or an empty folder for none."""
    given = os.environ.get("CDP_EXAMPLE")
    return Path(given).expanduser() if given else ASSETS / "study"


def datasets_dir() -> Path:
    """Raw files of torchvision's data sets and the imported ones."""
    return home() / "data"


def sets_dir() -> Path:
    """Saved sample sets, one folder each."""
    return home() / "sets"


def models_dir() -> Path:
    """The user's diffusion checkpoints, one diffusers pipeline folder each."""
    return home() / "models"


def encoders_dir() -> Path:
    """The user's encoders, one folder each."""
    return home() / "encoders"


def runs_dir() -> Path:
    """Background runs, one folder each."""
    return home() / "runs"


def cache_dir() -> Path:
    """What can be computed again."""
    return home() / "cache"


def shareable(value: Any) -> Any:
    """The same text, or JSON with such texts, without where on this machine the app, its workspace
    and the person's own files are: for what goes to others."""
    if isinstance(value, dict):
        return {name: shareable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [shareable(part) for part in value]
    if type(value) is not str or os.sep not in value:
        return value
    places = {home(): "CDP_HOME", ROOT: "app"}
    with contextlib.suppress(RuntimeError):  # somebody without a home
        places[Path.home()] = "~"
    for place in sorted(places, key=lambda place: -len(place.parts)):
        if len(place.parts) > 1:
            value = re.sub(
                rf"(?<![\w.-]){re.escape(str(place))}(?![\w-]|\.\w)", places[place], value
            )
    return value
