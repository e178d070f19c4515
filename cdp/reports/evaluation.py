"""The HTML report of one evaluation: figures with their numbers, settings, versions, hashes, seeds,
and how to cite it."""

from __future__ import annotations

from collections.abc import Iterator

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
from cdp.figures.palette import named_sign
from cdp.reports.page import NUMBERS, Page, Section, Table, page_html, settings_rows
from cdp.reports.sentences import headline, masking_sentence, unseen_gap
from cdp.values.evaluation import EvalReport, Masking, WeightsReport
from cdp.values.text import share_with_bounds, threat_text

PAIRS = 60
"""Confusions listed, the most frequent; the CSV has them all."""


def evaluation_html(report: EvalReport) -> str:
    """One file that opens offline. Every accuracy carries its interval, its n and how it has to be
    called."""
    main = report.main
    called = f"Called: {report.label}; {WHICH[main.which]}."
    warnings = ([f"This is {QUICK}: cite it as {report.label}."] if report.quick else []) + list(
        report.warnings
    )
    masking = report.masking
    trust = [] if masking is None or not masking.checks else [masking_sentence(masking)]
    if masking is not None and any(check.verdict == "warn" for check in masking.checks):
        warnings, trust = [*trust, *warnings], []
    footer = (
        f"Written by Contrastive-DP Studio {__version__} from an evaluation of {report.created}."
        " The file needs no network."
    )
    return page_html(
        Page(
            f"{report.model.name}: robust accuracy",
            headline(report),
            (called, *trust),
            tuple(warnings),
            tuple(_sections(report)),
            footer,
        )
    )


def _part(report: EvalReport) -> str:
    return "test images" if report.part == "test" else f"images of the set {report.part}"


def _sections(report: EvalReport) -> Iterator[Section]:
    yield Section(
        "Attack by attack",
        (
            (
                "A bar counts the images that are right under its attack and all those above it:"
                " the worst case for every image."
            ),
        ),
        (stage_bars(report),),
        (
            Table(
                f"Accuracy in per cent, {report.label}; 95 % intervals (Wilson).",
                stage_rows(report),
                NUMBERS,
            ),
        ),
    )
    if report.curves:
        yield _curves(report)
    if report.unseen:
        text = "Robustness to one norm and budget need not carry over to another."
        yield Section(
            "Threats it was not trained for",
            (text, *filter(None, [unseen_gap(report)])),
            (),
            (
                Table(
                    "Robust accuracy in per cent; attack and n of each line.", unseen_rows(report)
                ),
            ),
        )
    yield Section(
        "Class by class",
        (),
        (class_bars(report),),
        (
            Table(
                f"In per cent of the images of a class, {report.label}.",
                class_rows(report),
                NUMBERS,
            ),
        ),
    )
    yield _confusions(report)
    if report.masking:
        yield _masking(report, report.masking)
    yield _made(report)
    yield Section("How to cite", (), (), (), citation(report))


def _curves(report: EvalReport) -> Section:
    signs = weights_signs(report)
    lines = [
        (signs.get(curve.which) or named_sign(WHICH[curve.which]), WHICH[curve.which], curve)
        for curve in report.curves
    ]
    text = (
        "Curves use fewer images and a weaker attack than the number above, so they lie higher at"
        " the same budget; they show the shape."
    )
    table = Table(
        "Robust accuracy in per cent, by the attack and n of each line.",
        budget_rows(lines),
        NUMBERS,
    )
    return Section(
        "Accuracy against budget",
        (text,),
        (budget_curves(lines, epsilon=report.epsilon, norm=report.norm),),
        (table,),
    )


def _confusions(report: EvalReport) -> Section:
    rows = [
        row
        for row in confusion_rows(report.main, report.class_names)
        if row["true class"] != row["predicted class"]
    ]
    rest = f"; the {PAIRS} most frequent of {len(rows)}" if len(rows) > PAIRS else ""
    table = Table(
        f"Images of one class taken for another under attack, {report.label}{rest}.",
        rows[:PAIRS],
        NUMBERS,
    )
    return Section(
        "What is taken for what",
        (),
        (confusion_under_attack(report.main, report.class_names),),
        (table,),
    )


def _masking(report: EvalReport, masking: Masking) -> Section:
    tables = [Table(f"Checks on n = {masking.n:,} images.", masking_rows(masking))]
    figures = []
    if masking.surface:
        figures.append(
            masking_surface(
                masking.surface,
                norm=report.norm,
                epsilon=report.epsilon,
                class_names=report.class_names,
            )
        )
        tables.append(
            Table(
                "Cross-entropy in nats around one image.",
                surface_rows(masking.surface),
                "Numbers of the surface",
            )
        )
    return Section(
        "Can the attacks be trusted?", (masking_sentence(masking),), tuple(figures), tuple(tables)
    )


def _made(report: EvalReport) -> Section:
    model = report.model
    facts = {
        "model": model.name,
        "source": model.source,
        "training run": model.run,
        "network": model.architecture,
        "synthetic sets": ", ".join(model.sets),
        "synthetic images": f"{model.synthetic_images:,}",
        "real images": f"{model.real_images:,}",
        "data set": report.dataset_title,
        "part": report.part,
        "images": f"{report.n:,}",
        "sha256 of images and labels": report.rows_sha256,
        "norm": report.norm,
        "budget": f"{report.epsilon:.6g}",
        "attack": report.attack,
        "called": report.label,
        "seed of the attacks": str(report.seed),
        "device": report.device,
        "duration": f"{report.seconds:,.0f} s",
        "evaluated": report.created,
    }
    tables = [
        Table("What was evaluated, and how.", settings_rows(facts, ("what", "value"))),
        Table(
            f"Weights; accuracies: {report.label}.",
            [_weights_row(weights) for weights in report.weights],
        ),
        Table("", settings_rows(report.versions, ("part", "version")), "Versions"),
        Table("", settings_rows(report.config), "All settings of the evaluation"),
    ]
    if model.training:
        tables.append(Table("", settings_rows(model.training), "All settings of the training"))
    return Section("How this was measured", (), (), tuple(tables))


def _weights_row(weights: WeightsReport) -> dict[str, object]:
    return {
        "weights": WHICH[weights.which],
        "epoch": weights.epoch or "unknown",
        "clean": share_with_bounds(weights.clean, level=True),
        "robust": share_with_bounds(weights.robust, level=True),
        "n": weights.robust.n,
        "largest perturbation": weights.largest,
        "sha256": weights.sha256,
    }


def citation(report: EvalReport) -> str:
    """What a paper has to say of the number, and whom to cite for the attack."""
    main = report.main
    versions = ", ".join(
        f"{name} {version}" for name, version in report.versions.items() if name != "cdp"
    )
    return (
        f"{report.model.name} ({report.model.architecture}), {report.dataset_title}: robust"
        f" accuracy {share_with_bounds(main.robust, level=True)}, clean {share_with_bounds(main.clean, level=True)}, n = {report.n:,}"
        f" {_part(report)}, 95 % Wilson intervals.\nCalled: {report.label}. Attack:"
        f" {report.attack}, {threat_text(report.norm, report.epsilon)}, seed {report.seed}, worst"
        f" case per image, fp32.\nWeights: {WHICH[main.which]}, sha256 {main.sha256[:16]}; images:"
        f" sha256 {report.rows_sha256[:16]}.\nContrastive-DP Studio"
        f" {report.versions.get('cdp', 'of unknown version')}"
        + (f" with {versions}" if versions else "")
        + f".\n\n{SUITES[report.suite].sources if report.suite in SUITES else ''}"
    ).strip()
