"""evaluate: robust accuracy of a training, of a folder or file of weights, or of a network of the
user's own code; the report as text and as files."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cdp.cli.options import AsJsonAtEnd, argument, config_given, option, with_options
from cdp.cli.output import maker_of, print_json, queued, say, write_report
from cdp.cli.runs import find, require_finished, say_cost, waited
from cdp.config.evaluate import CODE, RUN, EvaluateConfig, automatic_name
from cdp.errors import InputError, MissingError
from cdp.files.private import as_given
from cdp.models.checkpoints import given_path, written_path
from cdp.reports.sentences import headline, masking_sentence, unseen_gap
from cdp.statistics.verdicts import weakest_class
from cdp.values.evaluation import ClassFigures, EvalReport, Outcomes, WeightsReport, report_json
from cdp.values.text import duration, share_with_bounds
from cdp.values.types import Interval

_CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@with_options(EvaluateConfig, skip=frozenset({"model"}))
def evaluate(
    target: Annotated[
        str | None,
        argument(
            "[RUN]",
            "A training by id or name; or the path of a folder with weights and"
            " card, or of a .safetensors file.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        option(
            "In place of RUN, also package.module:function, which returns a torch"
            " module that takes images in [0,1] and gives logits."
        ),
    ] = None,
    name: Annotated[
        str | None, option("Name of the evaluation; empty makes one of its settings.")
    ] = None,
    everything: Annotated[
        bool, option("Evaluate on all images, whatever --count says.", "--all")
    ] = False,
    background: Annotated[
        bool,
        option("Return at once; the evaluation goes on and is listed by runs.", "--background"),
    ] = False,
    export: Annotated[
        list[Path] | None,
        option(
            "Write the report to FILE.html, FILE.csv, FILE.json or, in"
            " RobustBench's shape, FILE.robustbench.json. May be repeated."
        ),
    ] = None,
    as_json: AsJsonAtEnd = False,
    **given: Any,
) -> None:
    """Measure clean and robust accuracy on test images, with intervals.

    The work is a background run: Ctrl-C ends the waiting, not the work, and a run that was stopped
    or killed goes on with resume. A network of your own code works in this process; the same
    command again goes on where it was.
    """
    from cdp.work.launch import free_name, launch
    from cdp.work.registry import TASKS

    if (target is None) == (model is None):
        raise InputError("model: say once what to evaluate, as an argument or with --model")
    exports = [(path, maker_of(path, _makers(), "export")) for path in export or []]
    source, title = _source(target or model or "")
    given |= {"count": "all"} if everything else {}
    config = config_given(EvaluateConfig, given, {"model": source})
    if source.startswith(CODE):
        if background:
            raise InputError(
                "background: a network of your own code works in this process: leave"
                " --background out"
            )
        from cdp.cli.owncode import evaluate_own

        run_id = evaluate_own(config, name, title)
    else:
        called = name or free_name(TASKS["evaluate"], automatic_name(config, title))
        run_id = launch(TASKS["evaluate"], config, called)
        say_cost("evaluate", config)
        if background:
            hint = f"see it with: python -m cdp show {run_id}"
            queued(run_id, called, hint, as_json=as_json)
            return
    _conclude(run_id, exports, as_json=as_json)


def _source(text: str) -> tuple[str, str]:
    """What a word on the command line means, as the config spells it, and a name for it."""
    from cdp.data.limits import MAX_LENGTH

    path = _path(text)
    if _CODE.fullmatch(text) and not text.startswith(RUN) and not path.exists():
        return CODE + text, text.rpartition(":")[2]
    if path.exists():
        whole = path.resolve()
        stem = f"{whole.parent.name}-" * (path.name in ("best", "last")) + whole.name
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem.removesuffix(".safetensors")).strip("-.")
        return written_path(path.absolute()), name[: MAX_LENGTH - 30] or "model"
    try:
        run = find(text.removeprefix(RUN))
    except MissingError as error:
        raise MissingError(
            f"{text[:80]!r} is no run, folder or file of weights, or package.module:function:"
            " python -m cdp runs lists the runs"
        ) from error
    if run.kind != "train":
        raise InputError(f"run {run.id} is a {run.kind} run: give a training")
    return RUN + run.id, run.name


def _path(text: str) -> Path:
    try:
        return given_path(text)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{text[:80]!r} is no usable path: give a run, a folder or file of weights, or"
            " package.module:function"
        ) from error


def _conclude(
    run_id: str, exports: Sequence[tuple[Path, Callable[[EvalReport], str]]], *, as_json: bool
) -> None:
    """Wait for the end, then print the report and write what was asked for."""
    from cdp.results.evaluations import read_outcomes, read_report
    from cdp.results.reached import record
    from cdp.values.evaluation import OUTCOMES, REPORT

    run = waited(run_id, "attacks on images")
    if run.state != "finished" and as_json:
        print_json(record(run))
    require_finished(run)
    report = read_report(run.folder / REPORT)
    for path, make in exports:
        # What cannot be made is said when the file is written.
        with contextlib.suppress(OSError), as_given():
            path.parent.mkdir(parents=True, exist_ok=True)
        write_report(path, make(report), "export")
    if as_json:
        written = {"report": report_json(report), "outcomes": str(run.folder / OUTCOMES)}
        print_json(record(run) | written)
    else:
        print(report_text(report, read_outcomes(run.folder / OUTCOMES)))
        say(f"kept in {run.folder}")


def report_text(report: EvalReport, outcomes: Outcomes) -> str:
    """The figures with their intervals, one a line; those of both weights where both were
    evaluated."""
    lines = [f"{report.model.name}: {headline(report)}", f"called: {report.label}"]
    for part in report.weights:
        lines += _weights(part, many=len(report.weights) > 1)
    lines += [
        f"{unseen.title}: {_share(unseen.robust)} ({unseen.attack}, n = {unseen.robust.n:,})"
        for unseen in report.unseen
    ]
    lines += filter(None, [unseen_gap(report)])
    for curve in report.curves:
        points = ", ".join(f"{p.epsilon:g}: {100 * p.robust.value:.1f}" for p in curve.points)
        how = f"{curve.which} weights, {curve.attack}, n = {curve.n:,}"
        lines.append(f"accuracy [%] at budget, {how}: {points}")
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


def _weights(part: WeightsReport, *, many: bool) -> list[str]:
    which = f"{part.which} weights" + (f" (epoch {part.epoch})" if part.epoch else "")
    head = [] if part.which == "given" else [f"-- {which}" if many else which]
    stages = [
        f"  after {stage.title}: {_share(stage.after)}, {stage.broken:,} of {stage.attacked:,}"
        f" turned, {duration(stage.seconds)}"
        for stage in part.stages
    ]
    return [
        *head,
        f"  clean accuracy: {_share(part.clean)}",
        *stages,
        f"  robust accuracy: {_share(part.robust)}",
        *_weakest(part.classes),
    ]


def _weakest(classes: Sequence[ClassFigures]) -> list[str]:
    weakest = weakest_class(classes)
    if weakest is None:
        return []
    part, share, known, test = weakest
    which = f"{'lowest' if known else 'weakest'} class: {part.name}, {_share(share)}"
    return [f"  {which}, n = {part.n:,}{f'; {known} ({test})' if known else ''}"]


def _share(interval: Interval) -> str:
    return share_with_bounds(interval, level=True)


def _makers() -> dict[str, Callable[[EvalReport], str]]:
    """What makes the content of an exported file, by the ending of its name."""
    from cdp.paths import shareable
    from cdp.reports.evaluation import evaluation_html
    from cdp.reports.exports import evaluation_csv, robustbench_record

    return {
        ".html": evaluation_html,
        ".csv": evaluation_csv,
        ".robustbench.json": lambda report: json.dumps(robustbench_record(report), indent=1),
        ".json": lambda report: json.dumps(shareable(report_json(report)), indent=1),
    }
