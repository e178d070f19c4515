"""The map draws every point once where it is, says what it is by colour and symbol, and keeps one
identity while colours change."""

from __future__ import annotations

import base64
import itertools
import json
import time
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.errors import InputError
from cdp.figures.embedding import _apart, embedding_rows, embedding_scatter
from cdp.figures.palette import VIRIDIS, Scale, class_sign, role_sign
from cdp.values.types import Embedding
from tests.figures.test_palette import DARK, WHITE, contrast

Color = Literal["class", "set", "score"]
Layout = Literal["overlaid", "side by side"]
COLORS: tuple[Color, ...] = ("class", "set", "score")
LAYOUTS: tuple[Layout, ...] = ("overlaid", "side by side")


def world(n: int, *, dims: int = 2, sets: int = 2, classes: int = 3) -> Embedding:
    rng = np.random.default_rng(n)
    coordinates = rng.normal(size=(n, dims)).astype(np.float32)
    which, label = np.sort(rng.integers(0, sets, n)), rng.integers(0, classes, n)
    names = tuple(f"set {k}" for k in range(sets)), tuple(f"class {k}" for k in range(classes))
    return Embedding(*names, (n,) * sets, coordinates, which, np.arange(n), label)


def sent(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces that hold points, as a browser reads them."""
    traces = json.loads(figure.to_json())["data"]
    for trace in traces:
        names = ("x", "y", "z", "customdata")
        for holder, name in [*((trace, name) for name in names), (trace["marker"], "color")]:
            if isinstance(holder.get(name), dict):
                data = base64.b64decode(holder[name]["bdata"])
                holder[name] = np.frombuffer(data, f"<{holder[name]['dtype']}")
    return [trace for trace in traces if "customdata" in trace]


def points_of(traces: list[dict[str, Any]]) -> list[int]:
    return sorted(np.concatenate([trace["customdata"] for trace in traces]).tolist())


def score_of(embedding: Embedding) -> np.ndarray:
    values = np.random.default_rng(1).normal(size=len(embedding))
    values[::7] = np.nan
    return values


@pytest.mark.parametrize(
    ("color_by", "layout", "dims"), list(itertools.product(COLORS, LAYOUTS, (2, 3)))
)
def test_every_point_is_drawn_once_at_its_place_in_its_panel(
    color_by: Color, layout: Layout, dims: int
) -> None:
    embedding = world(200, dims=dims)
    look: Any = {"color_by": color_by, "layout": layout, "score": score_of(embedding)}
    traces = sent(embedding_scatter(embedding, key="k", **look))
    assert points_of(traces) == list(range(200))
    for trace in traces:
        points = trace["customdata"]
        assert points.dtype == np.int32
        drawn = np.stack([trace[letter] for letter in "xyz"[:dims]], axis=1)
        assert (drawn == embedding.coordinates[points]).all()
        place = trace["scene"].removeprefix("scene") if dims == 3 else trace["xaxis"][1:]
        sets = set(embedding.which[points].tolist())
        assert sets == {int(place or 1) - 1} if layout == "side by side" else place == ""


def test_a_class_has_its_sign_and_one_legend_entry_that_all_panels_obey() -> None:
    embedding = world(200)
    figure = embedding_scatter(embedding, color_by="class", layout="side by side", key="k")
    for trace in sent(figure):
        (k,) = set(embedding.label[trace["customdata"]].tolist())
        sign, mark = class_sign(k, f"class {k}"), trace["marker"]
        assert (mark["color"], mark["symbol"]) == (sign.color, sign.symbol)
        assert (trace["name"], trace["legendgroup"]) == (sign.name, f"class-{k}")
    entries = [(trace.name, trace.legendgroup) for trace in figure.data if trace.showlegend]
    assert entries == [(f"class {k}", f"class-{k}") for k in range(3)]


def test_a_set_has_the_sign_that_is_given_for_its_name() -> None:
    signs = {f"set {k}": role_sign("unguided", k, f"set {k}") for k in range(3)}
    figure = embedding_scatter(world(90), color_by="set", key="k", signs=signs)
    for k, trace in enumerate(sent(figure)):
        sign, mark = signs[f"set {k}"], trace["marker"]
        expected = (sign.name, sign.color, sign.symbol)
        assert (trace["name"], mark["color"], mark["symbol"]) == expected


def test_classes_differ_in_the_few_symbols_of_three_dimensions_and_a_crowd_is_dots() -> None:
    def symbols(embedding: Embedding) -> set[tuple[str, str]]:
        traces = sent(embedding_scatter(embedding, color_by="class", key="k"))
        return {(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in traces}

    assert len(symbols(world(2000, dims=3, classes=20))) == 20
    assert {one for _, one in symbols(world(19_000))} == {class_sign(k).symbol for k in range(3)}
    assert {one for _, one in symbols(world(20_000))} == {"circle"}


def test_points_without_a_value_are_grey_and_named_and_the_others_have_theirs() -> None:
    embedding = world(400)
    score = score_of(embedding)
    look: Any = {"color_by": "score", "score": score, "score_title": "d < 1"}
    figure = embedding_scatter(embedding, key="k", **look)
    low, high = figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax
    for trace in sent(figure):
        points, color = trace["customdata"], trace["marker"]["color"]
        if trace["name"] == "no value":
            assert np.isnan(score[points]).all() and isinstance(color, str)
        else:
            off = np.abs(color - np.clip(score[points], low, high)).max()
            assert off <= (high - low) / 126 + 1e-6
    assert {trace["name"] for trace in sent(figure)} == {"set 0", "set 1", "no value"}
    assert figure.layout.coloraxis.colorbar.title.text == "d &lt; 1"


def test_an_outlier_does_not_flatten_the_others_and_the_bar_says_so() -> None:
    scale = Scale.of(np.append(np.linspace(0, 1, 999), 1000.0))
    plain = Scale.of(np.array([2.0, 3.0]))
    assert scale and plain and scale.axis("score")["cmax"] < 2
    ticks = scale.axis("score")["colorbar"]["ticktext"]
    assert ticks[-1].startswith("≥") and ticks[0].startswith("≤")
    assert plain.axis("score")["colorbar"]["ticktext"][0] == "2"


def test_a_score_has_at_most_64_different_colours_and_the_order_of_its_values() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=5000))
    scale = Scale.of(values)
    assert scale and len(np.unique(scale.levels(values))) == 64
    assert (np.diff(scale.levels(values)) >= 0).all()


@pytest.mark.parametrize("background", [WHITE, DARK])
def test_every_colour_of_the_scale_can_be_seen_on_both_themes(background: str) -> None:
    assert min(contrast(color, background) for color in VIRIDIS) >= 1.5


def test_what_a_filter_leaves_out_is_faint_below_the_others_and_dead_to_the_mouse() -> None:
    mask = np.arange(300) % 3 == 0
    look: Any = {"color_by": "class", "layout": "side by side", "mask": mask}
    traces = sent(embedding_scatter(world(300), key="k", **look))
    faint, strong = traces[:2], traces[2:]
    assert points_of(faint) == np.flatnonzero(~mask).tolist()
    assert points_of(strong) == np.flatnonzero(mask).tolist()
    for trace in faint:
        assert trace["hoverinfo"] == "skip" and not trace["showlegend"]
        assert "legendgroup" not in trace
    opacity = [[trace["marker"]["opacity"] for trace in part] for part in (faint, strong)]
    assert max(opacity[0]) < min(opacity[1]) / 2


def test_zoom_selection_and_hidden_classes_belong_to_the_coordinates_and_not_to_the_colours() -> (
    None
):
    embedding, score = world(100), np.arange(100.0)

    def revision(key: str, color_by: Color, layout: Layout) -> str:
        look: Any = {"color_by": color_by, "layout": layout, "score": score}
        return str(embedding_scatter(embedding, key=key, **look).layout.uirevision)

    assert {revision("k", *look) for look in itertools.product(COLORS, LAYOUTS)} == {"k"}
    assert revision("other", "class", "overlaid") == "other"


def test_panels_have_linked_axes_of_equal_scale_and_the_names_and_sizes_of_their_sets() -> None:
    embedding = world(300, sets=4)
    look: Any = {"color_by": "class", "layout": "side by side", "axis": "PCA"}
    layout = embedding_scatter(embedding, key="k", **look).layout
    for k in (2, 3, 4):
        assert layout[f"xaxis{k}"].matches == "x" and layout[f"yaxis{k}"].matches == "y"
    assert layout.yaxis.scaleanchor == "x"
    across = embedding.coordinates[:, 0]
    assert layout.xaxis.autorangeoptions.include == (across.min(), across.max())
    counts = [int((embedding.which == k).sum()) for k in range(4)]
    titles = [f"set {k} · n = {count}" for k, count in enumerate(counts)]
    assert [a.text for a in layout.annotations[:4]] == titles
    names = [(a.text, a.name, a.xref) for a in layout.annotations[4:]]
    panels = ("x", "x2", "x3", "x4")
    assert names == [(f"class {k}", f"class-{k}", x) for x in panels for k in range(3)]
    axes = (layout.xaxis, layout.xaxis3, layout.yaxis)
    assert [axis.title.text for axis in axes] == ["", "PCA 1", "PCA 2"]
    long = replace(embedding, names=("fashion-mnist-none-64-seed0", *embedding.names[1:]))
    first = embedding_scatter(long, key="k", **look).layout.annotations[0].text
    assert first == f"fashion-mnist-none-64-seed0<br>n = {counts[0]}"


def test_the_names_of_classes_stand_at_their_centres_apart_and_not_where_a_class_is_absent() -> (
    None
):
    embedding = world(300)
    figure = embedding_scatter(embedding, color_by="class", key="k")
    for label in figure.layout.annotations:
        own = embedding.coordinates[embedding.label == int(str(label.name)[-1])]
        assert label.x == pytest.approx(float(np.median(own[:, 0])))
    mask = embedding.label != 1
    figure = embedding_scatter(embedding, color_by="class", key="k", mask=mask)
    assert [a.text for a in figure.layout.annotations] == ["class 0", "class 2"]
    crowd = _apart(np.zeros((10, 2)), np.tile([0.1, 0.05], (10, 1)))
    gaps = np.diff(np.sort(crowd[:, 1]))
    assert gaps.min() >= 0.049
    assert not embedding_scatter(embedding, color_by="set", key="k").layout.annotations


@pytest.mark.parametrize("sets", [1, 2, 3, 4])
def test_panels_do_not_overlap_and_a_narrow_window_puts_them_below_each_other(sets: int) -> None:
    look: Any = {"color_by": "set", "layout": "side by side"}
    figure = embedding_scatter(world(100, sets=sets), key="k", **look)
    layout = json.loads(figure.to_json())["layout"]
    numbers = ["", *range(2, sets + 1)]
    wide = [[layout[f"{letter}axis{k}"]["domain"] for letter in "xy"] for k in numbers]
    for (ax, ay), (bx, by) in itertools.combinations(wide, 2):
        assert ax[1] < bx[0] or bx[1] < ax[0] or ay[1] < by[0] or by[1] < ay[0]
    if sets > 1:
        narrow = layout["meta"]["narrow"]
        assert all(narrow[f"xaxis{k}.domain"] == [0, 1] for k in numbers)
        assert narrow["height"] > layout["height"]


def test_names_are_shown_as_they_are_written_and_long_ones_are_cut() -> None:
    places, which = np.zeros((2, 2), np.float32), np.array([0, 1])
    names = ("<b>a</b>", "x" * 99)
    embedding = Embedding(names, ("<i>",), (2, 2), places, which, which, np.zeros(2, int))
    drawn = [trace.name for trace in embedding_scatter(embedding, color_by="set", key="k").data]
    assert drawn[0] == "&lt;b&gt;a&lt;/b&gt;" and "x" * 39 + "…" in drawn


@pytest.mark.parametrize(
    ("n", "dims", "sets", "classes"),
    [(0, 2, 1, 1), (0, 3, 2, 3), (1, 2, 1, 1), (1, 3, 2, 1), (5, 2, 2, 1)],
)
def test_hardly_any_points_are_drawn_without_a_word(
    n: int, dims: int, sets: int, classes: int
) -> None:
    embedding = world(n, dims=dims, sets=sets, classes=classes)
    scores = (np.full(n, np.nan), np.ones(n))
    for color_by, layout, score in itertools.product(COLORS, LAYOUTS, scores):
        look: Any = {"color_by": color_by, "layout": layout, "score": score}
        figure = embedding_scatter(embedding, key="k", mask=np.zeros(n, bool), **look)
        assert sum(len(trace["customdata"]) for trace in sent(figure)) == n


@pytest.mark.parametrize(
    "wrong",
    [
        {"color_by": "score"},
        {"color_by": "score", "score": np.zeros(3)},
        {"color_by": "set", "mask": np.ones(3, bool)},
    ],
)
def test_a_score_or_mask_that_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"score|mask"):
        embedding_scatter(world(10), key="k", **wrong)


@pytest.mark.parametrize(("n", "seconds"), [(5_000, 0.3), (50_000, 1.0)])
def test_building_and_serialising_is_fast(n: int, seconds: float) -> None:
    """The best of three: the machine may be busy."""
    embedding, times = world(n, classes=10), []
    look: Any = {"color_by": "class", "layout": "side by side", "mask": np.arange(n) % 2 > 0}
    for _ in range(3):
        began = time.perf_counter()
        text = embedding_scatter(embedding, key="k", **look).to_json()
        times.append(time.perf_counter() - began)
    assert min(times) < seconds
    assert len(text) < 25 * n + 40_000, "arrays go as packed bytes, not as digits"


@pytest.mark.parametrize("dims", [2, 3])
def test_the_table_has_the_numbers_of_every_point(dims: int) -> None:
    embedding = world(50, dims=dims)
    rows = embedding_rows(embedding, {"score": score_of(embedding)})
    assert list(rows) == ["set", "row", "class", *"xyz"[:dims], "score"]
    for i in (0, 7, 49):
        names = (f"set {embedding.which[i]}", f"class {embedding.label[i]}", i)
        assert (rows["set"][i], rows["class"][i], rows["row"][i]) == names
        assert rows["y"][i] == embedding.coordinates[i, 1]
    assert rows["score"][7] is None and rows["score"][1] == score_of(embedding)[1]
    with pytest.raises(InputError, match="other"):
        embedding_rows(embedding, {"other": np.zeros(3)})
