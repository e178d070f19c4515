"""How many samples a target takes: the answer reaches it, obeys the c-squared law, and says where
there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cdp.config.theory import Learner, TheoryConfig
from cdp.errors import InputError
from cdp.theory import Problem, Synthetic, expected, problem_of, samples_needed, synthetic_of
from cdp.theory.views import needed_table

L2: dict[str, Any] = {"norm": "l2", "epsilon": 1.0}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"angle": 30, "separation": 0.4},
    {"learner": "linf-threshold"},
    L2,
    L2 | {"angle": 20, "dim": 3, "nonzero": 2},
]


def needed(config: TheoryConfig) -> float | None:
    return samples_needed(problem_of(config), synthetic_of(config), config.target, config.learner)


def value(config: TheoryConfig, n: float) -> float:
    found = expected(problem_of(config), synthetic_of(config), n, config.learner)
    assert found is not None
    return found.value


@pytest.mark.parametrize("change", SETTINGS)
def test_the_answer_is_the_first_number_that_reaches_the_target(change: dict[str, Any]) -> None:
    config = TheoryConfig(target=0.85, **change)
    n = needed(config)
    assert n is not None
    enough = int(n) + 1
    assert value(config, enough) >= 0.85
    if enough > 2:
        assert value(config, enough - 2) < 0.85


@pytest.mark.parametrize("change", [SETTINGS[0], SETTINGS[1], SETTINGS[3], SETTINGS[4]])
@pytest.mark.parametrize("c", [0.25, 2.0, 3.0])
def test_c_times_the_separation_needs_c_squared_times_fewer(
    change: dict[str, Any], c: float
) -> None:
    config = TheoryConfig(target=0.8, **change)
    more = config.model_copy(update={"separation": config.separation * c})
    first, second = needed(config), needed(more)
    assert (
        first is not None and second is not None and first / second == pytest.approx(c**2, rel=1e-6)
    )


def test_under_label_noise_the_answer_is_whole_and_the_law_is_approached() -> None:
    config = TheoryConfig(target=0.9, label_noise=0.2, **L2)
    answers = [needed(config.model_copy(update={"separation": c})) for c in (1.0, 0.1, 0.05)]
    assert all(n is not None and n == int(n) for n in answers)
    one, tenth, twentieth = (float(n or 0) for n in answers)
    assert value(config, one) >= 0.9 > value(config, one - 1)
    assert twentieth / tenth == pytest.approx(4, rel=1e-2)
    clean = needed(config.model_copy(update={"separation": 0.05, "label_noise": 0.0}))
    assert clean is not None and twentieth / clean == pytest.approx(1 / 0.6**2, rel=1e-2)


def test_a_target_above_the_limit_is_never_reached() -> None:
    config = TheoryConfig(target=0.98)
    assert needed(config) is None
    assert all(row.n is None and row.law is None for row in needed_table(config).rows)


def test_accuracy_that_goes_up_and_down_is_looked_at_one_by_one_under_label_noise() -> None:
    asked = Problem(np.r_[20.0, np.zeros(19)], 1.0, 3.0, "linf")
    made = Synthetic(asked.mu, 1.0, 0.3)
    values = [getattr(expected(asked, made, n, "averaging"), "value", 0.0) for n in range(1, 10)]
    assert values[1] < values[0] < values[2] > values[3]
    assert (
        samples_needed(asked, made, 0.83, "averaging")
        == 1 + next(k for k, v in enumerate(values) if v >= 0.83)
        == 5
    )


def test_a_peak_between_half_decades_is_found_and_may_lie_above_the_limit() -> None:
    config = TheoryConfig(learner="linf-threshold", separation=0.25, angle=29.170839471341807)
    assert value(config, float("inf")) < 0.8815 < 0.8878 <= value(config, 1000)
    for target in (0.8815, 0.8878):
        n = needed(config.model_copy(update={"target": target}))
        assert n is not None and value(config, math.ceil(n)) >= target > value(
            config, math.floor(n) - 1
        )


def test_very_separable_classes_with_flipped_labels_have_an_answer() -> None:
    asked = Problem(np.full(3, 1e7), 1.0, 0.1, "l2")
    assert samples_needed(asked, Synthetic(asked.mu, 1.0, 0.2), 0.6, "averaging") == 1


def test_a_target_that_chance_reaches_needs_next_to_nothing() -> None:
    n = needed(TheoryConfig(target=0.3, epsilon=0))
    assert n is not None and n < 1


def test_the_table_sets_each_answer_beside_the_law() -> None:
    table = needed_table(TheoryConfig(separation=2.0))
    assert [row.separation for row in table.rows[::2]] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert table.lawful == "exact" and table.kind == "asymptotic"
    for row in table.rows:
        own = TheoryConfig(separation=row.separation)
        assert row.n == row.law == pytest.approx(needed(own), rel=1e-6)
    assert table.limit == pytest.approx(value(TheoryConfig(), float("inf")))
    assert needed_table(TheoryConfig(learner="linf-threshold")).lawful is None
    noisy = needed_table(TheoryConfig(label_noise=0.1, separation=0.2))
    assert noisy.lawful == "asymptotic"
    for row in noisy.rows[::3]:
        assert row.n == needed(TheoryConfig(label_noise=0.1, separation=row.separation))


@pytest.mark.parametrize(
    ("message", "target", "learner"),
    [
        ("target is 0:", 0, "averaging"),
        ("target is 1:", 1, "averaging"),
        ("target has NaN", float("nan"), "averaging"),
        ("adversarial-logistic has no formula", 0.9, "adversarial-logistic"),
        ("learner 'x' is unknown", 0.9, "x"),
    ],
)
def test_questions_without_an_answer_are_refused(
    message: str, target: float, learner: Learner
) -> None:
    config = TheoryConfig()
    with pytest.raises(InputError, match=message):
        samples_needed(problem_of(config), synthetic_of(config), target, learner)
