"""The HTML report of one evaluation: figures with their numbers, settings, versions, hashes, seeds,
and how to cite it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdp import __version__
from cdp.config.choices import SUITES
from cdp.figures.class_pairs import confusion_rows, confusion_under_attack
from cdp.figures.evaluation import (
    QUICK,
    WHICH,
    budget_curves,
    budget_rows,
    class_bars,
    class_rows,
    masking_rows,
    masking_surface,
    stage_bars,
    stage_rows,
    surface_rows,
    unseen_rows,
    weights_signs,
)
from cdp.figures.palette import sign_in
from cdp.reports.page import NUMBERS, Page, Section, Table, page_html, settings_rows
from cdp.reports.sentences import facts, headline, masking_sentence, unseen_gap
from cdp.results.signs import report_sign
from cdp.values.evaluation import EvalReport, Masking
from cdp.values.text import share_with_bounds, threat_text

PAIRS = 60
"""Confusions listed, the most frequent; the CSV has them all."""


def evaluation_html(report: EvalReport) -> str:
    """One file that opens offline. Every accuracy carries its interval, its n and how it has to be
    called."""
    under = [f"Called: {report.label}; {WHICH[report.main.which]}."]
    warnings = [f"This is {QUICK}: cite it as {report.label}."] if report.quick else []
    warnings += report.warnings
    if report.masking and report.masking.checks:
        masked = any(check.verdict == "warn" for check in report.masking.checks)
        (warnings if masked else under).insert(0 if masked else 1, masking_sentence(report.masking))
    footer = (
        f"Written by Contrastive-DP Studio {__version__} from an evaluation of {report.created}."
        " The file needs no network."
    )
    title, sections = f"{report.model.name}: robust accuracy", tuple(_sections(report))
    return page_html(Page(title, headline(report), under, warnings, sections, footer))


def _sections(report: EvalReport) -> Iterator[Section]:
    label, main = report.label, report.main
    bars = (
        "A bar counts the images that are right under its attack and all those above it: the worst"
        " case for every image."
    )
    caption = f"Accuracy in per cent, {label}; 95 % intervals (Wilson)."
    table = Table(caption, stage_rows(report), NUMBERS)
    yield Section("Attack by attack", [bars], [stage_bars(report, report_sign(report))], [table])
    if report.curves:
        yield _curves(report)
    if report.unseen:
        text = "Robustness to one norm and budget need not carry over to another."
        caption = "Robust accuracy in per cent; attack and n of each line."
        text_and_gap = [sentence for sentence in (text, unseen_gap(report)) if sentence]
        table = Table(caption, unseen_rows(report))
        yield Section("Threats it was not trained for", text_and_gap, (), [table])
    caption = f"In per cent of the images of a class, {label}."
    table = Table(caption, class_rows(report), NUMBERS)
    yield Section("Class by class", (), [class_bars(report, report_sign(report))], [table])
    pairs = [
        row
        for row in confusion_rows(main, report.class_names)
        if row["true class"] != row["predicted class"]
    ]
    rest = f"; the {PAIRS} most frequent of {len(pairs)}" if len(pairs) > PAIRS else ""
    caption = f"Images of one class taken for another under attack, {label}{rest}."
    table = Table(caption, pairs[:PAIRS], NUMBERS)
    figure = confusion_under_attack(main, report.class_names)
    yield Section("What is taken for what", (), [figure], [table])
    if report.masking:
        yield _masking(report, report.masking)
    yield _made(report)
    yield Section("How to cite", quoted=citation(report))


def _curves(report: EvalReport) -> Section:
    signs = weights_signs(report, report_sign(report))
    lines = [(sign_in(signs, curve.which), WHICH[curve.which], curve) for curve in report.curves]
    text = (
        "Curves use fewer images and a weaker attack than the number above, so they lie higher at"
        " the same budget; they show the shape."
    )
    caption = "Robust accuracy in per cent, by the attack and n of each line."
    figure = budget_curves(lines, epsilon=report.epsilon, norm=report.norm)
    table = Table(caption, budget_rows(lines), NUMBERS)
    return Section("Accuracy against budget", [text], [figure], [table])


def _masking(report: EvalReport, masking: Masking) -> Section:
    tables, figures = [Table(f"Checks on n = {masking.n:,} images.", masking_rows(masking))], []
    if masking.surface:
        surface, names = masking.surface, report.class_names
        threat: dict[str, Any] = {"norm": report.norm, "epsilon": report.epsilon}
        figures = [masking_surface(surface, class_names=names, **threat)]
        caption = "Cross-entropy in nats around one image."
        tables.append(Table(caption, surface_rows(surface), "Numbers of the surface"))
    return Section("Can the attacks be trusted?", [masking_sentence(masking)], figures, tables)


def _made(report: EvalReport) -> Section:
    rows = [
        {"of": group, "what": name, "value": value}
        for group, values in facts(report).items()
        for name, value in values.items()
    ]
    weights = [
        {"weights": WHICH[weights.which], "epoch": weights.epoch or "unknown"}
        | {"clean": share_with_bounds(weights.clean, level=True)}
        | {"robust": share_with_bounds(weights.robust, level=True), "n": weights.robust.n}
        for weights in report.weights
    ]
    tables = [
        Table("What was evaluated, and how.", rows),
        Table(f"Weights; accuracies: {report.label}.", weights),
        Table("", settings_rows(report.config), "All settings of the evaluation"),
        Table("", settings_rows(report.model.training or {}), "All settings of the training"),
    ]
    return Section("How this was measured", tables=tables)


def citation(report: EvalReport) -> str:
    """What a paper has to say of the number, and whom to cite for the attack."""
    main, model = report.main, report.model
    part = "test images" if report.part == "test" else f"images of the set {report.part}"
    versions = [f"{name} {version}" for name, version in report.versions.items() if name != "cdp"]
    lines = [
        f"{model.name} ({model.architecture}), {report.dataset_title}: robust accuracy"
        f" {share_with_bounds(main.robust, level=True)}, clean"
        f" {share_with_bounds(main.clean, level=True)}, n = {report.n:,} {part}, 95 % Wilson"
        " intervals.",
        f"Called: {report.label}. Attack: {report.attack},"
        f" {threat_text(report.norm, report.epsilon)}, seed {report.seed}, worst case per image,"
        " fp32.",
        f"Weights: {WHICH[main.which]}, sha256 {main.sha256[:16]}; images: sha256"
        f" {report.rows_sha256[:16]}.",
        f"Contrastive-DP Studio {report.versions.get('cdp', 'of unknown version')}"
        + (f" with {', '.join(versions)}" if versions else "")
        + ".",
        "",
        SUITES[report.suite].sources if report.suite in SUITES else "",
    ]
    return "\n".join(lines).strip()
