"""Guidance losses that know the classes; import them from cdp.guidance.losses."""

from __future__ import annotations

import torch
from torch import Tensor

from cdp.errors import InputError
from cdp.guidance.checks import (
    check_classes,
    check_labels,
    check_number,
    check_rivals,
    check_rows,
    check_temperature,
)
from cdp.guidance.logspace import l_out, versus


def supervised_contrastive(query: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """SupCon per anchor within the batch (Khosla 2020, Eq. 2, "L_out").

    query: (B, D) unit rows, B >= 2; labels: (B,) class numbers -> (B,) nats: with ``P(i)`` the
    other rows of i's class, ``-mean over p in P(i) of log softmax_a(q_i . q_a / temperature)`` at
    ``p``, over all ``a != i``.
    An anchor whose class has no other row gets 0, as in pytorch-metric-learning (L_out divides by
    |P(i)| = 0 there); it is still repelled through the losses of the others. Where no class
    repeats, every value and gradient is 0. Raises InputError on mismatched shapes, a batch of 1, or
    a temperature that is not positive.
    """
    check_rows("query", query)
    check_labels("labels", labels, len(query))
    check_rivals(len(query))
    check_temperature(temperature)
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(query), dtype=torch.bool, device=query.device)
    return l_out(query @ query.T / temperature, same & ~itself, ~same)


def supervised_contrastive_keys(
    query: Tensor, labels: Tensor, keys: Tensor, key_labels: Tensor, *, temperature: float
) -> Tensor:
    """SupCon per anchor against keys of known class: real images, the previous iterate, a memory
    bank.

    query: (B, D) unit rows; labels: (B,); keys: (M, D) unit rows, M >= 1; key_labels: (M,) -> (B,)
    nats: L_out as in ``supervised_contrastive`` with the keys in place of the other rows. 0 where
    no key is of the anchor's class. Raises InputError on mismatched shapes, no keys, or a
    temperature that is not positive.
    """
    check_rows("query", query)
    check_rows("keys", keys, query)
    check_labels("labels", labels, len(query))
    check_labels("key_labels", key_labels, len(keys))
    check_temperature(temperature)
    if not len(keys):
        raise InputError(
            "there are no keys to compare with: fill the bank first, or compare within the batch"
        )
    same = labels[:, None] == key_labels[None, :]
    return l_out(query @ keys.T / temperature, same, ~same)


def class_margin(
    query: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    classes: Tensor | None = None,
    *,
    margin: float,
) -> Tensor:
    """Hinge on the cosine margin between the own and the nearest other class.

    query: (B, D) unit rows; labels: (B,); prototypes: (K, D) unit rows, K >= 2; classes: (K,) the
    class each stands for, 0..K-1 where not given -> (B,), in units of cosine:
    ``max(0, margin - (q . m_y - max over c != y of q . m_c))`` (Crammer and Singer 2001, on
    cosines).
    Flat once the margin is reached, and it sees one rival at a time: ``smooth_class_margin`` steers
    more steadily. Raises InputError on mismatched shapes, a label without its one prototype, one
    class, or a negative margin.
    """
    own, others = _own_and_others(query, labels, prototypes, classes)
    check_number("margin", margin, low=0)
    return (margin - own + others.amax(dim=1)).clamp_min(0)


def smooth_class_margin(
    query: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    classes: Tensor | None = None,
    *,
    margin: float,
    temperature: float,
) -> Tensor:
    """``class_margin`` with soft maxima: temperature times additive-margin softmax (Wang 2018,
    CosFace, Eq. 4).

    Arguments and errors as in ``class_margin``, and temperature > 0 -> (B,), in units of cosine:
    ``t * log(1 + sum over c != y of exp((margin - q . m_y + q . m_c) / t))``, which lies between
    the hinge and the hinge + t * log K. All rivals count, and there is always a direction to go.
    """
    own, others = _own_and_others(query, labels, prototypes, classes)
    check_number("margin", margin, low=0)
    check_temperature(temperature)
    return temperature * versus(
        (own - margin) / temperature, (others / temperature).logsumexp(dim=1)
    )


def fisher(
    query: Tensor, labels: Tensor, prototypes: Tensor, classes: Tensor | None = None
) -> Tensor:
    """Fisher's criterion one image at a time: squared distance to the own class mean over the mean
    to all class means.

    Arguments and errors as in ``class_margin`` -> (B,) without unit, in 0..K: ``|q - m_y|^2 /
    mean_c |q - m_c|^2``; 0 at the own mean, 1 where all are equally far. Our own form, for
    comparison.
    """
    mine = _membership(query, labels, prototypes, classes)
    squared = (query[:, None, :] - prototypes[None, :, :]).square().sum(dim=2)
    # The floor only matters where query and all prototypes coincide; there the value and gradient
    # are 0.
    return torch.where(mine, squared, 0.0).sum(dim=1) / squared.mean(dim=1).clamp_min(
        torch.finfo(query.dtype).eps
    )


def classifier(logits: Tensor, labels: Tensor) -> Tensor:
    """Classifier guidance: cross-entropy per image (Dhariwal and Nichol 2021, Sec. 4).

    logits: (B, K), K >= 2; labels: (B,) in 0..K-1 -> (B,) nats: ``-log softmax(logits)_y``.
    Raises InputError on mismatched shapes, a label out of range, or one class.
    """
    check_rows("logits", logits)
    check_classes(logits.shape[1])
    own, others = _split(
        logits, _one_hot(labels, len(logits), torch.arange(logits.shape[1], device=logits.device))
    )
    return versus(own, others.logsumexp(dim=1))


def _own_and_others(
    query: Tensor, labels: Tensor, prototypes: Tensor, classes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Cosines to the own prototype (B,), and to all of them (B, K) with the own one at -inf."""
    mine = _membership(query, labels, prototypes, classes)
    return _split(query @ prototypes.T, mine)


def _membership(
    query: Tensor, labels: Tensor, prototypes: Tensor, classes: Tensor | None
) -> Tensor:
    """(B, K) bool: which prototype is the anchor's own."""
    check_rows("query", query)
    check_rows("prototypes", prototypes, query)
    check_classes(len(prototypes))
    if classes is None:
        classes = torch.arange(len(prototypes), device=query.device)
    check_labels("classes", classes, len(prototypes))
    return _one_hot(labels, len(query), classes)


def _one_hot(labels: Tensor, count: int, classes: Tensor) -> Tensor:
    check_labels("labels", labels, count)
    mine = labels[:, None] == classes[None, :]
    lost = (mine.sum(dim=1) != 1).nonzero().flatten().tolist()
    if lost:
        raise InputError(
            f"label {int(labels[lost[0]])} is not one of the {len(classes)} classes: use each class"
            " exactly once"
        )
    return mine


def _split(scores: Tensor, mine: Tensor) -> tuple[Tensor, Tensor]:
    """scores, mine: (B, K) -> the score of the own class (B,), and all of them (B, K) with that one
    at -inf."""
    return torch.where(mine, scores, 0.0).sum(dim=1), scores.masked_fill(mine, -torch.inf)
