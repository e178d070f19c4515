"""The residual networks: the sizes and costs their papers give, every image size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cdp.errors import InputError
from cdp.models.classifiers import Classifier, PreActResNet, WideResNet


def _small(name: str, channels: int = 1) -> Classifier:
    torch.manual_seed(0)
    if name == "preact":
        return PreActResNet(3, channels, widths=(4, 6, 8), blocks=2)
    return WideResNet(3, channels, depth=10, width=1)


NAMES = ("preact", "wrn")


# Convolutions: stem and main path; WRN's depth counts the three shortcuts too, ResNet's the last
# linear layer.
@pytest.mark.parametrize(
    ("made", "parameters", "multiply_adds", "main", "shortcuts", "dim"),
    [(PreActResNet, 11_172_170, 0.56e9, 17, 3, 512), (WideResNet, 36_479_194, 5.25e9, 25, 3, 640)],
)
def test_default_sizes_are_the_published_ones(
    made: type[Classifier],
    parameters: int,
    multiply_adds: float,
    main: int,
    shortcuts: int,
    dim: int,
) -> None:
    with torch.device("meta"):
        net = made(10, 3)
        with FlopCounterMode(display=False) as counter:
            assert net.features(torch.rand(1, 3, 32, 32)).shape == (1, dim)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() / 2 == pytest.approx(multiply_adds, rel=0.01)
    sizes = [module.kernel_size[0] for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert (sizes.count(3), sizes.count(1)) == (main, shortcuts)
    assert net.dim == dim


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (1, 28, 28), (3, 32, 32), (1, 31, 8)])
def test_shapes_hold_at_every_size(name: str, shape: tuple[int, int, int]) -> None:
    net = _small(name, shape[0])
    x = torch.rand(2, *shape)
    assert net.features(x).shape == (2, net.dim)
    assert net(x).shape == (2, 3)
    assert torch.equal(net.eval()(x), net.logits_of(net.features(x)))


def _block(state: dict[str, torch.Tensor], name: str, x: torch.Tensor, stride: int) -> torch.Tensor:
    """He 2016, Fig. 4e and Eq. 1, from the weights alone."""

    def norm(which: str, value: torch.Tensor) -> torch.Tensor:
        mean, variance, scale, shift = (
            state[f"{name}.{which}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((value.movedim(1, -1) - mean) / (variance + 1e-5).sqrt() * scale + shift).movedim(
            -1, 1
        )

    first = norm("norm1", x).clamp_min(0)
    second = norm(
        "norm2", F.conv2d(first, state[f"{name}.conv1.weight"], stride=stride, padding=1)
    ).clamp_min(0)
    shortcut = state.get(f"{name}.shortcut.weight")
    return (x if shortcut is None else F.conv2d(first, shortcut, stride=stride)) + F.conv2d(
        second, state[f"{name}.conv2.weight"], padding=1
    )


def test_preact_resnet_is_its_blocks_written_out() -> None:
    net = _small("preact").double()
    x = torch.rand(4, 1, 8, 8, dtype=torch.float64)
    for _ in range(3):
        net(x)
    state = net.eval().state_dict()
    out = F.conv2d((x - 0.5) * 4, state["trunk.stem.weight"], padding=1)
    for block in range(6):
        out = _block(state, f"trunk.blocks.{block}", out, stride=2 if block in (2, 4) else 1)
    last = F.batch_norm(
        out,
        *(
            state[f"trunk.norm.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        ),
    ).clamp_min(0)
    torch.testing.assert_close(net.features(x), last.flatten(2).mean(2))


def test_the_wide_one_is_smooth() -> None:
    """SiLU everywhere: its gradient is differentiable, so a second derivative exists and is not
    zero, as ReLU's would be."""
    net, x = (
        _small("wrn").eval().double(),
        torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True),
    )
    (gradient,) = torch.autograd.grad(net.features(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    assert (second.abs() > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_in_eval_mode_an_image_s_logits_do_not_depend_on_its_batch(name: str) -> None:
    net, x = _small(name).double(), torch.rand(5, 1, 12, 12, dtype=torch.float64)
    net(x)
    net.eval()
    torch.testing.assert_close(net(x), torch.cat([net(x[i : i + 1]) for i in range(5)]))


@pytest.mark.parametrize("name", NAMES)
def test_bf16_autocast_and_channels_last_give_the_same_up_to_rounding(name: str) -> None:
    net, x = _small(name, 3), torch.rand(4, 3, 16, 16)
    net(x)
    net.eval()
    expected = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = net(x)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(
        rounded.float(), expected, rtol=0.1, atol=0.05 * expected.abs().max().item()
    )
    beside = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(beside, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_break_and_trains_the_same(name: str) -> None:
    nets = [_small(name), _small(name)]
    compiled = torch.compile(nets[1], backend="aot_eager", fullgraph=True)
    x = torch.rand(4, 1, 8, 8)
    for mode in (True, False):
        logits = [net.train(mode)(x) for net in (nets[0], compiled)]
        torch.testing.assert_close(*logits)
    logits[0].square().sum().backward()
    logits[1].square().sum().backward()
    for eager, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(eager.grad, other.grad)
    for eager, other in zip(nets[0].buffers(), nets[1].buffers(), strict=True):
        torch.testing.assert_close(eager, other)


@pytest.mark.parametrize("name", NAMES)
def test_learns_separable_classes_and_knows_them_in_eval_mode(name: str) -> None:
    net, generator = _small(name), torch.Generator().manual_seed(0)
    y = torch.arange(48) % 3
    x = (y.view(-1, 1, 1, 1) * 0.4 + 0.1 * torch.rand(48, 1, 8, 8, generator=generator)).clamp(0, 1)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    assert (net.eval()(x).argmax(dim=1) == y).float().mean() > 0.95


@pytest.mark.parametrize("depth", [4, 9, 27, 0, -2])
def test_a_depth_that_is_none_is_refused(depth: int) -> None:
    with pytest.raises(InputError, match="6 n"):
        WideResNet(3, 1, depth=depth, width=1)
