"""Generating a set on disk: complete, resumable, and never over something that is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import Cancelled, InputError
from cdp.tasks.generate import Lanes, Maker, generate_set
from cdp.work.session import Progress, Session
from tests.work.stub_worker import StubMaker

CONFIG = GenerateConfig(count=10, batch=4, seed=3)


@pytest.fixture
def maker(tmp_path: Path) -> StubMaker:
    return StubMaker(tmp_path / "journal.txt")


def begun(maker: StubMaker) -> list[int]:
    """Numbers of the batches the maker was asked for, in order."""
    return [
        int(line.split()[-1]) for line in maker.journal.read_text().splitlines() if "begun" in line
    ]


def after(calls: int) -> Callable[[], bool]:
    """A stop that comes at the n-th time it is asked for."""
    left = [calls]

    def should_stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return should_stop


def test_a_set_has_every_row_and_says_its_origin(tmp_path: Path, maker: StubMaker) -> None:
    made = generate_set(CONFIG, tmp_path / "set", maker=maker, origin={"run": "r1"})
    whole, label = maker.batch(CONFIG.model_copy(update={"batch": 10}), 0, lambda: False)
    assert np.array_equal(made.image, whole)
    assert np.array_equal(made.label, label)
    assert (made.card["source"], made.card["run"]) == ("stub", "r1")


def test_a_stopped_generation_goes_on_where_it_was(tmp_path: Path, maker: StubMaker) -> None:
    with pytest.raises(Cancelled, match="stopped after 4 of 10 images"):
        generate_set(CONFIG, tmp_path / "set", maker=maker, session=Session(should_stop=after(1)))
    assert not (tmp_path / "set").exists()
    seen: list[Progress] = []
    made = generate_set(
        CONFIG, tmp_path / "set", maker=maker, session=Session(on_progress=seen.append)
    )
    assert begun(maker) == [0, 1, 2]
    assert [(p.done, p.resumed_from) for p in seen] == [(4, 4), (8, 4), (10, 4)]
    assert np.array_equal(made.image, generate_set(CONFIG, tmp_path / "other", maker=maker).image)


def test_a_set_of_an_older_version_goes_on(tmp_path: Path, maker: StubMaker) -> None:
    """Its settings lack what is new since, and its lambda of hard negatives was twice as strong."""
    config = unflatten(
        {
            "count": 10,
            "batch": 4,
            "loss": "hard_negative",
            "strength_mode": "raw",
            "raw_lambda": 200.0,
        }
    )
    with pytest.raises(Cancelled):
        generate_set(config, tmp_path / "set", maker=maker, session=Session(should_stop=after(1)))
    begun_with = tmp_path / ".set.partial" / "config.json"
    stored = json.loads(begun_with.read_text())
    for name in ("head_hidden", "head_out", "clip_sample"):
        del stored[name]
    begun_with.write_text(json.dumps(stored | {"raw_lambda": 100.0}))
    with pytest.raises(InputError, match=r"raw_lambda: .* begun with 200"):
        generate_set(unflatten({"raw_lambda": 100.0}, config), tmp_path / "set", maker=maker)
    assert len(generate_set(config, tmp_path / "set", maker=maker)) == 10
    assert begun(maker) == [0, 1, 2]


def test_the_rate_counts_only_images_of_this_start(tmp_path: Path, maker: StubMaker) -> None:
    with pytest.raises(Cancelled):
        generate_set(CONFIG, tmp_path / "set", maker=maker, session=Session(should_stop=after(2)))
    maker.seconds = 0.05
    seen: list[Progress] = []
    generate_set(CONFIG, tmp_path / "set", maker=maker, session=Session(on_progress=seen.append))
    assert (seen[0].rate, seen[0].seconds_left) == (None, None)
    assert seen[-1].rate == pytest.approx(2 / seen[-1].seconds)
    assert seen[-1].rate < 40
    assert seen[-1].seconds_left == 0


def test_an_existing_folder_is_left_alone(tmp_path: Path, maker: StubMaker) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "precious").write_text("x")
    with pytest.raises(InputError, match="already exists: choose another name or delete it first"):
        generate_set(CONFIG, tmp_path / "set", maker=maker)
    assert not maker.journal.exists()
    assert (tmp_path / "set" / "precious").read_text() == "x"


@pytest.mark.parametrize("change", [{"seed": 4}, {"batch": 5}, {"count": 12}])
def test_a_partial_set_of_other_settings_is_refused_not_mixed(
    tmp_path: Path, maker: StubMaker, change: dict[str, int]
) -> None:
    with pytest.raises(Cancelled):
        generate_set(CONFIG, tmp_path / "set", maker=maker, session=Session(should_stop=after(1)))
    with pytest.raises(InputError, match="was begun with"):
        generate_set(CONFIG.model_copy(update=change), tmp_path / "set", maker=maker)
    assert len(generate_set(CONFIG, tmp_path / "set", maker=maker)) == 10


def test_a_partial_set_of_other_weights_under_the_same_name_is_refused(
    tmp_path: Path, maker: StubMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        generate_set(CONFIG, tmp_path / "set", maker=maker, session=Session(should_stop=after(1)))
    monkeypatch.setattr(maker, "weights", lambda config: {"model_sha256": "1" * 64})
    with pytest.raises(InputError, match="model_sha256"):
        generate_set(CONFIG, tmp_path / "set", maker=maker)


def test_a_failing_batch_leaves_no_set(tmp_path: Path, maker: StubMaker) -> None:
    maker.error = "disk"
    with pytest.raises(OSError, match="No space left"):
        generate_set(CONFIG, tmp_path / "set", maker=maker)
    assert not (tmp_path / "set").exists()
    maker.error = ""
    assert len(generate_set(CONFIG, tmp_path / "set", maker=maker)) == 10
    assert begun(maker) == [0, 1, 1, 2]


def test_batches_sampled_together_are_written_in_their_order(tmp_path: Path) -> None:
    config = GenerateConfig(count=46, batch=4, seed=3)
    alone, together = StubMaker(tmp_path / "a"), StubMaker(tmp_path / "b", at_a_time=3)
    together.seconds = 0.02
    seen: list[Progress] = []
    made = generate_set(
        config, tmp_path / "set", maker=together, session=Session(on_progress=seen.append)
    )
    expected = generate_set(config, tmp_path / "other", maker=alone)
    assert np.array_equal(made.image, expected.image) and np.array_equal(made.label, expected.label)
    assert [p.done for p in seen] == [*range(0, 45, 4), 46]
    lines = [line.split() for line in together.journal.read_text().splitlines()]
    assert [word for word, _ in lines[:3]] == ["begun"] * 3, "three at a time"


@pytest.mark.parametrize("error", ["", "disk"])
def test_batches_sampled_together_end_together_and_go_on(tmp_path: Path, error: str) -> None:
    """Stopped, or one of them failed: the others end within a step, and what was written stays."""
    config = GenerateConfig(count=24, batch=4, seed=3)
    maker = StubMaker(tmp_path / "journal", at_a_time=2, seconds=0.05, error=error)
    written: list[int] = []
    session = Session(
        on_progress=lambda progress: written.append(progress.done),
        should_stop=lambda: not error and bool(written) and written[-1] >= 8,
    )
    with pytest.raises(OSError if error else Cancelled):
        generate_set(config, tmp_path / "set", maker=maker, session=session)
    lines = maker.journal.read_text().splitlines()
    assert not any(thread.name.startswith("lane") for thread in threading.enumerate())
    maker.error, maker.seconds = "", 0.0
    made = generate_set(config, tmp_path / "set", maker=maker)
    again = maker.journal.read_text().splitlines()[len(lines) :]
    assert {int(line.split()[-1]) for line in again} == set(range(written[-1] // 4, 6))
    alone = StubMaker(tmp_path / "alone")
    assert np.array_equal(made.image, generate_set(config, tmp_path / "other", maker=alone).image)


def test_a_lane_computes_by_itself_and_leaves_other_threads_as_they_were(tmp_path: Path) -> None:
    inside: list[int] = []

    class Watching(StubMaker):
        def batch(self, config: GenerateConfig, index: int, should_stop: Any) -> Any:
            inside.append(torch.get_num_threads())
            return super().batch(config, index, should_stop)

    def threads_of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    before, new = torch.get_num_threads(), threads_of_a_new_thread()
    torch.set_num_threads(3)
    try:
        generate_set(CONFIG, tmp_path / "set", maker=Watching(tmp_path / "j", at_a_time=2))
        assert inside == [1, 1, 1]
        assert (torch.get_num_threads(), threads_of_a_new_thread()) == (3, 3)
    finally:
        torch.set_num_threads(before)
    assert threads_of_a_new_thread() == new


def test_cores_are_shared_out_by_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    maker, device = Maker(), torch.device("cpu")
    monkeypatch.setattr(maker, "_loaded", lambda config: SimpleNamespace(device=device))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    config = GenerateConfig(count=10_000)
    assert maker.lanes(config, 157) == Lanes(8, 1)
    assert maker.lanes(config, 3) == Lanes(3, 2)
    assert maker.lanes(config, 1) == Lanes(1, 8)
    assert maker.lanes(config.model_copy(update={"batch": 2048}), 5) == Lanes(2, 4), "memory"
    device = torch.device("cuda")
    assert maker.lanes(config, 157) == Lanes(1, 1)
