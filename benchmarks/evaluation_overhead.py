"""An evaluation by AutoAttack against the bare package's own: time, and whether every image comes
to the same."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.measuring import paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.data.registry import load_split
from cdp.models.encoders import load_encoder
from cdp.models.state import frozen
from cdp.robust.autoattack import autoattack_suite
from cdp.robust.recipes import to_tensor
from cdp.robust.suites import SuiteState, run_suite
from cdp.values.types import Split

NAME, TITLE = "evaluation_overhead", "AutoAttack (standard) under our loop against the bare package"
DATASET, ENCODER, SEED = "fashion-mnist", "robust", 0
IMAGES, PART = 200, 25


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Ratio of the processor times, which other work on the machine does not touch, images that
    come to something else, and what each attack costs; settings."""
    net, test = load_encoder(ENCODER, DATASET).net, load_split(DATASET, "test")
    epsilon = test.info.epsilon_linf
    assert epsilon is not None  # of a built-in data set
    images, part = (4, 2) if options.quick else (IMAGES, PART)
    parts = [np.arange(first, first + part) for first in range(0, images, part)]
    seconds: dict[str, list[float]] = {"package": [], "ours": []}
    states, different = [], 0
    # Untimed, on one image: fills caches and imports the package.
    _package(net, test, parts[0][:1], epsilon), _ours(net, test, parts[0][:1], epsilon)
    for number, rows in enumerate(parts):
        arms: list[tuple[str, Callable[..., object]]] = [("package", _package), ("ours", _ours)]
        found = {}
        for name, arm in arms if number % 2 else arms[::-1]:
            began = time.process_time()
            found[name] = arm(net, test, rows, epsilon)
            seconds[name].append(time.process_time() - began)
        state = found["ours"]
        assert isinstance(state, SuiteState)
        states.append(state)
        different += int((np.asarray(found["package"]) != state.attacked).sum())
    settings = {
        "dataset": DATASET,
        "encoder": ENCODER,
        "epsilon": epsilon,
        "norm": "linf",
        "images": images,
        "batch": part,
        "seed": SEED,
    }
    ratio = paired_ratio(seconds["ours"], seconds["package"])
    return [
        Figure.of_spread(
            "processor time of ours / of the package, parameters frozen for both",
            ratio,
            target=Target("<=", 1.05),
        ),
        Figure("images that come to another class", different, target=Target("<=", 0)),
        Figure.of_spread(
            "processor seconds an image: ours", spread([s / part for s in seconds["ours"]]), "s"
        ),
        *_costs(states),
    ], settings


def _package(net: nn.Module, test: Split, rows: np.ndarray, epsilon: float) -> np.ndarray:
    """The bare package on images of ``rows`` -> (b,) predicted classes, under the attack that
    turned an image."""
    from pyautoattack import AutoAttack

    x, y = (
        to_tensor(test.image[rows]).contiguous(),
        torch.from_numpy(test.label[rows].astype(np.int64)),
    )
    with frozen(net):
        attacker = AutoAttack(net, norm="Linf", eps=epsilon, seed=SEED, version="standard")
        _, predicted = attacker.run_standard_evaluation(x, y, batch_size=len(rows))
    return predicted.numpy()


def _ours(net: nn.Module, test: Split, rows: np.ndarray, epsilon: float) -> SuiteState:
    """The same images under our loop, as an evaluation runs it: it asks whether to stop, and its
    state is made into arrays."""
    classes = len(test.info.classes)
    attacks = autoattack_suite(net, classes, "linf", epsilon, SEED)
    *_, state = (
        (found.to_arrays(), found)
        for found in run_suite(
            net,
            test.image[rows],
            test.label[rows],
            attacks,
            norm="linf",
            epsilon=epsilon,
            batch=len(rows),
            classes=classes,
            should_stop=lambda: False,
        )
    )
    return state[1]


def _costs(states: list[SuiteState]) -> list[Figure]:
    """Milliseconds that each attack takes for an image which it meets."""
    names = states[0].names
    seconds, tried = (
        sum(getattr(state, field) for state in states) for field in ("seconds", "tried")
    )
    return [
        Figure(
            f"milliseconds an attacked image: {name}", 1000 * seconds[k] / max(1, tried[k]), "ms"
        )
        for k, name in enumerate(names)
    ]
