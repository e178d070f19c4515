"""What robustness costs: clean against robust accuracy with published models beside one's own, and
robust accuracy against the number of synthetic images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import plotly.graph_objects as go

from cdp.figures.comparison import labels_of
from cdp.figures.frame import (
    Row,
    as_text,
    axis,
    cells,
    dots,
    line,
    nothing,
    panel,
    vertical,
    whisker,
)
from cdp.figures.palette import INK, Sign, Signs, sign_in
from cdp.statistics.verdicts import FEW
from cdp.values.comparison import Arm, EfficiencyLine, Equal, compute_text, equal_compute
from cdp.values.text import counted, points_text, share_text, share_with_bounds
from cdp.values.types import Interval

Placed = tuple[Arm, Interval, Interval]
"""An arm with its clean and its robust accuracy."""
SAME_BUDGET = 0.02
"""Budgets that differ by so much of one are the same: some papers round 8/255 to 0.031."""
ZERO_GAP = 0.45
"""Decades between 0, which has no place on a log axis, and the smallest number."""
DODGE = 0.012
"""Shift of a line against the next, as a share of the axis, which keeps whiskers apart."""
TICKS = 7


@dataclass(frozen=True)
class Reference:
    """A published model. clean, robust: shares in 0..1 of ``n`` test images, the second under
    ``attack``; epsilon: in units of the norm; synthetic_images: generated ones it was trained on;
    source: where the numbers stand."""

    name: str
    architecture: str
    dataset: str
    epsilon: float
    clean: float
    robust: float
    synthetic_images: int
    source: str
    norm: str = "linf"
    attack: str = "AutoAttack (standard)"
    n: int = 10_000


_B8 = 8 / 255
_BENCH = "RobustBench, model_info/cifar10/Linf/"
_TABLE = "AutoAttack's table of MNIST models (Croce and Hein)"
_WANG, _REBUFFI = "Wang2023Better_WRN-28-10", "Rebuffi2021Fixing_28_10_cutmix_ddpm"
_GOWAL, _GOWAL18 = "Gowal2021Improving_28_10_ddpm_100m", "Gowal2021Improving_R18_ddpm_100m"
_BARTOLDSON, _TRADES = "Bartoldson2024Adversarial_WRN-94-16", "Zhang2019Theoretically"
REFERENCES: tuple[Reference, ...] = (
    # name, network, data set, budget, clean, robust, synthetic images, source
    Reference("Bartoldson 2024", "WRN-94-16", "cifar10", _B8, 0.9368, 0.7371, 5 * 10**8, _BENCH + _BARTOLDSON),
    Reference("Wang 2023", "WRN-28-10", "cifar10", _B8, 0.9244, 0.6731, 2 * 10**7, _BENCH + _WANG),
    Reference("Gowal 2021", "WRN-28-10", "cifar10", _B8, 0.8750, 0.6344, 10**8, _BENCH + _GOWAL),
    Reference("Rebuffi 2021", "WRN-28-10", "cifar10", _B8, 0.8733, 0.6075, 10**6, _BENCH + _REBUFFI),
    Reference("Gowal 2021, R18", "PreActResNet-18", "cifar10", _B8, 0.8735, 0.5850, 10**8, _BENCH + _GOWAL18),
    Reference("TRADES 2019", "WRN-34-10", "cifar10", 0.031, 0.8492, 0.5308, 0, _BENCH + _TRADES),
    Reference("TRADES 2019", "small CNN", "mnist", 0.3, 0.9948, 0.9281, 0, _TABLE),
    Reference("Madry 2018", "small CNN", "mnist", 0.3, 0.9853, 0.8850, 0, _TABLE),
)  # fmt: skip
"""Published robust accuracies under AutoAttack (standard) on the whole test set."""


def matching(dataset: object, norm: object, epsilon: object) -> tuple[Reference, ...]:
    """References for the same data set, norm and budget. epsilon: None is the data set's
    conventional budget, as all of these are."""
    if not isinstance(epsilon, float | int | None):
        return ()
    return tuple(
        reference
        for reference in REFERENCES
        if (reference.dataset, reference.norm) == (dataset, norm)
        and (epsilon is None or abs(reference.epsilon - epsilon) <= SAME_BUDGET * reference.epsilon)
    )


def matching_arms(arms: Sequence[Arm]) -> tuple[Reference, ...]:
    """References for what all arms were trained for; none where arms differ in it, or where it is
    not known."""
    threats = {tuple(map(arm.settings.get, ("dataset", "norm", "epsilon"))) for arm in arms}
    return matching(*threats.pop()) if len(threats) == 1 else ()


def front(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Names of the arms that no other equals or betters in both accuracies (and betters in one), by
    rising clean accuracy; none where they cannot be ranked (``unranked``)."""
    placed = [] if unranked(arms) else _placed(arms)
    best = [entry for entry in placed if not any(_dominates(other, entry) for other in placed)]
    return tuple(arm.name for arm, *_ in sorted(best, key=_along))


def unranked(arms: Sequence[Arm]) -> str:
    """Why the arms that have both accuracies are put on no front, as a clause; "" where they can
    be."""
    placed = [arm for arm, *_ in _placed(arms)]
    if len(placed) < 2:
        return ""
    ways = {arm.setting for arm in placed}
    if len(ways) > 1:
        return f"they were measured in {len(ways)} ways"
    spent = [compute for arm in placed for compute in arm.compute]
    if not equal_compute(spent):
        return f"their compute differs or is not known ({compute_text(spent)})"
    return f"they rest on {FEW}" if any(arm.few for arm in placed) else ""


def _dominates(entry: Placed, other: Placed) -> bool:
    gains = (entry[1].value - other[1].value, entry[2].value - other[2].value)
    return min(gains) >= 0 and max(gains) > 0


def _along(entry: Placed) -> tuple[float, float]:
    return entry[1].value, -entry[2].value


def _placed(arms: Sequence[Arm]) -> list[Placed]:
    return [(arm, arm.clean, arm.robust) for arm in arms if arm.clean and arm.robust]


def pareto(arms: Sequence[Arm], signs: Signs, references: Sequence[Reference]) -> go.Figure:
    """Clean accuracy across, robust accuracy up, whiskers both ways; a step line through the arms
    of the front. references: published points, hollow (``matching_arms``). ``pareto_notes`` says
    how to read them."""
    placed = _placed(arms)
    if not placed:
        return nothing("No arm has both a clean and a robust accuracy")
    title = _pareto_title(arms, placed), _pareto_note(placed, references)
    figure = panel(*title, panel_px=340, left_px=54, key="pareto", legend=True)
    steps = sorted((entry for entry in placed if entry[0].name in front(arms)), key=_along)
    if len(steps) > 1:
        x = [100 * clean.value for _, clean, _ in steps]
        y = [100 * robust.value for *_, robust in steps]
        look = {"color": INK, "width": 1.2, "dash": "dot", "shape": "vh"}
        figure.add_scatter(x=x, y=y, mode="lines", name="front", line=look, hoverinfo="skip")
    if references:
        figure.add_trace(_published(references))
    for arm, clean, robust in placed:
        sign = sign_in(signs, arm.name)
        lines = [
            f"<b>{as_text(arm.name)}</b>",
            f"clean {share_with_bounds(clean, level=True)}",
            f"robust {share_with_bounds(robust, level=True)}",
            as_text(labels_of([arm]), 80),
            as_text(arm.interval, 80),
        ]
        bars = {"error_x": whisker([clean], sign.color), "error_y": whisker([robust], sign.color)}
        x, y, words = [100 * clean.value], [100 * robust.value], ["<br>".join(lines)]
        marks = dots(x, y, sign, words, size=11, filled=True, name=as_text(arm.name))
        figure.add_trace(marks.update(bars, showlegend=True))
    axis(figure, "xaxis", "clean accuracy [%]", nticks=7)
    axis(figure, "yaxis", "robust accuracy [%]", nticks=7)
    return figure


def _pareto_title(arms: Sequence[Arm], placed: Sequence[Placed]) -> str:
    if len(placed) == 1:
        _, clean, robust = placed[0]
        return f"{share_text(robust.value)} robust at {share_text(clean.value)} clean accuracy"
    if why := unranked(arms):
        return f"No front of {len(placed)} arms: {why}"
    ahead = len(front(arms))
    return (
        f"{ahead} of {len(placed)} arms {'is' if ahead == 1 else 'are'} on the front of clean and"
        " robust accuracy"
    )


def _pareto_note(placed: Sequence[Placed], references: Sequence[Reference]) -> str:
    published = "no published numbers for this data set, norm and budget"
    if references:
        published = "hollow: published"
    return f"{labels_of([arm for arm, *_ in placed])}; whiskers: 95 %; {published}"


def _published(references: Sequence[Reference]) -> go.Scatter:
    far = max(model.clean for model in references)
    words = [
        f"<b>{as_text(model.name)}</b>, published<br>{as_text(model.architecture)},"
        f" {model.synthetic_images:,} synthetic images<br>clean {share_text(model.clean)}, robust"
        f" {share_text(model.robust)}<br>{as_text(model.attack)}, n = {model.n:,}"
        f"<br>{as_text(model.source, 90)}"
        for model in references
    ]
    sides = ["middle left" if model.clean > far - 0.03 else "middle right" for model in references]
    published = Sign("published, AutoAttack", INK, "solid", "diamond")
    x = [100 * model.clean for model in references]
    y = [100 * model.robust for model in references]
    text: dict[str, Any] = {"text": [as_text(model.name) for model in references]}
    text |= {"textposition": sides, "textfont": {"size": 10, "color": INK}}
    text |= {"mode": "markers+text", "showlegend": None}
    return dots(x, y, published, words, filled=False, **text)


def pareto_notes(arms: Sequence[Arm], references: Sequence[Reference]) -> tuple[str, ...]:
    """What a reader of ``pareto`` has to know."""
    placed = [arm for arm, *_ in _placed(arms)]
    notes = []
    if why := unranked(arms):
        notes.append(f"There is no front of these arms: {why}.")
    elif len(placed) > 1:
        notes.append("The front goes by means: arms whose whiskers overlap may change places.")
    if left_out := [arm.name for arm in arms if arm not in placed]:
        notes.append(
            f"Not drawn, because clean or robust accuracy was not measured: {', '.join(left_out)}."
        )
    if not references:
        notes.append("There are no published numbers here for this data set, norm and budget.")
    elif other := [arm.name for arm in placed if not _by_autoattack(arm)]:
        notes.append(
            f"Published points are AutoAttack's; {', '.join(other)}"
            f" {'was' if len(other) == 1 else 'were'} measured with other attacks, which leave more"
            " images standing, and cannot be set against them."
        )
    if any(abs(model.epsilon - references[0].epsilon) > 1e-6 for model in references):
        notes.append(
            "Budgets of published points differ in the third digit: some papers write 8/255 as"
            " 0.031."
        )
    return tuple(notes)


def _by_autoattack(arm: Arm) -> bool:
    return all(seed.label.startswith("AutoAttack") for seed in arm.seeds if seed.robust is not None)


def pareto_rows(arms: Sequence[Arm], references: Sequence[Reference]) -> list[Row]:
    """The numbers behind ``pareto``: arms, then published points, which have no intervals."""
    ahead, ranked = front(arms), not unranked(arms)
    own: list[Row] = [
        {"arm": arm.name}
        | cells(clean, "clean")
        | cells(robust, "robust")
        | {"on the front": arm.name in ahead if ranked else None}
        | {"label": labels_of([arm]), "source": ""}
        for arm, clean, robust in _placed(arms)
    ]
    published: list[Row] = [
        {"arm": f"{model.name} (published)"}
        | (cells(None, "clean") | {"clean [%]": round(100 * model.clean, 2)})
        | (cells(None, "robust") | {"robust [%]": round(100 * model.robust, 2)})
        | {"on the front": None, "label": f"{model.attack}, n = {model.n:,}"}
        | {"source": model.source}
        for model in references
    ]
    return own + published


def efficiency_curves(lines: Sequence[EfficiencyLine], signs: Signs) -> go.Figure:
    """Robust accuracy against the number of synthetic images, which is on a log axis with 0 at a
    place of its own on the left. signs: by the name of an arm. Whiskers: 95 % intervals of the mean
    over seeds, Wilson's where there is one seed."""
    drawn = [arms for arms in lines if arms.points]
    if not drawn:
        return nothing("No arms differ in their number of synthetic images only")
    counts = sorted({point.count for arms in drawn for point in arms.points})
    place = _places(counts)
    low, high = min(place.values()), max(place.values())
    width = high - low or 1.0
    note = "mean over seeds; whisker: 95 % interval"
    note += "; 0 has a place of its own on the log axis" * (counts[0] == 0)
    finding = _bought(drawn)
    figure = panel(finding, note, panel_px=300, left_px=54, key="efficiency", legend=True)
    for number, arms in enumerate(drawn):
        sign = sign_in(signs, arms.arm)
        shift = (number - (len(drawn) - 1) / 2) * DODGE * width
        figure.add_trace(_efficiency(arms, sign, place, shift))
    if counts[0] == 0 and len(counts) > 1:
        first = min(value for count, value in place.items() if count)
        figure.add_shape(vertical(first - ZERO_GAP / 2) | {"opacity": 0.6})
    ticks = _ticks(counts)
    at = [place[c] if c in place else math.log10(c) for c in ticks]
    ends = {"range": [low - 0.06 * width, high + 0.06 * width], "tickvals": at}
    axis(figure, "xaxis", "synthetic images, log", ticktext=list(map(count_text, ticks)), **ends)
    axis(figure, "yaxis", "robust accuracy [%]", nticks=7)
    return figure


def _bought(drawn: Sequence[EfficiencyLine]) -> str:
    """What the line of most points gains from its fewest images to its most."""
    longest = max(drawn, key=lambda line: len(line.points))
    points = sorted(longest.points, key=lambda point: point.count)
    first, last = points[0], points[-1]
    if first is last:
        robust = share_text(first.robust.value)
        return f"{longest.name}: {robust} robust with {first.count:,} synthetic images"
    change = points_text(last.robust.value - first.robust.value)
    return f"{longest.name}: {change} from {first.count:,} to {last.count:,} synthetic images"


def _efficiency(
    arms: EfficiencyLine, sign: Sign, place: Mapping[int, float], shift: float
) -> go.Scatter:
    points = sorted(arms.points, key=lambda point: point.count)
    words = [
        f"<b>{as_text(arms.name)}</b><br>{point.count:,} synthetic images:"
        f" {share_with_bounds(point.robust, level=True)}<br>{counted(point.seeds, 'seed')}"
        for point in points
    ]
    x = [place[point.count] + shift for point in points]
    y = [100 * point.robust.value for point in points]
    labels = {"name": as_text(arms.name), "hovertext": words, "hoverinfo": "text"}
    bars = whisker([point.robust for point in points], sign.color)
    return line(x, y, sign, size=9, error_y=bars, **labels)


def count_text(count: int) -> str:
    """A number of images as an axis shows it: 0, 500, 5k, 1.5M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _places(counts: Sequence[int]) -> dict[int, float]:
    """Where a number of images stands: its decimal logarithm, 0 left of all others."""
    positive = [count for count in counts if count > 0]
    zero = math.log10(positive[0]) - ZERO_GAP if positive else 0.0
    return {count: math.log10(count) if count > 0 else zero for count in counts}


def _ticks(counts: Sequence[int]) -> list[int]:
    """The numbers that were trained with, or round ones where those are too many; 0 in any case."""
    if len(counts) <= TICKS:
        return list(counts)
    first, last = min(count for count in counts if count > 0), counts[-1]
    tens = [10**power for power in range(math.ceil(math.log10(last)) + 1)]
    tens = [count for count in tens if first <= count <= last] or [first, last]
    return ([0] if counts[0] == 0 else []) + tens


def efficiency_rows(lines: Sequence[EfficiencyLine]) -> list[Row]:
    """The numbers behind ``efficiency_curves``."""
    return [
        {"arms": arms.name, "synthetic images": point.count}
        | cells(point.robust, "robust")
        | {"seeds": point.seeds}
        for arms in lines
        for point in arms.points
    ]


def equal_rows(equal: Sequence[Equal]) -> list[Row]:
    """How many synthetic images one line needs to equal another."""
    titles = ("first", "at", "second", "equals it at", "low", "high", "in words")
    parts = attrgetter("first", "count", "second", "estimate", "low", "high", "sentence")
    return [dict(zip(titles, parts(result), strict=True)) for result in equal]
