"""A small data set of one's own, with held-out images, and the shipped judge by path."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest

from cdp.data.registry import load_split
from cdp.data.samples import SampleSet
from cdp.data.sets import save_set
from cdp.embedding import distances, images
from cdp.embedding.rows import UndefinedError
from cdp.paths import ASSETS, ROOT
from cdp.tasks.sources import balanced_rows

DATASET = "small"
JUDGE = str(ASSETS / "encoders" / "fashion-mnist" / "judge")
TRAIN, TEST = 300, 200


@lru_cache
def real(split: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """2,000 real images of Fashion-MNIST, class-balanced."""
    data = load_split("fashion-mnist", split)
    rows = balanced_rows(np.asarray(data.label[:5000]), 2000)
    return data.image[rows], np.asarray(data.label[rows]), list(data.info.classes)


def make(name: str, image: np.ndarray, label: np.ndarray, **card: object) -> SampleSet:
    """A saved set that names the small data set."""
    return save_set(
        name, image, label, {"dataset": DATASET, "class_names": real("train")[2]} | card
    )


def left_out(*_: object, **__: object) -> None:
    """In place of a figure that takes long."""
    raise UndefinedError("left out here")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All figures that sentences are about but those that fit classifiers, which take most of the
    time."""
    monkeypatch.setattr(images, "linear_probe", left_out)
    for name in ("classifier_auc", "mmd", "alignment", "uniformity"):
        monkeypatch.setattr(distances, name, left_out)


def make_world() -> None:
    """The data set ``small``: 300 training images and 200 held-out ones."""
    for name, split, size in ((DATASET, "train", TRAIN), (f"{DATASET}-test", "test", TEST)):
        image, label, _ = real(split)
        make(name, image[:size], label[:size])


def without_torch(code: str) -> str:
    """What ``code`` prints in a fresh process, which must not load torch, scikit-learn or what of
    scipy takes long."""
    program = (
        f"{code}\nimport sys\nassert not {{'torch', 'sklearn', 'scipy.stats', 'scipy.spatial',"
        " 'scipy.optimize'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
