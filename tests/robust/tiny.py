"""Three classes of brightness with a little noise."""

from __future__ import annotations

import numpy as np
from torch import nn

from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.data.training import Pool, TrainingData
from cdp.models.classifiers import SmallCNN, build_classifier

CLASSES = 3
LEVELS = np.array([40, 120, 220], np.uint8)


def images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(count,8,8,1) uint8 and (count,) int64."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % CLASSES
    return (LEVELS[label][:, None, None, None] + rng.integers(-9, 10, (count, 8, 8, 1))).astype(
        np.uint8
    ), label


def data(real: int = 48, synthetic: int = 40, validation: int = 30) -> TrainingData:
    """Pools of that many images each; None where 0."""
    pools = [
        Pool([images(count, seed)]) if count else None
        for seed, count in ((0, real), (1, synthetic))
    ]
    image, label = images(validation, 2)
    return TrainingData(pools[0], pools[1], image, label, CLASSES)


def config(**change: object) -> TrainConfig:
    """Two epochs of six steps each, in fp32: 8 of 16 images are synthetic."""
    settings = {"dataset": "tiny", "epochs": 2, "validate_every": "1 epoch", "batch": 16}
    settings |= {"fraction": 0.5, "synthetic": ["made"], "attack_steps": 2, "validation_steps": 2}
    settings |= {"epsilon": 0.05, "precision": "fp32"}
    return parse(TrainConfig, settings | change)


def fitted(net: nn.Module, count: int, seed: int, *, steps: int, rate: float) -> nn.Module:
    """The network after plain steps on ``count`` images, in eval mode."""
    import torch

    image, label = images(count, seed)
    x, y = torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(label)
    optimiser = torch.optim.Adam(net.parameters(), rate)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net.eval()


def classifier(seed: int = 0) -> nn.Module:
    """A small CNN that knows the three classes."""
    net = build_classifier("small-cnn", classes=CLASSES, shape=(1, 8, 8), seed=seed)
    return fitted(net, 120, 1 + seed, steps=30, rate=3e-3)


def network() -> nn.Module:
    """The same first weights at every call."""
    import torch

    torch.manual_seed(0)
    return SmallCNN(CLASSES, 1, widths=(8, 8))


class Normalised(nn.Module):
    """A network with BatchNorm and dropout, whose modes show."""

    def __init__(self) -> None:
        import torch

        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2),
            nn.BatchNorm2d(6),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(54, CLASSES),
        )

    def forward(self, x):
        return self.body(x)
