"""PGD against torchattacks, step for step, and against the exact worst case of linear models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchattacks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cdp.models.classifiers import Classifier, PreActResNet, SmallCNN, WideResNet
from cdp.robust.attacks import pgd

NETS = {
    "small-cnn": lambda: SmallCNN(4, 1, widths=(8, 12)),
    "preact-resnet": lambda: PreActResNet(4, 1, widths=(6, 8), blocks=1),
    "wide-resnet": lambda: WideResNet(4, 1, depth=10, width=1),
}


def _drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _net(name: str) -> Classifier:
    """Seeded, in eval mode, with BatchNorm statistics of its own."""
    torch.manual_seed(0)
    net = NETS[name]()
    for _ in range(20):
        net(torch.rand(16, 1, 12, 12))
    return net.eval()


def _images(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """With many pixels at 0 and 1, where the range cuts."""
    generator = _drawn(3)
    return (1.6 * torch.rand(count, 1, 12, 12, generator=generator) - 0.3).clamp(
        0, 1
    ), torch.arange(count) % 4


THEIRS = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    ("norm", "epsilon", "step"),
    [("linf", 8 / 255, 2 / 255), ("linf", 0.3, 0.1), ("l2", 0.5, 0.1), ("l2", 2.0, 1.0)],
)
def test_agrees_with_torchattacks(name: str, norm: str, epsilon: float, step: float) -> None:
    net, (x, y) = _net(name).double(), _images()
    x = x.double()
    expected = THEIRS[norm](net, eps=epsilon, alpha=step, steps=10, random_start=False)(x, y)
    found = pgd(net, x, y, epsilon=epsilon, step_size=step, steps=10, norm=norm, random_start=False)
    assert not torch.equal(found, x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NETS)
def test_agrees_with_torchattacks_from_the_same_random_start_in_linf(name: str) -> None:
    """In fp32, where both starts draw the same numbers; a gradient within rounding of 0 may change
    its sign."""
    net, (x, y) = _net(name), _images()
    torch.manual_seed(5)
    expected = torchattacks.PGD(net, eps=0.1, alpha=0.03, steps=5, random_start=True)(x, y)
    found = pgd(net, x, y, epsilon=0.1, step_size=0.03, steps=5, generator=_drawn(5))
    assert torch.isclose(found, expected, rtol=0, atol=1e-6).double().mean() > 0.995
    other = pgd(net, x, y, epsilon=0.1, step_size=0.03, steps=5, generator=_drawn(6))
    assert torch.isclose(other, expected, rtol=0, atol=1e-6).double().mean() < 0.9


def _linear(seed: int, pixels: int = 16) -> tuple[nn.Module, torch.Tensor]:
    """Two classes with logits (w.x, 0): the loss of class 0 falls strictly with w.x."""
    w = torch.randn(pixels, generator=_drawn(seed), dtype=torch.float64)
    net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 2, bias=False).double())
    with torch.no_grad():
        net[1].weight[:] = torch.stack([w, torch.zeros_like(w)])
    return net, w


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), epsilon=st.floats(0.01, 1.5), start=st.booleans())
def test_linf_is_exact_on_a_linear_model(seed: int, epsilon: float, start: bool) -> None:
    """Pixel by pixel: x - eps sign(w), cut to [0,1], whatever the start."""
    net, w = _linear(seed)
    generator = _drawn(seed)
    x, y = (
        torch.rand(3, 1, 4, 4, generator=generator, dtype=torch.float64),
        torch.zeros(3, dtype=torch.long),
    )
    found = pgd(
        net,
        x,
        y,
        epsilon=epsilon,
        step_size=epsilon / 4,
        steps=9,
        random_start=start,
        generator=generator,
    )
    torch.testing.assert_close(
        found, (x - epsilon * w.sign().view(1, 1, 4, 4)).clamp(0, 1), rtol=0, atol=1e-9
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), epsilon=st.floats(0.01, 0.3), steps=st.integers(1, 6))
def test_l2_is_exact_on_a_linear_model(seed: int, epsilon: float, steps: int) -> None:
    """Every step has the direction of -w and the length given, until the ball ends: x - min(steps *
    size, eps) w / |w|."""
    net, w = _linear(seed)
    x, y = torch.full((2, 1, 4, 4), 0.5, dtype=torch.float64), torch.zeros(2, dtype=torch.long)
    found = pgd(
        net,
        x,
        y,
        epsilon=epsilon,
        step_size=epsilon / 4,
        steps=steps,
        norm="l2",
        random_start=False,
    )
    expected = x - min(steps * epsilon / 4, epsilon) * (w / w.norm()).view(1, 1, 4, 4)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def _least_in_ball_and_range(x: np.ndarray, w: np.ndarray, epsilon: float) -> float:
    """Least w.z with |z - x|_2 <= epsilon and z in [0,1]: z = clip(x - m w) with m >= 0 found by
    bisection (KKT)."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        inside = np.linalg.norm(np.clip(x - middle * w, 0, 1) - x) <= epsilon
        low, high = (middle, high) if inside else (low, middle)
    return float(w @ np.clip(x - low * w, 0, 1))


@pytest.mark.parametrize("seed", range(5))
def test_l2_comes_close_to_the_exact_worst_case_where_the_range_cuts(seed: int) -> None:
    """Projecting on the ball and then on the range is not the projection on both, but small steps
    end next to the optimum."""
    net, w = _linear(seed)
    generator = _drawn(seed)
    x, y = (
        torch.rand(4, 1, 4, 4, generator=generator, dtype=torch.float64).round(),
        torch.zeros(4, dtype=torch.long),
    )
    found = pgd(net, x, y, epsilon=0.8, step_size=0.02, steps=500, norm="l2", generator=generator)
    for image, attacked in zip(x.flatten(1).numpy(), found.flatten(1).numpy(), strict=True):
        best = _least_in_ball_and_range(image, w.numpy(), 0.8)
        gain, most = w.numpy() @ image - w.numpy() @ attacked, w.numpy() @ image - best
        assert 0.999 * most <= gain <= most + 1e-9
