"""The wording of a verdict: what may be claimed, what must be said beside it, and that nothing is
claimed from noise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.errors import InputError
from cdp.statistics.shares import wilson
from cdp.statistics.significance import paired_test
from cdp.statistics.verdicts import verdict, weakest_class
from cdp.values.evaluation import ClassFigures
from cdp.values.types import Interval

CLEAR, OPEN = Interval(0.013, 0.004, 0.022, 5), Interval(0.004, -0.009, 0.017, 2)
ONE_SEED = (
    "this is about these two networks on these images; one seed each says nothing of other seeds."
)


def said(difference: Interval | None = CLEAR, p: float | None = 0.01, **change: Any) -> str:
    settled: dict[str, Any] = {"count": 5, "unit": "paired seeds", "more": None} | change
    return verdict("A", "B", difference, p, **settled)


APART, MEASURED = "A and B cannot be told apart", "95 % interval -0.9 to 1.7"
TWO = "2 paired seeds, 1 degree of freedom: two seeds are a hint, more of them decide"
IMAGES = {"unit": "shared images", "count": 9}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (said(), "B is better by 1.3 points, 95 % interval 0.4 to 2.2, 5 paired seeds."),
        (said(Interval(-0.013, -0.022, -0.004, 5)), "A is better by 1.3 points, 95 % interval 0.4"),
        (
            said(unit="seeds", count=8),
            "B is better by 1.3 points, 95 % interval 0.4 to 2.2, 8 seeds in all.",
        ),
        (said(Interval(0.013, 0.004, 0.022, 5, 0.9), 0.04, level=0.9), "90 % interval 0.4 to 2.2"),
        (
            said(**IMAGES),
            f"B is better by 1.3 points, 95 % interval 0.4 to 2.2, 9 shared images: {ONE_SEED}",
        ),
        (said(beside=["at equal compute"]), "5 paired seeds; at equal compute."),
        (said(count=2), f"B is better by 1.3 points, 95 % interval 0.4 to 2.2, {TWO}."),
        (
            said(OPEN, 0.4, count=2, more=7),
            f"{APART}: difference +0.4 points, {MEASURED}, {TWO}; about 7 more would settle a difference of this size.",
        ),
        (said(OPEN, 0.4, count=2, more=0), f"{MEASURED}, {TWO}."),
        (
            said(OPEN, 0.4, count=4, unit="seeds", more=7),
            "4 seeds in all; about 7 more paired seeds would",
        ),
        (
            said(OPEN, 0.4, unit="shared images", count=1, more=7),
            f"{MEASURED}, 1 shared image: {ONE_SEED}",
        ),
        (
            said(CLEAR, 0.08, more=7),
            f"{APART} after correction: difference +1.3 points, 95 % interval 0.4 to 2.2 for this"
            " pair alone, corrected p = 0.08, 5 paired seeds.",
        ),
        (
            said(CLEAR, 0.0625, corrected=False, **IMAGES),
            f"{APART} by the test: difference +1.3 points, 95 % interval 0.4 to 2.2 for this pair"
            f" alone, p = 0.062, 9 shared images: {ONE_SEED}",
        ),
        (
            said(OPEN, 0.04),
            f"{APART}: difference +0.4 points, {MEASURED}, although p = 0.04, 5 paired seeds.",
        ),
        (said(CLEAR, None), "0.4 to 2.2, 5 paired seeds; no test is defined for them."),
        (
            said(withheld="they took different compute: train A again", beside=["A never learned"]),
            "No verdict on A and B: they took different compute: train A again. Measured: difference"
            " +1.3 points, 95 % interval 0.4 to 2.2, 5 paired seeds; A never learned.",
        ),
        (
            said(Interval(0.0, 0.0, 0.0, 3), 1.0, count=3, withheld="too few images"),
            "too few images. Measured: identical in all 3 paired seeds, so there is no interval.",
        ),
        (
            said(Interval(0.01, 0.01, 0.01, 2), None, count=2),
            f"{APART}: the difference is the same in all 2 paired seeds, +1.0 points, so there is"
            " neither an interval nor a test.",
        ),
        (
            said(Interval(0.0, 0.0, 0.0, 6), 1.0, count=6, unit="seeds"),
            f"{APART}: identical in all 6 seeds, so there is no interval.",
        ),
        (
            said(None, None, count=1),
            "A and B cannot be compared: a paired comparison takes at least 2 seeds that both share.",
        ),
        (
            said(None, None, count=6, unit="seeds"),
            "cannot be compared: each takes at least 3 seeds.",
        ),
        (said(None, None, count=0, unit="shared images"), "they share no evaluated images."),
        (said(None, None, count=3), "A and B cannot be compared: their difference is not known."),
    ],
)
def test_sentences(sentence: str, expected: str) -> None:
    assert expected in sentence
    assert sentence.endswith(expected) or not expected.endswith(".")


def test_a_bound_that_is_not_zero_is_not_said_to_be() -> None:
    assert "0.13 points, 95 % interval 0.04 to 0.22" in said(Interval(0.0013, 0.0004, 0.0022, 5))
    assert "interval -0.02 to 0.80" in said(Interval(0.003, -0.0002, 0.008, 5), 0.06)
    assert "-0.0 " not in said(Interval(0.0, -1e-18, 0.01, 5), 0.3)


def test_a_bound_that_is_rounding_is_no_difference() -> None:
    assert "better" not in said(Interval(0.01, 1e-17, 0.02, 5), 0.01)


figures = st.tuples(*[st.integers(-300, 300).map(lambda k: k / 1000)] * 3).map(sorted)


@given(
    bounds=figures,
    p=st.none() | st.floats(0, 1),
    count=st.integers(1, 5000),
    more=st.none() | st.integers(0, 1000),
    unit=st.sampled_from(["paired seeds", "seeds", "shared images"]),
    corrected=st.booleans(),
    level=st.sampled_from([0.9, 0.95, 0.99]),
    withheld=st.sampled_from(["", "they took different compute"]),
)
def test_nothing_is_better_where_the_interval_holds_zero_or_the_test_does_not_reject(
    bounds: list[float],
    p: float | None,
    count: int,
    more: int | None,
    unit: Any,
    corrected: bool,
    level: float,
    withheld: str,
) -> None:
    low, value, high = bounds
    rests = {"count": count, "unit": unit, "more": more, "level": level, "withheld": withheld}
    interval = Interval(value, low, high, count, level)
    sentence = verdict("A", "B", interval, p, corrected=corrected, **rests)
    claimed = (
        not withheld and low < high and (low > 0 or high < 0) and p is not None and p <= 1 - level
    )
    assert ("better" in sentence) == claimed
    assert ("cannot be told apart" in sentence) == (not claimed and not withheld)
    assert sentence.startswith(
        "No verdict on A and B: they took different compute. Measured: "
    ) == bool(withheld)
    assert sentence.endswith(".") and not re.search(r"nan|inf|None|-0\.0 ", sentence)
    assert ("interval" in sentence) and (low < high or not re.search(r"interval -?\d", sentence)), (
        "equal values have no bounds"
    )
    assert (ONE_SEED[:-1] in sentence) == (unit == "shared images")
    if "better" in sentence:
        assert sentence.startswith("B" if low > 0 else "A")
        assert not re.search(r"-\d", sentence), "the better one's figures are positive"


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 6), effect=st.sampled_from([0.0, 0.01, 0.05]))
def test_swapping_the_arms_names_the_same_winner_with_the_same_figures(
    seed: int, n: int, effect: float
) -> None:
    first, second = np.random.default_rng(seed).normal([[0.5], [0.5 + effect]], 0.01, (2, n))
    rest: dict[str, Any] = {"count": n, "unit": "paired seeds", "more": None}
    found, swapped = paired_test(first, second), paired_test(second, first)
    one = verdict("A", "B", found.difference, found.p, **rest)
    other = verdict("B", "A", swapped.difference, swapped.p, **rest)
    assert ("better" in one) == ("better" in other)
    assert one == other or "better" not in one


def test_equally_good_methods_are_called_different_in_no_more_than_five_of_a_hundred_comparisons() -> (
    None
):
    drawn = np.random.default_rng(2).normal(0.5, 0.01, (2000, 2, 3))
    claims = 0
    for first, second in drawn:
        found = paired_test(first, second)
        claims += "better" in verdict(
            "A", "B", found.difference, found.p, count=3, unit="paired seeds", more=None
        )
    assert claims / 2000 <= 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5


def test_the_weakest_class_is_said_with_what_cannot_be_told_from_it() -> None:
    def weakest(hits: list[int], n: int) -> tuple[str, str]:
        classes = [ClassFigures("abcd"[i], n, None, wilson(k, n)) for i, k in enumerate(hits)]
        figures, share, words, test = weakest_class([ClassFigures("none", 0, None, None), *classes])
        assert share == figures.robust
        assert test == f"Fisher, corrected by Holm for {len(hits) - 1} classes"
        return figures.name, words

    assert weakest_class([]) is None and weakest([80, 20, 85, 90], 100) == ("b", "")
    words = "c, a cannot be told from it"
    assert weakest([58, 50, 55, 90], 100) == ("b", words)
    assert "fewer than 10 images a class, so no class" in weakest([0, 9], 9)[1]
    assert weakest([0, 10], 10) == ("a", "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: said(p=1.2), "p is 1.2"),
        (lambda: said(p=float("nan")), "p is nan"),
        (lambda: said(count=0), "count is 0"),
        (lambda: said(None, None, count=-1), "count is -1"),
        (lambda: said(unit="images"), "unit is 'images'"),
        (lambda: said(Interval(0.5, 0.0, 0.1, 5)), "does not lie in its interval"),
        (lambda: said(Interval(0.5, float("nan"), 0.6, 5)), "does not lie in its interval"),
        (lambda: said(level=0.9), "pass one level to both"),
        (lambda: said(level=1.0), "level is 1"),
    ],
)
def test_figures_that_cannot_be_are_refused(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
