"""Sentences on what changed: claims that the intervals allow, corrected together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cdp.embedding.images import Real
from cdp.embedding.measure import Measurement, measure
from cdp.tasks.claims import COLLAPSE, comparisons_json, corrected, relative_change, sentences
from cdp.tasks.measured import Measured, SetComparison, Sizes, equal_sizes
from cdp.values.types import Interval
from tests.tasks.small_world import quick as quick


def about(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half, 1000)


def measured(sizes: dict[int, int] | None = None, /, **figures: Interval) -> Measured:
    sizes = {0: 500, 1: 500} if sizes is None else sizes
    return Measured(
        "x", 1000, ("a", "b", "c"), Measurement(sum(sizes.values()), figures, {}, {}), None, sizes
    )


def with_figures(one: Measured, **figures: Interval) -> Measured:
    return replace(one, result=replace(one.result, figures=one.result.figures | figures))


def said(first: Measured, second: Measured) -> str:
    return " ".join(sentences(SetComparison(first, second)))


FEW = measured(
    separation=about(1.0, 0.02),
    knn_accuracy=about(0.80, 0.01),
    precision=about(0.70, 0.01),
    recall=about(0.60, 0.01),
    coverage=about(0.90, 0.01),
)


def test_a_relative_change_is_the_ratio_with_the_delta_methods_interval() -> None:
    found = relative_change(about(1.14, 0.03), about(1.0, 0.02))
    assert found is not None
    half = 114 * np.hypot(0.03 / 1.14, 0.02 / 1.0)  # first order, for small intervals
    assert found.value == pytest.approx(14)
    expected = (pytest.approx(14 - half, abs=0.15), pytest.approx(14 + half, abs=0.15))
    assert (found.low, found.high) == expected
    assert relative_change(about(0.01, 0.02), about(1, 0.1)) is None


def test_the_interval_of_a_relative_change_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        first, second = rng.normal(1.5, 0.1), rng.normal(1.0, 0.08)
        found = relative_change(about(first, 1.96 * 0.1), about(second, 1.96 * 0.08))
        assert found is not None
        hits += found.low <= 50 <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_claims_give_amount_interval_and_count_beside_fidelity() -> None:
    better = with_figures(FEW, separation=about(1.14, 0.03), coverage=about(0.87, 0.01))
    text, warning, together = sentences(SetComparison(better, FEW))
    assert text.startswith(
        "At 1,000 images each: classes are 14 % further apart, 95 % interval 10 to 18; no"
        " difference can be told in 10-"
    )
    assert (
        "; at the same time coverage fell by 3 points, 95 % interval 1.6 to 4.4; no difference can"
        " be told in precision and recall" in text
    )
    assert warning == COLLAPSE
    assert "corrected together for the 5 figures" in together and "Holm" in together
    assert "classes are 12 % closer together" in said(
        FEW, better
    ) and "coverage rose by 3 points" in said(FEW, better)


@pytest.mark.parametrize(
    ("figures", "warned"),
    [
        ({"separation": about(2, 0.1), "recall": about(0.3, 0.01)}, True),
        ({"knn_accuracy": about(0.9, 0.01), "coverage": about(0.5, 0.01)}, True),
        ({"separation": about(2, 0.1)}, False),
        ({"separation": about(0.5, 0.1), "recall": about(0.3, 0.01)}, False),
        ({"separation": about(2, 0.1), "recall": about(0.595, 0.01)}, False),
    ],
)
def test_separability_that_rose_as_reach_fell_is_called_possible_collapse(
    figures: dict[str, Interval], warned: bool
) -> None:
    assert (COLLAPSE in sentences(SetComparison(with_figures(FEW, **figures), FEW))) is warned


def test_where_nothing_can_be_told_apart_that_is_all_that_is_said() -> None:
    (text,) = sentences(SetComparison(with_figures(FEW, recall=about(0.601, 0.01)), FEW))
    assert text.startswith("At 1,000 images each, nothing can be told apart")
    assert "for the 5 figures" in text
    assert sentences(SetComparison(measured(), FEW)) == [
        "The two sets have no figure in common to compare."
    ]


def test_a_figure_without_an_interval_is_never_among_those_that_cannot_be_told_apart() -> None:
    bare = with_figures(FEW, recall=replace(about(0.60, 0.01), note="too few images"))
    text = said(with_figures(bare, coverage=about(0.87, 0.01)), bare)
    assert (
        "no difference can be told in precision; recall has no interval, so nothing is claimed"
        " of it." in text
    )
    assert "for the 4 figures that were tried" in text
    text = said(with_figures(bare, precision=about(0.701, 0.01)), bare)
    assert (
        "nothing can be told apart: no change is clear, corrected together for the 4 figures"
        in text
        and "recall has no interval" in text
    )
    alone = measured(recall=bare.result.figures["recall"])
    text = said(measured(recall=replace(about(0.70, 0.01), note="too few images")), alone)
    assert "recall has no interval" in text and "tried" not in text


def test_the_same_images_are_called_the_same_and_get_no_interval() -> None:
    (text,) = sentences(SetComparison(FEW, FEW))
    assert "same ones" in text and "interval" not in text


def test_separability_alone_says_that_fidelity_was_not_measured() -> None:
    assert "fidelity and coverage were not measured" in said(
        measured(separation=about(2, 0.1)), FEW
    )
    text = said(measured(separation=about(1.01, 0.1)), FEW)
    assert "nothing can be told apart" in text and "fidelity and coverage were not measured" in text


def test_scatter_about_zero_has_no_percent_but_a_plain_difference() -> None:
    text = said(measured(separation=about(0.5, 0.01)), measured(separation=about(0.001, 0.01)))
    assert "between / within scatter rose by 0.5, 95 % interval 0.48 to 0.51" in text


def test_a_figure_alone_gets_a_claim_exactly_where_its_interval_leaves_zero_out() -> None:
    for gap in np.linspace(-0.06, 0.06, 25):
        text = said(measured(recall=about(0.6 + gap, 0.02)), measured(recall=about(0.6, 0.01)))
        clear = abs(gap) > np.hypot(0.02, 0.01)
        expected = (clear and gap > 0, clear and gap < 0)
        assert ("recall rose" in text, "recall fell" in text) == expected


def test_a_change_that_one_figure_alone_would_show_is_no_claim_among_five() -> None:
    # 1.1 half widths: p 0.03 alone, and 0.15 after correction for five.
    close = with_figures(FEW, recall=about(0.6 + 1.1 * np.hypot(0.01, 0.01), 0.01))
    alone = said(
        measured(recall=close.result.figures["recall"]),
        measured(recall=FEW.result.figures["recall"]),
    )
    assert "recall rose" in alone and "recall rose" not in said(close, FEW)
    assert corrected(SetComparison(close, FEW))["recall"] == pytest.approx(5 * 0.0311, abs=0.002)


def test_comparisons_that_are_read_together_are_corrected_together() -> None:
    # 1.4 half widths: p 0.006, which five figures allow and twenty do not.
    close = SetComparison(
        with_figures(FEW, recall=about(0.6 + 1.4 * np.hypot(0.01, 0.01), 0.01)), FEW
    )
    other = SetComparison(with_figures(FEW, recall=about(0.601, 0.01)), FEW)
    assert "recall rose" in " ".join(sentences(close)) and "recall rose" not in " ".join(
        sentences(close, [other] * 3)
    )
    shown = comparisons_json([FEW], [close, other, other, other], encoder="judge")["differences"]
    assert [row["claims"] for row in shown] == [[], [], [], []]
    assert shown[0]["corrected"]["recall"] == pytest.approx(20 * 0.00607, rel=0.02)
    assert shown[0]["images"] == 1000
    assert shown[0]["sentences"] == sentences(close, [other] * 3)


def test_nothing_is_claimed_from_fewer_than_ten_images_a_class_or_from_unequal_sets() -> None:
    clear, other = {"separation": about(2, 0.1)}, {"separation": about(1, 0.1)}
    (text,) = sentences(
        SetComparison(measured({0: 500, 1: 9}, **clear), measured({0: 500, 1: 9}, **other))
    )
    assert "fewer than 10" in text and "9 images of b" in text
    assert "further apart" in said(
        measured({0: 500, 1: 10}, **clear), measured({0: 500, 1: 10}, **other)
    )
    (text,) = sentences(
        SetComparison(measured({0: 500, 1: 500}, **clear), measured({0: 50, 1: 50}, **other))
    )
    assert "Nothing is claimed from 1,000" in text


def test_sets_of_other_classes_are_compared_in_fidelity_only_and_the_classes_are_named() -> None:
    first = measured({0: 500, 2: 500}, separation=about(2, 0.1), recall=about(0.9, 0.01))
    text = said(
        first, measured({0: 500, 1: 500}, separation=about(1, 0.1), recall=about(0.5, 0.01))
    )
    assert "recall rose" in text and "further apart" not in text
    assert "c only in x" in text and "b only in x" in text


def test_equal_sizes_take_the_fewer_of_each_class_and_of_all_where_classes_differ() -> None:
    first, second = {0: 400, 1: 30}, {0: 100, 1: 50}
    assert equal_sizes(first, second) == ({0: 100, 1: 30}, {0: 100, 1: 30})
    assert equal_sizes(first, {0: 20, 2: 20}) == ({0: 20, 1: 20}, {0: 20, 2: 20})


CLASSES, WIDTH, REAL = 4, 6, 400


def drawn(rng: np.random.Generator, n: int, apart: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Images of Gaussian classes whose means lie apart; of means a and noise 1 the scatter ratio
    grows as a squared."""
    label = np.arange(n) % CLASSES
    return rng.normal(size=(n, WIDTH)) + apart * np.eye(CLASSES, WIDTH)[label], label


def pair_of(
    rng: np.random.Generator, sizes: tuple[int, int], apart: tuple[float, float]
) -> SetComparison:
    """Two simulated sets of these sizes, compared with the same real images as the app compares
    them."""
    held_out, known = drawn(rng, REAL)
    real = Real(held_out, None, known)
    drawn_sets = [drawn(rng, n, means) for n, means in zip(sizes, apart, strict=True)]

    def at(which: int, wanted: Sizes) -> Measured:
        rows, label = drawn_sets[which]
        keep = np.concatenate(
            [np.flatnonzero(label == value)[:count] for value, count in wanted.items()]
        )
        return Measured(
            f"set {which}",
            len(rows),
            (),
            measure(rows[keep], label[keep], real, by_class=False),
            None,
            dict(wanted),
        )

    wanted = equal_sizes(*(dict.fromkeys(range(CLASSES), n // CLASSES) for n in sizes))
    return SetComparison(at(0, wanted[0]), at(1, wanted[1]))


def test_two_sets_of_one_distribution_rarely_get_a_claim(quick: None) -> None:
    """Were there claims in 15 % of such pairs, this would be seen 19 times of 20."""
    rng, pairs, claimed = np.random.default_rng(5), 42, 0
    for number in range(pairs):
        pair = pair_of(rng, ((200, 200), (600, 200), (200, 340))[number % 3], (2.0, 2.0))
        (row,) = comparisons_json([], [pair], encoder="simulated")["differences"]
        assert row["images"] == 200 and len(row["corrected"]) >= 8
        claimed += bool(row["claims"])
    assert claimed <= 0.06 * pairs


def test_sets_that_differ_get_their_claim_and_the_true_change(quick: None) -> None:
    rng, pairs, claims, held = np.random.default_rng(6), 25, 0, 0
    for _ in range(pairs):
        pair = pair_of(rng, (600, 200), (2.6, 2.0))
        claims += "further apart" in " ".join(sentences(pair))
        change = relative_change(
            pair.first.result.figures["separation"], pair.second.result.figures["separation"]
        )
        assert change is not None
        held += change.low <= 100 * (1.3**2 - 1) <= change.high
    assert claims >= 0.9 * pairs and held >= 0.85 * pairs


def test_the_same_images_at_two_sizes_are_no_longer_told_apart(quick: None) -> None:
    """Measured as they are, more images reach more of the real ones and lie nearer to other
    classes."""
    rng = np.random.default_rng(7)
    held_out, known = drawn(rng, REAL)
    few, many = (
        measure(*drawn(rng, n), Real(held_out, None, known), by_class=False).figures
        for n in (300, 3000)
    )
    for key in ("coverage", "other_class_distance"):
        assert many[key].low > few[key].high or many[key].high < few[key].low
    pair = pair_of(rng, (3000, 300), (2.0, 2.0))
    assert pair.equal and "nothing can be told apart" in " ".join(sentences(pair))
