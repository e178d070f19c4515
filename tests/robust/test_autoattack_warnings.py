"""Networks whose AutoAttack number means less, and the sentences that say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.paths import ROOT
from cdp.robust.autoattack import autoattack_suite, autoattack_warnings
from tests.robust.suited import network, pictures, problem, run
from tests.robust.suited import short as short


class Odd(nn.Module):
    """A network with a change before it and one after it."""

    def __init__(
        self, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.body, self.before, self.after = network(), before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(self.before(x)))


def _same(x: Tensor) -> Tensor:
    return x


def _purified(x: Tensor) -> Tensor:
    """Descends a loss of its own, as a defence at test time does."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad((leaf**2).sum(), leaf)
    return x - 0.01 * gradient


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (_same, _same, None),
        (_purified, _same, "in its forward pass"),
        (lambda x: (8 * x).round() / 8, _same, "6 of 6 images have no gradient"),
    ],
)
def test_each_oddity_is_told_once(before: Any, after: Any, words: str | None) -> None:
    trace = sys.gettrace()
    for _ in range(2):
        found = autoattack_warnings(
            Odd(before, after), pictures(6), np.zeros(6, np.int64), classes=10
        )
        assert len(found) == (words is not None), found
        assert words is None or words in found[0]
    assert sys.gettrace() is trace


def test_the_trace_function_of_a_debugger_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def traced(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        autoattack_warnings(network(), pictures(3), np.zeros(3, np.int64), classes=10)
        found = sys.gettrace()
    finally:
        sys.settrace(before)
    assert found is traced


def test_streams_modes_and_gradients_are_untouched() -> None:
    net = network().train()
    torch.manual_seed(3)
    stream = torch.get_rng_state()
    autoattack_warnings(
        Odd(_same, lambda z: z + torch.rand_like(z)), pictures(3), np.zeros(3, np.int64), classes=10
    )
    autoattack_warnings(net, pictures(3), np.zeros(3, np.int64), classes=10)
    assert torch.equal(torch.get_rng_state(), stream)
    assert net.training and all(p.requires_grad and p.grad is None for p in net.parameters())


@pytest.mark.parametrize(
    ("classes", "words"), [(2, "APGD-CE with five"), (3, "APGD-DLR with five")]
)
def test_few_classes_are_told_with_what_stands_in(classes: int, words: str) -> None:
    (found,) = autoattack_warnings(
        network(classes), pictures(4), np.zeros(4, np.int64), classes=classes
    )
    assert words in found and str(classes) in found
    assert autoattack_warnings(network(4), pictures(4), np.zeros(4, np.int64), classes=4) == []


def test_only_the_first_batch_is_looked_at() -> None:
    net = Odd(lambda x: torch.where((x[:, :, :1, :1] > 0.5), (8 * x).round() / 8, x), _same)
    image = pictures(6)
    image[:, 0, 0, 0] = [0, 0, 0, 255, 255, 255]
    assert autoattack_warnings(net, image, np.zeros(6, np.int64), classes=10, batch=3) == []
    assert (
        "3 of 6" in autoattack_warnings(net, image, np.zeros(6, np.int64), classes=10, batch=6)[0]
    )


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        autoattack_warnings(
            Odd(_same, lambda z: z / 0), pictures(3), np.zeros(3, np.int64), classes=10
        )


@pytest.mark.usefixtures("short")
def test_the_package_prints_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    _, image, label = problem(8)
    net = Odd(lambda x: (8 * x).round() / 8, _same)
    run(net, image, label, autoattack_suite(net, 10, "linf", 0.01, 0), epsilon=0.01)
    assert capfd.readouterr() == ("", "")


def test_the_package_is_loaded_only_where_it_is_used() -> None:
    code = (
        "import sys, cdp.robust.autoattack, cdp.robust.masking; sys.exit('pyautoattack' in"
        " sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
