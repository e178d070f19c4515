"""Panels of measures and class-pair heat maps: what is drawn is what was measured, with its
interval, in the set's own colour."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.figures.class_pairs import pair_heatmap
from cdp.figures.palette import named_sign
from cdp.figures.sets import class_panels, measure_panels
from cdp.values.types import Interval

ROWS = {
    "separation": {"guided": Interval(2.0, 1.5, 2.6, 100), "plain": Interval(1.0, 0.8, 1.3, 90)},
    "coverage": {"guided": Interval(0.5, 0.4, 0.6, 100)},
    "absent": {},
}
TITLES = {"separation": "Apart", "coverage": "Covered", "absent": "Nobody has it"}


def test_every_figure_has_a_panel_and_every_set_its_whisker() -> None:
    figure = measure_panels(ROWS, TITLES, {"coverage": 0.5})
    assert [a.text for a in figure.layout.annotations] == ["Apart", "Covered"]
    drawn = {
        (
            trace.name,
            trace.x[0],
            trace.x[0] - trace.error_x.arrayminus[0],
            trace.x[0] + trace.error_x.array[0],
        )
        for trace in figure.data
    }
    assert drawn == {("guided", 2.0, 1.5, 2.6), ("plain", 1.0, 0.8, 1.3), ("guided", 0.5, 0.4, 0.6)}
    assert {trace.marker.color for trace in figure.data if trace.name == "guided"} == {
        named_sign("guided").color
    }
    assert len({trace.marker.symbol + trace.marker.color for trace in figure.data}) == 2
    assert [shape.x0 for shape in figure.layout.shapes] == [0.5]


def test_nothing_measured_draws_an_empty_figure() -> None:
    assert not measure_panels({}, TITLES, {}).data
    assert not class_panels({}, (), "x").data


def test_classes_stand_under_their_names_and_sets_beside_each_other() -> None:
    per_class = {
        "guided": {0: Interval(0.5, 0.4, 0.6, 9), 7: Interval(0.7, 0.6, 0.8, 9)},
        "plain": {7: Interval(0.2, 0.1, 0.3, 8)},
    }
    figure = class_panels(per_class, ("bag",), "Apart")
    assert list(figure.layout.xaxis.ticktext) == ["bag", "class 7"]
    guided, plain = figure.data
    assert [round(x) for x in guided.x] == [0, 1]
    assert round(plain.x[0]) == 1
    assert guided.x[1] != plain.x[0]
    assert list(guided.error_y.array) == pytest.approx([0.1, 0.1])


def test_heat_map_writes_its_numbers_and_brackets_what_is_uncertain() -> None:
    values = np.array([[np.nan, 3.14159], [-20.0, np.nan]])
    figure = pair_heatmap(
        values,
        ["a", "b"],
        title="t",
        unit="%",
        signed=True,
        uncertain=np.array([[False, True], [False, False]]),
    )
    heat = figure.data[0]
    assert [list(row) for row in heat.text] == [["", "(3.1)"], ["-20", ""]]
    assert (heat.zmin, heat.zmid, heat.zmax) == (-20, 0, 20)
    assert figure.layout.yaxis.autorange == "reversed"


def test_heat_map_of_nothing_and_of_many_classes_draws() -> None:
    assert (
        pair_heatmap(np.full((1, 1), np.nan), ["a"], title="t", unit="", signed=False).data[0].zmax
        == 1
    )
    many = pair_heatmap(
        np.random.default_rng(0).random((43, 43)),
        [str(i) for i in range(43)],
        title="t",
        unit="",
        signed=False,
    )
    assert many.data[0].text is None
    assert many.layout.height < 1100
