"""Colours can be told apart on both themes, and never carry the meaning alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest

from cdp.figures.palette import GUIDED, INK, UNGUIDED, class_sign, faint, role_sign
from cdp.ui.kit.markup import GLYPHS
from cdp.values.types import Role

WHITE, DARK = "#ffffff", "#14181d"


def luminance(color: str) -> float:
    """WCAG 2.2 relative luminance of a hex colour."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(color: str, seen_by: np.ndarray) -> np.ndarray:
    """A hex colour in OKLab (Ottosson 2020), as an eye sees it whose cones give linear RGB times
    ``seen_by`` (3, 3)."""
    values = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.cbrt(np.clip(seen_by @ linear, 0, 1) @ _LMS.T) @ _LAB.T


_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# Machado, Oliveira and Fernandes (2009), severity 1.
EYES = {
    "usual": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
ROLES: tuple[Role, ...] = get_args(Role)
EVERY = [role_sign(role, number) for role in ROLES for number in range(3)]


def nearest(colors: Sequence[str], eye: str) -> float:
    """The smallest distance in OKLab between two of the colours, where black and white are 1
    apart."""
    points = [oklab(color, np.asarray(EYES[eye])) for color in colors]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2))


@pytest.mark.parametrize("background", [WHITE, DARK])
def test_all_signs_and_text_stand_out_from_both_backgrounds(background: str) -> None:
    for sign in (*EVERY, *map(class_sign, range(10))):
        assert contrast(sign.color, background) >= 3, sign
    assert contrast(INK, background) >= 4


@pytest.mark.parametrize(
    ("eye", "least"), [("usual", 0.145), ("protan", 0.075), ("deutan", 0.075), ("tritan", 0.075)]
)
def test_ten_classes_have_ten_hues_that_every_eye_tells_apart_and_from_the_page(
    eye: str, least: float
) -> None:
    hues = [class_sign(k).color for k in range(10)]
    assert len(set(hues)) == 10
    assert nearest(hues, eye) >= least
    for background in (WHITE, DARK):
        assert min(nearest([hue, background], eye) for hue in hues) >= 0.2


@pytest.mark.parametrize(("eye", "least"), [("usual", 0.12), ("protan", 0.05), ("deutan", 0.05)])
def test_the_roles_differ_in_colour_mark_and_dash(eye: str, least: float) -> None:
    assert nearest([role_sign(role).color for role in ROLES], eye) >= least
    marks = [{role_sign(role, number).symbol for number in range(12)} for role in ROLES]
    assert all(not one & other for one, other in itertools.combinations(marks, 2))
    assert len({role_sign(role).dash for role in ROLES[:4]}) == 4


def test_arms_of_one_role_differ_and_no_mark_but_a_favourite_is_a_star() -> None:
    guided = [role_sign("guided", number) for number in range(12)]
    assert len({(sign.color, sign.symbol) for sign in guided}) == 12
    assert guided[0] == GUIDED and role_sign("unguided") == UNGUIDED
    symbols = {sign.symbol for sign in (*EVERY, *map(class_sign, range(110)))}
    assert not any("star" in symbol for symbol in symbols)
    assert {symbol.removesuffix("-open") for symbol in symbols} <= set(GLYPHS)
    assert not {"★", "☆"} & set(GLYPHS.values())


def test_classes_have_different_signs_up_to_110_and_neighbours_differ_in_both_hue_and_symbol() -> (
    None
):
    signs = [class_sign(k) for k in range(110)]
    assert len({(s.color, s.symbol) for s in signs}) == 110
    assert all(a.color != b.color and a.symbol != b.symbol for a, b in itertools.pairwise(signs))


def test_a_faint_colour_is_the_same_hue_with_opacity() -> None:
    assert faint("#D55E00", 0.2) == "rgba(213,94,0,0.2)"
