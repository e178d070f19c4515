"""A small data set with classifiers for the attack lab: three classes of brightness."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from cdp import paths
from cdp.config.knobs import parse
from cdp.config.lab import LabConfig
from cdp.data.sets import save_set
from cdp.models.classifiers import SmallCNN
from cdp.models.encoders import save_encoder
from cdp.tasks.lab import attack_of, smallest_of, subject_of
from cdp.values.lab import LabResult, Smallest
from tests.robust import tiny

DATASET, PLAIN = "toys", "plain"
NAMES = ["dark", "grey", "light"]
RUN = "20261124-120000-abcdef"
TESTS = 12


@lru_cache
def network(seed: int = 0) -> SmallCNN:
    """A network that knows the classes, after a second of training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallCNN(tiny.CLASSES, 1, widths=(8, 8))
        return tiny.fitted(net, 96, 0, steps=80, rate=0.01).requires_grad_(False)


def make_world(*, trained: bool = True) -> None:
    """The data set with 12 test images, row r of class r % 3, an encoder and a robust training."""
    for name, count, seed in ((DATASET, 30, 0), (f"{DATASET}-test", TESTS, 7)):
        save_set(name, *tiny.images(count, seed), {"class_names": NAMES})
    save_encoder(
        paths.encoders_dir() / DATASET / PLAIN, network(), {"dataset": DATASET, "kind": "standard"}
    )
    if trained:
        save_run(1)


def save_run(seed: int) -> None:
    """The best weights of the training so far."""
    training = {"norm": "linf", "epsilon": 0.05}
    card = {"dataset": DATASET, "kind": "robust", "run": "night", "training": training}
    save_encoder(paths.runs_dir() / RUN / "best", network(seed), card)


def config(**change: object) -> LabConfig:
    return parse(
        LabConfig,
        {"model": PLAIN, "dataset": DATASET, "row": 1, "epsilon": 0.1, "largest": 0.6, "steps": 10}
        | change,
    )


def attack_image(asked: LabConfig) -> LabResult:
    return attack_of(asked, subject_of(asked)).get()


def smallest_budget(asked: LabConfig) -> Smallest:
    return smallest_of(asked, subject_of(asked)).get()


def png(array: np.ndarray, **options: object) -> bytes:
    """(H,W), (H,W,3) or (H,W,4) uint8 as a file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", **options)
    return buffer.getvalue()
