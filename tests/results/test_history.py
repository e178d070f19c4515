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
    for point in read_journal(folder / JOURNAL)[0]:
        number = float(point.step)
        rows = [
            *(row for row in rows if row["point"] < number),
            {"epoch": number} | point.values | {"point": number},
        ]
    names = {"point", "epoch", *(name for row in rows for name in row)}
    return {name: [row.get(name, float("nan")) for row in rows] for name in names}


def same(folder: Path, held: Histories) -> bool:
    found, wanted = held.of(folder).columns, naive(folder)
    known = {
        name: values
        for name, values in found.items()
        if name in ("point", "epoch") or not np.isnan(values).all()
    }
    return set(known) == set(wanted) and all(
        np.array_equal(found[name], values, equal_nan=True) for name, values in wanted.items()
    )


def line(step: int, **values: float) -> str:
    return json.dumps({"step": step, "time": 1.0, "values": values}) + "\n"


def test_points_come_in_as_they_are_written_and_a_tick_without_news_gives_the_very_same(
    tmp_path: Path,
) -> None:
    held, written = Histories(), Journal(tmp_path / JOURNAL)
    versions = set()
    for epoch in range(1, 200):
        written.append(
            epoch, {"robust_accuracy": epoch / 200} | ({"late": 1.0} if epoch > 150 else {})
        )
        if epoch % 7 == 0:
            assert same(tmp_path, held)
            versions.add(held.of(tmp_path).version)
    assert len(versions) == 199 // 7
    assert held.of(tmp_path) is held.of(tmp_path)


def test_only_new_lines_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, written = Histories(), Journal(tmp_path / JOURNAL)
    for epoch in range(1, 500):
        written.append(epoch, {"loss": 1.0})
    held.of(tmp_path)
    parsed = []
    whole = journal._points
    monkeypatch.setattr(
        journal, "_points", lambda content: parsed.append(content) or whole(content)
    )
    written.append(500, {"loss": 2.0})
    assert held.of(tmp_path).columns["loss"][-1] == 2
    assert sum(content.count(b"\n") for content in parsed) == 1


def test_a_half_written_line_waits_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    held, path = Histories(), tmp_path / JOURNAL
    path.write_text(line(1, loss=1.0) + line(2, loss=0.5)[:9])
    assert held.of(tmp_path).columns["epoch"].tolist() == [1]
    path.write_text(line(1, loss=1.0) + line(2, loss=0.5) + "not a point\n" + line(3, loss=0.4))
    assert held.of(tmp_path).columns["loss"].tolist() == [1.0, 0.5, 0.4]


@pytest.mark.parametrize("after", [[], [(3, 0.3)], [(3, 0.3), (4, 0.4), (5, 0.5), (6, 0.6)]])
def test_a_cut_is_noticed_also_where_the_journal_has_grown_past_it(
    tmp_path: Path, after: list[tuple[int, float]]
) -> None:
    held, written = Histories(), Journal(tmp_path / JOURNAL)
    for epoch in range(1, 5):
        written.append(
            epoch,
            {"loss": float(epoch), "only before": 1.0} if epoch > 2 else {"loss": float(epoch)},
        )
    before = held.of(tmp_path)
    written.cut(2)
    for epoch, loss in after:
        written.append(epoch, {"loss": loss})
    assert same(tmp_path, held)
    assert before.columns["loss"].tolist() == [1, 2, 3, 4]
    assert held.of(tmp_path).version != before.version


def test_a_step_that_is_said_again_replaces_what_followed_it_and_what_was_given_out_stays(
    tmp_path: Path,
) -> None:
    held, path = Histories(), tmp_path / JOURNAL
    path.write_text("".join(line(e, loss=float(e)) for e in range(1, 6)))
    before = held.of(tmp_path)
    with path.open("a") as file:
        file.write(line(3, loss=30.0) + line(4, loss=40.0))
    assert held.of(tmp_path).columns["loss"].tolist() == [1, 2, 30, 40]
    assert held.of(tmp_path).columns["epoch"].tolist() == [1, 2, 3, 4]
    assert before.columns["loss"].tolist() == [1, 2, 3, 4, 5]


def test_what_was_given_out_is_read_only_and_never_changes(tmp_path: Path) -> None:
    held, written = Histories(), Journal(tmp_path / JOURNAL)
    shown = []
    for epoch in range(1, 300):
        written.append(epoch, {"loss": float(epoch)})
        shown.append(held.of(tmp_path).columns["loss"])
    assert all(values.tolist() == list(range(1, len(values) + 1)) for values in shown)
    with pytest.raises(ValueError, match="read-only"):
        shown[0][0] = 7


def test_a_missing_journal_is_empty_and_one_that_comes_later_is_read(tmp_path: Path) -> None:
    held = Histories()
    assert len(held.of(tmp_path)) == 0
    (tmp_path / JOURNAL).write_text(line(1, loss=1.0))
    assert len(held.of(tmp_path)) == 1


def test_many_threads_see_whole_points_only(tmp_path: Path) -> None:
    held, wrong = Histories(), []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            columns = held.of(tmp_path).columns
            epochs = columns["epoch"].tolist()
            if epochs != list(range(1, len(epochs) + 1)) or (
                epochs and columns["loss"].tolist() != epochs
            ):
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
    assert not wrong and len(held.of(tmp_path)) == 300


def test_runs_that_nobody_looks_at_are_forgotten(tmp_path: Path) -> None:
    held = Histories()
    for number in range(MOST + 5):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / JOURNAL).write_text(line(1, loss=float(number)))
        held.of(folder)
    assert len(held._journals) == MOST
    assert held.of(tmp_path / "0").columns["loss"].tolist() == [0]
