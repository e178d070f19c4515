"""A report to take along; every file is made when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from cdp.ui.kit.words import plain
from cdp.values.evaluation import EvalReport, Outcomes, report_json
from cdp.work.records import Run


@dataclass(frozen=True)
class Offer:
    """One file. ending: of its name; make: its text."""

    label: str
    ending: str
    mime: str
    help: str
    make: Callable[[], str]


def offers(report: EvalReport, outcomes: Outcomes | None) -> list[Offer]:
    """All files of a report; without outcomes none by image."""
    found = [
        Offer(
            "HTML report",
            ".html",
            "text/html",
            "One file with charts, settings, versions and hashes; it opens without a network.",
            lambda: _html(report),
        ),
        Offer(
            "JSON (RobustBench)",
            ".robustbench.json",
            "application/json",
            "In the shape of RobustBench's model records.",
            lambda: _robustbench(report),
        ),
        Offer(
            "JSON",
            ".json",
            "application/json",
            "Every figure of this report.",
            lambda: json.dumps(report_json(report), indent=1),
        ),
        Offer(
            "CSV",
            ".csv",
            "text/csv",
            "Every accuracy with its interval, one a row.",
            lambda: _csv(report),
        ),
    ]
    if outcomes is not None:
        told = "What became of every image: predictions, and the attack that turned it."
        found.append(
            Offer(
                "CSV by image", "-images.csv", "text/csv", told, lambda: _by_image(report, outcomes)
            )
        )
    return found


def exports(run: Run, report: EvalReport, outcomes: Outcomes | None, wrong: str) -> None:
    """The row of buttons. wrong: why there are no outcomes."""
    with st.container(horizontal=True, key="evaluate_exports"):
        for one in offers(report, outcomes):
            st.download_button(
                one.label,
                one.make,
                f"{run.name}{one.ending}",
                one.mime,
                on_click="ignore",
                help=one.help,
                key=f"evaluate_export_{run.id}_{one.ending}",
            )
    if wrong:
        st.caption(plain(f"No CSV by image: {wrong}."))


def _html(report: EvalReport) -> str:
    from cdp.reports.evaluation import evaluation_html

    return evaluation_html(report)


def _robustbench(report: EvalReport) -> str:
    from cdp.reports.exports import robustbench_record

    return json.dumps(robustbench_record(report), indent=1)


def _csv(report: EvalReport) -> str:
    from cdp.reports.exports import evaluation_csv

    return evaluation_csv(report)


def _by_image(report: EvalReport, outcomes: Outcomes) -> str:
    from cdp.reports.exports import outcomes_csv

    return outcomes_csv(report, outcomes)
