"""What can be chosen by name on the pages: data sets, saved sets, diffusion models, encoders and
trained classifiers. Read from cards and names; no weights and no images are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import streamlit as st

from cdp import paths
from cdp.config.explore import PIXELS
from cdp.data.fitting import Labelling, fit, labelling_of
from cdp.data.limits import MAX_CLASSES
from cdp.data.samples import set_labelling
from cdp.data.sets import list_sets
from cdp.errors import CdpError, MissingError
from cdp.models.checkpoints import written_path
from cdp.models.encoders import JUDGE, TRAINED, Listed, encoders_by_dataset
from cdp.values.text import exact_text
from cdp.values.types import DatasetInfo

SECONDS = 5.0
"""How long the lists are good for: with thousands of runs, reading their cards takes longer than a
page may. A new folder is seen at once."""
_REMEDY = (
    "choose one of the list, or give the path of an .npz or of a folder with one folder a class"
)
_ROLES = ("robust", "standard", "noise-aware", JUDGE)


@dataclass(frozen=True)
class ModelEntry:
    """A diffusion model by its card. classes: names, () for an unconditional one; shape:
    (C, H, W)."""

    name: str
    dataset: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SavedSet:
    """A saved set by its card. dataset: what it imitates, "" unknown; real: whether its images can
    stand in for real ones, as imported ones with labels do."""

    count: int
    labelling: Labelling
    dataset: str
    real: bool = False


@dataclass(frozen=True)
class ClassifierChoice:
    """One that can be attacked. trained_for: budget by norm that it was trained to withstand."""

    title: str
    trained_for: Mapping[str, float]


@dataclass(frozen=True)
class Choices:
    """models: diffusion models; builtin: built-in data sets whose files are here; missing: the
    others, with the way to get each; sets: sound saved sets, newest first; encoders: sound ones by
    data set, shipped ones first, those of robust trainings last; examples: sets of the example
    study that are more than one image -> their data set."""

    models: Mapping[str, ModelEntry] = field(default_factory=dict)
    builtin: Mapping[str, DatasetInfo] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, SavedSet] = field(default_factory=dict)
    encoders: Mapping[str, tuple[Listed, ...]] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Encoders as a person reads their names."""
        return {entry.name: entry.title for entries in self.encoders.values() for entry in entries}

    @cached_property
    def names(self) -> frozenset[str]:
        """All that the lists of the pages have, as settings and links spell it."""
        encoders = (entry.name for entries in self.encoders.values() for entry in entries)
        data = (*self.builtin, *self.missing, *self.attackable, *self.explorable, *self.aliases)
        models = (*self.models, *self.shipped_and_own(), PIXELS)
        return frozenset((*data, *self.sets, *self.examples, *models, *encoders))

    # Generate: settings by name in ``flat``.

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Data sets whose real images or encoders can guide: built-in, of a model, own."""
        own = (name for name in self.sets if self._is_own(name))
        of_models = (model.dataset for model in self.models.values() if model.dataset)
        return tuple(dict.fromkeys([*self.builtin, *of_models, *own]))

    def _is_own(self, name: str) -> bool:
        """Whether encoders other than trainings are of this saved set."""
        return any(not entry.name.startswith(TRAINED) for entry in self.encoders.get(name, ()))

    def guides(self, dataset: str) -> tuple[str, ...]:
        """Encoders of a data set that may guide: all but the judge."""
        return tuple(item.name for item in self.encoders.get(dataset, ()) if item.name != JUDGE)

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
        names = self.guides(self.dataset(flat))
        return str(flat["encoder"]) if flat["encoder"] in names or not names else names[0]

    def weaker(self, model: str) -> tuple[str, ...]:
        """Other models of the same images and classes, which may be the weak one of
        autoguidance."""
        ours, rest = self.models.get(model), self.models.values()
        return tuple(
            entry.name
            for entry in rest
            if ours
            and entry is not ours
            and (entry.classes, entry.shape) == (ours.classes, ours.shape)
        )

    def offered(self, name: str, flat: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The names a text knob can take under these settings, None where it is free."""
        if name == "model":
            return tuple(self.models)
        if name == "weak_model":
            return self.weaker(flat["model"])
        if name == "dataset":
            return self.datasets
        return self.guides(self.dataset(flat)) if name == "encoder" else None

    # Train and Evaluate: what can be trained on, and beside it.

    @cached_property
    def imported(self) -> tuple[str, ...]:
        """Saved sets that can stand in for real images, test halves of others left out."""

        def tests(name: str) -> bool:
            return name.endswith("-test") and name.removesuffix("-test") in self.sets

        return tuple(name for name, item in self.sets.items() if item.real and not tests(name))

    def fitting(self, name: str, info: DatasetInfo | None) -> tuple[str, ...]:
        """Saved sets that can be mixed with data set ``name``, its own images apart; those made for
        it come first."""
        if info is None:
            return ()
        ours = labelling_of(info)
        fits = [
            key
            for key, item in self.sets.items()
            if key not in (name, f"{name}-test")
            and not fit(item.labelling, ours, subset_ok=True).refusal
        ]
        return tuple(sorted(fits, key=lambda key: self.sets[key].dataset != name))

    def unlabelled(self, info: DatasetInfo | None) -> tuple[str, ...]:
        """Saved sets with images like those of the data set and no labels: with some they might
        fit."""
        shape = info.shape if info else None
        return tuple(
            key
            for key, item in self.sets.items()
            if not item.labelling.classes and item.labelling.shape == shape
        )

    # Explore and Theory: sets on a map.

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Saved sets that are the real images of a data set of one's own -> its split."""
        named = {}
        for name, item in self.sets.items():
            stem = name.removesuffix("-test")
            if not item.dataset and stem in self.sets and stem in self.encoders:
                named[name] = f"{stem}:{'test' if name.endswith('-test') else 'train'}"
        return named

    @cached_property
    def explorable(self) -> Mapping[str, str]:
        """Every set and real split that can be explored -> its data set ("" unknown), saved ones
        first, examples last."""
        saved = {name: item.dataset for name, item in self.sets.items() if name not in self.aliases}
        real = {f"{name}:{split}": name for name in self.builtin for split in ("test", "train")}
        own = {split: split.partition(":")[0] for split in self.aliases.values()}
        return saved | real | own | dict(self.examples)

    @cached_property
    def first_explored(self) -> tuple[str, ...]:
        """What is explored where nobody chose: the two newest saved sets of one data set and that
        set's real test images."""
        saved = [name for name in self.explorable if name in self.sets] or [*self.examples]
        if not saved:
            tests = (name for name in self.explorable if name.endswith(":test"))
            return (next(tests, next(iter(self.explorable), "")),) if self.explorable else ()
        dataset = self.explorable[saved[0]]
        newest = [name for name in saved if self.explorable[name] == dataset][:2]
        test = f"{dataset}:test"
        return (*newest, test) if test in self.explorable else tuple(newest)

    def eyes(self, sets: Sequence[str], dataset: str = "") -> tuple[str, ...]:
        """Encoders of the data set named, else of the first set's that has one, the judge first;
        pixels always."""
        known = (self.explorable[name] for name in sets if self.explorable.get(name))
        entries = self.encoders.get(dataset or next(known, ""), ())
        return (*sorted((e.name for e in entries), key=lambda name: name != JUDGE), PIXELS)

    # Attack lab and Evaluate: classifiers.

    @cached_property
    def attackable(self) -> Mapping[str, str]:
        """Data sets that have test images and a classifier here -> title."""
        trained = {
            name
            for name, entries in self.encoders.items()
            if any(entry.name.startswith(TRAINED) for entry in entries)
        }
        own = {name for name in self.sets if f"{name}-test" in self.sets and name in self.encoders}
        builtin = {name: item.title for name, item in self.builtin.items() if name in self.encoders}
        rest = [*sorted(own), *sorted(trained - set(self.sets) - set(builtin))]
        return builtin | {name: name for name in rest}

    def classifiers(self, dataset: str) -> dict[str, ClassifierChoice]:
        """Classifiers of a data set by encoder name: trainings first, newest first, then robust
        ones."""
        entries = self.encoders.get(dataset, ())
        titles = [entry.title for entry in entries]

        def place(entry: Listed) -> tuple[bool, int]:
            rank = _ROLES.index(entry.name) if entry.name in _ROLES else len(_ROLES)
            return not entry.name.startswith(TRAINED), rank

        def title(entry: Listed) -> str:
            alone = titles.count(entry.title) == 1
            return entry.title if alone else f"{entry.title} ({entry.name.removeprefix(TRAINED)})"

        return {
            entry.name: ClassifierChoice(title(entry), _trained_for(entry.card))
            for entry in sorted(entries, key=place)
        }

    def shipped_and_own(self) -> dict[str, str]:
        """Encoders as models to evaluate -> title: shipped ones before own, robust ones first."""
        entries = [
            (not entry.folder.is_relative_to(paths.ASSETS), dataset, entry)
            for dataset in self.encoders
            for entry in self.encoders[dataset]
            if not entry.name.startswith(TRAINED)
        ]
        entries.sort(key=lambda item: (*item[:2], item[2].card.get("kind") != "robust"))
        return {
            written_path(entry.folder): f"{entry.name} encoder of"
            f" {str(entry.card.get('dataset_title') or dataset)[:80]} ({('shipped', 'own')[own]})"
            for own, dataset, entry in entries
        }


def read_choices() -> Choices:
    """What is here now; broken checkpoints and sets are left out (``python -m cdp doctor`` reports
    them)."""
    places = (paths.sets_dir(), paths.runs_dir(), paths.encoders_dir(), paths.models_dir())
    return _read_choices(str(paths.home()), tuple(map(_changed, places)))


@st.cache_resource(ttl=SECONDS, max_entries=4, show_spinner=False)
def _read_choices(home: str, changed: tuple[int, ...]) -> Choices:
    """home, changed: where is looked, and when folders were last added or removed there."""
    from cdp.data.registry import available
    from cdp.models.pipelines import list_models

    known = available()
    cards = {entry.name: entry.card for entry in list_sets() if entry.card is not None}
    return Choices(
        {e.name: _model(e.name, e.card) for e in list_models() if not e.problem},
        {info.name: info for info, state in known if state.ready},
        {info.name: state.how for info, state in known if not state.ready},
        {name: _saved(name, card) for name, card in cards.items()},
        {
            dataset: sound
            for dataset, entries in encoders_by_dataset().items()
            if (sound := tuple(entry for entry in entries if not entry.problem))
        },
        {
            entry.name: str(entry.card.get("dataset") or "")
            for entry in list_sets(shipped=True)
            if entry.card is not None and entry.card["count"] > 1
        },
    )


def info_of(name: str, choices: Choices) -> DatasetInfo:
    """What is known of a data set by name or path. Raises CdpError or OSError where it cannot be
    used."""
    if name in choices.builtin:
        return choices.builtin[name]
    if (missing := choices.missing.get(name)) is not None:
        raise MissingError(f"data set {name!r} is not on this machine: {missing}")
    saved = paths.sets_dir() / name / "card.json"
    try:
        place = saved if name in choices.sets else Path(name).expanduser()
        return _dataset_info(name, str(paths.home()), place.stat().st_mtime_ns)
    except FileNotFoundError:
        raise MissingError(f"data set {name[:80]!r} is unknown: {_REMEDY}") from None
    except CdpError:
        raise
    except (ValueError, RuntimeError) as error:
        # A null byte, or a home of somebody who has none.
        raise MissingError(f"data set {name[:80]!r} is no path: {_REMEDY}") from error


def conventional_text(epsilon: float | None) -> str:
    """A conventional budget in place of one that is left empty."""
    known = epsilon is not None
    return f"{exact_text(epsilon)} (conventional)" if known else "no convention: set one"


@st.cache_data(max_entries=64, show_spinner="Reading the data set")
def _dataset_info(name: str, home: str, changed: int) -> DatasetInfo:
    """home, changed: where the name is looked up, and its time of writing, so that another one of
    the same name is read anew."""
    from cdp.data.registry import dataset_info

    return dataset_info(name)


def _changed(place: Path) -> int:
    return place.stat().st_mtime_ns if place.is_dir() else 0


def _model(name: str, card: Mapping[str, Any]) -> ModelEntry:
    count, names, shape = (card.get(key) for key in ("classes", "class_names", "shape"))
    count = count if type(count) is int and 0 < count <= MAX_CLASSES else 0
    named = names if isinstance(names, list) and names else [f"class {i}" for i in range(count)]
    size = tuple(shape) if isinstance(shape, list) else ()
    return ModelEntry(name, str(card.get("dataset") or ""), tuple(map(str, named[:count])), size)


def _saved(name: str, card: Mapping[str, Any]) -> SavedSet:
    """Imported images with labels count as real ones; what was generated or selected from another
    set does not."""
    derived = any(card.get(key) for key in ("config", "parent", "selection"))
    return SavedSet(
        int(card["count"]),
        set_labelling(name, card),
        str(card.get("dataset") or ""),
        real=not derived and bool(card["class_names"]),
    )


def _trained_for(card: Mapping[str, object]) -> dict[str, float]:
    """{norm: budget} of a robust training, as its card tells."""
    training = card.get("training")
    if card.get("kind") != "robust" or not isinstance(training, dict):
        return {}
    norm, epsilon = training.get("norm", "linf"), training.get("epsilon")
    if not isinstance(epsilon, int | float) or isinstance(epsilon, bool) or not 0 < epsilon <= 100:
        return {}
    return {norm: float(epsilon)} if norm in ("linf", "l2") else {}
