"""The small classifier: shapes, independence from the batch, and its share of a sampling step."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cdp.models.classifiers import SmallCNN
from cdp.models.state import frozen


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 64, 64), (4, 30, 20)])
def test_shapes_hold_at_every_size(shape: tuple[int, int, int]) -> None:
    net = SmallCNN(7, shape[0])
    features = net.features(torch.rand(2, *shape))
    assert features.shape == (2, net.dim) == (2, 128)
    assert net.logits_of(features).shape == (2, 7)


def test_logits_are_the_head_of_the_features() -> None:
    net, x = SmallCNN(5, 3), torch.rand(2, 3, 32, 32)
    assert torch.equal(net(x), net.logits_of(net.features(x)))


@pytest.mark.parametrize("mode", [True, False])
def test_an_image_s_features_do_not_depend_on_its_batch_in_either_mode(mode: bool) -> None:
    torch.manual_seed(0)
    net, x = SmallCNN(5, 1).double().train(mode), torch.rand(6, 1, 28, 28, dtype=torch.float64)
    alone = torch.cat([net.features(x[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(net.features(x), alone)


def test_cost_stays_within_ten_million_multiply_adds() -> None:
    net = SmallCNN(10, 1)
    with FlopCounterMode(display=False) as counter:
        net(torch.rand(1, 1, 28, 28))
    assert counter.get_total_flops() / 2 <= 10e6


def test_input_gradient_is_finite_and_not_zero_far_outside_the_range() -> None:
    x = (torch.rand(4, 1, 28, 28) * 8 - 4).requires_grad_(True)
    (gradient,) = torch.autograd.grad(SmallCNN(10, 1).features(x).square().sum(), x)
    assert torch.isfinite(gradient).all()
    assert (gradient.flatten(1).norm(dim=1) > 0).all()


def test_frozen_restores_every_mode_and_flag_also_after_an_error() -> None:
    net = SmallCNN(3, 1, widths=(4,)).train()
    net.head.eval()
    net.head.bias.requires_grad_(False)
    modes, flags = [m.training for m in net.modules()], [p.requires_grad for p in net.parameters()]
    with frozen(net) as inside:
        assert not any(m.training for m in inside.modules())
        assert not any(p.requires_grad for p in inside.parameters())
    assert [m.training for m in net.modules()] == modes
    with pytest.raises(RuntimeError), frozen(net):
        net(torch.rand(1, 2, 8, 8))
    assert [m.training for m in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == flags
