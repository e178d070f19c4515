"""What work costs on this machine, learned from work that ran and kept between starts, and how long
work will take yet."""

from __future__ import annotations

import math
import platform
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cdp.config.generate import GenerateConfig, positives_of
from cdp.files import cache

KIND, VERSION = "cost", 1
FULL_BATCH = 16
"""From this many images on, a batch costs in proportion; smaller ones say nothing about larger
ones."""


def time_left(
    spent: float, done: float, left: float, *, expected: float | None = None, alike: bool = False
) -> float | None:
    """Seconds that work will take yet; None where nothing tells. spent: seconds in which ``done``
    units were done, of which ``left`` are left. expected: seconds of the whole by what such work
    took here before; it counts until they are over, as the parts of a short piece of work are
    seldom alike. alike: those of this one are, so its own pace counts the more the longer it
    lasts."""
    if left <= 0:
        return 0.0
    seconds = spent * left / done if done > 0 and spent > 0 else math.inf
    if expected is not None and spent < expected:
        own = spent / expected if alike and math.isfinite(seconds) else 0.0
        return (1 - own) * (expected - spent) + (own * seconds if own else 0.0)
    return seconds if math.isfinite(seconds) else None


def known_rates(*work: object) -> dict[str, float] | None:
    """Seconds a unit, by name, of work of this kind on this machine; None until it was learned.
    work: all that the rates depend on."""
    stored = cache.load_json(KIND, _key(*work))
    rates = {name: value for name, value in (stored or {}).items() if _is_rate(value)}
    return rates if rates and len(rates) == len(stored or {}) else None


def learn_rates(work: Sequence[object], **rates: float) -> None:
    """Take in what a piece of work did cost. Half the old, half the new, so that one disturbed run
    does not decide and a changed machine is soon known."""
    known = known_rates(*work)
    if known is not None and known.keys() == rates.keys():
        rates = {name: (known[name] + value) / 2 for name, value in rates.items()}
    cache.keep(KIND, _key(*work), rates)


def _key(*work: object) -> str:
    return cache.digest(VERSION, platform.node(), *work)


def _is_rate(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value >= 0


@dataclass(frozen=True)
class Tick:
    """One step of a finished job. seconds: since the step before; guided: whether guidance was
    active in it; autoguided: whether a weak model was asked as well."""

    seconds: float
    guided: bool
    autoguided: bool = False

    @property
    def sort(self) -> str:
        return _SORTS[self.guided, self.autoguided]


_SORTS = {
    (False, False): "plain",
    (True, False): "guided",
    (False, True): "autoguided",
    (True, True): "both",
}
"""Names of the rates of a step, by guided and autoguided."""


def is_guided(config: GenerateConfig) -> bool:
    """Whether guidance does anything in this config."""
    g = config.guidance
    return g.loss != "none" and (g.strength if g.strength_mode == "relative" else g.raw_lambda) != 0


def asks_weak_model(config: GenerateConfig, t_fraction: float) -> bool:
    """Whether autoguidance acts at a noise level."""
    s = config.sampler
    return s.autoguided and s.autoguidance_stop <= t_fraction < s.autoguidance_start


def sorts_of_steps(config: GenerateConfig) -> Counter[str]:
    """How many steps of each sort there are, for timesteps evenly spaced over T."""
    steps, g, guided = config.sampler.steps, config.guidance, is_guided(config)
    return Counter(
        _SORTS[guided and g.window_stop <= t < g.window_start, asks_weak_model(config, t)]
        for t in (i / steps for i in range(steps))
    )


def network_calls(config: GenerateConfig) -> int:
    """Calls of a diffusion model that an image takes, those of a weak model among them."""
    sorts = sorts_of_steps(config)
    return config.sampler.steps + sorts["autoguided"] + sorts["both"]


def generation_seconds(config: GenerateConfig, *, compare: bool) -> float | None:
    """Seconds that this generation will take with its models loaded; None until its kind has been
    measured."""
    rates = known_rates("generate", kind(config, compare=compare))
    if rates is None:
        return None
    steps = sum(count * rates[sort] for sort, count in sorts_of_steps(config).items())
    return config.count * (steps + rates["tail"])


def learn_generation(
    config: GenerateConfig, *, compare: bool, ticks: Sequence[Tick], tail: float
) -> None:
    """Take in one finished generation. ticks: all of its steps but the first; tail: seconds after
    the last. Where no step of one sort was seen (a window that covers everything), it is taken to
    cost what the nearest sort does."""
    if not ticks or min(config.count, config.batch) < min(config.batch, FULL_BATCH):
        return
    # Moved by one step, whether batches run in turn or together.
    images = config.count * config.sampler.steps / (len(ticks) + 1)
    seen = {
        sort: statistics.median(t.seconds / images for t in ticks if t.sort == sort)
        for sort in {t.sort for t in ticks}
    }
    rates = {"tail": tail / config.count}
    for (guided, auto), sort in _SORTS.items():
        if config.sampler.autoguided or not auto:
            near = (guided, auto), (not guided, auto), (guided, not auto), (not guided, not auto)
            rates[sort] = next(seen[_SORTS[key]] for key in near if _SORTS[key] in seen)
    learn_rates(("generate", kind(config, compare=compare)), **rates)


def kind(config: GenerateConfig, *, compare: bool) -> str:
    """Everything but count, steps and solver that a step's cost depends on, as one readable key."""
    g, s = config.guidance, config.sampler
    parts = [config.model, s.precision, f"batch {config.batch}"]
    parts += ["cfg" if s.cfg_scale != 1 else "no cfg", "compiled" if s.compile else "eager"]
    parts += [f"weak {s.weak_model}"] if s.autoguided else []
    if is_guided(config):
        parts += [config.dataset, g.encoder, g.point, positives_of(g), g.negatives]
        parts += ["head" if g.head else "no head", "two arms" if compare else "one arm"]
    return " | ".join(parts)
