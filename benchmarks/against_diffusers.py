"""Our sampler against the loop of diffusers' own pipeline in fp32, in turns; then whether the
images are as good.

Same network, solver, steps, batch and noise. What differs is precision ("auto" takes bf16 where it
is faster, which is measured), so the second half compares the images themselves, the judge's
agreement, and the judge's features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.measuring import Spread, interleaved, paired_ratio
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options, diffusers_loop, to_bytes
from cdp.config.generate import GenerateConfig
from cdp.embedding.distances import frechet_distance
from cdp.embedding.intervals import agreement_difference
from cdp.tasks.batches import batch_count, batch_rows, generate_batch, labels_of
from cdp.tasks.judge import judged, load_judge
from cdp.tasks.loaded import load_engine
from cdp.tasks.sources import dataset_of_generation

NAME, TITLE = "against_diffusers", "Our sampler against diffusers' own loop in fp32"
COMPARED = 1024
"""Images a set for the comparison of quality; the features have 128 dimensions."""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """The ratio of images per second, and the differences between both sets; settings."""
    config = options.config("unguided")
    rows = batch_rows(config, 0)
    seconds = interleaved(
        {"ours": partial(to_bytes, config), "theirs": partial(diffusers_loop, config, rows)},
        options.rounds,
    )
    rates = {name: _rate(times, config.count) for name, times in seconds.items()}
    figures = [
        Figure.of_spread(
            "our images/s / theirs",
            paired_ratio(seconds["theirs"], seconds["ours"]),
            target=Target(">=", 1.3),
        ),
        Figure.of_spread("ours", rates["ours"], "images/s"),
        Figure.of_spread("diffusers' loop, fp32", rates["theirs"], "images/s"),
    ]
    return figures + quality(config, 4 * options.images if options.quick else COMPARED), {
        "config": config.model_dump(mode="json")
    }


def _rate(seconds: list[float], images: int) -> Spread:
    rates = sorted(images / s for s in seconds)
    return Spread(images / float(np.median(seconds)), rates[0], rates[-1], len(rates))


def quality(config: GenerateConfig, count: int) -> list[Figure]:
    """Whether the faster images are the same images: per pixel, to the judge, and as a
    distribution."""
    config = config.model_copy(update={"count": count})
    ours, theirs = _whole(_ours, config), _whole(_theirs, config)
    other_seed = _whole(_theirs, config.model_copy(update={"seed": config.seed + 1}))
    change = np.abs(ours.astype(np.int16) - theirs.astype(np.int16))
    figures = [
        Figure("mean pixel difference", float(change.mean()), "of 255", n=count),
        Figure(
            "99th percentile of pixel differences",
            float(np.percentile(change, 99)),
            "of 255",
            n=count,
        ),
        Figure("largest pixel difference", float(change.max()), "of 255", n=count),
    ]
    judge = load_judge(dataset_of_generation(config))
    if judge is None:
        return figures
    label = labels_of(config, range(count), load_engine(config))
    mine, them, again = (judged(judge, images) for images in (ours, theirs, other_seed))
    difference = agreement_difference(np.asarray(mine.predicted), np.asarray(them.predicted), label)
    return [
        *figures,
        Figure.of_interval("judge agreement, ours minus theirs", difference, "points"),
        Figure(
            "Frechet distance in judge features, ours to theirs",
            frechet_distance(mine.features, them.features),
            n=count,
        ),
        Figure(
            "the same between two seeds of diffusers' loop",
            frechet_distance(again.features, them.features),
            n=count,
        ),
    ]


def _ours(config: GenerateConfig, index: int) -> object:
    made = generate_batch(config, index)
    assert made is not None  # nobody stops it
    return made[0]


def _theirs(config: GenerateConfig, index: int) -> object:
    *_, images = diffusers_loop(config, batch_rows(config, index))
    return images


def _whole(make: Callable[[GenerateConfig, int], object], config: GenerateConfig) -> np.ndarray:
    """All batches of a config, (N,H,W,C) uint8."""
    return np.concatenate([np.asarray(make(config, index)) for index in range(batch_count(config))])
