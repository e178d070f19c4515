"""From images to the model: the Gaussian-model quantities of a labelled sample set in an encoder's
feature space (docs/theory.md, 9).

Classes are taken as Gaussians of one covariance S about their means. That is a simplification, so
the figures place a set on the theory's map; they do not predict its robust accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdp.errors import InputError
from cdp.theory.model import Floats, Ints
from cdp.values.types import Interval

_GROUPS = 20
"""Parts that the jackknife leaves out in turn."""
_LEAST = 4
"""Images a class: fewer have no spread worth the name."""


@dataclass(frozen=True, eq=False)
class FeatureEstimate:
    """The quantities of a set, each with a 95 % interval; Interval.n is the number of images.

    separation: |m|/s, root mean square over class pairs; m is half the difference of two class
    means, s^2 = tr(S^2)/tr(S) the noise of the isotropic Gaussian of ``dimension`` dimensions that
    has the same tr(S) and tr(S^2). dimension: effective, tr(S)^2/tr(S^2), 1 to D. angle: degrees
    between the class-mean differences of the set and of real images; ratio: c, separation over that
    of real images; real: separation of real images. All three None without real images, and the
    angle also where the classes of either cannot be told apart. pairs: (K, K) separation of every
    two classes, nan on the diagonal; classes: (K,) class numbers.
    """

    separation: Interval
    dimension: Interval
    angle: Interval | None
    ratio: Interval | None
    real: Interval | None
    pairs: Floats
    classes: Ints


def estimate_from_features(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    reference_labels: np.ndarray | None = None,
    seed: int = 0,
) -> FeatureEstimate:
    """Estimate them from features (n, D) with labels (n,), and from those of real images (m, D)
    with labels (m,) where given.

    What sampling adds to squared distances, to squared lengths under the cosine and to tr(S^2) is
    taken off, which for Gaussians leaves each without bias. Biased in small sets remain: what
    divides by tr(S^2) (with 2 classes of 4 images the dimension comes out some 10 % off), the roots
    of squares near 0, the arc of the cosine, and tr(S^2) of features with heavy tails (for Laplace
    noise 3 % up with 2 classes of 10, 17 % with 2 of 4). Intervals: jackknife over 20 groups of
    images, stratified by class, the set and the real images apart; a bootstrap would repeat images
    and so shrink the dimension. seed: of the groups. A separation that cannot be told from 0 is 0.
    Raises InputError for NaN, shapes that do not fit, fewer than 2 classes or 4 images a class,
    features that never vary within classes, and real images that lack a class of the set.
    """
    rows, numbers = _checked("features", features, labels)
    names = np.unique(numbers)
    own = _Jackknife(rows, np.searchsorted(names, numbers), len(names), seed)
    if reference is None:
        if reference_labels is not None:
            raise InputError("reference_labels belong to no features: pass reference too")
        return FeatureEstimate(
            own.separation(), own.dimension(), None, None, None, own.all.pairs(), names
        )
    if reference_labels is None:
        raise InputError("reference has no labels: pass reference_labels")
    real_rows, real_numbers = _checked("reference", reference, reference_labels)
    if real_rows.shape[1] != rows.shape[1]:
        raise InputError(
            f"reference has {real_rows.shape[1]} features where the set has {rows.shape[1]}: take"
            " both from one encoder"
        )
    if missing := sorted(set(names.tolist()) - set(real_numbers.tolist())):
        raise InputError(
            f"reference_labels: class {missing[0]} of the set has no real images: choose real"
            " images of the same classes"
        )
    stored = np.isin(real_numbers, names)
    real = _Jackknife(
        real_rows[stored], np.searchsorted(names, real_numbers[stored]), len(names), seed + 1
    )
    return FeatureEstimate(
        own.separation(),
        own.dimension(),
        _angle(own, real),
        _ratio(own, real),
        real.separation(),
        own.all.pairs(),
        names,
    )


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
    centred = rows.astype(np.float64)
    return centred, numbers.astype(np.int64)


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
        return cls(
            means,
            traces / sizes,
            float(traces.mean()),
            float(square),
            float(spread.sum()) / classes**2,
        )

    @property
    def apart(self) -> float:
        """Mean over class pairs of |difference of true means|^2; can be negative where there is
        none."""
        return 2 * self.size / (len(self.means) - 1)

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
        return self.apart / 4 / self.scale

    @property
    def dimension(self) -> float:
        return (self.total**2 - self.spare) / self.square

    def pairs(self) -> Floats:
        differences = (
            np.square(self.means[:, None] - self.means[None]).sum(axis=2)
            - self.noise[:, None]
            - self.noise[None]
        )
        result = np.sqrt(np.maximum(differences, 0.0) / 4 / self.scale)
        np.fill_diagonal(result, np.nan)
        return np.asarray(result)


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
        low, high = _bounds(
            self.all.squared_separation, [item.squared_separation for item in self.without]
        )
        return _rooted(self.all.squared_separation, low, high, self.n)

    def dimension(self) -> Interval:
        most = float(self.all.means.shape[1])
        low, high = _bounds(
            np.log(self.all.dimension), [float(np.log(item.dimension)) for item in self.without]
        )
        value, least, largest = (
            min(max(float(bound), 1.0), most)
            for bound in (self.all.dimension, np.exp(low), np.exp(high))
        )
        return Interval(value, least, largest, self.n)


def _angle(own: _Jackknife, real: _Jackknife) -> Interval | None:
    if own.separation().low == 0 or real.separation().low == 0:
        return None

    def cosine(first: _Summary, second: _Summary) -> float:
        """Of all class-mean differences at once; the two sets are independent, so their product
        needs no correction."""
        length = first.size * second.size
        return (
            float((first.centred * second.centred).sum() / np.sqrt(length))
            if min(first.size, second.size) > 0
            else 0.0
        )

    value = cosine(own.all, real.all)
    low, high = _bounds(
        value,
        [cosine(item, real.all) for item in own.without],
        [cosine(own.all, item) for item in real.without],
    )
    nearest, middle, farthest = (
        float(np.rad2deg(np.arccos(np.clip(bound, -1, 1)))) for bound in (high, value, low)
    )
    return Interval(middle, nearest, farthest, own.n)


def _ratio(own: _Jackknife, real: _Jackknife) -> Interval:
    if real.all.size <= 0:
        raise InputError(
            "reference: its classes cannot be told apart in these features, so nothing can be"
            " measured against them: use another encoder"
        )

    def squared(first: _Summary, second: _Summary) -> float:
        return first.squared_separation / max(second.squared_separation, 1e-12)

    value = squared(own.all, real.all)
    low, high = _bounds(
        value,
        [squared(item, real.all) for item in own.without],
        [squared(own.all, item) for item in real.without],
    )
    return _rooted(value, low, high, own.n)


def _bounds(value: float, *without: list[float]) -> tuple[float, float]:
    """95 % bounds by the delete-a-group jackknife (Efron and Tibshirani 1993, 11.5), the variances
    of independent sets added."""
    from scipy.special import stdtrit

    variance = sum(
        (len(result) - 1) / len(result) * float(np.square(np.array(result) - np.mean(result)).sum())
        for result in without
    )
    half = float(stdtrit(min(len(result) for result in without) - 1, 0.975)) * float(
        np.sqrt(variance)
    )
    return value - half, value + half


def _rooted(value: float, low: float, high: float, n: int) -> Interval:
    """From the square to the thing itself, 0 where the square is below."""
    root, least, most = (float(np.sqrt(max(bound, 0.0))) for bound in (value, low, high))
    return Interval(root, least, most, n)
