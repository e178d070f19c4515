"""Generating a set on disk: complete, resumable, and never over something that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cdp.config.generate import GenerateConfig, unflatten
from cdp.errors import Cancelled, InputError
from cdp.tasks.generate import generate_set
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
