"""The map draws every point once where it is, says what it is by colour and symbol, and keeps one
identity while colours change."""

from __future__ import annotations

import base64
import itertools
import json
import time
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.errors import InputError
from cdp.figures.embedding import embedding_rows, embedding_scatter
from cdp.figures.palette import VIRIDIS, Scale, class_sign, named_sign
from cdp.values.types import Embedding
from tests.figures.test_palette import DARK, WHITE, contrast

Color = Literal["class", "set", "score"]
Layout = Literal["overlaid", "side by side"]
COLORS: tuple[Color, ...] = ("class", "set", "score")
LAYOUTS: tuple[Layout, ...] = ("overlaid", "side by side")
TYPES = {
    "f4": np.float32,
    "f8": np.float64,
    "i4": np.int32,
    "i2": np.int16,
    "i1": np.int8,
    "u1": np.uint8,
    "u2": np.uint16,
}


def world(n: int, *, dims: int = 2, sets: int = 2, classes: int = 3) -> Embedding:
    rng = np.random.default_rng(n)
    coordinates = rng.normal(size=(n, dims)).astype(np.float32)
    which, label = np.sort(rng.integers(0, sets, n)), rng.integers(0, classes, n)
    return Embedding(
        tuple(f"set {k}" for k in range(sets)),
        tuple(f"class {k}" for k in range(classes)),
        (n,) * sets,
        coordinates,
        which,
        np.arange(n),
        label,
    )


def sent(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces that hold points, as a browser reads them."""
    traces = json.loads(figure.to_json())["data"]
    for trace in traces:
        for holder, name in (
            (trace, "x"),
            (trace, "y"),
            (trace, "z"),
            (trace, "customdata"),
            (trace["marker"], "color"),
        ):
            if isinstance(holder.get(name), dict):
                holder[name] = np.frombuffer(
                    base64.b64decode(holder[name]["bdata"]), TYPES[holder[name]["dtype"]]
                )
    return [trace for trace in traces if "customdata" in trace]


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
    traces = sent(
        embedding_scatter(
            embedding, color_by=color_by, layout=layout, score=score_of(embedding), key="k"
        )
    )
    drawn = np.concatenate([trace["customdata"] for trace in traces])
    assert sorted(drawn.tolist()) == list(range(200))
    for trace in traces:
        points = trace["customdata"]
        assert points.dtype == np.int32
        assert (
            np.stack([trace[letter] for letter in "xyz"[:dims]], axis=1)
            == embedding.coordinates[points]
        ).all()
        panel = (
            trace["scene"].removeprefix("scene") if dims == 3 else trace["xaxis"].removeprefix("x")
        ) or "1"
        if layout == "side by side":
            assert set(embedding.which[points].tolist()) == {int(panel) - 1}
        else:
            assert panel == "1"


def test_a_class_has_its_sign_and_one_legend_entry_that_all_panels_obey() -> None:
    embedding = world(200)
    figure = embedding_scatter(embedding, color_by="class", layout="side by side", key="k")
    for trace in sent(figure):
        (k,) = set(embedding.label[trace["customdata"]].tolist())
        sign = class_sign(k, f"class {k}")
        assert (trace["name"], trace["marker"]["color"], trace["marker"]["symbol"]) == (
            sign.name,
            sign.color,
            sign.symbol,
        )
        assert trace["legendgroup"] == f"class-{k}"
    entries = [(trace.name, trace.legendgroup) for trace in figure.data if trace.showlegend]
    assert entries == [(f"class {k}", f"class-{k}") for k in range(3)]


def test_a_set_has_the_sign_that_follows_from_its_name() -> None:
    for trace, name in zip(
        sent(embedding_scatter(world(90), color_by="set", key="k")), ("set 0", "set 1"), strict=True
    ):
        sign = named_sign(name)
        assert (trace["name"], trace["marker"]["color"], trace["marker"]["symbol"]) == (
            name,
            sign.color,
            sign.symbol,
        )


def test_classes_differ_in_the_few_symbols_of_three_dimensions_too() -> None:
    traces = sent(embedding_scatter(world(2000, dims=3, classes=20), color_by="class", key="k"))
    assert len({(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in traces}) == 20


def test_a_crowd_is_drawn_as_dots_and_fewer_points_by_the_symbols_of_their_classes() -> None:
    symbols = [
        {
            trace["marker"]["symbol"]
            for trace in sent(embedding_scatter(world(n), color_by="class", key="k"))
        }
        for n in (19_000, 20_000)
    ]
    assert symbols == [{class_sign(k).symbol for k in range(3)}, {"circle"}]


def test_points_without_a_value_are_grey_and_named_and_the_others_have_theirs() -> None:
    embedding = world(400)
    score = score_of(embedding)
    figure = embedding_scatter(
        embedding, color_by="score", score=score, score_title="d < 1", key="k"
    )
    low, high = figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax
    for trace in sent(figure):
        points = trace["customdata"]
        if trace["name"] == "no value":
            assert np.isnan(score[points]).all() and isinstance(trace["marker"]["color"], str)
        else:
            assert (
                np.abs(trace["marker"]["color"] - np.clip(score[points], low, high)).max()
                <= (high - low) / 126 + 1e-6
            )
    assert {trace["name"] for trace in sent(figure)} == {"set 0", "set 1", "no value"}
    assert figure.layout.coloraxis.colorbar.title.text == "d &lt; 1"


def test_an_outlier_does_not_flatten_the_others_and_the_bar_says_so() -> None:
    values = np.append(np.linspace(0, 1, 999), 1000.0)
    axis = Scale.of(values).axis("score")
    assert axis["cmax"] < 2
    assert axis["colorbar"]["ticktext"][-1] == f"≥ {axis['cmax']:.3g}" and axis["colorbar"][
        "ticktext"
    ][0].startswith("≤")
    assert Scale.of(np.array([2.0, 3.0])).axis("score")["colorbar"]["ticktext"][0] == "2"


def test_a_score_has_at_most_64_different_colours_and_the_order_of_its_values() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=5000))
    levels = Scale.of(values).levels(values)
    assert len(np.unique(levels)) == 64 and (np.diff(levels) >= 0).all()


@pytest.mark.parametrize("background", [WHITE, DARK])
def test_every_colour_of_the_scale_can_be_seen_on_both_themes(background: str) -> None:
    assert min(contrast(color, background) for color in VIRIDIS) >= 1.5


def test_what_a_filter_leaves_out_is_faint_below_the_others_and_dead_to_the_mouse() -> None:
    embedding = world(300)
    shown = np.arange(300) % 3 == 0
    traces = sent(
        embedding_scatter(embedding, color_by="class", layout="side by side", shown=shown, key="k")
    )
    faint, strong = traces[:2], traces[2:]
    assert (
        sorted(np.concatenate([trace["customdata"] for trace in faint]).tolist())
        == np.flatnonzero(~shown).tolist()
    )
    assert (
        sorted(np.concatenate([trace["customdata"] for trace in strong]).tolist())
        == np.flatnonzero(shown).tolist()
    )
    assert all(
        trace["hoverinfo"] == "skip" and "legendgroup" not in trace and not trace["showlegend"]
        for trace in faint
    )
    assert (
        max(trace["marker"]["opacity"] for trace in faint)
        < min(trace["marker"]["opacity"] for trace in strong) / 2
    )


def test_zoom_selection_and_hidden_classes_belong_to_the_coordinates_and_not_to_the_colours() -> (
    None
):
    embedding, score = world(100), np.arange(100.0)
    kept = {
        embedding_scatter(embedding, color_by=c, layout=lay, score=score, key="k").layout.uirevision
        for c in COLORS
        for lay in LAYOUTS
    }
    assert kept == {"k"}
    assert embedding_scatter(embedding, color_by="class", key="other").layout.uirevision == "other"


def test_panels_have_linked_axes_of_equal_scale_and_the_names_and_sizes_of_their_sets() -> None:
    embedding = world(300, sets=4)
    layout = embedding_scatter(
        embedding, color_by="class", layout="side by side", axis="PCA", key="k"
    ).layout
    for k in (2, 3, 4):
        assert layout[f"xaxis{k}"].matches == "x" and layout[f"yaxis{k}"].matches == "y"
    assert layout.yaxis.scaleanchor == "x"
    assert layout.xaxis.autorangeoptions.include == (
        embedding.coordinates[:, 0].min(),
        embedding.coordinates[:, 0].max(),
    )
    assert [a.text for a in layout.annotations] == [
        f"set {k} · n = {(embedding.which == k).sum()}" for k in range(4)
    ]
    assert (layout.xaxis.title.text, layout.xaxis3.title.text, layout.yaxis.title.text) == (
        "",
        "PCA 1",
        "PCA 2",
    )


@pytest.mark.parametrize("sets", [1, 2, 3, 4])
def test_panels_do_not_overlap_and_a_narrow_window_puts_them_below_each_other(sets: int) -> None:
    layout = json.loads(
        embedding_scatter(
            world(100, sets=sets), color_by="set", layout="side by side", key="k"
        ).to_json()
    )["layout"]
    wide = [
        (layout[f"xaxis{k or ''}"]["domain"], layout[f"yaxis{k or ''}"]["domain"])
        for k in (None, *range(2, sets + 1))
    ]
    for (ax, ay), (bx, by) in itertools.combinations(wide, 2):
        assert ax[1] < bx[0] or bx[1] < ax[0] or ay[1] < by[0] or by[1] < ay[0]
    narrow = layout["meta"]["narrow"]
    columns = (
        [narrow[f"xaxis{k or ''}.domain"] for k in (None, *range(2, sets + 1))] if sets > 1 else []
    )
    assert all(domain == [0, 1] for domain in columns)
    assert sets == 1 or narrow["height"] > layout["height"]


def test_names_are_shown_as_they_are_written_and_long_ones_are_cut() -> None:
    embedding = Embedding(
        ("<b>a</b>", "x" * 99),
        ("<i>",),
        (2, 2),
        np.zeros((2, 2), np.float32),
        np.array([0, 1]),
        np.arange(2),
        np.zeros(2, int),
    )
    figure = embedding_scatter(embedding, color_by="set", key="k")
    assert figure.data[0].name == "&lt;b&gt;a&lt;/b&gt;"
    assert any(trace.name == "x" * 39 + "…" for trace in figure.data)


@pytest.mark.parametrize(
    ("n", "dims", "sets", "classes"),
    [(0, 2, 1, 0), (0, 3, 2, 3), (1, 2, 1, 1), (1, 3, 2, 1), (5, 2, 2, 1)],
)
def test_hardly_any_points_are_drawn_without_a_word(
    n: int, dims: int, sets: int, classes: int
) -> None:
    embedding = world(n, dims=dims, sets=sets, classes=classes) if classes else world(0, classes=1)
    for color_by, layout in itertools.product(COLORS, LAYOUTS):
        for score in (np.full(n, np.nan), np.ones(n)):
            figure = embedding_scatter(
                embedding,
                color_by=color_by,
                layout=layout,
                score=score,
                shown=np.zeros(n, bool),
                key="k",
            )
            assert sum(len(trace["customdata"]) for trace in sent(figure)) == n


@pytest.mark.parametrize(
    "wrong",
    [
        {"color_by": "score"},
        {"color_by": "score", "score": np.zeros(3)},
        {"color_by": "set", "shown": np.ones(3, bool)},
    ],
)
def test_a_score_or_mask_that_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"score|shown"):
        embedding_scatter(world(10), key="k", **wrong)


@pytest.mark.parametrize(("n", "seconds"), [(5_000, 0.3), (50_000, 1.0)])
def test_building_and_serialising_is_fast(n: int, seconds: float) -> None:
    """The best of three: the machine may be busy."""
    embedding, times = world(n, classes=10), []
    for _ in range(3):
        began = time.perf_counter()
        text = embedding_scatter(
            embedding, color_by="class", layout="side by side", shown=np.arange(n) % 2 > 0, key="k"
        ).to_json()
        times.append(time.perf_counter() - began)
    assert min(times) < seconds
    assert len(text) < 25 * n + 40_000, "arrays go as packed bytes, not as digits"


@pytest.mark.parametrize("dims", [2, 3])
def test_the_table_has_the_numbers_of_every_point(dims: int) -> None:
    embedding = world(50, dims=dims)
    rows = embedding_rows(embedding, {"score": score_of(embedding)})
    assert list(rows) == ["set", "row", "class", *"xyz"[:dims], "score"]
    for i in (0, 7, 49):
        assert (rows["set"][i], rows["class"][i], rows["row"][i]) == (
            f"set {embedding.which[i]}",
            f"class {embedding.label[i]}",
            i,
        )
        assert rows["y"][i] == embedding.coordinates[i, 1]
    assert rows["score"][7] is None and rows["score"][1] == score_of(embedding)[1]
    with pytest.raises(InputError, match="other"):
        embedding_rows(embedding, {"other": np.zeros(3)})
