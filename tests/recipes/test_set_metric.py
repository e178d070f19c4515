"""A metric of a set is one entry of ``METRICS``: what it is called, needs and says, and how it is
computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cdp.data.sets import save_set
from cdp.embedding.measure import METRICS, measure
from tests.recipes.program import command, load

SOURCE = """
import numpy as np

from cdp.embedding.intervals import jackknife
from cdp.embedding.measure import METRICS, Claim, SetMetric
from cdp.embedding.rows import leave_out


def size(images, value):
    part = images.at(value)
    length = np.linalg.norm(part.rows, axis=1)
    groups, count = leave_out(part.classes, seed=part.seed)
    without = np.array([length[groups != group].mean() for group in range(count)])
    return jackknife(float(length.mean()), [without], len(length))


METRICS["size"] = SetMetric(
    "Feature size", "Mean length of the features", size, "fidelity", claim=Claim("feature size")
)
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    before = dict(METRICS)
    load(monkeypatch, tmp_path, "set_metric_added", SOURCE)
    yield tmp_path
    METRICS.clear()
    METRICS.update(before)


def test_it_is_measured_of_the_set_and_of_each_class_with_an_interval(added: Path) -> None:
    rng = np.random.default_rng(0)
    rows, label = rng.normal(size=(60, 4)), np.arange(60) % 2
    result = measure(rows, label)
    found = result.figures["size"]
    assert found.value == pytest.approx(np.linalg.norm(rows, axis=1).mean())
    assert found.low < found.value < found.high
    assert all("size" in figures for figures in result.per_class.values())


def test_it_is_named_on_the_page_and_compared_from_the_command_line(added: Path) -> None:
    from cdp.ui.explore import numbers

    assert "size" in numbers.titles()
    rng = np.random.default_rng(1)
    for name, top in (("dim", 100), ("bright", 250)):
        image = rng.integers(0, top, (150, 8, 8, 1)).astype(np.uint8)
        save_set(name, image, np.arange(150) % 2, {"class_names": ["a", "b"]})
    done = command(
        added, "set_metric_added", "measure", "bright", "dim", "--encoder", "pixels", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "size" in told["sets"][0]["figures"]
    assert "size" in told["differences"][0]["claims"]
    assert any("feature size rose by" in text for text in told["differences"][0]["sentences"])
