"""The weakest class and the most frequent confusion: named alone only where looking at all of them
does not explain it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cdp.statistics.significance import most_frequent, weakest
from cdp.statistics.verdicts import weakest_words


def test_a_class_far_below_the_others_stands_alone() -> None:
    assert weakest([80, 20, 85, 90], [100] * 4) == (1, [])
    assert weakest_words("abcd", [80, 20, 85, 90], [100] * 4) == (1, "")


def test_classes_that_could_be_the_weakest_as_well_are_named() -> None:
    low, said = weakest_words(("a", "b", "c", "d"), [58, 50, 55, 90], [100] * 4)
    assert (low, said) == (
        1,
        "c, a cannot be told from it (Fisher, corrected by Holm for 3 classes)",
    )


def test_the_correction_is_holms() -> None:
    """p of 0.04 alone holds against one class and not against one among nine."""
    p = float(stats.fisher_exact([[40, 60], [55, 45]])[1])
    assert 0.02 < p < 0.05
    assert weakest([40, 55], [100, 100]) == (0, [])
    assert 1 in weakest([40, 55, *[57] * 8], [100] * 10)[1]


def test_fewer_than_ten_images_call_no_class_weaker() -> None:
    assert (
        weakest_words(("a", "b"), [0, 9], [9, 9])[1]
        == "fewer than 10 images a class, so no class is called weaker than another"
    )
    assert weakest_words(("a", "b"), [0, 10], [10, 10])[1] == ""


def test_equal_classes_have_a_weakest_in_at_most_five_of_a_hundred_evaluations() -> None:
    rng = np.random.default_rng(5)
    claims = sum(not weakest(rng.binomial(50, 0.6, 6).tolist(), [50] * 6)[1] for _ in range(400))
    assert claims / 400 <= 0.05


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([30, 2, 3, 0], (0, 0)),
        ([12, 11, 0, 0], (0, 1)),
        ([0, 0, 0], (0, 2)),
        ([1, 9, 8, 7], (1, 3)),
    ],
)
def test_the_most_frequent_of_several_counts(counts: list[int], found: tuple[int, int]) -> None:
    assert most_frequent(np.array(counts)) == found


def test_equally_frequent_confusions_have_a_first_in_at_most_five_of_a_hundred_evaluations() -> (
    None
):
    rng = np.random.default_rng(6)
    claims = sum(most_frequent(rng.multinomial(200, [1 / 30] * 30))[1] == 0 for _ in range(400))
    assert claims / 400 <= 0.05
