"""How close a set is to real images: what a judge says, what a classifier learns from it, and how
the two clouds overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch

from benchmarks.results import Figure, Target
from cdp.config.pretrain import EncoderConfig
from cdp.embedding.distances import frechet_distance
from cdp.embedding.intervals import agreement
from cdp.embedding.neighbours import fidelity
from cdp.models.classifiers import SmallCNN
from cdp.models.precision import pick_device
from cdp.robust.training import encoder_trainer
from cdp.robust.validation import accuracy
from cdp.statistics.shares import wilson
from cdp.values.types import Interval, Split


def agreement_figures(
    predicted: np.ndarray, label: np.ndarray, real_predicted: np.ndarray, real_label: np.ndarray
) -> list[Figure]:
    """The judge on the samples, on real test images, and the difference, which should lie within 2
    points."""
    mine, real = agreement(predicted, label), agreement(real_predicted, np.asarray(real_label))
    return [
        Figure.of_interval("judge agrees with the conditioning label", mine, "%", key="agreement"),
        Figure.of_interval("judge's accuracy on real test images", real, "%", key="judge_accuracy"),
        Figure.of_interval(
            "difference",
            share_difference(mine, real),
            "points",
            Target("within", 2),
            key="agreement_difference",
        ),
    ]


def share_difference(first: Interval, second: Interval) -> Interval:
    """Difference of two independent shares, each with its Wilson interval (Newcombe 1998, method
    10)."""
    gap = first.value - second.value
    low = gap - math.hypot(first.value - first.low, second.high - second.value)
    high = gap + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(gap, low, high, min(first.n, second.n), first.level)


def classifier_figures(
    image: np.ndarray,
    label: np.ndarray,
    real_image: np.ndarray,
    real_label: np.ndarray,
    test: Split,
    *,
    epochs: int,
) -> list[Figure]:
    """Test accuracy of a classifier that saw only the samples, and of the same one trained on as
    many real images."""
    rows = np.arange(min(len(label), len(real_label)))
    on_samples = tested(
        train_classifier(image, label, classes=len(test.info.classes), epochs=epochs), test
    )
    on_real = tested(
        train_classifier(
            real_image[rows], real_label[rows], classes=len(test.info.classes), epochs=epochs
        ),
        test,
    )
    return [
        Figure.of_interval(
            "real test accuracy, classifier trained on the samples only",
            on_samples,
            "%",
            Target(">=", 82),
            key="trained_on_samples",
        ),
        Figure.of_interval(
            f"real: the same classifier trained on {len(rows):,} real images",
            on_real,
            "%",
            key="trained_on_real",
        ),
    ]


def train_classifier(
    image: np.ndarray, label: np.ndarray, *, classes: int, epochs: int, seed: int = 0
) -> SmallCNN:
    """A SmallCNN on (N,H,W,C) uint8 images and (N,) labels by the encoders' own trainer: averaged
    weights of the last step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallCNN(classes, image.shape[3]).to(pick_device())
    trainer = encoder_trainer(
        net,
        image,
        label,
        EncoderConfig(seed=seed, epochs=epochs, flip=True),
        epsilon=0.0,
    )
    while trainer.step < trainer.total:
        trainer.advance()
    net.load_state_dict(trainer.average.state_dict())
    return net.eval()


def tested(net: SmallCNN, test: Split) -> Interval:
    """Accuracy on the test split."""
    share = accuracy(net, lambda x, y, generator: x, test.image, test.label, seed=0)
    return wilson(round(share * len(test)), len(test))


def distribution_figures(mine: np.ndarray, test: np.ndarray, train: np.ndarray) -> list[Figure]:
    """Features (n, d) of samples and of real training images, each against real test images at the
    same n."""
    n = min(len(mine), len(test), len(train))
    return [
        figure
        for name, key, rows in (("samples", "", mine[:n]), ("real", "real_", train[:n]))
        for figure in _against(test[:n], rows, name, key)
    ]


def _against(test: np.ndarray, rows: np.ndarray, name: str, key: str) -> Iterable[Figure]:
    yield Figure(
        f"{name}: Frechet distance", frechet_distance(rows, test), n=len(rows), key=f"{key}frechet"
    )
    for figure, found in fidelity(test, rows).items():
        unit = "" if figure == "density" else "%"
        yield Figure.of_interval(f"{name}: {figure}", found, unit, key=f"{key}{figure}")
