"""Reports and outcomes of evaluations in memory, read again once their files changed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cdp.errors import InputError
from cdp.values.evaluation import OUTCOMES, REPORT, EvalReport, Outcomes, read_outcomes, read_report


def report_of(folder: Path) -> EvalReport:
    """The report in a run's folder. Raises MissingError or InputError."""
    return _report(str(folder / REPORT), _changed(folder / REPORT))


def outcomes_of(folder: Path, report: EvalReport) -> Outcomes:
    """What became of every image of the report in that folder. Raises MissingError or InputError,
    also for those of another report."""
    found = _outcomes(str(folder / OUTCOMES), _changed(folder / OUTCOMES))
    if len(found.rows) != report.n or not {one.which for one in report.weights} <= found.of.keys():
        raise InputError(f"{folder / OUTCOMES} is of another report: evaluate again")
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def _report(path: str, changed: int) -> EvalReport:
    """changed: time of writing."""
    return read_report(Path(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _outcomes(path: str, changed: int) -> Outcomes:
    return read_outcomes(Path(path))


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
