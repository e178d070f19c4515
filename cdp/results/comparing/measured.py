"""An arm with the numbers that were chosen for it, and the mean over its seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cdp.results.comparing.arms import Group
from cdp.results.comparing.numbers import Number, Setting
from cdp.statistics.seeds import mean_interval
from cdp.values.comparison import Compute, Metric
from cdp.values.types import Interval


@dataclass(frozen=True)
class Measured:
    """An arm with the numbers chosen for it. setting: None where it has none; numbers: one a run,
    None where not measured in this setting; spent: the compute of each run, None unknown."""

    group: Group
    setting: Setting | None
    numbers: tuple[Number | None, ...]
    spent: tuple[Compute | None, ...]

    @property
    def name(self) -> str:
        return self.group.name

    def values(self, metric: Metric) -> dict[int, float]:
        """Shares by seed, of the seeds that have one."""
        return {seed: share.value for seed, share in self.shares(metric).items()}

    def shares(self, metric: Metric) -> dict[int, Interval]:
        """By seed, with the interval of the images."""
        found = {}
        for run, number in zip(self.group.runs, self.numbers, strict=True):
            share = (
                None if number is None else number.robust if metric == "robust" else number.clean
            )
            if share is not None:
                found[getattr(run.config, "seed", 0)] = share
        return found

    @property
    def measured(self) -> list[Number]:
        return [number for number in self.numbers if number is not None]

    def interval(self, metric: Metric) -> Interval | None:
        """Mean over seeds with Student's t interval, cut to 0..1; of a single seed Wilson's, of its
        images."""
        shares = self.shares(metric)
        if len(shares) < 2:
            return next(iter(shares.values()), None)
        mean = mean_interval([share.value for share in shares.values()])
        return replace(mean, low=max(0.0, mean.low), high=min(1.0, mean.high))

    @property
    def words(self) -> str:
        """Which interval of robust accuracy that is; "" where there is none."""
        shares = self.shares("robust") or self.shares("clean")
        if len(shares) > 1:
            return (
                f"95 % t interval over {len(shares)}"
                f" seeds{', 1 degree of freedom' * (len(shares) == 2)}"
            )
        return "".join(
            f"95 % Wilson interval of {share.n:,} images, one seed" for share in shares.values()
        )
