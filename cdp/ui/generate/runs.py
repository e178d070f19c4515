"""Generations in the background, as the Generate page and the gallery list them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cdp.config.generate import GenerateConfig
from cdp.config.titles import TITLES
from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import row
from cdp.ui.kit.runlist import RunList, of_kind, run_bar, run_list, state_line
from cdp.work.records import Run, list_runs


def generation_runs(title: str, *, unfinished: bool = False) -> None:
    """The generations, newest first. unfinished: only those, as the gallery has the others. Nothing
    where there is none."""

    def listed() -> list[Run]:
        runs = of_kind(list_runs(), "generate")
        return [run for run in runs if not unfinished or run.state != "finished"]

    def draw(run: Run, _: None) -> None:
        rate = run.progress.rate if run.progress and run.state == "running" else None
        line = state_line(run, None, f"{rate:.0f} images/s" if rate else "")
        html = row(run.name, line, run_bar(run), small=facts(run.config), error=run.wrong)
        st.html(html, width="stretch")

    def see(run: Run, _: None) -> None:
        if run.state == "finished":
            link("gallery", "See it in the gallery", set=run.name)

    hint = "filter by name, state, model, loss or seed"
    runs = RunList(
        "generate",
        title,
        "batch",
        hint,
        lambda run: facts(run.config),
        size=5,
        runs=listed,
        removable=lambda run: run.state != "finished",
    )
    run_list(runs, listed(), lambda runs: None, draw, see)


def facts(config: Any) -> str:
    """The settings in short: model, loss, strength, seed."""
    if not isinstance(config, GenerateConfig):
        return "settings cannot be read"
    loss, strength = config.guidance.loss, f"strength {config.guidance.strength:g}"
    how = ["unguided"] if loss == "none" else [TITLES.get(loss, loss), strength]
    return " · ".join([config.model, *how, f"seed {config.seed}"])
