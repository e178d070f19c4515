"""Gradients of the losses: right, finite at extreme temperatures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.guidance import losses
from tests.guidance import loss_oracles as naive

B, D, K = 6, 4, 3
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
Loss = Callable[[Tensor, Tensor, float], Tensor]

LOSSES: dict[str, Loss] = {
    "info_nce": lambda q, k, t: losses.info_nce(q, k, temperature=t),
    "info_nce_bank": lambda q, k, t: losses.info_nce_bank(q, k, k.roll(1, 0), temperature=t),
    "hard_negative": lambda q, k, t: losses.hard_negative(
        q, k, temperature=t, tau_plus=0.1, beta=1
    ),
    "hard_negative, uniform": lambda q, k, t: losses.hard_negative(
        q, k, temperature=t, tau_plus=0, beta=0
    ),
    "hard_negative, extreme": lambda q, k, t: losses.hard_negative(
        q, k, temperature=t, tau_plus=0.9, beta=100
    ),
    "supcon": lambda q, k, t: naive.supcon(q, LABELS, temperature=t),
    "supcon, a class of one": lambda q, k, t: naive.supcon(
        q, torch.tensor([0, 0, 1, 1, 1, 2]), temperature=t
    ),
    "supcon, one class": lambda q, k, t: naive.supcon(
        q, torch.zeros(B, dtype=torch.int64), temperature=t
    ),
    "supcon, no class twice": lambda q, k, t: naive.supcon(q, torch.arange(B), temperature=t),
    "supcon_keys": lambda q, k, t: naive.supcon_keys(q, LABELS, k, LABELS.roll(1), temperature=t),
    "smooth_class_margin": lambda q, k, t: losses.smooth_class_margin(
        q, LABELS, k[:K], torch.arange(K), margin=0.5, temperature=t
    ),
    "fisher": lambda q, k, t: losses.fisher(q, LABELS, k[:K], torch.arange(K)),
    "classifier": lambda q, k, t: losses.classifier(q[:, :K] / t, LABELS),
    "boundary": lambda q, k, t: losses.boundary(q[:, :K] / t, LABELS, k[:, 0]),
    "uncertainty": lambda q, k, t: losses.uncertainty(q[:, :K] / t),
    "influence": lambda q, k, t: losses.influence(
        q[:, :K] / t, k, LABELS, torch.arange(K * K * D, dtype=q.dtype).view(K, K, D) / 10
    ),
    "repulsion": lambda q, k, t: losses.repulsion(q, LABELS, bandwidth=t),
}


def unit(seed: int) -> Tensor:
    return F.normalize(
        torch.randn(B, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("temperature", (0.3, 3.0))
def test_gradients_pass_gradcheck(name: str, temperature: float) -> None:
    query, key = unit(0).requires_grad_(), unit(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda q, k: LOSSES[name](q, k, temperature), (query, key))


def _arrangements() -> dict[str, tuple[Tensor, Tensor]]:
    one = unit(2)[:1].expand(B, D)
    sign = torch.tensor([1.0, -1.0] * (B // 2), dtype=torch.float64)[:, None]
    return {
        "random rows": (unit(0), unit(1)),
        "positives equal to their anchors": (unit(0), unit(0)),
        "all rows identical": (one, one),
        "positives opposite": (unit(0), -unit(0)),
        "all rows on one line": (one * sign, one * sign),
        "nearly identical rows": (one + 1e-4 * unit(3), one + 1e-4 * unit(4)),
    }


@pytest.mark.parametrize("arrangement", _arrangements())
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("temperature", (0.01, 0.1, 1.0, 10.0, 100.0))
def test_values_and_gradients_are_finite(name: str, arrangement: str, temperature: float) -> None:
    query, key = (
        F.normalize(rows, dim=1).float().requires_grad_() for rows in _arrangements()[arrangement]
    )
    found = LOSSES[name](query, key, temperature)
    assert bool(torch.isfinite(found).all())
    for gradient in torch.autograd.grad(found.sum(), (query, key), allow_unused=True):
        assert gradient is None or bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize(
    "name",
    (
        "info_nce",
        "info_nce_bank",
        "hard_negative",
        "supcon",
        "supcon_keys",
        "smooth_class_margin",
        "classifier",
    ),
)
def test_a_won_contrast_keeps_the_direction_of_its_gradient_in_float32(name: str) -> None:
    """Relative strength blows small gradients up to full length, so that rounding must not decide
    where they point."""
    basis = torch.eye(D, dtype=torch.float64)
    noise = 0.05 * unit(5)
    query = F.normalize(basis[LABELS] + noise, dim=1)
    key = F.normalize(basis[LABELS] - noise.roll(1, 0), dim=1)
    if name == "supcon_keys":
        key = key.roll(1, 0)
    if name == "smooth_class_margin":
        key = basis
    temperature = 0.03

    def direction(dtype: torch.dtype) -> Tensor:
        q, k = query.to(dtype).requires_grad_(), key.to(dtype)
        (gradient,) = torch.autograd.grad(LOSSES[name](q, k, temperature).sum(), q)
        return gradient.double() / gradient.double().norm(dim=1, keepdim=True)

    assert bool(((direction(torch.float32) * direction(torch.float64)).sum(1) > 0.999).all())


def test_where_the_floor_is_active_the_negatives_of_hard_negative_carry_no_gradient() -> None:
    query = unit(6).requires_grad_()
    positive = unit(6)
    found = losses.hard_negative(query, positive, temperature=0.5, tau_plus=0.9, beta=1)
    (gradient,) = torch.autograd.grad(found[0], query)
    assert gradient[0].norm() > 0
    assert gradient[1:].norm() == 0
