"""Pseudo-labels: a classifier says what the images of a set show, and those it is sure of become a
new set that says so.

For models without classes, whose images have no labels (the published CIFAR-10 pipeline labels its
images this way).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cdp import paths
from cdp.config.explore import PIXELS
from cdp.data.fitting import Labelling, fit, labelling_of_card
from cdp.data.limits import valid_name
from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.errors import Cancelled, InputError, MissingError
from cdp.files import atomic
from cdp.files.cache import Report, ignore
from cdp.models.checkpoints import is_name
from cdp.models.encoders import (
    JUDGE,
    TRAINED,
    Encoder,
    Listed,
    datasets_with_encoders,
    list_encoders,
)
from cdp.statistics.shares import wilson
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.tasks.subsets import NewLabels, save_part
from cdp.values.text import bounds_text, counted, listed, share_text
from cdp.values.types import Interval

CONFIDENCE = 0.9
"""Probability that a label needs, where nobody says otherwise."""
BINS = 20
"""Of the histogram of confidence, over [0, 1]."""
CHECKED = 5000
"""Images that another network looks at as well at most, spread over those kept."""
_CHUNK = 1024
"""Images read and classified at once, so that memory stays flat."""


@dataclass(frozen=True)
class Network:
    """A classifier on a card. sha256: of its weights."""

    name: str
    sha256: str
    dataset: str


@dataclass(frozen=True)
class PseudoLabels:
    """How a set got its labels, as its card has it under ``pseudo_labels``. images: of the parent;
    kept: of this set; histogram: images of the parent by confidence; balance: images kept of each
    class; judge: another network, and agreement: the share that it gives the same class; both None
    where ``not_checked`` says why. guided: whether the labelling network had guided the images."""

    encoder: Network
    min_confidence: float
    images: int
    kept: int
    histogram: tuple[int, ...]
    balance: tuple[int, ...]
    judge: Network | None
    agreement: Interval | None
    not_checked: str
    guided: bool

    @property
    def share(self) -> Interval:
        """Of the parent's images that were kept."""
        return wilson(self.kept, self.images)


_CARD = TypeAdapter(PseudoLabels)


def pseudo_label(
    name: str,
    out: str,
    *,
    encoder: str = "",
    min_confidence: float = CONFIDENCE,
    dataset: str = "",
    report: Report = ignore,
    should_stop: Callable[[], bool] = lambda: False,
) -> SampleSet:
    """Save as set ``out`` the images of a set that a classifier is sure of, labelled by it.

    encoder: of the data set by name, ``run:ID`` of a training, or a folder; empty for the best of
    ``labellers``. dataset: whose encoder; empty for that of the set's card. min_confidence: in [0,
    1]. Raises InputError or MissingError where the network does not see such images or is sure of
    none, and Cancelled; nothing is saved then.
    """
    if not 0 <= min_confidence <= 1:
        raise InputError(
            f"min_confidence: {min_confidence:g} is no probability: choose one from 0 to 1"
        )
    atomic.refuse_existing(paths.sets_dir() / valid_name(out))
    if encoder == PIXELS:
        raise InputError("encoder: pixels classify nothing: choose a classifier, such as judge")
    samples, source = open_set(name), open_source(name)
    network, classes, described = _classifier(
        encoder or _best(samples, source, dataset), source, dataset
    )
    predicted, confidence = _classify(
        network, source, lambda share: report(0.8 * share, f"labelling {source.title}"), should_stop
    )
    rows = np.flatnonzero(confidence >= min_confidence)
    if not len(rows):
        raise InputError(
            f"min_confidence: {described.name} is at most {confidence.max():.3f} sure of an image"
            f" of {source.title}, so none reaches {min_confidence:g}: choose"
            f" {math.floor(100 * float(confidence.max())) / 100:g} or less, or another encoder"
        )
    report(0.8, "comparing with another network")
    judge, agreement, not_checked = _agreement(
        network, described, classes, source, rows, predicted[rows], should_stop
    )
    labels = PseudoLabels(
        described,
        min_confidence,
        len(source),
        len(rows),
        tuple(np.histogram(confidence, BINS, (0.0, 1.0))[0].tolist()),
        tuple(np.bincount(predicted[rows], minlength=len(classes)).tolist()),
        judge,
        agreement,
        not_checked,
        _guided(samples.card, described),
    )
    report(0.95, f"saving {out}")
    return save_part(
        name,
        rows,
        out,
        kind="pseudo-labelled",
        reason=f"labelled by {described.name} with probability {min_confidence:g} or more",
        fields={"pseudo_labels": asdict(labels)},
        labels=NewLabels(predicted, classes, described.dataset),
    )


def pseudo_labels_of(card: Mapping[str, Any]) -> PseudoLabels | None:
    """How a set got its labels by its card; None where it does not say so soundly."""
    try:
        stored = _CARD.validate_python(card["pseudo_labels"])
    except (KeyError, ValidationError):
        return None
    counts = (*stored.histogram, *stored.balance)
    sound = (
        1 <= stored.kept <= stored.images
        and stored.histogram
        and min(counts) >= 0
        and 0 <= stored.min_confidence <= 1
    )
    return stored if sound and len(stored.balance) == len(card["class_names"]) else None


def sentences(labels: PseudoLabels, class_names: tuple[str, ...]) -> list[str]:
    """What a person has to know of these labels, the most important first."""
    share = labels.share
    who = f"{labels.encoder.name} ({labels.encoder.sha256[:12]})"
    said = [
        f"{labels.kept:,} of {labels.images:,} images were kept ({share_text(share.value)}): {who}"
        f" gives them a class with probability {labels.min_confidence:g} or more."
    ]
    if labels.agreement is not None and labels.judge is not None:
        seen = labels.agreement
        said.append(
            f"{labels.judge.name}, another network, gives {share_text(seen.value)} of them the same"
            f" class (95 % interval {bounds_text(seen)}, n = {seen.n:,})."
        )
    else:
        said.append(f"How often these labels are right is not known: {labels.not_checked}.")
    if labels.guided:
        said.append(
            "The same network guided these images, so it is surer of them than it should be: have"
            " another one label them."
        )
    absent = [name for name, count in zip(class_names, labels.balance, strict=False) if not count]
    if absent:
        said.append(f"No image of {listed(absent)} was kept.")
    return said


def histogram_rows(labels: PseudoLabels) -> list[dict[str, Any]]:
    """Images by confidence: from, to, images."""
    size = len(labels.histogram)
    return [
        {"from": at / size, "to": (at + 1) / size, "images": count}
        for at, count in enumerate(labels.histogram)
    ]


def command(name: str, out: str, encoder: str, min_confidence: float, dataset: str = "") -> str:
    """The same on the command line."""
    words = ["python", "-m", "cdp", "pseudo-label", name, "--encoder", encoder]
    words += ["--min-confidence", f"{min_confidence:g}", "--name", out]
    return shlex.join([*words, *(["--dataset", dataset] if dataset else [])])


@dataclass(frozen=True)
class Labeller:
    """A classifier that sees such images. name: as ``pseudo_label`` takes it; title: for a list."""

    name: str
    dataset: str
    title: str


def labellers(samples: SampleSet, dataset: str = "") -> list[Labeller]:
    """The classifiers here that see such images, the best choice first: of the set's own data set
    one that neither guided the images nor judges, plain ones before others; then the judge. Reads
    cards only."""
    height, width, channels = samples.image.shape[1:]
    own = dataset or str(samples.card.get("dataset") or "")
    guide = _guide_of(samples.card)

    def rank(entry: Listed, dataset: str) -> tuple[bool, int, bool]:
        return (
            dataset != own,
            2 if entry.name == guide else int(entry.name == JUDGE),
            entry.card.get("kind") != "standard",
        )

    candidates = [
        (rank(entry, dataset), Labeller(entry.name, dataset, f"{entry.title} ({dataset})"))
        for dataset in dict.fromkeys([own, *datasets_with_encoders()])
        for entry in (list_encoders(dataset) if dataset else [])
        if not entry.problem and entry.card.get("shape") == [channels, height, width]
    ]
    return [item for _, item in sorted(candidates, key=lambda ranked: ranked[0])]


def _best(samples: SampleSet, source: Source, dataset: str) -> str:
    """The first of the labellers of its data set. Raises InputError where there is none."""
    named = dataset_of([source], dataset, encoder="a classifier")
    name = next((entry.name for entry in labellers(samples, named) if entry.dataset == named), None)
    if name is None:
        height, width, channels = source.image.shape[1:]
        raise InputError(
            f"encoder: {named} has no classifier here that sees images of {width} x {height} px and"
            f" {counted(channels, 'channel')}: train one with python -m cdp"
            f" pretrain-encoder --dataset {shlex.quote(named)}, or name another data set or encoder"
        )
    return name


def _classifier(
    encoder: str, source: Source, dataset: str
) -> tuple[Encoder, tuple[str, ...], Network]:
    """The network on this machine's device, its class names, and how the card calls it. Raises
    InputError where it does not see such images."""
    from cdp.tasks.loaded import encoder_on_device

    if dataset or not _stands_alone(encoder):
        named = dataset_of([source], dataset, encoder=encoder)
        network = encoder_on_device(encoder, named)
    else:  # a network given by its path or as a run says itself what it was trained on
        network = encoder_on_device(encoder, "")
        named = str(network.card.get("dataset") or "")
    theirs = labelling_of_card(f"encoder {network.name}", network.card)
    height, width, channels = source.image.shape[1:]
    refusal = fit(Labelling(source.name, theirs.classes, (channels, height, width)), theirs).refusal
    if refusal:
        raise InputError(
            f"encoder: {network.name} does not see such images as those of {source.title}"
            f" ({refusal}): choose an encoder of their own data set"
        )
    return network, theirs.classes, Network(network.name, network.sha256, named)


def _stands_alone(encoder: str) -> bool:
    return encoder.startswith(TRAINED) or not is_name(encoder)


def _classify(
    network: Encoder,
    source: Source,
    done: Callable[[float], None],
    should_stop: Callable[[], bool],
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) int64 classes and (k,) float32 probabilities, of all images or of ``rows``."""
    import torch

    from cdp.tasks.loaded import features_of

    chosen = np.arange(len(source)) if rows is None else rows
    predicted, confidence = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.float32)
    for start in range(0, len(chosen), _CHUNK):
        if should_stop():
            raise Cancelled(f"stopped after {start} of {len(chosen)} images: nothing was saved")
        part = slice(start, start + _CHUNK)
        with torch.no_grad():
            best = (
                network.net.logits_of(features_of(network.net, source.image[chosen[part]]))
                .softmax(1)
                .max(1)
            )
        predicted[part], confidence[part] = best.indices.cpu().numpy(), best.values.cpu().numpy()
        done(min(1.0, (start + _CHUNK) / len(chosen)))
    return predicted, confidence


def _agreement(
    network: Encoder,
    described: Network,
    classes: tuple[str, ...],
    source: Source,
    rows: np.ndarray,
    predicted: np.ndarray,
    should_stop: Callable[[], bool],
) -> tuple[Network | None, Interval | None, str]:
    """The judge and the share of images that it gives the same class; why there is none."""
    from cdp.tasks.loaded import encoder_on_device

    try:
        judge = encoder_on_device(JUDGE, described.dataset)
    except MissingError:
        return None, None, f"{described.dataset or 'its data set'} has no judge to compare with"
    if judge.sha256 == network.sha256:
        return None, None, "the judge itself gave them, so it is not independent of them"
    theirs = labelling_of_card("the judge", judge.card)
    ours = Labelling(described.name, classes, theirs.shape)
    mapped = fit(theirs, ours)
    if mapped.refusal:
        return None, None, f"the judge of {described.dataset} knows other classes"
    some = np.unique(
        np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).round().astype(np.int64)
    )
    seen, _ = _classify(judge, source, lambda _: None, should_stop, rows[some])
    hits = int((mapped.relabel(seen) == predicted[some]).sum())
    return Network(JUDGE, judge.sha256, described.dataset), wilson(hits, len(some)), ""


def _guided(card: Mapping[str, Any], described: Network) -> bool:
    """Whether the labelling network guided the images: by its weights, else by its name."""
    guide = card.get("encoder")
    if isinstance(guide, dict) and "sha256" in guide:
        return bool(guide["sha256"] == described.sha256)
    return _guide_of(card) == described.name


def _guide_of(card: Mapping[str, Any]) -> str:
    """The encoder that guided a set, or the one that this set is a part of; "" for none."""
    parent = card.get("parent")
    config = card.get("config") or (parent.get("config") if isinstance(parent, dict) else None)
    if not isinstance(config, dict) or config.get("loss") == "none":
        return ""
    return str(config.get("encoder") or "")
