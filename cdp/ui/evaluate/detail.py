"""The evaluation that is shown: its report, or how far it is, or why it has none."""

from __future__ import annotations

import streamlit as st

from cdp.config.evaluate import EvaluateConfig
from cdp.errors import CdpError
from cdp.ui.evaluate.list import followers
from cdp.ui.evaluate.live import stages_html
from cdp.ui.evaluate.rows import bounds
from cdp.ui.evaluate.state import Evaluated
from cdp.ui.evaluate.stored import report_of
from cdp.ui.kit.run_controls import POLL_SECONDS, use_settings
from cdp.ui.kit.run_lists import log_fold
from cdp.ui.kit.words import plain
from cdp.ui.train.rows import heading_html
from cdp.work.records import Run, get_run

REMEDY = {
    "interrupted": (
        "Its process is gone, perhaps by a restart of the machine. Resume goes on after the last"
        " finished batch."
    ),
    "stopped": "Stopped. Resume goes on after the last finished batch.",
    "failed": "Resume tries again after the last finished batch.",
}


def detail(held: Evaluated, run: Run) -> None:
    """Everything of one evaluation; polls while it moves."""
    st.html(heading_html(run.name, None))
    with st.container(key="evaluate_detail"):
        if run.state == "finished":
            _finished(held, run)
        elif run.over:
            _ended(held, run)
        else:
            st.fragment(_moving, run_every=POLL_SECONDS)(run.id)


def _finished(held: Evaluated, run: Run) -> None:
    try:
        report = report_of(run.folder)
    except CdpError as error:
        st.error(plain(f"{error}."))
        _again(held, run)
        return
    from cdp.ui.evaluate.report import show_report

    show_report(held, run, report)


def _ended(held: Evaluated, run: Run) -> None:
    """Why there is no report, and the way on."""
    if run.error:
        text = run.error[:1].upper() + run.error[1:]
        (st.error if run.state == "failed" else st.warning)(
            plain(text if text.endswith((".", "?")) else f"{text}.")
        )
    if run.config is not None:
        st.info(REMEDY[run.state])
    _stages(run)
    _again(held, run)
    log_fold(run)


def _moving(run_id: str) -> None:
    try:
        run = get_run(run_id)
    except CdpError:
        st.caption("This evaluation was removed.")
        return
    _stages(run)
    st.caption("The report appears here once everything is measured.")
    log_fold(run)


def _stages(run: Run) -> None:
    found = bounds(run, followers())
    if found:
        st.html(stages_html(found, None if run.over else run.notice))


def _again(held: Evaluated, run: Run) -> None:
    config = run.config
    if isinstance(config, EvaluateConfig):
        use_settings(run.id, lambda: held.use(config))
