"""Which figure of the images alone deserves trust as a shortcut: its rank correlation with robust
accuracy over arms."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.experiments.measures import TITLES
from cdp.values.experiment import ArmResult, Proxy
from cdp.values.types import Interval

LEAST_ARMS = 5
"""For a rank correlation over arms; of fewer, nothing can be said."""


def proxies_of(arms: Sequence[ArmResult]) -> tuple[Proxy, ...]:
    """Which figures of the images rank arms as robust accuracy does."""
    proxies = []
    for key, title in TITLES.items():
        pairs = [
            (arm.figures[key].value, arm.figures["robust"].value)
            for arm in arms
            if key in arm.figures and "robust" in arm.figures
        ]
        if len(pairs) >= LEAST_ARMS and all(
            len(set(column)) > 1 for column in zip(*pairs, strict=True)
        ):
            correlation = rank_correlation(*zip(*pairs, strict=True))
            proxies.append(Proxy(key, correlation, _trust(title, correlation)))
    return tuple(proxies)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Spearman's, with the 95 % interval of Bonett and Wright (2000): Fisher's z with variance
    (1 + r^2 / 2) / (n - 3)."""
    import numpy as np
    from scipy.stats import norm, spearmanr

    n, r = len(first), float(spearmanr(first, second).statistic)
    z = float(np.arctanh(np.clip(r, -0.999999, 0.999999)))
    half = float(norm.ppf(0.975)) * ((1 + r * r / 2) / (n - 3)) ** 0.5
    low, high = np.tanh([z - half, z + half])
    return Interval(r, min(r, float(low)), max(r, float(high)), n, 0.95)


def _trust(title: str, r: Interval) -> str:
    numbers = (
        f"rank correlation {r.value:+.2f}, 95 % interval {r.low:+.2f} to {r.high:+.2f}, {r.n} arms"
    )
    if r.low > 0 or r.high < 0:
        way = "rises" if r.value > 0 else "falls"
        return f"{title} {way} with robust accuracy ({numbers})."
    return f"{title} says nothing certain of robust accuracy ({numbers})."
