"""How often the intervals of distinguishability hold what they are for, and how often sets that
differ only in their seed are told apart.

``python -m benchmarks.coverage [--n N ...] [--pairs N] [--keep FOLDER]``: images are drawn from
distributions that are known, so what an interval is for is known as well: the mean of the figure
over all repeats, and for the Frechet distance the distance of the two distributions.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import documents, results, tables
from benchmarks.measuring import load_now, machine
from benchmarks.results import Figure, Result
from cdp.embedding import classes, distances, images
from cdp.embedding.distances import frechet_distance
from cdp.embedding.images import Real
from cdp.embedding.intervals import Estimate, difference, p_value
from cdp.embedding.measure import TITLES, measure
from cdp.embedding.report import real_baseline
from cdp.embedding.rows import UndefinedError
from cdp.errors import CdpError, InputError
from cdp.files.atomic import write_json
from cdp.statistics.shares import wilson
from cdp.values.types import Interval

NAME, TITLE = "coverage", "How often a 95 % interval holds what it promises"
NOTES = (
    "apart: five well separated Gaussian classes of equal size in 8 dimensions; curved: five"
    " classes of one to three times as many images that overlap, heavy-tailed (Student's t, 4"
    " degrees of freedom) along a curve in 16 dimensions. Generated images are those scaled by 0.9."
    " Every two sets are measured against the same real images, other two against others: pairs of"
    " equal real images and of fresh ones differ only in their seed, and should be told apart in"
    " 5 %."
)
WIDTHS, CLASSES, SHRINK = {"apart": 8, "curved": 16}, 5, 0.9
PAIRS = {300: 200, 1000: 100, 5000: 30}
"""Pairs of each shape, by images a set."""
Drawn = tuple[np.ndarray, np.ndarray]
Figures = dict[str, Interval]


def apart(n: int, rng: np.random.Generator) -> Drawn:
    """(n, 8) features and (n,) classes: separated Gaussian classes of equal size."""
    label = np.arange(n) % CLASSES
    means = 1.5 * np.random.default_rng(1).normal(size=(CLASSES, WIDTHS["apart"]))
    return means[label] + rng.normal(size=(n, WIDTHS["apart"])), label


def curved(n: int, rng: np.random.Generator) -> Drawn:
    """(n, 16) features and (n,) classes: overlapping, heavy-tailed classes of unequal size along a
    curve."""
    share, width = np.linspace(1, 3, CLASSES), WIDTHS["curved"]
    label = np.repeat(
        np.arange(CLASSES),
        np.diff(np.round(n * np.concatenate([[0], np.cumsum(share / share.sum())])).astype(int)),
    )
    rows = np.random.default_rng(2).normal(size=(CLASSES, width))[label] + 0.7 * rng.standard_t(
        4, size=(n, width)
    )
    along = rng.normal(size=n)
    rows[:, 0] += 1.5 * along
    rows[:, 1] += 0.5 * along**2
    return rows, label


SHAPES: dict[str, Callable[[int, np.random.Generator], Drawn]] = {"apart": apart, "curved": curved}


@cache
def newton() -> type:
    """``standardised_logistic`` with the same minimum from few steps of Newton's method, as
    scikit-learn's takes most of the time of a measurement.

    Coefficients are penalised by half their squares and intercepts are not, as there.
    """
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Newton(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
        def fit(self, rows: np.ndarray, answers: np.ndarray) -> object:
            self.classes_, coded = np.unique(answers, return_inverse=True)
            self._middle, self._spread = (
                rows.mean(axis=0, dtype=np.float64),
                rows.std(axis=0, dtype=np.float64),
            )
            x, wanted = self._design(rows), np.eye(len(self.classes_))[coded]
            width, count = x.shape[1], len(self.classes_)
            # Equal shifts of all intercepts change nothing: the small penalty fixes them.
            penalty = np.tile(np.append(np.ones(width - 1), 1e-9), count)
            flat = np.zeros(count * width)
            for _ in range(20):
                share = _softmax(x @ flat.reshape(count, width).T)
                slope = (x.T @ (share - wanted)).T.ravel() + penalty * flat
                bend = np.empty((count, width, count, width))
                for i, j in itertools.combinations_with_replacement(range(count), 2):
                    weight = share[:, i] * (float(i == j) - share[:, j])
                    bend[i, :, j] = bend[j, :, i] = (x * weight[:, None]).T @ x
                step = np.linalg.solve(bend.reshape(len(flat), -1) + np.diag(penalty), slope)
                flat -= step
                if np.abs(step).max() < 1e-3:
                    break
            self._weight = flat.reshape(count, width)
            return self

        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            return _softmax(self._design(rows) @ self._weight.T)

        def predict(self, rows: np.ndarray) -> np.ndarray:
            return np.asarray(self.classes_[self.predict_proba(rows).argmax(axis=1)])

        def _design(self, rows: np.ndarray) -> np.ndarray:
            return np.column_stack(
                [
                    (rows - self._middle) / np.where(self._spread > 0, self._spread, 1),
                    np.ones(len(rows)),
                ]
            )

    return Newton


def _softmax(score: np.ndarray) -> np.ndarray:
    powers = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@contextmanager
def quick_classifiers(*, trained: bool) -> Iterator[None]:
    """Inside, ``measure`` trains its linear classifiers by ``newton``; or, not trained, leaves out
    the figures that need them."""

    def left_out(*_: object, **__: object) -> object:
        raise UndefinedError("left out here, as it trains classifiers")

    with ExitStack() as patches:
        for module, name, other in (
            ((classes, "standardised_logistic", newton()),)
            if trained
            else ((images, "linear_probe", left_out), (distances, "classifier_auc", left_out))
        ):
            patches.enter_context(patch.object(module, name, other))
        yield


def pair(shape: str, n: int, number: int, *, trained: bool = True) -> tuple[Figures, Figures]:
    """Figures of two generated sets of n images against the same n real images. number: which pair,
    the seed of all that is drawn."""
    draw = SHAPES[shape]
    train = draw(n, np.random.default_rng((7, n)))[0]
    rng = np.random.default_rng((n, number))
    real, known = draw(n, rng)
    against = Real(real, real_baseline(train, real, known), known)
    found = []
    with quick_classifiers(trained=trained):
        for _ in range(2):
            rows, label = draw(n, rng)
            found.append(measure(SHRINK * rows, label, against, by_class=False).figures)
    return found[0], found[1]


def pairs_of(
    shape: str, n: int, pairs: int, keep: Path | None = None, first: int = 0
) -> list[tuple[Figures, Figures]]:
    """So many pairs from number ``first``. keep: a folder where pairs lie that were measured
    already, and new ones go to."""
    found = []
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + pairs):
        path = keep / f"{shape}-{n}-{number}.json" if keep else None
        if path is not None and path.exists():
            first, second = (
                {key: _read(one) for key, one in side.items()}
                for side in json.loads(path.read_text(encoding="utf-8"))
            )
            found.append((first, second))
            continue
        found.append(pair(shape, n, number))
        if path is not None:
            write_json(
                path,
                [{key: _written(figure) for key, figure in side.items()} for side in found[-1]],
            )
    return found


def _written(figure: Interval) -> dict[str, Any]:
    """As JSON has no infinity, which the bounds of a figure without interval are, it is a word
    there."""
    return {
        name: str(value) if value in (math.inf, -math.inf) else value
        for name, value in asdict(figure).items()
    }


def _read(stored: Mapping[str, Any]) -> Estimate:
    values = {
        name: float(value) if value in ("inf", "-inf") else value for name, value in stored.items()
    }
    return Estimate(**{**values, "moves": tuple(values["moves"])})


def truth(key: str, found: Sequence[Figures], shape: str) -> float:
    """What the interval of a figure is for."""
    if key != "frechet":
        return float(np.mean([figures[key].value for figures in found]))
    real, other = (SHAPES[shape](400_000, np.random.default_rng(seed))[0] for seed in (98, 99))
    return frechet_distance(real, SHRINK * other)


def held(key: str, found: Sequence[tuple[Figures, Figures]], shape: str) -> tuple[int, int]:
    """Of how many sets the interval of a figure holds what it is for, and how many sets have an
    interval."""
    have = [figures for both in found for figures in both if key in figures]
    shown = [figures[key] for figures in have if not figures[key].note]
    target = truth(key, have, shape) if shown else 0.0
    return sum(figure.low <= target <= figure.high for figure in shown), len(shown)


def told_apart(
    key: str, found: Sequence[tuple[Figures, Figures]], *, fresh: bool
) -> tuple[int, int]:
    """How many pairs that differ only in their seed are told apart by a figure, and how many pairs
    there are. fresh: pairs against real images of their own, else against the same."""
    have = [both for both in found if all(key in side and not side[key].note for side in both)]
    first, second = ([both[side][key] for both in have] for side in (0, 1))
    if fresh:  # every set once, and never with one that saw the same real images
        chosen = [
            *zip(first[::2], first[1::2], strict=False),
            *zip(second[1::2], second[2::2], strict=False),
        ]
    else:
        chosen = list(zip(first, second, strict=True))
    return sum(p_value(difference(a, b)) < 0.05 for a, b in chosen), len(chosen)


def figures_of(found: Sequence[tuple[Figures, Figures]], shape: str, n: int) -> list[Figure]:
    """Three rows a figure: coverage, and the shares of pairs that are told apart against the same
    and against fresh real images."""
    lines = []
    for key, title in TITLES.items():
        counts = {
            "covered": held(key, found, shape),
            "told apart, same real images": told_apart(key, found, fresh=False),
            "told apart, fresh ones": told_apart(key, found, fresh=True),
        }
        for what, (count, of) in counts.items():
            if of:
                lines.append(
                    Figure.of_interval(
                        f"{title}, {shape}: {what}", wilson(count, of), "%", key=f"{n:,} images"
                    )
                )
    return lines


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises InputError for too few pairs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=TITLE)
    parser.add_argument(
        "--n", type=int, nargs="+", default=sorted(PAIRS), help="images a set (default %(default)s)"
    )
    parser.add_argument(
        "--pairs",
        type=int,
        help="pairs of sets of each shape (default: 200 of 300 images, 100 of 1,000, 30 of 5,000)",
    )
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="number of the first pair: from 200 on other draws than those of the table, which"
        " are printed only",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="store each pair there, and go on with those that it holds",
    )
    parser.add_argument(
        "--quick", action="store_true", help="4 pairs of 100 images, to see that it works"
    )
    found = parser.parse_args(given)
    if found.pairs is not None and found.pairs < 4:
        raise InputError("--pairs must be 4 or more: a coverage is a share of sets")
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 measured, 2 bad input."""
    try:
        asked = arguments(given)
        sizes = {100: 4} if asked.quick else {n: asked.pairs or PAIRS.get(n, 100) for n in asked.n}
        before = load_now()
        figures: list[Figure] = []
        for n, pairs in sizes.items():
            for shape in SHAPES:
                figures += figures_of(pairs_of(shape, n, pairs, asked.keep, asked.first), shape, n)
                print(f"{shape}, {n:,} images: done", flush=True)
        settings = {"quick": asked.quick, "images": list(sizes), "pairs": list(sizes.values())}
        result = Result(
            NAME, TITLE, tuple(figures), settings, machine(), (before, load_now()), NOTES, "matrix"
        )
        if not asked.first:
            results.save(result, results.folder(quick=asked.quick))
        print(f"{result.title}\n{tables.of_result(result)}\n{tables.stamp(result)}")
        if not asked.quick and not asked.first:
            documents.refresh()
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
