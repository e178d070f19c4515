"""Looking after every seed: level and power by simulation, and the rules of racing."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.errors import InputError
from cdp.experiments.design import behind
from cdp.statistics.sequential import enough, look_interval, look_level
from cdp.statistics.significance import paired_test

TRIES = 2000


def test_all_looks_together_err_as_often_as_one_test_may() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(TRIES):
        differences = rng.normal(0, 0.01, 10)
        looks = (look_interval(differences[:n], first=3, last=10) for n in range(3, 11))
        wrong += any(look is not None and (look.low > 0 or look.high < 0) for look in looks)
    # Four standard errors of a share of 5 % are 2 points. Looking at 95 % each time errs in 15 %.
    assert wrong / TRIES == pytest.approx(0.05, abs=0.02)


def test_it_stops_sooner_the_larger_the_difference_is_and_finds_it() -> None:
    rng = np.random.default_rng(2)
    stopped = {}
    for effect in (1.5, 3.0):
        counts, right = [], 0
        for _ in range(300):
            differences = rng.normal(effect, 1, 12)
            n = next(
                (n for n in range(3, 13) if enough(differences[:n], 0.01, first=3, last=12)), 12
            )
            interval = look_interval(differences[:n], first=3, last=12)
            assert interval is not None
            counts.append(n)
            right += interval.low > 0
        stopped[effect] = np.mean(counts)
        assert right / 300 > 0.9
    assert stopped[3.0] < stopped[1.5] < 11


def test_precise_is_enough_whatever_the_difference() -> None:
    assert enough([0.0101, 0.0099, 0.0100, 0.0102], 0.005, first=3, last=10)
    assert enough([0.0001, -0.0001, 0.0], 0.005, first=3, last=10)
    assert not enough([0.02, -0.02, 0.01], 0.005, first=3, last=10)
    assert not enough([0.1, 0.1], 0.005, first=3, last=10)


def test_one_look_is_an_ordinary_interval_and_looks_from_one_pair_are_refused() -> None:
    assert look_level(5, 5) == 0.95
    assert 0.95 < look_level(4, 5) < look_level(3, 20) < 0.999
    with pytest.raises(InputError, match="begin with 2 or more"):
        look_level(1, 5)


def test_racing_finds_no_more_false_winners_than_running_everything() -> None:
    """Six arms without any difference to the control: how often is the best one called better at
    the end, by a paired test corrected for six, with and without giving arms up on the way."""
    rng = np.random.default_rng(3)
    claims = {"race": 0, "all": 0}
    tries, seeds = 200, 8
    for _ in range(tries):
        values = rng.normal(0.5, 0.01, (7, seeds))
        alive = set(range(1, 7))
        for n in range(2, seeds):
            known = {str(arm): dict(enumerate(values[arm, :n])) for arm in {0, *alive}}
            alive -= {int(name) for name in behind(known, spared={"0"})}
        for way, arms in (("race", alive), ("all", range(1, 7))):
            if arms:
                best = max(arms, key=lambda arm: values[arm].mean())
                p = paired_test(values[0], values[best]).p
                claims[way] += (
                    p is not None and p * 6 <= 0.05 and values[best].mean() > values[0].mean()
                )
    assert claims["race"] <= claims["all"] + 2
    assert claims["all"] / tries <= 0.05


def test_a_race_keeps_the_best_arm_and_saves_seeds() -> None:
    rng = np.random.default_rng(4)
    kept, used = 0, 0
    for _ in range(200):
        means = np.array([0.50, 0.51, 0.52, 0.56])
        values = rng.normal(means[:, None], 0.008, (4, 8))
        alive = {1, 2, 3}
        for n in range(2, 8):
            used += len(alive)
            known = {str(arm): dict(enumerate(values[arm, :n])) for arm in {0, *alive}}
            alive -= {int(name) for name in behind(known, spared={"0"})}
        kept += 3 in alive
    assert kept / 200 > 0.97
    assert used < 0.75 * 200 * 3 * 6


def test_nothing_is_given_up_by_too_few_seeds_or_without_a_difference() -> None:
    low, high = dict(enumerate([0.1, 0.1, 0.1])), dict(enumerate([0.9, 0.9, 0.9]))
    assert behind({"a": low, "b": high}) == []
    assert behind({"a": low, "b": low}) == []
    assert behind({"a": low}) == []
    four = dict(enumerate([0.1, 0.11, 0.12, 0.13]))
    assert behind({"a": four, "b": {seed: v + 0.1 for seed, v in four.items()}}) == ["a"]
