"""Classifiers, whose penultimate features are what guidance, judging and embedding look at: the
small convolutional network, the residual networks of the robustness literature, written from their
papers for images of about 32 px, and how each is built by name or by its card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.config.choices import ARCHITECTURES, imported
from cdp.errors import InputError
from cdp.models.checkpoints import Rule, list_of, whole

LEAST_SIDE = 8
MAX_CLASSES, MAX_CHANNELS = 1000, 4

Activation = Callable[[Tensor], Tensor]


_WIDTHS = list_of(whole(1, 1024), 5)


class Classifier(nn.Module, ABC):
    """A network that sees images in [0,1], normalised inside, and classifies by one linear layer on
    its features.

    classes: length of its logits; channels: of the images; dim: length of its feature vectors. A
    subclass sets them, builds its layers with ``head`` last, and gives ``features``, and in
    ``LIMITS`` what its constructor takes besides classes and channels, with a check of each.
    """

    LIMITS: ClassVar[Mapping[str, Rule]]
    classes: int
    channels: int
    dim: int
    head: nn.Linear

    @abstractmethod
    def features(self, image: Tensor) -> Tensor:
        """image (B,C,H,W) in [0,1] -> (B, dim) penultimate features, not of unit length."""

    def settings(self) -> dict[str, Any]:
        """What its constructor takes besides classes and channels, as JSON holds it."""
        values = {name: getattr(self, name) for name in self.LIMITS}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    def logits_of(self, features: Tensor) -> Tensor:
        """features: (B, dim) -> (B, classes) logits."""
        return self.head(features)

    def forward(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, classes) logits."""
        return self.logits_of(self.features(image))


def centred(image: Tensor) -> Tensor:
    """[0,1] -> [-2,2], grey to 0: about unit variance, the same for every data set."""
    return (image - 0.5) * 4


def mean_over_positions(x: Tensor) -> Tensor:
    """(B,C,H,W) -> (B,C). The same numbers as ``mean``, whose gradient is laid out channels first
    whatever x is, so that every layer before it works across two layouts."""
    return x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])


class SmallCNN(Classifier):
    """A residual network on space-to-depth input, light enough to differentiate at every sampling
    step.

    No normalisation layers: an image's features never depend on the batch it is in, in either mode.
    SiLU instead of ReLU, because smooth activations give smoother input gradients (Xie 2020, Smooth
    Adversarial Training).
    Images in [0,1], any even size from 8 px; the default widths cost 8.3 M multiply-adds on 1 x 28
    x 28.
    """

    LIMITS: ClassVar = {"widths": _WIDTHS, "blocks": whole(0, 16)}

    def __init__(
        self,
        classes: int,
        channels: int,
        *,
        widths: tuple[int, ...] = (32, 64, 128),
        blocks: int = 1,
    ) -> None:
        """widths: channels a stage, each at half the side; blocks: residual ones a stage."""
        super().__init__()
        self.classes, self.channels = classes, channels
        self.widths, self.blocks = tuple(widths), blocks
        self.dim = widths[-1]
        stages: list[nn.Module] = []
        before = channels * 4
        for i, width in enumerate(widths):
            stages.append(
                nn.Sequential(_biased(before, width, stride=1 if i == 0 else 2), nn.SiLU())
            )
            stages += [_Residual(width) for _ in range(blocks)]
            before = width
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(self.dim, classes)

    def features(self, image: Tensor) -> Tensor:
        """As ``Classifier.features``; H and W are even."""
        return mean_over_positions(self.body(F.pixel_unshuffle(centred(image), 2)))


class _Residual(nn.Module):
    """x + SiLU(conv(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _biased(width, width, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.silu(self.conv(x))


def _kaiming(weight: Tensor, **options: Any) -> None:
    """Drawn at random; not where there is no memory, as that would import torch._dynamo, which
    takes longer than all the rest of loading a network."""
    if not weight.is_meta:
        nn.init.kaiming_normal_(weight, **options)


def _biased(before: int, after: int, *, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1)
    _kaiming(conv.weight)
    assert conv.bias is not None  # it has one by default
    nn.init.zeros_(conv.bias)
    return conv


# ---- Residual networks ----


class PreActResNet(Classifier):
    """A pre-activation residual network with ReLU (He 2016, Identity Mappings in Deep Residual
    Networks).

    The defaults are PreActResNet-18: 3x3 stem, four stages of two blocks, 11.2 M parameters, 512
    features. Images in [0,1], any sides from 8 px. BatchNorm: in training mode an image's features
    depend on the batch it is in.
    """

    LIMITS: ClassVar = {"widths": _WIDTHS, "blocks": whole(1, 16)}

    def __init__(
        self,
        classes: int,
        channels: int,
        *,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        blocks: int = 2,
    ) -> None:
        """widths: channels a stage, each at half the side; blocks: residual ones a stage."""
        super().__init__()
        self.classes, self.channels = classes, channels
        self.widths, self.blocks = tuple(widths), blocks
        self.dim = widths[-1]
        self.trunk = _Trunk(channels, widths[0], self.widths, blocks, F.relu)
        self.head = _head(self.dim, classes)

    def features(self, image: Tensor) -> Tensor:
        """image: (B,C,H,W) in [0,1] -> (B, dim) pooled features, all at least 0."""
        return self.trunk(centred(image))


class WideResNet(Classifier):
    """A wide residual network (Zagoruyko and Komodakis 2016, Table 1) with SiLU, also called Swish,
    in place of ReLU.

    The defaults are WRN-28-10: three stages of four blocks, 36.5 M parameters, 640 features. No
    dropout. Images in [0,1], any sides from 8 px. BatchNorm: in training mode an image's features
    depend on the batch it is in.
    """

    LIMITS: ClassVar = {
        "depth": (lambda v: type(v) is int and v in range(10, 101, 6), "6 n + 4, from 10 to 100"),
        "width": whole(1, 20),
    }

    def __init__(self, classes: int, channels: int, *, depth: int = 28, width: int = 10) -> None:
        """depth: 6 n + 4 for n blocks a stage; width: the paper's k, 16 k to 64 k channels."""
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


class _Trunk(nn.Module):
    """Stem, stages of residual blocks, a last normalisation and activation, and the mean."""

    def __init__(
        self, channels: int, stem: int, widths: tuple[int, ...], blocks: int, activation: Activation
    ) -> None:
        super().__init__()
        self.activation = activation
        self.stem = _conv(channels, stem, 3)
        stages: list[nn.Module] = []
        before = stem
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stages.append(
                    _Block(
                        before, width, stride=2 if stage and not block else 1, activation=activation
                    )
                )
                before = width
        self.blocks = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(before)

    def forward(self, x: Tensor) -> Tensor:
        return mean_over_positions(self.activation(self.norm(self.blocks(self.stem(x)))))


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
    _kaiming(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _head(dim: int, classes: int) -> nn.Linear:
    head = nn.Linear(dim, classes)
    nn.init.zeros_(head.bias)
    return head


# ---- By name, and by card ----


def build_classifier(
    name: str, *, classes: int, shape: tuple[int, int, int], seed: int
) -> Classifier:
    """The network of that name for images of ``shape`` (C,H,W), on the CPU, in training mode, its
    first weights a function of the seed. Raises InputError for what it does not take."""
    if name not in ARCHITECTURES:
        raise InputError(
            f"architecture {name!r} is unknown: choose one of {', '.join(ARCHITECTURES)}"
        )
    chosen = ARCHITECTURES[name]
    channels, *sides = shape
    if min(sides) < LEAST_SIDE or any(side % chosen.side for side in sides):
        takes = f"{'even ' if chosen.side == 2 else ''}sides from {LEAST_SIDE} px"
        raise InputError(
            f"{name} takes images with {takes}, not {sides[0]} x {sides[1]}: choose another"
            " architecture or resize the images"
        )
    if not 1 <= channels <= MAX_CHANNELS or not 1 <= classes <= MAX_CLASSES:
        limits = f"1 to {MAX_CHANNELS} channels and 1 to {MAX_CLASSES} classes"
        raise InputError(
            f"{name} takes {limits}, not {channels} and {classes}: choose another data set"
        )
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the GPUs' streams as well.
        torch.default_generator.manual_seed(seed)
        net: Classifier = imported(chosen.build)(classes, channels, **chosen.settings)
        return net


_COMMON: dict[str, Rule] = {"classes": whole(1, MAX_CLASSES), "channels": whole(1, MAX_CHANNELS)}


def _families() -> dict[str, type[Classifier]]:
    """The classes behind the architectures, by the name on a card."""
    families: list[type[Classifier]] = [
        imported(architecture.build) for architecture in ARCHITECTURES.values()
    ]
    return {family.__name__: family for family in families}


def describe(net: Classifier) -> dict[str, Any]:
    """What ``build_described`` needs to build the network again, as JSON holds it."""
    name, families = type(net).__name__, _families()
    if name not in families:
        raise InputError(
            f"a {name} cannot be described: give one of {', '.join(families)}, as it was before"
            " torch.compile"
        )
    return {"name": name, "classes": net.classes, "channels": net.channels, **net.settings()}


def build_described(architecture: Any, where: Path) -> Classifier:
    """The network of a card's ``architecture``, with random weights. where: the card. Raises
    InputError that names the first field that cannot be used. The largest network allowed costs
    gigabytes: build it under ``torch.device("meta")`` first."""
    name = architecture.get("name") if isinstance(architecture, dict) else None
    remedy, families = "use the card saved with the weights", _families()
    if not isinstance(name, str) or name not in families:
        raise InputError(
            f"{where}: 'architecture' must have the name {' or '.join(families)} (given:"
            f" {str(name)[:40]!r}): {remedy}"
        )
    checks = {**_COMMON, **families[name].LIMITS}
    settings = {key: value for key, value in architecture.items() if key != "name"}
    if settings.keys() != checks.keys():
        raise InputError(
            f"{where}: 'architecture' of a {name} must have exactly name, {', '.join(checks)}:"
            f" {remedy}"
        )
    for key, (holds, must) in checks.items():
        if not holds(settings[key]):
            raise InputError(
                f"{where}: architecture {key} must be {must} (given: {str(settings[key])[:60]!r})"
            )
    return families[name](**settings)
