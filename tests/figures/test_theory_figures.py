"""Figures of the Gaussian model: what is drawn is what was given, how it was found is said, and
titles say the finding."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.config.theory import TheoryConfig
from cdp.figures.theory import (
    accuracy_curves,
    accuracy_text,
    curve_rows,
    needed_curve,
    needed_rows,
    samples_text,
)
from cdp.figures.theory_map import Placed, accuracy_map, coordinate_lines, coordinate_rows, map_rows
from cdp.figures.theory_plane import guided_mean, guided_rows, plane, plane_rows
from cdp.theory import geometry, views
from cdp.theory.views import AccuracyCurve, HeatMap, Needed, NeededTable, Points
from cdp.values.types import Interval

N = np.array([1.0, 10.0, 100.0, 1000.0])
POINTS = Points(
    np.array([1.0, 100.0]), np.array([0.5, 0.7]), np.array([0.45, 0.66]), np.array([0.55, 0.73]), 40
)
CONFIG = TheoryConfig(dim=30, nonzero=8, angle=25)


def curve(separation: float = 1.0, **change: Any) -> AccuracyCurve:
    plain: dict[str, Any] = {
        "value": np.array([0.5, 0.6, 0.7, 0.8]),
        "kind": "exact",
        "limit": 0.9,
        "limit_kind": "exact",
        "simulated": None,
        "best": 0.95,
    }
    return AccuracyCurve(separation, "averaging", N, **(plain | change))


def title(figure: go.Figure) -> str:
    return re.sub("<[^>]*>", "", figure.layout.annotations[0].text.replace("<br>", " ")).replace(
        "\u00a0", " "
    )


def trace(figure: go.Figure, name: str) -> Any:
    return next(one for one in figure.data if one.name and one.name.replace("\u00a0", " ") == name)


def shares(values: Any) -> list[float]:
    return [round(float(value) / 100, 9) for value in values]


def test_a_line_and_its_points_are_the_numbers_given_and_each_says_how_it_was_found() -> None:
    figure = accuracy_curves(
        [curve(simulated=POINTS), curve(2.0, kind="asymptotic")],
        n=1000,
        at=[0.8, 0.81],
        learner="Averaging",
    )
    assert shares(trace(figure, "c = 1, exact").y) == [0.5, 0.6, 0.7, 0.8]
    assert trace(figure, "c = 2, asymptotic").line.color != trace(figure, "c = 1, exact").line.color
    assert trace(figure, "c = 2, asymptotic").line.dash != trace(figure, "c = 1, exact").line.dash
    points = trace(figure, "c = 1, simulated")
    assert shares(points.y) == [0.5, 0.7]
    assert np.allclose(points.error_y.array, [5, 3]) and np.allclose(
        points.error_y.arrayminus, [5, 4]
    )
    assert "exact and asymptotic" in title(figure) and "points: simulated, 40 draws each" in title(
        figure
    )
    assert title(figure).startswith(
        "1,000 synthetic samples give 80.0 % at c = 1, 81.0 % at c = 2 (exact)"
    )


def test_without_a_formula_points_are_joined_the_limit_is_marked_and_the_title_is_what_was_simulated() -> (
    None
):
    figure = accuracy_curves(
        [curve(value=None, kind=None, simulated=POINTS)], n=1000, at=[None], learner="Trained"
    )
    assert trace(figure, "c = 1, simulated").mode == "lines+markers"
    assert shares(trace(figure, "c = 1, limit (exact)").y) == [0.9]
    assert title(figure).startswith("100 synthetic samples give 70.0 % at c = 1 (simulated)")
    assert "no formula for finite n" in title(figure)
    nothing = accuracy_curves([curve(value=None, kind=None)], n=1000, at=[None], learner="Trained")
    assert title(nothing).startswith("How fast does robust accuracy grow with n?")


def test_rows_of_curves_hold_lines_limit_and_points_with_their_kinds() -> None:
    rows = curve_rows([curve(simulated=POINTS)])
    assert [row["kind"] for row in rows] == ["exact"] * 5 + ["simulated"] * 2
    assert rows[4]["n"] == math.inf and rows[4]["robust [%]"] == 90
    assert rows[-1] == {
        "separation": 1.0,
        "learner": "averaging",
        "n": 100.0,
        "robust [%]": 70.0,
        "robust low": 66.0,
        "robust high": 73.0,
        "draws": 40,
        "kind": "simulated",
    }


def table(**change: Any) -> NeededTable:
    rows = tuple(Needed(c, 100 / c**2, 100 / c**2) for c in (0.5, 1.0, 2.0))
    return NeededTable(
        **(
            {"rows": rows, "target": 0.9, "kind": "asymptotic", "limit": 0.97, "lawful": "exact"}
            | change
        )
    )


def test_samples_needed_are_drawn_beside_the_law_and_the_title_says_how_many_times_fewer() -> None:
    figure = needed_curve(table(), here=1.0, learner="Averaging")
    assert list(trace(figure, "solved for n, asymptotic").y) == [400, 100, 25]
    assert list(trace(figure, "c-squared law: n / c²").y) == [400, 100, 25]
    assert title(figure).startswith(
        "90.0 % takes 100 samples at c = 1 and 25 at c = 2: 4 times fewer"
    )
    assert "the law is exact" in title(figure)
    assert "this learner has no such law" in title(
        needed_curve(table(lawful=None), here=1.0, learner="x")
    )
    assert needed_rows(table())[2]["samples needed"] == 25


def test_a_target_out_of_reach_says_what_endless_samples_give() -> None:
    rows = tuple(Needed(c, None, None) for c in (0.5, 1.0, 2.0))
    figure = needed_curve(table(rows=rows, limit=0.6), here=1.0, learner="Averaging")
    assert title(figure).startswith("90.0 % is out of reach here: endless samples give 60.0 %")
    assert not figure.data


def heat(**change: Any) -> HeatMap:
    values = np.linspace(0.2, 0.9, 12).reshape(3, 4)
    plain: dict[str, Any] = {
        "values": values,
        "kind": "asymptotic",
        "n": 500,
        "here": (1.0, 20.0),
        "real": (1.0, 22.0),
    }
    return HeatMap(np.array([0.1, 0.5, 1, 10]), np.array([0.0, 45, 90]), **(plain | change))


def test_the_map_has_the_accuracies_the_present_settings_and_what_was_placed_on_it() -> None:
    placed = Placed("a <b>set</b>", Interval(1.5, 1.2, 1.9, 300), Interval(30, 20, 45, 300))
    figure = accuracy_map(heat(), title="A finding", note="Averaging", placed=placed)
    surface = figure.data[0]
    assert np.allclose(surface.z, 100 * heat().values) and list(surface.x) == [0.1, 0.5, 1, 10]
    mark = trace(accuracy_map(heat(), title="x", note=""), "these settings")
    assert (mark.x[0], mark.y[0]) == (1, 20)
    spot = trace(figure, "a &lt;b&gt;set&lt;/b&gt;")
    assert np.allclose([spot.error_x.array[0], spot.error_x.arrayminus[0]], [0.4, 0.3])
    assert np.allclose([spot.error_y.array[0], spot.error_y.arrayminus[0]], [15, 10])
    assert "asymptotic in the dimension" in title(figure) and "n = 500" in title(figure)
    assert len(map_rows(heat())) == 12 and map_rows(heat())[-1]["robust [%]"] == 90


def test_what_lies_beyond_the_map_widens_it() -> None:
    far = Placed("far", Interval(30, 25, 40, 10), Interval(80, 70, 85, 10))
    figure = accuracy_map(heat(), title="x", note="", placed=far)
    assert figure.layout.xaxis.range[1] == pytest.approx(math.log10(40))


def test_a_map_of_one_value_is_drawn() -> None:
    figure = accuracy_map(heat(values=np.full((3, 4), 0.5)), title="x", note="")
    assert figure.data[0].zmin < 50 < figure.data[0].zmax


def test_the_picture_has_both_classes_of_both_data_and_boundaries_with_their_tubes() -> None:
    found = geometry.picture(CONFIG, points=50)
    figure = plane(found)
    names = [one.name for one in figure.data if one.showlegend is not False]
    assert [name for name in names if name and name.startswith(("real", "synthetic"))] == [
        "real, class +1",
        "real, class −1",
        "synthetic, class +1",
        "synthetic, class −1",
    ]
    drawn = sum(len(one.x) for one in figure.data if one.mode == "markers")
    assert drawn == 100
    for boundary in (found.optimal, found.learned):
        assert boundary is not None
        line = next(
            one for one in figure.data if one.name and one.name.startswith(f"{boundary.name}:")
        )
        ends = np.array([line.x, line.y], float).T
        assert np.allclose(ends @ boundary.normal, 0, atol=1e-9)
        band = next(
            one for one in figure.data if one.fill == "toself" and one.legendgroup == boundary.name
        )
        distance = np.abs(np.array([band.x, band.y], float).T @ boundary.normal)
        assert np.allclose(distance, boundary.half_width)
    assert accuracy_text(found.learned.accuracy) in title(figure)
    rows = plane_rows(found)
    assert {row["kind"] for row in rows if row["what"] == "draw"} == {"simulated"}
    assert {row["kind"] for row in rows if row["what"] != "draw"} == {"exact"}
    assert len({tuple(row) for row in rows}) == 1


def test_a_picture_where_nothing_beats_guessing_says_so() -> None:
    found = geometry.picture(CONFIG.model_copy(update={"epsilon": 50.0}), points=50)
    assert found.optimal is None
    assert "no boundary does better than guessing" in title(plane(found))


def test_coordinates_are_drawn_at_one_length_and_the_table_has_them_as_they_are() -> None:
    found = geometry.coordinates(CONFIG)
    figure = coordinate_lines(found, epsilon=CONFIG.epsilon, norm="linf", n=CONFIG.n)
    drawn = np.array(trace(figure, "robust optimum").y)
    assert np.linalg.norm(drawn) == pytest.approx(np.linalg.norm(found.mu))
    assert np.allclose(np.array(trace(figure, "real mean mu").y), found.mu[: len(drawn)])
    rows = coordinate_rows(found)
    assert len(rows) == CONFIG.dim
    assert [row["optimum"] for row in rows] == list(found.optimum)
    assert figure.layout.shapes[0].y1 == CONFIG.epsilon
    assert f"{found.synthetic_to_optimum:.0f}° from it" in title(figure)
    assert not coordinate_lines(
        geometry.coordinates(CONFIG.model_copy(update={"norm": "l2"})), epsilon=0.2, norm="l2", n=10
    ).layout.shapes


def test_frames_of_the_guided_mean_move_the_mean_and_nothing_plays_by_itself() -> None:
    found = views.guided(CONFIG)
    figure = guided_mean(found, strength=0.5, points=None)
    assert len(figure.frames) == len(found.strengths) == len(figure.layout.sliders[0].steps)
    for k in (0, 10, 40):
        assert np.allclose(
            [figure.frames[k].data[1].x[0], figure.frames[k].data[1].y[0]], found.means[k]
        )
        assert found.value is not None
        assert figure.frames[k].data[2].y[0] == pytest.approx(100 * found.value[k])
    assert tuple(figure.frames[0].traces) == tuple(range(len(figure.data) - 3, len(figure.data)))
    assert figure.layout.sliders[0].active == 10
    assert figure.data[-2].x[0] == pytest.approx(found.means[10, 0])
    # Pressed by a person only, and without movement between frames.
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == [
        "▶ Play",
        "❚❚ Pause",
    ]
    assert all(
        step.args[1]["transition"]["duration"] == 0 for step in figure.layout.sliders[0].steps
    )
    assert "asymptotic" in title(figure) and "Strength 0.5 turns the mean from" in title(figure)
    assert "past it" in title(guided_mean(found, strength=2.0, points=None))
    assert title(guided_mean(found, strength=0.0, points=None)).startswith(
        "Unguided, the mean points"
    )


def test_without_a_formula_guidance_is_drawn_in_the_limit_with_simulated_points() -> None:
    config = CONFIG.model_copy(update={"learner": "adversarial-logistic", "n": 50})
    found = views.guided(config)
    assert found.value is None
    points = Points(
        np.array([0.0, 1.0]), np.array([0.6, 0.7]), np.array([0.5, 0.6]), np.array([0.7, 0.8]), 20
    )
    figure = guided_mean(found, strength=1.0, points=points)
    assert np.allclose(trace(figure, "in the limit, exact").y, 100 * found.limit)
    assert list(trace(figure, "simulated").y) == [60, 70]
    rows = guided_rows(found, points)
    assert {row["kind"] for row in rows} == {"exact", "simulated"}
    assert [row["n"] for row in rows if row["kind"] == "exact"] == [math.inf] * 41


@pytest.mark.parametrize(
    "make",
    [
        lambda: accuracy_curves([curve(simulated=POINTS)], n=10, at=[0.6], learner="x"),
        lambda: needed_curve(table(), here=1.0, learner="x"),
        lambda: accuracy_map(heat(), title="x", note=""),
        lambda: plane(geometry.picture(CONFIG, points=20)),
        lambda: coordinate_lines(geometry.coordinates(CONFIG), epsilon=0.2, norm="linf", n=10),
        lambda: guided_mean(views.guided(CONFIG), strength=0.5, points=None),
    ],
)
def test_every_figure_is_valid_json_and_names_the_picture_it_is_saved_as(
    make: Callable[[], go.Figure],
) -> None:
    figure = make()
    json.loads(figure.to_json(), parse_constant=lambda _: pytest.fail("NaN in a figure"))
    assert re.fullmatch("[a-z-]+", figure.layout.meta["png"])
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_numbers_are_written_for_people() -> None:
    counts = {0.3: "under 1", 1.0: "1", 1435.4: "1,435", 2_300_000: "2.3 million"}
    assert {n: samples_text(n) for n in counts} == counts
    # Near their ends accuracies keep the digits that tell them apart.
    accuracies = {0.713: "71.3 %", 0.99999: "100 %", 1e-6: "0.0001 %"}
    assert {value: accuracy_text(value) for value in accuracies} == accuracies
    axis = accuracy_curves([curve()], n=10, at=[0.6], learner="x").layout.xaxis
    assert axis.ticktext == ("1", "10", "100", "1k")
