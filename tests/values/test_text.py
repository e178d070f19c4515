"""Numbers and names as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.values import text
from cdp.values.types import Interval

SHARE = Interval(0.603, 0.572, 0.633, 1000)
CHANGE = Interval(0.013, -0.002, 0.028, 1000)
EQUAL = Interval(0.5, 0.5, 0.5, 3)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (text.share_text(0.6031), "60.3 %"),
        (text.points_text(0.013), "+1.3 points"),
        (text.share_with_bounds(SHARE), "60.3 % (57.2 to 63.3)"),
        (text.share_with_bounds(SHARE, level=True), "60.3 % (95 %: 57.2 to 63.3)"),
        (text.share_with_bounds(EQUAL), "50.0 % (the same in all 3, so no interval)"),
        (text.points_with_bounds(CHANGE), "+1.3 points (-0.2 to +2.8)"),
        (text.points_with_bounds(CHANGE, level=True), "+1.3 points (95 %: -0.2 to +2.8)"),
        (text.no_width(Interval(1, 1, 1, 1)), "one value, so no interval"),
        (text.interval_text(SHARE), "95 % interval 0.572 to 0.633"),
        (text.interval_text(CHANGE, "+.1f", factor=100), "95 % interval -0.2 to +2.8"),
        (text.interval_text(Interval(1, 1, 1, 1, note="two few")), "no interval: two few"),
        (text.threat_text("linf", 8 / 255), "l_inf budget 8/255"),
        (text.counted(1, "image"), "1 image"),
        (text.counted(2000, "image"), "2,000 images"),
        (text.counted(2, "class", "classes"), "2 classes"),
        (text.span_text([2500, 2000]), "2,000 to 2,500"),
        (text.span_text([2500]), "2,500"),
        (text.listed("abcde", 3), "a, b, c and 2 more"),
        (text.listed("abc", 3), "a, b, c"),
        (text.joined("abc"), "a, b and c"),
        (text.joined("a"), "a"),
        (text.class_name(("cat",), 0), "cat"),
        (text.class_name(("cat",), 7), "class 7"),
        (text.class_name(("cat",), -1), "class -1"),
        (text.at_step(60, 3), "step 60, epoch 3"),
        (text.at_step(0, 3), "epoch 3"),
        (text.image_size(28, 32, 1), "32 x 28 px, grey"),
        (text.image_size(8, 8, 2), "8 x 8 px, 2 channels"),
    ],
)
def test_what_is_written(written: str, words: str) -> None:
    assert written == words


@pytest.mark.parametrize(
    ("write", "cases"),
    [
        (
            text.duration,
            {
                0.4: "under 1 s",
                3.6: "4 s",
                59.6: "1 min",
                130: "2 min 10 s",
                1800: "30 min",
                3599.7: "1 h",
                11100: "3 h 5 min",
            },
        ),
        (
            text.rough_duration,
            {20: "under 1 min", 310: "about 5 min", 5400: "about 1.5 h", 36000: "about 10 h"},
        ),
        (
            lambda seconds: text.range_text(0.8 * seconds, 1.25 * seconds),
            {
                0.5: "under 1 s",
                5: "4 to 7 s",
                20: "16 to 25 s",
                50: "40 s to 1 min",
                1000: "13 to 21 min",
                9000: "2 to 3.5 h",
            },
        ),
        (
            lambda seconds: text.range_text(seconds, seconds),
            {180: "about 3 min", 9000: "about 2.5 h"},
        ),
        (
            text.bytes_text,
            {0: "0 B", 999: "999 B", 1500: "1.5 kB", 25_276_502_016: "25.3 GB", 3e12: "3.0 TB"},
        ),
        (text.number_text, {0.05: "0.05", 20: "20", 1e5: "100,000", 1e12: "1e+12"}),
        (
            text.budget_text,
            {8 / 255: "8/255", 0.2: "0.2", 0.1: "0.1", 0.0314: "0.0314", 0.5: "0.5", 0: "0"},
        ),
    ],
)
def test_each_value_is_written_as_a_person_would(
    write: Callable[[float], str], cases: dict[float, str]
) -> None:
    assert {value: write(value) for value in cases} == cases


@given(st.floats(1e-9, 100) | st.integers(1, 254).map(lambda level: level / 255))
def test_an_exact_number_reads_back_unchanged(value: float) -> None:
    above, _, below = text.exact_text(value).partition("/")
    assert float(above) / float(below or 1) == pytest.approx(value, abs=1e-12)


DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(st.characters(exclude_categories=())))
def test_all_of_a_visible_text_is_seen_and_can_be_written(given: str) -> None:
    shown = text.visible(given)
    acted_on = [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    assert shown.encode().decode() == shown and not acted_on
    assert not DIRECTIONS & set(map(unicodedata.bidirectional, shown))
    assert text.visible(shown) == shown


@pytest.mark.parametrize(
    "ordinary", ["Füße 8/255, 60 %", "שלום", "日本", "😀 👨\u200d👩", "a\tb\nc"]
)
def test_text_of_any_language_stays_as_it_is(ordinary: str) -> None:
    assert text.visible(ordinary) == ordinary


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("evil\rgood", r"evil\rgood"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("\x9b2J", r"\x9b2J"),
    ],
)
def test_what_would_be_acted_on_is_written_out(hidden: str, shown: str) -> None:
    assert text.visible(hidden) == shown
