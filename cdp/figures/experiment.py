"""What an experiment came to as figures: its objective against the settings that were varied, arm
by arm, any figure over two settings, and the front of two objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from cdp.figures.comparison import settled
from cdp.figures.frame import (
    Heading,
    as_text,
    axis,
    base,
    color_bar,
    dots,
    line,
    log_ticks,
    names_above,
    nothing,
    panel,
    told,
    whisker,
)
from cdp.figures.palette import GRID, INK, Sign, faint, role_sign
from cdp.values.experiment import SHARES, ArmResult, ExperimentResult
from cdp.values.text import counted, joined, share_with_bounds
from cdp.values.types import Interval, Role

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
NAME_PX = 14
"""A line of a name on a chart."""
NAMED = 4
"""Arms on a front whose names stand beside them; more would lie over each other."""


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
    groups: dict[Any, list[ArmResult]] = {}
    for arm in on:
        groups.setdefault(arm.settings.get(by) if by else None, []).append(arm)
    factor = scale_of(figure)
    low, high, banded = _room(result, on, figure)
    spread = "band: 95 % interval" if banded else "small: seeds"
    note = f"mean over seeds; {spread}; level lines: arms without this setting"
    finding = _beside_control(on, x, figure, result) or _moves(on, x, figure)
    drawn = panel(finding, note, panel_px=330, left_px=56, key=f"dose-{figure}", legend=True)
    signs = arm_signs(result)
    for value, arms in sorted(groups.items(), key=lambda group: str(group[0])):
        name = f"{short(by)} {value:g}" if _number(value) else str(value or "guided")
        sign = replace(signs[arms[0].name], name=name)
        color = sign.color
        arms = sorted(arms, key=lambda arm: arm.settings[x])
        places = [arm.settings[x] for arm in arms]
        known = [arm.figures[figure] for arm in arms]
        whole = all(i.wide and not i.note for i in known) and len(known) > 1
        if banded and whole and len(groups) <= 3:
            drawn.add_trace(_band(places, known, factor, color))
        if not banded:
            drawn.add_trace(_seeds(arms, places, figure, sign))
        words = [_words(arm, figure) for arm in arms]
        more: dict[str, Any] = {"hovertext": words, "hoverinfo": "text"}
        if banded and (len(known) == 1 or len(groups) > 3):
            more["error_y"] = whisker(known, color, factor=factor, thickness=1)
        drawn.add_trace(line(places, [factor * i.value for i in known], sign, size=8, **more))
    tried = [arm.settings[x] for arm in on]
    for arm in result.arms:
        if arm not in on and figure in arm.figures:
            drawn.add_trace(_level(arm, result, figure, tried, signs[arm.name]))
    _setting_axis(drawn, short(x), tried)
    axis(drawn, "yaxis", unit_of(figure), range=[low, high], nticks=7)
    return drawn


def _beside_control(on: Sequence[ArmResult], x: str, figure: str, result: ExperimentResult) -> str:
    """Which values of a setting lie above or below the control by their own test, adjusted for as
    many as there are; "" where none does, or where this figure is not what was tested."""
    alone = len({arm.settings[x] for arm in on}) == len(on)
    if not alone or figure != result.objective[0]:
        return ""
    sides: dict[str, list[str]] = {"above": [], "below": []}
    for arm in sorted(on, key=lambda arm: arm.settings[x]):
        if (test := arm.difference) and test.difference and settled(test):
            side = "above" if test.difference.value > 0 else "below"
            sides[side].append(f"{arm.settings[x]:g}")
    found = [
        f"{joined(values)} {'lies' if len(values) == 1 else 'lie'} {side} {result.control}"
        for side, values in sides.items()
        if values
    ]
    if not found:
        return ""
    every = sum(map(len, sides.values())) == len(on)
    rest = "" if every else "; no other can be told from it"
    return f"{FIGURES[figure]}: {short(x)} {', '.join(found)}{rest}"


def _moves(on: Sequence[ArmResult], x: str, figure: str) -> str:
    """How far the means move over a setting, beside how wide their intervals are."""
    tried = [arm.settings[x] for arm in on]
    known = [arm.figures[figure] for arm in on]
    means = [i.value for i in known]
    span = f"between {short(x)} {min(tried):g} and {max(tried):g}"
    if min(tried) == max(tried):
        return f"{FIGURES[figure]} at {short(x)} {tried[0]:g}: {value_text(known[0], figure)}"
    apart = _amount(max(means) - min(means), figure)
    widths = sorted(i.high - i.low for i in known if i.wide and not i.note)
    wide = (
        f", their intervals are typically {_amount(widths[len(widths) // 2], figure)} wide"
        if widths
        else ""
    )
    return f"{FIGURES[figure]}: means lie within {apart} {span}{wide}"


def _amount(value: float, figure: str) -> str:
    return f"{100 * value:.1f} points" if figure in SHARES else f"{value:.3g}"


def _band(x: Sequence[float], values: Sequence[Interval], factor: float, color: str) -> go.Scatter:
    ends = [factor * i.high for i in values] + [factor * i.low for i in reversed(values)]
    look = {"fill": "toself", "fillcolor": faint(color, 0.13), "line": {"width": 0}}
    return go.Scatter(
        x=[*x, *reversed(x)], y=ends, mode="lines", hoverinfo="skip", showlegend=False, **look
    )


def _setting_axis(drawn: go.Figure, title: str, values: Sequence[float]) -> None:
    """The setting, in ratios where its values are; few values are marked themselves."""
    log = min(values) > 0 and max(values) / min(values) >= LOG_FROM
    ticks = sorted(set(values))
    axis(drawn, "xaxis", title, **(log_ticks(ticks[0], ticks[-1]) if log else {"nticks": 8}))
    if len(ticks) <= 8:
        drawn.update_xaxes(tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])


def _room(
    result: ExperimentResult, on: Sequence[ArmResult], figure: str
) -> tuple[float, float, bool]:
    """Ends of the axis, and whether the intervals lie within them: that of two seeds may be wider
    than all that differs, and then the seeds are drawn in its place."""
    factor = scale_of(figure)
    seen = [factor * a.figures[figure].value for a in result.arms if figure in a.figures]
    seen += [factor * v for a in on for v in a.values.get(figure, {}).values()]
    low, high = _around(seen)
    low = max(low, -2) if figure in SHARES else low
    intervals = [arm.figures[figure] for arm in on]
    return low, high, all(low <= factor * i.low and factor * i.high <= high for i in intervals)


def _seeds(
    arms: Sequence[ArmResult], places: Sequence[float], figure: str, sign: Sign
) -> go.Scatter:
    """Every seed of the arms of a line, small."""
    each = [
        (place, scale_of(figure) * value, f"{as_text(arm.name, 60)}, seed {seed}")
        for arm, place in zip(arms, places, strict=True)
        for seed, value in arm.values.get(figure, {}).items()
    ]
    x, y, words = (list(column) for column in zip(*each, strict=True)) if each else ([], [], [])
    return dots(x, y, sign, words, size=5, opacity=0.5)


def _level(
    arm: ArmResult, result: ExperimentResult, figure: str, ends: Sequence[float], sign: Sign
) -> go.Scatter:
    control = arm.name == result.control
    y = scale_of(figure) * arm.figures[figure].value
    name = f"{arm.name} (control)" if control else arm.name
    low, high = min(ends), max(ends)
    return go.Scatter(
        x=[low, high] if high > low else [low, low * 1.01 + 0.01],
        y=[y, y],
        mode="lines",
        name=as_text(name),
        line={"color": sign.color, "dash": sign.dash, "width": 2},
        hovertext=_words(arm, figure),
        hoverinfo="text",
    )


def _words(arm: ArmResult, figure: str) -> str:
    seeds = counted(len(arm.values.get(figure, {})), "seed")
    value = value_text(arm.figures[figure], figure)
    return f"<b>{as_text(arm.name, 60)}</b><br>{FIGURES[figure].lower()} {value}<br>{seeds}"


def arm_signs(result: ExperimentResult) -> dict[str, Sign]:
    """Of each arm, by its role. Arms of one role share a sign where they lie on one line of
    ``dose_response``; otherwise they are told apart in the order of the plan."""
    varied, signs = factors(result), {}
    lines: dict[Role, list[Any]] = {}
    for arm in result.arms:
        on = bool(varied) and _number(arm.settings.get(varied[0]))
        line = (arm.settings.get(varied[1]) if len(varied) > 1 else None,) if on else arm.name
        known = lines.setdefault(arm.role, [])
        if line not in known:
            known.append(line)
        signs[arm.name] = role_sign(arm.role, known.index(line), arm.name)
    return signs


def arm_points(result: ExperimentResult, figure: str) -> go.Figure:
    """Every arm with its mean, its interval over seeds and its seeds, one below the other."""
    arms = [arm for arm in result.arms if figure in arm.figures]
    if not arms:
        return nothing("No arm is finished yet")
    signs, factor = arm_signs(result), scale_of(figure)
    note = "large: mean over seeds with its 95 % interval; small: seeds"
    drawn = panel(
        _ranked(arms, figure),
        note,
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
            at, line={"color": signs[control.name].color, "dash": "dot", "width": 1}, layer="below"
        )
    names = [f"{a.name} (control)" if a is control else a.name for a in arms]
    names_above(drawn, names)
    low, high = _around(everything)
    low = max(low, -2) if figure in SHARES else low
    axis(drawn, "xaxis", unit_of(figure), range=[low, high], nticks=7)
    return drawn


def _ranked(arms: Sequence[ArmResult], figure: str) -> str:
    """How far the means of arms lie apart beside the seeds of one arm."""
    means = [arm.figures[figure].value for arm in arms]
    seeds = [list(arm.values.get(figure, {}).values()) for arm in arms]
    spreads = [max(values) - min(values) for values in seeds if len(values) > 1]
    within = f", seeds of one arm up to {_amount(max(spreads), figure)}" if spreads else ""
    if len(means) < 2:
        return f"{FIGURES[figure]}: {value_text(arms[0].figures[figure], figure)}"
    return f"{FIGURES[figure]}: arms lie {_amount(max(means) - min(means), figure)} apart{within}"


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
    kind = {"type": "category", "showgrid": False, "ticks": "", "linecolor": GRID}
    layout = base(86 + 44 * max(2, len(rows)), (72, 12, 10, 48))
    looks: dict[str, Any] = {"standoff": 6, "font": {"size": 12}}
    layout |= {
        "xaxis": kind | {"title": {"text": as_text(short(x)), **looks}},
        "yaxis": kind | {"title": {"text": as_text(short(y)), **looks}},
    }
    best = max(found, key=lambda at: sum(found[at]) / len(found[at]))
    finding = f"{FIGURES[figure]} is highest at {short(x)} {best[0]:g} and {short(y)} {best[1]:g}"
    if len({round(sum(v) / len(v), 6) for v in found.values()}) == 1:
        finding = f"{FIGURES[figure]} is the same at every {short(x)} and {short(y)}"
    note = "mean over seeds and over all other settings; no claim that cells differ"
    return told(go.Figure(heat, layout), Heading(finding, note))


def pareto_front(result: ExperimentResult) -> go.Figure:
    """Arms by two objectives; those that no other betters in both are filled and joined."""
    first, second = result.objective
    arms = [a for a in result.arms if first in a.figures and second in a.figures]
    if not arms:
        return nothing("No arm is finished yet")
    ahead = sorted((a for a in arms if a.front), key=lambda a: a.figures[second].value)
    scale = {key: scale_of(key) for key in (first, second)}
    room = {key: _around([scale[key] * arm.figures[key].value for arm in arms]) for key in scale}
    inside = all(
        room[key][0] <= scale[key] * bound <= room[key][1]
        for key in scale
        for arm in arms
        for bound in arm.figures[key].bounds
        if bound is not None
    )
    wide = "whiskers: 95 %" if inside else "the 95 % intervals are wider than this picture"
    note = f"filled: no other arm is better in both; {wide}"
    sizes: dict[str, Any] = {"panel_px": 330, "left_px": 56}
    drawn = panel(front_finding(result), note, key="experiment-front", **sizes)
    x = [scale[second] * a.figures[second].value for a in ahead]
    y = [scale[first] * a.figures[first].value for a in ahead]
    joined = {"color": INK, "dash": "dot", "width": 1}
    drawn.add_trace(go.Scatter(x=x, y=y, mode="lines", line=joined, hoverinfo="skip"))
    signs = arm_signs(result)
    for arm in arms:
        sign, bars = signs[arm.name], {}
        words = [
            f"<b>{as_text(arm.name, 60)}</b>"
            + "".join(
                f"<br>{FIGURES[key].lower()} {value_text(arm.figures[key], key)}"
                for key in (first, second)
            )
        ]
        if inside:
            bars = {
                f"error_{place}": whisker(
                    [arm.figures[key]], sign.color, factor=scale[key], thickness=0.8
                )
                for place, key in (("x", second), ("y", first))
            }
        across, up = ([scale[key] * arm.figures[key].value] for key in (second, first))
        drawn.add_trace(dots(across, up, sign, words, size=11, filled=arm.front).update(bars))
    if len(ahead) <= NAMED:
        middle, low, high = sum(room[second]) / 2, *room[first]
        heights = [sizes["panel_px"] * (value - low) / (high - low) for value in y]
        for arm, at, shift in zip(ahead, zip(x, y, strict=True), _apart(heights), strict=True):
            anchor = "right" if at[0] > middle else "left"
            name = {"text": as_text(arm.name), "font": {"size": 12}, "xanchor": anchor}
            drawn.add_annotation(x=at[0], y=at[1], showarrow=False, yshift=shift, **name)
    axis(drawn, "xaxis", unit_of(second), range=room[second], nticks=7)
    axis(drawn, "yaxis", unit_of(first), range=room[first], nticks=7)
    return drawn


def _apart(heights: Sequence[float]) -> list[int]:
    """How far above its point each name stands, below it where negative, so that no two share a
    line. heights: of the points, in pixels."""
    shifts: list[int] = []
    for number, height in enumerate(heights):
        above = [at + shift for at, shift in zip(heights, shifts, strict=False)]
        free = (
            shift
            for step in range(1, number + 2)
            for shift in (step * NAME_PX, -step * NAME_PX)
            if all(abs(height + shift - other) >= NAME_PX for other in above)
        )
        shifts.append(next(free, NAME_PX))
    return shifts


def front_finding(result: ExperimentResult) -> str:
    """How many arms no other betters in both objectives, in words."""
    first, second = result.objective
    arms = [a for a in result.arms if first in a.figures and second in a.figures]
    ahead = sum(arm.front for arm in arms)
    verb = "is" if ahead == 1 else "are"
    names = f"{FIGURES[first].lower()} and {FIGURES[second].lower()}"
    return f"{ahead} of {counted(len(arms), 'arm')} {verb} on the front of {names}"
