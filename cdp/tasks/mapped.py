"""Scores and pictures of the points of a map, over all its sets, in the order of the points. Torch
only where something is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cdp.config.explore import ExploreConfig, pca_of
from cdp.files import cache
from cdp.files.cache import Cached, Report
from cdp.tasks.atlas import embed
from cdp.tasks.scoring import SCORES, Scores, scores_of
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.values.types import Embedding
from cdp.work.session import Session


@dataclass(frozen=True)
class PointScores:
    """values: (n,) float64 by key of ``scoring.SCORES``, NaN for points of a set that has no such
    score; titles: with units; undefined: why a score is missing, by title."""

    values: Mapping[str, np.ndarray]
    titles: Mapping[str, str]
    undefined: Mapping[str, str]


def map_scores(config: ExploreConfig, shown: Embedding) -> Cached[PointScores]:
    """Every score of every point."""
    parts = [
        scores_of(source, rows, config.encoder, dataset, tuple(SCORES))
        for source, rows, dataset in _parts(config, shown)
    ]

    def known() -> PointScores | None:
        scores = [score for part in parts if (score := part.known()) is not None]
        return _joined(shown, scores) if len(scores) == len(parts) else None

    def make(report: Report) -> PointScores:
        return _joined(shown, [part.get() for part in parts])

    return Cached(cache.digest(*[part.key for part in parts]), known, make, lambda scores: None)


def score(config: ExploreConfig, session: Session) -> PointScores:
    """Every score of every point, computed where it is not known yet. Every map of these points has
    the same."""
    plain = pca_of(config)
    return map_scores(plain, embed(plain, session.share)).get()


def _parts(config: ExploreConfig, shown: Embedding) -> list[tuple[Source, np.ndarray, str]]:
    """Each set with its rows on the map."""
    sources = [open_source(name) for name in config.sets]
    dataset = dataset_of(sources, config.dataset, encoder=config.encoder)
    return [
        (source, shown.row[shown.which == number], dataset) for number, source in enumerate(sources)
    ]


def _joined(shown: Embedding, found: list[Scores]) -> PointScores:
    values, titles, undefined = {}, {}, {}
    for key, info in SCORES.items():
        title = f"{info.title} [{info.unit}]" if info.unit else info.title
        if any(key in part.values for part in found):
            values[key] = np.concatenate(
                [
                    part.values.get(key, np.full(int((shown.which == number).sum()), np.nan))
                    for number, part in enumerate(found)
                ]
            )
            titles[key] = title
        reasons = [part.undefined[key] for part in found if key in part.undefined]
        if reasons:
            undefined[info.title] = reasons[0]
    return PointScores(values, titles, undefined)
