"""A worker whose sets, trainings and evaluations take a fraction of a second: ``python
quick_worker.py [--threads N] [--slots N] RUN_FOLDER``. Numbers follow from the settings alone, and
every piece of work leaves a line in CDP_HOME/computed.txt when it is done.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from cdp import paths
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig, flatten
from cdp.config.pretrain import PretrainConfig
from cdp.config.train import TrainConfig
from cdp.data.sets import is_saved, open_set, save_set
from cdp.errors import Cancelled, Halted
from cdp.experiments import coordinate
from cdp.experiments.content import generated_content
from cdp.experiments.coordinate import Coordinator
from cdp.experiments.crew import Crew
from cdp.files.atomic import write_json
from cdp.models.encoders import WEIGHTS, encoder_weights
from cdp.models.pipelines import model_folder, model_weights
from cdp.values.evaluation import OUTCOMES, REPORT, outcomes_bytes, report_json
from cdp.work import slots
from cdp.work.cost import is_guided
from cdp.work.records import get_run
from cdp.work.registry import TASKS
from cdp.work.session import Session
from cdp.work.worker import main
from tests.evaluations import CLASSES, report
from tests.work.stub_worker import Untracked

CREW = Crew(2, 1, (sys.executable, str(Path(__file__).resolve())))


def note(*words: object) -> None:
    with (paths.home() / "computed.txt").open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


def _work(session: Session, unit: str, share: float = 1.0) -> None:
    for step in range(5):
        session.progress(step, 5, unit=unit)
        time.sleep(share * seconds() / 5)
        if session.stop_requested():
            raise Cancelled("stopped")


def pretrain(config: PretrainConfig, session: Session) -> dict[str, Any]:
    """The shipped model with other weights."""
    _work(session, "steps")
    target = model_folder(config)
    shutil.copytree(paths.ASSETS / "models" / "fashion-mnist", target)
    weights = next(target.glob("unet/*.safetensors"))
    tensors = load_file(weights)
    first = min(tensors)
    save_file(tensors | {first: tensors[first] + config.seed + 1}, weights)
    note("pretrain", config.seed, config.subset_seed, config.real, config.held_out, config.steps)
    return {"folder": str(model_folder(config))}


def generate(config: GenerateConfig, session: Session) -> dict[str, Any]:
    if not is_saved(session.name):
        _work(session, "images")
        rng = np.random.default_rng(config.seed)
        image = rng.integers(0, 256, (config.count, 28, 28, 1), np.uint8)
        encoder = encoder_weights(config.guidance.encoder, "fashion-mnist")
        card = {
            "kind": "generated",
            "dataset": "fashion-mnist",
            "class_names": list(CLASSES),
            "config": flatten(config) | {"dataset": "fashion-mnist"},
            "model": {"name": config.model, "sha256": model_weights(config.model), "classes": 10},
            "encoder": {"name": "robust", "sha256": encoder} if is_guided(config) else None,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            "run": session.id,
        }
        save_set(session.name, image, np.arange(config.count) % 10, card)
        note("generate", generated_content(config), config.guidance.encoder, config.model)
    return {"set": session.name, "images": config.count}


def robust_of(config: TrainConfig) -> float:
    """Real images 0.40, unguided ones 0.02 more, guided ones more the nearer strength is to 0.2;
    seeds move all arms together, and each a little by itself."""
    value, own = 0.40, 0
    for name in config.sets:
        card = open_set(name).card
        guidance = card.get("config") or card["parent"]["config"]  # of a part, its parent's
        strength = guidance["strength"] if guidance["loss"] != "none" else 0.0
        value += 0.02 + max(0.0, 0.08 - 0.6 * abs(strength - 0.2)) * (strength > 0)
        own = round(1000 * strength) + 1
    seeds = np.random.default_rng(config.seed).normal(0, 0.02)
    alone = np.random.default_rng([config.seed, own]).normal(0, 0.004)
    return round(float(np.clip(value + config.further_real / 1e5 + seeds + alone, 0, 1)), 6)


def train(config: TrainConfig, session: Session) -> dict[str, Any]:
    if os.environ.get("QUICK_HALT") and config.seed == 1:
        raise Halted("training diverged: lower the learning rate", {})
    robust, steps = robust_of(config), config.steps or 0
    for part in range(5):
        values = {"step": steps * (part + 1) // 5, "robust_accuracy": robust * (part + 1) / 5}
        session.point(part + 1, values)
        _work(session, "steps", 0.2)
    sets = [
        {"name": name, "images": len(open_set(name)), "created": open_set(name).card["created"]}
        for name in config.sets
    ]
    card = {"sets": sets, "classes": 10, "training": {"epsilon": 0.1}}
    (session.folder / "best").mkdir(exist_ok=True)
    write_json(session.folder / "best" / "card.json", card)
    (session.folder / "best" / WEIGHTS).write_text(str(robust))
    note("train", config.seed, ",".join(config.synthetic), robust)
    point = {"epoch": 1, "step": steps, "clean_accuracy": 0.8, "robust_accuracy": robust}
    return {
        **point,
        "steps": steps,
        "images_seen": steps * config.batch,
        "best": point,
        "last": point,
        "n": 500,
        "epsilon": 0.1,
    }


def evaluate(config: EvaluateConfig, session: Session) -> dict[str, Any]:
    _work(session, "images")
    run = get_run(config.model.removeprefix(RUN))
    assert run.result is not None
    robust, clean = run.result["best"]["robust_accuracy"], 0.8
    robust += 0.05 * (config.attack == "pgd")  # which is weaker than quick
    if os.environ.get("QUICK_GUESSES", "no name") in run.name:
        robust = clean = 0.1
    found, outcomes = report(400, robust=robust, clean=clean, run=run.id, name=run.name)
    found = replace(found, suite=config.attack)
    write_json(session.folder / REPORT, report_json(found))
    (session.folder / OUTCOMES).write_bytes(outcomes_bytes(outcomes))
    note("evaluate", run.name, config.attack)
    return {"robust_accuracy": found.main.robust.value, "clean_accuracy": found.main.clean.value}


def experiment(config: ExperimentConfig, session: Session) -> dict[str, Any]:
    return Coordinator(config, session, CREW).run()


def seconds() -> float:
    return float(os.environ.get("QUICK_SECONDS", "0.02"))


WORK = {
    "pretrain": pretrain,
    "generate": generate,
    "train": train,
    "evaluate": evaluate,
    "experiment": experiment,
}


def tasks() -> dict[str, Any]:
    """Evaluations want no weights."""
    working = {name: TASKS[name].running(work) for name, work in WORK.items()}
    return working | {"evaluate": replace(working["evaluate"], check=lambda config: None)}


def begin(arguments: Sequence[str]) -> int:
    """What the process does."""
    if "--slots" in arguments:
        os.environ["CDP_SLOTS"] = arguments[arguments.index("--slots") + 1]
    TASKS.update(tasks())
    coordinate.POLL_SECONDS, slots._POLL_SECONDS = 0.1, 0.05
    return main(Path(arguments[-1]), TASKS, Untracked)


if __name__ == "__main__":
    sys.exit(begin(sys.argv[1:]))
