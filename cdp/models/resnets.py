"""The residual networks of the robustness literature, for images of about 32 px, written from their
papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.models.classifiers import Classifier, centred

Activation = Callable[[Tensor], Tensor]


class PreActResNet(Classifier):
    """A pre-activation residual network with ReLU (He 2016, Identity Mappings in Deep Residual
    Networks).

    The defaults are PreActResNet-18: 3x3 stem, four stages of two blocks, 11.2 M parameters, 512
    features. Images in [0,1], any sides from 8 px. BatchNorm: in training mode an image's features
    depend on the batch it is in.
    """

    def __init__(
        self,
        classes: int,
        channels: int,
        *,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        blocks: int = 2,
    ) -> None:
        """widths: channels a stage, each at half the side of the one before; blocks: residual
        blocks a stage."""
        super().__init__()
        self.classes, self.channels, self.widths, self.blocks = (
            classes,
            channels,
            tuple(widths),
            blocks,
        )
        self.dim = widths[-1]
        self.trunk = _Trunk(channels, widths[0], self.widths, blocks, F.relu)
        self.head = _head(self.dim, classes)

    def features(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, dim) pooled features, all at least 0."""
        return self.trunk(centred(image))

    def settings(self) -> dict[str, Any]:
        """Widths and blocks."""
        return {"widths": list(self.widths), "blocks": self.blocks}


class WideResNet(Classifier):
    """A wide residual network (Zagoruyko and Komodakis 2016, Table 1) with SiLU, also called Swish,
    in place of ReLU.

    The defaults are WRN-28-10: three stages of four blocks, 36.5 M parameters, 640 features. No
    dropout. Images in [0,1], any sides from 8 px. BatchNorm: in training mode an image's features
    depend on the batch it is in.
    """

    def __init__(self, classes: int, channels: int, *, depth: int = 28, width: int = 10) -> None:
        """depth: 6 n + 4 for n blocks a stage; width: the paper's k, stages have 16 k, 32 k and 64
        k channels."""
        if depth < 10 or (depth - 4) % 6:
            raise InputError(
                f"depth {depth} is not 6 n + 4: choose 10, 16, 22, 28 or more in steps of 6"
            )
        super().__init__()
        self.classes, self.channels, self.depth, self.width = classes, channels, depth, width
        self.dim = 64 * width
        self.trunk = _Trunk(
            channels, 16, (16 * width, 32 * width, 64 * width), (depth - 4) // 6, F.silu
        )
        self.head = _head(self.dim, classes)

    def features(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, dim) pooled features."""
        return self.trunk(centred(image))

    def settings(self) -> dict[str, Any]:
        """Depth and width."""
        return {"depth": self.depth, "width": self.width}


class _Trunk(nn.Module):
    """Stem, stages of residual blocks, a last normalisation and activation, and the mean over all
    places."""

    def __init__(
        self, channels: int, stem: int, widths: tuple[int, ...], blocks: int, activation: Activation
    ) -> None:
        super().__init__()
        self.activation = activation
        self.stem = _conv(channels, stem, 3)
        made: list[nn.Module] = []
        before = stem
        for stage, width in enumerate(widths):
            for block in range(blocks):
                made.append(
                    _Block(
                        before, width, stride=2 if stage and not block else 1, activation=activation
                    )
                )
                before = width
        self.blocks = nn.Sequential(*made)
        self.norm = nn.BatchNorm2d(before)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.blocks(self.stem(x)))).mean(dim=(2, 3))


class _Block(nn.Module):
    """x + F(x) with F = conv, act, norm, conv on the activated input (He 2016, Fig. 1b).

    Where the shape changes, a 1x1 convolution of the activated input stands for x.
    """

    def __init__(self, before: int, after: int, *, stride: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.norm1, self.conv1 = nn.BatchNorm2d(before), _conv(before, after, 3, stride=stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(after), _conv(after, after, 3)
        self.shortcut = (
            _conv(before, after, 1, stride=stride) if stride > 1 or before != after else None
        )

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activation(self.norm1(x))
        skipped = x if self.shortcut is None else self.shortcut(activated)
        return skipped + self.conv2(self.activation(self.norm2(self.conv1(activated))))


def _conv(before: int, after: int, size: int, *, stride: int = 1) -> nn.Conv2d:
    """Without a bias, which the normalisation after it would take away again."""
    conv = nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _head(dim: int, classes: int) -> nn.Linear:
    head = nn.Linear(dim, classes)
    nn.init.zeros_(head.bias)
    return head
