"""Losses against naive loops, closed forms and pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import CosFaceLoss, NTXentLoss, SupConLoss
from pytorch_metric_learning.reducers import DoNothingReducer
from torch import Tensor

from cdp.guidance import losses
from cdp.guidance.contrast import robust_gradient
from tests.guidance import loss_oracles as naive

TEMPERATURES = (0.05, 0.1, 1.0, 10.0, 100.0)
LABELS = torch.tensor([0, 0, 1, 1, 1, 2, 2, 0])


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64),
        dim=-1,
    )


@pytest.fixture
def views() -> tuple[Tensor, Tensor]:
    return unit(8, 5, seed=1), unit(8, 5, seed=2)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_info_nce_equals_the_naive_loop(views: tuple[Tensor, Tensor], temperature: float) -> None:
    torch.testing.assert_close(
        losses.info_nce(*views, temperature=temperature),
        naive.info_nce(*views, temperature),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_info_nce_with_a_bank_is_naive(views: tuple[Tensor, Tensor], temperature: float) -> None:
    bank = unit(11, 5, seed=3)
    ignore = torch.rand(8, 11, generator=torch.Generator().manual_seed(4)) < 0.4
    found = losses.info_nce_bank(*views, bank, temperature=temperature, ignore=ignore)
    torch.testing.assert_close(
        found, naive.info_nce_bank(*views, bank, temperature, ignore), rtol=1e-10, atol=1e-12
    )
    all_used = losses.info_nce_bank(*views, bank, temperature=temperature)
    torch.testing.assert_close(
        all_used,
        naive.info_nce_bank(*views, bank, temperature, torch.zeros_like(ignore)),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize(
    ("tau_plus", "beta"), [(0.0, 0.0), (0.0, 1.0), (0.1, 0.0), (0.1, 1.0), (0.4, 2.5)]
)
def test_hard_negative_equals_the_naive_loop(
    views: tuple[Tensor, Tensor], temperature: float, tau_plus: float, beta: float
) -> None:
    found = losses.hard_negative(*views, temperature=temperature, tau_plus=tau_plus, beta=beta)
    assert found.shape == (16,)
    torch.testing.assert_close(
        found, naive.hard_negative(*views, temperature, tau_plus, beta), rtol=1e-9, atol=1e-12
    )


def test_hard_negative_takes_the_floor_where_the_correction_exceeds_the_negatives() -> None:
    query = unit(4, 6, seed=5)
    floor = math.log1p(6 * math.exp(-2 / 0.5))
    found = losses.hard_negative(query, query, temperature=0.5, tau_plus=0.9, beta=1)
    torch.testing.assert_close(
        found, torch.full((8,), floor, dtype=torch.float64), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_supervised_contrastive_equals_the_naive_loop(temperature: float) -> None:
    query = unit(8, 5, seed=6)
    expected = naive.sup_con(query, LABELS, query, LABELS, temperature, within=True)
    torch.testing.assert_close(
        naive.supcon(query, LABELS, temperature=temperature), expected, rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_supervised_contrastive_against_keys_equals_the_naive_loop(temperature: float) -> None:
    query, keys, key_labels = (
        unit(8, 5, seed=6),
        unit(6, 5, seed=7),
        torch.tensor([0, 1, 1, 3, 0, 3]),
    )
    found = naive.supcon_keys(query, LABELS, keys, key_labels, temperature=temperature)
    expected = naive.sup_con(query, LABELS, keys, key_labels, temperature, within=False)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert bool((found[LABELS == 2] == 0).all())


@pytest.mark.parametrize("temperature", (0.1, 1.0))
def test_info_nce_of_both_views_is_nt_xent(
    views: tuple[Tensor, Tensor], temperature: float
) -> None:
    rows, pairs = torch.cat(views), torch.arange(8).repeat(2)
    theirs = NTXentLoss(temperature)(rows, pairs)
    ours = []
    for query, positive in (views, views[::-1]):
        for i in range(8):
            rest = torch.arange(8) != i
            ours.append(
                losses.info_nce_bank(
                    query[i : i + 1],
                    positive[i : i + 1],
                    torch.cat([query[rest], positive[rest]]),
                    temperature=temperature,
                )
            )
    torch.testing.assert_close(torch.cat(ours).mean(), theirs, rtol=1e-9, atol=0)


@pytest.mark.parametrize("temperature", (0.1, 1.0))
def test_supervised_contrastive_equals_pytorch_metric_learning(temperature: float) -> None:
    query = unit(8, 5, seed=6)
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3, 0])
    theirs = SupConLoss(temperature, reducer=DoNothingReducer())(query, labels)["loss"]["losses"]
    ours = naive.supcon(query, labels, temperature=temperature)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    assert ours[5] == ours[6] == 0


def test_an_anchor_without_partner_has_no_loss_of_its_own_but_is_repelled_by_the_others() -> None:
    query = unit(3, 4, seed=8).requires_grad_()
    found = naive.supcon(query, torch.tensor([0, 0, 1]), temperature=0.5)
    (gradient,) = torch.autograd.grad(found.sum(), query)
    assert found[2] == 0
    assert gradient[2].norm() > 0


def test_class_margin_reads_which_class_a_prototype_stands_for() -> None:
    query, prototypes = unit(8, 5, seed=9), unit(3, 5, seed=10)
    settings = {"margin": 0.3, "temperature": 0.2}
    named = losses.smooth_class_margin(
        query, LABELS * 10, prototypes.flip(0), torch.tensor([20, 10, 0]), **settings
    )
    plain = losses.smooth_class_margin(query, LABELS, prototypes, torch.arange(3), **settings)
    torch.testing.assert_close(named, plain)


@pytest.mark.parametrize("temperature", (0.05, 0.5))
def test_the_smooth_class_margin_equals_cosface(temperature: float) -> None:
    query, prototypes = unit(8, 5, seed=9), unit(3, 5, seed=10)
    cosface = CosFaceLoss(3, 5, margin=0.3, scale=1 / temperature, reducer=DoNothingReducer())
    cosface.W = torch.nn.Parameter(prototypes.T.clone())
    theirs = cosface(query, LABELS)["loss"]["losses"]
    ours = losses.smooth_class_margin(
        query, LABELS, prototypes, torch.arange(3), margin=0.3, temperature=temperature
    )
    torch.testing.assert_close(ours, theirs.detach() * temperature, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("temperature", (0.01, 0.1, 1.0, 100.0))
def test_the_smooth_class_margin_lies_close_above_the_hinge(temperature: float) -> None:
    query, prototypes = unit(8, 5, seed=9), unit(3, 5, seed=10)
    excess = losses.smooth_class_margin(
        query, LABELS, prototypes, torch.arange(3), margin=0.3, temperature=temperature
    ) - naive.class_margin(query, LABELS, prototypes, 0.3)
    assert bool((excess >= -1e-12).all())
    assert bool((excess <= temperature * math.log(3) + 1e-12).all())


def test_fisher_equals_the_naive_loop_and_is_zero_at_the_own_mean() -> None:
    query, prototypes = unit(8, 5, seed=9), unit(3, 5, seed=10)
    torch.testing.assert_close(
        losses.fisher(query, LABELS, prototypes, torch.arange(3)),
        naive.fisher(query, LABELS, prototypes),
    )
    assert bool(
        (losses.fisher(prototypes, torch.arange(3), prototypes, torch.arange(3)) == 0).all()
    )


def test_classifier_equals_cross_entropy() -> None:
    logits = 10 * torch.randn(
        8, 4, generator=torch.Generator().manual_seed(11), dtype=torch.float64
    )
    torch.testing.assert_close(
        losses.classifier(logits, LABELS), F.cross_entropy(logits, LABELS, reduction="none")
    )


def logits(seed: int, count: int = 8, classes: int = 4) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(count, classes, generator=stream, dtype=torch.float64)


def test_boundary_uncertainty_influence_and_repulsion_equal_naive_loops() -> None:
    scores, target = logits(12), logits(13)[:, 0]
    torch.testing.assert_close(
        losses.boundary(scores, LABELS, target), naive.boundary(scores, LABELS, target)
    )
    unsure = losses.uncertainty(scores)
    torch.testing.assert_close(unsure, naive.uncertainty(scores))
    assert bool((unsure > -math.log(4)).all()) and bool((unsure < 0).all())
    features = logits(14, classes=5)
    gradient = robust_gradient(scores, features, LABELS)
    torch.testing.assert_close(gradient, naive.robust_gradient(scores, features, LABELS))
    own, other = logits(15), logits(16, classes=5)
    torch.testing.assert_close(
        losses.influence(own, other, LABELS, gradient),
        naive.influence(own, other, LABELS, gradient),
    )
    query = unit(8, 5, seed=17)
    torch.testing.assert_close(
        losses.repulsion(query, LABELS, bandwidth=0.4), naive.repulsion(query, LABELS, 0.4)
    )


def test_the_robust_gradient_is_that_of_the_last_layer() -> None:
    features, labels = logits(18, classes=5).float(), LABELS
    layer = torch.nn.Linear(5, 4)
    gradient = robust_gradient(layer(features).detach(), features, labels)
    for y in labels.unique().tolist():
        layer.zero_grad()
        F.cross_entropy(layer(features)[labels == y], labels[labels == y]).backward()
        torch.testing.assert_close(gradient[y], layer.weight.grad)


def test_influence_foretells_what_one_step_on_the_image_does() -> None:
    """To first order: the loss elsewhere falls by the step times minus the value."""
    features, labels = logits(19, classes=5), LABELS
    weight = logits(20, count=4, classes=5) / 3
    image, y = logits(21, count=1, classes=5), torch.tensor([2])
    mine = labels == 2
    gradient = robust_gradient(features @ weight.T, features, labels)
    value = losses.influence(image @ weight.T, image, y, gradient)
    slope = (image @ weight.T).softmax(1) - F.one_hot(y, 4)
    stepped = weight - 1e-5 * slope.T @ image

    def loss(w: Tensor) -> Tensor:
        return F.cross_entropy(features[mine] @ w.T, labels[mine])

    torch.testing.assert_close(
        (loss(stepped) - loss(weight)) / 1e-5, value[0], rtol=1e-3, atol=1e-6
    )
