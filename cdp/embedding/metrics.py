"""All metrics of this package by one import. Each works in the full feature space, never on a
two-dimensional projection."""

from cdp.embedding.checks import UndefinedError
from cdp.embedding.frechet import frechet_distance
from cdp.embedding.intervals import agreement, agreement_difference
from cdp.embedding.neighbours import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    nearest_distance,
    precision_recall,
)
from cdp.embedding.scatter import between_within_ratio, separation_difference, separation_interval
from cdp.statistics.shares import wilson

__all__ = [
    "DensityCoverage",
    "PrecisionRecall",
    "UndefinedError",
    "agreement",
    "agreement_difference",
    "between_within_ratio",
    "density_coverage",
    "frechet_distance",
    "nearest_distance",
    "precision_recall",
    "separation_difference",
    "separation_interval",
    "wilson",
]
