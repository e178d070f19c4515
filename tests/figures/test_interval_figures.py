"""Report figures draw every interval as it is, say n, and claim a difference only where its
interval leaves 0 out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cdp.figures.generation import MEASURES, finding, report_bars, report_rows
from cdp.values.types import ArmReport, Interval, LiveResult

IMAGE = np.zeros((64, 4, 4, 1), np.uint8)
GUIDED = ArmReport(Interval(0.95, 0.87, 0.98, 64), Interval(1.3, 1.1, 1.5, 64), None)
UNGUIDED = ArmReport(Interval(0.89, 0.79, 0.95, 64), Interval(0.9, 0.8, 1.0, 64), None)


def result(
    difference: ArmReport | None, unguided: ArmReport | None = UNGUIDED, guided: ArmReport = GUIDED
) -> LiveResult:
    return LiveResult(
        np.zeros(64, np.int64),
        IMAGE,
        IMAGE + 1 if unguided else None,
        guided,
        unguided,
        difference,
        True,
        3.0,
    )


def apart(low: float, high: float) -> ArmReport:
    middle = Interval((low + high) / 2, low, high, 64)
    return ArmReport(middle, middle, None)


def test_whiskers_end_where_the_intervals_end() -> None:
    figure = report_bars(result(apart(0.01, 0.11)))
    guided, unguided = figure.data[:2]
    assert guided.x[0] == pytest.approx(95)
    assert guided.x[0] + guided.error_x.array[0] == pytest.approx(98)
    assert guided.x[0] - guided.error_x.arrayminus[0] == pytest.approx(87)
    assert unguided.x[0] == pytest.approx(89)
    assert (guided.name, unguided.name) == ("guided", "unguided")


def test_a_measure_that_no_arm_has_gets_no_panel() -> None:
    assert len(report_bars(result(apart(0.01, 0.11))).layout.annotations) == 2


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.11, "guided is higher"),
        (-0.11, -0.01, "guided is lower"),
        (-0.02, 0.11, "no clear difference"),
        (0.0, 0.1, "no clear difference"),
    ],
)
def test_the_title_claims_a_difference_only_where_the_interval_leaves_zero_out(
    low: float, high: float, words: str
) -> None:
    title = finding(MEASURES[0], result(apart(low, high)))
    assert words in title
    assert "n = 64" in title
    assert "95 % interval" in title


def test_nothing_is_found_in_fewer_than_ten_images_of_a_class() -> None:
    few = replace(result(apart(0.01, 0.11)), label=np.arange(64) % 7)
    assert "no finding, fewer than 10 images a class" in finding(
        MEASURES[0], few
    ) and "higher" not in finding(MEASURES[0], few)
    assert "guided is higher" in finding(MEASURES[0], replace(few, label=np.arange(64) % 6))


def test_identical_images_are_said_to_be_so_in_place_of_a_difference() -> None:
    same = replace(result(apart(-0.02, 0.02)), unguided=IMAGE)
    assert "identical so far" in finding(MEASURES[0], same) and "interval" not in finding(
        MEASURES[0], same
    )
    assert {row["arm"] for row in report_rows(same)} == {"guided", "unguided"}


def test_agreement_is_said_in_points_of_percent() -> None:
    assert "+6.0 points, 95 % interval +1.0 to +11.0" in finding(
        MEASURES[0], result(apart(0.01, 0.11))
    )


def test_one_arm_alone_is_drawn_without_a_claim() -> None:
    figure = report_bars(result(None, unguided=None))
    assert [trace.name for trace in figure.data] == ["images", "images"]
    assert figure.layout.annotations[0].text == "Agreement with the label (n = 64)"


def test_nothing_measured_is_an_empty_figure_and_not_an_error() -> None:
    nothing = ArmReport(None, None, None)
    figure = report_bars(result(None, unguided=None, guided=nothing))
    assert len(figure.data) == 0
    assert "NaN" not in figure.to_json()


def test_the_table_has_the_paired_difference_too() -> None:
    rows = report_rows(result(apart(0.01, 0.11)))
    assert {row["arm"] for row in rows} == {"guided", "unguided", "guided - unguided"}
    assert all(row["n"] == 64 for row in rows)
