"""Training a diffusion model: order of images, rate, target, average."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.pretrain import PretrainConfig
from cdp.diffusion.training import Distillation, Trainer, epoch_rows
from cdp.models.denoiser import Denoiser
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.models.state import update_average, young_decay
from tests.diffusion.tiny import tiny_denoiser

ALPHA_BAR = torch.from_numpy(alpha_bars(COSINE)).float()


def _net() -> Denoiser:
    return tiny_denoiser().train().requires_grad_(True)


def _trainer(
    denoiser: Denoiser | None = None, distillation: Distillation | None = None, **change: float
) -> Trainer:
    flat = {"batch": 8, "steps": 6, "learning_rate": 1e-3, "class_dropout": 0.2, "ema_decay": 0.9}
    config = PretrainConfig.model_validate(flat | {"precision": "fp32"} | change)
    return Trainer(denoiser or _net(), ALPHA_BAR, config, distillation=distillation)


def _data(count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8), rng.integers(0, 3, count)


@settings(max_examples=40)
@given(count=st.integers(1, 40), batch=st.integers(1, 60), seed=st.integers(0, 5))
def test_every_epoch_shows_every_image_once(count: int, batch: int, seed: int) -> None:
    steps = math.ceil(3 * count / batch)
    shown = np.concatenate([epoch_rows(count, batch, step, seed) for step in range(steps)])[
        : 3 * count
    ]
    for epoch in shown.reshape(3, count):
        assert sorted(epoch) == list(range(count))


@pytest.mark.parametrize("stop", [1, 4])
def test_resumed_equals_uninterrupted_bit_for_bit(stop: int) -> None:
    image, label = _data()
    whole = _trainer()
    losses = [step.loss for step in whole.run(image, label)]
    first, second = _trainer(), _trainer()
    for step in first.run(image, label):
        if step.step == stop:
            break
    second.load(first.state())
    assert [step.loss for step in second.run(image, label)] == losses[stop:]
    state, expected = second.state(), whole.state()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_state_names_are_the_checkpoint_format() -> None:
    trainer = _trainer(steps=1)
    list(trainer.run(*_data()))
    state = trainer.state()
    names = set(trainer.denoiser.unet.state_dict())
    assert int(state["step"]) == 1
    assert (
        {n[4:] for n in state if n.startswith("net.")}
        == {n[4:] for n in state if n.startswith("ema.")}
        == names
    )
    slots = [
        re.fullmatch(r"opt\.\d+\.(step|exp_avg|exp_avg_sq)", n)
        for n in state
        if n.startswith("opt.")
    ]
    assert len(slots) == 3 * len(names)
    assert all(slots)


def test_state_is_a_copy_that_training_does_not_change() -> None:
    trainer = _trainer(steps=2)
    run = trainer.run(*_data())
    next(run)
    state = trainer.state()
    before = {name: value.clone() for name, value in state.items()}
    next(run)
    assert all(torch.equal(value, before[name]) for name, value in state.items())
    assert not torch.equal(trainer.state()["net.conv_in.weight"], before["net.conv_in.weight"])


def test_loss_is_the_error_of_v_and_labels_are_dropped_at_the_rate_asked_for() -> None:
    """A network that answers with zero has the loss E v^2; v mixes unit noise and x0, here all of
    one grey."""
    denoiser = _net()
    torch.nn.init.zeros_(denoiser.unet.conv_out.weight)
    torch.nn.init.zeros_(denoiser.unet.conv_out.bias)
    seen: list[torch.Tensor] = []
    denoiser.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["class_labels"]), with_kwargs=True
    )
    image = np.full((64, 8, 8, 1), 191, np.uint8)
    trainer = _trainer(denoiser, batch=512, steps=1, class_dropout=0.25)
    (step,) = trainer.run(image, np.ones(64, np.int64))
    x0 = 191 / 127.5 - 1
    expected = (ALPHA_BAR + (1 - ALPHA_BAR) * x0**2).mean().item()
    assert step.loss == pytest.approx(expected, rel=0.02)
    labels = torch.cat(seen)
    assert set(labels.tolist()) == {1, denoiser.null_label}
    assert (labels == denoiser.null_label).float().mean().item() == pytest.approx(0.25, abs=0.06)


def test_learns_one_image() -> None:
    image, label = np.full((4, 8, 8, 1), 255, np.uint8), np.zeros(4, np.int64)
    losses = [
        step.loss for step in _trainer(batch=16, steps=60, learning_rate=3e-2).run(image, label)
    ]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])


def test_rate_warms_up_holds_and_falls_to_zero() -> None:
    trainer = _trainer(steps=2000, learning_rate=1.0)
    assert trainer.rate(0) == pytest.approx(1 / 200)
    assert trainer.rate(199) == trainer.rate(1599) == 1
    assert trainer.rate(1800) == pytest.approx(0.5)
    assert trainer.rate(2000) == 0


def test_average_follows_its_recursion_and_a_young_one_forgets_fast() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    ema, naive = {"weight": torch.zeros(1, 1)}, 0.0
    for step in range(30):
        with torch.no_grad():
            net.weight.fill_(step)
        update_average(ema, net, decay=young_decay(0.8, step))
        decay = min(0.8, (1 + step) / (10 + step))
        naive = decay * naive + (1 - decay) * step
    assert ema["weight"].item() == pytest.approx(naive)


def test_global_random_stream_is_left_alone() -> None:
    trainer = _trainer(steps=2)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    list(trainer.run(*_data()))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("t", [100, 500, 700])
def test_distilled_guidance_is_what_classifier_free_sampling_adds_inside_the_window(t: int) -> None:
    teacher = tiny_denoiser()
    x_t = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, teacher.null_label, 2])
    times = torch.full((4,), t)
    with torch.no_grad():
        told = teacher(x_t, times, labels)
        free = teacher(x_t, times, torch.full_like(labels, teacher.null_label))
    guided = Distillation(teacher, 1.5, (0.4, 0.6)).offset(x_t, times / 1000, times, labels) + told
    expected = free + 1.5 * (told - free) if t == 500 else told
    torch.testing.assert_close(guided, expected)
    assert torch.equal(guided[2], told[2])  # an image without a class has nothing to be guided to


def test_training_learns_the_guided_prediction() -> None:
    """With the guidance in the target, the conditional prediction ends nearer to the guided one
    than without."""
    image, label = _data()
    teacher = tiny_denoiser()
    plain, distilled = _trainer(steps=60), _trainer(steps=60)
    distilled.distillation = Distillation(teacher, 8.0, (0.0, 1.0))
    for trainer in (plain, distilled):
        for _ in trainer.run(image, label):
            pass
    x_t, labels = (
        torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(1)),
        torch.arange(64) % 3,
    )
    times = torch.full((64,), 500)
    offset = distilled.distillation.offset(x_t, times / 1000, times, labels)
    with torch.no_grad():
        moved = distilled.denoiser(x_t, times, labels) - plain.denoiser(x_t, times, labels)
    assert torch.nn.functional.cosine_similarity(moved.flatten(), offset.flatten(), dim=0) > 0.3
