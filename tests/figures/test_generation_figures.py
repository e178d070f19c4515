"""Figures of a generation show exactly the numbers of the frames, leave gaps where there are none,
and claim a difference only where its interval leaves 0 out."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from cdp.figures.frame import heading_of
from cdp.figures.generation import (
    MAX_POINTS,
    MEASURES,
    finding,
    live_curves,
    live_rows,
    measured,
    report_bar,
    report_rows,
    strength_profile,
    thin,
)
from cdp.figures.palette import GUIDED, UNGUIDED
from cdp.values.types import ArmReport, Frame, Interval, LiveResult

SMALL = np.zeros((2, 4, 4, 1), np.uint8)
PLAIN = Frame(1, 20, 1.0, SMALL, SMALL, None, None, None, None, None)
IMAGE = np.zeros((64, 4, 4, 1), np.uint8)
ARM = ArmReport(Interval(0.95, 0.87, 0.98, 64), Interval(1.3, 1.1, 1.5, 64), None)
OTHER = ArmReport(Interval(0.89, 0.79, 0.95, 64), Interval(0.9, 0.8, 1.0, 64), None)


def run(steps: int, total: int = 20) -> list[Frame]:
    numbers = range(1, steps + 1)
    plain = replace(PLAIN, total=total, ratio=0.1)
    levels = [replace(plain, i=i, t_fraction=1 - (i - 1) / total, loss=2.0 / i) for i in numbers]
    return [replace(f, separation=f.i / 10, separation_unguided=f.i / 20) for f in levels]


def result(difference: ArmReport | None, *, alone: bool = False) -> LiveResult:
    other, image = (None, None) if alone else (OTHER, IMAGE + 1)
    return LiveResult(np.zeros(64, np.int64), IMAGE, image, ARM, other, difference, True, 3.0)


def apart(low: float, high: float) -> ArmReport:
    middle = Interval((low + high) / 2, low, high, 64)
    return ArmReport(middle, middle, None)


def test_curves_hold_the_frames_numbers_at_their_steps_and_gaps_are_not_zeros() -> None:
    frames = run(5)
    frames[1] = replace(frames[1], loss=None, ratio=nan, separation=inf)
    traces = live_curves(frames).data
    losses = [[f.loss, f.ratio, f.separation, f.separation_unguided] for f in frames]
    losses[1][:3] = [None] * 3
    assert [list(trace.y) for trace in traces] == [
        list(values) for values in zip(*losses, strict=True)
    ]
    assert all(list(trace.x) == [1, 2, 3, 4, 5] for trace in traces)
    assert not any(trace.connectgaps for trace in traces)
    for trace, sign in zip(traces[2:], (GUIDED, UNGUIDED), strict=True):
        look = (trace.name, trace.line.color, trace.line.dash, trace.marker.symbol)
        assert look == (sign.name, sign.color, sign.dash, sign.symbol)


@pytest.mark.parametrize("frames", [[], [PLAIN], run(1), run(20)])
def test_any_stage_of_a_run_draws_and_serialises(frames: list[Frame]) -> None:
    assert "NaN" not in live_curves(frames).to_json()


def test_the_axes_span_the_whole_run_carry_units_and_keep_the_zoom() -> None:
    early, layout = live_curves(run(1)).layout, live_curves(run(5)).layout
    assert early.xaxis.range == layout.xaxis.range == (0.5, 20.5)
    assert early.uirevision == layout.uirevision is not None
    assert layout.xaxis3.ticktext[:3] == ("1<br>1.00", "5<br>0.80", "9<br>")
    axes = (layout.yaxis, layout.yaxis2, layout.yaxis3)
    units = ["loss [nats]", "guidance / noise", "between / within"]
    assert [axis.title.text for axis in axes] == units and "t/T" in layout.xaxis3.title.text
    # The separation of the first estimates does not flatten the rest.
    assert [axis.type == "log" for axis in axes] == [False, False, True]


def test_a_thousand_steps_are_thinned_with_both_ends_kept() -> None:
    frames = run(1000, total=1000)
    thinned = thin(frames)
    assert len({f.i for f in thinned}) == len(thinned) == MAX_POINTS
    assert (thinned[0], thinned[-1]) == (frames[0], frames[-1])
    assert len(live_curves(frames).data[0].x) == MAX_POINTS


def test_the_table_has_one_row_a_step_with_none_kept() -> None:
    rows = live_rows([PLAIN, *run(3)])
    assert len(rows) == 4 and rows[0]["loss [nats]"] is None
    assert rows[3]["separation guided"] == pytest.approx(0.3)


def test_the_strength_profile_runs_from_noise_to_image_and_leaves_raw_strength_out() -> None:
    figure = strength_profile([(0.0, 0.1), (0.5, 0.05), (1.0, nan)])
    assert figure.layout.xaxis.range == (1, 0)
    assert list(zip(figure.data[0].x, figure.data[0].y, strict=True)) == [(0.0, 0.1), (0.5, 0.05)]
    assert strength_profile([], "lambda").layout.yaxis.title.text == "lambda"


def test_whiskers_end_where_the_intervals_end_and_a_measure_that_no_arm_has_gets_no_panel() -> None:
    both = result(apart(0.01, 0.11))
    figure = report_bar(MEASURES[0], both)
    guided, unguided = figure.data[:2]
    assert (guided.name, unguided.name) == ("guided", "unguided")
    reach = guided.error_x
    ends = (guided.x[0] - reach.arrayminus[0], guided.x[0], guided.x[0] + reach.array[0])
    assert ends == pytest.approx((87, 95, 98)) and unguided.x[0] == pytest.approx(89)
    assert measured(both) == list(MEASURES[:2])


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
    title = " ".join(finding(MEASURES[0], result(apart(low, high))))
    bounds = f"{50 * (low + high):+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    assert words in title and f"{bounds}, n = 64" in title


def test_nothing_is_found_in_few_images_of_a_class_or_in_identical_ones() -> None:
    clear = result(apart(0.01, 0.11))
    few = finding(MEASURES[0], replace(clear, label=np.arange(64) % 7)).finding
    assert "no finding, fewer than 10 images a class" in few and "higher" not in few
    enough = replace(clear, label=np.arange(64) % 6)
    assert "guided is higher" in finding(MEASURES[0], enough).finding
    same = replace(clear, unguided=IMAGE)
    title = " ".join(finding(MEASURES[0], same))
    assert "identical so far" in title and "interval" not in title
    assert {row["arm"] for row in report_rows(same)} == {"guided", "unguided"}
    rows = report_rows(clear)
    assert {row["arm"] for row in rows} == {"guided", "unguided", "guided - unguided"}
    assert all(row["n"] == 64 for row in rows)


def test_one_arm_alone_is_drawn_without_a_claim_and_nothing_measured_is_no_error() -> None:
    figure = report_bar(MEASURES[0], result(None, alone=True))
    assert [trace.name for trace in figure.data] == ["images"]
    said = heading_of(figure)
    assert said.finding == "Agreement with the label: 95.0 %" and "n = 64" in said.note
    nothing = ArmReport(None, None, None)
    assert not measured(replace(result(None, alone=True), guided_report=nothing))
