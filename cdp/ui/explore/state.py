"""The settings of the Explore page: what the controls show, what was drawn last, and the address
that tells both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.config.fields import fields_of, quoted, read_values, written
from cdp.config.knobs import parse
from cdp.errors import InputError
from cdp.ui.kit.address import read_params
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.held import Held

VIEWS = ("Map", "Numbers", "Class pairs", "Keep a part")
VIEW = "view"
_KEY = "explore_settings"


@dataclass
class Explored(Held):
    """drawn: the config of the last "Show"; view: of ``VIEWS``."""

    prefix: str = field(default="explore", kw_only=True)
    drawn: ExploreConfig | None = None
    view: str = VIEWS[0]

    def config(self) -> ExploreConfig:
        """Raises InputError where the values do not fit together."""
        return parse(ExploreConfig, self.flat)

    def show(self) -> None:
        """Draw what the controls say. Keeps what is drawn where they do not fit together; the page
        says why."""
        try:
            self.drawn = self.config()
        except InputError:
            return


def explored(choices: Choices) -> Explored:
    """This session's settings; where the address changed under the page, what it says, drawn at
    once."""
    params = read_params()
    held: Explored | None = st.session_state.get(_KEY)
    if held is not None and not held.address.is_link(params):
        return held
    flat, view, notes = from_params(params, choices)
    if held is None:
        held = st.session_state[_KEY] = Explored(flat)
    else:
        held.replace(flat)
    held.notes, held.view = notes, view
    held.address.take(params)
    if "sets" in params:
        held.show()
    return held


def from_params(
    params: Mapping[str, str], choices: Choices
) -> tuple[dict[str, Any], str, list[str]]:
    """Values of the controls, the view, and one sentence for each thing in the address that cannot
    be used."""
    named = dict(params)
    view = named.pop(VIEW, VIEWS[0])
    given, notes = read_values(
        named, fields_of(ExploreConfig), ExploreConfig().model_dump(mode="json")
    )
    if view not in VIEWS:
        notes.append(
            f"view: {quoted(view)} is not one of {', '.join(VIEWS)}, so {VIEWS[0]} is shown."
        )
        view = VIEWS[0]
    flat = ExploreConfig(sets=choices.first_explored).model_dump(mode="json") | given
    flat["sets"] = [choices.aliases.get(name, name) for name in flat["sets"]]
    gone = [name for name in flat["sets"] if name not in choices.explorable]
    if gone:
        notes.append(
            f"sets: {', '.join(quoted(name) for name in gone)} not here: saved sets and real splits"
            " are in the list."
        )
    flat["sets"] = [name for name in dict.fromkeys(flat["sets"]) if name not in gone] or list(
        choices.first_explored
    )
    if flat["dataset"] and flat["dataset"] not in choices.explorable.values():
        notes.append(
            f"dataset: {quoted(flat['dataset'])} is not here, so the one on the set's card is used."
        )
        flat["dataset"] = ""
    encoders = choices.eyes(flat["sets"], flat["dataset"])
    if flat["encoder"] not in encoders:
        if "encoder" in given:
            notes.append(
                f"encoder: {quoted(flat['encoder'])} is not here, so {encoders[0]} is used."
            )
        flat["encoder"] = encoders[0]
    return flat, view, notes


def write_url(held: Explored) -> None:
    """Bring the address in line with what is drawn."""
    if held.drawn is None:
        return
    plain = ExploreConfig().model_dump(mode="json")
    flat = held.drawn.model_dump(mode="json")
    params = {"sets": written(flat["sets"])} | {
        name: written(value) for name, value in flat.items() if value != plain[name]
    }
    if held.view != VIEWS[0]:
        params[VIEW] = held.view
    held.address.write(params)
