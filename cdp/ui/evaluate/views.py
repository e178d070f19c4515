"""The parts of a report: attack by attack, class by class, budget by budget, and whether the
attacks can be trusted. Each is a chart with its numbers one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cdp.reports.sentences import headline, images_text, masking_sentence, unseen_gap
from cdp.results.signs import report_sign
from cdp.ui.components.chart import chart
from cdp.ui.kit.markup import Html, tag
from cdp.ui.kit.tables import Rows, numbers
from cdp.ui.kit.words import plain
from cdp.values.evaluation import Check, Curve, EvalReport, Masking, WeightsReport
from cdp.values.text import share_with_bounds, threat_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

VERDICTS = {
    "pass": ("✓", "No sign", "#0e8a63"),
    "warn": ("▲", "A sign", "#D55E00"),
    "unclear": ("?", "Unclear", "#777b80"),
}
"""Glyph, word and colour of a verdict."""


def chart_with_numbers(
    figure: go.Figure | None, rows: Rows, *, name: str, title: str, key: str, alt: str = ""
) -> None:
    """A figure, None for numbers alone, over a fold with its table and CSV. name: of the file and
    the keys; title: after "Numbers of"; key: of the evaluation; alt: the figure in words, for a
    screen reader."""
    if figure is not None:
        chart(figure, key=f"evaluate_{name}_{key}", alt=alt)
    numbers(title, lambda: rows, f"{name}.csv", key=f"evaluate_{name}_numbers_{key}")


def weights_title(weights: WeightsReport) -> str:
    """ "best (epoch 12)"; "these weights" where the model has one set only."""
    if weights.which == "given":
        return "these weights"
    return f"{weights.which} (epoch {weights.epoch})" if weights.epoch else weights.which


def attacks(report: EvalReport, key: str) -> None:
    """Accuracy falling from attack to attack."""
    from cdp.figures.evaluation import stage_bars, stage_rows

    alt, bars, rows = (
        f"{report.label}: {headline(report)}",
        stage_bars(report, report_sign(report)),
        stage_rows(report),
    )
    chart_with_numbers(bars, rows, name="attacks", title="the attacks", key=key, alt=alt)
    text = (
        f"Each attack tries the images that those before it left, of {images_text(report)}; an"
        " image is robust if none turned it."
    )
    st.caption(plain(text))


def classes(report: EvalReport, key: str) -> None:
    """Every class by itself, and what its images are taken for."""
    from cdp.figures.class_pairs import confusion_rows, confusion_under_attack
    from cdp.figures.evaluation import class_bars, class_rows

    alt, bars, rows = (
        f"{report.label}: by class",
        class_bars(report, report_sign(report)),
        class_rows(report),
    )
    chart_with_numbers(bars, rows, name="classes", title="the classes", key=key, alt=alt)
    weights, attacked = _which(report, key)
    name = f"confusion-{weights.which}{'' if attacked else '-clean'}"
    when = "under attack" if attacked else "without attack"
    alt = f"{report.label}: true class by predicted class {when}, {weights_title(weights)}"
    matrix = confusion_under_attack(weights, report.class_names, attacked=attacked)
    rows = confusion_rows(weights, report.class_names, attacked=attacked)
    chart_with_numbers(matrix, rows, name=name, title="the confusion", key=key, alt=alt)


def _which(report: EvalReport, key: str) -> tuple[WeightsReport, bool]:
    """Of which weights the confusion is drawn, and whether under attack."""
    attacked, weights = "Under attack", report.main
    with st.container(horizontal=True, vertical_alignment="bottom"):
        when = st.segmented_control(
            "Confusion",
            [attacked, "Without attack"],
            default=attacked,
            key=f"evaluate_confusion_{key}",
            required=True,
        )
        if len(report.weights) > 1:
            titles = {weights_title(item).capitalize(): item for item in report.weights}
            chosen = st.segmented_control(
                "Weights",
                list(titles),
                default=weights_title(weights).capitalize(),
                key=f"evaluate_confusion_weights_{key}",
                required=True,
            )
            weights = titles[chosen or weights_title(weights).capitalize()]
    return weights, when == attacked


def budgets(report: EvalReport, key: str) -> None:
    """Accuracy against budget, and under threats that were not trained for."""
    if not report.curves and not report.unseen:
        st.caption(
            "Not measured: switch on accuracy against budget or unseen threats, and evaluate again."
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
        rows = unseen_rows(report)
        chart_with_numbers(None, rows, name="unseen", title="the unseen threats", key=key)


def unseen_html(report: EvalReport) -> Html:
    """A line for each threat, after the one trained for: robust accuracy, interval, attack
    and n."""
    own = f"{threat_text(report.norm, report.epsilon)}, the threat of this report"
    lines = [(own, report.main.robust, report.attack)]
    lines += [(threat_text(t.norm, t.epsilon), t.robust, t.attack) for t in report.unseen]
    rows = (
        tag(
            "div",
            tag("span", title),
            tag("b", share_with_bounds(robust)),
            tag("span", f"{attack}, n = {robust.n:,}", cls="cdp-quiet"),
        )
        for title, robust, attack in lines
    )
    return tag("div", *rows, cls="cdp-lines")


def _curves(report: EvalReport, key: str) -> None:
    from cdp.figures.evaluation import budget_curves, budget_rows, weights_signs

    signs, main = weights_signs(report, report_sign(report)), report.main.which
    titles = {item.which: weights_title(item) for item in report.weights}
    several = len(report.curves) > 1
    lines = [
        (
            signs.get(curve.which, signs[main]),
            titles.get(curve.which, curve.which) if several else report.model.name,
            curve,
        )
        for curve in report.curves
    ]

    def in_words(label: str, curve: Curve) -> str:
        shares = (f"{100 * p.robust.value:.0f} % at budget {p.epsilon:.3g}" for p in curve.points)
        return f"{label}: {', '.join(shares)}"

    alt = f"Accuracy against budget. {'; '.join(in_words(*line[1:]) for line in lines)}"
    curves = budget_curves(lines, epsilon=report.epsilon, norm=report.norm)
    rows = budget_rows(lines)
    chart_with_numbers(curves, rows, name="budgets", title="the curve", key=key, alt=alt)


def verdict_line(report: EvalReport) -> None:
    """The one sentence that stands beside the number; nothing where masking was not looked for."""
    masking = report.masking
    if masking is None or not masking.checks:
        return
    verdicts = {check.verdict for check in masking.checks}
    worst = next(verdict for verdict in ("warn", "pass", "unclear") if verdict in verdicts)
    text = plain(f"{VERDICTS[worst][0]} {masking_sentence(masking)}")
    (st.warning if worst == "warn" else st.markdown)(text)


def masking(report: EvalReport, key: str) -> None:
    """Five checks with a verdict in words each, the loss around one image, and their numbers."""
    masking = report.masking
    if masking is None:
        st.caption("Not looked for: switch on gradient masking, and evaluate again.")
        return
    from cdp.figures.evaluation import masking_rows, masking_surface, surface_rows

    st.markdown(f"**{plain(masking_sentence(masking))}**")
    st.html(checks_html(masking))
    st.caption(
        f"On {masking.n:,} of the images. A defence that hides its gradients looks strong to"
        " attacks that follow them, and is not."
    )
    chart_with_numbers(None, masking_rows(masking), name="masking", title="the checks", key=key)
    surface = masking.surface
    if surface is not None:
        names, epsilon = report.class_names, report.epsilon
        figure = masking_surface(surface, norm=report.norm, epsilon=epsilon, class_names=names)
        rows, title = surface_rows(surface), "the loss surface"
        around = "along the gradient's sign and a random direction"
        alt = f"Cross-entropy around image {surface.row}, {around}"
        chart_with_numbers(figure, rows, name="surface", title=title, key=key, alt=alt)


def checks_html(masking: Masking) -> Html:
    """One line a check: glyph and word of its verdict, what was looked at, what came of it."""
    return tag("div", *(_check(check) for check in masking.checks), cls="cdp-lines")


def _check(check: Check) -> Html:
    glyph, word, color = VERDICTS[check.verdict]
    style, sign = f"color:{color}", tag("span", glyph, aria_hidden="true")
    verdict = tag("span", sign, f" {word}", cls="cdp-word", style=style)
    return tag("div", verdict, tag("span", tag("b", check.title), tag("br"), check.sentence))
