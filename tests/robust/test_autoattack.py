"""AutoAttack under our loop against the package's own call: every image, also with few classes."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import pyautoattack
import pytest
import torch
from torch import nn

from cdp.data.registry import load_split
from cdp.errors import Cancelled, InputError
from cdp.models.encoders import load_encoder
from cdp.robust.autoattack import autoattack_suite
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import run_suite
from cdp.values.evaluation import STANDS, WRONG_BEFORE
from tests.robust.suited import network, problem, run
from tests.robust.suited import short as short

PACKAGE = {"linf": "Linf", "l2": "L2"}


def _theirs(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    norm: str,
    epsilon: float,
    batch: int,
    **settings: Any,
) -> np.ndarray:
    """(n,) predicted classes, under the attack that turned an image, by the package on a network as
    a person holds it."""
    own = copy.deepcopy(net).eval().requires_grad_(True)
    attacker = pyautoattack.AutoAttack(
        own, norm=PACKAGE[norm], eps=epsilon, seed=3, **({"version": "standard"} | settings)
    )
    targets = min(9, int(net(to_tensor(image[:1])).shape[1]) - 1)
    attacker.apgd_targeted.n_target_classes = attacker.fab.n_target_classes = targets
    x, y = to_tensor(image).contiguous(), torch.from_numpy(label)
    return attacker.run_standard_evaluation(x, y, batch_size=batch)[1].numpy()


def _shipped(count: int) -> tuple[nn.Module, np.ndarray, np.ndarray]:
    test = load_split("fashion-mnist", "test")
    return (
        load_encoder("robust", "fashion-mnist").net,
        np.array(test.image[:count]),
        np.array(test.label[:count]),
    )


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 1.5)])
def test_every_image_comes_to_what_the_package_says(norm: str, epsilon: float) -> None:
    """With few steps and queries on both sides; ``make bench`` compares the standard version on 200
    images."""
    net, image, label = _shipped(24)
    given: dict[str, Any] = {"norm": norm, "epsilon": epsilon, "batch": 12}
    state = run(net, image, label, autoattack_suite(net, 10, norm, epsilon, 3), classes=10, **given)
    assert np.array_equal(state.attacked, _theirs(net, image, label, **given))
    assert np.array_equal(state.broken_by == STANDS, state.attacked == label)
    assert state.broken[0] >= 3 and state.broken[1] > 0 and state.standing >= 9
    assert not state.refused.any()


def test_the_full_standard_version_is_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for Square, whose 5,000 queries are all alike."""

    class FewQueries(pyautoattack.AutoAttack):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(*given, **settings)
            assert self.square.n_queries == 5000
            self.square.n_queries = 300

    monkeypatch.setattr(pyautoattack, "AutoAttack", FewQueries)
    net, image, label = problem(12, wrong=3)
    given: dict[str, Any] = {"norm": "linf", "epsilon": 0.04, "batch": 12}
    state = run(net, image, label, autoattack_suite(net, 10, "linf", 0.04, 3), **given)
    assert np.array_equal(state.attacked, _theirs(net, image, label, **given))
    assert (state.broken_by == WRONG_BEFORE).sum() == 3 and 0 < state.standing < 9
    assert not state.refused.any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("right", "batch"), [(0, 4), (1, 4), (5, 4)])
@pytest.mark.usefixtures("short")
def test_batches_of_few_or_wrong_images_are_no_exception(norm: str, right: int, batch: int) -> None:
    net, image, label = problem(9, wrong=0)
    label[right:] = (label[right:] + 1) % 10
    given: dict[str, Any] = {"norm": norm, "epsilon": 0.01, "batch": batch}
    state = run(net, image, label, autoattack_suite(net, 10, norm, 0.01, 3), **given)
    assert np.array_equal(state.attacked, _theirs(net, image, label, **given))
    assert (state.broken_by == WRONG_BEFORE).sum() == 9 - right and state.tried[0] == right


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("classes", [4, 6])
def test_below_ten_classes_the_targets_are_all_other_classes(classes: int) -> None:
    net, image, label = problem(40, classes)
    given: dict[str, Any] = {"norm": "linf", "epsilon": 0.04, "batch": 10}
    attacks = autoattack_suite(net, classes, "linf", 0.04, 3)
    assert [attack.name for attack in attacks] == ["apgd-ce", "apgd-t", "fab-t", "square"]
    state = run(net, image, label, attacks, classes=classes, **given)
    assert np.array_equal(state.attacked, _theirs(net, image, label, **given))
    assert state.broken[1:].sum() > 0 and state.standing > 0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_three_classes_take_the_dlr_loss(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own loop holds one number of restarts for both untargeted attacks, so it is
    called twice: on all, on those left."""
    net, image, label = problem(40, 3)
    given: dict[str, Any] = {"norm": norm, "epsilon": 0.12 if norm == "linf" else 0.6, "batch": 10}
    attacks = autoattack_suite(net, 3, norm, given["epsilon"], 3)
    assert [attack.name for attack in attacks] == ["apgd-ce", "apgd-dlr", "fab-t", "square"]
    state = run(net, image, label, attacks, classes=3, **given)
    restarts = iter((1, 5))
    built = pyautoattack.AutoAttack.__init__

    def build(self: Any, *arguments: Any, **settings: Any) -> None:
        built(self, *arguments, **settings)
        self.apgd.n_restarts, self.fab.n_restarts = next(restarts), 1

    monkeypatch.setattr(pyautoattack.AutoAttack, "__init__", build)
    found = _theirs(net, image, label, attacks=["apgd-ce"], version="custom", **given)
    left = found == label
    found[left] = _theirs(
        net,
        image[left],
        label[left],
        attacks=["apgd-dlr", "fab-t", "square"],
        version="custom",
        **given,
    )
    assert np.array_equal(state.attacked, found)
    assert 0 < state.standing < left.sum()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_two_classes_take_no_dlr_loss(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, image, label = problem(40, 2)
    given: dict[str, Any] = {"norm": norm, "epsilon": 0.09 if norm == "linf" else 0.45, "batch": 10}
    attacks = autoattack_suite(net, 2, norm, given["epsilon"], 3)
    assert [attack.name for attack in attacks] == ["apgd-ce", "fab-t", "square"]
    assert attacks[0].cost == 5 * autoattack_suite(net, 3, norm, given["epsilon"], 3)[0].cost
    state = run(net, image, label, attacks, classes=2, **given)
    built = pyautoattack.AutoAttack.__init__

    def build(self: Any, *arguments: Any, **settings: Any) -> None:
        built(self, *arguments, **settings)
        self.apgd.n_restarts, self.fab.n_restarts = 5, 1

    monkeypatch.setattr(pyautoattack.AutoAttack, "__init__", build)
    found = _theirs(
        net, image, label, attacks=["apgd-ce", "fab-t", "square"], version="custom", **given
    )
    assert np.array_equal(state.attacked, found)
    assert 0 < state.standing < 36


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("stage", [0, 1, 3])
def test_what_is_drawn_follows_from_the_seed_alone(stage: int) -> None:
    """FAB-T of the standard version draws nothing."""
    net, image, label = problem(8, wrong=0)
    x, y = to_tensor(image), torch.from_numpy(label)
    found = []
    for seed in (0, 0, 1):
        attack = autoattack_suite(net, 10, "linf", 0.3, seed)[stage]
        with torch.no_grad():
            torch.rand(seed + len(found))
            found += [attack.run(x.clone(), y.clone(), number) for number in range(2)]
    assert all(torch.equal(found[0], other) for other in found[1:4]) and not torch.equal(
        found[0], found[4]
    )


def test_a_stop_inside_square_is_heard_within_a_second_and_costs_one_batch() -> None:
    net, image, label = _shipped(20)
    square = autoattack_suite(net, 10, "linf", 0.1, 0)[-1:]
    ends = time.monotonic() + 2

    states = run_suite(
        net,
        image,
        label,
        square,
        norm="linf",
        epsilon=0.1,
        batch=20,
        should_stop=lambda: time.monotonic() > ends,
    )
    state = next(states)
    assert time.monotonic() < ends
    with pytest.raises(Cancelled):
        next(states)
    assert 0 < time.monotonic() - ends < 1
    assert (state.stage, state.batch, int(state.tried[0])) == (0, 0, 0)
    assert not net._forward_pre_hooks


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"classes": 1}, "classes"),
        ({"norm": "l1"}, "linf, l2"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": np.nan}, "epsilon"),
    ],
)
def test_settings_that_are_no_attack_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        autoattack_suite(
            network(), **({"classes": 10, "norm": "linf", "epsilon": 0.1, "seed": 0} | change)
        )
