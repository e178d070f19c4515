"""What a training has reached: the end of its journal says the same as all of it, and no file is
too strange to be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.results.reached import (
    Reached,
    best_point,
    epoch_of,
    from_journal,
    from_result,
    reached_of,
    record,
)
from cdp.results.rows import Index
from cdp.work.journal import read_journal
from tests.ui.train_runs import train_run


def line(step: int, values: dict[str, Any]) -> str:
    return json.dumps({"step": step, "time": 1.0, "values": values}) + "\n"


def lines(robust: list[float], *, best: bool = True, padding: int = 0) -> str:
    """A journal as a worker writes it; best: whether a point names the best epoch so far, as all do
    but those of old runs."""
    text = ""
    for epoch, share in enumerate(robust, 1):
        values = {"clean_accuracy": 0.9 - epoch / 1000, "robust_accuracy": share, "n": 500}
        values |= {"seconds": 9.5 * epoch} | {f"padding {k}": 0.0 for k in range(padding)}
        if best:
            highest = max(robust[:epoch])
            values |= {"best_robust": highest, "best_epoch": robust.index(highest) + 1}
        text += line(epoch, values)
    return text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "metrics.jsonl"


@given(
    robust=st.lists(st.integers(0, 20).map(lambda hits: hits / 20), max_size=40),
    best=st.booleans(),
    padding=st.sampled_from([0, 0, 10, 200]),
    torn=st.sampled_from(["", '{"step": 99, "time"']),
)
@settings(max_examples=60)
def test_the_end_of_a_journal_says_what_all_of_it_says(
    place: Path, robust: list[float], best: bool, padding: int, torn: str
) -> None:
    place.write_text(lines(robust, best=best, padding=padding) + torn)
    found, points = from_journal(place), read_journal(place)
    assert found.epoch == len(robust)
    if robust:
        first, last = robust.index(max(robust)) + 1, len(robust)
        assert epoch_of(best_point(points)) == first
        ends = (last, 0.9 - last / 1000, robust[-1], first, 0.9 - first / 1000, max(robust))
        assert found == Reached(*ends, 500, 9.5 * last)


@pytest.mark.parametrize("epochs", [0, 1, 12])
def test_the_record_of_the_command_line_and_the_table_agree(epochs: int) -> None:
    run = train_run("run", epochs=epochs, state="running")
    reached, known = reached_of(run), record(run)
    (row,) = Index().rows()
    assert row.reached == reached
    expected = (reached.epoch, reached.clean, reached.robust)
    assert (known["epoch"], known["clean_accuracy"], known["robust_accuracy"]) == expected
    expected = (reached.steps, reached.images_seen)
    assert (known["steps"] or None, known["images_seen"] or None) == expected
    if epochs:
        assert known["best"] == {
            "epoch": reached.best_epoch,
            "step": reached.best_step,
            "clean_accuracy": reached.best_clean,
            "robust_accuracy": reached.best_robust,
        }
        assert known["metrics"]["n"] == reached.n
    else:
        assert (known["best"], known["metrics"]) == (None, {})


def test_runs_of_before_count_steps_and_images_by_their_journal() -> None:
    """Their final records do not; what they kept as the best is the first of equal epochs, as they
    name it."""
    last = {"epoch": 4, "clean_accuracy": 0.7, "robust_accuracy": 0.51}
    best = {"epoch": 3, "clean_accuracy": 0.7, "robust_accuracy": 0.56}
    result = last | {"n": 500, "seconds": 40.0, "epsilon": 0.1, "best": best, "last": last}
    run = train_run("old", epochs=4, result=result)
    shown, reached = record(run), reached_of(run)
    assert (shown["steps"], shown["images_seen"], shown["best"]) == (80, 8000, best)
    assert (reached.steps, reached.images_seen, reached.best_epoch) == (80, 8000, 3)
    assert reached.epsilon == 0.1
    (row,) = Index().rows()
    assert (row.reached.steps, row.reached.images_seen) == (80, 8000)
    (run.folder / "metrics.jsonl").unlink()
    assert reached_of(run).steps is None


def test_of_a_journal_of_now_the_best_is_the_one_it_names_by_number() -> None:
    """Three validations in two epochs, the first two within one."""
    text = ""
    for number, (epoch, clean) in enumerate(((1, 0.2), (1, 0.4), (2, 0.3)), 1):
        values = {"epoch": epoch, "step": 40 * number, "images": 640 * number, "n": 500}
        values |= {"clean_accuracy": clean, "robust_accuracy": 0.0}
        text += line(number, values | {"best_point": min(number, 2), "best_epoch": 1})
    run = train_run("now", state="running")
    (run.folder / "metrics.jsonl").write_text(text)
    assert reached_of(run) == Reached(
        2, 0.3, 0.0, 1, 0.4, 0.0, 500, best_step=80, steps=120, images_seen=1920
    )
    best = record(run)["best"]
    assert (best["step"], best["clean_accuracy"]) == (80, 0.4)
    assert "no epoch is above 0 robust accuracy" in best["remark"]


STRANGE = '{"step": 1, "time": 1, "values": {"robust_accuracy": "high"}}\n'


@pytest.mark.parametrize(
    "content", ["", "garbage\n", "[]\n{}\n3\n", "[" * 5000 + "\n", STRANGE, "\x00\xff\n"]
)
def test_a_journal_without_points_is_nothing_reached(place: Path, content: str) -> None:
    place.write_text(content)
    assert replace(from_journal(place), problem="") == Reached()


def test_no_journal_and_a_folder_in_its_place_are_nothing_reached(tmp_path: Path) -> None:
    assert from_journal(tmp_path / "metrics.jsonl") == Reached()
    folder = from_journal(tmp_path)
    assert replace(folder, problem="") == Reached() and "not a regular file" in folder.problem


def test_what_is_no_share_and_no_count_is_left_out(place: Path) -> None:
    values = {"robust_accuracy": 7, "clean_accuracy": -1, "n": 2.5, "seconds": -3}
    place.write_text(line(4, values | {"best_epoch": 1e300, "best_robust": 0.5}))
    assert from_journal(place) == Reached(epoch=4, best_epoch=4)


def test_a_best_epoch_that_is_damaged_in_the_journal_gives_way_to_the_best_of_the_others(
    place: Path,
) -> None:
    whole = lines([0.1, 0.5, 0.3, 0.4] + [0.2] * 20).splitlines(keepends=True)
    place.write_text("".join([whole[0], '{"step": 2, "time": torn\n', *whole[2:]]))
    found = from_journal(place)
    assert (found.epoch, found.best_epoch, found.best_robust) == (24, 4, 0.4)


ACCURACIES = {"epoch": 9, "clean_accuracy": 0.7, "robust_accuracy": 0.4}
BEST = ACCURACIES | {"epoch": 5, "robust_accuracy": 0.5}
RESULT = ACCURACIES | {"best": BEST, "n": 1000, "epsilon": 0.1, "seconds": 12.5}


def test_a_final_record_says_all_without_the_journal() -> None:
    assert from_result(RESULT) == Reached(9, 0.7, 0.4, 5, 0.7, 0.5, 1000, 12.5, 0.1)


@pytest.mark.parametrize(
    "result",
    [None, {"epoch": 3}, RESULT | {"best": None}, RESULT | {"n": "many"}, {"best": {}, "n": 5}],
)
def test_a_record_that_says_too_little_leaves_it_to_the_journal(result: Any) -> None:
    assert from_result(result) is None


def test_a_strange_record_is_read_as_far_as_it_makes_sense() -> None:
    strange = {"epoch": "x", "clean_accuracy": True, "robust_accuracy": float("nan"), "n": 10}
    best = {"epoch": -1, "clean_accuracy": [], "robust_accuracy": 1e9}
    strange |= {"epsilon": float("inf"), "seconds": 10**400, "best": best}
    assert from_result(strange) == Reached(n=10)
