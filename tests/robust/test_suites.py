"""Suites of attacks: the worst case of every image, batches as they were composed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.robust.attacks import pgd
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import Attack, pgd_suite, quick, run_suite
from cdp.robust.trial import seeded
from cdp.values.evaluation import STANDS, WRONG_BEFORE
from tests.robust.suited import EPSILON, network, pictures, predicted, problem, run, shifting


class Brightness(nn.Module):
    """Class 1 where the mean is above a half, else 0."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def grey(*means: float) -> tuple[np.ndarray, np.ndarray]:
    """Even images of these means, rightly labelled."""
    image = np.stack([np.full((4, 4, 1), round(255 * mean), np.uint8) for mean in means])
    return image, (np.array(means) > 0.5).astype(np.int64)


def test_each_attack_meets_only_the_images_that_stand_in_batches_fixed_when_it_begins() -> None:
    image, label = grey(0.45, 0.2, 0.49, 0.8, 0.48, 0.1, 0.47)
    label[1] = 1  # wrong from the start
    first: list[tuple[int, list[float]]] = []
    second: list[tuple[int, list[float]]] = []
    attacks = [shifting("up", 0.025, first), shifting("more", 0.04, second)]
    state = run(Brightness(), image, label, attacks, epsilon=0.05, batch=2)
    rounded = [
        [(n, [round(mean, 2) for mean in means]) for n, means in seen] for seen in (first, second)
    ]
    assert rounded[0] == [(0, [0.45, 0.49]), (1, [0.8, 0.48]), (2, [0.1, 0.47])]
    assert rounded[1] == [(0, [0.45, 0.8]), (1, [0.1, 0.47])]
    assert state.broken_by.tolist() == [STANDS, WRONG_BEFORE, 0, STANDS, 0, STANDS, 1]
    assert state.clean.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert state.attacked.tolist() == [0, 0, 1, 1, 1, 0, 1]
    expected = ([6, 4], [2, 1], [0, 0])
    assert (state.tried.tolist(), state.broken.tolist(), state.refused.tolist()) == expected
    assert state.largest == pytest.approx(0.04, abs=1e-6)


def test_the_worst_case_is_the_meet_of_single_attacks() -> None:
    net, image, label = problem(40)
    attacks = [
        shifting(name, by)
        for name, by in (
            ("up", 0.03),
            ("down", -0.03),
            ("contrast", lambda x: x.round() * 0.04 + x * 0.96),
        )
    ]
    alone = [run(net, image, label, [attack]).broken_by == STANDS for attack in attacks]
    together = run(net, image, label, attacks).broken_by == STANDS
    assert 0 < together.sum() < min(stands.sum() for stands in alone)
    assert np.array_equal(together, np.logical_and.reduce(alone))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_quick_and_the_first_start_of_the_suite_are_pgd_itself(norm: str) -> None:
    net, image, label = problem(20)
    epsilon = EPSILON if norm == "linf" else 0.3
    standing = np.flatnonzero(predicted(net, image) == label)
    fallen = []
    for number in range(math.ceil(len(standing) / 7)):
        rows = standing[7 * number : 7 * number + 7]
        x, y = to_tensor(image[rows]), torch.from_numpy(label[rows])
        given_ = {"epsilon": epsilon, "step_size": 2.5 * epsilon / 10, "steps": 10, "norm": norm}
        given_ |= {"generator": seeded(5, 0, number, 0)}
        x_adv = pgd(net, x, y, **given_)
        fallen += rows[(net(x_adv).argmax(dim=1) != y).numpy()].tolist()
    assert 0 < len(fallen) < len(standing)
    given = {"norm": norm, "epsilon": epsilon, "seed": 5}
    one = pgd_suite(net, steps=10, restarts=1, **given)
    assert [attack.name for attack in one] == ["pgd-ce", "pgd-margin"]
    for attacks in (quick(net, **given), one):
        state = run(net, image, label, attacks, norm=norm, epsilon=epsilon)
        assert np.flatnonzero(state.broken_by == 0).tolist() == fallen


def test_restarts_attack_what_the_starts_before_left_and_each_has_its_own_draw() -> None:
    net, image, label = problem(40)
    label = predicted(net, image)
    seen: list[Tensor] = []
    hook = net.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].detach().clone())
    )
    attack = pgd_suite(net, norm="linf", epsilon=EPSILON, seed=1, steps=1, restarts=4)[0]
    x, y = to_tensor(image), torch.from_numpy(label)
    with torch.no_grad():
        found = attack.run(x, y, 0)
    hook.remove()
    starts, ends = seen[::2], seen[1::2]
    left = torch.ones(len(x), dtype=torch.bool)
    for start, end in zip(starts, ends, strict=True):
        assert len(start) == left.sum()
        left[left.clone()] = net(end).argmax(dim=1) == y[left]
    assert len(starts) == 4 and 0 < left.sum() < len(x)
    assert not torch.equal(starts[2][:3], starts[3][:3])
    assert torch.equal(net(found).argmax(dim=1) == y, left)


def test_the_margin_turns_images_that_cross_entropy_cannot_for_want_of_a_gradient() -> None:
    class Sharp(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()

        def forward(self, x: Tensor) -> Tensor:
            return 1e7 * self.body(x)

    net, image = Sharp(), pictures(30)
    state = run(
        net,
        image,
        predicted(net, image),
        pgd_suite(net, norm="linf", epsilon=EPSILON, seed=0, steps=10, restarts=2),
    )
    assert state.broken[1] > 10 > state.broken[0]


def _push(to: float) -> Attack:
    """Every image to one grey: right class or not, whatever the budget."""
    return shifting("push", lambda x: torch.full_like(x, to))


@pytest.mark.parametrize(
    ("norm", "attack", "refused"),
    [
        ("linf", _push(0.9), 3),
        ("l2", _push(0.9), 3),
        ("linf", _push(1.5), 3),
        ("linf", _push(-0.5), 3),
        ("linf", _push(math.nan), 3),
        ("linf", _push(math.inf), 3),
        ("linf", shifting("just over", 0.05 * (1 + 3e-5) + 1e-6), 3),
        ("linf", shifting("rounding", 0.05 * (1 + 5e-6)), 0),
        ("l2", shifting("just over", 0.05 / 4 * (1 + 2e-4)), 3),
        ("l2", shifting("rounding", 0.05 / 4 * (1 + 5e-6)), 0),
    ],
)
def test_images_beyond_the_budget_do_not_count(norm: str, attack: Attack, refused: int) -> None:
    image, label = grey(0.495, 0.495, 0.495)
    state = run(Brightness(), image, label, [attack], norm=norm, epsilon=0.05)
    assert state.refused.tolist() == [refused]
    assert state.broken.tolist() == [3 - refused]
    assert (state.broken_by == (STANDS if refused else 0)).all()
    assert (state.attacked == (0 if refused else 1)).all()
    assert state.largest <= 0.05 * (1 + 1e-5) + 1e-6


def test_one_image_beyond_the_budget_does_not_spoil_its_batch() -> None:
    image, label = grey(0.495, 0.495)
    attack = shifting(
        "mixed", lambda x: torch.stack([x[0] + 0.02, torch.full_like(x[1], math.nan)])
    )
    assert run(Brightness(), image, label, [attack], epsilon=0.05).broken_by.tolist() == [0, STANDS]


def test_an_attack_that_gives_another_shape_is_refused() -> None:
    image, label = grey(0.4, 0.4)
    with pytest.raises(InputError, match="shape"):
        run(Brightness(), image, label, [shifting("fewer", lambda x: x[:1])])


@pytest.mark.parametrize("right", [0, 1])
def test_all_or_all_but_one_misclassified_is_an_outcome(right: int) -> None:
    image, label = grey(*[0.2] * 9)
    label[right:] = 1
    states = []
    for state in run_suite(
        Brightness(),
        image,
        label,
        [shifting("a", 0.01), shifting("b", 0.02)],
        norm="linf",
        epsilon=0.05,
        batch=4,
    ):
        states.append((state.stage, state.batch))
    assert states == [(-1, 1), (-1, 2), (0, 0), (1, 0), (2, 0)]
    assert state.standing == right and state.tried.tolist() == [right, right]


@settings(max_examples=25)
@given(count=st.integers(1, 12), batch=st.integers(1, 14), seed=st.integers(0, 5))
def test_outcomes_do_not_depend_on_the_batch(count: int, batch: int, seed: int) -> None:
    net, image = network(), pictures(count, seed)
    label = predicted(net, image)
    attacks = [shifting("up", 0.03), shifting("down", -0.03)]
    one, other = (run(net, image, label, attacks, batch=size) for size in (batch, count))
    assert np.array_equal(one.broken_by, other.broken_by)
    assert one.tried.tolist() == other.tried.tolist()


def test_the_work_done_and_left_adds_up_to_what_was_planned_until_images_fall() -> None:
    net, image, label = problem(30, wrong=0)
    attacks = [
        Attack(attack.name, attack.title, cost, attack.run)
        for attack, cost in ((shifting("a", 0.0), 2.0), (shifting("b", 0.03), 5.0))
    ]
    costs = [attack.cost for attack in attacks]
    found = [
        state.work(costs)
        for state in run_suite(net, image, label, attacks, norm="linf", epsilon=EPSILON, batch=7)
    ]
    assert found[0] == (0.0, 30 * 7.0)
    assert all(sum(pair) == 210 for pair in found)
    assert [done for done, _ in found][-6:] == [60.0, 95.0, 130.0, 165.0, 200.0, 210.0]
    assert found[-1] == (210.0, 0.0)


@pytest.mark.parametrize("change", [{"steps": 0}, {"restarts": 0}])
def test_a_suite_that_attacks_nothing_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match="attacks nothing"):
        pgd_suite(network(), norm="linf", epsilon=0.1, seed=0, **change)
