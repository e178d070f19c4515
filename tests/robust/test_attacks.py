"""PGD: where its images may lie, what it must leave alone, and the closed form on a linear model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cdp.errors import InputError
from cdp.robust.attacks import cross_entropy, kl, pgd


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 36, 3), nn.Dropout(0.5))


def _images(seed: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 6, 6, generator=generator).round(decimals=1), torch.randint(3, (count,), generator=generator)


def _length(delta: torch.Tensor, norm: str) -> torch.Tensor:
    flat = delta.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


@settings(max_examples=30, deadline=None)
@given(
    norm=st.sampled_from(["linf", "l2"]), epsilon=st.floats(0, 2), step=st.floats(0, 3), steps=st.integers(0, 4), start=st.booleans(),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_images_stay_in_the_ball_and_in_range(norm: str, epsilon: float, step: float, steps: int, start: bool, seed: int) -> None:
    x, y = _images(seed)
    generator = torch.Generator().manual_seed(seed)
    x_adv = pgd(_net(), x, y, epsilon=epsilon, step_size=step, steps=steps, norm=norm, random_start=start, generator=generator)
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert (_length(x_adv - x, norm) <= epsilon + 1e-5).all()
    assert not x_adv.requires_grad


def test_modes_flags_gradients_buffers_and_images_are_untouched() -> None:
    net = _net()
    net[0].weight.requires_grad_(False)
    net[1].eval()
    x, y = _images(0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    copy = x.clone()
    pgd(net, x, y, epsilon=0.1, step_size=0.05, steps=3)
    assert [m.training for m in net] == [True, False, True, True, True, True]
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True, True, True]
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(x, copy)


def test_modes_come_back_when_the_network_fails() -> None:
    net = _net()
    with pytest.raises(RuntimeError):
        pgd(net, torch.rand(2, 3, 6, 6), torch.zeros(2, dtype=torch.long), epsilon=0.1, step_size=0.1, steps=1)
    assert net.training
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_reaches_the_closed_form_on_a_linear_model(norm: str) -> None:
    """With logits (w.x, 0) the worst case inside the ball is x - eps sign(w), or x - eps w/|w|, for the class of w."""
    torch.manual_seed(1)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    w = torch.randn(16)
    with torch.no_grad():
        linear[1].weight[:] = torch.stack([w, torch.zeros(16)])
    x, y = torch.full((3, 1, 4, 4), 0.5), torch.zeros(3, dtype=torch.long)
    direction = w.sign() if norm == "linf" else w / w.norm()
    x_adv = pgd(linear, x, y, epsilon=0.2, step_size=0.05, steps=40, norm=norm, generator=torch.Generator().manual_seed(0))
    expected = x - 0.2 * direction.view(1, 1, 4, 4)
    # The l2 iterate turns into the direction of w geometrically, the l_inf one arrives exactly.
    torch.testing.assert_close(x_adv, expected, atol=1e-6 if norm == "linf" else 5e-3, rtol=0)


def test_one_step_without_random_start_is_fgsm() -> None:
    net = _net().eval()
    x, y = _images(3)
    leaf = x.clone().requires_grad_(True)
    cross_entropy(net(leaf), y).sum().backward()
    expected = (x + 0.1 * leaf.grad.sign()).clamp(0, 1)
    x_adv = pgd(net, x, y, epsilon=0.1, step_size=0.1, steps=1, random_start=False)
    torch.testing.assert_close(x_adv, expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_image_s_attack_does_not_depend_on_its_batch(norm: str) -> None:
    net = _net().double()
    x, y = _images(4)
    settings_ = {"epsilon": 0.3, "step_size": 0.1, "steps": 3, "norm": norm, "random_start": False}
    together = pgd(net, x.double(), y, **settings_)
    alone = torch.cat([pgd(net, x[i : i + 1].double(), y[i : i + 1], **settings_) for i in range(len(x))])
    torch.testing.assert_close(together, alone)


def test_same_generator_seed_same_images_and_the_global_stream_is_left_alone() -> None:
    net, (x, y) = _net(), _images(5)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    runs = [pgd(net, x, y, epsilon=0.1, step_size=0.05, steps=2, generator=torch.Generator().manual_seed(9)) for _ in range(2)]
    assert torch.equal(*runs)
    assert torch.equal(torch.rand(1), expected)


def test_zero_gradient_moves_nothing_and_gives_no_nan() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    nn.init.zeros_(flat[1].weight)
    x, y = _images(6)
    for norm in ("linf", "l2"):
        assert torch.equal(pgd(flat, x, y, epsilon=0.1, step_size=0.1, steps=2, norm=norm, random_start=False), x)


def test_kl_is_zero_at_the_same_prediction_and_raised_by_its_attack() -> None:
    net = _net().eval()
    x, _ = _images(8)
    p = net(x).softmax(dim=1).detach()
    torch.testing.assert_close(kl(net(x), p), torch.zeros(len(x)), atol=1e-6, rtol=0)
    x_adv = pgd(net, x, p, epsilon=0.1, step_size=0.05, steps=5, loss=kl, generator=torch.Generator().manual_seed(0))
    assert (kl(net(x_adv), p) > kl(net(x), p) + 1e-4).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [({"norm": "l1"}, "linf, l2"), ({"epsilon": -0.1}, "epsilon"), ({"epsilon": float("nan")}, "epsilon")],
)
def test_wrong_settings_are_refused_by_name(change: dict, word: str) -> None:
    x, y = _images(0)
    with pytest.raises(InputError, match=word):
        pgd(_net(), x, y, **({"epsilon": 0.1, "step_size": 0.1, "steps": 1} | change))


def test_images_in_model_range_are_refused_but_rounding_is_not() -> None:
    x, y = _images(0)
    with pytest.raises(InputError, match=r"\[0,1\]"):
        pgd(_net(), x * 2 - 1, y, epsilon=0.1, step_size=0.1, steps=1)
    pgd(_net(), x - 3e-8, y, epsilon=0.1, step_size=0.1, steps=1)
