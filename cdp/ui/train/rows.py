"""What the list says of a training run: state, time left, accuracies and settings in short. Files
are read only where they changed."""

from __future__ import annotations

import html
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdp.config.titles import TITLES
from cdp.config.train import TrainConfig, set_title
from cdp.figures.palette import NEUTRAL, Sign
from cdp.results.table.reached import epoch_of, steps_of
from cdp.ui.kit.run_controls import WORDS, state_line
from cdp.ui.kit.run_lists import bar_html
from cdp.ui.kit.words import GLYPHS
from cdp.values.text import at_step, share_text
from cdp.work.journal import JOURNAL, Follower
from cdp.work.records import Run

Followers = MutableMapping[str, Follower]


@dataclass(frozen=True)
class Standing:
    """Accuracies of a run in 0..1 on ``n`` validation images, the robust ones under PGD; None where
    not measured yet. n: 0 unknown."""

    step: int = 0
    epoch: int = 0
    best_step: int = 0
    best_epoch: int = 0
    best: float | None = None
    last: float | None = None
    clean: float | None = None
    n: int = 0


def train_runs(runs: Sequence[Run]) -> list[Run]:
    """Those that train, in the same order."""
    return [run for run in runs if run.kind == "train"]


def standing(run: Run, followers: Followers) -> Standing:
    """Where a run stands, by its journal. followers: of this session, so that only what is new is
    read."""
    follower = followers.get(run.id)
    if follower is None or follower.path.parent != run.folder:
        follower = followers[run.id] = Follower(run.folder / JOURNAL)
    follower.update()
    if not follower.points:
        return Standing()
    point = follower.points[-1]
    value = point.values.get
    return Standing(
        steps_of(point) or 0,
        epoch_of(point),
        int(value("best_step", 0)),
        int(value("best_epoch", 0)),
        value("best_robust"),
        value("robust_accuracy"),
        value("clean_accuracy"),
        int(value("n", 0)),
    )


def epoch_line(run: Run, now: Standing) -> str:
    """State, optimiser steps with the epoch of the last validation, and time left."""
    done = (
        run.progress if run.state != "finished" and (now.epoch or run.state == "running") else None
    )
    epoch = f", epoch {now.epoch:,}" if now.epoch else ""
    return state_line(run, f"step {done.done:,} of {done.count:,}{epoch}" if done else "")


def accuracy_line(now: Standing) -> str:
    """Best and last robust accuracy; empty before the first validation."""
    if now.best is None or now.last is None:
        return ""
    best = (
        "never above 0 %"
        if now.best == 0
        else f"{share_text(now.best)} best ({at_step(now.best_step, now.best_epoch)})"
    )
    return f"robust {best}, {share_text(now.last)} last"


def facts(config: Any) -> str:
    """The settings in short: method, network, data, seed."""
    if not isinstance(config, TrainConfig):
        return "settings cannot be read"
    data = Path(config.dataset).name or config.dataset
    real = "all real" if config.real is None else f"{config.real:,} real"
    parts = [TITLES[config.method], TITLES[config.architecture], data, real]
    if config.synthetic:
        what = (
            set_title(config.synthetic[0])
            if len(config.synthetic) == 1
            else f"{len(config.synthetic)} sets"
        )
        parts.append(f"{share_text(config.fraction, 0)} of {what}")
    return " · ".join([*parts, f"seed {config.seed}"])


def row_html(run: Run, now: Standing, sign: Sign | None = None) -> str:
    """One run: its name, where it stands, what it is. The bar is drawn while it moves or can be
    gone on with.

    sign: how the curves draw it, None where they do not.
    """
    head = f"{_mark(sign)}<b>{html.escape(run.name)}</b>"
    lines = [" · ".join(part for part in (epoch_line(run, now), accuracy_line(now)) if part)]
    if run.state != "finished":
        lines.append(bar_html(run, (sign or NEUTRAL).color))
    if run.error:
        lines.append(
            f"<div style='font-size:0.85rem;{_ONE_LINE}'"
            f" title='{html.escape(run.error, quote=True)}'>{html.escape(run.error)}</div>"
        )
    small = f"<div style='font-size:0.8rem;opacity:0.7'>{html.escape(facts(run.config))}</div>"
    said = "".join(
        line if line.startswith("<") else f"<div style='font-size:0.9rem'>{html.escape(line)}</div>"
        for line in lines
    )
    return f"<div style='{_ROOMY};overflow-wrap:anywhere;line-height:1.45'>{head}{said}{small}</div>".replace(
        " %", "&nbsp;%"
    )


def heading_html(name: str, sign: Sign | None) -> str:
    """A run's name as a heading, beside its mark in the curves."""
    return (
        "<h3 style='font-size:1.125rem;margin:1rem 0"
        f" 0;padding:0;overflow-wrap:anywhere'>{_mark(sign)}{html.escape(name)}</h3>"
    )


def _mark(sign: Sign | None) -> str:
    return (
        f"<span aria-hidden='true' style='color:{sign.color}'>{GLYPHS[sign.symbol]}</span> "
        if sign
        else ""
    )


# As narrow as a phone needs it where space is shared, all that is left where there is more.
_ROOMY = "width:11rem;min-width:100%"
_ONE_LINE = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"


def matching(runs: Sequence[Run], text: str) -> list[Run]:
    """Runs whose name, state or settings have every word of ``text``."""
    words = text.lower().split()
    return [
        run
        for run in runs
        if all(
            word in f"{run.name} {run.state} {WORDS[run.state]} {facts(run.config)}".lower()
            for word in words
        )
    ]


def watching(watched: Sequence[str] | None, runs: Sequence[Run]) -> tuple[str, ...]:
    """The runs on the curves, in the order chosen: those that are still here; where nobody chose,
    all that move, else the newest."""
    if watched is None:
        chosen = [run.id for run in reversed(runs) if not run.over] or [run.id for run in runs[:1]]
        return tuple(chosen)
    here: Mapping[str, Run] = {run.id: run for run in runs}
    return tuple(one for one in watched if one in here)
