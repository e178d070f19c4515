"""The report of an evaluation: what its number is called, what it was measured with, the files."""

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
from cdp.errors import InputError
from cdp.files.atomic import atomic_file, write_json
from cdp.robust.suites import Attack, SuiteState
from cdp.statistics.shares import share_of, wilson
from cdp.tasks.evaluate_data import TEST, EvaluationInputs
from cdp.values.evaluation import (
    OUTCOMES,
    REPORT,
    ClassFigures,
    Curve,
    EvalReport,
    Masking,
    Outcome,
    Outcomes,
    Stage,
    Unseen,
    WeightsReport,
    Which,
    outcomes_bytes,
    report_json,
)
from cdp.values.types import Interval

PACKAGES = ("torch", "torchvision", "pyautoattack", "numpy", "scipy")


def label_of(config: EvaluateConfig, robust: Interval, part: str = TEST, classes: str = "") -> str:
    """What the number is called everywhere: "PGD-10, n = 512, +/- 4 points: a quick estimate"."""
    points = 100 * (robust.high - robust.low) / 2
    digits = 1 if points < 1 else 0
    label = (
        f"{SUITES[config.attack].called(config)}, n = {robust.n:,}, +/- {points:.{digits}f} points"
    )
    label += "" if part == TEST else f", on {part}"
    label += f", over {classes}" if classes else ""
    return f"{label}: a quick estimate" if SUITES[config.attack].quick else label


def report_of(
    config: EvaluateConfig,
    prepared: EvaluationInputs,
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
    """Everything together. contract: what the network's answers lack; seconds: over all starts."""
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


def _some_of(prepared: EvaluationInputs) -> str:
    """How many of the classes have images: "3 of 4 classes"; "" where all have."""
    present, every = len(np.unique(prepared.label)), len(prepared.info.classes)
    return "" if present == every else f"{present} of {every} classes"


def versions() -> dict[str, str]:
    """Of this code, Python and the packages that decide the numbers."""
    return {"cdp": __version__, "python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }


def write_report(
    folder: Path, report: EvalReport, prepared: EvaluationInputs, outcomes: Mapping[str, Outcome]
) -> None:
    """report.json and outcomes.npz, the report last. Raises OSError where the disk is full."""
    with atomic_file(folder / OUTCOMES) as file:
        file.write(outcomes_bytes(Outcomes(prepared.rows, prepared.label, outcomes)))
    write_json(folder / REPORT, report_json(report))


SURPRISE = 0.002
"""Share of all images that Square may turn after the gradients: the package's own bound."""


def outcome_of(state: SuiteState) -> Outcome:
    """What became of each image. Raises InputError before the last attack has ended."""
    _require_done(state)
    return Outcome(state.clean.copy(), state.attacked.copy(), state.broken_by.copy())


def weights_report(
    state: SuiteState,
    label: np.ndarray,
    class_names: Sequence[str],
    attacks: Sequence[Attack],
    *,
    which: Which,
    epoch: int,
    sha256: str,
) -> WeightsReport:
    """Accuracies with Wilson intervals, by attack and class, and confusion, of a finished suite.
    label: (n,) true classes. Raises InputError before the last attack has ended, or for labels or
    attacks of another suite."""
    _require_done(state)
    state.require(
        len(label),
        [attack.name for attack in attacks],
        norm=state.norm,
        epsilon=state.epsilon,
        batch=state.batch_size,
    )
    right, stands = state.clean == label, outcome_of(state).robust
    return WeightsReport(
        which,
        epoch,
        sha256,
        share_of(right),
        share_of(stands),
        _stages(state, attacks),
        _classes(label, right, stands, class_names),
        _confusion(label, state.clean, len(class_names)),
        _confusion(label, state.attacked, len(class_names)),
        state.largest,
    )


def suite_warnings(state: SuiteState) -> list[str]:
    """What is odd about the outcome of a finished suite, a sentence each."""
    sentences, n = [], len(state.clean)
    refused = int(state.refused.sum())
    if refused:
        sentences.append(
            f"{refused} attacked images were beyond the budget or no images and did not count:"
            " attack this network otherwise as well."
        )
    if "square" in state.names[1:]:
        turned = int(state.broken[state.names.index("square")])
        if turned > SURPRISE * n:
            sentences.append(
                f"Square, which sees no gradients, turned {turned} of {n} images that gradients had"
                " left: these may be masked."
            )
    return sentences


def _require_done(state: SuiteState) -> None:
    if not state.done:
        raise InputError("the attacks have not all ended: resume the evaluation first")


def _stages(state: SuiteState, attacks: Sequence[Attack]) -> tuple[Stage, ...]:
    stages, n, left = [], len(state.clean), int(state.tried[0]) if len(attacks) else 0
    for number, attack in enumerate(attacks):
        broken = int(state.broken[number])
        left -= broken
        stages.append(
            Stage(
                attack.name,
                attack.title,
                int(state.tried[number]),
                broken,
                wilson(left, n),
                float(state.seconds[number]),
            )
        )
    return tuple(stages)


def _classes(
    label: np.ndarray, right: np.ndarray, stands: np.ndarray, names: Sequence[str]
) -> tuple[ClassFigures, ...]:
    members = [label == number for number in range(len(names))]
    return tuple(
        ClassFigures(
            name,
            int(there.sum()),
            share_of(right[there]) if there.any() else None,
            share_of(stands[there]) if there.any() else None,
        )
        for name, there in zip(names, members, strict=True)
    )


def _confusion(
    label: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[tuple[int, ...], ...]:
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (label, predicted), 1)
    return tuple(tuple(row) for row in counts.tolist())
