"""Small networks and images for suites of attacks, and a shortened AutoAttack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyautoattack
import pytest
import torch
from torch import Tensor, nn

from cdp.models.classifiers import SmallCNN
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import Attack, SuiteState, run_suite

EPSILON = 0.04


def network(classes: int = 10, seed: int = 0) -> nn.Module:
    """The same random weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SmallCNN(classes, 1, widths=(8, 8))


def state_of(net: nn.Module) -> dict[str, Any]:
    """All that work on a network must leave as it was."""
    return {
        "modes": [m.training for m in net.modules()],
        "flags": [p.requires_grad for p in net.parameters()],
        "gradients": [None if p.grad is None else p.grad.tolist() for p in net.parameters()],
        "tensors": {name: value.tolist() for name, value in net.state_dict().items()},
        "hooks": [(len(m._forward_pre_hooks), len(m._forward_hooks)) for m in net.modules()],
        "precision": (torch.get_float32_matmul_precision(), torch.backends.cudnn.deterministic),
        "gradients on": torch.is_grad_enabled(),
    }


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """(count,8,8,1) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def predicted(net: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(to_tensor(image).contiguous()).argmax(dim=1).numpy()


def problem(
    count: int = 30, classes: int = 10, wrong: int = 4
) -> tuple[nn.Module, np.ndarray, np.ndarray]:
    """(network, image, label) where the label is what the network says, but for ``wrong`` images
    spread over the rows."""
    net, image = network(classes), pictures(count)
    label = predicted(net, image)
    rows = np.linspace(0, count - 1, wrong).astype(int) if wrong else np.empty(0, int)
    label[rows] = (label[rows] + 1) % classes
    return net, image, label


def finish(states: Iterator[SuiteState]) -> SuiteState:
    """The last state."""
    *_, last = states
    assert last.done
    return last


def run(
    net: nn.Module, image: np.ndarray, label: np.ndarray, attacks: list[Attack], **change: Any
) -> SuiteState:
    """The suite from its start to its end."""
    settings = {"norm": "linf", "epsilon": EPSILON, "batch": 7} | change
    return finish(run_suite(net, image, label, attacks, **settings))


def shifting(
    name: str,
    by: float | Callable[[Tensor], Tensor],
    seen: list[tuple[int, list[float]]] | None = None,
) -> Attack:
    """Adds ``by`` to every image, or lets a function change it; notes the batch number and the
    images' means."""

    def attack(x: Tensor, y: Tensor, number: int) -> Tensor:
        if seen is not None:
            seen.append((number, x.mean(dim=(1, 2, 3)).tolist()))
        return by(x) if callable(by) else (x + by).clamp(0, 1)

    return Attack(name, name, 1.0, attack)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's AutoAttack with fewer steps and queries, for both sides of a comparison."""

    class Short(pyautoattack.AutoAttack):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(*given, **settings)
            self.apgd.n_iter = self.apgd_targeted.n_iter = 12
            self.fab.n_iter, self.square.n_queries = 8, 60

    monkeypatch.setattr(pyautoattack, "AutoAttack", Short)
