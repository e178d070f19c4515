"""How often the intervals of distinguishability hold what they are for, and how often sets that differ only in their seed are told apart.

``python -m benchmarks.coverage [--n N ...] [--repeats N]``: images are drawn from distributions that are known, so what an interval is for is known
as well: the mean of the figure over all repeats, and for the Frechet distance the distance of the two distributions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import documents, results, tables
from benchmarks.measuring import load_now, machine
from benchmarks.results import Figure, Result
from cdp.embedding.frechet import frechet_distance
from cdp.embedding.intervals import p_value
from cdp.embedding.measure import TITLES, Real, difference, measure
from cdp.embedding.report import real_baseline
from cdp.errors import CdpError, InputError
from cdp.statistics.shares import wilson
from cdp.types import Interval

NAME, TITLE = "coverage", "How often a 95 % interval holds what it promises"
NOTES = (
    "apart: ten well separated Gaussian classes in 16 dimensions; curved: six classes of one to three times as many images that overlap, "
    "heavy-tailed (Student's t, 4 degrees of freedom) along a curve. Generated images are those scaled by 0.9, each repeat has fresh ones of both "
    "sides. In brackets: sets that differ only in their seed and are told apart, of half as many pairs; 5 % is what is asked."
)
WIDTH, SHRINK = 16, 0.9
Drawn = tuple[np.ndarray, np.ndarray]


def apart(n: int, rng: np.random.Generator) -> Drawn:
    """(n, 16) features and (n,) classes: ten separated Gaussian classes of equal size."""
    label = np.arange(n) % 10
    means = 1.5 * np.random.default_rng(1).normal(size=(10, WIDTH))
    return means[label] + rng.normal(size=(n, WIDTH)), label


def curved(n: int, rng: np.random.Generator) -> Drawn:
    """(n, 16) features and (n,) classes: six overlapping, heavy-tailed classes of unequal size along a curve."""
    share = np.linspace(1, 3, 6)
    label = np.repeat(np.arange(6), np.diff(np.round(n * np.concatenate([[0], np.cumsum(share / share.sum())])).astype(int)))
    rows = np.random.default_rng(2).normal(size=(6, WIDTH))[label] + 0.7 * rng.standard_t(4, size=(n, WIDTH))
    along = rng.normal(size=n)
    rows[:, 0] += 1.5 * along
    rows[:, 1] += 0.5 * along**2
    return rows, label


SHAPES: dict[str, Callable[[int, np.random.Generator], Drawn]] = {"apart": apart, "curved": curved}


def repeats_of(shape: str, n: int, repeats: int, *, seed: int = 0) -> list[dict[str, Interval]]:
    """All figures of so many generated sets of n images, each against n real images of its own."""
    draw = SHAPES[shape]
    rng = np.random.default_rng((seed, n))
    train = draw(n, rng)[0]
    found = []
    for _ in range(repeats):
        (rows, label), (real, known) = draw(n, rng), draw(n, rng)
        found.append(measure(SHRINK * rows, label, Real(real, real_baseline(train, real, known), known), by_class=False).figures)
    return found


def truth(key: str, found: Sequence[dict[str, Interval]], shape: str) -> float:
    """What the interval of a figure is for."""
    if key != "frechet":
        return float(np.mean([figures[key].value for figures in found]))
    real, other = (SHAPES[shape](400_000, np.random.default_rng(seed))[0] for seed in (98, 99))
    return frechet_distance(real, SHRINK * other)


def figures_of(found: Sequence[dict[str, Interval]], shape: str, n: int) -> list[Figure]:
    """A row a figure: coverage with its interval, and the share of pairs that are told apart."""
    lines = []
    for key, title in TITLES.items():
        have = [figures[key] for figures in found if key in figures]
        shown = [figure for figure in have if not figure.note]
        if not shown:
            continue
        target = truth(key, found, shape)
        covered = wilson(sum(figure.low <= target <= figure.high for figure in shown), len(shown))
        pairs = [p_value(difference(a, b)) < 0.05 for a, b in zip(have[::2], have[1::2], strict=False) if not a.note and not b.note]
        told = f" ({100 * np.mean(pairs):.1f} %)" if pairs else ""
        lines.append(Figure.of_interval(f"{title}, {shape}{told}", covered, "%", key=f"{n:,} images"))
    return lines


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises InputError for too few repeats."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=TITLE)
    parser.add_argument("--n", type=int, nargs="+", default=[300, 1000, 5000], help="images a set (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=400, help="sets of each shape; of 5,000 images a quarter (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="4 sets of 120 images, to see that it works")
    found = parser.parse_args(given)
    if found.repeats < 4:
        raise InputError("--repeats must be 4 or more: a coverage is a share of repeats")
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 measured, 2 bad input."""
    try:
        asked = arguments(given)
        sizes, repeats = ([120], 4) if asked.quick else (asked.n, asked.repeats)
        before = load_now()
        figures: list[Figure] = []
        for n in sizes:
            for shape in SHAPES:
                figures += figures_of(repeats_of(shape, n, max(4, repeats // 4 if n >= 5000 else repeats)), shape, n)
                print(f"{shape}, {n:,} images: done", flush=True)
        settings = {"quick": asked.quick, "images": sizes, "repeats": repeats}
        result = Result(NAME, TITLE, tuple(figures), settings, machine(), (before, load_now()), NOTES)
        results.save(result, results.folder(quick=asked.quick))
        print(f"{result.title}\n{tables.of_result(result)}\n{tables.stamp(result)}")
        if not asked.quick:
            documents.refresh()
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
