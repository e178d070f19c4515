"""How the number of a report was measured: everything one needs to measure it again."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cdp.config.evaluate import EvaluateConfig
from cdp.config.fields import fields_of
from cdp.reports.exports import to_csv
from cdp.ui.evaluate.command import command
from cdp.ui.evaluate.state import Evaluated
from cdp.ui.kit.runlist import use_settings
from cdp.values.evaluation import EvalReport
from cdp.values.text import duration, threat_text
from cdp.work.records import Run

Rows = list[dict[str, str]]


def how(held: Evaluated, run: Run, report: EvalReport) -> None:
    """Model, images, attack, settings, versions and hashes, and the way to do it again."""
    rows = measured_rows(report)
    st.dataframe(rows, hide_index=True, width="stretch")
    with st.container(horizontal=True):
        config = run.config
        if isinstance(config, EvaluateConfig):
            use_settings(run.id, lambda: held.use(config))
        st.download_button(
            "Download CSV",
            lambda: to_csv(rows),
            "measured.csv",
            "text/csv",
            on_click="ignore",
            key=f"evaluate_measured_csv_{run.id}",
        )
    if isinstance(config, EvaluateConfig):
        st.code(command(config), language="bash", wrap_lines=True)


def measured_rows(report: EvalReport) -> Rows:
    """One row a fact: group, what, value."""
    model = report.model
    facts: list[tuple[str, str, Any]] = [
        ("model", "name", model.name),
        ("model", "source", model.source),
        ("model", "network", model.architecture),
        ("model", "training", model.run),
        ("model", "real images", f"{model.real_images:,}" if model.real_images else ""),
        ("model", "synthetic sets", ", ".join(model.sets)),
        (
            "model",
            "synthetic images",
            f"{model.synthetic_images:,}" if model.synthetic_images else "",
        ),
        *(("model", f"SHA-256 of {one.which} weights", one.sha256) for one in report.weights),
        ("images", "data set", report.dataset_title),
        ("images", "part", report.part),
        ("images", "number", f"{report.n:,}"),
        ("images", "SHA-256 of images and labels", report.rows_sha256),
        ("attack", "called", report.label),
        ("attack", "suite", report.attack),
        ("attack", "threat", threat_text(report.norm, report.epsilon)),
        *(
            (
                "attack",
                f"largest perturbation that counted, {one.which} weights",
                f"{one.largest:.6g}",
            )
            for one in report.weights
        ),
        *(("setting", *told) for told in _settings(report)),
        *(("version", name, text) for name, text in report.versions.items()),
        ("work", "device", report.device),
        ("work", "time", duration(report.seconds)),
        ("work", "finished", report.created),
    ]
    return [
        {"of": group, "what": what, "value": str(value)}
        for group, what, value in facts
        if str(value)
    ]


def _settings(report: EvalReport) -> list[tuple[str, str]]:
    """Every setting as the form calls it; one that this version does not know as the report calls
    it."""
    known = fields_of(EvaluateConfig)
    return [
        (
            f"{known[name].label.lower()} ({name})" if name in known else name,
            (known[name].title(value) if name in known else str(value))
            if value != ""
            else "as the model says",
        )
        for name, value in report.config.items()
        if name != "model"
    ]
