"""Arms of compared trainings, tests and verdicts against scipy and by hand; which numbers are
compared, and what is said of runs and files that are missing, damaged or not over."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cdp import paths
from cdp.data.sets import save_set
from cdp.results.compare import compare, comparison_json
from cdp.results.differences import MAX_ARMS
from cdp.results.evaluations import read_outcomes, read_report
from cdp.statistics.shares import share_difference
from cdp.values.comparison import Comparison
from cdp.values.evaluation import Outcome, Outcomes, outcomes_bytes
from cdp.work.launch import delete
from tests.evaluations import CLASSES, report, write_evaluation
from tests.results.compared_runs import N, arm, difference, evaluated, training, write_card
from tests.ui.train_runs import SHORT, train_run
from tests.work.processes import fake_run

PLAIN = {0: 0.50, 1: 0.52, 2: 0.51, 3: 0.53, 4: 0.5125}
GUIDED = {0: 0.525, 1: 0.5325, 2: 0.5375, 3: 0.55, 4: 0.535}


def noted(found: Comparison, part: str) -> bool:
    return any(part in note for note in found.notes)


def evaluations(found: Comparison) -> set[str]:
    """The ids that the compared numbers come from; "" is validation."""
    return {seed.evaluation for one in found.arms for seed in one.seeds}


@pytest.mark.parametrize(
    ("plain", "guided", "method", "count"),
    [
        (PLAIN, GUIDED, "paired t, 5 shared seeds", 5),
        ({0: 0.4, 2: 0.51, 3: 0.53}, {2: 0.5375, 3: 0.55, 7: 0.6}, "paired t, 2 shared seeds", 2),
        ({0: 0.5, 1: 0.52, 2: 0.51}, {5: 0.53, 6: 0.5375, 7: 0.55}, "Welch t, 3 and 3 seeds", 6),
    ],
)
def test_seeds_that_both_have_are_paired_others_go_to_welch_with_the_numbers_of_scipy(
    plain: dict[int, float], guided: dict[int, float], method: str, count: int
) -> None:
    found = compare(arm("plain", plain, beta=1.0) + arm("guided", guided))
    shared = sorted(plain.keys() & guided.keys())
    if shared:
        oracle: Any = stats.ttest_rel([guided[s] for s in shared], [plain[s] for s in shared])
    else:
        oracle = stats.ttest_ind([*guided.values()], [*plain.values()], equal_var=False)
    bounds, one = oracle.confidence_interval(0.95), difference(found)
    assert one.difference is not None and (one.method, one.count) == (method, count)
    assert (one.p, one.adjusted) == (pytest.approx(oracle.pvalue), pytest.approx(oracle.pvalue))
    assert (one.difference.low, one.difference.high) == pytest.approx((bounds.low, bounds.high))
    if count == 5:
        assert one.verdict.startswith("guided is better by 2.2 points") and one.more_seeds is None
        compute = "at equal compute (60 optimiser steps, 6,000 images seen)"
        assert one.verdict.endswith(f"5 paired seeds; {compute}.")


def test_an_arm_is_the_mean_of_its_seeds_and_is_called_by_what_their_names_share() -> None:
    found = compare(arm("plain", PLAIN))
    one, values = found.arms[0], list(PLAIN.values())
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (one.name, one.interval) == ("plain", "95 % t interval over 5 seeds")
    assert one.robust is not None
    robust = (one.robust.value, one.robust.low, one.robust.high)
    assert robust == pytest.approx((np.mean(values), low, high))
    assert [(seed.seed, seed.robust, seed.n, seed.evaluation) for seed in one.seeds] == [
        (seed, pytest.approx(value), N, f"e-plain-s{seed}") for seed, value in PLAIN.items()
    ]
    assert one.settings["beta"] == 6.0 and "seed" not in one.settings
    assert (found.differences, found.differs, found.missing) == ((), {}, ())
    wide = compare(arm("a", {0: 0.01, 1: 0.1})).arms[0].robust
    assert wide is not None and wide.low == 0.0 < wide.value < wide.high < 1.0


def test_a_difference_that_is_not_settled_says_how_many_more_seeds_would_settle_it() -> None:
    second = {0: 0.515, 1: 0.52, 2: 0.53}
    one = difference(compare(arm("a", {0: 0.50, 1: 0.52, 2: 0.51}, beta=1.0) + arm("b", second)))
    assert one.adjusted is not None and one.adjusted > 0.05
    assert one.more_seeds and f"about {one.more_seeds} more" in one.verdict


def test_one_seed_each_is_mcnemars_test_on_the_same_images() -> None:
    plain = arm("plain", {0: 0.50}, clean=0.78, beta=1.0)
    found = compare(plain + arm("guided", {3: 0.56}, clean=0.8))
    read = [
        read_outcomes(paths.runs_dir() / f"e-{name}" / "outcomes.npz")
        for name in ("plain-s0", "guided-s3")
    ]
    for metric in ("robust", "clean"):
        before, after = (
            one.of["best"].robust if metric == "robust" else one.of["best"].clean == one.label
            for one in read
        )
        gains, losses = int((after & ~before).sum()), int((before & ~after).sum())
        one = difference(found, metric)
        assert gains + losses > 5 and one.difference is not None
        assert one.p == pytest.approx(stats.binomtest(gains, gains + losses).pvalue)
        assert one.difference.value == pytest.approx((gains - losses) / N)
        assert (one.method, one.count) == ("McNemar, 400 shared images", N)
        assert "one seed each says nothing of other seeds" in one.verdict
    assert {one.interval for one in found.arms} == {"95 % Wilson interval of 400 images, one seed"}
    for number, row in enumerate(found.classes):
        images = read[0].label == number
        robust = [outcomes.of["best"].robust[images] for outcomes in read]
        assert (row.name, row.difference) == (CLASSES[number], share_difference(*robust[::-1]))
    assert noted(found, "rest on images alone")


def test_class_by_class_several_seeds_are_a_t_interval_over_their_differences() -> None:
    first, second = {0: 0.50, 1: 0.52, 2: 0.51}, {0: 0.53, 1: 0.5325, 2: 0.55}
    found = compare(arm("a", first) + arm("b", second, beta=1.0))
    reports = [
        [read_report(paths.runs_dir() / f"e-{name}-s{seed}" / "report.json") for seed in range(3)]
        for name in "ab"
    ]
    for number, row in enumerate(found.classes):
        shares = np.array(
            [[one.main.classes[number].robust.value for one in part] for part in reports]
        )
        low, high = stats.ttest_rel(shares[1], shares[0]).confidence_interval(0.95)
        expected = (np.diff(shares, axis=0).mean(), max(-1.0, low), min(1.0, high))
        bounds = (row.difference.value, row.difference.low, row.difference.high)
        assert bounds == pytest.approx(expected)
        mean = found.arms[1].classes[row.name]
        assert (mean.value, mean.n) == (pytest.approx(shares[1].mean()), N // 10)
    assert not noted(found, "rest on images alone")


def test_one_seed_against_several_is_not_tested_and_says_what_to_train() -> None:
    one = difference(compare(arm("plain", {0: 0.5}, beta=1.0) + arm("guided", {0: 0.53, 1: 0.54})))
    assert (one.difference, one.p, one.adjusted, one.more_seeds, one.count) == (*[None] * 4, 0)
    assert one.verdict.endswith(
        "plain-s0 has one seed: train at least one more, with a seed that guided has."
    )


def test_p_values_of_several_arms_are_adjusted_by_holm_within_a_metric() -> None:
    third = {0: 0.505, 1: 0.53, 2: 0.5, 3: 0.535, 4: 0.52}
    ids = arm("a", PLAIN, beta=1.0) + arm("b", GUIDED, beta=2.0) + arm("c", third, beta=3.0)
    found = [one for one in compare(ids).differences if one.metric == "robust"]
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    raw = [one.p or 0.0 for one in found]
    for place, p in enumerate(sorted(raw)):
        steps = [(3 - k) * q for k, q in enumerate(sorted(raw)[: place + 1])]
        assert found[raw.index(p)].adjusted == pytest.approx(min(1.0, max(steps)))


def test_of_many_arms_only_the_first_is_tested_against_the_others() -> None:
    ids = [
        run_id
        for k in range(MAX_ARMS + 1)
        for run_id in arm(f"arm{k:02d}", {0: 0.5 + 0.0025 * k}, beta=float(k))
    ]
    every = {(one.first, one.second) for one in compare(ids[:MAX_ARMS]).differences}
    assert every == set(combinations(ids[:MAX_ARMS], 2))
    found = compare(ids)
    tested = {(one.first, one.second) for one in found.differences}
    assert tested == {(ids[0], other) for other in ids[1:]}
    assert noted(found, f"Of {MAX_ARMS + 1} arms only {ids[0]}")


def test_a_second_run_of_a_seed_stands_alone_and_without_groups_every_run_does() -> None:
    ids = arm("plain", {0: 0.5, 1: 0.51})
    training("again", 0, name="plain")
    evaluated("again", 0.55)
    found = compare([*ids, "again"])
    expected = [("plain (plain-s0)", 2), ("plain (again)", 1)]
    assert [(one.name, len(one.seeds)) for one in found.arms] == expected
    assert noted(found, "plain (again) has the settings and the seed 0 of plain-s0 (plain-s0)")
    apart = compare(ids, groups=False)
    assert [one.name for one in apart.arms] == ids and apart.differs == {}
    assert {one.method for one in apart.differences} == {"McNemar, 400 shared images"}


def test_equal_seeds_and_equal_differences_leave_no_nan_in_the_json() -> None:
    ids = arm("a", {0: 0.5, 1: 0.51}, beta=1.0) + arm("b", {0: 0.52, 1: 0.53}, beta=2.0)
    ids += arm("c", {0: 0.5, 1: 0.5}, beta=3.0)
    training("bare", 5, epochs=0)
    found = compare([*ids, "bare", "absent"])
    back = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    assert [one["name"] for one in back["arms"]] == ["a", "b", "c", "bare"]
    one, robust = difference(found), back["differences"][0]["difference"]
    assert one.p is None and "neither an interval nor a test" in one.verdict
    assert (robust["low"], robust["high"], robust["level"]) == (None, None, 0.95)
    assert back["arms"][3]["robust"] is None
    assert "bare has no robust accuracy yet" in difference(found, second=3).verdict


def test_two_hundred_runs_are_compared_in_two_seconds() -> None:
    """Processor time, as the tests may share the machine; the best of two."""
    ids = []
    for k in range(40):
        robust = {seed: 0.4 + 0.0025 * ((7 * seed + k) % 30) for seed in range(5)}
        ids += arm(f"arm{k:02d}", robust, beta=float(k))
    compare(ids[:10])  # imports scipy.stats, a second that is no matter of how many runs there are
    seconds = []
    for _ in range(2):
        began = time.process_time()
        assert len(compare(ids).arms) == 40
        seconds.append(time.process_time() - began)
    assert min(seconds) < 2


def test_only_settings_that_differ_are_listed_and_never_the_seed() -> None:
    second = arm("b", {1: 0.5}, synthetic=("x", "y"), compile=True)
    found = compare(arm("a", {0: 0.5}, beta=1.0, real=None) + second)
    assert found.differs == {
        "real": ("all", "2,000"),
        "synthetic": ("none", "x, y"),
        "beta": ("1", "6"),
        "compile": ("off", "on"),
        "synthetic_images": ("0", "unknown"),
    }
    assert noted(found, "How many synthetic images b-s1 was trained on is not known")


def test_synthetic_images_are_those_of_the_card_else_those_of_the_sets_here() -> None:
    save_set("here", np.zeros((30, 4, 4, 1), np.uint8), np.arange(30) % 2, {})
    ids = arm("card", {0: 0.5}, synthetic=("here",))
    write_card(ids[0], paths.runs_dir(), 5000, ["here"])
    ids += arm("disk", {0: 0.5}, synthetic=("here",), beta=1.0)
    ids += arm("unused", {0: 0.5}, synthetic=("here",), beta=1.0, fraction=0.0)
    assert [one.synthetic_images for one in compare(ids).arms] == [5000, 30, 0]


@pytest.mark.parametrize(
    "card", ["", "[]", '{"training": {"synthetic_images": "many"}, "sets": [{"name": 1}, 2]}']
)
def test_a_damaged_card_is_an_unknown_number_of_images(card: str) -> None:
    ids = arm("a", {0: 0.5}, synthetic=("absent",))
    place = paths.runs_dir() / ids[0] / "best" / "card.json"
    place.parent.mkdir()
    place.write_text(card)
    assert compare([*ids, *arm("b", {0: 0.5})]).differs["synthetic_images"] == ("unknown", "0")


def test_sets_that_share_a_name_only_are_told_apart_but_not_by_their_tags() -> None:
    ids = []
    for beta, name in enumerate("abd"):
        ids += arm(name, {0: 0.5}, synthetic=("guided",), beta=float(beta))
    write_card(ids[0], paths.runs_dir(), 500, ["guided"], sha="11" * 32)
    write_card(ids[1], paths.runs_dir(), 500, ["guided"], sha="22" * 32, created="2026-11-02")
    write_card(ids[2], paths.runs_dir(), 500, ["guided"], sha="33" * 32)
    assert compare([*ids[:2], *arm("c", {0: 0.5})]).differs["set guided"] == (
        "500 images, 2026-11-01, card 111111111111",
        "500 images, 2026-11-02, card 222222222222",
        "not used",
    )
    assert "set guided" not in compare([ids[0], ids[2]]).differs
    seeds = arm("e", {0: 0.5, 1: 0.5}, synthetic=("guided",))
    for run_id, images in zip(seeds, (500, 600), strict=True):
        write_card(run_id, paths.runs_dir(), images, ["guided"])
    assert noted(compare(seeds), "2 different sets that are all called guided")


def labels(*ids: str) -> list[str]:
    return [seed.label for one in compare(ids).arms for seed in one.seeds]


def test_the_strongest_attack_that_all_have_is_taken_then_more_images_then_the_newest() -> None:
    def both(tag: str, robust: float, **change: Any) -> None:
        for name in "ab":
            evaluated(name, robust, tag=tag, label=tag, **change)

    for name in "ab":
        training(name, beta=float(name == "a"))
    both("quick", 0.6, created=3e9, suite="quick", attack="PGD-10", quick=True)
    assert labels("a", "b") == ["quick"] * 2
    assert noted(compare(["a", "b"]), "quick estimates that stronger attacks will lower")
    both("pgd", 0.55, suite="pgd", attack="PGD-40")
    assert labels("a", "b") == ["pgd"] * 2
    evaluated("a", 0.5, tag="-aa", label="autoattack")
    assert labels("a", "b") == ["pgd"] * 2, "b has none"
    evaluated("b", 0.5, tag="-aa", label="autoattack")
    assert labels("a", "b") == ["autoattack"] * 2
    both("more", 0.5, n=600, rows_sha256="ee" * 32)
    assert labels("a", "b") == ["more"] * 2
    evaluated("a", 0.4, n=600, tag="-new", label="newer", rows_sha256="ee" * 32, created=2e9)
    assert labels("a", "b") == ["newer", "more"]


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0.2},
        {"norm": "l2"},
        {"rows_sha256": "ff" * 32},
        {"part": "other"},
        {"attack": "PGD-41"},
        {"n": 200},
        {"suite": "quick", "attack": "PGD-10", "quick": True},
        {"which": "last"},
    ],
)
def test_evaluations_that_differ_in_anything_that_counts_are_never_set_against_each_other(
    change: dict[str, Any],
) -> None:
    training("a", beta=1.0)
    training("b")
    evaluated("a", 0.5)
    if "which" in change:
        found, outcomes = report(N, robust=0.6, run="b", name="b")
        last = replace(found, weights=(replace(found.main, which="last"),))
        write_evaluation("e-b", (last, replace(outcomes, of={"last": outcomes.of["best"]})))
    else:
        evaluated("b", 0.6, **change)
    compared = compare(["a", "b"])
    assert evaluations(compared) == {""}
    assert noted(compared, "no attack, budget and images in common")
    for name in "ab":  # without validation they are mixed, and nothing is tested
        (paths.runs_dir() / name / "metrics.jsonl").unlink()
    mixed = compare(["a", "b"])
    one = difference(mixed)
    assert (one.difference, one.p) == (None, None) and noted(mixed, "measured in 2 ways")
    assert "a was measured by AutoAttack (standard), linf 0.1, 400 images of test" in one.verdict


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "mnist"},
        {"held_out": 400},
        {"norm": "l2"},
        {"epsilon": 0.05},
        {"validation_steps": 20},
    ],
)
def test_validations_on_other_images_or_under_another_attack_are_not_compared(
    change: dict[str, Any],
) -> None:
    training("a")
    training("same", epsilon=0.1, beta=1.0)
    training("b", **change)
    found = compare(["a", "same", "b"])
    one = difference(found, second=2)
    assert one.difference is None and "a was measured by PGD-" in one.verdict
    assert "two seeds or more of each" in difference(found).verdict, "0.1 is the data set's own"


def test_without_an_evaluation_of_all_the_numbers_are_of_validation_and_say_so() -> None:
    for name, beta in (("a", 1.0), ("b", 2.0)):
        for seed in (0, 1):
            training(f"{name}{seed}", seed, name=f"{name}-s{seed}", beta=beta)
    evaluated("a0", 0.5)
    evaluated("a1", 0.5)
    found = compare(["a0", "a1", "b0", "b1"])
    label = f"validation, PGD-{SHORT.validation_steps}, n = 500: an estimate"
    for seed in (seed for one in found.arms for seed in one.seeds):
        assert (seed.robust, seed.clean, seed.n, seed.label) == (0.56, 0.7, 500, label)
    note = next(note for note in found.notes if "validation" in note)
    assert "no evaluation of b-s0, b-s1 is here" in note and "chosen on them" in note
    assert "python -m cdp evaluate RUN --attack autoattack --count 400" in note
    assert found.arms[0].curve is not None, "it is drawn with a label of its own"
    assert found.arms[0].classes == {} and found.classes == ()


def test_a_seed_without_the_number_of_its_arm_is_left_out_of_the_mean_and_named() -> None:
    pgd = {"suite": "pgd", "attack": "PGD-40", "label": "pgd"}
    for seed in range(4):
        training(f"a{seed}", seed, name=f"a-s{seed}", epochs=0)
        if seed < 3:
            evaluated(f"a{seed}", 0.5 + 0.01 * seed, **(pgd if seed else {}))
    found = compare([f"a{seed}" for seed in range(4)])
    assert [seed.label for seed in found.arms[0].seeds] == ["", "pgd", "pgd", ""]
    assert found.arms[0].robust is not None and found.arms[0].robust.value == pytest.approx(0.515)
    assert noted(found, "a-s0 has no number of the kind that a is compared by (PGD-40, linf 0.1")
    assert noted(found, "a-s3 has no numbers yet: no epoch is finished and no evaluation is here.")


def test_what_is_missing_is_named_with_a_remedy_and_the_rest_is_compared() -> None:
    ids = arm("a", {0: 0.5}) + arm("b", {0: 0.52}, beta=1.0)
    training("gone")
    place = delete("gone")
    broken = fake_run(paths.home(), process=None, status={}, config=[1])
    (broken.folder / "config.json").write_text(
        json.dumps({"kind": "train", "name": "broken", "config": {"epochs": -1}})
    )
    missing = ["gone", "nowhere", "../sets", "x" * 5000, "a\0b", "", "e-a-s0", "fake"]
    found = compare([ids[0], *missing, ids[1], ids[0]])
    assert [one.name for one in found.arms] == ids and difference(found).p is not None
    said = dict(zip(missing, found.missing, strict=True))
    assert str(place) in said["gone"] and "restores it" in said["gone"]
    assert "'nowhere' is not here" in said["nowhere"]
    assert said["e-a-s0"].endswith("no training but of kind evaluate: compare a-s0 in its place.")
    assert "broken (fake) cannot be read" in said["fake"] and "epochs" in said["fake"]
    assert compare([]).arms == () and compare(["x"]).arms == () and len(compare(["x"]).missing) == 1


DAMAGES: list[Any] = [
    None,
    "{",
    '{"label": 1}',
    (("weights", 0, "robust", "value"), 1.6),
    (("weights", 0, "clean", "low"), -1),
    (("weights", 0, "robust", "value"), float("nan")),
    (("weights", 0, "classes", 3, "robust", "value"), 5),
    (("n",), 0),
    (("weights",), []),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_report_that_is_damaged_or_impossible_is_left_out_and_named(damage: Any) -> None:
    training("a")
    training("b", beta=1.0)
    evaluated("a", 0.5)
    path = evaluated("b", 0.6) / "report.json"
    if damage is None:
        path.unlink()
    elif isinstance(damage, str):
        path.write_text(damage)
    else:
        written = inner = json.loads(path.read_text())
        *place, last = damage[0]
        for key in place:
            inner = inner[key]
        inner[last] = damage[1]
        path.write_text(json.dumps(written))
    found = compare(["a", "b"])
    assert evaluations(found) == {""} and noted(found, "evaluate again")
    assert noted(found, "Evaluation e-b of run b is left out: ")


def test_curves_that_are_drawn_over_each_other_are_of_one_norm() -> None:
    for name, beta, norm in (("a", 1.0, "l2"), ("b", 2.0, "linf"), ("c", 3.0, "linf")):
        training(name, beta=beta)
        evaluated(name, 0.5, norm=norm)
    curves = [one.curve is not None for one in compare(["a", "b", "c"]).arms]
    assert curves == [False, True, True], "all are compared by validation, which was linf"


@pytest.mark.parametrize("damage", ["gone", "torn", "pickle", "other", "short", "rows"])
def test_damaged_outcomes_take_the_test_on_images_away_and_nothing_else(damage: str) -> None:
    ids = arm("a", {0: 0.5}) + arm("b", {0: 0.52}, beta=1.0)
    path, good = paths.runs_dir() / "e-b-s0" / "outcomes.npz", report(N, robust=0.52)[1]
    best = good.of["best"]
    moved = Outcomes(
        good.rows + 1, good.label, {"best": Outcome(best.clean, best.attacked, best.broken_by)}
    )
    if damage == "gone":
        path.unlink()
    elif damage == "pickle":
        np.savez(path, rows=np.array([{}], dtype=object), allow_pickle=True)
    else:
        contents = {
            "torn": path.read_bytes()[:200],
            "other": outcomes_bytes(report(N, robust=0.3)[1]),
            "short": outcomes_bytes(report(200, robust=0.52)[1]),
            "rows": outcomes_bytes(moved),
        }
        path.write_bytes(contents[damage])
    found = compare(ids)
    one = difference(found)
    assert one.difference is None
    assert ("list other images" if damage == "rows" else "evaluate both") in one.verdict
    assert [round(one.robust.value, 9) for one in found.arms if one.robust] == [0.5, 0.52]
    assert len(found.classes) == 10, "without images one by one, of independent shares"
    assert noted(found, "e-b-s0 are left out") == (damage != "rows")


def test_unfinished_runs_are_compared_by_what_they_have_with_a_note() -> None:
    training("a", state="stopped")
    training("b", beta=1.0)
    for name in "ab":
        write_evaluation(f"e-{name}", report(N, run=name), state="running")
    found = compare(["a", "b"])
    assert noted(found, "a is not finished (stopped): it is compared by what it has.")
    assert [one.seeds[0].robust for one in found.arms] == [0.56, 0.56]


@pytest.mark.parametrize(("ended", "stale"), [(2e9, True), (5e8, False)])
def test_an_evaluation_of_what_is_no_longer_the_best_epoch_is_told(
    ended: float, stale: bool
) -> None:
    train_run("a", config=SHORT, epochs=3, ended=ended)
    evaluated("a", 0.5)
    assert noted(compare(["a"]), "is of epoch 12, which is no longer its best") == stale
