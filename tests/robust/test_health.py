"""What is wrong in a training is told in a sentence."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from cdp.robust.validation import (
    RECENT,
    Checked,
    Diverged,
    Validation,
    ValidationHistory,
    Watch,
    collapse,
    divergence,
    guesses,
    overfitting,
    paired_drop,
    problem,
    validate,
)
from cdp.values.types import EpochMetrics

EPSILON = 0.1
collapsed = partial(collapse, classes=10, epsilon=EPSILON)


def _epoch(
    number: int,
    clean: float,
    robust: float,
    *,
    epsilon: float = EPSILON,
    top: float = 0.2,
    drop: float = 0.0,
    n: int = 1000,
    trained: float = 0.5,
    per_epoch: int = 50,
    best: tuple[int, float] = (1, 0.5),
) -> Checked:
    metrics = EpochMetrics(
        number,
        100,
        number * per_epoch,
        number * 5000,
        0,
        number * 1.0,
        1.0,
        0.5,
        0.1,
        0.1,
        epsilon,
        0.6,
        trained,
        clean,
        robust,
        n,
        *best,
        number,
        100 * per_epoch,
        best[0],
        best[0] * per_epoch,
        0.6,
    )
    return Checked(metrics, top, drop)


def _known(number: int, epochs: int, epsilon: float, train_robust: float) -> dict[str, Any]:
    """What a history is told of a validation besides its images, at 50 steps an epoch."""
    counts = {"epoch": number, "epochs": epochs, "step": number * 50, "steps": epochs * 50}
    counts |= {"images": 0, "synthetic_images": 0}
    losses = {"loss": 1.0, "loss_clean": 1.0, "loss_robust": 0.1, "learning_rate": 0.1}
    losses |= {"seconds": 0.0, "epsilon": epsilon, "train_clean": 0.9}
    return counts | losses | {"train_robust": train_robust}


def _history(right: np.ndarray, trained: np.ndarray, warm: int = 0) -> ValidationHistory:
    """Of which validation images were robust at each epoch. right: (E,n) bool; trained: (E,)
    training accuracy under attack."""
    history = ValidationHistory()
    n = right.shape[1]
    for number, (row, train) in enumerate(zip(right, trained, strict=True), 1):
        checked = Validation(row | True, row, np.arange(n) % 10, np.arange(n) % 10, np.empty(0))
        history.add(
            checked,
            10,
            **_known(number, len(right), EPSILON if number > warm else 0.05, float(train)),
        )
    return history


def _right(rng: np.random.Generator, trend: np.ndarray, n: int, wobble: float) -> np.ndarray:
    """(E,n) bool. Every image has a margin of its own; an epoch moves all (trend, and noise
    ``wobble``) and each (noise 0.2)."""
    margin = rng.normal(0.3, 1, n)
    moved = trend[:, None] + rng.normal(0, wobble, (len(trend), 1)) if wobble else trend[:, None]
    return margin + moved + rng.normal(0, 0.2, (len(trend), n)) > 0


def _alarms(
    rng: np.random.Generator, trend: np.ndarray, n: int, wobble: float, tries: int
) -> float:
    """Share of histories in which overfitting was found at any epoch, with training accuracy rising
    all along."""
    found = 0
    for _ in range(tries):
        trained = np.linspace(0.5, 0.7, len(trend)) + rng.normal(0, 0.01, len(trend))
        history = _history(_right(rng, trend, n, wobble), trained)
        found += any(
            overfitting(history[:end], epsilon=EPSILON) for end in range(10, len(history) + 1)
        )
    return found / tries


@pytest.mark.parametrize("wobble", [0.0, 0.02])
@pytest.mark.parametrize("shape", ["flat", "rising", "levelling off"])
@pytest.mark.parametrize(("epochs", "n"), [(30, 500), (60, 1000)])
def test_noise_alone_is_no_overfitting(shape: str, wobble: float, epochs: int, n: int) -> None:
    x = np.linspace(0, 1, epochs)
    trend = {"flat": 0 * x, "rising": 0.5 * x, "levelling off": 1 - np.exp(-5 * x)}[shape]
    assert _alarms(np.random.default_rng(0), trend, n, wobble, 120) == 0


@pytest.mark.parametrize("wobble", [0.0, 0.02])
def test_a_fall_of_some_points_after_a_peak_is_found_before_it_is_over(wobble: float) -> None:
    x = np.linspace(0, 1, 60)
    trend = 0.5 * np.minimum(x / 0.4, 1) - 0.25 * np.maximum(0, (x - 0.4) / 0.6)
    assert _alarms(np.random.default_rng(1), trend, 1000, wobble, 30) > 0.95


def test_overfitting_says_since_when_and_what_to_do_and_that_it_has_recovered() -> None:
    rng = np.random.default_rng(2)
    trend = np.concatenate([np.linspace(0, 0.6, 15), np.full(12, 0.3), np.full(3, 0.7)])
    history = _history(_right(rng, trend, 1000, 0), np.linspace(0.4, 0.8, 30))
    found = overfitting(history[:27], epsilon=EPSILON)
    assert found is not None
    assert found.kind == "overfitting"
    assert 16 <= found.since <= 18
    assert f"since epoch {found.since}" in found.sentence
    assert "use the best epoch" in found.sentence
    assert overfitting(history, epsilon=EPSILON) is None


def test_a_fall_without_gain_in_training_or_during_the_warm_up_is_not_overfitting() -> None:
    rng = np.random.default_rng(3)
    right = _right(rng, np.concatenate([np.full(15, 0.6), np.full(15, 0.2)]), 1000, 0)
    assert overfitting(_history(right, np.linspace(0.4, 0.8, 30)), epsilon=EPSILON) is not None
    assert overfitting(_history(right, np.linspace(0.8, 0.4, 30)), epsilon=EPSILON) is None
    assert overfitting(_history(right, np.linspace(0.4, 0.8, 30), warm=15), epsilon=EPSILON) is None


def test_paired_drop_is_mcnemar_s_statistic() -> None:
    before, now = np.array([1, 1, 1, 1, 0, 1], bool), np.array([0, 0, 0, 1, 1, 1], bool)
    assert paired_drop(before, now) == pytest.approx((3 - 1) / math.sqrt(4))
    assert paired_drop(now, before) == pytest.approx(-1.0)
    assert paired_drop(now, now) == 0


def test_history_knows_its_best_and_comes_back_from_its_state() -> None:
    history = _history(
        np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], bool), np.full(4, np.nan)
    )
    assert [e.metrics.best_epoch for e in history] == [1, 2, 3, 3]
    assert history.best is not None
    assert history.best.robust_accuracy == history[-1].metrics.best_robust == pytest.approx(2 / 3)
    assert history[3].drop == pytest.approx(1.0)
    again = ValidationHistory()
    again.load(history.state())
    assert repr(list(again)) == repr(list(history))
    assert [e.metrics.epoch for e in again] == [1, 2, 3, 4]


@pytest.mark.parametrize("robust", [0.0, 0.5])
def test_of_equal_ones_the_best_is_the_cleaner_then_the_later(robust: float) -> None:
    """Clean accuracies 17, 41, 41 and 30 %, as of a training that never withstands an attack."""
    history, n = ValidationHistory(), 100
    right = np.arange(n) < 100 * robust
    for number, clean in enumerate((0.17, 0.41, 0.41, 0.30), 1):
        checked = Validation(
            np.arange(n) < 100 * clean, right, np.arange(n) % 10, np.arange(n) % 10, np.empty(0)
        )
        history.add(checked, 10, **_known(number, 8, EPSILON, 0.5) | {"epoch": 2 * number})
    assert [point.metrics.best_point for point in history] == [1, 2, 3, 3]
    best = history.best
    assert best is not None
    assert (best.epoch, best.step, best.clean_accuracy) == (6, 150, 0.41)
    last = history[-1].metrics
    expected = (6, 150, 0.41, robust)
    assert (last.best_epoch, last.best_step, last.best_clean, last.best_robust) == expected


def test_a_state_of_before_is_read_as_one_validation_an_epoch() -> None:
    history = _history(np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0]], bool), np.full(3, np.nan))
    state = history.state()
    # Then a row had eighteen metrics, and the first of equal epochs was the best.
    state["history"] = torch.cat([state["history"][:, :18], state["history"][:, -2:]], dim=1)
    again = ValidationHistory()
    again.load(state)
    assert repr(list(again)) == repr(list(history))


def test_guessing_is_chance_accuracy_or_nearly_one_class() -> None:
    assert guesses(_epoch(1, 0.11, 0.1), 10)
    assert not guesses(_epoch(1, 0.15, 0.1), 10)
    assert guesses(_epoch(1, 0.3, 0.3, top=0.96), 10)
    # 20 images of ten classes: two more right than guessing would be are still no news.
    assert guesses(_epoch(1, 0.2, 0.1, n=20), 10)


def test_collapse_is_told_after_several_epochs_at_chance_and_not_before() -> None:
    good = [_epoch(i, 0.7, 0.4) for i in range(1, 11)]
    bad = [_epoch(i, 0.1, 0.1, top=1.0) for i in range(11, 21)]
    ends = [end for end in range(1, 21) if collapsed((good + bad)[:end])]
    assert ends == list(range(15, 21))
    found = collapsed(good + bad)
    assert found is not None
    assert found.since == 11
    assert "since epoch 11" in found.sentence
    assert "100 % of the predictions are one class" in found.sentence
    assert collapsed([*good, *bad, _epoch(21, 0.5, 0.2)]) is None


def test_chance_during_the_warm_up_or_over_few_steps_is_no_collapse() -> None:
    assert collapsed([_epoch(i, 0.1, 0.1, epsilon=0.05) for i in range(1, 20)]) is None
    assert collapsed([_epoch(i, 0.1, 0.1, per_epoch=2) for i in range(1, 20)]) is None
    assert collapsed([_epoch(i, 0.1, 0.1) for i in range(1, 20)]) is not None


def test_collapse_is_told_where_validations_are_rare() -> None:
    """Every fifth epoch of 15 steps: three of them span eleven epochs and 150 steps, four of them
    sixteen and 225."""
    bad = [_epoch(i, 0.1, 0.1, per_epoch=15) for i in (5, 10, 15, 20)]
    assert collapsed(bad[:3]) is None
    found = collapsed(bad)
    assert found is not None and found.since == 5
    # Two validations are never enough, nor are three within an epoch.
    assert collapsed([_epoch(i, 0.1, 0.1, per_epoch=500) for i in (5, 10)]) is None
    within = [
        dataclasses.replace(one, metrics=dataclasses.replace(one.metrics, epoch=1)) for one in bad
    ]
    assert collapsed(within) is None


def test_divergence_is_a_loss_far_above_guessing_for_long() -> None:
    rng = np.random.default_rng(0)
    first = [2.3] * 20
    assert divergence(first, list(rng.normal(2.2, 0.3, RECENT)), 10) == ""
    assert divergence(first, [30.0] * (RECENT - 1), 10) == ""
    assert divergence(first, [*[2.0] * (RECENT - 3), *[60.0] * 3], 10) == ""
    assert "averaged 30 nats" in divergence(first, [30.0] * RECENT, 10)
    # A first loss near 0 (fine-tuning) does not make guessing look like divergence.
    assert divergence([0.01] * 20, [2.3] * RECENT, 10) == ""


def test_the_watch_names_the_step_of_the_first_nan_and_remembers_over_a_stop() -> None:
    watch = Watch(10)
    with pytest.raises(Diverged, match="became nan at step 39"):
        watch.add([1.0, float("nan"), float("inf")], 40)
    watch, again = Watch(10), Watch(10)
    for step in range(20, 121, 20):
        watch.add([2.0] * 20 if step == 20 else [50.0] * 20, step)
    again.load(watch.state())
    for one in (watch, again):
        with pytest.raises(Diverged, match="averaged 50 nats"):
            one.require_converging()


def test_collapse_counts_more_than_overfitting_and_a_good_run_has_no_problem() -> None:
    fallen = [_epoch(i, 0.7, 0.5, trained=0.4) for i in range(1, 16)] + [
        _epoch(i, 0.1, 0.1, drop=9.0, trained=0.6, top=1.0) for i in range(16, 31)
    ]
    assert overfitting(fallen, epsilon=EPSILON) is not None
    found = problem(fallen, classes=10, epsilon=EPSILON)
    assert found is not None
    assert found.kind == "collapse"
    assert problem(fallen[:15], classes=10, epsilon=EPSILON) is None


def test_robust_is_right_as_it_is_and_under_attack() -> None:
    """A network that is wrong about an image until something moves it withstands nothing."""

    class Contrary(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sign = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            moved = ((x - 128 / 255).abs().amax(dim=(1, 2, 3)) > 1e-4).float()
            right = self.sign * (2 * moved - 1) + 0 * x.sum(dim=(1, 2, 3))
            return torch.stack([right, -right], dim=1)

    image, label = np.full((4, 6, 6, 1), 128, np.uint8), np.zeros(4, np.int64)
    seen = validate(Contrary(), image, label, epsilon=0.1, norm="linf", steps=2)
    assert seen.predicted.tolist() == [0] * 4 and not seen.clean.any() and not seen.robust.any()
