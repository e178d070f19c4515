"""The losses that attacks ascend besides cross-entropy, and the path of a loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cdp.robust.attacks import cross_entropy, margin, pgd, towards


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


def _images(seed: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 6, 6, generator=generator), torch.randint(
        3, (count,), generator=generator
    )


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000), classes=st.integers(2, 6), scale=st.sampled_from([1e-3, 1.0, 1e6])
)
def test_margin_is_the_best_other_logit_minus_the_true_one(
    seed: int, classes: int, scale: float
) -> None:
    logits = scale * torch.randn(7, classes, generator=torch.Generator().manual_seed(seed))
    y = torch.arange(7) % classes
    expected = [
        max(value for k, value in enumerate(row) if k != label) - row[label]
        for row, label in zip(logits.tolist(), y.tolist(), strict=True)
    ]
    torch.testing.assert_close(margin(logits, y), torch.tensor(expected))
    assert torch.equal(margin(logits, y) > 0, logits.argmax(dim=1) != y)


def test_the_margin_has_a_gradient_where_the_softmax_is_saturated() -> None:
    logits = (1e4 * torch.eye(3)).requires_grad_(True)
    assert not torch.autograd.grad(cross_entropy(logits, torch.arange(3)).sum(), logits)[0].any()
    gradient = torch.autograd.grad(margin(logits, torch.arange(3)).sum(), logits)[0]
    assert torch.equal(gradient.diagonal(), -torch.ones(3))
    assert torch.equal(gradient.sum(dim=1), torch.zeros(3))


def test_an_attack_towards_a_class_ends_in_it() -> None:
    net, (x, y) = _net().eval(), _images(9, 8)
    for target in range(3):
        x_adv = pgd(
            net,
            x,
            torch.full_like(y, target),
            epsilon=0.4,
            step_size=0.05,
            steps=30,
            loss=towards,
            random_start=False,
        )
        assert (net(x_adv).argmax(dim=1) == target).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", [cross_entropy, margin])
def test_a_trace_holds_the_loss_before_every_step_and_after_the_last_and_changes_nothing(
    norm: str, loss: Any
) -> None:
    net, (x, y) = _net().eval(), _images(10)
    settings_ = {"epsilon": 0.3, "step_size": 0.05, "norm": norm, "loss": loss}
    trace: list[torch.Tensor] = []
    found = pgd(
        net, x, y, steps=4, generator=torch.Generator().manual_seed(3), trace=trace, **settings_
    )
    assert torch.equal(
        found, pgd(net, x, y, steps=4, generator=torch.Generator().manual_seed(3), **settings_)
    )
    assert len(trace) == 5 and not any(part.requires_grad for part in trace)
    for steps, part in enumerate(trace):
        x_adv = pgd(net, x, y, steps=steps, generator=torch.Generator().manual_seed(3), **settings_)
        assert torch.equal(part, loss(net(x_adv), y).detach())
