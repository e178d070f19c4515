"""TRADES as a textbook has it, and guidance as it was published, for comparison: fp32, default
layout, a forward pass of its own for every use of a network."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.scenes import start_noise
from cdp.config.generate import GenerateConfig
from cdp.config.train import TrainConfig
from cdp.data.training import Mixture, TrainingData
from cdp.diffusion.sampling import build_scheduler, steered
from cdp.guidance.losses import hard_negative
from cdp.models.denoiser import to_image_range
from cdp.robust.recipes import augmentation_of, one_cycle, to_tensor, warmed_up
from cdp.tasks.batches import labels_of
from cdp.tasks.loaded import load_engine, to_uint8


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


def published_guidance(config: GenerateConfig, rows: range) -> Iterator[object]:
    """A batch of the published setting for CIFAR-10 by a plain loop: its steps, and last the
    images, (B,H,W,C) uint8. At every guided step the encoder looks at the iterate and at the one
    before it, and the head takes one step of Adam.

    The encoder's weights are frozen, which spares the loop their gradients.
    """
    loaded, guidance = load_engine(config), config.guidance
    assert loaded.encoder is not None  # the published setting guides
    denoiser, encoder = loaded.model.denoiser, loaded.encoder.net
    labels = torch.from_numpy(labels_of(config, rows, loaded)).to(loaded.device)
    scheduler = build_scheduler("ddim", loaded.model.scheduler_config, config.sampler.steps, "off")
    head = nn.Sequential(
        nn.Linear(encoder.dim, guidance.head_hidden),
        nn.ReLU(),
        nn.Linear(guidance.head_hidden, guidance.head_out),
    ).to(loaded.device)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)
    x, before = start_noise(config, rows), None
    for t in scheduler.timesteps.tolist():
        push: Tensor | None = None
        if before is not None and t >= guidance.window_stop * 1000:
            at = x.clone().requires_grad_()
            z, view = (F.normalize(head(encoder.features(to_image_range(y)))) for y in (at, before))
            loss = hard_negative(
                z,
                view,
                temperature=guidance.temperature,
                tau_plus=guidance.tau_plus,
                beta=guidance.beta,
            ).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            assert at.grad is not None
            push = guidance.raw_lambda * at.grad
        before = x
        with torch.no_grad():
            out = denoiser(x, t, labels)
            if push is not None:
                out = steered(
                    out, push, float(scheduler.alphas_cumprod[t]), denoiser.prediction_type
                )
            x = scheduler.step(out, t, x).prev_sample
        yield t
    yield to_uint8(x)
