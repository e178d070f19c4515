"""The contrast of one batch: an encoder, a loss, and the positives and negatives it compares
with."""

from __future__ import annotations

from collections import deque

import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.config.generate import CLASS_AWARE, Guidance, negatives_of, positives_of
from cdp.errors import InputError
from cdp.guidance import losses
from cdp.guidance.head import OnlineHead
from cdp.guidance.keys import Bank, Keys, masks
from cdp.models.classifiers import Classifier
from cdp.models.precision import autocast


class Contrast:
    """Per-anchor loss of a batch of images; remembers what its positives and negatives need from
    earlier steps.

    One instance serves one batch from its first step to its last. What it remembers of guided steps
    is features, so an image costs one encoder forward a step (two with augmented positives), and
    one more where it looks back at the step before them.
    """

    def __init__(
        self,
        guidance: Guidance,
        net: Classifier,
        *,
        bank: Bank | None,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """net: images in [0,1] -> ``features`` (B,F), ``logits_of`` (B,F) -> (B,K). bank: real
        features, where asked for."""
        self.guidance, self.net, self.bank, self.dtype = guidance, net, bank, dtype
        self.positives, self.negatives = positives_of(guidance), negatives_of(guidance)
        if (
            bank is None
            and "real" in (self.positives, self.negatives)
            and guidance.loss != "classifier"
        ):
            raise InputError(
                "real images are chosen as positives or negatives, but the data set gave none:"
                " choose another data set"
            )
        self.head: OnlineHead | None = None
        self._seed = seed
        self._stream = torch.Generator().manual_seed(seed)
        self._previous: Tensor | None = None
        self._unseen: tuple[Tensor, Tensor | None] | None = None
        self._memory: deque[tuple[Tensor, Tensor | None]] = deque()

    def __call__(self, image: Tensor, labels: Tensor | None) -> Tensor | None:
        """image: (B,C,H,W) about [0,1]; labels: (B,) or None -> losses (B,) or (2B,) nats; None
        where history is missing."""
        self._look_back()
        features = self._features(image)
        if self.guidance.loss == "classifier":
            return losses.classifier(self.net.logits_of(features), self._known(labels))
        if self.guidance.head and self.head is None:
            g = self.guidance
            self.head = OnlineHead(
                features.shape[1],
                hidden=g.head_hidden,
                out=g.head_out,
                seed=self._seed,
                device=features.device,
            )
        view = self._second_view(image, labels, features)
        memory = self._recall(features)
        self._remember(features.detach(), labels)
        if (self.positives == "previous" and view is None) or (
            self.negatives == "memory" and memory is None
        ):
            return None
        z = self._embed(features)
        if self.guidance.loss in CLASS_AWARE:
            return self._class_aware(z, view, memory, self._known(labels))
        assert view is not None
        return self._label_free(z, view, memory)

    def pass_by(self, image: Tensor, labels: Tensor | None) -> None:
        """An iterate that is not guided. The one before the first guided step belongs to the
        history, so it is kept, and the encoder sees it when that step comes."""
        self._unseen = (image, labels)

    def _look_back(self) -> None:
        if self._unseen is not None:
            image, labels = self._unseen
            self._unseen = None
            with torch.no_grad():
                self._remember(self._features(image), labels)

    def _features(self, image: Tensor) -> Tensor:
        with autocast(image.device, self.dtype):
            return self.net.features(image).float()

    def _embed(self, features: Tensor) -> Tensor:
        return F.normalize(self.head(features) if self.head else features, dim=1)

    def _known(self, labels: Tensor | None) -> Tensor:
        if labels is None:
            raise InputError(
                f"{self.guidance.loss} needs class labels: choose info_nce or hard_negative for"
                " this model"
            )
        return labels

    def _second_view(self, image: Tensor, labels: Tensor | None, features: Tensor) -> Tensor | None:
        """The positive of each anchor, (B,D) unit rows; None where positives are classes, or there
        is no history yet."""
        if self.positives == "previous":
            return None if self._previous is None else self._embed(self._previous)
        if self.positives == "augmented":
            return self._embed(self._features(augment(image, self._stream)))
        if self.positives == "real" and self.guidance.loss in ("info_nce", "hard_negative"):
            return self._embed(self._partners(labels, len(features)))
        return None

    def _partners(self, labels: Tensor | None, count: int) -> Tensor:
        """One real image's features an anchor, of its class where labels are known; drawn anew each
        step from the batch's stream."""
        assert self.bank is not None
        draw = torch.rand(count, len(self.bank.labels), generator=self._stream).to(
            self.bank.features.device
        )
        if labels is not None:
            draw = draw.masked_fill(labels[:, None] != self.bank.labels[None, :], -1.0)
        return self.bank.features[draw.argmax(1)]

    def _recall(self, features: Tensor) -> Keys | None:
        """Features of earlier steps of this batch, newest last, at most bank_size."""
        if self.negatives != "memory" or not self._memory:
            return None
        rows = torch.arange(len(features), device=features.device)
        owner = rows.repeat(len(self._memory))
        known = [labels for _, labels in self._memory if labels is not None]
        keep = slice(max(0, len(owner) - self.guidance.bank_size), None)
        z = self._embed(torch.cat([old for old, _ in self._memory])[keep])
        return Keys(z, torch.cat(known)[keep] if known else None, owner[keep])

    def _remember(self, features: Tensor, labels: Tensor | None) -> None:
        self._previous = features
        if self.negatives == "memory":
            self._memory.append((features, labels))
            while (len(self._memory) - 1) * len(features) >= self.guidance.bank_size:
                self._memory.popleft()

    def _label_free(self, z: Tensor, view: Tensor, memory: Keys | None) -> Tensor:
        g = self.guidance
        if g.loss == "hard_negative":
            return losses.hard_negative(
                z, view, temperature=g.temperature, tau_plus=g.tau_plus, beta=g.beta
            )
        if self.negatives == "batch":
            return losses.info_nce(z, view, temperature=g.temperature)
        rows = torch.arange(len(z), device=z.device)
        if self.negatives == "memory":
            assert memory is not None
            rivals, ignore = memory.z, rows[:, None] == memory.owner[None, :]
        else:
            assert self.bank is not None
            rivals, ignore = self._embed(self.bank.features), None
        return losses.info_nce_bank(z, view, rivals, temperature=g.temperature, ignore=ignore)

    def _class_aware(
        self, z: Tensor, view: Tensor | None, memory: Keys | None, labels: Tensor
    ) -> Tensor:
        g = self.guidance
        rows = torch.arange(len(z), device=z.device)
        batch = [Keys(z, labels, rows, self_view=True)] + (
            [] if view is None else [Keys(view, labels, rows)]
        )
        real = []
        if self.bank is not None:
            nobody = torch.full_like(self.bank.labels, -1)
            real = [Keys(self._embed(self.bank.features), self.bank.labels, nobody)]
        repel = {"batch": batch, "real": real, "memory": [memory] if memory else []}[self.negatives]
        attract = real if self.positives == "real" else batch
        keys, positive, valid = masks(labels, attract, repel)
        if g.loss == "supcon":
            return losses.keyed_contrastive(z, keys, positive, valid, temperature=g.temperature)
        prototypes, classes = class_means(attract, repel)
        if g.loss == "fisher":
            return losses.fisher(z, labels, prototypes, classes)
        return losses.smooth_class_margin(
            z, labels, prototypes, classes, margin=g.margin, temperature=g.temperature
        )


def class_means(attract: list[Keys], repel: list[Keys]) -> tuple[Tensor, Tensor]:
    """Unit mean of every class present, (K,D), and which classes these are, (K,). Constants for the
    gradient."""
    parts = attract + [keys for keys in repel if all(keys is not other for other in attract)]
    z = torch.cat([keys.z for keys in parts]).detach()
    labels = torch.cat([keys.labels for keys in parts if keys.labels is not None])
    present = labels.unique()
    member = (labels[None, :] == present[:, None]).to(z.dtype)
    return F.normalize(member @ z / member.sum(1, keepdim=True), dim=1), present


def augment(image: Tensor, stream: torch.Generator) -> Tensor:
    """Shift by up to 2 px each way and scale contrast by 0.8..1.2, per image: a view of the same
    thing. Differentiable."""
    count, _, height, width = image.shape
    shift = torch.randint(-2, 3, (count, 2), generator=stream)
    contrast = (0.8 + 0.4 * torch.rand(count, 1, 1, 1, generator=stream)).to(image.device)
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate")
    moved = [
        padded[i, :, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
        for i, (dy, dx) in enumerate(shift.tolist())
    ]
    return torch.stack(moved) * contrast
