"""PGD: where its images may lie, what it must leave alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cdp.errors import InputError
from cdp.robust.attacks import cross_entropy, kl, margin, pgd, towards
from tests.robust.suited import state_of


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 3),
        nn.Dropout(0.5),
    )


def _images(seed: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 6, 6, generator=generator).round(decimals=1), torch.randint(
        3, (count,), generator=generator
    )


def _attacked(net: nn.Module, x: torch.Tensor, y: torch.Tensor, **change: Any) -> torch.Tensor:
    """Three steps from the image itself."""
    given = {"epsilon": 0.2, "step_size": 0.1, "steps": 3, "random_start": False}
    return pgd(net, x, y, **(given | change))


def _drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _length(delta: torch.Tensor, norm: str) -> torch.Tensor:
    flat = delta.flatten(1)
    return flat.abs().amax(dim=1) if norm == "linf" else flat.norm(dim=1)


@settings(max_examples=30)
@given(
    norm=st.sampled_from(["linf", "l2"]),
    epsilon=st.floats(0, 2),
    step=st.floats(0, 3),
    steps=st.integers(0, 4),
    start=st.booleans(),
    noise=st.sampled_from([None, 0.001, 1.0]),
    seed=st.integers(0, 1000),
)
def test_images_stay_in_the_ball_and_in_range(
    norm: str, epsilon: float, step: float, steps: int, start: bool, noise: float | None, seed: int
) -> None:
    x, y = _images(seed)
    x_adv = pgd(
        _net(),
        x,
        y,
        epsilon=epsilon,
        step_size=step,
        steps=steps,
        norm=norm,
        random_start=start,
        start_noise=noise,
        generator=_drawn(seed),
    )
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert (_length(x_adv - x, norm) <= epsilon + 1e-5).all()
    assert not x_adv.requires_grad


def _mixed() -> nn.Module:
    """A network in no single mode, with gradients of its own and BatchNorm statistics that an
    attack must not see."""
    net = _net()
    net[0].weight.requires_grad_(False)
    net[1].eval()
    net[3].eval()
    net[4].weight.grad = torch.full_like(net[4].weight, 2.5)
    return net


def _raising(at: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    calls = iter(range(100))

    def loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if next(calls) == at:
            raise KeyError("the loss failed")
        return cross_entropy(logits, y)

    return loss


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("start", [True, False])
def test_modes_flags_gradients_buffers_and_images_are_untouched(norm: str, start: bool) -> None:
    net, (x, y) = _mixed(), _images(0)
    before, copy = state_of(net), x.clone()
    for epsilon, steps in ((0.1, 3), (0.0, 1), (0.1, 0)):
        pgd(net, x, y, epsilon=epsilon, step_size=0.05, steps=steps, norm=norm, random_start=start)
    assert state_of(net) == before
    assert torch.equal(x, copy)
    assert not x.requires_grad


@pytest.mark.parametrize("at", [0, 2])
def test_a_loss_that_fails_leaves_everything_as_it_was(at: int) -> None:
    net, (x, y) = _mixed(), _images(0)
    before = state_of(net)
    with pytest.raises(KeyError):
        pgd(net, x, y, epsilon=0.1, step_size=0.05, steps=3, loss=_raising(at))
    assert state_of(net) == before
    assert torch.is_grad_enabled()


def test_the_attack_sees_the_network_in_eval_mode_also_where_it_is_training() -> None:
    net, (x, y) = _net(), _images(1)
    net(x)
    assert torch.equal(_attacked(net.train(), x, y), _attacked(net.eval(), x, y))


def test_works_where_gradients_are_off_and_on_images_that_ask_for_one() -> None:
    net, (x, y) = _net().eval(), _images(2)
    expected = _attacked(net, x, y)
    with torch.no_grad():
        assert torch.equal(_attacked(net, x, y), expected)
    leaf = x.clone().requires_grad_(True)
    found = _attacked(net, leaf * 1, y)
    assert torch.equal(found, expected)
    assert found.grad_fn is None
    assert leaf.grad is None


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_image_s_attack_does_not_depend_on_its_batch(norm: str) -> None:
    net = _net().double()
    x, y = _images(4)
    together = _attacked(net, x.double(), y, norm=norm)
    alone = [_attacked(net, x[i : i + 1].double(), y[i : i + 1], norm=norm) for i in range(len(x))]
    alone = torch.cat(alone)
    torch.testing.assert_close(together, alone)


def test_same_generator_seed_same_images_and_the_global_stream_is_left_alone() -> None:
    net, (x, y) = _net(), _images(5)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    runs = [_attacked(net, x, y, random_start=True, generator=_drawn(9)) for _ in range(2)]
    assert torch.equal(*runs)
    assert torch.equal(torch.rand(1), expected)


def test_zero_gradient_moves_nothing_and_gives_no_nan() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    nn.init.zeros_(flat[1].weight)
    x, y = _images(6)
    for norm in ("linf", "l2"):
        assert torch.equal(_attacked(flat, x, y, norm=norm), x)


@pytest.mark.parametrize("scale", [1e-12, 1e-22, 1e-30, 1e-36])
def test_an_l2_step_has_its_length_however_small_the_gradient(scale: float) -> None:
    """A sure network's gradients are so small that their squares are zero in fp32; the step size
    must not depend on that."""
    generator = torch.Generator().manual_seed(0)
    w = scale * torch.randn(36, generator=generator)
    x, y = torch.full((2, 1, 6, 6), 0.5), torch.zeros(2, dtype=torch.long)
    given = {"epsilon": 1.0, "steps": 1, "norm": "l2", "loss": lambda z, y: z @ w}
    x_adv = _attacked(nn.Flatten(), x, y, **given)
    torch.testing.assert_close(
        (x_adv - x).flatten(1),
        0.1 * (w / scale / (w / scale).norm()).expand(2, -1),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_under_bf16_autocast_images_stay_fp32_and_the_attack_still_works(norm: str) -> None:
    net, (x, y) = _net().eval(), _images(7)
    seen = []
    net[4].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    settings_ = {"step_size": 0.05, "steps": 8, "norm": norm}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x_adv = _attacked(net, x, y, **settings_)
    assert set(seen) == {torch.bfloat16}
    assert x_adv.dtype == torch.float32
    assert (_length(x_adv - x, norm) <= 0.2 + 1e-6).all()
    gains = [
        (cross_entropy(net(found), y) - cross_entropy(net(x), y)).mean().item()
        for found in (x_adv, _attacked(net, x, y, **settings_))
    ]
    assert gains[0] > 0.9 * gains[1] > 0


def test_the_training_step_after_an_attack_in_one_autocast_block_keeps_its_gradients() -> None:
    """Autocast keeps rounded copies of weights; copies made without gradients must not serve the
    training step."""
    gradients = []
    for attacked in (False, True):
        net, (x, y) = _net().eval(), _images(7)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if attacked:
                pgd(net, x, y, epsilon=0.1, step_size=0.05, steps=2)
            cross_entropy(net(x), y).sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_kl_is_zero_at_the_same_prediction_and_raised_by_its_attack() -> None:
    net = _net().eval()
    x, _ = _images(8)
    p = net(x).softmax(dim=1).detach()
    torch.testing.assert_close(kl(net(x), p), torch.zeros(len(x)), atol=1e-6, rtol=0)
    x_adv = _attacked(net, x, p, loss=kl, random_start=True, generator=_drawn(0))
    assert (kl(net(x_adv), p) > kl(net(x), p) + 1e-4).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"norm": "l1"}, "linf, l2"),
        *[
            ({name: value}, name)
            for name in ("epsilon", "step_size")
            for value in (-0.1, math.nan, math.inf, -math.inf)
        ],
        ({"steps": -1}, "steps"),
    ],
)
def test_wrong_settings_are_refused_by_name(change: dict[str, Any], word: str) -> None:
    x, y = _images(0)
    with pytest.raises(InputError, match=word):
        pgd(_net(), x, y, **({"epsilon": 0.1, "step_size": 0.1, "steps": 1} | change))


def _with(value: float) -> torch.Tensor:
    x = torch.rand(3, 1, 6, 6)
    x[1, 0, 2, 3] = value
    return x


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (_with(math.nan), "NaN"),
        (_with(math.inf), "from 0"),
        (_with(-math.inf), "to_image_range"),
        (_with(1.01), r"\[0,1\]"),
        (_with(-0.01), r"\[0,1\]"),
        (torch.rand(3, 1, 6, 6) * 255, "to_image_range"),
        (torch.rand(3, 36), "shape"),
        (torch.rand(3, 6, 6), "shape"),
        (torch.rand(3, 1, 1, 6, 6), "shape"),
        (torch.rand(0, 1, 6, 6), "one image or more"),
        (torch.rand(3, 1, 0, 6), "one image or more"),
        (torch.rand(2, 1, 6, 6), "2 images and 3 targets"),
        (torch.rand(3, 1, 6, 6).bfloat16(), "fp32 or fp64"),
        (torch.ones(3, 1, 6, 6, dtype=torch.uint8), "fp32 or fp64"),
    ],
)
def test_what_are_no_images_is_refused(x: torch.Tensor, words: str) -> None:
    net = _mixed()
    before = state_of(net)
    with pytest.raises(InputError, match=words):
        pgd(net, x, torch.zeros(3, dtype=torch.long), epsilon=0.1, step_size=0.1, steps=1)
    assert state_of(net) == before


def test_images_a_rounding_error_outside_the_range_are_taken() -> None:
    x, y = _images(0)
    x_adv = pgd(_net(), x - 3e-8, y, epsilon=0.1, step_size=0.1, steps=1)
    assert x_adv.min() >= 0


# ---- Losses besides cross-entropy, and the path of a loss ----


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000), classes=st.integers(2, 6), scale=st.sampled_from([1e-3, 1.0, 1e6])
)
def test_margin_is_best_other_minus_true_logit(seed: int, classes: int, scale: float) -> None:
    logits = scale * torch.randn(7, classes, generator=_drawn(seed))
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
        given = {"epsilon": 0.4, "step_size": 0.05, "steps": 30, "loss": towards}
        x_adv = _attacked(net, x, torch.full_like(y, target), **given)
        assert (net(x_adv).argmax(dim=1) == target).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", [cross_entropy, margin])
def test_a_trace_holds_every_loss_and_changes_nothing(norm: str, loss: Any) -> None:
    net, (x, y) = _net().eval(), _images(10)
    settings_ = {"epsilon": 0.3, "step_size": 0.05, "norm": norm, "loss": loss}
    trace: list[torch.Tensor] = []
    found = pgd(net, x, y, steps=4, generator=_drawn(3), trace=trace, **settings_)
    assert torch.equal(found, pgd(net, x, y, steps=4, generator=_drawn(3), **settings_))
    assert len(trace) == 5 and not any(part.requires_grad for part in trace)
    for steps, part in enumerate(trace):
        x_adv = pgd(net, x, y, steps=steps, generator=_drawn(3), **settings_)
        assert torch.equal(part, loss(net(x_adv), y).detach())
