"""Whether the attacks can be trusted: five checks with a verdict in words each, and the loss around
one image."""

from __future__ import annotations

import html

import streamlit as st

from cdp.reports.sentences import masking_sentence
from cdp.ui.evaluate.parts import chart_with_numbers
from cdp.ui.kit.words import plain
from cdp.values.evaluation import Check, EvalReport, Masking

VERDICTS = {
    "pass": ("✓", "No sign", "#0e8a63"),
    "warn": ("▲", "A sign", "#D55E00"),
    "unclear": ("?", "Unclear", "#777b80"),
}
"""Glyph, word and colour of a verdict."""


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


def panel(report: EvalReport, key: str) -> None:
    """Verdicts, sentences, the surface, and their numbers."""
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
    chart_with_numbers(
        None, masking_rows(masking), name="masking", title="the checks", key=key, alt=""
    )
    if masking.surface is not None:
        figure = masking_surface(
            masking.surface,
            norm=report.norm,
            epsilon=report.epsilon,
            class_names=report.class_names,
        )
        chart_with_numbers(
            figure,
            surface_rows(masking.surface),
            name="surface",
            title="the loss surface",
            key=key,
            alt=(
                f"Cross-entropy around image {masking.surface.row}, along the gradient's sign and a"
                " random direction"
            ),
        )


def checks_html(masking: Masking) -> str:
    """One line a check: glyph and word of its verdict, what was looked at, what was found."""
    return "<div>" + "".join(_check(check) for check in masking.checks) + "</div>"


def _check(check: Check) -> str:
    glyph, word, color = VERDICTS[check.verdict]
    return (
        "<div style='display:grid;grid-template-columns:6.2rem 1fr;gap:0.2rem"
        " 0.8rem;padding:0.5rem 0;border-top:1px solid"
        " rgba(128,132,140,0.22);line-height:1.45'><span"
        f" style='font-weight:600;color:{color}'><span aria-hidden='true'>{glyph}</span>"
        f" {word}</span><span><b>{html.escape(check.title)}</b><br><span"
        f" style='font-size:0.9rem'>{html.escape(check.sentence)}</span></span></div>"
    )
