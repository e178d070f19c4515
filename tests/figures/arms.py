"""Comparisons written by hand: arms of several seeds with their differences, as the comparison
module hands them over; and what a reader sees of a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cdp.figures.frame import heading_of
from cdp.values.comparison import (
    Arm,
    ClassDifference,
    Comparison,
    Difference,
    EfficiencyLine,
    EfficiencyPoint,
    Equal,
    Metric,
    Seed,
)
from cdp.values.types import Interval
from tests.evaluations import CLASSES, report

LABEL = "AutoAttack (standard), n = 1,000"
TRAINED = {"dataset": "cifar10", "norm": "linf", "epsilon": 8 / 255, "epochs": 30}
HOSTILE = "</script><b>%{x}</b> & =cmd|'/c'!A1"


def plain(figure: go.Figure) -> str:
    """The finding, its note and all names in one line, without line breaks and sizes."""
    texts = [*heading_of(figure), *(note.text for note in figure.layout.annotations)]
    return re.sub(r"</?(span|b)[^>]*>", "", " ".join(texts).replace("<br>", " "))


def harmful(figure: go.Figure) -> list[str]:
    """Strings that plotly would read as its markup."""
    texts: list[Any] = [note.text for note in figure.layout.annotations]
    for axis in [*figure.select_xaxes(), *figure.select_yaxes()]:
        texts += [*(axis.ticktext or ()), axis.title.text]
    for trace in figure.data:
        for value in (trace.name, trace.hovertext, getattr(trace, "text", None)):
            texts += np.ravel(np.array(value, object)).tolist()
    signs = ("</script>", "<b>%", "%{x}")
    return [str(text) for text in texts if any(sign in str(text) for sign in signs)]


def around(value: float, half: float = 0.01, n: int = 5) -> Interval:
    return Interval(value, value - half, value + half, n)


def arm(
    name: str,
    robust: Sequence[float] | None = (0.60, 0.61, 0.62),
    clean: Sequence[float] | None = (0.80, 0.81, 0.82),
    *,
    label: str = LABEL,
    images: int = 5000,
    **change: Any,
) -> Arm:
    """An arm with these accuracies, a value a seed; None where one was not measured."""
    count = len(robust or clean or ())
    seeds = tuple(
        Seed(
            *(f"{name}-id{k}", f"{name}-s{k}", k, "finished"),
            *(robust[k] if robust else None, clean[k] if clean else None),
            *(1000, label, f"evaluation-{k}", 3000, 384_000),
        )
        for k in range(count)
    )
    means = [around(sum(values) / count, n=count) if values else None for values in (robust, clean)]
    parts: dict[str, Any] = {"robust": means[0], "clean": means[1], "settings": TRAINED}
    parts |= {"interval": f"95 % (t over {count} seeds)", "curve": report()[0].curves[0]}
    parts |= {"classes": {c: around(0.6, 0.05, 300) for c in CLASSES}}
    parts |= {"sets": ("guided-5k",), "synthetic_images": images}
    return Arm(name, seeds, **(parts | change))


def difference(
    first: str,
    second: str,
    value: float = 0.013,
    half: float = 0.009,
    *,
    metric: Metric = "robust",
    adjusted: float | None = 0.02,
    **change: Any,
) -> Difference:
    verdict = (
        f"{second} is better than {first} by {100 * value:.1f} points, 95 % interval"
        f" {100 * (value - half):.1f} to {100 * (value + half):.1f}"
    )
    p = None if adjusted is None else adjusted / 2
    parts: dict[str, Any] = {"difference": around(value, half), "p": p, "adjusted": adjusted}
    parts |= {"method": "paired t, 5 shared seeds", "count": 5, "more_seeds": None}
    parts |= {"verdict": f"{verdict}, 5 paired seeds."}
    return Difference(metric, first, second, **(parts | change))


def class_difference(
    name: str, value: float, half: float = 0.02, pair: tuple[str, str] = ("plain", "guided")
) -> ClassDifference:
    p = 0.001 if abs(value) > half else 0.4
    return ClassDifference(name, *pair, around(value, half, 500), p, min(1.0, 10 * p))


def line(
    name: str, counts: Sequence[int] = (0, 1000, 5000), start: float = 0.5, step: float = 0.04
) -> EfficiencyLine:
    robust = [around(start + step * k, 0.015) for k in range(len(counts))]
    points = (EfficiencyPoint(*both, 3) for both in zip(counts, robust, strict=True))
    return EfficiencyLine(name, tuple(points))


def comparison(**change: Any) -> Comparison:
    """Three arms, whole."""
    arms = (
        arm("plain", (0.58, 0.59, 0.60), (0.83, 0.84, 0.85), images=5000),
        arm("guided", (0.61, 0.62, 0.63), (0.81, 0.82, 0.83)),
        arm("none", (0.55, 0.56, 0.57), (0.80, 0.81, 0.82), images=0, sets=()),
    )
    pairs = [("plain", "guided", 0.01), ("plain", "none", 0.6), ("guided", "none", 0.004)]
    metrics: list[tuple[Metric, int]] = [("robust", 1), ("clean", -1)]
    sentence = "guided equals plain at 5,000 with about 3,200 images (95 %: 2,100 to 4,800)."
    parts: dict[str, Any] = {
        "arms": arms,
        "missing": ("Run 20261101-old was deleted.",),
        "differs": {"synthetic": ("plain-5k", "guided-5k", "none")},
        "differences": tuple(
            difference(a, b, value, metric=metric, adjusted=adjusted)
            for metric, sign in metrics
            for (a, b, adjusted), value in zip(pairs, (0.03 * sign, -0.004, -0.06), strict=True)
        ),
        "classes": tuple(class_difference(c, 0.01 * (k - 3)) for k, c in enumerate(CLASSES)),
        "efficiency": (line("plain"), line("guided", (0, 1000, 5000, 20_000), 0.51, 0.045)),
        "equal": (Equal("plain", "guided", 5000, 3200.0, 2100.0, 4800.0, sentence),),
        "notes": ("plain has 3 seeds where 5 were asked for.",),
    }
    return Comparison(**(parts | change))
