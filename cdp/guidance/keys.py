"""Keys to contrast with: where positives and negatives come from, and who attracts and who repels
whom."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cdp.errors import InputError


@dataclass(frozen=True)
class Keys:
    """Rows to compare with. z: (M,D) unit rows; labels: (M,) or None; owner: (M,) the batch row it
    shows, -1 for others; self_view: whether row i is anchor i itself (and so never its own key)."""

    z: Tensor
    labels: Tensor | None
    owner: Tensor
    self_view: bool = False


@dataclass(frozen=True)
class Bank:
    """Real images to contrast with. features: (M,F) of the encoder, before any head; labels:
    (M,)."""

    features: Tensor
    labels: Tensor


def masks(labels: Tensor, attract: list[Keys], repel: list[Keys]) -> tuple[Tensor, Tensor, Tensor]:
    """The union of key sets with masks: same class in ``attract`` pulls, other classes in ``repel``
    push.

    labels: (B,) of the anchors -> keys (M,D), positive (B,M), valid (B,M).
    Raises InputError where no anchor has a positive, or none has a negative.
    """
    parts = attract + [keys for keys in repel if all(keys is not other for other in attract)]
    positive, negative = [], []
    for keys in parts:
        if keys.labels is None:
            raise InputError(
                "class-aware losses need class labels: choose info_nce or hard_negative for this"
                " model"
            )
        same = labels[:, None] == keys.labels[None, :]
        usable = torch.ones_like(same)
        if keys.self_view:
            usable.fill_diagonal_(False)
        positive.append(same & usable & _among(keys, attract))
        negative.append(~same & _among(keys, repel))
    pulls, pushes = torch.cat(positive, 1), torch.cat(negative, 1)
    if not bool(pulls.any()):
        raise InputError(
            "positives: no image of the batch has another of its class: raise the batch, or choose"
            " positives 'real'"
        )
    if not bool(pushes.any()):
        raise InputError(
            "negatives: all images of the batch are of one class: choose more classes, or negatives"
            " 'real'"
        )
    return torch.cat([keys.z for keys in parts]), pulls, pulls | pushes


def _among(keys: Keys, group: list[Keys]) -> bool:
    return any(keys is other for other in group)
