"""What a generation came to: each figure with its interval and n in one plain sentence, chart,
table and CSV."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cdp.figures.generation import MEASURES, Measure, report_bars, report_rows
from cdp.reports.exports import to_csv as to_csv
from cdp.statistics.verdicts import FEW, LEAST_A_CLASS
from cdp.values.text import interval_text
from cdp.values.types import ArmReport, Interval, LiveResult
from cdp.work.live import Job

IDENTICAL = (
    "Guided and unguided images are identical so far: guidance has changed no pixel, as its window"
    " has not begun, its strength is 0, or its push is below one grey level."
)
NOTES = {
    "agreement": (
        "Share of images that the judge, a classifier that never guides, gives the class they were"
        " asked to show."
    ),
    "separation": (
        "Scatter between classes over scatter within them, in the judge's features. More is not"
        " better by itself: a set can separate by losing variety."
    ),
    "nearest": (
        "Distance to the nearest training image over the same distance of real images the model"
        " never saw: clearly below 1 hints at copying."
    ),
}


def results(job: Job) -> None:
    """Sentences, chart and numbers of a job that is over; nothing where it has no figures."""
    result = job.result
    if result is None:
        return
    found = sentences(result)
    if not found:
        few = "Too few images of each class to put figures on them: generate 20 or more."
        st.caption(
            few
            if result.label is not None
            else (
                "No figures: this model knows no classes, and there is no real image to measure a"
                " distance to."
            )
        )
        return
    if result.label is None:
        st.caption(
            "This model knows no classes, so there is no figure of them until the images have"
            " labels."
        )
    st.subheader("What guidance changed" if result.difference else "What came out", anchor=False)
    if result.identical:
        st.info(IDENTICAL)
    elif result.difference and result.fewest < LEAST_A_CLASS:
        enough = LEAST_A_CLASS * (1 if result.label is None else len(np.unique(result.label)))
        st.caption(
            f"No verdict on guidance: {FEW}. Generate {enough:,} images or more of these classes."
        )
    for measure, sentence in found:
        st.markdown(sentence, help=NOTES[measure.field])
    st.plotly_chart(
        report_bars(result),
        theme=None,
        config={"displayModeBar": False},
        key=f"report_{job.id}",
        alt=" ".join(s for _, s in found),
    )
    rows = report_rows(result)
    with st.expander("Numbers", key=f"numbers_{job.id}"):
        st.dataframe(rows, hide_index=True)
        st.download_button(
            "Download CSV",
            to_csv(rows),
            f"figures-seed{job.config.seed}.csv",
            "text/csv",
            on_click="ignore",
            key="figures_csv",
        )


def sentences(result: LiveResult) -> list[tuple[Measure, str]]:
    """One plain sentence for each figure there is."""
    return [(measure, text) for measure in MEASURES if (text := sentence(measure, result))]


def sentence(measure: Measure, result: LiveResult) -> str:
    """The paired difference where there are two arms and they differ, else the value alone; ""
    where neither is known. Of too few images the difference is told without a verdict."""
    guided = _of(result.guided_report, measure)
    change = _of(result.difference, measure)
    alone = (
        ""
        if guided is None
        else f"{_plain(guided.value, measure)} ({interval_text(guided, f'.{measure.digits}f', factor=measure.factor)}), n = {guided.n:,}"
    )
    if change is None or result.identical:
        return (
            f"**{measure.title}** {'identical so far: both ' * result.identical}{alone}"
            if alone
            else ""
        )
    interval = f"({interval_text(change, f'+.{measure.digits}f', factor=measure.factor)}), n = {change.n:,}"
    if result.fewest < LEAST_A_CLASS:
        verdict = (
            f"no verdict, {FEW}: difference {_plain(change.value, measure, signed=True)} {interval}"
        )
    elif change.low <= 0 <= change.high:
        verdict = (
            "guided and unguided cannot be told apart:"
            f" {_plain(change.value, measure, signed=True)} {interval}"
        )
    else:
        verdict = f"{_plain(change.value, measure, signed=True)} with guidance {interval}"
    plain = _of(result.unguided_report, measure)
    arms = (
        f"; {_value(guided, measure)} against {_value(plain, measure)} unguided"
        if guided and plain
        else ""
    )
    return f"**{measure.title}** {verdict}{arms}"


def _of(report: ArmReport | None, measure: Measure) -> Interval | None:
    return getattr(report, measure.field) if report else None


def _plain(value: float, measure: Measure, *, signed: bool = False) -> str:
    text = f"{value * measure.factor:{'+' if signed else ''}.{measure.digits}f}"
    unit = measure.suffix if signed else (" %" if measure.factor == 100 else "")
    return text + unit


def _value(interval: Interval, measure: Measure) -> str:
    return _plain(interval.value, measure)


def _interval(interval: Interval, measure: Measure, *, signed: bool = False) -> str:
    spec = f"{'+' if signed else ''}.{measure.digits}f"
    return interval_text(interval, spec, factor=measure.factor)
