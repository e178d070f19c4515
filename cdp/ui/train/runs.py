"""Training runs as the Train page lists them: state, time left, accuracies and settings in short,
and a tick for the curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from cdp.config.titles import TITLES
from cdp.config.train import TrainConfig, set_title
from cdp.figures.palette import Sign
from cdp.results.reached import Reached, reached_of
from cdp.results.rows import group_of
from cdp.results.signs import run_signs
from cdp.statistics.significance import mean_interval
from cdp.ui.kit.markup import Html, joined, mark, row
from cdp.ui.kit.runlist import RunList, differing, run_bar, run_list, state_line
from cdp.ui.kit.widgets import reported
from cdp.ui.kit.words import plain
from cdp.ui.train.form import MOST_WATCHED, Training
from cdp.values.naming import common_name
from cdp.values.text import at_step, share_text, share_with_bounds
from cdp.work.records import Run


def list_of_runs(settings: Training, runs: Sequence[Run]) -> None:
    """Nothing where there is no run."""
    signs = run_signs(runs)

    def watched(listed: Sequence[Run]) -> tuple[str, ...]:
        signs.update(run_signs([run for run in listed if run.id not in signs]))
        return watching(settings.watched, listed)

    differ = differing(runs, TrainConfig)

    def draw(run: Run, ids: tuple[str, ...]) -> None:
        _tick(run, settings, ids)
        seed = f"seed {run.config.seed}" if isinstance(run.config, TrainConfig) else ""
        # The settings in short where nothing differs, so that a single run says what it is.
        small = f"{differ[run.id]} · {seed}" if differ.get(run.id) else ""
        st.html(row_html(run, reached_of(run), signs[run.id], small), width="stretch")

    def lead(group: Sequence[Run], ids: tuple[str, ...]) -> None:
        _tick_all(group, settings, ids)

    run_list(RUNS, runs, watched, draw, lead=lead)


def _tick_all(group: Sequence[Run], settings: Training, watched: Sequence[str]) -> None:
    """Whether the curves show all seeds of a group."""
    own = [run.id for run in group]
    all_on = set(own) <= set(watched)
    key = f"watch-group-{own[0]}-{len(own)}-{all_on}"

    def ticked(on: bool) -> None:
        others = [other for other in watched if other not in own]
        settings.watch([*others, *own] if on else others)

    st.checkbox(
        f"Watch all seeds of {plain(common_name([run.name for run in group]))}",
        all_on,
        **reported(key, all_on, ticked),
        label_visibility="collapsed",
    )


def robust_together(group: Sequence[Run]) -> str:
    """Best robust accuracy on validation images: the mean over seeds with its interval."""
    best = [now.best_robust for run in group if (now := reached_of(run)).best_robust is not None]
    if len(best) < 2:
        return ""
    return f"robust {share_with_bounds(mean_interval([b for b in best if b is not None]))}"


def _tick(run: Run, settings: Training, watched: Sequence[str]) -> None:
    """Whether the curves show this run."""
    on = run.id in watched

    def ticked(on: bool) -> None:
        others = [other for other in watched if other != run.id]
        settings.watch([*others, run.id] if on else others)

    full = len(watched) >= MOST_WATCHED and not on
    st.checkbox(
        f"Watch {plain(run.name)}",
        on,
        **reported(f"watch-{run.id}-{on}", on, ticked),
        label_visibility="collapsed",
        disabled=full,
        help=f"At most {MOST_WATCHED} runs at a time." if full else None,
    )


def epoch_line(run: Run, now: Reached) -> str:
    """State, optimiser steps with the epoch of the last validation, and time left."""
    moved = run.state != "finished" and (now.epoch or run.state == "running")
    done = run.progress if moved else None
    epoch = f", epoch {now.epoch:,}" if now.epoch else ""
    return state_line(run, f"step {done.done:,} of {done.count:,}{epoch}" if done else "")


def accuracy_line(now: Reached) -> str:
    """Best and last robust accuracy; empty before the first validation."""
    if now.best_robust is None or now.robust is None:
        return ""
    best = "never above 0 %"
    if now.best_robust:
        at = at_step(now.best_step or 0, now.best_epoch)
        best = f"{share_text(now.best_robust)} best ({at})"
    return f"robust {best}, {share_text(now.robust)} last"


def facts(config: Any) -> str:
    """The settings in short: method, network, data, seed."""
    if not isinstance(config, TrainConfig):
        return "settings cannot be read"
    data = Path(config.dataset).name or config.dataset
    real = "all real" if config.real is None else f"{config.real:,} real"
    parts = [TITLES[config.method], TITLES[config.architecture], data, real]
    if config.synthetic:
        one, *more = config.synthetic
        what = f"{len(more) + 1} sets" if more else set_title(one)
        parts.append(f"{share_text(config.fraction, 0)} of {what}")
    return " · ".join([*parts, f"seed {config.seed}"])


def row_html(run: Run, now: Reached, sign: Sign, small: str = "") -> Html:
    """One run: its name, where it stands, what it is. small: its settings, in short where empty."""
    status = " · ".join(part for part in (epoch_line(run, now), accuracy_line(now)) if part)
    return row(
        joined(mark(sign), run.name),
        status,
        run_bar(run, sign.color),
        small=small or facts(run.config),
        error=run.wrong or now.problem,
    )


def watching(watched: Sequence[str] | None, runs: Sequence[Run]) -> tuple[str, ...]:
    """The runs on the curves that are still here, in the order chosen; where nobody chose, all that
    move, else the newest."""
    if watched is None:
        return tuple(run.id for run in reversed(runs) if not run.over) or tuple(
            run.id for run in runs[:1]
        )
    here = {run.id for run in runs}
    return tuple(run_id for run_id in watched if run_id in here)


def _group(run: Run) -> str:
    """Of seeds that are folded; a run that cannot be read in full stands alone, with the reason."""
    return run.id if run.problem or reached_of(run).problem else group_of(run)


RUNS = RunList(
    "train",
    "Runs",
    "checkpoint",
    "filter by name, state, method, data or seed",
    lambda run: facts(run.config),
    group=_group,
    together=robust_together,
    orders={
        "Most robust first": lambda run: -(reached_of(run).best_robust or 0.0),
        "Name": lambda run: run.name.lower(),
    },
)
