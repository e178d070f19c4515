"""The journals in memory are what is on disk, whatever happens to the file, and only new lines are
read."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from cdp.results.history import MOST, Histories
from cdp.work import journal
from cdp.work.journal import JOURNAL, Journal, read_journal


def naive(folder: Path) -> dict[str, list[float]]:
    """All points as columns, read from the start; a step that is said again replaces all from it
    on."""
    rows: list[dict[str, float]] = []
    for point in read_journal(folder / JOURNAL):
        number = float(point.step)
        before = (row for row in rows if row["point"] < number)
        rows = [*before, {"epoch": number} | point.values | {"point": number}]
    names = {"point", "epoch", *(name for row in rows for name in row)}
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}


def same(folder: Path, histories: Histories) -> bool:
    columns, wanted = histories.of(folder).columns, naive(folder)
    known = {name for name, values in columns.items() if not np.isnan(values).all()}
    return known | {"point", "epoch"} == set(wanted) and all(
        np.array_equal(columns[name], values, equal_nan=True) for name, values in wanted.items()
    )


def line(step: int, **values: float) -> str:
    return json.dumps({"step": step, "time": 1.0, "values": values}) + "\n"


def test_points_come_in_as_they_are_written_read_only_and_a_tick_without_news_is_the_very_same(
    tmp_path: Path,
) -> None:
    histories, written = Histories(), Journal(tmp_path / JOURNAL)
    versions, losses = set(), []
    for epoch in range(1, 200):
        late = {"late": 1.0} if epoch > 150 else {}
        written.append(epoch, {"loss": float(epoch)} | late)
        if epoch % 7 == 0:
            assert same(tmp_path, histories)
            versions.add(histories.of(tmp_path).version)
            losses.append(histories.of(tmp_path).columns["loss"])
    assert len(versions) == 199 // 7 and histories.of(tmp_path) is histories.of(tmp_path)
    assert all(values.tolist() == list(range(1, len(values) + 1)) for values in losses)
    with pytest.raises(ValueError, match="read-only"):
        losses[0][0] = 7


def test_only_new_lines_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    histories, written = Histories(), Journal(tmp_path / JOURNAL)
    for epoch in range(1, 500):
        written.append(epoch, {"loss": 1.0})
    histories.of(tmp_path)
    parsed, real = [], journal.points_of
    monkeypatch.setattr(journal, "points_of", lambda piece: parsed.append(piece) or real(piece))
    written.append(500, {"loss": 2.0})
    assert histories.of(tmp_path).columns["loss"][-1] == 2
    assert sum(piece.count(b"\n") for piece in parsed) == 1


def test_a_half_written_line_waits_a_damaged_one_is_left_out_and_no_file_is_empty(
    tmp_path: Path,
) -> None:
    histories, path = Histories(), tmp_path / JOURNAL
    assert len(histories.of(tmp_path)) == 0
    path.write_text(line(1, loss=1.0) + line(2, loss=0.5)[:9])
    assert histories.of(tmp_path).columns["epoch"].tolist() == [1]
    path.write_text(line(1, loss=1.0) + line(2, loss=0.5) + "not a point\n" + line(3, loss=0.4))
    assert histories.of(tmp_path).columns["loss"].tolist() == [1.0, 0.5, 0.4]


@pytest.mark.parametrize("after", [[], [(3, 0.3)], [(3, 0.3), (4, 0.4), (5, 0.5), (6, 0.6)]])
def test_a_cut_is_noticed_also_where_the_journal_has_grown_past_it(
    tmp_path: Path, after: list[tuple[int, float]]
) -> None:
    histories, written = Histories(), Journal(tmp_path / JOURNAL)
    for epoch in range(1, 5):
        only_before = {"only before": 1.0} if epoch > 2 else {}
        written.append(epoch, {"loss": float(epoch)} | only_before)
    before = histories.of(tmp_path)
    written.cut(2)
    for epoch, loss in after:
        written.append(epoch, {"loss": loss})
    assert same(tmp_path, histories)
    assert before.columns["loss"].tolist() == [1, 2, 3, 4]
    assert histories.of(tmp_path).version != before.version


def test_a_step_that_is_said_again_replaces_what_followed_it_and_what_was_given_out_stays(
    tmp_path: Path,
) -> None:
    histories, path = Histories(), tmp_path / JOURNAL
    path.write_text("".join(line(e, loss=float(e)) for e in range(1, 6)))
    before = histories.of(tmp_path)
    with path.open("a") as file:
        file.write(line(3, loss=30.0) + line(4, loss=40.0))
    assert histories.of(tmp_path).columns["loss"].tolist() == [1, 2, 30, 40]
    assert before.columns["loss"].tolist() == [1, 2, 3, 4, 5]


def test_rows_are_of_the_points_that_have_all_values(tmp_path: Path) -> None:
    points = line(1, a=1.0, b=2.0) + line(2, a=3.0) + line(3, a=4.0, b=5.0, c=6.0)
    (tmp_path / JOURNAL).write_text(points)
    history = Histories().of(tmp_path)
    assert history.rows("point", "b").tolist() == [[1, 2], [3, 5]]
    assert history.rows("b", "c", c=0.0).tolist() == [[2, 0], [5, 6]]
    assert history.rows("nothing").shape == (0, 1)


def test_many_threads_see_whole_points_only(tmp_path: Path) -> None:
    histories, wrong, done = Histories(), [], threading.Event()

    def look() -> None:
        while not done.is_set():
            columns = histories.of(tmp_path).columns
            epochs = columns["epoch"].tolist()
            losses = columns["loss"].tolist() if epochs else []
            if not epochs == losses == list(range(1, len(epochs) + 1)):
                wrong.append(epochs)

    tabs = [threading.Thread(target=look) for _ in range(4)]
    for tab in tabs:
        tab.start()
    written = Journal(tmp_path / JOURNAL)
    for epoch in range(1, 301):
        written.append(epoch, {"loss": float(epoch)})
    done.set()
    for tab in tabs:
        tab.join()
    assert not wrong and len(histories.of(tmp_path)) == 300


def test_runs_that_nobody_looks_at_are_forgotten(tmp_path: Path) -> None:
    histories = Histories()
    for number in range(MOST + 5):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / JOURNAL).write_text(line(1, loss=float(number)))
        histories.of(folder)
    assert len(histories._journals) == MOST
    assert histories.of(tmp_path / "0").columns["loss"].tolist() == [0]
