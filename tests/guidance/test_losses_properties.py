"""What holds for every loss whatever the input, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cdp.errors import InputError
from cdp.guidance import losses
from tests.guidance import loss_oracles as naive

TEMPERATURE = st.floats(0.01, 100)
SIZE = st.integers(2, 12)
SEED = st.integers(0, 2**31)


def draw(seed: int, count: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, positives and labels of three classes, float64."""
    stream = torch.Generator().manual_seed(seed)
    rows = F.normalize(torch.randn(2, count, width, generator=stream, dtype=torch.float64), dim=2)
    return rows[0], rows[1], torch.randint(0, 3, (count,), generator=stream)


@settings(max_examples=40)
@given(seed=SEED, count=SIZE, width=SIZE, temperature=TEMPERATURE)
def test_losses_are_finite_and_never_negative(
    seed: int, count: int, width: int, temperature: float
) -> None:
    query, positive, labels = draw(seed, count, width)
    for found in (
        losses.info_nce(query, positive, temperature=temperature),
        losses.hard_negative(query, positive, temperature=temperature, tau_plus=0.1, beta=1),
        naive.supcon(query, labels, temperature=temperature),
        naive.supcon_keys(query, labels, positive, labels, temperature=temperature),
    ):
        assert bool(torch.isfinite(found).all())
        assert bool((found >= -1e-9).all())


@settings(max_examples=40)
@given(seed=SEED, count=SIZE, width=SIZE, temperature=TEMPERATURE)
def test_reordering_the_batch_reorders_the_losses(
    seed: int, count: int, width: int, temperature: float
) -> None:
    query, positive, labels = draw(seed, count, width)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    both = torch.cat([order, order + count])
    same = lambda found, expected: torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)  # noqa: E731
    nce = lambda q, k: losses.info_nce(q, k, temperature=temperature)  # noqa: E731
    hard = lambda q, k: losses.hard_negative(q, k, temperature=temperature, tau_plus=0.1, beta=1)  # noqa: E731
    sup = lambda q, y: naive.supcon(q, y, temperature=temperature)  # noqa: E731
    same(nce(query[order], positive[order]), nce(query, positive)[order])
    same(hard(query[order], positive[order]), hard(query, positive)[both])
    same(sup(query[order], labels[order]), sup(query, labels)[order])


@settings(max_examples=30)
@given(seed=SEED, count=SIZE, width=SIZE, temperature=TEMPERATURE)
def test_a_rotation_of_the_feature_space_changes_no_loss(
    seed: int, count: int, width: int, temperature: float
) -> None:
    query, positive, labels = draw(seed, count, width)
    rotation = torch.linalg.qr(
        torch.randn(
            width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
    ).Q
    turned, turned_positive = query @ rotation, positive @ rotation
    torch.testing.assert_close(
        losses.info_nce(turned, turned_positive, temperature=temperature),
        losses.info_nce(query, positive, temperature=temperature),
        rtol=1e-8,
        atol=1e-8,
    )
    torch.testing.assert_close(
        naive.supcon(turned, labels, temperature=temperature),
        naive.supcon(query, labels, temperature=temperature),
        rtol=1e-8,
        atol=1e-8,
    )


ROWS, KEYS, LABELS = draw(0, 4, 3)
CLASSES = torch.arange(3)
MARGIN = {"margin": 0.1, "temperature": 1}
NAN = math.nan
REFUSED: dict[str, tuple[Callable[[], Tensor], str]] = {
    "shapes differ": (
        lambda: losses.info_nce(ROWS, KEYS[:3], temperature=1),
        "3 positives for 4 queries",
    ),
    "widths differ": (lambda: losses.info_nce(ROWS, KEYS[:, :2], temperature=1), "same encoder"),
    "images instead of rows": (
        lambda: losses.info_nce(ROWS[None], KEYS[None], temperature=1),
        r"pass floating-point rows \(N, D\)",
    ),
    "integer rows": (
        lambda: losses.info_nce(ROWS.long(), KEYS.long(), temperature=1),
        "floating-point",
    ),
    "batch of one": (
        lambda: losses.info_nce(ROWS[:1], KEYS[:1], temperature=1),
        "batch 1 has no negatives: raise batch size to 2 or more",
    ),
    "temperature 0": (
        lambda: losses.info_nce(ROWS, KEYS, temperature=0),
        "temperature is 0: choose a number above 0",
    ),
    "tau_plus 1": (
        lambda: losses.hard_negative(ROWS, KEYS, temperature=1, tau_plus=1, beta=1),
        "tau_plus is 1",
    ),
    "beta below 0": (
        lambda: losses.hard_negative(ROWS, KEYS, temperature=1, tau_plus=0.1, beta=-1),
        "beta is -1",
    ),
    "empty bank": (
        lambda: losses.info_nce_bank(ROWS, KEYS, KEYS[:0], temperature=1),
        "the bank is empty",
    ),
    "ignore of the wrong shape": (
        lambda: losses.info_nce_bank(
            ROWS, KEYS, KEYS, temperature=1, ignore=torch.zeros(4, dtype=torch.bool)
        ),
        "ignore has shape",
    ),
    "labels missing": (
        lambda: losses.fisher(ROWS, LABELS[:2], KEYS[:3], CLASSES),
        "pass 4 integer class numbers",
    ),
    "a positive that is not valid": (
        lambda: losses.keyed_contrastive(
            ROWS,
            KEYS,
            torch.eye(4, dtype=torch.bool),
            ~torch.eye(4, dtype=torch.bool),
            temperature=1,
        ),
        "not valid",
    ),
    "one prototype": (
        lambda: losses.smooth_class_margin(ROWS, LABELS * 0, KEYS[:1], CLASSES[:1], **MARGIN),
        "1 class has no rival",
    ),
    "a label without prototype": (
        lambda: losses.smooth_class_margin(ROWS, LABELS + 7, KEYS[:3], CLASSES, **MARGIN),
        r"label \d+ is not one of the 3 classes",
    ),
    "two prototypes of one class": (
        lambda: losses.fisher(ROWS, LABELS * 0, KEYS[:2], torch.tensor([0, 0])),
        "use each class exactly once",
    ),
    "a negative margin": (
        lambda: losses.smooth_class_margin(
            ROWS, LABELS, KEYS[:3], CLASSES, margin=-0.1, temperature=1
        ),
        "margin is -0.1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_input_that_makes_no_sense_is_refused_with_a_remedy(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        call()
