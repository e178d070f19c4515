"""The parts of a report that are charts: attack by attack, class by class, budget by budget."""

from __future__ import annotations

import html

import streamlit as st

from cdp.reports.sentences import headline, images_text, unseen_gap
from cdp.ui.evaluate.parts import chart_with_numbers
from cdp.ui.kit.wording import weights_title
from cdp.ui.kit.words import plain
from cdp.values.evaluation import EvalReport, WeightsReport
from cdp.values.text import share_with_bounds, threat_text
from cdp.values.types import Interval


def attacks(report: EvalReport, key: str) -> None:
    """Accuracy falling from attack to attack."""
    from cdp.figures.evaluation import stage_bars, stage_rows

    chart_with_numbers(
        stage_bars(report),
        stage_rows(report),
        name="attacks",
        title="the attacks",
        key=key,
        alt=f"{report.label}: {headline(report)}",
    )
    told = (
        f"Each attack tries the images that those before it left, of {images_text(report)}; an"
        " image counts as robust where none turned it."
    )
    st.caption(plain(told))


def classes(report: EvalReport, key: str) -> None:
    """Every class by itself, and what its images are taken for."""
    from cdp.figures.class_pairs import confusion_rows, confusion_under_attack
    from cdp.figures.evaluation import class_bars, class_rows

    chart_with_numbers(
        class_bars(report),
        class_rows(report),
        name="classes",
        title="the classes",
        key=key,
        alt=f"{report.label}: accuracy of every class",
    )
    weights, attacked = _which(report, key)
    when = "under attack" if attacked else "without attack"
    name = f"confusion-{weights.which}{'' if attacked else '-clean'}"
    chart_with_numbers(
        confusion_under_attack(weights, report.class_names, attacked=attacked),
        confusion_rows(weights, report.class_names, attacked=attacked),
        name=name,
        title="the confusion",
        key=key,
        alt=f"{report.label}: true class by predicted class {when}, {weights_title(weights)}",
    )


def _which(report: EvalReport, key: str) -> tuple[WeightsReport, bool]:
    """Of which weights the confusion is drawn, and whether under attack."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        when = st.segmented_control(
            "Confusion",
            ["Under attack", "Without attack"],
            default="Under attack",
            key=f"evaluate_confusion_{key}",
            required=True,
        )
        weights = report.main
        if len(report.weights) > 1:
            titles = {one.which: weights_title(one).capitalize() for one in report.weights}
            chosen = st.segmented_control(
                "Weights",
                list(titles),
                default=report.main.which,
                key=f"evaluate_confusion_weights_{key}",
                format_func=titles.__getitem__,
                required=True,
            )
            weights = next(one for one in report.weights if one.which == chosen)
    return weights, when != "Without attack"


def budgets(report: EvalReport, key: str) -> None:
    """Accuracy against budget, and under threats that were not trained for."""
    if not report.curves and not report.unseen:
        st.caption(
            "Not measured: switch on accuracy against budget or unseen threats on the left and"
            " evaluate again."
        )
        return
    if report.curves:
        _curves(report, key)
    if report.unseen:
        from cdp.figures.evaluation import unseen_rows

        st.markdown("**Threats that were not trained for**")
        st.html(unseen_html(report))
        if gap := unseen_gap(report):
            st.caption(plain(gap))
        chart_with_numbers(
            None, unseen_rows(report), name="unseen", title="the unseen threats", key=key, alt=""
        )


def unseen_html(report: EvalReport) -> str:
    """A line for each threat, after the one trained for: robust accuracy, interval, attack
    and n."""
    main = report.main.robust
    lines = [
        (
            f"{threat_text(report.norm, report.epsilon)}, the threat of this report",
            main,
            report.attack,
        )
    ]
    lines += [(threat_text(one.norm, one.epsilon), one.robust, one.attack) for one in report.unseen]
    return "".join(_threat(*line) for line in lines)


def _threat(title: str, found: Interval, attack: str) -> str:
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:0 1rem;padding:0.4rem 0;border-top:1px solid"
        f" rgba(128,132,140,0.22)'><span style='flex:1 1 12rem'>{html.escape(title)}</span><b"
        f" style='flex:0 0 13rem'>{share_with_bounds(found).replace(' %', '&nbsp;%')}</b><span"
        f" style='flex:1 1 14rem;opacity:0.7'>{html.escape(attack)}, n = {found.n:,}</span></div>"
    )


def _curves(report: EvalReport, key: str) -> None:
    from cdp.figures.evaluation import budget_curves, budget_rows, weights_signs

    signs = weights_signs(report)
    titles = {one.which: weights_title(one) for one in report.weights}
    several = len(report.curves) > 1
    lines = [
        (
            signs.get(curve.which, signs[report.main.which]),
            titles.get(curve.which, curve.which) if several else report.model.name,
            curve,
        )
        for curve in report.curves
    ]
    alt = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{100 * point.robust.value:.0f} % at budget {point.epsilon:.3g}"
            for point in curve.points
        )
        for _, label, curve in lines
    )
    chart_with_numbers(
        budget_curves(lines, epsilon=report.epsilon, norm=report.norm),
        budget_rows(lines),
        name="budgets",
        title="the curve",
        key=key,
        alt=f"Accuracy against budget. {alt}",
    )
