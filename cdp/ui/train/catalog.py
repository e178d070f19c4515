"""What can be trained on: data sets that are here, and the saved sets that fit each. Reads cards
and names; a path only once it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from cdp import paths
from cdp.data.fitting import Labelling, fit, labelling_of
from cdp.data.samples import set_labelling
from cdp.errors import CdpError, MissingError
from cdp.values.types import DatasetInfo

_REMEDY = (
    "choose one of the list, or give the path of an .npz or of a folder with one folder a class"
)


@dataclass(frozen=True)
class SavedSet:
    """A saved set as its card describes it. dataset: what its card says it imitates, "" unknown."""

    count: int
    labelling: Labelling
    dataset: str


@dataclass(frozen=True)
class TrainChoices:
    """builtin: the built-in data sets that are here; imported: saved sets that can stand in for
    real images.
    sets: every sound saved set, newest first; missing: built-in data sets that are not here, with
    the way to get them."""

    builtin: Mapping[str, DatasetInfo]
    imported: tuple[str, ...]
    sets: Mapping[str, SavedSet]
    missing: Mapping[str, str] = field(default_factory=dict)

    def fitting(self, name: str, info: DatasetInfo | None) -> tuple[str, ...]:
        """Saved sets that can be mixed with data set ``name``, its own images apart; those made for
        it come first."""
        if info is None:
            return ()
        own = (name, f"{name}-test")
        ours = labelling_of(info)
        fits = [
            key
            for key, one in self.sets.items()
            if key not in own and not fit(one.labelling, ours, subset_ok=True).refusal
        ]
        return tuple(sorted(fits, key=lambda key: self.sets[key].dataset != name))

    def unlabelled(self, info: DatasetInfo | None) -> tuple[str, ...]:
        """Saved sets whose images are like those of the data set and have no labels: with some they
        might fit."""
        shape = info.shape if info else None
        return tuple(
            key
            for key, one in self.sets.items()
            if not one.labelling.classes and one.labelling.shape == shape
        )


def read_train_choices() -> TrainChoices:
    """What is here now."""
    from cdp.data.registry import available
    from cdp.data.sets import list_sets

    cards = {entry.name: entry.card for entry in list_sets() if entry.card is not None}
    known = available()
    builtin = {info.name: info for info, state in known if state.ready}
    missing = {info.name: state.how for info, state in known if not state.ready}
    imported = tuple(name for name, card in cards.items() if _is_dataset(name, card, cards))
    return TrainChoices(
        builtin, imported, {name: _saved(name, card) for name, card in cards.items()}, missing
    )


def info_of(name: str, choices: TrainChoices) -> DatasetInfo:
    """What is known of a data set by name or path. Raises CdpError or OSError where it cannot be
    used."""
    if name in choices.builtin:
        return choices.builtin[name]
    missing = choices.missing.get(name)
    if missing is not None:
        raise MissingError(f"data set {name!r} is not on this machine: {missing}")
    try:
        place = (
            paths.sets_dir() / name / "card.json"
            if name in choices.sets
            else Path(name).expanduser()
        )
        return _read(name, str(paths.home()), place.stat().st_mtime_ns)
    except FileNotFoundError:
        raise MissingError(f"data set {name[:80]!r} is unknown: {_REMEDY}") from None
    except CdpError:
        raise
    except (ValueError, RuntimeError) as error:
        # A null byte, or a home of somebody who has none.
        raise MissingError(f"data set {name[:80]!r} is no path: {_REMEDY}") from error


@st.cache_data(max_entries=64, show_spinner="Reading the data set")
def _read(name: str, home: str, changed: int) -> DatasetInfo:
    """home, changed: where the name is looked up, and its time of writing, so that another one of
    the same name is read anew."""
    from cdp.data.registry import dataset_info

    return dataset_info(name)


def _is_dataset(name: str, card: Mapping[str, Any], cards: Mapping[str, Any]) -> bool:
    """Imported images with labels count as real ones; what was generated or selected from another
    set does not, nor the test half of another set."""
    made = (
        any(card.get(key) for key in ("config", "parent", "selection")) or not card["class_names"]
    )
    return not made and not (name.endswith("-test") and name.removesuffix("-test") in cards)


def _saved(name: str, card: Mapping[str, Any]) -> SavedSet:
    return SavedSet(int(card["count"]), set_labelling(name, card), str(card.get("dataset") or ""))
