"""Flipped labels and the common factor against sums that leave nothing out, where accuracy is steep
and dimensions are many."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory import expected, problem_of, robust_accuracy, samples_needed, synthetic_of
from cdp.theory.angles import direction_expectation

LABELS: list[dict[str, Any]] = [
    {"dim": 10_000, "nonzero": 1, "size": 20, "separation": 0.9, "label_noise": 0.45, "n": 25},
    {
        "dim": 10_000,
        "nonzero": 1,
        "size": 20,
        "separation": 0.9,
        "label_noise": 0.45,
        "n": 25,
        "epsilon": 0,
    },
    {"size": 10, "epsilon": 3, "label_noise": 0.3, "n": 40},
    {"size": 10, "epsilon": 3, "label_noise": 0.3, "n": 2000, "separation": 0.1},
    {"epsilon": 1, "label_noise": 0.1, "n": 30},
]
FACTORS: list[dict[str, Any]] = [
    {
        "dim": 10_000,
        "nonzero": 10_000,
        "profile": "equal",
        "size": 20,
        "sigma": 0.5,
        "epsilon": 4,
        "separation": 0.5,
        "n": 1,
        "correlation": 0.05,
    },
    {"size": 5, "epsilon": 1, "n": 300, "correlation": 0.001},
    {"nonzero": 500, "epsilon": 1, "n": 300, "correlation": 0.004},
    {"nonzero": 500, "epsilon": 1, "n": 30, "correlation": 0.5, "angle": 50},
]


def conditional(config: TheoryConfig, share: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Expected accuracy given each share of right labels and value of the common factor, one by
    one."""
    asked, made = problem_of(config), synthetic_of(config)
    shift = math.sqrt(made.correlation) * made.noise / math.sqrt(config.n) * g
    own = math.sqrt(1 - made.correlation) * made.noise / math.sqrt(config.n)
    squares, sums = made.mean @ made.mean, made.mean.sum()
    length = np.sqrt(share**2 * squares + 2 * share * shift * sums + shift**2 * config.dim)
    size = np.linalg.norm(asked.mu)
    cosine = (
        (share * (made.mean @ asked.mu) + shift * asked.mu.sum())
        / np.where(length > 0, length, 1)
        / size
    )
    return direction_expectation(
        config.dim,
        length / own,
        np.clip(cosine, -1, 1),
        gain=size / asked.sigma,
        toll=asked.epsilon / asked.sigma,
    )


@pytest.mark.parametrize("change", LABELS)
def test_flipped_labels_are_the_whole_binomial_sum(change: dict[str, Any]) -> None:
    config = TheoryConfig(norm="l2", **change)
    flipped = np.arange(config.n + 1)
    each = conditional(config, 1 - 2 * flipped / config.n, np.zeros(config.n + 1))
    whole = float(each @ binom.pmf(flipped, config.n, config.label_noise))
    found = expected(problem_of(config), synthetic_of(config), config.n, "averaging")
    assert (
        found is not None
        and found.kind == "exact"
        and found.value == pytest.approx(whole, abs=1e-6)
    )


@pytest.mark.parametrize("change", FACTORS)
def test_the_common_factor_is_a_sum_in_very_small_steps(change: dict[str, Any]) -> None:
    config = TheoryConfig(norm="l2", covariance="correlated", **change)
    g = np.linspace(-8, 8, 3201)
    weight = np.exp(-(g**2) / 2)
    whole = float(conditional(config, np.ones_like(g), g) @ weight / weight.sum())
    found = expected(problem_of(config), synthetic_of(config), config.n, "averaging")
    assert (
        found is not None
        and found.kind == "exact"
        and found.value == pytest.approx(whole, abs=1e-6)
    )


def test_under_linf_steep_accuracies_are_resolved_too() -> None:
    config = TheoryConfig(
        dim=2000, nonzero=2000, size=20, epsilon=0.1, separation=0.3, label_noise=0.45, n=25
    )
    asked, made = problem_of(config), synthetic_of(config)
    rng = np.random.default_rng(0)
    right = 1 - 2 * rng.binomial(config.n, 0.45, (4000, 1)) / config.n
    w = right * made.mean + made.noise / math.sqrt(config.n) * rng.standard_normal((4000, 2000))
    scores = np.asarray(
        robust_accuracy(w, asked.mu, sigma=asked.sigma, epsilon=asked.epsilon, norm="linf")
    )
    found = expected(asked, made, config.n, "averaging")
    assert (
        found is not None
        and abs(found.value - scores.mean()) < 3 * scores.std() / math.sqrt(len(scores)) + 1e-3
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_integrals_that_would_take_minutes_are_refused_with_what_to_lower(norm: str) -> None:
    config = TheoryConfig(
        norm=norm,
        size=20,
        separation=20,
        label_noise=0.4,
        covariance="correlated",
        correlation=0.99,
    )  # type: ignore[arg-type]
    for ask in (expected, samples_needed):
        with pytest.raises(InputError, match=r"label_noise, correlation: .* lower one of the two"):
            ask(
                problem_of(config),
                synthetic_of(config),
                1000 if ask is expected else 0.9,
                "averaging",
            )
