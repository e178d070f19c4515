"""Cheap figures of a set that may say beforehand how good it is for training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cdp.data.sets import open_set
from cdp.experiments.content import card_content
from cdp.files.cache import Report, cached_value, digest
from cdp.tasks.measuring import measure_set
from cdp.tasks.sources import dataset_of, matched, open_source

TITLES: Mapping[str, str] = {
    "agreement": "Judge agreement",
    "separation": "Separation",
    "coverage": "Coverage",
    "frechet": "Frechet distance",
    "nearest": "Nearest-training-image ratio",
}
"""The last hints at memorisation where it is below 1."""
ROWS = 2000
"""Images of each set that are looked at: enough to rank arms, and done in seconds."""
_VERSION = 1


def measures(name: str) -> dict[str, float]:
    """Figures of a saved set, those that are defined for it. Raises CdpError where none can be."""

    def make(report: Report) -> dict[str, float]:
        figures = measure_set(name, rows=ROWS, report=report).result.figures
        known = {key: figures[key].value for key in TITLES if key in figures}
        agreement = _agreement(name)
        return known if agreement is None else {"agreement": agreement, **known}

    key = digest(_VERSION, ROWS, card_content(name, open_set(name).card))
    return cached_value("experiment-measures", key, dict[str, float], make).get()


def _agreement(name: str) -> float | None:
    """Share of the images that the judge gives the class that they were made for; None without a
    judge or labels."""
    from cdp.tasks.judge import judged, load_judge

    source = open_source(name)
    dataset = dataset_of([source], "")
    source = matched(source, dataset)
    judge = load_judge(dataset) if dataset else None
    if judge is None or source.label is None:
        return None
    rows = source.rows(ROWS)
    return float(np.mean(judged(judge, source.image[rows]).predicted == source.label[rows]))
