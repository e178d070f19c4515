"""Evaluations and comparisons as tidy CSV: one number a line, shares in 0..1 at full precision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cdp.errors import InputError
from cdp.figures.comparison import METRICS, interval_words
from cdp.reports.csvtext import to_csv
from cdp.values.comparison import Comparison, compute_text
from cdp.values.evaluation import STANDS, WRONG_BEFORE, EvalReport, Outcomes, WeightsReport
from cdp.values.text import counted
from cdp.values.types import Interval

EVALUATION = (
    "section",
    "which",
    "name",
    "detail",
    "value",
    "low",
    "high",
    "n",
    "level",
    "unit",
    "label",
)
COMPARISON = (
    "section",
    "metric",
    "name",
    "other",
    "value",
    "low",
    "high",
    "n",
    "level",
    "p",
    "adjusted",
    "unit",
    "label",
    "text",
)
Row = dict[str, object]


def evaluation_csv(report: EvalReport) -> str:
    """Every number of a report: accuracies by attack, class, budget and threat, confusions, checks,
    then settings, versions and hashes.

    label: how the number has to be called.
    """
    rows = [*_facts(report)]
    for weights in report.weights:
        rows += _weights(weights, report)
    for curve in report.curves:
        rows += [
            _share(
                "curve",
                curve.which,
                curve.attack,
                p.robust,
                f"{curve.attack}, n = {curve.n:,}",
                detail=p.epsilon,
            )
            for p in curve.points
        ]
    rows += [
        _share(
            "unseen",
            report.main.which,
            one.title,
            one.robust,
            f"{one.attack}, n = {one.robust.n:,}",
            detail=one.epsilon,
        )
        for one in report.unseen
    ]
    if report.masking:
        for check in report.masking.checks:
            rows.append(
                {
                    "section": "check",
                    "name": check.title,
                    "detail": check.verdict,
                    "value": check.sentence,
                    "n": report.masking.n,
                }
            )
            rows += [
                {
                    "section": "check",
                    "name": check.title,
                    "detail": name,
                    "value": value,
                    "n": report.masking.n,
                }
                for name, value in check.figures.items()
            ]
    return to_csv([{name: row.get(name) for name in EVALUATION} for row in rows])


def _share(
    section: str, which: str, name: str, found: Interval | None, label: str, **more: object
) -> Row:
    row: Row = {
        "section": section,
        "which": which,
        "name": name,
        "unit": "share",
        "label": label,
    } | more
    if found is not None:
        row |= {
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "level": found.level,
        }
    return row


def _facts(report: EvalReport) -> Iterator[Row]:
    facts = {
        "model": report.model.name,
        "source": report.model.source,
        "run": report.model.run,
        "architecture": report.model.architecture,
        "synthetic sets": json.dumps(report.model.sets),
        "synthetic images": report.model.synthetic_images,
        "real images": report.model.real_images,
        "data set": report.dataset,
        "part": report.part,
        "images": report.n,
        "sha256 of the images and labels": report.rows_sha256,
        "norm": report.norm,
        "budget": report.epsilon,
        "attack": report.attack,
        "seed": report.seed,
        "device": report.device,
        "seconds": report.seconds,
        "created": report.created,
    }
    named: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("report", facts),
        ("setting", report.config),
        ("training", report.model.training or {}),
        ("version", report.versions),
    )
    for section, values in named:
        for name, value in values.items():
            yield {"section": section, "name": name, "value": as_text(value), "label": report.label}
    for text in report.warnings:
        yield {"section": "warning", "value": text, "label": report.label}


def _weights(weights: WeightsReport, report: EvalReport) -> Iterator[Row]:
    which, label = weights.which, report.label
    yield {
        "section": "weights",
        "which": which,
        "name": "sha256",
        "value": weights.sha256,
        "label": label,
    }
    yield {
        "section": "weights",
        "which": which,
        "name": "epoch",
        "value": weights.epoch,
        "label": label,
    }
    yield {
        "section": "weights",
        "which": which,
        "name": "largest perturbation",
        "value": weights.largest,
        "unit": report.norm,
        "label": label,
    }
    yield _share("accuracy", which, "clean", weights.clean, label)
    yield _share("accuracy", which, "robust", weights.robust, label)
    for stage in weights.stages:
        yield _share("attack", which, stage.title, stage.after, label, detail="after")
        for name, value, unit in (
            ("attacked", stage.attacked, "images"),
            ("turned", stage.broken, "images"),
            ("time", stage.seconds, "s"),
        ):
            yield {
                "section": "attack",
                "which": which,
                "name": stage.title,
                "detail": name,
                "value": value,
                "unit": unit,
                "label": label,
            }
    for one in weights.classes:
        for part, found in (("clean", one.clean), ("robust", one.robust)):
            yield _share("class", which, one.name, found, label, detail=part) | {"n": one.n}
    for section, table in (
        ("confusion", weights.confusion),
        ("confusion without attack", weights.confusion_clean),
    ):
        for true, counts in zip(report.class_names, table, strict=True):
            for predicted, count in zip(report.class_names, counts, strict=True):
                yield {
                    "section": section,
                    "which": which,
                    "name": true,
                    "detail": predicted,
                    "value": count,
                    "unit": "images",
                    "label": label,
                }


def as_text(value: object) -> object:
    """A setting as a cell: text and numbers as they are, all else as JSON."""
    return (
        value
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else json.dumps(value, ensure_ascii=False, default=str)
    )


def outcomes_csv(report: EvalReport, outcomes: Outcomes) -> str:
    """A line for each image and set of weights: true class, predicted classes, and the attack that
    turned it.

    Raises InputError where the outcomes are not those of the report.
    """
    rows = [row for weights in report.weights for row in _outcomes(weights, report, outcomes)]
    return to_csv(rows)


def _outcomes(weights: WeightsReport, report: EvalReport, outcomes: Outcomes) -> Iterator[Row]:
    titles = {WRONG_BEFORE: "wrong without attack", STANDS: "withstands"} | {
        k: stage.title for k, stage in enumerate(weights.stages)
    }
    if weights.which not in outcomes.of or len(outcomes.rows) != report.n:
        raise InputError(
            f"outcomes hold no {report.n:,} images of the weights {weights.which!r}: they are not"
            " of this report, evaluate again"
        )
    one = outcomes.of[weights.which]
    for row, label, clean, attacked, broken_by in zip(
        *(
            part.tolist()
            for part in (outcomes.rows, outcomes.label, one.clean, one.attacked, one.broken_by)
        ),
        strict=True,
    ):
        if broken_by not in titles:
            raise InputError(
                f"outcomes name attack {broken_by}, and the report has {len(weights.stages)}: they"
                " do not belong together, evaluate again"
            )
        yield {
            "which": weights.which,
            "image": row,
            "class": label,
            "class name": _named(report, label),
            "predicted": clean,
            "predicted name": _named(report, clean),
            "predicted under attack": attacked,
            "under attack name": _named(report, attacked),
            "outcome": titles[broken_by],
            "part": report.part,
            "label": report.label,
        }


def _named(report: EvalReport, number: int) -> str:
    if not 0 <= number < len(report.class_names):
        raise InputError(
            f"outcomes name class {number}, and the report has {len(report.class_names)}: they do"
            " not belong together, evaluate again"
        )
    return report.class_names[number]


def comparison_csv(comparison: Comparison) -> str:
    """Every number of a comparison: arms, seeds, differences, classes, sample efficiency, then
    settings that differ and notes."""
    rows: list[Row] = [*_arms(comparison), *_differences(comparison), *_efficiency(comparison)]
    for name, values in comparison.differs.items():
        rows += [
            {"section": "setting", "metric": name, "name": arm.name, "text": value}
            for arm, value in zip(comparison.arms, values, strict=True)
        ]
    for section, texts in (("missing", comparison.missing), ("note", comparison.notes)):
        rows += [{"section": section, "text": text} for text in texts]
    return to_csv([{name: row.get(name) for name in COMPARISON} for row in rows])


def _interval(found: Interval | None) -> Row:
    if found is None:
        return {}
    bounds = {"low": found.low, "high": found.high} if found.wide else {}
    return {"value": found.value, "n": found.n, "level": found.level, "unit": "share"} | bounds


def _arms(comparison: Comparison) -> Iterator[Row]:
    for arm in comparison.arms:
        labels = "; ".join(dict.fromkeys(seed.label for seed in arm.seeds))
        for metric in METRICS:
            found: Interval | None = getattr(arm, metric)
            yield {
                "section": "arm",
                "metric": metric,
                "name": arm.name,
                "label": labels,
                "text": interval_words(arm, metric),
            } | _interval(found)
        for seed in arm.seeds:
            run: dict[str, Any] = {
                "section": "seed",
                "name": arm.name,
                "other": seed.id,
                "n": seed.n,
                "unit": "share",
                "label": seed.label,
            }
            yield run | {
                "metric": "robust",
                "value": seed.robust,
                "text": f"{seed.name}, seed {seed.seed}, {seed.state}",
            }
            for name, count, unit in (
                ("optimiser steps", seed.steps, "steps"),
                ("images seen", seed.images_seen, "images"),
            ):
                yield run | {
                    "section": "compute",
                    "metric": name,
                    "value": count,
                    "n": None,
                    "unit": unit,
                    "label": "",
                    "text": compute_text([seed.compute]),
                }
            yield run | {
                "metric": "clean",
                "value": seed.clean,
                "text": f"evaluation {seed.evaluation}" if seed.evaluation else "validation images",
            }
        for name, share in arm.classes.items():
            yield {
                "section": "class",
                "metric": name,
                "name": arm.name,
                "label": labels,
            } | _interval(share)
        if arm.curve:
            for point in arm.curve.points:
                yield {
                    "section": "curve",
                    "metric": point.epsilon,
                    "name": arm.name,
                    "label": f"{arm.curve.attack}, n = {arm.curve.n:,}",
                } | _interval(point.robust)


def _differences(comparison: Comparison) -> Iterator[Row]:
    for one in comparison.differences:
        yield (
            {
                "section": "difference",
                "metric": one.metric,
                "name": one.second,
                "other": one.first,
                "p": one.p,
                "adjusted": one.adjusted,
                "label": one.method,
                "text": one.verdict,
            }
            | _interval(one.difference)
            | {"n": one.count}
        )
    for part in comparison.classes:
        yield {
            "section": "class difference",
            "metric": part.name,
            "name": part.second,
            "other": part.first,
            "p": part.p,
            "adjusted": part.adjusted,
        } | _interval(part.difference)


def _efficiency(comparison: Comparison) -> Iterator[Row]:
    for line in comparison.efficiency:
        for point in line.points:
            yield {
                "section": "efficiency",
                "metric": point.count,
                "name": line.name,
                "text": counted(point.seeds, "seed"),
            } | _interval(point.robust)
    for one in comparison.equal:
        yield {
            "section": "equal",
            "metric": one.count,
            "name": one.second,
            "other": one.first,
            "value": one.estimate,
            "low": one.low,
            "high": one.high,
            "unit": "synthetic images",
            "text": one.sentence,
        }
