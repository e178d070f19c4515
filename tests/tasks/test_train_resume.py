"""A stop, a kill, a lost checkpoint or a full disk changes no number of a robust training."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cdp import paths
from cdp.errors import Cancelled, InputError
from cdp.files import atomic as files
from cdp.values.types import EpochMetrics
from tests.tasks.training_world import Told, config, figures, make_sets, same, states


@pytest.fixture(autouse=True)
def _sets() -> None:
    make_sets()


@pytest.mark.parametrize("stops", [(1,), (5,), (6, 1), (8,), (12,), (3, 3, 3)])
def test_resumed_it_ends_as_uninterrupted(tmp_path: Path, stops: tuple[int, ...]) -> None:
    """The sixth and the twelfth question are asked in the middle of a validation."""
    whole = Told()
    expected = whole.run(config(), tmp_path / "whole")
    journal: dict[int, EpochMetrics] = {}
    for number, stop in enumerate(stops):
        told = Told(stop)
        with pytest.raises(Cancelled):
            told.run(config(), tmp_path / "stopped")
        journal |= {m.epoch: m for m in told.epochs}
        assert told.resumed == ([] if number == 0 else [len(journal) - len(told.epochs)])
    told = Told()
    record = told.run(config(), tmp_path / "stopped")
    assert told.resumed == [len(journal)]
    journal |= {m.epoch: m for m in told.epochs}
    assert same(record, expected)
    assert [figures(journal[e]) for e in (1, 2)] == [figures(m) for m in whole.epochs]
    for name in ("best", "last"):
        ours, theirs = (
            load_file(tmp_path / run / name / "model.safetensors") for run in ("stopped", "whole")
        )
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


class _Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def test_killed_before_the_checkpoint_an_epoch_is_done_again(tmp_path: Path) -> None:
    def kill(metrics: EpochMetrics) -> None:
        if metrics.epoch == 2:
            raise _Killed

    expected = Told().run(config(), tmp_path / "whole")
    told = Told(on_epoch=kill)
    with pytest.raises(_Killed):
        told.run(config(), tmp_path / "killed")
    old = tmp_path / "killed" / ".best.0123abcd.partial"
    old.mkdir()
    os.utime(old, (1e9, 1e9))  # of an earlier version, which held no lock: left alone for a day
    again = Told()
    assert same(again.run(config(), tmp_path / "killed"), expected)
    assert again.resumed == [1]
    assert figures(again.epochs[0]) == figures(told.epochs[1])
    assert not list((tmp_path / "killed").glob(".*"))


def test_killed_before_the_first_checkpoint_it_starts_again(tmp_path: Path) -> None:
    def kill(_: EpochMetrics) -> None:
        raise _Killed

    with pytest.raises(_Killed):
        Told(on_epoch=kill).run(config(), tmp_path)
    again = Told()
    again.run(config(), tmp_path)
    assert again.resumed == [0]
    assert [m.epoch for m in again.epochs] == [1, 2]


@pytest.mark.parametrize("damage", ["cut", "empty", "others"])
def test_a_damaged_checkpoint_falls_back_to_the_older_one(tmp_path: Path, damage: str) -> None:
    expected = Told().run(config(), tmp_path / "whole")
    with pytest.raises(Cancelled):
        Told(8).run(config(), tmp_path / "run")
    wanted = ["state-000000005.safetensors", "state-000000007.safetensors"]
    assert states(tmp_path / "run") == wanted
    newest = tmp_path / "run" / "checkpoints" / "state-000000007.safetensors"
    if damage == "others":
        save_file({"step": torch.tensor(7)}, newest)
    else:
        newest.write_bytes(newest.read_bytes()[:1000] if damage == "cut" else b"")
    told = Told()
    assert same(told.run(config(), tmp_path / "run"), expected)
    assert told.resumed == [1]


def test_with_every_checkpoint_damaged_it_starts_again(tmp_path: Path) -> None:
    expected = Told().run(config(), tmp_path)
    for name in states(tmp_path):
        (tmp_path / "checkpoints" / name).write_bytes(b"nothing")
    told = Told()
    assert same(told.run(config(), tmp_path), expected)
    assert told.resumed == [0]


def test_a_finished_run_started_again_gives_its_record_at_once(tmp_path: Path) -> None:
    expected = Told().run(config(), tmp_path)
    told = Told()
    assert same(told.run(config(), tmp_path), expected)
    assert told.epochs == []


def test_checkpoints_of_other_settings_or_images_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        Told(2).run(config(), tmp_path)
    with pytest.raises(InputError, match=r"beta: .* begun with 6\.0, not 5\.0"):
        Told().run(config(beta=5.0), tmp_path)
    card = paths.sets_dir() / "made" / "card.json"
    told = json.loads(card.read_text())
    card.write_text(json.dumps(told | {"tags": ["good"]}))
    with pytest.raises(Cancelled):
        Told(2).run(config(), tmp_path)
    card.write_text(json.dumps(told | {"created": "2020-01-01T00:00:00+00:00"}))
    with pytest.raises(InputError, match="sets: this run was begun with"):
        Told().run(config(), tmp_path)


def test_how_to_answer_overfitting_may_change_between_stop_and_resume(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        Told(2).run(config(), tmp_path)
    Told().run(config(overfitting="notice"), tmp_path)


def test_a_full_disk_leaves_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Told().run(config(), tmp_path / "whole")
    real = files.os.fsync
    synced = []

    def full(descriptor: int) -> None:
        # The second epoch's checkpoint is the last file that this run writes.
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name.startswith(".state-000000010"):
            raise OSError(28, "No space left on device")
        synced.append(name)
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            Told().run(config(), tmp_path / "run")
    assert synced
    assert states(tmp_path / "run") == ["state-000000005.safetensors"]
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))
    assert same(Told().run(config(), tmp_path / "run"), expected)


def test_a_run_of_before_there_were_steps_goes_on_as_it_would_have(tmp_path: Path) -> None:
    """Its record lacks the settings that came since, and its states the columns."""
    expected = Told().run(config(), tmp_path / "whole")
    with pytest.raises(Cancelled):
        Told(8).run(config(), tmp_path / "old")
    place = tmp_path / "old" / "checkpoints"
    record = json.loads((place / "config.json").read_text())
    since = ("steps", "validate_every", "attack_start", "momentum_cycle", "ema_warm_up")
    (place / "config.json").write_text(
        json.dumps({name: value for name, value in record.items() if name not in since})
    )
    for name in states(tmp_path / "old"):
        state = load_file(place / name)
        state["history"] = torch.cat(
            [state["history"][:, :18], state["history"][:, -2:]], dim=1
        ).contiguous()
        save_file(state, place / name)
    told = Told()
    assert same(told.run(config(), tmp_path / "old"), expected)
    assert told.resumed == [1]
