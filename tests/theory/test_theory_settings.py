"""From the settings to the model's values: sizes, angles and separations come out as they were
asked for, and nonsense is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.knobs import parse
from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory.model import (
    aside,
    degrees_between,
    optimal_direction,
    optimum,
    problem_of,
    synthetic_of,
    turned,
    unit,
)

CONFIGS = st.builds(
    TheoryConfig,
    norm=st.sampled_from(["linf", "l2"]),
    epsilon=st.floats(0, 1),
    dim=st.integers(20, 300),
    nonzero=st.integers(1, 20),
    size=st.floats(0.1, 20),
    profile=st.sampled_from(["equal", "decaying"]),
    sigma=st.floats(0.5, 5),
    separation=st.floats(0.05, 20),
    angle=st.floats(0, 180),
    noise=st.floats(0.05, 5),
)


@settings(max_examples=50)
@given(CONFIGS)
def test_size_separation_and_angle_are_those_asked_for(config: TheoryConfig) -> None:
    problem, made = problem_of(config), synthetic_of(config)
    assert np.linalg.norm(problem.mu) == pytest.approx(config.size)
    assert (problem.mu != 0).sum() == config.nonzero and problem.dim == config.dim
    real, synthetic = (
        np.linalg.norm(problem.mu) / config.sigma,
        np.linalg.norm(made.mean) / made.noise,
    )
    assert synthetic / real == pytest.approx(config.separation)
    assert degrees_between(made.mean, optimum(problem)) == pytest.approx(config.angle, abs=1e-5)


@settings(max_examples=26)
@given(CONFIGS)
def test_turning_by_the_angle_of_mu_gives_mu(config: TheoryConfig) -> None:
    problem = problem_of(config)
    back = turned(problem, degrees_between(problem.mu, optimum(problem)))
    np.testing.assert_allclose(back, unit(problem.mu), atol=1e-6)
    assert abs(aside(problem) @ optimum(problem)) < 1e-12 and np.linalg.norm(
        aside(problem)
    ) == pytest.approx(1)


def test_profiles_are_as_they_say() -> None:
    equal = problem_of(TheoryConfig(profile="equal", nonzero=4, dim=6, size=2)).mu
    np.testing.assert_allclose(equal, [1, 1, 1, 1, 0, 0])
    decaying = problem_of(TheoryConfig(profile="decaying", nonzero=4, dim=6)).mu
    np.testing.assert_allclose(decaying[:4] / decaying[0], [1, 2**-0.5, 3**-0.5, 0.5])


def test_where_the_budget_leaves_no_optimum_angles_are_counted_from_mu() -> None:
    problem = problem_of(TheoryConfig(epsilon=50, nonzero=3))
    assert not optimal_direction(problem).any()
    np.testing.assert_allclose(optimum(problem), unit(problem.mu))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("size: .mu. is at most 40 times sigma", {"size": 8, "sigma": 0.1}),
        ("nonzero: 5 informative", {"dim": 4, "nonzero": 5}),
        ("linf-threshold thresholds", {"norm": "l2", "learner": "linf-threshold"}),
        ("epsilon", {"epsilon": -1}),
        ("epsilon", {"epsilon": float("nan")}),
        ("sigma", {"sigma": 0}),
        ("separation", {"separation": 0}),
        ("target", {"target": 1}),
        ("n:", {"n": 0}),
        ("n:", {"n": 1.5}),
        ("norm", {"norm": "l1"}),
        ("colour", {"colour": "red"}),
        ("dim", {"dim": 1, "nonzero": 1}),
        ("draws", {"draws": 1}),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(
    message: str, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=message):
        parse(TheoryConfig, change)
