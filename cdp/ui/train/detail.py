"""One run in detail: figures, adversarial examples, checkpoints, settings, resources and log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cdp.config.evaluate import RUN
from cdp.config.fields import flat_of
from cdp.config.train import TrainConfig, set_title
from cdp.errors import CdpError
from cdp.models.encoders import BEST, CARD
from cdp.results.reached import Reached, reached_of
from cdp.results.signs import run_signs
from cdp.statistics.shares import share_interval
from cdp.ui.components.chart import chart
from cdp.ui.kit.choices import Choices, info_of
from cdp.ui.kit.command import config_download
from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import figure, heading, tag
from cdp.ui.kit.runlist import POLL_SECONDS, log_fold, use_settings, why_over
from cdp.ui.kit.tables import csv_of, fold, table
from cdp.ui.kit.widgets import pick
from cdp.ui.kit.words import plain, sentence_of
from cdp.ui.train.examples import EXAMPLES, pictures
from cdp.ui.train.form import FORM, Training
from cdp.ui.train.runs import RUNS, epoch_line
from cdp.values.text import at_step, bounds_text, share_text
from cdp.values.types import NEVER_ROBUST
from cdp.work.records import Run, get_run
from cdp.work.resources import RESOURCES, read_resources


def detail(settings: Training, watched: Sequence[Run], choices: Choices) -> None:
    """The chosen one of the watched runs; polls while it moves."""
    if not watched:
        return
    names = {run.id: run.name for run in watched}
    run = next((run for run in watched if run.id == settings.opened), watched[-1])
    with st.container():
        st.html(heading(run.name, run_signs([run])[run.id]))
        if len(names) > 1:
            choose = partial(setattr, settings, "opened")
            key = f"train_open_{'-'.join(names)}"
            label = "Another run in detail"
            pick(label, names, run.id, choose, key=key, label_visibility="collapsed")
    with st.container(key="train_detail"):
        st.fragment(_draw, run_every=None if run.over else POLL_SECONDS)(
            run.id, settings, class_names(run, choices)
        )


def class_names(run: Run, choices: Choices) -> tuple[str, ...]:
    """Of the data set trained on; () where that is not here any more."""
    try:
        config = run.config
        return info_of(config.dataset, choices).classes if isinstance(config, TrainConfig) else ()
    except (CdpError, OSError):
        return ()


def _draw(run_id: str, settings: Training, names: tuple[str, ...]) -> None:
    try:
        run = get_run(run_id)
    except CdpError:
        st.caption("This run was removed.")
        return
    reached = reached_of(run)
    st.caption(plain(epoch_line(run, reached)))
    why_over(run, RUNS.saved)
    if reached.problem:
        st.warning(plain(sentence_of(reached.problem)))
    _figures(reached)
    if (run.folder / BEST / CARD).is_file():
        link("evaluate", "Evaluate", "shield", model=f"{RUN}{run.id}")
    _examples(run, names)
    _settings(run, settings)
    _resources(run)
    log_fold(run)


def _figures(now: Reached) -> None:
    """Accuracies of the best and the last validation; nothing before the first."""
    if now.best_robust is None or now.robust is None:
        return
    values = {
        f"Robust, best ({at_step(now.best_step or 0, now.best_epoch)})": now.best_robust,
        f"Robust, last ({at_step(now.steps or 0, now.epoch)})": now.robust,
        "Clean, last": now.clean,
    }
    blocks = [
        figure(title, share_text(value), _bounds(value, now.n))
        for title, value in values.items()
        if value is not None
    ]
    st.html(tag("div", *blocks, cls="cdp-figures"))
    images = (
        f"{now.n:,} validation images, 95 % intervals (Wilson)" if now.n else "validation images"
    )
    st.caption(f"On {images}, under the quick attack of training: a little above what holds.")
    if now.best_robust == 0:
        st.warning(f"{NEVER_ROBUST[:1].upper()}{NEVER_ROBUST[1:]}.")


def _bounds(share: float, n: int) -> str:
    """ "61.0 to 65.2" in per cent; empty where n is not known."""
    return bounds_text(share_interval(share, n, n)) if n > 0 else ""


def _examples(run: Run, names: tuple[str, ...]) -> None:
    st.markdown("**Adversarial examples of the last validation**")
    file = run.folder / EXAMPLES
    result = pictures(str(run.folder), file.stat().st_mtime_ns, names) if file.exists() else None
    if result is None:
        st.caption("None was saved." if run.over else "Saved with every validation.")
        return
    st.html(result[0])
    st.caption(plain(result[1]))


def _settings(run: Run, settings: Training) -> None:
    config = run.config
    if not isinstance(config, TrainConfig):
        return
    if not (place := fold("Settings and checkpoints", f"train_settings_{run.id}")):
        return
    with place:
        with st.container(horizontal=True):
            use_settings(run.id, partial(settings.use, config))
            config_download(config, f"{run.name}.yaml", "train", key=f"yaml-{run.id}")
        table(setting_rows(config))
        for which in ("best", "last"):
            if (run.folder / which).is_dir():
                st.caption(f"Weights of the {which} validation (model.safetensors, card.json)")
                st.code(str(run.folder / which), language=None, wrap_lines=True)


def setting_rows(config: TrainConfig) -> list[dict[str, str]]:
    """Every setting with its value and unit, and the standard preset's where that differs."""
    standard, values = FORM.plain("standard"), flat_of(config)
    rows = []
    for name, field in FORM.fields.items():
        value = [set_title(part) for part in values[name]] if name == "synthetic" else values[name]
        usual = "" if values[name] == standard[name] else field.title(standard[name])
        row = {"setting": field.label, "value": field.title(value)}
        rows.append(row | {"unit": field.unit, "standard": usual})
    return rows


def _resources(run: Run) -> None:
    if not (place := fold("Resources", f"train_resources_{run.id}")):
        return
    from cdp.figures.training import resource_curves, resource_rows

    samples = read_resources(run.folder / RESOURCES)
    with place:
        if not samples:
            st.caption("Nothing recorded yet: a sample is taken every few seconds.")
            return
        alt = f"Processor and memory of {run.name} over time"
        chart(resource_curves(samples, key=run.id), key=f"resources-{run.id}", alt=alt)
        rows, file = resource_rows(samples), f"{run.name}-resources.csv"
        csv_of(rows, file, key=f"resources-csv-{run.id}")
