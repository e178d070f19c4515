"""One true small experiment through the command line, from its file to a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.paths import ASSETS
from tests.cli.command import cdp, cdp_json
from tests.work.inprocess import here as here

SMALL = """
name: small
real: 100
seeds: [0]
arms:
  real only: {}
  guided: {generate: {count: 20, steps: 2}}
train: {preset: quick, steps: 6, attack_steps: 1, held_out: 20, validation_steps: 1}
evaluate: {attack: quick, count: 100}
control: real only
"""


def test_from_a_file_to_a_verdict_that_a_second_run_repeats_at_once(
    cdp_home: Path, here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CDP_SLOTS", "2")
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    first = cdp_json("experiment", "run", str(file))
    assert first["name"] == "small"
    assert first["control"] == "real only"
    assert first["state"] == "finished"
    assert "100 shared images" in first["verdict"]
    assert [arm["name"] for arm in first["arms"]] == ["real only", "guided"]
    guided = first["arms"][1]
    assert (guided["seeds"], guided["steps"]) == ([0], 6)
    assert guided["difference"]["n"] == 100
    assert guided["robust"]["low"] <= guided["robust"]["value"] <= guided["robust"]["high"]
    assert 0 <= guided["agreement"]["value"] <= 1
    runs = sorted(path.name for path in (cdp_home / "runs").iterdir() if path.name[0] != ".")
    assert len(runs) == 6
    again = cdp_json("experiment", "run", str(file))
    assert again == first
    assert sorted(p.name for p in (cdp_home / "runs").iterdir() if p.name[0] != ".") == runs
    text = cdp("experiment", "show", "small")
    assert first["verdict"] in text
    assert "guided" in text
    assert "small" in cdp("runs")
    # The same name with other settings is another experiment.
    file.write_text(SMALL.replace("seeds: [0]", "seeds: [0, 1]"))
    refused = cdp("experiment", "run", str(file), code=2)
    assert "experiment extend small --file" in refused


def test_one_of_the_example_study_is_told_and_never_changed(
    cdp_home: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is unknown: there are none yet" in cdp("experiment", "show", "pair", code=2)
    monkeypatch.setenv("CDP_EXAMPLE", str(ASSETS / "study"))
    told = cdp_json("experiment", "show", "pair")
    assert told["name"] == "pair" and told["verdict"] in cdp("experiment", "show", told["run"])
    for action in ("stop", "resume"):
        assert "which is read only" in cdp("experiment", action, "pair", code=2)
    assert "which is read only" in cdp("experiment", "extend", "pair", "--seeds", "1", code=2)
    assert ", pair" in cdp("experiment", "show", "nothing", code=2)
