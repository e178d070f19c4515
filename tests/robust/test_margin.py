"""Distances to the decision boundary: exact for linear networks, and an upper bound that does cross
for others."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cdp.models.classifiers import build_classifier
from cdp.robust.margin import OVERSHOOT, deepfool, signed_margin


def test_of_a_linear_network_it_is_the_distance_to_the_nearest_plane() -> None:
    layer = nn.Linear(16, 3)
    net = nn.Sequential(nn.Flatten(), layer)
    image = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)
    label = np.arange(40) % 3
    x = torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255
    logits, weight = net(x).detach().double(), layer.weight.detach().double()
    expected = []
    for row, y in zip(logits, label, strict=True):
        answer = int(row.argmax())
        away = [
            float((row[answer] - row[c]) / (weight[answer] - weight[c]).norm())
            for c in range(3)
            if c != answer
        ]
        expected.append(min(away) if answer == y else -min(away))
    np.testing.assert_allclose(signed_margin(net, image, label), expected, atol=1e-4)


def test_the_change_crosses_the_boundary_and_half_of_it_seldom_does() -> None:
    net = build_classifier("small-cnn", classes=4, shape=(1, 28, 28), seed=0).eval()
    x = torch.rand(30, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    distance, answer = deepfool(net, x)
    assert bool((distance > 0).all())
    # Along the same direction found again: the answer changes just behind it.
    with torch.no_grad():
        assert torch.equal(net(x).argmax(1), answer)
    at = x.clone().requires_grad_()
    logits = net(at)
    others = logits.scatter(1, answer[:, None], -torch.inf)
    (slope,) = torch.autograd.grad((others.amax(1) - logits.amax(1)).sum(), at)
    unit = slope / slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)

    def crossed(share: float) -> float:
        with torch.no_grad():
            moved = x + share * distance.view(-1, 1, 1, 1) * unit
            return float((net(moved).argmax(1) != answer).float().mean())

    assert crossed(0.5) < 0.1
    assert crossed(1.2 * (1 + OVERSHOOT)) > 0.8
