"""Training of encoders: views, resume, and that each kind learns what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cdp.models.classifiers import SmallCNN
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.robust.augment import to_tensor
from cdp.robust.encoder_training import EncoderTrainer, View, accuracy, adversarial, noised, plain

LEVELS = np.array([40, 120, 220], np.uint8)


def _data(count: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of brightness with a little noise."""
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=count)
    return (LEVELS[label][:, None, None, None] + rng.integers(-9, 10, (count, 8, 8, 1))).astype(
        np.uint8
    ), label.astype(np.int64)


def _trainer(view: View, **change: float) -> EncoderTrainer:
    torch.manual_seed(0)
    net = SmallCNN(3, 1, widths=(8, 8))
    settings = {
        "seed": 1,
        "epochs": 4,
        "batch": 16,
        "count": 96,
        "learning_rate": 1e-2,
        "shift": 1,
        "flip": True,
        "dtype": torch.float32,
    }
    return EncoderTrainer(net, view, **(settings | change))


VIEWS = {
    "standard": plain,
    "robust": adversarial(epsilon=0.05, steps=2, warm_up=0.3),
    "noise-aware": noised(torch.from_numpy(alpha_bars(COSINE)).float()),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_resumed_equals_uninterrupted_bit_for_bit(kind: str) -> None:
    image, label = _data()
    whole = _trainer(VIEWS[kind])
    for _ in whole.run(image, label):
        pass
    first, second = _trainer(VIEWS[kind]), _trainer(VIEWS[kind])
    for step in first.run(image, label):
        if step.step == 7:
            break
    second.load(first.state())
    for _ in second.run(image, label):
        pass
    state, expected = second.state(), whole.state()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_learns_separable_classes_also_under_attack(kind: str) -> None:
    image, label = _data()
    trainer = _trainer(VIEWS[kind], epochs=20)
    steps = list(trainer.run(image, label))
    assert steps[-1].step == steps[-1].total == 20 * 6
    assert [s.epoch_ended for s in steps if s.epoch_ended] == list(range(1, 21))
    trainer.net.load_state_dict(trainer.ema)
    assert accuracy(trainer.net, VIEWS[kind], image, label, seed=0) > 0.95


def test_epsilon_grows_from_zero_to_its_full_size() -> None:
    image, label = _data(16)
    net, x, y = SmallCNN(3, 1, widths=(8,)), to_tensor(image), torch.from_numpy(label)
    view = adversarial(epsilon=0.1, steps=3, warm_up=0.5)
    radii = [
        (view(net, x, y, p, torch.Generator().manual_seed(0)) - x).abs().max().item()
        for p in (0, 0.25, 0.5, 1)
    ]
    assert radii == pytest.approx([0, 0.05, 0.1, 0.1], abs=1e-6)


def test_noised_view_has_the_process_s_moments_and_is_not_clamped() -> None:
    alpha_bar = torch.full((1000,), 0.25)
    x = torch.full((400, 1, 8, 8), 0.8)
    shown = noised(alpha_bar)(
        SmallCNN(2, 1, widths=(4,)), x, torch.zeros(400), 0.5, torch.Generator().manual_seed(0)
    )
    # In model range x is 0.6, so x_t ~ N(0.3, 0.75); image range halves deviations and shifts by a
    # half.
    assert shown.mean().item() == pytest.approx(0.65, abs=0.01)
    assert shown.std().item() == pytest.approx(0.75**0.5 / 2, rel=0.02)
    assert shown.min() < 0
    assert shown.max() > 1


def test_accuracy_restores_the_mode_and_does_not_depend_on_its_batch_size() -> None:
    image, label = _data()
    net = SmallCNN(3, 1, widths=(8,)).train()
    assert accuracy(net, plain, image, label, seed=0, batch=7) == accuracy(
        net, plain, image, label, seed=0, batch=96
    )
    assert net.training
