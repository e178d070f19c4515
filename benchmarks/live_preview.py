"""What a person waits for on the Generate page: 64 guided images, and the first frame after the
click on a warm engine."""

from __future__ import annotations

import time
from functools import partial

from benchmarks.measuring import Arm, interleaved, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options, to_bytes
from cdp.config.generate import GenerateConfig
from cdp.errors import CdpError
from cdp.tasks.live import live, warm
from cdp.work.live import Engine
from cdp.work.task import lazy

NAME, TITLE = "live_preview", "The Generate page at the default preset"
PATIENCE = 600.0
"""Seconds after which a job that does not end is an error."""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds to the images and to the first frame; settings."""
    config = options.config()
    warm(config)
    arms: dict[str, Arm] = {
        "guided images, as a big set makes them": partial(to_bytes, config),
        "guided images, live with frames and figures": partial(live, config, compare=False),
        "guided beside unguided, live with frames and figures": partial(live, config, compare=True),
    }
    seconds = interleaved(arms, options.rounds)
    about_three = Target("<=", 3.0)
    figures = [
        Figure.of_spread(
            f"{config.count} {name}",
            spread(times),
            "s",
            target=None if "beside" in name else about_three,
        )
        for name, times in seconds.items()
    ]
    first = spread(first_frames(config, options.rounds))
    figures.append(
        Figure.of_spread(
            "from submit to the first frame, engine warm", first, "s", target=Target("<=", 0.5)
        )
    )
    return figures, {"config": config.model_dump(mode="json")}


def first_frames(config: GenerateConfig, repeats: int) -> list[float]:
    """Seconds from submit until a frame can be read, each on an idle engine that has run this
    config before."""
    engine = Engine(live=lazy("cdp.tasks.live:live"), load=lazy("cdp.tasks.live:warm"))
    try:
        _first_frame(engine, config)
        return [_first_frame(engine, config) for _ in range(repeats)]
    finally:
        engine.close(timeout=PATIENCE)


def _first_frame(engine: Engine, config: GenerateConfig) -> float:
    began = time.perf_counter()
    job = engine.submit(config)
    while not (job.frames or job.over):
        time.sleep(0.002)
    seconds = time.perf_counter() - began
    job.cancel()
    if not job.wait(PATIENCE) or job.state == "failed":
        raise CdpError(f"the job did not end: {job.error or 'no answer'}")
    return seconds
