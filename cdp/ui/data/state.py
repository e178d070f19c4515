"""Where a person is on the page "Your data": the chosen data set, also in the address, and what to
train at which settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import streamlit as st

from cdp.config.fields import quoted
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import Facts
from cdp.ui.data.plan import QUICK, encoder_defaults, model_defaults
from cdp.ui.kit.address import RESERVED
from cdp.ui.kit.held import Held

DATASET = "dataset"
"""The query parameter."""
_KEY = "data_wizard"


@dataclass
class Wizard:
    """dataset: "" until one is chosen; roles: what to train, None for whatever is missing; planned:
    for which data set and size the settings stand; note: what the address got wrong."""

    dataset: str = ""
    size: str = QUICK
    roles: frozenset[str] | None = None
    note: str = ""
    turn: int = 0
    planned: tuple[str, str] = ("", "")
    encoder: Held = field(
        default_factory=lambda: Held(EncoderConfig().model_dump(), prefix="data_encoder")
    )
    model: Held = field(
        default_factory=lambda: Held(PretrainConfig().model_dump(), prefix="data_model")
    )

    def choose(self, name: str) -> None:
        """Another data set; what was ticked for the last one does not count."""
        self.dataset, self.roles, self.note = name, None, ""
        self.turn += 1

    def plan(self, seen: Facts) -> None:
        """Bring the settings in line with data set and size, where either changed."""
        if self.planned == (seen.name, self.size):
            return
        budget, mirrored = self.encoder.flat["epsilon"], self.encoder.flat["flip"]
        self.encoder.replace(EncoderConfig().model_dump() | encoder_defaults(seen, self.size))
        if self.planned[0] == seen.name:
            # What was answered about the data holds for every size.
            self.encoder.replace(self.encoder.flat | {"epsilon": budget, "flip": mirrored})
        self.model.replace(PretrainConfig().model_dump() | model_defaults(seen, self.size))
        self.planned = (seen.name, self.size)


def wizard(names: Collection[str]) -> Wizard:
    """This session's place; where the address names another data set, that one. names: the data
    sets that can be chosen."""
    held: Wizard = st.session_state.setdefault(_KEY, Wizard())
    wanted = st.query_params.get(DATASET, "")
    if wanted and wanted != held.dataset:
        if wanted in names:
            held.choose(wanted)
        else:
            held.note = (
                f"There is no data set {quoted(wanted)} here: choose one of the list, or import it."
            )
    if held.dataset not in names:
        held.dataset = ""
    return held


def write_url(held: Wizard) -> None:
    """Bring the address in line with the choice."""
    current = st.query_params.to_dict()
    kept = {name: value for name, value in current.items() if name in RESERVED}
    wanted = kept | ({DATASET: held.dataset} if held.dataset else {})
    if current != wanted:
        st.query_params.from_dict(wanted)
