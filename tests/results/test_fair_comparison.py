"""What may not be said of two arms: unequal compute, too few images, networks that never learned;
page and command line say the same."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cdp import paths
from cdp.cli.compare import compare as compare_command
from cdp.cli.compared import told
from cdp.figures.comparison import class_differences, difference_forest, settled
from cdp.figures.tradeoffs import front, pareto, pareto_notes, pareto_rows
from cdp.reports.comparison import comparison_html
from cdp.reports.exports import comparison_csv
from cdp.results.compare import compare, comparison_json
from cdp.results.differences import FEW_IMAGES, UNFAIR
from cdp.results.index import Index
from cdp.results.table import matching
from cdp.statistics.shares import wilson
from cdp.values.comparison import Comparison
from cdp.values.evaluation import ClassFigures
from tests.evaluations import CLASSES, report, write_evaluation
from tests.results.compared_runs import arm, difference, evaluated, took, training, write_card

FAR = {"plain": {0: 0.30, 1: 0.31, 2: 0.32}, "guided": {0: 0.50, 1: 0.52, 2: 0.51}}
"""A difference that any test finds."""


def two_arms(steps: dict[str, int], batch: dict[str, int] | None = None) -> list[str]:
    """Both arms of ``FAR`` with so many optimiser steps and images a step."""
    ids = []
    for number, (name, robust) in enumerate(FAR.items()):
        each = (batch or {}).get(name, 128)
        ids += arm(name, robust, beta=float(number + 1), batch=each)
        for run_id in ids[-len(robust) :]:
            took(run_id, steps[name], steps[name] * each)
    return ids


@pytest.mark.parametrize(
    ("steps", "withheld"),
    [
        (("plain", 156), ""),
        (("plain", 153), ""),
        (("plain", 152), "152"),
        (("plain", 45), "45"),
        (("guided", 45), "45"),
    ],
)
def test_nothing_is_called_better_where_compute_differs_by_more_than_two_per_cent(
    steps: tuple[str, int], withheld: str
) -> None:
    found = compare(two_arms({"plain": 156, "guided": 156} | dict([steps])))
    for metric in ("robust", "clean"):
        one = difference(found, metric)
        assert bool(one.withheld) == bool(withheld)
        if withheld:
            assert "better" not in one.verdict and one.verdict.startswith(
                "No verdict on plain and guided: they took different compute"
            )
            assert (
                f"{withheld} optimiser steps" in one.verdict
                and "156 optimiser steps" in one.verdict
            )
            assert f"train {steps[0]} again with --steps 156" in one.verdict
            assert not settled(one) and one.more_seeds is None
    one = difference(found)
    if not withheld:
        assert (
            one.verdict.startswith("guided is better by 20.0 points")
            and "at equal compute (" in one.verdict
        )
        assert settled(one)
    listed = steps[1] != 156
    assert ("optimiser_steps" in found.differs, "images_seen" in found.differs) == (listed, listed)
    if listed:
        assert (
            str(steps[1]) in found.differs["optimiser_steps"]
            and f"{128 * steps[1]:,}" in found.differs["images_seen"]
        )


def test_the_same_steps_with_another_batch_are_unequal_compute_too() -> None:
    one = difference(compare(two_arms({"plain": 100, "guided": 100}, {"guided": 256})))
    assert "12,800 images seen against 100 optimiser steps, 25,600 images seen" in one.verdict
    assert (
        "train guided again with --batch 128 --steps 100" in one.verdict
        and "better" not in one.verdict
    )


def test_command_line_json_csv_and_html_all_withhold_what_the_comparison_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = two_arms({"plain": 45, "guided": 156})
    verdict = difference(compare(ids)).verdict
    compare_command(["plain", "guided"])
    text = capsys.readouterr().out
    assert verdict in text and "is better" not in text
    assert (
        "optimiser_steps: 45 | 156" in text.splitlines()
        and "images_seen: 5,760 | 19,968" in text.splitlines()
    )
    assert [line.split()[2] for line in text.splitlines()[:3]] == ["STEPS", "45", "156"]
    compare_command(
        ["plain", "guided"], as_json=True, report=[tmp_path / "a.html", tmp_path / "a.csv"]
    )
    back = json.loads(capsys.readouterr().out)
    assert back["differences"][0]["withheld"] and back["differences"][0]["verdict"] == verdict
    assert {(seed["steps"], seed["images_seen"]) for seed in back["arms"][1]["seeds"]} == {
        (156, 19_968)
    }
    html, table = (tmp_path / "a.html").read_text(), (tmp_path / "a.csv").read_text()
    assert "No verdict on plain and guided" in html and "is better" not in html
    assert "No verdict on plain and guided" in table and "is better" not in table
    rows = list(csv.DictReader(io.StringIO(table)))
    assert {
        row["value"]
        for row in rows
        if row["section"] == "compute" and row["metric"] == "optimiser steps"
    } == {"45", "156"}


def test_a_seed_that_ended_early_is_named_and_its_pair_is_not_compared() -> None:
    ids = two_arms({"plain": 156, "guided": 156})
    took(ids[-1], 100, 12_800)
    status = paths.runs_dir() / ids[-1] / "status.json"
    status.write_text(
        json.dumps(
            json.loads(status.read_text()) | {"state": "failed", "error": "robust overfitting"}
        )
    )
    found = compare(ids)
    one = difference(found)
    assert (
        "better" not in one.verdict
        and "train guided-s2 again with --steps 156 (with --overfitting notice" in one.verdict
    )
    assert any(
        "guided-s2 ended at 100 optimiser steps (failed), the others 156" in note
        for note in found.notes
    )
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "stopped"}))
    assert (
        f"let guided-s2 go on (python -m cdp resume {ids[-1]})" in difference(compare(ids)).verdict
    )


def test_pairs_that_ended_early_together_are_compared_and_told() -> None:
    ids = two_arms({"plain": 156, "guided": 156})
    for run_id in (ids[2], ids[5]):
        took(run_id, 100, 12_800)
    found = compare(ids)
    assert "guided is better" in difference(found).verdict
    assert sum("took different compute" in note for note in found.notes) == 2
    assert front(found.arms) == () and "No front of 2 arms" in str(
        pareto(found.arms, {}, ()).to_json()
    )


def test_compute_that_is_not_known_withholds_the_verdict() -> None:
    ids = two_arms({"plain": 156, "guided": 156})
    (paths.runs_dir() / ids[0] / "metrics.jsonl").unlink()
    one = difference(compare(ids))
    assert (
        "how many optimiser steps plain-s0 took is not known" in one.verdict
        and "better" not in one.verdict
    )


def test_one_seed_each_is_not_compared_at_different_compute_either() -> None:
    ids = arm("plain", {0: 0.3}, beta=1.0) + arm("guided", {0: 0.6})
    took(ids[0], 45, 5760)
    found = compare(ids)
    assert difference(found).verdict.startswith("No verdict") and "better" not in told(found)
    assert {(one.p, one.adjusted) for one in found.classes} == {
        (None, None)
    } and UNFAIR in found.notes
    assert "nothing is claimed of these classes" in str(class_differences(found.classes).to_json())


def test_what_stands_against_a_comparison_is_said_also_where_no_test_can_be_made() -> None:
    ids = arm("plain", {0: 0.3}, beta=1.0) + arm("guided", {0: 0.6, 1: 0.61})
    took(ids[0], 45, 5760)
    one = difference(compare(ids))
    assert (
        "plain-s0 has one seed: train at least one more" in one.verdict
        and "; besides, they took different compute" in one.verdict
    )


def test_the_front_is_drawn_of_arms_at_equal_compute_and_of_one_setting_only() -> None:
    found = compare(two_arms({"plain": 156, "guided": 156}))
    assert front(found.arms) == ("guided",)
    took("plain-s0", 45, 5760)
    uneven = compare(["plain-s0", "plain-s1", "guided-s0", "guided-s1"])
    assert front(uneven.arms) == ()
    assert any("compute differs" in note for note in pareto_notes(uneven.arms, ()))
    assert {row["on the front"] for row in pareto_rows(uneven.arms, ())} == {None}
    other = replace(found.arms[0], setting="PGD-10, linf 0.1, 400 images of test")
    assert front((other, found.arms[1])) == () and any(
        "2 ways" in note for note in pareto_notes((other, found.arms[1]), ())
    )


def test_how_many_images_equal_another_arm_is_said_at_equal_compute_only() -> None:
    ids = []
    for name, start in (("guided", 0.5), ("plain", 0.48)):
        for count in (1000, 5000, 20_000):
            run_ids = arm(
                f"{name}-{count // 1000}k",
                {seed: start + 0.01 * (count // 5000) + 0.0025 * seed for seed in range(3)},
                synthetic=(f"{name}-{count // 1000}k",),
            )
            for run_id in run_ids:
                write_card(run_id, paths.runs_dir(), count, [f"{name}-{count // 1000}k"])
            ids += run_ids
    assert compare(ids).equal
    for run_id in ids:
        if run_id.startswith("plain"):
            took(run_id, 156, 19_968)
    uneven = compare(ids)
    assert uneven.equal == () and any(
        "is not said, as fewer than two of its points took as much compute" in note
        for note in uneven.notes
    )
    took("plain-1k-s0", 45, 5760)
    assert any(
        "so its rise is not of synthetic images alone" in note for note in compare(ids).notes
    )


def few(n: int) -> Comparison:
    """One seed each on so many images of ten classes."""
    for name, robust in (("plain", 0.2), ("guided", 0.9)):
        training(name, beta=float(name == "plain"))
        evaluated(name, robust, clean=0.95, n=n)
    return compare(["plain", "guided"])


def test_fewer_than_ten_images_a_class_give_no_verdict() -> None:
    found = few(90)
    one = difference(found)
    assert (
        "better" not in one.verdict
        and "fewer than 10 images a class" in one.verdict
        and "--count 100" in one.verdict
    )
    assert {part.p for part in found.classes} == {None} and FEW_IMAGES in found.notes
    assert front(found.arms) == ()


def test_all_that_stands_against_a_verdict_is_said_at_once() -> None:
    few(90)
    took("plain", 45, 5760)
    one = difference(compare(["plain", "guided"]))
    assert (
        "they took different compute" in one.verdict
        and "; and 90 images are fewer than 10 images a class" in one.verdict
    )


def test_ten_images_a_class_are_enough() -> None:
    found = few(100)
    assert (
        difference(found).verdict.startswith("guided is better") and FEW_IMAGES not in found.notes
    )


def test_too_few_validation_images_give_no_verdict_either() -> None:
    ids = []
    for name, beta in (("a", 1.0), ("b", 2.0)):
        for seed in range(2):
            ids.append(f"{name}-s{seed}")
            training(ids[-1], seed, beta=beta)
            path = paths.runs_dir() / ids[-1] / "metrics.jsonl"
            path.write_text(path.read_text().replace('"n": 500', '"n": 80'))
    assert "fewer than 10 images a class" in difference(compare(ids)).verdict


def test_an_arm_that_withstands_nothing_is_named_in_the_verdict() -> None:
    one = difference(
        compare(
            arm("dead", {0: 0.0, 1: 0.0, 2: 0.0}, beta=1.0)
            + arm("guided", {0: 0.5, 1: 0.52, 2: 0.51})
        )
    )
    assert (
        "guided is better" in one.verdict
        and "dead never learned: robust accuracy is 0 in all 3 seeds" in one.verdict
    )
    partly = difference(
        compare(
            arm("odd", {0: 0.0, 1: 0.3, 2: 0.4}, beta=3.0)
            + [f"guided-s{seed}" for seed in range(3)]
        )
    )
    assert "odd never learned: robust accuracy is 0 in seed 0" in partly.verdict


def test_an_arm_that_guesses_is_named_in_the_verdict() -> None:
    one = difference(
        compare(
            arm("guessing", {0: 0.08, 1: 0.09}, clean=0.11, beta=1.0)
            + arm("guided", {0: 0.5, 1: 0.52})
        )
    )
    assert (
        "guessing never learned: clean accuracy is near chance (10 %) in all 2 seeds" in one.verdict
    )


def test_two_seeds_are_said_to_be_one_degree_of_freedom() -> None:
    found = compare(arm("a", {0: 0.5, 1: 0.51}, beta=1.0) + arm("b", {0: 0.6, 1: 0.6125}))
    assert "2 paired seeds, 1 degree of freedom" in difference(found).verdict
    assert [one.interval for one in found.arms] == [
        "95 % t interval over 2 seeds, 1 degree of freedom"
    ] * 2


@pytest.mark.parametrize(
    ("first", "second"), [((0, 1), (2, 3)), ((0, 1), (2, 3, 4)), ((0, 1), (1, 2))]
)
def test_without_shared_seeds_three_of_each_are_asked_for(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    ids = arm("a", {seed: 0.5 + 0.0025 * seed for seed in first}, beta=1.0) + arm(
        "b", {seed: 0.6 + 0.0025 * seed for seed in second}
    )
    one = difference(compare(ids))
    assert (
        one.difference is None
        and "train both with the same seeds, or at least 3 of each" in one.verdict
    )


def test_equal_values_have_no_interval_on_any_surface() -> None:
    found = compare(
        arm("a", {0: 0.5, 1: 0.5, 2: 0.5}, beta=1.0) + arm("b", {0: 0.5, 1: 0.5, 2: 0.5})
    )
    one = difference(found)
    assert "identical in all 3 paired seeds, so there is no interval" in one.verdict
    back = comparison_json(found)
    assert back["arms"][0]["robust"] | {"value": 0} == {
        "value": 0,
        "low": None,
        "high": None,
        "n": 3,
        "level": 0.95,
        "note": "",
    }
    text, html, table = told(found), comparison_html(found, title="x"), comparison_csv(found)
    for surface in (text, re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL), table):
        assert "the same in all 3, so no interval" in surface
        assert not re.search(r"(\b\d+\.\d+) to \1\b|-0\.0\b", surface)
    rows = [
        row for row in csv.DictReader(io.StringIO(table)) if row["section"] in ("arm", "difference")
    ]
    assert {(row["low"], row["high"]) for row in rows} == {("", "")} and {
        row["value"] for row in rows
    } >= {"0.5"}
    assert "to 0.0" not in str(difference_forest(found.differences).to_json()) and not settled(one)


def test_networks_that_answer_alike_are_said_to() -> None:
    found = compare(arm("a", {0: 0.5}, beta=1.0) + arm("b", {0: 0.5}))
    assert "both are right on the very same images" in difference(found).verdict


def test_arms_of_different_threats_are_compared_with_that_named() -> None:
    ids = arm("a", {0: 0.5, 1: 0.51}, epsilon=0.05) + arm("b", {0: 0.6, 1: 0.6125}, epsilon=0.1)
    assert (
        "they were trained against different threats (linf 0.05 and linf 0.1)"
        in difference(compare(ids)).verdict
    )
    assert (
        "different threats"
        not in difference(compare(arm("c", {0: 0.5, 1: 0.51}, beta=1.0) + ids[2:])).verdict
    ), "0.1 is the conventional one"


def test_classes_are_corrected_for_their_number_over_all_pairs() -> None:
    """Six images more in one of ten classes: alone p = 0.03, of ten 0.3; of ten classes and three
    pairs 0.9."""

    def of(run_id: str, extra: int) -> None:
        whole, outcomes = report(400, robust=0.5, run=run_id, name=run_id)
        one = outcomes.of["best"]
        turned = (outcomes.label == 3) & (one.broken_by >= 0)
        picked = turned.nonzero()[0][:extra]
        by = one.broken_by.copy()
        by[picked] = -1
        right = by == -1
        classes = tuple(
            ClassFigures(name, 40, figures.clean, wilson(int(right[outcomes.label == k].sum()), 40))
            for k, (name, figures) in enumerate(zip(CLASSES, whole.main.classes, strict=True))
        )
        main = replace(whole.main, robust=wilson(int(right.sum()), 400), classes=classes)
        write_evaluation(
            f"e-{run_id}",
            (
                replace(whole, weights=(main,)),
                replace(outcomes, of={"best": replace(one, broken_by=by)}),
            ),
        )

    for number, extra in enumerate((0, 6, 0, 0)):
        training(f"r{number}", beta=float(number))
        of(f"r{number}", extra)
    two = {one.name: one for one in compare(["r0", "r1"]).classes}
    assert two["Dress"].p == pytest.approx(2 * 0.5**6) and two["Dress"].adjusted == pytest.approx(
        10 * 2 * 0.5**6
    )
    assert two["Coat"].p == two["Coat"].adjusted == 1
    four = compare(["r0", "r1", "r2", "r3"]).classes
    assert next(one for one in four if one.p is not None and one.p < 1).adjusted == pytest.approx(
        30 * 2 * 0.5**6
    )
    drawn = str(class_differences(compare(["r0", "r1"]).classes).to_json())
    assert "Holm" in drawn.replace("<br>", " ") and "not corrected" not in drawn


def test_the_run_table_has_steps_and_images_seen_and_filters_by_them() -> None:
    two_arms({"plain": 45, "guided": 156})
    rows = Index().rows()
    assert {row.name for row in matching(rows, "steps>100")} == {
        f"guided-s{seed}" for seed in range(3)
    }
    assert {row.name for row in matching(rows, "images_seen<10,000")} == {
        f"plain-s{seed}" for seed in range(3)
    }
    assert {(row.reached.steps, row.reached.images_seen) for row in rows} == {
        (45, 5760),
        (156, 19_968),
    }


def test_a_best_of_more_looks_is_named_where_the_looks_are_what_is_compared() -> None:
    ids = []
    for name, every in (("often", "1 epoch"), ("seldom", "500 steps")):
        for seed in range(2):
            ids.append(f"{name}-s{seed}")
            training(ids[-1], seed, validate_every=every)
    assert "chosen at other intervals on these very images" in difference(compare(ids)).verdict
    for number, run_id in enumerate(ids):
        evaluated(run_id, 0.5 + 0.0025 * number, seed=number % 2)
    assert "other intervals" not in difference(compare(ids)).verdict


def test_every_option_and_command_that_a_verdict_names_is_there() -> None:
    from typer.main import get_command

    from cdp.cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    ids = two_arms({"plain": 156, "guided": 156}, {"guided": 256})
    said = [difference(compare(ids)).verdict, difference(few(90)).verdict]
    took(ids[-1], 100, 25_600)
    for state in ("stopped", "failed"):
        status = paths.runs_dir() / ids[-1] / "status.json"
        status.write_text(json.dumps(json.loads(status.read_text()) | {"state": state}))
        said.append(difference(compare(ids)).verdict)
    options = {
        name: {option for one in commands[name].params for option in one.opts}
        for name in ("train", "evaluate")
    }
    for sentence in said:
        named = set(re.findall(r"--[a-z-]+", sentence))
        assert named <= options["evaluate" if "evaluate both" in sentence else "train"] and (
            named or "cdp resume" in sentence
        )
    assert "resume" in commands and {"--steps", "--batch", "--overfitting"} <= set(
        re.findall(r"--[a-z-]+", " ".join(said))
    )
