"""Figures of sets, of resources and of the lab: what is drawn is what was measured, with its
interval, in its own colour, and what is left out is said."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.figures.lab import (
    ATTACKED,
    CLEAN,
    MOST_CLASSES,
    RulerMark,
    budget_ruler,
    likeliest,
    loss_path,
    probability_bars,
    ruler_px,
)
from cdp.figures.palette import CLEAR, GUIDED, UNGUIDED
from cdp.figures.sets import class_panels, label_panels, measure_panels
from cdp.figures.training import MAX_POINTS, resource_curves, resource_rows
from cdp.values.types import Interval, Sample
from tests.figures.arms import plain
from tests.figures.test_palette import DARK, WHITE, contrast

NAMES = ("coat", "shirt", "<b>bag</b>")
BEFORE, AFTER = (0.7, 0.2, 0.1), (0.1, 0.3, 0.6)
CPU = [Sample(100.0 + 5 * k, 150.0, 2_000_000_000) for k in range(13)]
GPU = [Sample(100.0 + 5 * k, 90.0, 10**9, 75.0, 3 * 10**9) for k in range(4)]


def test_every_figure_of_sets_has_a_panel_and_every_set_its_whisker() -> None:
    guided, other = Interval(2.0, 1.5, 2.6, 100), Interval(1.0, 0.8, 1.3, 90)
    covered = Interval(0.5, 0.4, 0.6, 100)
    rows = {"separation": {"guided": guided, "plain": other}, "coverage": {"guided": covered}}
    titles = {"separation": "Apart", "coverage": "Covered", "absent": "Nobody has it"}
    signs = {"guided": GUIDED, "plain": UNGUIDED}
    figure = measure_panels(rows | {"absent": {}}, titles, {"coverage": 0.5}, signs)
    assert [a.text for a in figure.layout.annotations] == ["Apart", "Covered"]
    ends = {
        (t.name, t.x[0] - t.error_x.arrayminus[0], t.x[0], t.x[0] + t.error_x.array[0])
        for t in figure.data
    }
    assert ends == {("guided", 1.5, 2.0, 2.6), ("plain", 0.8, 1.0, 1.3), ("guided", 0.4, 0.5, 0.6)}
    colors = {trace.marker.color for trace in figure.data if trace.name == "guided"}
    assert colors == {GUIDED.color}
    assert [shape.x0 for shape in figure.layout.shapes] == [0.5]
    assert not measure_panels({}, titles, {}, {}).data and not class_panels({}, (), "x", {}).data


def test_an_interval_that_is_not_known_is_a_mark_that_says_so() -> None:
    none = Interval(0.5, -np.inf, np.inf, 3, note="too few images")
    (mark,) = measure_panels({"a": {"guided": none}}, {"a": "A"}, {}, {}).data
    assert mark.error_x.array == (None,) and "no interval: too few images" in mark.hovertext[0]


def test_classes_stand_under_their_names_and_sets_beside_each_other() -> None:
    first = {0: Interval(0.5, 0.4, 0.6, 9), 7: Interval(0.7, 0.6, 0.8, 9)}
    sets = {"guided": first, "plain": {7: Interval(0.2, 0.1, 0.3, 8)}}
    figure = class_panels(sets, ("bag",), "Apart", {})
    assert list(figure.layout.xaxis.ticktext) == ["bag", "class 7"]
    guided, other = figure.data
    assert [round(x) for x in guided.x] == [0, 1] and round(other.x[0]) == 1
    assert guided.x[1] != other.x[0]
    assert list(guided.error_y.array) == pytest.approx([0.1, 0.1])


def test_labels_show_how_sure_and_what_was_kept() -> None:
    figure = label_panels([1, 3, 10, 20], 0.5, [7, 23], ["cat", "<b>"])
    sure, counts = figure.data
    assert list(sure.y) == [1, 3, 10, 20] and list(counts.y) == [7, 23]
    assert len(set(sure.marker.color[:2])) == 1 and sure.marker.color[1] != sure.marker.color[2]
    assert figure.layout.shapes[0].x0 == 0.5 and "n = 30 images" in plain(figure)
    assert list(figure.layout.xaxis2.ticktext) == ["cat", "&lt;b&gt;"]


def test_resources_are_in_the_units_they_name_against_minutes_and_gaps_are_not_zeros() -> None:
    figure = resource_curves(CPU, key="run")
    assert [trace.y[0] for trace in figure.data] == [1.5, 2.0]
    assert (figure.data[0].x[0], figure.data[0].x[-1]) == (0.0, 1.0)
    layout = figure.layout
    assert (layout.yaxis.title.text, layout.yaxis2.title.text) == ("cores", "GB")
    assert layout.uirevision == "run"
    both = resource_curves([*CPU, *GPU], key="run").data
    assert (len(both), both[2].y[0]) == (4, None)
    assert (both[2].y[-1], both[3].y[-1]) == (75.0, 3.0)
    rows = resource_rows(CPU)
    assert len(rows) == 13 and rows[12] == {"minutes": 1.0, "cpu [cores]": 1.5, "memory [GB]": 2.0}


@pytest.mark.parametrize("count", [1, MAX_POINTS, MAX_POINTS + 1, 2000])
def test_resources_of_long_runs_are_thinned(count: int) -> None:
    x = resource_curves([Sample(float(k), 1.0, 1) for k in range(count)], key="run").data[0].x
    assert count / 4 <= len(x) <= MAX_POINTS and x[0] == 0


def test_each_class_has_its_two_probabilities_and_true_class_and_target_are_marked() -> None:
    figure = probability_bars(NAMES, BEFORE, AFTER, title="x", label=0, target=2)
    clean, attacked = figure.data
    assert (tuple(clean.x), tuple(attacked.x)) == (BEFORE, AFTER)
    ticks = ["coat, true", "shirt", "&lt;b&gt;bag&lt;/b&gt;, target"]
    assert list(figure.layout.yaxis.ticktext) == ticks
    unknown = probability_bars(NAMES, BEFORE, AFTER, title="x", label=0, label_is="as said clean")
    assert unknown.layout.yaxis.ticktext[0] == "coat, as said clean"
    # Hollow against filled: colour is not the only sign.
    assert (clean.marker.color, attacked.marker.color) == (CLEAR, ATTACKED.color)
    assert list(clean.text) == ["0.70", "0.20", "0.10"]


def test_of_many_classes_the_likeliest_before_or_after_are_drawn_in_order_and_the_rest_is_counted() -> (
    None
):
    before, after = np.full(43, 0.001), np.full(43, 0.001)
    before[30], after[5] = 0.9, 0.95
    drawn = likeliest(before.tolist(), after.tolist())
    assert len(drawn) == MOST_CLASSES - 2 and drawn == sorted(drawn) and {5, 30} <= set(drawn)
    names = [f"sign {k}" for k in range(43)]
    figure = probability_bars(names, before.tolist(), after.tolist(), title="x", label=30)
    assert "without 33 classes" in plain(figure)
    assert likeliest(before[:12].tolist(), after[:12].tolist()) == list(range(12))


def test_the_path_draws_every_start_the_strongest_last_and_where_it_succeeds() -> None:
    losses, words = [[0.0, 2.0, 3.0], [0.0, 1.0, 2.0]], {"unit": "nats", "title": "t"}
    figure = loss_path(losses, chosen=0, turned_at=2, zero=True, **words)
    weak, strong, mark = figure.data
    assert (list(strong.y), list(weak.y)) == tuple(losses)
    assert strong.line.width > weak.line.width and (mark.x[0], mark.y[0]) == (2, 3.0)
    assert len(figure.layout.shapes) == 1 and figure.layout.yaxis.title.text == "nats"
    assert len(loss_path([[0.0, 1.0]], chosen=0, turned_at=None, **words).data) == 1


def test_the_ruler_ends_where_a_model_is_fooled_or_at_its_end_with_another_mark() -> None:
    signs = {"a": GUIDED, "b": UNGUIDED}
    marks = [RulerMark("a", signs["a"], 0.04), RulerMark("b", signs["b"], None)]
    words = {"budget_is": "conventional", "unit": "l_inf", "title": "t"}
    figure = budget_ruler(marks, epsilon=0.02, budget=0.1, largest=0.3, **words)
    ends = {trace.name: trace for trace in figure.data if trace.mode == "markers+text"}
    assert (ends["a"].x[0], ends["b"].x[0]) == (0.04, 0.3)
    assert "0.04" in ends["a"].text[0] and "none found up to 0.3" in ends["b"].text[0]
    assert ends["b"].marker.symbol.endswith("-open")
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [0.02, 0.1]
    assert figure.layout.height == ruler_px(2)


@pytest.mark.parametrize("background", [WHITE, DARK])
def test_both_bars_of_the_lab_are_seen_on_both_themes(background: str) -> None:
    assert min(contrast(sign.color, background) for sign in (CLEAN, ATTACKED)) >= 4
