"""Small convolutional classifiers, whose penultimate features are what guidance, judging and
embedding look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """A network that sees images in [0,1], normalised inside, and classifies by one linear layer on
    its features.

    classes: length of its logits; channels: of the images; dim: length of its feature vectors. A
    subclass sets them, builds its layers with ``head`` last, and gives ``features`` and
    ``settings``.
    """

    classes: int
    channels: int
    dim: int
    head: nn.Linear

    @abstractmethod
    def features(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, dim) penultimate features, not normalised to unit
        length."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What its constructor takes besides classes and channels, as JSON holds it."""

    def logits_of(self, features: Tensor) -> Tensor:
        """features: (B, dim) -> (B, classes) logits."""
        return self.head(features)

    def forward(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, classes) logits."""
        return self.logits_of(self.features(image))


def centred(image: Tensor) -> Tensor:
    """[0,1] -> [-2,2], grey to 0: about unit variance, the same for every data set."""
    return (image - 0.5) * 4


class SmallCNN(Classifier):
    """A residual network on space-to-depth input, light enough to differentiate at every sampling
    step.

    No normalisation layers: an image's features never depend on the batch it is in, in either mode.
    SiLU instead of ReLU, because smooth activations give smoother input gradients (Xie 2020, Smooth
    Adversarial Training).
    Images in [0,1], any even size from 8 px; the default widths cost 8.3 M multiply-adds on 1 x 28
    x 28.
    """

    def __init__(
        self,
        classes: int,
        channels: int,
        *,
        widths: tuple[int, ...] = (32, 64, 128),
        blocks: int = 1,
    ) -> None:
        """widths: channels a stage, each at half the side of the one before; blocks: residual
        convolutions a stage."""
        super().__init__()
        self.classes, self.channels, self.widths, self.blocks = (
            classes,
            channels,
            tuple(widths),
            blocks,
        )
        self.dim = widths[-1]
        stages: list[nn.Module] = []
        before = channels * 4
        for i, width in enumerate(widths):
            stages.append(nn.Sequential(_conv(before, width, stride=1 if i == 0 else 2), nn.SiLU()))
            stages += [_Residual(width) for _ in range(blocks)]
            before = width
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(self.dim, classes)

    def features(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1], H and W even -> (B, dim) penultimate features, not normalised
        to unit length."""
        return self.body(F.pixel_unshuffle(centred(image), 2)).mean(dim=(2, 3))

    def settings(self) -> dict[str, Any]:
        """Widths and blocks."""
        return {"widths": list(self.widths), "blocks": self.blocks}


class _Residual(nn.Module):
    """x + SiLU(conv(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.silu(self.conv(x))


def _conv(before: int, after: int, *, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(conv.weight)
    assert conv.bias is not None  # it has one by default
    nn.init.zeros_(conv.bias)
    return conv
