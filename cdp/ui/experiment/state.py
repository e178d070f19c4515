"""What the Experiment page keeps for a session and its address tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import streamlit as st

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig
from cdp.errors import InputError
from cdp.experiments.files import plain
from cdp.ui.experiment import doors
from cdp.ui.kit.address import Address, any_text, linked, one_of, read_extras
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.linked_paths import ask_for, offer, texts_in, unasked
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.words import sentence_of

EXPERIMENT, DOOR, YAML = "experiment", "door", "yaml"
_PARAMS = (any_text(EXPERIMENT), one_of(DOOR, doors.DOORS, doors.WORTH))


@dataclass
class ExperimentPage:
    """config: what the form shows and Start takes; plain: what it was before a hand changed it;
    wrong: why the YAML that stands in its box is no experiment, "" where it is one; experiment: id
    of the one that is shown, "" for the form; unread: that of a link which names paths, until a
    person asks for them."""

    config: ExperimentConfig
    plain: ExperimentConfig
    experiment: str = ""
    wrong: str = ""
    unread: ExperimentConfig | None = None
    notes: list[str] = field(default_factory=list)
    address: Address = field(default_factory=Address)
    turn: int = 0

    def key(self, name: str) -> str:
        """Of a control, which starts anew where something else than a hand set it."""
        return f"experiment_{name}_{self.turn}"

    def use(self, config: ExperimentConfig) -> None:
        """Take over settings from elsewhere than a control, such as text that a person typed."""
        ask_for(_unasked(config))
        self.config, self.wrong, self.notes, self.unread = config, "", [], None
        self.turn += 1

    def choose_door(self, door: str) -> None:
        """Another question with the same data, training and evaluation."""
        data = plain(self.config)
        if doors.count_of(self.config) is not None:
            data["generate"] = self.config.generate | {"count": doors.count_of(self.config)}
        self.use(doors.behind(door, data, guided_on_generate()))
        self.plain = untouched(door)

    def change(self, make: Callable[[], ExperimentConfig]) -> None:
        """What a control does; what it cannot be is said and changes nothing."""
        try:
            self.config, self.wrong, self.notes, self.unread = make(), "", [], None
        except InputError as error:
            self.notes = [sentence_of(error)]
            self.turn += 1

    def params(self) -> dict[str, str]:
        """The address: the experiment that is shown, else what is on the form."""
        if self.experiment:
            return {EXPERIMENT: self.experiment}
        door = doors.door_of(self.config)
        if self.config == self.plain:
            return {} if door == doors.WORTH else {DOOR: door}
        text = doors.packed(self.config)
        return {YAML: text} if text else {}


def guided_on_generate() -> GenerateConfig | None:
    """What stands on the Generate page in this session; None where it was not opened."""
    settings = st.session_state.get("generate_settings")
    config = settings.config_or_none() if isinstance(settings, Settings) else None
    return config if isinstance(config, GenerateConfig) else None


def untouched(door: str) -> ExperimentConfig:
    """A question as it is before a hand changes it."""
    guided = guided_on_generate()
    flat = {} if guided is None else {"model": guided.model, "dataset": guided.dataset}
    return doors.begun(door, guided, read_choices().dataset(flat) if flat else "")


def opened() -> ExperimentPage:
    """This session's state, or what the address says."""

    def carry(before: ExperimentPage, now: ExperimentPage) -> None:
        if now.experiment:
            now.config, now.plain = before.config, before.plain

    state, _ = linked("experiment_state", _from_params, carry)
    return state


def _from_params(params: Mapping[str, str]) -> ExperimentPage:
    texts = dict(params)
    text = texts.pop(YAML, "")
    values, notes = read_extras(_PARAMS, texts)
    config = first = untouched(values[DOOR])
    unread = None
    if text:
        try:
            config = doors.unpacked(text)
            if _unasked(config):
                config, unread = first, config
        except InputError as error:
            notes.append(f"{sentence_of(error)} The first question is shown in its place.")
    return ExperimentPage(config, first, values[EXPERIMENT], unread=unread, notes=notes)


def _unasked(config: ExperimentConfig) -> list[str]:
    """Paths in an experiment that nobody asked for in this session."""
    return list(dict.fromkeys(unasked(texts_in(plain(config)))))


def offer_paths(state: ExperimentPage) -> None:
    """The sentence and the button about an experiment of a link that names paths."""
    if (config := state.unread) is not None:
        offer(_unasked(config), lambda: state.use(config), "experiment_open_paths")
