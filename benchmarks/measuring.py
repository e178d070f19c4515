"""Interleaved timing, and what has to be said beside every number: spread, repeats, threads,
load."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cdp.errors import InputError

Arm = Callable[[], Iterable[object]]
"""Starts one repeat; what it yields are its steps, and the work is done between them."""

_END = object()


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and largest of n repeats."""

    value: float
    low: float
    high: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Raises InputError for no values."""
    if not values:
        raise InputError("there is nothing to take the median of: measure at least once")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Spread:
    """The ratio of each round, then its spread: what slows a whole round down cancels, where a
    ratio of medians would keep it."""
    if len(numerator) != len(denominator):
        raise InputError(
            f"{len(numerator)} and {len(denominator)} repeats do not pair: time both arms in every"
            " round"
        )
    return spread([a / b for a, b in zip(numerator, denominator, strict=True)])


def interleaved(arms: Mapping[str, Arm], repeats: int) -> dict[str, list[float]]:
    """Wall seconds of every arm in each round, after one untimed round that fills caches.

    Within a round the arms take turns step by step, so that a disturbance of a second or more meets
    all of them.
    """
    _round(arms)
    rounds = [_round(arms) for _ in range(repeats)]
    return {name: [seconds[name] for seconds in rounds] for name in arms}


def _round(arms: Mapping[str, Arm]) -> dict[str, float]:
    seconds = dict.fromkeys(arms, 0.0)
    running: dict[str, Iterator[object]] = {}
    for name, arm in arms.items():
        began = time.perf_counter()
        running[name] = iter(arm())
        seconds[name] += time.perf_counter() - began
    while running:
        for name, steps in list(running.items()):
            began = time.perf_counter()
            if next(steps, _END) is _END:
                del running[name]
            seconds[name] += time.perf_counter() - began
    return seconds


def load_now() -> float:
    """Runnable processes, averaged over the last minute; 0 where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def machine() -> dict[str, Any]:
    """The machine and the libraries, JSON-ready."""
    import torch

    return {
        "processor": _processor() + (" with AMX" if has_amx() else ""),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "diffusers", "numpy")},
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def has_amx() -> bool:
    """Whether the processor has matrix units for bf16, which change every ratio of precisions."""
    return any("amx_bf16" in value.split() for value in _of_processor("flags"))


def _processor() -> str:
    """The processor's name where Linux says it."""
    names = _of_processor("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _of_processor(key: str) -> list[str]:
    """What Linux says under this key, one value a core; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.partition("\t")[0] == key]
