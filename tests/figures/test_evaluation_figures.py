"""Figures of an evaluation draw its numbers with their intervals, say how the number is called, and
stand missing parts and hostile names."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from cdp.figures.class_pairs import confusion_rows, confusion_under_attack
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
from cdp.figures.frame import heading, shown
from cdp.figures.palette import class_sign, named_sign
from cdp.values.evaluation import Check, Curve, EvalReport, Masking, Surface
from tests.evaluations import CLASSES, outcome, report, weights_report

HOSTILE = "</script><b>%{x}</b> & =cmd|'/c'!A1"
LABEL = "AutoAttack (standard), n = 1,000"


def plain(figure: go.Figure) -> str:
    """All headings in one line, without line breaks and sizes."""
    return re.sub(
        r"</?span[^>]*>",
        "",
        " ".join(note.text for note in figure.layout.annotations).replace("<br>", " "),
    )


def texts(figure: go.Figure) -> list[str]:
    """Every string that plotly would read as its markup."""
    found = [note.text for note in figure.layout.annotations]
    for axis in [*figure.select_xaxes(), *figure.select_yaxes()]:
        found += [*(axis.ticktext or ()), axis.title.text or ""]
    for trace in figure.data:
        for value in (trace.name, trace.hovertext, getattr(trace, "text", None)):
            found += (
                [str(v) for v in np.ravel(np.array(value, object))] if value is not None else []
            )
    return found


def two_weights() -> EvalReport:
    label, last = outcome(400, robust=0.4, seed=3)
    found = report()[0]
    return replace(
        found, label=LABEL, weights=(found.main, weights_report(label, last, CLASSES, which="last"))
    )


def test_stages_are_drawn_in_order_with_the_bounds_of_their_intervals() -> None:
    found = report()[0]
    bars = next(trace for trace in stage_bars(found).data if trace.type == "bar")
    values = [found.main.clean, *(stage.after for stage in found.main.stages)]
    assert list(bars.x) == pytest.approx([100 * v.value for v in values])
    assert [x + up for x, up in zip(bars.x, bars.error_x.array, strict=True)] == pytest.approx(
        [100 * v.high for v in values]
    )
    assert [
        x - down for x, down in zip(bars.x, bars.error_x.arrayminus, strict=True)
    ] == pytest.approx([100 * v.low for v in values])
    assert list(stage_bars(found).layout.yaxis.ticktext) == [
        "No attack",
        "APGD-CE",
        "APGD-T",
        "FAB-T",
        "Square",
    ]


def test_the_title_is_the_finding_under_the_reports_own_label() -> None:
    found = replace(report(robust=0.603, n=1000)[0], label=LABEL)
    assert f"60.3 % withstand {LABEL}" in plain(stage_bars(found))
    assert "Fashion-MNIST, l_inf budget 0.1" in plain(stage_bars(found))


def test_a_quick_estimate_says_so() -> None:
    found = replace(report()[0], quick=True, label="PGD-10, n = 512, +/- 4 points")
    assert "PGD-10, n = 512, +/- 4 points" in plain(stage_bars(found))
    assert "a quick estimate" in plain(stage_bars(found))
    assert "a quick estimate" not in plain(stage_bars(replace(found, quick=False)))


def test_best_and_last_weights_differ_in_colour_and_mark_and_the_first_has_the_models_sign() -> (
    None
):
    found = two_weights()
    figure = stage_bars(found)
    assert [trace.name for trace in figure.data if trace.type == "bar"] == [
        "best epoch",
        "last epoch",
    ]
    marks = [
        trace.marker for trace in figure.data if trace.type == "scatter" and trace.mode == "markers"
    ]
    assert marks[0].color != marks[1].color
    assert marks[0].symbol != marks[1].symbol
    assert weights_signs(found)["best"].color == named_sign(found.model.name).color
    assert figure.layout.showlegend
    assert len(stage_rows(found)) == 2 * 5


def test_rows_hold_the_reports_numbers() -> None:
    found = report()[0]
    last = stage_rows(found)[-1]
    assert last["accuracy [%]"] == round(100 * found.main.robust.value, 2)
    assert (last["attacked"], last["turned"]) == (
        found.main.stages[-1].attacked,
        found.main.stages[-1].broken,
    )
    assert last["n"] == 400
    by_class = {row["class"]: row for row in class_rows(found)}
    for one in found.main.classes:
        assert one.robust is not None
        assert by_class[one.name]["robust low"] == round(100 * one.robust.low, 2)
        assert by_class[one.name]["n"] == one.n
    assert unseen_rows(found)[0]["robust [%]"] == 45.0


def test_classes_stand_weakest_first_with_clean_hollow_and_robust_filled() -> None:
    found = report()[0]
    figure = class_bars(found)
    robust, clean = figure.data
    weakest = min(found.main.classes, key=lambda one: one.robust.value if one.robust else 2)
    assert list(robust.x) == sorted(robust.x)
    assert f"Lowest, {weakest.name}" in plain(
        figure
    ) and "cannot be told from it (Fisher, corrected by Holm for 9 classes)" in plain(figure)
    assert f"n = {weakest.n}" in plain(figure)
    assert found.label in plain(figure)
    assert clean.marker.symbol == f"{robust.marker.symbol}-open"


def test_a_class_without_images_keeps_its_line_and_has_no_mark() -> None:
    found = report()[0]
    classes = (
        replace(found.main.classes[0], n=0, clean=None, robust=None),
        *found.main.classes[1:],
    )
    figure = class_bars(replace(found, weights=(replace(found.main, classes=classes),)))
    assert figure.layout.yaxis.ticktext[-1] == "T-shirt/top"
    assert len(figure.data[0].x) == 9
    nobody = tuple(replace(one, n=0, clean=None, robust=None) for one in classes)
    assert "No class has images" in plain(
        class_bars(replace(found, weights=(replace(found.main, classes=nobody),)))
    )


def test_43_classes_get_room_and_cut_names() -> None:
    names = tuple(f"end of no passing for heavy vehicles {k}" for k in range(43))
    label, one = outcome(860, classes=43)
    weights = weights_report(label, one, names)
    found = replace(report()[0], weights=(weights,), class_names=names)
    assert class_bars(found).layout.height > 43 * 20
    assert max(len(name) for name in class_bars(found).layout.yaxis.ticktext) <= 22
    figure = confusion_under_attack(weights, names)
    assert figure.layout.height > 43 * 18
    assert figure.layout.xaxis.ticktext is None, "no room for 43 names across"
    assert figure.layout.yaxis.ticktext[42].endswith("  42")


def test_the_scale_of_confusions_ends_at_the_largest_confusion_and_the_diagonal_is_apart() -> None:
    counts = ((70, 20, 10), (5, 95, 0), (0, 0, 0))
    weights = replace(
        report()[0].main, confusion=counts, confusion_clean=((100, 0, 0), (0, 100, 0), (0, 0, 0))
    )
    figure = confusion_under_attack(weights, ("cat", "dog", "emu"))
    own, off = figure.data
    assert off.zmax == pytest.approx(20)
    assert off.z[0, 1:] == pytest.approx([20, 10])
    assert np.isnan(off.z[0, 0])
    assert own.z[0, 0] == pytest.approx(70)
    assert own.z[1, 1] == pytest.approx(95)
    assert np.isnan(own.z[2]).all(), "a class without images has no shares"
    assert "20 of 100 cat are taken for dog" in plain(figure)
    assert "No image is taken for another class without attack" in plain(
        confusion_under_attack(weights, ("cat", "dog", "emu"), attacked=False)
    )


def test_confusion_rows_begin_with_the_most_frequent_and_hold_all_images() -> None:
    main = report()[0].main
    rows = confusion_rows(main, CLASSES)
    assert sum(row["images"] for row in rows) == 400
    off = [row["images"] for row in rows if row["true class"] != row["predicted class"]]
    assert off == sorted(off, reverse=True)
    assert rows[0]["true class"] != rows[0]["predicted class"]


def test_curves_have_bands_and_a_line_at_the_budget() -> None:
    curve = report()[0].curves[0]
    figure = budget_curves([(class_sign(0), "night", curve)], epsilon=8 / 255, norm="linf")
    band, line = figure.data
    assert list(line.x) == [point.epsilon for point in curve.points]
    assert list(line.y) == pytest.approx([100 * point.robust.value for point in curve.points])
    assert list(band.y) == pytest.approx(
        [100 * p.robust.high for p in curve.points]
        + [100 * p.robust.low for p in reversed(curve.points)]
    )
    assert figure.layout.shapes[0].x0 == pytest.approx(8 / 255)
    assert "80.0 % are right without attack" in plain(figure)
    assert "PGD-20, n = 200" in plain(figure)
    assert "8/255" in plain(figure)
    assert "of the pixel range" in figure.layout.xaxis.title.text


def test_overlaid_curves_ask_a_question_and_own_up_to_different_attacks() -> None:
    curve = report()[0].curves[0]
    lines = [(class_sign(0), "a", curve), (class_sign(1), "b", replace(curve, attack="PGD-40"))]
    figure = budget_curves(lines, epsilon=None, norm="l2")
    assert plain(figure).startswith("How fast does accuracy fall")
    assert "attacks or numbers of images differ" in plain(figure)
    assert not figure.layout.shapes
    assert [row["attack"] for row in budget_rows(lines)] == ["PGD-20"] * 9 + ["PGD-40"] * 9


def test_no_curve_is_a_sentence_and_not_an_error() -> None:
    empty = Curve("best", "PGD-20", 200, ())
    for lines in ([], [(class_sign(0), "a", empty)]):
        figure = budget_curves(lines, epsilon=0.1, norm="linf")
        assert not figure.data
        assert "not measured" in plain(figure)


def test_the_surface_says_how_far_the_loss_rises_along_and_across() -> None:
    surface = Surface(
        7,
        3,
        4,
        (-0.1, 0.0, 0.1),
        (-0.1, 0.0, 0.1),
        ((0.3, 0.5, 0.9), (0.1, 0.5, 2.5), (0.2, 0.6, 1.0)),
    )
    assert rises(surface) == pytest.approx((2.0, 0.1))
    figure = masking_surface(surface, norm="linf", epsilon=0.1, class_names=CLASSES)
    assert "2.00 nats along the gradient, by 0.10" in plain(figure)
    assert "image 7, Dress, taken for Coat" in plain(figure)
    assert figure.data[0].z[1][2] == 2.5
    box = figure.layout.shapes[0]
    assert (box.x0, box.x1, box.y0, box.y1) == (-0.1, 0.1, -0.1, 0.1)
    assert "class 3" in plain(masking_surface(surface, norm="l2"))
    assert len(surface_rows(surface)) == 9
    assert {
        "along the gradient": 0.1,
        "random direction": 0.0,
        "cross-entropy [nats]": 2.5,
    } in surface_rows(surface)


def test_masking_rows_give_each_verdict_in_words() -> None:
    masking = Masking(
        50,
        (
            Check("a", "Steps", "warn", "Falls.", {"share": 0.25}),
            Check("b", "Box", "unclear", "Odd.", {}),
        ),
        None,
    )
    rows = masking_rows(masking)
    assert [row["verdict"] for row in rows] == ["a sign of masking", "unclear"]
    assert rows[0]["figures"] == "share 0.25"
    assert rows[0]["n"] == 50


def test_hostile_names_are_text_in_every_figure() -> None:
    names = (HOSTILE, *CLASSES[1:])
    label, one = outcome()
    weights = weights_report(label, one, names)
    found = replace(
        report(name=HOSTILE)[0],
        weights=(weights,),
        class_names=names,
        label=HOSTILE,
        dataset_title=HOSTILE,
    )
    surface = found.masking.surface if found.masking else None
    assert surface is not None
    figures = [
        stage_bars(found),
        class_bars(found),
        confusion_under_attack(weights, names),
        masking_surface(surface, norm="linf", class_names=names),
        budget_curves(
            [(class_sign(0), HOSTILE, replace(found.curves[0], attack=HOSTILE))] * 2,
            epsilon=0.1,
            norm="linf",
        ),
    ]
    for figure in figures:
        assert not [
            text
            for text in texts(figure)
            if "</script>" in text or "<b>%" in text or "%{x}" in text
        ]


def test_headings_break_between_words_and_keep_numbers_whole() -> None:
    text = heading("60.3 % withstand AutoAttack (standard), n = 1,000, and some more words")
    lines = text.split("<br>")
    assert len(lines) == 2
    assert max(map(len, lines)) <= 48
    assert "n = 1,000" in text
    assert shown("a" * 60) == "a" * 39 + "…"
