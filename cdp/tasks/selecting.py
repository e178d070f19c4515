"""Data selection: a part of a set, chosen by one score an image, as a new set that says where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from cdp.data.samples import SampleSet
from cdp.data.sets import open_set, stream_set
from cdp.embedding.classes import centroid_silhouettes
from cdp.errors import InputError
from cdp.models.encoders import JUDGE
from cdp.tasks.engine import encoder_on_device, features_of

Criterion = Literal["separability", "confidence", "entropy", "gradient-norm", "random"]
Order = Literal["highest", "lowest"]
_CHUNK = 4096


def scores(samples: SampleSet, by: Criterion, *, encoder: str = JUDGE, dataset: str = "", seed: int = 0) -> np.ndarray:
    """One score an image, (n,) float64.

    separability: silhouette against class means in the encoder's features. confidence: probability of the image's own label.
    entropy: of the predicted classes, in nats. gradient-norm: length of the cross-entropy's gradient with respect to weights and
    biases of the encoder's last layer, |p - onehot| sqrt(|features|^2 + 1) (GraNd of Paul et al. 2021, for that layer).
    random: uniform draws of ``seed``. dataset: whose encoder; empty takes the one on the set's card.
    Raises InputError for an encoder that does not fit the images or their classes.
    """
    if by not in get_args(Criterion):
        raise InputError(f"by: {str(by)[:40]!r} is unknown: choose one of {', '.join(get_args(Criterion))}")
    if by == "random":
        return np.random.default_rng(seed).random(len(samples))
    dataset = dataset or str(samples.card.get("dataset") or "")
    if not dataset:
        raise InputError(f"dataset: the card of {samples.name} names none: say whose encoder to use (--dataset fashion-mnist)")
    net = encoder_on_device(encoder, dataset).net
    if net.channels != samples.image.shape[-1]:
        raise InputError(
            f"encoder: {encoder} sees {net.channels} channels, but images of {samples.name} have {samples.image.shape[-1]}: name another"
        )
    label = np.asarray(samples.label, np.int64)
    features = features_of(net, samples.image)
    if by == "separability":
        return centroid_silhouettes(features.cpu().numpy(), label)
    with torch.no_grad():
        share = net.logits_of(features).double().softmax(1)
    if label.max() >= share.shape[1]:
        raise InputError(f"encoder: {encoder} knows {share.shape[1]} classes, but {samples.name} has label {label.max()}: name another")
    return _judged(by, share, features.double(), torch.from_numpy(label).to(share.device)).cpu().numpy()


def _judged(by: Criterion, share: Tensor, features: Tensor, label: Tensor) -> Tensor:
    """share: (n, classes) probabilities; features: (n, d); label: (n,) -> (n,)."""
    if by == "confidence":
        return share.gather(1, label[:, None])[:, 0]
    if by == "entropy":
        return torch.special.entr(share).sum(1)
    error = share - torch.nn.functional.one_hot(label, share.shape[1])
    return error.norm(dim=1) * (features.square().sum(1) + 1).sqrt()


def chosen_rows(score: np.ndarray, label: np.ndarray, keep: int, *, order: Order = "highest", balanced: bool = True) -> np.ndarray:
    """Rows of the ``keep`` best scores, ascending; ties go to the earlier image. balanced: every class gives its equal share.

    Where keep is no multiple of the classes, the lowest classes give one more. Raises InputError for more than there are.
    """
    if not 1 <= keep <= len(score):
        raise InputError(f"keep is {keep}: choose 1 to {len(score)}, the images of the set")
    if order not in get_args(Order):
        raise InputError(f"order: {str(order)[:40]!r} is unknown: choose highest or lowest")
    best = np.argsort(-score if order == "highest" else score, kind="stable")
    if not balanced:
        return np.sort(best[:keep])
    classes = np.unique(label)
    quota = np.full(len(classes), keep // len(classes)) + (np.arange(len(classes)) < keep % len(classes))
    parts = [best[label[best] == value][:share] for value, share in zip(classes, quota, strict=True)]
    for value, share, part in zip(classes, quota, parts, strict=True):
        if len(part) < share:
            raise InputError(
                f"keep: class {value} has {len(part)} images where its share of {keep} is {share}: keep fewer, or --no-balanced"
            )
    return np.sort(np.concatenate(parts))


def select(
    name: str, out: str, *, by: Criterion = "separability", keep: int, order: Order = "highest", balanced: bool = True,
    encoder: str = JUDGE, dataset: str = "", seed: int = 0,
) -> SampleSet:  # fmt: skip
    """Save the chosen part of set ``name`` as set ``out`` of the store; its card names parent, criterion and seed."""
    parent = open_set(name)
    score = scores(parent, by, encoder=encoder, dataset=dataset, seed=seed)
    rows = chosen_rows(score, np.asarray(parent.label), keep, order=order, balanced=balanced)
    kept, dropped = score[rows], np.delete(score, rows)
    selection = {
        "by": by, "keep": keep, "order": order, "balanced": balanced, "encoder": None if by == "random" else encoder, "seed": seed,
        "mean_score_kept": float(kept.mean()), "mean_score_dropped": float(dropped.mean()) if len(dropped) else None,
    }  # fmt: skip
    card = {
        "kind": "selected", "dataset": parent.card.get("dataset"), "class_names": list(parent.class_names),
        "source": f"{keep} of {len(parent)} images of {parent.name} by {by}, {order} first", "selection": selection,
        "parent": {"name": parent.name, "count": len(parent), "sha256": _content(parent), "config": parent.card.get("config")},
    }  # fmt: skip
    return stream_set(out, (keep, *parent.image.shape[1:]), _chunks(parent, rows), card, parent.image.dtype)


def _chunks(samples: SampleSet, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        yield samples.image[part], np.asarray(samples.label[part])


def _content(samples: SampleSet) -> str:
    """SHA-256 over images and labels, so that the parent can be told from another of its name."""
    digest = hashlib.sha256()
    for start in range(0, len(samples), _CHUNK):
        digest.update(np.ascontiguousarray(samples.image[start : start + _CHUNK]).tobytes())
        digest.update(np.asarray(samples.label[start : start + _CHUNK], np.int64).tobytes())
    return digest.hexdigest()
