"""Curves show exactly the numbers of the frames, leave gaps where there are none, and keep the
reader's zoom."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from cdp.figures.generation import MAX_POINTS, live_curves, live_rows, strength_profile, thin
from cdp.figures.palette import GUIDED, UNGUIDED
from cdp.values.types import Frame

IMAGE = np.zeros((2, 4, 4, 1), np.uint8)
PLAIN = Frame(1, 20, 1.0, IMAGE, IMAGE, None, None, None, None, None)


def run(steps: int, total: int = 20) -> list[Frame]:
    return [
        replace(
            PLAIN,
            i=i,
            total=total,
            t_fraction=1 - (i - 1) / total,
            loss=2.0 / i,
            ratio=0.1,
            separation=i / 10,
            separation_unguided=i / 20,
        )
        for i in range(1, steps + 1)
    ]


def values(figure, trace: int) -> list[float | None]:
    return list(figure.data[trace].y)


def test_curves_hold_the_frames_numbers_at_their_steps() -> None:
    frames = run(5)
    figure = live_curves(frames)
    assert [values(figure, k) for k in range(4)] == [
        [f.loss for f in frames],
        [f.ratio for f in frames],
        [f.separation for f in frames],
        [f.separation_unguided for f in frames],
    ]
    assert all(list(trace.x) == [1, 2, 3, 4, 5] for trace in figure.data)


def test_a_step_without_guidance_is_a_gap_and_not_a_zero() -> None:
    frames = run(4)
    frames[1] = replace(frames[1], loss=None, ratio=nan, separation=inf)
    figure = live_curves(frames)
    assert [values(figure, k)[1] for k in range(3)] == [None, None, None]
    assert not any(trace.connectgaps for trace in figure.data)


def test_the_separation_of_the_first_estimates_does_not_flatten_the_rest() -> None:
    axes = live_curves(run(3)).layout
    assert [axes[name].type == "log" for name in ("yaxis", "yaxis2", "yaxis3")] == [0, 0, 1]


@pytest.mark.parametrize("frames", [[], [PLAIN], run(1), run(20)])
def test_any_stage_of_a_run_draws_and_serialises(frames: list[Frame]) -> None:
    assert "NaN" not in live_curves(frames).to_json()


def test_the_axis_spans_the_whole_run_from_the_first_frame_and_the_zoom_key_never_changes() -> None:
    early, late = live_curves(run(1)), live_curves(run(20))
    assert early.layout.xaxis.range == late.layout.xaxis.range == (0.5, 20.5)
    assert early.layout.uirevision == late.layout.uirevision is not None
    assert {early.layout.paper_bgcolor, early.layout.plot_bgcolor} == {"rgba(0,0,0,0)"}


def test_arms_are_told_apart_by_colour_dash_and_marker_and_named() -> None:
    guided, unguided = live_curves(run(5)).data[2:]
    assert (guided.name, unguided.name) == ("guided", "unguided")
    assert (guided.line.color, guided.line.dash, guided.marker.symbol) == (
        GUIDED.color,
        GUIDED.dash,
        GUIDED.symbol,
    )
    assert (unguided.line.color, unguided.line.dash, unguided.marker.symbol) == (
        UNGUIDED.color,
        UNGUIDED.dash,
        UNGUIDED.symbol,
    )


def test_ticks_say_the_noise_level_of_done_steps_and_axes_carry_units() -> None:
    layout = live_curves(run(5)).layout
    assert layout.xaxis3.ticktext[:3] == ("1<br>1.00", "5<br>0.80", "9<br>")
    assert (layout.yaxis.title.text, layout.yaxis2.title.text, layout.yaxis3.title.text) == (
        "loss [nats]",
        "guidance / noise",
        "between / within",
    )
    assert "t/T" in layout.xaxis3.title.text


def test_a_thousand_steps_are_thinned_with_both_ends_kept() -> None:
    frames = run(1000, total=1000)
    kept = thin(frames)
    assert len(kept) == MAX_POINTS
    assert kept[0] is frames[0]
    assert kept[-1] is frames[-1]
    assert len({f.i for f in kept}) == MAX_POINTS
    assert len(live_curves(frames).data[0].x) == MAX_POINTS


def test_the_table_has_one_row_a_step_with_none_kept() -> None:
    rows = live_rows([PLAIN, *run(3)])
    assert len(rows) == 4
    assert rows[0]["loss [nats]"] is None
    assert rows[3]["separation guided"] == pytest.approx(0.3)


def test_the_strength_profile_runs_from_noise_to_image_and_leaves_raw_strength_out() -> None:
    figure = strength_profile([(0.0, 0.1), (0.5, 0.05), (1.0, nan)])
    assert figure.layout.xaxis.range == (1, 0)
    assert list(zip(figure.data[0].x, figure.data[0].y, strict=True)) == [(0.0, 0.1), (0.5, 0.05)]
    assert len(strength_profile([]).data[0].x) == 0
    assert strength_profile([], "lambda").layout.yaxis.title.text == "lambda"
