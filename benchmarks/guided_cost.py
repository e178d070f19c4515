"""What guidance costs, in turns: guided sets against unguided ones, and a guided set in the
published setting against the published loop written plainly.

The guide costs one encoder pass forward and back a step. Sets are made as the command line makes
them, a batch on every core; the plain loop samples one batch with all cores.
"""

from __future__ import annotations

from functools import partial

from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import COMPILES, FULL_WINDOW, Options, compiled, whole_set
from benchmarks.textbook import published_guidance
from cdp.tasks.batches import batch_rows

NAME, TITLE = "guided_cost", "Guided sampling against unguided, and against the published loop"
BATCH = 128
"""Images a batch of the published setting here, for 512, so that a round takes seconds."""


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Ratios of wall time; settings."""
    configs = {
        "unguided": options.config("unguided"),
        "InfoNCE, full window": options.config(**FULL_WINDOW),
        "default preset": options.config(),
    }
    size = {} if options.quick else {"batch": BATCH, "count": BATCH}
    published = options.config("paper-cifar10", **size)
    seconds = interleaved(
        {name: partial(whole_set, options.large(config)) for name, config in configs.items()},
        options.rounds,
    )
    base = seconds.pop("unguided")
    targets = {"InfoNCE, full window": Target("<=", 1.35), "default preset": Target("<=", 1.15)}
    figures = [
        Figure.of_spread(f"{name} / unguided", paired_ratio(times, base), target=targets[name])
        for name, times in seconds.items()
    ]
    large = options.large(published)
    figures.append(
        Figure.of_spread(
            f"unguided, {options.large(configs['unguided']).count} images", spread(base), "s"
        )
    )
    sets = {"": large}
    if not options.quick and COMPILES:
        sets[", compiled"] = compiled(large)
    both = interleaved(
        {name: partial(whole_set, config) for name, config in sets.items()}
        | {"theirs": partial(published_guidance, published, batch_rows(published, 0))},
        options.rounds,
    )
    theirs = [s * large.count / published.count for s in both["theirs"]]
    figures += [
        Figure.of_spread(
            f"published setting, fp32: images/s of ours{name} / of the plain loop",
            paired_ratio(theirs, both[name]),
            target=Target(">=", 3) if name else None,
        )
        for name in sets
    ]
    return figures, {name: config.model_dump(mode="json") for name, config in configs.items()}
