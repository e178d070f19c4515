"""An evaluation as text, and as the files it can be exported to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from cdp.cli.output import say
from cdp.errors import InputError
from cdp.files.atomic import atomic_file
from cdp.reports.sentences import headline, masking_sentence, unseen_gap
from cdp.statistics.verdicts import weakest_words
from cdp.values.evaluation import ClassFigures, EvalReport, Outcomes, WeightsReport, report_json
from cdp.values.text import duration, share_with_bounds

EXPORTS = (".html", ".csv", ".robustbench.json", ".json")


def told_report(report: EvalReport, outcomes: Outcomes) -> str:
    """The figures with their intervals, one a line; those of both weights where both were
    evaluated."""
    lines = [f"{report.model.name}: {headline(report)}", f"called: {report.label}"]
    for one in report.weights:
        lines += _weights(one, many=len(report.weights) > 1)
    lines += [
        f"{unseen.title}: {share_with_bounds(unseen.robust, level=True)} ({unseen.attack}, n = {unseen.robust.n:,})"
        for unseen in report.unseen
    ]
    lines += filter(None, [unseen_gap(report)])
    for curve in report.curves:
        points = ", ".join(
            f"{point.epsilon:g}: {100 * point.robust.value:.1f}" for point in curve.points
        )
        lines.append(
            f"accuracy [%] at budget, {curve.which} weights, {curve.attack}, n = {curve.n:,}:"
            f" {points}"
        )
    if report.masking:
        lines.append(masking_sentence(report.masking))
        lines += [
            f"{check.verdict:8}{check.title}: {check.sentence}" for check in report.masking.checks
        ]
    lines += [f"note: {warning}" for warning in report.warnings]
    wrong = int((outcomes.of[report.main.which].clean != outcomes.label).sum())
    lines.append(
        f"{report.n:,} images, {wrong:,} of them wrong without any attack; seed {report.seed},"
        f" {report.device}, {duration(report.seconds)}"
    )
    return "\n".join(lines)


def _weights(one: WeightsReport, *, many: bool) -> list[str]:
    which = (
        ""
        if one.which == "given"
        else f"{one.which} weights (epoch {one.epoch})"
        if one.epoch
        else f"{one.which} weights"
    )
    head = [f"-- {which}"] if which and many else [which] if which else []
    stages = [
        f"  after {stage.title}: {share_with_bounds(stage.after, level=True)}, {stage.broken:,} of {stage.attacked:,}"
        f" turned, {duration(stage.seconds)}"
        for stage in one.stages
    ]
    return [
        *head,
        f"  clean accuracy: {share_with_bounds(one.clean, level=True)}",
        *stages,
        f"  robust accuracy: {share_with_bounds(one.robust, level=True)}",
        *_weakest(one.classes),
    ]


def _weakest(classes: Sequence[ClassFigures]) -> list[str]:
    measured = [(one, one.robust) for one in classes if one.robust is not None]
    if not measured:
        return []
    hits = [round(share.value * one.n) for one, share in measured]
    place, known = weakest_words(
        [one.name for one, _ in measured], hits, [one.n for one, _ in measured]
    )
    one, share = measured[place]
    said = (
        f"{'lowest class' if known else 'weakest class'}: {one.name}, {share_with_bounds(share, level=True)}, n ="
        f" {one.n:,}"
    )
    return [f"  {said}{f'; {known}' if known else ''}"]


def write_exports(report: EvalReport, paths: Sequence[Path]) -> None:
    """Each in the form that its name ends with. Raises InputError for another ending or a place
    that cannot be written."""
    for path in paths:
        content = _maker(path)(report)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as file:
                file.write(content.encode())
        except OSError as error:
            raise InputError(
                f"export: {path} cannot be written ({error.strerror}): choose another place"
            ) from error
        say(f"wrote {path}")


def check_exports(paths: Sequence[Path]) -> None:
    """Said before the work, not after it."""
    for path in paths:
        _maker(path)


def _maker(path: Path) -> Callable[[EvalReport], str]:
    from cdp.reports.evaluation import evaluation_html
    from cdp.reports.exports import evaluation_csv, robustbench_record

    makers: dict[str, Callable[[EvalReport], str]] = {
        ".html": evaluation_html,
        ".csv": evaluation_csv,
        ".robustbench.json": lambda report: json.dumps(robustbench_record(report), indent=1),
        ".json": lambda report: json.dumps(report_json(report), indent=1),
    }
    ending = next((ending for ending in EXPORTS if path.name.endswith(ending)), None)
    if ending is None:
        raise InputError(
            f"export: {path.name[:80]} ends with none of {', '.join(EXPORTS)}: name the file by"
            " what it should be"
        )
    return makers[ending]
