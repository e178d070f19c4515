"""The contrast of one batch: an encoder, a loss, its positives and its negatives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.config.choices import LOSSES, imported
from cdp.config.generate import Guidance, negatives_of, positives_of
from cdp.errors import InputError
from cdp.guidance import losses
from cdp.models.classifiers import Classifier
from cdp.models.precision import autocast


@dataclass(frozen=True)
class Bank:
    """Real images to contrast with: features (M,F) before any head; labels (M,)."""

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Keys:
    """Rows to compare with. z: (M,D) unit rows; labels: (M,) or None; owner: (M,) the batch row it
    shows, -1 for others; self_view: whether row i is anchor i itself (and so never its own key)."""

    z: Tensor
    labels: Tensor | None
    owner: Tensor
    self_view: bool = False


@dataclass(frozen=True)
class Compared:
    """What a loss has of one batch. settings: those of the guidance. z: (B,D) unit rows, the
    anchors; view: (B,D) unit rows, the positive of each, for losses that compare views; labels:
    (B,) where they are known, as losses that know classes ask for; logits: of the encoder; uniform:
    (B,) one number in [0, 1) an image, the same at every step; attract, repel: keys that pull and
    push, where labels say which do; gradient: what ``robust_gradient`` gives. Where a loss does not
    contrast, z are the features as they are."""

    settings: Guidance
    z: Tensor
    view: Tensor | None
    labels: Tensor | None
    logits: Callable[[], Tensor]
    uniform: Callable[[], Tensor]
    attract: list[Keys] = field(default_factory=list)
    repel: list[Keys] = field(default_factory=list)
    gradient: Tensor | None = None

    def classes(self) -> Tensor:
        """The labels, (B,). Raises InputError where there are none."""
        if self.labels is None:
            raise InputError(
                f"{self.settings.loss} needs class labels: choose info_nce or hard_negative for"
                " this model"
            )
        return self.labels

    def positives(self) -> Tensor:
        """The positive of each anchor, (B,D)."""
        assert self.view is not None  # what compares views is asked only where there are some
        return self.view


def info_nce(compared: Compared) -> Tensor:
    t, view = compared.settings.temperature, compared.positives()
    if negatives_of(compared.settings) == "batch":
        return losses.info_nce(compared.z, view, temperature=t)
    (rivals,) = compared.repel
    itself = torch.arange(len(view), device=view.device)[:, None] == rivals.owner
    return losses.info_nce_bank(compared.z, view, rivals.z, temperature=t, ignore=itself)


def hard_negative(compared: Compared) -> Tensor:
    g = compared.settings
    return losses.hard_negative(
        compared.z,
        compared.positives(),
        temperature=g.temperature,
        tau_plus=g.tau_plus,
        beta=g.beta,
    )


def supcon(compared: Compared) -> Tensor:
    keys, positive, valid = masks(compared.classes(), compared.attract, compared.repel)
    t = compared.settings.temperature
    return losses.keyed_contrastive(compared.z, keys, positive, valid, temperature=t)


def class_margin(compared: Compared) -> Tensor:
    g, labels = compared.settings, compared.classes()
    return losses.smooth_class_margin(
        compared.z, labels, *class_means(compared), margin=g.margin, temperature=g.temperature
    )


def fisher(compared: Compared) -> Tensor:
    return losses.fisher(compared.z, compared.classes(), *class_means(compared))


def classifier(compared: Compared) -> Tensor:
    return losses.classifier(compared.logits(), compared.classes())


def supcon_spread(compared: Compared) -> Tensor:
    g = compared.settings
    near = losses.repulsion(compared.z, compared.classes(), bandwidth=g.bandwidth)
    return supcon(compared) + g.spread * near


def boundary(compared: Compared) -> Tensor:
    g = compared.settings
    target = g.kappa_low + (g.kappa_high - g.kappa_low) * compared.uniform()
    return losses.boundary(compared.logits(), compared.classes(), target)


def uncertainty(compared: Compared) -> Tensor:
    return losses.uncertainty(compared.logits())


def influence(compared: Compared) -> Tensor:
    assert compared.gradient is not None  # as the loss asks for it
    labels = compared.classes()
    return losses.influence(compared.logits(), compared.z, labels, compared.gradient)


def robust_gradient(logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """By class the mean gradient of cross-entropy with respect to the last layer's weights.

    logits: (N, K) and features: (N, F) of attacked real images; labels: (N,) -> (K, K, F): of class
    y the mean over its images of ``(p - e_y) f^T``; 0 for a class without images.
    """
    own = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    slope = logits.softmax(dim=1) - own
    total = torch.einsum("ny,nk,nf->ykf", own, slope, features)
    return total / own.sum(0).clamp_min(1)[:, None, None]


class Contrast:
    """Per-anchor loss of a batch of images. One instance serves one batch from its first step to
    its last and remembers features of earlier steps, so an image costs one encoder forward a step,
    two with augmented positives."""

    def __init__(
        self,
        guidance: Guidance,
        net: Classifier,
        *,
        bank: Bank | None,
        seed: int,
        dtype: torch.dtype = torch.float32,
        gradient: Tensor | None = None,
    ) -> None:
        """net: ``features`` (B,F) and ``logits_of`` (B,K) of images; bank, and gradient of
        ``robust_gradient``: where asked for."""
        self.guidance, self.net, self.bank, self.dtype = guidance, net, bank, dtype
        self.gradient = gradient
        self.loss = LOSSES[guidance.loss]
        self._compute: Callable[[Compared], Tensor] = imported(self.loss.of)
        self.positives, self.negatives = positives_of(guidance), negatives_of(guidance)
        wants_real = "real" in (self.positives, self.negatives) and self.loss.contrasts
        if bank is None and wants_real:
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
        """image (B,C,H,W) -> losses (B,) or (2B,) nats; None where history is missing."""
        self._look_back()
        features = self._features(image)
        logits = partial(self.net.logits_of, features)
        uniform = partial(self._uniform, features)
        if not self.loss.contrasts:
            return self._compute(
                Compared(
                    self.guidance, features, None, labels, logits, uniform, gradient=self.gradient
                )
            )
        if self.guidance.head and self.head is None:
            self.head = OnlineHead(
                features.shape[1],
                hidden=self.guidance.head_hidden,
                out=self.guidance.head_out,
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
        rows = torch.arange(len(z), device=z.device)
        batch = [Keys(z, labels, rows, self_view=True)]
        if view is not None:
            batch.append(Keys(view, labels, rows))
        groups = {"batch": batch, "real": self._real(), "memory": [memory] if memory else []}
        attract, repel = (
            groups["real" if self.positives == "real" else "batch"],
            groups[self.negatives],
        )
        return self._compute(
            Compared(self.guidance, z, view, labels, logits, uniform, attract, repel)
        )

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

    def _uniform(self, like: Tensor) -> Tensor:
        """One number an image, the same at every step, as it comes from the seed alone."""
        stream = torch.Generator().manual_seed(self._seed)
        return torch.rand(len(like), generator=stream).to(like)

    def _embed(self, features: Tensor) -> Tensor:
        return F.normalize(self.head(features) if self.head else features, dim=1)

    def _real(self) -> list[Keys]:
        if self.bank is None or "real" not in (self.positives, self.negatives):
            return []
        nobody = torch.full_like(self.bank.labels, -1)
        return [Keys(self._embed(self.bank.features), self.bank.labels, nobody)]

    def _second_view(self, image: Tensor, labels: Tensor | None, features: Tensor) -> Tensor | None:
        """The positive of each anchor, (B,D); None where there is none (yet)."""
        if self.positives == "previous":
            return None if self._previous is None else self._embed(self._previous)
        if self.positives == "augmented":
            return self._embed(self._features(augment(image, self._stream)))
        if self.positives == "real" and self.loss.compares == "views":
            return self._embed(self._partners(labels, len(features)))
        return None

    def _partners(self, labels: Tensor | None, count: int) -> Tensor:
        """One real image's features an anchor, of its class where known; drawn anew each step."""
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


def masks(labels: Tensor, attract: list[Keys], repel: list[Keys]) -> tuple[Tensor, Tensor, Tensor]:
    """The union of key sets: same class in ``attract`` pulls, other classes in ``repel`` push.
    labels: (B,) -> keys (M,D), positive (B,M), valid (B,M). Raises InputError where none pulls or
    pushes."""
    positive, negative = [], []
    parts = _union(attract, repel)
    for keys in parts:
        assert keys.labels is not None  # as the anchors have some
        same = labels[:, None] == keys.labels[None, :]
        usable = torch.ones_like(same)
        if keys.self_view:
            usable.fill_diagonal_(False)
        positive.append(same & usable & any(keys is member for member in attract))
        negative.append(~same & any(keys is member for member in repel))
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


def class_means(compared: Compared) -> tuple[Tensor, Tensor]:
    """Unit mean of every class present, (K,D), and which classes these are, (K,). Constants for the
    gradient. Raises InputError where ``masks`` does."""
    attract, repel = compared.attract, compared.repel
    masks(compared.classes(), attract, repel)
    parts = _union(attract, repel)
    z = torch.cat([keys.z for keys in parts]).detach()
    labels = torch.cat([keys.labels for keys in parts if keys.labels is not None])
    present = labels.unique()
    member = (labels[None, :] == present[:, None]).to(z.dtype)
    return F.normalize(member @ z / member.sum(1, keepdim=True), dim=1), present


def _union(attract: list[Keys], repel: list[Keys]) -> list[Keys]:
    return attract + [keys for keys in repel if all(keys is not other for other in attract)]


def augment(image: Tensor, stream: torch.Generator) -> Tensor:
    """Shift by up to 2 px and scale contrast by 0.8..1.2, per image. Differentiable."""
    count, _, height, width = image.shape
    shift = torch.randint(-2, 3, (count, 2), generator=stream)
    contrast = (0.8 + 0.4 * torch.rand(count, 1, 1, 1, generator=stream)).to(image.device)
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate")
    moved = [
        padded[i, :, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
        for i, (dy, dx) in enumerate(shift.tolist())
    ]
    return torch.stack(moved) * contrast


class OnlineHead(nn.Module):
    """The published online projection head: random, and trained by one Adam step (1e-2) a guidance
    call, as in the authors' code. A new one starts with every batch, from a seed of its own, as
    torch makes it by default after ``torch.manual_seed(seed)``."""

    def __init__(self, dim: int, *, hidden: int, out: int, seed: int, device: torch.device) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(seed)
        self.layers = nn.Sequential(
            _linear(dim, hidden, stream), nn.ReLU(), _linear(hidden, out, stream)
        ).to(device)
        self._optimiser = torch.optim.Adam(self.parameters(), lr=1e-2)

    def forward(self, features: Tensor) -> Tensor:
        """(B,dim) -> (B,out)."""
        return self.layers(features)

    def learn(self, gradients: Sequence[Tensor]) -> None:
        """One optimiser step with gradients in the order of ``parameters()``."""
        for parameter, gradient in zip(self.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)


def _linear(inputs: int, outputs: int, stream: torch.Generator) -> nn.Linear:
    """torch's default: weights and biases uniform in +-1/sqrt(inputs)."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=stream)
    nn.init.uniform_(layer.bias, -(inputs**-0.5), inputs**-0.5, generator=stream)
    return layer
