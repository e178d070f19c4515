"""What is taken along from an experiment: files, link and command, and the best setting as a preset
of one's own."""

from __future__ import annotations

import shlex
import time
from functools import partial
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig, unflatten
from cdp.data.limits import name_like
from cdp.data.presets import save_preset
from cdp.data.sets import open_set
from cdp.errors import CdpError
from cdp.experiments.files import yaml_of
from cdp.ui.experiment.doors import packed
from cdp.ui.experiment.state import YAML, ExperimentPage
from cdp.ui.experiment.views import first_images
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.frame import link
from cdp.ui.kit.images import showable
from cdp.ui.kit.sheet import sheet_png
from cdp.ui.kit.tables import download
from cdp.values.experiment import ExperimentResult
from cdp.work.records import Run

KEPT = "experiment_kept"
SHEET = "cdp.experiment"
"""Keyword of the text in a PNG that holds the experiment as YAML."""


def best_settings(result: ExperimentResult) -> GenerateConfig | None:
    """How the images of the best arm were made, by the card of its set; None where they were not
    made here."""
    for cell in result.cells:
        if cell.arm == result.best and cell.set:
            try:
                card = open_set(cell.set).card.get("config")
                return unflatten(card) if isinstance(card, dict) else None
            except CdpError:
                continue
    return None


def keep(run: Run, config: ExperimentConfig, result: ExperimentResult) -> None:
    """The best arm's settings as a preset, with what speaks for them."""
    tell(KEPT)
    settings = best_settings(result) if result.best else None
    if settings is None or settings.guidance.loss == "none":
        return
    key = f"preset_name_{run.id}"

    def save() -> str:
        name = st.session_state[key].strip()
        day = time.strftime("%Y-%m-%d")
        source = f"Kept from experiment {run.name} ({run.id}) on {day}, arm {result.best}: {result.verdict}"
        save_preset(name, settings, source)
        return f"{name} stands among the presets on Generate now, and in the command line's."

    with st.container(horizontal=True, vertical_alignment="bottom", key="keep"):
        st.text_input(
            f"Keep {result.best} as a preset of your own",
            name_like(f"{run.name}-best"),
            key=key,
            max_chars=80,
            width=440,
        )
        st.button(
            "Keep as preset",
            key="experiment_keep",
            icon=":material/bookmark_add:",
            on_click=attempt,
            args=(KEPT, save),
        )
        link("generate", "To Generate")


def take(
    state: ExperimentPage, run: Run, config: ExperimentConfig, result: ExperimentResult
) -> None:
    """Report, numbers, YAML, picture, link and command."""
    icon, text = ":material/download:", yaml_of(config)
    address = link_to(config)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="experiment_take"
    ):
        about = "One file with verdict, charts and tables; it opens without a network."
        report = partial(_html, config, result, address)
        download(
            "HTML report", report, f"{run.name}.html", key="experiment_html", icon=icon, help=about
        )
        about = "Every cell, one a row."
        download(
            "CSV",
            partial(_csv, result),
            f"{run.name}.csv",
            key="experiment_csv",
            icon=icon,
            help=about,
        )
        download("YAML", lambda: text, f"{run.name}.yaml", key="experiment_yaml", icon=icon)
        if images := first_images(result):
            about = "The first images of every arm; the experiment is in the file's metadata."
            picture = partial(sheet_of, images, text)
            download(
                "PNG of the images",
                picture,
                f"{run.name}.png",
                key="experiment_png",
                icon=icon,
                help=about,
            )
        with st.popover("Link and command", width="content"):
            st.markdown("**These settings as a link**")
            st.code(
                address or "Too long for a link: take the YAML.", language=None, wrap_lines=True
            )
            st.markdown("**From the command line**")
            file = shlex.quote(f"{run.name}.yaml")
            st.code(f"python -m cdp experiment run {file}", language="bash", wrap_lines=True)
            st.code(
                f"python -m cdp experiment show {run.id} --json", language="bash", wrap_lines=True
            )


def link_to(config: ExperimentConfig) -> str:
    """The address of the form with these settings, as far as the app knows its own; "" where it
    would be too long."""
    base = (st.context.url or "").partition("?")[0]
    text = packed(config)
    return f"{base}?{urlencode({YAML: text})}" if text else ""


def sheet_of(images: dict[str, np.ndarray], text: str) -> bytes:
    """A row of images for each arm, in order, as a PNG with the experiment in its metadata."""
    width = min(len(of) for of in images.values())
    together = np.concatenate([showable(of[:width]) for of in images.values()])
    return sheet_png(together, None, width, texts={SHEET: text})


def _html(config: ExperimentConfig, result: ExperimentResult, address: str) -> str:
    from cdp.reports.experiment import experiment_html

    created = time.strftime("%Y-%m-%d %H:%M")
    return experiment_html(result, settings=yaml_of(config), link=address, created=created)


def _csv(result: ExperimentResult) -> str:
    from cdp.figures.experiment_tables import cell_rows
    from cdp.reports.exports import to_csv

    return to_csv(cell_rows(result))
