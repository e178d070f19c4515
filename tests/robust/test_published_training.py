"""The published recipe against a plain float64 loop with torch's own optimiser and schedule."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import TrainConfig
from cdp.robust.training import RobustTrainer
from tests.robust import tiny

EPSILON = 8 / 255
TOTAL, DONE = 84, 30
"""Steps of the whole training, of which so many are compared: the first 2.1 are the start of the
average, the peak is near the 21st."""


def _config(**change: object) -> TrainConfig:
    """The preset on tiny images: 14 passes over 30 real images in six steps each, 11 of 16 images
    synthetic."""
    small = {"dataset": "tiny", "synthetic": ["made"], "batch": 16, "epochs": 14}
    small |= {"augmentation": "none", "precision": "fp32", "epsilon": EPSILON}
    return parse(TrainConfig, TRAIN_PRESETS["paper"].flat | small | change)


class _Exact(tiny.Normalised):
    """Calculates in float64 whatever the images come in: in fp32 the divergence of so close a start
    is half rounding, and signs flip."""

    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.double())


def _attacked(net: nn.Module, x: Tensor, start: Tensor) -> Tensor:
    """PGD-10 on KL(p(x) || p(x')) in l_inf 8/255 with steps of 2/255, the network in eval mode."""
    net.eval()
    clean = net(x).softmax(dim=1).detach()
    x_adv = x + 0.001 * start
    for _ in range(10):
        x_adv = x_adv.detach().requires_grad_()
        q = net(x_adv).log_softmax(dim=1)
        (gradient,) = torch.autograd.grad((clean * (clean.log() - q)).sum(), x_adv)
        x_adv = x_adv.detach() + 2 / 255 * gradient.sign()
        x_adv = torch.maximum(torch.minimum(x_adv, x + EPSILON), x - EPSILON).clamp(0, 1)
    net.train()
    return x_adv.detach()


def _reference(trainer: RobustTrainer, steps: int) -> tuple[nn.Module, nn.Module]:
    """Network and average after ``steps`` steps of TRADES from the same weights, batches and start
    noise, all in float64."""
    net = _Exact()
    average = copy.deepcopy(net)
    optimiser = torch.optim.SGD(
        net.parameters(), lr=0.4, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=0.4, total_steps=TOTAL, pct_start=0.25
    )
    for step in range(steps):
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence([0, 2, step]).generate_state(1, np.uint64)[0])
        )
        pools, rows = (trainer.data.real, trainer.data.synthetic), trainer.mixture.rows(step)
        image, label = (
            np.concatenate(part)
            for part in zip(*(p.take(r) for p, r in zip(pools, rows, strict=True)), strict=True)
        )
        assert [len(part) for part in rows] == [5, 11], "70 % synthetic"
        x, y = torch.from_numpy(image).permute(0, 3, 1, 2).double() / 255, torch.from_numpy(label)
        x_adv = _attacked(net, x, torch.randn(x.shape, generator=generator).double())
        optimiser.zero_grad()
        logits, log_q = net(x), net(x_adv).log_softmax(dim=1)
        log_p = logits.log_softmax(dim=1)
        loss = F.cross_entropy(logits, y) + 6 * (log_p.exp() * (log_p - log_q)).sum(dim=1).mean()
        loss.backward()
        optimiser.step()
        schedule.step()
        decay = 0.0 if step < 0.025 * TOTAL else 0.995
        with torch.no_grad():
            for old, new in zip(average.parameters(), net.parameters(), strict=True):
                old.copy_(decay * old + (1 - decay) * new)
            for old, new in zip(average.buffers(), net.buffers(), strict=True):
                old.copy_(new)
    return net, average


def _gap(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


def _gaps(config: TrainConfig) -> tuple[float, float]:
    """Largest difference of any weight or statistic from the reference, of the network and of its
    average."""
    trainer = RobustTrainer(_Exact(), tiny.data(real=30), config, epsilon=EPSILON)
    assert trainer.total == TOTAL
    for _ in range(DONE):
        trainer.advance()
    net, average = _reference(trainer, DONE)
    return _gap(trainer.net, net), _gap(trainer.average, average)


def test_the_published_recipe_is_a_plain_float64_loop_of_its_description() -> None:
    assert max(_gaps(_config())) < 1e-4


@pytest.mark.parametrize(
    ("change", "average_only"),
    [
        ({"learning_rate": 0.2}, False),
        ({"momentum_cycle": False}, False),
        ({"attack_start": "uniform"}, False),
        ({"ema_warm_up": 0.0}, True),
    ],
)
def test_each_of_its_settings_matters(change: dict[str, object], average_only: bool) -> None:
    """So that the agreement above says something of each."""
    net, average = _gaps(_config(**change))
    assert average > 1e-3
    assert net < 1e-4 if average_only else net > 1e-3


def test_the_recipe_at_its_own_size() -> None:
    config = train_preset("paper")
    assert (config.epochs, config.batch, config.synthetic_per_batch) == (400, 1024, 0)
    assert (
        parse(TrainConfig, TRAIN_PRESETS["paper"].flat | {"synthetic": ["a"]}).synthetic_per_batch
        == 717
    )
    expected = ("wrn-28-10-swish", "trades", 6, 0)
    assert (config.architecture, config.method, config.beta, config.warm_up) == expected
