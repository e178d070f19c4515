"""Guided over the full window against unguided, in turns. The guide costs one encoder pass forward
and back a step."""

from __future__ import annotations

from functools import partial

from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import FULL_WINDOW, Options
from cdp.tasks.batches import sample_batch

NAME, TITLE = "guided_cost", "Guided sampling against unguided"


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Ratios of wall time to the unguided arm; settings."""
    configs = {
        "unguided": options.config("unguided"),
        "InfoNCE, full window": options.config(**FULL_WINDOW),
        "default preset": options.config(),
    }
    seconds = interleaved(
        {name: partial(sample_batch, config, 0) for name, config in configs.items()}, options.rounds
    )
    base = seconds.pop("unguided")
    targets = {"InfoNCE, full window": Target("<=", 1.35)}
    figures = [
        Figure.of_spread(f"{name} / unguided", paired_ratio(times, base), target=targets.get(name))
        for name, times in seconds.items()
    ]
    figures.append(Figure.of_spread(f"unguided, {options.images} images", spread(base), "s"))
    return figures, {name: config.model_dump(mode="json") for name, config in configs.items()}
