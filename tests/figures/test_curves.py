"""Training curves show exactly what naive computations give, thinned without losing a spike, and
keep the reader's zoom."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cdp.figures.curve_data import (
    RunCurves,
    entries,
    gap,
    mean_over,
    point_rows,
    run_rows,
    share_band,
    smooth,
    thin,
)
from cdp.figures.curves import BEST_PX, MAX_POINTS, QUANTITIES, X_AXES, Look, training_curves
from cdp.figures.palette import role_sign
from cdp.ui.components.chart import pack
from cdp.values.naming import common_name


def run(
    run_id: str,
    epochs: int = 30,
    *,
    group: str | None = None,
    seed: int = 0,
    synthetic: bool = True,
    **columns: Any,
) -> RunCurves:
    rng = np.random.default_rng(seed)
    e = np.arange(1.0, epochs + 1)
    robust = np.round(0.4 * (1 - np.exp(-e / 10)) + rng.normal(0, 0.01, epochs), 3).clip(0, 1)
    rates = {"point": e, "epoch": e, "step": 100 * e, "images": 5000 * e, "seconds": 31 * e}
    rates |= {"synthetic_images": 3500 * e * synthetic, "n": np.full(epochs, 1000.0)}
    shares = {"robust_accuracy": robust, "clean_accuracy": robust + 0.3}
    losses = {"loss": 2 - robust, "loss_clean": 1 - robust, "loss_robust": robust / 6}
    whole = rates | shares | losses | {"learning_rate": 0.1 / e} | columns
    return RunCurves(run_id, run_id, group or run_id, whole, seed=seed)


def drawn(*runs: RunCurves, **look: Any) -> dict[str, dict[str, Any]]:
    """Traces by uid."""
    figure = training_curves(runs, Look(**{"x": "epoch"} | look)).figure
    return {trace["uid"]: trace for trace in figure["data"]}


def layout(*runs: RunCurves, **look: Any) -> dict[str, Any]:
    return dict(training_curves(runs, Look(**{"x": "epoch"} | look)).figure["layout"])


def test_the_gap_is_the_best_so_far_minus_now() -> None:
    robust = [0.1, 0.3, 0.25, 0.31, 0.2]
    naive = [max(robust[: k + 1]) - robust[k] for k in range(5)]
    assert gap(np.array(robust)) == pytest.approx(naive)
    trace = drawn(run("a", 5, robust_accuracy=np.array(robust)))["a/3//line"]
    assert trace["y"] == pytest.approx([100 * value for value in naive], abs=1e-5)


def test_seeds_of_one_setting_become_one_line_with_a_band_that_says_n_and_stays_possible() -> None:
    seeds = [run(f"trades-s{k}", [30, 30, 20][k], group="g", seed=k) for k in range(3)]
    traces = drawn(*seeds, run("other"))
    low, high, line = (traces[f"mean of g/0/robust/{role}"] for role in ("low", "high", "line"))
    shares = [seed.columns["robust_accuracy"] for seed in seeds]
    naive = [100 * np.mean([s[k] for s in shares if len(s) > k]) for k in range(30)]
    assert line["y"] == pytest.approx(naive, abs=1e-4)
    assert line["name"] == "trades, n = 3 seeds"
    assert line["customdata"][:, 2].tolist() == [3] * 20 + [2] * 10
    assert "n = %{customdata[2]:,.0f} seeds" in line["hovertemplate"]
    assert high["fill"] == "tonexty" and low["y"].min() >= 0 and high["y"].max() <= 100
    assert traces["mean of g/3//low"]["y"].min() >= 0
    apart = drawn(*seeds, mean=False)
    marks = [apart[f"trades-s{k}/0/robust/line"]["marker"] for k in range(3)]
    assert len({(mark["symbol"], mark["size"]) for mark in marks}) == 3


def test_a_smoothed_mean_is_the_mean_of_smoothed_seeds_with_the_measured_one_behind() -> None:
    seeds = [run(f"s{k}", group="g", seed=k) for k in range(2)]
    traces = drawn(*seeds, smoothing=5)
    robust = [100 * s.columns["robust_accuracy"] for s in seeds]
    smoothed = np.mean([smooth(r, 5) for r in robust], axis=0)
    assert traces["mean of g/0/robust/line"]["y"] == pytest.approx(smoothed, abs=1e-4)
    assert traces["mean of g/0/robust/raw"]["y"] == pytest.approx(np.mean(robust, axis=0), abs=1e-4)


def test_a_run_is_drawn_in_per_cent_with_its_interval_and_the_raw_curve_behind_a_smoothed_one() -> (
    None
):
    single = run("a")
    traces, share = drawn(single, smoothing=10), single.columns["robust_accuracy"]
    low, high = share_band(smooth(share, 10), single.columns["n"])
    for role, values in {"raw": share, "line": smooth(share, 10), "low": low, "high": high}.items():
        assert traces[f"a/0/robust/{role}"]["y"] == pytest.approx(100 * values, abs=1e-4)
    assert "a/0/robust/raw" not in drawn(single)
    # A schedule is no measurement, so it is not smoothed.
    assert traces["a/2//line"]["y"] == pytest.approx(single.columns["learning_rate"])


def test_clean_accuracy_is_dashed_in_the_colour_of_its_run_and_a_run_keeps_its_sign() -> None:
    names = [f"run {k}" for k in range(5)]
    signs = {name: role_sign("guided", k, name) for k, name in enumerate(names)}
    runs = [replace(run(name), sign=signs[name]) for name in names]
    traces = drawn(*runs)
    for name in names:
        robust, clean = (traces[f"{name}/0/{part}/line"] for part in ("robust", "clean"))
        assert robust["marker"]["symbol"] == signs[name].symbol
        assert robust["line"]["color"] == clean["line"]["color"] == signs[name].color
        assert (robust["line"]["dash"], clean["line"]["dash"]) == ("solid", "dash")
    alone = drawn(runs[3])[f"{names[3]}/0/robust/line"]
    assert alone["line"]["color"] == signs[names[3]].color
    best = traces[f"{names[0]}/0/robust/best"]["marker"]
    assert (best["symbol"], best["size"]) == (signs[names[0]].symbol, BEST_PX)


@pytest.mark.parametrize(("count", "banded"), [(1, True), (3, True), (4, False), (9, False)])
def test_uncertainty_is_a_band_of_few_runs_and_a_whisker_at_the_best_epoch_of_many(
    count: int, banded: bool
) -> None:
    runs = [run(f"r{k}", seed=k) for k in range(count)]
    traces, share = drawn(*runs), runs[0].columns["robust_accuracy"]
    assert ("r0/0/robust/high" in traces) is banded
    best, star = int(np.argmax(share)), traces["r0/0/robust/best"]
    low, high = share_band(share, runs[0].columns["n"])
    assert (star["x"], star["y"]) == ([best + 1.0], pytest.approx([100 * share[best]]))
    reach = star["error_y"]
    assert star["y"][0] + reach["array"][0] == pytest.approx(100 * high[best])
    assert star["y"][0] - reach["arrayminus"][0] == pytest.approx(100 * low[best])


def test_the_best_epoch_is_the_measured_one_and_the_finding_says_how_far_below_it_a_run_is() -> (
    None
):
    share = np.array([0.1, 0.5, 0.2, 0.3, 0.31, 0.32])
    one = run("a", 6, robust_accuracy=share)
    drawing = training_curves([one], Look(smoothing=10))
    assert drawing.heading.finding == "Robust accuracy is 18.0 points below its best"
    assert "n = 1,000" in drawing.heading.note
    best = drawn(one, smoothing=10)["a/0/robust/best"]
    assert best["x"] == [2.0]
    two = training_curves([one, run("b", 6, robust_accuracy=share + 0.1)], Look())
    assert two.heading.finding == "The best robust accuracies lie 10.0 points apart, highest in b"
    assert training_curves([], Look()).heading.finding == ""


def test_the_best_of_a_mean_is_among_the_points_that_most_seeds_have_reached() -> None:
    rising = np.arange(1.0, 31) / 100
    lengths = {"s0": 30, "s1": 20}
    seeds = [run(s, n, group="g", robust_accuracy=rising[:n]) for s, n in lengths.items()]
    assert drawn(*seeds)["mean of g/0/robust/best"]["x"] == [20.0]


@pytest.mark.parametrize(
    ("x", "factor"),
    [
        ("step", 100),
        ("epoch", 1),
        ("images", 5000),
        ("synthetic_images", 3500),
        ("seconds", 31 / 60),
    ],
)
def test_curves_lie_over_what_was_asked_for_and_the_axis_carries_its_unit(
    x: str, factor: float
) -> None:
    assert drawn(run("a"), x=x)["a/0/robust/line"]["x"] == pytest.approx(factor * np.arange(1, 31))
    title = layout(run("a"), x=x)["xaxis4"]["title"]["text"]
    assert title == ("training time [min]" if x == "seconds" else X_AXES[x].lower())


def test_hours_follow_minutes_after_three_hours_and_large_counts_stay_exact() -> None:
    e = np.arange(1.0, 31)
    long = run("a", 30, seconds=e * 3600, images=e + 2**30)
    assert layout(long, x="seconds")["xaxis4"]["title"]["text"] == "training time [h]"
    assert drawn(long, x="seconds")["a/0/robust/line"]["x"] == pytest.approx(e)
    assert drawn(long, x="images")["a/0/robust/line"]["x"].tolist() == (e + 2**30).tolist()


def test_a_run_without_synthetic_images_has_no_place_on_their_axis_and_that_is_said() -> None:
    runs = [run("real", synthetic=False), run("mixed")]
    drawing = training_curves(runs, Look(x="synthetic_images"))
    assert {trace["legendgroup"] for trace in drawing.figure["data"]} == {"mixed"}
    assert any("real" in note for note in drawing.notes)


def test_log_axes_are_of_losses_and_rate_only_and_the_axes_say_so() -> None:
    plain, log = layout(run("a")), layout(run("a"), log_x=True, log_y=True)
    assert [log[f"yaxis{k}"]["type"] for k in ("", 2, 3, 4)] == ["linear", "log", "log", "linear"]
    assert (plain["xaxis"]["type"], log["xaxis"]["type"]) == ("linear", "log")
    assert log["yaxis2"]["title"]["text"] == "loss [nats], log"
    assert all(plain[f"yaxis{k}"]["title"]["text"] for k in ("", 2, 3, 4))


def test_the_zoom_lasts_while_points_arrive_and_changes_with_what_an_axis_shows() -> None:
    def keys(*runs: RunCurves, **look: Any) -> dict[str, str]:
        parts = layout(*runs, **look)
        return {name: part["uirevision"] for name, part in parts.items() if "axis" in name} | {
            "legend": parts["legend"]["uirevision"],
            "": parts["uirevision"],
        }

    first = keys(run("a", 3))
    assert first == keys(run("a", 30)) == keys(run("a", 30), run("b", 9))
    assert keys(run("a"), x="images")["xaxis"] != first["xaxis"]
    assert keys(run("a"), quantities=("losses",))["yaxis"] != first["yaxis"]
    assert set(drawn(run("a", 3))) == set(drawn(run("a", 30)))


def test_every_run_has_one_legend_entry_whatever_is_drawn() -> None:
    for quantities in (tuple(QUANTITIES), ("gap",), ("losses", "rate")):
        figure = training_curves([run("a"), run("b")], Look(quantities=quantities)).figure
        assert [trace["name"] for trace in figure["data"] if trace.get("showlegend")] == ["a", "b"]
        assert sum(name.startswith("yaxis") for name in figure["layout"]) == len(quantities)


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [run("a", 1)],
        [run("a", 0)],
        [run("a", 3, robust_accuracy=np.full(3, nan))],
        [run("a"), run("b", 0)],
    ],
)
def test_any_stage_of_a_run_draws_and_packs(runs: list[RunCurves]) -> None:
    for look in (
        Look(),
        Look(smoothing=5, log_x=True, log_y=True),
        Look(x="seconds", mean=False),
        Look(x="synthetic_images"),
    ):
        assert len(pack(training_curves(runs, look).figure, alt="x")) > 100


def test_names_are_shown_as_text_and_equal_names_are_told_apart() -> None:
    evil = RunCurves("1", "<b>%{x}</b>", "1", run("x").columns)
    assert drawn(evil)["1/0/robust/line"]["name"] == "&lt;b&gt;% {x}&lt;/b&gt;"
    same = [RunCurves(i, "same", i, run("x").columns) for i in ("1", "2")]
    assert [entry.label for entry in entries(same, mean=True)] == ["same (1)", "same (2)"]


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["a-s0", "a-s1"], "a"),
        (["trades 7 seed 0", "trades 7 seed 12"], "trades 7"),
        (["x", "y"], "x"),
        (["runs-s1", "runs-s10"], "runs"),
        (["glass", "glass-2"], "glass"),
    ],
)
def test_seeds_are_named_by_what_their_names_share(names: list[str], common: str) -> None:
    assert common_name(names) == common


def test_the_table_has_the_best_and_the_latest_epoch_with_intervals_and_n_and_the_file_every_point() -> (
    None
):
    single = run("a")
    share = single.columns["robust_accuracy"]
    best, latest = run_rows([single, run("empty", 0)])
    assert (best["epoch"], latest["epoch"], best["n"]) == (int(np.argmax(share)) + 1, 30, 1000)
    wanted = stats.binomtest(round(1000 * share[-1]), 1000).proportion_ci(method="wilson")
    mean = [latest[f"robust {end}"] for end in ("[%]", "low", "high")]
    assert mean == pytest.approx([100 * v for v in (share[-1], wanted.low, wanted.high)], abs=0.006)
    assert latest["gap [points]"] == pytest.approx(100 * (share.max() - share[-1]), abs=0.006)
    rows = point_rows([single])
    assert [row["robust_accuracy"] for row in rows] == share.tolist()
    assert rows[4]["images"] == 25_000 and rows[0]["train_clean"] is None


@pytest.mark.parametrize("reach", [2, 3, 10, 50])
@pytest.mark.parametrize("size", [1, 7, 2500])
def test_smoothing_is_the_weighted_mean_of_this_epoch_and_earlier_ones(
    reach: int, size: int
) -> None:
    values = np.random.default_rng(0).normal(size=size)
    values[size // 2] = nan if size > 1 else values[0]
    keep = 1 - 1 / reach
    for at in {0, size // 3, size - 1}:
        known = [(keep ** (at - k), v) for k, v in enumerate(values[: at + 1]) if not isnan(v)]
        naive = sum(w * v for w, v in known) / sum(w for w, _ in known) if known else nan
        wanted = nan if isnan(values[at]) else naive
        assert smooth(values, reach)[at] == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    assert isnan(smooth(values, reach)[size // 2]) == (size > 1)


def test_smoothing_leaves_a_constant_alone_and_its_past_never_changes() -> None:
    assert smooth(np.full(40, 3.0), 10) == pytest.approx(3.0)
    values = np.random.default_rng(1).normal(size=60)
    assert (smooth(values[:50], 10) == smooth(values, 10)[:50]).all()
    assert smooth(values, 1) is values


@pytest.mark.parametrize("count", [501, 502, 503, 747, 1000, 9999])
def test_thinning_keeps_both_ends_every_extreme_and_at_most_the_limit(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    values[count // 3], values[count // 2] = 50.0, -50.0
    places = thin(values, 500)
    assert 250 <= len(places) <= 500 and (np.diff(places) > 0).all()
    assert {0, count - 1, count // 3, count // 2} <= set(places.tolist())


def test_thinning_leaves_short_curves_alone_bears_unknown_values_and_holds_for_the_figure() -> None:
    assert thin(np.arange(500.0), 500).tolist() == list(range(500))
    assert len(thin(np.full(2000, nan), 500)) <= 500
    traces = drawn(run("a", 3000), smoothing=5)
    assert max(len(trace["x"]) for trace in traces.values()) <= MAX_POINTS


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = share_band(np.array([0.437, 0.0, 1.0]), np.array([1000.0, 50.0, 50.0]))
    for k, hits, n in ((0, 437, 1000), (1, 0, 50), (2, 50, 50)):
        wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert (low[k], high[k]) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert np.isnan(share_band(np.array([0.5]), np.array([nan]))).all()


def test_the_mean_and_its_t_interval_are_over_the_seeds_that_have_an_epoch() -> None:
    rng = np.random.default_rng(2)
    steps = [np.arange(1.0, 7), np.arange(1.0, 5), np.array([1.0, 2, 3])]
    values = [rng.normal(size=len(s)) for s in steps]
    mean = mean_over(steps, [10 * s for s in steps], values)
    assert mean.step.tolist() == [1, 2, 3, 4, 5, 6] and mean.n.tolist() == [3, 3, 3, 2, 1, 1]
    assert mean.x.tolist() == [10, 20, 30, 40, 50, 60]
    for k in range(6):
        there = [v[k] for v in values if len(v) > k]
        wanted = (nan, nan)
        if len(there) > 1:
            error = np.std(there, ddof=1) / sqrt(len(there))
            wanted = stats.t.interval(0.95, len(there) - 1, loc=np.mean(there), scale=error)
        assert mean.value[k] == pytest.approx(np.mean(there))
        assert (mean.low[k], mean.high[k]) == pytest.approx(wanted, nan_ok=True)
