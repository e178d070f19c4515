"""Resource curves show what was measured, in the units they name, and nothing that was not."""

from __future__ import annotations

import pytest

from cdp.figures.training import MAX_POINTS, resource_curves, resource_rows
from cdp.work.resources import Sample

CPU = [Sample(100.0 + 5 * k, 150.0, 2_000_000_000) for k in range(13)]
GPU = [Sample(100.0 + 5 * k, 90.0, 10**9, 75.0, 3 * 10**9) for k in range(4)]


def test_without_a_gpu_there_are_two_panels_in_cores_and_gigabytes_against_minutes() -> None:
    figure = resource_curves(CPU, key="run")
    assert [trace.y[0] for trace in figure.data] == [1.5, 2.0]
    assert (figure.data[0].x[0], figure.data[0].x[-1]) == (0.0, 1.0)
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("cores", "GB")
    assert figure.layout.uirevision == "run"


def test_with_a_gpu_there_are_two_more() -> None:
    figure = resource_curves([*CPU, *GPU], key="run")
    assert len(figure.data) == 4
    # What was not measured is a gap, not a zero.
    assert figure.data[2].y[0] is None
    assert (figure.data[2].y[-1], figure.data[3].y[-1]) == (75.0, 3.0)


@pytest.mark.parametrize("count", [1, MAX_POINTS, MAX_POINTS + 1, 2000])
def test_long_runs_are_thinned(count: int) -> None:
    figure = resource_curves([Sample(float(k), 1.0, 1) for k in range(count)], key="run")
    assert count / 4 <= len(figure.data[0].x) <= MAX_POINTS
    assert figure.data[0].x[0] == 0


def test_the_table_has_a_row_a_sample_and_a_column_for_what_was_measured() -> None:
    rows = resource_rows(CPU)
    assert len(rows) == len(CPU)
    assert rows[12] == {"minutes": 1.0, "cpu [cores]": 1.5, "memory [GB]": 2.0}
