"""What a training has reached: the end of its journal says the same as all of it, and no file is
too strange to be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.results.index import Index
from cdp.results.reached import Reached, from_journal, from_result, reached_of, record
from cdp.work.records import get_run
from tests.ui.train_runs import train_run


def lines(robust: list[float], *, best: bool = True, padding: int = 0) -> str:
    """A journal as a worker writes it; best: whether a point names the best epoch so far, as all do
    but those of old runs."""
    text = ""
    for epoch in range(1, len(robust) + 1):
        values = {
            "clean_accuracy": 0.9 - epoch / 1000,
            "robust_accuracy": robust[epoch - 1],
            "n": 500,
            "seconds": 9.5 * epoch,
        }
        if best:
            highest = max(robust[:epoch])
            values |= {"best_robust": highest, "best_epoch": robust.index(highest) + 1}
        values |= {f"padding {k}": 0.0 for k in range(padding)}
        text += json.dumps({"step": epoch, "time": 1.0, "values": values}) + "\n"
    return text


def told(figures: dict[str, Any]) -> Reached:
    """The same of the record that the command line prints, which reads the whole journal."""
    best = figures["best"] or {"epoch": 0, "clean_accuracy": None, "robust_accuracy": None}
    n, seconds = figures["metrics"].get("n", 0), figures["metrics"].get("seconds")
    return Reached(
        figures["epoch"],
        figures["clean_accuracy"],
        figures["robust_accuracy"],
        best["epoch"],
        best["clean_accuracy"],
        best["robust_accuracy"],
        int(n),
        seconds,
        best_step=best.get("step"),
        steps=figures["steps"] or None,
        images_seen=figures["images_seen"] or None,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "metrics.jsonl"


@given(
    robust=st.lists(st.integers(0, 20).map(lambda hits: hits / 20), max_size=40),
    best=st.booleans(),
    padding=st.sampled_from([0, 0, 10, 200]),
    torn=st.sampled_from(["", '{"step": 99, "time"']),
)
@settings(max_examples=60, deadline=None)
def test_the_end_of_a_journal_says_what_all_of_it_says(
    place: Path, robust: list[float], best: bool, padding: int, torn: str
) -> None:
    text = lines(robust, best=best, padding=padding)
    place.write_text(text + torn)
    found = from_journal(place)
    assert found.epoch == len(robust)
    if robust:
        first = robust.index(max(robust))
        assert found == Reached(
            len(robust),
            0.9 - len(robust) / 1000,
            robust[-1],
            first + 1,
            0.9 - (first + 1) / 1000,
            robust[first],
            500,
            9.5 * len(robust),
        )


def test_the_command_line_and_the_table_agree() -> None:
    for epochs in (0, 1, 2, 12):
        run = train_run(f"run-{epochs}", epochs=epochs, state="running")
        assert from_journal(run.folder / "metrics.jsonl") == told(record(run))


def test_runs_of_before_count_steps_and_images_by_their_journal() -> None:
    """Their final records do not; what they kept as the best is the first of equal epochs, as they
    name it."""
    result = {
        "epoch": 4,
        "clean_accuracy": 0.7,
        "robust_accuracy": 0.51,
        "epochs": 4,
        "n": 500,
        "seconds": 40.0,
        "epsilon": 0.1,
        "best": {"epoch": 3, "clean_accuracy": 0.7, "robust_accuracy": 0.56},
        "last": {"epoch": 4, "clean_accuracy": 0.7, "robust_accuracy": 0.51},
    }
    run = train_run("old", epochs=4, result=result)
    shown = record(run)
    assert (shown["steps"], shown["images_seen"], shown["best"]) == (80, 8000, result["best"])
    reached = reached_of(run)
    assert (reached.steps, reached.images_seen, reached.best_epoch, reached.epsilon) == (
        80,
        8000,
        3,
        0.1,
    )
    (row,) = Index().rows()
    assert (row.reached.steps, row.reached.images_seen) == (80, 8000)
    (run.folder / "metrics.jsonl").unlink()
    assert reached_of(run).steps is None


def test_of_a_journal_of_now_the_best_is_the_one_it_names_by_number(place: Path) -> None:
    """Three validations in two epochs, the first two within one."""
    text = ""
    for number, (epoch, robust) in enumerate(((1, 0.0), (1, 0.0), (2, 0.0)), 1):
        values = {
            "epoch": epoch,
            "step": 40 * number,
            "images": 640 * number,
            "clean_accuracy": (0.2, 0.4, 0.3)[number - 1],
            "robust_accuracy": robust,
            "n": 500,
            "best_point": min(number, 2),
            "best_epoch": 1,
            "best_step": 40 * min(number, 2),
            "best_robust": 0.0,
        }
        text += json.dumps({"step": number, "time": 1.0, "values": values}) + "\n"
    place.write_text(text)
    found = from_journal(place)
    assert (found.epoch, found.steps, found.images_seen) == (2, 120, 1920)
    assert (found.best_epoch, found.best_step, found.best_clean, found.best_robust) == (
        1,
        80,
        0.4,
        0.0,
    )
    run = train_run("now", state="running")
    (run.folder / "metrics.jsonl").write_text(text)
    best = record(run)["best"]
    assert (best["step"], best["clean_accuracy"]) == (80, 0.4)
    assert "no epoch is above 0 robust accuracy" in best["remark"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"garbage",
        b"garbage\n",
        b"\xff\xfe\n",
        b"[]\n{}\n3\n",
        b"[" * 5000 + b"\n",
        b'{"step": 1, "time": 1, "values": {"robust_accuracy": "high"}}\n',
    ],
)
def test_a_journal_without_points_is_nothing_reached(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    assert from_journal(place) == Reached()


def test_what_is_no_share_and_no_count_is_left_out(place: Path) -> None:
    values = (
        '{"robust_accuracy": 7, "clean_accuracy": -1, "n": 2.5, "seconds": -3, "best_epoch": 1e300,'
        ' "best_robust": 0.5}'
    )
    place.write_text(f'{{"step": 4, "time": 1, "values": {values}}}\n')
    assert from_journal(place) == Reached(epoch=4, best_epoch=4)


def test_a_best_epoch_that_is_damaged_in_the_journal_gives_way_to_the_best_of_the_others(
    place: Path,
) -> None:
    whole = lines([0.1, 0.5, 0.3, 0.4] + [0.2] * 20).splitlines(keepends=True)
    place.write_text("".join([whole[0], '{"step": 2, "time": torn\n', *whole[2:]]))
    found = from_journal(place)
    assert (found.epoch, found.best_epoch, found.best_robust) == (24, 4, 0.4)


def test_no_journal_and_a_folder_in_its_place_are_nothing_reached(tmp_path: Path) -> None:
    assert from_journal(tmp_path / "metrics.jsonl") == from_journal(tmp_path) == Reached()


ACCURACIES = {"epoch": 9, "clean_accuracy": 0.7, "robust_accuracy": 0.4}
RESULT = ACCURACIES | {
    "best": ACCURACIES | {"epoch": 5, "robust_accuracy": 0.5},
    "n": 1000,
    "epsilon": 0.1,
    "seconds": 12.5,
}


def test_a_final_record_says_all_without_the_journal() -> None:
    assert from_result(RESULT) == Reached(9, 0.7, 0.4, 5, 0.7, 0.5, 1000, 12.5, 0.1)
    run = train_run("one", epochs=9, result=RESULT)
    assert get_run("one").result == RESULT
    assert record(run)["best"]["robust_accuracy"] == 0.5


LITTLE: list[dict[str, Any] | None] = [
    None,
    {},
    {"epoch": 3},
    RESULT | {"best": None},
    RESULT | {"n": "many"},
    RESULT | {"n": 0},
    {"best": {}, "n": 5},
]


@pytest.mark.parametrize("result", LITTLE)
def test_a_record_that_says_too_little_leaves_it_to_the_journal(
    result: dict[str, Any] | None,
) -> None:
    assert from_result(result) is None


def test_a_strange_record_is_read_as_far_as_it_makes_sense() -> None:
    strange = {
        "epoch": "x",
        "clean_accuracy": True,
        "robust_accuracy": float("nan"),
        "n": 10,
        "epsilon": float("inf"),
        "seconds": 10**400,
        "best": {"epoch": -1, "clean_accuracy": [], "robust_accuracy": 1e9},
    }
    assert from_result(strange) == Reached(n=10)
