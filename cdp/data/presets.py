"""Presets of a person's own, one JSON file each under CDP_HOME/presets, with what speaks for
them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cdp import paths
from cdp.config.fields import config_of, flat_of
from cdp.config.generate import FORMER, GenerateConfig
from cdp.config.presets import PRESETS, Preset, named
from cdp.data.limits import valid_name
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.files.versions import NewerError, require_known
from cdp.values.text import visible

NOT_DECIDED = ("model", "dataset", "count", "seed", "classes")
"""What presets leave alone."""
VERSION = 2
"""Of the file, which holds what differs from the defaults; those of 1 are ``FORMER``."""


def presets_dir() -> Path:
    return paths.home() / "presets"


def save_preset(name: str, config: GenerateConfig, source: str) -> Path:
    """Keep the settings of a generation under a name. source: what speaks for them. Raises
    InputError where the name is none, or taken."""
    path = presets_dir() / f"{valid_name(name)}.json"
    if name in PRESETS or path.exists():
        raise InputError(f"preset {name!r} is there already: choose another name")
    plain = flat_of(GenerateConfig())
    flat = {
        key: value
        for key, value in flat_of(config).items()
        if value != plain[key] and key not in NOT_DECIDED
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"version": VERSION, "title": name, "source": source, "flat": flat})
    return path


def own_presets() -> dict[str, Preset]:
    """Those that can be used, by name. A damaged file, or one of a later version, is left out."""
    own = {}
    for path in sorted(presets_dir().glob("*.json")) if presets_dir().is_dir() else ():
        with contextlib.suppress(NewerError):
            own[path.stem] = _read(path)
    return {name: preset for name, preset in own.items() if preset is not None}


def _read(path: Path) -> Preset | None:
    content = read_json(path) or {}
    flat, version = content.get("flat"), content.get("version")
    require_known(path, version, VERSION)
    if version not in (1, VERSION) or not isinstance(flat, dict):
        return None
    if version == 1:
        flat = FORMER | flat
    try:
        config_of(GenerateConfig, flat)
    except InputError:
        return None
    title, source = (visible(str(content.get(key))) for key in ("title", "source"))
    return Preset(title[:80], source[:1000], flat)


class AllPresets(Mapping[str, Preset]):
    """Of generation: the built-in ones, then one's own, as they are on disk now."""

    def __getitem__(self, name: str) -> Preset:
        return PRESETS[name] if name in PRESETS else own_presets()[name]

    def __iter__(self) -> Iterator[str]:
        yield from PRESETS
        yield from (name for name in own_presets() if name not in PRESETS)

    def __len__(self) -> int:
        return sum(1 for _ in self)


ALL_PRESETS = AllPresets()


def preset_flat(name: str) -> dict[str, Any]:
    """What a preset, built-in or one's own, changes. Raises MissingError that lists them, NewerError
    for one that a later version of the app kept."""
    for path in presets_dir().glob("*.json"):
        if path.stem == name and name not in PRESETS:
            _read(path)
    return named(ALL_PRESETS, name).flat
