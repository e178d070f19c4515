"""What can be attacked: data sets with test images here and classifiers of their own. Reads cards
and names; images only of the chosen set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from cdp import paths
from cdp.errors import InputError, MissingError

START = "fashion-mnist"
SECONDS = 5.0
"""How long a list of cards is good for: with thousands of runs it takes longer to read than a page
may."""
_ORDER = ("robust", "standard", "noise-aware", "judge")


@dataclass(frozen=True)
class Classifier:
    """One that can be attacked. trained_for: budget by norm that it was trained to withstand."""

    title: str
    trained_for: Mapping[str, float]


@dataclass(frozen=True)
class LabChoices:
    """datasets: name -> title; models: of the data set asked for, by encoder name, trainings first,
    newest first."""

    datasets: Mapping[str, str]
    models: Mapping[str, Classifier]

    @property
    def first(self) -> str:
        """The model to begin with: the newest training, else the shipped robust encoder."""
        return next(iter(self.models), "")

    def beside(self, model: str) -> str:
        """The model to begin with beside ``model``: one that was not trained to withstand anything,
        "" where there is none."""
        plain = (name for name, one in self.models.items() if not one.trained_for and name != model)
        return next(plain, "")


def datasets() -> dict[str, str]:
    """Name -> title of every data set that has a classifier and whose files are here."""
    return _datasets(str(paths.home()))


def models_of(dataset: str) -> dict[str, Classifier]:
    """Classifiers of a data set."""
    return _models(str(paths.home()), dataset)


@st.cache_data(ttl=SECONDS, show_spinner=False)
def _datasets(home: str) -> dict[str, str]:
    from cdp.data.registry import available
    from cdp.data.sets import list_sets
    from cdp.models.encoders import list_encoders

    ready = {info.name: info.title for info, state in available() if state.ready}
    trained = _trained_on()
    saved = {entry.name for entry in list_sets() if entry.card is not None}
    own = [
        name
        for name in saved
        if f"{name}-test" in saved and (name in trained or list_encoders(name))
    ]
    found = {name: title for name, title in ready.items() if name in trained or list_encoders(name)}
    found |= {name: name for name in sorted(own)}
    return found | {name: name for name in sorted(trained - saved - set(ready))}


def _trained_on() -> set[str]:
    """Data sets of trainings that have finished an epoch."""
    from cdp.models.checkpoints import read_json
    from cdp.models.encoders import BEST, CARD

    found = set()
    for folder in paths.runs_dir().iterdir() if paths.runs_dir().is_dir() else ():
        try:
            found.add(str(read_json(folder / BEST / CARD).get("dataset", "")))
        except (InputError, MissingError):
            continue  # a run of another kind, or one without an epoch yet
    return found - {""}


@st.cache_data(ttl=SECONDS, show_spinner=False)
def _models(home: str, dataset: str) -> dict[str, Classifier]:
    from cdp.models.encoders import TRAINED, list_encoders

    usable = [entry for entry in list_encoders(dataset) if not entry.problem]
    titles = [entry.title for entry in usable]

    def place(name: str) -> tuple[bool, int]:
        return not name.startswith(TRAINED), _ORDER.index(name) if name in _ORDER else len(_ORDER)

    found = {}
    for entry in sorted(usable, key=lambda entry: place(entry.name)):
        twice = titles.count(entry.title) > 1
        title = f"{entry.title} ({entry.name.removeprefix(TRAINED)})" if twice else entry.title
        found[entry.name] = Classifier(title, _trained_for(entry.card))
    return found


def _trained_for(card: Mapping[str, object]) -> dict[str, float]:
    """{norm: budget} of a robust training, as its card tells."""
    training = card.get("training")
    if card.get("kind") != "robust" or not isinstance(training, dict):
        return {}
    norm, epsilon = training.get("norm", "linf"), training.get("epsilon")
    if (
        norm not in ("linf", "l2")
        or isinstance(epsilon, bool)
        or not isinstance(epsilon, int | float)
        or not 0 < epsilon <= 100
    ):
        return {}
    return {norm: float(epsilon)}
