"""Colours can be told apart on both themes, and never carry the meaning alone."""

from __future__ import annotations

import itertools

import pytest

from cdp.figures.palette import GUIDED, INK, UNGUIDED, class_sign, faint, named_sign

WHITE, DARK = "#ffffff", "#0e1117"


def luminance(color: str) -> float:
    """WCAG 2.2 relative luminance of a hex colour."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("background", [WHITE, DARK])
@pytest.mark.parametrize(("color", "least"), [(GUIDED.color, 3), (UNGUIDED.color, 3), (INK, 4)])
def test_arms_and_text_stand_out_from_both_backgrounds(
    color: str, least: float, background: str
) -> None:
    assert contrast(color, background) >= least


def test_arms_differ_in_dash_and_symbol_too() -> None:
    assert GUIDED.dash != UNGUIDED.dash
    assert GUIDED.symbol != UNGUIDED.symbol


def test_classes_have_different_signs_up_to_77_and_neighbours_differ_in_both_hue_and_symbol() -> (
    None
):
    signs = [class_sign(k) for k in range(77)]
    assert len({(s.color, s.symbol) for s in signs}) == 77
    assert all(a.color != b.color and a.symbol != b.symbol for a, b in itertools.pairwise(signs))


def test_a_set_keeps_its_colour_whatever_else_exists() -> None:
    assert named_sign("a") == named_sign("a")
    assert named_sign("guided-1") != named_sign("guided-2")


def test_a_faint_colour_is_the_same_hue_with_opacity() -> None:
    assert faint("#D55E00", 0.2) == "rgba(213,94,0,0.2)"
