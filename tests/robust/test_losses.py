"""Robust losses against plain loops in float64, their gradients, and that nothing overflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.train import Method as Names
from cdp.errors import InputError
from cdp.robust.attacks import cross_entropy, kl
from cdp.robust.recipes import METHODS

ROBUST = get_args(Names)


def _softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


def _smoothed(p: np.ndarray, y: int, smoothing: float) -> float:
    classes = len(p)
    target = [smoothing / classes + (1 - smoothing) * (k == y) for k in range(classes)]
    return -sum(target[k] * math.log(p[k]) for k in range(classes))


def _naive(
    name: str, clean: np.ndarray, adv: np.ndarray, y: int, beta: float, smoothing: float
) -> tuple[float, float, float]:
    """Total, clean, robust of one image, from the formulas in SCIENCE.md section 5 and the
    papers."""
    p, q = _softmax(clean), _softmax(adv)
    divergence = sum(p[k] * (math.log(p[k]) - math.log(q[k])) for k in range(len(p)))
    if name == "pgd-at":
        loss = _smoothed(q, y, smoothing)
        return loss, 0, loss
    if name == "trades":
        loss = _smoothed(p, y, smoothing)
        return loss + beta * divergence, loss, divergence
    boosted = _smoothed(q, y, smoothing) - math.log(1 - max(q[k] for k in range(len(q)) if k != y))
    return boosted + beta * divergence * (1 - p[y]), 0, divergence * (1 - p[y])


def _rows(
    seed: int, count: int = 6, classes: int = 5, scale: float = 2.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    clean, adv = (
        scale * torch.randn(count, classes, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    return clean, adv, torch.randint(classes, (count,), generator=generator)


def _total(name: str) -> Callable[..., torch.Tensor]:
    return lambda *given: METHODS[name].parts(*given).total


@pytest.mark.parametrize("name", ROBUST)
@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(2, 12),
    beta=st.floats(0, 20),
    smoothing=st.floats(0, 0.9),
)
def test_every_part_equals_a_plain_loop(
    name: str, seed: int, classes: int, beta: float, smoothing: float
) -> None:
    clean, adv, y = _rows(seed, classes=classes)
    parts = METHODS[name].parts(clean, adv, y, beta, smoothing)
    expected = torch.tensor(
        [
            _naive(name, clean[i].numpy(), adv[i].numpy(), int(y[i]), beta, smoothing)
            for i in range(len(y))
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(
        torch.stack([parts.total, parts.clean, parts.robust], dim=1), expected
    )


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_with_respect_to_both_logits_are_exact(name: str, smoothing: float) -> None:
    clean, adv, y = _rows(3)
    clean.requires_grad_(name != "pgd-at")
    adv.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda c, a: _total(name)(c, a, y, 6.0, smoothing), (clean, adv)
    )


@pytest.mark.parametrize("name", ROBUST)
def test_an_image_s_loss_does_not_depend_on_its_batch(name: str) -> None:
    clean, adv, y = _rows(4)
    alone = [
        _total(name)(clean[i : i + 1], adv[i : i + 1], y[i : i + 1], 6.0, 0.1)
        for i in range(len(y))
    ]
    torch.testing.assert_close(_total(name)(clean, adv, y, 6.0, 0.1), torch.cat(alone))


def test_beta_zero_leaves_the_first_term_alone() -> None:
    clean, adv, y = _rows(5)
    torch.testing.assert_close(_total("trades")(clean, adv, y, 0, 0.0), cross_entropy(clean, y))
    q = adv.softmax(1)
    others = q.scatter(1, y[:, None], 0).amax(1)
    torch.testing.assert_close(
        _total("mart")(clean, adv, y, 0, 0.0), cross_entropy(adv, y) - (1 - others).log()
    )
    adv.requires_grad_(True)
    _total("trades")(clean, adv, y, 0, 0.0).sum().backward()
    assert not adv.grad.any()


def test_without_an_attack_trades_is_cross_entropy_and_the_robust_parts_vanish() -> None:
    clean, _, y = _rows(6)
    torch.testing.assert_close(_total("trades")(clean, clean, y, 6.0, 0.0), cross_entropy(clean, y))
    for name in ("trades", "mart"):
        assert METHODS[name].parts(clean, clean, y, 6.0, 0.0).robust.abs().max() < 1e-12


def test_the_divergence_trained_on_is_the_one_attacked_with() -> None:
    clean, adv, y = _rows(7)
    torch.testing.assert_close(
        METHODS["trades"].parts(clean, adv, y, 6.0, 0.0).robust, kl(adv, clean.softmax(1))
    )


def test_label_smoothing_leaves_the_terms_alone_that_know_no_distribution() -> None:
    clean, adv, y = _rows(8)
    for name in ("trades", "mart"):
        sharp, smooth = (METHODS[name].parts(clean, adv, y, 6.0, s) for s in (0.0, 0.3))
        assert torch.equal(sharp.robust, smooth.robust)
        first = clean if name == "trades" else adv
        moved = 0.3 * (-first.log_softmax(1).mean(1) - cross_entropy(first, y))
        torch.testing.assert_close(smooth.total - sharp.total, moved)


EXTREME = [-1e30, -1e4, -200.0, 0.0, 200.0, 1e4, 1e30]


@pytest.mark.parametrize("name", ROBUST)
@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(*[st.sampled_from(EXTREME)] * 6), min_size=1, max_size=5),
    label=st.integers(0, 2),
)
def test_extreme_logits_give_finite_losses_and_gradients(
    name: str, rows: list[tuple[float, ...]], label: int
) -> None:
    both = torch.tensor(rows)
    clean, adv = both[:, :3].clone().requires_grad_(True), both[:, 3:].clone().requires_grad_(True)
    loss = _total(name)(clean, adv, torch.full((len(rows),), label), 6.0, 0.1)
    assert torch.isfinite(loss).all()
    loss.sum().backward()
    assert torch.isfinite(adv.grad).all()
    assert clean.grad is None or torch.isfinite(clean.grad).all()


def test_mart_s_margin_and_weight_are_exact_where_probabilities_round_to_one() -> None:
    """Sure and wrong by 100: 1 - p is e^-100, which 1 minus a float cannot say; sure and right by
    30: the weight is 2 e^-30."""
    wrong, right = torch.tensor([[0.0, 100.0, 0.0]]), torch.tensor([[30.0, 0.0, 0.0]])
    y = torch.zeros(1, dtype=torch.long)
    torch.testing.assert_close(
        _total("mart")(wrong, wrong, y, 0, 0.0).item(), 100 + 100 - math.log(2)
    )
    robust = METHODS["mart"].parts(right, torch.zeros(1, 3), y, 6.0, 0.0).robust.item()
    assert robust == pytest.approx(math.log(3) * 2 * math.exp(-30), rel=1e-5, abs=0)


@pytest.mark.parametrize("name", ROBUST)
def test_half_precision_logits_are_taken_and_worked_on_in_fp32(name: str) -> None:
    clean, adv, y = _rows(9)
    rounded = [value.bfloat16() for value in (clean, adv)]
    loss = _total(name)(*rounded, y, 6.0, 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(
        loss,
        _total(name)(*(value.double() for value in rounded), y, 6.0, 0.1).float(),
        rtol=1e-5,
        atol=1e-5,
    )
    assert _total(name)(clean.half(), adv.half(), y, 6.0, 0.0).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(_total(name)(*rounded, y, 6.0, 0.1), loss)


WRONG = [
    ({"clean": torch.zeros(4, 1), "adv": torch.zeros(4, 1)}, "2 classes"),
    ({"clean": torch.zeros(4), "adv": torch.zeros(4)}, "2 classes"),
    ({"y": torch.zeros(3, dtype=torch.long)}, "labels"),
    ({"y": torch.zeros(4, 3)}, "labels"),
    ({"smoothing": 1.0}, "label_smoothing"),
    ({"smoothing": -0.1}, "label_smoothing"),
    ({"smoothing": math.nan}, "label_smoothing"),
    ({"beta": -1.0}, "beta"),
    ({"beta": math.nan}, "beta"),
]
UNPAIRED = [
    ({"clean": torch.zeros(4, 2)}, "clean logits"),
    ({"clean": torch.zeros(1, 3)}, "clean logits"),
    ({"clean": None}, "clean logits"),
]


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        (name, *case)
        for name, method in ((name, METHODS[name]) for name in ROBUST)
        for case in (WRONG + UNPAIRED if method.needs_clean else WRONG)
    ],
)
def test_what_is_no_loss_is_refused_by_name(name: str, change: dict[str, Any], word: str) -> None:
    good = {"clean": torch.zeros(4, 3), "adv": torch.zeros(4, 3)}
    good |= {"y": torch.zeros(4, dtype=torch.long), "beta": 6.0, "smoothing": 0.0}
    METHODS[name].parts(*good.values())
    with pytest.raises(InputError, match=word):
        METHODS[name].parts(*(good | change).values())


def test_adversarial_training_needs_no_clean_logits_and_has_no_clean_term() -> None:
    _, adv, y = _rows(10)
    parts = METHODS["pgd-at"].parts(None, adv, y, 6.0, 0.0)
    assert torch.equal(parts.total, cross_entropy(adv, y))
    assert not parts.clean.any()
