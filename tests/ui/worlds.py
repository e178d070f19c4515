"""A small world for the pages: a catalogue without files, and the real engine around a sampler that
only counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cdp.config.generate import GenerateConfig
from cdp.models.encoders import Listed
from cdp.ui.kit.choices import Choices, ModelEntry
from cdp.values.types import ArmReport, Frame, Interval, JudgeView, LiveResult
from cdp.work.live import Engine
from cdp.work.session import Session

CLASSES = ("shirt", "shoe", "bag")
CATALOG = Choices(
    models={
        "fashion-mnist": ModelEntry("fashion-mnist", "fashion-mnist", CLASSES, (1, 8, 8)),
        "plain": ModelEntry("plain", "pictures", (), (3, 8, 8)),
    },
    encoders={
        dataset: tuple(Listed(name, Path(name), {}) for name in names)
        for dataset, names in {
            "fashion-mnist": ("robust", "standard", "noise-aware"),
            "pictures": ("standard",),
        }.items()
    },
)


def interval(value: float, low: float, high: float, n: int = 12) -> Interval:
    return Interval(value, low, high, n)


def result_of(config: GenerateConfig, *, complete: bool = True) -> LiveResult:
    """Agreement that cannot be told apart, separation that rose."""
    n, both = config.count, config.guidance.loss != "none"
    image, label = np.full((n, 8, 8, 1), 200, np.uint8), np.arange(n) % 3
    guided, unguided, change = (
        ArmReport(interval(*agreement), interval(*separation), None)
        for agreement, separation in (
            ((0.94, 0.86, 0.98), (4.9, 4.1, 5.5)),
            ((0.89, 0.8, 0.95), (4.3, 3.7, 4.9)),
            ((0.05, -0.01, 0.1), (0.6, 0.1, 1.1)),
        )
    )
    views = [JudgeView(label, np.full(n, 0.98, np.float32))]
    views.append(JudgeView(0 * label, np.full(n, 0.61, np.float32)))
    return LiveResult(
        label=label,
        guided=image,
        unguided=image // 2 if both else None,
        guided_report=guided,
        unguided_report=unguided if both else None,
        difference=change if both else None,
        complete=complete,
        seconds=0.5,
        finished=n if complete else 0,
        guided_view=views[0],
        unguided_view=views[1] if both else None,
    )


def frame_of(config: GenerateConfig, i: int) -> Frame:
    total = config.sampler.steps
    image = np.full((config.count, 8, 8, 1), 10 * i % 256, np.uint8)
    both = config.guidance.loss != "none"
    return Frame(
        i,
        total,
        1 - i / total,
        image,
        image if both else None,
        1.0 / i if both else None,
        0.1 if both else None,
        0.1 if both else None,
        1.0 + i,
        1.0 if both else None,
    )


def sampler(
    config: GenerateConfig, session: Session, *, compare: bool
) -> Iterator[Frame | LiveResult]:
    """Every step at once."""
    for i in range(1, config.sampler.steps + 1):
        yield frame_of(config, i)
        if session.stop_requested():
            yield result_of(config, complete=False)
            return
    yield result_of(config)


def engine_of(live: Callable[..., Iterator[Frame | LiveResult]] = sampler) -> Engine:
    return Engine(live=live, load=lambda _: None)
