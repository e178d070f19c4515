"""Training of encoders: resume, and that each kind learns what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cdp.config.pretrain import EncoderConfig
from cdp.models.classifiers import SmallCNN
from cdp.robust.recipes import METHODS, noised
from cdp.robust.training import (
    ENCODER_METHODS,
    ClassifierTrainer,
    encoder_attack,
    encoder_trainer,
    view,
)
from cdp.robust.validation import accuracy
from tests.robust.tiny import LEVELS


def _data(count: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of brightness with a little noise."""
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=count)
    return (LEVELS[label][:, None, None, None] + rng.integers(-9, 10, (count, 8, 8, 1))).astype(
        np.uint8
    ), label.astype(np.int64)


def _trainer(kind: str, epochs: int = 4) -> ClassifierTrainer:
    torch.manual_seed(0)
    flat = {"seed": 1, "epochs": epochs, "batch": 16, "learning_rate": 1e-2, "shift": 1}
    flat |= {"kind": kind, "flip": True, "precision": "fp32", "attack_steps": 2}
    config = EncoderConfig.model_validate(flat)
    return encoder_trainer(SmallCNN(3, 1, widths=(8, 8)), *_data(), config, epsilon=0.05)


def _run(trainer: ClassifierTrainer, until: int | None = None) -> ClassifierTrainer:
    while trainer.step < (until or trainer.total):
        trainer.advance()
    return trainer


@pytest.mark.parametrize("kind", ENCODER_METHODS)
def test_resumed_equals_uninterrupted_bit_for_bit(kind: str) -> None:
    again = _trainer(kind)
    again.load(_run(_trainer(kind), 7).state())
    state, expected = _run(again).state(), _run(_trainer(kind)).state()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_learns_separable_classes_also_under_attack(kind: str) -> None:
    trainer = _run(_trainer(kind, epochs=20))
    assert trainer.total == 20 * 6

    def seen(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        attack = encoder_attack(0.05, 2)
        return view(trainer.average, METHODS[ENCODER_METHODS[kind]], x, y, attack, generator)

    assert accuracy(trainer.average, seen, *_data(), seed=0) > 0.95


def test_the_budget_of_an_encoder_grows_from_zero_to_its_full_size() -> None:
    attack = _trainer("robust").recipe.attack
    radii = [attack(step)["epsilon"] / 0.05 for step in (0, 3, 6, 12, 23)]
    assert radii == pytest.approx([0, 3 / 7.2, 6 / 7.2, 1, 1])
    assert attack(23)["step_size"] == pytest.approx(1.25 * 0.05)


def test_noised_images_have_the_process_s_moments_and_are_not_clamped() -> None:
    x = torch.full((400, 1, 8, 8), 0.8)
    seen = noised(x, torch.Generator().manual_seed(0), torch.full((1000,), 0.25))
    # In model range x is 0.6, so x_t ~ N(0.3, 0.75); image range halves deviations and shifts by a
    # half.
    assert seen.mean().item() == pytest.approx(0.65, abs=0.01)
    assert seen.std().item() == pytest.approx(0.75**0.5 / 2, rel=0.02)
    assert seen.min() < 0
    assert seen.max() > 1


def test_accuracy_restores_the_mode_and_does_not_depend_on_its_batch_size() -> None:
    image, label = _data()
    net = SmallCNN(3, 1, widths=(8,)).train()
    few, many = (
        accuracy(net, lambda x, y, generator: x, image, label, seed=0, batch=batch)
        for batch in (7, 96)
    )
    assert few == many
    assert net.training
