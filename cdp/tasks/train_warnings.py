"""Choices of robust training that are known to fail, in words, before the launch. Needs no
torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from cdp.config.choices import ARCHITECTURES
from cdp.config.train import TrainConfig
from cdp.errors import CdpError
from cdp.tasks.train_data import prepare
from cdp.values.types import DatasetInfo

LARGE_BUDGET = {"linf": 0.2, "l2": 3.0}
"""From here on a small network stays at chance where the budget is full from the first step
(MNIST's l_inf 0.3 is such a one)."""
MANY_REPEATS = 100
"""Times a synthetic image is seen; the published recipe shows each about 50 times (a million
images, 400 epochs)."""
FAST = 0.5
"""Learning rate from which the small network, which has no normalisation, was seen to break."""


def warnings_of(config: TrainConfig, info: DatasetInfo) -> tuple[str, ...]:
    """One sentence for each choice known to fail: what will happen, and what to choose. Opens the
    sets' cards, never raises."""
    return (*_of_method(config, info), *_of_network(config), *_of_images(config, info))


def _of_method(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    epsilon = config.epsilon if config.epsilon is not None else info.conventional(config.norm)
    small = not ARCHITECTURES[config.architecture].large
    if (
        small
        and epsilon is not None
        and epsilon >= LARGE_BUDGET[config.norm]
        and config.warm_up == 0
    ):
        yield (
            f"A small network is known to stay at chance under a {config.norm} budget of"
            f" {epsilon:g} that is full from the first step: set the budget warm-up to 0.2 or more"
        )
    if config.method == "trades" and config.beta == 0:
        yield (
            "TRADES with beta 0 trains on clean images alone, so nothing makes the network robust:"
            " set beta to 6"
        )


def _of_network(config: TrainConfig) -> Iterator[str]:
    network = ARCHITECTURES[config.architecture]
    if network.large:
        if not _has_gpu():
            yield (
                f"{network.title} on a CPU takes days where a GPU takes hours: choose the small network, or"
                " run this where there is a GPU"
            )
    elif config.learning_rate >= FAST:
        yield (
            "The small network has no normalisation, and a learning rate of"
            f" {config.learning_rate:g} is known to break it under SGD: set the learning rate"
            " to 0.1"
        )


def _of_images(config: TrainConfig, info: DatasetInfo) -> Iterator[str]:
    if config.real is not None and 0 < config.real < len(info.classes):
        yield (
            f"{config.real} real images cannot show all {len(info.classes)} classes: give it"
            f" {len(info.classes)} or more"
        )
    if config.synthetic and not config.synthetic_per_batch:
        yield (
            "The synthetic fraction is 0, so no batch holds an image of the synthetic sets that are"
            " named: raise fraction, or take the sets out"
        )
    if not config.synthetic_per_batch:
        return
    try:
        prepared = prepare(config)
    except (CdpError, OSError):
        return  # the launch says what is wrong with them
    for made in prepared.sets:
        if said := made.get("labels"):
            yield str(said)
    seen = (
        config.total_steps(prepared.mixture(config).steps_per_epoch)
        * config.synthetic_per_batch
        / prepared.synthetic
    )
    if seen > MANY_REPEATS:
        what = "further real" if config.further_real else "synthetic"
        yield (
            f"Each of the {prepared.synthetic} {what} images is seen about {seen:.0f} times, so the"
            f" network may learn them by heart: take more {what} images, or lower fraction or"
            f" {'steps' if config.steps is not None else 'epochs'}"
        )


def _has_gpu() -> bool:
    """Whether torch would find a GPU, as far as that can be told without loading it."""
    chosen = os.environ.get("CDP_DEVICE") or "auto"
    return chosen not in ("auto", "cpu") or (
        chosen == "auto" and shutil.which("nvidia-smi") is not None
    )
