"""TRADES as a textbook has it, for comparison: fp32, default layout, a forward pass of its own for
every use of the network."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.config.train import TrainConfig
from cdp.data.training import Mixture, TrainingData
from cdp.robust.recipes import augmentation_of, one_cycle, to_tensor, warmed_up


def trades_step(
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float,
    step_size: float,
    steps: int,
    beta: float,
) -> float:
    """One optimiser step (Zhang 2019, Algorithm 1), l_inf; returns the loss. x: (B,C,H,W) in [0,1],
    y: (B,).

    The clean prediction that the attack departs from is computed once. That is kinder to the
    textbook than the authors' code, which computes it again at every step of the attack.
    """
    net.eval()
    with torch.no_grad():
        clean = F.softmax(net(x), dim=1)
    x_adv = (x + epsilon * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        divergence = F.kl_div(F.log_softmax(net(x_adv), dim=1), clean, reduction="sum")
        (gradient,) = torch.autograd.grad(divergence, [x_adv])
        x_adv = x_adv.detach() + step_size * gradient.sign()
        x_adv = torch.min(torch.max(x_adv, x - epsilon), x + epsilon).clamp(0, 1)
    net.train()
    optimiser.zero_grad()
    logits = net(x)
    natural = F.cross_entropy(logits, y)
    robust = F.kl_div(
        F.log_softmax(net(x_adv.detach()), dim=1), F.softmax(logits, dim=1), reduction="batchmean"
    )
    loss = natural + beta * robust
    loss.backward()
    optimiser.step()
    return loss.item()


def trades_training(
    net: nn.Module, data: TrainingData, config: TrainConfig, epsilon: float
) -> Iterator[nn.Module]:
    """Train ``net`` on the real images of ``data``; after every step the network of averaged
    weights.

    Batches, augmentation and schedules are those of ``config``, so that two arms differ in the step
    alone.
    """
    assert data.real is not None
    mixture = Mixture(
        len(data.real), 0, batch=config.batch, synthetic_per_batch=0, seed=config.seed
    )
    total = config.total_steps(mixture.steps_per_epoch)
    height, width, channels = data.image.shape[1:]
    augment = augmentation_of(config.augmentation, config.dataset, (channels, height, width))
    optimiser = torch.optim.SGD(
        net.parameters(),
        config.learning_rate,
        momentum=0.9,
        weight_decay=config.weight_decay,
        nesterov=True,
    )
    average = copy.deepcopy(net).eval()
    generator = torch.Generator().manual_seed(config.seed)
    for step in range(total):
        image, label = data.real.take(mixture.rows(step)[0])
        x, y = augment(to_tensor(image), generator), torch.from_numpy(label)
        for group in optimiser.param_groups:
            group["lr"] = one_cycle(step, total, peak=config.learning_rate)
        share = warmed_up(step, total, share=config.warm_up)
        trades_step(
            net,
            optimiser,
            x,
            y,
            epsilon=share * epsilon,
            step_size=share * config.pgd_step_size(epsilon),
            steps=config.pgd_steps,
            beta=config.beta,
        )
        decay = min(config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for old, new in zip(average.parameters(), net.parameters(), strict=True):
                old.mul_(decay).add_(new, alpha=1 - decay)
        yield average
