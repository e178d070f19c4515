"""Every knob of looking at sample sets in an encoder's feature space, once. The Explore page, its
URL and ``project`` read these."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from cdp.config.knobs import Frozen, knob

MOST_SETS, MOST_POINTS = 4, 50_000
PIXELS = "pixels"
"""The encoder that is none: features are the pixels themselves, in [0, 1]."""


class ExploreConfig(Frozen):
    """Which sets, in whose eyes, and how their features become a map: the same config gives the
    same map on the same machine."""

    sets: tuple[str, ...] = knob(
        ("fashion-mnist:test",), "Sets", min_length=1, max_length=MOST_SETS
    )
    """Saved sets by name, or real splits such as fashion-mnist:test."""
    encoder: str = knob("judge", "Encoder", min_length=1, max_length=400)
    """In whose features: an encoder of the data set by name or path, or pixels. The judge never
    guides, so it is the fair one."""
    dataset: str = knob("", "Real data", max_length=400, advanced=True)
    """Whose encoders and real images to use; empty takes the data set on the first set's card."""
    points: int = knob(5000, "Points", unit="images", ge=50, le=MOST_POINTS)
    """At most so many images of all sets together; of larger sets a class-balanced sample is
    drawn, and the page says so."""
    method: Literal["pca", "umap"] = knob("umap", "Projection")
    """PCA keeps directions of largest variance: linear, at once. UMAP keeps neighbourhoods:
    distances between far groups mean little."""
    dims: int = knob(2, "Dimensions", ge=2, le=3, advanced=True)
    """Of the map: 2 has lasso and box, 3 can be turned."""
    neighbors: int = knob(15, "Neighbours", unit="images", ge=2, le=200, advanced=True)
    """UMAP's n_neighbors: low values show local detail, high ones the overall shape."""
    min_dist: float = knob(0.1, "Minimum distance", ge=0, le=0.99, advanced=True)
    """UMAP's min_dist: how tightly points may lie; it changes the look, not the number, of
    clusters."""
    metric: Literal["euclidean", "cosine", "manhattan", "correlation"] = knob(
        "euclidean", "Metric", advanced=True
    )
    """How UMAP measures distance in feature space; the figures on this page are Euclidean."""
    fit: Literal["union", "real"] = knob("union", "Fit on", advanced=True)
    """Union: all sets shape the map together. Real: real training images shape it and the sets
    are placed in it, so that one map can be kept while sets change."""
    seed: int = knob(0, "Seed", ge=0, le=2**31 - 1, advanced=True)
    """Of the projection; the images drawn of a set are the same whatever it is."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.sets)) != len(self.sets):
            raise ValueError("sets: each set can be chosen once only")
        return self


def pca_of(config: ExploreConfig) -> ExploreConfig:
    """The plainest map of the same points: what stands in until UMAP is ready."""
    plain, of_umap = ExploreConfig(), ("fit", "dims", "neighbors", "min_dist", "metric")
    usual = {name: getattr(plain, name) for name in of_umap}
    return config.model_copy(update=usual | {"method": "pca"})
