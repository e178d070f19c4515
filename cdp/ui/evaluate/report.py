"""One report: the number with all that it rests on, then attacks, classes, budgets, trust and
method, one of them at a time."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from cdp.config.evaluate import CODE
from cdp.errors import CdpError
from cdp.reports.sentences import headline
from cdp.statistics.shares import share_difference
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.ui.components.chart import load_plotly
from cdp.ui.evaluate.exports import exports
from cdp.ui.evaluate.masking import panel, verdict_line
from cdp.ui.evaluate.measured import how
from cdp.ui.evaluate.state import VIEWS, Evaluated
from cdp.ui.evaluate.stored import outcomes_of
from cdp.ui.evaluate.views import attacks, budgets, classes
from cdp.ui.kit.wording import ESTIMATE, weights_title
from cdp.ui.kit.words import plain
from cdp.values.evaluation import EvalReport, Outcome, Outcomes
from cdp.values.text import bounds_text, points_with_bounds, share_text
from cdp.values.types import Interval
from cdp.work.records import Run, run_folder


def show_report(held: Evaluated, run: Run, report: EvalReport) -> None:
    """Everything of a finished evaluation."""
    try:
        outcomes, wrong = outcomes_of(run.folder, report), ""
    except CdpError as error:
        outcomes, wrong = None, str(error)
    st.html(_label_html(report))
    st.markdown(plain(headline(report)))
    st.html(figures_html(report))
    _change(report, outcomes)
    verdict_line(report)
    for text in report.warnings:
        st.warning(plain(text if text.endswith(".") else f"{text}."))
    _links(report)
    view = _view(held, run)
    if view == "attacks":
        attacks(report, run.id)
    elif view == "classes":
        classes(report, run.id)
    elif view == "budgets":
        budgets(report, run.id)
    elif view == "masking":
        panel(report, run.id)
    else:
        how(held, run, report)
    exports(run, report, outcomes, wrong)
    load_plotly()


def _label_html(report: EvalReport) -> str:
    """How the number must be called; an estimate says that it is one."""
    estimate = (
        f" <span style='font-weight:400;opacity:0.75'>{html.escape(ESTIMATE)}</span>"
        if report.quick
        else ""
    )
    return (
        "<div"
        f" style='font-size:0.95rem;font-weight:600;overflow-wrap:anywhere'>{html.escape(report.label)}{estimate}</div>"
    )


def figures_html(report: EvalReport) -> str:
    """Robust and clean accuracy of every set of weights beside each other, large, each with
    interval and n."""
    several = len(report.weights) > 1
    blocks = []
    for one in report.weights:
        which = f", {weights_title(one)}" if several or one.which != "given" else ""
        blocks.append(_figure(f"Robust{which}", one.robust))
        blocks.append(_figure(f"Clean{which}", one.clean))
    return f"<div style='display:flex;flex-wrap:wrap;gap:0.75rem 2.25rem'>{''.join(blocks)}</div>".replace(
        " %", "&nbsp;%"
    )


def _figure(title: str, found: Interval) -> str:
    return (
        f"<div><div style='font-size:0.85rem;opacity:0.7'>{html.escape(title)}</div><div"
        f" style='font-size:1.75rem;font-weight:600;line-height:1.2'>{share_text(found.value)}</div><div"
        f" style='font-size:0.85rem;opacity:0.7'>{bounds_text(found)}, n = {found.n:,}</div></div>"
    )


def _change(report: EvalReport, outcomes: Outcomes | None) -> None:
    """What the last epoch lost to the best, or gained, paired by image."""
    if outcomes is None or not {"best", "last"} <= {one.which for one in report.weights}:
        return
    st.markdown(
        plain(change_text(outcomes.of["best"], outcomes.of["last"], len(report.class_names)))
    )


def change_text(best: Outcome, last: Outcome, classes: int) -> str:
    """What the last epoch lost to the best, or gained, in one sentence; without a verdict where
    images are too few."""
    found = share_difference(last.robust, best.robust)
    where = f"paired over the same {found.n:,} images"
    if np.array_equal(last.robust, best.robust):
        return f"Best and last weights withstand the attack on the very same images of {found.n:,}."
    if found.n < LEAST_A_CLASS * classes:
        return (
            f"No verdict on best and last weights, {FEW}: last minus best is {points_with_bounds(found)},"
            f" {where}."
        )
    verdict = "cannot be told apart" if found.low <= 0 <= found.high else "differ"
    return (
        f"Best and last weights {verdict} under attack: last minus best is {points_with_bounds(found)},"
        f" {where}."
    )


def _links(report: EvalReport) -> None:
    """To one image at a time, and to where the model comes from, as long as that is there."""
    with st.container(horizontal=True, gap="medium"):
        source = report.model.source
        if not source.startswith(CODE):  # which no page imports
            st.page_link(
                "pages/lab.py",
                label="Attack single images",
                icon=":material/science:",
                query_params={"model": source},
            )
        if report.model.run:
            try:
                run_folder(report.model.run)
            except CdpError:
                st.caption("The training was removed; its report stays.")
            else:
                st.page_link(
                    "pages/train.py",
                    label="See the training",
                    icon=":material/show_chart:",
                    query_params={"runs": report.model.run, "run": report.model.run},
                )


def _view(held: Evaluated, run: Run) -> str:
    key = f"evaluate_view_{run.id}_{held.turn}"

    def chosen() -> None:
        held.view = st.session_state[key] or held.view

    st.segmented_control(
        "Part of the report",
        list(VIEWS),
        default=held.view,
        key=key,
        on_change=chosen,
        format_func=VIEWS.__getitem__,
        required=True,
        label_visibility="collapsed",
    )
    return held.view
