"""Weights by the code of before there was one trainer (commit 7c10ba3)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cdp.config.knobs import parse
from cdp.config.pretrain import EncoderConfig
from cdp.config.train import TrainConfig
from cdp.data.training import Pool, TrainingData
from cdp.models.classifiers import SmallCNN
from cdp.robust.training import RobustTrainer
from cdp.tasks.pretrain.run import run_pretrain
from cdp.values.types import DatasetInfo, Split

BEFORE = Path(__file__).with_name("before")
INFO = DatasetInfo("toys", "Toys", ("dark", "bright"), (1, 8, 8), 0.1, "MIT")


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, part: str) -> Split:
        count = 40 if part == "train" else 20
        rng = np.random.default_rng(4)
        label = np.arange(count) % 2
        image = (label * 90)[:, None, None, None] + rng.integers(0, 60, (count, 8, 8, 1))
        return Split(INFO, image.astype(np.uint8), label.astype(np.int64))

    monkeypatch.setattr("cdp.tasks.pretrain.encoder.load_split", load)


def _encoder(**change: object) -> EncoderConfig:
    settings = {"dataset": "toys", "epochs": 3, "batch": 8, "widths": (4, 4), "shift": 1}
    settings |= {"flip": True, "precision": "fp32", "label_smoothing": 0.1}
    return parse(EncoderConfig, settings | change)


def _require_as_before(name: str, weights: dict[str, Tensor]) -> None:
    """Up to the rounding of other processors' kernels."""
    before = {
        key.removeprefix(f"{name}."): value
        for key, value in load_file(BEFORE / "trained.safetensors").items()
        if key.startswith(f"{name}.")
    }
    assert weights.keys() == before.keys()
    for key, value in before.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["standard", "robust", "noise-aware"])
def test_an_encoder_of_every_kind_is_the_one_of_before(kind: str, cdp_home: Path) -> None:
    folder = run_pretrain(_encoder(kind=kind, name="again"))
    _require_as_before(kind, load_file(folder / "model.safetensors"))


def test_an_encoder_that_was_begun_before_goes_on_to_the_same_weights(cdp_home: Path) -> None:
    shutil.copytree(BEFORE / "half", cdp_home / "encoders/toys/.half.training")
    steps: list[int] = []
    folder = run_pretrain(
        _encoder(kind="robust", name="half"), on_progress=lambda told: steps.append(told.step)
    )
    assert steps[0] == 5, "after the one epoch that was saved"
    _require_as_before("robust", load_file(folder / "model.safetensors"))


@pytest.mark.parametrize("method", ["pgd-at", "trades", "mart"])
def test_a_robust_classifier_of_every_method_is_the_one_of_before(method: str) -> None:
    settings = {"dataset": "tiny", "epochs": 2, "validate_every": "1 epoch", "batch": 16}
    settings |= {"fraction": 0.5, "synthetic": ["made"], "attack_steps": 2, "validation_steps": 2}
    settings |= {"epsilon": 0.05, "precision": "fp32", "method": method}
    settings |= {"augmentation": "cutout", "label_smoothing": 0.1}
    pools = [Pool([_brightness(48, 0)]), Pool([_brightness(40, 1)])]
    data = TrainingData(*pools, *_brightness(30, 2), 3)
    trainer = RobustTrainer(_network(), data, parse(TrainConfig, settings), epsilon=0.05)
    list(trainer.run())
    _require_as_before(method, trainer.average.state_dict())


def _brightness(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    label = np.arange(count) % 3
    noise = np.random.default_rng(seed).integers(-9, 10, (count, 8, 8, 1))
    levels = np.array([40, 120, 220], np.uint8)[label]
    return (levels[:, None, None, None] + noise).astype(np.uint8), label


def _network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SmallCNN(3, 1, widths=(8, 8))
