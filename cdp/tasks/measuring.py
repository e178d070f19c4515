"""Measuring sets by name: images in, features by an encoder, figures with intervals out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cdp.embedding.measure import Measurement, Real, difference, measure
from cdp.embedding.report import real_baseline
from cdp.errors import InputError
from cdp.models.encoders import JUDGE
from cdp.tasks.features import features
from cdp.tasks.sources import balanced_rows, dataset_of, open_source, real_images
from cdp.types import Interval

ROWS = 5000
"""Images of a set that are measured, class-balanced, where it has more."""


@dataclass(frozen=True)
class Measured:
    """One set's figures. total: images in the set, of which ``result.n`` were measured; class_names: by class number."""

    name: str
    total: int
    class_names: tuple[str, ...]
    result: Measurement


def measure_set(name: str, *, encoder: str = JUDGE, dataset: str = "", rows: int = ROWS, seed: int = 0) -> Measured:
    """Every figure of one set.

    name: a saved set, a path to one, or a real split such as ``fashion-mnist:test``. encoder: an encoder of the data set by name
    or path, or "pixels". dataset: whose real images to compare with; empty takes the one on the set's card.
    A set is compared with held-out real images and with training images; a real split has its own separability only.
    Raises InputError or MissingError with the remedy.
    """
    if rows < 100:
        raise InputError(f"rows is {rows}: measure at least 100 images, or intervals say nothing")
    source = open_source(name)
    dataset = dataset_of([source], dataset)
    chosen = balanced_rows(source.label, rows)
    rows_seen = features(encoder, dataset, source.image[chosen])
    if source.split and source.dataset == dataset:
        real = None  # real images measured against themselves say nothing of fidelity
    else:
        real = _real(encoder, dataset, rows)
        if real.features.shape[1] != rows_seen.shape[1]:
            raise InputError(f"{name} has images of another shape than {dataset}: choose an encoder and data set of their own")
    return Measured(source.title, len(source), source.class_names, measure(rows_seen, source.label[chosen], real, seed=seed))


def changes(first: Measured, second: Measured) -> dict[str, Interval]:
    """``first`` minus ``second``, figure by figure, where both have it."""
    return {
        key: difference(figure, second.result.figures[key]) for key, figure in first.result.figures.items() if key in second.result.figures
    }  # fmt: skip


@lru_cache(maxsize=4)
def _real(encoder: str, dataset: str, rows: int) -> Real:
    """Held-out real images to compare with, and training images to look for copies among."""
    held_out, train = real_images(dataset, "test", rows), real_images(dataset, "train", rows)
    seen = features(encoder, dataset, held_out[0])
    return Real(seen, real_baseline(features(encoder, dataset, train[0]), seen, held_out[1]))
