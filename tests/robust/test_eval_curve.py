"""Accuracy against budget: exact on a linear model, never rising."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdp.errors import Cancelled
from cdp.robust.trial import BUDGETS, Attacker, Trial, budget_curve, robust_share
from cdp.statistics.shares import wilson
from tests.robust.suited import network, pictures, predicted, problem


def _attacker(
    net: nn.Module, image: np.ndarray, label: np.ndarray, norm: str, batch: int
) -> Attacker:
    return Attacker(Trial(net, image, label), norm=norm, seed=0, batch=batch)


class Linear(nn.Module):
    """Logits (w.(x - 1/2), 0)."""

    def __init__(self, pixels: int = 64) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(pixels, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        score = (x.flatten(1) - 0.5) @ self.w
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def _linear(norm: str) -> tuple[nn.Module, np.ndarray, np.ndarray, np.ndarray]:
    """(network, images near grey, labels of which some are wrong, the exact distance of each image
    from the border, in the norm)."""
    net, rng = Linear(), np.random.default_rng(0)
    image = rng.integers(118, 139, (60, 8, 8, 1)).astype(np.uint8)
    score = (image.reshape(60, -1) / 255 - 0.5) @ net.w.detach().double().numpy()
    label = np.where(rng.random(60) < 0.1, score > 0, score <= 0).astype(np.int64)
    w = net.w.detach()
    length = w.abs().sum() if norm == "linf" else w.norm()
    return net, image, label, np.where((score <= 0) == label, np.abs(score), -1) / float(length)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_the_curve_is_exact(norm: str) -> None:
    net, image, label, distance = _linear(norm)
    epsilon = float(np.median(distance))
    curve = budget_curve(_attacker(net, image, label, norm, 13), epsilon, steps=40)
    assert [point.epsilon for point in curve] == [
        factor * epsilon for factor in BUDGETS
    ] and epsilon in [point.epsilon for point in curve]
    for point in curve:
        # Images within rounding of the border, or of a step that ends just short of it, may fall to
        # either side.
        sure, maybe = (int((distance > point.epsilon * factor).sum()) for factor in (1.001, 0.99))
        assert sure <= round(60 * point.robust.value) <= maybe
        assert maybe - sure <= 2 and point.robust.n == 60
    assert curve[0].robust == wilson(int((distance > 0).sum()), 60)
    share = robust_share(_attacker(net, image, label, norm, 13), epsilon)
    assert abs(share.value - curve[4].robust.value) <= 1 / 60


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_curve_never_rises_and_begins_at_clean_accuracy(norm: str) -> None:
    net, image, label = problem(40)
    epsilon = 0.04 if norm == "linf" else 0.3
    curve = budget_curve(_attacker(net, image, label, norm, 9), epsilon, steps=3)
    values = [point.robust.value for point in curve]
    assert values[0] == (predicted(net, image) == label).mean() == 0.9
    assert values == sorted(values, reverse=True) and values[-1] < 0.3
    assert budget_curve(_attacker(net, image, label, norm, 9), epsilon, steps=3) == curve


def test_an_image_that_fell_is_not_attacked_again_even_by_an_attack_that_would_fail() -> None:
    """Wrong only between 0.055 and 0.12 from grey, where some budgets end and larger ones do
    not."""

    class Band(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            away = (x - 0.5).abs().amax(dim=(1, 2, 3))
            inside = (away > 0.055) & (away < 0.12)
            right = torch.where(inside, -1.0, 1.0) + 0 * x.sum(dim=(1, 2, 3))
            return torch.stack([right, -right], dim=1)

    image, label = np.full((5, 8, 8, 1), 128, np.uint8), np.zeros(5, np.int64)
    curve = budget_curve(_attacker(Band(), image, label, "linf", 9), 0.1, steps=2)
    assert [point.robust.value for point in curve] == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert robust_share(_attacker(Band(), image, label, "linf", 9), 0.3, steps=2).value == 1


@pytest.mark.parametrize("measure", [budget_curve, robust_share])
def test_a_stop_is_heard_in_the_middle(measure: Callable[..., object]) -> None:
    net, image = network(), pictures(50)
    ends = time.monotonic() + 0.4
    trial = Trial(net, image, predicted(net, image), should_stop=lambda: time.monotonic() > ends)
    with pytest.raises(Cancelled):
        measure(Attacker(trial, norm="linf", seed=0, batch=50), 1e-4, steps=10**6)
    assert time.monotonic() - ends < 1
    assert not net._forward_pre_hooks


def test_where_no_image_is_right_the_curve_is_zero() -> None:
    net, image, label = problem(6, wrong=0)
    curve = budget_curve(_attacker(net, image, (label + 1) % 10, "linf", 9), 0.1)
    assert [point.robust.value for point in curve] == [0.0] * 9
