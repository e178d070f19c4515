"""Figures of an evaluation draw its numbers with their intervals, say how the number is called, and
stand missing parts and hostile names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.figures.class_pairs import confusion_rows, confusion_under_attack, pair_heatmap
from cdp.figures.evaluation import (
    budget_curves,
    budget_rows,
    class_bars,
    class_rows,
    masking_rows,
    masking_surface,
    rises,
    stage_bars,
    stage_rows,
    surface_rows,
    unseen_rows,
    weights_signs,
)
from cdp.figures.frame import Heading, as_text, heading_of, told
from cdp.figures.palette import GUIDED, class_sign
from cdp.values.evaluation import Check, Curve, Masking, Surface
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.figures.arms import HOSTILE, LABEL, harmful, plain


def ends(trace: go.Bar | go.Scatter) -> tuple[list[float], list[float]]:
    """Where its whiskers end."""
    up, down = trace.error_x.array, trace.error_x.arrayminus
    return (
        [x - reach for x, reach in zip(trace.x, down, strict=True)],
        [x + reach for x, reach in zip(trace.x, up, strict=True)],
    )


def test_stages_are_drawn_in_order_with_the_bounds_of_their_intervals() -> None:
    result = report()[0]
    figure = stage_bars(result)
    bars = next(trace for trace in figure.data if trace.type == "bar")
    values = [result.main.clean, *(stage.after for stage in result.main.stages)]
    assert list(bars.x) == pytest.approx([100 * v.value for v in values])
    low, high = ends(bars)
    assert low == pytest.approx([100 * v.low for v in values])
    assert high == pytest.approx([100 * v.high for v in values])
    names = ["No attack", "APGD-CE", "APGD-T", "FAB-T", "Square"]
    assert list(figure.layout.yaxis.ticktext) == names


def test_the_finding_is_the_attack_that_turns_most_and_the_note_has_the_reports_own_label() -> None:
    result = replace(report(robust=0.603, n=1000)[0], label=LABEL)
    text = plain(stage_bars(result))
    assert LABEL in text and "Fashion-MNIST, l_inf budget 0.1" in text
    assert "APGD-CE turns most images" in text and "60.3" not in text
    assert "a quick estimate" not in text
    assert "a quick estimate" in plain(stage_bars(replace(result, quick=True)))


def test_best_and_last_weights_have_the_models_colour_and_the_last_a_hollow_mark() -> None:
    label, last = outcome(400, robust=0.4, seed=3)
    result = report()[0]
    other = weights_report(label, last, CLASSES, which="last")
    result = replace(result, weights=(result.main, other))
    figure = stage_bars(result, GUIDED)
    bars = [trace.name for trace in figure.data if trace.type == "bar"]
    assert bars == ["best epoch", "last epoch"] and figure.layout.showlegend
    first, second = (trace.marker for trace in figure.select_traces({"mode": "markers"}))
    assert first.color == second.color == GUIDED.color
    assert (first.symbol, second.symbol) == ("circle", "circle-open")
    signs = weights_signs(result, GUIDED)
    assert signs["best"] == GUIDED and signs["last"].dash != GUIDED.dash
    assert len(stage_rows(result)) == 2 * 5


def test_rows_hold_the_reports_numbers() -> None:
    result = report()[0]
    last, stage = stage_rows(result)[-1], result.main.stages[-1]
    assert last["accuracy [%]"] == round(100 * result.main.robust.value, 2) and last["n"] == 400
    assert (last["attacked"], last["turned"]) == (stage.attacked, stage.broken)
    by_class = {row["class"]: row for row in class_rows(result)}
    for figures in result.main.classes:
        row = by_class[figures.name]
        assert figures.robust and (row["robust low"], row["n"]) == (
            round(100 * figures.robust.low, 2),
            figures.n,
        )
    assert unseen_rows(result)[0]["robust [%]"] == 45.0


def test_classes_stand_weakest_first_with_clean_hollow_and_robust_filled() -> None:
    result = report()[0]
    figure = class_bars(result)
    robust, clean = figure.data
    weakest = min(
        result.main.classes, key=lambda predicted: predicted.robust.value if predicted.robust else 2
    )
    text = plain(figure)
    assert f"Lowest, {weakest.name}" in text and f"n = {weakest.n}" in text and result.label in text
    assert "cannot be told from it" in text and "Fisher, corrected by Holm for 9 classes" in text
    assert list(robust.x) == sorted(robust.x)
    assert clean.marker.symbol == f"{robust.marker.symbol}-open"


def test_a_class_without_images_keeps_its_line_and_has_no_mark() -> None:
    result = report()[0]
    nobody = [replace(figures, n=0, clean=None, robust=None) for figures in result.main.classes]

    def drawn(classes: list[object]) -> go.Figure:
        return class_bars(replace(result, weights=(replace(result.main, classes=tuple(classes)),)))

    figure = drawn([nobody[0], *result.main.classes[1:]])
    assert figure.layout.yaxis.ticktext[-1] == "T-shirt/top" and len(figure.data[0].x) == 9
    assert "No class has images" in plain(drawn([*nobody]))


def test_43_classes_get_room_and_cut_names() -> None:
    names = tuple(f"end of no passing for heavy vehicles {k}" for k in range(43))
    label, predicted = outcome(860, classes=43)
    weights = weights_report(label, predicted, names)
    layout = class_bars(replace(report()[0], weights=(weights,), class_names=names)).layout
    assert layout.height > 43 * 20 and max(map(len, layout.yaxis.ticktext)) <= 22
    layout = confusion_under_attack(weights, names).layout
    assert layout.height > 43 * 18 and layout.yaxis.ticktext[42].endswith("  42")
    assert layout.xaxis.ticktext is None, "no room for 43 names across"


def test_the_scale_of_confusions_ends_at_the_largest_confusion_and_the_diagonal_is_apart() -> None:
    names, main = ("cat", "dog", "emu"), report()[0].main
    right = ((100, 0, 0), (0, 100, 0), (0, 0, 0))
    counts = ((70, 20, 10), (5, 95, 0), (0, 0, 0))
    weights = replace(main, confusion=counts, confusion_clean=right)
    figure = confusion_under_attack(weights, names)
    own, off = figure.data
    assert off.zmax == pytest.approx(20) and np.isnan(off.z[0, 0])
    assert off.z[0, 1:] == pytest.approx([20, 10])
    assert (own.z[0, 0], own.z[1, 1]) == pytest.approx((70, 95))
    assert np.isnan(own.z[2]).all(), "a class without images has no shares"
    assert "20 of 100 cat are taken for dog" in plain(figure)
    clean = confusion_under_attack(weights, names, attacked=False)
    assert "No image is taken for another class without attack" in plain(clean)
    rows = confusion_rows(main, CLASSES)
    off_rows = [row["images"] for row in rows if row["true class"] != row["predicted class"]]
    assert sum(row["images"] for row in rows) == 400
    assert off_rows == sorted(off_rows, reverse=True)
    assert [row["images"] for row in rows[: len(off_rows)]] == off_rows


def test_heat_map_writes_its_numbers_and_brackets_what_is_uncertain() -> None:
    values = np.array([[np.nan, 3.14159], [-20.0, np.nan]])
    plain_map = {"heading": Heading("t"), "unit": "%", "signed": False}
    doubt = values > 0
    heat = pair_heatmap(values, ["a", "b"], **(plain_map | {"signed": True}), uncertain=doubt)
    trace = heat.data[0]
    assert [list(row) for row in trace.text] == [["", "(3.1)"], ["-20", ""]]
    assert (trace.zmin, trace.zmid, trace.zmax) == (-20, 0, 20)
    assert heat.layout.yaxis.autorange == "reversed"
    assert pair_heatmap(np.full((1, 1), np.nan), ["a"], **plain_map).data[0].zmax == 1
    many = pair_heatmap(np.ones((43, 43)), [str(i) for i in range(43)], **plain_map)
    assert many.data[0].text is None and many.layout.height < 1100


def test_curves_have_bands_and_a_line_at_the_budget() -> None:
    curve = report()[0].curves[0]
    figure = budget_curves([(class_sign(0), "night", curve)], epsilon=8 / 255, norm="linf")
    band, line = figure.data
    assert list(line.x) == [point.epsilon for point in curve.points]
    shares = [point.robust for point in curve.points]
    assert list(line.y) == pytest.approx([100 * i.value for i in shares])
    edges = [i.high for i in shares] + [i.low for i in reversed(shares)]
    assert list(band.y) == pytest.approx([100 * edge for edge in edges])
    assert figure.layout.shapes[0].x0 == pytest.approx(8 / 255)
    for part in ("80.0 % are right without attack", "PGD-20, n = 200", "8/255"):
        assert part in plain(figure)
    assert "of the pixel range" in figure.layout.xaxis.title.text


def test_overlaid_curves_own_up_to_different_attacks_and_no_curve_is_a_sentence() -> None:
    curve = report()[0].curves[0]
    lines = [(class_sign(0), "a", curve), (class_sign(1), "b", replace(curve, attack="PGD-40"))]
    figure = budget_curves(lines, epsilon=None, norm="l2")
    assert "attacks or numbers of images differ" in plain(figure) and not figure.layout.shapes
    assert [row["attack"] for row in budget_rows(lines)] == ["PGD-20"] * 9 + ["PGD-40"] * 9
    empty = [(class_sign(0), "a", Curve("best", "PGD-20", 200, ()))]
    for nothing in ([], empty):
        assert "not measured" in plain(budget_curves(nothing, epsilon=0.1, norm="linf"))


def test_the_surface_says_how_far_the_loss_rises_along_and_across() -> None:
    grid, losses = (-0.1, 0.0, 0.1), ((0.3, 0.5, 0.9), (0.1, 0.5, 2.5), (0.2, 0.6, 1.0))
    surface = Surface(7, 3, 4, grid, grid, losses)
    assert rises(surface) == pytest.approx((2.0, 0.1))
    figure = masking_surface(surface, norm="linf", epsilon=0.1, class_names=CLASSES)
    assert "2.00 nats along the gradient, by 0.10" in plain(figure)
    assert "image 7, Dress, taken for Coat" in plain(figure)
    box = figure.layout.shapes[0]
    assert (box.x0, box.x1, box.y0, box.y1) == (-0.1, 0.1, -0.1, 0.1)
    assert figure.data[0].z[1][2] == 2.5 and "class 3" in plain(masking_surface(surface, norm="l2"))
    row = {"along the gradient": 0.1, "random direction": 0.0, "cross-entropy [nats]": 2.5}
    assert row in surface_rows(surface) and len(surface_rows(surface)) == 9


def test_masking_rows_give_each_verdict_in_words() -> None:
    falls = Check("a", "Steps", "warn", "Falls.", {"share": 0.25})
    rows = masking_rows(Masking(50, (falls, Check("b", "Box", "unclear", "Odd.", {})), None))
    assert [row["verdict"] for row in rows] == ["a sign of masking", "unclear"]
    assert (rows[0]["figures"], rows[0]["n"]) == ("share 0.25", 50)


def test_hostile_names_are_text_in_every_figure() -> None:
    names = (HOSTILE, *CLASSES[1:])
    weights = weights_report(*outcome(), names)
    result = replace(report(name=HOSTILE)[0], weights=(weights,), class_names=names)
    result = replace(result, label=HOSTILE, dataset_title=HOSTILE)
    assert result.masking and result.masking.surface
    curve = (class_sign(0), HOSTILE, replace(result.curves[0], attack=HOSTILE))
    for figure in (
        stage_bars(result),
        class_bars(result),
        confusion_under_attack(weights, names),
        masking_surface(result.masking.surface, norm="linf", class_names=names),
        budget_curves([curve, curve], epsilon=0.1, norm="linf"),
    ):
        assert not harmful(figure)


def test_a_heading_goes_with_its_figure_and_leaves_what_else_is_told_of_it() -> None:
    said = Heading("60.3 % withstand", "n = 1,000")
    figure = told(go.Figure(layout={"meta": {"png": "name"}}), said)
    assert heading_of(figure) == said and figure.layout.meta["png"] == "name"
    assert heading_of(go.Figure()) == Heading("") and as_text("a" * 60) == "a" * 39 + "…"
