"""Evaluations written by hand, as a worker leaves them: for tests of everything that reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cdp import paths
from cdp.config.evaluate import EvaluateConfig
from cdp.statistics.shares import wilson
from cdp.values.evaluation import (
    OUTCOMES,
    REPORT,
    STANDS,
    WRONG_BEFORE,
    Check,
    ClassFigures,
    Curve,
    CurvePoint,
    EvalReport,
    Masking,
    Model,
    Outcome,
    Outcomes,
    Stage,
    Surface,
    Unseen,
    WeightsReport,
    outcomes_bytes,
    report_json,
)

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
STAGES = (("apgd-ce", "APGD-CE"), ("apgd-t", "APGD-T"), ("fab-t", "FAB-T"), ("square", "Square"))


def outcome(
    n: int = 400, *, clean: float = 0.8, robust: float = 0.6, seed: int = 0, classes: int = 10
) -> tuple[np.ndarray, Outcome]:
    """(label, outcome) with about these accuracies. Which image is hard is the same for every seed,
    so two outcomes are paired."""
    label = np.arange(n) % classes
    hard = np.random.default_rng(0).random(n) + 0.05 * np.random.default_rng([1, seed]).random(n)
    order = np.argsort(np.argsort(-hard)) / n
    rng = np.random.default_rng([2, seed])
    other = (label + rng.integers(1, classes, n)) % classes
    wrong, broken = order >= clean, (order >= robust) & (order < clean)
    by = np.where(
        wrong, WRONG_BEFORE, np.where(broken, rng.choice(4, n, p=[0.7, 0.2, 0.05, 0.05]), STANDS)
    )
    return label, Outcome(
        np.where(wrong, other, label), np.where(wrong | broken, other, label), by.astype(np.int64)
    )


def weights_report(
    label: np.ndarray, one: Outcome, names: tuple[str, ...], *, which: Any = "best"
) -> WeightsReport:
    n, right, stands = len(label), one.clean == label, one.robust
    stages, left = [], right.copy()
    for number, (name, title) in enumerate(STAGES):
        broken = one.broken_by == number
        stages.append(
            Stage(
                name,
                title,
                int(left.sum()),
                int(broken.sum()),
                wilson(int((left & ~broken).sum()), n),
                3.0,
            )
        )
        left &= ~broken
    figures = []
    for c, name in enumerate(names):
        there = label == c
        count = int(there.sum())
        shares = [
            wilson(int(hit[there].sum()), count) if count else None for hit in (right, stands)
        ]
        figures.append(ClassFigures(name, count, *shares))

    def table(predicted: np.ndarray) -> tuple[tuple[int, ...], ...]:
        counts = np.zeros((len(names), len(names)), int)
        np.add.at(counts, (label, predicted), 1)
        return tuple(tuple(map(int, row)) for row in counts)

    return WeightsReport(
        which,
        12,
        "ab" * 32,
        wilson(int(right.sum()), n),
        wilson(int(stands.sum()), n),
        tuple(stages),
        tuple(figures),
        table(one.clean),
        table(one.attacked),
        0.1,
    )


def report(
    n: int = 400,
    *,
    clean: float = 0.8,
    robust: float = 0.6,
    seed: int = 0,
    run: str = "",
    name: str = "night-s0",
    **change: Any,
) -> tuple[EvalReport, Outcomes]:
    """A whole report and its outcomes; ``change`` replaces fields of the report."""
    label, one = outcome(n, clean=clean, robust=robust, seed=seed)
    found = weights_report(label, one, CLASSES)
    points = tuple(
        CurvePoint(
            0.0375 * k, wilson(round(200 * max(0.0, clean - (clean - robust) * 0.375 * k)), 200)
        )
        for k in range(9)
    )
    checks = tuple(
        Check(key, title, "pass", said, {"share": 0.01})
        for key, title, said in (
            (
                "large-budget",
                "Large budget",
                "At a budget of 1 no image is left: attacks reach every image.",
            ),
            (
                "steps",
                "More steps",
                "From 40 to 200 steps accuracy falls by 0.5 points: the attack has converged.",
            ),
            ("black-box", "Black box", "Square turns no image that gradients leave."),
            ("restarts", "Restarts", "Ten restarts agree within 1 point."),
            (
                "surface",
                "Loss surface",
                "Loss rises 4.1 times as far along the gradient as along a random direction.",
            ),
        )
    )
    grid = tuple(float(x) for x in np.linspace(-0.1, 0.1, 21))
    surface = Surface(
        7,
        3,
        3,
        grid,
        grid,
        tuple(tuple(float(0.3 + 4 * a + 0.5 * b * b) for a in grid) for b in grid),
    )
    training = {"method": "trades", "epochs": 12, "seed": seed}
    whole = EvalReport(
        label=f"AutoAttack, n = {n:,}, +/- 5 points",
        quick=False,
        suite="autoattack",
        attack="AutoAttack (standard)",
        norm="linf",
        epsilon=0.1,
        seed=0,
        n=n,
        part="test",
        dataset="fashion-mnist",
        dataset_title="Fashion-MNIST",
        class_names=CLASSES,
        rows_sha256="cd" * 32,
        model=Model(
            f"run:{run}" if run else "weights/best",
            name,
            "small-cnn",
            run,
            ("guided-5k",),
            5000,
            2000,
            training,
        ),
        weights=(found,),
        curves=(Curve("best", "PGD-20", 200, points),),
        unseen=(Unseen("l2, budget 1.5", "l2", 1.5, "PGD-20", wilson(90, 200)),),
        masking=Masking(200, checks, surface),
        warnings=(),
        config=EvaluateConfig(model=f"run:{run}" if run else "weights/best").model_dump(
            mode="json"
        ),
        versions={"cdp": "0.1", "torch": "2.14.1", "pyautoattack": "0.2.0"},
        device="CPU, 2 threads",
        seconds=120.0,
        created="2026-11-24T12:00:00+00:00",
    )
    return replace(whole, **change), Outcomes(np.arange(n), label.astype(np.int64), {"best": one})


def write_evaluation(
    run_id: str,
    found: tuple[EvalReport, Outcomes] | None,
    *,
    name: str = "",
    created: float = 1e9,
    state: str = "finished",
    config: EvaluateConfig | None = None,
    process: Mapping[str, Any] | None = None,
    **status: Any,
) -> Path:
    """The folder of an "evaluate" run; found: None for one that has come to nothing yet."""
    folder = paths.runs_dir() / run_id
    folder.mkdir(parents=True)
    settings = (
        config.model_dump(mode="json")
        if config
        else dict(found[0].config)
        if found
        else {"model": "run:x"}
    )
    (folder / "config.json").write_text(
        json.dumps(
            {"kind": "evaluate", "name": name or run_id, "created": created, "config": settings}
        )
    )
    result = None
    if found:
        (folder / REPORT).write_text(json.dumps(report_json(found[0])))
        (folder / OUTCOMES).write_bytes(outcomes_bytes(found[1]))
        main = found[0].main
        result = {
            "label": found[0].label,
            "clean_accuracy": main.clean.value,
            "robust_accuracy": main.robust.value,
            "n": found[0].n,
        }
    record = {
        "state": state,
        "started": created,
        "ended": created + 60,
        "updated": created + 60,
        "result": result,
        "progress": None,
    }
    (folder / "status.json").write_text(json.dumps(record | status))
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    return folder
