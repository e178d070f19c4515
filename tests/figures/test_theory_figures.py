"""Figures of the Gaussian model: what is drawn is what was given, how it was computed is said, and
titles say the finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.config.theory import TheoryConfig
from cdp.figures.frame import heading_of
from cdp.figures.theory import (
    Placed,
    accuracy_curves,
    accuracy_map,
    accuracy_text,
    coordinate_lines,
    guided_accuracy,
    guided_mean,
    needed_curve,
    plane,
    samples_text,
)
from cdp.theory import views
from cdp.values.types import Interval

CONFIG = TheoryConfig(dim=30, nonzero=8, angle=25)
TRAINED = CONFIG.model_copy(update={"learner": "adversarial-logistic", "n": 50})
NEEDED: dict[str, Any] = {"here": 1.0, "limit": 60.0, "lawful": True, "learner": "Averaging"}
MAP: dict[str, Any] = {"title": "A finding", "learner": "x", "here": (1.0, 25.0), "real": 20.0}
PLANE: dict[str, Any] = {"norm": "linf", "epsilon": 0.25, "sigma": 1.0, "noise": 1.0}
COORDINATES: dict[str, Any] = {"epsilon": 0.25, "norm": "linf", "n": 1000}
GUIDED: dict[str, Any] = {"strength": 0.5, "learner": "Averaging"}


def drawn(config: TheoryConfig, what: views.What) -> list[views.Row]:
    return views.VIEWS[what](config) + views.points(config, what, lambda share: None)


def title(figure: go.Figure) -> str:
    return " ".join(heading_of(figure)).replace("\u00a0", " ")


def trace(figure: go.Figure, name: str) -> Any:
    return next(t for t in figure.data if t.name and t.name.replace("\u00a0", " ") == name)


def test_a_line_and_its_points_are_the_numbers_given_and_each_says_how_it_was_computed() -> None:
    rows = drawn(CONFIG, "curves")
    figure = accuracy_curves(rows, n=1000, best=95.0, learner="Averaging")
    own = [row for row in rows if row["separation"] == 1]
    line = [row["robust [%]"] for row in own if row["kind"] == "asymptotic"]
    points = [row for row in own if row["kind"] == "simulated"]
    first, second = (trace(figure, f"c = {c}, asymptotic") for c in (1, 2))
    assert list(first.y) == line
    assert first.line.color != second.line.color and first.line.dash != second.line.dash
    marks = trace(figure, "c = 1, simulated")
    assert list(marks.y) == [row["robust [%]"] for row in points]
    lows = np.array(marks.y) - np.array(marks.error_y.arrayminus)
    np.testing.assert_allclose(lows, [row["robust low"] for row in points])
    assert title(figure).startswith("1,000 synthetic samples give")
    assert "points: simulated, 200 draws each" in title(figure)


def test_without_a_formula_points_are_joined_and_the_limit_is_marked() -> None:
    rows = drawn(TRAINED.model_copy(update={"dim": 8}), "curves")
    figure = accuracy_curves(rows, n=50, best=95.0, learner="Trained")
    assert trace(figure, "c = 1, simulated").mode == "lines+markers"
    assert len(trace(figure, "c = 1, limit (exact)").y) == 1
    assert "(simulated)" in title(figure) and "no formula for finite n" in title(figure)
    limits = [row for row in rows if row["kind"] == "exact"]
    bare = accuracy_curves(limits, n=50, best=95.0, learner="Trained")
    assert title(bare).startswith("Robust accuracy against n: the simulation is under way")


def needed(n: float | None) -> list[views.Row]:
    counts = [None if n is None else n / c**2 for c in (0.5, 1.0, 2.0)]
    return [
        {"separation": c, "target [%]": 90.0, "samples needed": count, "kind": "asymptotic"}
        | {"by the c-squared law": count}
        for c, count in zip((0.5, 1.0, 2.0), counts, strict=True)
    ]


def test_samples_needed_are_drawn_beside_the_law_and_the_title_says_how_many_times_fewer() -> None:
    figure = needed_curve(needed(100), **NEEDED)
    assert list(trace(figure, "solved for n, asymptotic").y) == [400, 100, 25]
    assert list(trace(figure, "c-squared law: n / c²").y) == [400, 100, 25]
    wanted = "90.0 % takes 100 samples at c = 1 and 25 at c = 2: 4 times fewer"
    assert title(figure).startswith(wanted) and "the law is exact" in title(figure)
    assert "no such law" in title(needed_curve(needed(100), **NEEDED | {"lawful": False}))
    out = needed_curve(needed(None), **NEEDED)
    assert title(out).startswith("90.0 % is out of reach here: endless samples give 60.0 %")
    assert not out.data


def test_the_map_has_the_accuracies_the_present_settings_and_what_was_placed_on_it() -> None:
    rows = views.heat_map(CONFIG)
    placed = Placed("a <b>set</b>", Interval(30, 25, 40, 300), Interval(30, 20, 45, 300))
    figure = accuracy_map(rows, **MAP, placed=placed)
    assert list(np.ravel(figure.data[0].z)) == [row["robust [%]"] for row in rows]
    mark = trace(accuracy_map(rows, **MAP), "these settings")
    assert (mark.x[0], mark.y[0]) == (1, 25)
    spot = next(t for t in figure.data if t.name == "a &lt;b&gt;set&lt;/b&gt;" and t.showlegend)
    assert np.allclose([spot.error_x.array[0], spot.error_x.arrayminus[0]], [10, 5])
    assert np.allclose([spot.error_y.array[0], spot.error_y.arrayminus[0]], [15, 10])
    assert "asymptotic in the dimension" in title(figure) and "n = 1,000" in title(figure)
    assert figure.layout.xaxis.range[1] == pytest.approx(np.log10(40))
    flat = [row | {"robust [%]": 50.0} for row in rows]
    assert accuracy_map(flat, **MAP).data[0].zmin < 50 < accuracy_map(flat, **MAP).data[0].zmax


def test_the_picture_has_both_classes_of_both_data_and_boundaries_with_their_tubes() -> None:
    rows = views.picture(CONFIG, draws=50)
    figure = plane(rows, **PLANE)
    names = [t.name for t in figure.data if t.showlegend is not False and t.mode == "markers"]
    clouds = [f"{of}, class {label}" for of in ("real", "synthetic") for label in ("+1", "−1")]
    assert names == clouds
    assert sum(len(t.x) for t in figure.data if t.mode == "markers") == 100
    for row in (row for row in rows if row["what"] == "normal of the boundary"):
        normal = np.array([row["along mu"], row["beside mu"]])
        line = next(t for t in figure.data if t.name and t.name.startswith(f"{row['of']}:"))
        assert np.allclose(np.array([line.x, line.y], float).T @ normal, 0, atol=1e-6)
        band = next(t for t in figure.data if t.fill == "toself" and t.legendgroup == row["of"])
        distance = np.abs(np.array([band.x, band.y], float).T @ normal)
        assert np.allclose(distance, row["tube half width"], rtol=1e-4)
    nothing = views.picture(CONFIG.model_copy(update={"epsilon": 50.0}), draws=50)
    assert "no boundary does better than guessing" in title(plane(nothing, **PLANE))


def test_coordinates_are_drawn_at_one_length() -> None:
    rows = views.coordinates(CONFIG)
    figure = coordinate_lines(rows, **COORDINATES)
    mu = np.array([row["mu"] for row in rows])
    best = trace(figure, "robust optimum").y
    assert np.linalg.norm(best) == pytest.approx(np.linalg.norm(mu))
    assert np.allclose(trace(figure, "real mean mu").y, mu[: len(best)])
    assert figure.layout.shapes[0].y1 == CONFIG.epsilon
    assert "25° from it" in title(figure)
    assert not coordinate_lines(rows, **COORDINATES | {"norm": "l2"}).layout.shapes


def test_the_guided_mean_rests_at_its_strength_on_the_curve_and_the_way() -> None:
    rows = drawn(CONFIG, "guided")
    figure = guided_mean(rows, **GUIDED)
    at = {row["strength"]: row for row in rows if row["kind"] == "asymptotic"}
    follows = guided_accuracy(rows, best=95.0, **GUIDED)
    assert follows.data[-1].x[0] == 0.5 and follows.data[-1].y[0] == at[0.5]["robust [%]"]
    mean, goal = (np.array([t.x[1], t.y[1]]) for t in map(figure.data.__getitem__, (3, 2)))
    angle = np.degrees(np.arccos(mean @ goal))
    assert angle == pytest.approx(at[0.5]["angle to the optimum"], abs=1e-6)
    assert list(trace(follows, "simulated").x) == list(views.STRENGTHS)
    assert "asymptotic" in title(follows) and "Strength 0.5 turns the mean from" in title(figure)
    assert "past it" in title(guided_mean(rows, **GUIDED | {"strength": 2.0}))
    assert title(guided_mean(rows, **GUIDED | {"strength": 0.0})).startswith("Unguided, the mean")
    endless = guided_accuracy(views.guided(TRAINED), best=95.0, **GUIDED)
    assert len(trace(endless, "in the limit, exact").y) == 41


@pytest.mark.parametrize(
    "make",
    [
        lambda: accuracy_curves(views.curves(CONFIG), n=10, best=95.0, learner="x"),
        lambda: needed_curve(views.needed_table(CONFIG), **NEEDED),
        lambda: accuracy_map(views.heat_map(CONFIG), **MAP),
        lambda: plane(views.picture(CONFIG, draws=20), **PLANE),
        lambda: coordinate_lines(views.coordinates(CONFIG), **COORDINATES),
        lambda: guided_mean(views.guided(CONFIG), **GUIDED),
        lambda: guided_accuracy(views.guided(CONFIG), best=95.0, **GUIDED),
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
    accuracies = {71.3: "71.3 %", 99.999: "100 %", 1e-4: "0.0001 %"}
    assert {value: accuracy_text(value) for value in accuracies} == accuracies
