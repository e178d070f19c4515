"""The settings of one browser session: they survive page switches, and the URL of the Generate page
always tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cdp.config.generate import GROUPS, GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS, preset
from cdp.errors import InputError
from cdp.ui.kit.address import read_params
from cdp.ui.kit.catalog import Catalog
from cdp.ui.kit.held import Held
from cdp.ui.kit.links import from_params, restored, to_params

_KEY = "generate_settings"
CUSTOM = "custom"
PRESET_FIELDS = (*GROUPS["guidance"].model_fields, *GROUPS["sampler"].model_fields, "batch")
"""What a preset decides; model, classes, count and seed stay, so that presets can be compared on
the same noise."""


class Settings(Held):
    """The settings of the Generate page."""

    def config(self) -> GenerateConfig:
        """Raises InputError where the values do not fit together."""
        return unflatten(self.flat)

    @property
    def preset(self) -> str:
        """The preset these settings are, or "custom"."""
        for name in PRESETS:
            values = flatten(preset(name))
            if all(self.flat[leaf] == values[leaf] for leaf in PRESET_FIELDS):
                return name
        return CUSTOM

    def apply_preset(self, name: str) -> None:
        """Set everything that a preset decides."""
        values = flatten(preset(name))
        self.replace({leaf: values[leaf] for leaf in PRESET_FIELDS})


def settings(catalog: Catalog) -> Settings:
    """This session's settings; where the URL changed under the page, what it says."""
    params = read_params()
    held: Settings | None = st.session_state.get(_KEY)
    if held is not None and not held.address.is_link(params):
        return held
    config, notes = from_params(params, catalog)
    if held is None:
        held = st.session_state[_KEY] = Settings(flatten(config), notes=notes)
    else:
        held.replace(flatten(config), notes)
    held.address.take(params)
    return held


def restore(flat: Mapping[str, Any], catalog: Catalog) -> list[str]:
    """Take over the settings of a saved sheet or card. Returns what could not be used, one sentence
    each."""
    config, notes = restored(flat, catalog)
    settings(catalog).replace(flatten(config), notes)
    return notes


def write_url(held: Settings) -> None:
    """Bring the URL in line with the settings, where they fit together."""
    try:
        params = to_params(held.config())
    except InputError:
        return
    held.address.write(params)
