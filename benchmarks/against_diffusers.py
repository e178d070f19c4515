"""Our sampler against the loop of diffusers' own pipelines, in turns: as each is used, and at the
same solver, steps and precision.

Same network and noise. Ours makes a set as the command line does, a batch on every core; theirs
samples one batch after the other with all cores, as a pipeline does, in a process of its own that
is set up as Python sets it up. Whether the default's images
are as good as those of 20 steps of DDIM says ``python -m benchmarks.default_sampler``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.measuring import Arm, Spread, interleaved, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import (
    COMPILES,
    Options,
    compiled,
    diffusers_loop,
    to_bytes,
    whole_set,
)
from benchmarks.served import Served
from cdp.config.generate import FORMER, GenerateConfig
from cdp.tasks.batches import batch_rows

NAME, TITLE = "against_diffusers", "Our sampler against diffusers' own loop"
DDIM = "DDIM, 20 steps"


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Ratios of images per second, and the difference of the images at equal settings; settings."""
    former = FORMER | options.steps
    default = options.config("unguided")
    plain = {p: options.config("unguided", **former, precision=p) for p in ("fp32", "bf16")}
    ours = {"default": default} | {f"ours, {p}": config for p, config in plain.items()}
    if not options.quick and COMPILES:
        ours |= {f"{name}, compiled": compiled(config) for name, config in ours.items()}
    arms: dict[str, Arm] = {
        name: partial(whole_set, options.large(config)) for name, config in ours.items()
    }
    theirs = {
        f"theirs, {p}": Served(diffusers_loop, config, batch_rows(config, 0))
        for p, config in plain.items()
    }
    try:
        seconds = interleaved(arms | theirs, options.rounds)
    finally:
        for arm in theirs.values():
            arm.close()
    # Seconds a batch: of theirs one is timed, of ours one a core.
    batches = {name: options.large(config).count // config.batch for name, config in ours.items()}
    each = {name: [s / batches.get(name, 1) for s in times] for name, times in seconds.items()}

    figures = []
    for how in ("", ", compiled"):
        if f"default{how}" not in each:
            continue
        figures.append(
            Figure.of_spread(
                f"default preset{how} / theirs, {DDIM}, fp32",
                paired_ratio(each["theirs, fp32"], each[f"default{how}"]),
                target=None if how else Target(">=", 4),
            )
        )
        figures += [
            Figure.of_spread(
                f"{DDIM}, {p} for both: ours{how} / theirs",
                paired_ratio(each[f"theirs, {p}"], each[f"ours, {p}{how}"]),
                target=Target(">=", 1.5) if how else None,
            )
            for p in plain
        ]
    figures += [
        Figure.of_spread(name, _rate(times, default.batch), "images/s")
        for name, times in each.items()
    ]
    return [*figures, difference(plain["fp32"])], {"config": default.model_dump(mode="json")}


def _rate(seconds: list[float], images: int) -> Spread:
    return spread([images / s for s in seconds])


def difference(config: GenerateConfig) -> Figure:
    """Between the images of one batch, by our sampler and by their loop."""
    *_, ours = to_bytes(config)
    *_, theirs = diffusers_loop(config, batch_rows(config, 0))
    gap = np.abs(np.asarray(ours).astype(np.int16) - np.asarray(theirs).astype(np.int16)).max()
    return Figure(f"largest pixel difference at {DDIM}, fp32", float(gap), "of 255", n=config.count)
