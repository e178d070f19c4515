"""Exports hold every number once, with n and how it has to be called, are never what a spreadsheet
runs, and have the shape of RobustBench's records."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp import paths
from cdp.errors import InputError
from cdp.reports.evaluation import evaluation_html
from cdp.reports.exports import (
    comparison_csv,
    evaluation_csv,
    outcomes_csv,
    robustbench_record,
    to_csv,
)
from cdp.values.evaluation import (
    STANDS,
    WRONG_BEFORE,
    Check,
    EvalReport,
    Masking,
    Model,
    Outcome,
    Outcomes,
)
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.figures.arms import arm, comparison

HOSTILE = '=HYPERLINK("http://x")'
QUICK = "PGD-10, n = 512, +/- 4 points"
FIELDS = {
    *("link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue"),
    *("architecture", "eps", "clean_acc", "reported", "autoattack_acc", "footnote", "unreliable"),
    "cdp",
}


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def sections(text: str, *names: str) -> list[dict[str, str]]:
    return [row for row in lines(text) if row["section"] in names]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|'/c calc'!A1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_starts_a_formula_is_led_by_an_apostrophe(text: str) -> None:
    assert lines(to_csv([{"name": text}]))[0]["name"] == f"'{text}"


def test_numbers_keep_their_sign_and_nothing_is_empty() -> None:
    assert to_csv([{"a": -0.5, "b": None, "c": 1}]) == "a,b,c\r\n-0.5,,1\r\n"
    assert to_csv([]).strip() == ""


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=5))
def test_any_other_text_comes_back_as_it_was(values: list[str]) -> None:
    rows = lines(to_csv([{"cell": value, "n": 1} for value in values]))
    cells = [row["cell"].removeprefix("'") for row in rows]
    assert cells == [value.removeprefix("'") for value in values]


def test_an_evaluation_has_its_accuracies_at_full_precision_with_label() -> None:
    result = report(n=300)[0]
    text, share = evaluation_csv(result), result.main.robust
    row = next(row for row in sections(text, "accuracy") if row["name"] == "robust")
    numbers = [float(row[name]) for name in ("value", "low", "high", "n", "level")]
    assert numbers == [share.value, share.low, share.high, 300, 0.95]
    assert (row["unit"], row["label"]) == ("share", result.label)
    counts = Counter(row["section"] for row in lines(text))
    wanted = {"attack": 4 * len(result.main.stages), "class": 2 * len(CLASSES), "unseen": 1}
    wanted |= {"confusion": len(CLASSES) ** 2, "curve": 9, "setting": len(result.config)}
    assert {name: counts[name] for name in wanted} == wanted
    assert sum(int(row["value"]) for row in sections(text, "confusion")) == 300


def test_the_quick_label_stands_on_every_accuracy_and_both_weights_are_there() -> None:
    label, last = outcome(400, robust=0.5)
    result = replace(report()[0], quick=True, label=QUICK)
    other = weights_report(label, last, CLASSES, which="last")
    text = evaluation_csv(replace(result, weights=(result.main, other)))
    assert {row["label"] for row in sections(text, "accuracy", "attack", "class")} == {QUICK}
    assert [row["which"] for row in sections(text, "accuracy")] == ["best"] * 2 + ["last"] * 2


def test_missing_parts_leave_lines_out_and_a_class_without_images_has_no_value() -> None:
    result = report()[0]
    first, *others = result.main.classes
    nobody = replace(first, n=0, clean=None, robust=None)
    weights = (replace(result.main, classes=(nobody, *others)),)
    text = evaluation_csv(replace(result, weights=weights, curves=(), unseen=(), masking=None))
    assert not sections(text, "curve", "unseen", "check")
    row = sections(text, "class")[0]
    assert (row["name"], row["value"], row["n"]) == (CLASSES[0], "", "0")


def test_names_of_strangers_are_no_formulas_in_any_table() -> None:
    result, outcomes = report(name=HOSTILE)
    result = replace(result, class_names=(HOSTILE, *CLASSES[1:]), label=HOSTILE, part=HOSTILE)
    result = replace(result, config={HOSTILE: HOSTILE}, warnings=(HOSTILE,))
    compared = comparison(arms=(arm(HOSTILE, label=HOSTILE),), differs={}, notes=(HOSTILE,))
    for text in (evaluation_csv(result), outcomes_csv(result, outcomes), comparison_csv(compared)):
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert f"'{HOSTILE}" in cells and not [cell for cell in cells if cell.startswith("=")]


def test_a_line_an_image_with_the_attack_that_turned_it() -> None:
    result, outcomes = report(n=60)
    rows, one = lines(outcomes_csv(result, outcomes)), outcomes.of["best"]
    titles = {WRONG_BEFORE: "wrong without attack", STANDS: "withstands"}
    titles |= {k: stage.title for k, stage in enumerate(result.main.stages)}
    assert [row["outcome"] for row in rows] == [titles[by] for by in one.broken_by.tolist()]
    assert [row["class name"] for row in rows] == [CLASSES[k] for k in outcomes.label]
    assert {row["label"] for row in rows} == {result.label}


@pytest.mark.parametrize("part", ["which", "count", "attack", "class"])
def test_outcomes_of_another_report_are_refused(part: str) -> None:
    result, outcomes = report(n=60)
    rows, label, one = outcomes.rows, outcomes.label, outcomes.of["best"]
    turned = Outcome(one.clean, one.attacked, np.full(60, 9))
    others = {
        "which": Outcomes(rows, label, {"last": one}),
        "count": report(n=50)[1],
        "attack": Outcomes(rows, label, {"best": turned}),
        "class": Outcomes(rows, np.full(60, 10), {"best": one}),
    }
    with pytest.raises(InputError, match="evaluate again"):
        outcomes_csv(result, others[part])


def test_a_comparison_has_arms_seeds_differences_and_what_is_missing() -> None:
    result = comparison()
    text, given = comparison_csv(result), result.differences[0]
    row = sections(text, "difference")[0]
    assert given.difference
    wanted = [given.difference.value, given.p, given.adjusted]
    assert [float(row[name]) for name in ("value", "p", "adjusted")] == wanted
    assert (row["name"], row["other"], row["text"]) == (given.second, given.first, given.verdict)
    counts = Counter(row["section"] for row in lines(text))
    wanted_counts = {"arm": 6, "seed": 18, "class difference": 10, "efficiency": 7}
    wanted_counts |= {"equal": 1, "missing": 1, "note": 1}
    assert {name: counts[name] for name in wanted_counts} == wanted_counts
    settings = [row["text"] for row in sections(text, "setting")]
    assert settings == ["plain-5k", "guided-5k", "none"]


def test_what_was_not_measured_is_empty_and_an_empty_comparison_is_a_header() -> None:
    text = comparison_csv(comparison(arms=(arm("a", clean=None),), differs={}))
    assert [row["value"] for row in sections(text, "arm")] == ["0.61", ""]
    parts = ("arms", "missing", "differences", "classes", "efficiency", "equal", "notes")
    empty: dict[str, Any] = dict.fromkeys(parts, ())
    header = comparison_csv(comparison(differs={}, **empty))
    assert header.startswith("section,metric") and lines(header) == []


def result(**change: Any) -> EvalReport:
    whole = report(n=1000, robust=0.603, run="r1")[0]
    return replace(whole, label="AutoAttack (standard), n = 1,000", **change)


def test_a_record_has_the_boards_fields_in_its_form_and_one_of_ours() -> None:
    record = robustbench_record(result(epsilon=8 / 255, dataset="cifar10"))
    assert set(record) == FIELDS
    wanted = {"link": None, "authors": None, "venue": None, "name": "night-s0"}
    wanted |= {
        "additional_data": False,
        "clean_acc": "80.00",
        "autoattack_acc": "60.30",
        "reported": "60.30",
    }
    wanted |= {"eps": "8/255", "dataset": "cifar10", "number_forward_passes": 1}
    assert {name: record[name] for name in wanted} == wanted and record["unreliable"] is False
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("suite", ["pgd", "quick"])
def test_other_suites_have_no_autoattack_number_and_name_their_attack(suite: str) -> None:
    one = replace(result(), suite=suite, quick=suite == "quick", label=QUICK)
    record = robustbench_record(one)
    assert (record["autoattack_acc"], record["reported"]) == (None, "60.30")
    assert QUICK in record["footnote"]
    assert ("quick estimate" in record["footnote"]) is (suite == "quick")


def test_synthetic_images_are_in_the_footnote_as_on_the_board() -> None:
    record = robustbench_record(result())
    assert record["footnote"].startswith("It uses additional 5,000 synthetic images in training.")
    alone = robustbench_record(result(model=Model("run:x", "x", "small-cnn")))
    assert "synthetic" not in alone["footnote"]


def test_networks_have_the_boards_names_and_a_users_code_makes_no_promise_of_one_pass() -> None:
    wide = robustbench_record(result(model=Model("run:x", "x", "wrn-28-10-swish")))
    assert wide["architecture"] == "WideResNet-28-10"
    own = robustbench_record(result(model=Model("code:mine:net", "mine", "MyNet")))
    assert (own["architecture"], own["number_forward_passes"]) == ("MyNet", None)


def test_a_sign_of_masking_makes_the_number_unreliable() -> None:
    warn = Check("a", "Steps", "warn", "Falls.", {})
    for check, unreliable in ((warn, True), (replace(warn, verdict="unclear"), False)):
        masking = Masking(50, (check,), None)
        assert robustbench_record(result(masking=masking))["unreliable"] is unreliable
    assert robustbench_record(result(masking=None))["unreliable"] is False


def test_the_further_key_holds_interval_seed_versions_hashes_and_settings() -> None:
    one = result()
    ours = robustbench_record(one)["cdp"]
    assert (ours["label"], ours["n"], ours["rows_sha256"]) == (one.label, 1000, one.rows_sha256)
    assert (ours["versions"], ours["config"]) == (dict(one.versions), dict(one.config))
    weights = ours["weights"][0]
    assert (weights["robust"]["low"], weights["sha256"]) == (one.main.robust.low, one.main.sha256)
    assert "confusion" not in weights


def test_no_report_says_where_on_this_machine_anything_is() -> None:
    places = [f"{paths.home()}/sets/a", f"{Path.home()}/own/model", f"{paths.ROOT}/assets/x"]
    of, _ = report()
    own = replace(
        of,
        model=replace(of.model, source=places[1], sets=(places[0],)),
        config={"model": places[1], "part": places[0]},
        warnings=tuple(f"{place} is small" for place in places),
    )
    record = json.dumps(robustbench_record(own))
    for text in (evaluation_csv(own), record, evaluation_html(own).partition("<script")[0]):
        assert "CDP_HOME/sets/a" in text or "~/own/model" in text
        assert not any(place in text for place in places)
