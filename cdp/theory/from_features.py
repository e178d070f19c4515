"""From images to the model: the Gaussian-model quantities of a labelled sample set in an encoder's
feature space (docs/theory.md, 9).

Classes are taken as Gaussians of one covariance S about their means. That is a simplification, so
the figures place a set on the theory's map; they do not predict its robust accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.theory.model import Floats, Ints
from cdp.values.types import Interval

_GROUPS = 20
"""Parts that the jackknife leaves out in turn."""
_LEAST = 4
"""Images a class: fewer have no spread worth the name."""


@dataclass(frozen=True)
class FeatureEstimate:
    """The quantities of a set, each with a 95 % interval; Interval.n is the number of images.

    separation: |m|/s, root mean square over class pairs; m is half the difference of two class
    means, s^2 = tr(S^2)/tr(S) the noise of the isotropic Gaussian of ``dimension`` dimensions that
    has the same tr(S) and tr(S^2). dimension: effective, tr(S)^2/tr(S^2), 1 to D. angle: degrees
    between the class-mean differences of the set and of real images; ratio: c, separation over that
    of real images; real: separation of real images. All three None without real images, and the
    angle also where the classes of either cannot be told apart. pairs: every two class numbers with
    the separation between them, nearest first.
    """

    separation: Interval
    dimension: Interval
    angle: Interval | None
    ratio: Interval | None
    real: Interval | None
    pairs: tuple[tuple[int, int, float], ...]


def estimate_from_features(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    reference: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
) -> FeatureEstimate:
    """Estimate them from features (n, D) with labels (n,), and from those of real images where
    given: reference: their features (m, D) and labels (m,).

    What sampling adds to squared distances, to squared lengths under the cosine and to tr(S^2) is
    taken off, which leaves each without bias for Gaussians, and the roots and ratios of them biased
    in small sets (2 classes of 4 images: the dimension by some 10 %). Intervals: jackknife over 20
    groups of images, stratified by class, the set and the real images apart; a bootstrap would
    repeat images and so shrink the dimension. seed: of the groups. A separation that cannot be told
    from 0 is 0. Raises InputError for NaN, shapes that do not fit, fewer than 2 classes or 4 images
    a class, features that never vary within classes, and real images that lack a class of the set.
    """
    rows, numbers = _checked("features", features, labels)
    names = np.unique(numbers)
    own = _Jackknife(rows, np.searchsorted(names, numbers), len(names), seed)
    apart = own.all.pairs()
    pairs = [
        (int(names[i]), int(names[j]), float(apart[i, j]))
        for i, j in zip(*np.triu_indices(len(names), 1), strict=True)
    ]
    angle, ratio, real_separation = None, None, None
    if reference is not None:
        real_rows, real_numbers = _checked("reference", *reference)
        if real_rows.shape[1] != rows.shape[1]:
            raise InputError(
                f"reference has {real_rows.shape[1]} features where the set has {rows.shape[1]}:"
                " take both from one encoder"
            )
        if missing := sorted(set(names.tolist()) - set(real_numbers.tolist())):
            raise InputError(
                f"reference: class {missing[0]} of the set has no real images: choose real images"
                " of the same classes"
            )
        shared = np.isin(real_numbers, names)
        places = np.searchsorted(names, real_numbers[shared])
        real = _Jackknife(real_rows[shared], places, len(names), seed + 1)
        angle, ratio, real_separation = _angle(own, real), _ratio(own, real), real.separation()
    ordered = tuple(sorted(pairs, key=lambda pair: pair[2]))
    separation, dimension = own.separation(), own.dimension()
    return FeatureEstimate(separation, dimension, angle, ratio, real_separation, ordered)


def _checked(name: str, features: np.ndarray, labels: np.ndarray) -> tuple[Floats, Ints]:
    rows, numbers = np.asarray(features), np.asarray(labels)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiu":
        raise InputError(
            f"{name} has shape {rows.shape} and type {rows.dtype}: pass rows of numbers (n, D)"
        )
    if numbers.shape != (len(rows),) or numbers.dtype.kind not in "iu":
        raise InputError(
            f"labels of {name} have shape {numbers.shape} and type {numbers.dtype}: pass"
            f" {len(rows)} integer class numbers"
        )
    if not np.isfinite(rows).all():
        raise InputError(f"{name} has NaN or infinity: leave out images that the encoder failed on")
    sizes = np.unique(numbers, return_counts=True)[1]
    smallest = int(sizes.min()) if len(sizes) else 0
    if len(sizes) < 2 or smallest < _LEAST:
        raise InputError(
            f"{name} has {len(sizes)} classes, the smallest of {smallest} images: 2 classes of"
            f" {_LEAST} images each are needed"
        )
    return rows.astype(np.float64), numbers.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Summary:
    """means: (K, D); noise: (K,) what sampling adds to a squared distance from each; total, square:
    tr(S) and tr(S^2), without bias for Gaussians; spare: variance of ``total`` by sampling."""

    means: Floats
    noise: Floats
    total: float
    square: float
    spare: float

    @classmethod
    def of(cls, rows: Floats, numbers: Ints, classes: int) -> _Summary:
        sizes = np.bincount(numbers, minlength=classes)
        means = np.stack([rows[numbers == k].mean(axis=0) for k in range(classes)])
        # Deviations from a class's own mean vary (n_k - 1)/n_k times too little.
        rest = (rows - means[numbers]) * np.sqrt(sizes / (sizes - 1))[numbers][:, None]
        lengths = np.square(rest).sum(axis=1)
        traces = np.bincount(numbers, lengths, classes) / sizes
        gram = rest.T @ rest if rest.shape[1] <= len(rest) else rest @ rest.T
        # Mean of (r_i.r_j)^2 over different images. Two of one class share their mean, so r_i and
        # r_j have covariance -S/(n_k - 1), and Gaussians E (r_i.r_j)^2 = tr(S^2) + (tr(S)^2 +
        # tr(S^2))/(n_k - 1)^2, where E traces_k^2 = tr(S)^2 + 2 tr(S^2)/(n_k - 1).
        shared = (sizes / (sizes - 1) * np.square(traces)).sum()
        pairs = len(rows) * (len(rows) - 1) + (sizes * (sizes - 3) / np.square(sizes - 1)).sum()
        square = (np.square(gram).sum() - np.square(lengths).sum() - shared) / pairs
        # Lengths of one class vary together too: their squared deviations add up to n_k (n_k - 2)
        # times the variance of their mean.
        spread = np.bincount(numbers, np.square(lengths - traces[numbers]), classes) / (
            sizes * (sizes - 2)
        )
        total, spare = float(traces.mean()), float(spread.sum()) / classes**2
        return cls(means, traces / sizes, total, float(square), spare)

    @property
    def centred(self) -> Floats:
        return np.asarray(self.means - self.means.mean(axis=0))

    @property
    def size(self) -> float:
        """Sum over classes of |true mean - mean of the true means|^2."""
        return float(np.square(self.centred).sum() - (1 - 1 / len(self.means)) * self.noise.sum())

    @property
    def scale(self) -> float:
        """s^2 = tr(S^2)/tr(S)."""
        return self.square / self.total

    @property
    def squared_separation(self) -> float:
        """Mean over class pairs of (|difference of true means| / 2 s)^2; negative by chance where
        there is none."""
        return self.size / (len(self.means) - 1) / 2 / self.scale

    @property
    def dimension(self) -> float:
        return (self.total**2 - self.spare) / self.square

    def pairs(self) -> Floats:
        """Separation of every two classes, (K, K)."""
        squares = np.square(self.means[:, None] - self.means[None]).sum(axis=2)
        squares -= self.noise[:, None] + self.noise[None]
        return np.asarray(np.sqrt(np.maximum(squares, 0.0) / 4 / self.scale))


class _Jackknife:
    """A set's summary, and the summaries without each of the groups of images."""

    def __init__(self, rows: Floats, numbers: Ints, classes: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(rows))
        order = order[np.argsort(numbers[order], kind="stable")]
        groups = int(min(_GROUPS, np.bincount(numbers).min()))
        part = np.empty(len(rows), np.int64)
        part[order] = np.arange(len(rows)) % groups
        rows = rows - rows.mean(axis=0)
        self.n = len(rows)
        self.all = _Summary.of(rows, numbers, classes)
        # Deviations that are nothing but rounding are no spread.
        if not self.all.total > 1e-20 * float(np.square(rows).sum()) / len(rows):
            raise InputError(
                "features do not vary within classes: use another encoder or more images"
            )
        self.without = [
            _Summary.of(rows[part != g], numbers[part != g], classes) for g in range(groups)
        ]
        if min(item.square for item in [self.all, *self.without]) <= 0:
            raise InputError(
                f"{len(rows)} images are too few to tell how features vary together: use more"
                " images a class"
            )

    def separation(self) -> Interval:
        return _rooted(lambda own, _: own.squared_separation, self)

    def dimension(self) -> Interval:
        value, low, high = np.exp(_bounds(lambda own, _: float(np.log(own.dimension)), self))
        most = float(self.all.means.shape[1])
        value, low, high = np.clip((value, low, high), 1.0, most)
        return Interval(float(value), float(low), float(high), self.n)


def _angle(own: _Jackknife, real: _Jackknife) -> Interval | None:
    if own.separation().low == 0 or real.separation().low == 0:
        return None

    def cosine(first: _Summary, second: _Summary) -> float:
        """Of all class-mean differences at once; the two sets are independent, so their product
        needs no correction."""
        if min(first.size, second.size) <= 0:
            return 0.0
        return float((first.centred * second.centred).sum() / np.sqrt(first.size * second.size))

    value, low, high = np.rad2deg(np.arccos(np.clip(_bounds(cosine, own, real), -1, 1)))
    return Interval(float(value), float(high), float(low), own.n)


def _ratio(own: _Jackknife, real: _Jackknife) -> Interval:
    if real.all.size <= 0:
        raise InputError(
            "reference: its classes cannot be told apart in these features, so nothing can be"
            " measured against them: use another encoder"
        )
    return _rooted(lambda a, b: a.squared_separation / max(b.squared_separation, 1e-12), own, real)


def _bounds(of: _Figure, own: _Jackknife, real: _Jackknife | None = None) -> Floats:
    """A figure of the set (and of the real images) and its 95 % bounds by the delete-a-group
    jackknife (Efron and Tibshirani 1993, 11.5), the variances of independent sets added: (3,)."""
    from scipy.special import stdtrit

    second = real or own
    parts = [[of(part, second.all) for part in own.without]]
    if real is not None:
        parts.append([of(own.all, part) for part in real.without])
    variance = sum((len(part) - 1) * float(np.var(part)) for part in parts)
    half = float(stdtrit(min(len(part) for part in parts) - 1, 0.975)) * np.sqrt(variance)
    value = of(own.all, second.all)
    return np.array([value, value - half, value + half])


def _rooted(of: _Figure, own: _Jackknife, real: _Jackknife | None = None) -> Interval:
    """From the square to the thing itself, 0 where the square is below."""
    value, low, high = np.sqrt(np.maximum(_bounds(of, own, real), 0.0))
    return Interval(float(value), float(low), float(high), own.n)


_Figure = Callable[[_Summary, _Summary], float]
