"""One score an image, for selection and for the map, kept on disk by content: where nothing has to
be computed, torch is not loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cdp.config.explore import PIXELS
from cdp.data.fitting import Fit, fit
from cdp.embedding.classes import centroid_silhouettes
from cdp.embedding.rows import Floats, UndefinedError
from cdp.errors import InputError
from cdp.files import cache
from cdp.files.cache import Cached, Report
from cdp.tasks.features import encoder_labelling, features, identity
from cdp.tasks.nearest import Flags, flagged, held_out_distances, images_at, nearest_training
from cdp.tasks.sources import Source, matched, open_source

__all__ = [
    "SCORES",
    "Flags",
    "ScoreInfo",
    "Scores",
    "flagged",
    "judged",
    "score_rows",
    "scores_of",
]

VERSION = 1
"""Raised when a score changes its meaning, so that none kept before is taken for it."""


@dataclass(frozen=True)
class ScoreInfo:
    """title: short; unit: "" where it has none; help: one sentence."""

    title: str
    unit: str
    help: str


SCORES: Mapping[str, ScoreInfo] = MappingProxyType(
    {
        "confidence": ScoreInfo(
            "Confidence", "", "Probability that the encoder gives the image's own label, 0 to 1."
        ),
        "entropy": ScoreInfo(
            "Entropy",
            "nats",
            "Of the encoder's predicted classes: 0 where it is sure of one, the log of their number"
            " where of none.",
        ),
        "gradient-norm": ScoreInfo(
            "Gradient norm",
            "",
            "Length of the cross-entropy's gradient in weights and biases of the encoder's last"
            " layer: large where the label surprises it.",
        ),
        "separability": ScoreInfo(
            "Separability",
            "",
            "Silhouette against the class means of the images measured, -1 to 1: below 0 an image"
            " lies nearer to another class.",
        ),
        "nearest-training": ScoreInfo(
            "Distance to training",
            "",
            "Distance in the encoder's features to the nearest of up to 10,000 real training"
            " images; 0 is a copy.",
        ),
        "memorisation": ScoreInfo(
            "Memorisation ratio",
            "",
            "That distance over its mean for held-out real images of the same class: clearly below"
            " 1 hints at copying.",
        ),
    }
)

_JUDGED = ("confidence", "entropy", "gradient-norm")
_OF_CLASSES = ("confidence", "gradient-norm", "separability", "memorisation")
"""Scores that exist only for images with labels."""


@dataclass(frozen=True)
class Scores:
    """values: (k,) float64 by key of ``SCORES``; undefined: why a score does not exist here, by the
    same keys."""

    values: Mapping[str, np.ndarray]
    undefined: Mapping[str, str]


Answer = np.ndarray | str
"""A score of every image, or why there is none."""


def score_rows(
    source: Source, rows: np.ndarray, encoder: str, dataset: str, keys: Sequence[str]
) -> Scores:
    """Scores of images ``rows`` (k,) of a set, computed where they are not known yet.

    encoder: of ``dataset`` by name or path, or "pixels"; dataset: whose real images, too.
    Separability is relative to these rows. Raises InputError or MissingError for an encoder that is
    not there or does not fit the images, and for unknown keys.
    """
    return scores_of(source, rows, encoder, dataset, keys).get()


def score_set(name: str, by: str, encoder: str, dataset: str) -> Scores:
    """One score of every image of a set. Errors as ``score_rows``."""
    source = open_source(name)
    return score_rows(source, np.arange(len(source)), encoder, dataset, [by])


def scores_of(
    source: Source, rows: np.ndarray, encoder: str, dataset: str, keys: Sequence[str]
) -> Cached[Scores]:
    """The same where it is known. Errors as there."""
    seen, keys = _Seen(source, rows, encoder, dataset), _checked(keys)

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
    return Cached(seen.place(" ".join(keys)), known, make, lambda scores: None)


def judged(
    encoder: str, dataset: str, seen: np.ndarray, label: np.ndarray | None
) -> dict[str, Answer]:
    """What follows from the encoder's logits. seen: (k, d) features; label: (k,) -> (k,) each, by
    key; entropy alone without labels.

    gradient-norm is |p - onehot| sqrt(|features|^2 + 1) (GraNd of Paul et al. 2021, for the last
    layer).
    """
    import torch

    from cdp.tasks.loaded import encoder_on_device

    net = encoder_on_device(encoder, dataset).net
    with torch.no_grad():
        rows = torch.from_numpy(seen).to(next(net.parameters()).device)
        share = net.logits_of(rows).double().softmax(1)
    entropy = torch.special.entr(share).sum(1)
    if label is None:
        return {"entropy": entropy.cpu().numpy()}
    if len(label) and label.max() >= share.shape[1]:
        reason = (
            f"encoder: {encoder} knows {share.shape[1]} classes, but there is label {label.max()}:"
            " name another"
        )
        return dict.fromkeys(_JUDGED, reason)
    own = torch.from_numpy(label).to(share.device)
    error = share - torch.nn.functional.one_hot(own, share.shape[1])
    found = {
        "confidence": share.gather(1, own[:, None])[:, 0],
        "entropy": entropy,
        "gradient-norm": error.norm(dim=1) * (rows.double().square().sum(1) + 1).sqrt(),
    }
    return {key: value.cpu().numpy() for key, value in found.items()}


class _Seen:
    """The images to score, in an encoder's eyes."""

    def __init__(self, source: Source, rows: np.ndarray, encoder: str, dataset: str) -> None:
        if not len(rows):
            raise InputError(f"there are no images of {source.name} to score: choose at least one")
        source = matched(source, dataset)
        self.image, self.label = (
            images_at(source, rows),
            None if source.label is None else source.label[rows],
        )
        self.source, self.count = source, len(rows)
        self.encoder, self.dataset = encoder, dataset
        # The encoder's own classes, which need not be those of the data set.
        self.outputs = (
            Fit()
            if encoder == PIXELS or self.label is None
            else fit(source.labelling, encoder_labelling(encoder, dataset), subset_ok=True)
        )
        self.identity = identity(encoder, dataset, self.image)

    def known(self, key: str) -> Answer | None:
        """Without computing anything that takes long."""
        if self.label is None and key in _OF_CLASSES:
            return self.source.without_labels(SCORES[key].title.lower())
        if key in ("nearest-training", "memorisation"):
            return self._against_real(key, compute=False)
        if key in _JUDGED and self.encoder == PIXELS:
            return "pixels know no classes: choose an encoder"
        if key in _JUDGED and key in _OF_CLASSES and self.outputs.refusal:
            return (
                f"encoder: {self.encoder} does not know these classes ({self.outputs.refusal}):"
                " name another"
            )
        found = cache.load_array("scores", self.place(key))
        if found is None:
            return None
        if found.dtype.kind == "U":
            return str(found)  # the reason, kept in the place of scores
        return (
            found
            if found.dtype == np.float64
            and found.shape == (self.count,)
            and np.isfinite(found).all()
            else None
        )

    def computed(self, key: str) -> Answer:
        """And kept, for the next time."""
        if key in ("nearest-training", "memorisation"):
            answer = self._against_real(key, compute=True)
            assert answer is not None  # computing leaves nothing unknown
            return answer
        seen = features(self.encoder, self.dataset, self.image)
        if key == "separability" and self.label is not None:
            found = {key: _separability(seen, self.label)}
        else:
            found = judged(self.encoder, self.dataset, seen, self._judged_label())
        for name, value in found.items():
            cache.keep("scores", self.place(name), np.asarray(value))
        return found[key]

    def _judged_label(self) -> np.ndarray | None:
        """The labels as the encoder numbers them."""
        return (
            None if self.label is None or self.outputs.refusal else self.outputs.relabel(self.label)
        )

    def place(self, key: str) -> str:
        """Where a score lies in the cache."""
        return cache.digest(
            VERSION, key, self.identity, self._judged_label() if key in _JUDGED else self.label
        )

    def _against_real(self, key: str, *, compute: bool) -> Answer | None:
        mine = nearest_training(self.encoder, self.dataset, self.image, compute=compute)
        if key == "nearest-training" or mine is None or isinstance(mine, str) or self.label is None:
            return mine
        real = held_out_distances(self.encoder, self.dataset, compute=compute)
        return (
            real
            if real is None or isinstance(real, str)
            else _over_mean_of_class(mine, self.label, *real)
        )


def _separability(seen: np.ndarray, label: np.ndarray) -> Answer:
    try:
        return centroid_silhouettes(seen, label)
    except UndefinedError as error:
        return str(error)


def _over_mean_of_class(
    distance: Floats, label: np.ndarray, real: Floats, real_label: np.ndarray
) -> Answer:
    """distance, label: (k,) of the images; real, real_label: (h,) of held-out ones."""
    out = np.empty(len(distance))
    for value in np.unique(label):
        usual = real[real_label == value]
        if not usual.sum() > 0:
            return (
                f"there are no held-out real images of class {value} away from training images:"
                " their distance has no scale"
            )
        out[label == value] = distance[label == value] / usual.mean()
    return out


def _checked(keys: Sequence[str]) -> Sequence[str]:
    for key in keys:
        if key not in SCORES:
            raise InputError(
                f"score {str(key)[:40]!r} is unknown: choose one of {', '.join(SCORES)}"
            )
    return keys


def _sorted(answers: Mapping[str, Answer]) -> Scores:
    return Scores(
        {key: value for key, value in answers.items() if not isinstance(value, str)},
        {key: value for key, value in answers.items() if isinstance(value, str)},
    )
