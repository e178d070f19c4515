"""Which numbers are compared, how they are called, and what is said of runs and files that are
missing, damaged or not over."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.results.compare import compare
from cdp.tasks.registry import TASKS
from cdp.values.evaluation import Outcome, Outcomes, outcomes_bytes
from cdp.work.launch import delete
from tests.evaluations import report, write_evaluation
from tests.results.compared_runs import N, arm, difference, evaluated, training
from tests.ui.train_runs import SHORT, train_run
from tests.work.processes import fake_run


def labels(*ids: str) -> set[str]:
    return {seed.label for one in compare(ids).arms for seed in one.seeds}


def test_the_strongest_attack_that_all_have_is_taken_then_more_images_then_the_newest() -> None:
    for name in ("a", "b"):
        training(name, beta=float(name == "a"))
        evaluated(
            name,
            0.6,
            tag="-q",
            created=3e9,
            suite="quick",
            attack="PGD-10",
            quick=True,
            label="quick",
        )
    assert labels("a", "b") == {"quick"}
    assert any(
        "quick estimates that stronger attacks will lower" in note
        for note in compare(["a", "b"]).notes
    )
    for name in ("a", "b"):
        evaluated(name, 0.55, tag="-p", suite="pgd", attack="PGD-40", label="pgd")
    assert labels("a", "b") == {"pgd"}
    evaluated("a", 0.5, tag="-aa", label="autoattack")
    assert labels("a", "b") == {"pgd"}, "b has none"
    evaluated("b", 0.5, tag="-aa", label="autoattack")
    assert labels("a", "b") == {"autoattack"}
    for name in ("a", "b"):
        evaluated(name, 0.5, n=600, tag="-more", label="more", rows_sha256="ee" * 32)
    assert labels("a", "b") == {"more"}
    evaluated("a", 0.4, n=600, tag="-new", label="newer", rows_sha256="ee" * 32, created=2e9)
    assert [one.seeds[0].label for one in compare(["a", "b"]).arms] == ["newer", "more"]


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
    ],
)
def test_evaluations_that_differ_in_anything_that_counts_are_never_set_against_each_other(
    change: dict[str, object],
) -> None:
    training("a", beta=1.0)
    training("b")
    evaluated("a", 0.5)
    evaluated("b", 0.6, **change)
    found = compare(["a", "b"])
    assert {seed.evaluation for one in found.arms for seed in one.seeds} == {""}
    assert any("no attack, budget and images in common" in note for note in found.notes)


def test_without_an_evaluation_of_all_the_numbers_are_of_validation_and_say_so() -> None:
    for name, beta in (("a", 1.0), ("b", 2.0)):
        for seed in (0, 1):
            training(f"{name}{seed}", seed, name=f"{name}-s{seed}", beta=beta)
    evaluated("a0", 0.5)
    evaluated("a1", 0.5)
    found = compare(["a0", "a1", "b0", "b1"])
    assert {seed.label for one in found.arms for seed in one.seeds} == {
        f"validation, PGD-{SHORT.validation_steps}, n = 500: an estimate"
    }
    assert [(seed.robust, seed.clean, seed.n, seed.evaluation) for seed in found.arms[0].seeds] == [
        (0.56, 0.7, 500, "")
    ] * 2
    note = next(note for note in found.notes if "validation" in note)
    assert "no evaluation of b-s0, b-s1 is here" in note and "chosen on them" in note
    assert "python -m cdp evaluate RUN --attack autoattack --count 400" in note
    assert found.arms[0].curve is not None, "it is drawn with a label of its own"
    assert found.arms[0].classes == {} and found.classes == ()


def test_where_numbers_have_to_be_mixed_it_is_said_and_nothing_is_tested() -> None:
    for name in ("a", "b"):
        training(name, beta=float(name == "a"))
    evaluated("a", 0.5)
    (paths.runs_dir() / "a" / "metrics.jsonl").unlink()
    found = compare(["a", "b"])
    assert [one.seeds[0].robust for one in found.arms] == [0.5, 0.56]
    one = difference(found)
    assert (one.difference, one.p) == (None, None)
    assert (
        "a was measured by AutoAttack (standard), linf 0.1, 400 images of test" in one.verdict
        and "validation images" in one.verdict
    )
    assert any("measured in 2 ways" in note for note in found.notes)


def test_an_arm_whose_seeds_have_nothing_in_common_is_compared_by_what_most_have() -> None:
    for seed in range(3):
        training(f"a{seed}", seed, name=f"a-s{seed}", epochs=0)
        evaluated(
            f"a{seed}",
            0.5,
            **({"suite": "pgd", "attack": "PGD-40", "label": "pgd"} if seed else {}),
        )
    found = compare(["a0", "a1", "a2"])
    assert [seed.label for seed in found.arms[0].seeds] == ["", "pgd", "pgd"]
    assert any(
        note.startswith("a-s0 has no number of the kind that a is compared by (PGD-40, linf 0.1")
        for note in found.notes
    )


def test_validation_at_another_budget_is_another_setting() -> None:
    training("a", epsilon=0.1)
    training("same")
    training("b", epsilon=0.05)
    evaluated("b", 0.5)
    found = compare(["a", "same", "b"])
    assert {seed.evaluation for one in found.arms for seed in one.seeds} == {""}, (
        "all are estimates, or none is"
    )
    assert (
        "cannot be compared" in difference(found, second=2).verdict
        and "linf 0.05" in difference(found, second=2).verdict
    )
    assert "two seeds or more of each" in difference(found).verdict, "empty is the data set's 0.1"


def test_a_seed_without_the_number_of_its_arm_is_left_out_of_the_mean_and_named() -> None:
    ids = arm("a", {0: 0.5, 1: 0.52, 2: 0.54})
    shutil.rmtree(paths.runs_dir() / "e-a-s2")
    for run_id in ids:
        (paths.runs_dir() / run_id / "metrics.jsonl").write_text("")
    found = compare(ids)
    assert found.arms[0].robust is not None and found.arms[0].robust.value == pytest.approx(0.51)
    assert [seed.robust for seed in found.arms[0].seeds] == [0.5, 0.52, None]
    assert "a-s2 has no numbers yet: no epoch is finished and no evaluation is here." in found.notes


def test_what_is_missing_is_named_with_a_remedy_and_the_rest_is_compared() -> None:
    ids = arm("a", {0: 0.5}) + arm("b", {0: 0.52}, beta=1.0)
    training("gone")
    place = delete("gone", TASKS)
    broken = fake_run(paths.home(), process=None, status={}, config=[1])
    (broken.folder / "config.json").write_text(
        json.dumps({"kind": "train", "name": "broken", "config": {"epochs": -1}})
    )
    asked = [
        "a-s0",
        "gone",
        "nowhere",
        "../sets",
        "x" * 5000,
        "a\0b",
        "",
        "e-a-s0",
        "fake",
        "b-s0",
        "a-s0",
    ]
    found = compare(asked)
    assert [one.name for one in found.arms] == ids
    assert len(found.missing) == 8 and difference(found).p is not None
    said = dict(zip([name for name in asked if name not in ids], found.missing, strict=True))
    assert str(place) in said["gone"] and "restores it" in said["gone"]
    assert "'nowhere' is not here" in said["nowhere"]
    assert (
        said["e-a-s0"]
        == "Run e-a-s0 (e-a-s0) is no training but of kind evaluate: compare a-s0 in its place."
    )
    assert "broken (fake) is damaged" in said["fake"] and "epochs" in said["fake"]


def test_nothing_to_compare_is_an_empty_comparison() -> None:
    assert compare([]).arms == () and compare(["x"]).arms == () and len(compare(["x"]).missing) == 1


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"label": 1}'])
def test_a_damaged_report_is_left_out_and_named(content: str | None) -> None:
    training("a")
    training("b", beta=1.0)
    evaluated("a", 0.5)
    path = evaluated("b", 0.6) / "report.json"
    path.unlink() if content is None else path.write_text(content)
    expect_left_out()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("weights", 0, "robust", "value"), 1.6),
        (("weights", 0, "clean", "low"), -1),
        (("weights", 0, "robust", "value"), float("nan")),
        (("weights", 0, "classes", 3, "robust", "value"), 5),
        (("n",), 0),
        (("weights",), []),
    ],
)
def test_a_report_with_impossible_figures_is_left_out_and_named(
    place: tuple[str | int, ...], value: object
) -> None:
    training("a")
    training("b", beta=1.0)
    evaluated("a", 0.5)
    path = evaluated("b", 0.6) / "report.json"
    written = inner = json.loads(path.read_text())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(written))
    expect_left_out()


def expect_left_out() -> None:
    """Of two runs, a and b, the evaluation of b."""
    found = compare(["a", "b"])
    assert any(
        note.startswith("Evaluation e-b of run b is left out: ") and "evaluate again" in note
        for note in found.notes
    )
    assert [one.seeds[0].evaluation for one in found.arms] == ["", ""]


def test_curves_that_are_drawn_over_each_other_are_of_one_norm() -> None:
    for name, beta, norm in (("a", 1.0, "l2"), ("b", 2.0, "linf"), ("c", 3.0, "linf")):
        training(name, beta=beta)
        evaluated(name, 0.5, norm=norm)
    found = compare(["a", "b", "c"])
    assert [one.curve is not None for one in found.arms] == [
        False,
        True,
        True,
    ], "all are compared by validation, which was linf"


@pytest.mark.parametrize("damage", ["gone", "torn", "pickle", "other", "short", "rows"])
def test_damaged_outcomes_take_the_test_on_images_away_and_nothing_else(damage: str) -> None:
    ids = arm("a", {0: 0.5}) + arm("b", {0: 0.52}, beta=1.0)
    path = paths.runs_dir() / "e-b-s0" / "outcomes.npz"
    good = report(N, robust=0.52)[1]
    if damage == "gone":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "pickle":
        np.savez(path, rows=np.array([{}], dtype=object), allow_pickle=True)
    elif damage == "other":
        path.write_bytes(outcomes_bytes(report(N, robust=0.3)[1]))
    elif damage == "short":
        path.write_bytes(outcomes_bytes(report(200, robust=0.52)[1]))
    else:
        one = good.of["best"]
        path.write_bytes(
            outcomes_bytes(
                Outcomes(
                    good.rows + 1,
                    good.label,
                    {"best": Outcome(one.clean, one.attacked, one.broken_by)},
                )
            )
        )
    found = compare(ids)
    one = difference(found)
    assert (
        one.difference is None
        and ("list other images" if damage == "rows" else "evaluate both") in one.verdict
    )
    assert [round(one.robust.value, 9) for one in found.arms if one.robust] == [0.5, 0.52]
    assert len(found.classes) == 10, "without images one by one, of independent shares"
    assert any("e-b-s0 are left out" in note for note in found.notes) == (damage != "rows")


def test_unfinished_runs_are_compared_by_what_they_have_with_a_note() -> None:
    training("a", state="stopped")
    training("b", beta=1.0)
    for name in ("a", "b"):
        write_evaluation(f"e-{name}", report(N, run=name), state="running")
    found = compare(["a", "b"])
    assert "a is not finished (stopped): it is compared by what it has." in found.notes
    assert [one.seeds[0].robust for one in found.arms] == [0.56, 0.56] and found.arms[0].seeds[
        0
    ].state == "stopped"


@pytest.mark.parametrize(("ended", "stale"), [(2e9, True), (5e8, False)])
def test_an_evaluation_of_what_is_no_longer_the_best_epoch_is_told(
    ended: float, stale: bool
) -> None:
    train_run("a", config=SHORT, epochs=3, ended=ended)
    evaluated("a", 0.5)
    assert (
        any("is of epoch 12, which is no longer its best" in note for note in compare(["a"]).notes)
        == stale
    )


def test_last_weights_are_never_set_against_best_ones() -> None:
    training("a", beta=1.0)
    training("b")
    evaluated("a", 0.5)
    found, outcomes = report(N, robust=0.6, run="b", name="b")
    last = replace(found, weights=(replace(found.main, which="last"),))
    write_evaluation("e-b", (last, replace(outcomes, of={"last": outcomes.of["best"]})))
    assert {seed.evaluation for one in compare(["a", "b"]).arms for seed in one.seeds} == {""}
    for name in ("a", "b"):
        (paths.runs_dir() / name / "metrics.jsonl").unlink()
    one = difference(compare(["a", "b"]))
    assert (
        one.difference is None
        and "last weights: evaluate both with the same settings" in one.verdict
    )


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "mnist"},
        {"held_out": 400},
        {"norm": "l2"},
        {"epsilon": 0.05},
        {"validation_steps": 20},
        {"dataset": "kmnist"},
    ],
)
def test_validations_on_other_images_or_under_another_attack_are_not_compared(
    change: dict[str, Any],
) -> None:
    training("a")
    training("b", **change)
    one = difference(compare(["a", "b"]))
    assert one.difference is None and one.verdict.startswith(
        "a and b cannot be compared in robust accuracy: a was measured by PGD-"
    )
