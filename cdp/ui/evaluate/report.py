"""One report: the number with all that it rests on, then one of its parts at a time, how it was
measured, and files to take along."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from cdp.config.evaluate import CODE, EvaluateConfig
from cdp.config.fields import fields_of
from cdp.errors import CdpError, InputError
from cdp.reports.exports import evaluation_csv, outcomes_csv, robustbench_record
from cdp.reports.sentences import facts, headline
from cdp.results.evaluations import read_outcomes, read_report
from cdp.statistics.shares import share_difference
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.ui.components.chart import load_plotly
from cdp.ui.evaluate.form import VIEWS, EvaluationPage, command
from cdp.ui.evaluate.views import attacks, budgets, classes, masking, verdict_line, weights_title
from cdp.ui.kit.frame import found, link
from cdp.ui.kit.markup import Html, figure, tag
from cdp.ui.kit.runlist import use_settings
from cdp.ui.kit.tables import Rows, csv_of, download, table, views
from cdp.ui.kit.words import plain, sentence_of
from cdp.values.evaluation import OUTCOMES, REPORT, EvalReport, Outcome, Outcomes, report_json
from cdp.values.text import bounds_text, points_with_bounds, share_text
from cdp.work.records import Run, run_folder

T = TypeVar("T")
ESTIMATE = "Stronger attacks leave fewer images standing."
PARTS = {"attacks": attacks, "classes": classes, "budgets": budgets, "masking": masking}
File = tuple[str, str, Callable[[], str]]
"""Label, help, and the text, made when it is asked for."""


@st.cache_resource(max_entries=16, show_spinner=False)
def _once(_read: Callable[[Path], T], path: str, changed: int) -> T:
    """A file read once. changed: its time of writing."""
    return _read(Path(path))


def report_of(folder: Path) -> EvalReport:
    """The report in a run's folder. Raises MissingError or InputError."""
    return _once(read_report, str(folder / REPORT), _changed(folder / REPORT))


def outcomes_of(folder: Path, report: EvalReport) -> Outcomes:
    """What became of every image of the report in that folder. Raises MissingError or InputError,
    also for those of another report."""
    path = folder / OUTCOMES
    result = _once(read_outcomes, str(path), _changed(path))
    of = {item.which for item in report.weights}
    if len(result.rows) != report.n or not of <= result.of.keys():
        raise InputError(f"{path} is of another report: evaluate again")
    return result


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def show_report(settings: EvaluationPage, run: Run, report: EvalReport) -> None:
    """Everything of a finished evaluation."""
    try:
        outcomes, wrong = outcomes_of(run.folder, report), ""
    except CdpError as error:
        outcomes, wrong = None, str(error)
    estimate = tag("span", f" {ESTIMATE}", cls="cdp-quiet") if report.quick else ""
    st.html(tag("div", tag("b", report.label), estimate, cls="cdp-verdict"))
    found(headline(report))
    if len(report.weights) > 1:
        st.html(figures_html(report))
    if outcomes is not None and {"best", "last"} <= {item.which for item in report.weights}:
        of, classes = outcomes.of, len(report.class_names)
        st.markdown(plain(change_text(of["best"], of["last"], classes)))
    verdict_line(report)
    for text in report.warnings:
        st.warning(plain(sentence_of(text)))
    _links(report)
    choose, key = partial(setattr, settings, "view"), f"evaluate_view_{run.id}_{settings.turn}"
    views("Part of the report", VIEWS, settings.view, choose, key=key)
    if settings.view == "how":
        _how(settings, run, report)
    else:
        PARTS[settings.view](report, run.id)
    _exports(run, report, outcomes, wrong)
    load_plotly()


def figures_html(report: EvalReport) -> Html:
    """Robust and clean accuracy of every set of weights beside each other, large, each with
    interval and n."""
    several = len(report.weights) > 1
    blocks = []
    for item in report.weights:
        which = f", {weights_title(item)}" if several or item.which != "given" else ""
        for title, share in ((f"Robust{which}", item.robust), (f"Clean{which}", item.clean)):
            below = f"{bounds_text(share)}, n = {share.n:,}"
            blocks.append(figure(title, share_text(share.value), below))
    return tag("div", *blocks, cls="cdp-figures")


def change_text(best: Outcome, last: Outcome, classes: int) -> str:
    """What the last epoch lost to the best, or gained, in one sentence; without a verdict where
    images are too few."""
    result = share_difference(last.robust, best.robust)
    if np.array_equal(last.robust, best.robust):
        return f"Best and last weights withstand the attack on the same images of {result.n:,}."
    change = (
        f"last minus best is {points_with_bounds(result)}, paired over the same {result.n:,} images"
    )
    if result.n < LEAST_A_CLASS * classes:
        return f"No verdict on best and last weights, {FEW}: {change}."
    verdict = "cannot be told apart" if result.low <= 0 <= result.high else "differ"
    return f"Best and last weights {verdict} under attack: {change}."


def _links(report: EvalReport) -> None:
    """To one image at a time, and to where the model comes from, as long as that is there."""
    with st.container(horizontal=True, gap="medium"):
        source = report.model.source
        if not source.startswith(CODE):  # which no page imports
            link("lab", "Attack single images", "science", model=source)
        if training := report.model.run:
            try:
                run_folder(training)
            except CdpError:
                st.caption("The training was removed; its report stays.")
            else:
                link("train", "See the training", "show_chart", runs=training, run=training)


def _how(settings: EvaluationPage, run: Run, report: EvalReport) -> None:
    """All that is needed to measure it again."""
    rows = measured_rows(report)
    table(rows)
    config = run.config
    with st.container(horizontal=True):
        if isinstance(config, EvaluateConfig):
            use_settings(run.id, partial(settings.use, config))
        csv_of(rows, "measured.csv", key=f"evaluate_measured_csv_{run.id}")
    if isinstance(config, EvaluateConfig):
        st.code(command(config), language="bash", wrap_lines=True)


def measured_rows(report: EvalReport) -> Rows:
    """One row a fact: group, what, value."""
    parts = facts(report) | {"setting": dict(_settings(report))}
    return [
        {"of": group, "what": name, "value": value}
        for group in ("model", "images", "attack", "setting", "version", "work")
        for name, value in parts[group].items()
    ]


def _settings(report: EvalReport) -> list[tuple[str, str]]:
    """Every setting as the form calls it; one that this version does not know as the report calls
    it."""
    known = fields_of(EvaluateConfig)

    def text(name: str, value: object) -> str:
        if value == "":
            return "as the model says"
        return known[name].title(value) if name in known else str(value)

    return [
        (f"{known[name].label.lower()} ({name})" if name in known else name, text(name, value))
        for name, value in report.config.items()
        if name != "model"
    ]


def exports(report: EvalReport, outcomes: Outcomes | None) -> dict[str, File]:
    """Files of a report by the ending of their names. Without outcomes none by image."""

    def html() -> str:
        from cdp.reports.evaluation import evaluation_html

        return evaluation_html(report)

    def as_json(record: Callable[[EvalReport], Any]) -> Callable[[], str]:
        return lambda: json.dumps(record(report), indent=1)

    about = "With charts, settings, versions and hashes; opens without a network."
    robustbench = "In the shape of RobustBench's model records."
    files: dict[str, File] = {
        ".html": ("HTML report", about, html),
        ".robustbench.json": ("JSON (RobustBench)", robustbench, as_json(robustbench_record)),
        ".json": ("JSON", "Every figure of this report.", as_json(report_json)),
        ".csv": ("CSV", "Every accuracy with its interval.", lambda: evaluation_csv(report)),
    }
    if outcomes is not None:
        of = "Predictions for every image, and the attack that turned it."
        files["-images.csv"] = ("CSV by image", of, lambda: outcomes_csv(report, outcomes))
    return files


def _exports(run: Run, report: EvalReport, outcomes: Outcomes | None, wrong: str) -> None:
    """The row of buttons. wrong: why there are no outcomes."""
    with st.container(horizontal=True, key="evaluate_exports"):
        for ending, (label, about, make) in exports(report, outcomes).items():
            key = f"evaluate_export_{run.id}_{ending}"
            download(label, make, f"{run.name}{ending}", key=key, help=about)
    if wrong:
        st.caption(plain(f"No CSV by image: {wrong}."))
