"""What may not be said of two arms: unequal compute, too few images, networks that never learned;
page, command line and reports say the same."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp import paths
from cdp.cli.compare import compare as compare_command
from cdp.cli.compare import comparison_text
from cdp.figures.comparison import class_differences, difference_forest, settled
from cdp.figures.tradeoffs import front, pareto, pareto_notes, pareto_rows
from cdp.reports.comparison import comparison_html
from cdp.reports.exports import comparison_csv
from cdp.results.compare import compare, comparison_json
from cdp.results.differences import FEW_IMAGES, UNFAIR
from cdp.statistics.shares import wilson
from cdp.values.comparison import Comparison
from cdp.values.evaluation import ClassFigures
from tests.evaluations import CLASSES, report, write_evaluation
from tests.results.compared_runs import arm, difference, evaluated, took, training

FAR = {"plain": {0: 0.30, 1: 0.31, 2: 0.32}, "guided": {0: 0.50, 1: 0.52, 2: 0.51}}
"""A difference that any test finds."""
EQUAL = {"plain": 156, "guided": 156}


def two_arms(steps: dict[str, int], batch: dict[str, int] | None = None) -> list[str]:
    """Both arms of ``FAR`` with so many optimiser steps and images a step."""
    ids = []
    for number, (name, robust) in enumerate(FAR.items()):
        each = (batch or {}).get(name, 128)
        ids += arm(name, robust, beta=float(number + 1), batch=each)
        for run_id in ids[-len(robust) :]:
            took(run_id, steps[name], steps[name] * each)
    return ids


def verdict(*ids: str) -> str:
    return difference(compare(ids)).verdict


def change_status(run_id: str, **change: Any) -> None:
    path = paths.runs_dir() / run_id / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("arm_name", "steps", "withheld"),
    [("plain", 156, False), ("plain", 153, False), ("plain", 152, True), ("guided", 45, True)],
)
def test_nothing_is_called_better_where_compute_differs_by_more_than_two_per_cent(
    arm_name: str, steps: int, withheld: bool
) -> None:
    found = compare(two_arms(EQUAL | {arm_name: steps}))
    for metric in ("robust", "clean"):
        one = difference(found, metric)
        assert bool(one.withheld) == withheld
        if withheld:
            begin = "No verdict on plain and guided: they took different compute"
            assert one.verdict.startswith(begin) and "better" not in one.verdict
            assert f"{steps} optimiser steps" in one.verdict and "156 optimiser" in one.verdict
            assert f"train {arm_name} again with --steps 156" in one.verdict
    robust = difference(found).verdict
    assert withheld or (robust.startswith("guided is better") and "at equal compute" in robust)


def test_the_same_steps_with_another_batch_are_unequal_compute_too() -> None:
    said = verdict(*two_arms(EQUAL, {"guided": 256}))
    assert said.startswith("No verdict") and "train guided again with --batch 128" in said


def test_command_line_json_csv_and_html_all_withhold_what_the_comparison_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = two_arms({"plain": 45, "guided": 156})
    expected = verdict(*ids)
    compare_command(["plain", "guided"])
    assert expected in " ".join(capsys.readouterr().out.split())
    reports = [tmp_path / "a.html", tmp_path / "a.csv"]
    compare_command(["plain", "guided"], as_json=True, report=reports)
    back = json.loads(capsys.readouterr().out)
    assert back["differences"][0]["withheld"] and back["differences"][0]["verdict"] == expected
    spent = {(seed["steps"], seed["images_seen"]) for seed in back["arms"][1]["seeds"]}
    assert spent == {(156, 19_968)}
    for path in reports:
        text = path.read_text()
        assert "No verdict on plain and guided" in text and "is better" not in text
    rows = list(csv.DictReader(io.StringIO(reports[1].read_text())))
    steps = [row["value"] for row in rows if row["metric"] == "optimiser steps"]
    assert set(steps) == {"45", "156"}


def test_a_seed_that_ended_early_is_named_and_its_pair_is_not_compared() -> None:
    ids = two_arms(EQUAL)
    took(ids[-1], 100, 12_800)
    change_status(ids[-1], state="failed", error="robust overfitting")
    found = compare(ids)
    said = difference(found).verdict
    assert "train guided-s2 again with --steps 156 (with --overfitting notice" in said
    early = "guided-s2 ended at 100 optimiser steps (failed), the others 156"
    assert "better" not in said and any(early in note for note in found.notes)
    change_status(ids[-1], state="stopped")
    assert f"let guided-s2 go on (python -m cdp resume {ids[-1]})" in verdict(*ids)


def test_pairs_that_ended_early_together_are_compared_and_told() -> None:
    ids = two_arms(EQUAL)
    for run_id in (ids[2], ids[5]):
        took(run_id, 100, 12_800)
    found = compare(ids)
    assert "guided is better" in difference(found).verdict
    assert sum("took different compute" in note for note in found.notes) == 2
    drawn = str(pareto(found.arms, {}, ()).to_json())
    assert front(found.arms) == () and "No front of 2 arms" in drawn


def test_compute_that_is_not_known_withholds_the_verdict() -> None:
    ids = two_arms(EQUAL)
    (paths.runs_dir() / ids[0] / "metrics.jsonl").unlink()
    said = verdict(*ids)
    assert "how many optimiser steps plain-s0 took is not known" in said and "better" not in said


def test_one_seed_is_not_compared_at_different_compute_either_and_all_reasons_are_said() -> None:
    ids = arm("plain", {0: 0.3}, beta=1.0) + arm("guided", {0: 0.6, 1: 0.61})
    took(ids[0], 45, 5760)
    found = compare(ids[:2])
    assert difference(found).verdict.startswith("No verdict") and "better" not in comparison_text(
        found
    )
    assert {(one.p, one.adjusted) for one in found.classes} == {(None, None)}
    assert UNFAIR in found.notes
    assert "nothing is claimed of these classes" in str(class_differences(found.classes).to_json())
    said = verdict(*ids)
    assert "plain-s0 has one seed: train at least one more" in said
    assert "; besides, they took different compute" in said


def test_the_front_is_drawn_of_arms_at_equal_compute_and_of_one_setting_only() -> None:
    found = compare(two_arms(EQUAL))
    assert front(found.arms) == ("guided",)
    took("plain-s0", 45, 5760)
    uneven = compare(["plain-s0", "plain-s1", "guided-s0", "guided-s1"])
    assert front(uneven.arms) == ()
    assert any("compute differs" in note for note in pareto_notes(uneven.arms, ()))
    assert {row["on the front"] for row in pareto_rows(uneven.arms, ())} == {None}
    other = replace(found.arms[0], setting="PGD-10, linf 0.1, 400 images of test")
    mixed = (other, found.arms[1])
    assert front(mixed) == () and any("2 ways" in note for note in pareto_notes(mixed, ()))


def few(n: int) -> Comparison:
    """One seed each on so many images of ten classes."""
    for name, robust in (("plain", 0.2), ("guided", 0.9)):
        training(name, beta=float(name == "plain"))
        evaluated(name, robust, clean=0.95, n=n)
    return compare(["plain", "guided"])


def test_fewer_than_ten_images_a_class_give_no_verdict() -> None:
    found = few(90)
    said = difference(found).verdict
    assert "90 images are fewer than 10 images a class" in said and "--count 100" in said
    assert "better" not in said and front(found.arms) == ()
    assert {part.p for part in found.classes} == {None} and FEW_IMAGES in found.notes
    took("plain", 45, 5760)
    said = verdict("plain", "guided")
    assert "they took different compute" in said and "; and 90 images are fewer" in said


def test_ten_images_a_class_are_enough() -> None:
    found = few(100)
    assert difference(found).verdict.startswith("guided is better")
    assert FEW_IMAGES not in found.notes


def test_too_few_validation_images_give_no_verdict_and_other_looks_are_named() -> None:
    ids = []
    for name, every in (("often", "1 epoch"), ("seldom", "500 steps")):
        for seed in range(2):
            ids.append(f"{name}-s{seed}")
            training(ids[-1], seed, validate_every=every)
    assert "chosen at other intervals on these very images" in verdict(*ids)
    for run_id in ids:
        path = paths.runs_dir() / run_id / "metrics.jsonl"
        path.write_text(path.read_text().replace('"n": 500', '"n": 80'))
    assert "fewer than 10 images a class" in verdict(*ids)
    for number, run_id in enumerate(ids):
        evaluated(run_id, 0.5 + 0.0025 * number, seed=number % 2)
    assert "other intervals" not in verdict(*ids)


@pytest.mark.parametrize(
    ("robust", "clean", "said"),
    [
        ({0: 0.0, 1: 0.0, 2: 0.0}, 0.8, "robust accuracy is 0 in all 3 seeds"),
        ({0: 0.0, 1: 0.3, 2: 0.4}, 0.8, "robust accuracy is 0 in seed 0"),
        ({0: 0.08, 1: 0.09}, 0.11, "clean accuracy is near chance (10 %) in all 2 seeds"),
    ],
)
def test_an_arm_that_never_learned_is_named_in_the_verdict(
    robust: dict[int, float], clean: float, said: str
) -> None:
    odd = arm("odd", robust, clean=clean, beta=1.0)
    assert f"odd never learned: {said}" in verdict(*odd, *arm("guided", FAR["guided"]))


def test_two_seeds_are_said_to_be_one_degree_of_freedom() -> None:
    found = compare(arm("a", {0: 0.5, 1: 0.51}, beta=1.0) + arm("b", {0: 0.6, 1: 0.6125}))
    assert "2 paired seeds, 1 degree of freedom" in difference(found).verdict
    expected = "95 % t interval over 2 seeds, 1 degree of freedom"
    assert {one.interval for one in found.arms} == {expected}


@pytest.mark.parametrize("second", [(2, 3), (2, 3, 4), (1, 2)])
def test_without_shared_seeds_three_of_each_are_asked_for(second: tuple[int, ...]) -> None:
    others = arm("b", {seed: 0.6 + 0.0025 * seed for seed in second})
    one = difference(compare(arm("a", {0: 0.5, 1: 0.5025}, beta=1.0) + others))
    assert one.difference is None
    assert "train both with the same seeds, or at least 3 of each" in one.verdict


def test_equal_values_have_no_interval_on_any_surface() -> None:
    same = {0: 0.5, 1: 0.5, 2: 0.5}
    found = compare(arm("a", same, beta=1.0) + arm("b", same))
    one = difference(found)
    assert "identical in all 3 paired seeds, so there is no interval" in one.verdict
    robust = comparison_json(found)["arms"][0]["robust"]
    assert (robust["low"], robust["high"], robust["n"]) == (None, None, 3)
    text, html, table = (
        comparison_text(found),
        comparison_html(found, title="x"),
        comparison_csv(found),
    )
    for surface in (text, re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL), table):
        assert "the same in all 3, so no interval" in surface
        assert not re.search(r"(\b\d+\.\d+) to \1\b|-0\.0\b", surface)
    rows = csv.DictReader(io.StringIO(table))
    bounds = {(r["low"], r["high"]) for r in rows if r["section"] in ("arm", "difference")}
    assert bounds == {("", "")}
    assert "to 0.0" not in str(difference_forest(found.differences).to_json()) and not settled(one)


def test_networks_that_answer_alike_are_said_to() -> None:
    found = verdict(*arm("a", {0: 0.5}, beta=1.0), *arm("b", {0: 0.5}))
    assert "both are right on the very same images" in found


def test_arms_of_different_threats_are_compared_with_that_named() -> None:
    ids = arm("a", {0: 0.5, 1: 0.51}, epsilon=0.05) + arm("b", {0: 0.6, 1: 0.6125}, epsilon=0.1)
    named = "they were trained against different threats (linf 0.05 and linf 0.1)"
    assert named in verdict(*ids)
    conventional = arm("c", {0: 0.5, 1: 0.51}, beta=1.0)
    assert "different threats" not in verdict(*conventional, *ids[2:]), "0.1 is the usual one"


def test_classes_are_corrected_for_their_number_over_all_pairs() -> None:
    """Six images more in one of ten classes: alone p = 0.03, of ten 0.3; of ten classes and three
    pairs 0.9."""

    def write(run_id: str, extra: int) -> None:
        whole, outcomes = report(400, robust=0.5, run=run_id, name=run_id)
        best, by = outcomes.of["best"], outcomes.of["best"].broken_by.copy()
        by[((outcomes.label == 3) & (by >= 0)).nonzero()[0][:extra]] = -1
        right = by == -1
        classes = tuple(
            ClassFigures(name, 40, figures.clean, wilson(int(right[outcomes.label == k].sum()), 40))
            for k, (name, figures) in enumerate(zip(CLASSES, whole.main.classes, strict=True))
        )
        main = replace(whole.main, robust=wilson(int(right.sum()), 400), classes=classes)
        changed = replace(outcomes, of={"best": replace(best, broken_by=by)})
        write_evaluation(f"e-{run_id}", (replace(whole, weights=(main,)), changed))

    for number, extra in enumerate((0, 6, 0, 0)):
        training(f"r{number}", beta=float(number))
        write(f"r{number}", extra)
    two, p = compare(["r0", "r1"]).classes, 2 * 0.5**6
    by_name = {one.name: one for one in two}
    assert (by_name["Dress"].p, by_name["Dress"].adjusted) == pytest.approx((p, 10 * p))
    assert by_name["Coat"].p == by_name["Coat"].adjusted == 1
    four = compare(["r0", "r1", "r2", "r3"]).classes
    one = next(one for one in four if one.p is not None and one.p < 1)
    assert one.adjusted == pytest.approx(30 * p)
    drawn = str(class_differences(two).to_json()).replace("<br>", " ")
    assert "Holm" in drawn and "not corrected" not in drawn


def test_every_option_and_command_that_a_verdict_names_is_there() -> None:
    from typer.main import get_command

    from cdp.cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    ids = two_arms(EQUAL, {"guided": 256})
    said = [verdict(*ids), difference(few(90)).verdict]
    took(ids[-1], 100, 25_600)
    for state in ("stopped", "failed"):
        change_status(ids[-1], state=state)
        said.append(verdict(*ids))
    for sentence in said:
        command = commands["evaluate" if "evaluate both" in sentence else "train"]
        options = {option for one in command.params for option in one.opts}
        named = set(re.findall(r"--[a-z-]+", sentence))
        assert named <= options and (named or "cdp resume" in sentence)
    assert "resume" in commands
    assert {"--steps", "--batch", "--overfitting"} <= set(re.findall(r"--[a-z-]+", " ".join(said)))
