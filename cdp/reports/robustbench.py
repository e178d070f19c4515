"""An evaluation in the shape of RobustBench's records (model_info/DATASET/NORM/NAME.json of its
repository)."""

from __future__ import annotations

from typing import Any

from cdp.config.choices import ARCHITECTURES
from cdp.values.evaluation import UNRELIABLE, EvalReport, report_json
from cdp.values.text import budget_text

CODE = "code:"
"""How ``Model.source`` begins where the network is the user's own code."""


def _published(architecture: str) -> str:
    """As RobustBench writes it; a network of the user's own keeps its name."""
    known = ARCHITECTURES.get(architecture)
    return (known.published if known else "") or architecture


def robustbench_record(
    report: EvalReport,
    *,
    link: str = "",
    authors: str = "",
    venue: str = "",
    name: str = "",
    additional_data: bool = False,
    number_forward_passes: int | None = None,
) -> dict[str, Any]:
    """RobustBench's fields in its own form (accuracies as text, in per cent with two decimals), and
    all else under "cdp".

    autoattack_acc is null where another suite was run; its number then stands under "reported", and
    how it has to be called in the footnote. link, authors, venue, name: as they would stand on the
    leaderboard; null where not given, the name the model's own. additional_data: whether further
    **real** images were used. Like RobustBench, images from a generator that was trained on the
    data set's own training images do not count, and the footnote says how many there were.
    number_forward_passes: one for our networks, null for a user's own code unless given.
    """
    main, model = report.main, report.model
    passes = (
        1
        if number_forward_passes is None and not model.source.startswith(CODE)
        else number_forward_passes
    )
    return {
        "link": link or None,
        "name": name or model.name,
        "authors": authors or None,
        "additional_data": additional_data,
        "number_forward_passes": passes,
        "dataset": report.dataset,
        "venue": venue or None,
        "architecture": _published(model.architecture),
        "eps": budget_text(report.epsilon, 6),
        "clean_acc": f"{100 * main.clean.value:.2f}",
        "reported": f"{100 * main.robust.value:.2f}",
        "autoattack_acc": f"{100 * main.robust.value:.2f}"
        if report.suite == "autoattack"
        else None,
        "footnote": _footnote(report),
        "unreliable": (
            not UNRELIABLE.isdisjoint(report.contract)
            or (
                report.masking is not None
                and any(check.verdict == "warn" for check in report.masking.checks)
            )
        ),
        "cdp": _rest(report),
    }


def _footnote(report: EvalReport) -> str:
    parts = []
    if report.model.synthetic_images:
        parts.append(
            f"It uses additional {report.model.synthetic_images:,} synthetic images in training."
        )
    level = f"{100 * report.main.robust.level:g}% interval (Wilson)"
    low, high = (f"{100 * end:.2f}" for end in (report.main.robust.low, report.main.robust.high))
    parts.append(
        f"{report.main.robust.value:.2%} robust accuracy is due to {report.label}; {level} {low}%"
        f" to {high}%."
    )
    if report.quick:
        parts.append("It is a quick estimate, which stronger attacks will lower.")
    return " ".join(parts)


def _rest(report: EvalReport) -> dict[str, Any]:
    """The whole report but for its tables of class against class, its curves and the loss
    surface."""
    rest = report_json(report)
    del rest["curves"]
    for weights in rest["weights"]:
        del weights["confusion"], weights["confusion_clean"]
    if rest["masking"] is not None:
        del rest["masking"]["surface"]
    return rest
