"""Where things live: shipped assets beside the package, everything of the user's under CDP_HOME."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"


def home() -> Path:
    """The user's folder: the environment variable CDP_HOME, or ``workspace/`` beside the app. Not created here."""
    return Path(os.environ.get("CDP_HOME") or ROOT / "workspace").expanduser().resolve()


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
