"""What can be chosen by name: checkpoints, data sets and encoders, read from their cards alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelEntry:
    """A diffusion model as its card describes it. classes: names, () for an unconditional model;
    shape: (C, H, W)."""

    name: str
    dataset: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Catalog:
    """Names that the form offers and that a link may use. encoders: by data set, without those that
    only judge; titles: of names that say little to a person."""

    models: Mapping[str, ModelEntry]
    datasets: tuple[str, ...]
    encoders: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)

    def class_names(self, flat: Mapping[str, Any]) -> tuple[str, ...]:
        """Classes of the chosen model."""
        entry = self.models.get(flat["model"])
        return entry.classes if entry else ()

    def dataset(self, flat: Mapping[str, Any]) -> str:
        """Whose encoders and real images go with these settings: the data set named, else the
        model's own; "" where neither is known."""
        entry = self.models.get(flat["model"])
        return str(flat["dataset"]) or (entry.dataset if entry else "")

    def encoder(self, flat: Mapping[str, Any]) -> str:
        """The encoder of these settings where their data set has it, else the first that it has."""
        names = self.encoders.get(self.dataset(flat), ())
        return str(flat["encoder"]) if flat["encoder"] in names or not names else names[0]

    def choices(self, name: str, flat: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The names a text knob can take under these settings, None where it is free."""
        if name == "model":
            return tuple(self.models)
        if name == "dataset":
            return self.datasets
        if name == "encoder":
            return self.encoders.get(self.dataset(flat), ())
        return None


def read_catalog() -> Catalog:
    """What is here now; broken checkpoints are left out (``python -m cdp doctor`` reports them)."""
    from cdp.data.registry import available
    from cdp.data.sets import is_saved
    from cdp.models.encoders import JUDGE, list_encoders
    from cdp.models.pipelines import list_models
    from cdp.paths import encoders_dir

    models = {
        entry.name: _model(entry.name, entry.card) for entry in list_models() if not entry.problem
    }
    own = (
        sorted(folder.name for folder in encoders_dir().iterdir() if is_saved(folder.name))
        if encoders_dir().is_dir()
        else []
    )
    known = [
        *(info.name for info, state in available() if state.ready),
        *(m.dataset for m in models.values() if m.dataset),
        *own,
    ]
    datasets = tuple(dict.fromkeys(known))
    usable = {
        name: [entry for entry in list_encoders(name) if not entry.problem and entry.name != JUDGE]
        for name in datasets
    }
    encoders = {name: tuple(entry.name for entry in entries) for name, entries in usable.items()}
    return Catalog(
        models,
        datasets,
        encoders,
        {entry.name: entry.title for entries in usable.values() for entry in entries},
    )


def _model(name: str, card: Mapping[str, Any]) -> ModelEntry:
    count = card.get("classes") or 0
    names = card.get("class_names") or [f"class {i}" for i in range(count)]
    return ModelEntry(
        name,
        str(card.get("dataset") or ""),
        tuple(map(str, names[:count])),
        tuple(card.get("shape", ())),
    )
