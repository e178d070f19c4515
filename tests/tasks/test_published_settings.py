"""Each preset against a plain float64 loop written from the description of its settings: from the
preset's name to the final images.

The loops below share with the code under test the weights of two tiny networks, the random draws,
and nothing else.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.presets import preset
from cdp.diffusion.sampling import image_seeds
from cdp.guidance.contrast import Bank
from cdp.guidance.schedule import in_window
from cdp.models import noise_schedule as noise
from cdp.tasks import batches

SHAPE, FEATURES, CLASSES = (1, 8, 8), 20, 3
LINEAR = {
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "prediction_type": "epsilon",
}
COSINE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "epsilon",
}
OURS = noise.COSINE

Delta = Callable[[Tensor, Tensor, Tensor, int, float], Tensor | None]
"""(x_t, e, x0, t, alpha_bar) -> what guidance adds to e."""


def alpha_bars(config: dict[str, Any]) -> Tensor:
    """Ho 2020 (linear) and Nichol and Dhariwal 2021 (cosine), in float64."""
    if config["beta_schedule"] == "linear":
        betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    else:
        level = (
            torch.cos(
                (torch.arange(1001, dtype=torch.float64) / 1000 + 0.008) / 1.008 * math.pi / 2
            )
            ** 2
        )
        betas = (1 - level[1:] / level[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, 0)


class TinyDenoiser(nn.Module):
    """The exact prediction for Gaussian classes, bent a little by a convolution, so that images
    stay images without training."""

    shape, spread = SHAPE, 0.1

    def __init__(self, config: dict[str, Any], classes: int) -> None:
        super().__init__()
        self.classes, self.prediction_type = classes, config["prediction_type"]
        self.levels = alpha_bars(config).tolist()
        stream = torch.Generator().manual_seed(1)
        self.mean = nn.Parameter(torch.randn(max(1, classes), *SHAPE, generator=stream).mul(0.4))
        self.bend = nn.Parameter(torch.randn(1, 1, 3, 3, generator=stream).mul(0.4))

    def forward(self, x: Tensor, t: int, labels: Tensor | None) -> Tensor:
        ab, mean = self.levels[t], self.mean[labels] if labels is not None else self.mean
        total = ab * self.spread + 1 - ab
        e = math.sqrt(1 - ab) * (x - math.sqrt(ab) * mean) / total
        x0 = (math.sqrt(ab) * self.spread * x + (1 - ab) * mean) / total
        bent = 0.2 * torch.tanh(torch.nn.functional.conv2d(x, self.bend, padding=1) + t / 1000)
        if self.prediction_type == "epsilon":
            return e + bent
        return math.sqrt(ab) * e - math.sqrt(1 - ab) * x0 + bent


class TinyEncoder(nn.Module):
    """Images in [0,1] to features."""

    channels, dim = SHAPE[0], FEATURES

    def __init__(self) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(2)
        self.inner = nn.Parameter(torch.randn(30, 64, generator=stream) / 8)
        self.outer = nn.Parameter(torch.randn(FEATURES, 30, generator=stream) / 4)

    def features(self, image: Tensor) -> Tensor:
        return torch.nn.functional.softplus(image.flatten(1) @ self.inner.T) @ self.outer.T

    def logits_of(self, features: Tensor) -> Tensor:
        return features[:, :CLASSES]


def frozen(net: nn.Module) -> Any:
    return net.eval().requires_grad_(False)


def real_bank() -> Bank:
    image = torch.rand(30, *SHAPE, generator=torch.Generator().manual_seed(5))
    return Bank(TinyEncoder().features(image).detach(), torch.arange(30) % CLASSES)


def ours(
    config: GenerateConfig, scheduler: dict[str, Any], classes: int, monkeypatch: pytest.MonkeyPatch
) -> Tensor:
    """The images of the first batch as the application makes them, with tiny networks in place of
    its own."""
    loaded = SimpleNamespace(
        model=SimpleNamespace(
            denoiser=frozen(TinyDenoiser(scheduler, classes)), scheduler_config=scheduler
        ),
        encoder=SimpleNamespace(net=frozen(TinyEncoder())),
        bank=real_bank(),
        gradient=None,
        weak=None,
        dtype=torch.float32,
    )
    monkeypatch.setattr(batches, "load_engine", lambda config: loaded)
    *_, last = batches.sample_batch(config, 0)
    return last.x.double()


def streams(config: GenerateConfig) -> list[torch.Generator]:
    """The random stream of every image of the batch."""
    return [
        torch.Generator().manual_seed(seed)
        for seed in image_seeds(config.seed, range(config.count))
    ]


def draw(sources: list[torch.Generator]) -> Tensor:
    return torch.stack([torch.randn(SHAPE, generator=source) for source in sources]).double()


def head_of(config: GenerateConfig, widths: tuple[int, int]) -> nn.Sequential:
    """torch's default initialisation of the head of the first batch."""
    seed = int(np.random.SeedSequence([config.seed, 0, 1]).generate_state(1, np.uint64)[0] >> 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(FEATURES, widths[0]), nn.ReLU(), nn.Linear(*widths)).double()


def hard_negative_mean(z: Tensor, other: Tensor) -> Tensor:
    """The mean over all 2B rows of the debiased hard-negative loss with tau 10, tau_plus 0.1, beta
    1, row by row."""
    count, views = len(z), torch.cat([z, other])
    number, rows = 2 * count - 2, []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        p = torch.exp(views[i] @ views[partner] / 10)
        n = torch.stack(
            [torch.exp(views[i] @ views[k] / 10) for k in range(2 * count) if k not in (i, partner)]
        )
        r = (n * n).sum() / n.mean()
        ng = torch.clamp((r - 0.1 * number * p) / 0.9, min=number * math.exp(-1 / 10))
        rows.append(-torch.log(p / (p + ng)))
    return torch.stack(rows).mean()


class Published:
    """Published guidance: at x_t, through encoder and online head, the iterate before as the
    positive, raw lambda on the mean of all rows."""

    def __init__(
        self,
        config: GenerateConfig,
        lam: float,
        widths: tuple[int, int],
        inside: Callable[[int], bool],
    ) -> None:
        self.encoder, self.lam, self.inside = (
            copy.deepcopy(frozen(TinyEncoder())).double(),
            lam,
            inside,
        )
        self.head = head_of(config, widths)
        self.adam = torch.optim.Adam(self.head.parameters(), lr=1e-2)
        self.before: Tensor | None = None
        self.guided: list[int] = []

    def _z(self, x: Tensor) -> Tensor:
        out = self.head(self.encoder.features((x + 1) / 2))
        return out / out.norm(dim=1, keepdim=True)

    def __call__(self, x_t: Tensor, e: Tensor, x0: Tensor, t: int, ab: float) -> Tensor | None:
        before, self.before = self.before, x_t
        if before is None or not self.inside(t):
            return None
        self.guided.append(t)
        at = x_t.clone().requires_grad_()
        with torch.enable_grad():
            loss = hard_negative_mean(self._z(at), self._z(before))
            self.adam.zero_grad()
            loss.backward()
        self.adam.step()
        assert at.grad is not None
        return self.lam * at.grad


def default_guidance(labels: Tensor) -> Delta:
    """Ours: SupCon (Khosla 2020, Eq. 2) against real images at x0, tau 0.1, |delta| = 0.1
    sqrt(1-ab) min(1, sqrt(ab/(1-ab))) |e|, t < 700."""
    bank, net = real_bank(), copy.deepcopy(frozen(TinyEncoder())).double()
    keys = bank.features.double()
    keys = keys / keys.norm(dim=1, keepdim=True)

    def delta(x_t: Tensor, e: Tensor, x0: Tensor, t: int, ab: float) -> Tensor | None:
        if t >= 700:
            return None
        at = x0.clone().requires_grad_()
        with torch.enable_grad():
            f = net.features((at + 1) / 2)
            logits = f / f.norm(dim=1, keepdim=True) @ keys.T / 0.1
            log_p = logits - logits.exp().sum(dim=1, keepdim=True).log()
            total = sum(
                (-log_p[i][bank.labels == labels[i]].mean() for i in range(len(labels))),
                torch.zeros((), dtype=torch.float64),
            )
            (g,) = torch.autograd.grad(total, at)
        size = 0.1 * math.sqrt(1 - ab) * min(1.0, math.sqrt(ab / (1 - ab)))
        lengths = [tensor.flatten(1).norm(dim=1).view(-1, 1, 1, 1) for tensor in (e, g)]
        return size * lengths[0] / lengths[1] * g

    return delta


def reference(
    config: GenerateConfig,
    scheduler: dict[str, Any],
    classes: int,
    timesteps: list[int],
    delta: Delta,
    *,
    solver: str,
) -> Tensor:
    """DDIM with eta 0 ("ddim"), ancestral DDPM with the estimate clamped to [-1,1] and the variance
    of the posterior (Ho 2020, Eq. 7; "ddpm"), or DPM-Solver++(2M) (Lu 2022, Algorithm 2; "dpmpp"),
    whose first and last step have order 1."""
    net, levels, sources = (
        copy.deepcopy(frozen(TinyDenoiser(scheduler, classes))).double(),
        alpha_bars(scheduler).tolist(),
        streams(config),
    )
    labels = torch.arange(config.count) % classes if classes else None
    x = draw(sources)
    before: tuple[Tensor, float] | None = None
    for t, following in zip(timesteps, [*timesteps[1:], -1], strict=True):
        ab, ab_next = levels[t], levels[following] if following >= 0 else 1.0
        out = net(x, t, labels)
        e = out if net.prediction_type == "epsilon" else math.sqrt(ab) * out + math.sqrt(1 - ab) * x
        x0 = (x - math.sqrt(1 - ab) * e) / math.sqrt(ab)
        push = delta(x, e, x0, t, ab)
        if push is not None:
            e = e + push
            x0 = (x - math.sqrt(1 - ab) * e) / math.sqrt(ab)
        if solver == "ddim":
            x = math.sqrt(ab_next) * x0 + math.sqrt(1 - ab_next) * e
            continue
        if solver == "dpmpp":
            if following < 0:
                return x0
            half_log_snr = math.log(ab / (1 - ab)) / 2
            h = math.log(ab_next / (1 - ab_next)) / 2 - half_log_snr
            estimate = x0
            if before is not None:
                older, r = before[0], (half_log_snr - before[1]) / h
                estimate = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * older
            before = x0, half_log_snr
            x = (
                math.sqrt((1 - ab_next) / (1 - ab)) * x
                - math.sqrt(ab_next) * math.expm1(-h) * estimate
            )
            continue
        beta = 1 - ab / ab_next
        mean = (
            math.sqrt(ab_next) * beta * x0.clamp(-1, 1) + math.sqrt(1 - beta) * (1 - ab_next) * x
        ) / (1 - ab)
        x = mean + math.sqrt((1 - ab_next) / (1 - ab) * beta) * draw(sources) if t > 0 else mean
    return x


def small(name: str, count: int = 10, **change: object) -> GenerateConfig:
    """A preset as it is, on few images."""
    return unflatten({"count": count, "seed": 4} | change, preset(name))


def cifar10(config: GenerateConfig, lam: float = 1e5) -> Published:
    return Published(config, lam, (128, 128), lambda t: t >= 400)


def digits(config: GenerateConfig, lam: float, widths: tuple[int, int]) -> Published:
    return Published(config, lam, widths, lambda t: 50 < t < 150)


def gap(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


BEFORE = {
    "paper-cifar10": {"head": False, "raw_lambda": 2e5},
    "paper-mnist": {
        "window_start": 0.6,
        "window_stop": 0.2,
        "solver": "ddim",
        "clip_sample": "model",
        "head_hidden": 128,
        "head_out": 128,
    },
}
"""What these presets were before, in today's terms."""


@pytest.mark.parametrize("classes", [0, CLASSES])
def test_cifar10_is_the_published_loop(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config, steps = small("paper-cifar10"), list(range(950, -1, -50))
    guidance = cifar10(config)
    expected = reference(config, LINEAR, classes, steps, guidance, solver="ddim")
    assert guidance.guided == list(range(900, 399, -50)), "from the second step on, down to 400"
    assert gap(ours(config, LINEAR, classes, monkeypatch), expected) < 1e-4
    assert (
        gap(
            reference(config, LINEAR, classes, steps, cifar10(config, 2e5), solver="ddim"),
            expected,
        )
        > 0.1
    ), "the push shows"


@pytest.mark.parametrize(
    ("name", "lam", "widths"), [("paper-mnist", 1e5, (64, 64)), ("paper-gtsrb", 5e3, (128, 128))]
)
def test_digits_and_signs_are_the_published_loop(
    name: str, lam: float, widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, steps = small(name), list(range(996, -1, -4))
    guidance = digits(config, lam, widths)
    expected = reference(config, COSINE, CLASSES, steps, guidance, solver="ddpm")
    assert guidance.guided == list(range(148, 51, -4)), (
        "25 steps, the first of which has the iterate before the window as its positive"
    )
    assert gap(ours(config, COSINE, CLASSES, monkeypatch), expected) < 1e-4
    doubled = reference(
        config, COSINE, CLASSES, steps, digits(config, 2 * lam, widths), solver="ddpm"
    )
    assert gap(doubled, expected) > 0.05, "the push shows"


@pytest.mark.parametrize("name", BEFORE)
def test_the_settings_before_were_other_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, classes = (LINEAR, 0) if name == "paper-cifar10" else (COSINE, CLASSES)
    today = ours(small(name), scheduler, classes, monkeypatch)
    assert gap(ours(small(name, **BEFORE[name]), scheduler, classes, monkeypatch), today) > 0.1


def test_the_default_is_the_loop_its_page_describes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the noisiest timestep whose half-log-SNR is above -5.1, in steps of a tenth of T."""
    config = small("default", count=12)
    signal = alpha_bars(OURS)
    first = int((torch.log(signal / (1 - signal)) / 2 >= -5.1).sum())
    steps = [round(first - 100 * i) - 1 for i in range(10)]
    guidance = default_guidance(torch.arange(12) % CLASSES)
    expected = reference(config, OURS, CLASSES, steps, guidance, solver="dpmpp")
    assert gap(ours(config, OURS, CLASSES, monkeypatch), expected) < 1e-4
    plain = reference(config, OURS, CLASSES, steps, lambda *_: None, solver="dpmpp")
    assert gap(ours(small("unguided", count=12), OURS, CLASSES, monkeypatch), plain) < 1e-4
    assert gap(plain, expected) > 0.05


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_25_of_250_steps_lie_inside_the_window_of_digits_and_signs(spacing: str) -> None:
    config = preset("paper-mnist")
    steps = noise.timesteps(COSINE | {"timestep_spacing": spacing}, config.sampler.steps)
    inside = [t for t in steps if in_window(config.guidance, t / 1000)]
    assert inside == [t for t in steps if 50 < t < 150] and len(inside) == 25


def test_batches_are_the_published_ones() -> None:
    assert [preset(name).batch for name in ("paper-cifar10", "paper-mnist", "paper-gtsrb")] == [
        512,
        128,
        128,
    ]
