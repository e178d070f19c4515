"""Figures of an experiment draw what was measured of each arm, on scales that its settings have."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from cdp.figures.experiment import (
    arm_points,
    dose_response,
    factors,
    front_finding,
    heat_map,
    measured,
    pareto_front,
)
from cdp.figures.experiment_tables import arm_rows, arm_summary, cell_rows
from cdp.reports.experiment import experiment_html
from cdp.values.comparison import Difference
from cdp.values.experiment import ArmResult, CellState, ExperimentResult, Proxy
from cdp.values.types import Interval
from tests.figures.arms import HOSTILE, plain

STRENGTHS, TEMPERATURES = (0.05, 0.1, 0.8), (0.1, 0.5)


def arm(name: str, robust: float, **settings: object) -> ArmResult:
    mean = Interval(robust, robust - 0.02, robust + 0.02, 2)
    figures = {"robust": mean, "frechet": Interval(10 * robust, 1.0, 9.0, 2)}
    values = {"robust": {0: robust - 0.01, 1: robust + 0.01}}
    named = {f"generate.{key}": value for key, value in settings.items()}
    return ArmResult(name, named, (0, 1), 40, figures, values, front=name.startswith("s0.1"))


def result(*arms: ArmResult, **more: object) -> ExperimentResult:
    cells = tuple(CellState(a.name, seed, "done") for a in arms for seed in (0, 1))
    said = {
        "name": "e",
        "control": "unguided",
        "objective": ("robust",),
        "verdict": "so",
        "best": "",
    }
    rest = {"proxies": (), "notes": ()} | said | more
    return ExperimentResult(arms=arms, cells=cells, **rest)  # type: ignore[arg-type]


def grid() -> ExperimentResult:
    """Robust accuracy is 0.4 + strength / 10 + temperature / 100, so every cell is another."""
    made = [
        arm(f"s{s} t{t}", 0.4 + s / 10 + t / 100, strength=s, temperature=t)
        for s in STRENGTHS
        for t in TEMPERATURES
    ]
    return result(arm("real only", 0.3), arm("unguided", 0.39, preset="unguided"), *made)


def test_a_line_for_each_temperature_over_strength_and_level_lines_for_the_others() -> None:
    drawn = dose_response(grid(), "robust")
    assert factors(grid()) == ["generate.strength", "generate.temperature"]
    lines = {trace.name: trace for trace in drawn.data if trace.name}
    cold = lines["temperature 0.1"]
    assert list(cold.x) == list(STRENGTHS)
    assert list(cold.y) == pytest.approx([40.6, 41.1, 48.1])
    assert list(lines["temperature 0.5"].y) == pytest.approx([41.0, 41.5, 48.5])
    assert set(lines["unguided (control)"].y) == {39.0} and set(lines["real only"].y) == {30.0}
    bands = [trace for trace in drawn.data if trace.fill == "toself"]
    assert [max(band.y) for band in bands] == pytest.approx([50.1, 50.5])
    assert drawn.layout.xaxis.type == "log"


def test_the_finding_names_the_values_whose_own_test_tells_them_from_the_control() -> None:
    def against(name: str, robust: float, strength: float, p: float) -> ArmResult:
        gap = Interval(robust - 0.6, robust - 0.62, robust - 0.58, 5)
        method = "paired t, 5 shared seeds"
        tested = Difference("robust", "unguided", name, gap, p, p, method, 5, None, "so")
        return replace(arm(name, robust, strength=strength), difference=tested)

    arms = [
        against("a", 0.62, 0.1, 0.0),
        against("b", 0.63, 0.2, 0.01),
        against("c", 0.59, 0.4, 0.3),
        against("d", 0.57, 0.8, 0.04),
    ]
    found = result(arm("unguided", 0.6, preset="unguided"), *arms)
    assert plain(dose_response(found, "robust")).startswith(
        "Robust accuracy: strength 0.1 and 0.2 lie above unguided, 0.8 lies below unguided;"
        " no other can be told from it"
    )
    one = result(arm("unguided", 0.6, preset="unguided"), arms[1], arms[3])
    assert "no other" not in plain(dose_response(one, "robust"))
    none = result(
        arm("unguided", 0.6, preset="unguided"), arms[2], replace(arms[0], difference=None)
    )
    assert "means lie within" in plain(dose_response(none, "robust"))
    assert "lie above" not in plain(dose_response(found, "frechet"))


def test_without_a_numeric_setting_every_arm_is_a_point_with_its_interval_and_seeds() -> None:
    found = result(arm("unguided", 0.39, preset="unguided"), arm("guided", 0.42, preset="default"))
    assert not factors(found)
    drawn = dose_response(found, "robust")
    means = {trace.name: trace for trace in drawn.data if trace.marker.size == 11}
    assert means["guided"].x == (42.0,) and means["guided"].error_x.array[0] == pytest.approx(2)
    seeds = next(t for t in drawn.data if t.name == "guided" and t.marker.size == 5)
    assert list(seeds.x) == pytest.approx([41, 43])
    assert "unguided (control)" in plain(drawn)


def test_every_cell_of_the_map_is_the_arm_with_those_settings() -> None:
    heat = heat_map(grid(), "generate.strength", "generate.temperature", "robust").data[0]
    assert (list(heat.x), list(heat.y)) == (["0.05", "0.1", "0.8"], ["0.1", "0.5"])
    assert list(heat.z[1]) == pytest.approx([41.0, 41.5, 48.5]) and heat.text[0][0] == "40.6"
    distances = heat_map(grid(), "generate.strength", "generate.temperature", "frechet").data[0]
    assert distances.z[0][0] == pytest.approx(4.06)


def test_the_front_joins_the_arms_that_are_on_it() -> None:
    found = result(*grid().arms, objective=("robust", "frechet"))
    drawn = pareto_front(found)
    assert list(drawn.data[0].y) == pytest.approx([41.1, 41.5])
    assert len(drawn.data) == 1 + len(found.arms)
    assert front_finding(found).startswith("2 of 8 arms are on the front of robust accuracy and")
    assert "s0.1 t0.1" in plain(drawn)
    # Intervals that reach over all arms, as those of the distance do here, are said, not drawn.
    assert "wider than this picture" in plain(drawn)
    assert all(trace.error_y.array is None for trace in drawn.data)
    near = [
        replace(a, figures=a.figures | {"frechet": replace(a.figures["frechet"], low=2.9, high=5)})
        for a in found.arms
    ]
    drawn = pareto_front(replace(found, arms=tuple(near)))
    assert "whiskers" in plain(drawn) and drawn.data[1].error_y.array[0] == pytest.approx(2)


def test_names_on_a_front_never_share_a_line() -> None:
    near = [0.400, 0.402, 0.401]  # points within a line of each other, none better in both
    arms = [
        replace(a, front=True, figures={**a.figures, "clean": Interval(0.7 - v, 0, 1, 3)})
        for a, v in zip([arm(f"a{v}", v) for v in near], near, strict=True)
    ]
    drawn = pareto_front(result(*arms, arm("far", 0.1), objective=("robust", "clean")))
    low, high = drawn.layout.yaxis.range
    lines = sorted(
        330 * (name.y - low) / (high - low) + name.yshift
        for name in drawn.layout.annotations
        if name.text in {a.name for a in arms}
    )
    assert len(lines) == 3
    assert all(b - a >= 14 - 1e-6 for a, b in pairwise(lines))


def test_where_intervals_are_wider_than_all_that_differs_the_seeds_are_drawn() -> None:
    wide = [
        replace(a, figures={"robust": Interval(a.figures["robust"].value, 0, 1, 2)})
        for a in grid().arms
    ]
    drawn = dose_response(result(*wide), "robust")
    assert not [trace for trace in drawn.data if trace.fill == "toself"]
    seeds = [trace for trace in drawn.data if trace.marker.size == 5]
    assert [len(trace.y) for trace in seeds] == [6, 6] and "small: seeds" in plain(drawn)


def test_rows_hold_the_numbers_and_the_report_all_of_it_without_markup_of_strangers() -> None:
    hostile = result(
        arm("unguided", 0.39),
        arm(HOSTILE, 0.42, strength=0.1),
        arm("c", 0.5, strength=0.3),
        proxies=(Proxy("agreement", Interval(0.5, 0, 1, 5), "Judge agreement rises."),),
        notes=("a <b>note</b>",),
    )
    rows = arm_rows(hostile)
    assert rows[0]["robust accuracy [%]"] == 39 and rows[2]["strength"] == "0.3"
    assert len({tuple(row) for row in rows}) == 1
    assert [row["robust [%]"] for row in arm_summary(hostile)] == [39, 42, 50]
    assert [row["robust"] for row in cell_rows(hostile)][:2] == pytest.approx([0.38, 0.40])
    page = experiment_html(hostile, settings="name: x", link="http://here")
    assert "Judge agreement rises." in page and "<b>note</b>" not in page and "name: x" in page
    assert HOSTILE not in page.replace("&lt;", "")


def test_before_anything_is_measured_a_figure_says_so() -> None:
    empty = result(ArmResult("a", {}, (), None, {}, {}))
    assert measured(empty) == [] and "No arm is finished" in plain(arm_points(empty, "robust"))
    assert "No pair" in experiment_html(result(verdict=""), settings="")
