"""Sets to look at, by name: saved sets, paths, and real splits such as ``fashion-mnist:test``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from cdp.config.choices import LOSSES
from cdp.config.explore import PIXELS
from cdp.config.generate import GenerateConfig
from cdp.data.catalog import CATALOG
from cdp.data.fitting import Labelling, fit, labelling_of, labelling_of_card, labelling_of_images
from cdp.data.registry import dataset_info, load_split
from cdp.data.samples import without_labels
from cdp.data.sets import open_set
from cdp.errors import CdpError, InputError, MissingError
from cdp.models.checkpoints import is_name
from cdp.models.encoders import list_encoders
from cdp.models.noise_schedule import alpha_bars
from cdp.models.pipelines import find_model, model_card, model_schedule

SPLITS = ("train", "test")
NAME_DATASET = "set dataset to the one whose real images to compare with, such as fashion-mnist"
"""What to do where the card of a set names no data set."""
COMMON_ROWS = 10_000
"""Rows that the shipped subset and the full Fashion-MNIST training set share; of other sets, up to
this many are looked at."""
_TEST = "-test"
"""Ends the name of a saved set that holds another's test images (``cdp.data.importing``)."""


@dataclass(frozen=True)
class Source:
    """Images to look at. name: as asked for; image: (N,H,W,C) uint8, maybe mapped; label: (N,)
    int64, None without labels; dataset: whose real images go with it, "" where its card does not
    say; split: of a real one, else ""; note: what has to be said of its labels."""

    name: str
    title: str
    image: np.ndarray
    label: np.ndarray | None
    class_names: tuple[str, ...]
    dataset: str
    split: str = ""
    note: str = ""

    @property
    def labelling(self) -> Labelling:
        """What its labels mean."""
        return labelling_of_images(self.title, self.image, self.class_names)

    def __len__(self) -> int:
        return len(self.image)

    def labels(self, needed_by: str) -> np.ndarray:
        """The labels, (N,) int64. Raises InputError where there are none, which needs them."""
        if self.label is None:
            raise InputError(self.without_labels(needed_by))
        return self.label

    def without_labels(self, needed_by: str) -> str:
        """That this set has no labels, which something needs, and the way to get some."""
        return without_labels(self.name, needed_by, self.dataset)

    def rows(self, size: int) -> np.ndarray:
        """Up to ``size`` rows, ascending: classes take turns; the first ones without labels."""
        return (
            np.arange(min(size, len(self)))
            if self.label is None
            else balanced_rows(self.label, size)
        )


def open_source(name: str) -> Source:
    """One set by name. Raises InputError or MissingError with the remedy."""
    dataset, colon, split = name.rpartition(":")
    if colon and split in SPLITS and dataset:
        real = load_split(dataset, split)
        label, classes = np.asarray(real.label, np.int64), real.info.classes
        return Source(name, name, real.image, label, classes, dataset, split, real.note)
    samples = open_set(name)
    title = name.rstrip("/").rpartition("/")[2]
    dataset, split = str(samples.card.get("dataset") or ""), ""
    if not dataset:
        dataset, split = own_split(name)
    return Source(name, title, samples.image, samples.label, samples.class_names, dataset, split)


def own_split(name: str) -> tuple[str, str]:
    """(data set, split) of a saved set that encoders were trained on; ("", "") for any other."""
    stem, split = (name.removesuffix(_TEST), "test") if name.endswith(_TEST) else (name, "train")
    return (stem, split) if list_encoders(stem) else ("", "")


def dataset_of(sources: list[Source], dataset: str = "", *, encoder: str = "") -> str:
    """Whose encoders and real images to use: the one named, else that of the first set that says.
    Where none does: "" for "pixels", InputError for any other encoder."""
    name = dataset or next((source.dataset for source in sources if source.dataset), "")
    if not name and encoder != PIXELS:
        raise InputError(
            f"dataset: the card of {sources[0].name} names none, and {encoder or 'the judge'}"
            f" belongs to one: {NAME_DATASET}"
        )
    return name


def matched(source: Source, dataset: str) -> Source:
    """The set with the class numbers of a data set, by name; itself where that is not here. It may
    lack classes. Raises InputError with what differs."""
    try:
        info = dataset_info(dataset) if dataset else None
    except MissingError:
        info = None
    if info is None:
        return source
    ours = labelling_of(info)
    match = fit(source.labelling, ours.images if source.label is None else ours, subset_ok=True)
    if match.refusal:
        raise InputError(
            f"set {source.title} does not fit the data set {dataset} ({match.refusal}): name the"
            " data set that it is of (--dataset NAME; on the page: Real data), or import it again"
            " with the names of its classes"
        )
    if source.label is None:
        return source
    return replace(
        source,
        label=match.relabel(source.label),
        class_names=info.classes,
        note=match.sentence or source.note,
    )


def numbered_alike(sources: Sequence[Source]) -> list[Source]:
    """Sets with one numbering of their classes, by name, those of the first set first."""
    names = tuple(dict.fromkeys(name for source in sources for name in source.class_names))
    number = {name: place for place, name in enumerate(names)}
    alike = []
    for source in sources:
        if source.label is not None:
            numbers = np.array([number[name] for name in source.class_names], np.int64)
            source = replace(source, label=numbers[source.label], class_names=names)
        alike.append(source)
    return alike


def dataset_of_generation(config: GenerateConfig) -> str:
    """Whose class names, encoders and real images go with a generation: the data set named, else
    that of the model's card, "" for neither. Raises InputError where it does not fit the model,
    MissingError where it is not here."""
    card = model_card(config.model)
    own = str(card.get("dataset") or "")
    name = config.dataset or own
    if not name:
        return ""
    try:
        info = dataset_info(name)
    except MissingError:
        if config.dataset not in ("", own):
            raise
        return name  # the model outlives the images it was trained on
    model = labelling_of_card(config.model, card)
    match = fit(labelling_of(info), model)
    refusal = match.refusal or ("its classes are numbered otherwise" if match.mapping else "")
    if refusal:
        said = f"whose card says {own}" if own else "which does not say what it was trained on"
        other = own and name != own
        remedy = (
            "leave the data set out"
            if other
            else "name the images that it was trained on (--dataset NAME; on the page: Real data)"
        )
        raise InputError(
            f"dataset: {name} does not fit the model {config.model}, {said} ({refusal}): {remedy},"
            f" or choose a model trained on {name}"
        )
    return name


def require_aims(config: GenerateConfig) -> None:
    """Raises InputError where a guide would need classes to aim at and nobody says any."""
    guidance = config.guidance
    strength = guidance.strength if guidance.strength_mode == "relative" else guidance.raw_lambda
    if (
        LOSSES[guidance.loss].knows_classes
        and strength
        and not config.classes
        and not model_card(config.model).get("classes")
    ):
        raise InputError(
            f"loss: {guidance.loss} needs class labels, and the model {config.model} is"
            " unconditional: choose info_nce or hard_negative for this model"
        )


def require_weak_model(config: GenerateConfig) -> None:
    """Raises InputError where the weak model of autoguidance does not fit the model, MissingError
    where it is not here."""
    name = config.sampler.weak_model
    if not config.sampler.autoguided:
        return
    try:
        folder, card, schedule = find_model(name), model_card(name), model_schedule(name)
    except CdpError as error:
        raise type(error)(f"weak_model: {error}") from error
    if folder == find_model(config.model):
        raise InputError(
            f"weak_model: {name} is the model itself, which would change nothing: choose one that"
            " was trained less, or leave weak_model empty"
        )
    ours, own = model_card(config.model), model_schedule(config.model)
    match = fit(labelling_of_card(name, card), labelling_of_card(config.model, ours))
    reason = match.refusal or ("its classes are numbered otherwise" if match.mapping else "")
    if not reason and card["classes"] != ours["classes"]:
        reason = f"it knows {card['classes']} classes, the model {ours['classes']}"
    kinds = [part.get("prediction_type", "epsilon") for part in (schedule, own)]
    if not reason and kinds[0] != kinds[1]:
        reason = f"it predicts {kinds[0]}, the model {kinds[1]}"
    if not reason and not np.array_equal(alpha_bars(schedule), alpha_bars(own)):
        reason = "its noise schedule is another one"
    if reason:
        raise InputError(
            f"weak_model: {name} does not fit the model {config.model} ({reason}): choose a worse"
            " model of the same images, such as one trained for fewer steps, or leave weak_model"
            " empty"
        )


def require_generation(config: GenerateConfig) -> None:
    """Raises CdpError where a generation cannot begin. Opens no weights."""
    dataset_of_generation(config)
    require_aims(config)
    require_weak_model(config)


@contextmanager
def looking_for(encoder: str, dataset: str) -> Iterator[None]:
    """Around what looks an encoder up: where its data set is missing, the MissingError says so."""
    try:
        yield
    except MissingError as error:
        if not dataset or not is_name(encoder):
            raise
        try:
            dataset_info(dataset)
        except MissingError:
            others = [entry.name for entry in list_encoders(dataset) if not entry.problem]
            choose = f"choose {', '.join(others)}, or " if others else ""
            raise MissingError(
                f"data set {dataset[:200]!r} is not here, and no encoder of it is named"
                f" {encoder!r}: {choose}import its images (python -m cdp import PATH --name"
                f" {shlex.quote(dataset)}) and then train one (python -m cdp pretrain-encoder"
                f" --dataset {shlex.quote(dataset)} --name {encoder}), or name another data set of"
                " such images (--dataset NAME; on the page: Real data)"
            ) from error
        raise


def require_alike(sources: list[Source]) -> None:
    """Raises InputError unless all sets have images of one shape."""
    first = sources[0]
    for other in sources[1:]:
        if other.image.shape[1:] != first.image.shape[1:]:
            raise InputError(
                f"sets: {other.name} has images of shape {other.image.shape[1:]} and {first.name}"
                f" of {first.image.shape[1:]}: choose sets of one shape"
            )


def real_images(dataset: str, split: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to ``size`` real images, class-balanced, with labels: the same on every machine."""
    data = load_split(dataset, split)
    # A machine may have a built-in set in full or only its first rows, as shipped. Other sets may
    # be sorted by class, so their first rows would miss some.
    label = np.asarray(data.label[:COMMON_ROWS] if dataset in CATALOG else data.label, np.int64)
    rows = balanced_rows(label, min(size, COMMON_ROWS))
    return data.image[rows], label[rows]


def balanced_rows(label: np.ndarray, size: int) -> np.ndarray:
    """The first ``size`` rows in an order where classes take turns; all of fewer."""
    turn = np.empty(len(label), np.int64)
    for value in np.unique(label):
        where = np.flatnonzero(label == value)
        turn[where] = np.arange(len(where))
    return np.sort(np.lexsort((label, turn))[:size])
