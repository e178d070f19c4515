"""What an evaluation must leave alone, which networks it refuses, and how soon it stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdp.errors import Cancelled, InputError
from cdp.robust.suites import Attack, run_suite
from cdp.robust.trial import LOOK_SECONDS, Trial, batches, seeded
from tests.robust.suited import (
    EPSILON,
    network,
    pictures,
    predicted,
    problem,
    run,
    shifting,
    state_of,
)


def _noisy(x: Tensor, y: Tensor, number: int) -> Tensor:
    """An attack that seeds and draws globally, as the package's do."""
    torch.random.manual_seed(number)
    return (x + 0.02 * torch.rand(x.shape)).clamp(0, 1)


class Mixed(nn.Module):
    """In no single mode, with gradients of its own, BatchNorm statistics and dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.SiLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(4 * 36, 3),
        )
        self.body[1].eval()
        self.body[5].weight.requires_grad_(False)
        self.body[0].bias.grad = torch.full((4,), 2.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def test_between_batches_network_settings_and_streams_are_as_they_were() -> None:
    net, image = Mixed(), pictures(20)
    label = np.zeros(20, np.int64)
    torch.set_float32_matmul_precision("high")
    try:
        before = state_of(net)
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002 -- the global stream is what must be left alone
        streams = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
        attack = Attack("noisy", "noisy", 1.0, _noisy)
        how = {"norm": "linf", "epsilon": EPSILON, "batch": 6, "should_stop": lambda: False}
        for _ in run_suite(net, image, label, [attack], **how):
            assert state_of(net) == before
            assert torch.equal(torch.get_rng_state(), streams[0])
        assert np.random.get_state()[1].tolist() == streams[1]  # noqa: NPY002
    finally:
        torch.set_float32_matmul_precision("highest")


def test_inside_an_attack_the_network_is_in_eval_mode_frozen_and_without_gradients() -> None:
    net, seen = Mixed(), []

    def look(x: Tensor) -> Tensor:
        seen.append(
            (
                net.training,
                net.body[3].training,
                any(p.requires_grad for p in net.parameters()),
                torch.is_grad_enabled(),
            )
        )
        return x

    run(net, pictures(4), predicted(net.eval(), pictures(4)), [shifting("look", look)])
    assert seen == [(False, False, False, False)]


@pytest.mark.parametrize("error", [KeyError("the attack failed"), KeyboardInterrupt()])
def test_an_attack_that_fails_leaves_everything_as_it_was(error: BaseException) -> None:
    def fail(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        raise error

    net, image, label = problem(6)
    net.train()
    before, stream = state_of(net), torch.get_rng_state()
    with pytest.raises(type(error)):
        run(net, image, label, [shifting("fails", fail)], should_stop=lambda: False)
    assert state_of(net) == before and torch.equal(torch.get_rng_state(), stream)


class Wrapped(nn.Module):
    """What a person's own network may give in place of logits."""

    def __init__(self, change: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.body, self.change = network(5), change

    def forward(self, x: Tensor) -> Any:
        return self.change(self.body(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z: z * float("nan"), "NaN"),
        (lambda z: z / 0, "infinite"),
        (lambda z: z[:, :4], "4 logits"),
        (lambda z: torch.cat([z, z], dim=1), "10 logits"),
        (lambda z: z[:, 0], "one row of logits"),
        (lambda z: z[:1], "one row of logits"),
        (lambda z: (z, z), "tuple"),
        (lambda z: z.detach(), "no gradient"),
        (lambda z: z @ torch.ones(3, 3), "does not take images"),
    ],
)
def test_without_logits_a_network_is_refused(
    change: Callable[[Tensor], object], words: str
) -> None:
    net = Wrapped(change)
    before = state_of(net)
    with pytest.raises(InputError, match=words):
        run(net, pictures(4), np.zeros(4, np.int64), [shifting("a", 0.01)], classes=5)
    assert state_of(net) == before


def test_a_network_that_overflows_under_attack_is_refused_not_counted() -> None:
    image = np.full((2, 8, 8, 1), 128, np.uint8)
    net = Wrapped(lambda z: z)
    label = predicted(net, image)
    net.register_forward_hook(
        lambda module, inputs, output: output * float("nan") if inputs[0].max() > 0.55 else output
    )
    with pytest.raises(InputError, match="attacked images that are NaN"):
        run(net, image, label, [shifting("up", 0.08)], epsilon=0.1)


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        (pictures(3).astype(np.float32), np.zeros(3, np.int64), "uint8"),
        (pictures(3)[..., 0], np.zeros(3, np.int64), "n,H,W,C"),
        (pictures(3)[:0], np.zeros(0, np.int64), "n,H,W,C"),
        (pictures(3), np.zeros(2, np.int64), "labels"),
        (pictures(3), np.zeros(3), "whole number"),
        (pictures(3), np.array([0, -1, 0]), "-1"),
        (pictures(3), np.array([0, 10, 0]), "10"),
        (np.repeat(pictures(3), 3, axis=3), np.zeros(3, np.int64), "does not take"),
    ],
)
def test_unlabelled_images_are_refused(image: np.ndarray, label: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(network(), image, label, [shifting("a", 0.01)], classes=10)


def test_a_batch_of_no_images_is_refused() -> None:
    with pytest.raises(InputError, match="batch"):
        run(network(), pictures(2), np.zeros(2, np.int64), [shifting("a", 0.01)], batch=0)


def test_the_wish_to_stop_is_asked_a_few_times_a_second_and_heard_inside_an_attack() -> None:
    net, image, label = problem(6)
    asked: list[float] = []
    ends = time.monotonic() + 1.0

    def should_stop() -> bool:
        asked.append(time.monotonic())
        return asked[-1] > ends

    def forever(x: Tensor) -> Tensor:
        while True:
            net(x)

    with pytest.raises(Cancelled):
        run(net, image, label, [shifting("forever", forever)], should_stop=should_stop)
    assert time.monotonic() - ends < 0.8
    # A busy machine delays single questions, so their number is counted and not their distances.
    assert 2 < len(asked) <= 4 + (asked[-1] - asked[0]) / LOOK_SECONDS
    assert not net._forward_pre_hooks


def test_a_stop_before_the_first_image_ends_at_once() -> None:
    net, image, label = problem(6)
    with pytest.raises(Cancelled):
        run(net, image, label, [shifting("a", 0.01)], should_stop=lambda: True)
    assert not net._forward_pre_hooks


def test_batches_keep_the_order_and_streams_differ_by_every_number() -> None:
    assert [part.tolist() for part in batches(np.array([4, 2, 9]), 2)] == [[4, 2], [9]]
    drawn = {
        tuple(torch.rand(3, generator=seeded(*numbers)).tolist())
        for numbers in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0))
    }
    assert len(drawn) == 4


def test_the_images_of_a_trial_are_in_range_contiguous_and_on_the_network_s_device() -> None:
    x, y = Trial(network(), pictures(5), np.arange(5)).images(np.array([3, 1]))
    assert x.is_contiguous() and x.dtype == torch.float32 and x.shape == (2, 1, 8, 8)
    torch.testing.assert_close(
        x[:, 0], torch.from_numpy(pictures(5)[[3, 1], :, :, 0] / 255).float()
    )
    assert y.tolist() == [3, 1]
