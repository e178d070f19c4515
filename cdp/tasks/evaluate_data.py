"""From an evaluation's settings to its images and models, checked, without weights and torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from cdp.config.choices import ARCHITECTURES
from cdp.config.evaluate import CODE, RUN, EvaluateConfig
from cdp.data.fitting import Labelling, fit, labelling_of, labelling_of_card, quoted
from cdp.data.registry import dataset_info, load_split
from cdp.data.sets import open_set
from cdp.data.training import nested_subset
from cdp.errors import InputError, MissingError
from cdp.models.checkpoints import given_path, is_name, refuse_pickled, regular_file
from cdp.models.encoders import (
    CARD,
    WEIGHTS,
    fill,
    match_weights,
    read_card,
    refuse_pickled_folder,
)
from cdp.paths import runs_dir
from cdp.values.evaluation import Model, Which
from cdp.values.types import DatasetInfo

if TYPE_CHECKING:
    import torch
    from torch import nn

    from cdp.models.classifiers import Classifier

TEST = "test"
"""``EvaluationInputs.part`` where it is the data set's own test images."""


@dataclass(frozen=True)
class Weights:
    """Weights to attack. file: safetensors, None for the user's own code; card: {} for none."""

    which: Which
    file: Path | None
    card: Mapping[str, Any]

    @property
    def epoch(self) -> int:
        """Of a training; 0 unknown."""
        epoch = self.card.get("epoch", 0)
        return epoch if isinstance(epoch, int) else 0


@dataclass(frozen=True)
class EvaluationInputs:
    """All that an evaluation reads. image: (n,H,W,C) uint8; label, rows: (n,) int64, the second of
    ``part``; rows_sha256: of images and labels; unseen: (norm, epsilon) of threats not trained for;
    notes: a sentence on each thing about classes that a reader has to know. Classes are in the
    order of the network's outputs."""

    model: Model
    weights: tuple[Weights, ...]
    info: DatasetInfo
    part: str
    image: np.ndarray
    label: np.ndarray
    rows: np.ndarray
    rows_sha256: str
    norm: Literal["linf", "l2"]
    epsilon: float
    unseen: tuple[tuple[str, float], ...]
    notes: tuple[str, ...] = ()

    def side_rows(self, count: int) -> np.ndarray:
        """At most ``count`` of the images, rising, evenly of every class."""
        return (
            np.arange(len(self.label))
            if count >= len(self.label)
            else nested_subset(self.label, count, seed=0, balanced=True)
        )


def prepare(config: EvaluateConfig) -> EvaluationInputs:
    """Find everything. Raises InputError or MissingError that names the field or file."""
    weights = weights_of(config.model, config.weights, architecture=config.architecture)
    card = weights[0].card
    said = card.get("training")
    training: Mapping[str, Any] = said if isinstance(said, dict) else {}
    dataset = dataset_named(config.dataset, card)
    info = _with_classes(dataset)
    network = fit(labelling_of(info), _outputs(config.model, card, info))
    if network.refusal:
        raise InputError(
            f"dataset: {dataset} does not fit the model {config.model} ({network.refusal}): choose"
            " the data set that it was made for, or images of its classes (part)"
        )
    norm = cast(Literal["linf", "l2"], _norm(config, training))
    trained = (
        training.get("epsilon") if training.get("norm", "linf") == norm else None
    )  # an encoder's card leaves l_inf out
    epsilon = config.budget(
        norm,
        trained=float(trained) if isinstance(trained, int | float) else None,
        conventional=info.conventional(norm),
    )
    image, label, said = _images(config, dataset, info)
    rows = _rows(label, config)
    images, truth = np.ascontiguousarray(image[rows]), label[rows]
    notes = [*said, network.sentence, _absent(truth, info)]
    # The hash is of the data set's own labels, so that networks with another order of outputs are
    # paired.
    sha256 = _hash(images, truth)
    if network.mapping:
        order = np.argsort(network.mapping)
        info = replace(info, classes=tuple(info.classes[number] for number in order))
    return EvaluationInputs(
        _model(config, weights, training),
        weights,
        info,
        config.part or TEST,
        images,
        network.relabel(truth),
        rows,
        sha256,
        norm,
        epsilon,
        _unseen(norm, epsilon, info),
        tuple(f"{note[0].upper()}{note[1:]}." for note in notes if note),
    )


def require_ready(config: EvaluateConfig) -> None:
    """Raises CdpError where this evaluation cannot begin, by the headers of files alone."""
    require_weights(config, prepare(config))


def weights_of(model: str, which: str = "best", *, architecture: str = "") -> tuple[Weights, ...]:
    """What a model's name stands for. which: of a training; architecture: of a bare file. Raises
    InputError or MissingError that says what to give."""
    if model.startswith(CODE):
        return (Weights("given", None, {}),)
    if model.startswith(RUN):
        return _of_run(model.removeprefix(RUN), which)
    try:
        path = given_path(model)
        folder, file = path.is_dir(), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"model: {model[:200]!r} is not a usable path: give run:ID, a folder with weights, or a"
            " file"
        ) from error
    if folder:
        refuse_pickled_folder(path)
        return (Weights("given", regular_file(path / WEIGHTS).resolve(), read_card(path)),)
    if file:
        refuse_pickled(path)
        if path.suffix != ".safetensors":
            raise InputError(
                f"model: {path} is no .safetensors file, and no other holds weights here: give one,"
                f" or a folder with {WEIGHTS} and {CARD}"
            )
        described = not architecture and path.name == WEIGHTS and path.with_name(CARD).is_file()
        return (Weights("given", path.resolve(), read_card(path.parent) if described else {}),)
    raise MissingError(
        f"model: {model[:200]!r} is not here: give run:ID of a training, a folder with weights and"
        " card, or a .safetensors file"
    )


def _of_run(run: str, which: str) -> tuple[Weights, ...]:
    wanted = cast(tuple[Which, ...], ("best", "last") if which == "both" else (which,))
    folder = runs_dir() / run
    if not is_name(run) or not folder.is_dir():
        raise MissingError(
            f"model: run {run[:80]!r} is not here: choose a training of the list of runs"
        )
    weights = []
    for name in wanted:
        if not (folder / name / CARD).is_file():
            raise MissingError(
                f"model: run {run} has no {name} weights yet: let it finish an epoch, or choose"
                " another training"
            )
        weights.append(
            Weights(name, regular_file(folder / name / WEIGHTS), read_card(folder / name))
        )
    return tuple(weights)


def dataset_named(asked: str, card: Mapping[str, Any]) -> str:
    """Whose images a model is evaluated on: the data set asked for, else what the card says it was
    trained on. Raises InputError where nothing says."""
    training = card.get("training")
    # A training on a path knows the path; its card's data set is what that was called.
    trained_on = training.get("dataset") if isinstance(training, dict) else None
    name = asked or trained_on or card.get("dataset")
    if not isinstance(name, str) or not name:
        raise InputError(
            "dataset: nothing says what the model was trained on: name its data set (--dataset"
            " NAME; on the page: Data set)"
        )
    return name


def _with_classes(name: str) -> DatasetInfo:
    info = dataset_info(name)
    if len(info.classes) < 2:
        raise InputError(
            f"dataset: {name} has one class, so nothing can be mistaken for another: choose another"
            " data set"
        )
    return info


def _outputs(model: str, card: Mapping[str, Any], info: DatasetInfo) -> Labelling:
    """What a network's outputs mean, by its card; without one as the data set has it."""
    return (
        labelling_of_card(model, card)
        if card
        else Labelling(model, info.classes, info.shape, nameless=True)
    )


def _norm(config: EvaluateConfig, training: Mapping[str, Any]) -> str:
    if config.norm != "trained":
        return config.norm
    return "l2" if training.get("norm") == "l2" else "linf"


def _images(
    config: EvaluateConfig, dataset: str, info: DatasetInfo
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images, labels in the data set's numbering, and what has to be said of these."""
    if not config.part:
        split = load_split(dataset, TEST)
        return split.image, np.asarray(split.label, np.int64), [split.note]
    source = open_set(config.part)
    label = source.labels("an evaluation")
    matching = fit(source.labelling, labelling_of(info), subset_ok=True)
    if matching.refusal:
        raise InputError(
            f"part: set {source.name} does not fit {info.name} ({matching.refusal}): choose a set"
            " of the same classes and shape"
        )
    return source.image, matching.relabel(label), [matching.sentence]


def _absent(label: np.ndarray, info: DatasetInfo) -> str:
    """What classes have no image among those evaluated."""
    present = set(np.unique(label).tolist())
    absent = [name for number, name in enumerate(info.classes) if number not in present]
    if not absent:
        return ""
    return (
        f"there is no image of {quoted(absent)}, so the accuracies are over {len(present)} of"
        f" {len(info.classes)} classes"
    )


def _rows(label: np.ndarray, config: EvaluateConfig) -> np.ndarray:
    """The images, in rising order. More images of the same seed contain the fewer."""
    wanted = config.images
    if not len(label):
        raise InputError("part: there are no images to evaluate on: choose another set")
    if wanted is None or wanted >= len(label):
        return np.arange(len(label))
    return np.sort(nested_subset(label, wanted, seed=config.part_seed, balanced=True))


def _hash(image: np.ndarray, label: np.ndarray) -> str:
    digest = hashlib.sha256(f"{image.shape} ".encode())
    digest.update(image.data)
    digest.update(np.ascontiguousarray(label).data)
    return digest.hexdigest()


def _unseen(norm: str, epsilon: float, info: DatasetInfo) -> tuple[tuple[str, float], ...]:
    other = "l2" if norm == "linf" else "linf"
    conventional = info.conventional(other)
    return ((norm, 2 * epsilon), *(((other, conventional),) if conventional is not None else ()))


def _model(
    config: EvaluateConfig, weights: tuple[Weights, ...], training: Mapping[str, Any]
) -> Model:
    card = weights[0].card
    described = card.get("architecture")
    network = (
        training.get("architecture")
        or (described.get("name") if isinstance(described, dict) else None)
        or config.architecture
    )
    run = config.model.removeprefix(RUN) if config.model.startswith(RUN) else ""
    name = str(
        card.get("run")
        or card.get("name")
        or config.model.removeprefix(CODE).rstrip("/").rpartition("/")[2]
    )
    listed = card.get("sets")
    sets = (
        [source for source in listed if isinstance(source, dict)]
        if isinstance(listed, list)
        else []
    )
    return Model(
        config.model,
        name[:200],
        str(network or "of the user's own code"),
        run,
        tuple(str(source.get("name", ""))[:200] for source in sets),
        _count(training.get("synthetic_images")),
        _count(training.get("images")),
        dict(training) or None,
    )


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


def network(
    weights: Weights,
    config: EvaluateConfig,
    prepared: EvaluationInputs,
    device: torch.device,
    own: nn.Module | None,
) -> tuple[nn.Module, str]:
    """One set of weights in eval mode on ``device``, and what has to be said of its file, "" for
    nothing. own: of the user's own code. Raises InputError where the file does not hold them."""
    from cdp.models.precision import lay_out

    if weights.file is None:
        if own is None:
            raise InputError(
                f"model: {config.model} is your own code: give the network that it makes"
            )
        return lay_out(own, device).eval(), ""
    net = _empty(weights, weights.file, config, prepared)
    note = fill(net, weights.file)
    return lay_out(net, device).eval(), note


def require_weights(config: EvaluateConfig, prepared: EvaluationInputs) -> None:
    """Raises InputError where a file does not hold the weights of the network that it should, by
    headers alone: said before anything is queued."""
    for weights in prepared.weights:
        if weights.file is not None:
            net = _empty(weights, weights.file, config, prepared)
            problem = match_weights(net, weights.file).problem
            if problem:
                whose = CARD if weights.card else f"network {config.architecture}"
                raise InputError(
                    f"model: {weights.file} does not fit its {whose}: {problem}: use the weights"
                    " that belong to it"
                )


def _empty(
    weights: Weights, file: Path, config: EvaluateConfig, prepared: EvaluationInputs
) -> Classifier:
    """The network whose weights the file should hold, without memory until it proved to."""
    import torch

    from cdp.models.classifiers import build_described

    with torch.device("meta"):
        if weights.card:
            return build_described(weights.card.get("architecture"), file.parent / CARD)
        return (
            _built(config.architecture, prepared)
            if config.architecture
            else _whose_weights(file, prepared)
        )


def _built(name: str, prepared: EvaluationInputs) -> Classifier:
    from cdp.models.classifiers import build_classifier

    return build_classifier(
        name, classes=len(prepared.info.classes), shape=prepared.info.shape, seed=0
    )


def _whose_weights(file: Path, prepared: EvaluationInputs) -> Classifier:
    """The network whose weights these are, by names and shapes. Raises InputError, with what the
    closest of ours wants, where they are no network's of ours."""
    problems: dict[str, tuple[int, str]] = {}
    for name in ARCHITECTURES:
        try:
            net = _built(name, prepared)
        except InputError as error:  # does not take such images
            problems[name] = -1, str(error)
            continue
        match = match_weights(net, file)
        if not match.problem:
            return net
        problems[name] = match.present, match.problem
    info = prepared.info
    closest = max(problems, key=lambda name: problems[name][0])
    raise InputError(
        f"model: {file} holds the weights of none of {', '.join(ARCHITECTURES)} for"
        f" {len(info.classes)} classes and images of shape {list(info.shape)} (as {closest},"
        f" {problems[closest][1]}): set dataset to what it was trained on, or evaluate it as a"
        " network of your own code"
    )
