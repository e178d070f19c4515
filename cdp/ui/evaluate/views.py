"""The parts of a report: attack by attack, class by class, budget by budget, and whether the
attacks can be trusted. Each is a chart with its numbers one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cdp.reports.sentences import headline, images_text, masking_sentence, unseen_gap
from cdp.ui.components.chart import chart
from cdp.ui.kit.words import plain
from cdp.values.evaluation import Check, EvalReport, Masking, WeightsReport
from cdp.values.text import share_with_bounds, threat_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

from cdp.ui.kit.markup import Html, tag
from cdp.ui.kit.tables import Rows, numbers

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

    chart_with_numbers(
        stage_bars(report),
        stage_rows(report),
        name="attacks",
        title="the attacks",
        key=key,
        alt=f"{report.label}: {headline(report)}",
    )
    text = (
        f"Each attack tries the images that those before it left, of {images_text(report)}; an"
        " image counts as robust where none turned it."
    )
    st.caption(plain(text))


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
            titles = {item.which: weights_title(item).capitalize() for item in report.weights}
            chosen = st.segmented_control(
                "Weights",
                list(titles),
                default=report.main.which,
                key=f"evaluate_confusion_weights_{key}",
                format_func=titles.__getitem__,
                required=True,
            )
            weights = next(item for item in report.weights if item.which == chosen)
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
        rows = unseen_rows(report)
        chart_with_numbers(None, rows, name="unseen", title="the unseen threats", key=key)


def unseen_html(report: EvalReport) -> Html:
    """A line for each threat, after the one trained for: robust accuracy, interval, attack
    and n."""
    own = f"{threat_text(report.norm, report.epsilon)}, the threat of this report"
    lines = [(own, report.main.robust, report.attack)]
    lines += [
        (threat_text(item.norm, item.epsilon), item.robust, item.attack) for item in report.unseen
    ]
    return tag(
        "div",
        *(
            tag(
                "div",
                tag("span", title),
                tag("b", share_with_bounds(robust)),
                tag("span", f"{attack}, n = {robust.n:,}", cls="cdp-quiet"),
            )
            for title, robust, attack in lines
        ),
        cls="cdp-lines",
    )


def _curves(report: EvalReport, key: str) -> None:
    from cdp.figures.evaluation import budget_curves, budget_rows, weights_signs

    signs = weights_signs(report)
    titles = {item.which: weights_title(item) for item in report.weights}
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


def verdict_line(report: EvalReport) -> None:
    """The one sentence that stands beside the number; nothing where masking was not looked for."""
    masking = report.masking
    if masking is None or not masking.checks:
        return
    warned = any(check.verdict == "warn" for check in masking.checks)
    glyph = VERDICTS[
        (
            "warn"
            if warned
            else "pass"
            if any(c.verdict == "pass" for c in masking.checks)
            else "unclear"
        )
    ][0]
    text = plain(f"{glyph} {masking_sentence(masking)}")
    (st.warning if warned else st.markdown)(text)


def masking(report: EvalReport, key: str) -> None:
    """Five checks with a verdict in words each, the loss around one image, and their numbers."""
    masking = report.masking
    if masking is None:
        st.caption("Not looked for: switch on gradient masking on the left and evaluate again.")
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
        figure = masking_surface(
            surface, norm=report.norm, epsilon=report.epsilon, class_names=report.class_names
        )
        chart_with_numbers(
            figure,
            surface_rows(surface),
            name="surface",
            title="the loss surface",
            key=key,
            alt=(
                f"Cross-entropy around image {surface.row}, along the gradient's sign and a random"
                " direction"
            ),
        )


def checks_html(masking: Masking) -> Html:
    """One line a check: glyph and word of its verdict, what was looked at, what came of it."""
    return tag("div", *(_check(check) for check in masking.checks), cls="cdp-lines")


def _check(check: Check) -> Html:
    glyph, word, color = VERDICTS[check.verdict]
    verdict = tag(
        "span",
        tag("span", glyph, aria_hidden="true"),
        f" {word}",
        cls="cdp-word",
        style=f"color:{color}",
    )
    return tag("div", verdict, tag("span", tag("b", check.title), tag("br"), check.sentence))
