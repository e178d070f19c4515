"""AutoAttack with its batches shared over processes of one thread each against one process over all
cores: time, and whether every image comes to the same."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.data.registry import load_split
from cdp.models.encoders import load_encoder
from cdp.robust.autoattack import autoattack_suite
from cdp.robust.shared import process_count
from cdp.robust.suites import SuiteState, run_suite

NAME = "shared_attacks"
TITLE = "AutoAttack by a process a core against one process over all cores"
DATASET, ENCODER, SEED = "fashion-mnist", "robust", 0
IMAGES, BATCH = 160, 40
"""As many batches as an evaluation of the default 1,000 images in batches of 250."""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """How many times as many images an hour, and how many come to something else; settings."""
    net, test = load_encoder(ENCODER, DATASET).net, load_split(DATASET, "test")
    epsilon = test.info.epsilon_linf
    assert epsilon is not None  # of a built-in data set
    count, batch = (16, 4) if options.quick else (IMAGES, BATCH)
    classes, rows = len(test.info.classes), np.arange(count)
    ways = {"one process": 1, "a process a core": process_count(net)}
    arms = {
        name: run_suite(
            net,
            test.image[rows],
            test.label[rows],
            autoattack_suite(net, classes, "linf", epsilon, SEED),
            norm="linf",
            epsilon=epsilon,
            batch=batch,
            classes=classes,
            processes=processes,
        )
        for name, processes in ways.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    states: dict[str, SuiteState] = {}
    stages = 0
    while not stages or not all(state.done for state in states.values()):
        for name in arms if stages % 2 else reversed(arms):
            began = time.perf_counter()
            for state in arms[name]:
                states[name] = state
                if state.batch == 0:  # the last batch of a stage, the clean pass among them
                    break
            seconds[name].append(time.perf_counter() - began)
        stages += 1
    one, shared = states.values()
    different = int(((one.attacked != shared.attacked) | (one.broken_by != shared.broken_by)).sum())
    whole = {name: sum(parts) for name, parts in seconds.items()}
    ratios = [a / b for a, b in zip(*(parts[1:] for parts in seconds.values()), strict=True)]
    least, most = spread(ratios).low, spread(ratios).high
    figures = [
        Figure(
            "times as many images an hour",
            whole["one process"] / whole["a process a core"],
            "",
            least,
            most,
            len(ratios),
            "repeats",
            Target(">=", 1.8),
        ),
        Figure("images that come to something else", different, target=Target("<=", 0)),
        *(Figure(f"images an hour: {name}", 3600 * count / s, "") for name, s in whole.items()),
    ]
    return figures, {
        "dataset": DATASET,
        "encoder": ENCODER,
        "epsilon": epsilon,
        "norm": "linf",
        "images": count,
        "batch": batch,
        "seed": SEED,
        "processes": ways["a process a core"],
        "threads": torch.get_num_threads(),
        "rounds": "the arms take turns attack by attack; the range is that of the attacks",
    }
