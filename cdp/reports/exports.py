"""Evaluations and comparisons for other programs: tidy CSV, one number a line with shares in 0..1
at full precision, and the shape of RobustBench's records. Needs neither torch nor charts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdp.config.choices import ARCHITECTURES
from cdp.errors import InputError
from cdp.paths import shareable
from cdp.values.comparison import Comparison, Metric, compute_text, interval_words
from cdp.values.evaluation import (
    STANDS,
    UNRELIABLE,
    WRONG_BEFORE,
    EvalReport,
    Outcomes,
    WeightsReport,
    report_json,
)
from cdp.values.text import budget_text, counted
from cdp.values.types import Interval

EVALUATION = (
    *("section", "which", "name", "detail", "value", "low", "high", "n", "level"),
    *("unit", "label"),
)
COMPARISON = (
    *("section", "metric", "name", "other", "value", "low", "high", "n", "level"),
    *("p", "adjusted", "unit", "label", "text"),
)
CODE = "code:"
"""How ``Model.source`` begins where the network is the user's own code."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, object]


def to_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> str:
    """Rows as CSV text. Text that a spreadsheet would take for a formula is led by an apostrophe;
    numbers stay as they are. columns: the keys of the first row where not given."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns or (list(rows[0]) if rows else []))
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _safe(value: object) -> object:
    value = shareable(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _interval(share: Interval | None) -> Row:
    """The cells of a share."""
    if share is None:
        return {"unit": "share"}
    size = {"n": share.n, "level": share.level, "unit": "share"}
    return {"value": share.value, "low": share.low, "high": share.high} | size


def evaluation_csv(report: EvalReport) -> str:
    """Every number of a report: accuracies by attack, class, budget and threat, confusions, checks,
    then settings, versions and hashes. label: how the number has to be called."""
    rows = [*_facts(report)]
    for weights in report.weights:
        rows += _weights(weights, report)
    for curve in report.curves:
        what: Row = {"section": "curve", "which": curve.which, "name": curve.attack}
        what["label"] = f"{curve.attack}, n = {curve.n:,}"
        rows += [what | {"detail": p.epsilon} | _interval(p.robust) for p in curve.points]
    for threat in report.unseen:
        what = {"section": "unseen", "which": report.main.which, "name": threat.title}
        what |= {"detail": threat.epsilon, "label": f"{threat.attack}, n = {threat.robust.n:,}"}
        rows.append(what | _interval(threat.robust))
    for check in report.masking.checks if report.masking else ():
        assert report.masking is not None
        what = {"section": "check", "name": check.title, "n": report.masking.n}
        values = {check.verdict: check.sentence} | dict(check.figures)
        rows += [what | {"detail": name, "value": value} for name, value in values.items()]
    return to_csv(rows, EVALUATION)


def _facts(report: EvalReport) -> Iterator[Row]:
    model = report.model
    facts: dict[str, object] = {"model": model.name, "source": model.source, "run": model.run}
    facts |= {"architecture": model.architecture, "synthetic sets": json.dumps(model.sets)}
    facts |= {"synthetic images": model.synthetic_images, "real images": model.real_images}
    facts |= {"data set": report.dataset, "part": report.part, "images": report.n}
    facts |= {"sha256 of the images and labels": report.rows_sha256, "norm": report.norm}
    facts |= {"budget": report.epsilon, "attack": report.attack, "seed": report.seed}
    facts |= {"device": report.device, "seconds": report.seconds, "created": report.created}
    parts: dict[str, Mapping[str, object]] = {"report": facts, "setting": report.config}
    parts |= {"training": model.training or {}, "version": report.versions}
    for section, values in parts.items():
        for name, value in values.items():
            yield {"section": section, "name": name, "value": _cell(value), "label": report.label}
    for text in report.warnings:
        yield {"section": "warning", "value": text, "label": report.label}


def _cell(value: object) -> object:
    """A setting: text and numbers as they are, all else as JSON."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _weights(weights: WeightsReport, report: EvalReport) -> Iterator[Row]:
    def row(section: str, name: str, **more: object) -> Row:
        cells = {"section": section, "which": weights.which, "name": name, "label": report.label}
        return cells | more

    yield row("weights", "sha256", value=weights.sha256)
    yield row("weights", "epoch", value=weights.epoch)
    yield row("weights", "largest perturbation", value=weights.largest, unit=report.norm)
    for name, share in (("clean", weights.clean), ("robust", weights.robust)):
        yield row("accuracy", name) | _interval(share)
    for stage in weights.stages:
        yield row("attack", stage.title, detail="after") | _interval(stage.after)
        yield row("attack", stage.title, detail="attacked", value=stage.attacked, unit="images")
        yield row("attack", stage.title, detail="turned", value=stage.broken, unit="images")
        yield row("attack", stage.title, detail="time", value=stage.seconds, unit="s")
    for figures in weights.classes:
        for name, known in (("clean", figures.clean), ("robust", figures.robust)):
            yield row("class", figures.name, detail=name) | _interval(known) | {"n": figures.n}
    tables = {"confusion": weights.confusion, "confusion without attack": weights.confusion_clean}
    for section, table in tables.items():
        for true, counts in zip(report.class_names, table, strict=True):
            for predicted, count in zip(report.class_names, counts, strict=True):
                yield row(section, true, detail=predicted, value=count, unit="images")


def outcomes_csv(report: EvalReport, outcomes: Outcomes) -> str:
    """A line for each image and set of weights: true class, predicted classes, and the attack that
    turned it. Raises InputError where the outcomes are not those of the report."""
    return to_csv(
        [row for weights in report.weights for row in _outcomes(weights, report, outcomes)]
    )


def _outcomes(weights: WeightsReport, report: EvalReport, outcomes: Outcomes) -> Iterator[Row]:
    titles = {WRONG_BEFORE: "wrong without attack", STANDS: "withstands"}
    titles |= {k: stage.title for k, stage in enumerate(weights.stages)}
    if weights.which not in outcomes.of or len(outcomes.rows) != report.n:
        raise InputError(
            f"outcomes hold no {report.n:,} images of the weights {weights.which!r}: they are not"
            " of this report, evaluate again"
        )
    outcome = outcomes.of[weights.which]
    columns = (outcomes.rows, outcomes.label, outcome.clean, outcome.attacked, outcome.broken_by)
    for row, label, clean, attacked, broken_by in zip(*map(list, columns), strict=True):
        if broken_by not in titles:
            raise _mismatch(f"attack {broken_by}", len(weights.stages))
        line: Row = {"which": weights.which, "image": row, "class": label}
        line |= {"class name": _named(report, label), "predicted": clean}
        line |= {"predicted name": _named(report, clean), "predicted under attack": attacked}
        line |= {"under attack name": _named(report, attacked), "outcome": titles[broken_by]}
        yield line | {"part": report.part, "label": report.label}


def _named(report: EvalReport, number: int) -> str:
    if not 0 <= number < len(report.class_names):
        raise _mismatch(f"class {number}", len(report.class_names))
    return report.class_names[number]


def _mismatch(what: str, count: int) -> InputError:
    return InputError(
        f"outcomes name {what}, and the report has {count}: they do not belong together, evaluate"
        " again"
    )


def comparison_csv(comparison: Comparison) -> str:
    """Every number of a comparison: arms, seeds, differences, classes, sample efficiency, then
    settings that differ and notes."""
    rows: list[Row] = [*_arms(comparison), *_differences(comparison)]
    for name, values in comparison.differs.items():
        rows += [
            {"section": "setting", "metric": name, "name": arm.name, "text": value}
            for arm, value in zip(comparison.arms, values, strict=True)
        ]
    rows += [{"section": "missing", "text": text} for text in comparison.missing]
    rows += [{"section": "note", "text": text} for text in comparison.notes]
    return to_csv(rows, COMPARISON)


def _arms(comparison: Comparison) -> Iterator[Row]:
    for arm in comparison.arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds))
        metrics: dict[Metric, Interval | None] = {"robust": arm.robust, "clean": arm.clean}
        for metric, share in metrics.items():
            what: Row = {"section": "arm", "metric": metric, "name": arm.name, "label": labels}
            yield what | {"text": interval_words(arm, metric)} | _share(share)
        for seed in arm.seeds:
            run: Row = {"section": "seed", "name": arm.name, "other": seed.id, "unit": "share"}
            run |= {"n": seed.n, "label": seed.label}
            text = f"{seed.name}, seed {seed.seed}, {seed.state}"
            yield run | {"metric": "robust", "value": seed.robust, "text": text}
            work = {"section": "compute", "n": None, "label": ""}
            work |= {"text": compute_text([seed.compute])}
            steps = {"metric": "optimiser steps", "value": seed.steps, "unit": "steps"}
            images = {"metric": "images seen", "value": seed.images_seen, "unit": "images"}
            yield run | work | steps
            yield run | work | images
            text = f"evaluation {seed.evaluation}" if seed.evaluation else "validation images"
            yield run | {"metric": "clean", "value": seed.clean, "text": text}
        for name, share in arm.classes.items():
            what = {"section": "class", "metric": name, "name": arm.name, "label": labels}
            yield what | _share(share)
        if arm.curve:
            label = f"{arm.curve.attack}, n = {arm.curve.n:,}"
            for point in arm.curve.points:
                what = {"section": "curve", "metric": point.epsilon, "name": arm.name}
                yield what | {"label": label} | _share(point.robust)


def _share(share: Interval | None) -> Row:
    """Equal values have no bounds; nothing at all where nothing was measured."""
    if share is None:
        return {}
    return _interval(share) | ({} if share.wide else {"low": None, "high": None})


def _differences(comparison: Comparison) -> Iterator[Row]:
    for result in comparison.differences:
        pair: Row = {"section": "difference", "metric": result.metric}
        pair |= {"name": result.second, "other": result.first}
        test: Row = {"p": result.p, "adjusted": result.adjusted, "label": result.method}
        test["text"] = result.verdict
        yield pair | test | _share(result.difference) | {"n": result.count}
    for part in comparison.classes:
        pair = {"section": "class difference", "metric": part.name}
        pair |= {"name": part.second, "other": part.first}
        yield pair | {"p": part.p, "adjusted": part.adjusted} | _share(part.difference)
    for line in comparison.efficiency:
        for point in line.points:
            what = {"section": "efficiency", "metric": point.count, "name": line.name}
            yield what | {"text": counted(point.seeds, "seed")} | _share(point.robust)
    for equal in comparison.equal:
        pair = {"section": "equal", "metric": equal.count}
        pair |= {"name": equal.second, "other": equal.first}
        numbers = {"value": equal.estimate, "low": equal.low, "high": equal.high}
        yield pair | numbers | {"unit": "synthetic images", "text": equal.sentence}


def robustbench_record(report: EvalReport) -> dict[str, Any]:
    """An evaluation in the shape of RobustBench's records (model_info/DATASET/NORM/NAME.json of its
    repository): its fields in its own form (accuracies as text, in per cent with two decimals), and
    all else under "cdp".

    autoattack_acc is null where another suite was run; its number then stands under "reported", and
    how it has to be called in the footnote. Null are also link, authors and venue, and
    number_forward_passes of a user's own code. additional_data is about **real** images: like
    RobustBench, images from a generator that was trained on the data set's own training images do
    not count, and the footnote says how many there were.
    """
    main, model, checks = report.main, report.model, report.masking.checks if report.masking else ()
    robust = f"{100 * main.robust.value:.2f}"
    doubtful = not UNRELIABLE.isdisjoint(report.contract)
    return {
        "link": None,
        "name": model.name,
        "authors": None,
        "additional_data": False,
        "number_forward_passes": None if model.source.startswith(CODE) else 1,
        "dataset": report.dataset,
        "venue": None,
        "architecture": _published(model.architecture),
        "eps": budget_text(report.epsilon, 6),
        "clean_acc": f"{100 * main.clean.value:.2f}",
        "reported": robust,
        "autoattack_acc": robust if report.suite == "autoattack" else None,
        "footnote": _footnote(report),
        "unreliable": doubtful or any(check.verdict == "warn" for check in checks),
        "cdp": shareable(_rest(report)),
    }


def _published(architecture: str) -> str:
    """As RobustBench writes it; a network of the user's own keeps its name."""
    known = ARCHITECTURES.get(architecture)
    return (known.published if known else "") or architecture


def _footnote(report: EvalReport) -> str:
    robust, images = report.main.robust, report.model.synthetic_images
    parts = [f"It uses additional {images:,} synthetic images in training."] if images else []
    parts.append(
        f"{robust.value:.2%} robust accuracy is due to {report.label}; {100 * robust.level:g}%"
        f" interval (Wilson) {100 * robust.low:.2f}% to {100 * robust.high:.2f}%."
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
