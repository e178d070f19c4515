"""Arms, tests and verdicts of compared trainings, against scipy and by hand."""

from __future__ import annotations

import json
import time
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from cdp import paths
from cdp.results.compare import compare, comparison_json
from cdp.results.differences import MAX_ARMS
from cdp.values.evaluation import read_outcomes
from tests.results.compared_runs import N, arm, difference, evaluated, training

PLAIN = {0: 0.50, 1: 0.52, 2: 0.51, 3: 0.53, 4: 0.5125}
GUIDED = {0: 0.525, 1: 0.5325, 2: 0.5375, 3: 0.55, 4: 0.535}


def test_five_shared_seeds_are_paired_and_give_the_numbers_of_scipy() -> None:
    found = compare(arm("plain", PLAIN, beta=1.0) + arm("guided", GUIDED))
    first, second = (np.array(list(values.values())) for values in (PLAIN, GUIDED))
    oracle = stats.ttest_rel(second, first)
    low, high = oracle.confidence_interval(0.95)
    one = difference(found)
    assert one.difference is not None and one.difference.n == 5
    assert (one.difference.value, one.difference.low, one.difference.high) == pytest.approx(
        ((second - first).mean(), low, high)
    )
    assert (one.p, one.adjusted, one.count) == (
        pytest.approx(oracle.pvalue),
        pytest.approx(oracle.pvalue),
        5,
    )
    assert one.method == "paired t, 5 shared seeds" and one.more_seeds is None
    assert one.verdict.startswith("guided is better by 2.2 points")
    assert one.verdict.endswith(
        "5 paired seeds; at equal compute (60 optimiser steps, 6,000 images seen)."
    )


def test_an_arm_is_the_mean_of_its_seeds_with_a_t_interval_and_is_called_by_what_their_names_share() -> (
    None
):
    found = compare(arm("plain", PLAIN))
    one = found.arms[0]
    values = list(PLAIN.values())
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert one.name == "plain" and one.interval == "95 % t interval over 5 seeds"
    assert one.robust is not None and (
        one.robust.value,
        one.robust.low,
        one.robust.high,
    ) == pytest.approx((np.mean(values), low, high))
    assert [(seed.seed, seed.robust, seed.n, seed.evaluation) for seed in one.seeds] == [
        (seed, pytest.approx(value), N, f"e-plain-s{seed}") for seed, value in PLAIN.items()
    ]
    assert {seed.label for seed in one.seeds} == {"AutoAttack, n = 400, +/- 5 points"}
    assert one.settings["beta"] == 6.0 and "seed" not in one.settings
    assert (found.differences, found.differs, found.missing) == ((), {}, ())


def test_an_interval_of_shares_stays_within_what_shares_can_be() -> None:
    one = compare(arm("a", {0: 0.01, 1: 0.1})).arms[0].robust
    assert one is not None and one.low == 0.0 < one.value < one.high < 1.0


def test_only_seeds_that_both_have_are_paired() -> None:
    found = compare(
        arm("plain", {0: 0.40, 2: 0.51, 3: 0.53}, beta=1.0)
        + arm("guided", {2: 0.5375, 3: 0.55, 7: 0.60})
    )
    one = difference(found)
    assert one.count == 2 and one.difference is not None
    assert one.difference.value == pytest.approx((0.5375 - 0.51 + 0.55 - 0.53) / 2)
    assert one.p == pytest.approx(stats.ttest_rel([0.5375, 0.55], [0.51, 0.53]).pvalue)


def test_seeds_that_are_not_shared_are_compared_by_welch() -> None:
    first, second = [0.50, 0.52, 0.51], [0.53, 0.5375, 0.55, 0.5125]
    found = compare(
        arm("plain", dict(enumerate(first)), beta=1.0)
        + arm("guided", dict(enumerate(second, start=10)))
    )
    oracle = stats.ttest_ind(second, first, equal_var=False)
    low, high = oracle.confidence_interval(0.95)
    one = difference(found)
    assert one.difference is not None
    assert (one.p, one.difference.low, one.difference.high) == pytest.approx(
        (oracle.pvalue, low, high)
    )
    assert one.method.startswith("Welch t") and one.more_seeds is None


def test_a_difference_that_is_not_settled_says_how_many_more_seeds_would_settle_it() -> None:
    found = compare(
        arm("plain", {0: 0.50, 1: 0.52, 2: 0.51}, beta=1.0)
        + arm("guided", {0: 0.515, 1: 0.52, 2: 0.53})
    )
    one = difference(found)
    assert one.adjusted is not None and one.adjusted > 0.05
    assert one.more_seeds is not None and one.more_seeds > 0
    assert "cannot be told apart" in one.verdict and f"about {one.more_seeds} more" in one.verdict


def test_one_seed_each_is_mcnemars_test_on_the_same_images() -> None:
    found = compare(
        arm("plain", {0: 0.50}, clean=0.78, beta=1.0) + arm("guided", {3: 0.56}, clean=0.8)
    )
    read = [
        read_outcomes(paths.runs_dir() / name / "outcomes.npz")
        for name in ("e-plain-s0", "e-guided-s3")
    ]
    for metric in ("robust", "clean"):
        right = [
            one.of["best"].robust if metric == "robust" else one.of["best"].clean == one.label
            for one in read
        ]
        gains, losses = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
        one = difference(found, metric)
        assert gains + losses > 5
        assert one.p == pytest.approx(stats.binomtest(gains, gains + losses).pvalue)
        assert one.difference is not None and one.difference.value == pytest.approx(
            (gains - losses) / N
        )
        assert (one.method, one.count) == ("McNemar, 400 shared images", N)
        assert "one seed each says nothing of other seeds" in one.verdict
    assert [one.interval for one in found.arms] == [
        "95 % Wilson interval of 400 images, one seed"
    ] * 2


def test_one_seed_against_several_is_not_tested_and_says_what_to_train() -> None:
    found = compare(arm("plain", {0: 0.50}, beta=1.0) + arm("guided", {0: 0.53, 1: 0.54}))
    one = difference(found)
    assert (one.difference, one.p, one.adjusted, one.more_seeds, one.count) == (
        None,
        None,
        None,
        None,
        0,
    )
    assert (
        one.verdict
        == "plain-s0 and guided cannot be compared in robust accuracy: plain-s0 has one seed: train"
        " at least one more, with a seed that guided has."
    )


def test_p_values_of_several_arms_are_adjusted_by_holm_within_a_metric() -> None:
    ids = (
        arm("a", PLAIN, beta=1.0)
        + arm("b", GUIDED, beta=2.0)
        + arm("c", {0: 0.505, 1: 0.53, 2: 0.5, 3: 0.535, 4: 0.52}, beta=3.0)
    )
    found = [one for one in compare(ids).differences if one.metric == "robust"]
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    raw = [one.p or 0.0 for one in found]
    for place, p in enumerate(sorted(raw)):
        steps = [(3 - k) * q for k, q in enumerate(sorted(raw)[: place + 1])]
        assert found[raw.index(p)].adjusted == pytest.approx(min(1.0, max(steps)))
    assert found[0].adjusted == pytest.approx(3 * min(raw))


def test_of_many_arms_only_the_first_is_tested_against_the_others() -> None:
    few, many = MAX_ARMS, MAX_ARMS + 1
    ids = [
        run_id
        for k in range(many)
        for run_id in arm(f"arm{k:02d}", {0: 0.5 + 0.0025 * k}, beta=float(k))
    ]
    every = {(one.first, one.second) for one in compare(ids[:few]).differences}
    assert every == set(combinations(ids[:few], 2))
    found = compare(ids)
    assert {(one.first, one.second) for one in found.differences} == {
        (ids[0], other) for other in ids[1:]
    }
    assert any(f"Of {many} arms only {ids[0]}" in note for note in found.notes)


def test_a_second_run_of_a_seed_stands_alone_and_every_arm_has_its_own_name() -> None:
    ids = arm("plain", {0: 0.5, 1: 0.51})
    training("again", 0, name="plain")
    evaluated("again", 0.55)
    found = compare([*ids, "again"])
    assert [(one.name, len(one.seeds)) for one in found.arms] == [
        ("plain (plain-s0)", 2),
        ("plain (again)", 1),
    ]
    assert found.notes[0].startswith(
        "plain (again) has the settings and the seed 0 of plain-s0 (plain-s0)"
    )


def test_without_groups_every_run_is_an_arm() -> None:
    found = compare(arm("plain", {0: 0.5, 1: 0.51, 2: 0.52}), groups=False)
    assert [one.name for one in found.arms] == ["plain-s0", "plain-s1", "plain-s2"]
    assert {one.method for one in found.differences} == {"McNemar, 400 shared images"} and len(
        found.differences
    ) == 6
    assert found.differs == {}


def test_equal_seeds_and_equal_differences_leave_no_nan_in_the_json() -> None:
    ids = (
        arm("a", {0: 0.5, 1: 0.51}, beta=1.0)
        + arm("b", {0: 0.52, 1: 0.53}, beta=2.0)
        + arm("c", {0: 0.5, 1: 0.5}, beta=3.0)
    )
    training("bare", 5, epochs=0)
    found = compare([*ids, "bare", "absent"])
    text = json.dumps(comparison_json(found), allow_nan=False)
    back = json.loads(text)
    assert [one["name"] for one in back["arms"]] == ["a", "b", "c", "bare"]
    assert (
        difference(found).p is None
        and "neither an interval nor a test" in difference(found).verdict
    )
    assert back["differences"][0]["difference"] | {"value": 0, "n": 0} == {
        "value": 0,
        "low": None,
        "high": None,
        "n": 0,
        "level": 0.95,
        "note": "",
    }
    assert (
        back["arms"][3]["robust"] is None
        and "bare has no robust accuracy yet" in difference(found, second=3).verdict
    )


def test_two_hundred_runs_are_compared_in_two_seconds() -> None:
    """Processor time, as the tests may share the machine; the best of three."""
    ids = [
        run_id
        for k in range(40)
        for run_id in arm(
            f"arm{k:02d}",
            {seed: 0.4 + 0.0025 * ((7 * seed + k) % 30) for seed in range(5)},
            beta=float(k),
        )
    ]
    compare(ids[:10])  # imports scipy.stats, a second that is no matter of how many runs there are
    seconds = []
    for groups in (True, False):
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            found = compare(ids, groups=groups)
            best = min(best, time.process_time() - began)
        assert len(found.arms) == (40 if groups else 200)
        seconds.append(best)
    assert max(seconds) < 2
