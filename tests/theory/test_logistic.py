"""Adversarially trained logistic regression: against another convex solver, by its optimality
conditions, and where it tends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint, minimize

from cdp.errors import InputError
from cdp.theory.expectation import expected
from cdp.theory.logistic import TOLERANCE, fit, subgradient
from cdp.theory.model import Problem, Synthetic
from cdp.theory.simulation import simulate

CASES = [
    (norm, epsilon, ridge)
    for norm in ("linf", "l2")
    for epsilon in (0.0, 0.15, 0.4)
    for ridge in (1e-3, 0.1)
]


def data(n: int, d: int, seed: int, *, length: float = 1.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mean = rng.standard_normal(d)
    return length * mean / np.linalg.norm(mean) + rng.standard_normal((n, d))


def attacked_loss(w: np.ndarray, z: np.ndarray, epsilon: float, norm: str, ridge: float) -> float:
    """The objective as it is written, with the attack carried out on every sample."""
    step = np.sign(w) if norm == "linf" else w / max(float(np.linalg.norm(w)), 1e-300)
    return float(np.mean(np.log1p(np.exp(-((z - epsilon * step) @ w)))) + ridge / 2 * (w @ w))


def independent(z: np.ndarray, epsilon: float, norm: str, ridge: float) -> float:
    """The minimum by SLSQP in variables of another kind: w and a bound t on its size, coordinate by
    coordinate under l_inf."""
    d = z.shape[1]
    sizes = d if norm == "linf" else 1

    def objective(both: np.ndarray) -> float:
        w, t = both[:d], both[d:]
        return float(np.logaddexp(0, -(z @ w - epsilon * t.sum())).mean() + ridge / 2 * (w @ w))

    if norm == "linf":
        rules: list[Any] = [
            {"type": "ineq", "fun": lambda both: both[d:] - both[:d]},
            {"type": "ineq", "fun": lambda both: both[d:] + both[:d]},
        ]
        method, options = "SLSQP", {"ftol": 1e-14, "maxiter": 2000}
    else:
        rules = [NonlinearConstraint(lambda both: both[d] ** 2 - both[:d] @ both[:d], 0, np.inf)]
        method, options = "trust-constr", {"gtol": 1e-9, "xtol": 1e-12, "maxiter": 3000}
    start = np.concatenate([z.mean(axis=0), np.full(sizes, 2.0)])
    bounds = [(None, None)] * d + [(0, None)] * sizes
    return float(
        minimize(
            objective, start, constraints=rules, bounds=bounds, method=method, options=options
        ).fun
    )


@pytest.mark.filterwarnings("ignore:delta_grad")
@pytest.mark.parametrize(("norm", "epsilon", "ridge"), CASES)
def test_an_independent_solver_finds_the_same_minimum(
    norm: str, epsilon: float, ridge: float
) -> None:
    z = data(40, 3, 0)
    w = fit(z, epsilon=epsilon, norm=norm, ridge=ridge)
    ours, other = attacked_loss(w, z, epsilon, norm, ridge), independent(z, epsilon, norm, ridge)
    assert ours <= other + 1e-9 and ours == pytest.approx(other, abs=2e-5)


@pytest.mark.parametrize(("norm", "epsilon", "ridge"), CASES)
def test_the_subgradient_vanishes_and_no_step_goes_down(
    norm: str, epsilon: float, ridge: float
) -> None:
    z, rng = data(60, 20, 1), np.random.default_rng(1)
    w = fit(z, epsilon=epsilon, norm=norm, ridge=ridge)
    slope = subgradient(w, z, epsilon=epsilon, norm=norm, ridge=ridge)
    gap = float(slope @ slope) / (2 * ridge)  # by strong convexity
    assert np.abs(slope).max() <= TOLERANCE and gap < 1e-6
    least = attacked_loss(w, z, epsilon, norm, ridge) - gap - 1e-12
    for scale in (1e-3, 0.1, 1.0):
        for step in rng.standard_normal((20, 20)):
            assert attacked_loss(w + scale * step, z, epsilon, norm, ridge) >= least


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_subgradient_is_the_gradient_by_differences(norm: str) -> None:
    z, w = data(30, 4, 5), np.array([0.5, -0.2, 0.9, 0.1])
    slope = subgradient(w, z, epsilon=0.2, norm=norm, ridge=0.01)
    for at in range(4):
        step = np.eye(4)[at] * 1e-6
        difference = attacked_loss(w + step, z, 0.2, norm, 0.01) - attacked_loss(
            w - step, z, 0.2, norm, 0.01
        )
        assert slope[at] == pytest.approx(difference / 2e-6, abs=1e-7)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_budget_that_covers_the_average_teaches_nothing(norm: str) -> None:
    z = data(50, 6, 2)
    size = np.abs(z.mean(axis=0)).max() if norm == "linf" else np.linalg.norm(z.mean(axis=0))
    assert not fit(z, epsilon=float(size) * 1.001, norm=norm, ridge=1e-3).any()
    assert fit(z, epsilon=float(size) * 0.98, norm=norm, ridge=1e-3).any()


@pytest.mark.parametrize("short", [1e-12, 1e-9, 1e-7, 1e-4])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_budget_that_almost_covers_the_average_ends_too(norm: str, short: float) -> None:
    """At 1e-12 no step lowers the loss by as much as rounding shows."""
    w = fit([[1.0]], epsilon=1 - short, norm=norm, ridge=1e-3)
    assert 0 <= w[0] < 1
    loss = attacked_loss(w, np.ones((1, 1)), 1 - short, norm, 1e-3)
    assert loss == pytest.approx(math.log(2), abs=2e-6)


def test_separable_samples_have_a_finite_solution() -> None:
    z = data(5, 30, 1, length=6)
    for ridge in (1e-3, 1e-6):
        w = fit(z, epsilon=0.1, norm="linf", ridge=ridge)
        assert ((z @ w - 0.1 * np.abs(w).sum()) > 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_many_samples_lead_to_the_limit(norm: str) -> None:
    """S_epsilon(m) under l_inf and m under l2, whatever the length of the weights."""
    mu = np.array([1.0, 0.6, 0.3, -0.2, 0.0])
    asked, made = Problem(mu, 1.0, 0.35, norm), Synthetic(np.array([0.9, 0.7, 0.2, -0.5, 0.1]), 0.8)
    limit = expected(asked, made, math.inf, "adversarial-logistic")
    assert limit is not None and limit.kind == "exact"
    found = simulate(asked, made, 100_000, "adversarial-logistic", draws=2, seed=0)
    assert found.value == pytest.approx(limit.value, abs=2e-3)
    z = made.mean / 0.8 + np.random.default_rng(1).standard_normal((400_000, 5))
    w = fit(z, epsilon=0.35 / 0.8, norm=norm, ridge=1e-3)
    aim = (
        np.sign(made.mean) * np.maximum(np.abs(made.mean) - 0.35, 0)
        if norm == "linf"
        else made.mean
    )
    assert w @ aim / np.linalg.norm(w) / np.linalg.norm(aim) > 0.999


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_budget_that_covers_the_mean_leaves_nothing_to_learn_in_the_limit_either(
    norm: str,
) -> None:
    asked = Problem(np.full(20, 3 / math.sqrt(20)), 1.0, 1.0, norm)
    made = Synthetic(0.1 * asked.mu, 1.0)
    limit = expected(asked, made, math.inf, "adversarial-logistic")
    assert (
        limit is not None
        and limit.value
        == 0.5
        == simulate(asked, made, 5000, "adversarial-logistic", draws=5, seed=0).value
    )


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("z has shape", {"z": np.zeros(3)}),
        ("z has shape", {"z": np.zeros((0, 3))}),
        ("z has NaN", {"z": np.array([[np.nan]])}),
        ("epsilon is -1", {"epsilon": -1}),
        ("ridge is 0", {"ridge": 0}),
    ],
)
def test_bad_samples_are_named(message: str, change: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {
        "z": np.ones((4, 2)),
        "epsilon": 0.1,
        "norm": "linf",
        "ridge": 0.1,
    } | change
    with pytest.raises(InputError, match=message):
        fit(arguments.pop("z"), **arguments)
