"""make coverage: it runs, stores what it measured, and its quick classifiers are those of
the app."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks import coverage, results
from cdp.embedding.classes import linear_probe
from cdp.embedding.distances import classifier_auc
from cdp.embedding.measure import TITLES


def test_a_quick_run_counts_every_figure_and_goes_on_with_what_it_keeps(
    cdp_home: Path, tmp_path: Path
) -> None:
    keep = tmp_path / "pairs"
    assert coverage.main(["--quick", "--keep", str(keep)]) == 0
    found = results.load("coverage", cdp_home / "benchmarks")
    assert found is not None
    lines = {figure.name: figure for figure in found.figures}
    for shape in coverage.SHAPES:
        for key, title in TITLES.items():
            if (key, shape) == (
                "frechet",
                "curved",
            ):  # 100 images are too few for its interval where features vary in many directions
                assert f"{title}, {shape}: covered" not in lines
                continue
            assert lines[f"{title}, {shape}: covered"].n == 8, title
            assert lines[f"{title}, {shape}: told apart, same real images"].n == 4
            assert lines[f"{title}, {shape}: told apart, fresh ones"].n == 3
    stored = {path: path.stat().st_mtime_ns for path in keep.iterdir()}
    assert len(stored) == 8
    assert coverage.main(["--quick", "--keep", str(keep)]) == 0
    again = results.load("coverage", cdp_home / "benchmarks")
    assert again is not None and again.figures == found.figures
    assert stored == {path: path.stat().st_mtime_ns for path in keep.iterdir()}


def test_too_few_pairs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main(["--pairs", "2"]) == 2
    assert "--pairs must be 4 or more" in capsys.readouterr().err


def test_newtons_method_finds_the_classifiers_that_the_app_trains() -> None:
    rng = np.random.default_rng(0)
    (real, _), (rows, label) = (
        coverage.SHAPES["curved"](300, rng),
        coverage.SHAPES["curved"](300, rng),
    )
    probe, told = linear_probe(rows, label), classifier_auc(real, 0.8 * rows)
    with coverage.quick_classifiers(trained=True):
        quick, quickly = linear_probe(rows, label), classifier_auc(real, 0.8 * rows)
    assert np.abs(quick.margin - probe.margin).mean() < 0.01
    assert (quick.hit != probe.hit).sum() <= 3
    assert quickly.value == pytest.approx(told.value, abs=0.005)


def test_the_intervals_of_the_last_whole_run_hold_what_they_promise_at_every_size() -> None:
    """The suite simulates 300 images (tests/embedding/test_coverage.py); larger sets take make
    coverage half an hour, and its counts are here."""
    stored = results.load("coverage")
    assert stored is not None
    for n in coverage.PAIRS:
        rows = [figure for figure in stored.figures if figure.key == f"{n:,} images"]
        covered = [row for row in rows if row.name.endswith(": covered")]
        assert len(covered) == len(TITLES) * len(coverage.SHAPES)
        for row in covered:
            hits = round(row.value * row.n / 100)
            # All of them together say so by chance in one of a thousand tables, were 93 % true.
            assert binom.cdf(hits, row.n, 0.93) > 1e-3 / len(covered), row
        assert 93 < np.average([r.value for r in covered], weights=[r.n for r in covered]) < 97
        for what in ("same real images", "fresh ones"):
            apart = [row for row in rows if row.name.endswith(f"told apart, {what}")]
            assert 2 < np.average([r.value for r in apart], weights=[r.n for r in apart]) < 8
