"""One TRADES step (PGD-10, small CNN, batch 128) against a textbook, and where the time of a
training run goes."""

from __future__ import annotations

import cProfile
import pstats
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy import stats
from torch import nn

from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from benchmarks.textbook import trades_training
from cdp.config.presets import train_preset
from cdp.config.train import TrainConfig
from cdp.data.registry import load_split
from cdp.files.atomic import write_json
from cdp.models.classifiers import build_classifier
from cdp.models.precision import pick_device, pick_dtype
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import validate
from cdp.tasks.estimate import estimate
from cdp.tasks.train import train_run
from cdp.tasks.train_data import prepare
from cdp.values.types import DatasetInfo, Interval
from cdp.work.journal import JOURNAL, Journal
from cdp.work.records import CONFIG as CONFIG_FILE
from cdp.work.session import Session
from cdp.work.worker import Reporter, keep_memory

NAME, TITLE = "train_step", "A TRADES step with PGD-10 against a plain textbook implementation"
CONFIG = TrainConfig(real=5120, epochs=3)
SEEDS, TEST_IMAGES, TEST_STEPS = 3, 2000, 20
TIMED_STEPS = 12


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Speed, robust accuracy of both arms, and shares of the time; settings."""
    config = CONFIG.model_copy(update={"real": 512, "epochs": 1}) if options.quick else CONFIG
    settings = {
        "config": config.model_dump(mode="json"),
        "seeds": SEEDS,
        "test_images": TEST_IMAGES,
        "test_attack": f"PGD-{TEST_STEPS}, fp32",
    }
    return [*_speed(config, options), *_accuracy(config, options), *_shares(options)], settings


def _network(config: TrainConfig, info: DatasetInfo) -> nn.Module:
    return build_classifier(
        config.architecture, classes=len(info.classes), shape=info.shape, seed=config.seed
    )


def _ours(config: TrainConfig) -> Iterator[nn.Module]:
    """The network of averaged weights after every step."""
    prepared = prepare(config)
    trainer = RobustTrainer(
        _network(config, prepared.info), prepared.data, config, epsilon=prepared.epsilon
    )
    while trainer.step < trainer.total:
        trainer.net.train()
        trainer.advance()
        yield trainer.average


def _textbook(config: TrainConfig) -> Iterator[nn.Module]:
    prepared = prepare(config)
    yield from trades_training(
        _network(config, prepared.info), prepared.data, config, prepared.epsilon
    )


ARMS: dict[str, tuple[Callable[[TrainConfig], Iterator[nn.Module]], str, bool]] = {
    "textbook": (_textbook, "fp32", False),
    "textbook in bf16": (_textbook, "bf16", False),
    "ours": (_ours, "auto", True),
    "ours in fp32": (_ours, "fp32", True),
}
"""How an arm trains, its precision, and whether its process is set up as ours are."""


def _work(name: str, config: TrainConfig, threads: int, pipe: Connection) -> None:
    """An arm in a process of its own: a step for every word that comes."""
    train, precision, ours = ARMS[name]
    torch.set_num_threads(threads)
    if ours:
        keep_memory()
    half = precision == "bf16" and not ours
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        steps = train(config.model_copy(update={"precision": precision}))
        while True:
            next(steps)
            pipe.send(True)
            if not pipe.recv():
                return


@contextmanager
def _processes(config: TrainConfig) -> Iterator[dict[str, Connection]]:
    """Every arm at work, with its first step done."""
    context = get_context("spawn")
    pipes: dict[str, Connection] = {}
    for name in ARMS:
        pipes[name], there = context.Pipe()
        given = (name, config, torch.get_num_threads(), there)
        context.Process(target=_work, args=given, daemon=True).start()
        there.close()
        pipes[name].recv()
    try:
        yield pipes
    finally:
        for pipe in pipes.values():
            pipe.send(False)


def _speed(config: TrainConfig, options: Options) -> list[Figure]:
    """Steps of the arms take turns; building the arms is not timed."""
    steps = 2 if options.quick else TIMED_STEPS
    long = config.model_copy(update={"epochs": 100})

    def some(pipe: Connection) -> Iterator[object]:
        for _ in range(steps):
            pipe.send(True)
            yield pipe.recv()

    with _processes(long) as pipes:
        arms = {name: partial(some, pipe) for name, pipe in pipes.items()}
        seconds = interleaved(arms, min(options.rounds, 3))
    figures = [
        Figure.of_spread(
            f"milliseconds a step: {name}", spread([1000 * s / steps for s in found]), "ms"
        )
        for name, found in seconds.items()
    ]
    half = pick_dtype("auto", pick_device()) == torch.bfloat16
    same = "textbook in bf16" if half else "textbook"
    least = Target(">=", 1.3)
    return [
        Figure.of_spread(
            f"times as fast as the {name}",
            paired_ratio(seconds[name.partition(",")[0]], seconds[ours]),
            target=least,
        )
        for name, ours in (
            ("textbook", "ours"),
            ("textbook, fp32 as well", "ours in fp32"),
            *(((f"{same}, as well", "ours"),) if half else ()),
        )
    ] + figures


def _accuracy(config: TrainConfig, options: Options) -> list[Figure]:
    """Robust accuracy of both arms on the same test images, over seeds."""
    test = load_split(config.dataset, "test")
    rows = np.arange(min(len(test), 200 if options.quick else TEST_IMAGES))
    epsilon = prepare(config).epsilon
    found: dict[str, list[float]] = {"ours": [], "textbook": []}
    for seed in range(1 if options.quick else SEEDS):
        seeded = config.model_copy(update={"seed": seed})
        for name, arm in (("ours", _ours(seeded)), ("textbook", _textbook(seeded))):
            *_, average = arm
            checked = validate(
                average,
                test.image[rows],
                test.label[rows],
                epsilon=epsilon,
                norm=config.norm,
                steps=TEST_STEPS,
            )
            found[name].append(float(checked.robust.mean()))
    figures = [
        Figure.of_interval(f"robust accuracy, {name}", _mean(values), "%")
        for name, values in found.items()
    ]
    differences = [a - b for a, b in zip(found["ours"], found["textbook"], strict=True)]
    return [
        *figures,
        Figure.of_interval(
            "robust accuracy, ours minus textbook",
            _mean(differences),
            "points",
            Target("within", 1.5),
        ),
    ]


def _mean(values: list[float]) -> Interval:
    """The mean over seeds with its 95 % t interval; without one for a single seed."""
    mean = statistics.fmean(values)
    half = (
        stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
        if len(values) > 1
        else 0.0
    )
    return Interval(mean, mean - half, mean + half, len(values))


PARTS: dict[str, set[tuple[str, str]]] = {
    "attack": {("training", "view")},
    "validation": {("validation", "validate")},
    "data (rows, augmentation)": {("training", "_batch")},
    "logging (losses, progress, journal, checkpoints, examples)": {
        ("training", "_note"),
        ("train", "_progress"),
        ("train", "_point"),
        ("train", "_save"),
        ("train", "_write"),
        ("train_keep", "save_examples"),
    },
}
"""The functions, by file, that a part of a run is made of; what is left of the whole is the loss,
its gradient and the update."""


def _shares(options: Options) -> list[Figure]:
    """Where the time of the quick preset goes, as its worker works, without loading torch and
    opening the data; and what it was said to cost."""
    config = train_preset("quick").model_copy(update={"steps": 15} if options.quick else {})
    expected = estimate(config).seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_json(
            folder / CONFIG_FILE,
            {
                "kind": "train",
                "name": "bench",
                "created": 0.0,
                "config": config.model_dump(mode="json"),
            },
        )
        reporter = Reporter(folder)
        journal = Journal(folder / JOURNAL, notice=reporter.notice)
        session = Session(
            folder,
            name="bench",
            on_progress=reporter.progress,
            on_notice=reporter.notice,
            journal=journal,
        )
        profiler = cProfile.Profile()
        profiler.runcall(train_run, config, session)
        reporter.end("finished")
        journal.close()
    seconds, figures = _parts(pstats.Stats(profiler))
    return [
        Figure("quick preset, real images alone", seconds, "s"),
        Figure("the estimate before it / what it took", expected / seconds),
        *figures,
    ]


def _parts(found: pstats.Stats) -> tuple[float, list[Figure]]:
    """Seconds of the whole, and the share of every part."""
    seconds: dict[tuple[str, str], float] = {}
    for (file, _, function), (_, _, _, cumulative, _) in cast(Any, found).stats.items():
        seconds[Path(file).stem, function] = cumulative
    whole = seconds["train", "train_run"] - seconds["train_data", "prepare"]
    shares = {
        part: sum(seconds.get(function, 0.0) for function in functions) / whole
        for part, functions in PARTS.items()
    }
    overhead = sum(share for part, share in shares.items() if part.startswith(("data", "logging")))
    shares["loss, gradient, update"] = 1 - sum(shares.values())
    figures = [
        Figure(f"share of its time: {part}", 100 * share, "%") for part, share in shares.items()
    ]
    return whole, [
        *figures,
        Figure(
            "share of its time: data and logging", 100 * overhead, "%", target=Target("<=", 3.0)
        ),
    ]
