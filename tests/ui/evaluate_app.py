"""The Evaluate page under AppTest: what can be evaluated there, and reports of other sizes than the
usual one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from cdp.config.evaluate import EvaluateConfig
from cdp.values.evaluation import EvalReport, Outcomes
from cdp.work.records import Run, list_runs
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.ui.pages import opened, ran
from tests.ui.train_runs import train_run

ROBUST = "assets/encoders/fashion-mnist/robust"
"""The shipped encoder, which is evaluated where nothing is trained."""


def page(**params: str) -> AppTest:
    return opened("evaluate", **params)


def knob(app: AppTest, name: str) -> Any:
    """The control of a setting, by its name in the config."""
    boxes = (
        *app.number_input,
        *app.selectbox,
        *app.text_input,
        *app.toggle,
        *app.get("button_group"),
    )
    return next(box for box in boxes if re.fullmatch(rf"evaluate_{name}(_\d+)?", box.key or ""))


def has(app: AppTest, name: str) -> bool:
    try:
        knob(app, name)
    except StopIteration:
        return False
    return True


def launched(app: AppTest) -> list[Run]:
    """The evaluations that a click on the one button starts."""
    ran(app.button(key="evaluate_start").click())
    return [run for run in list_runs() if run.kind == "evaluate"]


def trained(
    run_id: str, *, card: Mapping[str, Any] | None = None, epochs: int = 4, **more: Any
) -> Run:
    """A training with weights of its best epoch, as far as a card tells."""
    run = train_run(run_id, epochs=epochs, **more)
    (run.folder / "best").mkdir()
    (run.folder / "best" / "model.safetensors").write_bytes(b"")
    training = {"dataset": "fashion-mnist", "norm": "linf", "epsilon": 0.08}
    told = {
        "run": run.name,
        "dataset": "fashion-mnist",
        "dataset_title": "Fashion-MNIST",
        "shape": [1, 28, 28],
        "classes": 10,
        "epoch": 3,
    }
    (run.folder / "best" / "card.json").write_text(
        json.dumps(told | {"training": training} | dict(card or {}))
    )
    return run


def both(run: str = "", **change: Any) -> tuple[EvalReport, Outcomes]:
    """A report of best and last weights, the last ones worse."""
    found, outcomes = report(run=run, **change)
    label, last = outcome(robust=0.5, seed=1)
    weights = (*found.weights, weights_report(label, last, CLASSES, which="last"))
    return replace(found, weights=weights), Outcomes(
        outcomes.rows, outcomes.label, {**outcomes.of, "last": last}
    )


def sized(classes: int, **change: Any) -> tuple[EvalReport, Outcomes]:
    """A report of a data set with so many classes, the last of which has no images."""
    names = tuple(f"class <{k}>" for k in range(classes))
    label, one = outcome(430, classes=classes - 1 if classes > 2 else classes)
    found, _ = report()
    whole = replace(
        found,
        n=430,
        class_names=names,
        weights=(weights_report(label, one, names, which="given"),),
        masking=None,
        curves=(),
        unseen=(),
        **change,
    )
    return whole, Outcomes(np.arange(430), label, {"given": one})


def quick(**change: Any) -> tuple[EvalReport, Outcomes]:
    """A quick estimate."""
    label = "PGD-10, n = 400, +/- 5 points: a quick estimate"
    config = EvaluateConfig(model="weights/best", attack="quick").model_dump(mode="json")
    return report(
        **(
            {"label": label, "quick": True, "suite": "quick", "attack": "PGD-10", "config": config}
            | change
        )
    )
