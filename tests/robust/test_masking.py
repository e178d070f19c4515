"""The checks of gradient masking: a robust network passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdp.data.registry import load_split
from cdp.errors import Cancelled
from cdp.models.encoders import load_encoder
from cdp.robust import masking
from cdp.robust.attacks import cross_entropy
from cdp.robust.masking import judged, masking_panel
from cdp.robust.recipes import to_tensor
from cdp.robust.trial import Attacker, Trial
from cdp.values.evaluation import Check, Masking
from cdp.values.types import Interval
from tests.robust.suited import network, pictures, predicted

CHECKS = ["large-budget", "steps", "black-box", "restarts", "surface"]


class Around(nn.Module):
    """A network with a change before it and one after it."""

    def __init__(
        self, body: nn.Module, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.body, self.before, self.after = body, before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(self.before(x)))


def _panel(net: nn.Module, count: int = 60, **change: Any) -> Masking:
    """Of a network that is right about everything."""
    image = pictures(count)
    return _checked(net, image, predicted(net.eval(), image), **change)


def _checked(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    epsilon: float = 0.03,
    should_stop: Callable[[], bool] | None = None,
    **change: Any,
) -> Masking:
    trial = Trial(net, image, label, should_stop=should_stop)
    return masking_panel(
        Attacker(trial, **({"norm": "linf", "seed": 0, "batch": 30} | change)), epsilon
    )


def _verdicts(found: Masking) -> dict[str, str]:
    assert [check.name for check in found.checks] == CHECKS
    return {check.name: check.verdict for check in found.checks}


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer restarts and queries, for time."""
    monkeypatch.setattr(masking, "SINGLE_STARTS", 3)
    monkeypatch.setattr(masking, "QUERIES", 100)


@pytest.mark.usefixtures("fewer")
def test_the_shipped_robust_network_passes_every_check() -> None:
    test = load_split("fashion-mnist", "test")
    net = load_encoder("robust", "fashion-mnist").net
    found = _checked(net, test.image[:80], test.label[:80], epsilon=0.1, batch=250)
    assert _verdicts(found) == dict.fromkeys(CHECKS, "pass"), found.checks
    assert found.n == 80


@pytest.mark.usefixtures("fewer")
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_network_on_rounded_images_whose_gradient_is_zero_is_found_out(norm: str) -> None:
    net = Around(network(), lambda x: (8 * x).round() / 8, lambda z: z)
    found = _panel(net, norm=norm, epsilon=0.05 if norm == "linf" else 0.4)
    verdicts = _verdicts(found)
    assert verdicts["large-budget"] == verdicts["surface"] == "warn"
    figures = {check.name: check.figures for check in found.checks}
    assert figures["large-budget"]["left"] == 1.0 and figures["surface"]["along"] == 0.0
    assert norm == "l2" or verdicts["black-box"] == "warn"


@pytest.mark.usefixtures("fewer")
def test_a_saturated_softmax_is_found_out() -> None:
    verdicts = _verdicts(_panel(Around(network(), lambda x: x, lambda z: 1e6 * z)))
    assert verdicts["large-budget"] == verdicts["surface"] == "warn"


@pytest.mark.usefixtures("fewer")
def test_a_network_whose_gradients_are_noise_is_found_out() -> None:
    """A ripple too fine to matter for the prediction decides the sign of every gradient."""
    net = Around(network(), lambda x: x + 4e-4 * torch.sin(2e4 * x), lambda z: z)
    verdicts = _verdicts(_panel(net))
    assert "warn" in verdicts.values()


@pytest.mark.usefixtures("fewer")
def test_a_plain_network_that_withstands_nothing_hides_nothing() -> None:
    verdicts = _verdicts(_panel(network(), count=120, epsilon=0.3))
    assert "warn" not in verdicts.values()
    assert verdicts["large-budget"] == verdicts["surface"] == "pass"


@pytest.mark.usefixtures("fewer")
def test_too_few_images_are_never_a_pass_on_what_needs_many() -> None:
    verdicts = _verdicts(_panel(network(), count=10))
    assert verdicts["steps"] == verdicts["black-box"] == verdicts["restarts"] == "unclear"


@pytest.mark.usefixtures("fewer")
def test_a_network_that_is_right_about_nothing_gets_no_surface() -> None:
    net, image = network(), pictures(20)
    found = _checked(net, image, (predicted(net, image) + 1) % 10, epsilon=0.1, batch=9)
    assert found.surface is None and _verdicts(found)["surface"] == "unclear"


@pytest.mark.usefixtures("fewer")
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_surface_is_the_loss_along_and_across_the_gradient(norm: str) -> None:
    net, image, epsilon = network(), pictures(31), 0.02 if norm == "linf" else 0.2
    label = predicted(net, image)
    surface = _checked(net, image, label, norm=norm, epsilon=epsilon, seed=4, batch=50).surface
    assert surface is not None
    leaf = to_tensor(image).requires_grad_(True)
    y = torch.from_numpy(label)
    before = cross_entropy(net(leaf), y)
    (gradient,) = torch.autograd.grad(before.sum(), leaf)
    step = (
        gradient.sign()
        if norm == "linf"
        else gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    )
    rise = (
        torch.stack(
            [
                cross_entropy(net((leaf + share * epsilon * step).clamp(0, 1)), y) - before
                for share in (0.25, 1)
            ]
        )
        .detach()
        .amax(dim=0)
    )
    assert sorted(rise.tolist())[15] == pytest.approx(rise[surface.row].item())
    row = surface.row
    assert (surface.label, surface.predicted) == (label[row], label[row])
    assert len(surface.along) == len(surface.across) == len(surface.loss) == 21
    assert (surface.along[0], surface.along[10], surface.along[20]) == pytest.approx(
        (-epsilon, 0, epsilon)
    )
    assert surface.loss[10][10] == pytest.approx(before[row].item(), rel=1e-5)
    for j, length in enumerate(surface.along):
        moved = (leaf[row : row + 1] + length * step[row : row + 1]).clamp(0, 1)
        assert surface.loss[10][j] == pytest.approx(
            cross_entropy(net(moved), y[row : row + 1]).item(), rel=1e-4
        )
    steps = [abs(line[10] - surface.loss[10][10]) for line in surface.loss]
    assert 0 < max(steps) < abs(surface.loss[10][20] - surface.loss[10][10])


@pytest.mark.usefixtures("fewer")
def test_the_same_seed_gives_the_same_panel_and_random_streams_stay() -> None:
    torch.manual_seed(1)
    stream = torch.get_rng_state()
    one, same, other = (_panel(network(), count=20, seed=seed) for seed in (0, 0, 1))
    assert one == same and one.surface != other.surface
    assert torch.equal(torch.get_rng_state(), stream)


@pytest.mark.usefixtures("fewer")
def test_the_caller_can_stop() -> None:
    net = network()
    left = iter(range(10))
    with pytest.raises(Cancelled):
        _panel(net, count=20, should_stop=lambda: next(left, None) is None)
    assert not net._forward_pre_hooks


@pytest.mark.parametrize(
    ("value", "low", "high", "limit", "verdict"),
    [
        (0.0, 0.0, 0.02, 0.02, "pass"),
        (0.02, 0.0, 0.05, 0.02, "pass"),
        (0.02, 0.0, 0.051, 0.02, "unclear"),
        (0.021, 0.0, 0.04, 0.02, "unclear"),
        (0.1, 0.02, 0.2, 0.02, "unclear"),
        (0.1, 0.021, 0.2, 0.02, "warn"),
        (-0.01, -0.03, 0.01, 0.02, "pass"),
    ],
)
def test_a_verdict_needs_the_share_and_its_interval(
    value: float, low: float, high: float, limit: float, verdict: str
) -> None:
    assert judged(Interval(value, low, high, 100), limit) == verdict


@pytest.mark.usefixtures("fewer")
def test_every_sentence_says_its_figures() -> None:
    found: dict[str, Check] = {check.name: check for check in _panel(network(), count=20).checks}
    figures = {name: check.figures for name, check in found.items()}
    assert f"{100 * figures['large-budget']['left']:.1f} % right" in found["large-budget"].sentence
    assert all(
        f"{100 * figures['steps'][name]:.1f}" in found["steps"].sentence
        for name in ("pgd10", "pgd40", "pgd200")
    )
    assert (
        f"turns {figures['black-box']['turned']:.0f} of the {figures['black-box']['left']:.0f}"
        in found["black-box"].sentence
    )
    assert (
        f"{100 * figures['restarts']['lowest']:.1f} to {100 * figures['restarts']['highest']:.1f} %"
        in found["restarts"].sentence
    )
    assert f"for {100 * figures['surface']['flat']:.1f} %" in found["surface"].sentence
    assert all(math.isfinite(value) for check in found.values() for value in check.figures.values())
    assert figures["large-budget"]["budget"] == 1.0
    assert np.isclose(figures["large-budget"]["chance"], 0.1)
