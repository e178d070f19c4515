"""One score an image, for selection and for the map, and which images are copies; kept on
disk by content: where nothing has to be computed, torch is not loaded. A score is one entry of
``SCORES``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cdp.config.explore import PIXELS
from cdp.data.fitting import Fit, fit
from cdp.embedding.classes import centroid_silhouettes
from cdp.embedding.neighbours import nearest_distance
from cdp.embedding.rows import Floats, Ints, UndefinedError
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached, Report, cached_array
from cdp.tasks.features import encoder_labelling, features, identity
from cdp.tasks.sources import COMMON_ROWS, NAME_DATASET, Source, matched, open_source, real_images

SAME = 1e-6
"""Images whose features are no further apart are one image."""
RARE = 0.001
"""An image counts as memorised where it is at least as near to a training image as this share of
held-out real images is: 1 in 1,000 real images, which nobody copied, would be flagged too."""


@dataclass(frozen=True)
class Flags:
    """duplicate, memorised: (k,) bool; none is memorised where ``undefined`` says why that is
    unknown."""

    duplicate: np.ndarray
    memorised: np.ndarray
    undefined: str = ""


def flagged(source: Source, rows: np.ndarray, encoder: str, dataset: str) -> Flags:
    """Images ``rows`` (k,) that are there twice or look copied. Errors as ``score_rows``."""
    image = images_at(source, rows)
    duplicate = duplicates(image, features(encoder, dataset, image))
    try:
        near = nearest_training(encoder, dataset, image)
        usual = held_out_distances(encoder, dataset)[0]
    except UndefinedError as error:
        return Flags(duplicate, np.zeros(len(duplicate), bool), str(error))
    return Flags(duplicate, near <= np.quantile(usual, RARE))


def flagged_in(name: str, encoder: str, dataset: str) -> dict[str, Any]:
    """Rows that are ``duplicates`` and ``memorised``, JSON-ready. Errors as ``flagged``."""
    source = open_source(name)
    flags = flagged(source, np.arange(len(source)), encoder, dataset)
    return {
        "duplicates": np.flatnonzero(flags.duplicate).tolist(),
        "memorised": np.flatnonzero(flags.memorised).tolist(),
        "undefined": flags.undefined,
    }


def images_at(source: Source, rows: np.ndarray) -> np.ndarray:
    """Images ``rows`` of a set, (k,H,W,C) uint8; all of them in their order stay memory-mapped."""
    return source.image if np.array_equal(rows, np.arange(len(source))) else source.image[rows]


def duplicates(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """image (k,H,W,C), seen (k, d) features -> (k,) bool, whether the same comes earlier."""
    alone = _first_of_equals(image) & _first_of_equals(seen)
    left = np.flatnonzero(alone)
    rows = seen[left].astype(np.float64)
    # Rows as near as that are at least as near along any one direction: only neighbours in the
    # order along one are compared.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    along = rows @ (direction / np.linalg.norm(direction))
    order = np.argsort(along, kind="stable")
    for step in range(1, len(order)):
        close = np.flatnonzero(along[order[step:]] - along[order[:-step]] <= 1.001 * SAME)
        if not len(close):
            break
        a, b = order[close], order[close + step]
        same = np.linalg.norm(rows[a] - rows[b], axis=1) <= SAME
        alone[left[np.maximum(a, b)[same]]] = False
    return ~alone


def nearest_training(encoder: str, dataset: str, image: np.ndarray) -> Floats:
    """(k,) distances of images (k,H,W,C) to the nearest of the training images that every machine
    has. Raises UndefinedError with why there are none."""
    train = real(dataset, "train")[0]

    def make(report: Report) -> np.ndarray:
        seen, known = features(encoder, dataset, image), features(encoder, dataset, train)
        if seen.shape[1] != known.shape[1]:
            raise UndefinedError(
                f"these images have another shape than those of {dataset}: choose an encoder or a"
                " data set of their own"
            )
        return nearest_distance(seen, known)

    key = cache.digest(
        VERSION, identity(encoder, dataset, image), identity(encoder, dataset, train)
    )
    return cached_array(
        "nearest",
        key,
        make,
        lambda distances: distances.shape == (len(image),) and distances.dtype == np.float64,
    ).get()


def held_out_distances(encoder: str, dataset: str) -> tuple[Floats, np.ndarray]:
    """The same of held-out real images, with their labels: how near is normal."""
    image, label = real(dataset, "test")
    return nearest_training(encoder, dataset, image), label


def real(dataset: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Real images and labels to compare with. Raises UndefinedError with why there are none."""
    if not dataset:
        raise UndefinedError(
            "the set's card names no data set, so there are no real images to compare with: "
            + NAME_DATASET
        )
    try:
        return real_images(dataset, split, COMMON_ROWS)
    except InputError as error:  # not here, or no match for the training images
        raise UndefinedError(str(error)) from error


def _first_of_equals(rows: np.ndarray) -> np.ndarray:
    """rows: (k, ...) -> (k,) bool, whether no earlier row has the same bytes."""
    known: set[bytes] = set()
    out = np.zeros(len(rows), bool)
    for number, row in enumerate(rows):
        mark = hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()
        out[number] = mark not in known
        known.add(mark)
    return out


VERSION = 2
"""Raised when a score changes its meaning, so that none kept before is taken for it."""


@dataclass(frozen=True)
class Score:
    """of: the score of every image, (k,); raises UndefinedError with why there is none. labels:
    whether it needs labels. follows: what it follows from beside features and labels; raises
    UndefinedError where it is known that there is none. criterion: whether parts of a set can be
    chosen by it; on_map: whether the map colours points by it, which does not wait for slow ones."""

    title: str
    unit: str
    help: str
    of: Callable[[Seen], Floats]
    labels: bool = True
    follows: Callable[[Seen], object] = lambda seen: ""
    criterion: bool = False
    on_map: bool = True


@dataclass(frozen=True)
class Scores:
    """values: (k,) float64 by key; undefined: why a score does not exist here, by key."""

    values: Mapping[str, np.ndarray]
    undefined: Mapping[str, str]


Answer = np.ndarray | str
"""A score of every image, or why there is none."""


def score_rows(
    source: Source, rows: np.ndarray, encoder: str, dataset: str, keys: Sequence[str]
) -> Scores:
    """Scores of images ``rows`` (k,) of a set. encoder: of ``dataset`` by name or path, or
    "pixels". Separability is relative to these rows. Raises InputError or MissingError for an
    encoder that is not there or does not fit, and for unknown keys."""
    return scores_of(source, rows, encoder, dataset, keys).get()


def score_set(name: str, by: str, encoder: str, dataset: str) -> Scores:
    """One score of every image of a set. Errors as ``score_rows``."""
    source = open_source(name)
    return score_rows(source, np.arange(len(source)), encoder, dataset, [by])


def scores_of(
    source: Source, rows: np.ndarray, encoder: str, dataset: str, keys: Sequence[str]
) -> Cached[Scores]:
    """The same where it is known. Errors as there."""
    for key in keys:
        if key not in SCORES:
            raise InputError(
                f"score {str(key)[:40]!r} is unknown: choose one of {', '.join(SCORES)}"
            )
    seen = Seen(source, rows, encoder, dataset)

    def known() -> Scores | None:
        answers = {key: seen.known(key) for key in keys}
        complete = {key: answer for key, answer in answers.items() if answer is not None}
        return _sorted(complete) if len(complete) == len(answers) else None

    def make(report: Report) -> Scores:
        answers: dict[str, Answer] = {}
        for key in keys:
            answer = seen.known(key)
            answers[key] = seen.computed(key) if answer is None else answer
        return _sorted(answers)

    # Each score lies in the cache by itself, so that another choice of them finds it.
    place = cache.digest(VERSION, " ".join(keys), seen.identity, seen.label, dataset)
    return Cached(place, known, make, lambda scores: None)


class Seen:
    """Images to score, in an encoder's eyes. image: (k,H,W,C) uint8; label: (k,) or None."""

    def __init__(self, source: Source, rows: np.ndarray, encoder: str, dataset: str) -> None:
        if not len(rows):
            raise InputError(f"there are no images of {source.name} to score: choose at least one")
        self.source = source = matched(source, dataset)
        self.image = images_at(source, rows)
        self.label = None if source.label is None else source.label[rows]
        self.encoder, self.dataset = encoder, dataset
        # The encoder's own classes, which need not be those of the data set.
        self.outputs = (
            Fit()
            if encoder == PIXELS or self.label is None
            else fit(source.labelling, encoder_labelling(encoder, dataset), subset_ok=True)
        )
        self.identity = identity(encoder, dataset, self.image)

    @cached_property
    def features(self) -> np.ndarray:
        """(k, d) float32."""
        return features(self.encoder, self.dataset, self.image)

    @property
    def known_label(self) -> Ints:
        """The labels, of a score that exists only with them."""
        assert self.label is not None
        return self.label

    @cached_property
    def own(self) -> Ints | None:
        """(k,) the labels as the encoder numbers them; None where it has other classes."""
        if self.label is None or self.outputs.refusal:
            return None
        return self.outputs.relabel(self.label)

    @cached_property
    def shares(self) -> Floats:
        """(k, K) probabilities that the encoder gives each of its classes."""
        import torch

        from cdp.tasks.loaded import encoder_on_device

        net = encoder_on_device(self.encoder, self.dataset).net
        with torch.no_grad():
            rows = torch.from_numpy(self.features).to(next(net.parameters()).device)
            return np.asarray(net.logits_of(rows).double().softmax(1).cpu().numpy())

    def known(self, key: str) -> Answer | None:
        """Without computing anything that takes long."""
        score = SCORES[key]
        if self.label is None and score.labels:
            return self.source.without_labels(score.title.lower())
        try:
            stored = cache.load_array("scores", self._place(key))
        except UndefinedError as error:
            return str(error)
        if stored is None:
            return None
        if stored.dtype.kind == "U":
            return str(stored)  # the reason, kept in the place of scores
        sound = stored.dtype == np.float64 and stored.shape == (len(self.image),)
        return stored if sound and np.isfinite(stored).all() else None

    def computed(self, key: str) -> Answer:
        """And kept, for the next time."""
        try:
            answer: Answer = np.asarray(SCORES[key].of(self), np.float64)
        except UndefinedError as error:
            answer = str(error)
        cache.keep("scores", self._place(key), np.asarray(answer))
        return answer

    def _place(self, key: str) -> str:
        follows = SCORES[key].follows(self)
        return cache.digest(VERSION, key, self.identity, self.label, follows)


def _of_outputs(seen: Seen) -> object:
    """A score of the encoder's answers."""
    if seen.encoder == PIXELS:
        raise UndefinedError("pixels know no classes: choose an encoder")
    return seen.own


def _of_own_output(seen: Seen) -> object:
    """And of that for the image's own class."""
    if seen.encoder != PIXELS and seen.outputs.refusal:
        raise UndefinedError(
            f"encoder: {seen.encoder} does not know these classes ({seen.outputs.refusal}): name"
            " another"
        )
    return _of_outputs(seen)


def _own_shares(seen: Seen) -> tuple[Floats, Ints]:
    """Probabilities (k, K), and the place of each image's own class (k,)."""
    own, shares = seen.own, seen.shares
    assert own is not None  # what follows from own outputs is asked only where there are some
    if own.max() >= shares.shape[1]:
        raise UndefinedError(
            f"encoder: {seen.encoder} knows {shares.shape[1]} classes, but there is label"
            f" {own.max()}: name another"
        )
    return shares, own


def _confidence(seen: Seen) -> Floats:
    shares, own = _own_shares(seen)
    return shares[np.arange(len(own)), own]


def _agreement(seen: Seen) -> Floats:
    shares, own = _own_shares(seen)
    return (shares.argmax(axis=1) == own).astype(np.float64)


def _entropy(seen: Seen) -> Floats:
    from scipy.special import entr

    return np.asarray(entr(seen.shares).sum(axis=1))


def _gradient_norm(seen: Seen) -> Floats:
    """|p - onehot| sqrt(|features|^2 + 1): GraNd of Paul et al. 2021, for the last layer."""
    shares, own = _own_shares(seen)
    error = shares - np.eye(shares.shape[1])[own]
    rows = seen.features.astype(np.float64)
    return np.linalg.norm(error, axis=1) * np.sqrt(np.square(rows).sum(axis=1) + 1)


def _margin(seen: Seen) -> Floats:
    from cdp.robust.margin import signed_margin
    from cdp.tasks.loaded import encoder_on_device

    _, own = _own_shares(seen)
    net = encoder_on_device(seen.encoder, seen.dataset).net
    return signed_margin(net, np.asarray(seen.image), own)


def _separability(seen: Seen) -> Floats:
    return centroid_silhouettes(seen.features, seen.known_label)


def _of_training(seen: Seen) -> object:
    return identity(seen.encoder, seen.dataset, real(seen.dataset, "train")[0])


def _of_real(seen: Seen) -> object:
    held_out, label = real(seen.dataset, "test")
    held_out_too = cache.digest(identity(seen.encoder, seen.dataset, held_out), label)
    return f"{_of_training(seen)} {held_out_too}"


def _nearest_training(seen: Seen) -> Floats:
    return nearest_training(seen.encoder, seen.dataset, seen.image)


def _memorisation(seen: Seen) -> Floats:
    """Distance to training images over its mean for held-out real ones of the class."""
    distance, label = _nearest_training(seen), seen.known_label
    usual, real_label = held_out_distances(seen.encoder, seen.dataset)
    out = np.empty(len(distance))
    for value in np.unique(label):
        of_class = usual[real_label == value]
        if not of_class.sum() > 0:
            raise UndefinedError(
                f"there are no held-out real images of class {value} away from training images:"
                " their distance has no scale"
            )
        out[label == value] = distance[label == value] / of_class.mean()
    return out


SCORES: dict[str, Score] = {
    "confidence": Score(
        "Confidence",
        "",
        "Probability that the encoder gives the image's own label, 0 to 1.",
        _confidence,
        follows=_of_own_output,
        criterion=True,
    ),
    "agreement": Score(
        "Agreement",
        "",
        "1 where the encoder takes the image for its own class, 0 where for another.",
        _agreement,
        follows=_of_own_output,
        on_map=False,
    ),
    "entropy": Score(
        "Entropy",
        "nats",
        "Of the encoder's predicted classes: 0 where it is sure of one, the log of their number"
        " where of none.",
        _entropy,
        labels=False,
        follows=_of_outputs,
        criterion=True,
    ),
    "gradient-norm": Score(
        "Gradient norm",
        "",
        "Length of the cross-entropy's gradient in weights and biases of the encoder's last"
        " layer: large where the label surprises it.",
        _gradient_norm,
        follows=_of_own_output,
        criterion=True,
    ),
    "margin": Score(
        "Margin",
        "in l_2",
        "How far the image is from the encoder's decision boundary, by DeepFool: near 0 it lies at the"
        " boundary, below 0 the encoder takes it for another class.",
        _margin,
        follows=_of_own_output,
        criterion=True,
        on_map=False,
    ),
    "separability": Score(
        "Separability",
        "",
        "Silhouette against the class means of the images measured, -1 to 1: below 0 an image"
        " lies nearer to another class.",
        _separability,
        criterion=True,
    ),
    "nearest-training": Score(
        "Distance to training",
        "",
        "Distance in the encoder's features to the nearest of up to 10,000 real training"
        " images; 0 is a copy.",
        _nearest_training,
        labels=False,
        follows=_of_training,
    ),
    "memorisation": Score(
        "Memorisation ratio",
        "",
        "That distance over its mean for held-out real images of the same class: clearly below"
        " 1 hints at copying.",
        _memorisation,
        follows=_of_real,
    ),
}
"""By the key that cards, links and the command line have for them."""


def criteria() -> tuple[str, ...]:
    """What a part of a set can be chosen by: scores, and chance."""
    scores = sorted(
        (key for key, score in SCORES.items() if score.criterion),
        key=lambda key: key != "separability",
    )
    return (*scores, "random")


def _sorted(answers: Mapping[str, Answer]) -> Scores:
    return Scores(
        {key: value for key, value in answers.items() if not isinstance(value, str)},
        {key: value for key, value in answers.items() if isinstance(value, str)},
    )
