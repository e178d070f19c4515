"""PGD-40 against torchattacks' on 200 images: each with its own random draws."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torchattacks

from cdp.data.registry import load_split
from cdp.models.encoders import load_encoder
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import pgd_suite
from cdp.values.evaluation import STANDS
from tests.robust.suited import run

COUNT, EPSILON, STEPS = 200, 0.1, 40


def test_pgd_40_finds_torchattacks_robust_accuracy_to_within_half_a_point() -> None:
    test = load_split("fashion-mnist", "test")
    image, label = np.array(test.image[:COUNT]), np.array(test.label[:COUNT])
    net = load_encoder("robust", "fashion-mnist").net
    state = run(
        net,
        image,
        label,
        pgd_suite(net, norm="linf", epsilon=EPSILON, seed=0, steps=STEPS, restarts=1)[:1],
        epsilon=EPSILON,
        batch=50,
    )
    ours = np.mean(state.broken_by == STANDS)

    attack = torchattacks.PGD(
        copy.deepcopy(net), eps=EPSILON, alpha=2.5 * EPSILON / STEPS, steps=STEPS, random_start=True
    )
    torch.manual_seed(11)
    right = np.flatnonzero(state.clean == label)
    stands = 0
    for first in range(0, len(right), 50):
        rows = right[first : first + 50]
        y = torch.from_numpy(label[rows])
        x_adv = attack(to_tensor(image[rows]).contiguous(), y)
        stands += int((net(x_adv).argmax(dim=1) == y).sum())
    assert 0.5 < ours < 0.8
    assert abs(round(COUNT * ours) - stands) <= COUNT / 200
