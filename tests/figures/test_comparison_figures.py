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
    HOSTILE,
    LABEL,
    TRAINED,
    arm,
    class_difference,
    comparison,
    difference,
    harmful,
    line,
    plain,
)

GUESS = "validation, PGD-10, n = 1,000: an estimate"


def test_every_seed_is_a_dot_and_the_mean_has_the_arms_interval() -> None:
    guided = arm("guided", (0.60, 0.61, 0.65))
    assert guided.robust is not None
    mean, dots = arm_dots([guided], "robust", {"guided": class_sign(2)}).data
    assert list(dots.x) == pytest.approx([60, 61, 65]) and "seed 2" in dots.hovertext[2]
    assert mean.x[0] == pytest.approx(62) and mean.marker.color == class_sign(2).color
    assert mean.x[0] + mean.error_x.array[0] == pytest.approx(100 * guided.robust.high)
    rows = arm_rows([arm("a", (0.5, 0.6))], "robust")
    assert [row["robust [%]"] for row in rows] == [55.0, 50.0, 60.0]
    assert [row["seed"] for row in rows] == [None, 0, 1]


def test_arms_carry_the_label_of_their_numbers_and_what_is_missing_is_named() -> None:
    text = plain(arm_dots([arm("a"), arm("b", label=GUESS), arm("c", clean=None)], "clean"))
    for part in (LABEL, GUESS, "not measured: c", "t over 3 seeds"):
        assert part in text
    assert "was not measured" in plain(arm_dots([arm("c", clean=None)], "clean"))


def test_labels_are_said_once_each_and_many_are_counted() -> None:
    assert labels_of([arm("a"), arm("b")]) == LABEL
    many = [arm(str(k), label=f"way {k}") for k in range(6)]
    assert labels_of(many) == "way 0; way 1; way 2; and 3 other ways"
    assert labels_of([]) == "not measured"
    label = "PGD-20, n = 400, +/- {} points: a quick estimate"
    alike = [arm(name, label=label.format(width)) for name, width in (("a", 4), ("b", 5))]
    assert labels_of(alike) == "PGD-20, n = 400: a quick estimate"
    assert labels_of(alike[:1]) == label.format(4)


def test_differences_that_hold_are_filled_and_others_hollow() -> None:
    differences = [difference("a", "b", adjusted=0.01), difference("a", "c", adjusted=0.2)]
    figure = difference_forest(differences)
    assert [trace.marker.symbol for trace in figure.data] == ["square", "square-open"]
    assert "1 of 2 differences hold" in plain(figure)
    first = figure.data[0]
    ends = (first.x[0] - first.error_x.arrayminus[0], first.x[0] + first.error_x.array[0])
    assert (first.x[0], *ends) == pytest.approx((1.3, 0.4, 2.2))
    assert figure.layout.shapes[0].x0 == 0 and figure.layout.xaxis.range[0] < 0
    row = difference_rows([difference("a", "b", more_seeds=4)])[0]
    assert [row[f"difference {end}"] for end in ("[points]", "low", "high")] == [1.3, 0.4, 2.2]
    assert (row["p"], row["corrected p"], row["more seeds"]) == (0.01, 0.02, 4)


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
    interval = Interval((low + high) / 2, low, high, 5)
    diff = replace(difference("a", "b", adjusted=adjusted), difference=interval)
    assert settled(diff) is holds
    assert not settled(replace(diff, difference=None))
    assert not settled(replace(diff, withheld="too few images"))


def test_a_pair_that_could_not_be_compared_keeps_its_line() -> None:
    none = replace(difference("a", "b"), difference=None)
    figure = difference_forest([none, difference("a", "c")])
    text = plain(figure)
    assert len(figure.data) == 1 and "b minus a: cannot be compared" in text
    assert "1 of 1 difference holds" in text and "1 of 2 pairs cannot be compared" in text
    assert "none of 2 pairs" in plain(difference_forest([none, replace(none, second="c")]))
    assert "nothing to compare" in plain(difference_forest([]))
    diff = difference("plain", "guided")
    assert diff.verdict in plain(difference_forest([diff]))
    clean = difference_forest([difference("plain", "guided", metric="clean")])
    assert clean.layout.xaxis.title.text == "difference in clean accuracy [points]"


def test_class_differences_fill_those_that_hold_after_correction() -> None:
    values = {"cat": 0.05, "dog": 0.0, "emu": -0.03}
    differences = [class_difference(*diff) for diff in values.items()]
    figure = class_differences(differences)
    filled, hollow = figure.data
    assert (list(filled.x), list(hollow.x)) == (pytest.approx([5, -3]), [0])
    assert "most in cat, +5.0 points" in plain(figure)
    assert "2 of 3 classes differ after Holm" in plain(figure)
    unclaimed = [replace(diff, p=None, adjusted=None) for diff in differences]
    drawn = class_differences(unclaimed)
    assert [trace.marker.symbol for trace in drawn.data] == ["square-open"]
    assert "nothing is claimed of these classes" in plain(drawn)
    mixed = class_differences([*differences[:2], unclaimed[2]])
    assert "of the other 1 nothing is claimed" in plain(mixed)
    expected = [5.0, 0.0, -3.0]
    assert [row["difference [points]"] for row in class_difference_rows(differences)] == expected
    assert "No two arms" in plain(class_differences([]))


def test_43_classes_have_room() -> None:
    differences = [class_difference(f"sign {k}", 0.01) for k in range(43)]
    layout = class_differences(differences).layout
    assert len(layout.yaxis.ticktext) == 43 and layout.height > 43 * 20


def test_how_far_arms_lie_apart_stands_beside_how_far_seeds_do() -> None:
    arms = [arm("a", (0.60, 0.64)), arm("b", (0.65, 0.66))]
    text = plain(arm_dots(arms, "robust"))
    assert "Robust accuracy: arms lie 3.5 points apart, seeds of one arm up to 4.0" in text


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_the_front_is_what_no_other_arm_equals_or_betters(values: list[tuple[int, int]]) -> None:
    arms = [arm(str(k), (robust / 10,), (clean / 10,)) for k, (clean, robust) in enumerate(values)]
    ahead = set(front(arms))
    for k, (clean, robust) in enumerate(values):
        beaten = any(c >= clean and r >= robust and (c, r) != (clean, robust) for c, r in values)
        assert (str(k) in ahead) is not beaten


def test_the_front_is_a_step_line_that_claims_nothing_between_arms() -> None:
    figure = pareto(comparison().arms, {}, ())
    traces = {trace.name: trace for trace in figure.data}
    steps, guided = traces["front"], traces["guided"]
    assert (list(steps.x), list(steps.y)) == (pytest.approx([82, 84]), pytest.approx([62, 59]))
    assert steps.line.shape == "vh", "between two arms only the lower robust accuracy is reached"
    assert "2 of 3 arms are on the front" in plain(figure)
    assert (guided.error_x.array[0], guided.error_y.array[0]) == pytest.approx((1, 1))


def test_published_points_are_hollow_and_called_so_and_only_for_the_same_threat() -> None:
    arms = comparison().arms
    figure = pareto(arms, {}, matching_arms(arms))
    published = next(trace for trace in figure.data if trace.name.startswith("published"))
    assert published.marker.symbol == "diamond-open"
    at = published.text.index("Wang 2023")
    assert (published.x[at], published.y[at]) == pytest.approx((92.44, 67.31))
    assert "20,000,000 synthetic images" in published.hovertext[at]
    here = replace(arms[0], settings={**TRAINED, "dataset": "fashion-mnist"})
    assert matching_arms([here]) == matching_arms([arms[0], here]) == matching_arms([]) == ()
    assert matching_arms([arm("a", settings={**TRAINED, "epsilon": "8/255"})]) == ()
    assert "no published numbers" in plain(pareto([here], {}, ()))
    assert any("no published numbers" in note for note in pareto_notes([here], ()))
    rows = pareto_rows(arms, matching_arms(arms))
    assert [row["on the front"] for row in rows[:3]] == [True, True, False]
    assert (rows[3]["arm"], rows[3]["clean low"]) == ("Bartoldson 2024 (published)", None)
    assert all(list(row) == list(rows[0]) for row in rows)


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


def test_every_reference_says_where_it_stands_and_can_be_right() -> None:
    assert all(
        reference.source and 0 < reference.robust < reference.clean < 1 for reference in REFERENCES
    )


def test_numbers_that_cannot_be_set_against_each_other_are_named() -> None:
    arms = [arm("a"), arm("b", label=GUESS), arm("c", clean=None)]
    notes = " ".join(pareto_notes(arms, matching_arms(arms)))
    assert "b was measured with other attacks" in notes and "a was" not in notes
    assert "Not drawn" in notes and "c" in notes
    expected = ["a", "b"]
    assert [trace.name for trace in pareto(arms, {}, ()).data if trace.name != "front"] == expected
    assert "other attacks" not in " ".join(pareto_notes(arms[:1], matching_arms(arms)))
    assert "No arm has both" in plain(pareto([arms[2]], {}, ()))


def test_zero_synthetic_images_stand_left_of_the_log_axis() -> None:
    figure = efficiency_curves([line("plain", (10_000, 1000, 0), 0.58, -0.04)], {})
    drawn, axis = figure.data[0], figure.layout.xaxis
    assert drawn.x[0] < 3 and list(drawn.x)[1:] == pytest.approx([3, 4]), "by rising count"
    assert list(axis.ticktext) == ["0", "1k", "10k"] and axis.tickvals[0] == drawn.x[0]
    assert list(drawn.y) == pytest.approx([50, 54, 58])
    assert list(drawn.error_y.array) == pytest.approx([1.5] * 3) and "3 seeds" in drawn.hovertext[0]
    assert "0 has a place of its own" in plain(figure)
    assert "0 has a place" not in plain(efficiency_curves([line("plain", (1000, 10_000))], {}))
    assert efficiency_rows([line("a")])[1]["robust [%]"] == 54.0
    assert equal_rows(comparison().equal)[0]["equals it at"] == 3200.0


def test_many_counts_have_round_ticks_and_one_count_is_drawn_too() -> None:
    counts = (0, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
    ticks = efficiency_curves([line("a", counts, 0.3)], {}).layout.xaxis.ticktext
    assert list(ticks) == ["0", "10", "100", "1k", "10k"]
    assert len(efficiency_curves([line("a", (0,))], {}).data[0].x) == 1
    assert "No arms differ" in plain(efficiency_curves([], {}))
    texts = {0: "0", 500: "500", 5000: "5k", 1_500_000: "1.5M", 2 * 10**9: "2G"}
    assert {count: count_text(count) for count in texts} == texts


def test_hostile_names_are_text_in_every_figure() -> None:
    arms = [arm(HOSTILE, label=HOSTILE), arm("b")]
    named = class_difference(HOSTILE, 0.1, pair=(HOSTILE, "b"))
    for figure in (
        arm_dots(arms, "robust"),
        pareto(arms, {}, matching_arms(arms)),
        efficiency_curves([line(HOSTILE)], {}),
        difference_forest([replace(difference(HOSTILE, "b"), verdict=HOSTILE, method=HOSTILE)]),
        class_differences([named, class_difference(CLASSES[0], 0.1)]),
    ):
        assert not harmful(figure)
