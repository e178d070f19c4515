"""What an experiment came to as figures: its objective against the settings that were varied, arm
by arm, any figure over two settings, and the front of two objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from cdp.figures.frame import (
    Row,
    as_text,
    axis,
    base,
    cells,
    color_bar,
    dots,
    heading,
    line,
    names_above,
    nothing,
    panels,
    title_at,
    whisker,
)
from cdp.figures.palette import GRID, GUIDED, INK, UNGUIDED, Sign, faint, named_signs
from cdp.values.experiment import SHARES, ArmResult, ExperimentResult
from cdp.values.text import counted, share_with_bounds
from cdp.values.types import Interval

FIGURES: Mapping[str, str] = {
    "robust": "Robust accuracy",
    "clean": "Clean accuracy",
    "agreement": "Judge agreement",
    "separation": "Separation",
    "coverage": "Coverage",
    "frechet": "Frechet distance",
    "nearest": "Nearest-training-image ratio",
}
"""What can be measured of an arm, by key of ``ArmResult.figures``."""
LOG_FROM = 8.0
"""Ratio of the largest value of a setting to its smallest from which its axis is in ratios."""
_LINES = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#0072B2")


def measured(result: ExperimentResult) -> list[str]:
    """Figures that some arm has, in the order of ``FIGURES``."""
    return [key for key in FIGURES if any(key in arm.figures for arm in result.arms)]


def factors(result: ExperimentResult) -> list[str]:
    """Numeric settings of which arms have two values or more, by "stage.setting", the one with most
    values first."""
    names = dict.fromkeys(name for arm in result.arms for name in arm.settings)
    values = {
        name: {v for arm in result.arms if _number(v := arm.settings.get(name))} for name in names
    }
    # Settings that only some arm repeats for all others, such as the ceiling's count, vary nothing.
    several = [name for name in names if len(values[name]) > 1]
    return sorted(several, key=lambda name: -len(values[name]))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def short(name: str) -> str:
    """A setting without its stage: "strength"."""
    return name.partition(".")[2] or name


def scale_of(figure: str) -> float:
    return 100.0 if figure in SHARES else 1.0


def unit_of(figure: str) -> str:
    """A figure as an axis names it."""
    title = FIGURES[figure].lower()
    return f"{title} [%]" if figure in SHARES else title


def value_text(value: Interval, figure: str) -> str:
    """A figure with its interval, as its kind is written."""
    if figure in SHARES:
        return share_with_bounds(value, level=True)
    bounds = f" ({value.low:.3g} to {value.high:.3g})" if value.wide and not value.note else ""
    return f"{value.value:.3g}{bounds}"


def dose_response(result: ExperimentResult, figure: str) -> go.Figure:
    """A figure against the setting that differs most among arms, a line for each value of the
    second one, with a band of its interval over seeds; arms without the setting, such as control
    and ceiling, as level lines. Where no numeric setting varies: arms with their intervals."""
    varied = factors(result)
    if not varied:
        return arm_points(result, figure)
    x, by = varied[0], varied[1] if len(varied) > 1 else ""
    on = [arm for arm in result.arms if _number(arm.settings.get(x)) and figure in arm.figures]
    if not on:
        return nothing(f"No arm with {short(x)} is finished yet")
    note = "mean over seeds; band: 95 % interval; level lines: arms without this setting"
    title = heading(f"{FIGURES[figure]} against {short(x)}", note)
    drawn = panels([title], panel_px=330, left_px=56, key=f"dose-{figure}", legend=True)
    groups: dict[Any, list[ArmResult]] = {}
    for arm in on:
        groups.setdefault(arm.settings.get(by) if by else None, []).append(arm)
    factor = scale_of(figure)
    for number, (value, arms) in enumerate(sorted(groups.items(), key=lambda g: str(g[0]))):
        name = f"{short(by)} {value:g}" if _number(value) else str(value or "guided")
        color = _LINES[number % len(_LINES)]
        sign = Sign(name, color, "solid", "circle")
        arms = sorted(arms, key=lambda arm: arm.settings[x])
        places = [arm.settings[x] for arm in arms]
        known = [arm.figures[figure] for arm in arms]
        if all(i.wide and not i.note for i in known) and len(known) > 1 and len(groups) <= 3:
            drawn.add_trace(_band(places, known, factor, color))
        words = [_words(arm, figure) for arm in arms]
        more: dict[str, Any] = {"hovertext": words, "hoverinfo": "text"}
        if len(known) == 1 or len(groups) > 3:
            more["error_y"] = whisker(known, color, factor=factor, thickness=1)
        drawn.add_trace(line(places, [factor * i.value for i in known], sign, size=8, **more))
    ends = [arm.settings[x] for arm in on]
    for arm in result.arms:
        if arm not in on and figure in arm.figures:
            drawn.add_trace(_level(arm, result, figure, ends))
    positive = min(ends) > 0
    log = positive and max(ends) / min(ends) >= LOG_FROM
    ticks = sorted(set(ends))
    axis(drawn, "xaxis", short(x), type="log" if log else "linear", nticks=8)
    if len(ticks) <= 8:
        texts = [f"{tick:g}" for tick in ticks]
        drawn.update_xaxes(tickvals=ticks, ticktext=texts)
    seen = [factor * a.figures[figure].value for a in result.arms if figure in a.figures]
    seen += [factor * v for a in on for v in a.values.get(figure, {}).values()]
    low, high = _around(seen)
    low = max(low, -2) if figure in SHARES else low
    axis(drawn, "yaxis", unit_of(figure), range=[low, high], nticks=7)
    return drawn


def _band(x: Sequence[float], values: Sequence[Interval], factor: float, color: str) -> go.Scatter:
    ends = [factor * i.high for i in values] + [factor * i.low for i in reversed(values)]
    look = {"fill": "toself", "fillcolor": faint(color, 0.13), "line": {"width": 0}}
    return go.Scatter(
        x=[*x, *reversed(x)], y=ends, mode="lines", hoverinfo="skip", showlegend=False, **look
    )


def _level(
    arm: ArmResult, result: ExperimentResult, figure: str, ends: Sequence[float]
) -> go.Scatter:
    control = arm.name == result.control
    color, dash = (UNGUIDED.color, "dash") if control else (INK, "dot")
    y = scale_of(figure) * arm.figures[figure].value
    name = f"{arm.name} (control)" if control else arm.name
    low, high = min(ends), max(ends)
    return go.Scatter(
        x=[low, high] if high > low else [low, low * 1.01 + 0.01],
        y=[y, y],
        mode="lines",
        name=as_text(name),
        line={"color": color, "dash": dash, "width": 2},
        hovertext=_words(arm, figure),
        hoverinfo="text",
    )


def _words(arm: ArmResult, figure: str) -> str:
    seeds = counted(len(arm.values.get(figure, {})), "seed")
    value = value_text(arm.figures[figure], figure)
    return f"<b>{as_text(arm.name, 60)}</b><br>{FIGURES[figure].lower()} {value}<br>{seeds}"


def arm_signs(result: ExperimentResult) -> dict[str, Sign]:
    """Of each arm; guided and unguided look as everywhere."""
    signs = named_signs([arm.name for arm in result.arms])
    for usual in (GUIDED, UNGUIDED):
        if usual.name in signs:
            signs[usual.name] = usual
    return signs


def arm_points(result: ExperimentResult, figure: str) -> go.Figure:
    """Every arm with its mean, its interval over seeds and its seeds, one below the other."""
    arms = [arm for arm in result.arms if figure in arm.figures]
    if not arms:
        return nothing("No arm is finished yet")
    signs, factor = arm_signs(result), scale_of(figure)
    note = "large: mean over seeds with its 95 % interval; small: seeds"
    drawn = panels(
        [heading(f"{FIGURES[figure]} by arm", note)],
        panel_px=46 * len(arms) + 20,
        left_px=12,
        key=f"arms-{figure}",
    )
    everything = []
    for row, arm in enumerate(arms):
        sign, value = signs[arm.name], arm.figures[figure]
        seeds = arm.values.get(figure, {})
        each = [factor * v for v in seeds.values()]
        everything += [*each, factor * value.value]
        small = [f"{as_text(arm.name)}, seed {seed}: {factor * v:.4g}" for seed, v in seeds.items()]
        drawn.add_trace(dots(each, [-row - 0.17] * len(each), sign, small, size=5, opacity=0.65))
        bars = {"error_x": whisker([value], sign.color, factor=factor)}
        drawn.add_trace(
            dots([factor * value.value], [-row], sign, [_words(arm, figure)], size=11).update(bars)
        )
    control = next((a for a in arms if a.name == result.control), None)
    if control is not None:
        at = factor * control.figures[figure].value
        drawn.add_vline(
            at, line={"color": UNGUIDED.color, "dash": "dot", "width": 1}, layer="below"
        )
    names = [f"{a.name} (control)" if a is control else a.name for a in arms]
    names_above(drawn, names, 0)
    axis(drawn, "xaxis", unit_of(figure), range=_around(everything), nticks=7)
    return drawn


def _around(values: Sequence[float]) -> list[float]:
    """Every mean and seed, with room; an interval of two seeds may be wider than any axis."""
    low, high = min(values), max(values)
    room = 0.6 * (high - low) or 0.05 * abs(high) or 1.0
    return [low - room, high + room]


def heat_map(result: ExperimentResult, x: str, y: str, figure: str) -> go.Figure:
    """A figure over two settings: one cell an arm, the mean over its seeds and those of all other
    settings written in it."""
    found: dict[tuple[Any, Any], list[float]] = {}
    for arm in result.arms:
        at = arm.settings.get(x), arm.settings.get(y)
        if figure in arm.figures and all(map(_number, at)):
            found.setdefault(at, []).append(scale_of(figure) * arm.figures[figure].value)
    if not found:
        return nothing("No arm with both settings is finished yet")
    columns, rows = (sorted({at[k] for at in found}) for k in (0, 1))
    z = [[sum(v) / len(v) if (v := found.get((a, b))) else math.nan for a in columns] for b in rows]
    digits = ".1f" if figure in SHARES else ".3g"
    text = [["" if math.isnan(v) else f"{v:{digits}}" for v in row] for row in z]
    values = [[None if math.isnan(v) else v for v in row] for row in z]
    heat = go.Heatmap(
        x=[f"{v:.4g}" for v in columns],
        y=[f"{v:.4g}" for v in rows],
        z=values,
        text=text,
        texttemplate="%{text}" if len(found) <= 120 else None,
        textfont={"size": 12},
        colorscale="Cividis",
        xgap=2,
        ygap=2,
        hoverongaps=False,
        hovertemplate=f"{as_text(short(x))} %{{x}}, {as_text(short(y))} %{{y}}: %{{z:.4g}}"
        "<extra></extra>",
        colorbar=color_bar(unit_of(figure)),
    )
    title = title_at(f"{FIGURES[figure]} over {as_text(short(x))} and {as_text(short(y))}", 0, 1)
    kind = {"type": "category", "showgrid": False, "ticks": "", "linecolor": GRID}
    layout = base(
        110 + 44 * max(2, len(rows)), (72, 12, 34, 48), annotations=[title | {"xshift": -66}]
    )
    layout |= {
        "xaxis": kind | {"title": {"text": as_text(short(x)), "standoff": 6}},
        "yaxis": kind | {"title": {"text": as_text(short(y)), "standoff": 6}},
    }
    return go.Figure(heat, layout)


def pareto_front(result: ExperimentResult) -> go.Figure:
    """Arms by two objectives; those that no other betters in both are filled and joined."""
    first, second = result.objective
    arms = [a for a in result.arms if first in a.figures and second in a.figures]
    if not arms:
        return nothing("No arm is finished yet")
    ahead = sorted((a for a in arms if a.front), key=lambda a: a.figures[second].value)
    finding = f"{len(ahead)} of {counted(len(arms), 'arm')} {'is' if len(ahead) == 1 else 'are'}"
    note = "filled: no other arm is better in both; whiskers: 95 %"
    title = heading(f"{finding} on the front", note)
    drawn = panels([title], panel_px=330, left_px=56, key="experiment-front")
    ys, xs = scale_of(first), scale_of(second)
    x = [xs * a.figures[second].value for a in ahead]
    y = [ys * a.figures[first].value for a in ahead]
    joined = {"color": INK, "dash": "dot", "width": 1}
    drawn.add_trace(go.Scatter(x=x, y=y, mode="lines", line=joined, hoverinfo="skip"))
    signs = arm_signs(result)
    for arm in arms:
        sign = signs[arm.name]
        words = [
            f"<b>{as_text(arm.name, 60)}</b>"
            + "".join(
                f"<br>{FIGURES[key].lower()} {value_text(arm.figures[key], key)}"
                for key in (first, second)
            )
        ]
        at = [xs * arm.figures[second].value], [ys * arm.figures[first].value]
        bars = {
            "error_x": whisker([arm.figures[second]], sign.color, factor=xs, thickness=0.8),
            "error_y": whisker([arm.figures[first]], sign.color, factor=ys, thickness=0.8),
        }
        drawn.add_trace(dots(*at, sign, words, size=11, filled=arm.front).update(bars))
    axis(drawn, "xaxis", unit_of(second), nticks=7)
    axis(drawn, "yaxis", unit_of(first), nticks=7)
    return drawn


def arm_rows(result: ExperimentResult) -> list[Row]:
    """The numbers of all arms: figures in per cent where they are shares, differences in points."""
    rows = []
    for arm in result.arms:
        difference = arm.difference.difference if arm.difference else None
        row: Row = {"arm": arm.name, "seeds": len(arm.seeds), "optimiser steps": arm.steps}
        raw = arm.difference is not None and arm.difference.metric not in SHARES
        row |= cells(
            difference, "difference", **({"unit": "", "factor": 1} if raw else {"unit": "points"})
        )
        row["p"] = None if arm.difference is None else arm.difference.adjusted
        for key in measured(result):
            value = arm.figures.get(key)
            if key in SHARES:
                row |= cells(value, FIGURES[key].lower())
            else:
                row[FIGURES[key].lower()] = None if value is None else round(value.value, 4)
        for name, value in arm.settings.items():
            row[short(name) if short(name) not in row else name] = str(value)
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def cell_rows(result: ExperimentResult) -> list[Row]:
    """Every cell: where it stands, its set and runs, and what was measured, shares in 0..1."""
    arms = {arm.name: arm for arm in result.arms}
    rows = []
    for cell in result.cells:
        row: Row = {"arm": cell.arm, "seed": cell.seed, "state": cell.stage}
        row |= {"set": cell.set, "training": cell.train, "evaluation": cell.evaluate}
        row |= {"reused": ", ".join(cell.reused), "error": cell.error}
        arm = arms.get(cell.arm)
        values = arm.values if arm else {}
        rows.append(row | {key: values.get(key, {}).get(cell.seed) for key in FIGURES})
    return rows
