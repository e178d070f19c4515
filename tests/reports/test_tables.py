"""CSV of evaluations and comparisons: every number, once, with n and label; and outcomes that fit
their report."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cdp.errors import InputError
from cdp.reports.exports import comparison_csv, evaluation_csv, outcomes_csv
from cdp.values.evaluation import STANDS, WRONG_BEFORE, Outcome, Outcomes
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.figures.arms import arm, comparison

HOSTILE = '=HYPERLINK("http://x")'


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_an_evaluation_has_its_accuracies_at_full_precision_with_label() -> None:
    found = report(n=300)[0]
    rows = lines(evaluation_csv(found))
    robust = next(row for row in rows if (row["section"], row["name"]) == ("accuracy", "robust"))
    assert float(robust["value"]) == found.main.robust.value
    assert (float(robust["low"]), float(robust["high"])) == (
        found.main.robust.low,
        found.main.robust.high,
    )
    assert (robust["n"], robust["level"], robust["unit"], robust["label"]) == (
        "300",
        "0.95",
        "share",
        found.label,
    )
    counts = Counter(row["section"] for row in rows)
    assert counts["attack"] == 4 * len(found.main.stages)
    assert counts["class"] == 2 * len(CLASSES)
    assert counts["confusion"] == len(CLASSES) ** 2
    assert counts["curve"] == 9
    assert counts["unseen"] == 1
    assert counts["setting"] == len(found.config)


def test_counts_of_the_confusions_add_up_to_the_images() -> None:
    rows = lines(evaluation_csv(report(n=300)[0]))
    assert sum(int(row["value"]) for row in rows if row["section"] == "confusion") == 300


def test_the_quick_label_stands_on_every_accuracy() -> None:
    found = replace(report()[0], quick=True, label="PGD-10, n = 512, +/- 4 points")
    rows = [
        row
        for row in lines(evaluation_csv(found))
        if row["section"] in ("accuracy", "attack", "class")
    ]
    assert {row["label"] for row in rows} == {"PGD-10, n = 512, +/- 4 points"}


def test_missing_parts_leave_lines_out_and_a_class_without_images_has_no_value() -> None:
    found = report()[0]
    empty = replace(
        found.main,
        classes=(
            replace(found.main.classes[0], n=0, clean=None, robust=None),
            *found.main.classes[1:],
        ),
    )
    rows = lines(
        evaluation_csv(replace(found, weights=(empty,), curves=(), unseen=(), masking=None))
    )
    assert not {"curve", "unseen", "check"} & {row["section"] for row in rows}
    first = next(row for row in rows if row["section"] == "class")
    assert (first["name"], first["value"], first["n"]) == (CLASSES[0], "", "0")


def test_both_weights_are_there() -> None:
    label, last = outcome(400, robust=0.5)
    found = report()[0]
    rows = lines(
        evaluation_csv(
            replace(found, weights=(found.main, weights_report(label, last, CLASSES, which="last")))
        )
    )
    assert [
        row["which"] for row in rows if (row["section"], row["name"]) == ("accuracy", "robust")
    ] == ["best", "last"]


def test_names_of_strangers_are_no_formulas_in_any_table() -> None:
    found, outcomes = report(name=HOSTILE)
    found = replace(
        found,
        class_names=(HOSTILE, *CLASSES[1:]),
        warnings=(HOSTILE,),
        model=replace(found.model, training={HOSTILE: HOSTILE}),
    )
    compared = comparison(
        arms=(arm(HOSTILE, label=HOSTILE), arm("b")),
        differs={HOSTILE: (HOSTILE, "x")},
        missing=(HOSTILE,),
    )
    for text in (evaluation_csv(found), outcomes_csv(found, outcomes), comparison_csv(compared)):
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert f"'{HOSTILE}" in cells
        assert not [cell for cell in cells if cell.startswith("=")]


def test_a_line_an_image_with_the_attack_that_turned_it() -> None:
    found, outcomes = report(n=60)
    rows = lines(outcomes_csv(found, outcomes))
    assert len(rows) == 60
    one = outcomes.of["best"]
    for row, by, true in zip(rows, one.broken_by.tolist(), outcomes.label.tolist(), strict=True):
        titles = {WRONG_BEFORE: "wrong without attack", STANDS: "withstands"}
        assert row["outcome"] == (titles[by] if by < 0 else found.main.stages[by].title)
        assert row["class name"] == CLASSES[true]
    assert sum(row["outcome"] == "withstands" for row in rows) == int(one.robust.sum())
    assert {row["label"] for row in rows} == {found.label}


@pytest.mark.parametrize("part", ["which", "count", "attack", "class"])
def test_outcomes_of_another_report_are_refused(part: str) -> None:
    found, outcomes = report(n=60)
    one = outcomes.of["best"]
    others = {
        "which": Outcomes(outcomes.rows, outcomes.label, {"last": one}),
        "count": report(n=50)[1],
        "attack": Outcomes(
            outcomes.rows,
            outcomes.label,
            {"best": Outcome(one.clean, one.attacked, np.full(60, 9))},
        ),
        "class": Outcomes(outcomes.rows, np.full(60, 10), {"best": one}),
    }
    with pytest.raises(InputError, match="evaluate again"):
        outcomes_csv(found, others[part])


def test_a_comparison_has_arms_seeds_differences_and_what_is_missing() -> None:
    found = comparison()
    rows = lines(comparison_csv(found))
    first = next(row for row in rows if row["section"] == "difference")
    given = found.differences[0]
    assert given.difference is not None
    assert float(first["value"]) == given.difference.value
    assert (float(first["p"]), float(first["adjusted"])) == (given.p, given.adjusted)
    assert (first["name"], first["other"], first["text"]) == (
        given.second,
        given.first,
        given.verdict,
    )
    counts = Counter(row["section"] for row in rows)
    assert counts["arm"] == 2 * 3
    assert counts["seed"] == 2 * 9
    assert counts["class difference"] == 10
    assert counts["efficiency"] == 7
    line = found.efficiency[0]
    lone = replace(
        found,
        efficiency=(
            replace(
                line,
                points=tuple(replace(point, seeds=k) for k, point in enumerate(line.points[:2], 1)),
            ),
        ),
    )
    assert [
        row["text"] for row in lines(comparison_csv(lone)) if row["section"] == "efficiency"
    ] == ["1 seed", "2 seeds"]
    assert counts["equal"] == counts["missing"] == counts["note"] == 1
    assert [row["text"] for row in rows if row["section"] == "setting"] == [
        "plain-5k",
        "guided-5k",
        "none",
    ]


def test_what_was_not_measured_is_empty_and_an_empty_comparison_is_a_header() -> None:
    rows = lines(comparison_csv(comparison(arms=(arm("a", clean=None),), differs={})))
    assert [row["value"] for row in rows if row["section"] == "arm"] == ["0.61", ""]
    nothing = comparison(
        arms=(),
        missing=(),
        differs={},
        differences=(),
        classes=(),
        efficiency=(),
        equal=(),
        notes=(),
    )
    assert lines(comparison_csv(nothing)) == []
