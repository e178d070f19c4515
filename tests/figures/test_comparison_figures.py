"""Figures of a comparison draw every seed and interval, claim no more than the tests do, and set
published numbers apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.figures.comparison import (
    arm_dots,
    arm_rows,
    class_difference_rows,
    class_differences,
    difference_forest,
    difference_rows,
    labels_of,
    settled,
)
from cdp.figures.palette import class_sign
from cdp.figures.tradeoffs import (
    REFERENCES,
    count_text,
    efficiency_curves,
    efficiency_rows,
    equal_rows,
    front,
    matching,
    matching_arms,
    pareto,
    pareto_notes,
    pareto_rows,
)
from cdp.values.types import Interval
from tests.figures.arms import (
    CLASSES,
    LABEL,
    TRAINED,
    arm,
    around,
    class_difference,
    comparison,
    difference,
    line,
)
from tests.figures.test_evaluation_figures import HOSTILE, plain, texts

GUESS = "validation, PGD-10, n = 1,000: an estimate"


def test_every_seed_is_a_dot_and_the_mean_has_the_arms_interval() -> None:
    one = arm("guided", (0.60, 0.61, 0.65))
    assert one.robust is not None
    mean, dots = arm_dots([one], "robust", {"guided": class_sign(2)}).data
    assert list(dots.x) == pytest.approx([60, 61, 65])
    assert mean.x[0] == pytest.approx(62)
    assert mean.x[0] + mean.error_x.array[0] == pytest.approx(100 * one.robust.high)
    assert mean.marker.color == class_sign(2).color
    assert "seed 2" in dots.hovertext[2]


def test_arms_carry_the_label_of_their_numbers_and_what_is_missing_is_named() -> None:
    figure = arm_dots([arm("a"), arm("b", label=GUESS), arm("c", clean=None)], "clean")
    assert LABEL in plain(figure)
    assert GUESS in plain(figure)
    assert "not measured: c" in plain(figure)
    assert "t over 3 seeds" in plain(figure)
    assert "was not measured" in plain(arm_dots([arm("c", clean=None)], "clean"))


def test_labels_are_said_once_each_and_many_are_counted() -> None:
    assert labels_of([arm("a"), arm("b")]) == LABEL
    many = [arm(str(k), label=f"way {k}") for k in range(6)]
    assert labels_of(many) == "way 0; way 1; way 2; and 3 other ways"
    assert labels_of([]) == "not measured"
    alike = [
        arm(name, label=f"PGD-20, n = 400, +/- {width} points: a quick estimate")
        for name, width in (("a", 4), ("b", 5))
    ]
    assert labels_of(alike) == "PGD-20, n = 400: a quick estimate" and "+/- 4" in labels_of(
        alike[:1]
    )


def test_arm_rows_hold_means_and_seeds() -> None:
    rows = arm_rows([arm("a", (0.5, 0.6))], "robust")
    assert [row["robust [%]"] for row in rows] == [55.0, 50.0, 60.0]
    assert [row["seed"] for row in rows] == [None, 0, 1]
    assert rows[0]["run"] == "2 seeds"
    assert {row["label"] for row in rows} == {LABEL}


def test_differences_that_hold_are_filled_and_others_hollow() -> None:
    holds, not_clear = difference("a", "b", adjusted=0.01), difference("a", "c", adjusted=0.2)
    figure = difference_forest([holds, not_clear])
    assert [trace.marker.symbol for trace in figure.data] == ["square", "square-open"]
    assert "1 of 2 differences hold" in plain(figure)
    first = figure.data[0]
    assert first.x[0] == pytest.approx(1.3)
    assert (
        first.x[0] - first.error_x.arrayminus[0],
        first.x[0] + first.error_x.array[0],
    ) == pytest.approx((0.4, 2.2))
    assert figure.layout.shapes[0].x0 == 0
    assert figure.layout.xaxis.range[0] < 0, "zero is always in sight"
    assert "5 paired seeds" in first.hovertext[0].replace("<br>", " ")


@pytest.mark.parametrize(
    ("adjusted", "low", "high", "holds"),
    [
        (0.049, -0.01, 0.03, True),
        (0.05, 0.01, 0.03, False),
        (None, 0.01, 0.03, True),
        (None, -0.01, 0.03, False),
        (None, 0.0, 0.03, False),
    ],
)
def test_the_corrected_p_decides_and_without_a_test_the_interval(
    adjusted: float | None, low: float, high: float, holds: bool
) -> None:
    one = replace(
        difference("a", "b", adjusted=adjusted), difference=Interval((low + high) / 2, low, high, 5)
    )
    assert settled(one) is holds
    assert not settled(replace(one, difference=None))


def test_one_pair_has_its_verdict_for_a_title_and_metrics_have_panels() -> None:
    one = difference("plain", "guided")
    assert one.verdict in plain(difference_forest([one]))
    both = difference_forest([one, difference("plain", "guided", metric="clean")])
    assert [both.layout.xaxis.title.text, both.layout.xaxis2.title.text] == [
        "difference in robust accuracy [points]",
        "difference in clean accuracy [points]",
    ]
    assert [trace.xaxis for trace in both.data] == ["x", "x2"]


def test_a_pair_that_could_not_be_compared_keeps_its_line() -> None:
    figure = difference_forest(
        [replace(difference("a", "b"), difference=None), difference("a", "c")]
    )
    assert "b minus a: cannot be compared" in plain(figure)
    assert "1 of 1 difference holds" in plain(figure)
    assert "1 of 2 pairs cannot be compared" in plain(figure)
    assert len(figure.data) == 1
    assert "none of 2 pairs" in plain(
        difference_forest([replace(difference("a", name), difference=None) for name in "bc"])
    )
    assert "nothing to compare" in plain(difference_forest([]))


def test_difference_rows_hold_the_numbers_in_points() -> None:
    row = difference_rows([difference("a", "b", adjusted=0.02, more_seeds=4)])[0]
    assert (row["difference [points]"], row["difference low"], row["difference high"]) == (
        1.3,
        0.4,
        2.2,
    )
    assert (row["p"], row["corrected p"], row["more seeds"]) == (0.01, 0.02, 4)
    assert row["metric"] == "robust accuracy"


def test_class_differences_fill_those_that_hold_after_correction() -> None:
    found = [
        class_difference("cat", 0.05),
        class_difference("dog", 0.0),
        class_difference("emu", -0.03),
    ]
    figure = class_differences(found)
    filled, hollow = figure.data
    assert list(filled.x) == pytest.approx([5, -3])
    assert list(hollow.x) == [0]
    assert "most in cat, +5.0 points" in plain(figure)
    assert "2 of 3 classes differ after Holm" in plain(figure)
    unclaimed = [replace(one, p=None, adjusted=None) for one in found]
    assert "nothing is claimed of these classes" in plain(class_differences(unclaimed))
    assert (
        len(class_differences(unclaimed).data) == 1
        and class_differences(unclaimed).data[0].marker.symbol == "square-open"
    )
    assert "of the other 1 nothing is claimed" in plain(
        class_differences([found[0], found[1], unclaimed[2]])
    )
    assert [row["difference [points]"] for row in class_difference_rows(found)] == [5.0, 0.0, -3.0]


def test_each_pair_of_arms_has_a_panel_and_43_classes_have_room() -> None:
    names = [f"sign {k}" for k in range(43)]
    figure = class_differences(
        [
            class_difference(name, 0.01, pair=pair)
            for pair in (("a", "b"), ("a", "c"))
            for name in names
        ]
    )
    assert len(figure.layout.annotations) == 2
    assert figure.layout.height > 2 * 43 * 20
    assert "No two arms" in plain(class_differences([]))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_the_front_is_what_no_other_arm_equals_or_betters(values: list[tuple[int, int]]) -> None:
    arms = [arm(str(k), (robust / 10,), (clean / 10,)) for k, (clean, robust) in enumerate(values)]
    ahead = set(front(arms))
    for k, (clean, robust) in enumerate(values):
        beaten = any(c >= clean and r >= robust and (c, r) != (clean, robust) for c, r in values)
        assert (str(k) in ahead) is not beaten


def test_the_front_is_a_step_line_that_claims_nothing_between_arms() -> None:
    arms = comparison().arms
    figure = pareto(arms, {}, ())
    steps = next(trace for trace in figure.data if trace.name == "front")
    assert list(steps.x) == pytest.approx([82, 84])
    assert list(steps.y) == pytest.approx([62, 59])
    assert steps.line.shape == "vh", (
        "down first: between two arms only the lower robust accuracy is reached"
    )
    assert "2 of 3 arms are on the front" in plain(figure)
    guided = next(trace for trace in figure.data if trace.name == "guided")
    assert guided.error_x.array[0] == pytest.approx(1)
    assert guided.error_y.array[0] == pytest.approx(1)


def test_published_points_are_hollow_and_called_so_and_only_for_the_same_threat() -> None:
    arms = comparison().arms
    figure = pareto(arms, {}, matching_arms(arms))
    published = next(trace for trace in figure.data if trace.name.startswith("published"))
    assert published.marker.symbol == "diamond-open"
    assert "Wang 2023" in published.text
    assert (92.44, 67.31) in [
        (pytest.approx(x), pytest.approx(y)) for x, y in zip(published.x, published.y, strict=True)
    ]
    assert "20,000,000 synthetic images" in " ".join(published.hovertext)
    here = replace(arms[0], settings={**TRAINED, "dataset": "fashion-mnist"})
    assert matching_arms([here]) == ()
    assert matching_arms([arms[0], here]) == ()
    assert "no published numbers" in plain(pareto([here], {}, ()))
    assert any("no published numbers" in note for note in pareto_notes([here], ()))


@pytest.mark.parametrize(
    ("dataset", "norm", "epsilon", "count"),
    [
        ("cifar10", "linf", 8 / 255, 6),
        ("cifar10", "linf", 0.031, 6),
        ("cifar10", "linf", None, 6),
        ("cifar10", "linf", 4 / 255, 0),
        ("cifar10", "l2", 0.5, 0),
        ("mnist", "linf", 0.3, 2),
        ("mnist", "linf", 0.1, 0),
        ("kmnist", "linf", 0.3, 0),
    ],
)
def test_references_are_for_one_data_set_norm_and_budget(
    dataset: str, norm: str, epsilon: float | None, count: int
) -> None:
    assert len(matching(dataset, norm, epsilon)) == count


def test_settings_that_are_missing_or_odd_match_nothing() -> None:
    assert matching_arms([]) == ()
    assert matching_arms([arm("a", settings={})]) == ()
    assert (
        matching_arms(
            [arm("a", settings={"dataset": "cifar10", "norm": "linf", "epsilon": "8/255"})]
        )
        == ()
    )


def test_every_reference_says_where_it_stands_and_can_be_right() -> None:
    for one in REFERENCES:
        assert one.source
        assert 0 < one.robust < one.clean < 1


def test_numbers_of_other_attacks_are_not_set_against_published_ones_without_a_word() -> None:
    arms = [arm("a"), arm("b", label=GUESS)]
    notes = " ".join(pareto_notes(arms, matching_arms(arms)))
    assert "b was measured with other attacks" in notes
    assert "a was" not in notes
    assert "other attacks" not in " ".join(pareto_notes(arms[:1], matching_arms(arms)))


def test_an_arm_without_clean_accuracy_is_named_and_not_drawn() -> None:
    arms = [arm("a"), arm("b", clean=None)]
    assert [trace.name for trace in pareto(arms, {}, ()).data] == ["a"]
    assert any("b" in note and "Not drawn" in note for note in pareto_notes(arms, ()))
    assert "No arm has both" in plain(pareto([arms[1]], {}, ()))


def test_pareto_rows_hold_arms_and_published_points() -> None:
    arms = comparison().arms
    rows = pareto_rows(arms, matching_arms(arms))
    assert rows[1]["robust [%]"] == 62.0
    assert [row["on the front"] for row in rows[:3]] == [True, True, False]
    assert rows[3]["arm"] == "Bartoldson 2024 (published)"
    assert rows[3]["clean low"] is None
    assert all(list(row) == list(rows[0]) for row in rows)


def test_zero_synthetic_images_stand_left_of_the_log_axis() -> None:
    figure = efficiency_curves([line("plain", (0, 1000, 10_000))], {"plain": class_sign(1)})
    drawn = figure.data[0]
    assert list(drawn.x)[1:] == pytest.approx([3, 4])
    assert drawn.x[0] < 3
    assert list(figure.layout.xaxis.ticktext) == ["0", "1k", "10k"]
    assert figure.layout.xaxis.tickvals[0] == pytest.approx(drawn.x[0])
    assert list(drawn.y) == pytest.approx([50, 54, 58])
    assert list(drawn.error_y.array) == pytest.approx([1.5] * 3)
    assert "3 seeds" in drawn.hovertext[0]
    assert "0 has a place of its own" in plain(figure)
    assert "0 has a place" not in plain(efficiency_curves([line("plain", (1000, 10_000))], {}))


def test_many_counts_have_round_ticks_and_one_count_is_drawn_too() -> None:
    counts = (0, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
    assert list(efficiency_curves([line("a", counts, 0.3)], {}).layout.xaxis.ticktext) == [
        "0",
        "10",
        "100",
        "1k",
        "10k",
    ]
    assert len(efficiency_curves([line("a", (0,))], {}).data[0].x) == 1
    assert "No arms differ" in plain(efficiency_curves([], {}))


def test_lines_are_drawn_by_rising_count_whatever_their_order() -> None:
    one = line("a", (1000, 5000))
    drawn = efficiency_curves([replace(one, points=one.points[::-1])], {}).data[0]
    assert list(drawn.x) == sorted(drawn.x)
    assert efficiency_rows([one])[1]["synthetic images"] == 5000
    assert efficiency_rows([one])[1]["robust [%]"] == 54.0
    assert equal_rows(comparison().equal)[0]["equals it at"] == 3200.0


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (500, "500"), (5000, "5k"), (1_500_000, "1.5M"), (2 * 10**9, "2G")],
)
def test_counts_are_short_on_the_axis(count: int, text: str) -> None:
    assert count_text(count) == text


def test_hostile_names_are_text_in_every_figure() -> None:
    arms = [arm(HOSTILE, label=HOSTILE), arm("b")]
    figures = [
        arm_dots(arms, "robust"),
        pareto(arms, {}, matching_arms(arms)),
        efficiency_curves([line(HOSTILE)], {}),
        difference_forest([replace(difference(HOSTILE, "b"), verdict=HOSTILE, method=HOSTILE)]),
        class_differences(
            [
                class_difference(HOSTILE, 0.1, pair=(HOSTILE, "b")),
                class_difference(CLASSES[0], around(0, 1).value),
            ]
        ),
    ]
    for figure in figures:
        assert not [
            text
            for text in texts(figure)
            if "</script>" in text or "<b>%" in text or "%{x}" in text
        ]
