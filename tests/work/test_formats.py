"""What is stored says in which format it is: what an earlier version wrote without one is read and
goes on in today's, and what a newer one wrote is called neither broken nor to be deleted, but asks
for an update, on every page and in every list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cdp import paths
from cdp.cli import main
from cdp.data.sets import list_sets, open_set, save_set
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.models.encoders import list_encoders, load_encoder
from cdp.work.journal import Journal, read_journal
from cdp.work.launch import delete, resume
from cdp.work.records import CONFIG, FORMAT, STATUS, get_run, list_runs
from tests.ui.pages import opened, served, texts
from tests.work.inprocess import here as here
from tests.work.test_old_workspace import PLAIN, answer, cdp
from tests.work.test_old_workspace import old_home as old_home

UPDATE = "update the app"


def newer(path: Path, **more: Any) -> None:
    write_json(path, (read_json(path) or {}) | {"format": 99} | more)


def test_a_run_of_before_formats_goes_on_and_says_todays_then(old_home: Path, here: None) -> None:
    run = next(run for run in list_runs() if run.name == "stopped-old")
    files = [run.folder / name for name in (CONFIG, STATUS)]
    assert all("format" not in (read_json(file) or {}) for file in files)
    cdp("resume", "stopped-old", "--wait")
    assert (read_json(run.folder / STATUS) or {})["format"] == FORMAT
    assert get_run(run.id).state == "finished"


@pytest.mark.parametrize("file", [CONFIG, STATUS])
def test_a_newer_run_asks_for_an_update_wherever_it_is_met(
    old_home: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = paths.runs_dir() / PLAIN
    newer(folder / file, **({"config": {"new": 1}} if file == CONFIG else {"state": "dreaming"}))
    run = get_run(PLAIN)
    assert run.config is None and UPDATE in str(run.error) and "delete" not in str(run.error)
    with pytest.raises(InputError, match=UPDATE):
        resume(PLAIN)
    listed = {run["name"]: run for run in answer("runs")["runs"]}
    assert UPDATE in listed["plain-s0"]["error"] and listed["plain-s1"]["error"] is None
    compared = CliRunner().invoke(main.app, ["compare", PLAIN, "plain-s1", "guided-s1"])
    assert UPDATE in compared.output
    served(monkeypatch)
    assert UPDATE in texts(opened("train"))
    assert UPDATE in texts(opened("compare", runs=PLAIN))
    before = (folder / file).read_bytes()
    moved = delete(PLAIN)
    assert (moved / file).read_bytes() == before


def test_a_newer_set_asks_for_an_update_wherever_it_is_met(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_set("a", np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1]), {})
    newer(paths.sets_dir() / "a/card.json", shape={"new": 1})
    assert UPDATE in list_sets()[0].error and "delete" not in list_sets()[0].error
    with pytest.raises(InputError, match=UPDATE):
        open_set("a")
    said = CliRunner().invoke(main.app, ["sets"], catch_exceptions=False).stdout
    assert UPDATE in said and "broken" not in said and "delete" not in said
    served(monkeypatch)
    page = opened("gallery", set="a")
    assert UPDATE in " ".join(str(each.value) for each in (*page.warning, *page.error))


def test_a_newer_encoder_or_model_asks_for_an_update(old_home: Path) -> None:
    from cdp.models.pipelines import list_models

    newer(paths.encoders_dir() / "fashion-mnist/enc-old/card.json")
    newer(paths.models_dir() / "tiny-old/card.json")
    problems = {entry.name: entry.problem for entry in list_encoders("fashion-mnist")}
    assert UPDATE in problems["enc-old"]
    assert UPDATE in {entry.name: entry.problem for entry in list_models()}["tiny-old"]
    with pytest.raises(InputError, match=UPDATE):
        load_encoder("enc-old", "fashion-mnist")


def test_a_new_run_says_its_format(cdp_home: Path) -> None:
    from cdp.config.train import TrainConfig
    from cdp.work import launch
    from cdp.work.registry import TASKS

    task = TASKS["train"]
    begun = launch._create(task.__class__(task.name, task.title, TrainConfig), TrainConfig(), "a")
    for name in (CONFIG, STATUS):
        assert json.loads((paths.runs_dir() / begun / name).read_text())["format"] == FORMAT


def test_a_journal_begins_with_its_format_and_one_of_before_gets_it_when_it_is_cut(
    tmp_path: Path,
) -> None:
    fresh, old = tmp_path / "fresh.jsonl", tmp_path / "old.jsonl"
    old.write_text('{"step": 1, "time": 1.0, "values": {"loss": 2.0}}\n' * 2)
    for path in (fresh, old):
        journal = Journal(path)
        journal.append(3, {"loss": 1.0})
        journal.append(4, {"loss": 0.5})
        journal.close()
    assert fresh.read_text().startswith('{"format": 1}\n')
    assert [point.step for point in read_journal(fresh)] == [3, 4]
    assert not old.read_text().startswith('{"format"')
    assert [point.step for point in read_journal(old)] == [1, 1, 3, 4]
    journal = Journal(old)
    journal.cut(3)
    journal.close()
    assert old.read_text().startswith('{"format": 1}\n{"step": 1')
    assert [point.step for point in read_journal(old)] == [1, 1, 3]


def test_a_newer_journal_asks_for_an_update(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"format": 2}\n{"step": 1, "time": 1.0, "values": {"loss": 2.0}}\n')
    with pytest.raises(InputError, match=UPDATE):
        read_journal(path)


def test_newer_presets_marks_and_signs_stay_as_they_are(cdp_home: Path) -> None:
    from cdp.config.generate import GenerateConfig
    from cdp.data.marks import marks_of, write_marks
    from cdp.data.presets import own_presets, preset_flat, save_preset
    from cdp.results.signs import set_signs

    save_set("a", np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1]), {})
    card = open_set("a").card
    write_marks("a", card, {0: "keep"})
    save_preset("mine", GenerateConfig(seed=3), "a test")
    set_signs(["a"])
    files = [cdp_home / name for name in ("marks/a.json", "presets/mine.json", "signs.json")]
    for file in files:
        write_json(file, (read_json(file) or {}) | {"version": 99, "things": {}})
    before = [file.read_bytes() for file in files]
    with pytest.raises(InputError, match=UPDATE):
        marks_of("a", card)
    with pytest.raises(InputError, match=UPDATE):
        preset_flat("mine")
    assert own_presets() == {} and set(set_signs(["a"])) == {"a"}
    assert [file.read_bytes() for file in files] == before
