"""What an experiment has come to: its cells, its arms with intervals, and what can be said of
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cdp.values.comparison import Difference
from cdp.values.types import Interval, Role

Stage = Literal[
    "waiting",
    "pretrain",
    "generate",
    "prepare",
    "train",
    "evaluate",
    "done",
    "failed",
    "dropped",
]
"""Where a cell stands: "pretrain" is its seed's diffusion model; "prepare" is selection or labels;
"dropped" ended early, as its arm was behind."""


SHARES = frozenset({"robust", "clean", "agreement", "coverage"})
"""Figures that are shares; the others have no unit."""


@dataclass(frozen=True)
class CellState:
    """One arm under one seed. set: of its images, "" while there is none, and content: what
    names it whatever it is called; train, evaluate: ids of
    runs; reused: stages that were here already; run: the id of the run that works on it now, and
    share: how far that is; error: why it failed. measured: figures of its set by name, as shares
    but for separation and Frechet distance."""

    arm: str
    seed: int
    stage: Stage = "waiting"
    set: str = ""
    content: str = ""
    train: str = ""
    evaluate: str = ""
    run: str = ""
    share: float = 0.0
    error: str = ""
    reused: tuple[str, ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more will be done for it."""
        return self.stage in ("done", "failed", "dropped")


@dataclass(frozen=True)
class ArmResult:
    """An arm. settings: in which it differs from others, by ``stage.setting``; figures: mean over
    seeds with its t interval, by objective; values: of each seed, by objective; seeds: that are
    done; steps: optimiser steps of its trainings, None unknown or unequal. difference: to the
    control in the first objective, None for the control itself and where there is nothing to
    compare yet; front: whether no other arm is better in both objectives; role: of what it trains
    on."""

    name: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    steps: int | None
    figures: Mapping[str, Interval]
    values: Mapping[str, Mapping[int, float]]
    difference: Difference | None = None
    front: bool = False
    role: Role = "other"


@dataclass(frozen=True)
class Proxy:
    """How well a figure of the images alone ranks the arms as their robust accuracy does: Spearman's
    rank correlation over arms, with its interval; sentence: in words."""

    name: str
    correlation: Interval
    sentence: str


@dataclass(frozen=True)
class ExperimentResult:
    """verdict: one sentence; best: the arm that it is about, "" where there is none yet; notes: what
    has to be known to read it. level: of the intervals of differences, above 0.95 where the number
    of seeds was decided on the way. basis: what the verdict was measured by, in words."""

    name: str
    control: str
    objective: tuple[str, ...]
    verdict: str
    best: str
    arms: tuple[ArmResult, ...]
    cells: tuple[CellState, ...]
    proxies: tuple[Proxy, ...]
    notes: tuple[str, ...]
    level: float = 0.95
    basis: str = ""
