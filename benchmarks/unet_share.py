"""Unguided: how much of the wall time is spent inside the U-Net. The rest is what our loop adds to
it."""

from __future__ import annotations

import time

from benchmarks.measuring import spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options, clock_inside
from cdp.config.generate import GenerateConfig
from cdp.tasks.batches import sample_batch
from cdp.tasks.loaded import load_engine

NAME, TITLE = "unet_share", "Unguided sampling: share of wall time inside the U-Net"


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """The share and the seconds a batch; settings."""
    config = options.config("unguided")
    net = load_engine(config).model.denoiser.unet
    _walk(config)
    shares, seconds = [], []
    for _ in range(options.rounds):
        with clock_inside(net) as inside:
            began = time.perf_counter()
            _walk(config)
            whole = time.perf_counter() - began
        shares.append(sum(inside) / whole)
        seconds.append(whole)
    figures = [
        Figure.of_spread(
            "time inside the U-Net / all time", spread(shares), target=Target(">=", 0.90)
        ),
        Figure.of_spread(f"{config.count} images", spread(seconds), "s"),
    ]
    return figures, {"config": config.model_dump(mode="json")}


def _walk(config: GenerateConfig) -> None:
    for _ in sample_batch(config, 0):
        pass
