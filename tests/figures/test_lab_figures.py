"""Figures of the attack lab: every number drawn is the number given, and what is left out is
said."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.figures.lab import (
    ATTACKED,
    CLEAN,
    MOST_CLASSES,
    Found,
    budget_ruler,
    likeliest,
    loss_path,
    probability_bars,
    ruler_px,
)
from cdp.figures.palette import CLEAR, named_signs
from tests.test_house_files import contrast

NAMES = ("coat", "shirt", "<b>bag</b>")


def test_each_class_has_its_two_probabilities_and_true_class_and_target_are_marked() -> None:
    figure = probability_bars(NAMES, (0.7, 0.2, 0.1), (0.1, 0.3, 0.6), title="x", label=0, target=2)
    clean, attacked = figure.data
    assert tuple(clean.x) == (0.7, 0.2, 0.1) and tuple(attacked.x) == (0.1, 0.3, 0.6)
    assert list(figure.layout.yaxis.ticktext) == [
        "coat, true",
        "shirt",
        "&lt;b&gt;bag&lt;/b&gt;, target",
    ]
    unknown = probability_bars(
        NAMES, (0.7, 0.2, 0.1), (0.1, 0.3, 0.6), title="x", label=0, label_is="as said clean"
    )
    assert unknown.layout.yaxis.ticktext[0] == "coat, as said clean"
    # Hollow against filled: colour is not the only sign.
    assert clean.marker.color == CLEAR and attacked.marker.color == ATTACKED.color
    assert list(clean.text) == ["0.70", "0.20", "0.10"]


def test_of_many_classes_the_likeliest_before_or_after_are_drawn_in_order_and_the_rest_is_counted() -> (
    None
):
    before, after = np.full(43, 0.001), np.full(43, 0.001)
    before[30], after[5] = 0.9, 0.95
    shown = likeliest(before, after)
    assert len(shown) == MOST_CLASSES - 2 and shown == sorted(shown) and {5, 30} <= set(shown)
    figure = probability_bars([f"sign {k}" for k in range(43)], before, after, title="x", label=30)
    assert "without 33 classes" in figure.layout.annotations[0].text
    assert likeliest(before[:12], after[:12]) == list(range(12))


def test_the_path_draws_every_start_the_strongest_last_and_where_it_succeeds() -> None:
    figure = loss_path(
        [[0.0, 1.0, 2.0], [0.0, 2.0, 3.0]], chosen=1, turned_at=2, unit="nats", title="t", zero=True
    )
    weak, strong, mark = figure.data
    assert (list(weak.y), list(strong.y)) == (
        [0, 1, 2],
        [0, 2, 3],
    ) and strong.line.width > weak.line.width
    assert (mark.x[0], mark.y[0]) == (2, 3.0)
    assert len(figure.layout.shapes) == 1 and figure.layout.yaxis.title.text == "nats"
    assert len(loss_path([[0.0, 1.0]], chosen=0, turned_at=None, unit="", title="").data) == 1


def test_the_ruler_ends_where_a_model_is_fooled_or_at_its_end_with_another_mark() -> None:
    signs = named_signs(["a", "b"])
    found = [Found("a", signs["a"], 0.04), Found("b", signs["b"], None)]
    figure = budget_ruler(
        found,
        epsilon=0.02,
        budget=0.1,
        budget_is="conventional",
        largest=0.3,
        unit="l_inf",
        title="t",
    )
    ends = {trace.name: trace for trace in figure.data if trace.mode == "markers+text"}
    assert (ends["a"].x[0], ends["b"].x[0]) == (0.04, 0.3)
    assert "0.04" in ends["a"].text[0] and "none found up to 0.3" in ends["b"].text[0]
    assert ends["b"].marker.symbol.endswith("-open")
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [0.02, 0.1]
    assert figure.layout.height == ruler_px(2)


@pytest.mark.parametrize("background", ["#ffffff", "#14181d"])
def test_both_bars_are_seen_on_both_themes(background: str) -> None:
    assert min(contrast(sign.color, background) for sign in (CLEAN, ATTACKED)) >= 4


def test_a_long_title_is_broken_and_never_markup() -> None:
    title = "speed limit 120 <b>0.98</b> becomes right of way at next crossing 0.76"
    figure = probability_bars(NAMES, (1, 0, 0), (0, 1, 0), title=title, label=0)
    text = figure.layout.annotations[0].text
    assert "<b>" not in text and text.count("<br>") == 2
    assert (
        figure.layout.margin.t
        > probability_bars(NAMES, (1, 0, 0), (0, 1, 0), title="short", label=0).layout.margin.t
    )
