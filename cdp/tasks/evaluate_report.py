"""The report of an evaluation from its parts: what its number has to be called, what it was
measured with, and the files."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cdp import __version__
from cdp.config.choices import SUITES
from cdp.config.evaluate import EvaluateConfig
from cdp.files.atomic import atomic_file, write_json
from cdp.tasks.evaluate_data import TEST, Prepared
from cdp.values.evaluation import (
    OUTCOMES,
    REPORT,
    Curve,
    EvalReport,
    Masking,
    Outcome,
    Outcomes,
    Unseen,
    WeightsReport,
    outcomes_bytes,
    report_json,
)
from cdp.values.types import Interval

PACKAGES = ("torch", "torchvision", "pyautoattack", "numpy", "scipy")


def label_of(config: EvaluateConfig, robust: Interval, part: str = TEST, classes: str = "") -> str:
    """How the number has to be called wherever it stands: "PGD-10, n = 512, +/- 4 points: a quick
    estimate"."""
    points = 100 * (robust.high - robust.low) / 2
    digits = 1 if points < 1 else 0
    said = (
        f"{SUITES[config.attack].called(config)}, n = {robust.n:,}, +/- {points:.{digits}f} points"
    )
    said += "" if part == TEST else f", on {part}"
    said += f", over {classes}" if classes else ""
    return f"{said}: a quick estimate" if SUITES[config.attack].quick else said


def report_of(
    config: EvaluateConfig,
    prepared: Prepared,
    weights: Sequence[WeightsReport],
    *,
    curves: Sequence[Curve],
    unseen: Sequence[Unseen],
    masking: Masking | None,
    contract: Mapping[str, str],
    warnings: Sequence[str],
    device: str,
    seconds: float,
) -> EvalReport:
    """Everything together. contract: what the network's answers lack, by kind, which is among the
    warnings; seconds: of work, over all starts."""
    label = label_of(config, weights[0].robust, prepared.part, _some_of(prepared))
    return EvalReport(
        label=label,
        quick=SUITES[config.attack].quick,
        suite=config.attack,
        attack=SUITES[config.attack].called(config),
        norm=prepared.norm,
        epsilon=prepared.epsilon,
        seed=config.seed,
        n=len(prepared.label),
        part=prepared.part,
        dataset=prepared.info.name,
        dataset_title=prepared.info.title,
        class_names=prepared.info.classes,
        rows_sha256=prepared.rows_sha256,
        model=prepared.model,
        weights=tuple(weights),
        curves=tuple(curves),
        unseen=tuple(unseen),
        masking=masking,
        warnings=(*prepared.notes, *warnings),
        contract=dict(contract),
        config=config.model_dump(mode="json"),
        versions=versions(),
        device=device,
        seconds=round(seconds, 3),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _some_of(prepared: Prepared) -> str:
    """How many of the classes have images: "3 of 4 classes"; "" where all have."""
    present, every = len(np.unique(prepared.label)), len(prepared.info.classes)
    return "" if present == every else f"{present} of {every} classes"


def versions() -> dict[str, str]:
    """Of this code, Python and the packages that decide the numbers."""
    return {"cdp": __version__, "python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }


def write_report(
    folder: Path, report: EvalReport, prepared: Prepared, outcomes: Mapping[str, Outcome]
) -> None:
    """report.json and outcomes.npz, the report last: where it is, everything is. Raises OSError
    where the disk does not take them."""
    with atomic_file(folder / OUTCOMES) as file:
        file.write(outcomes_bytes(Outcomes(prepared.rows, prepared.label, outcomes)))
    write_json(folder / REPORT, report_json(report))
